//! Figures, as a table for people and as JSON.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::Outcome;
use crate::numbers::{machine, short};

/// One value of a figure.
#[derive(Clone, Debug, Serialize)]
pub struct Value {
    pub what: &'static str,
    pub value: f64,
    pub unit: &'static str,
}

/// One line of the report: its values, or why there are none.
#[derive(Debug, Serialize)]
pub struct Figure {
    pub group: &'static str,
    pub name: String,
    pub values: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_measured: Option<String>,
    /// What has to be known to read the values.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// All figures of one run, and where it ran.
#[derive(Debug, Serialize)]
pub struct Report {
    pub lastro: &'static str,
    pub machine: String,
    /// What was measured with.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub about: String,
    pub figures: Vec<Figure>,
    /// Where it is written after each figure: a run that is cut off leaves those that it came to.
    #[serde(skip)]
    pub kept: Option<PathBuf>,
}

/// A value with its unit.
pub fn value(what: &'static str, value: f64, unit: &'static str) -> Value {
    Value { what, value, unit }
}

impl Report {
    /// A report without figures.
    pub fn new() -> Self {
        Self {
            lastro: env!("CARGO_PKG_VERSION"),
            machine: machine(),
            about: String::new(),
            figures: Vec::new(),
            kept: None,
        }
    }

    /// Adds a figure and prints its line.
    pub fn add(
        &mut self,
        group: &'static str,
        name: impl Into<String>,
        note: impl Into<String>,
        measured: Outcome<Vec<Value>>,
    ) {
        let name = name.into();
        if self.figures.last().is_none_or(|last| last.group != group) {
            println!("\n{group}");
        }
        let (values, not_measured) = match measured {
            Ok(values) => (values, None),
            Err(why) => (Vec::new(), Some(why.to_string())),
        };
        let figure = Figure { group, name, values, not_measured, note: note.into() };
        println!("  {:<44} {}", figure.name, figure.line());
        self.figures.push(figure);
        if let Some(Err(error)) = self.kept.as_deref().map(|path| self.write(path)) {
            eprintln!("{error}");
        }
    }

    /// Writes the report as JSON.
    pub fn write(&self, path: &Path) -> Outcome<()> {
        let json = serde_json::to_string_pretty(self)?;
        std::fs::write(path, json + "\n").map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(())
    }
}

impl Figure {
    fn line(&self) -> String {
        if let Some(why) = &self.not_measured {
            return format!("not measured: {why}");
        }
        let text = |v: &Value| format!("{} {} {}", v.what, short(v.value), v.unit).trim_end().to_owned();
        let values: Vec<String> = self.values.iter().map(text).collect();
        let note = if self.note.is_empty() { String::new() } else { format!("   ({})", self.note) };
        format!("{}{note}", values.join(" · "))
    }
}
