//! A history with ten thousand runs.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use peakgate_history::{
    BaselineChoice, BaselineQuery, History, ObjectiveRow, RunId, RunRecord, Verdict,
};

use super::{Bench, tell};
use crate::error::{During, Result};
use crate::table::{Finding, Row, median, range};

const RUNS: i64 = 10_000;
const OBJECTIVES: usize = 20;
const TIMES: usize = 20;

/// Wall time of a command that must succeed, in milliseconds.
pub(super) fn wall(command: &mut Command) -> Result<f64> {
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let started = Instant::now();
    let output = command.output().during("starting the gate")?;
    let time = started.elapsed();
    if output.status.success() {
        Ok(time.as_secs_f64() * 1000.0)
    } else {
        Err(format!(
            "{command:?} ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        )
        .into())
    }
}

/// A run. Of the test `rare` only the oldest passed: the longest way to a baseline.
fn record(i: i64, started: Timestamp, document: &str) -> RunRecord {
    let rare = i % 2 == 1;
    let passed = if rare { i == 1 } else { i % 3 == 0 };
    let verdict = if passed { Verdict::Pass } else { Verdict::Fail };
    RunRecord {
        run_id: RunId::generate(),
        service: "leads".to_owned(),
        test: if rare { "rare" } else { "peak" }.to_owned(),
        environment: "staging".to_owned(),
        release: Some(format!("v1.{i}.0")),
        commit: Some(format!("{i:040x}")),
        started_at: started,
        finished_at: started + SignedDuration::from_mins(20),
        verdict,
        reason: "p(99) of http_req_duration is 812 ms, 1000 ms allowed".to_owned(),
        rehearsal_seconds: None,
        partial: false,
        waived: false,
        engine: "k6".to_owned(),
        engine_version: "1.1.0".to_owned(),
        request_rate: Some(41.5),
        objectives: (0..OBJECTIVES)
            .map(|n| ObjectiveRow {
                id: format!("objective-{n}"),
                value: Some(812.25),
                samples: 12_345,
                limit: Some(1000.0),
                verdict,
            })
            .collect(),
        verdict_json: document.to_owned(),
        evidence_json: None,
    }
}

fn fill(path: &Path) -> Result<()> {
    let history = History::open(path)?;
    // About as long as a verdict with twenty objectives.
    let document = format!(
        "{{\"why\":\"{}\"}}",
        "a sentence of a verdict. ".repeat(400)
    );
    let first = Timestamp::now() - SignedDuration::from_mins(30 * (RUNS + 1));
    for i in 0..RUNS {
        let started = first + SignedDuration::from_mins(30 * i);
        history.finish(&record(i, started, &document))?;
    }
    Ok(())
}

/// Milliseconds to open the file and find a baseline.
fn baseline(path: &Path, test: &str, choice: BaselineChoice, wanted: usize) -> Result<f64> {
    let query = BaselineQuery {
        service: "leads".to_owned(),
        test: test.to_owned(),
        environment: "staging".to_owned(),
        rehearsal: false,
        except: None,
        choice,
    };
    let started = Instant::now();
    let found = History::open(path)?.baseline(&query)?;
    let time = started.elapsed().as_secs_f64() * 1000.0;
    if found.len() == wanted {
        Ok(time)
    } else {
        Err(format!(
            "{} baselines of {test} were found, not {wanted}",
            found.len()
        )
        .into())
    }
}

fn row(figure: &str, measure: impl FnMut(usize) -> Result<f64>) -> Result<Row> {
    let times = (0..TIMES).map(measure).collect::<Result<Vec<f64>>>()?;
    let middle = median(&times);
    let (low, high) = range(&times);
    Ok(Row {
        figure: format!("history with 10,000 runs: {figure}"),
        target: "< 50 ms",
        measured: format!("{middle:.1} ms (median of {TIMES}, {low:.1} to {high:.1})"),
        finding: Finding::at_most(middle, 50.0),
    })
}

/// Listing and looking up.
pub(crate) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let dir = tempfile::tempdir().during("making a folder")?;
    let path = dir.path().join("history.db");
    tell("history: writing 10,000 runs");
    fill(&path)?;
    let list = |limit: &str| {
        let mut command = Command::new(&bench.gate);
        command.args(["history", "list", "--limit", limit, "--history"]);
        command.arg(&path);
        command
    };
    Ok(vec![
        row("`peakgate history list`, newest 20, wall time", |_| {
            wall(&mut list("20"))
        })?,
        row(
            "`peakgate history list --limit 10000`, all, wall time",
            |_| wall(&mut list("10000")),
        )?,
        row("open, and look up the last passed run", |_| {
            baseline(&path, "peak", BaselineChoice::LastPassed, 1)
        })?,
        row(
            "open, and look up the last passed run, which is the oldest of 5,000",
            |_| baseline(&path, "rare", BaselineChoice::LastPassed, 1),
        )?,
        row("open, and look up the last 10 passed runs", |_| {
            baseline(&path, "peak", BaselineChoice::LastPassedN(10), 10)
        })?,
    ])
}
