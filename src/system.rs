//! What is asked of the operating system: the time, random digits, limits, and what its errors mean.

mod memory;

use std::io::ErrorKind;
use std::time::SystemTime;

pub use memory::{allowed_memory, memory};

/// Seconds since 1970.
pub fn now() -> i64 {
    seconds(SystemTime::now())
}

/// Milliseconds since 1970.
pub fn now_in_milliseconds() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A time in seconds since 1970; 0 where it is before.
pub fn seconds(time: SystemTime) -> i64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

/// Whether there is no room left: on the disk, within a quota of it, or in the size that a process may write.
pub fn is_disk_full(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

/// This many random bytes as hexadecimal digits, two for each.
pub fn random_hex(bytes: usize) -> Result<String, getrandom::Error> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random)?;
    Ok(hex::encode(random))
}

/// How many memory maps a process may have, where the system says so.
pub fn most_maps() -> Option<u64> {
    std::fs::read_to_string("/proc/sys/vm/max_map_count").ok()?.trim().parse().ok()
}
