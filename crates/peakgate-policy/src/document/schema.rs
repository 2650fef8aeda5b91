//! The JSON Schema (draft 2020-12), generated from the types.
//!
//! Generated schemas say "this or null" and "one of these constants" with anyOf and oneOf, for
//! which validators give poor errors and editors poor completions. Here null means nothing (but in
//! overrides), and words are plain enums.

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::{Document, NAME_RULE, Objective};

/// The schema of a policy.
#[must_use]
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.root_schema_for::<Document>().to_value();
    tidy(&mut schema);
    nullable_overrides(&mut schema);
    schema
}

/// The schema of a test's `objectives`; [`nullable_overrides`] completes it.
pub(super) fn overrides(generator: &mut SchemaGenerator) -> Schema {
    // Makes sure that the definition is there.
    let _ = generator.subschema_for::<Objective>();
    json_schema!({
        "type": "object",
        "propertyNames": {"pattern": NAME_RULE},
        "additionalProperties": {"$ref": "#/$defs/ObjectiveOverride"},
        "examples": [{"p99-latency": {"max": "2s"}, "cpu": null}],
    })
}

/// Replaces anyOf-with-null and oneOf-of-constants throughout.
fn tidy(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(map) => {
            map.values_mut().for_each(tidy);
            // Not formats of JSON Schema: uint64 and double are the types' own affair.
            if map.get("format").is_some_and(Value::is_string) {
                map.remove("format");
            }
            not_null(map);
            words(map);
        }
        _ => {}
    }
}

fn is_null_type(value: &Value) -> bool {
    value == &json!({"type": "null"})
}

fn not_null(map: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|t| t != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            map.insert("type".into(), only);
        }
    }
    let Some(Value::Array(options)) = map.get("anyOf") else {
        return;
    };
    if let [Value::Object(inner), null] = options.as_slice()
        && is_null_type(null)
    {
        let inner = inner.clone();
        map.remove("anyOf");
        for (key, value) in inner {
            map.entry(key).or_insert(value);
        }
    }
}

fn words(map: &mut Map<String, Value>) {
    let Some(Value::Array(options)) = map.get("oneOf") else {
        return;
    };
    let constants: Option<Vec<Value>> = options.iter().map(|o| o.get("const").cloned()).collect();
    let Some(constants) = constants else { return };
    let descriptions: Vec<Value> = options
        .iter()
        .map(|o| o.get("description").cloned().unwrap_or_default())
        .collect();
    map.remove("oneOf");
    map.insert("type".into(), "string".into());
    map.insert("enum".into(), constants.into());
    // Understood by the editors of the VS Code family; other readers pass over it.
    map.insert("enumDescriptions".into(), descriptions.into());
}

/// Adds the definition of an objective's override: nothing is required, everything may be null.
fn nullable_overrides(schema: &mut Value) {
    let Some(definitions) = schema.get("$defs").and_then(Value::as_object).cloned() else {
        return;
    };
    let Some(mut objective) = definitions.get("Objective").cloned() else {
        return;
    };
    if let Some(map) = objective.as_object_mut() {
        map.remove("required");
        map.insert("title".into(), "Override of an objective".into());
        map.insert(
            "description".into(),
            "Fields that differ from the shared objective (null takes a field away); or null to \
             remove it from this test; or, under a new name, an objective of this test's own, which \
             needs `metric` and `statistic`."
                .into(),
        );
        map.insert("type".into(), json!(["object", "null"]));
        if let Some(Value::Object(properties)) = map.get_mut("properties") {
            for property in properties.values_mut() {
                nullable(property, &definitions);
            }
        }
    }
    if let Some(Value::Object(definitions)) = schema.get_mut("$defs") {
        definitions.insert("ObjectiveOverride".into(), objective);
    }
}

fn nullable(property: &mut Value, definitions: &Map<String, Value>) {
    let Value::Object(map) = property else { return };
    // A reference cannot be widened: its definition is written out here.
    let target = map
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|r| r.strip_prefix("#/$defs/"))
        .and_then(|name| definitions.get(name))
        .and_then(Value::as_object)
        .cloned();
    if let Some(target) = target {
        map.remove("$ref");
        for (key, value) in target {
            map.entry(key).or_insert(value);
        }
    }
    match map.get_mut("type") {
        Some(Value::Array(types)) => types.push("null".into()),
        Some(one) => *one = json!([one.clone(), "null"]),
        None => {}
    }
    if let Some(Value::Array(words)) = map.get_mut("enum") {
        words.push(Value::Null);
        if let Some(Value::Array(texts)) = map.get_mut("enumDescriptions") {
            texts.push("Takes it away.".into());
        }
    }
}
