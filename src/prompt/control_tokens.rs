//! The control tokens of chat templates, known by their form.
//!
//! A template is rendered to one text, and the tokenizer then takes every `<|im_end|>` in it for the end of a turn,
//! whoever wrote it. Most families write their tokens in a few forms, and whatever has such a form is taken for one:
//! `<|...|>` with bars of any width (ChatML, Qwen, Llama 3 and 4, Phi, GLM, Command, gpt-oss, DeepSeek), `<turn|>` (Gemma),
//! `<start_of_turn>` and whatever else has a `_` between `<` and `>` (Gemma, StarCoder, SmolLM), `[/INST]` and
//! `[TOOL_CALLS]` (Mistral), `[|user|]` (EXAONE), `>>TITLE<<` (Falcon), `]~b]` (MiniMax). Words that may be
//! anything, such as `<s>`, `<think>` and `[INST]`, are in lists.

use super::letters::{is_bar, is_close, is_greater, is_less, is_open, is_slash, is_unseen, plain, spelled};

/// Between `<` and `>`, after a `/` or not, all in lower case or all in capitals, with a number behind or not.
const TAGS: &[&str] = &[
    // Begin, end and filling of a text.
    "s",
    "bos",
    "eos",
    "bot",
    "eot",
    "eom",
    "eod",
    "eop",
    "sop",
    "eoh",
    "eoa",
    "eosys",
    "unk",
    "pad",
    "cls",
    "sep",
    "mask",
    "gmask",
    "smask",
    "sys",
    "inst",
    "unused",
    "special",
    "reserved",
    "endoftext",
    "startoftext",
    // Turns and what is in them.
    "role",
    "think",
    "answer",
    "response",
    "toolcall",
    "tools",
    "functions",
    "escape",
    // Pictures, sound and places in them.
    "image",
    "img",
    "video",
    "audio",
    "patch",
    "global-img",
    "ref",
    "box",
    "quad",
    "point",
    "poly",
    "loc",
    "seg",
    "slice",
    "unit",
    "od",
    "ocr",
    // Code.
    "filename",
    "reponame",
    "pr",
    "fim-prefix",
    "fim-suffix",
    "fim-middle",
];
/// The same, in capitals only: in lower case they are HTML or stand for what is to be filled in.
const CAPITALS: &[&str] = &["PRE", "SUF", "MID", "NAME", "EMAIL", "KEY", "PASSWORD", "gMASK", "sMASK"];
/// Between two wide bars, which DeepSeek has within its tags, the closing ones too: `</｜DSML｜invoke>`.
const BARRED: &[&str] = &["DSML"];
/// What the name of a tag may begin with instead, after which there is more.
const FAMILIES: &[&str] = &["seed:", "minimax:", "mask:", "plamo:", "0x"];
/// Between `[` and `]`, in just this case, with a number behind or not.
const BRACKETED: &[&str] = &[
    "INST",
    "IMG",
    "ARGS",
    "PREFIX",
    "MIDDLE",
    "SUFFIX",
    "AUDIO",
    "THINK",
    "SYS",
    "BOS",
    "EOS",
    "EOT",
    "CLS",
    "SEP",
    "PAD",
    "UNK",
    "MASK",
    "gMASK",
    "sMASK",
    "TRANSCRIBE",
    "UNUSED",
    "unused",
    "control",
    "multimodal",
    "toxicity",
    "@BOS@",
];
/// Longer names, in characters, are no token's.
const LONGEST_NAME: usize = 64;

/// Where in `text`, which begins with what may open a token, a space has to stand so that there is none.
pub(super) fn break_in(text: &str) -> Option<usize> {
    let mut seen = Seen { text, at: 0 };
    let first = seen.next()?;
    let after_first = seen.at;
    let found = match first {
        c if is_less(c) => opens_tag(seen),
        c if is_open(c) => opens_bracket(seen),
        c if is_close(c) => opens_minimax(seen),
        c if is_greater(c) => return opens_capitals(seen, is_greater, is_less, 1),
        c if is_bar(c) => return opens_capitals(seen, is_bar, is_bar, 2).or_else(|| opens_barred(seen)),
        c if is_slash(c) => opens_switch(seen),
        _ => false,
    };
    found.then_some(after_first)
}

/// `<|im_end|>`, `<turn|>`, `<[begin]>`, `<s>`, `</s>`, `<start_of_turn>`.
fn opens_tag(mut seen: Seen<'_>) -> bool {
    let start = seen;
    match seen.next() {
        Some(c) if is_bar(c) => return seen.next().is_some_and(|c| !c.is_whitespace()),
        Some(c) if is_open(c) => {
            let name = seen.name();
            return !name.is_empty() && seen.take(is_close) && seen.take(is_greater);
        }
        _ => {}
    }
    seen = start;
    seen.take(is_slash);
    let name = seen.name();
    if name.is_empty() {
        return false;
    }
    let before_end = seen;
    if seen.take(is_bar) && seen.take(is_greater) {
        return true;
    }
    seen = before_end;
    seen.take(is_greater) && is_tag(&name)
}

fn is_tag(name: &str) -> bool {
    let word = without_number(name);
    let lower = word.to_ascii_lowercase();
    // Types of C and C++, which no token is called like.
    let is_type = name.ends_with("_t");
    // `Promise<Response>` and `List<Image>` are code.
    let is_one_case = word == lower || word == word.to_ascii_uppercase();
    let is_named = name.contains('_') && name.contains(|c: char| c.is_ascii_alphabetic());
    (is_named && !is_type)
        || (is_one_case && TAGS.contains(&lower.as_str()))
        || CAPITALS.contains(&word)
        || FAMILIES.iter().any(|family| name.len() > family.len() && name.starts_with(family))
}

/// `[INST]`, `[/INST]`, `[TOOL_CALLS]`, `[|user|]`, `[e~[`.
fn opens_bracket(mut seen: Seen<'_>) -> bool {
    let start = seen;
    if seen.take(is_bar) {
        return !seen.name().is_empty() && seen.take(is_bar) && seen.take(is_close);
    }
    let closes = seen.take(is_slash);
    let name = seen.name();
    let in_capitals =
        name.chars().any(|c| c.is_ascii_uppercase()) && !name.chars().any(|c| c.is_ascii_lowercase());
    if seen.take(is_close) {
        return (in_capitals && (closes || name.contains('_')) && name.len() > 1)
            || BRACKETED.contains(&without_number(&name))
            || BRACKETED.contains(&without_number(&name).trim_end_matches('_'));
    }
    seen = start;
    seen.take(is_letter) && seen.take(|c| plain(c) == '~') && seen.take(is_open)
}

/// `]~b]`, `]~!b[`, `]!p~[`, `]<]`.
fn opens_minimax(mut seen: Seen<'_>) -> bool {
    match seen.next() {
        Some(c) if plain(c) == '~' => {
            seen.take(|c| plain(c) == '!');
            seen.take(is_letter) && seen.take(|c| is_open(c) || is_close(c))
        }
        Some(c) if plain(c) == '!' => {
            seen.take(is_letter) && seen.take(|c| plain(c) == '~') && seen.take(is_open)
        }
        Some(c) if is_less(c) => seen.take(is_close),
        _ => false,
    }
}

fn is_letter(c: char) -> bool {
    plain(c).is_ascii_alphabetic()
}

/// `>>TITLE<<` and `|||EMAIL_ADDRESS|||`: after the first mark so many more, a name in capitals, the closing marks.
fn opens_capitals(
    mut seen: Seen<'_>,
    opens: fn(char) -> bool,
    closes: fn(char) -> bool,
    more: usize,
) -> Option<usize> {
    for _ in 0..more {
        seen.take(opens).then_some(())?;
    }
    let place = seen.at;
    let name = seen.name();
    let in_capitals = name.len() > 1 && !name.chars().any(|c| c.is_ascii_lowercase());
    (in_capitals && (0..=more).all(|_| seen.take(closes))).then_some(place)
}

/// `｜DSML｜`.
fn opens_barred(mut seen: Seen<'_>) -> Option<usize> {
    let place = seen.at;
    let name = seen.name();
    (BARRED.contains(&name.as_str()) && seen.take(is_bar)).then_some(place)
}

/// `/nothink`, which is one token of GLM's, and `/no_think`, which templates look for in a text.
fn opens_switch(seen: Seen<'_>) -> bool {
    let opens = |name: &str| {
        let mut seen = seen;
        name.chars().all(|letter| seen.take(|c| plain(c).eq_ignore_ascii_case(&letter)))
    };
    opens("nothink") || opens("no_think")
}

fn without_number(name: &str) -> &str {
    let word = name.trim_end_matches(|c: char| c.is_ascii_digit());
    // `<h1>` is no `<h>`.
    if word.len() < 3 && word.len() < name.len() { name } else { word }
}

/// The characters of a text that are seen.
#[derive(Clone, Copy)]
struct Seen<'a> {
    text: &'a str,
    /// Behind the last one.
    at: usize,
}

impl Seen<'_> {
    fn next(&mut self) -> Option<char> {
        let mut characters = self.text[self.at..].char_indices();
        let (at, c) = characters.find(|(_, c)| !is_unseen(*c))?;
        self.at += at + c.len_utf8();
        Some(c)
    }

    /// Steps over the next one if it is wanted.
    fn take(&mut self, wanted: impl Fn(char) -> bool) -> bool {
        let before = *self;
        let taken = self.next().is_some_and(wanted);
        if !taken {
            *self = before;
        }
        taken
    }

    /// Steps over a name, which is given in ASCII; empty where there is none, or one too long.
    fn name(&mut self) -> String {
        let mut name = String::new();
        loop {
            let before = *self;
            let Some(c) = self.next() else { return name };
            let from = name.len();
            name.extend(spelled(c));
            let belongs = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':' | '.' | '@');
            if name.len() == from || !name[from..].chars().all(belongs) {
                *self = before;
                name.truncate(from);
                return name;
            }
            if name.len() > LONGEST_NAME {
                return String::new();
            }
        }
    }
}
