//! Documents and questions made of the words of a sample collection, the same in every run.
//!
//! Runs of a few words are drawn from the collection's text, and in between stand made-up names that only a few chunks
//! share. The vocabulary is smaller than that of as many natural chunks, so the index reads longer lists for a question.

use std::sync::atomic::{AtomicU64, Ordering};

/// Words between two made-up names.
const WORDS_PER_NAME: usize = 60;
/// Made-up names to draw from.
const NAMES: u64 = 20_000;
/// Words of a paragraph, which is about a chunk.
const PARAGRAPH: usize = 150;

/// The words of a collection, and which question is next.
pub struct Questions {
    words: Vec<String>,
    next: AtomicU64,
}

impl Questions {
    /// Of the words of a text.
    pub fn new(text: &str) -> Self {
        let clean = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
        let words = text.split_whitespace().map(clean).filter(|w| !w.is_empty()).collect();
        Self { words, next: AtomicU64::new(1) }
    }

    /// A question that was not asked before.
    pub fn next(&self) -> String {
        // Far from the seeds of documents.
        let mut random = Random::new(self.next.fetch_add(1, Ordering::Relaxed) + (1 << 32));
        let mut words: Vec<&str> = Vec::new();
        self.run(&mut random, 6, &mut words);
        format!("How does {} go with {}?", words.join(" "), name(&mut random))
    }

    /// A chat request that asks the next question.
    pub fn chat(&self) -> String {
        self.chat_of("somebody")
    }

    /// The same from a named user.
    pub fn chat_of(&self, user: &str) -> String {
        let question = serde_json::Value::from(self.next());
        format!(
            r#"{{"model":"mock","stream":true,"max_tokens":512,"user":"{user}","messages":[{{"role":"system","content":"You are a helpful assistant."}},{{"role":"user","content":{question}}}]}}"#
        )
    }

    /// A plain text of this many paragraphs.
    pub fn document(&self, number: u64, paragraphs: usize) -> Vec<u8> {
        let mut random = Random::new(number + 1);
        let mut text = String::new();
        for _ in 0..paragraphs {
            let mut words: Vec<&str> = Vec::new();
            let mut sentences = Vec::new();
            let mut count = 0;
            while count < PARAGRAPH {
                let length = 4 + random.below(9);
                words.clear();
                self.run(&mut random, length, &mut words);
                count += words.len();
                let mut sentence = words.join(" ");
                if random.below(WORDS_PER_NAME as u64 / 8) == 0 {
                    sentence.push(' ');
                    sentence.push_str(&name(&mut random));
                }
                sentences.push(sentence);
            }
            text.push_str(&sentences.join(". "));
            text.push_str(".\n\n");
        }
        text.into_bytes()
    }

    fn run<'a>(&'a self, random: &mut Random, length: u64, to: &mut Vec<&'a str>) {
        let from = random.below(self.words.len() as u64) as usize;
        to.extend(self.words.iter().cycle().skip(from).take(length as usize).map(String::as_str));
    }
}

/// A made-up name of three syllables and a number.
fn name(random: &mut Random) -> String {
    const SYLLABLES: [&str; 12] =
        ["ba", "dor", "fen", "gul", "ka", "lim", "mor", "nef", "pi", "ruz", "tos", "vel"];
    let mut number = random.below(NAMES);
    let mut name = String::new();
    for _ in 0..3 {
        name.push_str(SYLLABLES[(number % 12) as usize]);
        number /= 12;
    }
    format!("{name}{number}")
}

/// A xorshift generator (Marsaglia 2003): the same numbers in every run, and no dependency.
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        // Seeds that follow one another must not begin alike.
        let mut random = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        for _ in 0..8 {
            random.below(1);
        }
        random
    }

    /// A whole number below the limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit.max(1)
    }

    /// A number from 0 to below 1.
    pub fn part(&mut self) -> f64 {
        const STEPS: u64 = 1 << 32;
        self.below(STEPS) as f64 / STEPS as f64
    }
}
