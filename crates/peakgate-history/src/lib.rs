//! Every run on record: one SQLite file.
//!
//! A run is written down twice: [`History::begin`] before the load starts, so that a crash at any
//! point leaves a trace, and [`History::finish`] in one transaction when its verdict is known. The
//! crate knows nothing of policies: it stores columns that can be looked up, and the verdict and its
//! evidence as JSON text.
//!
//! Invariant: a write is whole or absent. The file is in WAL mode with `synchronous = FULL`, so what
//! a call has returned `Ok` for survives a killed process and a power cut.
//!
//! Invariant: a file that is damaged, foreign or newer than this program is never written to.
//!
//! WAL needs shared memory between its users, so the file must be on a local disk of one machine
//! (sqlite.org/wal.html), not on a network share.
//!
//! All calls block; from async code, use `spawn_blocking`.

mod error;
mod id;
mod pack;
mod process;
mod prune;
mod read;
mod record;
mod row;
mod schema;
mod select;
mod write;

pub use error::HistoryError;
pub use id::{BadRunId, RunId};
pub use prune::{Prune, Pruned};
pub use read::RunFilter;
pub use record::{
    Comparison, Invalidation, ObjectiveChange, ObjectiveRow, RunDetail, RunRecord, RunStart,
    RunState, RunSummary, UnknownVerdict, Verdict,
};
pub use schema::{BUSY_TIMEOUT, History, SCHEMA_VERSION};
pub use select::{BaselineChoice, BaselineQuery, BaselineRun, PassedQuery, Subject};
