//! Between table rows and types.

use std::error::Error;
use std::str::FromStr;

use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::Type;

use crate::process::ProcessMark;
use crate::record::{Invalidation, ObjectiveRow, RunState, RunSummary, Verdict};

/// The columns that [`summary`] reads, in its order.
pub(crate) const SUMMARY_COLUMNS: &str = "run_id, service, test, environment, release, commit_id, \
     started_at, finished_at, verdict, reason, rehearsal_seconds, partial, waived, engine, \
     engine_version, request_rate, invalidated_at, invalidated_reason, deadline, process, key";

/// The columns that [`objective`] reads, in its order.
pub(crate) const OBJECTIVE_COLUMNS: &str = "id, value, samples, bound, verdict";

fn unreadable(column: usize, source: impl Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(source))
}

fn parse<T: FromStr>(column: usize, text: &str) -> rusqlite::Result<T>
where
    T::Err: Error + Send + Sync + 'static,
{
    text.parse().map_err(|e| unreadable(column, e))
}

fn time(column: usize, micros: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(micros).map_err(|e| unreadable(column, e))
}

/// A run of [`SUMMARY_COLUMNS`] and its key. `now` decides whether an unfinished run still counts as
/// running: it does until its deadline, unless its process is seen to be gone.
pub(crate) fn summary(row: &Row<'_>, now: Timestamp) -> rusqlite::Result<(RunSummary, i64)> {
    let verdict: Option<String> = row.get(8)?;
    let state = match verdict {
        Some(text) => RunState::Finished(parse(8, &text)?),
        None => {
            let deadline = time(18, row.get(18)?)?;
            let process: Option<String> = row.get(19)?;
            let dead = process
                .as_deref()
                .and_then(ProcessMark::parse)
                .is_some_and(|mark| mark.surely_dead());
            if dead || now > deadline {
                RunState::Interrupted
            } else {
                RunState::Running
            }
        }
    };
    let finished: Option<i64> = row.get(7)?;
    let engine: Option<String> = row.get(13)?;
    let engine_version: Option<String> = row.get(14)?;
    let invalidated: Option<i64> = row.get(16)?;
    let why: Option<String> = row.get(17)?;
    let run_id: String = row.get(0)?;
    let summary = RunSummary {
        run_id: parse(0, &run_id)?,
        service: row.get(1)?,
        test: row.get(2)?,
        environment: row.get(3)?,
        release: row.get(4)?,
        commit: row.get(5)?,
        started_at: time(6, row.get(6)?)?,
        finished_at: finished.map(|at| time(7, at)).transpose()?,
        state,
        reason: row.get(9)?,
        rehearsal_seconds: row.get(10)?,
        partial: row.get(11)?,
        waived: row.get(12)?,
        engine: engine.zip(engine_version),
        request_rate: row.get(15)?,
        invalidated: match invalidated.zip(why) {
            Some((at, reason)) => Some(Invalidation {
                at: time(16, at)?,
                reason,
            }),
            None => None,
        },
    };
    Ok((summary, row.get(20)?))
}

pub(crate) fn objective(row: &Row<'_>) -> rusqlite::Result<ObjectiveRow> {
    let verdict: String = row.get(4)?;
    let samples: i64 = row.get(2)?;
    Ok(ObjectiveRow {
        id: row.get(0)?,
        value: row.get(1)?,
        samples: u64::try_from(samples)
            .map_err(|_ignored| rusqlite::Error::IntegralValueOutOfRange(2, samples))?,
        limit: row.get(3)?,
        verdict: parse::<Verdict>(4, &verdict)?,
    })
}
