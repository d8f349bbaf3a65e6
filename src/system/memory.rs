//! Memory that the machine has, and that its container allows.

use std::fs;
use std::path::Path;

/// Control groups without a limit have a number near 2^63.
const NO_LIMIT: u64 = 1 << 60;

/// Bytes that this process may take: what its control groups allow, or else what the machine has.
pub fn memory() -> Option<u64> {
    allowed_memory().into_iter().chain(machine_memory()).min()
}

fn machine_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let kib = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.trim().strip_suffix(" kB")?;
    Some(kib.trim().parse::<u64>().ok()? << 10)
}

/// The least limit on the way from this process's control group to the top.
pub fn allowed_memory() -> Option<u64> {
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
