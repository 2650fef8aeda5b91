//! How certain a figure is. Every interval is widened by what the run's own blocks say about
//! autocorrelation, because requests that share a slow second are not independent.

mod effect;
mod mean;
mod proportion;
mod quantile;

pub use effect::{BlockCount, design_effect};
pub use mean::{BlockSum, ratio_interval};
pub use proportion::wilson;
pub use quantile::quantile_interval;

/// A two-sided confidence interval; an end that the data cannot bound is `None`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Lower end.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}
