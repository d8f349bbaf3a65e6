//! The originals: whether all are there, and whether they belong to the database.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::report::{Report, size};
use crate::store::{Originals, look_at_originals};

/// So many are named; the rest is counted.
const NAMED: usize = 5;

pub fn check(data: &Path, trash: Duration, report: &mut Report) {
    match look_at_originals(data) {
        // What is wrong then is told already.
        Ok(None) => {}
        Ok(Some(found)) => {
            missing(&found, report);
            unknown(data, &found, trash, report);
        }
        Err(error) => report.warn(
            "originals",
            error.to_string(),
            "lastro must be able to read blobs and trash in its data folder: give them to the user that it runs as",
        ),
    }
}

fn missing(found: &Originals, report: &mut Report) {
    let trash = match found.discarded {
        (0, _) => String::new(),
        (files, bytes) => format!(", {files} in the trash ({})", size(bytes)),
    };
    if found.missing.is_empty() {
        return report.ok("originals", format!("all {} are there{trash}", found.named));
    }
    let message = format!(
        "{} of {} are missing{trash}: {}",
        found.missing.len(),
        found.named,
        some_of(&found.missing, |name| name.clone())
    );
    let advice = "put the folder blobs of a backup back over this one (what is there already is the same), or upload those files again; what was read from them is still found";
    report.fail("originals", message, advice);
}

fn unknown(data: &Path, found: &Originals, trash: Duration, report: &mut Report) {
    let days = trash.as_secs() / 86_400;
    let which = || {
        let paths = some_of(&found.unnamed, |path: &PathBuf| path.display().to_string());
        format!("{} ({}) that no document names: {paths}", found.unnamed.len(), size(found.unnamed_bytes))
    };
    match (found.belong, found.unnamed.is_empty()) {
        (true, true) => {}
        (true, false) => report
            .ok("originals", format!("{}; the next start moves them to the trash, for {days} days", which())),
        (false, true) => {
            report.ok(
                "originals",
                "they were with a later state of this database, or with another one, and hold nothing else",
            );
        }
        (false, false) => {
            let message = format!(
                "database and blobs do not belong together: the database is new, older than the originals, or another one. It knows nothing of {}. None of them is removed",
                which()
            );
            let advice = format!(
                "if the database that knows them exists, stop lastro and put it back; otherwise upload of them what you miss. To let go of the rest, stop lastro, delete {}, and start it: they go to the trash, for {days} days",
                data.join("blobs/belongs-to").display()
            );
            report.warn("originals", message, advice);
        }
    }
}

fn some_of<T>(all: &[T], name: impl Fn(&T) -> String) -> String {
    let some: Vec<_> = all.iter().take(NAMED).map(name).collect();
    let more = if all.len() > NAMED { ", and others" } else { "" };
    format!("{}{more}", some.join(", "))
}
