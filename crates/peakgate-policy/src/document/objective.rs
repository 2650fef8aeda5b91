//! An objective as it is written.

use std::borrow::Cow;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::{DurationText, Percent, Quantity, Text};

/// What must hold. At most one of `max` and `min`; a judged objective has one of them or
/// `max_regression`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Objective")]
pub(crate) struct Objective {
    /// A metric of k6 or of the script.
    #[schemars(required, example = &"http_req_duration")]
    pub(crate) metric: Option<String>,
    /// p(N), avg, med, min, max or count of a Trend; count or rate of a Counter; value, min or max
    /// of a Gauge; rate of a Rate.
    #[schemars(required, example = &"p(99)")]
    pub(crate) statistic: Option<String>,
    /// Only samples with these tags: a value, or `{regex: …}` for the whole value.
    #[schemars(example = serde_json::json!({"name": "POST /api/v1/leads", "status": {"regex": "5.."}}))]
    pub(crate) select: Option<IndexMap<String, SelectValue>>,
    /// Judge each value of this tag on its own. A value that another objective of the same metric
    /// and statistic selects exactly is left to that one.
    #[schemars(length(min = 1), example = &"name")]
    pub(crate) each: Option<String>,
    /// The value must not be greater.
    #[schemars(example = &"1000ms")]
    pub(crate) max: Option<Quantity>,
    /// The value must not be smaller.
    #[schemars(example = &"99%")]
    pub(crate) min: Option<Quantity>,
    /// Past this it warns; on the lenient side of the limit.
    #[schemars(example = &"800ms")]
    pub(crate) warn: Option<Quantity>,
    /// How much worse than the baseline it may be. With both a share and an absolute amount, the
    /// more generous counts.
    pub(crate) max_regression: Option<RegressionText>,
    /// Which part of the run counts. Default: plateau.
    pub(crate) window: Option<WindowText>,
    /// Failing it fails the run whatever the score. Default: false.
    pub(crate) key: Option<bool>,
    /// Its weight in the score, above 0. Default: 1.
    #[schemars(example = 2)]
    pub(crate) weight: Option<f64>,
    /// How it takes part in the verdict. Default: judged.
    pub(crate) mode: Option<ModeWord>,
    /// Fewer samples than this are inconclusive. Default: `validity.min_samples`.
    #[schemars(range(min = 1, max = 1_000_000_000), example = 100)]
    pub(crate) min_samples: Option<u64>,
    /// The confidence with which the value must lie on one side of the limit, 50 to 99.99 %;
    /// an undecided interval is then inconclusive. Without it the value itself decides.
    #[schemars(example = &"95%")]
    pub(crate) certainty: Option<Percent>,
    /// A dated exception.
    pub(crate) waiver: Option<Waiver>,
}

/// How an objective takes part in the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "Mode")]
pub(crate) enum ModeWord {
    /// It decides.
    Judged,
    /// It is measured and shown only.
    Informational,
    /// It is judged and shown, but its result does not count.
    DryRun,
}

/// A dated exception: up to `ceiling` the objective warns instead of failing, until `expires`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Waiver")]
pub(crate) struct Waiver {
    /// The worst value that is still let through; beyond the limit.
    #[schemars(required, example = &"1500ms")]
    pub(crate) ceiling: Option<Quantity>,
    /// Why.
    #[schemars(required, length(min = 1), example = &"LEAD-123: index is being rebuilt")]
    pub(crate) reason: Option<String>,
    /// Who answers for it.
    #[schemars(required, length(min = 1), example = &"team-leads")]
    pub(crate) owner: Option<String>,
    /// The last day on which it holds.
    #[schemars(required, example = &"2026-12-31")]
    pub(crate) expires: Option<String>,
}

/// How a tag's value is selected.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum SelectValue {
    /// `{regex: …}`.
    Regex { regex: Option<String> },
    /// The very value; its text is taken from the source.
    Exact(#[allow(dead_code)] Text),
}

impl JsonSchema for SelectValue {
    fn schema_name() -> Cow<'static, str> {
        "SelectValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "title": "Selected value",
            "description": "The tag's very value, or `{regex: …}`, which the whole value must match.",
            "type": ["string", "number", "boolean", "object"],
            "properties": {
                "regex": {
                    "description": "A regular expression (Rust's syntax, close to RE2's) for the whole value.",
                    "type": "string",
                    "examples": ["5..", "POST .*"],
                },
            },
            "required": ["regex"],
            "additionalProperties": false,
            "examples": ["POST /api/v1/leads", 200, {"regex": "5.."}],
        })
    }
}

/// How much worse than the baseline a value may be.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum RegressionText {
    /// `10%` or `50ms`.
    One(Quantity),
    /// Both.
    Both {
        relative: Option<Percent>,
        absolute: Option<Quantity>,
    },
}

impl JsonSchema for RegressionText {
    fn schema_name() -> Cow<'static, str> {
        "Regression".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "title": "Regression",
            "description": "`10%` of the baseline, an absolute amount such as `50ms`, or both as `{relative: 10%, absolute: 50ms}`.",
            "type": ["string", "number", "object"],
            "properties": {
                "relative": {
                    "description": "As a share of the baseline.",
                    "type": ["string", "number"],
                    "examples": ["10%"],
                },
                "absolute": {
                    "description": "In the metric's unit.",
                    "type": ["string", "number"],
                    "examples": ["50ms"],
                },
            },
            "minProperties": 1,
            "additionalProperties": false,
            "examples": ["10%", "50ms", {"relative": "10%", "absolute": "50ms"}],
        })
    }
}

/// Which part of the run counts.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum WindowText {
    /// `plateau` or `all`.
    Word(String),
    /// From and to.
    Between {
        from: Option<DurationText>,
        to: Option<DurationText>,
    },
}

impl JsonSchema for WindowText {
    fn schema_name() -> Cow<'static, str> {
        "Window".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "title": "Window",
            "description": "`plateau` (the longest stretch at the highest planned load), `all`, or `{from: 2m, to: 10m}` from the start of the load; a rehearsal scales it.",
            "type": ["string", "object"],
            "properties": {
                "from": {
                    "description": "Where it begins. Default: the start.",
                    "type": "string",
                    "examples": ["2m"],
                },
                "to": {
                    "description": "Where it ends. Default: the end of the run.",
                    "type": "string",
                    "examples": ["10m"],
                },
            },
            "minProperties": 1,
            "additionalProperties": false,
            "examples": ["plateau", "all", {"from": "2m", "to": "10m"}],
        })
    }
}
