//! The load model shared by every engine and by the judge: metrics and series, mergeable
//! histograms, per-second windows, and load plans in k6's terms.
//!
//! Pure: no tokio, HTTP, files, environment or clock. Times are offsets from the start of the load.

pub mod account;
pub mod aggregate;
pub mod histogram;
pub mod metric;
pub mod plan;
pub mod series;
pub mod window;

pub use account::{ExitReason, LogNote, MetricAccount, RunAccount, StopCause, ThresholdAccount};
pub use aggregate::Aggregate;
pub use histogram::Histogram;
pub use metric::{MetricKind, MetricName, ValueKind};
pub use plan::{Executor, LoadPlan, Plateau, Scenario, Stage};
pub use series::{SeriesId, SeriesKey, Tags};
pub use window::{GeneratorReading, Resolution, Window};
