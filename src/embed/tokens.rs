//! Text to token ids, cut at the model's window, and the places of tokens in a text.

use std::ops::Range;
use std::path::Path;

use tokenizers::Tokenizer;

use super::error::ModelError;
use crate::words::beginning;

/// No tokenizer reads much more than this many bytes into one token on average, so a text longer
/// than the window times this is cut before it is tokenised: the cost of an enormous text is bounded.
const BYTES_PER_TOKEN: usize = 64;

/// Bytes of a text whose tokens are counted to say by how much it is too long: tokenising takes about a hundred times a
/// text's memory. No model has a window for so much.
const MOST_COUNTED: usize = 1 << 20;

/// A text that must not be cut, as tokens.
#[derive(Debug, PartialEq, Eq)]
pub enum Whole {
    Fits(Vec<u32>),
    /// Special tokens and the prefix included; `at_least`: not all of the text was counted.
    TooLong {
        tokens: usize,
        at_least: bool,
    },
}

/// A model's tokenizer. May be used from several threads at once.
pub struct Tokens {
    tokenizer: Tokenizer,
    /// Special tokens that every sequence begins with (`[CLS]` or `<s>`).
    before: Vec<u32>,
    /// Special tokens that every sequence ends with (`[SEP]` or `</s>`).
    after: Vec<u32>,
    /// The most tokens of one sequence, special ones included.
    window: usize,
}

impl Tokens {
    /// Parses a `tokenizer.json` for a model that takes `window` tokens.
    pub fn parse(path: &Path, json: &[u8], window: usize) -> Result<Self, ModelError> {
        let broken = |why: String| ModelError::broken(path, &why);
        let mut tokenizer =
            Tokenizer::from_bytes(json).map_err(|e| broken(format!("it is not a tokenizer ({e})")))?;
        // Files come with the padding and the cut of whoever saved them; ours are the model's.
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(None)
            .map_err(|e| broken(format!("its truncation cannot be turned off ({e})")))?;
        let ids = |specials: bool| -> Result<Vec<u32>, ModelError> {
            let encoding = tokenizer.encode_fast("a", specials);
            Ok(encoding.map_err(|e| broken(format!("it cannot encode text ({e})")))?.get_ids().to_vec())
        };
        let (bare, whole) = (ids(false)?, ids(true)?);
        let split = whole.windows(bare.len().max(1)).position(|part| part == bare);
        let Some(split) = split else {
            return Err(broken("its special tokens are not before and after the text".to_owned()));
        };
        let (before, after) = (whole[..split].to_vec(), whole[split + bare.len()..].to_vec());
        if before.is_empty() && after.is_empty() {
            return Err(broken("it adds no special tokens, which a BERT-type model needs".to_owned()));
        }
        if before.len() + after.len() >= window {
            return Err(broken(format!("a window of {window} tokens leaves no room for text")));
        }
        Ok(Tokens { tokenizer, before, after, window })
    }

    /// The ids of `prefix` and `text` as one sequence with its special tokens, cut at the window.
    pub fn encode(&self, prefix: &str, text: &str) -> Result<Vec<u32>, tokenizers::Error> {
        let ids = self.bare(prefix, beginning(text, self.window * BYTES_PER_TOKEN))?;
        Ok([&self.before, &ids[..ids.len().min(self.bare_room())], &self.after].concat())
    }

    /// The same for a text that must not be cut.
    pub fn encode_whole(&self, prefix: &str, text: &str) -> Result<Whole, tokenizers::Error> {
        let counted = beginning(text, MOST_COUNTED);
        let ids = self.bare(prefix, counted)?;
        if counted.len() == text.len() && ids.len() <= self.bare_room() {
            return Ok(Whole::Fits([&self.before, &ids[..], &self.after].concat()));
        }
        let tokens = self.before.len() + ids.len() + self.after.len();
        Ok(Whole::TooLong { tokens, at_least: counted.len() < text.len() })
    }

    /// The same for a text that is cut: its first tokens, up to `most` with the special ones, or to the window.
    pub fn encode_first(&self, prefix: &str, text: &str, most: usize) -> Result<Vec<u32>, tokenizers::Error> {
        let ids = self.bare(prefix, beginning(text, MOST_COUNTED))?;
        let most = most.min(self.window);
        let room = most.saturating_sub(self.before.len() + self.after.len());
        let mut ids = [&self.before, &ids[..ids.len().min(room)], &self.after].concat();
        // Less than the special tokens alone.
        ids.truncate(most);
        Ok(ids)
    }

    fn bare(&self, prefix: &str, text: &str) -> Result<Vec<u32>, tokenizers::Error> {
        let encoding = match prefix {
            "" => self.tokenizer.encode_fast(text, false)?,
            prefix => self.tokenizer.encode_fast(format!("{prefix}{text}"), false)?,
        };
        Ok(encoding.get_ids().to_vec())
    }

    /// How many tokens fit between the special ones.
    fn bare_room(&self) -> usize {
        self.window - self.before.len() - self.after.len()
    }

    /// The number of tokens that there are, added ones included.
    pub fn vocabulary(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }

    /// How many tokens of a text fit beside `prefix` and the special tokens.
    pub fn room(&self, prefix: &str) -> Result<usize, tokenizers::Error> {
        let taken = self.encode(prefix, "")?.len();
        Ok(self.window.saturating_sub(taken))
    }

    /// The byte ranges of the tokens of `text`, in order, without special tokens. A range may be
    /// empty or repeat where several tokens share a character; together they tell how many tokens
    /// a piece of the text has.
    pub fn spans(&self, text: &str) -> Result<Vec<Range<usize>>, tokenizers::Error> {
        let encoding = self.tokenizer.encode(text, false)?;
        Ok(encoding.get_offsets().iter().map(|&(start, end)| start..end).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(window: usize) -> Tokens {
        let json = include_bytes!("../../tests/fixtures/embedding/tiny-tokenizer.json");
        Tokens::parse(Path::new("tokenizer.json"), json, window).expect("the fixture parses")
    }

    #[test]
    fn a_sequence_is_cut_at_the_window_and_keeps_its_special_tokens() {
        let tokens = tokens(6);
        let whole = tokens.encode("", "cats sit").expect("encodes");
        assert_eq!(whole.len(), 4);
        let cut = tokens.encode("", "cats sit on mats and cats sit on mats").expect("encodes");
        assert_eq!(cut.len(), 6);
        assert_eq!((cut[0], cut[5]), (whole[0], whole[3]));
    }

    #[test]
    fn a_prefix_counts_towards_the_window() {
        let tokens = tokens(6);
        assert_eq!(tokens.room("").expect("counts"), 4);
        assert_eq!(tokens.room("query : ").expect("counts"), 2);
        let asked = tokens.encode("query : ", "cats sit on mats").expect("encodes");
        assert_eq!(asked.len(), 6);
        assert_ne!(asked, tokens.encode("", "cats sit on mats").expect("encodes"));
    }

    #[test]
    fn a_text_that_must_not_be_cut_fits_or_is_counted() {
        let tokens = tokens(6);
        let whole = tokens.encode_whole("", "cats sit").expect("encodes");
        assert_eq!(whole, Whole::Fits(tokens.encode("", "cats sit").expect("encodes")));
        let exact = tokens.encode_whole("query : ", "cats sit").expect("encodes");
        assert!(matches!(exact, Whole::Fits(ids) if ids.len() == 6));
        let long = tokens.encode_whole("query : ", "cats sit on").expect("encodes");
        assert_eq!(long, Whole::TooLong { tokens: 7, at_least: false });
        // Blanks are no tokens: what comes behind them must not be lost.
        let hidden = format!("{}cats", " ".repeat(10_000));
        assert!(
            matches!(tokens.encode_whole("", &hidden).expect("encodes"), Whole::Fits(ids) if ids.len() == 3)
        );
        let hidden = format!("{}cats", " ".repeat(MOST_COUNTED));
        let counted = tokens.encode_whole("", &hidden).expect("encodes");
        assert_eq!(counted, Whole::TooLong { tokens: 2, at_least: true });
    }

    #[test]
    fn a_text_is_cut_at_a_number_of_tokens_and_keeps_its_beginning() {
        let tokens = tokens(6);
        let whole = tokens.encode("", "cats sit").expect("encodes");
        let first = |most, text: &str| tokens.encode_first("", text, most).expect("encodes");
        assert_eq!(first(6, "cats sit"), whole);
        assert_eq!(first(4, "cats sit on mats and cats"), whole);
        assert_eq!(first(3, "cats sit"), [whole[0], whole[1], whole[3]]);
        assert_eq!((first(2, "cats"), first(1, "cats")), (vec![whole[0], whole[3]], vec![whole[0]]));
        let long = "cats sit on mats and cats sit on mats";
        assert_eq!((first(99, long), first(6, long).len()), (tokens.encode("", long).expect("encodes"), 6));
        assert_eq!(tokens.encode_first("query : ", long, 5).expect("encodes").len(), 5);
        // Blanks are no tokens.
        assert_eq!(first(3, &format!("{}cats", " ".repeat(10_000))), first(3, "cats"));
    }

    #[test]
    fn spans_are_bytes_of_the_text() {
        let text = "Cats sât on mats";
        let spans = tokens(6).spans(text).expect("spans");
        let words: Vec<_> = spans.iter().map(|span| &text[span.clone()]).collect();
        assert_eq!(words, ["Cats", "sât", "on", "mats"]);
    }

    #[test]
    fn an_enormous_text_is_clipped_at_a_character() {
        assert_eq!(beginning("aé", 2), "a");
        assert_eq!(beginning("aé", 3), "aé");
        assert_eq!(tokens(6).encode("", &"é".repeat(5_000_000)).expect("encodes").len(), 3);
    }

    #[test]
    fn a_window_without_room_for_text_is_refused() {
        let json = include_bytes!("../../tests/fixtures/embedding/tiny-tokenizer.json");
        let error = Tokens::parse(Path::new("tokenizer.json"), json, 2).err().expect("refused");
        assert!(error.to_string().contains("no room for text"), "{error}");
    }
}
