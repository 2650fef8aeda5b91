//! Phrases about a verdict that every publisher shares. Plain text, not escaped.

use peakgate_load::{ExitReason, StopCause};

use crate::format;
use crate::verdict::{
    BaselineReport, Interval, LimitDirection, ModeName, ObjectiveResult, Outcome, Rehearsal,
    UnitName, Verdict,
};

/// Stands where there is nothing to show.
pub const NOTHING: &str = "–";

/// The outcome's sign.
#[must_use]
pub fn emoji(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "✅",
        Outcome::Warn => "⚠️",
        Outcome::Fail => "❌",
        Outcome::Inconclusive => "❓",
        Outcome::Error => "💥",
    }
}

/// Whether an objective wants a look: it counts, and it is not a pass.
#[must_use]
pub fn wants_a_look(o: &ObjectiveResult) -> bool {
    o.mode == ModeName::Judged && o.verdict != Outcome::Pass
}

/// How urgent an outcome is: the lower, the sooner it is shown.
#[must_use]
pub fn urgency(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Fail => 0,
        Outcome::Error => 1,
        Outcome::Inconclusive => 2,
        Outcome::Warn => 3,
        Outcome::Pass => 4,
    }
}

/// The value: `843 ms`; with more digits where three would make it look like its limit.
#[must_use]
pub fn value(o: &ObjectiveResult) -> String {
    let Some(value) = o.value else {
        return NOTHING.to_owned();
    };
    let text = format::value(value, o.unit);
    let alike = [o.limit, o.regression_limit]
        .into_iter()
        .flatten()
        .any(|limit| limit.total_cmp(&value).is_ne() && format::value(limit, o.unit) == text);
    if !alike {
        return text;
    }
    match o.unit {
        UnitName::Share => format!("{:.6} %", value * 100.0),
        UnitName::Milliseconds => format!("{value:.3} ms"),
        _ => format!("{value:.6}"),
    }
}

/// Whether its reason says no more than its value and its limit, which stand beside it.
#[must_use]
pub fn restates(o: &ObjectiveResult) -> bool {
    let word = match o.direction {
        LimitDirection::AtMost => "at most",
        LimitDirection::AtLeast => "at least",
    };
    o.limit.is_some_and(|limit| {
        let limit = format::value(limit, o.unit);
        o.why == format!("{}, {word} {limit} allowed", value(o))
    })
}

fn bound(o: &ObjectiveResult, limit: f64) -> String {
    let sign = match o.direction {
        LimitDirection::AtMost => '≤',
        LimitDirection::AtLeast => '≥',
    };
    format!("{sign} {}", format::value(limit, o.unit))
}

/// The limit that binds: the absolute one or, when it is tighter, the one from the baseline:
/// `≤ 600 ms`, `≤ 512 ms (baseline)`.
#[must_use]
pub fn limit(o: &ObjectiveResult) -> String {
    let by_baseline = |r| format!("{} (baseline)", bound(o, r));
    match (o.limit, o.regression_limit) {
        (None, None) => NOTHING.to_owned(),
        (Some(l), None) => bound(o, l),
        (None, Some(r)) => by_baseline(r),
        (Some(l), Some(r)) => {
            let tighter = match o.direction {
                LimitDirection::AtMost => r < l,
                LimitDirection::AtLeast => r > l,
            };
            if tighter { by_baseline(r) } else { bound(o, l) }
        }
    }
}

/// The change against the baseline: `+12 % from 512 ms`, or a dash.
#[must_use]
pub fn change(o: &ObjectiveResult) -> String {
    match (o.change, o.baseline) {
        (Some(change), Some(base)) => {
            format!(
                "{} from {}",
                format::change(change),
                format::value(base, o.unit)
            )
        }
        (None, Some(base)) => format!("from {}", format::value(base, o.unit)),
        _ => NOTHING.to_owned(),
    }
}

/// The interval: `812 to 871 ms`; the confidence is added when it is not `usual`.
#[must_use]
pub fn interval(o: &ObjectiveResult, usual: f64) -> String {
    let Some(Interval {
        low,
        high,
        confidence,
    }) = o.interval
    else {
        return NOTHING.to_owned();
    };
    let show = |v| format::value(v, o.unit);
    let text = match (low, high) {
        (None, None) => return NOTHING.to_owned(),
        (Some(low), None) => format!("from {}", show(low)),
        (None, Some(high)) => format!("up to {}", show(high)),
        (Some(low), Some(high)) => {
            let (low, high) = (show(low), show(high));
            // The unit once is enough when both have the same.
            match (low.split_once(' '), high.split_once(' ')) {
                (Some((n, unit)), Some((_, same))) if unit == same => format!("{n} to {high}"),
                _ => format!("{low} to {high}"),
            }
        }
    };
    if (confidence - usual).abs() < 1e-9 {
        text
    } else {
        format!("{text} ({})", share(confidence))
    }
}

/// The confidence of most intervals, for a heading: 0.95 unless all agree on another.
#[must_use]
pub fn usual_confidence(verdict: &Verdict) -> f64 {
    let mut all = verdict
        .objectives
        .iter()
        .filter_map(|o| o.interval.map(|i| i.confidence));
    let first = all.next().unwrap_or(0.95);
    if all.all(|c| (c - first).abs() < 1e-9) {
        first
    } else {
        0.95
    }
}

/// A share in percent.
#[must_use]
pub fn share(value: f64) -> String {
    format::value(value, UnitName::Share)
}

/// A count with plain spaces between groups of three.
#[must_use]
pub fn count(n: u64) -> String {
    format::count(n).replace('\u{202f}', " ")
}

/// `20s instead of 20m`.
#[must_use]
pub fn rehearsal(r: &Rehearsal) -> String {
    let asked = format::seconds(r.seconds);
    match r.planned_seconds {
        Some(planned) => format!("{asked} instead of {}", format::seconds(planned)),
        None => asked,
    }
}

/// What the changes are against, as a sentence.
#[must_use]
pub fn baseline(verdict: &Verdict) -> String {
    match &verdict.baseline {
        BaselineReport::Found { description, .. } => format!("Changes are against {description}."),
        BaselineReport::FirstRun => {
            "First run: nothing to compare with yet, so only absolute limits were judged."
                .to_owned()
        }
        BaselineReport::NotCompared if verdict.rehearsal.is_some() => {
            "A rehearsal is not compared with earlier runs.".to_owned()
        }
        BaselineReport::NotCompared => "Not compared with earlier runs.".to_owned(),
    }
}

/// How an objective takes part, when it is not simply judged: `key`, `informational`, `dry run`.
#[must_use]
pub fn part(o: &ObjectiveResult) -> Option<&'static str> {
    match o.mode {
        ModeName::Judged if o.key => Some("key"),
        ModeName::Judged => None,
        ModeName::Informational => Some("informational"),
        ModeName::DryRun => Some("dry run"),
    }
}

/// How the engine's run ended, in words.
#[must_use]
pub fn exit(reason: &ExitReason) -> String {
    match reason {
        ExitReason::Completed => "ran to its end".to_owned(),
        ExitReason::ThresholdsFailed => {
            "ran to its end; thresholds of the script failed".to_owned()
        }
        ExitReason::ThresholdAborted => {
            "a threshold of the script with abortOnFail ended it".to_owned()
        }
        ExitReason::Stopped(cause) => match cause {
            StopCause::Valve(m) => format!("stopped by a safety valve: {m}"),
            StopCause::Lost(m) => format!("stopped early, an objective was lost: {m}"),
            StopCause::ForbiddenTarget(m) => format!("stopped, a request went to {m}"),
            StopCause::Interrupted(m) => format!("interrupted by {m}"),
            StopCause::Deadline(m) => format!("stopped past its deadline: {m}"),
            StopCause::GateFailed(m) => format!("stopped, the gate could not go on: {m}"),
        },
        ExitReason::StoppedOutside(m) => format!("stopped by somebody else: {m}"),
        ExitReason::NotStarted(m) | ExitReason::TargetDown(m) => format!("did not start: {m}"),
        ExitReason::SetupTimeout => "setup() ran out of time".to_owned(),
        ExitReason::TeardownTimeout => "teardown() ran out of time".to_owned(),
        ExitReason::BadConfig(m) => format!("refused to start: {m}"),
        ExitReason::ScriptException(m) => format!("the script threw: {m}"),
        ExitReason::AbortedByScript(m) => format!("aborted by the script: {m}"),
        ExitReason::FailedByScript => "ran to its end; marked as failed by the script".to_owned(),
        ExitReason::CannotRun(m) => format!("the script cannot be run: {m}"),
        ExitReason::Crashed(m) => format!("died: {m}"),
        ExitReason::StreamBroken(m) => format!("live figures broke off: {m}"),
    }
}
