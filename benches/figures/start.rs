//! From starting the process to listening, and the memory that it then takes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::numbers::quantile;
use crate::process::{Place, Server, Settings, data_folder};
use crate::report::{Report, Value, value};
use crate::{MODELS, Outcome};

/// Starts of which the median is taken.
const STARTS: usize = 20;
/// After loading, so that what was needed for that is given back.
const SETTLE: Duration = Duration::from_secs(1);

/// Start and memory, without a model and with each.
pub async fn measure(
    report: &mut Report,
    place: &Place,
    samples: &Path,
    model: impl Fn(&str) -> Outcome<PathBuf>,
) {
    const START: &str = "Start of the process to listening";
    report.add(START, "empty data folder", "", starts(place, None).await);
    report.add(START, "with the sample collections ingested", "", starts(place, Some(samples)).await);
    const MEMORY: &str = "Memory of an idle server, nothing ingested";
    report.add(MEMORY, "no model", "", memory(place, None).await);
    for name in MODELS {
        let measured = match model(name) {
            Ok(model) => memory(place, Some(&model)).await,
            Err(error) => Err(error),
        };
        report.add(MEMORY, name, "", measured);
    }
}

async fn starts(place: &Place, collections: Option<&Path>) -> Outcome<Vec<Value>> {
    let settings = Settings { collections, ..Settings::default() };
    let kept = data_folder()?;
    if collections.is_some() {
        let server = Server::start(place, kept.path(), settings).await?;
        server.settled().await?;
        server.stop().await?;
    }
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let empty = data_folder()?;
        let data = if collections.is_some() { kept.path() } else { empty.path() };
        let server = Server::start(place, data, settings).await?;
        times.push(server.start.as_secs_f64() * 1e3);
        server.stop().await?;
    }
    let most = times.iter().copied().fold(0.0, f64::max);
    Ok(vec![value("median", quantile(&mut times, 0.5), "ms"), value("most", most, "ms")])
}

async fn memory(place: &Place, model: Option<&Path>) -> Outcome<Vec<Value>> {
    let folder = data_folder()?;
    let server = Server::start(place, folder.path(), Settings { model, ..Settings::default() }).await?;
    server.loaded().await?;
    tokio::time::sleep(SETTLE).await;
    let (resident, own) = server.memory()?;
    Ok(vec![value("RSS", resident, "MiB"), value("of it its own", own, "MiB")])
}
