//! The decision: one outcome, one reason, what to look at next.
//!
//! Invariant: pass and warn are reached only when the run went to its end, its load was valid,
//! and every judged objective is pass or warn (or the score allows its failure).

use peakgate_load::{ExitReason, StopCause};
use peakgate_policy::settings::ScriptThresholds;

use super::{Case, load};
use crate::verdict::{
    BaselineReport, LoadIssueKind, LoadReport, ModeName, ObjectiveResult, Outcome, ScoreReport,
};

/// What was decided.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decision {
    pub outcome: Outcome,
    pub reason: String,
    pub next: Vec<String>,
}

fn judged(objectives: &[ObjectiveResult]) -> impl Iterator<Item = &ObjectiveResult> {
    objectives.iter().filter(|o| o.mode == ModeName::Judged)
}

/// The weighted score: a pass wins its weight, a warning half of it.
pub(super) fn score(case: &Case<'_>, objectives: &[ObjectiveResult]) -> Option<ScoreReport> {
    let thresholds = case.policy.score?;
    let (mut won, mut all) = (0.0, 0.0);
    for o in judged(objectives) {
        all += o.weight;
        won += o.weight
            * match o.verdict {
                Outcome::Pass => 1.0,
                Outcome::Warn => 0.5,
                _ => 0.0,
            };
    }
    (all > 0.0).then(|| ScoreReport {
        value: won / all,
        pass: thresholds.pass,
        warn: thresholds.warn,
    })
}

/// Decides.
pub(super) fn decide(
    case: &Case<'_>,
    objectives: &[ObjectiveResult],
    load: &LoadReport,
    score: Option<&ScoreReport>,
) -> Decision {
    let (outcome, reason) = outcome(case, objectives, load, score);
    Decision {
        next: next(case, outcome, objectives, load),
        outcome,
        reason,
    }
}

fn outcome(
    case: &Case<'_>,
    objectives: &[ObjectiveResult],
    load: &LoadReport,
    score: Option<&ScoreReport>,
) -> (Outcome, String) {
    if let Some(early) = broken(case, load) {
        return early;
    }
    let issue = |kind| load.issues.iter().find(move |i| i.kind == kind);
    // A generator that was itself the bottleneck makes every figure doubtful, good or bad.
    if let Some(generator) = issue(LoadIssueKind::Generator) {
        return (Outcome::Inconclusive, generator.what.clone());
    }
    if let Some(failed) = failed(case, objectives, score) {
        return (Outcome::Fail, failed);
    }
    if let Some(stopped) = stopped(case) {
        return stopped;
    }
    // Everything below would let a release through if the load were as it should be.
    if let Some(first) = load.issues.first() {
        let more = load.issues.len() - 1;
        let tail = if more == 0 {
            String::new()
        } else {
            format!(" (and {more} more about the load)")
        };
        return (Outcome::Inconclusive, format!("{}{tail}", first.what));
    }
    let unclear: Vec<_> = judged(objectives)
        .filter(|o| matches!(o.verdict, Outcome::Inconclusive | Outcome::Error))
        .collect();
    if let Some(first) = unclear.first() {
        return (
            Outcome::Inconclusive,
            format!("{}: {}{}", first.id, first.why, and_more(unclear.len())),
        );
    }
    let count = judged(objectives).count();
    if count == 0 {
        return (
            Outcome::Inconclusive,
            "no objective was judged: every one is informational or a dry run".to_owned(),
        );
    }
    softly(case, objectives, score, count)
}

fn and_more(n: usize) -> String {
    if n > 1 {
        format!(" (and {} more)", n - 1)
    } else {
        String::new()
    }
}

/// Runs that could not be made at all.
fn broken(case: &Case<'_>, load: &LoadReport) -> Option<(Outcome, String)> {
    let error = |why: String| Some((Outcome::Error, why));
    match &case.account.exit {
        ExitReason::NotStarted(m) | ExitReason::TargetDown(m) => return error(m.clone()),
        ExitReason::BadConfig(m) => return error(format!("the engine refused to start: {m}")),
        ExitReason::CannotRun(m) => return error(format!("the script cannot be run: {m}")),
        ExitReason::ScriptException(m) => {
            return error(format!("the script threw an exception: {m}"));
        }
        ExitReason::SetupTimeout => return error("the script's setup() ran out of time".into()),
        ExitReason::TeardownTimeout => {
            return error("the script's teardown() ran out of time".into());
        }
        ExitReason::Crashed(m) => return error(format!("the engine died: {m}")),
        ExitReason::StreamBroken(m) => {
            return error(format!("the engine's live figures broke off: {m}"));
        }
        ExitReason::Stopped(StopCause::ForbiddenTarget(m)) => {
            return error(format!(
                "stopped: a request went to {m}, which environment.allowed_hosts does not allow"
            ));
        }
        ExitReason::Stopped(StopCause::Deadline(m)) => {
            return error(format!("stopped: past its deadline: {m}"));
        }
        ExitReason::Stopped(StopCause::GateFailed(m)) => {
            return error(format!("stopped: the gate could not go on: {m}"));
        }
        ExitReason::Stopped(StopCause::Interrupted(m)) => {
            return Some((Outcome::Inconclusive, format!("interrupted by {m}")));
        }
        ExitReason::StoppedOutside(m) => {
            return Some((
                Outcome::Inconclusive,
                format!("somebody else stopped the engine: {m}"),
            ));
        }
        ExitReason::AbortedByScript(m) => {
            return Some((
                Outcome::Inconclusive,
                format!("the script aborted the test: {m}"),
            ));
        }
        ExitReason::Completed
        | ExitReason::ThresholdsFailed
        | ExitReason::ThresholdAborted
        | ExitReason::FailedByScript
        | ExitReason::Stopped(StopCause::Valve(_) | StopCause::Lost(_)) => {}
    }
    if let Some(code) = load::never_answered(case) {
        return error(format!(
            "{} never answered: {code}",
            case.policy.environment.base_url
        ));
    }
    if load::always_threw(case, load) {
        let what = load
            .issues
            .iter()
            .find(|i| i.kind == LoadIssueKind::Exceptions)
            .map_or_else(|| "every iteration threw".to_owned(), |i| i.what.clone());
        return error(format!("the script fails: {what}"));
    }
    None
}

/// Runs that the gate, or the script by a threshold, stopped because of what the service did.
fn stopped(case: &Case<'_>) -> Option<(Outcome, String)> {
    match &case.account.exit {
        ExitReason::Stopped(StopCause::Valve(m)) => Some((
            Outcome::Fail,
            format!("a safety valve stopped the test: {m}"),
        )),
        ExitReason::Stopped(StopCause::Lost(m)) => {
            Some((Outcome::Fail, format!("stopped early: {m}")))
        }
        ExitReason::ThresholdAborted => Some((
            Outcome::Inconclusive,
            "a threshold of the script with abortOnFail ended the test early".to_owned(),
        )),
        _ => None,
    }
}

/// Why the run fails for good, if it does.
fn failed(
    case: &Case<'_>,
    objectives: &[ObjectiveResult],
    score: Option<&ScoreReport>,
) -> Option<String> {
    if case.account.exit == ExitReason::FailedByScript {
        return Some("the script marked the test as failed (exec.test.fail)".to_owned());
    }
    if let ExitReason::Stopped(StopCause::Valve(_)) = case.account.exit {
        return stopped(case).map(|s| s.1);
    }
    let mut failed: Vec<_> = judged(objectives)
        .filter(|o| o.verdict == Outcome::Fail && (score.is_none() || o.key))
        .collect();
    // The one that says most goes first: a key objective, then the one furthest past its limit.
    failed.sort_by(|a, b| {
        (b.key, overshoot(b))
            .partial_cmp(&(a.key, overshoot(a)))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    if let Some(first) = failed.first() {
        let early = match &case.account.exit {
            ExitReason::Stopped(StopCause::Lost(_)) => {
                " (stopped early: it could not be met any more)"
            }
            _ => "",
        };
        return Some(format!(
            "{}: {}{}{early}",
            first.id,
            first.why,
            and_more(failed.len())
        ));
    }
    if case.policy.script_thresholds == ScriptThresholds::Fail
        && let Some(t) = case.account.thresholds.iter().find(|t| !t.ok)
    {
        return Some(format!(
            "the script's own threshold '{}' on {} failed",
            t.expression, t.metric
        ));
    }
    // k6 says so by its exit code even when its summary is lost.
    if case.account.exit == ExitReason::ThresholdsFailed
        && case.policy.script_thresholds == ScriptThresholds::Fail
    {
        return Some("a threshold of the script failed".to_owned());
    }
    let score = score.filter(|s| {
        // Written so that NaN fails.
        !(s.value >= s.warn)
    })?;
    Some(format!(
        "the score is {:.0} %, at least {:.0} % is needed{}",
        score.value * 100.0,
        score.warn * 100.0,
        judged(objectives)
            .find(|o| o.verdict == Outcome::Fail)
            .map(|o| format!("; {}: {}", o.id, o.why))
            .unwrap_or_default()
    ))
}

/// How far a value is past the limit that it broke, as a share of the limit.
fn overshoot(o: &ObjectiveResult) -> f64 {
    let past = |limit: f64| {
        o.value
            .map(|value| (value - limit).abs() / limit.abs().max(f64::MIN_POSITIVE))
    };
    [o.limit, o.regression_limit]
        .into_iter()
        .flatten()
        .filter_map(past)
        .fold(0.0, f64::max)
}

/// Pass or warn.
fn softly(
    case: &Case<'_>,
    objectives: &[ObjectiveResult],
    score: Option<&ScoreReport>,
    count: usize,
) -> (Outcome, String) {
    if let Some(s) = score
        && !(s.value >= s.pass)
    {
        return (
            Outcome::Warn,
            format!(
                "the score is {:.0} %, below the {:.0} % for a pass",
                s.value * 100.0,
                s.pass * 100.0
            ),
        );
    }
    let warned: Vec<_> = judged(objectives)
        .filter(|o| o.verdict == Outcome::Warn)
        .collect();
    if let Some(first) = warned.first() {
        return (
            Outcome::Warn,
            format!("{}: {}{}", first.id, first.why, and_more(warned.len())),
        );
    }
    if case.policy.script_thresholds == ScriptThresholds::Warn
        && case.account.exit == ExitReason::ThresholdsFailed
        && case.account.thresholds.iter().all(|t| t.ok)
    {
        return (Outcome::Warn, "a threshold of the script failed".to_owned());
    }
    if case.evidence.is_none() {
        return (
            Outcome::Warn,
            "what a k6 summary can show is met; it does not show whether the run was whole and \
             the load generator well"
                .to_owned(),
        );
    }
    if case.policy.script_thresholds == ScriptThresholds::Warn
        && let Some(t) = case.account.thresholds.iter().find(|t| !t.ok)
    {
        return (
            Outcome::Warn,
            format!(
                "the script's own threshold '{}' on {} failed",
                t.expression, t.metric
            ),
        );
    }
    let first_run = matches!(case.baseline.report(), BaselineReport::FirstRun)
        && case.evidence.is_some()
        && case.rehearsal().is_none();
    let label = if first_run {
        " (first run: judged on absolute limits)"
    } else {
        ""
    };
    let missed: Vec<_> = judged(objectives)
        .filter(|o| o.verdict == Outcome::Fail)
        .collect();
    if let (Some(s), Some(first)) = (score, missed.first()) {
        return (
            Outcome::Pass,
            format!(
                "the score is {:.0} %, {:.0} % is enough; missed: {}: {}{}{label}",
                s.value * 100.0,
                s.pass * 100.0,
                first.id,
                first.why,
                and_more(missed.len())
            ),
        );
    }
    let all = if count == 1 {
        "the one objective is met".to_owned()
    } else {
        format!("all {count} objectives are met")
    };
    (Outcome::Pass, format!("{all}{label}"))
}

/// What to look at next.
fn next(
    case: &Case<'_>,
    outcome: Outcome,
    objectives: &[ObjectiveResult],
    load: &LoadReport,
) -> Vec<String> {
    let mut out = Vec::new();
    if outcome == Outcome::Pass && judged(objectives).all(|o| o.verdict != Outcome::Fail) {
        return out;
    }
    if matches!(case.account.exit, ExitReason::NotStarted(_)) {
        return out;
    }
    if matches!(case.account.exit, ExitReason::TargetDown(_))
        || load::never_answered(case).is_some()
    {
        out.push(format!(
            "check that {} is up and reachable from this machine",
            case.policy.environment.base_url
        ));
        return out;
    }
    for i in &load.issues {
        out.push(match i.kind {
            LoadIssueKind::Generator => {
                "run the load from a larger or quieter machine; with the real k6, `live: light` \
                 costs it less CPU"
            }
            LoadIssueKind::Dropped | LoadIssueKind::Achieved => {
                "raise the scenario's maxVUs, or look for why the service answers too slowly for \
                 the planned rate"
            }
            LoadIssueKind::Exceptions => "read the exceptions in k6.log and mend the script",
            LoadIssueKind::Partial | LoadIssueKind::Unknown => continue,
            LoadIssueKind::Lost => "see k6.log and the script's custom metrics for values that are not numbers",
            LoadIssueKind::Empty => "check that the script's default function makes requests",
        }
        .to_owned());
    }
    let failing: Vec<_> = judged(objectives)
        .filter(|o| o.verdict == Outcome::Fail)
        .collect();
    if let Some(worst) = worst_endpoint(case) {
        let slow = failing.iter().any(|o| o.what.contains("http_req_duration"));
        if slow {
            out.push(worst);
        }
    }
    if failing.iter().any(|o| o.what.contains("http_req_failed"))
        && let Some(errors) = most_errors(case)
    {
        out.push(errors);
    }
    if judged(objectives).any(|o| o.verdict == Outcome::Inconclusive && o.samples < o.min_samples) {
        out.push(
            "run longer, or lower `min_samples` of objectives that see little traffic".to_owned(),
        );
    }
    out.dedup();
    out
}

/// The slowest endpoint at p(95), when one stands out from the rest.
fn worst_endpoint(case: &Case<'_>) -> Option<String> {
    let mut rows: Vec<(String, f64)> = case
        .evidence?
        .by_tag("http_req_duration", "name", crate::evidence::Span::ALL)
        .into_iter()
        .filter_map(|(name, data)| match data {
            peakgate_load::Aggregate::Trend(h) => Some((name, h.quantile(0.95)?)),
            _ => None,
        })
        .collect();
    rows.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (first, second) = (rows.first()?, rows.get(1));
    let show = |v| crate::format::value(v, crate::verdict::UnitName::Milliseconds);
    Some(match second {
        Some(second) if first.1 > second.1 * 2.0 => format!(
            "look at {} first: its p(95) is {}, the next slowest ({}) has {}",
            first.0,
            show(first.1),
            second.0,
            show(second.1)
        ),
        _ => format!(
            "all endpoints slowed down together; the slowest is {} with p(95) {}",
            first.0,
            show(first.1)
        ),
    })
}

/// Which status came most often among failed requests, and where.
fn most_errors(case: &Case<'_>) -> Option<String> {
    let failed = peakgate_load::MetricName::parse("http_req_failed").ok()?;
    let mut rows: std::collections::BTreeMap<(String, String), u64> = Default::default();
    for series in case.evidence?.series.iter().filter(|s| s.metric == failed) {
        let hits: u64 = series
            .blocks
            .iter()
            .map(|b| match b.data {
                peakgate_load::Aggregate::Rate { hits, .. } => hits,
                _ => 0,
            })
            .sum();
        let tag = |name: &str| series.tags.get(name).unwrap_or("?").to_owned();
        *rows.entry((tag("status"), tag("name"))).or_default() += hits;
    }
    let ((status, name), hits) = rows.into_iter().max_by_key(|(_, hits)| *hits)?;
    (hits > 0).then(|| {
        let what = if status == "0" {
            "no answer".to_owned()
        } else {
            format!("status {status}")
        };
        format!("most failed requests: {what} from {name}, {hits} times")
    })
}
