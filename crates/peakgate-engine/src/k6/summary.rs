//! k6's own end-of-test numbers, as the wrapper left them.

use std::collections::BTreeMap;

use peakgate_load::{MetricAccount, MetricKind, ThresholdAccount, ValueKind};
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
struct Stored {
    metrics: serde_json::Map<String, Value>,
    #[serde(default)]
    own: serde_json::Map<String, Value>,
}

/// The summary's content.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Summary {
    pub(super) metrics: Vec<MetricAccount>,
    pub(super) thresholds: Vec<ThresholdAccount>,
    /// What could not be taken as it was.
    pub(super) complaints: Vec<String>,
}

impl Summary {
    /// Reads the file's content. Never fails: what is wrong becomes a complaint, and missing
    /// figures stay missing.
    pub(super) fn read(text: &[u8]) -> Self {
        let stored: Stored = match serde_json::from_slice(text) {
            Ok(stored) => stored,
            Err(error) => return Self::missing(&format!("k6's summary cannot be read: {error}")),
        };
        let mut summary = Self::default();
        for (name, value) in &stored.metrics {
            summary.metric(name, value);
            let own = expressions(stored.own.get(name));
            summary.thresholds(name, value, &own);
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

    /// Whether k6 says that a threshold of the script's own failed.
    pub(super) fn has_failed_threshold(&self) -> bool {
        self.thresholds.iter().any(|t| !t.ok)
    }

    fn metric(&mut self, name: &str, value: &Value) {
        let kind = MetricKind::deserialize(&value["type"]);
        let contains = ValueKind::deserialize(&value["contains"]).unwrap_or_default();
        let (Ok(kind), Some(values)) = (kind, value["values"].as_object()) else {
            self.complaints
                .push(format!("k6's summary has no type or values for {name}"));
            return;
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
        self.metrics.push(MetricAccount {
            name: name.to_owned(),
            kind,
            contains,
            values: numbers,
        });
    }

    fn thresholds(&mut self, name: &str, value: &Value, own: &[&str]) {
        let Some(thresholds) = value["thresholds"].as_object() else {
            return;
        };
        for expression in own {
            let Some(result) = thresholds.get(*expression) else {
                continue;
            };
            self.thresholds.push(ThresholdAccount {
                metric: name.to_owned(),
                expression: (*expression).to_owned(),
                // Anything but a clear yes is a no.
                ok: result["ok"].as_bool().unwrap_or(false),
            });
        }
    }
}

/// Thresholds as a script writes them: a text, an object, or a list of either.
fn expressions(own: Option<&Value>) -> Vec<&str> {
    match own {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(list)) => list.iter().flat_map(|v| expressions(Some(v))).collect(),
        Some(Value::Object(object)) => object
            .get("threshold")
            .and_then(Value::as_str)
            .into_iter()
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"metrics":{
        "http_req_duration":{"type":"trend","contains":"time","values":{"avg":1.5,"p(99)":null},
            "thresholds":{"p(99)<1":{"ok":false},"p(99)>-1e300":{"ok":true}}},
        "weird":{"type":"nope"}},
        "own":{"http_req_duration":[{"threshold":"p(99)<1","abortOnFail":true}]}}"#;

    #[test]
    fn only_the_scripts_own_thresholds_count() {
        let summary = Summary::read(GOOD.as_bytes());
        assert_eq!(summary.metrics.len(), 1);
        assert_eq!(summary.metrics[0].values.len(), 1);
        assert_eq!(summary.thresholds.len(), 1);
        assert!(summary.has_failed_threshold());
        assert_eq!(summary.complaints.len(), 2, "{:?}", summary.complaints);
    }

    #[test]
    fn every_truncation_is_a_complaint() {
        for end in 0..GOOD.len() {
            let summary = Summary::read(&GOOD.as_bytes()[..end]);
            assert!(summary.metrics.is_empty());
            assert_eq!(summary.complaints.len(), 1);
        }
    }
}
