//! Judgement: from evidence to a verdict that explains itself.
//!
//! Pure: imports no tokio, HTTP, file system, environment or clock. Everything that varies (today's
//! date, ids, the baseline) is handed in.

pub mod baseline;
pub mod evidence;
pub mod format;
pub mod guard;
pub mod judge;
pub mod render;
pub mod stats;
pub mod summary;
pub mod verdict;

pub use evidence::{Collector, Evidence, Timeline};
pub use verdict::{Outcome, Verdict};
