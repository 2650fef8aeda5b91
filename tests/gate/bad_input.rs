//! Bad input: one clear error, the right exit code, nothing lost, nothing left running.

use crate::support::{ASK, POLICY, Scene, one_load, processes};

/// The line of the usual policy that a script without checks cannot feed.
const CHECKS: &str = "  checks: {metric: checks, statistic: rate, min: 99%}\n";

#[test]
fn all_policy_errors_come_at_once_with_their_places() {
    let scene = Scene::new();
    scene.write(
        "peakgate.yaml",
        &POLICY
            .replace("max: 500ms", "max: 500%")
            .replace(
                "service: shop",
                "servce: shop\nservice: shop\nservice: shop",
            )
            .replace("engine: k6", "engine: k7"),
    );
    scene
        .run(&["run"])
        .exits(2)
        .says("peakgate.yaml:2:1: error[unknown-key]")
        .says("service")
        .says("error[duplicate-key]")
        .says("500%")
        .says("k7");
}

#[test]
fn unset_variables_are_named() {
    let scene = Scene::new();
    let done = crate::support::Done::from(
        scene
            .command(&["check"])
            .env_remove("BASE_URL")
            .output()
            .unwrap(),
    );
    done.exits(2).says("BASE_URL").says("unset-variable");
}

#[test]
fn huge_policies_and_bombs_are_refused_quickly() {
    let scene = Scene::empty();
    scene.run(&["check"]).exits(2).says("peakgate init");
    scene.write("peakgate.yaml", &"# filler\n".repeat(1_200_000));
    scene.run(&["check"]).exits(2).says("too-large");
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..12 {
        bomb += &format!(
            "a{i}: &a{i} [{}]\n",
            vec![format!("*a{}", i - 1); 10].join(", ")
        );
    }
    scene.write("peakgate.yaml", &bomb);
    scene.run(&["check"]).exits(2).says("too-many-values");
    std::fs::write(scene.path().join("peakgate.yaml"), [0xff, 0xfe, 0]).unwrap();
    scene.run(&["check"]).exits(2).says("UTF-8");
}

#[test]
fn missing_and_broken_scripts_are_named() {
    let scene = Scene::new();
    std::fs::remove_file(scene.path().join("script.js")).unwrap();
    scene
        .run(&["run"])
        .exits(2)
        .says("script.js")
        .says("peakgate.yaml:13:");
    scene.write("script.js", "export default function ( {");
    scene.run(&["run"]).exits(2).says("script.js:1:");
    scene.script("{}", "import './nowhere.js'");
    scene.run(&["run"]).exits(2);
}

#[test]
fn a_script_that_throws_at_load_is_an_error() {
    let scene = Scene::new();
    scene.policy(CHECKS, "");
    scene.write(
        "script.js",
        "throw new Error('no such luck'); export default function () {}",
    );
    scene.run(&["run"]).exits(4).says("no such luck");
    assert_eq!(scene.verdict()["verdict"], "error");
    // Also on record.
    scene
        .run(&["history", "list"])
        .exits(0)
        .says("no such luck");
}

#[test]
fn a_script_that_throws_in_every_iteration_never_passes() {
    let _one = one_load();
    let scene = Scene::new();
    scene.script(
        "{ vus: 3, duration: '3s' }",
        &format!("{ASK}\n throw new Error('boom');"),
    );
    scene.run(&["run"]).exits(4).says("boom");
}

#[test]
fn a_metric_that_never_appears_is_inconclusive() {
    let _one = one_load();
    let scene = Scene::new();
    let text = std::fs::read_to_string(scene.path().join("script.js")).unwrap();
    scene.write(
        "script.js",
        &format!(
            "import {{ Trend }} from 'k6/metrics';\nconst t = new Trend('never');\n{text}\nfunction unused() {{ t.add(1); }}"
        ),
    );
    scene.policy(
        "{metric: checks, statistic: rate, min: 99%}",
        "{metric: never, statistic: avg, max: 1}",
    );
    scene.run(&["run"]).exits(3).says("no samples");
}

#[test]
fn targets_that_cannot_be_reached_are_errors() {
    let scene = Scene::new();
    let at = |url: &str| {
        crate::support::Done::from(
            scene
                .command(&["run"])
                .env("BASE_URL", url)
                .output()
                .unwrap(),
        )
    };
    at("http://127.0.0.1:1").exits(4).says("cannot be reached");
    scene.policy("[127.0.0.1]", "['*.invalid']");
    at("http://no-such-host.invalid")
        .exits(4)
        .says("cannot be reached");
    // Outside the list, or never allowed: refused before anything is done.
    at("http://127.0.0.1:1").exits(2).says("allowed");
    at("http://169.254.169.254")
        .exits(2)
        .says("169.254.169.254");
}

#[test]
fn a_request_to_a_forbidden_host_stops_the_run() {
    let _one = one_load();
    let scene = Scene::new();
    scene.policy(CHECKS, "");
    scene.script(
        "{ vus: 1, duration: '30s' }",
        "http.get(__ENV.BASE_URL.replace('127.0.0.1', 'localhost') + '/api/v1/config'); sleep(0.05);",
    );
    scene
        .run(&["run"])
        .exits(4)
        .says("localhost")
        .says("allowed_hosts");
}

#[test]
fn k6_that_is_missing_or_too_old_is_an_error() {
    let scene = Scene::new();
    let with = |k6: &std::path::Path| {
        crate::support::Done::from(
            scene
                .command(&["run"])
                .env("PEAKGATE_K6", k6)
                .output()
                .unwrap(),
        )
    };
    with(&scene.path().join("nowhere"))
        .exits(4)
        .says("no program at");
    scene.write(
        "old/k6",
        "#!/bin/sh\necho 'k6 v0.30.0 (go1.15, linux/amd64)'\n",
    );
    let old = scene.path().join("old/k6");
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o755)).unwrap();
    with(&old).exits(4).says("0.30.0");
}

#[test]
fn history_that_is_corrupt_is_left_as_it_is_and_nothing_runs() {
    let scene = Scene::new();
    scene.write("h.db", "this is no database, and somebody may want it back");
    scene
        .run(&["run", "--history", "h.db"])
        .exits(4)
        .says("h.db");
    assert_eq!(
        std::fs::read_to_string(scene.path().join("h.db")).unwrap(),
        "this is no database, and somebody may want it back"
    );
    assert!(!scene.path().join("peakgate-out/verdict.json").exists());
}

#[test]
fn an_output_folder_that_cannot_be_written_is_found_before_the_load() {
    let scene = Scene::new();
    scene.write("taken", "a file");
    scene.run(&["run", "--out", "taken"]).exits(4).says("taken");
}

/// A tiny file system of its own, where the machine lets the test mount one.
struct Tiny(std::path::PathBuf);

impl Tiny {
    fn mount(at: std::path::PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&at).ok()?;
        let done = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
            .arg(&at)
            .output()
            .ok()?;
        done.status.success().then_some(Self(at))
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).output();
    }
}

#[test]
fn a_full_disk_under_out_loses_nothing_else() {
    let _one = one_load();
    let scene = Scene::new();
    let Some(tiny) = Tiny::mount(scene.path().join("tiny")) else {
        eprintln!("not tested: this machine does not let the test mount a file system");
        return;
    };
    // Room for a name, not for a verdict.
    std::fs::write(tiny.0.join("filler"), vec![0; 56 * 1024]).unwrap();
    let done = scene.run(&["run", "--out", "tiny"]);
    let done = done.exits(4).says("cannot write");
    assert!(
        done.out.contains("PASS"),
        "the verdict is shown all the same: {}",
        done.out
    );
    assert!(!tiny.0.join("verdict.json").exists(), "half a verdict");
    // The run is on record, whole.
    scene.run(&["history", "list"]).exits(0).says("pass");
}

#[test]
fn wrong_command_lines_are_usage_errors() {
    let scene = Scene::new();
    scene
        .run(&["run", "--test", "paek"])
        .exits(2)
        .says("it has peak");
    scene
        .run(&["run", "--rehearsal", "soon"])
        .exits(2)
        .says("30s");
    scene
        .run(&["run", "-e", "nonsense"])
        .exits(2)
        .says("KEY=VALUE");
    scene.run(&["fly"]).exits(2);
    scene.run(&["--help"]).exits(0).says("Exit codes");
    scene.policy(", required_for: [{release: any}]", "");
    scene.run(&["run"]).exits(2).says("requires no test");
    assert_eq!(
        processes(&scene.path().display().to_string()),
        Vec::<u32>::new()
    );
}
