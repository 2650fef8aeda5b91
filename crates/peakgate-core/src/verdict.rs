//! The verdict: the one document that everything else publishes. Its JSON form is
//! `verdict.json`; its schema is generated from these types.

use peakgate_load::{LoadPlan, Plateau, RunAccount, window::LostSamples};
use peakgate_policy::source::Position;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::{Evidence, TimelinePoint};

/// The five verdicts. Only pass and warn let a release through.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Everything that was asked holds.
    Pass,
    /// It holds, but somebody should look.
    Warn,
    /// Something that was asked does not hold.
    Fail,
    /// It cannot be said whether it holds.
    Inconclusive,
    /// The run could not be made or judged.
    Error,
}

impl Outcome {
    /// Whether it lets a release through.
    #[must_use]
    pub fn releases(self) -> bool {
        matches!(self, Self::Pass | Self::Warn)
    }

    /// The word, in lower case.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
            Self::Error => "error",
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

/// What a gate run decided, and all that it takes to understand, check and repeat the decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Peakgate verdict")]
pub struct Verdict {
    /// Version of this document's form; readers refuse one they do not know.
    pub schema_version: u32,
    /// The decision.
    pub verdict: Outcome,
    /// Why, in one sentence.
    pub reason: String,
    /// What to look at next; most helpful first.
    pub next: Vec<String>,
    /// The run's id.
    pub run_id: String,
    /// The service.
    pub service: String,
    /// The environment's name.
    pub environment: String,
    /// Where the load went.
    pub base_url: String,
    /// The test's name.
    pub test: String,
    /// Present when the run was a rehearsal: it never counts as a release's required test.
    pub rehearsal: Option<Rehearsal>,
    /// Who made the load.
    pub engine: EngineReport,
    /// The release, as it was named.
    pub release: Option<String>,
    /// The commit.
    pub commit: Option<String>,
    /// Start of the run, RFC 3339.
    pub started_at: String,
    /// End of the run, RFC 3339.
    pub finished_at: String,
    /// When the run was judged again, RFC 3339; absent in the verdict that the run itself left.
    pub judged_again_at: Option<String>,
    /// SHA-256 of the policy's text.
    pub policy_hash: String,
    /// SHA-256 of the script's text and of what it imports by relative path.
    pub script_hash: String,
    /// What the run was compared with.
    pub baseline: BaselineReport,
    /// Weighted score (0 to 1) and its thresholds, when the policy scores.
    pub score: Option<ScoreReport>,
    /// Every objective.
    pub objectives: Vec<ObjectiveResult>,
    /// Thresholds that the script itself sets.
    pub script_thresholds: Vec<ScriptThreshold>,
    /// The load: what was planned, what was made, and whether it counts.
    pub load: LoadReport,
    /// The run over time.
    pub timeline: Vec<TimelinePoint>,
    /// The engine's own exact numbers.
    pub account: RunAccount,
    /// What was observed, for judging again; absent when judged from a k6 summary.
    pub evidence: Option<Evidence>,
}

impl Verdict {
    /// Lets something look at the verdict without its evidence and at the evidence by itself;
    /// copying megabytes for that would delay the verdict.
    pub fn apart<T>(&mut self, look: impl FnOnce(&Self, Option<&Evidence>) -> T) -> T {
        let evidence = self.evidence.take();
        let seen = look(self, evidence.as_ref());
        self.evidence = evidence;
        seen
    }
}

/// The form that this version writes and reads.
pub const SCHEMA_VERSION: u32 = 1;

/// A compressed run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rehearsal {
    /// How long the load was made to be, in seconds.
    pub seconds: f64,
    /// How long the script plans it, in seconds; absent when the run ended before that was known.
    pub planned_seconds: Option<f64>,
}

/// Who made the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EngineReport {
    /// `k6`, `embedded`, or `summary` for a k6 summary that was judged afterwards.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Greatest relative error of live values: 0.0005 when every sample was seen.
    pub resolution: f64,
}

/// What the run was compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BaselineReport {
    /// Earlier runs were found.
    Found {
        /// In words: `run 0198… of v1.2.2`, `the median of 5 passed runs`.
        description: String,
        /// Their ids.
        runs: Vec<String>,
        /// What was different when they were run: the script, the plan.
        differs: Vec<String>,
    },
    /// There is none yet: only absolute limits were judged.
    FirstRun,
    /// Rehearsals and summaries are not compared.
    NotCompared,
}

/// The weighted score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScoreReport {
    /// Points won out of all points, 0 to 1.
    pub value: f64,
    /// At or above: pass.
    pub pass: f64,
    /// At or above: warn.
    pub warn: f64,
}

/// One objective, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectiveResult {
    /// Its id in the policy; with `each`, followed by the tag's value in brackets.
    pub id: String,
    /// The decision on it.
    pub verdict: Outcome,
    /// Why, in one sentence.
    pub why: String,
    /// What is measured: `p(99) of http_req_duration{name:POST /leads}`.
    pub what: String,
    /// The value in the metric's unit; absent without samples.
    pub value: Option<f64>,
    /// The absolute limit.
    pub limit: Option<f64>,
    /// The limit that follows from the baseline.
    pub regression_limit: Option<f64>,
    /// Past this it warns.
    pub warn: Option<f64>,
    /// Whether values must stay at or below (`at_most`) or at or above (`at_least`) the limits.
    pub direction: LimitDirection,
    /// The unit of all values.
    pub unit: UnitName,
    /// The baseline's value.
    pub baseline: Option<f64>,
    /// Change against the baseline as a share of it; absent when the baseline is 0.
    pub change: Option<f64>,
    /// How many samples.
    pub samples: u64,
    /// How many it needs.
    pub min_samples: u64,
    /// How certain the value is.
    pub interval: Option<Interval>,
    /// The part of the run.
    pub window: WindowReport,
    /// Whether it vetoes whatever the score.
    pub key: bool,
    /// Its weight.
    pub weight: f64,
    /// How it takes part.
    pub mode: ModeName,
    /// The exception that applies to it, or that has expired.
    pub waiver: Option<WaiverReport>,
    /// Where it stands in the policy.
    #[schemars(with = "PolicyPosition")]
    pub position: Position,
}

/// A place in the policy's text.
#[derive(JsonSchema)]
#[allow(
    dead_code,
    reason = "only its schema is used: the policy crate's type has none"
)]
struct PolicyPosition {
    /// Line, from 1.
    line: u32,
    /// Column, from 1.
    column: u32,
}

/// Which way a limit points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitDirection {
    /// At or below.
    AtMost,
    /// At or above.
    AtLeast,
}

/// A unit, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnitName {
    /// Milliseconds.
    Milliseconds,
    /// Bytes.
    Bytes,
    /// A share, 0 to 1.
    Share,
    /// Per second.
    PerSecond,
    /// Bytes per second.
    BytesPerSecond,
    /// A plain number.
    Number,
}

/// How an objective takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModeName {
    /// It decides.
    Judged,
    /// It is only shown.
    Informational,
    /// It is judged but does not count.
    DryRun,
}

/// A confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// Lower end; absent when so few samples cannot bound it.
    pub low: Option<f64>,
    /// Upper end; absent when so few samples cannot bound it.
    pub high: Option<f64>,
    /// Its confidence, 0 to 1.
    pub confidence: f64,
}

/// The part of the run that an objective looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WindowReport {
    /// `plateau`, `all`, or `from … to …`.
    pub name: String,
    /// Start in seconds from the start of the load.
    pub from: f64,
    /// End in seconds; absent: the end of the run.
    pub to: Option<f64>,
}

/// A dated exception.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WaiverReport {
    /// The worst value that it lets through.
    pub ceiling: f64,
    /// Why it was given.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day on which it holds, `2026-12-31`.
    pub expires: String,
    /// Whether it has expired: then it changes nothing.
    pub expired: bool,
    /// Whether it turned a failure into a warning.
    pub applied: bool,
}

/// A threshold of the script.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScriptThreshold {
    /// The metric or sub-metric.
    pub metric: String,
    /// `p(95)<500`.
    pub expression: String,
    /// Whether it held.
    pub ok: bool,
}

/// The load: planned, made, and whether it counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadReport {
    /// Whether the load is what the policy wants of a run that counts.
    pub valid: bool,
    /// What is wrong with it.
    pub issues: Vec<LoadIssue>,
    /// The load's shape in words.
    pub shape: String,
    /// The plan as it was run; absent when judged from a k6 summary.
    pub plan: Option<LoadPlan>,
    /// The plan of the full run, when this was a rehearsal.
    pub full_plan: Option<LoadPlan>,
    /// The plateau.
    pub plateau: Option<Plateau>,
    /// Planned length in seconds.
    pub planned_seconds: f64,
    /// Length of the load in seconds.
    pub seconds: f64,
    /// Requests finished.
    pub requests: u64,
    /// Requests per second over the plateau, or the whole run where there is none.
    pub request_rate: f64,
    /// Iterations finished.
    pub iterations: u64,
    /// Iterations dropped.
    pub dropped: u64,
    /// Iterations that ended with an exception.
    pub exceptions: u64,
    /// The most virtual users seen.
    pub max_vus: Option<f64>,
    /// Achieved over planned load on the plateau, as a share; absent when it cannot be told.
    pub achieved: Option<f64>,
    /// The generator's mean CPU on the plateau, as a share of its processors.
    pub generator_cpu: Option<f64>,
    /// The generator's mean scheduling delay on the plateau, in milliseconds.
    pub generator_delay_ms: Option<f64>,
    /// Samples that could not be kept whole.
    pub lost: LostSamples,
}

/// Something wrong with the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadIssue {
    /// What kind.
    pub kind: LoadIssueKind,
    /// What was seen and what is allowed, in one sentence.
    pub what: String,
}

/// The kinds of trouble with a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoadIssueKind {
    /// The generator itself was the bottleneck: no figure of the run can be trusted.
    Generator,
    /// Iterations were dropped.
    Dropped,
    /// Less load than planned.
    Achieved,
    /// Iterations threw.
    Exceptions,
    /// The run did not go to its end.
    Partial,
    /// Samples were lost.
    Lost,
    /// Nothing was measured.
    Empty,
    /// Something that must be known of the load is not.
    Unknown,
}

/// The JSON Schema (draft 2020-12) of `verdict.json`, generated from [`Verdict`].
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Verdict).to_value()
}
