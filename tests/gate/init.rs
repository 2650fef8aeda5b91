//! `peakgate init` and `peakgate check`.

use crate::support::{POLICY, Scene};

#[test]
fn a_first_policy_comes_from_the_scripts_that_are_there() {
    let scene = Scene::empty();
    scene.write(
        "load/peak-load-test.js",
        "import http from 'k6/http';
export const options = { vus: 5, duration: '1m', thresholds: { http_req_duration: ['p(95)<600'], http_req_failed: ['rate<0.005'] } };
export default function () { http.get(`${__ENV.BASE_URL}/`); }",
    );
    scene.write("load/lib/helper.js", "export const a = 1;");
    scene.write(
        "node_modules/x/k6.js",
        "import http from 'k6/http'; export default () => {};",
    );
    scene
        .run(&["init", "--service", "shop"])
        .exits(0)
        .says("load/peak-load-test.js");
    let text = std::fs::read_to_string(scene.path().join("peakgate.yaml")).unwrap();
    assert!(text.contains("600ms") && text.contains("0.5%"), "{text}");
    assert!(
        !text.contains("node_modules") && !text.contains("helper"),
        "{text}"
    );
    scene.run(&["check"]).exits(0).says("peak");
    scene.run(&["init"]).exits(2).says("there already");
    scene.run(&["init", "--force"]).exits(0);
    // What it wrote is YAML for others, too.
    let _: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
}

#[test]
fn nothing_to_start_from_is_said() {
    Scene::empty().run(&["init"]).exits(2).says("no k6 script");
}

#[test]
fn check_accepts_the_reference_policy() {
    let scene = Scene::empty();
    let policy = format!("{}/examples/peakgate.yaml", env!("CARGO_MANIFEST_DIR"));
    scene
        .run(&["check", &policy])
        .exits(0)
        .says("peak")
        .says("stress");
}

#[test]
fn check_refuses_what_can_never_be_measured() {
    let scene = Scene::empty();
    scene.write(
        "script.js",
        "import http from 'k6/http'; import { check } from 'k6'; import { Trend } from 'k6/metrics';
const t = new Trend('checkout_time', true);
export default function () { check(http.get('http://127.0.0.1/'), { 'is fine': (r) => r.status === 200 }); t.add(1); }",
    );
    let with = |objective: &str| {
        scene.write(
            "peakgate.yaml",
            &POLICY.replace("{metric: checks, statistic: rate, min: 99%}", objective),
        );
        scene.run(&["check"])
    };
    with("{metric: checkout_time, statistic: p(95), max: 1s}").exits(0);
    with("{metric: checkout_tme, statistic: p(95), max: 1s}")
        .exits(2)
        .says("peakgate.yaml:10:")
        .says("checkout_time");
    with("{metric: checkout_time, statistic: rate, max: 1%}")
        .exits(2)
        .says("as a Trend");
    with("{metric: checks, statistic: rate, min: 99%, select: {check: is fin}}")
        .exits(2)
        .says("is fine");
    let text = std::fs::read_to_string(scene.path().join("script.js")).unwrap();
    scene.write(
        "script.js",
        &text.replace("http://127.0.0.1/", "https://evil.example/x"),
    );
    with("{metric: checks, statistic: rate, min: 99%}")
        .exits(2)
        .says("evil.example");
}

#[test]
fn schemas_are_printed_as_they_are_checked_in() {
    let scene = Scene::empty();
    for of in ["policy", "verdict"] {
        let printed = scene.run(&["schema", of]).exits(0).out;
        let path = format!("{}/schemas/{of}.schema.json", env!("CARGO_MANIFEST_DIR"));
        assert_eq!(printed, std::fs::read_to_string(path).unwrap());
    }
}
