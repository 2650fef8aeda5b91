//! Judging a run: measure each objective, judge it, judge the load, decide.

// Negated comparisons are meant: a NaN must count as not meeting a limit, never as meeting it.
#[allow(clippy::neg_cmp_op_on_partial_ord)]
mod decide;
mod each;
#[allow(clippy::neg_cmp_op_on_partial_ord)]
mod load;
mod measure;
#[allow(clippy::neg_cmp_op_on_partial_ord)]
mod objective;
#[cfg(test)]
mod tests;

use std::time::Duration;

use peakgate_load::{LoadPlan, MetricAccount, Plateau, RunAccount};
use peakgate_policy::settings::{Objective, Policy, Test, WindowRule};

use crate::baseline::Baseline;
use crate::evidence::{Evidence, Span, TimelinePoint};
use crate::verdict::{
    BaselineReport, EngineReport, Rehearsal, SCHEMA_VERSION, ScriptThreshold, Verdict,
};

/// Who, what and when: what a verdict carries without judging it.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// The run's id.
    pub run_id: String,
    /// The release.
    pub release: Option<String>,
    /// The commit.
    pub commit: Option<String>,
    /// Start, RFC 3339.
    pub started_at: String,
    /// End, RFC 3339.
    pub finished_at: String,
    /// The engine's name and version.
    pub engine: (String, String),
    /// SHA-256 of the script and its relative imports.
    pub script_hash: String,
    /// The rehearsal's length in seconds, also of one that ended before its plan was known.
    pub rehearsal: Option<f64>,
}

/// What the load was to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// As it was run.
    pub plan: LoadPlan,
    /// As the script has it; differs for rehearsals.
    pub full: LoadPlan,
    /// The rehearsal's length.
    pub rehearsal: Option<Duration>,
}

impl Planned {
    /// How much shorter (or longer) than the full plan: 1 when it is no rehearsal.
    fn scale(&self) -> f64 {
        let full = self.full.duration().as_secs_f64();
        match self.rehearsal {
            Some(_) if full > 0.0 => self.plan.duration().as_secs_f64() / full,
            _ => 1.0,
        }
    }

    /// The part of the run that a window rule means, and its name; `None` for a plateau where the
    /// plan has none (its length depends on its iterations): the whole run is meant then.
    #[must_use]
    pub fn span(&self, rule: WindowRule) -> (Span, String) {
        let scaled = |d: Duration| {
            Duration::try_from_secs_f64(d.as_secs_f64() * self.scale()).unwrap_or(Duration::MAX)
        };
        match rule {
            WindowRule::All => (Span::ALL, "all".to_owned()),
            WindowRule::Plateau => match self.plan.plateau() {
                Some(Plateau { from, to, .. }) => {
                    (Span::between(from, Some(to)), "plateau".to_owned())
                }
                None => (
                    Span::ALL,
                    "all (the plan has no plateau: it ends with its iterations)".to_owned(),
                ),
            },
            WindowRule::Between { from, to } => {
                let words = |d: Duration| peakgate_load::plan::format_duration(d);
                (
                    Span::between(scaled(from), to.map(scaled)),
                    match to {
                        Some(to) => format!("{} to {}", words(from), words(to)),
                        None => format!("from {}", words(from)),
                    },
                )
            }
        }
    }

    /// Where evidence must be cut so that every objective of a test can be judged.
    #[must_use]
    pub fn cuts(&self, test: &Test) -> Vec<Duration> {
        let mut cuts = vec![self.plan.duration()];
        let rules = test.objectives.iter().map(|o| o.window);
        for rule in rules.chain([WindowRule::Plateau]) {
            let (span, _) = self.span(rule);
            let at = |s: f64| Duration::try_from_secs_f64(s).unwrap_or_default();
            cuts.push(at(span.from));
            cuts.extend(span.to.map(at));
        }
        cuts.sort();
        cuts.dedup();
        cuts
    }
}

/// All that a judgement is made from.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// The test that was run.
    pub test: &'a Test,
    /// The load as planned; `None` when only a k6 summary is at hand.
    pub planned: Option<&'a Planned>,
    /// What was observed; `None` when only a k6 summary is at hand.
    pub evidence: Option<&'a Evidence>,
    /// The run over time.
    pub timeline: &'a [TimelinePoint],
    /// The engine's own account.
    pub account: &'a RunAccount,
    /// The generator's mean CPU share and mean scheduling delay (ms) on the plateau.
    pub generator: Option<(f64, f64)>,
    /// What to compare with.
    pub baseline: &'a Baseline,
    /// Today, for waivers.
    pub today: jiff::civil::Date,
    /// Judge objectives with a window over the whole run when the evidence (a k6 summary) has no
    /// time in it. Said so in each of them.
    pub whole_run: bool,
}

impl Case<'_> {
    fn rehearsal(&self) -> Option<Duration> {
        self.planned.and_then(|p| p.rehearsal)
    }

    /// The engine's own numbers of a metric or sub-metric by k6's name of it.
    fn account_metric(&self, name: &str) -> Option<&MetricAccount> {
        self.account.metrics.iter().find(|m| m.name == name)
    }

    /// The samples that an objective needs.
    fn min_samples(&self, objective: &Objective) -> u64 {
        if let Some(own) = objective.min_samples {
            return own;
        }
        use peakgate_policy::settings::Statistic;
        // Sums and gauges are not estimates from samples: one is enough.
        match (objective.statistic, objective.kind) {
            (Statistic::Count | Statistic::Value, _) => 1,
            (
                Statistic::Rate,
                Some(peakgate_load::MetricKind::Counter | peakgate_load::MetricKind::Gauge),
            ) => 1,
            (_, Some(peakgate_load::MetricKind::Gauge)) => 1,
            _ if self.rehearsal().is_some() => self.policy.validity.rehearsal_min_samples,
            _ => self.policy.validity.min_samples,
        }
    }
}

/// Judges a run. Never panics, whatever the figures are; a figure that is missing or not finite
/// makes what depends on it inconclusive.
#[must_use]
pub fn judge(case: &Case<'_>, identity: &Identity) -> Verdict {
    Verdict {
        evidence: case.evidence.cloned(),
        ..judge_lightly(case, identity)
    }
}

/// The same without a copy of the evidence in the verdict: evidence can be large, and whoever owns
/// it can move it there instead.
#[must_use]
pub fn judge_lightly(case: &Case<'_>, identity: &Identity) -> Verdict {
    let objectives = objective::judge_all(case);
    let load = load::report(case);
    let score = decide::score(case, &objectives);
    let decision = decide::decide(case, &objectives, &load, score.as_ref());
    Verdict {
        schema_version: SCHEMA_VERSION,
        verdict: decision.outcome,
        reason: decision.reason,
        next: decision.next,
        run_id: identity.run_id.clone(),
        service: case.policy.service.clone(),
        environment: case.policy.environment.name.clone(),
        base_url: case.policy.environment.base_url.clone(),
        test: case.test.name.clone(),
        rehearsal: identity.rehearsal.map(|asked| Rehearsal {
            seconds: case
                .planned
                .map_or(asked, |p| p.plan.duration().as_secs_f64()),
            planned_seconds: case.planned.map(|p| p.full.duration().as_secs_f64()),
        }),
        engine: EngineReport {
            name: identity.engine.0.clone(),
            version: identity.engine.1.clone(),
            resolution: case.account.resolution.error(),
        },
        release: identity.release.clone(),
        commit: identity.commit.clone(),
        started_at: identity.started_at.clone(),
        finished_at: identity.finished_at.clone(),
        judged_again_at: None,
        policy_hash: case.policy.hash.clone(),
        script_hash: identity.script_hash.clone(),
        baseline: if case.evidence.is_none() {
            BaselineReport::NotCompared
        } else {
            case.baseline.report().clone()
        },
        score,
        objectives,
        script_thresholds: case
            .account
            .thresholds
            .iter()
            .map(|t| ScriptThreshold {
                metric: t.metric.clone(),
                expression: t.expression.clone(),
                ok: t.ok,
            })
            .collect(),
        load,
        timeline: case.timeline.to_vec(),
        account: case.account.clone(),
        evidence: None,
    }
}
