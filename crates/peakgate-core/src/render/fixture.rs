//! Verdicts for tests of what people see. Used by the terminal crate's tests too, which is why the
//! crate's name comes from the parent module.

use std::time::Duration;

use peakgate_load::{Aggregate, Executor, ExitReason, Histogram, LoadPlan, LogNote, MetricName};
use peakgate_load::{Resolution, RunAccount, Scenario, Stage, window::LostSamples};

use super::peakgate_core::evidence::{Block, Evidence, Segment, SeriesEvidence};
use super::peakgate_core::verdict::{
    BaselineReport, EngineReport, Interval, LimitDirection, LoadIssue, LoadIssueKind, LoadReport,
    ModeName, ObjectiveResult, Outcome, Rehearsal, SCHEMA_VERSION, ScriptThreshold, UnitName,
    Verdict, WaiverReport, WindowReport,
};

/// The reference peak test, compressed or not.
pub(crate) fn plan(seconds: u64) -> LoadPlan {
    let quarter = Duration::from_secs(seconds) / 4;
    LoadPlan {
        scenarios: vec![Scenario {
            name: "default".into(),
            start_time: Duration::ZERO,
            graceful_stop: Duration::from_secs(1),
            executor: Executor::RampingVus {
                start_vus: 1,
                stages: [(quarter, 500.0), (quarter * 2, 500.0), (quarter, 0.0)]
                    .map(|(duration, target)| Stage { duration, target })
                    .to_vec(),
                graceful_ramp_down: Duration::from_secs(1),
            },
            rest: Default::default(),
        }],
    }
}

/// A latency objective that passes.
pub(crate) fn latency(id: &str, what: &str, value: f64, limit: f64) -> ObjectiveResult {
    let ok = value <= limit;
    let verdict = if ok { Outcome::Pass } else { Outcome::Fail };
    ObjectiveResult {
        id: id.into(),
        verdict,
        why: format!("{value:.0} ms, at most {limit:.0} ms allowed"),
        what: what.into(),
        value: Some(value),
        limit: Some(limit),
        regression_limit: None,
        warn: None,
        direction: LimitDirection::AtMost,
        unit: UnitName::Milliseconds,
        baseline: None,
        change: None,
        samples: 8412,
        min_samples: 100,
        interval: Some(Interval {
            low: Some(value * 0.97),
            high: Some(value * 1.04),
            confidence: 0.95,
        }),
        window: WindowReport {
            name: "plateau".into(),
            from: 5.0,
            to: Some(15.0),
        },
        key: false,
        weight: 1.0,
        mode: ModeName::Judged,
        waiver: None,
        position: Default::default(),
    }
}

/// A share, in the same way.
pub(crate) fn errors(id: &str, value: f64, limit: f64) -> ObjectiveResult {
    let mut o = latency(id, "rate of http_req_failed", value, limit);
    o.unit = UnitName::Share;
    o.why = format!("{} %, at most {} % allowed", value * 100.0, limit * 100.0);
    o.key = true;
    o
}

fn evidence() -> Evidence {
    let names = [
        "GET /leads",
        "GET /leads/{id}",
        "POST /leads",
        "GET /leads/export",
    ];
    let mut series = Vec::new();
    for (i, name) in names.iter().enumerate() {
        let mut h = Histogram::new();
        for k in 0..(4000 - i * 900) {
            let ms = u32::try_from(20 + i * 30 + k % 97).unwrap();
            assert!(h.record(f64::from(ms)));
        }
        let total = h.count();
        let hits = if i == 2 { 7 } else { 0 };
        for (metric, data) in [
            ("http_req_duration", Aggregate::Trend(h)),
            ("http_req_failed", Aggregate::Rate { hits, total }),
        ] {
            series.push(SeriesEvidence {
                metric: MetricName::parse(metric).unwrap(),
                detailed: true,
                tags: [("name", *name)].into_iter().collect(),
                blocks: vec![Block {
                    segment: 0,
                    index: 0,
                    data,
                }],
            });
        }
    }
    Evidence {
        segments: vec![Segment {
            from: 0.0,
            to: None,
            block: 1.0,
            observed: 20.0,
        }],
        series,
        ..Evidence::default()
    }
}

/// A peak rehearsal that passes.
pub(crate) fn pass() -> Verdict {
    let mut info = latency("waiting", "avg of http_req_waiting", 61.4, 0.0);
    info.verdict = Outcome::Pass;
    info.limit = None;
    info.mode = ModeName::Informational;
    info.why = "shown for information".into();
    let plan20 = plan(20);
    Verdict {
        schema_version: SCHEMA_VERSION,
        verdict: Outcome::Pass,
        reason: "all 5 objectives are met".into(),
        next: vec![],
        run_id: "0198f3a2-7c1e-7d7a-9d0c-5d8a4e1f2b30".into(),
        service: "lead-api".into(),
        environment: "demo".into(),
        base_url: "http://127.0.0.1:8080".into(),
        test: "peak".into(),
        rehearsal: Some(Rehearsal {
            seconds: 20.0,
            planned_seconds: Some(1200.0),
        }),
        engine: EngineReport {
            name: "k6".into(),
            version: "1.1.0".into(),
            resolution: 0.0005,
        },
        release: Some("v1.4.0".into()),
        commit: Some("4f2a9c1d8e7b6a5f".into()),
        started_at: "2026-11-24T11:39:43Z".into(),
        finished_at: "2026-11-24T11:40:04Z".into(),
        judged_again_at: None,
        policy_hash: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        script_hash: "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752".into(),
        baseline: BaselineReport::NotCompared,
        score: None,
        objectives: vec![
            latency("p50", "med of http_req_duration", 84.2, 200.0),
            latency("p95", "p(95) of http_req_duration", 312.0, 600.0),
            latency("p99", "p(99) of http_req_duration", 498.0, 1000.0),
            errors("errors", 0.0008, 0.005),
            latency(
                "create-lead[POST /leads]",
                "p(95) of http_req_duration{name:POST /leads}",
                341.0,
                800.0,
            ),
            info,
        ],
        script_thresholds: vec![ScriptThreshold {
            metric: "http_req_duration".into(),
            expression: "p(95)<600".into(),
            ok: true,
        }],
        load: LoadReport {
            valid: true,
            issues: vec![],
            shape: plan20.describe(),
            plateau: plan20.plateau(),
            plan: Some(plan20),
            full_plan: Some(plan(1200)),
            planned_seconds: 20.0,
            seconds: 20.3,
            requests: 12_644,
            request_rate: 841.0,
            iterations: 6_310,
            dropped: 0,
            exceptions: 0,
            max_vus: Some(500.0),
            achieved: Some(1.0),
            generator_cpu: Some(0.31),
            generator_delay_ms: Some(0.4),
            lost: LostSamples::default(),
        },
        timeline: vec![],
        account: RunAccount {
            exit: ExitReason::Completed,
            exit_code: Some(0),
            load_seconds: 20.3,
            resolution: Resolution::Exact,
            metrics: vec![],
            thresholds: vec![],
            iteration_exceptions: 0,
            notes: vec![],
        },
        evidence: Some(evidence()),
    }
}

/// A full run, compared with an earlier one, that warns by a waiver.
pub(crate) fn warn() -> Verdict {
    let mut v = pass();
    v.verdict = Outcome::Warn;
    v.rehearsal = None;
    v.load.seconds = 1203.0;
    v.load.planned_seconds = 1200.0;
    v.load.shape = plan(1200).describe();
    v.baseline = BaselineReport::Found {
        description: "run 0198e1 of v1.3.2".into(),
        runs: vec!["0198e1".into()],
        differs: vec![],
    };
    for o in &mut v.objectives {
        o.baseline = o.value.map(|x| x * 0.96);
        o.change = Some(0.04166);
        o.regression_limit = o.baseline.map(|b| b * 1.1);
    }
    let o = &mut v.objectives[2];
    o.verdict = Outcome::Warn;
    o.value = Some(1043.0);
    o.baseline = Some(969.0);
    o.change = Some(0.0764);
    o.regression_limit = Some(1066.0);
    o.interval = Some(Interval {
        low: Some(1011.0),
        high: Some(1088.0),
        confidence: 0.95,
    });
    o.waiver = Some(WaiverReport {
        ceiling: 1200.0,
        reason: "export is being rewritten, see LEAD-481".into(),
        owner: "@platform-team".into(),
        expires: "2026-12-31".into(),
        expired: false,
        applied: true,
    });
    o.why = "1043 ms, at most 1000 ms allowed; waived until 2026-12-31 by @platform-team: \
             export is being rewritten, see LEAD-481"
        .into();
    v.reason = format!("p99: {}", o.why);
    v
}

/// Forty objectives, many of them failed.
pub(crate) fn fail() -> Verdict {
    let mut v = pass();
    v.verdict = Outcome::Fail;
    v.objectives = (0..40_u32)
        .map(|i| {
            let id = format!("p95-by-endpoint[GET /api/v1/things/{i}]");
            let what = format!("p(95) of http_req_duration{{name:GET /api/v1/things/{i}}}");
            latency(&id, &what, 400.0 + f64::from(i) * 12.0, 600.0)
        })
        .collect();
    v.objectives.push(errors("errors", 0.021, 0.005));
    let mut dry = latency("p99-next-year", "p(99) of http_req_duration", 912.0, 500.0);
    dry.mode = ModeName::DryRun;
    v.objectives.push(dry);
    v.reason = format!(
        "{}: {} (and 23 more)",
        v.objectives[17].id, v.objectives[17].why
    );
    v.next = vec![
        "look at POST /leads first: its p(95) is 1250 ms, the next slowest (GET /leads) has 120 ms"
            .into(),
        "most failed requests: status 503 from POST /leads, 265 times".into(),
    ];
    v.script_thresholds[0].ok = false;
    v.account.exit = ExitReason::ThresholdsFailed;
    v
}

/// A run whose load does not count.
pub(crate) fn inconclusive() -> Verdict {
    let mut v = pass();
    v.verdict = Outcome::Inconclusive;
    let what =
        "the load generator was the bottleneck: 97 % CPU on the plateau, at most 80 % allowed";
    v.reason = what.into();
    v.load.valid = false;
    v.load.generator_cpu = Some(0.97);
    v.load.issues = vec![LoadIssue {
        kind: LoadIssueKind::Generator,
        what: what.into(),
    }];
    let o = &mut v.objectives[4];
    o.verdict = Outcome::Inconclusive;
    o.samples = 12;
    o.interval = Some(Interval {
        low: Some(280.0),
        high: None,
        confidence: 0.95,
    });
    o.why = "only 12 samples, 100 are needed to judge it".into();
    v.next = vec!["run the load from a larger or quieter machine".into()];
    v
}

/// A target that never answered.
pub(crate) fn error() -> Verdict {
    let mut v = pass();
    v.verdict = Outcome::Error;
    v.reason = "http://127.0.0.1:8080 never answered: connection refused".into();
    v.next = vec!["check that http://127.0.0.1:8080 is up and reachable from this machine".into()];
    for o in &mut v.objectives {
        o.verdict = Outcome::Inconclusive;
        o.value = None;
        o.interval = None;
        o.samples = 0;
        o.why = format!("no samples of {} in the window 'plateau'", o.what);
    }
    v.load.valid = false;
    v.load.requests = 0;
    v.load.request_rate = 0.0;
    v.load.achieved = None;
    v.load.issues = vec![LoadIssue {
        kind: LoadIssueKind::Empty,
        what: "no request was answered".into(),
    }];
    v.account.notes = vec![LogNote {
        level: "warning".into(),
        message: "Request Failed error=\"dial tcp 127.0.0.1:8080: connect: connection refused\""
            .into(),
        times: 8211,
    }];
    v.evidence = None;
    v
}

/// Every outcome.
pub(crate) fn all() -> [(&'static str, Verdict); 5] {
    [
        ("pass", pass()),
        ("warn", warn()),
        ("fail", fail()),
        ("inconclusive", inconclusive()),
        ("error", error()),
    ]
}

/// A text that tries everything.
pub(crate) const HOSTILE: &str =
    "x\x1b[2J\x1b]0;owned\x07\r\n| @admin </details><script>`[a](http://b)\u{202e}";

/// A verdict whose every outside text is hostile.
pub(crate) fn hostile() -> Verdict {
    let mut v = fail();
    let bad = || HOSTILE.to_owned();
    v.reason = bad();
    v.next = vec![bad()];
    v.run_id = bad();
    v.service = bad();
    v.environment = bad();
    v.base_url = bad();
    v.test = bad();
    v.release = Some(bad());
    v.commit = Some(bad());
    v.engine.name = bad();
    v.engine.version = bad();
    v.policy_hash = bad();
    v.baseline = BaselineReport::Found {
        description: bad(),
        runs: vec![bad()],
        differs: vec![],
    };
    for o in &mut v.objectives {
        o.id = bad();
        o.what = bad();
        o.why = bad();
        o.window.name = bad();
        o.waiver = Some(WaiverReport {
            ceiling: 1.0,
            reason: bad(),
            owner: bad(),
            expires: bad(),
            expired: false,
            applied: true,
        });
    }
    v.load.shape = bad();
    v.load.issues = vec![LoadIssue {
        kind: LoadIssueKind::Exceptions,
        what: bad(),
    }];
    v.script_thresholds = vec![ScriptThreshold {
        metric: bad(),
        expression: bad(),
        ok: false,
    }];
    v.account.exit = ExitReason::Crashed(bad());
    v.account.notes = vec![LogNote {
        level: bad(),
        message: bad(),
        times: 1,
    }];
    if let Some(evidence) = &mut v.evidence {
        for s in &mut evidence.series {
            s.tags.set("name", HOSTILE);
        }
    }
    v
}
