//! Signals and kills: the right exit code, no orphan, the record whole.

use std::process::Child;

use crate::support::{ASK, Done, Scene, eventually, one_load, processes};
use rustix::process::{Pid, Signal, kill_process};

fn long(scene: &Scene) {
    scene.script("{ vus: 2, duration: '120s' }", ASK);
}

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// k6 processes that work for this scene: their scratch folder is in the scene's.
fn engines(scene: &Scene) -> Vec<u32> {
    let own = std::process::id();
    processes(&scene.path().display().to_string())
        .into_iter()
        .filter(|pid| *pid != own)
        .filter(|pid| {
            std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.ends_with("k6"))
        })
        .collect()
}

fn running(scene: &Scene) -> Child {
    long(scene);
    let child = scene.spawn(&["run"]);
    eventually("k6 makes load", || {
        engines(scene).iter().any(|pid| {
            // Its second thread of life: `run`, not `inspect`.
            std::fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.split(|b| *b == 0).any(|arg| arg == b"run"))
        })
    });
    std::thread::sleep(std::time::Duration::from_secs(3));
    child
}

fn finish(child: Child) -> Done {
    Done::from(child.wait_with_output().unwrap())
}

#[test]
fn sigint_and_sigterm_stop_in_order_and_are_on_record() {
    let _one = one_load();
    for (sent, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let scene = Scene::new();
        let child = running(&scene);
        signal(child.id(), sent);
        finish(child).exits(code).says("interrupted");
        assert_eq!(engines(&scene), Vec::<u32>::new());
        let v = scene.verdict();
        assert_eq!(v["verdict"], "inconclusive");
        assert!(
            v["load"]["requests"].as_u64().unwrap() > 0,
            "what was measured is kept"
        );
        scene
            .run(&["history", "list"])
            .exits(0)
            .says("inconclusive");
    }
}

#[test]
fn a_signal_before_the_load_ends_it_too() {
    let scene = Scene::new();
    long(&scene);
    let child = scene.spawn(&["run"]);
    std::thread::sleep(std::time::Duration::from_millis(60));
    signal(child.id(), Signal::INT);
    // Either before the signal handler is set (killed by the signal) or by the handler.
    let done = finish(child);
    assert!(matches!(done.code, Some(130) | None), "{done:?}");
    eventually("no k6 is left", || engines(&scene).is_empty());
}

#[test]
fn k6_killed_mid_run_is_an_error() {
    let _one = one_load();
    let scene = Scene::new();
    let child = running(&scene);
    for pid in engines(&scene) {
        signal(pid, Signal::KILL);
    }
    finish(child).exits(4).says("the engine died");
    assert_eq!(scene.verdict()["verdict"], "error");
}

#[test]
fn a_killed_gate_leaves_no_k6_and_a_whole_history() {
    let _one = one_load();
    let scene = Scene::new();
    let child = running(&scene);
    signal(child.id(), Signal::KILL);
    assert_eq!(finish(child).code, None);
    eventually("k6 is gone", || engines(&scene).is_empty());
    // The run that never ended is on record as that, and the next one works.
    scene.run(&["history", "list"]).exits(0).says("interrupted");
    scene.script("{ vus: 5, duration: '4s' }", ASK);
    scene.run(&["run"]).exits(0);
}
