//! Choosing earlier runs: baselines, and the proof that a release passed.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use crate::error::HistoryError;
use crate::id::RunId;
use crate::record::{ObjectiveRow, RunSummary};
use crate::row::{SUMMARY_COLUMNS, summary};
use crate::schema::History;

/// Which earlier runs to compare with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BaselineChoice {
    /// The newest one.
    LastPassed,
    /// The newest one of a release.
    Release(String),
    /// The newest so many.
    LastPassedN(u32),
}

/// What a baseline is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaselineQuery {
    /// The service.
    pub service: String,
    /// The test.
    pub test: String,
    /// The environment: figures of another one say nothing.
    pub environment: String,
    /// `false`: real runs only; `true`: rehearsals only.
    pub rehearsal: bool,
    /// Leave this run out, when a run on record is judged again.
    pub except: Option<RunId>,
    /// Which.
    pub choice: BaselineChoice,
}

/// A run to compare with.
#[derive(Debug, Clone, PartialEq)]
pub struct BaselineRun {
    /// The run.
    pub summary: RunSummary,
    /// Its objectives.
    pub objectives: Vec<ObjectiveRow>,
}

/// What a release is told by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A commit, by its whole hash.
    Commit(String),
    /// A release's name.
    Release(String),
}

/// Which proof of a pass is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedQuery {
    /// The service.
    pub service: String,
    /// The test.
    pub test: String,
    /// Only in this environment.
    pub environment: Option<String>,
    /// The release or commit.
    pub subject: Subject,
}

/// The conditions of the partial indexes `baselines` and `rehearsal_baselines`, word for word.
const MAY_BE_BASELINE: &str =
    "verdict IN ('pass', 'warn') AND partial = 0 AND waived = 0 AND invalidated_at IS NULL";

impl History {
    /// The runs to compare with, newest first; empty when there are none. Only runs that passed or
    /// warned; never partial, waived or invalidated ones; and real runs never with rehearsals.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn baseline(&self, query: &BaselineQuery) -> Result<Vec<BaselineRun>, HistoryError> {
        let (release, count) = match &query.choice {
            BaselineChoice::LastPassed => (None, 1),
            BaselineChoice::Release(name) => (Some(name), 1),
            BaselineChoice::LastPassedN(n) => (None, *n),
        };
        let kind = if query.rehearsal {
            "rehearsal_seconds IS NOT NULL"
        } else {
            "rehearsal_seconds IS NULL"
        };
        let sql = format!(
            "SELECT {SUMMARY_COLUMNS} FROM runs
             WHERE service = ?1 AND test = ?2 AND environment = ?3
                 AND {MAY_BE_BASELINE} AND {kind}
                 AND (?4 IS NULL OR release = ?4) AND (?5 IS NULL OR run_id <> ?5)
             ORDER BY started_at DESC, key DESC LIMIT ?6"
        );
        // One snapshot for the runs and their objectives.
        let fault = |e| self.fault("looking up the baseline", e);
        let transaction = self.connection.unchecked_transaction().map_err(fault)?;
        let now = Timestamp::now();
        let runs: Vec<(RunSummary, i64)> = transaction
            .prepare_cached(&sql)
            .and_then(|mut statement| {
                statement
                    .query_map(
                        params![
                            query.service,
                            query.test,
                            query.environment,
                            release,
                            query.except.map(|id| id.to_string()),
                            count
                        ],
                        |row| summary(row, now),
                    )?
                    .collect()
            })
            .map_err(fault)?;
        runs.into_iter()
            .map(|(summary, key)| {
                Ok(BaselineRun {
                    summary,
                    objectives: self.objectives(key)?,
                })
            })
            .collect()
    }

    /// The newest run that shows that a release or commit passed (or warned) a test: finished, whole,
    /// real and not invalidated. A waived pass counts, since a waiver is there to let a release
    /// through; the summary says that it was waived.
    ///
    /// Older or newer runs of the same release may have failed; [`History::list`] tells.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn passed(&self, query: &PassedQuery) -> Result<Option<RunSummary>, HistoryError> {
        let (column, value) = match &query.subject {
            Subject::Commit(hash) => ("commit_id", hash),
            Subject::Release(name) => ("release", name),
        };
        let sql = format!(
            "SELECT {SUMMARY_COLUMNS} FROM runs
             WHERE {column} = ?1 AND test = ?2 AND service = ?3
                 AND (?4 IS NULL OR environment = ?4) AND verdict IN ('pass', 'warn')
                 AND partial = 0 AND invalidated_at IS NULL AND rehearsal_seconds IS NULL
             ORDER BY started_at DESC, key DESC LIMIT 1"
        );
        let now = Timestamp::now();
        self.connection
            .prepare_cached(&sql)
            .and_then(|mut statement| {
                statement
                    .query_row(
                        params![value, query.test, query.service, query.environment],
                        |row| Ok(summary(row, now)?.0),
                    )
                    .optional()
            })
            .map_err(|e| self.fault("looking up a pass", e))
    }
}
