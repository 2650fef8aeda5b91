//! The checked-in schema of verdict.json is the one that the types give.

#![allow(
    clippy::disallowed_methods,
    reason = "tests read files and take the time; the crate does not"
)]

use std::path::Path;

#[test]
fn the_checked_in_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/verdict.schema.json");
    let now = format!(
        "{}\n",
        serde_json::to_string_pretty(&peakgate_core::verdict::schema()).unwrap()
    );
    if std::env::var_os("PEAKGATE_BLESS").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        checked_in == now,
        "schemas/verdict.schema.json is out of date: run `PEAKGATE_BLESS=1 cargo test` and commit it"
    );
}
