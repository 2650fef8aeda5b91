//! What can go wrong with the history file, and what to do about it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::ErrorCode;

use crate::id::RunId;

/// What can go wrong with the history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file is something else than a SQLite database.
    #[error(
        "{} is not a history file: it is no SQLite database. It was left as it is. Give another path with --history, or move the file away", path.display()
    )]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// A SQLite database of another program.
    #[error(
        "{} is a SQLite database of another program. It was left as it is. Give another path with --history", path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error(
        "the history file {} is damaged ({detail}). It was left as it is. Move it away together with its -wal and -shm files and restore a copy, or try `sqlite3 FILE .recover`; a new history starts without a baseline", path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// Somebody else is writing and did not finish in time.
    #[error(
        "the history file {} is locked by another process, and was still after {} s. Wait for the other peakgate to finish (`fuser {0}` shows who holds it), or give another path with --history", path.display(), waited.as_secs()
    )]
    Locked {
        /// The file.
        path: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The file was written by a newer peakgate.
    #[error(
        "the history file {} has format {found}; this peakgate knows formats up to {known}. It was left as it is. Use the newer peakgate that wrote it, or give another path with --history", path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format that this program knows.
        known: i64,
    },
    /// No room.
    #[error(
        "no room on the disk for the history file {}: what was to be written is not there, what was there before is whole. Free some space, or shrink it with `peakgate history prune`", path.display()
    )]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// The file or its folder may not be written to.
    #[error(
        "the history file {} cannot be written: it, its folder or its disk is read-only for this user. SQLite needs to write both the file and the folder that it is in. Mend the permissions, or give another path with --history", path.display()
    )]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be opened or created.
    #[error("cannot open the history file {}: {detail}. Check that the path is right and that this user may write there", path.display())]
    CannotOpen {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        detail: String,
    },
    /// The disk failed while reading or writing.
    #[error("the disk failed under the history file {}: {detail}. Check the disk, its quota and the file size limit (`ulimit -f`)", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// SQLite's answer.
        detail: String,
    },
    /// Anything else that SQLite says: a fault of this program.
    #[error("SQLite refused while {action} in {}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// SQLite's answer.
        source: rusqlite::Error,
    },
    /// No run of that name.
    #[error(
        "no run `{asked}` in {}; `peakgate history list` shows the runs on record", path.display()
    )]
    NotFound {
        /// What was asked for.
        asked: String,
        /// The file.
        path: PathBuf,
    },
    /// A shortened name that fits more than one run.
    #[error("`{asked}` fits more than one run: {}{}. Give more digits", list(candidates), if *more { ", and more" } else { "" })]
    Ambiguous {
        /// What was asked for.
        asked: String,
        /// Some of the runs that it fits, newest first.
        candidates: Vec<RunId>,
        /// Whether there are yet more.
        more: bool,
    },
    /// A text that cannot be the beginning or the end of a run's name.
    #[error(
        "`{asked}` cannot name a run: give a whole name, or at least 4 of its first or last digits (0-9, a-f, -)"
    )]
    BadName {
        /// What was asked for.
        asked: String,
    },
    /// The run already has another result; a result on record is never changed.
    #[error(
        "run {run_id} is on record with another result; a result is never changed. Record the new one under a new name, or use `peakgate history invalidate`"
    )]
    AlreadyFinished {
        /// The run.
        run_id: RunId,
    },
    /// A value that cannot be stored.
    #[error("run {run_id} cannot be recorded: {detail}")]
    Unstorable {
        /// The run.
        run_id: RunId,
        /// Which value, and why.
        detail: String,
    },
}

fn list(ids: &[RunId]) -> String {
    ids.iter()
        .map(RunId::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Sorts SQLite's answer by what a person can do about it.
pub(crate) fn classify(
    path: &Path,
    waited: Duration,
    action: &'static str,
    source: rusqlite::Error,
) -> HistoryError {
    let path = path.to_owned();
    let detail = source.to_string();
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => HistoryError::NotADatabase { path },
        Some(ErrorCode::DatabaseCorrupt) => HistoryError::Corrupt { path, detail },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            HistoryError::Locked { path, waited }
        }
        Some(ErrorCode::DiskFull) => HistoryError::DiskFull { path },
        Some(ErrorCode::ReadOnly) => HistoryError::ReadOnly { path },
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            HistoryError::CannotOpen { path, detail }
        }
        Some(ErrorCode::SystemIoFailure) => HistoryError::Io { path, detail },
        Some(_) => HistoryError::Sqlite {
            path,
            action,
            source,
        },
        // A column that does not hold what this program writes there.
        None if matches!(
            source,
            rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::Utf8Error(..)
        ) =>
        {
            HistoryError::Corrupt { path, detail }
        }
        None => HistoryError::Sqlite {
            path,
            action,
            source,
        },
    }
}
