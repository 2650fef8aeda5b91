//! The example scripts and the reference policy fit together.

#![allow(
    clippy::disallowed_methods,
    reason = "tests read files and take the time; the crate does not"
)]

use std::path::{Path, PathBuf};

use peakgate_policy::settings::{Direction, Mode, Policy};
use peakgate_script::{ScriptFacts, merge, read, relative_imports, resolve_relative};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

fn text(path: &str) -> String {
    std::fs::read_to_string(examples().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn policy() -> Policy {
    peakgate_policy::load(&text("peakgate.yaml"), &|_| None)
        .unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn script(path: &str) -> ScriptFacts {
    let mut entries: Vec<(String, ScriptFacts)> = Vec::new();
    let mut waiting = vec![path.to_owned()];
    while let Some(path) = waiting.pop() {
        if entries.iter().any(|(known, _)| *known == path) {
            continue;
        }
        let facts = read(&text(&path), &path).unwrap_or_else(|e| panic!("{path}: {e}"));
        waiting.extend(
            relative_imports(&facts)
                .iter()
                .map(|specifier| resolve_relative(&path, specifier)),
        );
        entries.push((path, facts));
    }
    merge(entries)
}

#[test]
fn the_reference_policy_carries_the_targets() {
    let policy = policy();
    assert_eq!(policy.service, "lead-api");
    assert_eq!(policy.environment.base_url, "http://api.staging.local");
    let milliseconds = |test: &str, id: &str| {
        policy.tests[test]
            .objectives
            .iter()
            .find(|o| o.id == id)
            .and_then(|o| o.limit)
    };
    for (test, p50, p95, p99, errors) in [
        ("baseline", Some(100.0), Some(300.0), 500.0, 0.001),
        ("peak", Some(200.0), Some(600.0), 1000.0, 0.005),
        ("spike", Some(400.0), Some(1200.0), 2000.0, 0.01),
        ("soak", None, None, 700.0, 0.002),
        ("stress", None, None, 5000.0, 0.05),
    ] {
        assert_eq!(milliseconds(test, "latency_p50"), p50, "{test}");
        assert_eq!(milliseconds(test, "latency_p95"), p95, "{test}");
        assert_eq!(milliseconds(test, "latency_p99"), Some(p99), "{test}");
        let rate = milliseconds(test, "error_rate").expect("an error rate");
        assert!((rate - errors).abs() < 1e-12, "{test}: {rate}");
        assert_eq!(policy.tests[test].rehearsal_env["THINK_TIME_SCALE"], "0.1");
    }
    let [valve] = policy.safety.valves.as_slice() else {
        panic!("one valve: {:?}", policy.safety.valves)
    };
    assert_eq!(valve.hold.as_secs(), 30);
    assert!((valve.threshold - 0.1).abs() < 1e-12);
    assert_eq!(valve.direction, Direction::AtMost);
    let required: Vec<_> = policy
        .tests
        .values()
        .filter(|test| !test.required_for.is_empty())
        .map(|test| test.name.as_str())
        .collect();
    assert_eq!(required, ["peak", "spike"]);
    let endpoints = &policy.tests["peak"].objectives;
    assert!(
        endpoints
            .iter()
            .any(|o| o.each.as_deref() == Some("name") && o.mode == Mode::Informational)
    );
}

#[test]
fn every_example_script_is_wholly_known() {
    for test in policy().tests.values() {
        let facts = script(&test.script);
        assert!(
            facts.metrics_are_known() && facts.checks_are_known(),
            "{}",
            test.script
        );
        assert!(facts.groups_are_known() && !facts.dynamic_tags && !facts.dynamic_env);
        assert_eq!(facts.exports, ["options", "default"], "{}", test.script);
        assert_eq!(
            facts.env_vars,
            ["BASE_URL", "API_KEY", "THINK_TIME_SCALE"],
            "{}",
            test.script
        );
        assert_eq!(
            facts.groups,
            ["lead generation", "broker", "admin", "api integration"]
        );
        assert_eq!(facts.checks.len(), 7, "{:?}", facts.checks);
        assert_eq!(
            facts.request_names,
            [
                "POST /api/v1/leads",
                "GET /api/v1/leads/{id}",
                "GET /api/v1/leads",
                "GET /api/v1/leads/export",
                "GET /api/v1/analytics/overview",
                "GET /api/v1/config",
                "POST /api/v1/leads/batch",
            ]
        );
        // The policy judges; the scripts only make load, and only where BASE_URL says.
        assert!(facts.thresholds.is_empty() && !facts.dynamic_thresholds);
        assert!(facts.urls.is_empty(), "{:?}", facts.urls);
    }
}
