//! The design effect: how many times fewer independent samples there are than samples.

/// One block's share of an event: how often it happened out of how many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockCount {
    /// How often the event happened.
    pub hits: f64,
    /// Out of how many.
    pub total: f64,
}

/// The design effect of a proportion over blocks of time, never below 1: its variance as a ratio
/// estimator over the blocks, divided by the variance of as many independent samples.
///
/// Source: Kish, Survey Sampling (1965), chapters 5 and 8; the blocks as batches after Schmeiser,
/// "Batch size effects in the analysis of simulation output" (1982): 10 to 30 of them suffice.
/// With fewer than two blocks, or when the event always or never happened, it is 1. Below ten blocks
/// the variance is itself poorly known: the effect grows by (t / z)², so that an interval built with
/// it is as wide as Student's t with blocks − 1 degrees of freedom would make it.
#[must_use]
#[allow(clippy::cast_precision_loss)]
pub fn design_effect(blocks: &[BlockCount]) -> f64 {
    let used = || blocks.iter().filter(|b| b.total > 0.0);
    let count = used().count() as f64;
    let n: f64 = used().map(|b| b.total).sum();
    let p = used().map(|b| b.hits).sum::<f64>() / n;
    let independent = p * (1.0 - p) / n;
    // Written so that NaN (no samples) falls through to 1 as well.
    if count < 2.0 || independent.is_nan() || independent <= 0.0 {
        return 1.0;
    }
    let spread: f64 = used().map(|b| (b.hits - p * b.total).powi(2)).sum();
    let clustered = count / (count - 1.0) * spread / (n * n);
    (clustered / independent).max(1.0) * few_blocks(count)
}

fn few_blocks(count: f64) -> f64 {
    use statrs::distribution::{ContinuousCDF, Normal, StudentsT};
    if count >= 10.0 {
        return 1.0;
    }
    let Ok(t) = StudentsT::new(0.0, 1.0, count - 1.0) else {
        return 1.0;
    };
    (t.inverse_cdf(0.975) / Normal::standard().inverse_cdf(0.975)).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(hits: &[f64]) -> Vec<BlockCount> {
        hits.iter()
            .map(|&hits| BlockCount { hits, total: 100.0 })
            .collect()
    }

    #[test]
    fn even_blocks_have_none_and_bursts_have_much() {
        assert_eq!(design_effect(&blocks(&[10.0; 20])), 1.0);
        let mut burst = [0.0; 20];
        burst[7] = 100.0;
        let effect = design_effect(&blocks(&burst));
        // One bad block of 100 out of 20: nearly each block is one sample.
        assert!((90.0..120.0).contains(&effect), "{effect}");
    }

    #[test]
    fn degenerate_input_is_neutral() {
        for hits in [&[][..], &[5.0], &[0.0, 0.0], &[100.0, 100.0]] {
            assert_eq!(design_effect(&blocks(hits)), 1.0);
        }
        assert_eq!(
            design_effect(
                &[BlockCount {
                    hits: 0.0,
                    total: 0.0
                }; 3]
            ),
            1.0
        );
    }
}
