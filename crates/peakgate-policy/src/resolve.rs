//! From the document to the settings: what the words mean, and whether they make sense together.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use indexmap::IndexMap;
use serde::Deserialize;

use crate::diagnostic::{Code, Diagnostic};
use crate::document::{
    Baseline as BaselineDoc, BaselineText, Document, DurationText, MissingWord, Percent, Safety,
    Score as ScoreDoc, ThresholdsWord, Validity as ValidityDoc, Valve as ValveDoc,
};
use crate::form::{Form, internal};
use crate::settings::{
    Baseline, BaselineRule, Direction, Policy, Score, ScriptThresholds, Validity, Valve,
};
use crate::source::{Node, Place, Pointer};

mod environment;
mod load;
mod measure;
mod merge;
mod objective;
mod test;

/// What resolving needs to know, and where it leaves what it finds.
pub(crate) struct Cx<'a> {
    root: &'a Node,
    settled: &'a HashSet<Pointer>,
    problems: &'a mut Vec<Diagnostic>,
    /// Expressions of selectors, compiled.
    expressions: HashMap<String, regex::Regex>,
}

impl Cx<'_> {
    /// Reports at a value.
    fn value(&mut self, pointer: &Pointer, problem: Diagnostic) {
        let place = self.root.value_place(pointer);
        self.problems.push(problem.at(place).pointing(pointer));
    }

    /// Reports at a key.
    fn key(&mut self, pointer: &Pointer, problem: Diagnostic) {
        let place = self.key_place(pointer);
        self.problems.push(problem.at(place).pointing(pointer));
    }

    fn key_place(&self, pointer: &Pointer) -> Place {
        self.root.key_place(pointer)
    }

    /// Whether the author wrote (or meant to write) a key, even when its value was no good.
    fn written(&self, holder: &Pointer, key: &str) -> bool {
        let at = holder.key(key);
        self.settled.contains(&at)
            || self
                .root
                .at(&at)
                .is_some_and(|node| !matches!(node.data, crate::source::Data::Null))
    }

    /// A scalar's text as it was written.
    fn text(&self, pointer: &Pointer) -> Option<String> {
        self.root.at(pointer)?.scalar_text()
    }

    fn share(&mut self, value: Option<&Percent>, pointer: &Pointer) -> Option<f64> {
        measure::share(self, &value?.0, pointer, true)
    }

    fn duration(&mut self, value: Option<&DurationText>, pointer: &Pointer) -> Option<Duration> {
        measure::duration(self, value?, pointer)
    }
}

/// Resolves what is left of a policy. `None` goes with at least one problem, found here or before.
pub(crate) fn resolve(
    root: &Node,
    form: Form,
    hash: String,
    problems: &mut Vec<Diagnostic>,
) -> Option<Policy> {
    let document = match Document::deserialize(form.value) {
        Ok(document) => document,
        Err(error) => {
            problems.push(internal(&format!(
                "the policy passed its schema and cannot be read: {error}"
            )));
            return None;
        }
    };
    let cx = &mut Cx {
        root,
        settled: &form.settled,
        problems,
        expressions: HashMap::new(),
    };
    let top = Pointer::root();
    // Each part is resolved whatever becomes of the others: all faults come at once.
    let environment = document
        .environment
        .as_ref()
        .and_then(|e| environment::resolve(cx, e, &top.key("environment")));
    let tests = test::resolve_all(cx, &document);
    let score = document
        .score
        .as_ref()
        .and_then(|s| score(cx, s, &top.key("score")));
    let valves = document
        .safety
        .as_ref()
        .map(|s| valves(cx, s, &top.key("safety").key("valves")))
        .unwrap_or_default();
    let stop_when_lost = document
        .safety
        .as_ref()
        .and_then(|s| s.stop_when_lost)
        .unwrap_or(true);
    let validity = validity(
        cx,
        &document.validity.clone().unwrap_or_default(),
        &top.key("validity"),
    );
    let baseline = baseline(
        cx,
        &document.baseline.clone().unwrap_or_default(),
        &top.key("baseline"),
    );
    Some(Policy {
        service: document.service?,
        environment: environment?,
        tests,
        score,
        safety: crate::settings::Safety {
            valves,
            stop_when_lost,
        },
        validity,
        baseline,
        script_thresholds: match document.script_thresholds {
            None | Some(ThresholdsWord::Fail) => ScriptThresholds::Fail,
            Some(ThresholdsWord::Warn) => ScriptThresholds::Warn,
            Some(ThresholdsWord::Ignore) => ScriptThresholds::Ignore,
        },
        hash,
    })
}

fn score(cx: &mut Cx<'_>, doc: &ScoreDoc, at: &Pointer) -> Option<Score> {
    let pass = cx.share(doc.pass.as_ref(), &at.key("pass"));
    let warn = cx.share(doc.warn.as_ref(), &at.key("warn"));
    let (pass, warn) = (pass?, warn?);
    if warn > pass {
        cx.value(
            &at.key("warn"),
            Diagnostic::new(
                Code::WrongSide,
                "the score that warns is above the score that passes",
            )
            .help("a score at or above `pass` passes, at or above `warn` warns, below it fails"),
        );
        return None;
    }
    Some(Score { pass, warn })
}

fn valves(cx: &mut Cx<'_>, doc: &Safety, at: &Pointer) -> Vec<Valve> {
    let none = IndexMap::new();
    doc.valves
        .as_ref()
        .unwrap_or(&none)
        .iter()
        .filter_map(|(id, valve)| valve_of(cx, id, valve, &at.key(id)))
        .collect()
}

fn valve_of(cx: &mut Cx<'_>, id: &str, doc: &ValveDoc, at: &Pointer) -> Option<Valve> {
    let measured = measure::measured(
        cx,
        doc.metric.as_deref().map(|m| (m, at.key("metric"))),
        doc.statistic.as_deref().map(|s| (s, at.key("statistic"))),
    );
    let select = measure::selector(cx, doc.select.as_ref(), &at.key("select"));
    let hold = cx.duration(doc.hold.as_ref(), &at.key("for"));
    let within = cx.duration(doc.within.as_ref(), &at.key("within"));
    if within.is_some_and(|w| w < Duration::from_secs(1)) {
        cx.value(
            &at.key("within"),
            Diagnostic::new(Code::OutOfRange, "`within` must be at least 1s")
                .help("live figures come once a second"),
        );
    }
    let (above, below) = (cx.written(at, "above"), cx.written(at, "below"));
    if above == below {
        let message = if above {
            format!("valve `{id}` has both `above` and `below`")
        } else {
            format!("valve `{id}` says neither `above` nor `below`")
        };
        cx.key(
            at,
            Diagnostic::new(Code::Conflict, message)
                .help("give exactly one, for example `above: 10%`"),
        );
        return None;
    }
    let (direction, threshold, key) = if above {
        (Direction::AtMost, doc.above.as_ref(), "above")
    } else {
        (Direction::AtLeast, doc.below.as_ref(), "below")
    };
    let mut measured = measured?;
    let threshold = measured.read(cx, threshold?, &at.key(key));
    let kind = measured.kind();
    Some(Valve {
        id: id.to_owned(),
        kind,
        unit: measured.unit(),
        metric: measured.metric,
        statistic: measured.statistic,
        select: select?,
        direction,
        threshold: threshold?,
        hold: hold.unwrap_or_default(),
        within: within.unwrap_or(Duration::from_secs(1)),
        min_samples: doc.min_samples.unwrap_or(1),
    })
}

fn validity(cx: &mut Cx<'_>, doc: &ValidityDoc, at: &Pointer) -> Validity {
    let generator = doc.generator.clone().unwrap_or_default();
    let at_generator = at.key("generator");
    Validity {
        min_samples: doc.min_samples.unwrap_or(100),
        rehearsal_min_samples: doc.rehearsal_min_samples.unwrap_or(20),
        max_dropped: cx
            .share(doc.max_dropped.as_ref(), &at.key("max_dropped"))
            .unwrap_or(0.01),
        min_achieved: cx
            .share(doc.min_achieved.as_ref(), &at.key("min_achieved"))
            .unwrap_or(0.95),
        max_exceptions: cx
            .share(doc.max_exceptions.as_ref(), &at.key("max_exceptions"))
            .unwrap_or(0.01),
        max_cpu: cx
            .share(generator.max_cpu.as_ref(), &at_generator.key("max_cpu"))
            .unwrap_or(0.9),
        max_scheduling_delay: cx
            .duration(
                generator.max_scheduling_delay.as_ref(),
                &at_generator.key("max_scheduling_delay"),
            )
            .unwrap_or(Duration::from_millis(20)),
    }
}

fn baseline(cx: &mut Cx<'_>, doc: &BaselineDoc, at: &Pointer) -> Baseline {
    let at_with = at.key("with");
    let with = match &doc.with {
        None => BaselineRule::LastPassed,
        Some(BaselineText::Word(word)) => {
            if word != "last_passed" {
                cx.value(
                    &at_with,
                    Diagnostic::new(Code::UnknownValue, format!("`with` cannot be `{word}`"))
                        .allowed(
                            word,
                            ["last_passed", "{release: v1.2.3}", "{median_of_last: 5}"],
                        ),
                );
            }
            BaselineRule::LastPassed
        }
        Some(BaselineText::Given {
            release: Some(_),
            median_of_last: None,
        }) => BaselineRule::Release(cx.text(&at_with.key("release")).unwrap_or_default()),
        Some(BaselineText::Given {
            median_of_last: Some(n),
            ..
        }) => BaselineRule::MedianOfLast(*n),
        // Pruned to nothing: complained about already.
        Some(BaselineText::Given { .. }) => BaselineRule::LastPassed,
    };
    if with == BaselineRule::Release(String::new()) {
        cx.value(
            &at_with.key("release"),
            Diagnostic::new(Code::OutOfRange, "`release` must not be empty"),
        );
    }
    Baseline {
        with,
        missing_warns: doc.when_missing == Some(MissingWord::Warn),
    }
}
