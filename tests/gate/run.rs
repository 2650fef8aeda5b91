//! `peakgate run` from policy to exit code.

use crate::support::{ASK, Scene, one_load};

#[test]
fn a_run_passes_and_leaves_its_proof() {
    let _one = one_load();
    let scene = Scene::new();
    scene
        .run(&["run", "--release", "v1.0.0", "--commit", "abc123"])
        .exits(0)
        .says("PASS");
    let v = scene.verdict();
    assert_eq!(v["release"], "v1.0.0");
    assert_eq!(v["commit"], "abc123");
    assert!(v["rehearsal"].is_null());
    assert!(
        v["reason"].as_str().unwrap().contains("first run"),
        "{}",
        v["reason"]
    );
    // What the windows counted is what k6 itself counted.
    let count = |name: &str| {
        v["account"]["metrics"]
            .as_array()
            .unwrap()
            .iter()
            .find(|m| m["name"] == name)
            .and_then(|m| m["values"]["count"].as_f64())
            .unwrap()
    };
    assert_eq!(v["load"]["requests"].as_f64().unwrap(), count("http_reqs"));
    assert_eq!(
        v["load"]["iterations"].as_f64().unwrap(),
        count("iterations")
    );
}

#[test]
fn the_second_run_is_compared_with_the_first() {
    let _one = one_load();
    let scene = Scene::new();
    let regression = "max: 500ms, max_regression: {relative: 400%, absolute: 400ms}}";
    scene.policy("max: 500ms}", regression);
    // Asked for a comparison and nothing to compare with: a warning, not a pass.
    scene
        .run(&["run", "--release", "v1"])
        .exits(0)
        .says("WARN")
        .says("first run");
    scene.run(&["run", "--release", "v2"]).exits(0).says("PASS");
    let v = scene.verdict();
    assert_eq!(v["baseline"]["kind"], "found");
    assert!(
        v["baseline"]["description"]
            .as_str()
            .unwrap()
            .contains("v1")
    );
    assert!(v["objectives"][0]["baseline"].is_number());
    scene
        .run(&["history", "list"])
        .exits(0)
        .says("v1")
        .says("v2");
}

#[test]
fn the_script_sees_only_what_the_policy_gives() {
    let _one = one_load();
    let scene = Scene::new();
    scene.policy(
        "engine: k6,",
        "engine: k6, env: {GREETING: hello}, tags: {team: leads}, load: {vus: 1, iterations: 60},",
    );
    scene.script(
        "{ vus: 1, duration: '1h' }",
        "http.post(`${__ENV.BASE_URL}/api/v1/leads`, JSON.stringify({ name: Object.keys(__ENV).sort().join(' ') }));
         check(null, { 'only what was given': () => Object.keys(__ENV).sort().join(' ') === 'BASE_URL EXTRA GREETING' });",
    );
    let done = crate::support::Done::from(
        scene
            .command(&["run", "-e", "EXTRA=1"])
            .env("GITHUB_TOKEN", "ghs_secret")
            .output()
            .unwrap(),
    );
    done.exits(0);
    // No token in anything that the run left.
    for file in ["verdict.json", "summary.md", "k6.log"] {
        let text = std::fs::read_to_string(scene.path().join("peakgate-out").join(file)).unwrap();
        assert!(!text.contains("ghs_secret"), "{file}");
    }
}

#[test]
fn a_valve_stops_the_run() {
    let _one = one_load();
    let scene = Scene::new();
    scene.policy(
        "tests:",
        "safety: {stop_when_lost: false, valves: {errors: {metric: http_req_failed, statistic: rate, above: 10%, for: 2s}}}\ntests:",
    );
    scene.script(
        "{ vus: 2, duration: '60s' }",
        &ASK.replace("/config", "/nothing-here"),
    );
    let begun = std::time::Instant::now();
    scene.run(&["run"]).exits(1).says("valve");
    assert!(begun.elapsed().as_secs() < 45, "it ran on");
    let v = scene.verdict();
    assert_eq!(v["account"]["exit"]["kind"], "stopped");
    assert_eq!(v["load"]["valid"], false);
}

#[test]
fn an_objective_that_is_lost_stops_the_run() {
    let _one = one_load();
    let scene = Scene::new();
    scene.script(
        "{ vus: 2, duration: '60s' }",
        &ASK.replace("/config", "/nothing-here"),
    );
    let begun = std::time::Instant::now();
    scene.run(&["run"]).exits(1).says("errors");
    assert!(begun.elapsed().as_secs() < 50, "it ran on");
}

#[test]
fn the_scripts_own_thresholds_count() {
    let _one = one_load();
    let scene = Scene::new();
    scene.script(
        "{ vus: 5, duration: '4s', thresholds: { http_req_duration: ['p(95)<0.001'] } }",
        ASK,
    );
    scene
        .run(&["run"])
        .exits(1)
        .says("own threshold 'p(95)<0.001'");
    scene.policy("service: shop", "service: shop\nscript_thresholds: ignore");
    scene.run(&["run"]).exits(0);
}

#[test]
fn the_light_channel_says_how_coarse_it_is() {
    let _one = one_load();
    let scene = Scene::new();
    scene.policy(
        "  checks: {metric: checks, statistic: rate, min: 99%}\n",
        "",
    );
    let policy = std::fs::read_to_string(scene.path().join("peakgate.yaml")).unwrap();
    scene.write(
        "peakgate.yaml",
        &policy.replace("engine: k6,", "engine: k6, live: light,"),
    );
    scene.run(&["run"]).exits(0);
    let v = scene.verdict();
    assert_eq!(v["engine"]["resolution"], 0.044);
    assert!(v["objectives"][0]["samples"].as_u64().unwrap() > 100);
}

#[test]
fn arrival_rates_report_dropped_iterations() {
    let _one = one_load();
    let scene = Scene::new();
    scene.policy("max: 500ms}", "max: 5s}");
    scene.script(
        "{ scenarios: { open: { executor: 'constant-arrival-rate', rate: 100, duration: '5s', preAllocatedVUs: 1, maxVUs: 1 } } }",
        &ASK.replace("sleep(0.02)", "sleep(0.5)"),
    );
    scene.run(&["run"]).exits(3).says("dropped");
    let v = scene.verdict();
    assert!(
        v["load"]["dropped"].as_u64().unwrap() > 300,
        "{}",
        v["load"]["dropped"]
    );
}

#[test]
fn an_override_cannot_lead_the_load_elsewhere() {
    let scene = Scene::new();
    scene
        .run(&["run", "-e", "BASE_URL=http://localhost:1"])
        .exits(2)
        .says("allowed");
    scene
        .run(&["run", "-e", "OTHER=https://example.com/x"])
        .exits(2)
        .says("OTHER (example.com)");
}

#[test]
fn an_old_verdict_is_not_taken_for_a_new_one() {
    let _one = one_load();
    let scene = Scene::new();
    scene.run(&["run"]).exits(0);
    assert_eq!(scene.verdict()["verdict"], "pass");
    scene.policy("max: 500ms", "max: 500%");
    scene.run(&["run"]).exits(2);
    assert!(!scene.path().join("peakgate-out/verdict.json").exists());
}

#[test]
fn several_required_tests_run_one_after_the_other_and_the_worst_decides() {
    let _one = one_load();
    let scene = Scene::new();
    scene.policy(
        "tests:\n",
        "tests:\n  second: {script: script.js, engine: k6, required_for: [{version: '>=2.0.0'}], objectives: {latency: {max: 1us}}}\n",
    );
    scene.run(&["run", "--release", "v1.0.0"]).exits(0);
    assert_eq!(scene.verdict()["test"], "peak");
    scene.run(&["run", "--release", "v2.1.0-rc.1"]).exits(1);
    assert_eq!(
        scene.json("peakgate-out/peak/verdict.json")["verdict"],
        "pass"
    );
    assert_eq!(
        scene.json("peakgate-out/second/verdict.json")["verdict"],
        "fail"
    );
    assert_eq!(scene.verdict()["test"], "second", "the deciding one");
    scene
        .run(&[
            "run",
            "--test",
            "peak",
            "--release",
            "v2.1.0",
            "--rehearsal",
            "3s",
        ])
        .says("also requires second");
}
