//! Runs on record: from a verdict to a history row, and baselines back.

use std::path::Path;

use jiff::Timestamp;
use peakgate_core::baseline::{Baseline, BaselineRun};
use peakgate_core::verdict::ObjectiveResult;
use peakgate_core::{Outcome, Verdict};
use peakgate_history::{
    BaselineChoice, BaselineQuery, History, HistoryError, ObjectiveRow, RunId, RunRecord,
    Verdict as Recorded,
};
use peakgate_policy::settings::{BaselineRule, Policy};

fn recorded(outcome: Outcome) -> Recorded {
    match outcome {
        Outcome::Pass => Recorded::Pass,
        Outcome::Warn => Recorded::Warn,
        Outcome::Fail => Recorded::Fail,
        Outcome::Inconclusive => Recorded::Inconclusive,
        Outcome::Error => Recorded::Error,
    }
}

/// The row of a run. The evidence is stored apart, compressed.
///
/// # Errors
/// The verdict cannot be written as JSON.
pub(crate) fn row(
    run_id: &RunId,
    started: Timestamp,
    finished: Timestamp,
    verdict: &mut Verdict,
) -> Result<RunRecord, serde_json::Error> {
    let (verdict_json, evidence_json) = verdict.apart(|light, evidence| {
        Ok::<_, serde_json::Error>((
            serde_json::to_string(light)?,
            evidence.map(serde_json::to_string).transpose()?,
        ))
    })?;
    Ok(RunRecord {
        run_id: *run_id,
        service: verdict.service.clone(),
        test: verdict.test.clone(),
        environment: verdict.environment.clone(),
        release: verdict.release.clone(),
        commit: verdict.commit.clone(),
        started_at: started,
        finished_at: finished,
        verdict: recorded(verdict.verdict),
        reason: verdict.reason.clone(),
        rehearsal_seconds: verdict.rehearsal.as_ref().map(|r| r.seconds),
        partial: !verdict.account.exit.is_whole(),
        waived: verdict
            .objectives
            .iter()
            .any(|o| o.waiver.as_ref().is_some_and(|w| w.applied)),
        engine: verdict.engine.name.clone(),
        engine_version: verdict.engine.version.clone(),
        request_rate: Some(verdict.load.request_rate).filter(|r| r.is_finite() && *r > 0.0),
        objectives: verdict.objectives.iter().map(objective).collect(),
        verdict_json,
        evidence_json,
    })
}

fn objective(result: &ObjectiveResult) -> ObjectiveRow {
    ObjectiveRow {
        id: result.id.clone(),
        value: result.value,
        samples: result.samples,
        limit: result.limit,
        verdict: recorded(result.verdict),
    }
}

/// What a run is compared with, by the policy's rule.
///
/// # Errors
/// The history cannot be read.
pub(crate) fn baseline(
    history: &History,
    policy: &Policy,
    test: &str,
    rehearsal: bool,
    except: Option<RunId>,
) -> Result<Earlier, HistoryError> {
    let choice = match &policy.baseline.with {
        BaselineRule::LastPassed => BaselineChoice::LastPassed,
        BaselineRule::Release(name) => BaselineChoice::Release(name.clone()),
        BaselineRule::MedianOfLast(n) => BaselineChoice::LastPassedN(*n),
    };
    let runs = history.baseline(&BaselineQuery {
        service: policy.service.clone(),
        test: test.to_owned(),
        environment: policy.environment.name.clone(),
        rehearsal,
        except,
        choice,
    })?;
    let runs: Vec<BaselineRun> = runs
        .into_iter()
        .map(|run| earlier(history, run))
        .collect::<Result<_, _>>()?;
    Ok(Earlier(runs))
}

/// The runs that a policy's rule chose.
#[derive(Debug, Default)]
pub(crate) struct Earlier(Vec<BaselineRun>);

impl Earlier {
    /// The baseline for a run of a script with a load.
    pub(crate) fn baseline(&self, script_hash: &str, shape: &str) -> Baseline {
        Baseline::from_runs(&self.0).noting(&self.0, script_hash, shape)
    }
}

fn earlier(
    history: &History,
    run: peakgate_history::BaselineRun,
) -> Result<BaselineRun, HistoryError> {
    let id = run.summary.run_id.to_string();
    let verdict: serde_json::Value = history
        .show(&id)?
        .verdict_json
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let text = |pointer: &str| {
        verdict
            .pointer(pointer)
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    Ok(BaselineRun {
        run_id: id,
        release: run.summary.release,
        values: run
            .objectives
            .into_iter()
            // A score may let a run through in which an objective failed: its value is no measure
            // for others.
            .filter(|o| !matches!(o.verdict, Recorded::Fail | Recorded::Error))
            .filter_map(|o| Some((o.id, o.value?)))
            .collect(),
        script_hash: text("/script_hash"),
        shape: text("/load/shape"),
    })
}

/// Opens the history.
///
/// # Errors
/// See [`HistoryError`].
pub(crate) fn open(path: &Path) -> Result<History, HistoryError> {
    History::open(path)
}

/// Today in UTC: waivers end at the same moment on every machine.
pub(crate) fn today() -> jiff::civil::Date {
    jiff::tz::Offset::UTC.to_datetime(Timestamp::now()).date()
}
