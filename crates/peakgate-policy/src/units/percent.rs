//! Shares: `10%`, `10 %`, or plainly `0.1`.

use super::{BadQuantity, Misfit};
use crate::document::Quantity;

/// The share; `None` when there is no percent sign.
pub(super) fn parse(text: &str) -> Option<Result<f64, BadQuantity>> {
    let number = text.strip_suffix('%')?.trim_end();
    Some(match super::split(number) {
        Ok((n, "")) => Ok(of_percent(n)),
        Ok((_, unit)) => Err(BadQuantity::UnknownUnit {
            unit: format!("{unit}%"),
        }),
        Err(error) => Err(error),
    })
}

/// A hundredth, without the crumbs of the division: 99.9 % is 0.999, not 0.9990000000000001.
pub(crate) fn of_percent(n: f64) -> f64 {
    let share = n / 100.0;
    let round = (share * 1e12).round() / 1e12;
    // Very great numbers have no such digits to round.
    if round.is_finite() { round } else { share }
}

/// Why a text is not a share of 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum BadShare {
    Quantity(BadQuantity),
    Misfit(Misfit),
}

/// Reads a share of 0 to 1 (of whatever else is a share of more than the whole, say a regression:
/// `bounded` false).
pub(crate) fn read_share(quantity: &Quantity, bounded: bool) -> Result<f64, BadShare> {
    use super::Reading;
    let (share, plain) = match super::read(quantity).map_err(BadShare::Quantity)? {
        Reading::Share(n) => (n, false),
        Reading::Plain(n) => (n, true),
        Reading::Millis(_)
        | Reading::Bytes(_)
        | Reading::PerSecond(_)
        | Reading::BytesPerSecond(_) => return Err(BadShare::Misfit(Misfit::OtherUnit)),
    };
    if bounded && share > 1.0 {
        return Err(BadShare::Misfit(Misfit::OverOne(plain, share)));
    }
    Ok(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_and_plain_shares() {
        let read = |t: &str| read_share(&Quantity::Text(t.into()), true);
        assert_eq!(read("10%"), Ok(0.1));
        assert_eq!(read("10 %"), Ok(0.1));
        assert_eq!(read("0.1"), Ok(0.1));
        assert_eq!(read("99.9%"), Ok(0.999));
        assert_eq!(read("100%"), Ok(1.0));
        assert_eq!(read_share(&Quantity::Number(0.5), true), Ok(0.5));
        assert_eq!(
            read("10"),
            Err(BadShare::Misfit(Misfit::OverOne(true, 10.0)))
        );
        assert_eq!(
            read("150%"),
            Err(BadShare::Misfit(Misfit::OverOne(false, 1.5)))
        );
        assert_eq!(read("1ms"), Err(BadShare::Misfit(Misfit::OtherUnit)));
        assert!(matches!(read("x%"), Err(BadShare::Quantity(_))));
        assert!(matches!(read("1ms%"), Err(BadShare::Quantity(_))));
        assert_eq!(read_share(&Quantity::Text("150%".into()), false), Ok(1.5));
    }
}
