//! What was measured, as a table for people and as JSON.

use std::fmt::Write;

use serde::Serialize;

use crate::Arguments;
use crate::numbers::{machine, median, short};
use crate::run::Start;
use crate::target::Target;

/// Whether the files are in memory when a process starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cache {
    Warm,
    Cold,
}

/// A run.
#[derive(Serialize)]
pub struct Record {
    machine: String,
    load_at_end: String,
    chunks: usize,
    targets: Vec<Series>,
}

/// One target's starts.
#[derive(Serialize)]
struct Series {
    id: String,
    name: String,
    version: String,
    ours: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_measured: Option<String>,
    warm: Vec<Start>,
    cold: Vec<Start>,
}

/// Medians of one target's starts: milliseconds and MiB.
pub struct Line {
    pub name: String,
    pub ours: bool,
    pub listening: f64,
    listening_memory: f64,
    pub first: Option<f64>,
    first_memory: f64,
    status: Option<String>,
    pub dense: Option<f64>,
    idle_memory: f64,
}

impl Record {
    /// Without figures.
    pub fn new(arguments: &Arguments, targets: &[Target]) -> Self {
        let series = |target: &Target| Series {
            id: target.id.clone(),
            name: target.name.clone(),
            version: target.version.clone(),
            ours: target.is_ours(),
            not_measured: target.absent.clone(),
            warm: Vec::new(),
            cold: Vec::new(),
        };
        Self {
            machine: machine(),
            load_at_end: String::new(),
            chunks: arguments.chunks,
            targets: targets.iter().map(series).collect(),
        }
    }

    /// What has to be known to read the figures.
    pub fn describe(&self) -> String {
        format!(
            "{}\n{} chunks; vectors are random and of length 1, the same for all: what they find means nothing, how \
             long they take to open does\n",
            self.machine, self.chunks
        )
    }

    /// Adds a start.
    pub fn add(&mut self, id: &str, cache: Cache, start: Start) {
        for series in self.targets.iter_mut().filter(|series| series.id == id) {
            match cache {
                Cache::Warm => series.warm.push(start.clone()),
                Cache::Cold => series.cold.push(start.clone()),
            }
        }
    }

    /// Notes why a start has no figures.
    pub fn failed(&mut self, id: &str, why: String) {
        for series in self.targets.iter_mut().filter(|series| series.id == id) {
            series.not_measured = Some(why.clone());
        }
    }

    /// Notes what else the machine did.
    pub fn finish(&mut self) {
        self.load_at_end = machine();
    }

    /// Medians, as Markdown.
    pub fn table(&self) -> String {
        let mut text = String::new();
        for cache in [Cache::Warm, Cache::Cold] {
            if !self.targets.iter().all(|series| series.of(cache).is_empty()) {
                self.table_of(cache, &mut text);
            }
        }
        for series in &self.targets {
            if let Some(why) = &series.not_measured {
                text.push_str(&format!("{}: not measured: {why}\n", series.name));
            }
        }
        text.push_str(&format!("at the end: {}\n", self.load_at_end));
        text
    }

    fn table_of(&self, cache: Cache, text: &mut String) {
        let most = self.targets.iter().map(|series| series.of(cache).len()).max().unwrap_or(0);
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "Medians of {most} starts, page cache {}; times from starting the process, RSS beside them in MiB.\n",
            if cache == Cache::Warm { "warm" } else { "emptied before each" }
        );
        text.push_str(
            "| | listening, ms | RSS | first token, ms | RSS | answered by meaning, ms | idle RSS | of LiteLLM's times | of Python's times |\n\
             |---|---|---|---|---|---|---|---|---|\n",
        );
        for (series, line) in self.measured(cache) {
            let shown = |value: Option<f64>| value.map_or("-".to_owned(), short);
            let status = line.status.map_or(String::new(), |status| format!(" ({status})"));
            let _ = writeln!(
                text,
                "| {} {} | {} | {} | {}{status} | {} | {} | {} | {} | {} |",
                series.name,
                series.version,
                short(line.listening),
                short(line.listening_memory),
                shown(line.first),
                shown(line.first.map(|_| line.first_memory)),
                shown(line.dense),
                short(line.idle_memory),
                self.against(series, "litellm", cache),
                self.against(series, "python-chat", cache),
            );
        }
        text.push('\n');
    }

    fn measured(&self, cache: Cache) -> impl Iterator<Item = (&Series, Line)> {
        let measured = self.targets.iter().filter(move |series| !series.of(cache).is_empty());
        measured.map(move |series| (series, Line::of(series, series.of(cache))))
    }

    /// Medians of what was measured.
    pub fn lines(&self, cache: Cache) -> Vec<Line> {
        self.measured(cache).map(|(_, line)| line).collect()
    }

    /// The machine and the collection.
    pub fn describe_short(&self) -> String {
        format!("{} chunks, page cache warm, {}", self.chunks, self.machine)
    }

    /// The times of one of ours as parts of a peer's: to listening, to the first token. Medians of the rounds' ratios.
    fn against(&self, series: &Series, peer: &str, cache: Cache) -> String {
        let peer = self.targets.iter().find(|other| other.id == peer && series.ours);
        let Some(peer) = peer.filter(|peer| !peer.of(cache).is_empty()) else { return "-".to_owned() };
        let ratio = |value: &dyn Fn(&Start) -> Option<f64>| {
            let pairs = series.of(cache).iter().zip(peer.of(cache));
            let ratios: Vec<f64> = pairs.filter_map(|(a, b)| Some(value(a)? / value(b)?)).collect();
            if ratios.is_empty() { "-".to_owned() } else { format!("{:.4}", median(&ratios)) }
        };
        format!("{} / {}", ratio(&|s| Some(s.listening)), ratio(&|s| s.first))
    }
}

impl Line {
    fn of(series: &Series, starts: &[Start]) -> Self {
        let some = |value: &dyn Fn(&Start) -> Option<f64>| {
            let values: Vec<f64> = starts.iter().filter_map(value).collect();
            (!values.is_empty()).then(|| median(&values))
        };
        let every = |value: &dyn Fn(&Start) -> f64| some(&|start| Some(value(start))).unwrap_or_default();
        Self {
            name: series.name.clone(),
            ours: series.ours,
            listening: every(&|start| start.listening),
            listening_memory: every(&|start| start.listening_memory),
            first: some(&|start| start.first),
            first_memory: every(&|start| start.first_memory),
            status: starts.iter().find_map(|start| start.status.clone()),
            dense: some(&|start| start.dense),
            idle_memory: every(&|start| start.idle_memory),
        }
    }
}

impl Series {
    fn of(&self, cache: Cache) -> &[Start] {
        match cache {
            Cache::Warm => &self.warm,
            Cache::Cold => &self.cold,
        }
    }
}
