use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::*;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const STORE: &str = "a-store";

fn row(chunk: u64, document: i64, text: &str) -> LexicalRow {
    LexicalRow { chunk, document, language: None, text: text.to_owned() }
}

fn batch(revision: u64, added: Vec<LexicalRow>) -> LexicalBatch {
    LexicalBatch { revision, removed: vec![], added }
}

fn removal(revision: u64, removed: &[u64]) -> LexicalBatch {
    LexicalBatch { revision, removed: removed.to_vec(), added: vec![] }
}

fn begun(path: &Path, language: Option<&str>) -> Result<LexicalIndex, IndexError> {
    LexicalIndex::begin_beside(path, STORE, languages(language))?.take_place(path)
}

fn languages(language: Option<&str>) -> Languages {
    language.map_or(Languages::Own, |language| Languages::OwnOr(language.to_owned()))
}

fn opened(path: &Path) -> Result<LexicalIndex, Box<dyn std::error::Error>> {
    Ok(LexicalIndex::open(path, STORE)?.ok_or("no index")?)
}

fn found(index: &LexicalIndex, question: &str) -> Result<Vec<u64>, IndexError> {
    let found = index.search(question, 10, &Filter::Everything)?;
    Ok(found.iter().map(|s| s.chunk).collect())
}

/// All terms of all segments, whatever chunk they are of.
fn terms(path: &Path) -> Result<BTreeSet<String>, Box<dyn std::error::Error>> {
    let mut terms = BTreeSet::new();
    let (_, fields) = schema();
    let reader = Index::open_in_dir(path)?.reader()?;
    for segment in reader.searcher().segment_readers() {
        for field in [fields.stemmed, fields.folded] {
            let words = segment.inverted_index(field)?;
            let mut stream = words.terms().stream()?;
            while stream.advance() {
                let term = String::from_utf8_lossy(stream.key()).into_owned();
                // Stems are marked with their language.
                terms.insert(term.rsplit(':').next().unwrap_or_default().to_owned());
            }
        }
    }
    Ok(terms)
}

fn files(path: &Path) -> Result<usize, std::io::Error> {
    Ok(fs::read_dir(path)?.count())
}

#[test]
fn changes_are_found_and_survive_reopening() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("lexical");
    let index = begun(&path, Some("pt"))?;
    assert_eq!(index.revision()?, 0);
    let texts = vec![row(1, 1, "As declarações da universidade"), row(2, 2, "O regulamento do aluno")];
    index.apply(&batch(3, texts))?;
    assert_eq!(found(&index, "qual declaração?")?, [1]);
    assert_eq!(found(&index, "declaracoes")?, [1]);
    assert!(index.search("regulamento", 10, &[1].into_iter().collect())?.is_empty());
    index.apply(&removal(4, &[1]))?;
    drop(index);
    let index = opened(&path)?;
    assert_eq!((index.revision()?, index.languages()), (4, &languages(Some("pt"))));
    assert!(found(&index, "declaração")?.is_empty());
    assert_eq!(index.search("alunos", 10, &[2].into_iter().collect())?[0].chunk, 2);
    Ok(())
}

#[test]
fn what_says_nothing_about_this_store_is_not_opened() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("lexical");
    assert!(LexicalIndex::open(&path, STORE)?.is_none(), "there is none");
    begun(&path, None)?.apply(&batch(1, vec![row(1, 1, "ballast")]))?;
    assert_eq!(opened(&path)?.languages(), &Languages::Own);
    assert!(LexicalIndex::open(&path, "another-store")?.is_none());
    assert!(LexicalIndex::open(&path, "a")?.is_none());
    // As they were before stores had identities, and before the terms of today.
    for before in ["lexical 1 -", "lexical 2 a-store -", "lexical 2 a-store pt"] {
        fs::write(path.join("format"), before)?;
        assert!(LexicalIndex::open(&path, STORE)?.is_none(), "{before}");
    }
    Ok(())
}

#[test]
fn damage_is_told_from_what_the_machine_lacks() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("lexical");
    let index = begun(&path, Some("en"))?;
    index.apply(&batch(1, vec![row(1, 1, "ballast")]))?;
    // Somebody else writes.
    let other = index.writer()?;
    let busy = index.apply(&batch(2, vec![row(2, 1, "keel")]));
    assert!(matches!(busy, Err(IndexError::Busy)), "{busy:?}");
    assert_eq!((index.revision()?, found(&index, "ballast")?), (1, vec![1]));
    drop(other);
    index.apply(&batch(2, vec![row(2, 1, "keel")]))?;
    drop(index);

    for entry in fs::read_dir(&path)? {
        let file = entry?.path();
        if file.extension().is_some_and(|e| e == "idx" || e == "term") {
            let mut bytes = fs::read(&file)?;
            bytes.iter_mut().take(8).for_each(|b| *b ^= 0x55);
            fs::write(&file, bytes)?;
        }
    }
    let damaged = LexicalIndex::open(&path, STORE).err();
    assert!(matches!(damaged, Some(IndexError::Damaged(_))), "{damaged:?}");
    fs::remove_dir_all(&path)?;
    fs::write(&path, "no folder")?;
    let blocked = LexicalIndex::open(&path, STORE).err();
    assert!(matches!(blocked, Some(IndexError::Io(_))), "{blocked:?}");
    Ok(())
}

#[test]
fn a_new_index_takes_the_place_of_one_that_answers_until_then() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("lexical");
    let old = begun(&path, Some("en"))?;
    old.apply(&batch(1, vec![row(1, 1, "ballast")]))?;
    // A process that ended while it built one.
    drop(LexicalIndex::begin_beside(&path, STORE, languages(Some("pt")))?);
    assert_eq!(opened(&path)?.languages(), &languages(Some("en")));
    let new = LexicalIndex::begin_beside(&path, STORE, languages(Some("pt")))?;
    new.apply(&batch(7, vec![row(1, 1, "ballast"), row(2, 1, "keel")]))?;
    assert_eq!(found(&old, "ballast")?, [1]);
    let new = new.take_place(&path)?;
    assert_eq!(found(&old, "ballast")?, [1], "who has it open finishes there");
    assert_eq!((found(&new, "keel")?, new.revision()?), (vec![2], 7));
    new.apply(&removal(8, &[1]))?;
    drop((old, new));
    assert_eq!((opened(&path)?.revision()?, files(folder.path())?), (8, 1));

    drop(LexicalIndex::begin_beside(&path, STORE, languages(None))?);
    fs::create_dir(folder.path().join("lexical.old"))?;
    LexicalIndex::clear_leftovers(&path)?;
    assert_eq!((opened(&path)?.revision()?, files(folder.path())?), (8, 1));
    assert!(LexicalIndex::size(&path)? > 1_000);
    Ok(())
}

#[test]
fn a_part_that_is_applied_again_changes_nothing() -> Outcome {
    let folder = tempfile::tempdir()?;
    let index = begun(&folder.path().join("lexical"), None)?;
    let part = batch(0, (1..=50).map(|chunk| row(chunk, 1, "ballast")).collect());
    index.apply(&part)?;
    assert_eq!(index.revision()?, 0, "no more is claimed than is there");
    index.apply(&part)?;
    index.apply(&batch(4, (40..=60).map(|chunk| row(chunk, 1, "ballast")).collect()))?;
    let found = index.search("ballast", 1_000, &Filter::Everything)?;
    let ids: BTreeSet<u64> = found.iter().map(|s| s.chunk).collect();
    assert_eq!((found.len(), ids.len(), index.revision()?), (60, 60, 4));
    Ok(())
}

#[test]
fn words_of_removed_chunks_are_in_no_file_after_a_purge() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("lexical");
    let index = begun(&path, None)?;
    // One segment that loses a chunk, one that loses all, one that loses none.
    index.apply(&batch(1, vec![row(1, 1, "zyxmarker ballast"), row(2, 2, "keel")]))?;
    index.apply(&batch(2, vec![row(3, 1, "zyxmarker alone")]))?;
    index.apply(&batch(3, vec![row(4, 2, "anchor")]))?;
    assert!(terms(&path)?.contains("zyxmarker") && !index.holds_removed());
    index.apply(&removal(4, &[1, 3]))?;
    assert!(index.holds_removed());
    // Somebody searches meanwhile.
    let searcher = index.reader.searcher();
    index.purge()?;
    assert!(!index.holds_removed());
    assert_eq!(terms(&path)?, ["anchor", "keel"].map(str::to_owned).into());
    drop(searcher);
    // No file is left that is not of the last commit: they would hold the words too.
    let known = index.index.load_metas()?.list_segment_files();
    for entry in fs::read_dir(&path)? {
        let name = entry?.file_name();
        let of_segment = name.to_string_lossy().split_once('.').is_some_and(|(stem, _)| stem.len() == 32);
        assert!(!of_segment || known.contains(Path::new(&name)), "{name:?}");
        let bytes = fs::read(path.join(&name))?;
        assert!(!bytes.windows(9).any(|bytes| bytes == b"zyxmarker"), "{name:?}");
    }
    assert_eq!((found(&index, "keel")?, found(&index, "anchor")?), (vec![2], vec![4]));
    assert_eq!(index.revision()?, 4);
    index.purge()?;
    index.apply(&removal(5, &[2, 4]))?;
    index.purge()?;
    assert_eq!(terms(&path)?, BTreeSet::new());
    assert_eq!(opened(&path)?.revision()?, 5);
    Ok(())
}

#[test]
fn what_a_process_left_that_ended_while_it_wrote_is_removed_on_opening() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("lexical");
    let index = begun(&path, None)?;
    index.apply(&batch(1, vec![row(1, 1, "ballast")]))?;
    let before = files(&path)?;
    let mut writer = index.writer()?;
    let mut document = tantivy::TantivyDocument::default();
    document.add_text(index.fields.folded, "zyxmarker");
    writer.add_document(document)?;
    // Written, and not committed.
    drop(writer.prepare_commit()?);
    std::mem::forget(writer);
    assert!(files(&path)? > before);
    let copy = folder.path().join("copy");
    fs::create_dir(&copy)?;
    for entry in fs::read_dir(&path)? {
        let entry = entry?;
        fs::copy(entry.path(), copy.join(entry.file_name()))?;
    }
    opened(&copy)?;
    assert_eq!(terms(&copy)?, ["ballast".to_owned()].into());
    assert!(files(&copy)? <= before, "{} files", files(&copy)?);
    Ok(())
}

#[test]
fn a_file_that_goes_while_it_is_compared_is_no_damage() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("lexical");
    let index = begun(&path, None)?;
    index.apply(&batch(1, vec![row(1, 1, "ballast"), row(2, 1, "keel")]))?;
    index.check()?;
    let before = index.index.load_metas()?.list_segment_files();
    let named = before.iter().next().ok_or("no file")?;
    assert!(index.names(&path.join(named))?);
    index.apply(&removal(2, &[1]))?;
    index.purge()?;
    assert!(!index.names(&path.join(named))?, "another file has its words");
    index.check()?;
    let files = index.index.load_metas()?.list_segment_files();
    let gone = files.iter().find(|file| path.join(file).exists()).ok_or("no file")?;
    drop(index);
    fs::remove_file(path.join(gone))?;
    assert!(matches!(LexicalIndex::open(&path, STORE), Err(IndexError::Damaged(_))), "it is of the index");
    Ok(())
}

#[test]
fn room_is_looked_for_and_left() -> Outcome {
    let folder = tempfile::tempdir()?;
    LexicalIndex::check_room(&folder.path().join("vs_1/lexical"))?;
    assert_eq!(files(&folder.path().join("vs_1"))?, 0);
    // A file stands where a folder is needed.
    fs::write(folder.path().join("vs_2"), "")?;
    let error = LexicalIndex::check_room(&folder.path().join("vs_2/lexical"));
    assert!(matches!(error, Err(IndexError::Io(_))), "{error:?}");
    Ok(())
}

#[test]
fn each_chunk_has_a_language_of_its_own() -> Outcome {
    let folder = tempfile::tempdir()?;
    let rows = || {
        let texts = [
            (1, Some("en"), "The long declarations of the captain"),
            (2, Some("pt"), "As declarações do capitão sobre o longo caminho"),
            (3, None, "declarações"),
        ];
        let row = |(chunk, language, text): (u64, Option<&str>, &str)| LexicalRow {
            language: language.map(str::to_owned),
            ..row(chunk, 1, text)
        };
        batch(1, texts.map(row).to_vec())
    };
    let index = |name: &str, languages: Languages| -> Result<LexicalIndex, Box<dyn std::error::Error>> {
        let path = folder.path().join(name);
        LexicalIndex::begin_beside(&path, STORE, languages.clone())?.take_place(&path)?.apply(&rows())?;
        let opened = opened(&path)?;
        assert_eq!(opened.languages(), &languages);
        Ok(opened)
    };
    let own = index("own", Languages::Own)?;
    assert_eq!(found(&own, "qual é a declaração?")?, [2]);
    assert_eq!(found(&own, "what did they declare?")?, [1]);
    assert_eq!(found(&own, "how long is the path?")?, [1], "no stem of another language");
    let first = index("first", Languages::OwnOr("pt".into()))?;
    assert_eq!(found(&first, "qual é a declaração?")?.len(), 2);
    let only = index("only", Languages::Only("en".into()))?;
    assert_eq!(found(&only, "qual é a declaração?")?, [0u64; 0]);
    Ok(())
}

#[test]
fn a_letter_with_a_question_behind_it_is_answered() -> Outcome {
    let folder = tempfile::tempdir()?;
    let index = begun(&folder.path().join("lexical"), Some("en"))?;
    let mut rows: Vec<_> =
        (1..=40).map(|n| row(n, 1, &format!("Paragraph {n} of the report on pumps."))).collect();
    rows.push(row(99, 2, "The warranty of a valve ends after two winters."));
    index.apply(&batch(1, rows))?;
    let report = "Dear all, the report on pumps has a paragraph on each pump. ".repeat(160);
    for question in [
        format!("{report}When does the warranty of the valve end? Regards"),
        format!("When does the warranty of the valve end? {report}"),
    ] {
        assert_eq!(found(&index, &question)?.first(), Some(&99));
        let statistics = index.statistics(&question)?;
        let matched = index.matches(&question, 10, &Filter::Everything, &statistics)?;
        assert!(
            matched.found.first().is_some_and(|best| best.chunk == 99 && best.coverage > 0.9),
            "{matched:?}"
        );
    }
    // Ten thousand words that ask nothing.
    let words: String = (0..10_000).map(|n| format!("word{n} ")).collect();
    assert!(found(&index, &words)?.is_empty());
    assert!(!found(&index, &format!("{words} warranty"))?.is_empty());
    Ok(())
}

#[test]
fn words_in_the_order_of_the_question_count() -> Outcome {
    let folder = tempfile::tempdir()?;
    let index = begun(&folder.path().join("lexical"), Some("en"))?;
    index.apply(&batch(
        1,
        vec![
            row(1, 1, "a pump behind the tower and a valve of steel"),
            row(2, 1, "a valve behind the tower and a pump of steel"),
            row(3, 1, "a steel pump behind the valve and a tower"),
        ],
    ))?;
    for (question, best) in
        [("steel pump", 3), ("valve behind the tower", 2), ("\"pump behind the tower\"", 1)]
    {
        let found = index.search(question, 10, &Filter::Everything)?;
        assert_eq!(found.first().map(|found| found.chunk), Some(best), "{question}: {found:?}");
        let statistics = index.statistics(question)?;
        let matched = index.matches_of(question, &[1, 2, 3], &statistics)?;
        for found in &found {
            let of = matched.iter().flatten().find(|matched| matched.chunk == found.chunk);
            assert_eq!(of.map(|matched| matched.score), Some(found.score), "{question}");
        }
    }
    Ok(())
}

#[test]
fn hostile_questions_are_only_words() -> Outcome {
    let folder = tempfile::tempdir()?;
    let index = begun(&folder.path().join("lexical"), Some("en"))?;
    index.apply(&batch(1, vec![row(1, 1, "anchor chain")]))?;
    for question in ["", "AND OR NOT", "chunk:1 *:*", "\"", "((((", "[* TO *]", &"x ".repeat(10_000)] {
        assert!(index.search(question, 10, &Filter::Everything)?.is_empty(), "{question}");
    }
    assert_eq!(found(&index, "+anchor -chain \"")?, [1]);
    Ok(())
}

/// Chunks of seven documents, with words that are rarer and rarer.
fn library() -> Vec<LexicalRow> {
    let text = |chunk: u64| {
        let words = ["pump", "valve", "tower", "ballast"];
        let said = words.iter().zip([1, 2, 5, 11]).filter(|(_, every)| chunk.is_multiple_of(*every));
        let said: Vec<_> = said.map(|(word, _)| *word).collect();
        format!("{} {}", said.join(" and "), "is written here ".repeat(chunk as usize % 4))
    };
    (1..=60).map(|chunk| row(chunk, (chunk % 7) as i64, &text(chunk))).collect()
}

#[test]
fn filters_of_every_kind_admit_the_same_as_elsewhere() -> Outcome {
    let folder = tempfile::tempdir()?;
    let index = begun(&folder.path().join("lexical"), Some("en"))?;
    index.apply(&batch(1, library()))?;
    let all = index.search("pump", 100, &Filter::Everything)?;
    assert_eq!(all.len(), 60);
    for (filter, _) in crate::index::filter::examples() {
        let expected: Vec<_> =
            all.iter().copied().filter(|found| filter.admits((found.chunk % 7) as i64)).collect();
        assert_eq!(index.search("pump", 100, &filter)?, expected, "{filter:?}");
    }
    Ok(())
}

#[test]
fn given_chunks_match_as_they_do_in_a_search() -> Outcome {
    let folder = tempfile::tempdir()?;
    let index = begun(&folder.path().join("lexical"), Some("en"))?;
    index.apply(&batch(1, library()))?;
    let question = "the valve of the ballast";
    let statistics = index.statistics(question)?;
    let searched = index.matches(question, 100, &Filter::Everything, &statistics)?.found;
    let by_score: Vec<_> = searched.iter().map(|m| Scored { chunk: m.chunk, score: m.score }).collect();
    assert_eq!(by_score, index.search(question, 100, &Filter::Everything)?);
    let chunks = [4, 1, 44, 4_000, 22, 4];
    let matches = index.matches_of(question, &chunks, &statistics)?;
    let expected = chunks.map(|chunk| searched.iter().find(|found| found.chunk == chunk).copied());
    assert_eq!(matches, expected);
    assert!(matches[0].is_some() && matches[1].is_none() && matches[3].is_none());
    assert_eq!(index.matches_of("", &chunks, &statistics)?, [None; 6]);
    assert!(index.matches_of(question, &[], &statistics)?.is_empty());
    Ok(())
}

#[test]
fn a_chunk_covers_the_words_that_it_has_by_their_rarity() -> Outcome {
    let folder = tempfile::tempdir()?;
    let index = begun(&folder.path().join("lexical"), Some("pt"))?;
    let texts = [
        (1, "A declaração da bomba"),
        (2, "Declaracoes sem acento"),
        (3, "A bomba e outra bomba"),
        (4, "Nada disso"),
        (5, "O whatsapp da escola"),
    ];
    // Chunks of several segments, some removed.
    for (chunk, text) in texts {
        index.apply(&batch(chunk, vec![row(chunk, 1, text), row(chunk + 10, 1, "A bomba de antes")]))?;
        index.apply(&removal(chunk, &[chunk + 10]))?;
    }
    let matches = |question: &str| -> Result<Matches, IndexError> {
        index.matches(question, 10, &Filter::Everything, &index.statistics(question)?)
    };
    let of =
        |matches: &Matches, chunk: u64| matches.found.iter().find(|m| m.chunk == chunk).map(|m| m.coverage);
    let all = matches("declarações da bomba")?;
    assert_eq!((all.known, of(&all, 1), of(&all, 4)), (1.0, Some(1.0), None));
    let (rare, common) = (of(&all, 2).unwrap_or(0.0), of(&all, 3).unwrap_or(0.0));
    assert!(rare > common && common > 0.0 && (rare + common - 1.0).abs() < 1e-5, "{all:?}");
    // Asked twice, and in another form, it is one word; a form that only one field knows counts too.
    assert_eq!(of(&matches("declaração, declarações: a bomba")?, 1), Some(1.0));
    assert_eq!(of(&matches("declaracoes")?, 2), Some(1.0));
    // The parts of a name say nothing where nobody writes them.
    assert_eq!(of(&matches("WhatsApp")?, 5), Some(1.0));
    // What occurs nowhere cannot be covered, and is missed.
    let partly = matches("bomba submarina")?;
    assert!(partly.known < 0.6 && of(&partly, 3) == Some(partly.known), "{partly:?}");
    let nothing = matches("xyz")?;
    assert_eq!((nothing.known, nothing.found.len()), (0.0, 0));
    assert_eq!(matches("de a ?")?, Matches::default());
    Ok(())
}

#[test]
fn a_sample_is_of_what_is_there() -> Outcome {
    let folder = tempfile::tempdir()?;
    let index = begun(&folder.path().join("lexical"), Some("en"))?;
    assert!(index.sample(10)?.is_empty());
    index.apply(&batch(1, library()))?;
    index.apply(&removal(2, &(1..=20).collect::<Vec<_>>()))?;
    let sample = index.sample(9)?;
    assert!(sample.len() <= 9 && sample.len() >= 5, "{sample:?}");
    let distinct: BTreeSet<_> = sample.iter().copied().collect();
    assert!(distinct.len() == sample.len() && distinct.iter().all(|chunk| (21..=60).contains(chunk)));
    assert_eq!(index.sample(1_000)?.len(), 40);
    assert!(index.sample(0)?.is_empty());
    Ok(())
}

#[test]
fn two_halves_with_pooled_statistics_match_as_the_whole() -> Outcome {
    let folder = tempfile::tempdir()?;
    let index = |name: &str, rows: Vec<LexicalRow>| -> Result<LexicalIndex, IndexError> {
        let index = begun(&folder.path().join(name), Some("en"))?;
        index.apply(&batch(1, rows))?;
        Ok(index)
    };
    let (left, right): (Vec<_>, Vec<_>) = library().into_iter().partition(|row| row.chunk <= 13);
    let (whole, halves) = (index("whole", library())?, [index("left", left)?, index("right", right)?]);
    for question in ["valve tower", "the ballast of a pump", "nothing of it", "written"] {
        let statistics = whole.statistics(question)?;
        let expected = whole.matches(question, 100, &Filter::Everything, &statistics)?;
        let counted = halves.iter().map(|half| half.statistics(question)).collect::<Result<Vec<_>, _>>()?;
        let pooled = Statistics::pooled(counted);
        assert_eq!(pooled, statistics);
        let mut found = Vec::new();
        for half in &halves {
            let matches = half.matches(question, 100, &Filter::Everything, &pooled)?;
            assert_eq!(matches.known, expected.known);
            found.extend(matches.found);
        }
        found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.chunk.cmp(&b.chunk)));
        assert_eq!(found, expected.found, "{question}");
        if let Some(best) = found.first() {
            let matches = halves.each_ref().map(|half| half.matches_of(question, &[best.chunk], &pooled));
            let matches = matches.into_iter().collect::<Result<Vec<_>, _>>()?;
            assert!(matches.concat().contains(&Some(*best)), "{question}: {matches:?}");
        }
    }
    Ok(())
}
