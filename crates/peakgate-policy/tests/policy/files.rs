//! Generated files are what the types say. `PEAKGATE_BLESS=1` writes them anew.

#![allow(
    clippy::disallowed_methods,
    reason = "tests read files and take the time; the crate does not"
)]

use std::path::PathBuf;

use peakgate_policy::{load, reference_markdown, schema};

use crate::{minimal, unset};

fn check(path: &str, fresh: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path);
    if std::env::var_os("PEAKGATE_BLESS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, fresh).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == fresh,
        "{path} is not what the types say; run: PEAKGATE_BLESS=1 cargo test -p peakgate-policy"
    );
}

#[test]
fn the_schema_file_is_current() {
    let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    check("schemas/policy.schema.json", &text);
}

#[test]
fn the_reference_is_current() {
    check("docs/policy.md", &reference_markdown());
}

#[test]
fn the_schema_is_valid_and_has_no_alternatives() {
    let schema = schema();
    jsonschema::meta::validate(&schema).unwrap();
    let text = schema.to_string();
    assert!(!text.contains("anyOf") && !text.contains("oneOf"));
}

/// Every key has a description, so that editors have something to show.
#[test]
fn every_key_is_described() {
    fn walk(value: &serde_json::Value, path: &str) {
        if let Some(map) = value.get("properties").and_then(|p| p.as_object()) {
            for (key, property) in map {
                assert!(
                    property.get("description").is_some(),
                    "{path}/{key} lacks a description"
                );
            }
        }
        match value {
            serde_json::Value::Object(map) => {
                for (key, inner) in map {
                    walk(inner, &format!("{path}/{key}"));
                }
            }
            serde_json::Value::Array(items) => items.iter().for_each(|i| walk(i, path)),
            _ => {}
        }
    }
    walk(&schema(), "");
}

#[test]
fn the_schema_alone_accepts_what_resolves() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for text in [
        include_str!("../samples/full.yaml").to_owned(),
        minimal(""),
        minimal("baseline: {with: last_passed}"),
    ] {
        load(&text, &unset).unwrap();
        let value: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&value)
            .map(|e| format!("{}: {e}", e.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
}
