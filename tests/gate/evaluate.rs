//! `peakgate evaluate`: the same judgement, later and elsewhere.

use crate::support::{POLICY, Scene, one_load};

const FULL: &str = r#"{"state":{"testRunDurationMs":4000},"metrics":{
 "http_req_duration":{"type":"trend","contains":"time","values":{"avg":10,"p(95)":900,"count":500}},
 "http_req_failed":{"type":"rate","contains":"default","values":{"rate":0,"passes":0,"fails":500}},
 "http_reqs":{"type":"counter","contains":"default","values":{"count":500,"rate":125}},
 "checks":{"type":"rate","contains":"default","values":{"rate":1,"passes":500,"fails":0}}}}"#;

#[test]
fn a_verdict_is_judged_again_by_another_policy() {
    let _one = one_load();
    let scene = Scene::new();
    scene.run(&["run"]).exits(0);
    let results = "peakgate-out/verdict.json";
    scene
        .run(&["evaluate", "--results", results])
        .exits(0)
        .says("PASS");
    scene.policy(
        "max: 500ms}",
        "max: 1ms, select: {name: {regex: 'GET .*'}}}",
    );
    scene
        .run(&["evaluate", "--results", results, "--out", "again"])
        .exits(1)
        .says("latency");
    assert_eq!(scene.json("again/verdict.json")["verdict"], "fail");
    // A window that the evidence was not cut for cannot be judged from it.
    scene.policy(
        "max: 500ms}",
        "max: 500ms, window: {from: 1500ms, to: 2500ms}}",
    );
    scene
        .run(&["evaluate", "--results", results])
        .exits(3)
        .says("not cut");
}

#[test]
fn a_k6_summary_has_no_windows() {
    let scene = Scene::empty();
    scene.write("peakgate.yaml", POLICY);
    scene.write("script.js", "export default function () {}");
    scene.write("summary.json", FULL);
    let ask = ["evaluate", "--results", "summary.json"];
    scene.run(&ask).exits(3).says("--whole-run");
    scene
        .run(&["evaluate", "--results", "summary.json", "--whole-run"])
        .exits(1)
        .says("latency: 900 ms, at most 500 ms");
    scene.write("summary.json", &FULL.replace("900", "90"));
    scene
        .run(&["evaluate", "--results", "summary.json", "--whole-run"])
        .exits(0)
        .says("WARN")
        .says("does not show whether the run was whole");
    // The same run as --summary-export writes it: no sample counts of a Trend, but of requests.
    scene.write(
        "summary.json",
        r#"{"metrics":{"http_req_duration":{"avg":1,"p(95)":90},"http_reqs":{"count":500,"rate":9},
        "http_req_failed":{"passes":0,"fails":500,"value":0},"checks":{"passes":500,"fails":0,"value":1}}}"#,
    );
    scene
        .run(&["evaluate", "--results", "summary.json", "--whole-run"])
        .exits(0);
}

#[test]
fn broken_results_are_named() {
    let scene = Scene::empty();
    scene.write("peakgate.yaml", POLICY);
    let ask = ["evaluate", "--results", "r.json", "--whole-run"];
    scene.run(&ask).exits(2).says("cannot read r.json");
    scene.write("r.json", &FULL[..FULL.len() / 2]);
    scene.run(&ask).exits(2).says("cut off");
    scene.write("r.json", "{}");
    scene
        .run(&ask)
        .exits(2)
        .says("neither a verdict.json nor a k6 summary");
    scene.write("r.json", r#"{"schema_version": 99}"#);
    scene.run(&ask).exits(2).says("form 99");
    // k6 prints 0 for metrics without samples: never a pass.
    scene.write(
        "r.json",
        &FULL
            .replace(":500", ":0")
            .replace("\"fails\":500", "\"fails\":0"),
    );
    scene.run(&ask).exits(3);
}

#[test]
fn results_of_one_test_say_nothing_about_another() {
    let _one = one_load();
    let scene = Scene::new();
    scene.run(&["run", "--rehearsal", "3s"]);
    scene.policy("tests:\n", "tests:\n  other: {script: script.js}\n");
    scene
        .run(&[
            "evaluate",
            "--results",
            "peakgate-out/verdict.json",
            "--test",
            "other",
        ])
        .exits(2)
        .says("'peak'");
}

#[test]
fn doctored_figures_are_refused_and_do_no_harm() {
    let _one = one_load();
    let scene = Scene::new();
    scene.run(&["run"]).exits(0);
    let whole = std::fs::read_to_string(scene.path().join("peakgate-out/verdict.json")).unwrap();
    let plan: serde_json::Value = serde_json::from_str(&whole).unwrap();
    for (pointer, value) in [
        ("/load/plan/scenarios/0/executor/duration", 1.8e19),
        ("/load/plan/scenarios/0/executor/duration", -1.0),
        ("/account/load_seconds", 1e300),
    ] {
        let mut doctored = plan.clone();
        *doctored.pointer_mut(pointer).unwrap() = value.into();
        scene.write("doctored.json", &doctored.to_string());
        let done = scene.run(&["evaluate", "--results", "doctored.json"]);
        assert!(matches!(done.code, Some(0..=4)), "{done:?}");
    }
    // Counts beyond all bounds.
    let huge = whole
        .replace("\"total\":", "\"total\":9")
        .replace("\"samples\":", "\"samples\":9");
    scene.write("doctored.json", &huge);
    let done = scene.run(&["evaluate", "--results", "doctored.json"]);
    assert!(matches!(done.code, Some(0..=4)), "{done:?}");
}
