//! Memory that the container allows, against what the settings may take.

use std::fs;
use std::path::Path;

use super::report::{Report, size};
use crate::config::Config;

/// What the server takes besides: tantivy's writers, buffers of connections.
const BESIDES: u64 = 128 << 20;
/// Control groups without a limit have a number near 2^63.
const NO_LIMIT: u64 = 1 << 60;

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
    match allowed() {
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

/// The least limit on the way from this process's control group to the top.
fn allowed() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let root = Path::new("/sys/fs/cgroup");
    let mut least = None;
    for (folder, file) in places(&groups) {
        let mut folder = root.join(folder);
        while folder.starts_with(root) {
            let limit = fs::read_to_string(folder.join(file)).ok().and_then(|text| limit(&text));
            least = least.into_iter().chain(limit).min();
            if !folder.pop() {
                break;
            }
        }
    }
    least
}

/// Where the limits may stand: of version 2 (`0::/path`), and of version 1 (`4:memory:/path`). A container sees its own
/// group at the top.
fn places(groups: &str) -> Vec<(String, &'static str)> {
    let line = |line: &str| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let path = path.trim_start_matches('/');
        match controllers {
            "" => Some((path.to_owned(), "memory.max")),
            listed if listed.split(',').any(|controller| controller == "memory") => {
                Some((format!("memory/{path}"), "memory.limit_in_bytes"))
            }
            _ => None,
        }
    };
    groups.lines().filter_map(line).collect()
}

fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|limit| *limit < NO_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_control_groups_are_found() {
        let groups = "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/system.slice/lastro.service\n";
        assert_eq!(
            places(groups),
            [
                ("memory/docker/abc".to_owned(), "memory.limit_in_bytes"),
                ("system.slice/lastro.service".to_owned(), "memory.max")
            ]
        );
        assert!(places("nonsense\n").is_empty());
        assert_eq!(limit("536870912\n"), Some(512 << 20));
        assert_eq!(limit("max\n"), None);
        assert_eq!(limit("9223372036854771712\n"), None);
    }
}
