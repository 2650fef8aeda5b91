//! k6's own end-of-test numbers, as the wrapper left them.

use std::collections::{BTreeMap, BTreeSet};

use peakgate_load::{MetricAccount, MetricKind, ThresholdAccount, ValueKind};
use serde::Deserialize;
use serde_json::Value;

use super::wrapper::probe_threshold;
use crate::Probe;

/// The thresholds that stand for probes of ours, by metric (without tags) and expression. Whatever
/// else k6 tells of is the script's, under whichever name k6 tells of it.
#[derive(Debug, Default)]
pub(super) struct OwnProbes(BTreeSet<(String, String)>);

impl OwnProbes {
    pub(super) fn of(probes: &[Probe]) -> Self {
        let threshold = |probe| {
            let (_, expression) = probe_threshold(probe)?;
            Some((probe.metric.clone(), expression))
        };
        Self(probes.iter().filter_map(threshold).collect())
    }

    fn has(&self, name: &str, expression: &str) -> bool {
        let metric = name.split_once('{').map_or(name, |(metric, _)| metric);
        self.0.contains(&(metric.to_owned(), expression.to_owned()))
    }
}

#[derive(Debug, Deserialize)]
struct Stored {
    metrics: serde_json::Map<String, Value>,
}

/// The summary's content.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Summary {
    pub(super) metrics: Vec<MetricAccount>,
    /// The script's own.
    pub(super) thresholds: Vec<ThresholdAccount>,
    /// What is doubtful about the figures.
    pub(super) complaints: Vec<String>,
    /// Probes of ours that k6 took for failed thresholds.
    failed_probes: usize,
}

impl Summary {
    /// Reads the file's content. Never fails: what is wrong becomes a complaint, and missing
    /// figures stay missing.
    pub(super) fn read(text: &[u8], ours: &OwnProbes) -> Self {
        let stored: Stored = match serde_json::from_slice(text) {
            Ok(stored) => stored,
            Err(error) => return Self::missing(&format!("k6's summary cannot be read: {error}")),
        };
        let mut summary = Self::default();
        for (name, value) in &stored.metrics {
            let measured = summary.metric(name, value);
            summary.thresholds(name, value, ours, measured);
        }
        summary
    }

    /// A summary that is not there.
    pub(super) fn missing(why: &str) -> Self {
        Self {
            complaints: vec![why.to_owned()],
            ..Self::default()
        }
    }

    /// Whether all that k6 says failed are probes of ours, and at least one is.
    pub(super) fn only_probes_failed(&self) -> bool {
        self.failed_probes > 0 && !self.has_failed_threshold()
    }

    /// Whether k6 says that a threshold of the script's own failed.
    pub(super) fn has_failed_threshold(&self) -> bool {
        self.thresholds.iter().any(|t| !t.ok)
    }

    /// Takes a metric in; returns whether it had samples, as far as can be told.
    fn metric(&mut self, name: &str, value: &Value) -> bool {
        let kind = MetricKind::deserialize(&value["type"]);
        let contains = ValueKind::deserialize(&value["contains"]).unwrap_or_default();
        let (Ok(kind), Some(values)) = (kind, value["values"].as_object()) else {
            self.complaints
                .push(format!("k6's summary has no type or values for {name}"));
            return true;
        };
        let mut numbers = BTreeMap::new();
        for (statistic, number) in values {
            match number.as_f64().filter(|n| n.is_finite()) {
                Some(number) => {
                    numbers.insert(statistic.clone(), number);
                }
                None => self.complaints.push(format!(
                    "k6's summary has no number for {statistic} of {name}"
                )),
            }
        }
        let measured = had_samples(kind, &numbers);
        self.metrics.push(MetricAccount {
            name: name.to_owned(),
            kind,
            contains,
            values: numbers,
        });
        measured
    }

    fn thresholds(&mut self, name: &str, value: &Value, ours: &OwnProbes, measured: bool) {
        let thresholds = match &value["thresholds"] {
            Value::Null => return,
            Value::Object(thresholds) => thresholds,
            _ => {
                self.complaints
                    .push(format!("k6's summary has no list of thresholds for {name}"));
                return;
            }
        };
        for (expression, result) in thresholds {
            // Anything but a clear yes is a no.
            let ok = result["ok"].as_bool().unwrap_or(false);
            if ours.has(name, expression) {
                self.failed_probes += usize::from(!ok);
                continue;
            }
            if ok && !measured {
                self.complaints.push(format!(
                    "the script's threshold '{expression}' on {name} had no samples: k6 calls it held"
                ));
            }
            self.thresholds.push(ThresholdAccount {
                metric: name.to_owned(),
                expression: expression.clone(),
                ok,
            });
        }
    }
}

/// Whether a metric had samples, by its numbers at the end. k6 gives zeros to one that had none. A
/// Gauge does not tell: its zeros may be samples.
fn had_samples(kind: MetricKind, numbers: &BTreeMap<String, f64>) -> bool {
    let some = |statistics: &[&str]| {
        let mut known = statistics.iter().filter_map(|s| numbers.get(*s)).peekable();
        known.peek().is_none() || known.any(|n| *n != 0.0)
    };
    match kind {
        // A Trend's count is there because the wrapper asks for it.
        MetricKind::Trend | MetricKind::Counter => some(&["count"]),
        MetricKind::Rate => some(&["passes", "fails"]),
        MetricKind::Gauge => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"metrics":{
        "http_req_duration{ a:b }":{"type":"trend","contains":"time","values":{"avg":1.5,"p(99)":null,"count":2},
            "thresholds":{" p(99)<1":{"ok":false},"p(99)>-1e300":{"ok":true},"p(98)>-1e300":{"ok":true}}},
        "http_reqs":{"type":"counter","values":{"count":1},"thresholds":[]},
        "weird":{"type":"nope"}}}"#;

    fn ours() -> OwnProbes {
        let probe = |statistic: &str| Probe {
            metric: "http_req_duration".into(),
            tags: vec![("a".into(), "b".into())],
            statistic: statistic.into(),
        };
        OwnProbes::of(&[probe("p(99)"), probe("avg")])
    }

    #[test]
    fn all_but_our_probes_are_the_scripts_thresholds() {
        let summary = Summary::read(GOOD.as_bytes(), &ours());
        assert_eq!(summary.metrics.len(), 2);
        assert_eq!(summary.metrics[0].values.len(), 2);
        let told: Vec<_> = summary
            .thresholds
            .iter()
            .map(|t| (t.expression.as_str(), t.ok))
            .collect();
        assert_eq!(told, [(" p(99)<1", false), ("p(98)>-1e300", true)]);
        assert!(summary.has_failed_threshold());
        assert!(!summary.only_probes_failed());
        assert_eq!(summary.complaints.len(), 3, "{:?}", summary.complaints);
    }

    #[test]
    fn only_failed_probes_are_no_failure() {
        let read = |probe: bool, own: bool| {
            let text = format!(
                r#"{{"metrics":{{"http_req_duration":{{"type":"trend","values":{{"count":3}},
                "thresholds":{{"avg>-1e300":{{"ok":{probe}}},"avg<1":{{"ok":{own}}}}}}}}}}}"#
            );
            Summary::read(text.as_bytes(), &ours()).only_probes_failed()
        };
        assert!(read(false, true));
        // k6 says that something failed, but not what: that is no probe.
        assert!(!read(true, true));
        assert!(!read(false, false));
        assert!(!read(true, false));
    }

    #[test]
    fn a_threshold_without_samples_is_told_of() {
        let told = |kind: &str, values: &str, ok: bool| {
            let text = format!(
                r#"{{"metrics":{{"m":{{"type":"{kind}","values":{values},"thresholds":{{"x<1":{{"ok":{ok}}}}}}}}}}}"#
            );
            Summary::read(text.as_bytes(), &ours()).complaints
        };
        for (kind, none, some) in [
            ("trend", r#"{"max":0,"count":0}"#, r#"{"max":0,"count":1}"#),
            ("counter", r#"{"count":0}"#, r#"{"count":2}"#),
            (
                "rate",
                r#"{"rate":0,"passes":0,"fails":0}"#,
                r#"{"rate":0,"passes":0,"fails":4}"#,
            ),
        ] {
            assert_eq!(
                told(kind, none, true),
                ["the script's threshold 'x<1' on m had no samples: k6 calls it held"]
            );
            // A failed one is told of as that.
            assert!(told(kind, none, false).is_empty(), "{kind}");
            assert!(told(kind, some, true).is_empty(), "{kind}");
        }
        assert!(told("gauge", r#"{"value":0,"min":0,"max":0}"#, true).is_empty());
    }

    #[test]
    fn every_truncation_is_a_complaint() {
        for end in 0..GOOD.len() {
            let summary = Summary::read(&GOOD.as_bytes()[..end], &ours());
            assert!(summary.metrics.is_empty());
            assert_eq!(summary.complaints.len(), 1);
        }
    }
}
