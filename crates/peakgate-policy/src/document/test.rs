//! A test as it is written.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{DurationText, Objective, Quantity, Text};

/// A load test.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Test")]
pub(crate) struct Test {
    /// The k6 script, relative to the policy's folder.
    #[schemars(required, length(min = 1), example = &"k6/peak-load-test.js")]
    pub(crate) script: Option<String>,
    /// Which engine runs it. Default: auto.
    pub(crate) engine: Option<EngineWord>,
    /// How live figures come from k6. Default: auto.
    pub(crate) live: Option<LiveWord>,
    /// The script's environment: all that it sees as `__ENV`, besides `BASE_URL`. Names that begin
    /// with `K6_` or `PEAKGATE_` are refused.
    #[schemars(example = serde_json::json!({"API_KEY": "${API_KEY:-demo}"}))]
    pub(crate) env: Option<IndexMap<String, Text>>,
    /// What differs in a rehearsal.
    pub(crate) rehearsal: Option<Rehearsal>,
    /// Tags on every sample.
    #[schemars(example = serde_json::json!({"team": "leads"}))]
    pub(crate) tags: Option<IndexMap<String, Text>>,
    /// Replaces the script's own load.
    pub(crate) load: Option<Load>,
    /// Which releases need this test: one of the rules must hold. Without it, it runs on request
    /// only.
    #[schemars(example = serde_json::json!([{"release": "any"}]))]
    pub(crate) required_for: Option<Vec<ReleaseRule>>,
    /// Overrides of the shared objectives, field by field (a field set to null is taken away);
    /// null removes an objective; a new name adds one.
    // A schema of one's own makes a field required, unless it has a default.
    #[serde(default)]
    #[schemars(schema_with = "super::schema::overrides")]
    pub(crate) objectives: Option<IndexMap<String, Option<Objective>>>,
}

/// What differs in a rehearsal.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Rehearsal")]
pub(crate) struct Rehearsal {
    /// Added to `env`, or in place of its values.
    #[schemars(example = serde_json::json!({"THINK_TIME_SCALE": "0.1"}))]
    pub(crate) env: Option<IndexMap<String, Text>>,
}

/// The engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "Engine")]
pub(crate) enum EngineWord {
    /// The best that can run the script.
    Auto,
    /// The embedded engine.
    Embedded,
    /// The real k6.
    K6,
}

/// The live channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "Live channel")]
pub(crate) enum LiveWord {
    /// Exact where the rate is modest, light where it is high.
    Auto,
    /// Every sample; dear at high rates.
    Exact,
    /// Native histograms; values within 4.4 %.
    Light,
}

/// A load in place of the script's own, in one of four shapes: `vus` and `duration`; `stages` (and
/// `vus` to start with); `vus` and `iterations`; `rate`, `duration` and `max_vus`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    title = "Load",
    example = serde_json::json!({"vus": 10, "duration": "1m"}),
    example = serde_json::json!({"stages": [{"duration": "5m", "target": 500}]}),
    example = serde_json::json!({"vus": 10, "iterations": 1000}),
    example = serde_json::json!({"rate": "50/s", "duration": "1m", "max_vus": 100})
)]
pub(crate) struct Load {
    /// Virtual users; with `stages`, those at the start.
    #[schemars(range(max = 1_000_000), example = 10)]
    pub(crate) vus: Option<u64>,
    /// For how long.
    #[schemars(example = &"1m")]
    pub(crate) duration: Option<DurationText>,
    /// Linear ramps, one after the other.
    #[schemars(length(min = 1))]
    pub(crate) stages: Option<Vec<Stage>>,
    /// Iterations in all, shared by the users.
    #[schemars(range(min = 1, max = 1_000_000_000_000_u64), example = 1000)]
    pub(crate) iterations: Option<u64>,
    /// Iterations started per time, whatever the answers take.
    #[schemars(example = &"50/s")]
    pub(crate) rate: Option<Quantity>,
    /// The most virtual users that the rate may take.
    #[schemars(range(min = 1, max = 1_000_000), example = 100)]
    pub(crate) max_vus: Option<u64>,
}

/// A linear ramp.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Stage")]
pub(crate) struct Stage {
    /// How long the ramp takes.
    #[schemars(required, example = &"5m")]
    pub(crate) duration: Option<DurationText>,
    /// Virtual users at its end.
    #[schemars(required, range(max = 1_000_000), example = 500)]
    pub(crate) target: Option<u64>,
}

/// A kind of release; all conditions that are given must hold.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Release rule", extend("minProperties" = 1))]
pub(crate) struct ReleaseRule {
    /// The part of the version that grew, at least.
    pub(crate) release: Option<ReleaseWord>,
    /// A range that the version lies in, as Cargo writes it.
    #[schemars(example = &">=2.0.0")]
    pub(crate) version: Option<String>,
    /// Globs; one changed file must match one of them.
    #[schemars(length(min = 1), example = serde_json::json!(["src/db/**"]))]
    pub(crate) paths: Option<Vec<String>>,
}

/// How much a version grew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "Release kind")]
pub(crate) enum ReleaseWord {
    /// Every release.
    Any,
    /// Major releases.
    Major,
    /// Minor and major releases.
    Minor,
    /// Patch, minor and major releases.
    Patch,
}
