//! What was found, a line each.

use std::fmt;

use serde::Serialize;

use crate::commands::{CommandError, output};

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Ok,
    /// It works, and something should be done all the same.
    Warn,
    /// It does not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    pub check: &'static str,
    pub status: Status,
    pub message: String,
    /// What to do; every warning and failure has it.
    pub advice: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = match self.status {
            Status::Ok => "ok",
            Status::Warn => "warn",
            Status::Fail => "fail",
        };
        write!(f, "{status:4}  {}: {}", self.check, self.message)?;
        match &self.advice {
            Some(advice) => write!(f, "\n      -> {advice}"),
            None => Ok(()),
        }
    }
}

/// All findings: printed as they come, or together as JSON.
#[derive(Debug, Default)]
pub struct Report {
    pub json: bool,
    findings: Vec<Finding>,
    /// Why it cannot be printed any more.
    unprinted: Option<CommandError>,
}

#[derive(Serialize)]
struct Printed<'a> {
    ok: bool,
    version: &'static str,
    checks: &'a [Finding],
}

impl Report {
    pub fn new(json: bool) -> Self {
        Self { json, ..Self::default() }
    }

    pub fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(Finding { check, status: Status::Ok, message: message.into(), advice: None });
    }

    pub fn warn(&mut self, check: &'static str, message: impl Into<String>, advice: impl Into<String>) {
        let advice = Some(advice.into());
        self.add(Finding { check, status: Status::Warn, message: message.into(), advice });
    }

    pub fn fail(&mut self, check: &'static str, message: impl Into<String>, advice: impl Into<String>) {
        let advice = Some(advice.into());
        self.add(Finding { check, status: Status::Fail, message: message.into(), advice });
    }

    fn add(&mut self, mut finding: Finding) {
        // Some libraries' errors have several.
        finding.message = crate::words::one_line(&finding.message);
        if !self.json {
            self.print(format_args!("{finding}\n"));
        }
        self.findings.push(finding);
    }

    /// Whether nothing failed.
    pub fn is_well(&self) -> bool {
        self.findings.iter().all(|finding| finding.status != Status::Fail)
    }

    /// Prints the end.
    pub fn close(&mut self) -> Result<(), CommandError> {
        if self.json {
            let (ok, version) = (self.is_well(), env!("CARGO_PKG_VERSION"));
            let printed = Printed { ok, version, checks: &self.findings };
            let printed = serde_json::to_string_pretty(&printed).map_err(std::io::Error::from)?;
            self.print(format_args!("{printed}\n"));
            return self.printed();
        }
        let count = |status| self.findings.iter().filter(|f| f.status == status).count();
        let (warned, failed) = (count(Status::Warn), count(Status::Fail));
        let all = self.findings.len();
        self.print(format_args!("{all} checks, {warned} warnings, {failed} failures\n"));
        self.printed()
    }

    /// What is left is looked at, also where nobody reads it: how it went is the command's outcome.
    fn print(&mut self, text: fmt::Arguments<'_>) {
        if self.unprinted.is_none() {
            self.unprinted = output::print(text).err();
        }
    }

    fn printed(&mut self) -> Result<(), CommandError> {
        output::read_or_not(self.unprinted.take().map_or(Ok(()), Err))
    }

    #[cfg(test)]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

/// Bytes for people.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} bytes"),
        1_024..1_048_576 => format!("{} KiB", bytes >> 10),
        1_048_576..10_737_418_240 => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_a_line_and_what_to_do() {
        let mut report = Report::new(true);
        report.ok("clock", "it is 2026");
        assert!(report.is_well());
        report.warn("disk", "little room", "make some");
        assert!(report.is_well(), "a warning is no failure");
        report.fail("data", "not\n  writable\n", "chmod it");
        assert!(!report.is_well());
        let lines: Vec<String> = report.findings().iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "ok    clock: it is 2026",
                "warn  disk: little room\n      -> make some",
                "fail  data: not writable\n      -> chmod it"
            ]
        );
    }

    #[test]
    fn sizes_are_for_people() {
        for (bytes, text) in [(5, "5 bytes"), (2_048, "2 KiB"), (3 << 30, "3072 MiB"), (50 << 30, "50 GiB")] {
            assert_eq!(size(bytes), text);
        }
    }
}
