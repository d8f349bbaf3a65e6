//! The load and the upstream on some cores, the server that is measured on another.

use std::process::{Command, Stdio};

use crate::Outcome;

/// Which cores are whose.
pub struct Cores {
    /// As `taskset -c` takes them; none where everything shares all.
    pinned: Option<(String, String)>,
    ended_with_us: bool,
}

impl Cores {
    /// As asked for, or the last core for the server and the others for the load.
    pub fn new(load: Option<String>, target: Option<String>) -> Self {
        let cores = allowed();
        let pinned = match (load, target, cores.as_slice()) {
            (Some(load), Some(target), _) => Some((load, target)),
            (_, _, [load @ .., target]) if !load.is_empty() => {
                let load: Vec<String> = load.iter().map(u32::to_string).collect();
                Some((load.join(","), target.to_string()))
            }
            _ => None,
        };
        Self { pinned: pinned.filter(|_| runs("taskset")), ended_with_us: runs("setpriv") }
    }

    /// Moves this process and its threads to the load's cores.
    pub fn take(&self) -> Outcome<()> {
        let Some((load, _)) = &self.pinned else { return Ok(()) };
        let this = std::process::id().to_string();
        let status =
            Command::new("taskset").args(["-a", "-c", "-p", load, &this]).stdout(Stdio::null()).status()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("taskset could not move this to core {load}").into())
        }
    }

    /// The command before a server's own: its core, and that it ends when this process does.
    pub fn wrapper(&self) -> Vec<String> {
        let mut words = Vec::new();
        if self.ended_with_us {
            words.extend(["setpriv", "--pdeathsig", "TERM"].map(str::to_owned));
        }
        if let Some((_, target)) = &self.pinned {
            words.extend(["taskset", "-c", target].map(str::to_owned));
        }
        words
    }

    /// How many the measured server has.
    pub fn target(&self) -> usize {
        match &self.pinned {
            Some((_, target)) => span(target).len(),
            None => std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    /// In words.
    pub fn describe(&self) -> String {
        match &self.pinned {
            Some((load, target)) => {
                format!("load and upstream on core {load}, the measured server on core {target}")
            }
            None => "not pinned: load, upstream and servers share all cores".to_owned(),
        }
    }
}

/// The cores that this process may use.
fn allowed() -> Vec<u32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
    span(list)
}

/// Such as `0,2-3`.
fn span(list: &str) -> Vec<u32> {
    let part = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse::<u32>().ok()?..=last.trim().parse().ok()?)
    };
    list.split(',').filter_map(part).flatten().collect()
}

fn runs(program: &str) -> bool {
    let run = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    run.is_ok_and(|status| status.success())
}
