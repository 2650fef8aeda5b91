//! Distribution-free intervals for quantiles.

use peakgate_load::Histogram;
use statrs::distribution::{Binomial, DiscreteCDF};

use super::{BlockCount, Bounds, design_effect};

/// The confidence interval of a quantile `p` (0 < p < 1), without assuming any distribution: two
/// order statistics whose ranks bracket the quantile by the binomial distribution (David and
/// Nagaraja, Order Statistics, 3rd ed., section 7.1). The samples count as n / design effect
/// independent ones, the effect being that of "at or below the quantile" over the blocks (Woodruff,
/// "Confidence intervals for medians and other position measures", 1952).
///
/// An end that so few samples cannot bound is `None`: 50 samples say nothing about how high p(99)
/// may be.
#[must_use]
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
pub fn quantile_interval(
    all: &Histogram,
    blocks: &[Histogram],
    p: f64,
    confidence: f64,
) -> Option<Bounds> {
    let value = all.quantile(p)?;
    let counts: Vec<BlockCount> = blocks
        .iter()
        .map(|block| {
            let total = block.count() as f64;
            BlockCount {
                hits: total - block.count_above(value),
                total,
            }
        })
        .collect();
    let n = all.count();
    let effective = (n as f64 / design_effect(&counts)).floor().max(1.0);
    let binomial = Binomial::new(p, effective as u64).ok()?;
    let tail = (1.0 - confidence) / 2.0;
    // Ranks from 1. Lower: the greatest l with P(Bin <= l - 1) <= tail.
    let lower = first(effective as u64, |k| binomial.cdf(k) > tail);
    // Upper: the least u with P(Bin <= u - 1) >= 1 - tail.
    let upper = first(effective as u64, |k| binomial.cdf(k) >= 1.0 - tail) + 1;
    let at = |rank: u64| {
        let share = (rank as f64 - 0.5) / effective;
        all.at_rank(((share * n as f64) as u64).min(n - 1))
    };
    Some(Bounds {
        low: (lower >= 1).then(|| at(lower)).flatten(),
        high: (upper as f64 <= effective).then(|| at(upper)).flatten(),
    })
}

/// The least k in 0..=n for which a monotone condition holds; n when none below does.
fn first(n: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, n);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small deterministic generator: tests must not depend on luck.
    struct Lcg(u64);
    impl Lcg {
        fn uniform(&mut self) -> f64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((self.0 >> 11) as f64 + 0.5) / (1u64 << 53) as f64
        }
        fn exponential(&mut self) -> f64 {
            -self.uniform().ln() * 100.0
        }
    }

    fn of(values: &[f64]) -> Histogram {
        let mut h = Histogram::new();
        for v in values {
            assert!(h.record(*v));
        }
        h
    }

    /// How often the interval holds the truth, for blocks that share a common slow-down.
    fn coverage(shared: f64, p: f64, truth: f64, use_blocks: bool) -> f64 {
        let mut random = Lcg(42);
        let trials = 400;
        let mut held = 0;
        for _ in 0..trials {
            let blocks: Vec<Histogram> = (0..25)
                .map(|_| {
                    let slow = if random.uniform() < 0.2 { shared } else { 1.0 };
                    of(&(0..40)
                        .map(|_| random.exponential() * slow)
                        .collect::<Vec<_>>())
                })
                .collect();
            let mut all = Histogram::new();
            blocks.iter().for_each(|b| all.merge(b));
            let used: &[Histogram] = if use_blocks { &blocks } else { &[] };
            let bounds = quantile_interval(&all, used, p, 0.95).unwrap();
            held += u32::from(
                bounds.low.is_none_or(|l| l <= truth) && bounds.high.is_none_or(|h| truth <= h),
            );
        }
        f64::from(held) / f64::from(trials)
    }

    #[test]
    fn covers_as_promised_when_samples_are_independent() {
        let truth = -(0.05_f64.ln()) * 100.0;
        let got = coverage(1.0, 0.95, truth, true);
        assert!(got >= 0.93, "{got}");
    }

    #[test]
    fn blocks_keep_bursts_from_flattering_it() {
        // 20 % of the blocks are 5 times slower: solve 0.8 e^(-x) + 0.2 e^(-x/5) = 0.1 for p90.
        let tail = |x: f64| 0.8 * (-x / 100.0).exp() + 0.2 * (-x / 500.0).exp();
        let (mut low, mut high) = (0.0, 1e5);
        for _ in 0..100 {
            let mid = (low + high) / 2.0;
            if tail(mid) > 0.1 {
                low = mid;
            } else {
                high = mid;
            }
        }
        let honest = coverage(5.0, 0.9, low, true);
        let naive = coverage(5.0, 0.9, low, false);
        assert!(honest >= 0.85, "{honest}");
        assert!(naive < 0.7, "{naive}");
    }

    #[test]
    fn few_samples_leave_the_upper_end_open() {
        let h = of(&(1..=50).map(f64::from).collect::<Vec<_>>());
        let bounds = quantile_interval(&h, &[], 0.99, 0.95).unwrap();
        assert_eq!(bounds.high, None);
        let low = bounds.low.unwrap();
        assert!((46.0..50.0).contains(&low), "{low}");
        assert_eq!(quantile_interval(&Histogram::new(), &[], 0.5, 0.95), None);
    }

    #[test]
    fn ranks_are_those_of_the_textbook() {
        // Median of 20: the 95 % interval is (X6, X15).
        let h = of(&(1..=20).map(f64::from).collect::<Vec<_>>());
        let bounds = quantile_interval(&h, &[], 0.5, 0.95).unwrap();
        assert!((bounds.low.unwrap() - 6.0).abs() < 0.01);
        assert!((bounds.high.unwrap() - 15.0).abs() < 0.01);
    }
}
