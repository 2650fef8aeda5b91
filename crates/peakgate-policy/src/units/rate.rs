//! Rates: `50/s`, `3000/m`, `5MB/s`.

use super::{BadQuantity, Reading, bytes};

/// The rate; `None` when there is no slash.
pub(super) fn parse(text: &str) -> Option<Result<Reading, BadQuantity>> {
    let (number, per) = text.split_once('/')?;
    Some(read(number.trim(), per.trim()))
}

fn read(number: &str, per: &str) -> Result<Reading, BadQuantity> {
    let seconds = match per {
        "s" | "sec" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => {
            return Err(BadQuantity::UnknownUnit {
                unit: format!("/{per}"),
            });
        }
    };
    let (n, unit) = super::split(number)?;
    if unit.is_empty() {
        return Ok(Reading::PerSecond(n / seconds));
    }
    bytes::factor(unit)
        .map(|factor| Reading::BytesPerSecond(n * factor / seconds))
        .ok_or_else(|| BadQuantity::UnknownUnit {
            unit: format!("{unit}/{per}"),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn per_second_minute_and_hour() {
        for (text, want) in [
            ("50/s", Reading::PerSecond(50.0)),
            ("3000/m", Reading::PerSecond(50.0)),
            ("3000 / min", Reading::PerSecond(50.0)),
            ("3600/h", Reading::PerSecond(1.0)),
            ("6MB/m", Reading::BytesPerSecond(1e5)),
            ("1KiB/s", Reading::BytesPerSecond(1024.0)),
        ] {
            assert_eq!(parse(text), Some(Ok(want)), "{text}");
        }
        assert_eq!(parse("50"), None);
        for bad in ["50/day", "50ms/s", "/s", "x/s"] {
            assert!(matches!(parse(bad), Some(Err(_))), "{bad}");
        }
    }
}
