//! Objectives: limits that make sense for their metric and among each other.

use super::Cx;
use super::measure::{self, Measured};
use super::merge::Merged;
use crate::diagnostic::{Code, Diagnostic};
use crate::document::{ModeWord, Quantity, RegressionText, Waiver as WaiverDoc, WindowText};
use crate::form::missing_key;
use crate::settings::{Direction, Mode, Objective, Regression, TagMatch, Waiver, WindowRule};
use crate::source::Pointer;
use crate::units::{self, Reading};

/// Resolves one objective; `None` goes with a problem.
pub(super) fn resolve(cx: &mut Cx<'_>, m: &Merged<'_>) -> Option<Objective> {
    let at = m.place();
    for field in ["metric", "statistic"] {
        // The schema requires them of a shared objective; of a test's own, only this can.
        if m.shared.is_none() && !m.written(cx, field) {
            let problem = missing_key(cx.root, &at, field);
            cx.problems.push(problem);
        }
    }
    let metric = m.get(cx, "metric", |o| o.metric.as_deref());
    let statistic = m.get(cx, "statistic", |o| o.statistic.as_deref());
    let measured = measure::measured(cx, metric, statistic);
    let select = match m.get(cx, "select", |o| o.select.as_ref()) {
        Some((tags, at)) => measure::selector(cx, Some(tags), &at),
        None => Some(crate::settings::Selector::default()),
    };
    let mode = match m.get(cx, "mode", |o| o.mode) {
        None | Some((ModeWord::Judged, _)) => Mode::Judged,
        Some((ModeWord::Informational, _)) => Mode::Informational,
        Some((ModeWord::DryRun, _)) => Mode::DryRun,
    };
    let window = match m.get(cx, "window", |o| o.window.as_ref()) {
        Some((text, at)) => window(cx, text, &at),
        None => Some(WindowRule::Plateau),
    };
    let weight = m.get(cx, "weight", |o| o.weight);
    if let Some((weight, at)) = &weight
        && !(weight.is_finite() && *weight > 0.0)
    {
        let problem = Diagnostic::new(
            Code::OutOfRange,
            format!("`weight` must be above 0, not {weight}"),
        )
        .help("`mode: informational` takes an objective out of the score");
        cx.value(at, problem);
    }
    let certainty = m
        .get(cx, "certainty", |o| o.certainty.as_ref())
        .and_then(|(share, at)| {
            let share = cx.share(Some(share), &at)?;
            certainty(cx, share, &at)
        });
    let key = m.get(cx, "key", |o| o.key).is_some_and(|(key, _)| key);
    if key && mode != Mode::Judged {
        let problem = Diagnostic::new(
            Code::Conflict,
            "`key` on an objective that does not count: `mode` is not judged",
        )
        .help("remove one of the two");
        cx.key(&m.get(cx, "key", |o| o.key)?.1, problem);
    }
    let each = each(cx, m, select.as_ref());
    let direction = direction(cx, m, mode)?;
    let mut measured = measured?;
    let direction = direction.unwrap_or(if measured.more_is_better() {
        Direction::AtLeast
    } else {
        Direction::AtMost
    });
    let limits = limits(cx, m, &mut measured, direction);
    let max_regression = m
        .get(cx, "max_regression", |o| o.max_regression.as_ref())
        .and_then(|(text, at)| regression(cx, text, &at, &mut measured));
    let waiver = m
        .get(cx, "waiver", |o| o.waiver.as_ref())
        .and_then(|(doc, at)| {
            // A shared waiver is of the shared limit; a test with a limit of its own is measured
            // against that, and the waiver may well lie within it.
            let own_limit = m.is_own(cx, "max") || m.is_own(cx, "min");
            let shared_waiver = own_limit && !m.is_own(cx, "waiver");
            let limit = limits.limit.filter(|_| !shared_waiver);
            waiver(cx, doc, &at, &mut measured, direction, limit)
        });
    Some(Objective {
        id: m.id.to_owned(),
        kind: measured.kind(),
        unit: measured.unit(),
        metric: measured.metric,
        statistic: measured.statistic,
        select: select?,
        each,
        direction,
        limit: limits.limit,
        warn: limits.warn,
        max_regression,
        window: window?,
        key,
        weight: weight.map_or(1.0, |(w, _)| w),
        mode,
        min_samples: m.get(cx, "min_samples", |o| o.min_samples).map(|(n, _)| n),
        certainty,
        waiver,
        position: cx.key_place(&at).position,
    })
}

/// Which way it points; `Some(None)`: no limit says so; `None` after a complaint.
fn direction(cx: &mut Cx<'_>, m: &Merged<'_>, mode: Mode) -> Option<Option<Direction>> {
    let at = m.place();
    let (max, min) = (m.written(cx, "max"), m.written(cx, "min"));
    match (max, min) {
        (true, true) => {
            let problem = Diagnostic::new(
                Code::Conflict,
                format!("objective `{}` has both `max` and `min`", m.id),
            )
            .help(
                "keep one, and make a second objective of the other; an override takes a shared \
                 limit away by null: `min: null`",
            );
            cx.key(&at, problem);
            None
        }
        (true, false) => Some(Some(Direction::AtMost)),
        (false, true) => Some(Some(Direction::AtLeast)),
        (false, false) => {
            if m.written(cx, "warn") {
                let problem = Diagnostic::new(
                    Code::NoLimit,
                    format!("objective `{}` has `warn` without `max` or `min`", m.id),
                )
                .help("`warn` is a milder limit beside `max` or `min`");
                cx.key(&at, problem);
                return None;
            }
            if mode != Mode::Informational && !m.written(cx, "max_regression") {
                let problem = Diagnostic::new(
                    Code::NoLimit,
                    format!("nothing could ever fail objective `{}`", m.id),
                )
                .allowed("", ["max", "min", "max_regression", "mode: informational"])
                .help("give it a limit, or say `mode: informational` to show it only");
                cx.key(&at, problem);
                return None;
            }
            Some(None)
        }
    }
}

struct Limits {
    limit: Option<f64>,
    warn: Option<f64>,
}

fn limits(
    cx: &mut Cx<'_>,
    m: &Merged<'_>,
    measured: &mut Measured,
    direction: Direction,
) -> Limits {
    let limit = match direction {
        Direction::AtMost => m.get(cx, "max", |o| o.max.as_ref()),
        Direction::AtLeast => m.get(cx, "min", |o| o.min.as_ref()),
    };
    let limit = limit.and_then(|(q, at)| measured.read(cx, q, &at));
    let warn = m.get(cx, "warn", |o| o.warn.as_ref());
    let warn = warn.and_then(|(q, at)| Some((measured.read(cx, q, &at)?, at)));
    if let (Some((warn, at)), Some(limit)) = (&warn, limit) {
        let (good, side, name) = match direction {
            Direction::AtMost => (*warn < limit, "below", "max"),
            Direction::AtLeast => (*warn > limit, "above", "min"),
        };
        if !good {
            let problem = Diagnostic::new(
                Code::WrongSide,
                format!("`warn` must lie {side} `{name}`: it warns before the limit fails"),
            )
            .help(format!("the limit is at {}", line_of(cx, m, name)));
            cx.value(at, problem);
        }
    }
    Limits {
        limit,
        warn: warn.map(|(w, _)| w),
    }
}

fn line_of(cx: &Cx<'_>, m: &Merged<'_>, field: &str) -> String {
    m.get(cx, field, |_| Some(())).map_or_else(
        || "another place".to_owned(),
        |(_, at)| format!("line {}", cx.key_place(&at).position.line),
    )
}

fn certainty(cx: &mut Cx<'_>, share: f64, at: &Pointer) -> Option<f64> {
    if (0.5..=0.9999).contains(&share) {
        return Some(share);
    }
    cx.value(
        at,
        Diagnostic::new(Code::OutOfRange, "`certainty` must be of 50 % to 99.99 %")
            .help("95% is usual; leave it out to let the value itself decide"),
    );
    None
}

fn each(
    cx: &mut Cx<'_>,
    m: &Merged<'_>,
    select: Option<&crate::settings::Selector>,
) -> Option<String> {
    let (tag, at) = m.get(cx, "each", |o| o.each.clone())?;
    let exact = select.is_some_and(|s| matches!(s.tags.get(&tag), Some(TagMatch::Exact(_))));
    if exact {
        let problem = Diagnostic::new(
            Code::Conflict,
            format!("`each: {tag}` with one value of `{tag}` selected"),
        )
        .help("remove `each`, or select by `{regex: …}`");
        cx.value(&at, problem);
    }
    Some(tag)
}

fn window(cx: &mut Cx<'_>, text: &WindowText, at: &Pointer) -> Option<WindowRule> {
    match text {
        WindowText::Word(word) => match word.as_str() {
            "plateau" => Some(WindowRule::Plateau),
            "all" => Some(WindowRule::All),
            _ => {
                let problem =
                    Diagnostic::new(Code::UnknownValue, format!("`window` cannot be `{word}`"))
                        .allowed(word, ["plateau", "all", "{from: 2m, to: 10m}"]);
                cx.value(at, problem);
                None
            }
        },
        WindowText::Between { from, to } => {
            let start = cx.duration(from.as_ref(), &at.key("from"));
            let end = cx.duration(to.as_ref(), &at.key("to"));
            let start = match (start, from) {
                (Some(start), _) => start,
                (None, None) => std::time::Duration::ZERO,
                (None, Some(_)) => return None,
            };
            if to.is_some() && end.is_none() {
                return None;
            }
            if end.is_some_and(|end| start >= end) {
                cx.value(
                    &at.key("to"),
                    Diagnostic::new(Code::BadWindow, "the window ends before it begins")
                        .help("`from` and `to` are offsets from the start of the load"),
                );
                return None;
            }
            Some(WindowRule::Between {
                from: start,
                to: end,
            })
        }
    }
}

fn regression(
    cx: &mut Cx<'_>,
    text: &RegressionText,
    at: &Pointer,
    measured: &mut Measured,
) -> Option<Regression> {
    let (relative, absolute) = match text {
        RegressionText::One(quantity) => return one_regression(cx, quantity, at, measured),
        RegressionText::Both { relative, absolute } => (
            relative
                .as_ref()
                .and_then(|p| measure::share(cx, &p.0, &at.key("relative"), false)),
            absolute
                .as_ref()
                .and_then(|q| measured.read(cx, q, &at.key("absolute"))),
        ),
    };
    (relative.is_some() || absolute.is_some()).then_some(Regression { relative, absolute })
}

fn one_regression(
    cx: &mut Cx<'_>,
    quantity: &Quantity,
    at: &Pointer,
    measured: &mut Measured,
) -> Option<Regression> {
    match units::read(quantity) {
        // A percentage is of the baseline, also where the metric itself is a share.
        Ok(Reading::Share(share)) => Some(Regression {
            relative: Some(share),
            absolute: None,
        }),
        Ok(Reading::Plain(n)) => {
            let problem = Diagnostic::new(
                Code::BadUnit,
                format!("`max_regression` needs a unit: is {n} a share or an amount?"),
            )
            .help(format!(
                "write `{}%` of the baseline, or `{{absolute: {n}}}` in the metric's unit",
                if n <= 1.0 { n * 100.0 } else { n }
            ));
            cx.value(at, problem);
            None
        }
        Ok(_) | Err(_) => Some(Regression {
            relative: None,
            absolute: Some(measured.read(cx, quantity, at)?),
        }),
    }
}

fn waiver(
    cx: &mut Cx<'_>,
    doc: &WaiverDoc,
    at: &Pointer,
    measured: &mut Measured,
    direction: Direction,
    limit: Option<f64>,
) -> Option<Waiver> {
    let ceiling = doc
        .ceiling
        .as_ref()
        .and_then(|q| measured.read(cx, q, &at.key("ceiling")));
    if let (Some(ceiling), Some(limit)) = (ceiling, limit) {
        let (good, side, name) = match direction {
            Direction::AtMost => (ceiling > limit, "above", "max"),
            Direction::AtLeast => (ceiling < limit, "below", "min"),
        };
        if !good {
            cx.value(
                &at.key("ceiling"),
                Diagnostic::new(
                    Code::WrongSide,
                    format!("the waiver's ceiling must lie {side} `{name}`, or it waives nothing"),
                )
                .help("the ceiling is the worst value that is still let through"),
            );
        }
    }
    let expires = doc
        .expires
        .as_deref()
        .and_then(|text| date(cx, text, &at.key("expires")));
    Some(Waiver {
        ceiling: ceiling?,
        reason: doc.reason.clone()?,
        owner: doc.owner.clone()?,
        expires: expires?,
        position: cx.key_place(at).position,
    })
}

fn date(cx: &mut Cx<'_>, text: &str, at: &Pointer) -> Option<jiff::civil::Date> {
    // jiff also takes times and other forms; a policy's dates are of one form.
    let date = (text.len() == 10 && text.as_bytes().get(4) == Some(&b'-'))
        .then(|| text.parse().ok())
        .flatten();
    if date.is_none() {
        cx.value(
            at,
            Diagnostic::new(Code::BadDate, format!("`{text}` is not a date"))
                .help("write year, month and day: 2026-12-31"),
        );
    }
    date
}
