//! The policy as the rest of the program sees it: resolved, typed, and free of "maybe".
//!
//! Built by `resolve` only. Numbers are in the metric's own unit: milliseconds for time, bytes for
//! data, a share (0 to 1) for rates, per second for a counter's rate.

use std::fmt;
use std::time::Duration;

use indexmap::IndexMap;
use peakgate_load::{MetricKind, MetricName, Stage, Tags};

use crate::source::Position;

/// A resolved policy.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The service that is released.
    pub service: String,
    /// Where the load goes.
    pub environment: Environment,
    /// The tests, in the policy's order.
    pub tests: IndexMap<String, Test>,
    /// Thresholds on the weighted score, when the policy scores.
    pub score: Option<Score>,
    /// When to stop a test.
    pub safety: Safety,
    /// What makes a run count.
    pub validity: Validity,
    /// What to compare with.
    pub baseline: Baseline,
    /// What becomes of thresholds that the script itself sets.
    pub script_thresholds: ScriptThresholds,
    /// SHA-256 of the policy's text, in hexadecimal; filled by the edge that read the file.
    pub hash: String,
}

/// The environment under test.
#[derive(Debug, Clone)]
pub struct Environment {
    /// `staging`.
    pub name: String,
    /// Where the load goes, as a URL with http or https and without a trailing slash.
    pub base_url: String,
    /// Hosts that may be loaded: exact names, addresses, or `*.suffix`. Never empty: without a
    /// list, the base URL's host.
    pub allowed_hosts: Vec<String>,
}

/// Which engine runs a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineChoice {
    /// The best that can run it.
    #[default]
    Auto,
    /// The embedded engine.
    Embedded,
    /// The real k6 binary.
    K6,
}

/// How live figures come from k6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LiveChannel {
    /// Exact where the rate is modest, light where it is high.
    #[default]
    Auto,
    /// Every sample; dear at high rates.
    Exact,
    /// Native histograms by remote write; ±4.4 %.
    Light,
}

/// One test, with its objectives resolved (shared ones and its own overrides).
#[derive(Debug, Clone)]
pub struct Test {
    /// Its name.
    pub name: String,
    /// The script, relative to the policy's folder as written.
    pub script: String,
    /// The engine.
    pub engine: EngineChoice,
    /// The live channel.
    pub live: LiveChannel,
    /// The script's environment, in order; `BASE_URL` is set from the environment unless given.
    pub env: IndexMap<String, String>,
    /// What a rehearsal adds to or replaces in `env`.
    pub rehearsal_env: IndexMap<String, String>,
    /// Tags on every sample.
    pub tags: IndexMap<String, String>,
    /// Overrides of the script's load.
    pub load: Option<LoadOverride>,
    /// Which releases need it; none: only on request.
    pub required_for: Vec<ReleaseRule>,
    /// What must hold.
    pub objectives: Vec<Objective>,
    /// Where it stands in the policy.
    pub position: Position,
}

/// Overrides of a script's load; exactly k6's shortcut options.
#[derive(Debug, Clone, PartialEq)]
pub enum LoadOverride {
    /// `vus` with a duration.
    Constant {
        /// Virtual users.
        vus: u64,
        /// For how long.
        duration: Duration,
    },
    /// `stages`.
    Ramping {
        /// Users at the start.
        start_vus: u64,
        /// The ramps.
        stages: Vec<Stage>,
    },
    /// `iterations` shared by `vus`.
    Iterations {
        /// Virtual users.
        vus: u64,
        /// Iterations in all.
        iterations: u64,
    },
    /// A fixed rate of iteration starts.
    Rate {
        /// Iterations per second.
        per_second: f64,
        /// For how long.
        duration: Duration,
        /// The most users.
        max_vus: u64,
    },
}

/// A kind of release that needs a test. All given conditions must hold.
#[derive(Debug, Clone, Default)]
pub struct ReleaseRule {
    /// The part of the version that changed, at least (`minor` also holds for a major release).
    pub bump: Option<Bump>,
    /// A semver range that the version must match.
    pub version: Option<semver::VersionReq>,
    /// Globs, one of which a changed file must match.
    pub paths: Vec<String>,
}

/// How much a version grew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bump {
    /// `1.2.3` → `1.2.4`, or a pre-release.
    Patch,
    /// `1.2.3` → `1.3.0`.
    Minor,
    /// `1.2.3` → `2.0.0`.
    Major,
}

/// A statistic of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// `p(N)` of a Trend; kept as a share (0.99).
    Quantile(f64),
    /// Mean of a Trend.
    Avg,
    /// Median of a Trend.
    Med,
    /// Least value of a Trend or Gauge.
    Min,
    /// Greatest value of a Trend or Gauge.
    Max,
    /// A Rate's share, or a Counter's growth per second.
    Rate,
    /// A Counter's sum, or the number of samples of a Trend.
    Count,
    /// A Gauge's last value.
    Value,
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // p(99.9) must not print as p(99.90000000000001).
            Self::Quantile(p) => write!(f, "p({})", (p * 1e8).round() / 1e6),
            Self::Avg => f.write_str("avg"),
            Self::Med => f.write_str("med"),
            Self::Min => f.write_str("min"),
            Self::Max => f.write_str("max"),
            Self::Rate => f.write_str("rate"),
            Self::Count => f.write_str("count"),
            Self::Value => f.write_str("value"),
        }
    }
}

/// How a selector matches a tag's value.
#[derive(Debug, Clone)]
pub enum TagMatch {
    /// The very value.
    Exact(String),
    /// The whole value matches (anchored at both ends, as in Prometheus).
    Regex(regex::Regex),
}

/// Which series of a metric count: all tags must match.
#[derive(Debug, Clone, Default)]
pub struct Selector {
    /// Tag name → how its value must be.
    pub tags: IndexMap<String, TagMatch>,
}

impl Selector {
    /// Whether a series is selected. A tag that the series lacks matches nothing.
    #[must_use]
    pub fn matches(&self, tags: &Tags) -> bool {
        self.tags.iter().all(|(key, want)| {
            tags.get(key).is_some_and(|value| match want {
                TagMatch::Exact(text) => text == value,
                TagMatch::Regex(regex) => regex.is_match(value),
            })
        })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tags.is_empty() {
            return Ok(());
        }
        f.write_str("{")?;
        for (i, (key, want)) in self.tags.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { "," })?;
            match want {
                TagMatch::Exact(text) => write!(f, "{key}:{text}")?,
                TagMatch::Regex(regex) => {
                    // Shown as written, without the anchors that `resolve` adds.
                    let text = regex.as_str();
                    let text = text
                        .strip_prefix("^(?:")
                        .and_then(|t| t.strip_suffix(")$"))
                        .unwrap_or(text);
                    write!(f, "{key}=~{text}")?;
                }
            }
        }
        f.write_str("}")
    }
}

/// The unit that a value is shown in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Millis,
    /// Bytes.
    Bytes,
    /// A share, shown in percent.
    Share,
    /// Per second.
    PerSecond,
    /// Bytes per second.
    BytesPerSecond,
    /// A plain number.
    Plain,
}

/// Which way a limit points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The value must not be greater (`max`).
    AtMost,
    /// The value must not be smaller (`min`).
    AtLeast,
}

/// How much worse than the baseline a value may be. At least one is given; with both, the more
/// generous of the two counts (a share alone is noise on tiny values).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Regression {
    /// As a share of the baseline.
    pub relative: Option<f64>,
    /// In the metric's unit.
    pub absolute: Option<f64>,
}

/// Which part of the run an objective looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowRule {
    /// The plateau of the plan.
    Plateau,
    /// From the start of the load to its planned end and grace.
    All,
    /// Between two offsets from the start of the load (of the full run; a rehearsal scales them).
    Between {
        /// Start.
        from: Duration,
        /// End; `None` is the end of the run.
        to: Option<Duration>,
    },
}

/// How an objective takes part in the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It decides.
    Judged,
    /// It is measured and shown, without a limit of its own or regardless of it.
    Informational,
    /// It is judged and shown, but its result does not count (to try a new limit out).
    DryRun,
}

/// A dated exception.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiver {
    /// The worst value that is still let through, in the metric's unit.
    pub ceiling: f64,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day on which it holds.
    pub expires: jiff::civil::Date,
    /// Where it stands in the policy.
    pub position: Position,
}

/// One objective.
#[derive(Debug, Clone)]
pub struct Objective {
    /// Its name in the policy.
    pub id: String,
    /// The metric.
    pub metric: MetricName,
    /// The metric's type: known for built-in metrics, else implied by the statistic where possible.
    pub kind: Option<MetricKind>,
    /// The statistic.
    pub statistic: Statistic,
    /// Which series.
    pub select: Selector,
    /// Judge each value of this tag on its own (`name` holds every endpoint to the objective). A
    /// value that another objective of the same metric and statistic selects exactly is left to it.
    pub each: Option<String>,
    /// Which way the limit points.
    pub direction: Direction,
    /// The absolute limit. `None` only with a regression or for informational objectives.
    pub limit: Option<f64>,
    /// Past this it warns.
    pub warn: Option<f64>,
    /// How much worse than the baseline it may be.
    pub max_regression: Option<Regression>,
    /// The part of the run.
    pub window: WindowRule,
    /// Failing it fails the run whatever the score.
    pub key: bool,
    /// Its weight in the score; 1 unless given.
    pub weight: f64,
    /// How it takes part.
    pub mode: Mode,
    /// Fewer samples than this are inconclusive; `None`: `validity.min_samples`.
    pub min_samples: Option<u64>,
    /// The confidence (0 to 1) with which the interval must lie on one side of the limit; `None`:
    /// the point estimate decides.
    pub certainty: Option<f64>,
    /// A dated exception.
    pub waiver: Option<Waiver>,
    /// The unit that values are shown in.
    pub unit: Unit,
    /// Where it stands in the policy.
    pub position: Position,
}

/// Thresholds on the weighted score, as shares of the total weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// At or above: pass.
    pub pass: f64,
    /// At or above: warn; below: fail.
    pub warn: f64,
}

/// When to stop a test.
#[derive(Debug, Clone)]
pub struct Safety {
    /// The valves.
    pub valves: Vec<Valve>,
    /// Stop once an objective can no longer be met.
    pub stop_when_lost: bool,
}

/// A condition that stops the test.
#[derive(Debug, Clone)]
pub struct Valve {
    /// Its name.
    pub id: String,
    /// The metric.
    pub metric: MetricName,
    /// The metric's type, as in an objective.
    pub kind: Option<MetricKind>,
    /// The statistic, over `within`.
    pub statistic: Statistic,
    /// Which series.
    pub select: Selector,
    /// `AtMost`: opens above the threshold; `AtLeast`: opens below it.
    pub direction: Direction,
    /// The threshold.
    pub threshold: f64,
    /// How long the condition must hold without a break.
    pub hold: Duration,
    /// The sliding window that the statistic is taken over; a second unless given.
    pub within: Duration,
    /// Fewer samples than this within the window do not open it; 1 unless given.
    pub min_samples: u64,
    /// The unit that values are shown in.
    pub unit: Unit,
}

/// What makes a run count.
#[derive(Debug, Clone)]
pub struct Validity {
    /// Samples that an objective needs, unless it says otherwise.
    pub min_samples: u64,
    /// The same for rehearsals.
    pub rehearsal_min_samples: u64,
    /// The greatest share of planned iterations that may be dropped.
    pub max_dropped: f64,
    /// The least share of the planned load that must be achieved over the plateau.
    pub min_achieved: f64,
    /// The greatest share of iterations that may end with an exception.
    pub max_exceptions: f64,
    /// The generator's greatest mean CPU over the plateau, as a share of its processors.
    pub max_cpu: f64,
    /// The generator's greatest mean scheduling delay over the plateau.
    pub max_scheduling_delay: Duration,
}

/// Which earlier runs to compare with.
#[derive(Debug, Clone)]
pub struct Baseline {
    /// Which.
    pub with: BaselineRule,
    /// What an objective is that has nothing but a regression limit when there is no baseline:
    /// `true`: warn (a deliberate first run); `false`: inconclusive.
    pub missing_warns: bool,
}

/// The choice of baseline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BaselineRule {
    /// The last run of the test that passed (or warned, unless by a waiver).
    LastPassed,
    /// The last passed run of one release.
    Release(String),
    /// The median of the last N passed runs, objective by objective.
    MedianOfLast(u32),
}

/// What becomes of the script's own thresholds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScriptThresholds {
    /// A failed one fails the run.
    #[default]
    Fail,
    /// A failed one warns.
    Warn,
    /// They are only shown.
    Ignore,
}
