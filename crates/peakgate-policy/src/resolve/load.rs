//! A test's own load: one of four shapes.

use std::time::Duration;

use peakgate_load::Stage;

use super::Cx;
use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Load, Quantity};
use crate::settings::LoadOverride;
use crate::source::Pointer;
use crate::units::{self, Measure};

const SHAPES: [&str; 4] = [
    "{vus, duration}",
    "{stages, vus?}",
    "{vus, iterations}",
    "{rate, duration, max_vus}",
];

/// The key that makes the shape, the keys it needs, and those that it may have.
struct Shape {
    by: &'static str,
    needs: &'static [&'static str],
    may: &'static [&'static str],
}

const STAGES: Shape = Shape {
    by: "stages",
    needs: &[],
    may: &["vus"],
};
const RATE: Shape = Shape {
    by: "rate",
    needs: &["duration", "max_vus"],
    may: &[],
};
const ITERATIONS: Shape = Shape {
    by: "iterations",
    needs: &["vus"],
    may: &[],
};
const CONSTANT: Shape = Shape {
    by: "vus",
    needs: &["duration"],
    may: &[],
};
const KEYS: [&str; 6] = ["vus", "duration", "stages", "iterations", "rate", "max_vus"];

pub(super) fn resolve(cx: &mut Cx<'_>, doc: &Load, at: &Pointer) -> Option<LoadOverride> {
    // Numbers are read whatever the shape is, so that a wrong unit shows beside a wrong mix.
    let duration = cx.duration(doc.duration.as_ref(), &at.key("duration"));
    let rate = doc
        .rate
        .as_ref()
        .and_then(|q| per_second(cx, q, &at.key("rate")));
    let stages = doc.stages.as_ref().and_then(|list| stages(cx, list, at));
    if duration == Some(Duration::ZERO) {
        cx.value(
            &at.key("duration"),
            Diagnostic::new(Code::BadLoad, "`duration` must be more than nothing")
                .help("for example: 1m"),
        );
        return None;
    }
    let shape = shape(cx, at)?;
    if doc.vus == Some(0) && shape.by != STAGES.by {
        cx.value(
            &at.key("vus"),
            Diagnostic::new(Code::BadLoad, "`vus` must be at least 1")
                .help("0 virtual users make no load"),
        );
        return None;
    }
    match shape.by {
        "stages" => Some(LoadOverride::Ramping {
            start_vus: doc.vus.unwrap_or(0),
            stages: stages?,
        }),
        "rate" => Some(LoadOverride::Rate {
            per_second: rate?,
            duration: duration?,
            max_vus: doc.max_vus?,
        }),
        "iterations" => Some(LoadOverride::Iterations {
            vus: doc.vus?,
            iterations: doc.iterations?,
        }),
        _ => Some(LoadOverride::Constant {
            vus: doc.vus?,
            duration: duration?,
        }),
    }
}

/// Which shape it is; `None` after a complaint.
fn shape(cx: &mut Cx<'_>, at: &Pointer) -> Option<&'static Shape> {
    let written: Vec<&str> = KEYS.into_iter().filter(|k| cx.written(at, k)).collect();
    let has = |k: &str| written.contains(&k);
    let shape = [&STAGES, &RATE, &ITERATIONS, &CONSTANT]
        .into_iter()
        .find(|shape| has(shape.by));
    let Some(shape) = shape else {
        // Nothing at all was said where it stands: an unknown key or an empty mapping.
        cx.key(
            at,
            Diagnostic::new(Code::BadLoad, "`load` is none of the shapes").allowed("", SHAPES),
        );
        return None;
    };
    let lacking: Vec<&str> = shape.needs.iter().copied().filter(|k| !has(k)).collect();
    let extra = written
        .iter()
        .find(|k| **k != shape.by && !shape.needs.contains(k) && !shape.may.contains(k));
    if let Some(extra) = extra {
        cx.key(
            &at.key(extra),
            Diagnostic::new(
                Code::BadLoad,
                format!("`{extra}` does not go with `{}`", shape.by),
            )
            .allowed("", SHAPES),
        );
        return None;
    }
    if !lacking.is_empty() {
        let by = shape.by;
        cx.key(
            at,
            Diagnostic::new(
                Code::BadLoad,
                format!("`load` with `{by}` lacks `{}`", lacking.join("` and `")),
            )
            .allowed("", SHAPES),
        );
        return None;
    }
    Some(shape)
}

fn per_second(cx: &mut Cx<'_>, q: &Quantity, at: &Pointer) -> Option<f64> {
    let reading = match units::read(q) {
        Ok(reading) => reading,
        Err(bad) => {
            let examples = Measure::PerSecond.examples();
            let problem = super::measure::bad_quantity(cx, at, &bad, examples);
            cx.value(at, problem);
            return None;
        }
    };
    let problem = match Measure::PerSecond.accept(reading) {
        Ok((n, _)) if n > 0.0 => return Some(n),
        Ok(_) => {
            Diagnostic::new(Code::BadLoad, "`rate` must be more than 0/s").help("for example: 50/s")
        }
        Err(units::Misfit::NoUnit(n)) => {
            Diagnostic::new(Code::BadUnit, "`rate` needs a unit: iterations per time")
                .suggest(Some(format!("{n}/s")))
        }
        Err(_) => Diagnostic::new(Code::BadUnit, "`rate` is a number of iterations per time")
            .help("for example: 50/s, 3000/m"),
    };
    cx.value(at, problem);
    None
}

fn stages(cx: &mut Cx<'_>, list: &[crate::document::Stage], at: &Pointer) -> Option<Vec<Stage>> {
    let at = at.key("stages");
    let mut out = Vec::with_capacity(list.len());
    for (i, stage) in list.iter().enumerate() {
        let duration = cx.duration(stage.duration.as_ref(), &at.item(i).key("duration"));
        if let (Some(duration), Some(target)) = (duration, stage.target) {
            #[allow(clippy::cast_precision_loss)]
            out.push(Stage {
                duration,
                // At most a million, by the schema.
                target: target as f64,
            });
        }
    }
    if out.len() < list.len() {
        return None;
    }
    if out.iter().all(|s| s.duration.is_zero()) {
        cx.value(
            &at,
            Diagnostic::new(Code::BadLoad, "`stages` take no time at all")
                .help("give at least one stage a duration"),
        );
        return None;
    }
    Some(out)
}
