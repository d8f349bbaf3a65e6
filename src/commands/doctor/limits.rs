//! The process: its user, its open files, its clock.

use super::report::Report;
use crate::config::Config;
use crate::server::{FILES_OF_A_CONNECTION, OTHER_FILES};
use crate::system::now;

/// 1 January 2025, before which there was no lastro.
const BEFORE_LASTRO: i64 = 1_735_689_600;

pub fn check(config: &Config, report: &mut Report) {
    user(report);
    files(config, report);
}

fn user(report: &mut Report) {
    // Linux alone tells.
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return };
    match effective_user(&status) {
        Some(0) => {
            report.warn("user", "runs as root", "run it as a user of its own, who owns the data folder")
        }
        Some(user) => report.ok("user", format!("runs as user {user}")),
        None => {}
    }
}

/// The second of the four numbers after `Uid:` (`man 5 proc_pid_status`).
fn effective_user(status: &str) -> Option<u32> {
    status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().nth(1)?.parse().ok()
}

fn files(config: &Config, report: &mut Report) {
    let wanted = config.server.limits.connections as u64;
    match rlimit::Resource::NOFILE.get() {
        // The server raises the soft limit to the hard one by itself.
        Ok((_, most)) => {
            let possible = most.saturating_sub(OTHER_FILES) / FILES_OF_A_CONNECTION;
            match possible < wanted {
                true => report.warn(
                    "open files",
                    format!(
                        "{most} are allowed: enough for {possible} connections of the {wanted} configured"
                    ),
                    format!(
                        "raise the limit (`ulimit -n {}`), or lower --max-connections",
                        wanted * FILES_OF_A_CONNECTION + OTHER_FILES
                    ),
                ),
                false => {
                    report.ok("open files", format!("{most} are allowed, enough for {wanted} connections"))
                }
            }
        }
        Err(error) => {
            report.warn("open files", format!("their limit is not told: {error}"), "look at `ulimit -n`")
        }
    }
}

/// Certificates and keys have dates.
pub fn clock(report: &mut Report) {
    match now() < BEFORE_LASTRO {
        true => report.fail(
            "clock",
            "this machine's clock is before 2025",
            "set it (NTP): certificates are refused, and keys and files expire at the wrong time",
        ),
        false => report.ok("clock", "set"),
    }
}

#[cfg(test)]
mod tests {
    use super::effective_user;

    #[test]
    fn the_effective_user_counts() {
        let status = "Name:\tlastro\nUid:\t1000\t0\t1000\t1000\nGid:\t5\t5\t5\t5\n";
        assert_eq!(effective_user(status), Some(0));
        assert_eq!(effective_user("Name:\tlastro\n"), None);
    }
}
