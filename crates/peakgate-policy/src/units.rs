//! Numbers with units, as people write them: `500ms`, `1%`, `50/s`, `10MB`, `12`.
//!
//! Which unit a limit needs follows from the metric and the statistic; see [`Measure`].

use std::fmt;

use peakgate_load::{MetricKind, ValueKind};

use crate::document::Quantity;
use crate::settings::{Statistic, Unit};

mod bytes;
mod duration;
mod percent;
mod rate;

pub(crate) use duration::read_duration;
pub(crate) use percent::{BadShare, of_percent, read_share};

/// A number as it was read: the unit decides what it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Reading {
    /// Without a unit.
    Plain(f64),
    /// A time, in milliseconds.
    Millis(f64),
    /// An amount of data, in bytes.
    Bytes(f64),
    /// A percentage, as a share.
    Share(f64),
    /// Something per second.
    PerSecond(f64),
    /// Bytes per second.
    BytesPerSecond(f64),
}

/// Why a number cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadQuantity {
    #[error("a number is missing")]
    Empty,
    #[error("'{0}' is not a number with a unit")]
    NotANumber(String),
    #[error("'{0}' is negative")]
    Negative(String),
    #[error("'{0}' is not a finite number")]
    NotFinite(String),
    #[error("'{unit}' is not a unit")]
    UnknownUnit { unit: String },
}

/// All units, for messages.
pub(crate) const UNITS: &[&str] = &[
    "ms", "s", "m", "h", "us", "%", "B", "kB", "MB", "GB", "KiB", "MiB", "GiB", "/s", "/m", "/h",
];

/// Reads a quantity of whatever unit.
pub(crate) fn read(quantity: &Quantity) -> Result<Reading, BadQuantity> {
    match quantity {
        Quantity::Number(n) => positive(*n, &n.to_string()).map(Reading::Plain),
        Quantity::Text(text) => read_text(text),
    }
}

fn read_text(text: &str) -> Result<Reading, BadQuantity> {
    let text = text.trim();
    if text.is_empty() {
        return Err(BadQuantity::Empty);
    }
    if let Some(share) = percent::parse(text) {
        return share.map(Reading::Share);
    }
    if let Some(rate) = rate::parse(text) {
        return rate;
    }
    if let Some(millis) = duration::parse(text) {
        return positive(millis, text).map(Reading::Millis);
    }
    let (number, unit) = split(text)?;
    if unit.is_empty() {
        return Ok(Reading::Plain(number));
    }
    bytes::factor(unit)
        .map(|factor| Reading::Bytes(number * factor))
        .ok_or_else(|| BadQuantity::UnknownUnit { unit: unit.into() })
}

/// Refuses what is negative or not finite.
fn positive(n: f64, text: &str) -> Result<f64, BadQuantity> {
    if !n.is_finite() {
        Err(BadQuantity::NotFinite(text.into()))
    } else if n < 0.0 {
        Err(BadQuantity::Negative(text.into()))
    } else {
        // Adding zero folds -0.0 into 0.0.
        Ok(n + 0.0)
    }
}

/// Splits `10 MB` into the number and the unit.
fn split(text: &str) -> Result<(f64, &str), BadQuantity> {
    let not_a_number = || {
        let word = text.trim_start_matches(['+', '-', '.']).to_lowercase();
        if word.starts_with("inf") || word.starts_with("nan") {
            BadQuantity::NotFinite(text.into())
        } else {
            BadQuantity::NotANumber(text.into())
        }
    };
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+')))
        .unwrap_or(text.len());
    // `1e3` is a number, `1em` is not a unit of anything: an exponent needs digits.
    let tail = &text[end..];
    let exponent = tail
        .strip_prefix(['e', 'E'])
        .map(|t| t.strip_prefix(['+', '-']).unwrap_or(t).len())
        .map_or(0, |after_sign| {
            let digits_from = tail.len() - after_sign;
            let digits = tail[digits_from..]
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(after_sign);
            if digits > 0 { digits_from + digits } else { 0 }
        });
    let (number, unit) = text.split_at(end + exponent);
    let number: f64 = number
        .parse()
        .map_err(|_no_reason: std::num::ParseFloatError| not_a_number())?;
    Ok((positive(number, text)?, unit.trim_start()))
}

/// What a metric's statistic is measured in, and so which units a limit on it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Times: `500ms`.
    Time,
    /// Data: `10MB`.
    Data,
    /// Shares: `1%` or `0.01`.
    Share,
    /// Per second: `50/s`.
    PerSecond,
    /// Data per second: `5MB/s`.
    DataPerSecond,
    /// Plain numbers.
    Plain,
    /// A custom metric that may hold times or plain numbers.
    TimeOrPlain,
    /// A custom metric's count or sum, which may be of data.
    DataOrPlain,
    /// A custom Rate or Counter: the unit tells which.
    ShareOrPerSecond,
}

impl Measure {
    /// Of a built-in metric's statistic.
    pub(crate) fn of_builtin(kind: MetricKind, contains: ValueKind, statistic: Statistic) -> Self {
        match (kind, statistic, contains) {
            (MetricKind::Rate, ..) => Self::Share,
            (MetricKind::Trend, Statistic::Count, _) => Self::Plain,
            (MetricKind::Counter, Statistic::Rate, ValueKind::Data) => Self::DataPerSecond,
            (MetricKind::Counter, Statistic::Rate, _) => Self::PerSecond,
            (_, _, ValueKind::Time) => Self::Time,
            (_, _, ValueKind::Data) => Self::Data,
            (_, _, ValueKind::Default) => Self::Plain,
        }
    }

    /// Of a custom metric's statistic.
    pub(crate) fn of_custom(statistic: Statistic) -> Self {
        match statistic {
            Statistic::Rate => Self::ShareOrPerSecond,
            Statistic::Count => Self::DataOrPlain,
            Statistic::Quantile(_)
            | Statistic::Avg
            | Statistic::Med
            | Statistic::Min
            | Statistic::Max
            | Statistic::Value => Self::TimeOrPlain,
        }
    }

    /// The unit of values when no limit tells.
    pub(crate) fn default_unit(self) -> Unit {
        match self {
            Self::Time => Unit::Millis,
            Self::Data => Unit::Bytes,
            Self::Share => Unit::Share,
            Self::PerSecond => Unit::PerSecond,
            Self::DataPerSecond => Unit::BytesPerSecond,
            Self::Plain | Self::TimeOrPlain | Self::DataOrPlain | Self::ShareOrPerSecond => {
                Unit::Plain
            }
        }
    }

    /// The value and its unit; `Err`: the unit does not fit.
    pub(crate) fn accept(self, reading: Reading) -> Result<(f64, Unit), Misfit> {
        use Reading as R;
        let ok = match (self, reading) {
            (Self::Time | Self::TimeOrPlain, R::Millis(n)) => (n, Unit::Millis),
            (Self::Data | Self::DataOrPlain, R::Bytes(n)) => (n, Unit::Bytes),
            (Self::Share | Self::ShareOrPerSecond, R::Share(n)) | (Self::Share, R::Plain(n)) => {
                if n > 1.0 {
                    return Err(Misfit::OverOne(matches!(reading, R::Plain(_)), n));
                }
                (n, Unit::Share)
            }
            (Self::PerSecond | Self::ShareOrPerSecond, R::PerSecond(n)) => (n, Unit::PerSecond),
            (Self::DataPerSecond, R::BytesPerSecond(n)) => (n, Unit::BytesPerSecond),
            (Self::Plain | Self::TimeOrPlain | Self::DataOrPlain, R::Plain(n)) => (n, Unit::Plain),
            (_, R::Plain(n)) => return Err(Misfit::NoUnit(n)),
            (_, _) => return Err(Misfit::OtherUnit),
        };
        Ok(ok)
    }

    /// Ways to write it.
    pub(crate) fn examples(self) -> &'static [&'static str] {
        match self {
            Self::Time => &["500ms", "1.5s", "1m30s"],
            Self::Data => &["10MB", "5MiB", "100B"],
            Self::Share => &["1%", "0.01"],
            Self::PerSecond => &["50/s", "3000/m"],
            Self::DataPerSecond => &["5MB/s", "10MiB/m"],
            Self::Plain => &["100"],
            Self::TimeOrPlain => &["500ms", "100"],
            Self::DataOrPlain => &["100", "10MB"],
            Self::ShareOrPerSecond => &["1% (of a Rate)", "50/s (of a Counter)"],
        }
    }
}

/// Why a number does not fit a measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Misfit {
    /// A number alone where a unit is needed.
    NoUnit(f64),
    /// A unit of something else.
    OtherUnit,
    /// A share above 1; whether it was a number alone, and the share.
    OverOne(bool, f64),
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Time => "a time",
            Self::Data => "an amount of data",
            Self::Share => "a share of 0 to 100 %",
            Self::PerSecond => "a number per second",
            Self::DataPerSecond => "data per second",
            Self::Plain => "a plain number",
            Self::TimeOrPlain => "a time or a plain number",
            Self::DataOrPlain => "a plain number or an amount of data",
            Self::ShareOrPerSecond => "a share or a number per second",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(t: &str) -> Result<Reading, BadQuantity> {
        read(&Quantity::Text(t.into()))
    }

    #[test]
    fn the_unit_decides() {
        for (t, want) in [
            ("12", Reading::Plain(12.0)),
            ("1e3", Reading::Plain(1000.0)),
            ("1.5E+1", Reading::Plain(15.0)),
            ("500ms", Reading::Millis(500.0)),
            ("5m", Reading::Millis(300_000.0)),
            ("10 MB", Reading::Bytes(1e7)),
            ("10 %", Reading::Share(0.1)),
            ("50/s", Reading::PerSecond(50.0)),
            ("5MB/s", Reading::BytesPerSecond(5e6)),
        ] {
            assert_eq!(text(t), Ok(want), "{t}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_named() {
        assert_eq!(text(" "), Err(BadQuantity::Empty));
        assert!(matches!(text("fast"), Err(BadQuantity::NotANumber(_))));
        assert!(matches!(text("-5ms"), Err(BadQuantity::Negative(_))));
        assert!(matches!(text("-5"), Err(BadQuantity::Negative(_))));
        assert!(matches!(text("-1%"), Err(BadQuantity::Negative(_))));
        assert!(matches!(text("-1/s"), Err(BadQuantity::Negative(_))));
        assert!(matches!(text(".nan"), Err(BadQuantity::NotFinite(_))));
        assert!(matches!(text("-.inf"), Err(BadQuantity::NotFinite(_))));
        assert!(matches!(text("1e999"), Err(BadQuantity::NotFinite(_))));
        assert_eq!(
            text("10 parsecs"),
            Err(BadQuantity::UnknownUnit {
                unit: "parsecs".into()
            })
        );
        assert!(matches!(text("1em"), Err(BadQuantity::UnknownUnit { .. })));
        assert!(matches!(
            read(&Quantity::Number(f64::NAN)),
            Err(BadQuantity::NotFinite(_))
        ));
    }

    #[test]
    fn measures_take_their_own_units_only() {
        use Reading as R;
        assert_eq!(
            Measure::Time.accept(R::Plain(500.0)),
            Err(Misfit::NoUnit(500.0))
        );
        assert_eq!(Measure::Time.accept(R::Bytes(1.0)), Err(Misfit::OtherUnit));
        assert_eq!(Measure::Share.accept(R::Plain(0.1)), Ok((0.1, Unit::Share)));
        assert_eq!(
            Measure::Share.accept(R::Plain(10.0)),
            Err(Misfit::OverOne(true, 10.0))
        );
        assert_eq!(
            Measure::ShareOrPerSecond.accept(R::Plain(0.1)),
            Err(Misfit::NoUnit(0.1))
        );
        assert_eq!(
            Measure::TimeOrPlain.accept(R::Millis(5.0)),
            Ok((5.0, Unit::Millis))
        );
        assert_eq!(
            Measure::DataPerSecond.accept(R::PerSecond(5.0)),
            Err(Misfit::OtherUnit)
        );
    }

    #[test]
    fn the_measure_follows_from_metric_and_statistic() {
        let of = |name: &str, s| {
            let m = peakgate_load::metric::builtin(name).unwrap();
            Measure::of_builtin(m.kind, m.contains, s)
        };
        assert_eq!(of("http_req_duration", Statistic::Avg), Measure::Time);
        assert_eq!(of("http_req_duration", Statistic::Count), Measure::Plain);
        assert_eq!(of("http_req_failed", Statistic::Rate), Measure::Share);
        assert_eq!(of("http_reqs", Statistic::Rate), Measure::PerSecond);
        assert_eq!(of("http_reqs", Statistic::Count), Measure::Plain);
        assert_eq!(of("data_sent", Statistic::Rate), Measure::DataPerSecond);
        assert_eq!(of("data_sent", Statistic::Count), Measure::Data);
        assert_eq!(of("vus", Statistic::Value), Measure::Plain);
        assert_eq!(of("browser_web_vital_cls", Statistic::Avg), Measure::Plain);
    }
}
