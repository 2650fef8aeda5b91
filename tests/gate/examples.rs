//! The five example scripts on the real k6, each rehearsed in its own shape.

use crate::support::{Scene, one_load};
use peakgate_demo::Mode;

fn rehearse(test: &str, vus: f64) {
    let _one = one_load();
    let scene = Scene::empty().with_server(Mode::Healthy);
    let policy = format!("{}/examples/peakgate.yaml", env!("CARGO_MANIFEST_DIR"));
    let done = scene.run(&[
        "run",
        "--policy",
        &policy,
        "--test",
        test,
        "--rehearsal",
        "10s",
    ]);
    let v = scene.verdict();
    // On a machine that is busy with other things the honest answer may be "inconclusive: the
    // generator"; a failure of the script, the plan or the policy may not hide behind it.
    assert!(
        done.code == Some(0) || v["reason"].to_string().contains("the load generator"),
        "{test}: {}\n{}",
        v["reason"],
        done.err
    );
    assert_eq!(v["account"]["exit"]["kind"], "completed", "{v:#}");
    assert_eq!(v["account"]["iteration_exceptions"], 0);
    let most = v["load"]["max_vus"].as_f64().unwrap();
    assert!(
        most >= vus * 0.9 && most <= vus,
        "{test}: {most} of {vus} users"
    );
    assert!(v["load"]["requests"].as_u64().unwrap() > 50);
}

#[test]
fn baseline() {
    rehearse("baseline", 50.0);
}

#[test]
fn peak() {
    rehearse("peak", 500.0);
}

#[test]
fn spike() {
    rehearse("spike", 1000.0);
}

#[test]
fn soak() {
    rehearse("soak", 200.0);
}

#[test]
fn stress() {
    rehearse("stress", 2000.0);
}
