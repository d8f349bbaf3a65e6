//! What a target adds to direct: the median over rounds, and how sure that is.

use serde::Serialize;

use crate::numbers::{median, quantile};
use crate::questions::Random;
use crate::rounds::{Measured, Sample, Series};

/// Samples drawn for an interval.
const DRAWS: usize = 2_000;

/// The median over rounds, and the interval that holds it in 95 of 100 resamplings (bootstrap percentiles, Efron 1979).
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Interval {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl Interval {
    /// Of one value from each round; `None` without any.
    pub fn of(values: &[f64], seed: u64) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let mut random = Random::new(seed);
        let mut draw = || {
            let drawn: Vec<f64> =
                values.iter().map(|_| values[random.below(values.len() as u64) as usize]).collect();
            median(&drawn)
        };
        let mut medians: Vec<f64> = (0..DRAWS).map(|_| draw()).collect();
        Some(Self {
            median: median(values),
            low: quantile(&mut medians, 0.025),
            high: quantile(&mut medians, 0.975),
        })
    }
}

/// A target's quantiles less those of another in the same round, in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Added {
    pub p50: Interval,
    pub p90: Interval,
    pub p99: Interval,
    pub total_p50: Interval,
    pub gap_p50: Interval,
    pub gap_p99: Interval,
    pub gap_p999: Interval,
    /// Microseconds of processor time a request; less the other's where it has any.
    pub cpu_us: Option<Interval>,
}

/// What a target adds to another under a load, if both were measured; direct is the first.
pub fn added(measured: &Measured, index: usize, to: usize, seed: u64) -> Option<Added> {
    let base = measured.series.get(to)?.as_ref()?;
    let series = measured.series.get(index)?.as_ref()?;
    let over = |pick: fn(&Sample) -> f64| Interval::of(&differences(series, base, pick), seed);
    let cpu = |series: &Series| series.samples.iter().filter_map(|sample| sample.cpu_us).collect::<Vec<_>>();
    let cpu = match cpu(base).is_empty() {
        true => cpu(series),
        false => differences(series, base, |sample| sample.cpu_us.unwrap_or(0.0)),
    };
    Some(Added {
        p50: over(|s| s.first.p50)?,
        p90: over(|s| s.first.p90)?,
        p99: over(|s| s.first.p99)?,
        total_p50: over(|s| s.total.p50)?,
        gap_p50: over(|s| s.gaps.p50)?,
        gap_p99: over(|s| s.gaps.p99)?,
        gap_p999: over(|s| s.gaps.p999)?,
        cpu_us: Interval::of(&cpu, seed),
    })
}

fn differences(series: &Series, base: &Series, pick: fn(&Sample) -> f64) -> Vec<f64> {
    let of_round = |round| base.samples.iter().find(|sample| sample.round == round);
    series.samples.iter().filter_map(|sample| Some(pick(sample) - pick(of_round(sample.round)?))).collect()
}

/// Why a target did not keep up with a load on so many cores, if so.
pub fn saturated(measured: &Measured, index: usize, cores: usize) -> Option<String> {
    const BUSY: f64 = 0.95;
    const LOST: f64 = 0.01;
    let series = measured.series.get(index)?.as_ref()?;
    let (failed, sent) = series.failed();
    if failed as f64 > sent as f64 * LOST {
        return Some(format!("{failed} of {sent} requests failed"));
    }
    let cpu: Vec<f64> = series.samples.iter().filter_map(|sample| sample.cpu_us).collect();
    let needed = median(&cpu) * measured.load.rate / 1e6;
    (needed > cores as f64 * BUSY).then(|| format!("this load needs {needed:.1} cores of it"))
}
