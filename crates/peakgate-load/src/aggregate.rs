//! What a series amounts to over a stretch of time; mergeable.

use serde::{Deserialize, Serialize};

use crate::histogram::Histogram;
use crate::metric::MetricKind;

/// The mergeable content of a series, one variant for each of k6's metric types.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Aggregate {
    /// A sum and how many samples made it.
    Counter {
        /// Sum of the samples.
        sum: f64,
        /// Number of samples.
        samples: u64,
    },
    /// The last value, the least and the greatest.
    Gauge {
        /// The latest value.
        last: f64,
        /// The least value.
        min: f64,
        /// The greatest value.
        max: f64,
        /// Number of samples.
        samples: u64,
    },
    /// Non-zero samples out of all.
    Rate {
        /// Non-zero samples.
        hits: u64,
        /// All samples.
        total: u64,
    },
    /// A distribution.
    Trend(Histogram),
}

impl Aggregate {
    /// An aggregate of one sample; `None` when the value is not finite.
    #[must_use]
    pub fn of(kind: MetricKind, value: f64) -> Option<Self> {
        let mut new = match kind {
            MetricKind::Counter => Self::Counter {
                sum: 0.0,
                samples: 0,
            },
            MetricKind::Gauge => Self::Gauge {
                last: value,
                min: value,
                max: value,
                samples: 0,
            },
            MetricKind::Rate => Self::Rate { hits: 0, total: 0 },
            MetricKind::Trend => Self::Trend(Histogram::new()),
        };
        new.add(value).then_some(new)
    }

    /// Adds one sample; a value that is not finite is refused (returns false).
    #[must_use]
    pub fn add(&mut self, value: f64) -> bool {
        if !value.is_finite() {
            return false;
        }
        match self {
            Self::Counter { sum, samples } => {
                *sum += value;
                *samples += 1;
            }
            Self::Gauge {
                last,
                min,
                max,
                samples,
            } => {
                *last = value;
                *min = min.min(value);
                *max = max.max(value);
                *samples += 1;
            }
            Self::Rate { hits, total } => {
                *hits += u64::from(value != 0.0);
                *total += 1;
            }
            Self::Trend(histogram) => return histogram.record(value),
        }
        true
    }

    /// Adds what came later; false (and nothing changed) when the kinds differ.
    #[must_use]
    pub fn merge(&mut self, later: &Self) -> bool {
        match (self, later) {
            (Self::Counter { sum, samples }, Self::Counter { sum: s, samples: n }) => {
                *sum += s;
                *samples = samples.saturating_add(*n);
            }
            (
                Self::Gauge {
                    last,
                    min,
                    max,
                    samples,
                },
                Self::Gauge {
                    last: l,
                    min: lo,
                    max: hi,
                    samples: n,
                },
            ) => {
                *last = *l;
                *min = min.min(*lo);
                *max = max.max(*hi);
                *samples = samples.saturating_add(*n);
            }
            (Self::Rate { hits, total }, Self::Rate { hits: h, total: t }) => {
                *hits = hits.saturating_add(*h);
                *total = total.saturating_add(*t);
            }
            (Self::Trend(a), Self::Trend(b)) => a.merge(b),
            _ => return false,
        }
        true
    }

    /// The metric type.
    #[must_use]
    pub fn kind(&self) -> MetricKind {
        match self {
            Self::Counter { .. } => MetricKind::Counter,
            Self::Gauge { .. } => MetricKind::Gauge,
            Self::Rate { .. } => MetricKind::Rate,
            Self::Trend(_) => MetricKind::Trend,
        }
    }

    /// How many samples it holds.
    #[must_use]
    pub fn samples(&self) -> u64 {
        match self {
            Self::Counter { samples, .. } | Self::Gauge { samples, .. } => *samples,
            Self::Rate { total, .. } => *total,
            Self::Trend(histogram) => histogram.count(),
        }
    }
}
