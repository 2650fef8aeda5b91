//! Scalars with a meaning: quantities, shares, times, and text that may look like a number.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// A number with its unit (`500ms`, `1%`, `50/s`, `10MB`), or a plain number.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Quantity {
    /// Without a unit.
    Number(f64),
    /// With one, as it was written.
    Text(String),
}

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "title": "Quantity",
            "description": "A number with the unit of the metric: times `500ms`, `1.5s`, `1m30s`; shares `1%` or `0.01`; rates `50/s`, `3000/m`; data `10MB`, `5MiB`; counts plainly `100`.",
            "type": ["string", "number"],
            "examples": ["500ms", "1%", "50/s", "10MB", 100],
        })
    }
}

/// A share: `10%` or `0.1`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Percent(pub(crate) Quantity);

impl JsonSchema for Percent {
    fn schema_name() -> Cow<'static, str> {
        "Percent".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "title": "Share",
            "description": "A share of the whole: `10%`, or plainly `0.1`.",
            "type": ["string", "number"],
            "examples": ["10%", 0.1],
        })
    }
}

/// A time: `1m30s`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct DurationText(pub(crate) String);

impl JsonSchema for DurationText {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "title": "Duration",
            "description": "A time with its unit: `500ms`, `30s`, `1m30s`, `4h`.",
            "type": "string",
            "examples": ["500ms", "30s", "1m30s", "4h"],
        })
    }
}

/// Text for which YAML may see a number or a boolean (`status: 200`); it is taken as written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Text(#[allow(dead_code)] pub(crate) serde_json::Value);

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "title": "Text",
            "description": "Text; numbers and booleans are taken as they are written.",
            "type": ["string", "number", "boolean"],
        })
    }
}
