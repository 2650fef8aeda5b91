//! How runs end, well or badly: always with an account, never with a k6 left behind.

use std::time::Duration;

use peakgate_engine::testing::test_k6;
use peakgate_engine::{Engine, Live};
use peakgate_load::{ExitReason, StopCause};

use crate::support::{
    Bench, Outcome, alive, engine, gone, k6_in, k6_of, load_started, logged, target,
};

const FOREVER: &str = "import { sleep } from 'k6';
    export const options = { vus: 2, duration: '10m' };
    export default function () { if (__ITER < 3) console.log('round ' + __ITER); sleep(0.05); }
    export function teardown() { console.log('teardown ran'); }";

#[tokio::test]
async fn every_way_in_which_k6_ends() {
    type Check = fn(&ExitReason) -> bool;
    let cases: [(&str, i32, Check); 9] = [
        (
            "export const options = { thresholds: { iterations: ['count>5'] } }; export default function () {}",
            99,
            |e| *e == ExitReason::ThresholdsFailed,
        ),
        (
            "import { sleep } from 'k6';
             export const options = { duration: '30s', thresholds: { iterations: [{ threshold: 'count<1', abortOnFail: true }] } };
             export default function () { sleep(0.1); }",
            99,
            |e| *e == ExitReason::ThresholdAborted,
        ),
        (
            "import { sleep } from 'k6'; export const options = { setupTimeout: '200ms' };
             export function setup() { sleep(5); } export default function () {}",
            100,
            |e| *e == ExitReason::SetupTimeout,
        ),
        (
            "import { sleep } from 'k6'; export const options = { teardownTimeout: '200ms' };
             export function teardown() { sleep(5); } export default function () {}",
            101,
            |e| *e == ExitReason::TeardownTimeout,
        ),
        (
            "export function setup() { throw new Error('no users') } export default function () {}",
            107,
            |e| matches!(e, ExitReason::ScriptException(why) if why.contains("no users")),
        ),
        (
            "export function teardown() { throw new Error('left over') } export default function () {}",
            107,
            |e| matches!(e, ExitReason::ScriptException(why) if why.contains("left over")),
        ),
        (
            "import exec from 'k6/execution'; export default function () { exec.test.abort('enough') }",
            108,
            |e| matches!(e, ExitReason::AbortedByScript(why) if why.contains("enough")),
        ),
        (
            "import exec from 'k6/execution'; export default function () { exec.test.fail('bad') }",
            110,
            |e| *e == ExitReason::FailedByScript,
        ),
        (
            "export function setup() { return { f: () => 1, n: NaN } } export default function () {}",
            255,
            |e| matches!(e, ExitReason::CannotRun(_)),
        ),
    ];
    let version = peakgate_engine::k6::version::check(&test_k6())
        .await
        .unwrap();
    for (script, code, check) in cases {
        // k6 1.0 brought exec.test.fail().
        if code == 110 && version.major < 1 {
            continue;
        }
        let outcome = Bench::js(script).run().await;
        assert_eq!(
            outcome.account.exit_code,
            Some(code),
            "{script}: {outcome:?}"
        );
        assert!(check(&outcome.account.exit), "{script}: {outcome:?}");
    }
}

#[tokio::test]
async fn exceptions_in_iterations_are_counted() {
    for script in [
        "export const options = { vus: 3, iterations: 70 }; export default function () { throw new Error('boom') }",
        "import { fail } from 'k6'; export const options = { vus: 3, iterations: 70 }; export default function () { fail('boom') }",
        "export const options = { vus: 3, iterations: 70 }; export default async function () { await null; throw 'boom' }",
    ] {
        let outcome = Bench::js(script).run().await;
        // k6 itself sees nothing wrong.
        assert_eq!(outcome.account.exit, ExitReason::Completed);
        assert_eq!(outcome.account.iteration_exceptions, 70, "{outcome:?}");
        let note = &outcome.account.notes[0];
        assert!(
            note.times == 70 && note.message.contains("boom"),
            "{note:?}"
        );
    }
}

#[tokio::test]
async fn a_stop_is_orderly() {
    for live in [Live::Exact, Live::Light] {
        let mut bench = Bench::js(FOREVER);
        bench.request.live = live;
        let mut running = bench.start().await;
        load_started(&mut running).await;
        let pid = k6_of(&bench).await;
        assert!(alive(pid));
        // The second round, so that there is an iteration to account for.
        logged(&bench, "round 1").await;
        running.stop.stop(StopCause::Valve("errors".into()));
        running.stop.stop(StopCause::Valve("second".into()));
        let outcome = Outcome::of(&mut running).await;
        let expected = ExitReason::Stopped(StopCause::Valve("errors".into()));
        assert_eq!(outcome.account.exit, expected, "{outcome:?}");
        assert_eq!(outcome.account.exit_code, Some(105));
        assert!(bench.log().contains("teardown ran"), "{}", bench.log());
        assert!(outcome.value("iterations", "count") > 0.0);
        assert!(!alive(pid));
    }
}

#[tokio::test]
async fn a_stop_that_is_not_heeded_becomes_a_kill() {
    let bench = Bench::js(
        "import { sleep } from 'k6';
         export const options = { vus: 1, duration: '10m', teardownTimeout: '10m' };
         export default function () { console.log('iterating'); sleep(0.05); }
         export function teardown() { sleep(500); }",
    );
    let engine = engine().with_stop_grace(Duration::from_millis(500));
    let prepared = engine.prepare(bench.request.clone()).await.unwrap();
    let mut running = engine.start(&prepared).await.unwrap();
    load_started(&mut running).await;
    // k6 skips teardown() when it is stopped before the first iteration.
    logged(&bench, "iterating").await;
    running.stop.stop(StopCause::Interrupted("test".into()));
    let outcome = Outcome::of(&mut running).await;
    let expected = ExitReason::Stopped(StopCause::Interrupted("test".into()));
    assert_eq!(outcome.account.exit, expected);
    assert_eq!(outcome.account.exit_code, None);
    assert!(outcome.account.metrics.is_empty());
}

#[tokio::test]
async fn a_k6_that_is_killed_crashed() {
    for live in [Live::Exact, Live::Light] {
        let mut bench = Bench::js(FOREVER);
        bench.request.live = live;
        let mut running = bench.start().await;
        load_started(&mut running).await;
        kill(k6_of(&bench).await);
        let outcome = Outcome::of(&mut running).await;
        assert!(
            matches!(&outcome.account.exit, ExitReason::Crashed(why) if why.contains("signal 9")),
            "{outcome:?}"
        );
        assert!(outcome.account.metrics.is_empty());
    }
}

fn kill(pid: u32) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn dropping_the_run_kills_k6() {
    let bench = Bench::js(FOREVER);
    let mut running = bench.start().await;
    load_started(&mut running).await;
    let pid = k6_of(&bench).await;
    drop(running);
    gone(pid).await;
}

/// A consumer that takes nothing neither hangs the run nor loses its account.
#[tokio::test]
async fn the_deadline_ends_what_does_not_end() {
    let bench = Bench::js(
        "import { sleep } from 'k6';
         export const options = { scenarios: { a: { executor: 'shared-iterations', iterations: 1, maxDuration: '1s', gracefulStop: '0s' } }, setupTimeout: '10m', teardownTimeout: '0s' };
         export function setup() { sleep(300); } export default function () {}",
    );
    let engine = engine()
        .with_slack(Duration::ZERO)
        .with_stop_grace(Duration::from_secs(2));
    let mut prepared = engine.prepare(bench.request.clone()).await.unwrap();
    assert_eq!(prepared.margin, Duration::from_secs(600));
    prepared.margin = Duration::from_secs(1);
    let running = engine.start(&prepared).await.unwrap();
    let account = tokio::time::timeout(Duration::from_secs(60), running.account)
        .await
        .unwrap()
        .unwrap();
    assert!(
        matches!(account.exit, ExitReason::Stopped(StopCause::Deadline(_))),
        "{account:?}"
    );
}

#[tokio::test]
async fn requests_to_other_hosts_end_the_run() {
    for live in [Live::Exact, Live::Light] {
        let address = target().await;
        // The address is loopback, but not one that is allowed.
        let mut bench = Bench::js(
            "import http from 'k6/http'; import { sleep } from 'k6';
             export const options = { vus: 1, duration: '10m' };
             export default function () { http.get(`http://localhost:${__ENV.PORT}/ok`); sleep(0.1); }",
        )
        .env("PORT", &address.port());
        bench.request.live = live;
        let outcome = bench.run().await;
        let ExitReason::Stopped(StopCause::ForbiddenTarget(told)) = &outcome.account.exit else {
            panic!("{outcome:?}");
        };
        assert!(told.starts_with("http://localhost"), "{told}");
    }
}

#[tokio::test]
async fn metadata_services_cannot_be_reached() {
    let bench = Bench::js(
        "import http from 'k6/http';
         export default function () { http.get('http://169.254.169.254/latest/meta-data/', { timeout: '5s' }); }",
    );
    let outcome = bench.run().await;
    let blocked = |n: &peakgate_load::LogNote| n.message.contains("blacklisted");
    assert!(outcome.account.notes.iter().any(blocked), "{outcome:?}");
}

/// The gate of the test below, in a process of its own.
#[tokio::test]
#[ignore = "started by the_gates_death_is_k6s_death"]
async fn gate_that_is_killed() {
    let Some(script) = std::env::var_os("PEAKGATE_TEST_SCRIPT") else {
        return;
    };
    let mut bench = Bench::js("");
    bench.request.script = script.into();
    let mut running = bench.start().await;
    let outcome = Outcome::of(&mut running).await;
    panic!("the run was to last: {outcome:?}");
}

#[tokio::test]
async fn the_gates_death_is_k6s_death() {
    let bench = Bench::js(FOREVER);
    let folder = bench.dir.path().join("tmp");
    std::fs::create_dir(&folder).unwrap();
    let mut gate = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "endings::gate_that_is_killed"])
        .env("PEAKGATE_TEST_SCRIPT", &bench.request.script)
        // Its folder, and so its k6, can be told from others by this.
        .env("TMPDIR", &folder)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let k6 = k6_in(&folder).await;
    gate.kill().unwrap();
    gate.wait().unwrap();
    gone(k6).await;
}
