//! The policy as it is written: the one truth for reading, the JSON Schema and the reference.
//!
//! Fields that a policy must have are `Option` here and required in the schema: when one is wrong,
//! it is taken out and the rest is still resolved, so that all faults come at once.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

mod objective;
mod scalars;
mod schema;
mod test;

pub(crate) use objective::{ModeWord, Objective, RegressionText, SelectValue, Waiver, WindowText};
pub(crate) use scalars::Quantity;
pub(crate) use scalars::{DurationText, Percent, Text};
pub use schema::schema;
pub(crate) use test::{EngineWord, LiveWord, Load, ReleaseRule, ReleaseWord, Stage, Test};

/// The rule for names of tests, objectives and valves.
pub(crate) const NAME_RULE: &str = "^[a-z0-9][a-z0-9_-]*$";

/// What a release must prove under load, and how it is judged.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Peakgate policy")]
pub(crate) struct Document {
    /// The JSON Schema of this file, for editors that look here rather than at a
    /// `# yaml-language-server: $schema=…` comment.
    #[serde(rename = "$schema")]
    #[allow(dead_code)]
    pub(crate) schema: Option<String>,
    /// The service that is released.
    #[schemars(required, length(min = 1), example = &"lead-api")]
    pub(crate) service: Option<String>,
    /// Where the load goes.
    #[schemars(required)]
    pub(crate) environment: Option<Environment>,
    /// The tests, by name: baseline, peak, spike, soak, stress or any other. Names are lower-case
    /// letters, digits, `_` and `-`.
    #[schemars(required, extend("minProperties" = 1, "propertyNames" = {"pattern": NAME_RULE}))]
    pub(crate) tests: Option<IndexMap<String, Test>>,
    /// Objectives that every test is held to, by name. A test overrides them field by field under
    /// its own `objectives`.
    #[schemars(extend("propertyNames" = {"pattern": NAME_RULE}))]
    pub(crate) objectives: Option<IndexMap<String, Objective>>,
    /// Thresholds on the weighted share of objectives that passed. Without it, the worst objective
    /// decides.
    pub(crate) score: Option<Score>,
    /// When to stop a test early.
    pub(crate) safety: Option<Safety>,
    /// What makes a run count. A run that does not is inconclusive, never passed.
    pub(crate) validity: Option<Validity>,
    /// Which earlier runs `max_regression` compares with.
    pub(crate) baseline: Option<Baseline>,
    /// What a failed threshold of the script itself does. Default: fail.
    pub(crate) script_thresholds: Option<ThresholdsWord>,
}

/// The environment under test.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Environment")]
pub(crate) struct Environment {
    /// Its name, as verdicts show it.
    #[schemars(required, length(min = 1), example = &"staging")]
    pub(crate) name: Option<String>,
    /// Where the load goes; the script sees it as `__ENV.BASE_URL`. http or https, without user
    /// and password.
    #[schemars(required, example = &"${BASE_URL:-http://api.staging.local}")]
    pub(crate) base_url: Option<String>,
    /// Hosts that may be loaded: names, addresses, or `*.suffix`; no ports. Default: the host of
    /// `base_url`. Link-local and metadata addresses are refused always.
    #[schemars(length(min = 1), example = serde_json::json!(["api.staging.local", "*.staging.local"]))]
    pub(crate) allowed_hosts: Option<Vec<String>>,
}

/// Thresholds on the weighted score.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Score")]
pub(crate) struct Score {
    /// At or above: pass.
    #[schemars(required, example = &"90%")]
    pub(crate) pass: Option<Percent>,
    /// At or above: warn; below: fail. Not above `pass`.
    #[schemars(required, example = &"75%")]
    pub(crate) warn: Option<Percent>,
}

/// When to stop a test early.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Safety")]
pub(crate) struct Safety {
    /// Stop once an objective can no longer be met. Default: true.
    pub(crate) stop_when_lost: Option<bool>,
    /// Conditions that stop the test, by name.
    #[schemars(extend("propertyNames" = {"pattern": NAME_RULE}))]
    pub(crate) valves: Option<IndexMap<String, Valve>>,
}

/// A condition that stops the test. Exactly one of `above` and `below`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Safety valve")]
pub(crate) struct Valve {
    /// A metric of k6 or of the script.
    #[schemars(required, example = &"http_req_failed")]
    pub(crate) metric: Option<String>,
    /// p(N), avg, med, min, max, rate, count or value, over `within`.
    #[schemars(required, example = &"rate")]
    pub(crate) statistic: Option<String>,
    /// Only samples with these tags: a value, or `{regex: …}` for the whole value.
    #[schemars(example = serde_json::json!({"name": "POST /api/v1/leads"}))]
    pub(crate) select: Option<IndexMap<String, SelectValue>>,
    /// Stop above this.
    #[schemars(example = &"10%")]
    pub(crate) above: Option<Quantity>,
    /// Stop below this.
    #[schemars(example = &"5/s")]
    pub(crate) below: Option<Quantity>,
    /// How long the condition must hold without a break. Default: 0s.
    #[serde(rename = "for")]
    #[schemars(example = &"30s")]
    pub(crate) hold: Option<DurationText>,
    /// The sliding window that the statistic is taken over. Default: 1s.
    #[schemars(example = &"5s")]
    pub(crate) within: Option<DurationText>,
    /// Fewer samples than this within the window do not stop the test. Default: 1.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub(crate) min_samples: Option<u64>,
}

/// What makes a run count.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Validity")]
pub(crate) struct Validity {
    /// Samples that each objective needs. Default: 100.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub(crate) min_samples: Option<u64>,
    /// The same for rehearsals. Default: 20.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub(crate) rehearsal_min_samples: Option<u64>,
    /// The greatest share of planned iterations that may be dropped. Default: 1%.
    #[schemars(example = &"1%")]
    pub(crate) max_dropped: Option<Percent>,
    /// The least share of the planned load that must be achieved over the plateau. Default: 95%.
    #[schemars(example = &"95%")]
    pub(crate) min_achieved: Option<Percent>,
    /// The greatest share of iterations that may end with an exception. Default: 1%.
    #[schemars(example = &"1%")]
    pub(crate) max_exceptions: Option<Percent>,
    /// Limits on the load generator itself: a starved generator measures itself.
    pub(crate) generator: Option<Generator>,
}

/// Limits on the load generator.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Generator")]
pub(crate) struct Generator {
    /// Its greatest mean CPU over the plateau, of the processors it may use. Default: 90%.
    #[schemars(example = &"90%")]
    pub(crate) max_cpu: Option<Percent>,
    /// Its greatest mean scheduling delay over the plateau. Default: 20ms.
    #[schemars(example = &"20ms")]
    pub(crate) max_scheduling_delay: Option<DurationText>,
}

/// Which earlier runs to compare with.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Baseline")]
pub(crate) struct Baseline {
    /// Which: `last_passed`, `{release: v1.2.3}` or `{median_of_last: 5}`. Default: last_passed.
    pub(crate) with: Option<BaselineText>,
    /// What an objective is that has nothing but `max_regression` when there is no baseline.
    /// Default: inconclusive.
    pub(crate) when_missing: Option<MissingWord>,
}

/// Which earlier run.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum BaselineText {
    /// `last_passed`.
    Word(String),
    /// The other two.
    Given {
        release: Option<Text>,
        median_of_last: Option<u32>,
    },
}

impl JsonSchema for BaselineText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "BaselineChoice".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "title": "Choice of baseline",
            "description": "`last_passed`, or a mapping with exactly one key.",
            "type": ["string", "object"],
            "properties": {
                "release": {
                    "description": "The last passed run of this release.",
                    "type": ["string", "number"],
                    "examples": ["v1.2.3"],
                },
                "median_of_last": {
                    "description": "The median of the last N passed runs, objective by objective.",
                    "type": "integer",
                    "minimum": 1,
                    "maximum": 1000,
                    "examples": [5],
                },
            },
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": false,
            "examples": ["last_passed", {"release": "v1.2.3"}, {"median_of_last": 5}],
        })
    }
}

/// What becomes of an objective without its baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "When the baseline is missing")]
pub(crate) enum MissingWord {
    /// It is inconclusive.
    Inconclusive,
    /// It warns: a deliberate first run.
    Warn,
}

/// What a failed threshold of the script does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "Script thresholds")]
pub(crate) enum ThresholdsWord {
    /// It fails the run.
    Fail,
    /// It warns.
    Warn,
    /// It is only shown.
    Ignore,
}
