//! What is made of a run that is over: the account.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use peakgate_load::{ExitReason, Resolution, RunAccount};

use super::exit::{self, Circumstances};
use super::log::Log;
use super::pipe::{Iterations, StreamEnd};
use super::run::Watched;
use super::summary::{OwnProbes, Summary};

/// Reads the summary that the wrapper made k6 leave; what is wrong with it is a complaint in it.
pub(super) fn read_summary(path: &Path, ours: &OwnProbes) -> Summary {
    /// A summary has some hundred bytes for each metric.
    const MAX: u64 = 256 << 20;
    let read = || -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(File::open(path)?, MAX), &mut text)?;
        Ok(text)
    };
    match read() {
        Ok(text) => Summary::read(&text, ours),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Summary::missing("k6 left no summary")
        }
        Err(error) => Summary::missing(&format!("k6's summary cannot be read: {error}")),
    }
}

/// How far, as a share, k6's own account may be from what it pushed, whatever a push amounts to.
const PUSH_SLACK: f64 = 0.01;

/// What k6's own account has against the live figures. A stream that was cut between two lines
/// looks whole, so that the two must agree: both are fed with the same samples.
fn disagreement(end: &StreamEnd, summary: &Summary) -> Option<String> {
    if summary.metrics.is_empty() {
        let why = summary.complaints.first().map_or("it is empty", |c| c);
        return Some(format!(
            "k6's own account, which the live figures are held against, is missing: {why}"
        ));
    }
    let live = match end.iterations {
        Iterations::Unknown => return None,
        Iterations::Exact(live) | Iterations::Pushed { sum: live, .. } => live,
    };
    // k6 leaves out a metric that had no samples.
    let own = summary
        .metrics
        .iter()
        .find(|m| m.name == "iterations")
        .map_or(Some(0.0), |m| m.values.get("count").copied());
    let slack = |own: f64| match end.iterations {
        Iterations::Pushed { busiest, .. } => busiest.max(own * PUSH_SLACK),
        Iterations::Exact(_) | Iterations::Unknown => 0.0,
    };
    match own {
        Some(own) if (live - own).abs() < slack(own) + 0.5 => None,
        Some(own) => Some(format!(
            "the live figures have {live} iterations, k6's own account {own}"
        )),
        None => Some("k6's own account has no number of iterations".to_owned()),
    }
}

/// Draws up the account.
pub(super) fn account(
    watched: Watched,
    end: StreamEnd,
    summary: Summary,
    log: &Log,
    resolution: Resolution,
    length: Duration,
) -> RunAccount {
    let mut findings = log.findings();
    for complaint in &summary.complaints {
        findings.own_note(complaint);
    }
    let broken = end.broken.clone().or_else(|| disagreement(&end, &summary));
    let about = Circumstances {
        stopped: watched.stopped,
        broken: broken.clone(),
        stopped_for_stream: watched.for_stream,
        threshold_abort: findings.threshold_abort,
        only_probes_failed: summary.only_probes_failed(),
        error: findings.last_error.as_deref(),
    };
    let (exit, exit_code) = match watched.status {
        Ok(status) => (exit::reason(status, about), status.code()),
        Err(error) => (
            ExitReason::Crashed(format!("k6's end could not be learnt: {error}")),
            None,
        ),
    };
    if exit == ExitReason::ThresholdsFailed
        && !summary.metrics.is_empty()
        && !summary.has_failed_threshold()
    {
        findings.own_note(
            "k6 says that a threshold of the script failed (exit code 99), but its summary does not \
             say which; k6.log may",
        );
    }
    // A run may have ended for another reason; that its figures broke off is told all the same.
    if let (Some(broken), false) = (end.broken, matches!(exit, ExitReason::StreamBroken(_))) {
        findings.own_note(&format!("the live figures broke off: {broken}"));
    }
    RunAccount {
        exit,
        exit_code,
        load_seconds: length.as_secs_f64(),
        resolution,
        metrics: summary.metrics,
        thresholds: summary.thresholds,
        iteration_exceptions: findings.exceptions,
        notes: findings.notes(),
    }
}
