//! Writing runs down.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, named_params, params};

use crate::error::HistoryError;
use crate::id::RunId;
use crate::pack::pack;
use crate::process::ProcessMark;
use crate::record::{RunRecord, RunStart};
use crate::schema::History;

fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|v| v.is_finite())
}

impl History {
    /// Writes down that a run begins, with this process as the one that runs it. To be called before
    /// the load starts. Calling it again for the same run changes nothing.
    ///
    /// # Errors
    /// The file cannot be written; see [`HistoryError`].
    pub fn begin(&self, start: &RunStart) -> Result<(), HistoryError> {
        let fault = |e| self.fault("recording the start of a run", e);
        let transaction = self.write()?;
        transaction
            .prepare_cached(
                "INSERT INTO runs (run_id, service, test, environment, release, commit_id,
                     started_at, deadline, process, rehearsal_seconds)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
                 ON CONFLICT (run_id) DO NOTHING",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    start.run_id.to_string(),
                    start.service,
                    start.test,
                    start.environment,
                    start.release,
                    start.commit,
                    start.started_at.as_microsecond(),
                    start.deadline.as_microsecond(),
                    ProcessMark::own().map(|mark| mark.to_string()),
                    start.rehearsal_seconds,
                ])
            })
            .map_err(fault)?;
        transaction.commit().map_err(fault)
    }

    /// Writes a finished run down, whole or not at all. The run need not have begun here. Calling it
    /// again with the same result changes nothing.
    ///
    /// # Errors
    /// [`HistoryError::AlreadyFinished`] when the run has another result on record;
    /// [`HistoryError::Unstorable`] when two objectives have one name or there are more samples than
    /// SQLite's integers hold; or the file cannot be written.
    pub fn finish(&self, record: &RunRecord) -> Result<(), HistoryError> {
        let unstorable = |detail: String| HistoryError::Unstorable {
            run_id: record.run_id,
            detail,
        };
        let mut names: Vec<&str> = record.objectives.iter().map(|o| o.id.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let detail = format!(
                "two of its objectives are named `{}`; names must be unique within a run",
                twice[0]
            );
            return Err(unstorable(detail));
        }
        // Before the lock is taken: packing takes a while.
        let evidence = record
            .evidence_json
            .as_deref()
            .map(pack)
            .transpose()
            .map_err(|e| unstorable(format!("its evidence cannot be packed: {e}")))?;

        let fault = |e| self.fault("recording a run", e);
        let transaction = self.write()?;
        if let Some(same) = same_result(&transaction, record).map_err(fault)? {
            return if same {
                Ok(())
            } else {
                Err(HistoryError::AlreadyFinished {
                    run_id: record.run_id,
                })
            };
        }
        let key = write_run(&transaction, record).map_err(fault)?;
        for (position, objective) in record.objectives.iter().enumerate() {
            let samples = i64::try_from(objective.samples).map_err(|_ignored| {
                unstorable(format!(
                    "objective `{}` counts {} samples",
                    objective.id, objective.samples
                ))
            })?;
            transaction
                .prepare_cached(
                    "INSERT INTO objectives (run, position, id, value, samples, bound, verdict)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )
                .and_then(|mut statement| {
                    statement.execute(params![
                        key,
                        i64::try_from(position).unwrap_or(i64::MAX),
                        objective.id,
                        finite(objective.value),
                        samples,
                        finite(objective.limit),
                        objective.verdict.as_str(),
                    ])
                })
                .map_err(fault)?;
        }
        transaction
            .prepare_cached(
                "INSERT INTO documents (run, verdict_json, evidence) VALUES (?1, ?2, ?3)",
            )
            .and_then(|mut statement| {
                statement.execute(params![key, record.verdict_json, evidence])
            })
            .map_err(fault)?;
        transaction.commit().map_err(fault)
    }

    /// Declares a run void: it is still listed, but is no baseline and proves no release. Calling it
    /// again keeps the first reason. `run` is a name as [`History::show`] takes it.
    ///
    /// # Errors
    /// There is no such run, the name fits several, or the file cannot be written.
    pub fn invalidate(&self, run: &str, reason: &str) -> Result<RunId, HistoryError> {
        let run_id = self.resolve(run)?;
        let fault = |e| self.fault("invalidating a run", e);
        let transaction = self.write()?;
        transaction
            .execute(
                "UPDATE runs SET invalidated_at = ?2, invalidated_reason = ?3
                 WHERE run_id = ?1 AND invalidated_at IS NULL",
                params![
                    run_id.to_string(),
                    Timestamp::now().as_microsecond(),
                    reason
                ],
            )
            .map_err(fault)?;
        transaction.commit().map_err(fault)?;
        Ok(run_id)
    }
}

/// Whether the run is finished on record, and if so, whether with this very result.
fn same_result(connection: &Connection, record: &RunRecord) -> rusqlite::Result<Option<bool>> {
    connection
        .prepare_cached(
            "SELECT verdict = ?2 AND finished_at = ?3 AND verdict_json = ?4
             FROM runs JOIN documents ON run = key WHERE run_id = ?1 AND verdict IS NOT NULL",
        )?
        .query_row(
            params![
                record.run_id.to_string(),
                record.verdict.as_str(),
                record.finished_at.as_microsecond(),
                record.verdict_json,
            ],
            |row| row.get(0),
        )
        .optional()
}

/// Writes the run's row, over the one of its beginning if there is one, and returns its key.
fn write_run(connection: &Connection, record: &RunRecord) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "INSERT INTO runs (run_id, service, test, environment, release, commit_id, started_at,
                 deadline, rehearsal_seconds, finished_at, verdict, reason, partial, waived,
                 engine, engine_version, request_rate)
             VALUES (:run_id, :service, :test, :environment, :release, :commit, :started_at,
                 :finished_at, :rehearsal, :finished_at, :verdict, :reason, :partial, :waived,
                 :engine, :engine_version, :request_rate)
             ON CONFLICT (run_id) DO UPDATE SET
                 service = excluded.service, test = excluded.test,
                 environment = excluded.environment, release = excluded.release,
                 commit_id = excluded.commit_id, started_at = excluded.started_at,
                 rehearsal_seconds = excluded.rehearsal_seconds,
                 finished_at = excluded.finished_at, verdict = excluded.verdict,
                 reason = excluded.reason, partial = excluded.partial, waived = excluded.waived,
                 engine = excluded.engine, engine_version = excluded.engine_version,
                 request_rate = excluded.request_rate
             RETURNING key",
        )?
        .query_row(
            named_params! {
                ":run_id": record.run_id.to_string(),
                ":service": record.service,
                ":test": record.test,
                ":environment": record.environment,
                ":release": record.release,
                ":commit": record.commit,
                ":started_at": record.started_at.as_microsecond(),
                ":finished_at": record.finished_at.as_microsecond(),
                ":rehearsal": record.rehearsal_seconds,
                ":verdict": record.verdict.as_str(),
                ":reason": record.reason,
                ":partial": record.partial,
                ":waived": record.waived,
                ":engine": record.engine,
                ":engine_version": record.engine_version,
                ":request_rate": finite(record.request_rate),
            },
            |row| row.get(0),
        )
}
