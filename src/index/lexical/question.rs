//! A question as a query: its words, what it has in one piece, and what it quotes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use tantivy::query::{
    Bm25StatisticsProvider, BooleanQuery, BoostQuery, Occur, PhraseQuery, Query, TermQuery,
};
use tantivy::schema::IndexRecordOption;
use tantivy::{Score, Searcher, Term};

use super::nearness::Pair;
use super::{Fields, Statistics};
use crate::index::analysis::{self, Asked, Kind};
use crate::words::{asked, beginning, end};

/// The folded field repeats what the stems say; it is there for spelling, and for documents of another language.
const FOLDED: Score = 0.5;
/// A number has no stem.
const NUMBER: Score = 1.5;
/// What is written in one piece, and says more than its parts do.
const CODE: Score = 2.0;
/// A word with the number behind it.
const NUMBERED: Score = 1.0;
/// Words with a hyphen between them, which are there as words too.
const JOINED: Score = 1.0;
/// A part of what is written in one piece, against the same word by itself.
const PART: Score = 0.5;
/// What the question quotes.
const QUOTED: Score = 2.0;
/// Words of a question this far apart are a pair, with stop words between them.
const MOST_APART: usize = 3;
/// Words around the question within a long text.
const AROUND: Score = 0.3;
/// Of the words around the question, so many are taken: the rarest.
const MOST_AROUND: usize = 24;
/// Of a text without a question, and of a question without end, so many words are taken: the rarest.
const MOST_ASKED: usize = 64;
/// Of the beginning and of the end of a long text, so many bytes are looked at.
const LOOKED_AT: usize = 16 << 10;

/// A term of a question.
pub(super) struct AskedTerm {
    pub term: Term,
    /// What its score is multiplied by.
    pub boost: Score,
    /// The word of the question that it stands for, by number. Several terms may stand for one.
    pub word: usize,
    /// Whether that is a part of what the question has in one piece, which is a word of its own.
    pub is_part: bool,
}

/// What a question asks of an index.
pub(super) struct Question {
    /// The terms of the question itself.
    pub asked: Vec<AskedTerm>,
    /// The terms of what was sent with it.
    around: Vec<AskedTerm>,
    /// With the place of each term in the phrase.
    phrases: Vec<Vec<(usize, Term)>>,
    /// Words of the question that follow on one another.
    pub pairs: Vec<Pair>,
}

impl Question {
    /// A question of an index. What is too long of it is cut by how rare its words are, here or in all indexes that the
    /// statistics are of.
    pub fn of(
        text: &str,
        fields: Fields,
        searcher: &Searcher,
        statistics: Option<&Statistics>,
    ) -> tantivy::Result<Self> {
        let mut question = Self::whole(text, fields, searcher)?;
        let count = |term: &Term| match statistics {
            Some(statistics) => statistics.doc_freq(term),
            None => searcher.doc_freq(term),
        };
        question.asked = rarest(question.asked, MOST_ASKED, count)?;
        question.around = rarest(question.around, MOST_AROUND, count)?;
        Ok(question)
    }

    /// All terms that may decide the scores of a question.
    pub fn all_terms(text: &str, fields: Fields, searcher: &Searcher) -> tantivy::Result<Vec<Term>> {
        let question = Self::whole(text, fields, searcher)?;
        let asked = question.asked.into_iter().chain(question.around).map(|asked| asked.term);
        let quoted = question.phrases.into_iter().flatten().map(|(_, term)| term);
        let near = question.pairs.into_iter().flat_map(|pair| pair.words);
        Ok(asked.chain(quoted).chain(near).collect())
    }

    fn whole(text: &str, fields: Fields, searcher: &Searcher) -> tantivy::Result<Self> {
        let languages = languages(fields, searcher)?;
        let question = asked(text);
        let said = analysis::ask(question, &languages);
        let mut words = Words::of(fields);
        let asked = words.terms(&said, 1.0);
        let mut around = Vec::new();
        if question.len() < text.len() {
            let last = if text.len() > 2 * LOOKED_AT { end(text, LOOKED_AT) } else { "" };
            let first = if last.is_empty() { text } else { beginning(text, LOOKED_AT) };
            for part in [last, first] {
                around.extend(words.terms(&analysis::ask(part, &languages), AROUND));
            }
        }
        let phrases = quoted(question).map(|phrase| phrase_terms(phrase, fields));
        let phrases = phrases.filter(|terms| (2..=MOST_ASKED).contains(&terms.len())).collect();
        Ok(Self { asked, around, phrases, pairs: pairs(&said, fields) })
    }

    /// The query; none where nothing is asked.
    pub fn query(&self) -> Option<Box<dyn Query>> {
        let of_term = |asked: &AskedTerm| -> (Occur, Box<dyn Query>) {
            let query = TermQuery::new(asked.term.clone(), IndexRecordOption::WithFreqs);
            (Occur::Should, Box::new(BoostQuery::new(Box::new(query), asked.boost)))
        };
        let of_phrase = |phrase: &Vec<(usize, Term)>| -> (Occur, Box<dyn Query>) {
            let query = PhraseQuery::new_with_offset(phrase.clone());
            (Occur::Should, Box::new(BoostQuery::new(Box::new(query), QUOTED)))
        };
        let terms = self.asked.iter().chain(&self.around).map(of_term);
        let clauses: Vec<_> = terms.chain(self.phrases.iter().map(of_phrase)).collect();
        (!clauses.is_empty()).then(|| Box::new(BooleanQuery::new(clauses)) as Box<dyn Query>)
    }
}

/// The terms of a quoted phrase with their places.
fn phrase_terms(phrase: &str, fields: Fields) -> Vec<(usize, Term)> {
    let folded =
        analysis::analyse(phrase, None).folded.into_iter().filter(|folded| folded.kind == Kind::Word);
    let mut terms: Vec<(usize, Term)> = Vec::new();
    for folded in folded {
        // The parts of a name stand where it stands.
        if terms.last().is_none_or(|(at, _)| *at < folded.at) {
            terms.push((folded.at, Term::from_field_text(fields.folded, &folded.text)));
        }
    }
    terms
}

/// Neighbours among the words of a question that say something.
fn pairs(said: &[Asked], fields: Fields) -> Vec<Pair> {
    let says = |word: &&Asked| !word.stop && word.folded.kind == Kind::Word;
    let words: Vec<&Asked> = said.iter().filter(says).take(MOST_ASKED).collect();
    let apart = |pair: &[&Asked]| pair[1].folded.at.saturating_sub(pair[0].folded.at);
    let near = words.windows(2).filter(|pair| (1..=MOST_APART).contains(&apart(pair)));
    let term = |word: &Asked| Term::from_field_text(fields.folded, &word.folded.text);
    near.map(|pair| Pair { words: [term(pair[0]), term(pair[1])], gap: apart(pair) as u32 }).collect()
}

/// The terms of so many words: those that fewest chunks hold, and some chunk does.
fn rarest(
    terms: Vec<AskedTerm>,
    most: usize,
    count: impl Fn(&Term) -> tantivy::Result<u64>,
) -> tantivy::Result<Vec<AskedTerm>> {
    let mut commonest: BTreeMap<usize, u64> = terms.iter().map(|asked| (asked.word, 0)).collect();
    if commonest.len() <= most {
        return Ok(terms);
    }
    for asked in &terms {
        let chunks = count(&asked.term)?;
        commonest.entry(asked.word).and_modify(|most| *most = chunks.max(*most));
    }
    let mut by_rarity: Vec<(u64, usize)> =
        commonest.into_iter().map(|(word, chunks)| (chunks, word)).collect();
    by_rarity.retain(|(chunks, _)| *chunks > 0);
    by_rarity.sort_unstable();
    let taken: HashSet<usize> = by_rarity.into_iter().take(most).map(|(_, word)| word).collect();
    Ok(terms.into_iter().filter(|asked| taken.contains(&asked.word)).collect())
}

/// The marks of the stems that are in an index.
fn languages(fields: Fields, searcher: &Searcher) -> tantivy::Result<BTreeSet<String>> {
    let mut languages = BTreeSet::new();
    for segment in searcher.segment_readers() {
        let marks = segment.inverted_index(fields.language)?;
        let mut stream = marks.terms().stream()?;
        while stream.advance() {
            languages.insert(String::from_utf8_lossy(stream.key()).into_owned());
        }
    }
    Ok(languages)
}

/// Gathers the words of a question, each once. A word has one number in all of its forms.
struct Words {
    fields: Fields,
    known: HashSet<String>,
    numbers: HashMap<String, usize>,
}

impl Words {
    fn of(fields: Fields) -> Self {
        Self { fields, known: HashSet::new(), numbers: HashMap::new() }
    }

    fn terms(&mut self, words: &[Asked], weight: Score) -> Vec<AskedTerm> {
        let mut terms = Vec::new();
        let mut last = None;
        // Where a name such as `WhatsApp` stands, whose parts stand behind it.
        let mut name = None;
        for word in words.iter().filter(|word| !word.stop) {
            if word.folded.kind == Kind::Code {
                name = Some(word.folded.at);
            }
            let is_part = word.part || (word.folded.kind == Kind::Word && name == Some(word.folded.at));
            // A code says something of its own. Other pieces are a spelling of the word before them.
            let number = match (word.folded.kind, last) {
                (Kind::Joined | Kind::Numbered, Some(last)) => last,
                _ => self.number(word),
            };
            last = Some(number);
            if !self.known.insert(word.folded.text.clone()) {
                continue;
            }
            let alike = match word.folded.kind {
                Kind::Code => CODE,
                Kind::Numbered => NUMBERED,
                Kind::Joined => JOINED,
                Kind::Word if word.folded.text.bytes().all(|b| b.is_ascii_digit()) => NUMBER,
                Kind::Word if word.has_digits => CODE,
                Kind::Word => FOLDED,
            };
            let part = if word.part { PART * weight } else { weight };
            let stems =
                word.stems.iter().map(|stem| (Term::from_field_text(self.fields.stemmed, stem), part));
            let folded = (Term::from_field_text(self.fields.folded, &word.folded.text), part * alike);
            let asked = |(term, boost)| AskedTerm { term, boost, word: number, is_part };
            let of_word = stems.chain([folded]).map(asked);
            terms.extend(of_word);
        }
        // Two forms of a word may have one stem.
        let mut said = HashSet::new();
        terms.retain(|asked| said.insert(asked.term.clone()));
        terms
    }

    fn number(&mut self, word: &Asked) -> usize {
        let next = self.numbers.len();
        let name = word.stems.first().unwrap_or(&word.folded.text);
        *self.numbers.entry(name.clone()).or_insert(next)
    }
}

/// What stands between quotation marks, typed or typographic.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let (from, opening) =
                rest.char_indices().find(|(_, c)| matches!(c, '"' | '“' | '„' | '«' | '”'))?;
            let inner = &rest[from + opening.len_utf8()..];
            let closes = |c: char| match opening {
                '"' => c == '"',
                '«' => c == '»',
                _ => matches!(c, '”' | '“'),
            };
            let Some(to) = inner.find(closes) else {
                rest = inner;
                continue;
            };
            rest = &inner[to..];
            let mut after = rest.chars();
            after.next();
            rest = after.as_str();
            return Some(&inner[..to]);
        }
    })
}
