//! The file: opening it, and bringing its tables up to date.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::error::{HistoryError, classify};

/// How long a call waits for another process to finish its write. Writes take milliseconds; this
/// much is for slow disks and for many gates that finish at once.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// "Pkgt": marks the file as ours (`PRAGMA application_id`).
const APPLICATION_ID: i64 = 0x506b_6774;

/// Each step brings the file from the format of its index to the next. Steps are never changed once
/// released; new ones are added at the end.
///
/// Format 1: `runs` holds what lists and look-ups read; the long texts are in `documents`, so that
/// reading many runs never passes over them. Times are microseconds since 1970.
/// The two partial indexes hold just the runs that may be a baseline; queries repeat their conditions.
pub(crate) const MIGRATIONS: &[&str] = &["
    CREATE TABLE runs (
        key INTEGER PRIMARY KEY,
        run_id TEXT NOT NULL UNIQUE,
        service TEXT NOT NULL,
        test TEXT NOT NULL,
        environment TEXT NOT NULL,
        release TEXT,
        commit_id TEXT,
        started_at INTEGER NOT NULL,
        deadline INTEGER NOT NULL,
        process TEXT,
        rehearsal_seconds REAL,
        finished_at INTEGER,
        verdict TEXT,
        reason TEXT,
        partial INTEGER NOT NULL DEFAULT 0,
        waived INTEGER NOT NULL DEFAULT 0,
        engine TEXT,
        engine_version TEXT,
        request_rate REAL,
        invalidated_at INTEGER,
        invalidated_reason TEXT,
        CHECK ((verdict IS NULL) = (finished_at IS NULL)),
        CHECK (verdict IN ('pass', 'warn', 'fail', 'inconclusive', 'error')),
        CHECK ((invalidated_at IS NULL) = (invalidated_reason IS NULL))
    ) STRICT;
    CREATE TABLE objectives (
        run INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        id TEXT NOT NULL,
        value REAL,
        samples INTEGER NOT NULL,
        bound REAL,
        verdict TEXT NOT NULL,
        PRIMARY KEY (run, position),
        UNIQUE (run, id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE documents (
        run INTEGER PRIMARY KEY REFERENCES runs (key) ON DELETE CASCADE,
        verdict_json TEXT NOT NULL,
        evidence BLOB
    ) STRICT;
    CREATE INDEX runs_newest ON runs (started_at);
    CREATE INDEX runs_by_test ON runs (test, started_at);
    CREATE INDEX runs_by_service ON runs (service, test, started_at);
    CREATE INDEX runs_by_release ON runs (release, test, started_at) WHERE release IS NOT NULL;
    CREATE INDEX runs_by_commit ON runs (commit_id, test, started_at) WHERE commit_id IS NOT NULL;
    CREATE INDEX baselines ON runs (service, test, environment, started_at)
        WHERE verdict IN ('pass', 'warn') AND partial = 0 AND waived = 0
            AND invalidated_at IS NULL AND rehearsal_seconds IS NULL;
    CREATE INDEX rehearsal_baselines ON runs (service, test, environment, started_at)
        WHERE verdict IN ('pass', 'warn') AND partial = 0 AND waived = 0
            AND invalidated_at IS NULL AND rehearsal_seconds IS NOT NULL;
"];

/// The file format that this program writes.
pub const SCHEMA_VERSION: i64 = 1;
const _: () = assert!(
    MIGRATIONS.len() == 1,
    "SCHEMA_VERSION counts the migrations"
);

/// The history: one open file. Several processes may use the file at once.
#[derive(Debug)]
pub struct History {
    pub(crate) connection: Connection,
    pub(crate) path: PathBuf,
    busy_timeout: Duration,
}

impl History {
    /// Opens the history, and creates the file and its folder where they are missing.
    ///
    /// # Errors
    /// The file is not ours, damaged, newer than this program, locked for longer than
    /// [`BUSY_TIMEOUT`], or cannot be written. A file that exists is left as it is in all these cases.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, HistoryError> {
        Self::open_with_timeout(path, BUSY_TIMEOUT)
    }

    /// [`History::open`] with another patience with locks, for it and for all later calls.
    ///
    /// # Errors
    /// Those of [`History::open`].
    pub fn open_with_timeout(
        path: impl AsRef<Path>,
        busy_timeout: Duration,
    ) -> Result<Self, HistoryError> {
        let path = path.as_ref();
        create_folder(path)?;
        refuse_orphaned_log(path)?;
        let fault = |source| classify(path, busy_timeout, "opening", source);
        // Without SQLITE_OPEN_URI: a path is a path, whatever its characters.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(fault)?;
        connection.busy_timeout(busy_timeout).map_err(fault)?;
        if connection.is_readonly("main").map_err(fault)? {
            return Err(HistoryError::ReadOnly {
                path: path.to_owned(),
            });
        }
        let mut history = Self {
            connection,
            path: path.to_owned(),
            busy_timeout,
        };
        // Reads only, so that what is not ours stays as it is.
        history.recognise()?;
        history.use_wal()?;
        history
            .connection
            .execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")
            .map_err(fault)?;
        history.migrate(MIGRATIONS)?;
        Ok(history)
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the whole file and checks that it is sound (`PRAGMA integrity_check`).
    ///
    /// # Errors
    /// [`HistoryError::Corrupt`] with what was found.
    pub fn check(&self) -> Result<(), HistoryError> {
        let found: Vec<String> = self
            .connection
            .prepare("PRAGMA integrity_check(5)")
            .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
            .map_err(|e| self.fault("checking the file", e))?;
        if found == ["ok"] {
            return Ok(());
        }
        Err(HistoryError::Corrupt {
            path: self.path.clone(),
            detail: found.join("; "),
        })
    }

    pub(crate) fn fault(&self, action: &'static str, source: rusqlite::Error) -> HistoryError {
        classify(&self.path, self.busy_timeout, action, source)
    }

    /// A write transaction: takes the write lock at once, since a read that becomes a write later
    /// can fail without a chance to wait. Rolled back when dropped.
    pub(crate) fn write(&self) -> Result<Transaction<'_>, HistoryError> {
        Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)
            .map_err(|e| self.fault("starting a write", e))
    }

    fn pragma(&self, name: &str) -> Result<i64, HistoryError> {
        self.connection
            .pragma_query_value(None, name, |row| row.get(0))
            .map_err(|e| self.fault("opening", e))
    }

    /// Tells our files and empty ones from those of others.
    fn recognise(&self) -> Result<(), HistoryError> {
        let version = self.pragma("user_version")?;
        let owner = self.pragma("application_id")?;
        let tables: i64 = self
            .connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(|e| self.fault("opening", e))?;
        let blank = version == 0 && owner == 0 && tables == 0;
        if owner != APPLICATION_ID && !blank {
            return Err(HistoryError::Foreign {
                path: self.path.clone(),
            });
        }
        Ok(())
    }

    /// Switches to WAL. SQLite does not wait for locks when it changes the mode, so this does.
    fn use_wal(&self) -> Result<(), HistoryError> {
        let start = Instant::now();
        loop {
            let mode: Result<String, _> =
                self.connection
                    .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0));
            match mode.map_err(|e| self.fault("opening", e)) {
                Ok(mode) if mode == "wal" => return Ok(()),
                Ok(mode) => {
                    return Err(HistoryError::CannotOpen {
                        path: self.path.clone(),
                        detail: format!(
                            "its file system does not allow the write-ahead log (it stays in mode `{mode}`); use a local disk"
                        ),
                    });
                }
                Err(HistoryError::Locked { .. }) if start.elapsed() < self.busy_timeout => {
                    thread::sleep(Duration::from_millis(5));
                }
                Err(other) => return Err(other),
            }
        }
    }

    /// Applies the steps that the file lacks, all or none.
    pub(crate) fn migrate(&mut self, steps: &[&str]) -> Result<(), HistoryError> {
        let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
        // Without a lock first: most often there is nothing to do.
        if self.pragma("user_version")? == known {
            return Ok(());
        }
        let transaction = self.write()?;
        // Again under the lock: another process may have been faster.
        let found = self.pragma("user_version")?;
        let done = usize::try_from(found).map_err(|_ignored| HistoryError::Corrupt {
            path: self.path.clone(),
            detail: format!("its format number is {found}"),
        })?;
        let Some(missing) = steps.get(done..) else {
            return Err(HistoryError::Newer {
                path: self.path.clone(),
                found,
                known,
            });
        };
        let fault = |e| self.fault("bringing the file up to date", e);
        for step in missing {
            transaction.execute_batch(step).map_err(fault)?;
        }
        transaction
            .pragma_update(None, "application_id", APPLICATION_ID)
            .map_err(fault)?;
        transaction
            .pragma_update(None, "user_version", known)
            .map_err(fault)?;
        transaction.commit().map_err(fault)
    }
}

fn create_folder(path: &Path) -> Result<(), HistoryError> {
    let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) else {
        return Ok(());
    };
    fs::create_dir_all(folder).map_err(|source| match source.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => HistoryError::ReadOnly {
            path: path.to_owned(),
        },
        ErrorKind::StorageFull => HistoryError::DiskFull {
            path: path.to_owned(),
        },
        _ => HistoryError::CannotOpen {
            path: path.to_owned(),
            detail: format!("its folder {} cannot be made: {source}", folder.display()),
        },
    })
}

/// SQLite throws a write-ahead log away when its database is missing or empty. Such a log may be all
/// that is left of a damaged history, so it is not touched.
fn refuse_orphaned_log(path: &Path) -> Result<(), HistoryError> {
    let size = |path: &Path| fs::metadata(path).map_or(0, |m| m.len());
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if size(Path::new(&log)) > 0 && size(path) == 0 {
        return Err(HistoryError::Corrupt {
            path: path.to_owned(),
            detail: "it is missing or empty, yet its write-ahead log (-wal) is there".to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RunStart;
    use crate::{RunFilter, RunId};
    use jiff::Timestamp;

    fn start() -> RunStart {
        RunStart {
            run_id: RunId::generate(),
            service: "leads".to_owned(),
            test: "peak".to_owned(),
            environment: "staging".to_owned(),
            release: None,
            commit: None,
            started_at: Timestamp::now(),
            deadline: Timestamp::now(),
            rehearsal_seconds: None,
        }
    }

    #[test]
    fn a_later_format_keeps_the_runs_and_shuts_older_programs_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        let run = start();
        History::open(&path).unwrap().begin(&run).unwrap();

        let mut steps = MIGRATIONS.to_vec();
        steps.push("ALTER TABLE runs ADD COLUMN region TEXT; UPDATE runs SET region = 'eu';");
        let mut newer = History::open(&path).unwrap();
        newer.migrate(&steps).unwrap();
        newer.migrate(&steps).unwrap();
        assert_eq!(newer.pragma("user_version").unwrap(), SCHEMA_VERSION + 1);
        let region: String = newer
            .connection
            .query_row("SELECT region FROM runs", [], |row| row.get(0))
            .unwrap();
        assert_eq!(region, "eu");
        let listed = newer.list(&RunFilter::default()).unwrap();
        assert_eq!(listed[0].run_id, run.run_id);
        drop(newer);

        let before = fs::read(&path).unwrap();
        let refusal = History::open(&path).unwrap_err();
        assert!(
            matches!(
                refusal,
                HistoryError::Newer {
                    found: 2,
                    known: 1,
                    ..
                }
            ),
            "{refusal}"
        );
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_migration_that_fails_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        let mut history = History::open(&path).unwrap();
        history.begin(&start()).unwrap();
        let mut steps = MIGRATIONS.to_vec();
        steps.push("DELETE FROM runs; SELECT no_such_function();");
        history.migrate(&steps).unwrap_err();
        drop(history);
        let history = History::open(&path).unwrap();
        assert_eq!(history.list(&RunFilter::default()).unwrap().len(), 1);
        history.check().unwrap();
    }

    #[test]
    fn a_full_disk_is_said_and_harms_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        let history = History::open(&path).unwrap();
        // SQLite answers SQLITE_FULL for its own page limit just as for ENOSPC.
        history
            .connection
            .pragma_update_and_check(None, "max_page_count", 30, |row| row.get::<_, i64>(0))
            .unwrap();
        let mut recorded = Vec::new();
        let refusal = loop {
            let mut run = start();
            run.service = "x".repeat(1000);
            match history.begin(&run) {
                Ok(()) => recorded.push(run.run_id),
                Err(refusal) => break refusal,
            }
            assert!(recorded.len() < 1000, "the disk never filled");
        };
        assert!(
            matches!(refusal, HistoryError::DiskFull { .. }),
            "{refusal}"
        );
        assert!(refusal.to_string().contains("history prune"), "{refusal}");
        drop(history);

        let history = History::open(&path).unwrap();
        history.check().unwrap();
        let mut listed: Vec<RunId> = history
            .list(&RunFilter::default())
            .unwrap()
            .iter()
            .map(|run| run.run_id)
            .collect();
        listed.sort();
        recorded.sort();
        assert_eq!(listed, recorded);
        history.begin(&start()).unwrap();
    }

    #[test]
    fn a_read_only_file_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let history = History::open(folder.path().join("history.db")).unwrap();
        history
            .connection
            .pragma_update(None, "query_only", true)
            .unwrap();
        let refusal = history.begin(&start()).unwrap_err();
        assert!(
            matches!(refusal, HistoryError::ReadOnly { .. }),
            "{refusal}"
        );
    }
}
