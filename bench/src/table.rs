//! The result, as Markdown.

use std::fmt::Write;

/// Whether a figure is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finding {
    /// Within its target.
    Met,
    /// Not.
    Missed,
    /// It has no target, and is there to be compared with.
    NoTarget,
}

impl Finding {
    /// Met if the figure is no greater than its target. NaN is a miss.
    pub(crate) fn at_most(measured: f64, target: f64) -> Self {
        if measured <= target {
            Self::Met
        } else {
            Self::Missed
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Met => "ok",
            Self::Missed => "**missed**",
            Self::NoTarget => "–",
        }
    }
}

/// A line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) figure: String,
    /// What it should be.
    pub(crate) target: &'static str,
    /// What it is, and from what.
    pub(crate) measured: String,
    /// Whether it is so.
    pub(crate) finding: Finding,
}

impl Row {
    /// Whether the target was missed.
    pub(crate) fn missed(&self) -> bool {
        self.finding == Finding::Missed
    }
}

/// The rows as a Markdown table.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let mut text = String::from("| figure | target | measured | |\n|---|---|---|---|\n");
    for row in rows {
        let Row {
            figure,
            target,
            measured,
            finding,
        } = row;
        let _ = writeln!(
            text,
            "| {figure} | {target} | {measured} | {} |",
            finding.word()
        );
    }
    text
}

/// The middle value; the mean of the middle two of an even number.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

/// The least and the greatest value.
pub(crate) fn range(values: &[f64]) -> (f64, f64) {
    values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(*v), high.max(*v))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_findings() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-12);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-12);
        assert!(median(&[]).is_nan());
        assert_eq!(Finding::at_most(1.0, 1.0), Finding::Met);
        assert_eq!(Finding::at_most(f64::NAN, 1.0), Finding::Missed);
        assert_eq!(range(&[2.0, 1.0]), (1.0, 2.0));
    }
}
