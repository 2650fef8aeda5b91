//! A process killed at any point leaves the history whole: nothing that it was told is recorded is
//! lost, and what it had begun shows as interrupted.

// The lint knows test functions only, not their helpers.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{run, start_of};
use peakgate_history::{History, Prune, RunFilter, RunId, RunRecord, RunState, Verdict};

const FILE: &str = "PEAKGATE_HISTORY_CRASH_TEST_FILE";
const KILLS: u64 = 45;

/// The run of that name; what it holds follows from the name, so that it can be checked later.
fn record_of(run_id: RunId) -> RunRecord {
    let mut record = run(0, Verdict::Pass);
    record.started_at = jiff::Timestamp::UNIX_EPOCH;
    record.run_id = run_id;
    record.verdict_json = format!("{{\"run\":\"{run_id}\"}}");
    // Digits that do not pack well, so that the write-ahead log is also folded in while writing.
    let mut state = run_id
        .to_string()
        .bytes()
        .fold(17u64, |s, b| s.wrapping_mul(31).wrapping_add(u64::from(b)));
    let mut evidence = String::new();
    for _ in 0..6000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        evidence.push_str(&format!("{:08x}", state >> 32));
    }
    record.evidence_json = Some(evidence);
    record
}

/// Writes runs until it is killed, and says each step on standard output once it is recorded.
#[test]
#[ignore = "the child of `killed_at_any_point_it_stays_whole`; does nothing on its own"]
fn child_that_is_killed() {
    let Some(path) = std::env::var_os(FILE) else {
        return;
    };
    let mut out = std::io::stdout();
    let history = History::open(path).unwrap();
    for round in 0..u64::MAX {
        let record = record_of(RunId::generate());
        history.begin(&start_of(&record)).unwrap();
        writeln!(out, "\nbegun {}", record.run_id).unwrap();
        history.finish(&record).unwrap();
        writeln!(out, "\nfinished {}", record.run_id).unwrap();
        if round % 16 == 7 {
            let void = record.run_id.to_string();
            history.invalidate(&void, "crash test").unwrap();
            writeln!(out, "\ninvalidated {void}").unwrap();
        }
        if round % 16 == 15 {
            // A run that was never reported goes, and the file is packed anew.
            let mut old = run(0, Verdict::Fail);
            old.started_at = jiff::Timestamp::UNIX_EPOCH - jiff::SignedDuration::from_hours(2);
            history.finish(&old).unwrap();
            let rule = Prune {
                older_than: Some(jiff::Timestamp::UNIX_EPOCH - jiff::SignedDuration::from_hours(1)),
                ..Prune::default()
            };
            let pruned = history.prune(&rule).unwrap();
            assert!(pruned.removed.contains(&old.run_id));
        }
    }
}

/// Starts the child, kills it with SIGKILL after a while, and returns what it had said.
fn kill_after(path: &Path, delay: Duration, from_first_word: bool) -> Vec<(String, RunId)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "child_that_is_killed",
            "--ignored",
            "--nocapture",
        ])
        .env(FILE, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    while from_first_word && !said.contains("begun ") {
        assert!(
            output.read_line(&mut said).unwrap() > 0,
            "the child ended early: {said}"
        );
    }
    let reader = thread::spawn(move || {
        for line in output.lines() {
            said.push_str(&line.unwrap());
            said.push('\n');
        }
        said
    });
    thread::sleep(delay);
    // SIGKILL on Unix.
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), None, "the child ended before it was killed");
    let said = reader.join().unwrap();
    said.lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(step, _)| ["begun", "finished", "invalidated"].contains(step))
        // The last line may be cut short.
        .filter_map(|(step, id)| Some((step.to_owned(), id.parse().ok()?)))
        .collect()
}

#[test]
fn killed_at_any_point_it_stays_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut steps = 0;
    let mut interrupted = 0;
    for kill in 0..KILLS {
        // A third of the kills hit a file in the making; the rest share one that grows.
        let fresh = kill % 3 == 0;
        let name = if fresh {
            format!("{kill}.db")
        } else {
            "shared.db".to_owned()
        };
        let path = folder.path().join(name);
        // Spread over 0 to 60 ms by the golden ratio; real scheduling adds its own jitter.
        let micros = kill * 37_082 % 60_000;
        let said = kill_after(&path, Duration::from_micros(micros), !fresh);
        steps += said.len();

        let history = History::open(&path).unwrap();
        history.check().unwrap();
        for (step, run_id) in said {
            let detail = history.show(&run_id.to_string()).unwrap();
            let wanted = record_of(run_id);
            match step.as_str() {
                "begun" => assert_eq!(detail.summary.service, wanted.service),
                "finished" => {
                    assert_eq!(detail.summary.state, RunState::Finished(Verdict::Pass));
                    assert_eq!(detail.objectives, wanted.objectives);
                    assert_eq!(detail.verdict_json, Some(wanted.verdict_json));
                    let evidence = history.evidence(&run_id.to_string()).unwrap();
                    assert!(evidence == wanted.evidence_json, "evidence of {run_id}");
                }
                _ => assert!(detail.summary.invalidated.is_some()),
            }
        }
        // No half run: each is either whole or seen to be interrupted.
        for run in history.list(&RunFilter::default()).unwrap() {
            let detail = history.show(&run.run_id.to_string()).unwrap();
            match run.state {
                RunState::Finished(_) => {
                    assert_eq!(detail.objectives.len(), 2);
                    assert!(detail.verdict_json.is_some() && detail.has_evidence);
                }
                RunState::Interrupted => {
                    interrupted += 1;
                    assert!(detail.objectives.is_empty() && detail.verdict_json.is_none());
                }
                // Where the system does not tell that the process is gone, the deadline will.
                RunState::Running if cfg!(target_os = "linux") => panic!("{run:?}"),
                RunState::Running => {}
            }
        }
    }
    eprintln!("{KILLS} kills, {steps} recorded steps, {interrupted} interrupted runs seen");
    assert!(
        steps > 100,
        "the children hardly wrote anything: {steps} steps"
    );
}
