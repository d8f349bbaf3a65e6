//! How many tokens a text is, without the model's tokenizer: an estimate that errs on the high side.
//!
//! Tokenizers of current open models take 3 to 5 letters of an English word as one token, fewer of other languages
//! and of rare words, and often each digit, sign and byte of an emoji or ideograph on its own. The rates below were
//! held against SmolLM2's tokenizer, whose vocabulary is English and small: the estimate is 1.5 to 1.8 times its count on
//! English prose, 1.1 to 1.3 on Portuguese, 1.2 on German compounds and base64, 1.1 on hexadecimal digits, 1.7 on Chinese.

use super::media::estimate_medium;
use crate::openai::take_media;

/// Letters of plain words that are at least one token,
const LETTERS_PER_TOKEN: f64 = 3.0;
/// of words longer than [`LONG_WORD`], which are compounds or names,
const LONG_LETTERS_PER_TOKEN: f64 = 2.0;
/// of words in capitals or mixed case, which split more,
const ODD_LETTERS_PER_TOKEN: f64 = 1.5;
/// and of letters beside digits, which are codes.
const CODE_LETTERS_PER_TOKEN: f64 = 1.0;
const LONG_WORD: usize = 12;
/// What a chat template adds around a conversation, a default system prompt included.
const CONVERSATION: u64 = 32;
/// And around each message.
const MESSAGE: u64 = 6;
/// What a template says about tools before listing them.
const TOOLS: u64 = 96;

/// An upper estimate of a text's tokens.
pub fn estimate_text(text: &str) -> u64 {
    let mut tokens = 0;
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if is_latin(c) {
            let (mut letters, mut accented, mut odd) = (1usize, usize::from(!c.is_ascii()), false);
            while let Some(next) = chars.next_if(|n| is_latin(*n)) {
                letters += 1;
                accented += usize::from(!next.is_ascii());
                odd |= next.is_uppercase();
            }
            let in_code = before.is_ascii_digit() || chars.peek().is_some_and(char::is_ascii_digit);
            let rate = match () {
                () if in_code => CODE_LETTERS_PER_TOKEN,
                () if odd => ODD_LETTERS_PER_TOKEN,
                () if letters > LONG_WORD => LONG_LETTERS_PER_TOKEN,
                () => LETTERS_PER_TOKEN,
            };
            tokens += (letters as f64 / rate).ceil() as usize + accented.div_ceil(2);
        } else if c == ' ' || c == '\t' {
            let mut run = 1;
            while chars.next_if(|n| *n == ' ' || *n == '\t').is_some() {
                run += 1;
            }
            // A single space belongs to the word after it, and stands alone before a number.
            let alone = chars.peek().is_some_and(char::is_ascii_digit);
            tokens += if run == 1 { usize::from(alone) } else { 1 + run / 16 + usize::from(alone) };
        } else if c.is_ascii() {
            tokens += 1;
        } else {
            tokens += c.len_utf8();
        }
        before = c;
    }
    tokens as u64
}

fn is_latin(c: char) -> bool {
    c.is_ascii_alphabetic() || (('\u{C0}'..='\u{24F}').contains(&c) && c.is_alphabetic())
}

/// What a prompt takes, by an upper estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestTokens {
    /// What a count of the prompt's text would find.
    pub text: u64,
    /// Pictures, sounds, videos and files, of which such a count sees at most where they stand.
    pub media: u64,
}

impl RequestTokens {
    /// Both.
    pub fn all(self) -> u64 {
        self.text.saturating_add(self.media)
    }
}

/// An upper estimate of a chat request's prompt: the JSON of its messages, and of its tools where it has any.
pub fn estimate_request(messages: &str, tools: Option<&str>) -> RequestTokens {
    let (mut text, mut media) = (CONVERSATION, 0);
    match serde_json::from_str::<serde_json::Value>(messages) {
        Ok(mut messages) => {
            media = take_media(&mut messages).iter().map(estimate_medium).sum();
            for message in messages.as_array().into_iter().flatten() {
                text += MESSAGE + estimate_value(message);
            }
        }
        // Too deep to read: as text.
        Err(_) => text += estimate_text(messages),
    }
    RequestTokens { text: text + tools.map_or(0, |tools| TOOLS + estimate_text(tools)), media }
}

fn estimate_value(value: &serde_json::Value) -> u64 {
    use serde_json::Value;
    match value {
        Value::String(text) => estimate_text(text),
        Value::Array(values) => values.iter().map(estimate_value).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| match key.as_str() {
                "role" | "type" => 1,
                "tool_calls" | "function" => 8 + estimate_value(value),
                key => estimate_text(key).min(4) + estimate_value(value),
            })
            .sum(),
        Value::Number(number) => number.to_string().len() as u64,
        Value::Bool(_) | Value::Null => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_lie_above_known_counts() {
        // Counts by the tokenizers of Qwen2.5 (24 tokens) and GPT-2 (29) for the first, of Qwen2.5 for the second.
        let english =
            "The quick brown fox jumps over the lazy dog near the bank of the river, 12 times a day.";
        assert!((24..60).contains(&estimate_text(english)), "{}", estimate_text(english));
        let thai_and_emoji = "สวัสดี 👋🏽";
        assert!(estimate_text(thai_and_emoji) >= 18);
    }

    #[test]
    fn pictures_count_as_pictures_not_as_their_base64() {
        let data = "A".repeat(100_000);
        let messages = format!(
            r#"[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:{data}"}}}},{{"type":"text","text":"what?"}}]}}]"#
        );
        let tokens = estimate_request(&messages, None);
        assert_eq!(tokens.media, 4_608);
        assert!((32..100).contains(&tokens.text) && tokens.all() == tokens.text + tokens.media);
    }

    /// Most tokenizers split numbers off from the space before them, and into single digits.
    #[test]
    fn numbers_are_counted_with_the_spaces_before_them() {
        assert_eq!(estimate_text("1 2 3"), 5);
        assert!(estimate_text("  12") >= 4);
        assert_eq!(estimate_text("at 7"), 3);
    }

    #[test]
    fn tools_and_every_message_count() {
        let tokens = |messages: &str, tools| estimate_request(messages, tools).text;
        let one = tokens(r#"[{"role":"user","content":"hi"}]"#, None);
        let two = tokens(r#"[{"role":"user","content":"hi"},{"role":"user","content":"hi"}]"#, None);
        assert!(two > one && one > 32);
        assert!(tokens(r#"[{"role":"user","content":"hi"}]"#, Some("[{\"name\":\"f\"}]")) > one + 90);
    }
}
