//! The reference of the policy, written from the schema.

use std::fmt::Write;

use serde_json::Value;

use crate::diagnostic::Code;
use crate::document::schema;

/// `docs/policy.md`.
#[must_use]
pub fn reference_markdown() -> String {
    let schema = schema();
    let mut out = String::from(HEAD);
    section(&mut out, "The policy", "peakgate-policy", &schema);
    // Mappings that stand where they are used have no definition of their own.
    let none = serde_json::Map::new();
    let top = schema.get("properties").and_then(Value::as_object);
    for (key, property) in top.unwrap_or(&none) {
        if property.get("properties").is_some() {
            section(&mut out, &format!("`{key}`"), key, property);
        }
    }
    let definitions = schema
        .get("$defs")
        .and_then(Value::as_object)
        .unwrap_or(&none);
    for (name, definition) in definitions {
        // The override repeats the objective's fields.
        if name == "ObjectiveOverride" {
            continue;
        }
        section(&mut out, title(name, definition), &anchor(name), definition);
    }
    out += TAIL;
    for code in Code::ALL {
        let _ = writeln!(out, "- `{code}`");
    }
    out
}

const HEAD: &str = "# The policy file

<!-- Generated from the types in crates/peakgate-policy by `PEAKGATE_BLESS=1 cargo test -p peakgate-policy`. -->

A policy is YAML 1.2 (or JSON, which is YAML). `peakgate check` validates it and shows all faults at
once; editors complete it by `schemas/policy.schema.json`:

```yaml
# yaml-language-server: $schema=schemas/policy.schema.json
service: lead-api
environment:
  name: staging
  base_url: ${BASE_URL:-http://api.staging.local}
tests:
  peak:
    script: k6/peak-load-test.js
    required_for: [{release: any}]
objectives:
  p99-latency: {metric: http_req_duration, statistic: p(99), max: 1000ms, warn: 800ms}
  error-rate: {metric: http_req_failed, statistic: rate, max: 0.5%, key: true}
safety:
  valves:
    error-rate: {metric: http_req_failed, statistic: rate, above: 10%, for: 30s}
```

**Variables.** `${NAME}` and `${NAME:-default}` in values come from the environment of the gate; a
variable that is not set and has no default is an error. `$${` stands for `${`. In an unquoted value
that must be a number (`vus: ${VUS}`) the variable's text is read as one.

**Units.** Times `500ms`, `30s`, `1m30s`, `4h`, `250us`; shares `10%` or plainly `0.1`; rates `50/s`,
`3000/m`, `5MB/s`; data `100B`, `10kB`, `10MB` (powers of ten), `5KiB`, `5MiB` (powers of two); counts are
plain numbers. Negative numbers, NaN and infinity are errors. Which unit a limit takes follows from the
metric and the statistic:

| metric | statistics | unit of a limit |
|---|---|---|
| Trend of times (`http_req_duration`) | `p(N)` `avg` `med` `min` `max` | time |
| any Trend | `count` | plain number |
| Rate (`http_req_failed`, `checks`) | `rate` | share |
| Counter (`http_reqs`, `iterations`) | `count` | plain number |
| Counter | `rate` | per second: `50/s` |
| Counter of data (`data_sent`) | `count`, `rate` | data, data per second |
| Gauge (`vus`) | `value` `min` `max` | plain number |
| a script's own Trend or Gauge | as above | time or plain number, one kind in an objective |
| a script's own Rate or Counter | `rate` | share (of a Rate) or per second (of a Counter) |

**Which way is worse.** `max` and `min` say it. With `max_regression` alone, less is worse for `checks`
and for the rate of a built-in Counter (throughput), more is worse for everything else.

**Bounds.** At most 1 MiB of text, 64 levels and 20,000 values with aliases expanded. Merge keys (`<<`),
tags and second documents are refused.

";

const TAIL: &str = "## Error codes

`peakgate check` prints `file:line:column: error[code]: …`. The codes are stable:

";

fn title<'a>(name: &'a str, definition: &'a Value) -> &'a str {
    definition
        .get("title")
        .and_then(Value::as_str)
        .unwrap_or(name)
}

fn anchor(name: &str) -> String {
    name.to_lowercase()
}

/// A cell of a table: one line, without bars.
fn cell(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

fn text_of<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn section(out: &mut String, heading: &str, anchor: &str, schema: &Value) {
    // Writing to a String does not fail.
    let _ = writeln!(out, "<a id=\"{anchor}\"></a>\n## {heading}\n");
    let description = text_of(schema, "description");
    if !description.is_empty() {
        let _ = writeln!(out, "{}\n", description.trim());
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        let empty = Vec::new();
        let texts = schema
            .get("enumDescriptions")
            .and_then(Value::as_array)
            .unwrap_or(&empty);
        for (i, word) in words.iter().filter_map(Value::as_str).enumerate() {
            let text = texts.get(i).and_then(Value::as_str).unwrap_or_default();
            let _ = writeln!(out, "- `{word}`: {}", cell(text));
        }
        out.push('\n');
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        table(out, schema, properties);
    }
    let examples = schema.get("examples").and_then(Value::as_array);
    if let Some(examples) = examples.filter(|e| !e.is_empty()) {
        let list: Vec<String> = examples.iter().map(|e| format!("`{}`", flow(e))).collect();
        let _ = writeln!(out, "Examples: {}\n", list.join(", "));
    }
}

fn table(out: &mut String, schema: &Value, properties: &serde_json::Map<String, Value>) {
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    *out += "| key | value | meaning |\n|---|---|---|\n";
    for (key, property) in properties {
        let kind = if property.get("properties").is_some() {
            format!("[mapping](#{key})")
        } else {
            kind(property)
        };
        let mark = if required.contains(&key.as_str()) {
            " **(required)**"
        } else {
            ""
        };
        let mut meaning = cell(text_of(property, "description"));
        if let Some(example) = property.get("examples").and_then(|e| e.get(0)) {
            let _ = write!(meaning, " Example: `{}`", cell(&flow(example)));
        }
        let _ = writeln!(out, "| `{key}`{mark} | {kind} | {meaning} |");
    }
    out.push('\n');
}

/// What a value is, with a link to its definition.
fn kind(property: &Value) -> String {
    if let Some(name) = property
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|r| r.strip_prefix("#/$defs/"))
    {
        let shown = if name == "ObjectiveOverride" {
            "Objective"
        } else {
            name
        };
        return format!("[{shown}](#{})", anchor(shown));
    }
    if let Some(values) = property
        .get("additionalProperties")
        .filter(|v| v.is_object())
    {
        return format!("name → {}", kind(values));
    }
    if let Some(items) = property.get("items") {
        return format!("list of {}", kind(items));
    }
    let word = |t: &str| {
        match t {
            "string" => "text",
            "integer" => "whole number",
            "boolean" => "true or false",
            "object" => "mapping",
            other => other,
        }
        .to_owned()
    };
    match property.get("type") {
        Some(Value::String(one)) => word(one),
        Some(Value::Array(many)) => many
            .iter()
            .filter_map(Value::as_str)
            .map(word)
            .collect::<Vec<_>>()
            .join(" or "),
        _ => String::new(),
    }
}

/// A value in YAML's flow style, as short as people write it.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let inner: Vec<String> = map
                .iter()
                .map(|(k, v)| format!("{k}: {}", flow(v)))
                .collect();
            format!("{{{}}}", inner.join(", "))
        }
        Value::Array(items) => {
            let inner: Vec<String> = items.iter().map(flow).collect();
            format!("[{}]", inner.join(", "))
        }
        Value::String(text) if text.contains(['*', '{', '$', ',']) => format!("\"{text}\""),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
