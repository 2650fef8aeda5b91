//! What a run is judged to be, case by case, and the promise that nothing doubtful ever passes.

mod decision;
mod guard;
mod load;
mod objectives;
mod promise;

use std::collections::BTreeSet;
use std::time::Duration;

use indexmap::IndexMap;
use peakgate_load::{
    Aggregate, Executor, ExitReason, Histogram, LoadPlan, MetricKind, MetricName, Resolution,
    RunAccount, Scenario, SeriesKey, Stage, StopCause, Tags, ThresholdAccount, Window,
};
use peakgate_policy::settings::{
    Baseline as BaselineSetting, BaselineRule, Direction, EngineChoice, Environment, LiveChannel,
    Mode, Objective, Policy, Regression, Safety, Score, ScriptThresholds, Selector, Statistic,
    TagMatch, Test, Unit, Validity, Valve, Waiver, WindowRule,
};
use peakgate_policy::source::Position;
use proptest::prelude::*;

use super::{Case, Identity, Planned, judge};
use crate::baseline::{Baseline, BaselineRun};
use crate::evidence::{Collector, Timeline};
use crate::guard::Guard;
use crate::verdict::{LoadIssueKind, Outcome, Verdict};

fn objective(id: &str, metric: &str, statistic: Statistic, limit: f64) -> Objective {
    let metric = MetricName::parse(metric).unwrap();
    let kind = metric.builtin().map(|b| b.kind);
    Objective {
        id: id.into(),
        kind,
        unit: match kind {
            Some(MetricKind::Rate) => Unit::Share,
            Some(MetricKind::Counter) => Unit::Plain,
            _ => Unit::Millis,
        },
        metric,
        statistic,
        select: Selector::default(),
        each: None,
        direction: Direction::AtMost,
        limit: Some(limit),
        warn: None,
        max_regression: None,
        window: WindowRule::Plateau,
        key: false,
        weight: 1.0,
        mode: Mode::Judged,
        min_samples: None,
        certainty: None,
        waiver: None,
        position: Position::default(),
    }
}

fn p99(limit: f64) -> Objective {
    objective("p99", "http_req_duration", Statistic::Quantile(0.99), limit)
}

fn errors(limit: f64) -> Objective {
    objective("errors", "http_req_failed", Statistic::Rate, limit)
}

/// A run of 10 s up, 20 s plateau, 10 s down with 10 users, and everything that judges it.
struct Run {
    policy: Policy,
    planned: Planned,
    /// Per second: latencies and how many of them failed, by endpoint name.
    seconds: Vec<Vec<(&'static str, Vec<f64>, u64)>>,
    exit: ExitReason,
    resolution: Resolution,
    thresholds: Vec<ThresholdAccount>,
    exceptions: u64,
    dropped: f64,
    generator: Option<(f64, f64)>,
    baseline: Baseline,
    status: &'static str,
    hide_vus: bool,
    /// No more users than this are seen.
    most_vus: Option<f64>,
}

fn plan() -> LoadPlan {
    LoadPlan {
        scenarios: vec![Scenario {
            name: "default".into(),
            start_time: Duration::ZERO,
            graceful_stop: Duration::from_secs(30),
            executor: Executor::RampingVus {
                start_vus: 0,
                stages: [(10, 10.0), (20, 10.0), (10, 0.0)]
                    .map(|(s, target)| Stage {
                        duration: Duration::from_secs(s),
                        target,
                    })
                    .to_vec(),
                graceful_ramp_down: Duration::from_secs(30),
            },
            rest: serde_json::Map::new(),
        }],
    }
}

fn run(objectives: Vec<Objective>) -> Run {
    let test = Test {
        name: "peak".into(),
        script: "peak.js".into(),
        engine: EngineChoice::Auto,
        live: LiveChannel::Auto,
        env: IndexMap::new(),
        rehearsal_env: IndexMap::new(),
        tags: IndexMap::new(),
        load: None,
        required_for: vec![],
        objectives,
        position: Position::default(),
    };
    Run {
        policy: Policy {
            service: "lead-api".into(),
            environment: Environment {
                name: "staging".into(),
                base_url: "http://127.0.0.1:1".into(),
                allowed_hosts: vec!["127.0.0.1".into()],
            },
            tests: [("peak".to_owned(), test)].into_iter().collect(),
            score: None,
            safety: Safety {
                valves: vec![],
                stop_when_lost: true,
            },
            validity: Validity {
                min_samples: 100,
                rehearsal_min_samples: 20,
                max_dropped: 0.01,
                min_achieved: 0.95,
                max_exceptions: 0.01,
                max_cpu: 0.9,
                max_scheduling_delay: Duration::from_millis(20),
            },
            baseline: BaselineSetting {
                with: BaselineRule::LastPassed,
                missing_warns: false,
            },
            script_thresholds: ScriptThresholds::Fail,
            hash: "0".into(),
        },
        planned: Planned {
            plan: plan(),
            full: plan(),
            rehearsal: None,
        },
        // 50 requests a second from 101 to 150 ms; none failed.
        seconds: vec![vec![("GET /a", (101..=150).map(f64::from).collect(), 0)]; 40],
        exit: ExitReason::Completed,
        resolution: Resolution::Exact,
        thresholds: vec![],
        exceptions: 0,
        dropped: 0.0,
        generator: Some((0.2, 0.5)),
        baseline: Baseline::from_runs(&[]),
        status: "200",
        hide_vus: false,
        most_vus: None,
    }
}

fn key(metric: &str, tags: &[(&str, &str)]) -> SeriesKey {
    SeriesKey::new(
        MetricName::parse(metric).unwrap(),
        tags.iter().copied().collect::<Tags>(),
    )
}

impl Run {
    #[allow(clippy::cast_precision_loss)]
    fn windows(&self) -> Vec<Window> {
        self.seconds
            .iter()
            .enumerate()
            .map(|(second, endpoints)| {
                let at = Duration::from_secs(second as u64);
                let mut w = Window {
                    start: at,
                    length: Duration::from_secs(1),
                    ..Window::default()
                };
                for (name, latencies, failed) in endpoints {
                    let tags = [("name", *name), ("status", self.status)];
                    let mut h = Histogram::new();
                    for &v in latencies {
                        let _ = h.record(v);
                    }
                    let n = latencies.len() as u64;
                    w.series
                        .insert(key("http_req_duration", &tags), Aggregate::Trend(h));
                    w.series.insert(
                        key("http_req_failed", &tags),
                        Aggregate::Rate {
                            hits: *failed,
                            total: n,
                        },
                    );
                    w.series.insert(
                        key("http_reqs", &tags),
                        Aggregate::Counter {
                            sum: n as f64,
                            samples: n,
                        },
                    );
                }
                let vus = self.planned.plan.vus_at(at).round();
                let vus = self.most_vus.map_or(vus, |most| vus.min(most));
                if !self.hide_vus {
                    w.series.insert(
                        key("vus", &[]),
                        Aggregate::Gauge {
                            last: vus,
                            min: vus,
                            max: vus,
                            samples: 1,
                        },
                    );
                }
                w.series.insert(
                    key("iterations", &[]),
                    Aggregate::Counter {
                        sum: 10.0,
                        samples: 10,
                    },
                );
                if second == 20 && self.dropped > 0.0 {
                    w.series.insert(
                        key("dropped_iterations", &[]),
                        Aggregate::Counter {
                            sum: self.dropped,
                            samples: 1,
                        },
                    );
                }
                w
            })
            .collect()
    }

    fn test(&self) -> &Test {
        &self.policy.tests["peak"]
    }

    fn account(&self) -> RunAccount {
        #[allow(clippy::cast_precision_loss)]
        RunAccount {
            exit: self.exit.clone(),
            exit_code: Some(0),
            load_seconds: self.seconds.len() as f64,
            resolution: self.resolution,
            metrics: vec![],
            thresholds: self.thresholds.clone(),
            iteration_exceptions: self.exceptions,
            notes: vec![],
        }
    }

    fn verdict(&self) -> Verdict {
        let metrics: BTreeSet<MetricName> = self
            .test()
            .objectives
            .iter()
            .map(|o| o.metric.clone())
            .collect();
        let mut collector = Collector::new(&self.planned.cuts(self.test()), metrics);
        let mut timeline = Timeline::new(300);
        for w in self.windows() {
            collector.observe(&w);
            timeline.observe(&w);
        }
        let evidence = collector.finish();
        let account = self.account();
        let points = timeline.points();
        let case = Case {
            policy: &self.policy,
            test: self.test(),
            planned: Some(&self.planned),
            evidence: Some(&evidence),
            timeline: &points,
            account: &account,
            generator: self.generator,
            baseline: &self.baseline,
            today: jiff::civil::date(2026, 6, 1),
            whole_run: false,
        };
        judge(
            &case,
            &Identity {
                rehearsal: self.planned.rehearsal.map(|d| d.as_secs_f64()),
                ..identity()
            },
        )
    }

    fn outcome(&self) -> Outcome {
        self.verdict().verdict
    }
}

fn identity() -> Identity {
    Identity {
        run_id: "run".into(),
        release: None,
        commit: None,
        started_at: String::new(),
        finished_at: String::new(),
        engine: ("fake".into(), "1".into()),
        script_hash: String::new(),
        rehearsal: None,
    }
}
