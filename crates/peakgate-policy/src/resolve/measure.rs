//! Metrics, statistics, units and selectors: what objectives and valves have in common.

use std::time::Duration;

use indexmap::IndexMap;
use peakgate_load::{MetricKind, MetricName};

use super::Cx;
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::document::{DurationText, Quantity, SelectValue};
use crate::settings::{Selector, Statistic, TagMatch, Unit};
use crate::source::Pointer;
use crate::units::{self, BadQuantity, BadShare, Measure, Misfit, UNITS};

/// A metric with its statistic, and the unit as far as it is known.
pub(super) struct Measured {
    pub(super) metric: MetricName,
    pub(super) statistic: Statistic,
    kind: Option<MetricKind>,
    pub(super) measure: Measure,
    /// What the first number settled, where the measure leaves a choice.
    seen: Option<Unit>,
}

impl Measured {
    /// Reads a number in the metric's unit; all numbers of one objective are in one unit.
    pub(super) fn read(&mut self, cx: &mut Cx<'_>, q: &Quantity, at: &Pointer) -> Option<f64> {
        let name = name_of(at);
        let reading = match units::read(q) {
            Ok(reading) => reading,
            Err(bad) => {
                let problem = bad_quantity(cx, at, &bad, self.measure.examples());
                cx.value(at, problem);
                return None;
            }
        };
        match self.measure.accept(reading) {
            Ok((_, unit)) if self.seen.is_some_and(|seen| seen != unit) => {
                cx.value(
                    at,
                    Diagnostic::new(
                        Code::BadUnit,
                        format!("{name} is in another unit than the rest of this objective"),
                    )
                    .help("write all numbers of one objective in units of one kind"),
                );
                None
            }
            Ok((value, unit)) => {
                self.seen = Some(unit);
                Some(value)
            }
            Err(misfit) => {
                cx.value(at, self.misfit(&name, misfit));
                None
            }
        }
    }

    fn misfit(&self, name: &str, misfit: Misfit) -> Diagnostic {
        let subject = format!("{}({})", self.statistic_name(), self.metric);
        let problem = match misfit {
            Misfit::NoUnit(n) => {
                let problem = Diagnostic::new(
                    Code::BadUnit,
                    format!("{name} needs a unit: {subject} is {}", self.measure),
                );
                match self.measure {
                    Measure::Time => problem.suggest(Some(format!("{n}ms"))),
                    Measure::PerSecond => problem.suggest(Some(format!("{n}/s"))),
                    _ => problem,
                }
            }
            Misfit::OtherUnit => Diagnostic::new(
                Code::BadUnit,
                format!("{name} has the wrong unit: {subject} is {}", self.measure),
            ),
            Misfit::OverOne(plain, share) => {
                let problem = Diagnostic::new(
                    Code::BadUnit,
                    format!(
                        "{name} is more than the whole: {subject} is {}",
                        self.measure
                    ),
                );
                if plain && share <= 100.0 {
                    problem.suggest(Some(format!("{share}%")))
                } else {
                    problem
                }
            }
        };
        with_examples(problem, self.measure.examples())
    }

    fn statistic_name(&self) -> String {
        self.statistic.to_string()
    }

    /// The unit that values are shown in.
    pub(super) fn unit(&self) -> Unit {
        self.seen.unwrap_or(self.measure.default_unit())
    }

    /// The metric's type, as far as it is known: built in, or implied by statistic or unit.
    pub(super) fn kind(&self) -> Option<MetricKind> {
        self.kind.or(match (self.statistic, self.seen) {
            (Statistic::Quantile(_) | Statistic::Avg | Statistic::Med, _) => {
                Some(MetricKind::Trend)
            }
            (Statistic::Value, _) => Some(MetricKind::Gauge),
            (Statistic::Rate, Some(Unit::Share)) => Some(MetricKind::Rate),
            (Statistic::Rate, Some(Unit::PerSecond | Unit::BytesPerSecond))
            | (Statistic::Count, Some(Unit::Bytes)) => Some(MetricKind::Counter),
            _ => None,
        })
    }

    /// Whether more is better when no limit says so: checks that hold, and throughput.
    pub(super) fn more_is_better(&self) -> bool {
        match self.metric.builtin() {
            Some(metric) if metric.name == "checks" => true,
            Some(metric) => {
                metric.kind == MetricKind::Counter
                    && self.statistic == Statistic::Rate
                    && metric.name != "dropped_iterations"
            }
            None => false,
        }
    }
}

fn name_of(at: &Pointer) -> String {
    at.split()
        .map_or_else(String::new, |(_, last)| format!("`{last}`"))
}

fn with_examples(mut problem: Diagnostic, examples: &[&str]) -> Diagnostic {
    problem.allowed = vec![format!("for example {}", examples.join(", "))];
    problem
}

/// Why a number cannot be read, with what was probably meant.
pub(super) fn bad_quantity(
    cx: &Cx<'_>,
    at: &Pointer,
    bad: &BadQuantity,
    examples: &[&str],
) -> Diagnostic {
    let name = name_of(at);
    let problem = Diagnostic::new(Code::BadUnit, format!("{name}: {bad}"));
    let problem = match bad {
        BadQuantity::UnknownUnit { unit } if unit.is_empty() => {
            Diagnostic::new(Code::BadUnit, format!("{name} needs a unit"))
        }
        BadQuantity::UnknownUnit { unit } => {
            let known = match unit.as_str() {
                "sec" | "secs" | "second" | "seconds" | "S" => Some("s".to_owned()),
                "min" | "mins" | "minute" | "minutes" => Some("m".to_owned()),
                "hour" | "hours" | "hr" => Some("h".to_owned()),
                "millis" | "msec" | "milliseconds" | "MS" | "Ms" => Some("ms".to_owned()),
                "percent" | "pct" => Some("%".to_owned()),
                "rps" | "/second" | "/sec" => Some("/s".to_owned()),
                "mb" | "Mb" => Some("MB".to_owned()),
                "kb" | "Kb" => Some("kB".to_owned()),
                other => nearest(other, UNITS.iter().copied()),
            };
            // The whole value, where the number can be told from the unit.
            let written = cx.text(at).unwrap_or_default();
            let number = written
                .trim()
                .strip_suffix(unit.as_str())
                .map(str::trim_end);
            problem.suggest(known.map(|unit| format!("{}{unit}", number.unwrap_or_default())))
        }
        BadQuantity::Negative(_) => problem.help("limits are zero or more"),
        BadQuantity::Empty | BadQuantity::NotANumber(_) | BadQuantity::NotFinite(_) => problem,
    };
    with_examples(problem, examples)
}

/// Reads a share; `bounded`: of 0 to 1.
pub(super) fn share(cx: &mut Cx<'_>, q: &Quantity, at: &Pointer, bounded: bool) -> Option<f64> {
    let name = name_of(at);
    let examples = &["10%", "0.1"];
    let problem = match units::read_share(q, bounded) {
        Ok(share) => return Some(share),
        Err(BadShare::Quantity(bad)) => bad_quantity(cx, at, &bad, examples),
        Err(BadShare::Misfit(Misfit::OverOne(plain, n))) => {
            let problem = Diagnostic::new(
                Code::BadUnit,
                format!("{name} is more than the whole: it is a share of 0 to 100 %"),
            );
            if plain && n <= 100.0 {
                problem.suggest(Some(format!("{n}%")))
            } else {
                problem
            }
        }
        Err(BadShare::Misfit(_)) => with_examples(
            Diagnostic::new(Code::BadUnit, format!("{name} must be a share")),
            examples,
        ),
    };
    cx.value(at, problem);
    None
}

/// Reads a time.
pub(super) fn duration(cx: &mut Cx<'_>, text: &DurationText, at: &Pointer) -> Option<Duration> {
    match units::read_duration(&text.0) {
        Ok(duration) => Some(duration),
        Err(bad) => {
            let examples = &["500ms", "30s", "1m30s", "4h"];
            let problem = bad_quantity(cx, at, &bad, examples);
            cx.value(at, problem);
            None
        }
    }
}

/// The statistics of a metric type.
fn statistics_of(kind: MetricKind) -> &'static [&'static str] {
    match kind {
        MetricKind::Trend => &["p(N)", "avg", "med", "min", "max", "count"],
        MetricKind::Counter => &["count", "rate"],
        MetricKind::Gauge => &["value", "min", "max"],
        MetricKind::Rate => &["rate"],
    }
}

fn fits(kind: MetricKind, statistic: Statistic) -> bool {
    match statistic {
        Statistic::Quantile(_) | Statistic::Avg | Statistic::Med => kind == MetricKind::Trend,
        Statistic::Min | Statistic::Max => matches!(kind, MetricKind::Trend | MetricKind::Gauge),
        Statistic::Rate => matches!(kind, MetricKind::Rate | MetricKind::Counter),
        Statistic::Count => matches!(kind, MetricKind::Counter | MetricKind::Trend),
        Statistic::Value => kind == MetricKind::Gauge,
    }
}

/// Reads a statistic.
pub(super) fn parse_statistic(text: &str) -> Result<Statistic, Box<Diagnostic>> {
    let text = text.trim();
    Ok(match text {
        "avg" => Statistic::Avg,
        "med" => Statistic::Med,
        "min" => Statistic::Min,
        "max" => Statistic::Max,
        "rate" => Statistic::Rate,
        "count" => Statistic::Count,
        "value" => Statistic::Value,
        _ => return quantile(text),
    })
}

fn quantile(text: &str) -> Result<Statistic, Box<Diagnostic>> {
    let inner = text.strip_prefix("p(").and_then(|t| t.strip_suffix(')'));
    if let Some(inner) = inner {
        let n: Option<f64> = inner.trim().parse().ok();
        return match n {
            Some(n) if (0.0..=100.0).contains(&n) => Ok(Statistic::Quantile(units::of_percent(n))),
            _ => Err(Diagnostic::new(
                Code::BadStatistic,
                format!("`{text}`: a percentile is a number of 0 to 100"),
            )
            .help("for example: p(95), p(99.9)")
            .into()),
        };
    }
    let lower = text.to_lowercase();
    let alias = match lower.as_str() {
        "average" | "mean" => Some("avg".to_owned()),
        "median" => Some("med".to_owned()),
        "minimum" => Some("min".to_owned()),
        "maximum" => Some("max".to_owned()),
        "sum" | "total" => Some("count".to_owned()),
        "last" => Some("value".to_owned()),
        other => other
            .trim_start_matches("percentile")
            .trim_start_matches(['p', '('])
            .trim_end_matches(')')
            .parse::<f64>()
            .ok()
            .filter(|n| (0.0..=100.0).contains(n))
            .map(|n| format!("p({n})")),
    };
    Err(
        Diagnostic::new(Code::BadStatistic, format!("`{text}` is not a statistic"))
            .suggest(alias)
            .allowed(
                text,
                ["p(N)", "avg", "med", "min", "max", "rate", "count", "value"],
            )
            .into(),
    )
}

/// Reads a metric and its statistic and checks that they go together. Both are looked at, whatever
/// becomes of either.
pub(super) fn measured(
    cx: &mut Cx<'_>,
    metric: Option<(&str, Pointer)>,
    statistic: Option<(&str, Pointer)>,
) -> Option<Measured> {
    let metric = metric.and_then(|(text, at)| match MetricName::parse(text.trim()) {
        Ok(name) => Some(name),
        Err(error) => {
            let problem = Diagnostic::new(Code::BadMetric, error.to_string());
            cx.value(
                &at,
                if text.contains('{') {
                    problem.help("tags are selected by `select: {name: value}`")
                } else {
                    problem.allowed(text, Vec::<String>::new()).suggest(nearest(
                        text,
                        peakgate_load::metric::BUILTIN.iter().map(|m| m.name),
                    ))
                },
            );
            None
        }
    });
    let statistic = statistic.and_then(|(text, at)| match parse_statistic(text) {
        Ok(statistic) => Some((statistic, at)),
        Err(problem) => {
            cx.value(&at, *problem);
            None
        }
    });
    let (metric, (statistic, at)) = (metric?, statistic?);
    let builtin = metric.builtin();
    if let Some(builtin) = builtin
        && !fits(builtin.kind, statistic)
    {
        let mut problem = Diagnostic::new(
            Code::BadStatistic,
            format!(
                "`{}` is a {}, which has no {statistic}",
                builtin.name, builtin.kind
            ),
        );
        problem.allowed = statistics_of(builtin.kind)
            .iter()
            .map(|&s| s.to_owned())
            .collect();
        if let [only] = statistics_of(builtin.kind) {
            problem.suggestion = Some((*only).to_owned());
        }
        cx.value(&at, problem);
        return None;
    }
    let measure = builtin.map_or_else(
        || Measure::of_custom(statistic),
        |b| Measure::of_builtin(b.kind, b.contains, statistic),
    );
    Some(Measured {
        metric,
        statistic,
        kind: builtin.map(|b| b.kind),
        measure,
        seen: None,
    })
}

/// Resolves a selector; `None` when one of its expressions was bad.
pub(super) fn selector(
    cx: &mut Cx<'_>,
    doc: Option<&IndexMap<String, SelectValue>>,
    at: &Pointer,
) -> Option<Selector> {
    let mut selector = Selector::default();
    let mut good = true;
    for (tag, value) in doc.into_iter().flatten() {
        let at = at.key(tag);
        let found = match value {
            SelectValue::Exact(_) => cx.text(&at).map(TagMatch::Exact),
            SelectValue::Regex { regex: None } => None,
            SelectValue::Regex { regex: Some(text) } => {
                whole_match(cx, text, &at.key("regex")).map(TagMatch::Regex)
            }
        };
        match found {
            Some(found) => {
                selector.tags.insert(tag.clone(), found);
            }
            None => good = false,
        }
    }
    good.then_some(selector)
}

fn whole_match(cx: &mut Cx<'_>, text: &str, at: &Pointer) -> Option<regex::Regex> {
    // Shared objectives come by once for each test, and compiling is by far the dearest step.
    if let Some(known) = cx.expressions.get(text) {
        return Some(known.clone());
    }
    // Alone first: its own error is the one that can be read.
    let compiled =
        regex::Regex::new(text).and_then(|_| regex::Regex::new(&format!("^(?:{text})$")));
    match compiled {
        Ok(regex) => {
            cx.expressions.insert(text.to_owned(), regex.clone());
            Some(regex)
        }
        Err(error) => {
            let reason = error.to_string();
            // The last line says why; those before it draw the expression.
            let reason = reason.lines().last().unwrap_or_default();
            let reason = reason.trim().trim_start_matches("error: ");
            cx.value(
                at,
                Diagnostic::new(
                    Code::BadRegex,
                    format!("not a regular expression: {reason}"),
                )
                .help("the syntax is that of Rust's regex crate, close to RE2's; look-around is not part of it"),
            );
            None
        }
    }
}
