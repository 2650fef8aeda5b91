//! Runs to record.
#![allow(dead_code)] // Each test binary uses a part.

use jiff::{SignedDuration, Timestamp};
use peakgate_history::{ObjectiveRow, RunId, RunRecord, RunStart, Verdict};

/// A time `minutes` after a fixed one.
pub(crate) fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_760_000_000 + minutes * 60).unwrap()
}

/// A finished run of `leads` / `peak` / `staging`.
pub(crate) fn run(minutes: i64, verdict: Verdict) -> RunRecord {
    RunRecord {
        run_id: RunId::generate(),
        service: "leads".to_owned(),
        test: "peak".to_owned(),
        environment: "staging".to_owned(),
        release: Some(format!("v1.{minutes}.0")),
        commit: Some(format!("{minutes:040x}")),
        started_at: at(minutes),
        finished_at: at(minutes + 20),
        verdict,
        reason: "p(99) of http_req_duration is 812 ms, 1000 ms allowed".to_owned(),
        rehearsal_seconds: None,
        partial: false,
        waived: false,
        engine: "k6".to_owned(),
        engine_version: "1.1.0".to_owned(),
        request_rate: Some(41.5),
        objectives: vec![
            objective("p99", Some(812.25), verdict),
            objective("errors", Some(0.001), Verdict::Pass),
        ],
        verdict_json: format!("{{\"verdict\":\"{verdict}\",\"é\":\"“quoted”\"}}"),
        evidence_json: Some("{\"histograms\":[[1,2],[3,4]]}".to_owned()),
    }
}

pub(crate) fn objective(id: &str, value: Option<f64>, verdict: Verdict) -> ObjectiveRow {
    ObjectiveRow {
        id: id.to_owned(),
        value,
        samples: 12_345,
        limit: Some(1000.0),
        verdict,
    }
}

/// The beginning of that run, with an hour to go.
pub(crate) fn start_of(record: &RunRecord) -> RunStart {
    RunStart {
        run_id: record.run_id,
        service: record.service.clone(),
        test: record.test.clone(),
        environment: record.environment.clone(),
        release: record.release.clone(),
        commit: record.commit.clone(),
        started_at: record.started_at,
        deadline: Timestamp::now() + SignedDuration::from_hours(1),
        rehearsal_seconds: record.rehearsal_seconds,
    }
}
