//! Who can reach the server, and with which keys.

use super::report::Report;
use super::store::{Found, KnownKey};
use crate::config::Config;
use crate::system::now;

/// Keys that end within this are told beforehand.
const SOON: i64 = 7 * 86_400;

pub fn check(config: &Config, found: &Found, report: &mut Report) {
    let Some(keys) = &found.keys else { return };
    // A server that runs has told those of its settings.
    let given = if found.served.is_none() { config.keys.len() } else { 0 };
    reach(config, keys, given, report);
    expiry(keys, now(), report);
}

/// `given`: how many keys of the settings are not among them.
fn reach(config: &Config, keys: &[KnownKey], given: usize, report: &mut Report) {
    let server = &config.server;
    let (listen, remote) = (server.listen, !server.listen.ip().is_loopback());
    let in_force = given + keys.iter().filter(|key| !key.revoked && !is_over(key, now())).count();
    match (remote, given == 0 && keys.is_empty()) {
        (true, true) if server.allow_remote_without_keys => report.warn(
            "exposure",
            format!("whoever reaches {listen} may do everything: there are no keys"),
            "make one with `lastro keys create NAME --admin`, unless only trusted people reach that address",
        ),
        (true, true) => report.fail(
            "exposure",
            format!("{listen} can be reached by others and there are no keys: the server will not start"),
            "make a key with `lastro keys create NAME --admin`, listen on 127.0.0.1, or say --allow-remote-without-keys",
        ),
        (_, false) if in_force == 0 => report.warn(
            "exposure",
            "no key is in force: nobody gets in but the commands on this machine",
            "make one with `lastro keys create NAME`",
        ),
        (_, false) => report.ok("exposure", format!("listens on {listen}, {in_force} keys in force")),
        (false, true) => report.ok("exposure", format!("listens on {listen}, for this machine alone; no keys")),
    }
}

fn is_over(key: &KnownKey, now: i64) -> bool {
    key.expires_at.is_some_and(|at| at <= now)
}

fn expiry(keys: &[KnownKey], now: i64, report: &mut Report) {
    let names = |wanted: &dyn Fn(i64) -> bool| {
        let ending = keys.iter().filter(|key| !key.revoked && key.expires_at.is_some_and(wanted));
        ending.map(|key| key.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let expired = names(&|at| at <= now);
    if !expired.is_empty() {
        let advice = "make new ones with `lastro keys create`, and revoke these";
        report.warn("keys", format!("expired: {expired}"), advice);
    }
    let ending = names(&|at| at > now && at <= now + SOON);
    if !ending.is_empty() {
        let advice = "give their users new ones before: `lastro keys create`";
        report.warn("keys", format!("expire within a week: {ending}"), advice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_end_are_named_and_revoked_ones_are_not() {
        let key = |name: &str, expires_at, revoked| KnownKey { name: name.to_owned(), expires_at, revoked };
        let keys = [
            key("over", Some(99), false),
            key("soon", Some(100 + SOON), false),
            key("later", Some(101 + SOON), false),
            key("never", None, false),
            key("revoked", Some(99), true),
        ];
        let mut report = Report::new(true);
        expiry(&keys, 100, &mut report);
        let said: Vec<&str> = report.findings().iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(said, ["expired: over", "expire within a week: soon"]);
    }
}
