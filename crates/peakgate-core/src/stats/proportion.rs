//! Intervals for rates.

use statrs::distribution::{ContinuousCDF, Normal};

use super::{BlockCount, Bounds, design_effect};

/// Wilson's score interval of a rate, with the samples counted as n / design effect independent
/// ones (Wilson 1927; Brown, Cai and DasGupta, "Interval estimation for a binomial proportion",
/// 2001, recommend it).
#[must_use]
#[allow(clippy::cast_precision_loss)]
pub fn wilson(hits: u64, total: u64, blocks: &[BlockCount], confidence: f64) -> Option<Bounds> {
    if total == 0 || hits > total {
        return None;
    }
    let n = (total as f64 / design_effect(blocks)).max(1.0);
    let p = hits as f64 / total as f64;
    let z = Normal::standard().inverse_cdf(1.0 - (1.0 - confidence) / 2.0);
    let centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    Some(Bounds {
        low: Some((centre - half).max(0.0)),
        high: Some((centre + half).min(1.0)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_published_values() {
        // Newcombe 1998, method 3: 81/263 → 0.2553 to 0.3662; 0/20 → 0 to 0.1611.
        let b = wilson(81, 263, &[], 0.95).unwrap();
        assert!((b.low.unwrap() - 0.2553).abs() < 1e-4);
        assert!((b.high.unwrap() - 0.3662).abs() < 1e-4);
        let b = wilson(0, 20, &[], 0.95).unwrap();
        assert!(b.low.unwrap().abs() < 1e-12);
        assert!((b.high.unwrap() - 0.1611).abs() < 1e-4);
        assert_eq!(wilson(0, 0, &[], 0.95), None);
    }

    #[test]
    fn a_burst_widens_it() {
        let mut blocks = vec![
            BlockCount {
                hits: 0.0,
                total: 100.0
            };
            20
        ];
        blocks[3].hits = 20.0;
        let naive = wilson(20, 2000, &[], 0.95).unwrap();
        let honest = wilson(20, 2000, &blocks, 0.95).unwrap();
        assert!(honest.high.unwrap() > naive.high.unwrap() * 1.8);
    }
}
