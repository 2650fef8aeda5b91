//! Values as people read them.

use crate::verdict::UnitName;
use peakgate_policy::settings::Unit;

impl From<Unit> for UnitName {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::Millis => Self::Milliseconds,
            Unit::Bytes => Self::Bytes,
            Unit::Share => Self::Share,
            Unit::PerSecond => Self::PerSecond,
            Unit::BytesPerSecond => Self::BytesPerSecond,
            Unit::Plain => Self::Number,
        }
    }
}

/// A number with three significant digits, without a useless fraction.
#[must_use]
pub fn number(value: f64) -> String {
    let size = value.abs();
    // The next step of size starts where rounding would reach it.
    let text = if size >= 99.95 {
        format!("{value:.0}")
    } else if size >= 9.995 {
        format!("{value:.1}")
    } else if size >= 0.9995 || size == 0.0 {
        format!("{value:.2}")
    } else if size >= 0.09995 {
        format!("{value:.3}")
    } else if size >= 0.009_995 {
        format!("{value:.4}")
    } else if size >= 0.000_999_5 {
        format!("{value:.5}")
    } else {
        format!("{value:.2e}")
    };
    if text.contains('.') && !text.contains('e') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A value with its unit: `843 ms`, `1.25 s`, `0.42 %`, `50 /s`, `1.5 MB`.
#[must_use]
pub fn value(value: f64, unit: UnitName) -> String {
    match unit {
        UnitName::Milliseconds => milliseconds(value),
        UnitName::Share => format!("{} %", number(value * 100.0)),
        UnitName::Bytes => bytes(value),
        UnitName::BytesPerSecond => format!("{}/s", bytes(value)),
        UnitName::PerSecond => format!("{} /s", number(value)),
        UnitName::Number => number(value),
    }
}

fn milliseconds(ms: f64) -> String {
    if ms.abs() >= 60_000.0 {
        format!("{} min", number(ms / 60_000.0))
    } else if ms.abs() >= 9_995.0 {
        format!("{} s", number(ms / 1000.0))
    } else {
        format!("{} ms", number(ms))
    }
}

fn bytes(value: f64) -> String {
    let (size, unit) = match value.abs() {
        b if b >= 1e9 => (value / 1e9, "GB"),
        b if b >= 1e6 => (value / 1e6, "MB"),
        b if b >= 1e3 => (value / 1e3, "kB"),
        _ => (value, "B"),
    };
    format!("{} {unit}", number(size))
}

/// A change as a signed percentage: `+12 %`, `−3.4 %`.
#[must_use]
pub fn change(share: f64) -> String {
    let percent = share * 100.0;
    let rounded = if percent.abs() < 10.0 {
        format!("{:.1}", percent.abs())
    } else {
        format!("{:.0}", percent.abs())
    };
    let sign = if percent < 0.0 { "−" } else { "+" };
    format!("{sign}{rounded} %")
}

/// A whole number with thin groups of three: `1 234 567`.
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(c);
    }
    out
}

/// Seconds as `20s`, `5m30s`, `3h45m`.
#[must_use]
pub fn seconds(s: f64) -> String {
    let millis = std::time::Duration::try_from_secs_f64(s.max(0.0)).unwrap_or_default();
    // Tenths are enough for people.
    let tenths = std::time::Duration::from_millis(
        u64::try_from(millis.as_millis() / 100 * 100).unwrap_or(u64::MAX),
    );
    peakgate_load::plan::format_duration(tenths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_well() {
        assert_eq!(value(843.21, UnitName::Milliseconds), "843 ms");
        assert_eq!(value(1250.0, UnitName::Milliseconds), "1250 ms");
        assert_eq!(value(12_345.0, UnitName::Milliseconds), "12.3 s");
        assert_eq!(value(0.0042, UnitName::Share), "0.42 %");
        assert_eq!(value(0.0, UnitName::Share), "0 %");
        assert_eq!(value(1.0, UnitName::Share), "100 %");
        assert_eq!(value(1_500_000.0, UnitName::BytesPerSecond), "1.5 MB/s");
        assert_eq!(value(9.9999, UnitName::Number), "10");
        assert_eq!(change(0.123), "+12 %");
        assert_eq!(change(-0.034), "−3.4 %");
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(seconds(19.97), "19.9s");
    }
}
