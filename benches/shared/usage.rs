//! Memory and processor time of a process and all that it started, from /proc.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// What a process tree holds and has used.
#[derive(Clone, Default)]
pub struct Usage {
    /// Resident memory in KiB; pages that its processes share count for each.
    pub resident: u64,
    /// Of it, what is not backed by files.
    pub own: u64,
    /// Nanoseconds of each thread.
    threads: HashMap<u32, u64>,
}

impl Usage {
    /// Of a process and its descendants.
    pub fn of(root: u32) -> Self {
        let mut usage = Self::default();
        for pid in tree(root) {
            let folder = Path::new("/proc").join(pid.to_string());
            let status = std::fs::read_to_string(folder.join("status")).unwrap_or_default();
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name));
                line.and_then(|l| l.trim_end_matches(" kB").trim().parse::<u64>().ok()).unwrap_or(0)
            };
            usage.resident += field("VmRSS:");
            usage.own += field("RssAnon:");
            for thread in std::fs::read_dir(folder.join("task")).into_iter().flatten().flatten() {
                if let Some(id) = thread.file_name().to_str().and_then(|name| name.parse().ok()) {
                    usage.threads.insert(id, nanoseconds(&thread.path()));
                }
            }
        }
        usage
    }

    /// With the threads that were there earlier and have ended since.
    pub fn with(mut self, earlier: &Self) -> Self {
        for (thread, used) in &earlier.threads {
            self.threads.entry(*thread).or_insert(*used);
        }
        self
    }

    /// Processor time since then. What a thread used that began and ended in between is missed.
    pub fn since(&self, before: &Self) -> Duration {
        let used = |(id, now): (&u32, &u64)| now.saturating_sub(*before.threads.get(id).unwrap_or(&0));
        Duration::from_nanos(self.threads.iter().map(used).sum())
    }
}

/// A process and its descendants.
pub fn tree(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Some(parent) = stat(&entry.path()).and_then(|fields| fields.get(1)?.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        found.extend(children.remove(pid).unwrap_or_default());
        next += 1;
    }
    found
}

/// The scheduler's count where there is one, else that of ticks (proc(5): fields 14 and 15, a hundredth of a second).
fn nanoseconds(thread: &Path) -> u64 {
    const TICK: u64 = 10_000_000;
    let scheduled = std::fs::read_to_string(thread.join("schedstat")).ok();
    if let Some(time) = scheduled.and_then(|text| text.split(' ').next()?.parse().ok()) {
        return time;
    }
    let Some(fields) = stat(thread) else { return 0 };
    fields.iter().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * TICK
}

/// The fields of a stat file from the third on; the name before them may contain anything.
fn stat(folder: &Path) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(folder.join("stat")).ok()?;
    Some(text.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

/// Waits until a process tree has nothing to do, or for so long.
pub fn settle(root: u32, patience: Duration) {
    const STEP: Duration = Duration::from_millis(30);
    let until = Instant::now() + patience;
    let mut before = Usage::of(root);
    while Instant::now() < until {
        std::thread::sleep(STEP);
        let now = Usage::of(root);
        if now.since(&before) < STEP / 20 {
            return;
        }
        before = now;
    }
}
