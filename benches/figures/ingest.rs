//! How fast documents become searchable, and the text that questions are made of.

use std::path::{Path, PathBuf};
use std::time::Instant;

use lastro::ingest::files_below;
use lastro::reading::{ExtractLimits, Parser};

use crate::filled::{COLLECTION, count};
use crate::numbers::median;
use crate::process::{Place, Server, Settings, data_folder};
use crate::report::{Report, Value, value};
use crate::{MODELS, Outcome};

/// Reading alone is measured so often.
const READS: usize = 3;

/// One PDF without a model and with each, and reading it alone.
pub async fn measure(
    report: &mut Report,
    place: &Place,
    pdf: &Path,
    model: impl Fn(&str) -> Outcome<PathBuf>,
) {
    let name = pdf.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let engine = if place.pdfium.is_some() { "by PDFium" } else { "without PDFium, which was not found" };
    const GROUP: &str = "Ingestion of one PDF, from its upload to completed";
    report.add(GROUP, format!("{name}: reading alone"), engine, read_only(place, pdf).await);
    report.add(GROUP, "no model", "", upload(place, pdf, None).await);
    for name in MODELS {
        let measured = match model(name) {
            Ok(model) => upload(place, pdf, Some(&model)).await,
            Err(error) => Err(error),
        };
        report.add(GROUP, name, "", measured);
    }
}

/// One document, from its upload to being searchable by words and, with a model, by meaning.
async fn upload(place: &Place, pdf: &Path, model: Option<&Path>) -> Outcome<Vec<Value>> {
    let bytes = std::fs::read(pdf).map_err(|e| format!("{}: {e}", pdf.display()))?;
    let folder = data_folder()?;
    let server = Server::start(place, folder.path(), Settings { model, ..Settings::default() }).await?;
    server.loaded().await?;
    let (took, documents) = server.upload(COLLECTION, vec![("document.pdf".to_owned(), bytes)]).await?;
    let (pages, chunks) = (count(&documents, "pages"), count(&documents, "chunks"));
    let seconds = took.as_secs_f64();
    let (resident, _) = server.memory()?;
    let values = vec![
        value("time", seconds, "s"),
        value("page rate", pages / seconds, "pages/s"),
        value("chunk rate", chunks / seconds, "chunks/s"),
        value("pages", pages, ""),
        value("chunks", chunks, ""),
        value("RSS after", resident, "MiB"),
    ];
    Ok(values)
}

/// Reading alone: the child process from its start to the text.
async fn read_only(place: &Place, pdf: &Path) -> Outcome<Vec<Value>> {
    let mut seconds = Vec::new();
    let mut pages = 0.0;
    for _ in 0..READS {
        let started = Instant::now();
        let text = extract(place, pdf).await?;
        seconds.push(started.elapsed().as_secs_f64());
        pages = text.pages.map_or(0.0, f64::from);
    }
    let seconds = median(&seconds);
    Ok(vec![value("time", seconds, "s"), value("page rate", pages / seconds, "pages/s")])
}

struct Text {
    pages: Option<u32>,
    text: String,
}

async fn extract(place: &Place, path: &Path) -> Outcome<Text> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (program, pdfium) = (place.program.clone(), place.pdfium.clone());
    let parser = Parser { program, limits: ExtractLimits::default(), pdfium };
    let extracted = parser.read(path, &name);
    let extracted = extracted.await.map_err(|e| format!("{}: {e}", path.display()))?;
    let text: Vec<&str> = extracted.blocks.iter().map(|b| b.text.as_str()).collect();
    Ok(Text { pages: extracted.pages, text: text.join("\n") })
}

/// All text of a folder's documents.
pub async fn text_of(place: &Place, folder: &Path) -> Outcome<String> {
    let files: Vec<PathBuf> = files_below(folder)?;
    let mut all = String::new();
    for file in files {
        all.push_str(&extract(place, &file).await?.text);
        all.push('\n');
    }
    if all.trim().is_empty() { Err(format!("no text in {}", folder.display()).into()) } else { Ok(all) }
}
