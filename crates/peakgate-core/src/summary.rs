//! k6 summaries: what `handleSummary(data)` gets, and what `--summary-export` writes.

use std::collections::BTreeMap;

use peakgate_load::{
    ExitReason, MetricAccount, MetricKind, Resolution, RunAccount, ThresholdAccount, ValueKind,
};
use serde_json::{Map, Value};

/// Why a text is not a k6 summary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SummaryError {
    /// Not JSON, or cut off.
    #[error("not JSON, or cut off: {0}")]
    Json(String),
    /// JSON of another kind.
    #[error("no `metrics` in it: neither a verdict.json nor a k6 summary")]
    NotASummary,
}

/// Reads a k6 summary in either of its two shapes.
///
/// # Errors
/// The text is not JSON, or has no `metrics`.
pub fn read(text: &str) -> Result<RunAccount, SummaryError> {
    let value: Value = serde_json::from_str(text).map_err(|e| SummaryError::Json(e.to_string()))?;
    account(&value).ok_or(SummaryError::NotASummary)
}

fn account(value: &Value) -> Option<RunAccount> {
    let metrics = value.get("metrics")?.as_object()?;
    let mut out = RunAccount {
        exit: ExitReason::Completed,
        exit_code: None,
        load_seconds: value
            .pointer("/state/testRunDurationMs")
            .and_then(Value::as_f64)
            .map_or(0.0, |ms| ms / 1000.0),
        resolution: Resolution::Exact,
        metrics: Vec::new(),
        thresholds: Vec::new(),
        iteration_exceptions: 0,
        notes: Vec::new(),
    };
    for (name, metric) in metrics {
        let Some(map) = metric.as_object() else {
            continue;
        };
        let exported = !map.contains_key("values");
        let values = if exported {
            numbers(map)
        } else {
            map.get("values")
                .and_then(Value::as_object)
                .map(numbers)
                .unwrap_or_default()
        };
        let Some((kind, values)) = kind_of(map, values, exported) else {
            continue;
        };
        thresholds(name, map, exported, &mut out.thresholds);
        out.metrics.push(MetricAccount {
            name: name.clone(),
            kind,
            contains: match map.get("contains").and_then(Value::as_str) {
                Some("time") => ValueKind::Time,
                Some("data") => ValueKind::Data,
                _ => ValueKind::Default,
            },
            values,
        });
    }
    Some(out)
}

/// Finite numbers only: k6 writes null for NaN.
fn numbers(map: &Map<String, Value>) -> BTreeMap<String, f64> {
    map.iter()
        .filter_map(|(k, v)| Some((k.clone(), v.as_f64().filter(|n| n.is_finite())?)))
        .collect()
}

fn kind_of(
    map: &Map<String, Value>,
    mut values: BTreeMap<String, f64>,
    exported: bool,
) -> Option<(MetricKind, BTreeMap<String, f64>)> {
    let kind = match map.get("type").and_then(Value::as_str) {
        Some("counter") => MetricKind::Counter,
        Some("gauge") => MetricKind::Gauge,
        Some("rate") => MetricKind::Rate,
        Some("trend") => MetricKind::Trend,
        // --summary-export does not say: the values do.
        _ if values.contains_key("passes") => MetricKind::Rate,
        _ if values.contains_key("avg") => MetricKind::Trend,
        _ if values.contains_key("count") => MetricKind::Counter,
        _ if values.contains_key("value") => MetricKind::Gauge,
        _ => return None,
    };
    if exported
        && kind == MetricKind::Rate
        && let Some(share) = values.remove("value")
    {
        values.insert("rate".to_owned(), share);
    }
    Some((kind, values))
}

fn thresholds(
    metric: &str,
    map: &Map<String, Value>,
    exported: bool,
    out: &mut Vec<ThresholdAccount>,
) {
    let Some(found) = map.get("thresholds").and_then(Value::as_object) else {
        return;
    };
    for (expression, state) in found {
        let ok = match state {
            // --summary-export inverts: true means breached.
            Value::Bool(breached) if exported => Some(!breached),
            Value::Bool(ok) => Some(*ok),
            other => other.get("ok").and_then(Value::as_bool),
        };
        out.push(ThresholdAccount {
            metric: metric.to_owned(),
            expression: expression.clone(),
            // One that cannot be read has not held.
            ok: ok.unwrap_or(false),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_shapes() {
        let full = r#"{"state":{"testRunDurationMs":2000.5},"metrics":{
            "http_req_duration":{"type":"trend","contains":"time","values":{"avg":1.5,"p(99)":9},
                "thresholds":{"p(99)<5":{"ok":false}}},
            "http_req_failed":{"type":"rate","contains":"default","values":{"rate":0.5,"passes":1,"fails":1}}}}"#;
        let a = read(full).unwrap();
        assert_eq!(a.load_seconds, 2.0005);
        assert_eq!(a.metrics.len(), 2);
        assert!(!a.thresholds[0].ok);
        let exported = r#"{"metrics":{
            "http_req_duration":{"avg":1.5,"p(95)":9,"thresholds":{"p(95)<5":true}},
            "http_req_failed":{"passes":1,"fails":3,"value":0.25},
            "vus":{"value":3,"min":1,"max":3},"http_reqs":{"count":4,"rate":2}}}"#;
        let a = read(exported).unwrap();
        assert!(!a.thresholds[0].ok);
        let kinds: Vec<_> = a.metrics.iter().map(|m| m.kind).collect();
        assert_eq!(
            kinds,
            [
                MetricKind::Trend,
                MetricKind::Rate,
                MetricKind::Gauge,
                MetricKind::Counter
            ]
        );
        assert_eq!(a.metrics[1].values["rate"], 0.25);
    }

    #[test]
    fn refuses_what_is_none() {
        assert!(matches!(
            read("{\"metrics\": {"),
            Err(SummaryError::Json(_))
        ));
        assert_eq!(read("{}"), Err(SummaryError::NotASummary));
        assert_eq!(read("[1]"), Err(SummaryError::NotASummary));
    }
}
