//! The engine's final account of a run: its own exact numbers, and how it ended.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::metric::{MetricKind, ValueKind};
use crate::window::Resolution;

/// Why the gate stopped an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", content = "detail", rename_all = "snake_case")]
pub enum StopCause {
    /// A safety valve opened.
    Valve(String),
    /// An objective could no longer be met.
    Lost(String),
    /// A request left the allowed targets.
    ForbiddenTarget(String),
    /// SIGINT, SIGTERM or a stop command.
    Interrupted(String),
    /// It ran past its deadline.
    Deadline(String),
    /// The gate itself could not go on (a full disk, say).
    GateFailed(String),
}

/// How an engine's run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", content = "detail", rename_all = "snake_case")]
pub enum ExitReason {
    /// No load was made: the engine or the script was not ready.
    NotStarted(String),
    /// No load was made: nothing listens where it was to go.
    TargetDown(String),
    /// The planned load ran to its end.
    Completed,
    /// It ran to its end and thresholds of the script failed (k6: 99).
    ThresholdsFailed,
    /// A threshold with `abortOnFail` ended it early (k6: 99).
    ThresholdAborted,
    /// The gate stopped it.
    Stopped(StopCause),
    /// Somebody else stopped it: a signal, or k6's REST API (k6: 103, 105).
    StoppedOutside(String),
    /// `setup()` ran out of time (k6: 100).
    SetupTimeout,
    /// `teardown()` ran out of time (k6: 101).
    TeardownTimeout,
    /// The configuration or an option is wrong (k6: 104).
    BadConfig(String),
    /// The script threw at load, in `setup()` or in `teardown()` (k6: 107).
    ScriptException(String),
    /// `exec.test.abort()` (k6: 108).
    AbortedByScript(String),
    /// `exec.test.fail()` (k6: 110).
    FailedByScript,
    /// The script cannot be run: missing file, nothing exported (k6: 255).
    CannotRun(String),
    /// The engine died: a signal, a panic (k6: 109), or a code that means nothing.
    Crashed(String),
    /// It ran on, but its live figures broke off, so its numbers cannot be trusted.
    StreamBroken(String),
}

impl ExitReason {
    /// Whether no load was made at all.
    #[must_use]
    pub fn is_before_load(&self) -> bool {
        matches!(self, Self::NotStarted(_) | Self::TargetDown(_))
    }

    /// Whether the planned load ran to its end, so that the figures describe the whole run.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        matches!(
            self,
            Self::Completed | Self::ThresholdsFailed | Self::FailedByScript
        )
    }
}

/// One metric or sub-metric in the engine's own end-of-test numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MetricAccount {
    /// `http_req_duration` or `http_req_duration{name:x}`.
    pub name: String,
    /// Its type.
    pub kind: MetricKind,
    /// What its numbers are.
    pub contains: ValueKind,
    /// Statistic → value, as in k6's summary data: `avg`, `p(95)`, `rate`, `count`, `passes`, …
    pub values: BTreeMap<String, f64>,
}

/// One threshold of the script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ThresholdAccount {
    /// The metric or sub-metric.
    pub metric: String,
    /// `p(95)<500`.
    pub expression: String,
    /// Whether it held.
    pub ok: bool,
}

/// An error or warning that the engine or the script logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LogNote {
    /// `error` or `warning`.
    pub level: String,
    /// The message, shortened to 500 characters.
    pub message: String,
    /// How often it came.
    pub times: u64,
}

/// The engine's final account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RunAccount {
    /// How it ended.
    pub exit: ExitReason,
    /// The child's exit code, when there was a child and it exited.
    pub exit_code: Option<i32>,
    /// From the start of the load to the end of the last iteration, in seconds.
    pub load_seconds: f64,
    /// How finely the live figures resolve.
    pub resolution: Resolution,
    /// The engine's own numbers; empty when it left none.
    pub metrics: Vec<MetricAccount>,
    /// The script's own thresholds (those that the gate added are left out).
    pub thresholds: Vec<ThresholdAccount>,
    /// Iterations that ended with an exception.
    pub iteration_exceptions: u64,
    /// Distinct errors and warnings, most frequent first; at most 50.
    pub notes: Vec<LogNote>,
}
