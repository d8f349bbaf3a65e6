//! What the system knows of this process.

use std::time::SystemTime;

/// The process as it is now.
pub(super) struct Process {
    pub cpu_seconds: f64,
    pub resident_bytes: u64,
    pub open_files: usize,
}

/// In Unix seconds; the first call's time, which is at the start.
pub(super) fn started() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// `None` where the system has no `/proc`.
pub(super) fn now() -> Option<Process> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Fields after the name, which may hold anything but ends with the last parenthesis: state is the third field
    // of proc(5), utime the 14th, stime the 15th and rss, in pages, the 24th.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let ticks = field(14)? + field(15)?;
    Some(Process {
        cpu_seconds: ticks as f64 / rustix::param::clock_ticks_per_second() as f64,
        resident_bytes: field(24)? * rustix::param::page_size() as u64,
        open_files: std::fs::read_dir("/proc/self/fd").ok()?.count(),
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn this_process_is_described() {
        let process = super::now().expect("Linux has /proc");
        assert!(process.resident_bytes > 1 << 20 && process.open_files > 3);
    }
}
