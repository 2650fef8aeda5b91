//! Intervals for means and for rates per second.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::Bounds;

/// One block's sum and what it is divided by: samples for a mean, seconds for a rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockSum {
    /// The sum.
    pub sum: f64,
    /// The divisor.
    pub weight: f64,
}

/// The confidence interval of sum / weight by batch means: the ratio estimator's variance over the
/// blocks with Student's t (Law, Simulation Modeling and Analysis, section 9.5; Cochran, Sampling
/// Techniques, section 6.3, for the ratio). `None` with fewer than two blocks.
#[must_use]
#[allow(clippy::cast_precision_loss)]
pub fn ratio_interval(blocks: &[BlockSum], confidence: f64) -> Option<Bounds> {
    let used: Vec<_> = blocks.iter().filter(|b| b.weight > 0.0).collect();
    let count = used.len() as f64;
    let weight: f64 = used.iter().map(|b| b.weight).sum();
    if count < 2.0 || weight <= 0.0 {
        return None;
    }
    let ratio = used.iter().map(|b| b.sum).sum::<f64>() / weight;
    let spread: f64 = used
        .iter()
        .map(|b| (b.sum - ratio * b.weight).powi(2))
        .sum();
    let error = (count / (count - 1.0) * spread).sqrt() / weight;
    let t = StudentsT::new(0.0, 1.0, count - 1.0).ok()?;
    let half = t.inverse_cdf(1.0 - (1.0 - confidence) / 2.0) * error;
    Some(Bounds {
        low: Some(ratio - half),
        high: Some(ratio + half),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_t_interval_when_blocks_are_alike() {
        // Means 1..5 of equal weight: 3 ± 2.776 × 1.5811/√5.
        let blocks: Vec<_> = (1..=5)
            .map(|v| BlockSum {
                sum: f64::from(v) * 10.0,
                weight: 10.0,
            })
            .collect();
        let b = ratio_interval(&blocks, 0.95).unwrap();
        assert!((b.high.unwrap() - 4.963).abs() < 1e-3, "{b:?}");
        assert!((b.low.unwrap() - 1.037).abs() < 1e-3);
        assert_eq!(ratio_interval(&blocks[..1], 0.95), None);
    }
}
