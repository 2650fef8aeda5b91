//! Judging one objective.

use peakgate_policy::settings::{
    Direction, Mode, Objective, Regression, Statistic, TagMatch, Waiver,
};

use super::Case;
use super::each::{each_values, taken_elsewhere, vanished};
use super::measure::{Measurement, measure};
use crate::format;
use crate::verdict::{
    BaselineReport, Interval, LimitDirection, ModeName, ObjectiveResult, Outcome, UnitName,
    WaiverReport,
};

const DEFAULT_CONFIDENCE: f64 = 0.95;

/// Judges all objectives of the test; one with `each` becomes one result per tag value.
pub(super) fn judge_all(case: &Case<'_>) -> Vec<ObjectiveResult> {
    let mut out = Vec::new();
    for objective in &case.test.objectives {
        let Some(tag) = &objective.each else {
            out.push(judge_one(case, objective, None));
            continue;
        };
        let values = each_values(case, objective, tag);
        if values.is_empty() {
            // Nothing to judge is never a pass.
            out.push(judge_one(case, objective, None));
            continue;
        }
        for value in &values {
            if !taken_elsewhere(case, objective, tag, value) {
                out.push(judge_one(case, objective, Some((tag, value))));
            }
        }
        out.extend(vanished(case, objective, tag, &values));
    }
    out
}

/// What the judgement of a value came to.
struct Judged {
    outcome: Outcome,
    why: String,
    waived: bool,
}

pub(super) fn judge_one(
    case: &Case<'_>,
    objective: &Objective,
    each: Option<(&str, &str)>,
) -> ObjectiveResult {
    let confidence = objective.certainty.unwrap_or(DEFAULT_CONFIDENCE);
    let measured = measure(case, objective, each, confidence);
    let id = match each {
        Some((_, value)) => format!("{}[{value}]", objective.id),
        None => objective.id.clone(),
    };
    let baseline = case.baseline.value(&id);
    // Where nothing is judged against a baseline, no limit follows from one.
    let compared = case.planned.is_some() && case.rehearsal().is_none();
    let regression_limit = objective
        .max_regression
        .filter(|_| compared)
        .zip(baseline)
        .map(|(allowed, base)| worst_allowed(allowed, base, objective.direction));
    let min_samples = case.min_samples(objective);
    let unit = UnitName::from(objective.unit);
    let limits = Limits {
        case,
        objective,
        measured: &measured,
        baseline,
        regression_limit,
        min_samples,
        unit,
    };
    let judged = limits.judge();
    let change = match (measured.value, baseline) {
        (Some(value), Some(base)) if base != 0.0 => Some((value - base) / base.abs()),
        _ => None,
    };
    ObjectiveResult {
        what: what(objective, each),
        verdict: judged.outcome,
        why: judged.why,
        value: measured.value,
        limit: objective.limit,
        regression_limit,
        warn: objective.warn,
        direction: match objective.direction {
            Direction::AtMost => LimitDirection::AtMost,
            Direction::AtLeast => LimitDirection::AtLeast,
        },
        unit,
        baseline,
        change,
        samples: measured.samples,
        min_samples,
        interval: measured.bounds.map(|b| Interval {
            low: b.low,
            high: b.high,
            confidence,
        }),
        window: measured.window,
        key: objective.key,
        weight: objective.weight,
        mode: match objective.mode {
            Mode::Judged => ModeName::Judged,
            Mode::Informational => ModeName::Informational,
            Mode::DryRun => ModeName::DryRun,
        },
        waiver: objective.waiver.as_ref().map(|w| WaiverReport {
            ceiling: w.ceiling,
            reason: w.reason.clone(),
            owner: w.owner.clone(),
            expires: w.expires.to_string(),
            expired: expired(case, w),
            applied: judged.waived,
        }),
        position: objective.position,
        id,
    }
}

fn what(objective: &Objective, each: Option<(&str, &str)>) -> String {
    let mut select = objective.select.clone();
    if let Some((tag, value)) = each {
        select
            .tags
            .insert(tag.to_owned(), TagMatch::Exact(value.to_owned()));
    }
    format!("{} of {}{select}", objective.statistic, objective.metric)
}

fn expired(case: &Case<'_>, waiver: &Waiver) -> bool {
    case.today > waiver.expires
}

/// The worst value that a regression rule allows: the more generous of its two parts.
fn worst_allowed(allowed: Regression, base: f64, direction: Direction) -> f64 {
    let by_share = allowed.relative.map_or(0.0, |share| base.abs() * share);
    let by_value = allowed.absolute.unwrap_or(0.0);
    let slack = by_share.max(by_value);
    match direction {
        Direction::AtMost => base + slack,
        Direction::AtLeast => base - slack,
    }
}

struct Limits<'a> {
    case: &'a Case<'a>,
    objective: &'a Objective,
    measured: &'a Measurement,
    baseline: Option<f64>,
    regression_limit: Option<f64>,
    min_samples: u64,
    unit: UnitName,
}

impl Limits<'_> {
    fn show(&self, value: f64) -> String {
        format::value(value, self.unit)
    }

    /// A value beside a limit: with more digits where three would make them look alike.
    fn show_beside(&self, value: f64, limit: f64) -> String {
        let text = self.show(value);
        #[allow(clippy::float_cmp)]
        let differ = value != limit;
        if differ && text == self.show(limit) {
            match self.unit {
                UnitName::Share => format!("{:.6} %", value * 100.0),
                UnitName::Milliseconds => format!("{value:.3} ms"),
                _ => format!("{value:.6}"),
            }
        } else {
            text
        }
    }

    fn beyond(&self, value: f64, limit: f64) -> bool {
        // Written so that NaN on either side counts as beyond.
        match self.objective.direction {
            Direction::AtMost => !(value <= limit),
            Direction::AtLeast => !(value >= limit),
        }
    }

    fn bound_word(&self) -> &'static str {
        match self.objective.direction {
            Direction::AtMost => "at most",
            Direction::AtLeast => "at least",
        }
    }

    fn is(outcome: Outcome, why: String) -> Judged {
        Judged {
            outcome,
            why,
            waived: false,
        }
    }

    fn judge(&self) -> Judged {
        let inconclusive = |why: String| Self::is(Outcome::Inconclusive, why);
        if let Some(trouble) = &self.measured.trouble {
            return inconclusive(format!("not measured: {trouble}"));
        }
        let n = self.measured.samples;
        if n == 0 && self.min_samples == 0 && self.counts_from_zero() {
            return self.against_limits(0.0);
        }
        let Some(value) = self.measured.value else {
            return inconclusive(format!(
                "no samples of {} in the window '{}'",
                what(self.objective, None),
                self.measured.window.name
            ));
        };
        if n < self.min_samples {
            return inconclusive(format!(
                "only {n} samples, {} are needed to judge it",
                self.min_samples
            ));
        }
        self.against_limits(value)
    }

    /// A count of nothing is zero, if the policy says that none is fine.
    fn counts_from_zero(&self) -> bool {
        matches!(self.objective.statistic, Statistic::Count | Statistic::Rate)
            && self.objective.kind != Some(peakgate_load::MetricKind::Rate)
    }

    fn against_limits(&self, value: f64) -> Judged {
        if self.objective.mode == Mode::Informational && self.objective.limit.is_none() {
            return Self::is(Outcome::Pass, "shown for information".to_owned());
        }
        let judged = self.absolute(value);
        if judged.outcome == Outcome::Fail {
            return self.waived_or(value, judged);
        }
        let compared = self.compared(value);
        let worse = match compared {
            // What surely does not hold decides, whatever else is undecided.
            Some(c) if c.outcome == Outcome::Fail => c,
            Some(c) if c.outcome > judged.outcome => c,
            Some(c) if judged.outcome == Outcome::Pass && c.outcome == Outcome::Pass => {
                Self::is(Outcome::Pass, format!("{}; {}", judged.why, c.why))
            }
            _ => judged,
        };
        if worse.outcome == Outcome::Fail {
            return self.waived_or(value, worse);
        }
        worse
    }

    /// Against the absolute limit and the warn limit.
    fn absolute(&self, value: f64) -> Judged {
        let Some(limit) = self.objective.limit else {
            return Self::is(Outcome::Pass, "no absolute limit".to_owned());
        };
        let word = self.bound_word();
        let shown = self.show_beside(value, limit);
        let stated = format!("{shown}, {word} {}", self.show(limit));
        if let Some(undecided) = self.uncertain(value, limit) {
            return undecided;
        }
        if self.beyond(value, limit) {
            return Self::is(Outcome::Fail, format!("{stated} allowed"));
        }
        if let Some(warn) = self.objective.warn
            && self.beyond(value, warn)
        {
            return Self::is(
                Outcome::Warn,
                format!("{stated} allowed, but past {} it warns", self.show(warn)),
            );
        }
        if self.near(value, limit) {
            return Self::is(
                Outcome::Warn,
                format!("{stated} allowed: so close that three digits cannot tell"),
            );
        }
        Self::is(Outcome::Pass, format!("{stated} allowed"))
    }

    /// Whether the limit lies within the value's resolution.
    fn near(&self, value: f64, limit: f64) -> bool {
        let error = value.abs() * self.measured.resolution;
        self.measured.resolution > 0.0 && (value - limit).abs() <= error
    }

    /// What makes a comparison with a limit undecided: a coarse resolution, or a wanted certainty
    /// that the interval does not give.
    fn uncertain(&self, value: f64, limit: f64) -> Option<Judged> {
        if self.measured.resolution >= 0.01 && self.near(value, limit) {
            return Some(Self::is(
                Outcome::Inconclusive,
                format!(
                    "{} is known within ±{}, and the limit {} lies inside; run with `live: exact`",
                    self.show(value),
                    format::value(self.measured.resolution, UnitName::Share),
                    self.show(limit)
                ),
            ));
        }
        let wanted = self.objective.certainty?;
        let bounds = self.measured.bounds;
        let (low, high) = (bounds.and_then(|b| b.low), bounds.and_then(|b| b.high));
        let decided = match self.objective.direction {
            Direction::AtMost => high.is_some_and(|h| h <= limit) || low.is_some_and(|l| l > limit),
            Direction::AtLeast => {
                low.is_some_and(|l| l >= limit) || high.is_some_and(|h| h < limit)
            }
        };
        (!decided).then(|| {
            Self::is(
                Outcome::Inconclusive,
                format!(
                    "{} against {} is not certain to {}: the interval is {} to {}",
                    self.show(value),
                    self.show(limit),
                    // 99.99 % must not read as 100 %.
                    format_args!("{} %", (wanted * 1e6).round() / 1e4),
                    low.map_or_else(|| "unbounded".to_owned(), |v| self.show(v)),
                    high.map_or_else(|| "unbounded".to_owned(), |v| self.show(v)),
                ),
            )
        })
    }

    /// Against the baseline; `None` when the objective does not ask for it.
    fn compared(&self, value: f64) -> Option<Judged> {
        self.objective.max_regression?;
        if self.case.rehearsal().is_some() {
            return Some(self.without_baseline("a rehearsal is not judged against a baseline"));
        }
        if self.case.evidence.is_none() {
            return Some(self.without_baseline("a k6 summary is not compared with a baseline"));
        }
        let (Some(base), Some(limit)) = (self.baseline, self.regression_limit) else {
            let absent = match self.case.baseline.report() {
                BaselineReport::Found { description, .. } => {
                    format!("{description} has no value for it")
                }
                _ => "no earlier run has passed yet, so regression is not judged (first run)"
                    .to_owned(),
            };
            return Some(self.missing_baseline(&absent));
        };
        if let Some(undecided) = self.uncertain(value, limit) {
            return Some(undecided);
        }
        let change = if base == 0.0 {
            format!("{} after 0", self.show(value))
        } else {
            format::change((value - base) / base.abs())
        };
        let stated = format!(
            "{change} against the baseline {} ({} allowed)",
            self.show(base),
            self.show(limit)
        );
        Some(if self.beyond(value, limit) {
            Self::is(
                Outcome::Fail,
                format!("{} is a regression: {stated}", self.show(value)),
            )
        } else {
            match self.case.baseline.report() {
                BaselineReport::Found { differs, .. } if !differs.is_empty() => Self::is(
                    Outcome::Warn,
                    format!("{stated}, but {} was another then", differs.join(" and ")),
                ),
                _ => Self::is(Outcome::Pass, stated),
            }
        })
    }

    /// Where no comparison is made by nature: the absolute limit decides, if there is one.
    fn without_baseline(&self, why: &str) -> Judged {
        if self.objective.limit.is_some() {
            Self::is(Outcome::Pass, why.to_owned())
        } else {
            Self::is(
                Outcome::Inconclusive,
                format!("{why}, and it has no absolute limit"),
            )
        }
    }

    /// Where a comparison was asked for and there is nothing to compare with: never a pass.
    fn missing_baseline(&self, why: &str) -> Judged {
        if self.objective.limit.is_some() || self.case.policy.baseline.missing_warns {
            let held = if self.objective.limit.is_some() {
                "within its absolute limit; "
            } else {
                ""
            };
            Self::is(Outcome::Warn, format!("{held}{why}"))
        } else {
            Self::is(
                Outcome::Inconclusive,
                format!(
                    "{why}, and it has no absolute limit; for a deliberate first run set \
                     `baseline.when_missing: warn`"
                ),
            )
        }
    }

    fn waived_or(&self, value: f64, failed: Judged) -> Judged {
        let Some(waiver) = &self.objective.waiver else {
            return failed;
        };
        if expired(self.case, waiver) {
            return Self::is(
                Outcome::Fail,
                format!("{}; its waiver expired on {}", failed.why, waiver.expires),
            );
        }
        if self.measured.resolution >= 0.01 && self.near(value, waiver.ceiling) {
            return Self::is(
                Outcome::Fail,
                format!(
                    "{}; too close to the waiver's ceiling of {} for the resolution of ±{}",
                    failed.why,
                    self.show(waiver.ceiling),
                    format::value(self.measured.resolution, UnitName::Share)
                ),
            );
        }
        if self.beyond(value, waiver.ceiling) {
            return Self::is(
                Outcome::Fail,
                format!(
                    "{}; beyond even the waiver's ceiling of {}",
                    failed.why,
                    self.show(waiver.ceiling)
                ),
            );
        }
        let regressed = match self.compared(value) {
            Some(c) if c.outcome == Outcome::Fail && c.why != failed.why => format!("; {}", c.why),
            _ => String::new(),
        };
        Judged {
            outcome: Outcome::Warn,
            why: format!(
                "{}{regressed}; waived until {} by {}: {}",
                failed.why, waiver.expires, waiver.owner, waiver.reason
            ),
            waived: true,
        }
    }
}
