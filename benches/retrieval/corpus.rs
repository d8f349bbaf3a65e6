//! Texts, vectors and questions of any number of chunks, the same in every run.
//!
//! A chunk is a run of sentences that follow one another in a real text, from a place drawn at random, with two made-up
//! names that only a few chunks share: so words are as frequent, and stand together, as in the real texts, and something
//! is rare. Its vector is that of the real passage at that place, with noise: passages lie in clusters, as they do in
//! collections whose documents speak of the same things. A question is a few words of a chunk, and its vector the
//! passage's with more noise.

use std::fs;
use std::path::{Path, PathBuf};

use lastro::embed::{DeviceChoice, Embeddings};
use lastro::ingest::files_below;
use lastro::words;

use crate::Outcome;
use crate::questions::Random;

/// To be raised when texts or vectors change.
pub const EDITION: u32 = 1;
/// Words of a chunk, about.
const WORDS: usize = 130;
/// A made-up name stands in so many chunks.
const CHUNKS_PER_NAME: u64 = 5;
/// Real passages whose vectors the clusters lie around.
const PASSAGES: usize = 1_000;
/// Dimensions of vectors where there is no model.
const DIMENSIONS: usize = 384;
/// Length of the noise of a chunk's vector beside the passage's: its cosine to the passage is .86, of a question .78.
const NOISE: f64 = 0.6;
const NOISE_OF_QUESTIONS: f64 = 0.8;

/// What chunks are made of.
pub struct Corpus {
    sentences: Vec<String>,
    passages: Vec<Vec<f32>>,
    /// What has to be known to read the figures.
    pub about: String,
    /// The model's, or a name for vectors of none.
    pub fingerprint: String,
    pub dimensions: usize,
}

/// A question and what it asks for.
#[derive(Clone)]
pub struct Question {
    pub text: String,
    pub vector: Vec<f32>,
}

impl Corpus {
    /// Of all texts below these folders, with the vectors of a model where there is one.
    pub async fn read(folders: &[PathBuf], model: &Path, kept: &Path) -> Outcome<Self> {
        let mut sentences = Vec::new();
        let mut files = 0;
        for path in folders.iter().map(|folder| files_below(folder)).collect::<Result<Vec<_>, _>>()?.concat()
        {
            let is_text = path.extension().is_some_and(|e| e == "txt" || e == "md");
            let Some(text) = is_text.then(|| fs::read_to_string(&path).ok()).flatten() else { continue };
            files += 1;
            let clean = |sentence: &str| sentence.split_whitespace().collect::<Vec<_>>().join(" ");
            let found = words::sentences(&text).map(clean);
            sentences.extend(found.filter(|sentence| (3..=80).contains(&sentence.split(' ').count())));
        }
        if sentences.len() < 100 {
            return Err(format!("{} sentences in {folders:?} are too few", sentences.len()).into());
        }
        let mut corpus = Self {
            about: format!("{} sentences of {files} files", sentences.len()),
            sentences,
            passages: Vec::new(),
            fingerprint: "none".to_owned(),
            dimensions: DIMENSIONS,
        };
        match model.canonicalize() {
            Ok(model) => corpus.embed(&model, kept).await?,
            Err(_) => corpus.invent(),
        }
        Ok(corpus)
    }

    async fn embed(&mut self, model: &Path, kept: &Path) -> Outcome<()> {
        let embeddings = Embeddings::start(model.to_owned(), DeviceChoice::Cpu);
        let info = embeddings.ready().await?;
        (self.fingerprint, self.dimensions) = (info.fingerprint.clone(), info.dimensions);
        self.about += &format!("; vectors around {PASSAGES} passages by {}", info.name);
        let file = kept.join(format!("retrieval-passages-{}-v{EDITION}.f32", self.sentences.len()));
        if let Ok(bytes) = fs::read(&file)
            && bytes.len() == PASSAGES * self.dimensions * 4
        {
            let values: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
            self.passages = values.chunks(self.dimensions).map(<[f32]>::to_vec).collect();
            return Ok(());
        }
        eprintln!("embedding {PASSAGES} passages; later runs use them again");
        let texts: Vec<String> = (0..PASSAGES).map(|n| self.passage(self.place(n))).collect();
        for some in texts.chunks(32) {
            for vector in embeddings.embed_passages(some.to_vec()).await? {
                self.passages.push(vector?);
            }
        }
        fs::create_dir_all(kept)?;
        let bytes: Vec<u8> = self.passages.iter().flatten().flat_map(|x| x.to_le_bytes()).collect();
        Ok(fs::write(file, bytes)?)
    }

    /// Passages without a model: around 40 subjects, so that they lie in clusters too.
    fn invent(&mut self) {
        self.about += "; no model was found, and the vectors of passages are made up";
        let mut random = Random::new(7);
        let zero = vec![0.0; DIMENSIONS];
        let subjects: Vec<_> = (0..40).map(|_| noisy(&zero, 1.0, &mut random)).collect();
        self.passages = (0..PASSAGES).map(|n| noisy(&subjects[n % 40], 0.8, &mut random)).collect();
    }

    /// Where a passage begins.
    fn place(&self, passage: usize) -> usize {
        passage * self.sentences.len() / PASSAGES
    }

    fn passage(&self, place: usize) -> String {
        let (mut text, mut words) = (String::new(), 0);
        for sentence in self.sentences.iter().cycle().skip(place) {
            text.push_str(sentence);
            text.push(' ');
            words += sentence.split(' ').count();
            if words >= WORDS {
                break;
            }
        }
        text
    }

    /// The text of a chunk of a collection of so many.
    pub fn text(&self, chunk: u64, of: u64) -> String {
        let mut random = Random::new(chunk + 1);
        let text = self.passage(self.place(random.below(PASSAGES as u64) as usize));
        // Another beginning within the passage, so that no two chunks are the same.
        let from = random.below(text.len() as u64 / 3) as usize;
        let from = (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let (first, second) = (name(chunk, of), name(chunk.wrapping_mul(31) + 7, of));
        format!("{first} {} {second}.", text[from..].trim())
    }

    /// The vector of a chunk.
    pub fn vector(&self, chunk: u64) -> Vec<f32> {
        let passage = Random::new(chunk + 1).below(PASSAGES as u64) as usize;
        noisy(&self.passages[passage], NOISE, &mut Random::new((1 << 40) + chunk))
    }

    /// A question about a chunk of a collection of so many; every other one knows a name.
    pub fn question(&self, number: u64, of: u64) -> Question {
        let mut random = Random::new((1 << 41) + number);
        let chunk = random.below(of);
        let text = self.text(chunk, of);
        let words: Vec<&str> = text.split(' ').skip(1).collect();
        let from = random.below(words.len().saturating_sub(8) as u64) as usize;
        let words = words[from..].iter().take(7).copied().collect::<Vec<_>>().join(" ");
        let named = if number.is_multiple_of(2) { name(chunk, of) } else { String::new() };
        let passage = Random::new(chunk + 1).below(PASSAGES as u64) as usize;
        Question {
            text: format!("What does it say of {words} {named} ({number} of {of})?"),
            vector: noisy(&self.passages[passage], NOISE_OF_QUESTIONS, &mut random),
        }
    }
}

/// A vector of length 1 beside another, by noise of about this length.
fn noisy(vector: &[f32], length: f64, random: &mut Random) -> Vec<f32> {
    let scale = length / (vector.len() as f64).sqrt();
    // The sum of four evenly drawn numbers is near enough to a bell.
    let mut bell = || ((0..4).map(|_| random.part()).sum::<f64>() - 2.0) * 3.0f64.sqrt();
    let moved: Vec<f64> = vector.iter().map(|x| f64::from(*x) + scale * bell()).collect();
    let size = moved.iter().map(|x| x * x).sum::<f64>().sqrt();
    moved.into_iter().map(|x| (x / size) as f32).collect()
}

fn name(chunk: u64, of: u64) -> String {
    const SYLLABLES: [&str; 8] = ["ba", "dor", "fen", "gul", "lim", "mor", "ruz", "vel"];
    let mut number = Random::new((1 << 42) + chunk).below(of / CHUNKS_PER_NAME + 1);
    let mut name = String::new();
    let digits = number;
    for _ in 0..3 {
        name.push_str(SYLLABLES[(number % 8) as usize]);
        number /= 8;
    }
    format!("{name}{digits}")
}
