//! Reading the record: lists, single runs, comparisons.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, ToSql, params};

use crate::error::HistoryError;
use crate::id::RunId;
use crate::pack::unpack;
use crate::record::{Comparison, ObjectiveChange, ObjectiveRow, RunDetail, RunSummary};
use crate::row::{OBJECTIVE_COLUMNS, SUMMARY_COLUMNS, objective, summary};
use crate::schema::History;

/// Fewer digits than this are taken for a slip.
const SHORTEST_NAME: usize = 4;
/// How many candidates an ambiguous name is answered with.
const CANDIDATES: usize = 5;

/// Which runs to list; an empty filter lists all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Only this service.
    pub service: Option<String>,
    /// Only this test.
    pub test: Option<String>,
    /// Only this environment.
    pub environment: Option<String>,
    /// Only this release.
    pub release: Option<String>,
    /// Only this commit.
    pub commit: Option<String>,
    /// At most so many.
    pub limit: Option<u32>,
}

impl History {
    /// Runs, newest first. Reads neither verdict documents nor evidence.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn list(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, HistoryError> {
        // The statement holds only the conditions that are asked for, so that an index fits it.
        let mut conditions = String::new();
        let mut values: Vec<&dyn ToSql> = Vec::new();
        for (column, value) in [
            ("service", &filter.service),
            ("test", &filter.test),
            ("environment", &filter.environment),
            ("release", &filter.release),
            ("commit_id", &filter.commit),
        ] {
            if let Some(value) = value {
                conditions.push_str(if values.is_empty() { "WHERE " } else { " AND " });
                conditions.push_str(column);
                conditions.push_str(" = ?");
                values.push(value);
            }
        }
        let limit = filter.limit.map_or(-1, i64::from);
        values.push(&limit);
        let sql = format!(
            "SELECT {SUMMARY_COLUMNS} FROM runs {conditions}
             ORDER BY started_at DESC, key DESC LIMIT ?"
        );
        let now = Timestamp::now();
        self.connection
            .prepare_cached(&sql)
            .and_then(|mut statement| {
                statement
                    .query_map(values.as_slice(), |row| Ok(summary(row, now)?.0))?
                    .collect()
            })
            .map_err(|e| self.fault("listing runs", e))
    }

    /// One run with its objectives and verdict document. `run` is a whole name, or at least four of
    /// its first or last digits when they fit just one run.
    ///
    /// # Errors
    /// There is no such run, or the name fits several.
    pub fn show(&self, run: &str) -> Result<RunDetail, HistoryError> {
        let run_id = self.resolve(run)?;
        let not_found = || self.not_found(run);
        // One snapshot for the three reads.
        let fault = |e| self.fault("reading a run", e);
        let transaction = self.connection.unchecked_transaction().map_err(fault)?;
        let now = Timestamp::now();
        let (summary, key) = transaction
            .prepare_cached(&format!(
                "SELECT {SUMMARY_COLUMNS} FROM runs WHERE run_id = ?1"
            ))
            .and_then(|mut statement| {
                statement
                    .query_row([run_id.to_string()], |row| summary(row, now))
                    .optional()
            })
            .map_err(fault)?
            .ok_or_else(not_found)?;
        let objectives = self.objectives(key)?;
        let document: Option<(String, bool)> = transaction
            .prepare_cached(
                "SELECT verdict_json, evidence IS NOT NULL FROM documents WHERE run = ?1",
            )
            .and_then(|mut statement| {
                statement
                    .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()
            })
            .map_err(fault)?;
        let (verdict_json, has_evidence) = document.map_or((None, false), |(j, e)| (Some(j), e));
        Ok(RunDetail {
            summary,
            objectives,
            verdict_json,
            has_evidence,
        })
    }

    /// The evidence of a run as JSON; `None` when it left none. `run` as in [`History::show`].
    ///
    /// # Errors
    /// There is no such run, the name fits several, or the evidence is damaged.
    pub fn evidence(&self, run: &str) -> Result<Option<String>, HistoryError> {
        let run_id = self.resolve(run)?;
        let blob: Option<Vec<u8>> = self
            .connection
            .query_row(
                "SELECT evidence FROM documents JOIN runs ON key = run WHERE run_id = ?1",
                [run_id.to_string()],
                |row| row.get(0),
            )
            .optional()
            .map_err(|e| self.fault("reading evidence", e))?
            .flatten();
        blob.map(|blob| {
            unpack(&blob).map_err(|e| HistoryError::Corrupt {
                path: self.path.clone(),
                detail: format!("the evidence of run {run_id} cannot be unpacked: {e}"),
            })
        })
        .transpose()
    }

    /// Two runs side by side; `a` and `b` as in [`History::show`].
    ///
    /// # Errors
    /// One of them does not exist, or a name fits several.
    pub fn compare(&self, a: &str, b: &str) -> Result<Comparison, HistoryError> {
        let (a, b) = (self.show(a)?, self.show(b)?);
        let mut rest = b.objectives;
        let mut objectives: Vec<ObjectiveChange> = a
            .objectives
            .into_iter()
            .map(|first| {
                let twin = rest.iter().position(|o| o.id == first.id);
                ObjectiveChange {
                    id: first.id.clone(),
                    b: twin.map(|i| rest.remove(i)),
                    a: Some(first),
                }
            })
            .collect();
        objectives.extend(rest.into_iter().map(|second| ObjectiveChange {
            id: second.id.clone(),
            a: None,
            b: Some(second),
        }));
        Ok(Comparison {
            a: a.summary,
            b: b.summary,
            objectives,
        })
    }

    /// The request rate of the newest run of a test that has one, whatever its verdict; rehearsals
    /// count too, since they drive the same number of users.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn last_request_rate(
        &self,
        service: &str,
        test: &str,
    ) -> Result<Option<f64>, HistoryError> {
        self.connection
            .prepare_cached(
                "SELECT request_rate FROM runs
                 WHERE service = ?1 AND test = ?2 AND request_rate IS NOT NULL
                     AND invalidated_at IS NULL
                 ORDER BY started_at DESC, key DESC LIMIT 1",
            )
            .and_then(|mut statement| {
                statement
                    .query_row([service, test], |row| row.get(0))
                    .optional()
            })
            .map_err(|e| self.fault("looking up the last request rate", e))
    }

    /// The run that a whole or shortened name means.
    pub(crate) fn resolve(&self, asked: &str) -> Result<RunId, HistoryError> {
        let text = asked.trim().to_ascii_lowercase();
        let digits = text.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        if !digits || text.len() < SHORTEST_NAME {
            return Err(HistoryError::BadName {
                asked: asked.to_owned(),
            });
        }
        let mut found: Vec<RunId> = self
            .connection
            .prepare_cached(
                "SELECT run_id FROM runs
                 WHERE run_id >= ?1 AND run_id < ?1 || 'g' OR substr(run_id, -?2) = ?1
                 ORDER BY run_id DESC LIMIT ?3",
            )
            .and_then(|mut statement| {
                let rows = statement.query_map(
                    params![
                        text,
                        i64::try_from(text.len()).unwrap_or(i64::MAX),
                        i64::try_from(CANDIDATES + 1).unwrap_or(i64::MAX)
                    ],
                    |row| row.get::<_, String>(0),
                )?;
                rows.collect::<Result<Vec<_>, _>>()
            })
            .map_err(|e| self.fault("looking up a run", e))?
            .into_iter()
            .map(|text| {
                text.parse()
                    .map_err(|e: crate::id::BadRunId| HistoryError::Corrupt {
                        path: self.path.clone(),
                        detail: e.to_string(),
                    })
            })
            .collect::<Result<_, _>>()?;
        match found.as_slice() {
            [] => Err(self.not_found(asked)),
            [one] => Ok(*one),
            _ => {
                let more = found.len() > CANDIDATES;
                found.truncate(CANDIDATES);
                Err(HistoryError::Ambiguous {
                    asked: asked.to_owned(),
                    candidates: found,
                    more,
                })
            }
        }
    }

    fn not_found(&self, asked: &str) -> HistoryError {
        HistoryError::NotFound {
            asked: asked.to_owned(),
            path: self.path.clone(),
        }
    }

    pub(crate) fn objectives(&self, key: i64) -> Result<Vec<ObjectiveRow>, HistoryError> {
        self.connection
            .prepare_cached(&format!(
                "SELECT {OBJECTIVE_COLUMNS} FROM objectives WHERE run = ?1 ORDER BY position"
            ))
            .and_then(|mut statement| statement.query_map([key], objective)?.collect())
            .map_err(|e| self.fault("reading objectives", e))
    }
}
