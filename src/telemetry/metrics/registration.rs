//! Metrics as a table: one row names a metric, says its kind, its labels and its bounds, and explains it.

use prometheus::core::Collector;
use prometheus::{
    Counter, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry,
};

pub(super) type Result<T> = prometheus::Result<T>;

/// Makes a struct of metrics, and `new`, which registers them. The comment of a field is the metric's help.
macro_rules! metrics {
    (
        $(#[$about:meta])*
        $seen:vis struct $name:ident {
            $(
                #[doc = $help:literal]
                $field:ident: $kind:ty = $metric:literal $(by [$($label:literal),+])? $(within $bounds:ident)?;
            )+
        }
    ) => {
        $(#[$about])*
        $seen struct $name {
            $(#[doc = $help] $field: $kind,)+
        }

        impl $name {
            $seen fn new(registry: &prometheus::Registry) -> $crate::telemetry::metrics::registration::Result<Self> {
                use $crate::telemetry::metrics::registration::{Row, registered};
                Ok(Self {
                    $($field: registered(registry, &Row {
                        name: $metric,
                        help: $help.trim_ascii(),
                        labels: &[$($($label),+)?],
                        bounds: [$($bounds,)? &[] as &[f64]][0],
                    })?,)+
                })
            }
        }
    };
}
pub(super) use metrics;

/// What a row says of a metric.
pub(super) struct Row<'a> {
    pub name: &'a str,
    pub help: &'a str,
    pub labels: &'a [&'a str],
    /// Of a histogram's buckets.
    pub bounds: &'a [f64],
}

impl From<&Row<'_>> for Opts {
    fn from(row: &Row<'_>) -> Self {
        Self::new(row.name, row.help)
    }
}

impl From<&Row<'_>> for HistogramOpts {
    fn from(row: &Row<'_>) -> Self {
        Self::new(row.name, row.help).buckets(row.bounds.to_vec())
    }
}

/// A kind of metric.
pub(super) trait Metric: Collector + Clone + 'static {
    fn of(row: &Row<'_>) -> Result<Self>;
}

/// Makes a metric and registers it.
pub(super) fn registered<M: Metric>(registry: &Registry, row: &Row<'_>) -> Result<M> {
    let metric = M::of(row)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

macro_rules! kinds {
    ($($one:ty: $make_one:path,)+; $($labelled:ty,)+) => {
        $(impl Metric for $one {
            fn of(row: &Row<'_>) -> Result<Self> {
                $make_one(row.into())
            }
        })+
        $(impl Metric for $labelled {
            fn of(row: &Row<'_>) -> Result<Self> {
                Self::new(row.into(), row.labels)
            }
        })+
    };
}

kinds! {
    Counter: Counter::with_opts,
    Gauge: Gauge::with_opts,
    Histogram: Histogram::with_opts,
    IntCounter: IntCounter::with_opts,
    IntGauge: IntGauge::with_opts,;
    HistogramVec, IntCounterVec, IntGaugeVec,
}
