//! Metric names, kinds, and the table of k6's built-in metrics.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A k6 metric name: a letter or `_`, then 1 to 128 letters, digits or `_`.
#[derive(
    Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct MetricName(Arc<str>);

/// Why a text is not a metric name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a metric name: k6 wants a letter or '_', then 1 to 128 letters, digits or '_'"
)]
pub struct BadMetricName(pub String);

impl MetricName {
    /// Parses a name by k6's rule `^[a-zA-Z_][a-zA-Z0-9_]{1,128}$`.
    ///
    /// # Errors
    /// The text breaks the rule.
    pub fn parse(text: &str) -> Result<Self, BadMetricName> {
        let mut chars = text.chars();
        let head = chars
            .next()
            .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        let tail = chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
        if head && tail && (2..=129).contains(&text.len()) {
            Ok(Self(text.into()))
        } else {
            Err(BadMetricName(text.to_owned()))
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The built-in metric of this name, if k6 has one.
    #[must_use]
    pub fn builtin(&self) -> Option<&'static BuiltinMetric> {
        builtin(&self.0)
    }
}

impl fmt::Display for MetricName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MetricName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl TryFrom<String> for MetricName {
    type Error = BadMetricName;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<MetricName> for String {
    fn from(name: MetricName) -> Self {
        name.0.as_ref().to_owned()
    }
}

/// k6's four metric types.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum MetricKind {
    /// A sum that only grows.
    Counter,
    /// The last value, with the least and greatest seen.
    Gauge,
    /// The share of non-zero values.
    Rate,
    /// A distribution.
    Trend,
}

impl fmt::Display for MetricKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "Counter",
            Self::Gauge => "Gauge",
            Self::Rate => "Rate",
            Self::Trend => "Trend",
        })
    }
}

/// What a metric's numbers are (k6 calls it `contains`).
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ValueKind {
    /// Plain numbers.
    #[default]
    Default,
    /// Milliseconds.
    Time,
    /// Bytes.
    Data,
}

/// One of k6's own metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltinMetric {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: MetricKind,
    /// What its numbers are.
    pub contains: ValueKind,
}

const fn m(name: &'static str, kind: MetricKind, contains: ValueKind) -> BuiltinMetric {
    BuiltinMetric {
        name,
        kind,
        contains,
    }
}

use MetricKind::{Counter, Gauge, Rate, Trend};
use ValueKind::{Data, Default as Plain, Time};

/// k6's built-in metrics, from its metrics reference.
pub const BUILTIN: &[BuiltinMetric] = &[
    m("checks", Rate, Plain),
    m("data_received", Counter, Data),
    m("data_sent", Counter, Data),
    m("dropped_iterations", Counter, Plain),
    m("group_duration", Trend, Time),
    m("grpc_req_duration", Trend, Time),
    m("grpc_streams", Counter, Plain),
    m("grpc_streams_msgs_received", Counter, Plain),
    m("grpc_streams_msgs_sent", Counter, Plain),
    m("http_req_blocked", Trend, Time),
    m("http_req_connecting", Trend, Time),
    m("http_req_duration", Trend, Time),
    m("http_req_failed", Rate, Plain),
    m("http_req_receiving", Trend, Time),
    m("http_req_sending", Trend, Time),
    m("http_req_tls_handshaking", Trend, Time),
    m("http_req_waiting", Trend, Time),
    m("http_reqs", Counter, Plain),
    m("iteration_duration", Trend, Time),
    m("iterations", Counter, Plain),
    m("vus", Gauge, Plain),
    m("vus_max", Gauge, Plain),
    m("ws_connecting", Trend, Time),
    m("ws_msgs_received", Counter, Plain),
    m("ws_msgs_sent", Counter, Plain),
    m("ws_ping", Trend, Time),
    m("ws_session_duration", Trend, Time),
    m("ws_sessions", Counter, Plain),
    m("browser_data_received", Counter, Data),
    m("browser_data_sent", Counter, Data),
    m("browser_http_req_duration", Trend, Time),
    m("browser_http_req_failed", Rate, Plain),
    m("browser_web_vital_cls", Trend, Plain),
    m("browser_web_vital_fcp", Trend, Time),
    m("browser_web_vital_fid", Trend, Time),
    m("browser_web_vital_inp", Trend, Time),
    m("browser_web_vital_lcp", Trend, Time),
    m("browser_web_vital_ttfb", Trend, Time),
];

/// Looks a built-in metric up by name.
#[must_use]
pub fn builtin(name: &str) -> Option<&'static BuiltinMetric> {
    BUILTIN.iter().find(|metric| metric.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_k6s_rule() {
        for good in ["ab", "_x", "http_req_duration", &"a".repeat(129)] {
            assert!(MetricName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "1a", "a-b", "a b", "é_", &"a".repeat(130)] {
            assert!(MetricName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_builtin_is_a_valid_unique_name() {
        let mut seen = std::collections::HashSet::new();
        for metric in BUILTIN {
            assert!(MetricName::parse(metric.name).is_ok());
            assert!(seen.insert(metric.name));
        }
    }
}
