//! Times, as k6 and Go write them: `500ms`, `1m30s`.

use std::time::Duration;

use peakgate_load::plan::parse_duration;

use super::BadQuantity;

/// Milliseconds; `None` when the text is no time (a number without a unit is none).
pub(super) fn parse(text: &str) -> Option<f64> {
    let text = text.trim();
    if !text.ends_with(|c: char| c.is_alphabetic()) {
        return None;
    }
    // "1 s" reads as "1s"; other blanks do not belong.
    let squeezed = match text.split_once(' ') {
        Some((number, unit)) if !unit.contains(' ') => format!("{number}{unit}"),
        _ => text.to_owned(),
    };
    if squeezed.parse::<f64>().is_ok() {
        return None; // "inf" and "nan" end with a letter too.
    }
    parse_duration(&squeezed)
        .map(|d| d.as_secs_f64() * 1000.0)
        .map(tidy)
}

/// Seconds times a thousand leaves crumbs (0.0011 × 1000); a nanosecond is the least that a
/// Duration holds.
fn tidy(millis: f64) -> f64 {
    (millis * 1e6).round() / 1e6
}

/// Reads a time.
pub(crate) fn read_duration(text: &str) -> Result<Duration, BadQuantity> {
    let text = text.trim();
    if text.is_empty() {
        return Err(BadQuantity::Empty);
    }
    match parse(text) {
        Some(_) => {
            parse_duration(&text.replace(' ', "")).ok_or(BadQuantity::NotFinite(text.into()))
        }
        None => {
            let (_, unit) = super::split(text)?;
            Err(BadQuantity::UnknownUnit { unit: unit.into() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_go_style() {
        for (text, ms) in [
            ("500ms", 500.0),
            ("1.5s", 1500.0),
            ("1m30s", 90_000.0),
            ("2h", 7_200_000.0),
            ("250us", 0.25),
            ("250µs", 0.25),
            ("1.1ms", 1.1),
            ("0s", 0.0),
            ("10 s", 10_000.0),
        ] {
            assert_eq!(parse(text), Some(ms), "{text}");
        }
        for bad in ["500", "5x", "s", "", "inf", "nan", "1 s 2", "10MB"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(read_duration("90s"), Ok(Duration::from_secs(90)));
    }

    #[test]
    fn says_why_not() {
        assert_eq!(
            read_duration("500"),
            Err(BadQuantity::UnknownUnit {
                unit: String::new()
            })
        );
        assert_eq!(
            read_duration("5 sec"),
            Err(BadQuantity::UnknownUnit { unit: "sec".into() })
        );
        assert!(matches!(
            read_duration("soon"),
            Err(BadQuantity::NotANumber(_))
        ));
        assert!(matches!(
            read_duration("-5s"),
            Err(BadQuantity::Negative(_))
        ));
    }
}
