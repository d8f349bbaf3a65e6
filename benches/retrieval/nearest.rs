//! The vector index and the words index alone, against peers in Python on the same vectors, texts and questions.

use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lastro::index::{
    Filter, Languages, LexicalBatch, LexicalIndex, LexicalRow, VectorBatch, VectorIndex, VectorRow, Vectors,
};
use serde_json::Value as Json;

use crate::corpus::{Corpus, Question};
use crate::data;
use crate::numbers::{median, quantile};
use crate::report::{Report, Value, value};
use crate::{Arguments, Outcome, kept};

/// Neighbours that are asked for.
const NEAREST: usize = 10;
/// Chunks by words: what a search reads of each ranking.
const DEPTH: usize = 100;
/// Rows applied at a time, as the store gives them.
const ROWS: usize = 4_096;

/// Turns of one target.
struct Series {
    name: String,
    note: String,
    about: Vec<Value>,
    p50: Vec<f64>,
    p99: Vec<f64>,
}

impl Series {
    fn new(name: &str, note: &str, about: Vec<Value>) -> Self {
        Self { name: name.to_owned(), note: note.to_owned(), about, p50: Vec::new(), p99: Vec::new() }
    }

    fn add(&mut self, mut times: Vec<f64>) {
        self.p50.push(quantile(&mut times, 0.5));
        self.p99.push(quantile(&mut times, 0.99));
    }

    /// Medians of the rounds, and of the rounds' ratios to another's.
    fn values(self, base: Option<&[f64]>) -> (String, String, Vec<Value>) {
        let mut values = self.about;
        values.push(value("p50", median(&self.p50), "ms"));
        values.push(value("p99", median(&self.p99), "ms"));
        if let Some(base) = base.filter(|base| base.len() == self.p50.len()) {
            let ratios: Vec<f64> = self.p50.iter().zip(base).map(|(own, base)| own / base).collect();
            values.push(value("of ours", median(&ratios), ""));
        }
        (self.name, self.note, values)
    }
}

/// Everything at one size.
pub async fn measure(
    report: &mut Report,
    arguments: &Arguments,
    corpus: &Corpus,
    questions: &[Question],
    chunks: u64,
) {
    const GROUP: &str = "One thread, in turns: the indexes alone";
    match turns(arguments, corpus, questions, chunks).await {
        Ok((series, absent)) => {
            let base = |kind: &str| {
                let ours = series.iter().find(|series| series.name.starts_with(kind));
                ours.map(|series| series.p50.clone())
            };
            let (vectors, words) = (base("vectors: lastro"), base("words: lastro"));
            for series in series {
                let is_vectors = series.name.starts_with("vectors");
                let is_ours = series.name.ends_with("lastro");
                let base = if is_vectors { &vectors } else { &words };
                let (name, note, values) = series.values(base.as_deref().filter(|_| !is_ours));
                report.add(GROUP, format!("{chunks} chunks: {name}"), note, Ok(values));
            }
            for (name, why) in absent {
                report.add(GROUP, format!("{chunks} chunks: {name}"), "", Err(why.into()));
            }
        }
        Err(error) => report.add(GROUP, format!("{chunks} chunks"), "", Err(error)),
    }
}

type Turns = (Vec<Series>, Vec<(String, String)>);

async fn turns(
    arguments: &Arguments,
    corpus: &Corpus,
    questions: &[Question],
    chunks: u64,
) -> Outcome<Turns> {
    fs::create_dir_all(kept::folder())?;
    let folder = tempfile::Builder::new().prefix("nearest-").tempdir_in(kept::folder())?;
    export(folder.path(), corpus, questions, chunks)?;
    let vectors = Arc::new(read(&folder.path().join("vectors.f32"), corpus.dimensions)?);
    let truth: Vec<Vec<u64>> = questions.iter().map(|question| nearest(&vectors, &question.vector)).collect();
    fs::write(folder.path().join("truth.json"), serde_json::to_vec(&truth)?)?;

    let began = Instant::now();
    let wanted = Vectors {
        origin: "bench".to_owned(),
        dimensions: corpus.dimensions,
        expected: chunks as usize,
        folder: folder.path().join("ours"),
    };
    let index = lastro::index::open_vectors(&wanted).await?;
    for (number, rows) in vectors.chunks(ROWS).enumerate() {
        let first = (number * ROWS) as u64;
        let row = |(at, vector): (usize, &Vec<f32>)| VectorRow {
            chunk: first + at as u64,
            document: 1,
            vector: vector.clone(),
        };
        let added = rows.iter().enumerate().map(row).collect();
        let batch = VectorBatch { revision: number as u64 + 1, removed: Vec::new(), added };
        index.apply(batch, Instant::now() + Duration::from_secs(600)).await?;
    }
    // One that is closed now would give its graph up.
    while index.is_building() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let built = began.elapsed();
    let mut found = 0;
    for (question, truth) in questions.iter().zip(&truth) {
        let hits = nearest_of(&*index, question).await?;
        found += hits.iter().filter(|hit| truth.contains(hit)).count();
    }
    let recall = found as f64 / (NEAREST * questions.len()) as f64;
    let about = vec![
        value("built", built.as_secs_f64(), "s"),
        value("recall@10", recall, ""),
        value("files", data::size(&wanted.folder), "MiB"),
    ];
    let mut series =
        vec![Series::new("vectors: lastro", "its graph built, where there are enough chunks for one", about)];

    let lexical = words(folder.path(), corpus, chunks)?;
    series.push(Series::new("words: lastro", "tantivy, all of a question's terms", lexical.1));
    let lexical = lexical.0;

    let (mut peers, absent) = match Peers::start(arguments, folder.path(), recall) {
        Ok((peers, absent)) => (Some(peers), absent),
        Err(error) => (None, vec![("peers".to_owned(), error.to_string())]),
    };
    for (name, note, about) in peers.as_mut().map(Peers::about).transpose()?.unwrap_or_default() {
        series.push(Series::new(&name, &note, about));
    }
    for _ in 0..arguments.rounds {
        let mut times = Vec::new();
        for question in questions {
            let began = Instant::now();
            nearest_of(&*index, question).await?;
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        series[0].add(times);
        let mut times = Vec::new();
        for question in questions {
            let began = Instant::now();
            lexical.search(&question.text, DEPTH, &Filter::Everything)?;
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        series[1].add(times);
        for (name, times) in peers.as_mut().map(Peers::round).transpose()?.unwrap_or_default() {
            if let Some(series) = series.iter_mut().find(|series| series.name == name) {
                series.add(times);
            }
        }
    }
    Ok((series, absent))
}

async fn nearest_of(index: &dyn VectorIndex, question: &Question) -> Outcome<Vec<u64>> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let vector: Arc<[f32]> = question.vector.clone().into();
    let found = index.search(vector, NEAREST, Filter::Everything, deadline).await?;
    Ok(found.into_iter().map(|scored| scored.chunk).collect())
}

fn words(folder: &Path, corpus: &Corpus, chunks: u64) -> Outcome<(LexicalIndex, Vec<Value>)> {
    let place = folder.join("words");
    let began = Instant::now();
    let index = LexicalIndex::begin_beside(&place, "bench", Languages::Only("en".into()))?;
    let chunk =
        |chunk: u64| LexicalRow { chunk, document: 1, language: None, text: corpus.text(chunk, chunks) };
    for from in (0..chunks).step_by(10_000) {
        let added = (from..chunks.min(from + 10_000)).map(chunk).collect();
        index.apply(&LexicalBatch { revision: 1, removed: Vec::new(), added })?;
    }
    let index = index.take_place(&place)?;
    let about =
        vec![value("built", began.elapsed().as_secs_f64(), "s"), value("files", data::size(&place), "MiB")];
    Ok((index, about))
}

fn export(folder: &Path, corpus: &Corpus, questions: &[Question], chunks: u64) -> Outcome<()> {
    let mut vectors = BufWriter::new(fs::File::create(folder.join("vectors.f32"))?);
    let mut texts = BufWriter::new(fs::File::create(folder.join("texts.jsonl"))?);
    for chunk in 0..chunks {
        for value in corpus.vector(chunk) {
            vectors.write_all(&value.to_le_bytes())?;
        }
        serde_json::to_writer(&mut texts, &corpus.text(chunk, chunks))?;
        texts.write_all(b"\n")?;
    }
    vectors.flush()?;
    texts.flush()?;
    let asked: Vec<&str> = questions.iter().map(|question| question.text.as_str()).collect();
    fs::write(folder.join("questions.json"), serde_json::to_vec(&asked)?)?;
    let bytes: Vec<u8> = questions.iter().flat_map(|q| &q.vector).flat_map(|x| x.to_le_bytes()).collect();
    Ok(fs::write(folder.join("questions.f32"), bytes)?)
}

fn read(file: &Path, dimensions: usize) -> Outcome<Vec<Vec<f32>>> {
    let bytes = fs::read(file)?;
    let values: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    Ok(values.chunks(dimensions).map(<[f32]>::to_vec).collect())
}

/// The nearest of all vectors, one by one.
fn nearest(vectors: &[Vec<f32>], question: &[f32]) -> Vec<u64> {
    let dot = |vector: &[f32]| vector.iter().zip(question).map(|(a, b)| a * b).sum::<f32>();
    let mut scored: Vec<(f32, u64)> = vectors.iter().zip(0..).map(|(vector, n)| (dot(vector), n)).collect();
    let last = NEAREST.min(scored.len().saturating_sub(1));
    scored.select_nth_unstable_by(last, |a, b| b.0.total_cmp(&a.0));
    scored.truncate(NEAREST);
    scored.into_iter().map(|(_, chunk)| chunk).collect()
}

/// The Python process of the peers.
struct Peers {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peers {
    /// Starts it. A peer that is not installed is absent, and so are all without their Python.
    fn start(arguments: &Arguments, folder: &Path, recall: f64) -> Outcome<(Self, Vec<(String, String)>)> {
        let mut child = Command::new(&arguments.python)
            .arg("benches/retrieval/peers.py")
            .arg(folder)
            .args(["--recall", &recall.min(0.99).to_string()])
            .env("OMP_NUM_THREADS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| {
                format!("{}: {error}; run scripts/install retrieval", arguments.python.display())
            })?;
        let (input, output) =
            (child.stdin.take().ok_or("no input")?, child.stdout.take().ok_or("no output")?);
        let mut peers = Self { child, input, output: BufReader::new(output) };
        let absent = peers.line()?;
        let absent = absent["absent"].as_object().ok_or("peers.py tells nothing")?;
        let absent = absent.iter().map(|(name, why)| (name.clone(), why.as_str().unwrap_or("?").to_owned()));
        let absent = absent.collect();
        Ok((peers, absent))
    }

    fn line(&mut self) -> Outcome<Json> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err(format!("peers.py ended with {}", self.child.wait()?).into());
        }
        Ok(serde_json::from_str(&line)?)
    }

    /// What is to be said of each.
    fn about(&mut self) -> Outcome<Vec<(String, String, Vec<Value>)>> {
        let about = self.line()?;
        let about = about["peers"].as_array().ok_or("peers.py tells nothing")?;
        let text = |peer: &Json, field: &str| peer[field].as_str().unwrap_or_default().to_owned();
        let of = |peer: &Json| {
            let known = [("built", "s"), ("recall@10", ""), ("files", "MiB")];
            let values =
                known.into_iter().filter_map(|(what, unit)| Some(value(what, peer[what].as_f64()?, unit)));
            (text(peer, "name"), text(peer, "note"), values.collect())
        };
        Ok(about.iter().map(of).collect())
    }

    /// A turn of each: milliseconds of every question.
    fn round(&mut self) -> Outcome<Vec<(String, Vec<f64>)>> {
        self.input.write_all(b"round\n")?;
        self.input.flush()?;
        let turns = self.line()?;
        let turns = turns.as_object().ok_or("peers.py tells nothing")?;
        let times = |times: &Json| times.as_array().into_iter().flatten().filter_map(Json::as_f64).collect();
        Ok(turns.iter().map(|(name, of)| (name.clone(), times(of))).collect())
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        // It ends with its input, or here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
