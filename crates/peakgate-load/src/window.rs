//! One second of a run, as an engine reports it.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::aggregate::Aggregate;
use crate::series::SeriesKey;

/// What happened in one stretch of the run (a second, as a rule).
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// Start, as an offset from the start of the load (the end of `setup()`).
    pub start: Duration,
    /// How long it is; never zero.
    pub length: Duration,
    /// The samples, by series.
    pub series: HashMap<SeriesKey, Aggregate>,
    /// How the load generator itself was doing, when the engine can tell.
    pub generator: Option<GeneratorReading>,
    /// Samples that could not be kept as they were: not finite, or over the limit of series.
    pub lost: LostSamples,
}

/// Samples that a window could not keep whole. Any of them makes what they touch inconclusive.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct LostSamples {
    /// Values that were NaN or infinite.
    pub not_finite: u64,
    /// Samples whose tags were folded into `(other)` because there were too many series.
    pub folded: u64,
    /// Lines or messages that could not be understood.
    pub unreadable: u64,
}

/// The load generator's own health over a window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GeneratorReading {
    /// CPU used, as a share (0 to 1) of the processors the generator may use.
    pub cpu: f64,
    /// Mean time a runnable thread of the generator waited for a processor, in milliseconds.
    pub scheduling_delay_ms: f64,
    /// Resident memory in bytes.
    pub memory_bytes: u64,
}

/// How finely an engine's live figures resolve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Resolution {
    /// Every sample was seen: values are kept to three significant digits.
    Exact,
    /// Values are known within this share of themselves (0.044 for native histograms of schema 3).
    Relative {
        /// The greatest relative error.
        error: f64,
    },
}

impl Resolution {
    /// The greatest relative error of a value.
    #[must_use]
    pub fn error(self) -> f64 {
        match self {
            Self::Exact => 0.0005,
            Self::Relative { error } => error,
        }
    }
}
