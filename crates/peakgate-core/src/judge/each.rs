//! Objectives that judge each value of a tag on its own.

use peakgate_policy::settings::{Mode, Objective, TagMatch};

use super::Case;
use super::objective::judge_one;
use crate::verdict::{ObjectiveResult, Outcome};

/// Tag values that the baseline has and this run has no sample of: an endpoint that was not asked
/// at all must not go unnoticed. A warning, as a release may well remove one.
pub(super) fn vanished(
    case: &Case<'_>,
    objective: &Objective,
    tag: &str,
    values: &[String],
) -> Vec<ObjectiveResult> {
    if case.rehearsal().is_some() {
        return Vec::new();
    }
    case.baseline
        .tag_values(&objective.id)
        .filter(|value| !values.iter().any(|v| v == value))
        .filter(|value| !taken_elsewhere(case, objective, tag, value))
        .map(|value| {
            let mut result = judge_one(case, objective, Some((tag, value)));
            result.verdict = Outcome::Warn;
            result.why = format!("the baseline has {tag} '{value}', this run has no sample of it");
            result
        })
        .collect()
}

pub(super) fn each_values(case: &Case<'_>, objective: &Objective, tag: &str) -> Vec<String> {
    case.evidence.map_or_else(Vec::new, |evidence| {
        evidence.tag_values(&objective.metric, &objective.select, tag)
    })
}

/// Whether another objective judges this very value instead: the same metric, statistic and
/// window, and a selector that is this one's with the tag's value added. One that is only shown,
/// or that looks at a part of the samples, takes nothing away.
pub(super) fn taken_elsewhere(
    case: &Case<'_>,
    objective: &Objective,
    tag: &str,
    value: &str,
) -> bool {
    case.test.objectives.iter().any(|other| {
        let others: Vec<_> = other
            .select
            .tags
            .iter()
            .filter(|(k, _)| *k != tag)
            .collect();
        other.id != objective.id
            && (other.mode == Mode::Judged || objective.mode != Mode::Judged)
            && other.metric == objective.metric
            && other.statistic == objective.statistic
            && other.direction == objective.direction
            && other.window == objective.window
            && matches!(other.select.tags.get(tag), Some(TagMatch::Exact(v)) if v == value)
            && others.iter().all(|(k, want)| {
                objective
                    .select
                    .tags
                    .get(*k)
                    .is_some_and(|own| same_match(own, want))
            })
    })
}

fn same_match(a: &TagMatch, b: &TagMatch) -> bool {
    match (a, b) {
        (TagMatch::Exact(a), TagMatch::Exact(b)) => a == b,
        (TagMatch::Regex(a), TagMatch::Regex(b)) => a.as_str() == b.as_str(),
        _ => false,
    }
}
