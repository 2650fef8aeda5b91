//! The module that k6 runs in the script's stead: the script, with our options merged in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use peakgate_load::LoadPlan;
use serde::Serialize;
use serde_json::Value;

use crate::Probe;

/// Statistics of trends that the summary always has.
const TREND_STATS: &[&str] = &[
    "avg", "min", "med", "max", "p(50)", "p(90)", "p(95)", "p(99)", "p(99.9)", "count",
];

/// Cloud providers' metadata services: a script has no business there, and what they answer are
/// credentials.
const BLACKLIST: &[&str] = &["169.254.0.0/16", "168.63.129.16/32", "fd00:ec2::254/128"];

/// System tags of k6 that we rely on, for when a script narrows them.
const SYSTEM_TAGS: &[&str] = &[
    "check",
    "error_code",
    "expected_response",
    "group",
    "method",
    "name",
    "scenario",
    "status",
    // Shows where requests go.
    "url",
];

/// System tags that are only there on request.
const OPTIONAL_SYSTEM_TAGS: &[&str] = &[
    "error",
    "ip",
    "iter",
    "ocsp_status",
    "proto",
    "service",
    "subproto",
    "tls_version",
    "vu",
];

/// What is merged into the script's options.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Merge<'a> {
    scenarios: Option<Value>,
    tags: BTreeMap<&'a str, &'a str>,
    thresholds: BTreeMap<String, Vec<String>>,
    trend_stats: Vec<&'a str>,
    blacklist: &'a [&'a str],
    system_tags: Vec<&'a str>,
}

/// What a wrapper is made of.
#[derive(Debug)]
pub(super) struct Wrapper<'a> {
    /// The user's script, absolute.
    pub(super) script: &'a Path,
    /// Where the summary goes, absolute.
    pub(super) summary: &'a Path,
    /// Begins what is logged when the load starts and ends.
    pub(super) marker: &'a str,
    /// Replaces the script's load.
    pub(super) plan: Option<&'a LoadPlan>,
    pub(super) tags: &'a [(String, String)],
    pub(super) keep_tags: &'a std::collections::BTreeSet<String>,
    pub(super) probes: &'a [Probe],
}

/// The threshold that makes k6 account for a probe, on its metric or sub-metric: true of every
/// number, also of negative ones. `None` when k6's syntax cannot say it.
pub(super) fn probe_threshold(probe: &Probe) -> Option<(String, String)> {
    let plain = |text: &str| {
        !text.is_empty() && text.trim_matches([' ', '\t', '"', '\'']) == text && !text.contains(',')
    };
    let mut name = probe.metric.clone();
    if !probe.tags.is_empty() {
        let mut pairs = Vec::new();
        for (key, value) in &probe.tags {
            if !plain(key) || !plain(value) || key.contains(':') {
                return None;
            }
            pairs.push(format!("{key}:{value}"));
        }
        name = format!("{name}{{{}}}", pairs.join(","));
    }
    Some((name, format!("{}>-1e300", probe.statistic)))
}

/// What to tell of the probes that k6's syntax cannot say.
pub(super) fn unsaid_probes(probes: &[Probe]) -> Vec<String> {
    let mut notes = Vec::new();
    for probe in probes {
        if probe_threshold(probe).is_some() {
            continue;
        }
        let tags: Vec<_> = probe.tags.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let note = format!(
            "k6's own figure for {} {} where {} cannot be had: k6's names of sub-metrics take no \
             empty values, no commas, no quotes or spaces around a value, and no colon in a tag's \
             name; there are only the live figures",
            probe.statistic,
            probe.metric,
            tags.join(", "),
        );
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes
}

/// A path as a module specifier: k6 decodes percent signs in it.
fn file_url(path: &Path) -> Value {
    let path: PathBuf = path.into();
    url::Url::from_file_path(&path)
        .map_or_else(|()| path.to_string_lossy().into_owned(), String::from)
        .into()
}

impl Wrapper<'_> {
    /// The module's text.
    pub(super) fn text(&self) -> String {
        let mut thresholds: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, expression) in self.probes.iter().filter_map(probe_threshold) {
            let list = thresholds.entry(name).or_default();
            if !list.contains(&expression) {
                list.push(expression);
            }
        }
        let mut trend_stats = TREND_STATS.to_vec();
        for probe in self.probes {
            if probe.statistic.starts_with("p(") && !trend_stats.contains(&probe.statistic.as_str())
            {
                trend_stats.push(&probe.statistic);
            }
        }
        let system_tags = SYSTEM_TAGS
            .iter()
            .chain(
                OPTIONAL_SYSTEM_TAGS
                    .iter()
                    .filter(|t| self.keep_tags.contains(**t)),
            )
            .copied()
            .collect();
        let merge = Merge {
            scenarios: self.plan.map(LoadPlan::to_k6_scenarios),
            tags: self
                .tags
                .iter()
                .map(|(k, v)| (k.as_str(), v.as_str()))
                .collect(),
            thresholds,
            trend_stats,
            blacklist: BLACKLIST,
            system_tags,
        };
        // JSON is JavaScript; no value is ever pasted as anything else.
        let script = file_url(self.script);
        let merge = serde_json::to_value(merge).unwrap_or_default();
        let summary = Value::from(self.summary.to_string_lossy());
        let marker = Value::from(self.marker);
        format!(
            "import * as script from {script};\n\
             export * from {script};\n\
             export default script.default;\n\
             const merge = {merge};\n\
             const summaryFile = {summary};\n\
             const marker = {marker};\n\
             {BODY}"
        )
    }
}

/// The default system tags are not listed by k6's options unless a script narrows them, so they
/// are extended only then, and replaced when a tag is asked for that k6 leaves out by default.
const BODY: &str = include_str!("wrapper.js");

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(tags: &[(&str, &str)]) -> Probe {
        Probe {
            metric: "http_reqs".into(),
            tags: tags
                .iter()
                .map(|(k, v)| ((*k).into(), (*v).into()))
                .collect(),
            statistic: "count".into(),
        }
    }

    #[test]
    fn thresholds_of_probes() {
        let ask = |tags: &[(&str, &str)]| probe_threshold(&probe(tags)).map(|(name, _)| name);
        assert_eq!(ask(&[]).unwrap(), "http_reqs");
        assert_eq!(
            ask(&[("name", "${}/x?a=b:c"), ("status", "200")]).unwrap(),
            "http_reqs{name:${}/x?a=b:c,status:200}"
        );
        for bad in ["", "a,b", "\"q\"", " x"] {
            assert_eq!(ask(&[("name", bad)]), None, "{bad}");
        }
        let probes = [
            probe(&[]),
            probe(&[("name", "a,b"), ("status", "200")]),
            probe(&[("name", "ok")]),
            probe(&[("name", "a,b"), ("status", "200")]),
        ];
        let notes = unsaid_probes(&probes);
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(
            notes[0].contains("count http_reqs where name=a,b, status=200"),
            "{notes:?}"
        );
    }
}
