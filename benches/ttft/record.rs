//! Everything that was measured, as JSON.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::rounds::{Measured, Quantiles, Sample};
use crate::summary::{Added, added, saturated};
use crate::target::Target;
use crate::{Outcome, cancel, half_open};

/// A run.
#[derive(Serialize)]
pub struct Record {
    pub machine: String,
    pub cores: String,
    /// The arguments as they were given.
    pub arguments: Vec<String>,
    pub frames: u32,
    pub gap_ms: f64,
    pub targets: Vec<Known>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub loads: Vec<LoadRecord>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cancel: Vec<cancel::Figures>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub half_open: Vec<half_open::Figures>,
}

/// A target, and why it was not measured.
#[derive(Serialize)]
pub struct Known {
    pub id: String,
    pub name: String,
    pub version: String,
    pub grounded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_measured: Option<String>,
}

/// One load; times in milliseconds, memory in MiB.
#[derive(Serialize)]
pub struct LoadRecord {
    pub clients: usize,
    pub rate: f64,
    pub seconds: f64,
    /// Direct against direct in the rounds that were repeated.
    pub discarded: Vec<f64>,
    pub figures: Vec<Figures>,
}

/// One target under one load.
#[derive(Serialize)]
pub struct Figures {
    pub target: String,
    pub added: Option<Added>,
    /// The same to other targets than direct, by their ids.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub against: BTreeMap<String, Added>,
    /// Why its times say only that it could not keep up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saturated: Option<String>,
    pub first: Quantiles,
    pub total: Quantiles,
    pub gaps: Quantiles,
    pub resident: Option<f64>,
    pub resident_own: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    pub rounds: Vec<Sample>,
}

impl LoadRecord {
    /// Of what was measured under one load.
    pub fn new(targets: &[Target], measured: &Measured, seed: u64, cores: usize) -> Self {
        let against = |index: usize, target: &Target| {
            let one = |to: &usize| Some((targets[*to].id.clone(), added(measured, index, *to, seed)?));
            target.against.iter().filter_map(one).collect()
        };
        let figures = |(index, target): (usize, &Target)| {
            let series = measured.series[index].as_ref()?;
            Some(Figures {
                target: target.id.clone(),
                added: (index > 0).then(|| added(measured, index, 0, seed)).flatten(),
                against: against(index, target),
                saturated: saturated(measured, index, cores),
                first: Quantiles::of(&series.first),
                total: Quantiles::of(&series.total),
                gaps: Quantiles::of(&series.gaps),
                resident: series.memory.map(|(resident, _)| resident),
                resident_own: series.memory.map(|(_, own)| own),
                stopped: series.stopped.clone(),
                rounds: series.samples.clone(),
            })
        };
        Self {
            clients: measured.load.clients,
            rate: measured.load.rate,
            seconds: measured.load.seconds,
            discarded: measured.discarded.clone(),
            figures: targets.iter().enumerate().filter_map(figures).collect(),
        }
    }
}

impl Known {
    /// Of a target.
    pub fn new(target: &Target) -> Self {
        let not_measured = target.started.as_ref().err().map(ToString::to_string);
        Self {
            id: target.id.clone(),
            name: target.name.clone(),
            version: target.version.clone(),
            grounded: target.grounded,
            not_measured,
        }
    }
}

/// Writes a file, and names it where that fails.
pub fn write(path: &Path, text: &str) -> Outcome<()> {
    Ok(std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))?)
}
