//! YAML 1.2's core schema for unquoted scalars (YAML 1.2.2, section 10.3.2).

use serde_json::Number;

/// What an unquoted scalar stands for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A finite number.
    Number(Number),
    /// Anything else. Also `.inf` and `.nan`, which no field of a policy can mean: as text they
    /// meet a message that says what was wanted.
    Text,
}

/// Reads an unquoted scalar.
pub(crate) fn core_schema(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "true" | "True" | "TRUE" => return Scalar::Bool(true),
        "false" | "False" | "FALSE" => return Scalar::Bool(false),
        _ => {}
    }
    number(text).map_or(Scalar::Text, Scalar::Number)
}

fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(rest) = text.strip_prefix(prefix) {
            let plain = !rest.is_empty() && rest.chars().all(|c| c.is_digit(radix));
            return plain
                .then(|| u64::from_str_radix(rest, radix).ok())
                .flatten()
                .map(Number::from);
        }
    }
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        || !digits
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'))
        || !digits.contains(|c: char| c.is_ascii_digit())
    {
        return None;
    }
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    if let Ok(n) = unsigned.parse::<i64>() {
        return Some(n.into());
    }
    if let Ok(n) = unsigned.parse::<u64>() {
        return Some(n.into());
    }
    let float: f64 = unsigned.parse().ok()?;
    // JSON Schema calls 10.0 an integer; so does the policy. Below 2^53 the cast is exact.
    #[allow(clippy::cast_possible_truncation)]
    if float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0 {
        return Some((float as i64).into());
    }
    Number::from_f64(float)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_core_schema() {
        for (text, want) in [
            ("", Scalar::Null),
            ("~", Scalar::Null),
            ("NULL", Scalar::Null),
            ("True", Scalar::Bool(true)),
            // Not booleans any more since YAML 1.2.
            ("yes", Scalar::Text),
            ("no", Scalar::Text),
            ("12", Scalar::Number(12.into())),
            ("-7", Scalar::Number((-7).into())),
            ("+7", Scalar::Number(7.into())),
            ("0x1F", Scalar::Number(31.into())),
            ("0o17", Scalar::Number(15.into())),
            ("0x", Scalar::Text),
            ("1e3", Scalar::Number(1000.into())),
            ("10.0", Scalar::Number(10.into())),
            ("18446744073709551615", Scalar::Number(u64::MAX.into())),
            (".5", Scalar::Number(Number::from_f64(0.5).unwrap())),
            (".inf", Scalar::Text),
            (".nan", Scalar::Text),
            ("nan", Scalar::Text),
            ("1e999", Scalar::Text),
            ("1-2", Scalar::Text),
            (".", Scalar::Text),
            ("-", Scalar::Text),
            ("10ms", Scalar::Text),
            ("2026-12-31", Scalar::Text),
        ] {
            assert_eq!(core_schema(text), want, "{text}");
        }
    }
}
