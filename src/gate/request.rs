//! From policy and settings to what the engine is asked to do.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use indexmap::IndexMap;
use peakgate_engine::{Live, LoadPlanOverride, LoadRequest, Probe};
use peakgate_load::{Executor, LoadPlan, Scenario};
use peakgate_policy::hosts;
use peakgate_policy::settings::{LoadOverride, Policy, Selector, TagMatch, Test};
use url::Url;

use super::Settings;
use crate::script::ScriptFiles;

/// Enough for any service that names its requests; more is folded, and said so.
const MOST_SERIES: usize = 10_000;

/// k6's own default.
const GRACE: Duration = Duration::from_secs(30);

/// Builds the request.
pub(super) fn build(
    policy: &Policy,
    test: &Test,
    script: &ScriptFiles,
    settings: &Settings,
    scratch: &Path,
) -> LoadRequest {
    LoadRequest {
        script: script.path.clone(),
        scratch: scratch.to_owned(),
        log_dir: settings.out.clone(),
        env: environment(policy, test, settings),
        tags: test.tags.clone().into_iter().collect(),
        load: test
            .load
            .as_ref()
            .map(|load| LoadPlanOverride { plan: plan(load) }),
        rehearsal: settings.rehearsal,
        keep_tags: kept_tags(policy, test),
        probes: probes(test),
        live: Live::Exact,
        max_series: MOST_SERIES,
        allowed_hosts: policy.environment.allowed_hosts.clone(),
    }
}

/// Where the load goes: what the script is told.
pub(super) fn base_url(policy: &Policy, test: &Test, settings: &Settings) -> String {
    environment(policy, test, settings)
        .into_iter()
        .find(|(key, _)| key == "BASE_URL")
        .map_or_else(|| policy.environment.base_url.clone(), |(_, url)| url)
}

/// The script's variables that are URLs of hosts which the policy does not allow.
pub(crate) fn forbidden_urls(policy: &Policy, test: &Test, settings: &Settings) -> Vec<String> {
    environment(policy, test, settings)
        .into_iter()
        .filter_map(|(key, value)| {
            let url = Url::parse(&value).ok()?;
            if !matches!(url.scheme(), "http" | "https" | "ws" | "wss") {
                return None;
            }
            let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
            let allowed = hosts::allows(&policy.environment.allowed_hosts, &host)
                && !hosts::is_forbidden_host(&host);
            (!allowed).then(|| format!("{key} ({host})"))
        })
        .collect()
}

/// All that the script sees: the policy's, what a rehearsal adds, and `-e`, the later winning.
fn environment(policy: &Policy, test: &Test, settings: &Settings) -> Vec<(String, String)> {
    let mut env: IndexMap<String, String> = IndexMap::new();
    env.insert("BASE_URL".into(), policy.environment.base_url.clone());
    env.extend(test.env.clone());
    if settings.rehearsal.is_some() {
        env.extend(test.rehearsal_env.clone());
    }
    env.extend(settings.env.iter().cloned());
    env.into_iter().collect()
}

fn plan(load: &LoadOverride) -> LoadPlan {
    let executor = match load {
        LoadOverride::Constant { vus, duration } => Executor::ConstantVus {
            vus: *vus,
            duration: *duration,
        },
        LoadOverride::Ramping { start_vus, stages } => Executor::RampingVus {
            start_vus: *start_vus,
            stages: stages.clone(),
            graceful_ramp_down: GRACE,
        },
        LoadOverride::Iterations { vus, iterations } => Executor::SharedIterations {
            vus: *vus,
            iterations: *iterations,
            max_duration: Duration::from_secs(600),
        },
        LoadOverride::Rate {
            per_second,
            duration,
            max_vus,
        } => Executor::ConstantArrivalRate {
            rate: *per_second,
            time_unit: Duration::from_secs(1),
            duration: *duration,
            pre_allocated_vus: *max_vus,
            max_vus: *max_vus,
        },
    };
    LoadPlan {
        scenarios: vec![Scenario {
            name: "default".to_owned(),
            start_time: Duration::ZERO,
            graceful_stop: GRACE,
            executor,
            rest: serde_json::Map::new(),
        }],
    }
}

fn kept_tags(policy: &Policy, test: &Test) -> BTreeSet<String> {
    let objectives = test
        .objectives
        .iter()
        .flat_map(|o| o.select.tags.keys().chain(o.each.as_ref()));
    let valves = policy
        .safety
        .valves
        .iter()
        .flat_map(|v| v.select.tags.keys());
    objectives.chain(valves).cloned().collect()
}

/// The exact values of a selector in order of tag, so that two selectors of the same tags are one
/// probe; `None` when it has a regular expression.
fn exact(select: &Selector) -> Option<Vec<(String, String)>> {
    let mut tags: Vec<_> = select
        .tags
        .iter()
        .map(|(key, want)| match want {
            TagMatch::Exact(value) => Some((key.clone(), value.clone())),
            TagMatch::Regex(_) => None,
        })
        .collect::<Option<_>>()?;
    tags.sort();
    Some(tags)
}

fn probes(test: &Test) -> Vec<Probe> {
    test.objectives
        .iter()
        .filter(|o| o.each.is_none())
        .filter_map(|o| {
            Some(Probe {
                metric: o.metric.to_string(),
                tags: exact(&o.select)?,
                statistic: o.statistic.to_string(),
            })
        })
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}
