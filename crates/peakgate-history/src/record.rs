//! What is on record about a run.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::RunId;

/// A verdict on a run or on one objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All held.
    Pass,
    /// All held, with reservations.
    Warn,
    /// A limit was broken.
    Fail,
    /// Not enough to decide.
    Inconclusive,
    /// The run itself went wrong.
    Error,
}

impl Verdict {
    /// `pass`, `warn`, `fail`, `inconclusive`, `error`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that is no verdict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no verdict; there are pass, warn, fail, inconclusive and error")]
pub struct UnknownVerdict(pub String);

impl FromStr for Verdict {
    type Err = UnknownVerdict;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [
            Self::Pass,
            Self::Warn,
            Self::Fail,
            Self::Inconclusive,
            Self::Error,
        ]
        .into_iter()
        .find(|verdict| verdict.as_str() == text)
        .ok_or_else(|| UnknownVerdict(text.to_owned()))
    }
}

/// What is known of a run before its load starts.
#[derive(Debug, Clone, PartialEq)]
pub struct RunStart {
    /// Its name.
    pub run_id: RunId,
    /// The service under test.
    pub service: String,
    /// The test: `peak`.
    pub test: String,
    /// The environment: `staging`.
    pub environment: String,
    /// The release under test.
    pub release: Option<String>,
    /// Its commit.
    pub commit: Option<String>,
    /// When it started; kept to the microsecond.
    pub started_at: Timestamp,
    /// By when it is over at the latest, its clean-up included. A run still unfinished after that is
    /// shown as interrupted even where its process cannot be looked at.
    pub deadline: Timestamp,
    /// The length of a rehearsal in seconds; `None` for a real run.
    pub rehearsal_seconds: Option<f64>,
}

/// One objective's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectiveRow {
    /// Its name; unique within the run.
    pub id: String,
    /// The measured value in the metric's own unit; `None` when it could not be measured. A value
    /// that is not finite is stored as `None`.
    pub value: Option<f64>,
    /// How many samples it rests on.
    pub samples: u64,
    /// The limit in the metric's own unit.
    pub limit: Option<f64>,
    /// Its verdict.
    pub verdict: Verdict,
}

/// A finished run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRecord {
    /// Its name.
    pub run_id: RunId,
    /// The service under test.
    pub service: String,
    /// The test: `peak`.
    pub test: String,
    /// The environment: `staging`.
    pub environment: String,
    /// The release under test.
    pub release: Option<String>,
    /// Its commit.
    pub commit: Option<String>,
    /// When it started; kept to the microsecond.
    pub started_at: Timestamp,
    /// When it ended; kept to the microsecond.
    pub finished_at: Timestamp,
    /// Its verdict.
    pub verdict: Verdict,
    /// Why, in one sentence.
    pub reason: String,
    /// The length of a rehearsal in seconds; `None` for a real run.
    pub rehearsal_seconds: Option<f64>,
    /// It was interrupted or stopped before the planned load was over.
    pub partial: bool,
    /// It owes its verdict to a waiver.
    pub waived: bool,
    /// The engine: `k6`.
    pub engine: String,
    /// The engine's version: `1.1.0`.
    pub engine_version: String,
    /// Mean requests per second over the plateau.
    pub request_rate: Option<f64>,
    /// The objectives, in the order in which they are shown.
    pub objectives: Vec<ObjectiveRow>,
    /// The verdict document without its evidence.
    pub verdict_json: String,
    /// The evidence (histograms and the like) as JSON; stored packed.
    pub evidence_json: Option<String>,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It began, and nothing says that it is over.
    Running,
    /// It began and never finished: its process is gone, or its deadline has passed.
    Interrupted,
    /// It finished.
    Finished(Verdict),
}

impl RunState {
    /// The verdict, when there is one.
    #[must_use]
    pub fn verdict(self) -> Option<Verdict> {
        match self {
            Self::Finished(verdict) => Some(verdict),
            Self::Running | Self::Interrupted => None,
        }
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Finished(verdict) => verdict.as_str(),
        })
    }
}

/// That somebody declared a run void.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalidation {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// A run as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSummary {
    /// Its name.
    pub run_id: RunId,
    /// The service under test.
    pub service: String,
    /// The test.
    pub test: String,
    /// The environment.
    pub environment: String,
    /// The release under test.
    pub release: Option<String>,
    /// Its commit.
    pub commit: Option<String>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Where it stands, as seen at the time of the call.
    pub state: RunState,
    /// Why, once finished.
    pub reason: Option<String>,
    /// The length of a rehearsal in seconds; `None` for a real run.
    pub rehearsal_seconds: Option<f64>,
    /// It was interrupted or stopped before the planned load was over.
    pub partial: bool,
    /// It owes its verdict to a waiver.
    pub waived: bool,
    /// The engine and its version, once finished.
    pub engine: Option<(String, String)>,
    /// Mean requests per second over the plateau.
    pub request_rate: Option<f64>,
    /// Set when somebody declared it void.
    pub invalidated: Option<Invalidation>,
}

/// A run with its results.
#[derive(Debug, Clone, PartialEq)]
pub struct RunDetail {
    /// What lists show.
    pub summary: RunSummary,
    /// Its objectives, in their order; empty unless finished.
    pub objectives: Vec<ObjectiveRow>,
    /// The verdict document without its evidence; `None` unless finished.
    pub verdict_json: Option<String>,
    /// Whether there is evidence to fetch.
    pub has_evidence: bool,
}

/// Two runs side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The first, usually the earlier.
    pub a: RunSummary,
    /// The second.
    pub b: RunSummary,
    /// The objectives of the first in its order, then those that only the second has.
    pub objectives: Vec<ObjectiveChange>,
}

/// One objective in two runs.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectiveChange {
    /// Its name.
    pub id: String,
    /// In the first run; `None` when the run has no such objective.
    pub a: Option<ObjectiveRow>,
    /// In the second run.
    pub b: Option<ObjectiveRow>,
}

impl ObjectiveChange {
    /// The second value less the first, in the metric's unit, when both were measured.
    #[must_use]
    pub fn change(&self) -> Option<f64> {
        Some(self.b.as_ref()?.value? - self.a.as_ref()?.value?)
    }

    /// The change as a share of the first value; `None` also when the first value is zero.
    #[must_use]
    pub fn relative_change(&self) -> Option<f64> {
        let share = self.change()? / self.a.as_ref()?.value?.abs();
        share.is_finite().then_some(share)
    }
}
