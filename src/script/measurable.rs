//! Refuses, before any load, an objective that can never be measured, and a script that names
//! a host which the policy does not allow.

use peakgate_load::MetricKind as LoadKind;
use peakgate_policy::settings::{LiveChannel, Policy, Selector, TagMatch, Test, WindowRule};
use peakgate_policy::source::Position;
use peakgate_policy::{Code, Diagnostic, hosts};
use peakgate_script::ScriptFacts;

use crate::engines::only_exact;

/// All that is wrong between a test and its script.
pub(crate) fn check(policy: &Policy, test: &Test, facts: &ScriptFacts) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for o in &test.objectives {
        let asked = Asked {
            what: format!("objective '{}'", o.id),
            metric: o.metric.as_str(),
            kind: o.kind,
            select: &o.select,
            position: o.position,
        };
        out.extend(asked.problem(test, facts));
    }
    for v in &policy.safety.valves {
        let asked = Asked {
            what: format!("valve '{}'", v.id),
            metric: v.metric.as_str(),
            kind: v.kind,
            select: &v.select,
            position: Position::default(),
        };
        out.extend(asked.problem(test, facts));
    }
    out.extend(not_on_light(policy, test));
    for url in &facts.urls {
        if !hosts::allows(&policy.environment.allowed_hosts, &url.host) {
            out.push(
                Diagnostic::new(
                    Code::ForbiddenHost,
                    format!(
                        "the script of test '{}' names {} (line {} of it), which \
                         environment.allowed_hosts does not allow",
                        test.name, url.text, url.position.line
                    ),
                )
                .allowed(&url.host, policy.environment.allowed_hosts.iter().cloned())
                .position(test.position),
            );
        }
    }
    out
}

/// What `live: light` cannot count, where a count is needed while the test runs.
fn not_on_light(policy: &Policy, test: &Test) -> Vec<Diagnostic> {
    if test.live != LiveChannel::Light {
        return Vec::new();
    }
    let valves = policy
        .safety
        .valves
        .iter()
        .filter(|v| only_exact(v.kind, v.metric.as_str()))
        .map(|v| (format!("valve '{}'", v.id), test.position));
    let objectives = test
        .objectives
        .iter()
        .filter(|o| only_exact(o.kind, o.metric.as_str()) && o.window != WindowRule::All)
        .map(|o| (format!("objective '{}'", o.id), o.position));
    valves
        .chain(objectives)
        .map(|(what, position)| {
            Diagnostic::new(
                Code::Unmeasurable,
                format!(
                    "{what} can never be measured by test '{}': the light channel has no live \
                     counts of rates other than http_req_failed",
                    test.name
                ),
            )
            .help("use `live: auto` or `live: exact`, or judge it with `window: all`")
            .position(position)
        })
        .collect()
}

struct Asked<'a> {
    what: String,
    metric: &'a str,
    kind: Option<LoadKind>,
    select: &'a Selector,
    position: Position,
}

impl Asked<'_> {
    fn problem(&self, test: &Test, facts: &ScriptFacts) -> Option<Diagnostic> {
        let what = &self.what;
        let script = &test.script;
        if peakgate_load::metric::builtin(self.metric).is_none() && facts.metrics_are_known() {
            let Some(defined) = facts.metrics.iter().find(|m| m.name == self.metric) else {
                let own = facts.metrics.iter().map(|m| m.name.clone());
                let all = own.chain(
                    peakgate_load::metric::BUILTIN
                        .iter()
                        .map(|m| m.name.to_owned()),
                );
                return Some(
                    Diagnostic::new(
                        Code::Unmeasurable,
                        format!(
                            "{what} can never be measured: neither k6 nor {script} defines a \
                             metric '{}'",
                            self.metric
                        ),
                    )
                    .allowed(self.metric, all)
                    .position(self.position),
                );
            };
            let kind = defined.kind;
            if self.kind.is_some_and(|wanted| wanted != kind) {
                return Some(
                    Diagnostic::new(
                        Code::Unmeasurable,
                        format!(
                            "{what} can never be measured: {script} defines '{}' as a {kind} \
                             (line {})",
                            self.metric, defined.position.line
                        ),
                    )
                    .help("choose a statistic that this type of metric has")
                    .position(self.position),
                );
            }
        }
        self.check_name(test, facts)
    }

    /// An exact `check` that the script never makes.
    fn check_name(&self, test: &Test, facts: &ScriptFacts) -> Option<Diagnostic> {
        if self.metric != "checks" || !facts.checks_are_known() {
            return None;
        }
        if let Some(TagMatch::Exact(name)) = self.select.tags.get("check") {
            if facts.checks.iter().any(|c| c == name) {
                return None;
            }
            return Some(
                Diagnostic::new(
                    Code::Unmeasurable,
                    format!(
                        "{} can never be measured: {} makes no check '{name}'",
                        self.what, test.script
                    ),
                )
                .allowed(name, facts.checks.iter().cloned())
                .position(self.position),
            );
        }
        facts.checks.is_empty().then(|| {
            Diagnostic::new(
                Code::Unmeasurable,
                format!(
                    "{} can never be measured: {} makes no checks",
                    self.what, test.script
                ),
            )
            .position(self.position)
        })
    }
}
