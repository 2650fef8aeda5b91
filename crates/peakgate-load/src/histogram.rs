//! A sparse, mergeable histogram over all finite numbers with three significant digits.
//!
//! A bin is the leading 22 bits of the number's IEEE 754 form (sign, exponent, ten bits of
//! mantissa), so bins are 1/1024 of a power of two wide: a value is off by at most 0.05 % of
//! itself. This is the log-linear layout of HdrHistogram (hdrhistogram.org), without its bounded
//! range, because a k6 Trend takes any number. Count, sum, least and greatest value are exact.

use serde::{Deserialize, Serialize};

const SHIFT: u32 = 42;

/// A distribution of finite values.
#[derive(Debug, Clone, Default, PartialEq, schemars::JsonSchema)]
#[schemars(with = "Stored")]
pub struct Histogram {
    // Two columns rather than pairs: 12 bytes a bin, not 16.
    bins: Vec<i32>,
    counts: Vec<u64>,
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
}

fn bin_of(value: f64) -> i32 {
    // Adding zero folds -0.0 into 0.0.
    let bits = (value + 0.0).to_bits();
    // 21 bits without the sign: always fits.
    let magnitude = i32::try_from((bits & !(1 << 63)) >> SHIFT).unwrap_or(i32::MAX);
    if bits >> 63 == 1 {
        -1 - magnitude
    } else {
        magnitude
    }
}

/// The bin's edges, ordered.
fn edges(bin: i32) -> (f64, f64) {
    let (magnitude, negative) = if bin < 0 {
        (-1 - bin, true)
    } else {
        (bin, false)
    };
    let magnitude = u64::from(magnitude.unsigned_abs());
    let low = f64::from_bits(magnitude << SHIFT);
    let high = f64::from_bits((magnitude + 1) << SHIFT);
    let high = if high.is_finite() { high } else { f64::MAX };
    if negative { (-high, -low) } else { (low, high) }
}

/// How many elements two strictly ascending lists share.
fn common(a: &[i32], b: &[i32]) -> usize {
    let (mut i, mut j, mut shared) = (0, 0, 0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        shared += usize::from(x == y);
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    shared
}

impl Histogram {
    /// An empty histogram.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one value; a value that is not finite is refused (returns false).
    #[must_use]
    pub fn record(&mut self, value: f64) -> bool {
        self.record_n(value, 1)
    }

    /// Counts a value `n` times; a value that is not finite is refused (returns false).
    #[must_use]
    pub fn record_n(&mut self, value: f64, n: u64) -> bool {
        if !value.is_finite() {
            return false;
        }
        if n == 0 {
            return true;
        }
        let bin = bin_of(value);
        match self.bins.binary_search(&bin) {
            Ok(i) => self.counts[i] += n,
            Err(i) => {
                self.bins.insert(i, bin);
                self.counts.insert(i, n);
            }
        }
        if self.count == 0 {
            (self.min, self.max) = (value, value);
        } else {
            self.min = self.min.min(value);
            self.max = self.max.max(value);
        }
        self.count += n;
        #[allow(clippy::cast_precision_loss)]
        let n = n as f64;
        self.sum += value * n;
        true
    }

    /// Adds all of another's values.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            self.clone_from(other);
            return;
        }
        // Exactly as many as are needed: a run keeps thousands of merged histograms, and a vector that
        // grows by doubling would make each of them up to twice as large.
        let both = common(&self.bins, &other.bins);
        let mut bins = Vec::with_capacity(self.bins.len() + other.bins.len() - both);
        let mut counts = Vec::with_capacity(bins.capacity());
        let (mut i, mut j) = (0, 0);
        while i < self.bins.len() || j < other.bins.len() {
            let a = self.bins.get(i).copied();
            let b = other.bins.get(j).copied();
            let bin = match (a, b) {
                (Some(a), Some(b)) => a.min(b),
                (Some(x), None) | (None, Some(x)) => x,
                (None, None) => break,
            };
            let mut n = 0;
            if a == Some(bin) {
                n = self.counts[i];
                i += 1;
            }
            if b == Some(bin) {
                n = u64::saturating_add(n, other.counts[j]);
                j += 1;
            }
            bins.push(bin);
            counts.push(n);
        }
        self.bins = bins;
        self.counts = counts;
        self.count = self.count.saturating_add(other.count);
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Joins each sixteen neighbouring bins into their middle one: values are then off by at most
    /// 0.8 % of themselves, and a distribution over many decades takes a sixteenth of the memory.
    /// Count, sum, least and greatest value stay exact.
    pub fn coarsen(&mut self) {
        /// Bits of a bin's number that are given up.
        const LOW: i32 = 0b1111;
        /// The middle of the sixteen.
        const MIDDLE: i32 = 0b1000;
        let joined = |bin: i32| {
            if bin < 0 {
                -1 - (((-1 - bin) & !LOW) | MIDDLE)
            } else if bin == 0 {
                // Zero is most often meant to be just that.
                0
            } else {
                (bin & !LOW) | MIDDLE
            }
        };
        let mut kept = 0;
        for i in 0..self.bins.len() {
            let bin = joined(self.bins[i]);
            if kept > 0 && self.bins[kept - 1] == bin {
                self.counts[kept - 1] += self.counts[i];
            } else {
                (self.bins[kept], self.counts[kept]) = (bin, self.counts[i]);
                kept += 1;
            }
        }
        self.bins.truncate(kept);
        self.counts.truncate(kept);
        self.bins.shrink_to_fit();
        self.counts.shrink_to_fit();
    }

    /// How many values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their exact sum.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// The exact least value.
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        (self.count > 0).then_some(self.min)
    }

    /// The exact greatest value.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        (self.count > 0).then_some(self.max)
    }

    /// The exact mean.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// How many bins are in use; a measure of memory (12 bytes each).
    #[must_use]
    pub fn bins(&self) -> usize {
        self.bins.len()
    }

    /// The occupied bins in order: (low edge, high edge, count).
    pub fn iter(&self) -> impl Iterator<Item = (f64, f64, u64)> {
        self.bins.iter().zip(&self.counts).map(|(&bin, &n)| {
            let (low, high) = edges(bin);
            (low, high, n)
        })
    }

    /// The value of the order statistic at a zero-based `rank`, within 0.05 %.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn at_rank(&self, rank: u64) -> Option<f64> {
        if rank >= self.count {
            return None;
        }
        if rank == 0 {
            return Some(self.min);
        }
        if rank == self.count - 1 {
            return Some(self.max);
        }
        let mut before = 0;
        for (&bin, &n) in self.bins.iter().zip(&self.counts) {
            if rank < before + n {
                let (low, high) = edges(bin);
                // Spread the bin's values evenly inside it.
                let share = ((rank - before) as f64 + 0.5) / n as f64;
                return Some((low + (high - low) * share).clamp(self.min, self.max));
            }
            before += n;
        }
        Some(self.max)
    }

    /// The `p` quantile (0 ≤ p ≤ 1) by k6's definition: linear interpolation at p × (n − 1).
    #[must_use]
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )]
    pub fn quantile(&self, p: f64) -> Option<f64> {
        if self.count == 0 || !(0.0..=1.0).contains(&p) {
            return None;
        }
        let position = p * (self.count - 1) as f64;
        let floor = position.floor();
        let low = self.at_rank(floor as u64)?;
        let high = self.at_rank((floor as u64 + 1).min(self.count - 1))?;
        Some(low + (high - low) * (position - floor))
    }

    /// How many values lie above a limit; the limit's own bin is shared out evenly.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn count_above(&self, limit: f64) -> f64 {
        if self.count == 0 || limit >= self.max {
            return 0.0;
        }
        if limit < self.min {
            return self.count as f64;
        }
        self.iter()
            .map(|(low, high, n)| {
                let n = n as f64;
                if low > limit {
                    n
                } else if high <= limit {
                    0.0
                } else {
                    n * (high - limit) / (high - low)
                }
            })
            .sum()
    }
}

/// A distribution: the leading 22 bits of each value as its bin; bins as differences, so that JSON
/// stays short.
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "Histogram")]
struct Stored {
    /// Exact sum of the values.
    sum: f64,
    /// Exact least value.
    min: f64,
    /// Exact greatest value.
    max: f64,
    /// Occupied bins in order, each as its distance from the one before.
    bins: Vec<i64>,
    /// How many values each bin holds.
    counts: Vec<u64>,
}

impl Serialize for Histogram {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut last = 0;
        let bins = self
            .bins
            .iter()
            .map(|&bin| {
                let step = i64::from(bin) - last;
                last = i64::from(bin);
                step
            })
            .collect();
        Stored {
            sum: self.sum,
            min: self.min,
            max: self.max,
            bins,
            counts: self.counts.clone(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let stored = Stored::deserialize(deserializer)?;
        if stored.bins.len() != stored.counts.len() {
            return Err(D::Error::custom(
                "a histogram's bins and counts differ in number",
            ));
        }
        let mut bins = Vec::with_capacity(stored.bins.len());
        let mut last = 0_i64;
        for (i, step) in stored.bins.iter().enumerate() {
            if i > 0 && *step <= 0 {
                return Err(D::Error::custom("a histogram's bins are out of order"));
            }
            last = last.saturating_add(*step);
            bins.push(i32::try_from(last).map_err(D::Error::custom)?);
        }
        let count = stored
            .counts
            .iter()
            .try_fold(0_u64, |sum, &n| sum.checked_add(n))
            .ok_or_else(|| D::Error::custom("a histogram's counts overflow"))?;
        if stored.counts.contains(&0) {
            return Err(D::Error::custom("a histogram has an empty bin"));
        }
        Ok(Self {
            bins,
            counts: stored.counts,
            count,
            sum: stored.sum,
            min: stored.min,
            max: stored.max,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[f64]) -> Histogram {
        let mut h = Histogram::new();
        for &v in values {
            assert!(h.record(v));
        }
        h
    }

    /// k6's definition on the samples themselves.
    fn exact(values: &[f64], p: f64) -> f64 {
        let mut v = values.to_vec();
        v.sort_by(f64::total_cmp);
        let position = p * (v.len() - 1) as f64;
        let (i, f) = (position.floor() as usize, position.fract());
        v[i] + (v[(i + 1).min(v.len() - 1)] - v[i]) * f
    }

    #[test]
    fn coarse_bins_keep_their_order_and_the_exact_figures() {
        let values = [-1e9, -7.5, -1.0, 0.0, 0.0, 1e-3, 1.0, 1.001, 1.01, f64::MAX];
        let fine = of(&values);
        let mut coarse = fine.clone();
        coarse.coarsen();
        assert!(coarse.bins.is_sorted_by(|a, b| a < b), "{:?}", coarse.bins);
        assert!(coarse.bins() < fine.bins());
        assert_eq!(coarse.counts.iter().sum::<u64>(), fine.count());
        assert_eq!(
            (coarse.count(), coarse.min(), coarse.max()),
            (fine.count(), fine.min(), fine.max())
        );
        // Zero stays zero.
        let zeros = coarse.iter().find(|(low, _, _)| *low == 0.0);
        assert_eq!(zeros.map(|(_, _, n)| n), Some(2));
        let again = coarse.clone();
        coarse.coarsen();
        assert_eq!(coarse, again);
    }

    #[test]
    fn a_merged_histogram_has_no_spare_room() {
        let mut a = of(&[1.0, 2.0, 3.0]);
        a.merge(&of(&[2.0, 5.0, 8.0, 13.0, 21.0]));
        assert_eq!(a.bins(), 7);
        assert_eq!((a.bins.capacity(), a.counts.capacity()), (7, 7));
    }

    #[test]
    fn refuses_what_is_not_finite() {
        let mut h = Histogram::new();
        assert!(!h.record(f64::NAN));
        assert!(!h.record(f64::INFINITY));
        assert_eq!(h.count(), 0);
        assert_eq!(h.quantile(0.5), None);
        assert_eq!(h.mean(), None);
    }

    proptest! {
        #[test]
        fn coarse_quantiles_are_within_a_percent(
            values in proptest::collection::vec(1e-6..1e6_f64, 1..300), p in 0.0..=1.0_f64,
        ) {
            let mut h = of(&values);
            h.coarsen();
            // At an order statistic, where nothing is interpolated between far neighbours.
            let rank = (p * (values.len() - 1) as f64).floor();
            let p = rank / (values.len().max(2) - 1) as f64;
            let (got, want) = (h.quantile(p).unwrap(), exact(&values, p));
            prop_assert!((got - want).abs() <= want * 0.0085, "{got} for {want}");
        }

        #[test]
        fn quantiles_hold_three_digits(
            values in prop::collection::vec(-1.0e6..1.0e6_f64, 1..300),
            p in 0.0..=1.0_f64,
        ) {
            let got = of(&values).quantile(p).unwrap();
            let want = exact(&values, p);
            // Interpolation mixes two neighbours, each off by one bin width at most.
            let scale = values.iter().fold(0.0_f64, |a, v| a.max(v.abs()));
            prop_assert!((got - want).abs() <= scale / 1000.0, "{got} {want}");
        }

        #[test]
        fn one_sided_quantiles_hold_three_digits_relative(
            values in prop::collection::vec(0.001..1.0e5_f64, 1..300),
            p in 0.0..=1.0_f64,
        ) {
            let got = of(&values).quantile(p).unwrap();
            let want = exact(&values, p);
            prop_assert!((got - want).abs() <= want / 1000.0 , "{got} {want}");
        }

        #[test]
        fn merging_is_recording(
            a in prop::collection::vec(-1.0e3..1.0e9_f64, 0..100),
            b in prop::collection::vec(-1.0e3..1.0e9_f64, 0..100),
        ) {
            let mut merged = of(&a);
            merged.merge(&of(&b));
            let all = of(&[a, b].concat());
            prop_assert_eq!(&merged.bins, &all.bins);
            prop_assert_eq!(&merged.counts, &all.counts);
            prop_assert_eq!(merged.min(), all.min());
            prop_assert_eq!(merged.max(), all.max());
            let text = serde_json::to_string(&all).unwrap();
            let back: Histogram = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(back, all);
        }

        #[test]
        fn bins_are_ordered_and_hold_their_values(a in prop::num::f64::NORMAL, b in prop::num::f64::NORMAL) {
            let (low, high) = edges(bin_of(a));
            prop_assert!(low <= a && a <= high);
            if a < b { prop_assert!(bin_of(a) <= bin_of(b)); }
        }
    }
}
