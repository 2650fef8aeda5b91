//! A k6 threshold as an objective of a policy.

use peakgate_load::metric::builtin;
use peakgate_load::{MetricKind, ValueKind};

use crate::facts::{DefinedMetric, Threshold};

/// Which way the limit of a suggested objective points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitDirection {
    /// `max`.
    Max,
    /// `min`.
    Min,
}

impl LimitDirection {
    /// The policy's key for it.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Max => "max",
            Self::Min => "min",
        }
    }
}

/// An objective that says what a threshold says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuggestedObjective {
    /// A name made of the metric, the statistic and the tags' values: lower case, digits, `_`.
    pub id: String,
    /// The metric, without tags.
    pub metric: String,
    /// The statistic in the policy's words: `p(95)`, `avg`, `rate`, …
    pub statistic: String,
    /// Tag and exact value.
    pub select: Vec<(String, String)>,
    /// Which way the limit points.
    pub direction: LimitDirection,
    /// The limit with its unit: `500ms`, `1%`, `100/s`, `2000`.
    pub limit_text: String,
    /// k6 stops the test when the threshold fails.
    pub abort: bool,
}

/// Turns a threshold of k6's grammar (`p(95)<500`, `rate<0.01`, `count>100`, …) into an objective.
/// `metrics` are the script's own: they say which unit a custom metric has.
///
/// A limit of an objective may be reached, one of `<` or `>` may not. For whole numbers (counts)
/// the limit is moved by one to keep the meaning; for measurements the difference of a single
/// point is let go.
///
/// `None` for what cannot be said by a limit: `==`, `!=`, a limit that would always hold (`rate>0`),
/// a statistic that the metric does not have, or a text that is not a threshold.
#[must_use]
pub fn threshold_to_objective(
    threshold: &Threshold,
    metrics: &[DefinedMetric],
) -> Option<SuggestedObjective> {
    let (metric, select) = split_metric(&threshold.metric)?;
    let Condition {
        statistic,
        operator,
        value,
    } = Condition::parse(&threshold.expression)?;
    let (kind, contains) = known(&metric, metrics);
    if kind.is_some_and(|kind| !statistic.fits(kind)) {
        return None;
    }
    // A metric that is defined out of sight: a rate up to 1 is taken for a share.
    let guess = || {
        if value <= 1.0 {
            MetricKind::Rate
        } else {
            MetricKind::Counter
        }
    };
    let kind = kind.or_else(|| (statistic == Statistic::Rate).then(guess));
    let unit = statistic.unit(kind, contains);
    let strict = matches!(operator, Operator::Less | Operator::Greater);
    let direction = match operator {
        Operator::Less | Operator::LessOrEqual => LimitDirection::Max,
        Operator::Greater | Operator::GreaterOrEqual => LimitDirection::Min,
    };
    let mut limit = value;
    if strict && statistic == Statistic::Count {
        limit = match direction {
            LimitDirection::Max => value.ceil() - 1.0,
            LimitDirection::Min => value.floor() + 1.0,
        };
    }
    // Nothing that k6 measures here is negative, so these would hold always or never.
    if limit < 0.0 || (limit == 0.0 && direction == LimitDirection::Min) {
        return None;
    }
    if matches!(unit, Unit::Percent)
        && (limit > 1.0 || (limit >= 1.0 && direction == LimitDirection::Max))
    {
        return None;
    }
    let mut id = format!("{metric}_{}", statistic.name().replace(['(', ')'], ""));
    for (_, value) in &select {
        id.push('_');
        id.push_str(value);
    }
    Some(SuggestedObjective {
        id: slug(&id),
        metric,
        statistic: statistic.name(),
        select,
        direction,
        limit_text: unit.show(limit),
        abort: threshold.abort_on_fail,
    })
}

/// `http_req_duration{name:login,status:200}` → the metric and its tags.
fn split_metric(text: &str) -> Option<(String, Vec<(String, String)>)> {
    let text = text.trim();
    let Some((metric, rest)) = text.split_once('{') else {
        return Some((text.to_owned(), Vec::new()));
    };
    let inside = rest.trim_end().strip_suffix('}')?;
    let unquoted = |text: &str| text.trim().trim_matches(['"', '\'']).to_owned();
    let mut tags = Vec::new();
    for pair in inside.split(',').filter(|pair| !pair.trim().is_empty()) {
        let (key, value) = pair.split_once(':')?;
        tags.push((unquoted(key), unquoted(value)));
    }
    Some((metric.trim().to_owned(), tags))
}

fn known(metric: &str, metrics: &[DefinedMetric]) -> (Option<MetricKind>, ValueKind) {
    if let Some(builtin) = builtin(metric) {
        return (Some(builtin.kind), builtin.contains);
    }
    match metrics.iter().find(|defined| defined.name == metric) {
        Some(defined) => {
            let contains = if defined.is_time == Some(true) {
                ValueKind::Time
            } else {
                ValueKind::Default
            };
            (Some(defined.kind), contains)
        }
        None => (None, ValueKind::Default),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, PartialEq)]
enum Statistic {
    Avg,
    Min,
    Max,
    Med,
    /// With the percentage as written.
    Percentile(String),
    Rate,
    Count,
    Value,
}

impl Statistic {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "avg" => Self::Avg,
            "min" => Self::Min,
            "max" => Self::Max,
            "med" => Self::Med,
            "rate" => Self::Rate,
            "count" => Self::Count,
            "value" => Self::Value,
            other => {
                let percent = other.strip_prefix("p(")?.strip_suffix(')')?.trim();
                let number: f64 = percent.parse().ok()?;
                (0.0..=100.0).contains(&number).then_some(())?;
                Self::Percentile(percent.to_owned())
            }
        })
    }

    fn name(&self) -> String {
        match self {
            Self::Avg => "avg".to_owned(),
            Self::Min => "min".to_owned(),
            Self::Max => "max".to_owned(),
            Self::Med => "med".to_owned(),
            Self::Percentile(percent) => format!("p({percent})"),
            Self::Rate => "rate".to_owned(),
            Self::Count => "count".to_owned(),
            Self::Value => "value".to_owned(),
        }
    }

    /// k6's table of aggregations by metric type.
    fn fits(&self, kind: MetricKind) -> bool {
        match kind {
            MetricKind::Counter => matches!(self, Self::Count | Self::Rate),
            MetricKind::Gauge => matches!(self, Self::Value),
            MetricKind::Rate => matches!(self, Self::Rate),
            MetricKind::Trend => matches!(
                self,
                Self::Avg | Self::Min | Self::Max | Self::Med | Self::Percentile(_)
            ),
        }
    }

    fn unit(&self, kind: Option<MetricKind>, contains: ValueKind) -> Unit {
        match (self, kind, contains) {
            (Self::Rate, Some(MetricKind::Counter), ValueKind::Data) => Unit::BytesPerSecond,
            (Self::Rate, Some(MetricKind::Counter), _) => Unit::PerSecond,
            (Self::Rate, Some(_), _) => Unit::Percent,
            (_, _, ValueKind::Time) => Unit::Millis,
            (_, _, ValueKind::Data) => Unit::Bytes,
            _ => Unit::Plain,
        }
    }
}

struct Condition {
    statistic: Statistic,
    operator: Operator,
    value: f64,
}

impl Condition {
    /// `aggregation operator value`, as k6's documentation of thresholds has it.
    fn parse(text: &str) -> Option<Self> {
        let at = text.find(['<', '>', '=', '!'])?;
        let (left, rest) = text.split_at(at);
        // The longer operators first.
        let (operator, right) = if let Some(right) = rest.strip_prefix("<=") {
            (Operator::LessOrEqual, right)
        } else if let Some(right) = rest.strip_prefix(">=") {
            (Operator::GreaterOrEqual, right)
        } else if let Some(right) = rest.strip_prefix('<') {
            (Operator::Less, right)
        } else if let Some(right) = rest.strip_prefix('>') {
            (Operator::Greater, right)
        } else {
            return None;
        };
        let value: f64 = right.trim().parse().ok()?;
        value.is_finite().then_some(())?;
        Some(Self {
            statistic: Statistic::parse(left.trim())?,
            operator,
            value,
        })
    }
}

#[derive(Debug, Clone, Copy)]
enum Unit {
    Millis,
    Percent,
    PerSecond,
    Bytes,
    BytesPerSecond,
    Plain,
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::Millis => format!("{value}ms"),
            // 0.07 × 100 must not become 7.000000000000001.
            Self::Percent => format!("{}%", (value * 1e10).round() / 1e8),
            Self::PerSecond => format!("{value}/s"),
            Self::Bytes => format!("{value}B"),
            Self::BytesPerSecond => format!("{value}B/s"),
            Self::Plain => format!("{value}"),
        }
    }
}

/// Lower case letters and digits, everything else as single `_` between them.
pub(crate) fn slug(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
    }
    out.truncate(out.trim_end_matches('_').len());
    out
}
