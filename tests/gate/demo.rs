//! `peakgate demo` in every mode, as the README shows it.

use crate::support::{Scene, one_load};

fn demo(service: &str, duration: &str) -> (Scene, crate::support::Done) {
    let _one = one_load();
    let scene = Scene::empty();
    let done = scene.run(&["demo", "--service", service, "--duration", duration]);
    (scene, done)
}

#[test]
fn a_healthy_service_passes() {
    let (scene, done) = demo("healthy", "20s");
    done.exits(0).says("PASS").says("rehearsal");
    let verdict = scene.verdict();
    assert_eq!(verdict["verdict"], "pass");
    assert_eq!(verdict["test"], "peak");
    assert_eq!(verdict["rehearsal"]["seconds"], 20.0);
    assert_eq!(verdict["rehearsal"]["planned_seconds"], 1200.0);
    assert_eq!(verdict["engine"]["name"], "k6");
    assert_eq!(verdict["load"]["valid"], true);
    // The compressed peak: 500 users.
    assert!(verdict["load"]["max_vus"].as_f64().unwrap() >= 490.0);
    for objective in verdict["objectives"].as_array().unwrap() {
        assert!(objective["samples"].as_u64().unwrap() >= 20, "{objective}");
        assert!(objective["value"].is_number(), "{objective}");
    }
    // The document is what its schema says.
    let schema = peakgate_core::verdict::schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&verdict)
        .map(|e| e.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    let summary = std::fs::read_to_string(scene.path().join("peakgate-out/summary.md")).unwrap();
    assert!(summary.contains("lead-api"), "{summary}");
    let list = scene.run(&["history", "list"]).exits(0);
    assert!(
        list.out.contains("pass") && list.out.contains("rehearsal"),
        "{}",
        list.out
    );
}

#[test]
fn a_slow_service_fails_by_its_latency() {
    let (scene, done) = demo("slow", "20s");
    done.exits(1).says("FAIL");
    let verdict = scene.verdict();
    let failed = |id: &str| {
        verdict["objectives"]
            .as_array()
            .unwrap()
            .iter()
            .any(|o| o["id"] == id && o["verdict"] == "fail")
    };
    assert!(failed("latency_p99"), "{}", verdict["reason"]);
    let next = verdict["next"].to_string();
    assert!(next.contains("POST /api/v1/leads"), "{next}");
}

#[test]
fn a_flaky_service_fails_by_its_errors() {
    let (scene, done) = demo("flaky", "12s");
    done.exits(1).says("error_rate");
    assert!(scene.verdict()["next"].to_string().contains("status 500"));
}

#[test]
fn a_leaking_service_fails() {
    let (_, done) = demo("leaking", "20s");
    done.exits(1).says("latency_p99");
}

#[test]
fn a_service_that_is_down_is_an_error() {
    let (scene, done) = demo("down", "20s");
    done.exits(4).says("cannot be reached");
    let verdict = scene.verdict();
    assert_eq!(verdict["verdict"], "error");
    scene.run(&["history", "list"]).exits(0).says("error");
}
