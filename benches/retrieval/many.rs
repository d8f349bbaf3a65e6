//! Many collections, of which few are open: the start of the release binary, its memory, maps and files, and questions.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::corpus::Corpus;
use crate::data::{self, COLLECTION};
use crate::numbers::{median, quantile};
use crate::process::{Place, Server, Settings};
use crate::questions::Random;
use crate::report::{Report, Value, value};
use crate::{Arguments, Outcome};

/// Collections that are asked, each twice.
const ASKED: u64 = 2_000;
/// A start leaves so long for what it does in the background.
const SETTLE: Duration = Duration::from_secs(10);

/// Starts it on so many collections, and asks some of them.
pub async fn measure(report: &mut Report, arguments: &Arguments, place: &Place, corpus: &Corpus) {
    const GROUP: &str = "Many collections, by words";
    let (collections, each) = (arguments.collections, arguments.each);
    let name = |what: &str| format!("{collections} of {each} chunks: {what}");
    let folder = match data::many(corpus, collections, each).await {
        Ok(folder) => folder,
        Err(error) => return report.add(GROUP, name("filled"), "", Err(error)),
    };
    report.add(GROUP, name("started"), "until it listens", starts(arguments, place, &folder).await);
    match asked(place, &folder, corpus, collections, each).await {
        Ok(figures) => {
            for (what, note, values) in figures {
                report.add(GROUP, name(what), note, Ok(values));
            }
        }
        Err(error) => report.add(GROUP, name("asked"), "", Err(error)),
    }
}

async fn starts(arguments: &Arguments, place: &Place, folder: &Path) -> Outcome<Vec<Value>> {
    let mut starts = Vec::new();
    for _ in 0..arguments.rounds {
        let server = Server::start(place, folder, Settings::default()).await?;
        starts.push(server.start.as_secs_f64() * 1e3);
        server.stop().await?;
    }
    let most = starts.iter().copied().fold(0.0, f64::max);
    Ok(vec![value("median", median(&starts), "ms"), value("longest", most, "ms")])
}

type Figures = Vec<(&'static str, String, Vec<Value>)>;

async fn asked(
    place: &Place,
    folder: &Path,
    corpus: &Corpus,
    collections: u64,
    each: u64,
) -> Outcome<Figures> {
    let server = Server::start(place, folder, Settings::default()).await?;
    let upload = Instant::now();
    server
        .upload("uploaded", vec![("a.txt".to_owned(), b"What came right after the start.".to_vec())])
        .await?;
    let upload = upload.elapsed().as_secs_f64() * 1e3;
    let listening = held(&server)?;
    tokio::time::sleep(SETTLE).await;
    let settled = held(&server)?;
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
    let mut random = Random::new(3);
    let (mut first, mut again, mut empty) = (Vec::new(), Vec::new(), 0);
    for number in 0..ASKED.min(collections) {
        let collection = random.below(collections);
        let question = corpus.question(number, collections * each).text;
        // Its own words would find nothing in another collection.
        let own = corpus.text(collection * each + number % each, collections * each);
        let words: Vec<&str> = own.split(' ').skip(4).take(7).collect();
        let body = json!({ "query": format!("{} {question}", words.join(" ")) }).to_string();
        let url = server.url(&format!("/v1/vector_stores/{COLLECTION}-{collection}/search"));
        for times in [&mut first, &mut again] {
            let began = Instant::now();
            let request = client.post(&url).header("content-type", "application/json").body(body.clone());
            let response = request.send().await?;
            let (status, bytes) = (response.status(), response.bytes().await?);
            times.push(began.elapsed().as_secs_f64() * 1e3);
            if !status.is_success() {
                return Err(format!("{status}: {}", String::from_utf8_lossy(&bytes)).into());
            }
            let found: Json = serde_json::from_slice(&bytes)?;
            empty += usize::from(found["data"].as_array().is_none_or(Vec::is_empty));
        }
    }
    let after = held(&server)?;
    let mut lists = Vec::new();
    for path in ["/v1/vector_stores?limit=100", "/metrics"] {
        let began = Instant::now();
        let response = client.get(server.url(path)).send().await?;
        let bytes = response.bytes().await?.len();
        lists.push(value(path, began.elapsed().as_secs_f64() * 1e3, "ms"));
        lists.push(value("", bytes as f64 / 1024.0, "KiB"));
    }
    server.stop().await?;
    let quantiles = |times: &mut Vec<f64>| {
        vec![value("p50", quantile(times, 0.5), "ms"), value("p99", quantile(times, 0.99), "ms")]
    };
    let mut closed = quantiles(&mut first);
    closed.push(value("without hits", empty as f64, ""));
    Ok(vec![
        (
            "an upload right after the start",
            "until it is searchable".to_owned(),
            vec![value("took", upload, "ms")],
        ),
        ("held while it listens", String::new(), listening),
        ("held after the start's work", String::new(), settled),
        ("a collection's first question", "over HTTP; most were closed".to_owned(), closed),
        ("its second", "over HTTP".to_owned(), quantiles(&mut again)),
        ("held after all of them", format!("{} questions", ASKED.min(collections)), after),
        ("lists", String::new(), lists),
    ])
}

/// Memory, memory maps and open files.
fn held(server: &Server) -> Outcome<Vec<Value>> {
    let (resident, own) = server.memory()?;
    let process = Path::new("/proc").join(server.pid()?.to_string());
    let maps = fs::read_to_string(process.join("maps"))?.lines().count();
    let files = fs::read_dir(process.join("fd"))?.count();
    Ok(vec![
        value("RSS", resident, "MiB"),
        value("of it its own", own, "MiB"),
        value("maps", maps as f64, ""),
        value("files", files as f64, ""),
    ])
}
