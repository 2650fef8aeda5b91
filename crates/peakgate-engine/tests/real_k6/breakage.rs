//! What breaks between k6 and the gate: the pipe, the summary, the log, k6 itself. Each k6 here is
//! a shell program; most of them run the real one and then spoil something.

use std::path::Path;
use std::time::{Duration, Instant};

use peakgate_engine::k6::K6Engine;
use peakgate_engine::testing::test_k6;
use peakgate_engine::{Engine, Live, Running};
use peakgate_load::{ExitReason, StopCause};

use crate::support::{Bench, Outcome, alive, gone, k6_of, load_started, read};

const FOREVER: &str = "import { sleep } from 'k6';
    export const options = { vus: 2, duration: '10m' };
    export default function () { sleep(0.05); }";
const SHORT: &str = "import { sleep } from 'k6';
    export const options = { vus: 2, duration: '1500ms' };
    export default function () { sleep(0.02); }";

/// Makes a k6 that does as the real one except for `run`. The shell's variables: `K6`, the real
/// one; `PIPE`, `WRAPPER`, `SUMMARY`, `MARKER` of the run; `DIR`, the bench's folder.
pub(crate) fn k6_that(bench: &Bench, run: &str) -> K6Engine {
    let path = bench.dir.path().join("k6");
    let text = format!(
        r#"#!/bin/sh
PATH=/usr/bin:/bin
K6='{k6}'
DIR='{dir}'
[ "$1" = run ] || exec "$K6" "$@"
for WRAPPER; do case "$WRAPPER" in json=*) PIPE="${{WRAPPER#json=}}" ;; esac; done
SUMMARY=$(sed -n 's/^const summaryFile = "\(.*\)";$/\1/p' "$WRAPPER")
MARKER=$(sed -n 's/^const marker = "\(.*\)";$/\1/p' "$WRAPPER")
started() {{ echo "{{\"level\":\"info\",\"msg\":\"${{MARKER}}start 1790000000000\"}}" >&2; }}
{run}
"#,
        k6 = test_k6().display(),
        dir = bench.dir.path().display(),
    );
    // By a process of its own: a program that another thread's child inherited while it was open
    // for writing cannot be run.
    let written = std::process::Command::new("/bin/sh")
        .args(["-c", r#"printf %s "$1" > "$0" && chmod +x "$0""#])
        .arg(&path)
        .arg(&text)
        .status()
        .unwrap();
    assert!(written.success());
    K6Engine::new(path)
}

async fn start(engine: &K6Engine, bench: &Bench) -> Running {
    let prepared = engine.prepare(bench.request.clone()).await.unwrap();
    engine.start(&prepared).await.unwrap()
}

pub(crate) async fn run(engine: &K6Engine, bench: &Bench) -> Outcome {
    Outcome::of(&mut start(engine, bench).await).await
}

pub(crate) fn broken<'a>(outcome: &'a Outcome, why: &str) -> &'a str {
    match &outcome.account.exit {
        ExitReason::StreamBroken(told) if told.contains(why) => told,
        _ => panic!("'{why}' was expected: {outcome:?}"),
    }
}

fn noted(outcome: &Outcome, text: &str) {
    let found = outcome
        .account
        .notes
        .iter()
        .any(|n| n.message.contains(text));
    assert!(found, "'{text}' was expected: {:?}", outcome.account);
}

fn number(path: &Path) -> u32 {
    read(path).trim().parse().unwrap()
}

#[tokio::test]
async fn half_a_line_garbage_and_a_zero_exit_are_no_success() {
    let bench = Bench::js(SHORT);
    let fake = k6_that(
        &bench,
        r#"started
           { printf '{"metric":"iterations","type":"Po\n\000\377 rubbish\n{}\n'; printf '{"metric":"iter'; } > "$PIPE"
           exit 0"#,
    );
    let outcome = run(&fake, &bench).await;
    assert_eq!(outcome.account.exit_code, Some(0));
    broken(&outcome, "k6 left no summary");
}

/// Every line that arrived is whole and there is a summary: only the numbers tell.
#[tokio::test]
async fn a_stream_that_lost_lines_does_not_pass_for_whole() {
    let bench = Bench::js(SHORT);
    let lossy = k6_that(
        &bench,
        r#"mv "$PIPE" "$PIPE.2"; mkfifo "$PIPE"
           sed '/"metric":"iterations","type":"Point"/{20,60d}' < "$PIPE" > "$PIPE.2" &
           "$K6" "$@"; code=$?
           wait; exit $code"#,
    );
    let outcome = run(&lossy, &bench).await;
    assert_eq!(outcome.account.exit_code, Some(0), "{outcome:?}");
    broken(&outcome, "iterations, k6's own account");
}

/// The pipe breaks under the real k6, which runs on: it must not do so unseen.
#[tokio::test]
async fn a_pipe_that_breaks_ends_the_run() {
    for (spoil, why) in [
        // Cut off in mid-line, some samples into the run.
        (
            r#"mv "$PIPE" "$PIPE.2"; mkfifo "$PIPE"
               head -c 9000 < "$PIPE" > "$PIPE.2" &
               exec "$K6" "$@""#,
            "k6 told nothing more",
        ),
        // k6 makes a file of the name then.
        (r#"rm "$PIPE"; exec "$K6" "$@""#, "did not open the pipe"),
    ] {
        let bench = Bench::js(FOREVER);
        let engine = k6_that(&bench, spoil).with_patience(64, Duration::from_secs(1));
        let mut running = start(&engine, &bench).await;
        load_started(&mut running).await;
        let pid = k6_of(&bench).await;
        let outcome = Outcome::of(&mut running).await;
        broken(&outcome, why);
        // It was asked to stop, not killed, so that its own figures are there.
        assert_eq!(outcome.account.exit_code, Some(105), "{outcome:?}");
        assert!(!alive(pid));
    }
}

#[tokio::test]
async fn a_consumer_that_takes_nothing_ends_the_run() {
    let bench = Bench::js(FOREVER);
    let engine = K6Engine::new(test_k6()).with_patience(1, Duration::from_secs(1));
    let mut running = start(&engine, &bench).await;
    let asked = Instant::now();
    let account = tokio::time::timeout(Duration::from_secs(60), &mut running.account).await;
    let account = account.unwrap().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(40));
    assert_eq!(
        account.exit,
        ExitReason::StreamBroken("nobody took the live figures".into())
    );
    // What did arrive can still be had, and then the events end.
    assert!(running.events.recv().await.is_some());
    assert!(running.events.recv().await.is_none());
}

/// k6 comes to its end by itself, or is stopped, while all places are full.
#[tokio::test]
async fn a_run_that_ends_with_nobody_listening_has_its_account() {
    for (live, stop) in [
        (Live::Exact, true),
        (Live::Exact, false),
        (Live::Light, false),
    ] {
        let mut bench = Bench::js(
            "import { sleep } from 'k6';
             export const options = { vus: 1, duration: '4s' };
             export default function () { sleep(0.05); }",
        );
        bench.request.live = live;
        let engine = K6Engine::new(test_k6()).with_patience(1, Duration::from_secs(2));
        let mut running = start(&engine, &bench).await;
        if stop {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            running.stop.stop(StopCause::Interrupted("test".into()));
        }
        let account = tokio::time::timeout(Duration::from_secs(60), &mut running.account).await;
        let account = account.unwrap().unwrap();
        if stop {
            assert!(
                matches!(account.exit, ExitReason::Stopped(_)),
                "{account:?}"
            );
        } else {
            assert!(
                matches!(account.exit, ExitReason::StreamBroken(_)),
                "{account:?}"
            );
        }
        let told = |n: &peakgate_load::LogNote| n.message.contains("nobody took");
        assert!(
            !stop || account.notes.iter().any(told),
            "{live:?}: {account:?}"
        );
        // k6's own figures are whole.
        assert!(account.metrics.iter().any(|m| m.name == "iterations"));
    }
}

#[tokio::test]
async fn a_k6_that_heeds_no_signal_is_killed() {
    let bench = Bench::js(SHORT);
    let deaf = k6_that(
        &bench,
        r#"trap '' INT TERM; exec 3> "$PIPE"; started; while :; do sleep 1; done"#,
    )
    .with_stop_grace(Duration::from_millis(300));
    let mut running = start(&deaf, &bench).await;
    load_started(&mut running).await;
    let pid = k6_of(&bench).await;
    let asked = Instant::now();
    running.stop.stop(StopCause::Valve("errors".into()));
    let outcome = Outcome::of(&mut running).await;
    assert!(
        asked.elapsed() < Duration::from_secs(10),
        "{:?}",
        asked.elapsed()
    );
    let expected = ExitReason::Stopped(StopCause::Valve("errors".into()));
    assert_eq!(outcome.account.exit, expected);
    assert_eq!(outcome.account.exit_code, None);
    assert!(!alive(pid));
}

#[tokio::test]
async fn what_k6_started_goes_with_it() {
    for end in ["exit 0", "while :; do sleep 1; done"] {
        let bench = Bench::js(SHORT);
        let parent = k6_that(
            &bench,
            &format!(
                r#"exec 3> "$PIPE"; (trap '' INT TERM; sleep 300 & echo $! > "$DIR/pid"; wait) &
                   while [ ! -s "$DIR/pid" ]; do sleep 0.02; done; started; {end}"#
            ),
        )
        .with_stop_grace(Duration::from_millis(300));
        let mut running = start(&parent, &bench).await;
        load_started(&mut running).await;
        let grandchild = number(&bench.dir.path().join("pid"));
        running.stop.stop(StopCause::Interrupted("test".into()));
        Outcome::of(&mut running).await;
        gone(grandchild).await;
    }
}

/// A process that left k6's group cannot be killed with it, but does not hold the run up either,
/// though it holds the pipe and both outputs open.
#[tokio::test]
async fn an_escaped_process_holds_nothing_up() {
    let bench = Bench::js(SHORT);
    let parent = k6_that(
        &bench,
        r#"exec 3> "$PIPE"; setsid sh -c 'echo $$ > "$0/pid"; exec sleep 120' "$DIR" &
           while [ ! -s "$DIR/pid" ]; do sleep 0.02; done; started; exit 3"#,
    );
    let asked = Instant::now();
    let outcome = run(&parent, &bench).await;
    assert!(
        asked.elapsed() < Duration::from_secs(40),
        "{:?}",
        asked.elapsed()
    );
    assert_eq!(outcome.account.exit_code, Some(3));
    assert!(matches!(outcome.account.exit, ExitReason::Crashed(_)));
    let escaped = number(&bench.dir.path().join("pid"));
    assert!(alive(escaped), "it was to outlive the run");
    let escaped = rustix::process::Pid::from_raw(escaped.try_into().unwrap()).unwrap();
    rustix::process::kill_process(escaped, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_summary_that_is_cut_off_is_no_success() {
    let bench = Bench::js(SHORT);
    let cut = k6_that(
        &bench,
        r#""$K6" "$@"; code=$?
           head -c 300 "$SUMMARY" > "$DIR/cut"; mv "$DIR/cut" "$SUMMARY"; exit $code"#,
    );
    let outcome = run(&cut, &bench).await;
    assert_eq!(outcome.account.exit_code, Some(0));
    broken(&outcome, "k6's summary cannot be read");
    noted(&outcome, "k6's summary cannot be read");
    assert!(outcome.account.metrics.is_empty());
    assert!(outcome.sum("iterations") > 0.0);
}

#[tokio::test]
async fn figures_that_are_no_numbers_stay_missing() {
    let bench = Bench::js(
        "import { Trend } from 'k6/metrics'; const t = new Trend('my_trend');
         export const options = { iterations: 3 };
         export default function () { t.add(NaN); t.add(Infinity); t.add(1); }",
    );
    let outcome = run(&K6Engine::new(test_k6()), &bench).await;
    assert_eq!(outcome.account.exit, ExitReason::Completed, "{outcome:?}");
    let values = &outcome.metric("my_trend").values;
    assert!(
        !values.contains_key("max") && !values.contains_key("avg"),
        "{values:?}"
    );
    noted(&outcome, "no number for max of my_trend");
    noted(&outcome, "invalid value for metric 'my_trend'");
    // k6 drops NaN itself and hands infinity on.
    let lost: u64 = outcome.windows.iter().map(|w| w.lost.not_finite).sum();
    assert_eq!(lost, 3);
    assert_eq!(outcome.histogram("my_trend").count(), 3);
}

/// What the options or the files are may change between the look at a script and its run.
#[tokio::test]
async fn k6_refuses_at_the_start_what_it_took_before() {
    let bench = Bench::js(SHORT);
    let engine = K6Engine::new(test_k6());
    let prepared = engine.prepare(bench.request.clone()).await.unwrap();
    let wrong = "export const options = { scenarios: { a: { executor: 'shared-iterations', exec: 'nope' } } };
         export default function () {}";
    std::fs::write(&bench.request.script, wrong).unwrap();
    let outcome = Outcome::of(&mut engine.start(&prepared).await.unwrap()).await;
    assert_eq!(outcome.account.exit_code, Some(104), "{outcome:?}");
    assert!(
        matches!(&outcome.account.exit, ExitReason::BadConfig(why) if why.contains("nope")),
        "{outcome:?}"
    );
    let without = k6_that(&bench, r#"rm "$WRAPPER"; exec "$K6" "$@""#);
    let outcome = Outcome::of(&mut without.start(&prepared).await.unwrap()).await;
    assert_eq!(outcome.account.exit_code, Some(255), "{outcome:?}");
    assert!(
        matches!(&outcome.account.exit, ExitReason::CannotRun(why) if why.contains("run-")),
        "{outcome:?}"
    );
}

/// Resident memory of this process in bytes.
fn resident() -> usize {
    let pages = read("/proc/self/statm".as_ref());
    let pages: usize = pages.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * rustix::param::page_size()
}

#[tokio::test]
async fn a_flood_of_log_lines_is_bounded() {
    let bench = Bench::js(SHORT);
    // 100 MB, every line another.
    let chatty = k6_that(
        &bench,
        r#"exec 3> "$PIPE"; started
           seq -f '{"level":"error","source":"console","msg":"line %09.0f AAAA"}' 1 50000 \
             | sed "s/AAAA/$(head -c 1950 /dev/zero | tr '\0' x)/" >&2
           exit 0"#,
    );
    let before = resident();
    let mut running = start(&chatty, &bench).await;
    let watch = tokio::spawn(async move {
        let mut most = 0;
        loop {
            most = most.max(resident());
            tokio::time::sleep(Duration::from_millis(20)).await;
            if most > before + (64 << 20) {
                return most;
            }
        }
    });
    let outcome = Outcome::of(&mut running).await;
    assert!(!watch.is_finished(), "the log fills the memory");
    watch.abort();
    broken(&outcome, "");
    let size = std::fs::metadata(bench.dir.path().join("out/k6.log"))
        .unwrap()
        .len();
    assert!((19 << 20..(20 << 20) + 100).contains(&size), "{size}");
    assert!(outcome.account.notes.len() <= 50);
    let times: u64 = outcome.account.notes.iter().map(|n| n.times).sum();
    assert!(times >= 50_000, "{times}");
}
