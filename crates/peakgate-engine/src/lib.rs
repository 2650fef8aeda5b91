//! The engine trait, its fake, and the real k6 behind it.
//!
//! An engine takes a [`LoadRequest`], says what load it will make ([`Engine::prepare`]), and then
//! makes it, telling what happens as [`EngineEvent`]s. Engines know nothing of policies.

pub mod fake;
pub mod k6;
#[cfg(feature = "testing")]
pub mod testing;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use peakgate_load::{LoadPlan, Resolution, RunAccount, StopCause, Window};
use tokio::sync::{mpsc, oneshot};

/// What an engine is asked to run.
#[derive(Debug, Clone)]
pub struct LoadRequest {
    /// The script, absolute.
    pub script: PathBuf,
    /// A folder of the run's own for scratch files; it exists and is removed by the caller.
    pub scratch: PathBuf,
    /// Where the engine may leave its log (`k6.log`); the folder exists.
    pub log_dir: PathBuf,
    /// The script's environment: all that it sees. Values may be secrets: never logged, never in
    /// an argument list.
    pub env: Vec<(String, String)>,
    /// Tags on every sample.
    pub tags: Vec<(String, String)>,
    /// Replaces the script's own load.
    pub load: Option<LoadPlanOverride>,
    /// Compress the plan to this total.
    pub rehearsal: Option<Duration>,
    /// Tags that live series keep beside [`DEFAULT_TAGS`].
    pub keep_tags: BTreeSet<String>,
    /// Metrics and sub-metrics whose exact end-of-test numbers are wanted.
    pub probes: Vec<Probe>,
    /// Which live channel to use, where an engine has a choice.
    pub live: Live,
    /// The most live series; samples beyond go to `(other)` and are counted as folded.
    pub max_series: usize,
    /// Hosts that requests may go to: exact names, addresses, or `*.suffix`. A request seen to go
    /// elsewhere ends the run with [`StopCause::ForbiddenTarget`].
    pub allowed_hosts: Vec<String>,
}

/// Tags that live series always keep when samples carry them.
pub const DEFAULT_TAGS: &[&str] = &[
    "check",
    "error_code",
    "expected_response",
    "group",
    "method",
    "name",
    "scenario",
    "status",
];

/// A replacement for the script's load, as k6's shortcut options.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadPlanOverride {
    /// The plan that replaces the script's scenarios; its one scenario is named `default` and runs
    /// the script's default function.
    pub plan: LoadPlan,
}

/// A metric or sub-metric whose exact numbers are wanted at the end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Probe {
    /// The metric.
    pub metric: String,
    /// Exact tag values; empty for the whole metric.
    pub tags: Vec<(String, String)>,
    /// The statistic in k6's words: `p(99)`, `avg`, `rate`, `count`, `value`.
    pub statistic: String,
}

/// Which live channel to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Live {
    /// Every sample.
    #[default]
    Exact,
    /// Aggregates with a known resolution, at little cost to the engine.
    Light,
}

impl Live {
    /// How finely the live figures of this channel resolve.
    #[must_use]
    pub fn resolution(self) -> Resolution {
        match self {
            Self::Exact => Resolution::Exact,
            Self::Light => Resolution::Relative {
                error: k6::light::ERROR,
            },
        }
    }
}

/// Who ran the load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineIdentity {
    /// `k6`.
    pub name: String,
    /// `1.1.0`.
    pub version: String,
}

/// A script that is ready to run.
#[derive(Debug)]
pub struct Prepared {
    /// Who will run it.
    pub engine: EngineIdentity,
    /// The load as it will be made: overrides and rehearsal applied.
    pub plan: LoadPlan,
    /// The plan as the script has it, before a rehearsal compressed it.
    pub full_plan: LoadPlan,
    /// What it was prepared from.
    pub request: LoadRequest,
    /// How long the script's `setup` and `teardown` may take together, by its options.
    pub margin: Duration,
}

/// What an engine tells while it runs.
#[derive(Debug)]
pub enum EngineEvent {
    /// `setup()` is done and the load starts; offsets in windows count from here.
    LoadStarted,
    /// What happened in one stretch (a second). In order; empty stretches may be left out.
    Window(Window),
}

/// A run in progress. Dropping it kills what it started.
pub struct Running {
    /// Bounded; ends when the engine has nothing more to tell.
    pub events: mpsc::Receiver<EngineEvent>,
    /// Asks the engine to stop in an orderly way; the engine escalates to a kill by itself. Safe to
    /// use more than once; only the first cause counts.
    pub stop: StopHandle,
    /// The final account, sent after the last event, once nothing of the run is left alive.
    pub account: oneshot::Receiver<RunAccount>,
}

/// Asks a run to stop.
#[derive(Debug, Clone)]
pub struct StopHandle(mpsc::Sender<StopCause>);

impl StopHandle {
    /// A handle and the end where the engine listens. One place in the queue: the first cause wins.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<StopCause>) {
        let (sender, receiver) = mpsc::channel(1);
        (Self(sender), receiver)
    }

    /// Asks for an orderly stop.
    pub fn stop(&self, cause: StopCause) {
        // A full queue means that a stop is on its way already.
        let _ = self.0.try_send(cause);
    }
}

/// What can go wrong before the load starts.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The engine is not there.
    #[error("{0}")]
    Missing(String),
    /// The engine is there but too old or not what it should be.
    #[error("{0}")]
    Unsuitable(String),
    /// The script or its options are wrong: the user's to mend.
    #[error("{0}")]
    Script(String),
    /// A metric that an objective names is defined by neither k6 nor the script.
    #[error("{0}")]
    UnknownMetric(String),
    /// The plan cannot be judged.
    #[error(transparent)]
    Plan(#[from] peakgate_load::plan::PlanError),
    /// The machine refused: a process, a pipe, a file.
    #[error("{what}: {source}")]
    System {
        /// What was being done.
        what: String,
        /// The system's answer.
        source: std::io::Error,
    },
}

/// A load engine.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Reads the script's options, without making load, and says what will be run.
    ///
    /// # Errors
    /// The engine is missing or too old, or the script cannot be loaded.
    async fn prepare(&self, request: LoadRequest) -> Result<Prepared, EngineError>;

    /// Starts the load.
    ///
    /// # Errors
    /// The engine could not be started at all; what goes wrong later is in the account.
    async fn start(&self, prepared: &Prepared) -> Result<Running, EngineError>;
}
