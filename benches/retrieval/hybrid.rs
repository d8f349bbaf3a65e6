//! A question's search without its embedding: all of it, and each stage apart.

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use lastro::collection::{Found, Query, Scope, search};
use lastro::store::DocumentRecord;

use crate::corpus::{Corpus, Question};
use crate::data::{self, Data};
use crate::numbers::{median, quantile};
use crate::report::{Report, Value, value};
use crate::{Arguments, Outcome};

/// Chunks that are added and deleted at a time, and how often: 100 a second of each.
const CHANGED: u64 = 10;
const EVERY: Duration = Duration::from_millis(100);

/// Milliseconds of each search, in all and by stage.
#[derive(Default)]
struct Times {
    whole: Vec<f64>,
    words: Vec<f64>,
    meaning: Vec<f64>,
    rest: Vec<f64>,
    /// Found nothing, or by one leg alone.
    odd: usize,
}

impl Times {
    fn add(&mut self, took: Duration, found: &Found, wants_meaning: bool) {
        let timings = &found.timings;
        let (words, dense) = (ms(timings.lexical), timings.dense.map(ms));
        let legs = words.max(timings.embed.map_or(0.0, ms) + dense.unwrap_or(0.0));
        self.whole.push(ms(took));
        self.words.push(words);
        self.meaning.extend(dense);
        self.rest.push((ms(took) - legs).max(0.0));
        if found.hits.is_empty() || found.by.meaning != wants_meaning {
            self.odd += 1;
        }
    }

    fn values(&mut self) -> Vec<Value> {
        let mut values = Vec::new();
        for (p50, p99, times) in [
            ("p50", "p99", &mut self.whole),
            ("words p50", "p99", &mut self.words),
            ("meaning p50", "p99", &mut self.meaning),
            ("fuse and read back p50", "p99", &mut self.rest),
        ] {
            if !times.is_empty() {
                values.push(value(p50, quantile(times, 0.5), "ms"));
                values.push(value(p99, quantile(times, 0.99), "ms"));
            }
        }
        if self.odd > 0 {
            values.push(value("without hits or by one leg", self.odd as f64, ""));
        }
        values
    }
}

fn ms(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

async fn ask(data: &Data, question: &Question) -> Outcome<(Duration, Found)> {
    let scope = Scope { collection: data.collection.clone(), documents: None };
    let query = Query {
        texts: &[&question.text],
        limit: 8,
        deadline: Instant::now() + Duration::from_secs(60),
        floor: lastro::collection::Floor::Full,
        threshold: None,
        dense_weight: None,
        rerank: false,
    };
    let began = Instant::now();
    let found = search(&data.catalog, &[scope], query).await?;
    Ok((began.elapsed(), found))
}

/// Both indexes built from the store, opened, asked, and asked while documents come and go.
pub async fn measure(
    report: &mut Report,
    arguments: &Arguments,
    corpus: &Corpus,
    questions: &[Question],
    chunks: u64,
) {
    const GROUP: &str = "A question's search without its embedding";
    let name = |what: &str| format!("{chunks} chunks: {what}");
    let folder = match data::one(corpus, chunks).await {
        Ok(folder) => folder,
        Err(error) => return report.add(GROUP, name("filled"), "", Err(error)),
    };
    report.add(GROUP, name("built from the store"), "", build(arguments, &folder, corpus).await);
    report.add(
        GROUP,
        name("opened"),
        "page cache warm; all but the model",
        open(&folder, corpus, questions).await,
    );
    match asked(arguments, &folder, corpus, questions).await {
        Ok(asked) => {
            for (what, note, values) in asked {
                report.add(GROUP, name(what), note, Ok(values));
            }
        }
        Err(error) => report.add(GROUP, name("asked"), "", Err(error)),
    }
    let changing = changing(arguments, &folder, corpus, questions, chunks).await;
    report.add(GROUP, name("asked while 100 chunks a second come and go"), "", changing);
}

async fn build(arguments: &Arguments, folder: &Path, corpus: &Corpus) -> Outcome<Vec<Value>> {
    let indexes = folder.join("indexes");
    if indexes.exists() {
        std::fs::remove_dir_all(&indexes)?;
    }
    let began = Instant::now();
    let data = Data::open(folder, None).await?;
    data.catalog.sync(&data.collection).await?;
    let words = began.elapsed();
    data.close().await?;
    let of_words = data::size(&indexes);
    let data = Data::open(folder, Some(data::given(corpus))).await?;
    let began = Instant::now();
    data.catalog.sync(&data.collection).await?;
    let meaning = began.elapsed();
    let patience = Duration::from_secs(arguments.patience);
    while data.collection.is_building() && began.elapsed() < patience {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (graph, unbuilt) = (began.elapsed(), data.collection.is_building());
    data.close().await?;
    Ok(vec![
        value("words", words.as_secs_f64(), "s"),
        value("size", of_words, "MiB"),
        value("vectors", meaning.as_secs_f64(), "s"),
        match unbuilt {
            true => value("no graph after", graph.as_secs_f64(), "s"),
            false => value("with their graph", graph.as_secs_f64(), "s"),
        },
        value("size", data::size(&indexes) - of_words, "MiB"),
    ])
}

async fn open(folder: &Path, corpus: &Corpus, questions: &[Question]) -> Outcome<Vec<Value>> {
    let (mut starts, mut firsts, mut boths) = (Vec::new(), Vec::new(), Vec::new());
    for question in questions.iter().take(5) {
        let began = Instant::now();
        let data = Data::open(folder, Some(data::given(corpus))).await?;
        starts.push(ms(began.elapsed()));
        ask(&data, question).await?;
        firsts.push(ms(began.elapsed()));
        while !ask(&data, question).await?.1.by.meaning {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        boths.push(ms(began.elapsed()));
        data.close().await?;
    }
    Ok(vec![
        value("catalog", median(&starts), "ms"),
        value("first answer", median(&firsts), "ms"),
        value("first by meaning too", median(&boths), "ms"),
    ])
}

/// The same questions to both legs, to both again as a control, and to the words alone, in turns.
async fn asked(
    arguments: &Arguments,
    folder: &Path,
    corpus: &Corpus,
    questions: &[Question],
) -> Outcome<Vec<(&'static str, String, Vec<Value>)>> {
    let both = Data::open(folder, Some(data::given(corpus))).await?;
    while !ask(&both, &questions[0]).await?.1.by.meaning {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (mut first, mut control) = (Times::default(), Times::default());
    let mut ratios = Vec::new();
    for round in 0..arguments.rounds {
        let (before, after) = (first.whole.len(), control.whole.len());
        for (number, question) in questions.iter().enumerate() {
            let mut turns = [&mut first, &mut control];
            if (number + round) % 2 == 1 {
                turns.reverse();
            }
            for times in turns {
                let (took, found) = ask(&both, question).await?;
                times.add(took, &found, true);
            }
        }
        ratios.push(median(&control.whole[after..]) / median(&first.whole[before..]));
    }
    both.close().await?;
    let words = Data::open(folder, None).await?;
    let mut alone = Times::default();
    for question in questions.iter().take(1).chain((0..arguments.rounds).flat_map(|_| questions)) {
        let (took, found) = ask(&words, question).await?;
        alone.add(took, &found, false);
    }
    words.close().await?;
    ratios.sort_by(f64::total_cmp);
    let control_of = |part: &[f64]| {
        vec![
            value("median of the rounds' ratios of p50", median(part), ""),
            value("least", part.first().copied().unwrap_or_default(), ""),
            value("greatest", part.last().copied().unwrap_or_default(), ""),
        ]
    };
    let asked = format!("{} questions in each of {} rounds", questions.len(), arguments.rounds);
    Ok(vec![
        ("words and meaning", asked.clone(), first.values()),
        ("the same against itself", "A/A: 1 is none".to_owned(), control_of(&ratios)),
        ("words alone", asked, alone.values()),
    ])
}

/// Questions while a task adds and deletes chunks, with one follow of both indexes for each.
async fn changing(
    arguments: &Arguments,
    folder: &Path,
    corpus: &Corpus,
    questions: &[Question],
    chunks: u64,
) -> Outcome<Vec<Value>> {
    let data = Data::open(folder, Some(data::given(corpus))).await?;
    data.catalog.sync(&data.collection).await?;
    let until = Instant::now() + Duration::from_secs(arguments.seconds);
    let asking = async {
        let mut times = Times::default();
        for question in questions.iter().cycle() {
            if Instant::now() >= until {
                break;
            }
            let (took, found) = ask(&data, question).await?;
            times.add(took, &found, true);
            // An open loop would tell more of a queue; this tells what one reader sees.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Outcome::Ok(times)
    };
    let changing = async {
        let mut ticks = tokio::time::interval(EVERY);
        let mut alive: Vec<DocumentRecord> = Vec::new();
        let (mut next, mut changes) = (chunks, Vec::new());
        while Instant::now() < until {
            ticks.tick().await;
            let began = Instant::now();
            let range: Range<u64> = next..next + CHANGED;
            next += CHANGED;
            alive.push(data::add(&data.store, corpus, &data.collection, range, chunks).await?);
            data.catalog.sync(&data.collection).await?;
            if alive.len() > 10 {
                data.catalog.delete_document(&data.collection, &alive.remove(0).id).await?;
            }
            changes.push(ms(began.elapsed()));
        }
        for document in alive {
            data.catalog.delete_document(&data.collection, &document.id).await?;
        }
        Outcome::Ok(changes)
    };
    let (times, changes) = tokio::join!(asking, changing);
    let (mut times, mut changes) = (times?, changes?);
    data.close().await?;
    let mut values = times.values();
    values.push(value("changes", changes.len() as f64, ""));
    values.push(value("a change p50", quantile(&mut changes, 0.5), "ms"));
    values.push(value("p99", quantile(&mut changes, 0.99), "ms"));
    Ok(values)
}
