//! Whether the load was what it should have been.

use std::time::Duration;

use peakgate_load::{Aggregate, Executor, ExitReason, MetricAccount};

use super::Case;
use crate::evidence::Span;
use crate::format;
use crate::verdict::{LoadIssue, LoadIssueKind, LoadReport, UnitName};

/// Looks at the load and says what is wrong with it.
pub(super) fn report(case: &Case<'_>) -> LoadReport {
    let plateau = case.planned.and_then(|p| p.plan.plateau());
    let span = plateau
        .as_ref()
        .map_or(Span::ALL, |p| Span::between(p.from, Some(p.to)));
    let total = |metric: &str| counter(case, metric, Span::ALL);
    let seconds = case.account.load_seconds;
    let requests_on_plateau = counter(case, "http_reqs", span);
    let plateau_seconds = observed_seconds(case, span).unwrap_or(seconds);
    let mut out = LoadReport {
        valid: false,
        issues: Vec::new(),
        shape: case
            .planned
            .map_or_else(|| "not known".into(), |p| p.plan.describe()),
        plan: case.planned.map(|p| p.plan.clone()),
        full_plan: case
            .planned
            .filter(|p| p.rehearsal.is_some())
            .map(|p| p.full.clone()),
        planned_seconds: case
            .planned
            .map_or(0.0, |p| p.plan.duration().as_secs_f64()),
        seconds,
        requests: whole(total("http_reqs")),
        request_rate: if plateau_seconds > 0.0 {
            requests_on_plateau / plateau_seconds
        } else {
            0.0
        },
        iterations: whole(total("iterations")),
        dropped: whole(total("dropped_iterations")),
        exceptions: case.account.iteration_exceptions,
        max_vus: max_vus(case),
        achieved: case.evidence.and_then(|_| achieved(case, span)),
        generator_cpu: case.generator.map(|g| g.0),
        generator_delay_ms: case.generator.map(|g| g.1),
        lost: case.evidence.map(|e| e.lost).unwrap_or_default(),
        plateau,
    };
    out.issues = issues(case, &out);
    // A k6 summary says neither whether the run was whole nor how the generator was doing.
    out.valid = out.issues.is_empty() && case.evidence.is_some();
    out
}

fn issue(kind: LoadIssueKind, what: String) -> LoadIssue {
    LoadIssue { kind, what }
}

fn share(value: f64) -> String {
    format::value(value, UnitName::Share)
}

fn issues(case: &Case<'_>, load: &LoadReport) -> Vec<LoadIssue> {
    let validity = &case.policy.validity;
    let mut out = Vec::new();
    if case.account.exit.is_before_load() {
        out.push(issue(LoadIssueKind::Empty, "no load was made".to_owned()));
        return out;
    }
    if let Some(cpu) = load.generator_cpu
        && validity.max_cpu < 1.0
        && !(cpu <= validity.max_cpu)
    {
        out.push(issue(
            LoadIssueKind::Generator,
            format!(
                "the load generator used {} of its processors on the plateau (at most {}): it, \
                 not the service, may be what was slow",
                share(cpu),
                share(validity.max_cpu)
            ),
        ));
    }
    let max_delay = validity.max_scheduling_delay.as_secs_f64() * 1000.0;
    if let Some(delay) = load.generator_delay_ms
        && !(delay <= max_delay)
    {
        out.push(issue(
            LoadIssueKind::Generator,
            format!(
                "the load generator waited {} for a processor each time (at most {}): its machine \
                 is too busy to measure with",
                format::value(delay, UnitName::Milliseconds),
                format::value(max_delay, UnitName::Milliseconds)
            ),
        ));
    }
    if load.requests == 0 && load.iterations == 0 && !measured_anything(case) {
        out.push(issue(
            LoadIssueKind::Empty,
            "no request and no iteration was measured".to_owned(),
        ));
    }
    unknown(case, load, &mut out);
    dropped(case, load, &mut out);
    if let Some(achieved) = load.achieved
        && !(achieved >= validity.min_achieved)
    {
        out.push(issue(
            LoadIssueKind::Achieved,
            format!(
                "only {} of the planned load was reached on the plateau (at least {})",
                share(achieved),
                share(validity.min_achieved)
            ),
        ));
    }
    let started = load.iterations.max(load.exceptions);
    let threw = ratio(load.exceptions, started);
    if threw > validity.max_exceptions {
        out.push(issue(
            LoadIssueKind::Exceptions,
            format!(
                "{} of {started} iterations threw an exception (at most {}){}",
                load.exceptions,
                share(validity.max_exceptions),
                first_note(case)
            ),
        ));
    }
    let lost = load.lost;
    if lost.not_finite > 0 {
        out.push(issue(
            LoadIssueKind::Lost,
            format!(
                "{} samples were not finite numbers (NaN or infinite)",
                lost.not_finite
            ),
        ));
    }
    if lost.unreadable > 0 {
        out.push(issue(
            LoadIssueKind::Lost,
            format!("{} samples could not be read", lost.unreadable),
        ));
    }
    if !case.account.exit.is_whole() {
        out.push(issue(
            LoadIssueKind::Partial,
            format!(
                "the run ended after {} of {} planned",
                format::seconds(load.seconds),
                format::seconds(load.planned_seconds)
            ),
        ));
    } else if case.evidence.is_some()
        && case.planned.is_some_and(|p| p.plan.has_fixed_length())
        && load.seconds + 2.0 < load.planned_seconds * 0.99
    {
        out.push(issue(
            LoadIssueKind::Partial,
            format!(
                "the engine says it completed, but the load lasted {} of {} planned",
                format::seconds(load.seconds),
                format::seconds(load.planned_seconds)
            ),
        ));
    }
    out
}

/// What is not known of a load is not taken for good. Plateaus of a few seconds are too short to
/// ask for it.
fn unknown(case: &Case<'_>, load: &LoadReport, out: &mut Vec<LoadIssue>) {
    let long = load
        .plateau
        .as_ref()
        .is_some_and(|p| p.to.saturating_sub(p.from) >= Duration::from_secs(3));
    if case.evidence.is_none() || !long || load.seconds < 3.0 {
        return;
    }
    if load.achieved.is_none() && case.account.exit.is_whole() {
        out.push(issue(
            LoadIssueKind::Unknown,
            "it is not known how much of the planned load was made: the engine reported no \
             virtual users on the plateau"
                .to_owned(),
        ));
    }
    // A policy that allows the generator all of its CPU does not need to know.
    if load.generator_cpu.is_none() && case.policy.validity.max_cpu < 1.0 {
        out.push(issue(
            LoadIssueKind::Unknown,
            "it is not known how the load generator was doing: no reading of its CPU (to do \
             without, set validity.generator.max_cpu to 100%)"
                .to_owned(),
        ));
    }
}

fn dropped(case: &Case<'_>, load: &LoadReport, out: &mut Vec<LoadIssue>) {
    let limit = case.policy.validity.max_dropped;
    // Planned starts: what the clock asked for, or what was started and what was not.
    let planned = load.iterations + load.dropped;
    let lost = ratio(load.dropped, planned);
    if lost > limit {
        out.push(issue(
            LoadIssueKind::Dropped,
            format!(
                "{} of {planned} iterations were dropped (at most {}): the users that the plan \
                 allows were all busy; raise maxVUs, or the service is too slow for this rate",
                load.dropped,
                share(limit)
            ),
        ));
    }
}

fn first_note(case: &Case<'_>) -> String {
    case.account
        .notes
        .iter()
        .find(|n| n.level == "error")
        .map(|n| format!("; the most frequent: {}", n.message))
        .unwrap_or_default()
}

#[allow(clippy::cast_precision_loss)]
fn ratio(part: u64, all: u64) -> f64 {
    if all == 0 {
        0.0
    } else {
        part as f64 / all as f64
    }
}

fn measured_anything(case: &Case<'_>) -> bool {
    match case.evidence {
        // Users alone are no measurement.
        Some(e) => e
            .series
            .iter()
            .any(|s| !matches!(s.metric.as_str(), "vus" | "vus_max") && !s.blocks.is_empty()),
        None => !case.account.metrics.is_empty(),
    }
}

/// A counter's sum: from the evidence, or from the engine's own numbers.
fn counter(case: &Case<'_>, metric: &str, span: Span) -> f64 {
    match case.evidence {
        Some(evidence) => evidence.counter(metric, |_| true, span).unwrap_or(0.0),
        None => case
            .account
            .metrics
            .iter()
            .find(|m| m.name == metric)
            .and_then(|m: &MetricAccount| m.values.get("count").copied())
            .unwrap_or(0.0),
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(n: f64) -> u64 {
    n.max(0.0).round() as u64
}

fn observed_seconds(case: &Case<'_>, span: Span) -> Option<f64> {
    let vus = peakgate_load::MetricName::parse("http_reqs").ok()?;
    let seconds = case.evidence?.select(&vus, |_| true, span).ok()?.seconds;
    (seconds > 0.0).then_some(seconds)
}

fn gauge(case: &Case<'_>, metric: &str) -> Option<(f64, f64)> {
    let name = peakgate_load::MetricName::parse(metric).ok()?;
    match case
        .evidence?
        .select(&name, |_| true, Span::ALL)
        .ok()?
        .total?
    {
        Aggregate::Gauge { min, max, .. } => Some((min, max)),
        _ => None,
    }
}

fn max_vus(case: &Case<'_>) -> Option<f64> {
    gauge(case, "vus").map(|g| g.1)
}

/// Achieved over planned on the plateau: users for closed-model scenarios, iteration starts for
/// open-model ones; the worse of the two.
fn achieved(case: &Case<'_>, span: Span) -> Option<f64> {
    let planned = case.planned?;
    if !planned.plan.has_fixed_length() {
        return None;
    }
    let end = span.to?;
    let at = |s: f64| Duration::try_from_secs_f64(s).unwrap_or_default();
    // A run that was cut short is judged on what it had of the plateau; it is partial anyway.
    let until = end.min(case.account.load_seconds);
    if until - span.from < 1.0 {
        return None;
    }
    let (from, to) = (at(span.from), at(until));
    let closed = closed_share(case, planned, span, until);
    let open = open_share(case, planned, span, from, to);
    // One that cannot be told leaves all untold.
    [closed, open]
        .into_iter()
        .flatten()
        .reduce(|a, b| Some(a?.min(b?)))
        .flatten()
}

/// Users seen over users planned. `None`: no closed-model load; `Some(None)`: it cannot be told.
fn closed_share(
    case: &Case<'_>,
    planned: &super::Planned,
    span: Span,
    until: f64,
) -> Option<Option<f64>> {
    let at = |s: f64| Duration::try_from_secs_f64(s).unwrap_or_default();
    let wanted = planned.plan.mean_vus_between(at(span.from), at(until));
    if wanted <= 0.0 {
        return None;
    }
    let (mut sum, mut weight) = (0.0, 0.0);
    for point in case.timeline {
        let inside = point.at + 1e-6 >= span.from && point.at + point.width <= until + 1e-6;
        if let (true, Some(vus)) = (inside, point.vus) {
            sum += vus * point.width;
            weight += point.width;
        }
    }
    let share = (weight > 0.0).then(|| sum / weight / wanted);
    // Beside open-model scenarios, whose users come on top, only too few can be told.
    Some(share.map(|s| {
        if planned.plan.has_arrivals() {
            s.min(1.0)
        } else {
            s
        }
    }))
}

/// Iterations started over iterations planned. `None`: no open-model load.
fn open_share(
    case: &Case<'_>,
    planned: &super::Planned,
    span: Span,
    from: Duration,
    to: Duration,
) -> Option<Option<f64>> {
    let starts = planned.plan.arrivals_between(from, to);
    if starts <= 0.0 {
        return None;
    }
    let open = |tags: &peakgate_load::Tags| {
        planned.plan.scenarios.iter().any(|s| {
            s.executor.is_open_model() && tags.get("scenario").is_none_or(|name| name == s.name)
        })
    };
    let sum = |metric: &str| case.evidence.and_then(|e| e.counter(metric, open, span));
    let kept = 1.0 - sum("dropped_iterations").unwrap_or(0.0) / starts;
    // As many as there are users may have started and not finished.
    let busy: u64 = planned
        .plan
        .scenarios
        .iter()
        .map(|s| match s.executor {
            Executor::ConstantArrivalRate { max_vus, .. }
            | Executor::RampingArrivalRate { max_vus, .. } => max_vus,
            _ => 0,
        })
        .sum();
    #[allow(clippy::cast_precision_loss)]
    let made = (sum("iterations").unwrap_or(0.0) + busy as f64) / starts;
    Some(Some(kept.min(made).clamp(0.0, 1.0)))
}

/// Whether no request was ever answered: the target is down or cannot be reached. The code that
/// came most often, if so.
pub(super) fn never_answered(case: &Case<'_>) -> Option<String> {
    let evidence = case.evidence?;
    let name = peakgate_load::MetricName::parse("http_reqs").ok()?;
    let mut codes: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
    for series in evidence.series.iter().filter(|s| s.metric == name) {
        let samples: u64 = series.blocks.iter().map(|b| b.data.samples()).sum();
        if samples == 0 {
            continue;
        }
        if series.tags.get("status") != Some("0") {
            return None;
        }
        let code = series.tags.get("error_code").unwrap_or("unknown");
        *codes.entry(code.to_owned()).or_default() += samples;
    }
    let (code, n) = codes.into_iter().max_by_key(|(_, n)| *n)?;
    let meaning = match code.as_str() {
        "1050" => "request timeout",
        "1101" => "DNS: no such host",
        "1110" | "1111" => "the address is on the block list",
        "1210" | "1211" => "dial timeout",
        "1212" => "connection refused",
        "1220" => "connection reset by peer",
        "1310" => "TLS: unknown certificate authority",
        "1311" => "TLS: the certificate does not fit the host",
        "1000" => "unexpected EOF or another network error",
        _ => "see k6's table of error codes",
    };
    Some(format!("error code {code} ({meaning}), {n} times"))
}

/// Whether every iteration threw.
pub(super) fn always_threw(case: &Case<'_>, load: &LoadReport) -> bool {
    load.exceptions > 0
        && load.exceptions >= load.iterations
        && matches!(
            case.account.exit,
            ExitReason::Completed | ExitReason::ThresholdsFailed | ExitReason::Stopped(_)
        )
}
