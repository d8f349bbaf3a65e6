//! Memory that the container allows, against what the settings may take.

use std::fs;

use super::report::{Report, size};
use crate::config::Config;
use crate::system::allowed_memory;

/// What the server takes besides: tantivy's writers, buffers of connections.
const BESIDES: u64 = 128 << 20;

pub fn check(config: &Config, report: &mut Report) {
    let model = config.embedding.as_ref().map_or(0, |embedding| {
        fs::metadata(embedding.folder.join("model.safetensors")).map_or(0, |found| found.len())
    });
    let parsing = config.ingest.parser.limits.memory_bytes;
    let needed = model + parsing + BESIDES;
    let mut parts = format!("reading a file {}", size(parsing));
    if model > 0 {
        parts.push_str(&format!(", the embedding model {}", size(model)));
    }
    match allowed_memory() {
        Some(allowed) if allowed < needed => report.warn(
            "memory",
            format!("{} are allowed, and up to {} may be taken ({parts})", size(allowed), size(needed)),
            format!("allow the container {}, or lower --parse-memory-mib", size(needed)),
        ),
        Some(allowed) => {
            report.ok("memory", format!("{} are allowed, up to {} may be taken", size(allowed), size(needed)))
        }
        None => report.ok("memory", format!("no limit of a container; {parts}")),
    }
}
