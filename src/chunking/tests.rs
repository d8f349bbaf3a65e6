use std::ops::Range;

use proptest::prelude::*;

use super::*;
use crate::chunking::ApproximateTokens;
use crate::reading::{Block, BlockKind, Format};

/// A token for each word, for each character, or several for each character.
enum Counting {
    Words,
    Characters,
    Several,
}

impl Tokens for Counting {
    fn spans(&self, text: &str) -> Vec<Range<usize>> {
        let characters =
            text.char_indices().filter(|(_, c)| !c.is_whitespace()).map(|(at, c)| at..at + c.len_utf8());
        match self {
            Self::Characters => characters.collect(),
            Self::Several => characters.flat_map(|span| [span.clone(), span.clone(), span]).collect(),
            Self::Words => {
                let mut at = 0;
                let mut spans = Vec::new();
                for word in text.split_inclusive(char::is_whitespace) {
                    let trimmed = word.trim_end();
                    if !trimmed.is_empty() {
                        spans.push(at..at + trimmed.len());
                    }
                    at += word.len();
                }
                spans
            }
        }
    }
}

fn document(blocks: Vec<(BlockKind, &str)>) -> Extracted {
    let blocks = blocks.into_iter().zip(1..).map(|((kind, text), page)| Block {
        kind,
        text: text.to_owned(),
        page: Some(page),
    });
    Extracted { format: Format::Pdf, title: Some("Guia".to_owned()), blocks: blocks.collect(), pages: None }
}

fn settings(max_tokens: usize, overlap_tokens: usize) -> ChunkSettings {
    ChunkSettings { max_tokens, overlap_tokens, ..ChunkSettings::default() }
}

fn chunked(document: &Extracted, tokens: &dyn Tokens, settings: &ChunkSettings) -> Vec<NewChunk> {
    chunk(document, tokens, settings).expect("not too many")
}

use BlockKind::{Code, Heading, ListItem, Paragraph, Table};

#[test]
fn headings_start_chunks_and_small_sections_share_one() {
    let long = "palavra ".repeat(8);
    let long = long.trim();
    let found = chunked(
        &document(vec![
            (Heading(1), "Um"),
            (Paragraph, long),
            (Heading(2), "Dois"),
            (Paragraph, "curto"),
            (Heading(2), "Três"),
            (Paragraph, long),
        ]),
        &Counting::Words,
        &settings(12, 0),
    );
    let texts: Vec<&str> = found.iter().map(|piece| piece.text.as_str()).collect();
    let shared = format!("Dois\n\ncurto\n\nTrês\n\n{long}");
    assert_eq!(texts, [format!("Um\n\n{long}"), shared]);
    assert_eq!(found[0].headings, ["Guia", "Um"]);
    assert_eq!(found[1].headings, ["Guia", "Um"]);
    assert_eq!((found[1].page, found[1].last_page), (Some(3), Some(6)));
}

#[test]
fn a_heading_is_never_the_end_of_a_chunk() {
    let found = chunked(
        &document(vec![(Paragraph, "a b"), (Heading(1), "H"), (Paragraph, "c d e f g h i j k")]),
        &Counting::Words,
        &settings(10, 0),
    );
    let texts: Vec<&str> = found.iter().map(|piece| piece.text.as_str()).collect();
    assert_eq!(texts, ["a b", "H\n\nc d e f g h i j k"]);
}

#[test]
fn long_sections_overlap_by_sentences_and_sections_do_not() {
    let text = "Um dois três. Quatro cinco seis. Sete oito nove. Dez onze doze.";
    let found = chunked(
        &document(vec![(Paragraph, text), (Heading(1), "H"), (Paragraph, "fim fim fim")]),
        &Counting::Words,
        &settings(6, 3),
    );
    let texts: Vec<&str> = found.iter().map(|piece| piece.text.as_str()).collect();
    let expected = [
        "Um dois três. Quatro cinco seis.",
        "Quatro cinco seis. Sete oito nove.",
        "Sete oito nove. Dez onze doze.",
        "H\n\nfim fim fim",
    ];
    assert_eq!(texts, expected);
}

#[test]
fn a_paragraph_is_kept_whole_where_a_chunk_has_room_for_it() {
    let found = chunked(
        &document(vec![(Paragraph, "a a a a a a"), (Paragraph, "b b b. b b b.")]),
        &Counting::Words,
        &settings(10, 0),
    );
    assert_eq!(found.len(), 2);
    assert_eq!(found[1].text, "b b b. b b b.");
}

#[test]
fn large_documents_take_linear_time() {
    let text = "Uma frase de tamanho médio que se repete muitas vezes. ".repeat(40_000);
    let started = std::time::Instant::now();
    let found =
        chunked(&document(vec![(Paragraph, text.trim())]), &ApproximateTokens, &ChunkSettings::default());
    assert!(found.len() > 2000);
    let endless = "x".repeat(2_000_000);
    assert!(
        chunked(&document(vec![(Paragraph, &endless)]), &ApproximateTokens, &ChunkSettings::default()).len()
            > 1900
    );
    assert!(started.elapsed().as_secs() < 20);
}

#[test]
fn approximate_tokens_are_about_four_letters() {
    let spans = ApproximateTokens.spans("Instalação, ok 日本");
    let parts: Vec<&str> = spans.into_iter().map(|span| &"Instalação, ok 日本"[span]).collect();
    assert_eq!(parts, ["Inst", "alaç", "ão", ",", "ok", "日", "本"]);
}

/// One token for what has no space in it, as models have for words that they do not know.
struct Unknown;

impl Tokens for Unknown {
    fn spans(&self, text: &str) -> Vec<Range<usize>> {
        assert!(text.len() <= 32 << 10, "{} bytes are tokenised at once", text.len());
        Counting::Words.spans(text)
    }
}

#[test]
fn what_is_kept_of_a_document_is_in_proportion_to_it() {
    let mb = 1 << 20;
    let long = "palavra ".repeat(mb / 8);
    let lines = format!("{}\n", "x y ".repeat(20_000)).repeat(mb / 80_000);
    type Blocks = Vec<(BlockKind, String)>;
    let cases: Vec<(&str, String, Blocks)> = vec![
        ("title", long.clone(), vec![(Paragraph, "uma frase. ".repeat(1_000)); 50]),
        ("endless title", "x".repeat(mb), vec![(Paragraph, "uma frase. ".repeat(1_000)); 50]),
        (
            "nested headings",
            String::new(),
            (0..3_000).map(|n| (Heading((n % 255 + 1) as u8), format!("{n} {}", &long[..390]))).collect(),
        ),
        (
            "headings of one letter",
            "t".repeat(500),
            (0..50_000).map(|n| (Heading((n % 6 + 1) as u8), "a".to_owned())).collect(),
        ),
        ("one line", String::new(), vec![(Paragraph, "x".repeat(mb))]),
        ("one cell", String::new(), vec![(Table, long.replace(' ', "_"))]),
        ("marks", String::new(), vec![(Paragraph, format!("a.{}", ")".repeat(mb / 4)))]),
        (
            "combining",
            String::new(),
            vec![(Paragraph, "e\u{301}".repeat(mb / 4)), (Heading(1), "e\u{301}".repeat(199))],
        ),
        ("space", String::new(), vec![(Code, format!("a{}b", " ".repeat(mb)))]),
        ("log", String::new(), vec![(Paragraph, lines.clone()), (Code, lines)]),
        ("items", String::new(), vec![(ListItem, "- a".to_owned()); 100_000]),
    ];
    for (name, title, blocks) in cases {
        let blocks = blocks.iter().map(|(kind, text)| (*kind, text.trim())).collect();
        let document = Extracted { title: Some(title), ..document(blocks) };
        let length = linear_text(&document).len();
        for (max, overlap) in [(222, 32), (100, 50)] {
            let found = chunked(&document, &Unknown, &settings(max, overlap));
            let texts: usize = found.iter().map(|piece| piece.text.len()).sum();
            assert!(texts <= 2 * length, "{name}: {texts} bytes of chunks of {length}");
            let headings = |piece: &NewChunk| piece.headings.iter().map(String::len).sum::<usize>();
            let most = 32 * BYTES_PER_TOKEN;
            for piece in &found {
                assert!(piece.text.len() <= max * BYTES_PER_TOKEN, "{name}: {}", piece.text.len());
                assert!(headings(piece) <= most, "{name}: {}", headings(piece));
            }
            let paths: usize = found.iter().map(headings).sum();
            assert!(paths <= 4 * length, "{name}: {paths} bytes of headings of {length}");
        }
    }
}

#[test]
fn more_chunks_than_are_kept_are_an_error() {
    let document = document(vec![(Paragraph, "um dois tres quatro cinco seis sete oito nove dez.")]);
    let few = ChunkSettings { most_chunks: 2, ..settings(4, 0) };
    assert_eq!(chunk(&document, &Counting::Words, &few), Err(TooManyChunks(2)));
    assert_eq!(chunked(&document, &Counting::Words, &ChunkSettings { most_chunks: 3, ..few }).len(), 3);
}

fn any_document() -> impl Strategy<Value = Extracted> {
    let kind = prop_oneof![
        (1_u8..4).prop_map(Heading),
        Just(Paragraph),
        Just(Paragraph),
        Just(ListItem),
        Just(Table),
        Just(Code)
    ];
    let word = prop_oneof![4 => "[a-zçãé]{1,9}[.,!?]?", 1 => "[a-zé]{30,90}", 1 => "[日本語。]{1,12}", 1 => "[\\PC&&[^\\s]]{1,6}"];
    let gap = prop_oneof![6 => Just(" "), 1 => Just("\n"), 1 => Just("  ")];
    let text = proptest::collection::vec((word, gap), 1..40)
        .prop_map(|parts| {
            parts
                .into_iter()
                .flat_map(|(word, gap)| [word, gap.to_owned()])
                .collect::<String>()
                .trim()
                .to_owned()
        })
        .prop_filter("blocks are not empty", |text| !text.is_empty());
    proptest::collection::vec((kind, text), 1..14).prop_map(|blocks| {
        let blocks = blocks.iter().map(|(kind, text)| (*kind, text.as_str())).collect();
        document(blocks)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn chunks_keep_what_they_promise(document in any_document(), max in 3_usize..60, overlap in 0_usize..20, counting in 0..4) {
        let tokens: &dyn Tokens = match counting {
            0 => &Counting::Words,
            1 => &Counting::Characters,
            2 => &Counting::Several,
            _ => &ApproximateTokens,
        };
        let text = linear_text(&document);
        let found = chunked(&document, tokens, &settings(max, overlap));
        let mut covered = vec![false; text.len()];
        let mut before: Option<&NewChunk> = None;
        for piece in &found {
            let (start, end) = (piece.start as usize, piece.end as usize);
            prop_assert_eq!(&text[start..end], &piece.text);
            prop_assert!(!piece.text.trim().is_empty());
            let count = tokens.spans(&piece.text).len();
            prop_assert_eq!(piece.tokens as usize, count);
            prop_assert!(count <= max, "{} tokens of {}", count, max);
            prop_assert!(piece.text.len() <= max * BYTES_PER_TOKEN);
            let path: usize = piece.headings.iter().map(|text| tokens.spans(text).len() + 1).sum();
            prop_assert!(path <= settings(max, overlap).heading_tokens);
            prop_assert!(piece.page <= piece.last_page);
            if let Some(before) = before {
                prop_assert!(piece.start > before.start && piece.end > before.end);
                if piece.start < before.end {
                    let repeated = &text[start..before.end as usize];
                    // One more where the cut falls inside a token, after a mark that no space follows.
                    prop_assert!(tokens.spans(repeated).len() <= overlap + 1, "overlap {:?}", repeated);
                    prop_assert!(starts_word(&text, start));
                }
            }
            // A word is cut only if no chunk could hold it.
            if !starts_word(&text, start) {
                let word = word_around(&text, start);
                prop_assert!(tokens.spans(word).len() > max || word.len() > max * BYTES_PER_TOKEN);
            }
            covered[start..end].fill(true);
            before = Some(piece);
        }
        for (at, c) in text.char_indices() {
            prop_assert!(c.is_whitespace() || covered[at], "{:?} at {} is in no chunk", c, at);
        }
    }
}

fn word_around(text: &str, at: usize) -> &str {
    let start = text[..at].rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let end = text[at..].find(char::is_whitespace).map_or(text.len(), |length| at + length);
    text[start..end].trim()
}
