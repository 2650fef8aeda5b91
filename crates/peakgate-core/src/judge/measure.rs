//! Measuring: from evidence (or the engine's own numbers) to one value with its certainty.

use peakgate_load::{Aggregate, Histogram, MetricAccount, MetricKind};
use peakgate_policy::settings::{Objective, Selector, Statistic, TagMatch, WindowRule};

use super::Case;
use crate::evidence::{NotCut, Selected};
use crate::stats::{BlockCount, BlockSum, Bounds, quantile_interval, ratio_interval, wilson};
use crate::verdict::WindowReport;

/// A value and all that says how good it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measurement {
    /// The value; absent when nothing (or nothing finite) was measured.
    pub value: Option<f64>,
    pub samples: u64,
    pub bounds: Option<Bounds>,
    /// Greatest relative error of the value.
    pub resolution: f64,
    pub window: WindowReport,
    /// Why the value cannot be used, whatever it is.
    pub trouble: Option<String>,
}

/// Measures an objective over the series that `select` and, with `each`, one tag value pick.
pub(super) fn measure(
    case: &Case<'_>,
    objective: &Objective,
    each: Option<(&str, &str)>,
    confidence: f64,
) -> Measurement {
    match (case.evidence, case.planned) {
        (Some(_), None) => nothing(
            WindowReport {
                name: "none".to_owned(),
                from: 0.0,
                to: None,
            },
            Some("no load was made".to_owned()),
        ),
        (Some(evidence), Some(planned)) => {
            let (span, name) = planned.span(objective.window);
            let window = WindowReport {
                name,
                from: span.from,
                to: span.to,
            };
            let picks = |tags: &peakgate_load::Tags| {
                objective.select.matches(tags)
                    && each.is_none_or(|(tag, value)| tags.get(tag) == Some(value))
            };
            let mut out = match evidence.select(&objective.metric, picks, span) {
                Ok(selected) => from_selected(case, objective, &selected, confidence, window),
                Err(NotCut) => nothing(
                    window,
                    Some(
                        "the stored evidence is not cut at this window's ends; run the test again"
                            .to_owned(),
                    ),
                ),
            };
            if out.trouble.is_none() && whole(objective, span) {
                sharpen(case, objective, each, &mut out);
                if out.samples == 0 && case.account.resolution.error() >= 0.01 {
                    // The light channel has no counts of rates: the engine's own account does.
                    let counted = from_summary(case, objective, each);
                    if counted.trouble.is_none() {
                        out = Measurement {
                            window: out.window,
                            ..counted
                        };
                    }
                }
            }
            let folded = evidence
                .folded_metrics
                .iter()
                .any(|m| m == objective.metric.as_str());
            let picky = !objective.select.tags.is_empty() || each.is_some();
            if folded && picky && out.trouble.is_none() {
                out.trouble = Some(
                    "there were too many series, and samples that may belong here were folded \
                     into (other); give requests a `name` tag"
                        .to_owned(),
                );
            }
            out
        }
        (None, _) => from_summary(case, objective, each),
    }
}

fn nothing(window: WindowReport, trouble: Option<String>) -> Measurement {
    Measurement {
        value: None,
        samples: 0,
        bounds: None,
        resolution: 0.0,
        window,
        trouble,
    }
}

fn whole(objective: &Objective, span: crate::evidence::Span) -> bool {
    objective.window == WindowRule::All || span == crate::evidence::Span::ALL
}

#[allow(clippy::cast_precision_loss)]
fn from_selected(
    case: &Case<'_>,
    objective: &Objective,
    selected: &Selected,
    confidence: f64,
    window: WindowReport,
) -> Measurement {
    let resolution = case.account.resolution.error();
    let mut out = nothing(window, None);
    let Some(total) = &selected.total else {
        // The engine itself counts these; none reported means none happened, if it ran at all.
        if objective.metric.as_str() == "dropped_iterations" && ran(case) {
            out.value = Some(0.0);
            out.samples = 1;
        }
        return out;
    };
    if selected.mixed {
        out.trouble = Some("its series are of different metric types".to_owned());
        return out;
    }
    out.samples = total.samples();
    let (value, bounds, resolution) = match (objective.statistic, total) {
        (Statistic::Quantile(p), Aggregate::Trend(h)) => {
            quantile(h, selected, p, confidence, resolution)
        }
        (Statistic::Med, Aggregate::Trend(h)) => quantile(h, selected, 0.5, confidence, resolution),
        (Statistic::Avg, Aggregate::Trend(h)) => {
            let sums: Vec<_> = trends(selected)
                .iter()
                .map(|b| BlockSum {
                    sum: b.sum(),
                    weight: b.count() as f64,
                })
                .collect();
            // Every sample seen: the sum is exact. By histogram: as coarse as its buckets.
            let error = if resolution < 0.01 { 0.0 } else { resolution };
            (h.mean(), ratio_interval(&sums, confidence), error)
        }
        (Statistic::Min, Aggregate::Trend(h)) => (h.min(), None, coarse(resolution)),
        (Statistic::Max, Aggregate::Trend(h)) => (h.max(), None, coarse(resolution)),
        (Statistic::Count, Aggregate::Trend(h)) => (Some(h.count() as f64), None, 0.0),
        (Statistic::Rate, Aggregate::Rate { hits, total }) => {
            let counts: Vec<_> = selected
                .blocks
                .iter()
                .filter_map(|(_, b)| match b {
                    Aggregate::Rate { hits, total } => Some(BlockCount {
                        hits: *hits as f64,
                        total: *total as f64,
                    }),
                    _ => None,
                })
                .collect();
            let share = (*total > 0).then(|| *hits as f64 / *total as f64);
            (share, wilson(*hits, *total, &counts, confidence), 0.0)
        }
        (Statistic::Count, Aggregate::Counter { sum, .. }) => (Some(*sum), None, 0.0),
        (Statistic::Rate, Aggregate::Counter { sum, .. }) => {
            let sums: Vec<_> = selected
                .blocks
                .iter()
                .filter_map(|(seconds, b)| match b {
                    Aggregate::Counter { sum, .. } => Some(BlockSum {
                        sum: *sum,
                        weight: *seconds,
                    }),
                    _ => None,
                })
                .chain(selected.gaps.iter().map(|seconds| BlockSum {
                    sum: 0.0,
                    weight: *seconds,
                }))
                .collect();
            let rate = (selected.seconds > 0.0).then(|| sum / selected.seconds);
            (rate, ratio_interval(&sums, confidence), 0.0)
        }
        (Statistic::Value, Aggregate::Gauge { last, .. }) => (Some(*last), None, 0.0),
        (Statistic::Min, Aggregate::Gauge { min, .. }) => (Some(*min), None, 0.0),
        (Statistic::Max, Aggregate::Gauge { max, .. }) => (Some(*max), None, 0.0),
        (statistic, other) => {
            out.trouble = Some(format!(
                "{} is a {}, which has no {statistic}",
                objective.metric,
                other.kind()
            ));
            return out;
        }
    };
    out.value = value.filter(|v| v.is_finite());
    if value.is_some() && out.value.is_none() {
        out.trouble = Some("its value is not a finite number".to_owned());
    }
    out.bounds =
        bounds.filter(|b| b.low.is_none_or(f64::is_finite) && b.high.is_none_or(f64::is_finite));
    out.resolution = resolution;
    out
}

/// Extremes are exact when every sample was seen.
fn coarse(resolution: f64) -> f64 {
    if resolution < 0.01 { 0.0 } else { resolution }
}

/// Whether the run made iterations or requests at all.
fn ran(case: &Case<'_>) -> bool {
    case.timeline
        .iter()
        .any(|point| point.iterations > 0 || point.requests > 0)
}

fn quantile(
    h: &Histogram,
    selected: &Selected,
    p: f64,
    confidence: f64,
    resolution: f64,
) -> (Option<f64>, Option<Bounds>, f64) {
    let bounds = (p > 0.0 && p < 1.0)
        .then(|| quantile_interval(h, &trends(selected), p, confidence))
        .flatten();
    (h.quantile(p), bounds, resolution)
}

fn trends(selected: &Selected) -> Vec<Histogram> {
    selected
        .blocks
        .iter()
        .filter_map(|(_, block)| match block {
            Aggregate::Trend(h) => Some(h.clone()),
            _ => None,
        })
        .collect()
}

/// k6's name of the sub-metric that a selector with exact values only picks.
pub(super) fn submetric(
    objective: &Objective,
    select: &Selector,
    each: Option<(&str, &str)>,
) -> Option<String> {
    let mut tags: Vec<(String, String)> = select
        .tags
        .iter()
        .map(|(key, want)| match want {
            TagMatch::Exact(value) => Some((key.clone(), value.clone())),
            TagMatch::Regex(_) => None,
        })
        .collect::<Option<_>>()?;
    tags.extend(each.map(|(k, v)| (k.to_owned(), v.to_owned())));
    if tags.is_empty() {
        return Some(objective.metric.to_string());
    }
    let list = tags
        .iter()
        .map(|(k, v)| format!("{k}:{v}"))
        .collect::<Vec<_>>()
        .join(",");
    Some(format!("{}{{{list}}}", objective.metric))
}

/// Over the whole run, the engine's own number is exact: use it where it has one. Only for
/// quantiles: everything else is exact already, and setup and teardown are not in it.
fn sharpen(
    case: &Case<'_>,
    objective: &Objective,
    each: Option<(&str, &str)>,
    out: &mut Measurement,
) {
    let Statistic::Quantile(_) = objective.statistic else {
        return;
    };
    let Some(account) = submetric(objective, &objective.select, each)
        .and_then(|name| case.account_metric(&name))
        .filter(|a| a.kind == MetricKind::Trend)
    else {
        return;
    };
    // The engine's figure covers setup() and teardown() too: only take it when it saw as many.
    let same = account
        .values
        .get("count")
        .is_some_and(|&n| (n - count(out.samples)).abs() < 0.5);
    if let (true, Some(&value)) = (same, account.values.get(&objective.statistic.to_string()))
        && value.is_finite()
    {
        out.value = Some(value);
        out.resolution = 0.0;
    }
}

#[allow(clippy::cast_precision_loss)]
fn count(n: u64) -> f64 {
    n as f64
}

/// From a k6 summary: whole-run statistics only.
fn from_summary(case: &Case<'_>, objective: &Objective, each: Option<(&str, &str)>) -> Measurement {
    let mut out = nothing(
        WindowReport {
            name: "all".to_owned(),
            from: 0.0,
            to: None,
        },
        None,
    );
    if objective.window != WindowRule::All {
        if !case.whole_run {
            out.trouble = Some(
                "a k6 summary has no time in it, so the window cannot be judged; run the test \
                 with peakgate, or use --whole-run to judge the whole run instead"
                    .to_owned(),
            );
            return out;
        }
        out.window.name = "all (--whole-run)".to_owned();
    }
    let Some(name) = submetric(objective, &objective.select, each) else {
        out.trouble = Some("a k6 summary cannot be selected from by a regular expression".into());
        return out;
    };
    let Some(account) = case.account_metric(&name) else {
        out.trouble = Some(format!("the k6 summary has no {name}"));
        return out;
    };
    let key = match (objective.statistic, account.kind) {
        (Statistic::Rate, MetricKind::Rate) => "rate".to_owned(),
        (statistic, _) => statistic.to_string(),
    };
    let found = account
        .values
        .get(&key)
        .or_else(|| account.values.get(if key == "med" { "p(50)" } else { "" }))
        .or_else(|| account.values.get(if key == "p(50)" { "med" } else { "" }));
    let Some(&value) = found else {
        out.trouble = Some(format!(
            "the k6 summary of {name} has no {key} (it has {}); add it to summaryTrendStats",
            account
                .values
                .keys()
                .cloned()
                .collect::<Vec<_>>()
                .join(", ")
        ));
        return out;
    };
    let Some(samples) = summary_samples(case, account, &name) else {
        out.trouble = Some(format!(
            "the k6 summary does not say how many samples {name} has; add 'count' to \
             summaryTrendStats"
        ));
        return out;
    };
    out.samples = samples;
    // k6 prints 0 for a metric without samples: no value at all.
    out.value = (samples > 0 && value.is_finite()).then_some(value);
    out
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole_number(n: f64) -> u64 {
    n.max(0.0).round() as u64
}

/// How many samples a summary's metric stands for; k6 counts requests and iterations elsewhere.
fn summary_samples(case: &Case<'_>, account: &MetricAccount, name: &str) -> Option<u64> {
    let get = |key: &str| account.values.get(key).copied();
    let direct = match account.kind {
        MetricKind::Rate => Some(get("passes")? + get("fails")?),
        MetricKind::Counter => get("count").map(|_| 1.0),
        MetricKind::Gauge => get("value").map(|_| 1.0),
        MetricKind::Trend => get("count"),
    };
    let borrowed = || {
        let (metric, tags) = name.split_at(name.find('{').unwrap_or(name.len()));
        let counter = match metric {
            "iteration_duration" => "iterations",
            m if m.starts_with("http_req_") => "http_reqs",
            _ => return None,
        };
        let counter = case.account_metric(&format!("{counter}{tags}"))?;
        counter.values.get("count").copied()
    };
    direct.or_else(borrowed).map(whole_number)
}
