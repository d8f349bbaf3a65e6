//! The embedding model: it loads, and its vectors are sound. And the GPU.

use std::time::{Duration, Instant};

use super::report::Report;
use super::store::{Found, ServedModel};
use crate::config::{Config, EmbeddingConfig};
use crate::embed::{self, DeviceChoice, Embeddings, ModelInfo};
use crate::store::Content;

/// The largest model that is read loads sooner, from a slow disk too.
const PATIENCE: Duration = Duration::from_secs(300);
/// A vector has length 1, but for rounding.
const ROUNDING: f64 = 1e-3;

pub async fn check(config: &Config, found: &Found, report: &mut Report) {
    gpu(config.embedding.as_ref(), report);
    let Some(embedding) = &config.embedding else {
        let advice =
            "search is by words alone: give a model's folder with --embedding-model to search by meaning too";
        return report.warn("embedding model", "none is configured", advice);
    };
    if let Some(served) = &found.served {
        return tell(&served.embedding, report);
    }
    let embeddings = Embeddings::start(embedding.folder.clone(), embedding.device);
    match tokio::time::timeout(PATIENCE, try_it(&embeddings)).await {
        Ok(Ok((info, loaded, embedded))) => {
            let (name, device, dimensions) = (&info.name, &info.device, info.dimensions);
            report.ok(
                "embedding model",
                format!("{name} on {device}: {dimensions} dimensions, loaded in {loaded} ms, a text in {embedded} ms"),
            );
            if let Some(content) = &found.content {
                vectors(content, &info, report);
            }
        }
        Ok(Err(problem)) => {
            let advice = "until it loads, search is by words alone: the folder must hold config.json, tokenizer.json and model.safetensors of a BERT-type model";
            report.fail("embedding model", problem, advice);
        }
        Err(_) => {
            let message = format!("not loaded within {} s", PATIENCE.as_secs());
            report.fail("embedding model", message, "look at the disk that it lies on");
        }
    }
}

/// Loads the model and computes one vector: milliseconds of both.
async fn try_it(embeddings: &Embeddings) -> Result<(std::sync::Arc<ModelInfo>, u128, u128), String> {
    let started = Instant::now();
    let info = embeddings.ready().await.map_err(|error| error.to_string())?;
    let loaded = started.elapsed().as_millis();
    let started = Instant::now();
    let text = "The ballast keeps the ship upright.".to_owned();
    let mut vectors = embeddings.embed_passages(vec![text]).await.map_err(|error| error.to_string())?;
    let embedded = started.elapsed().as_millis();
    let vector = vectors.pop().ok_or("it computed no vector")?.map_err(|error| error.to_string())?;
    if vector.len() != info.dimensions {
        return Err(format!("its vector has {} dimensions instead of {}", vector.len(), info.dimensions));
    }
    let length = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    if (length - 1.0).abs() > ROUNDING {
        return Err(format!(
            "its vector has length {length} instead of 1: set normalize in lastro.json, or download it again"
        ));
    }
    Ok((info, loaded, embedded))
}

/// What the running server says of its own.
fn tell(served: &ServedModel, report: &mut Report) {
    let ServedModel { status, message, model, dimensions, device } = served;
    match status.as_str() {
        "ready" => report.ok(
            "embedding model",
            format!("{model} on {device}: {dimensions} dimensions, loaded by the server"),
        ),
        "loading" => report.warn(
            "embedding model",
            "the server is loading it",
            "until then search is by words alone: ask again in a moment",
        ),
        "none" => report.warn(
            "embedding model",
            "the running server was started without it",
            "start the server anew with these settings",
        ),
        _ => report.fail(
            "embedding model",
            message.clone(),
            "until it loads, search is by words alone: correct this and start the server anew",
        ),
    }
}

/// Whether what is stored can be searched by this model.
fn vectors(content: &Content, model: &ModelInfo, report: &mut Report) {
    let of_this = content.vectors.iter().find(|(fingerprint, _)| *fingerprint == model.fingerprint);
    let embedded = of_this.map_or(0, |(_, vectors)| *vectors);
    let missing = content.chunks.saturating_sub(embedded);
    if missing == 0 {
        return report.ok("vectors", format!("all {} passages are embedded by this model", content.chunks));
    }
    let others: u64 = content.vectors.iter().map(|(_, vectors)| vectors).sum::<u64>() - embedded;
    let why = if others > 0 { " (they were embedded by another)" } else { "" };
    let message = format!("{missing} of {} passages have no vector of this model{why}", content.chunks);
    report.warn(
        "vectors",
        message,
        "the server embeds them in the background from its next start on, and finds them by words until then",
    );
}

fn gpu(embedding: Option<&EmbeddingConfig>, report: &mut Report) {
    let wanted = embedding.map_or(DeviceChoice::Auto, |embedding| embedding.device);
    if wanted == DeviceChoice::Cpu {
        return report.ok("gpu", "not asked for (--device cpu)");
    }
    match embed::gpu() {
        Ok(()) => report.ok("gpu", "embeddings are computed on cuda:0"),
        Err(why) if wanted == DeviceChoice::Cuda => {
            report.warn(
                "gpu",
                format!("--device cuda, but {why}: the CPU is used"),
                "use a build with CUDA on a machine with an NVIDIA driver, or --device cpu",
            );
        }
        Err(why) if embed::has_gpu_driver() => {
            report.warn(
                "gpu",
                format!("this machine has an NVIDIA driver, but {why}: the CPU is used"),
                "use the image or build with CUDA, or say --device cpu",
            );
        }
        Err(_) => report.ok("gpu", "none: embeddings are computed on the CPU"),
    }
}
