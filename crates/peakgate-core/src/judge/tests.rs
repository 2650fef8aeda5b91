//! What a run is judged to be, case by case, and the promise that nothing doubtful ever passes.

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
                w.series.insert(
                    key("vus", &[]),
                    Aggregate::Gauge {
                        last: vus,
                        min: vus,
                        max: vus,
                        samples: 1,
                    },
                );
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

#[test]
fn a_healthy_run_passes_and_says_how_certain() {
    let v = run(vec![p99(200.0), errors(0.01)]).verdict();
    assert_eq!(v.verdict, Outcome::Pass, "{}", v.reason);
    assert!(v.reason.contains("first run"), "{}", v.reason);
    let o = &v.objectives[0];
    // The plateau's 20 seconds only.
    assert_eq!(o.samples, 1000);
    assert!((o.value.unwrap() - 150.0).abs() < 0.5, "{o:?}");
    let interval = o.interval.unwrap();
    assert!(interval.low.unwrap() <= 150.0 && interval.high.is_some());
    assert_eq!((o.window.from, o.window.to), (10.0, Some(30.0)));
    assert!(v.load.valid);
    assert_eq!(v.load.requests, 2000);
    assert!((v.load.request_rate - 50.0).abs() < 1e-9);
    assert!((v.load.achieved.unwrap() - 1.0).abs() < 0.01);
}

#[test]
fn a_limit_that_does_not_hold_fails_with_value_and_limit() {
    let v = run(vec![p99(140.0), errors(0.01)]).verdict();
    assert_eq!(v.verdict, Outcome::Fail);
    assert!(
        v.reason.contains("p99: 150 ms, at most 140 ms"),
        "{}",
        v.reason
    );
    assert!(!v.next.is_empty());
}

#[test]
fn only_the_window_counts() {
    let mut r = run(vec![p99(200.0)]);
    // A slow ramp does not matter to a plateau objective, but does to one over the whole run.
    for second in 0..10 {
        r.seconds[second] = vec![("GET /a", vec![900.0; 50], 0)];
    }
    assert_eq!(r.outcome(), Outcome::Pass);
    r.policy.tests["peak"].objectives[0].window = WindowRule::All;
    assert_eq!(r.outcome(), Outcome::Fail);
    r.policy.tests["peak"].objectives[0].window = WindowRule::Between {
        from: Duration::from_secs(12),
        to: Some(Duration::from_secs(20)),
    };
    let v = r.verdict();
    assert_eq!((v.verdict, v.objectives[0].samples), (Outcome::Pass, 400));
}

#[test]
fn a_warn_limit_warns_and_a_value_on_the_limit_is_told_apart() {
    let mut o = p99(200.0);
    o.warn = Some(120.0);
    let v = run(vec![o]).verdict();
    assert_eq!(v.verdict, Outcome::Warn);
    assert!(v.reason.contains("past 120 ms it warns"), "{}", v.reason);
    // Within three digits of the limit: never a quiet pass.
    assert_eq!(run(vec![p99(150.02)]).outcome(), Outcome::Warn);
}

#[test]
fn a_coarse_channel_is_inconclusive_near_the_limit() {
    let mut r = run(vec![p99(153.0)]);
    assert_eq!(r.outcome(), Outcome::Pass);
    r.resolution = Resolution::Relative { error: 0.044 };
    let v = r.verdict();
    assert_eq!(v.verdict, Outcome::Inconclusive);
    assert!(v.reason.contains("live: exact"), "{}", v.reason);
    r.policy.tests["peak"].objectives[0].limit = Some(200.0);
    assert_eq!(r.outcome(), Outcome::Pass);
}

#[test]
fn nothing_measured_is_never_a_pass() {
    let mut r = run(vec![p99(200.0)]);
    r.seconds = vec![vec![]; 40];
    assert_eq!(r.outcome(), Outcome::Inconclusive);
    let custom = objective("custom", "my_trend", Statistic::Avg, 1.0);
    let v = run(vec![p99(200.0), custom]).verdict();
    assert_eq!(v.verdict, Outcome::Inconclusive);
    assert!(
        v.reason.contains("no samples of avg of my_trend"),
        "{}",
        v.reason
    );
    let mut r = run(vec![p99(200.0)]);
    r.seconds = vec![vec![("GET /a", vec![1.0; 4], 0)]; 40];
    let v = r.verdict();
    assert_eq!(v.verdict, Outcome::Inconclusive);
    assert!(
        v.reason.contains("only 80 samples, 100 are needed"),
        "{}",
        v.reason
    );
    assert_eq!(run(vec![]).outcome(), Outcome::Inconclusive);
}

#[test]
fn a_counter_without_samples_is_zero_only_when_the_policy_says_so() {
    let mut o = objective("lost", "lost_orders", Statistic::Count, 0.0);
    o.unit = Unit::Plain;
    assert_eq!(run(vec![o.clone()]).outcome(), Outcome::Inconclusive);
    o.min_samples = Some(0);
    assert_eq!(run(vec![o]).outcome(), Outcome::Pass);
    // The engine counts these itself: none reported is none.
    let dropped = objective("dropped", "dropped_iterations", Statistic::Count, 0.0);
    assert_eq!(run(vec![dropped]).outcome(), Outcome::Pass);
}

#[test]
fn broken_and_partial_runs_never_pass() {
    let cases = [
        (ExitReason::Crashed("signal 9".into()), Outcome::Error),
        (ExitReason::ScriptException("x".into()), Outcome::Error),
        (ExitReason::BadConfig("x".into()), Outcome::Error),
        (ExitReason::CannotRun("x".into()), Outcome::Error),
        (ExitReason::SetupTimeout, Outcome::Error),
        (ExitReason::TeardownTimeout, Outcome::Error),
        (ExitReason::StreamBroken("x".into()), Outcome::Error),
        (
            ExitReason::AbortedByScript("x".into()),
            Outcome::Inconclusive,
        ),
        (
            ExitReason::StoppedOutside("x".into()),
            Outcome::Inconclusive,
        ),
        (ExitReason::ThresholdAborted, Outcome::Inconclusive),
        (ExitReason::ThresholdsFailed, Outcome::Fail),
        (ExitReason::FailedByScript, Outcome::Fail),
        (
            ExitReason::Stopped(StopCause::Valve("v".into())),
            Outcome::Fail,
        ),
        (
            ExitReason::Stopped(StopCause::Lost("l".into())),
            Outcome::Fail,
        ),
        (
            ExitReason::Stopped(StopCause::Interrupted("SIGINT".into())),
            Outcome::Inconclusive,
        ),
        (
            ExitReason::Stopped(StopCause::Deadline("d".into())),
            Outcome::Error,
        ),
        (
            ExitReason::Stopped(StopCause::GateFailed("g".into())),
            Outcome::Error,
        ),
        (
            ExitReason::Stopped(StopCause::ForbiddenTarget("f".into())),
            Outcome::Error,
        ),
    ];
    for (exit, expected) in cases {
        let mut r = run(vec![p99(200.0)]);
        r.exit = exit.clone();
        assert_eq!(r.outcome(), expected, "{exit:?}");
    }
    let mut r = run(vec![p99(200.0)]);
    r.seconds.truncate(32);
    let v = r.verdict();
    assert_eq!(v.verdict, Outcome::Inconclusive, "{}", v.reason);
}

#[test]
fn the_load_must_count() {
    type Spoil = fn(&mut Run);
    let spoiled: [(&str, Spoil, LoadIssueKind); 5] = [
        (
            "cpu",
            |r| r.generator = Some((0.97, 0.1)),
            LoadIssueKind::Generator,
        ),
        (
            "delay",
            |r| r.generator = Some((0.1, 80.0)),
            LoadIssueKind::Generator,
        ),
        (
            "nan",
            |r| r.generator = Some((f64::NAN, 0.1)),
            LoadIssueKind::Generator,
        ),
        ("dropped", |r| r.dropped = 50.0, LoadIssueKind::Dropped),
        ("threw", |r| r.exceptions = 20, LoadIssueKind::Exceptions),
    ];
    for (name, spoil, kind) in spoiled {
        let mut r = run(vec![p99(200.0)]);
        spoil(&mut r);
        let v = r.verdict();
        assert_eq!(v.verdict, Outcome::Inconclusive, "{name}");
        assert!(
            v.load.issues.iter().any(|i| i.kind == kind),
            "{name}: {:?}",
            v.load.issues
        );
    }
    // A failing objective stands although iterations were dropped, but not when the generator is
    // to blame.
    let mut r = run(vec![p99(100.0)]);
    r.dropped = 50.0;
    assert_eq!(r.outcome(), Outcome::Fail);
    r.generator = Some((0.97, 0.1));
    assert_eq!(r.outcome(), Outcome::Inconclusive);
    // Half of the users never came.
    let mut r = run(vec![p99(200.0)]);
    let mut double = plan();
    if let Executor::RampingVus { stages, .. } = &mut double.scenarios[0].executor {
        stages.iter_mut().for_each(|s| s.target *= 2.0);
    }
    let windows_plan = r.planned.clone();
    r.planned.plan = double;
    // The windows report what the smaller plan gives.
    let halved = {
        let small = Run {
            planned: windows_plan,
            ..run(vec![p99(200.0)])
        };
        small.windows()
    };
    let mut collector = Collector::new(&r.planned.cuts(r.test()), BTreeSet::new());
    let mut timeline = Timeline::new(300);
    for w in &halved {
        collector.observe(w);
        timeline.observe(w);
    }
    let (evidence, account, points) = (collector.finish(), r.account(), timeline.points());
    let v = judge(
        &Case {
            policy: &r.policy,
            test: r.test(),
            planned: Some(&r.planned),
            evidence: Some(&evidence),
            timeline: &points,
            account: &account,
            generator: r.generator,
            baseline: &r.baseline,
            today: jiff::civil::date(2026, 6, 1),
            whole_run: false,
        },
        &identity(),
    );
    assert_eq!(v.verdict, Outcome::Inconclusive);
    assert!(
        v.reason.contains("50 % of the planned load"),
        "{}",
        v.reason
    );
}

#[test]
fn a_target_that_never_answers_is_an_error() {
    let mut r = run(vec![errors(0.01)]);
    r.status = "0";
    r.seconds = vec![vec![("GET /a", vec![0.1; 50], 50)]; 40];
    let v = r.verdict();
    assert_eq!(v.verdict, Outcome::Error);
    assert!(v.reason.contains("never answered"), "{}", v.reason);
    r.exit = ExitReason::Stopped(StopCause::Valve("errors".into()));
    assert_eq!(r.outcome(), Outcome::Error);
}

#[test]
fn a_script_that_always_throws_is_an_error() {
    let mut r = run(vec![p99(200.0)]);
    r.exceptions = 400;
    let v = r.verdict();
    assert_eq!(v.verdict, Outcome::Error);
    assert!(v.reason.contains("iterations threw"), "{}", v.reason);
}

#[test]
fn regressions_are_judged_against_the_baseline() {
    let mut o = p99(500.0);
    o.max_regression = Some(Regression {
        relative: Some(0.1),
        absolute: None,
    });
    let mut r = run(vec![o]);
    // No baseline: judged on the absolute limit, but never a plain pass.
    let v = r.verdict();
    assert_eq!(v.verdict, Outcome::Warn);
    assert!(v.reason.contains("first run"), "{}", v.reason);
    let earlier = |value| {
        Baseline::from_runs(&[BaselineRun {
            run_id: "0198".into(),
            release: Some("v1".into()),
            values: [("p99".to_owned(), value)].into(),
        }])
    };
    r.baseline = earlier(145.0);
    let v = r.verdict();
    assert_eq!(v.verdict, Outcome::Pass, "{}", v.reason);
    assert!((v.objectives[0].change.unwrap() - 5.0 / 145.0).abs() < 0.01);
    r.baseline = earlier(100.0);
    let v = r.verdict();
    assert_eq!(v.verdict, Outcome::Fail);
    assert!(v.reason.contains("regression"), "{}", v.reason);
    // The more generous of the two parts counts.
    r.policy.tests["peak"].objectives[0].max_regression = Some(Regression {
        relative: Some(0.1),
        absolute: Some(60.0),
    });
    assert_eq!(r.outcome(), Outcome::Pass);
    // Nothing but a regression limit, and nothing to compare with.
    r.policy.tests["peak"].objectives[0].limit = None;
    r.baseline = Baseline::from_runs(&[]);
    assert_eq!(r.outcome(), Outcome::Inconclusive);
    r.policy.baseline.missing_warns = true;
    assert_eq!(r.outcome(), Outcome::Warn);
}

#[test]
fn a_waiver_lets_through_until_its_day_and_ceiling() {
    let waiver = |ceiling, expires| Waiver {
        ceiling,
        reason: "new index next week".into(),
        owner: "kim".into(),
        expires,
        position: Position::default(),
    };
    let with = |w| {
        let mut o = p99(120.0);
        o.waiver = Some(w);
        run(vec![o]).verdict()
    };
    let v = with(waiver(160.0, jiff::civil::date(2026, 6, 1)));
    assert_eq!(v.verdict, Outcome::Warn);
    assert!(v.objectives[0].waiver.as_ref().unwrap().applied);
    assert!(
        v.reason.contains("waived until 2026-06-01 by kim"),
        "{}",
        v.reason
    );
    let v = with(waiver(160.0, jiff::civil::date(2026, 5, 31)));
    assert_eq!(v.verdict, Outcome::Fail);
    assert!(v.reason.contains("expired on 2026-05-31"), "{}", v.reason);
    let v = with(waiver(140.0, jiff::civil::date(2026, 7, 1)));
    assert_eq!(v.verdict, Outcome::Fail);
}

#[test]
fn certainty_must_be_earned() {
    let mut o = errors(0.02);
    o.certainty = Some(0.95);
    let mut r = run(vec![o]);
    assert_eq!(r.outcome(), Outcome::Pass);
    // 1.5 % of 1000 in even blocks: the interval reaches past 2 %.
    for (i, second) in r.seconds.iter_mut().enumerate() {
        second[0].2 = u64::from(i % 4 != 0);
    }
    let v = r.verdict();
    assert_eq!(v.verdict, Outcome::Inconclusive, "{}", v.reason);
    assert!(v.reason.contains("not certain to 95 %"), "{}", v.reason);
    r.policy.tests["peak"].objectives[0].certainty = None;
    assert_eq!(r.outcome(), Outcome::Pass);
}

#[test]
fn one_line_holds_every_endpoint_and_another_overrides_one() {
    let mut every = p99(200.0);
    every.id = "every".into();
    every.each = Some("name".into());
    let mut special = p99(1000.0);
    special.id = "export".into();
    special
        .select
        .tags
        .insert("name".into(), TagMatch::Exact("GET /export".into()));
    let mut r = run(vec![every, special]);
    for second in &mut r.seconds {
        second.push(("GET /export", vec![900.0; 50], 0));
        second.push(("GET /b", vec![50.0; 50], 0));
    }
    let v = r.verdict();
    assert_eq!(v.verdict, Outcome::Pass, "{}", v.reason);
    let ids: Vec<_> = v.objectives.iter().map(|o| o.id.as_str()).collect();
    assert_eq!(ids, ["every[GET /a]", "every[GET /b]", "export"]);
    let only = r.policy.tests["peak"].objectives.remove(0);
    r.policy.tests["peak"].objectives = vec![only];
    assert_eq!(r.outcome(), Outcome::Fail);
}

#[test]
fn weights_make_a_score_and_keys_veto() {
    let mut r = run(vec![p99(100.0), errors(0.01), {
        let mut o = objective("med", "http_req_duration", Statistic::Med, 200.0);
        o.weight = 8.0;
        o
    }]);
    r.policy.score = Some(Score {
        pass: 0.9,
        warn: 0.7,
    });
    let v = r.verdict();
    assert_eq!(v.verdict, Outcome::Pass, "{}", v.reason);
    assert!((v.score.unwrap().value - 0.9).abs() < 1e-9);
    r.policy.score = Some(Score {
        pass: 0.95,
        warn: 0.7,
    });
    assert_eq!(r.outcome(), Outcome::Warn);
    r.policy.score = Some(Score {
        pass: 0.99,
        warn: 0.95,
    });
    assert_eq!(r.outcome(), Outcome::Fail);
    r.policy.score = Some(Score {
        pass: 0.9,
        warn: 0.7,
    });
    r.policy.tests["peak"].objectives[0].key = true;
    assert_eq!(r.outcome(), Outcome::Fail);
}

#[test]
fn informational_and_dry_run_do_not_decide() {
    for mode in [Mode::Informational, Mode::DryRun] {
        let mut o = p99(1.0);
        o.mode = mode;
        let v = run(vec![o, errors(0.01)]).verdict();
        assert_eq!(v.verdict, Outcome::Pass, "{}", v.reason);
        assert_eq!(v.objectives[0].verdict, Outcome::Fail);
    }
}

#[test]
fn the_scripts_own_thresholds_count_as_the_policy_says() {
    let mut r = run(vec![p99(200.0)]);
    r.exit = ExitReason::ThresholdsFailed;
    r.thresholds = vec![ThresholdAccount {
        metric: "http_req_duration".into(),
        expression: "p(95)<1".into(),
        ok: false,
    }];
    assert_eq!(r.outcome(), Outcome::Fail);
    r.policy.script_thresholds = ScriptThresholds::Warn;
    assert_eq!(r.outcome(), Outcome::Warn);
    r.policy.script_thresholds = ScriptThresholds::Ignore;
    assert_eq!(r.outcome(), Outcome::Pass);
}

#[test]
fn rehearsals_need_fewer_samples_and_say_what_they_are() {
    let mut r = run(vec![p99(200.0)]);
    r.seconds = vec![vec![("GET /a", vec![100.0; 2], 0)]; 40];
    assert_eq!(r.outcome(), Outcome::Inconclusive);
    r.planned.rehearsal = Some(Duration::from_secs(40));
    let v = r.verdict();
    assert_eq!(v.verdict, Outcome::Pass, "{}", v.reason);
    assert_eq!(v.rehearsal.unwrap().seconds, 40.0);
}

#[test]
fn a_verdict_survives_its_json() {
    let v = run(vec![p99(200.0), errors(0.01)]).verdict();
    let text = serde_json::to_string(&v).unwrap();
    let back: Verdict = serde_json::from_str(&text).unwrap();
    assert_eq!(back, v);
}

fn guard(r: &Run) -> Option<(u64, StopCause)> {
    let mut guard = Guard::new(&r.policy, r.test(), &r.planned, 0.0005);
    for w in r.windows() {
        if let Some(cause) = guard.observe(&w) {
            return Some((w.start.as_secs(), cause));
        }
    }
    None
}

#[test]
fn a_valve_opens_after_its_time_and_not_before() {
    let mut r = run(vec![p99(10_000.0)]);
    r.policy.safety.valves = vec![Valve {
        id: "error-rate".into(),
        metric: MetricName::parse("http_req_failed").unwrap(),
        kind: Some(MetricKind::Rate),
        statistic: Statistic::Rate,
        select: Selector::default(),
        direction: Direction::AtMost,
        threshold: 0.1,
        hold: Duration::from_secs(5),
        within: Duration::from_secs(1),
        min_samples: 1,
        unit: Unit::Share,
    }];
    for second in 10..14 {
        r.seconds[second][0].2 = 20;
    }
    assert_eq!(guard(&r), None, "four seconds are not five");
    for second in 20..40 {
        r.seconds[second][0].2 = 20;
    }
    // Silence in between is unknown, not healthy.
    r.seconds[22] = vec![];
    let (at, cause) = guard(&r).unwrap();
    assert_eq!(at, 24);
    assert!(matches!(cause, StopCause::Valve(why) if why.contains("above 10 %")));
}

#[test]
fn an_objective_that_is_lost_stops_the_run_but_one_that_can_recover_does_not() {
    let mut r = run(vec![errors(0.05)]);
    // 10 % errors: lost only when half of the plateau's budget is certain to be overspent.
    r.seconds.iter_mut().for_each(|s| s[0].2 = 5);
    let (at, cause) = guard(&r).unwrap();
    assert!((14..30).contains(&at), "{at}");
    assert!(matches!(cause, StopCause::Lost(_)));
    // A bad start that the rest makes up for runs to its end.
    let mut r = run(vec![errors(0.05)]);
    for second in 10..14 {
        r.seconds[second][0].2 = 5;
    }
    assert_eq!(guard(&r), None);
    assert_eq!(r.outcome(), Outcome::Pass);
    // Latency: every request over the limit.
    let r = run(vec![p99(50.0)]);
    assert!(matches!(guard(&r), Some((12..=20, StopCause::Lost(_)))));
}

#[test]
fn long_runs_keep_few_blocks() {
    let mut collector = Collector::new(&[], [MetricName::parse("my_trend").unwrap()].into());
    for second in 0..14_400 {
        let mut w = Window {
            start: Duration::from_secs(second),
            length: Duration::from_secs(1),
            ..Window::default()
        };
        let mut h = Histogram::new();
        #[allow(clippy::cast_precision_loss)]
        let value = 100.0 + (second % 7) as f64;
        assert!(h.record_n(value, 10));
        w.series.insert(key("my_trend", &[]), Aggregate::Trend(h));
        collector.observe(&w);
    }
    let evidence = collector.finish();
    let blocks = &evidence.series[0].blocks;
    assert!((16..=32).contains(&blocks.len()), "{}", blocks.len());
    let samples: u64 = blocks.iter().map(|b| b.data.samples()).sum();
    assert_eq!(samples, 144_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// The promise itself: whatever happens, a release is let through only by a whole run with a
    /// valid load in which every judged objective was measured, enough, and held.
    #[test]
    fn never_a_silent_green(
        limit in prop_oneof![Just(f64::NAN), Just(f64::INFINITY), 0.0..300.0_f64],
        latency in prop_oneof![Just(f64::NAN), Just(f64::INFINITY), 1.0..300.0_f64],
        per_second in 0_usize..60,
        failed in 0_u64..60,
        seconds in 0_usize..45,
        exit in 0_usize..6,
        cpu in prop_oneof![Just(f64::NAN), 0.0..1.2_f64],
        exceptions in 0_u64..500,
        dropped in 0.0..100.0_f64,
        coarse in any::<bool>(),
    ) {
        let mut r = run(vec![p99(limit), errors(0.5)]);
        let failed = failed.min(per_second as u64);
        r.seconds = vec![vec![("GET /a", vec![latency; per_second], failed)]; seconds];
        r.exit = [
            ExitReason::Completed,
            ExitReason::Crashed(String::new()),
            ExitReason::Stopped(StopCause::Interrupted(String::new())),
            ExitReason::ThresholdsFailed,
            ExitReason::StreamBroken(String::new()),
            ExitReason::AbortedByScript(String::new()),
        ][exit].clone();
        r.generator = Some((cpu, 1.0));
        r.exceptions = exceptions;
        r.dropped = dropped;
        if coarse { r.resolution = Resolution::Relative { error: 0.044 }; }
        let v = r.verdict();
        if v.verdict.releases() {
            prop_assert_eq!(exit, 0);
            prop_assert!(cpu <= 0.9);
            prop_assert!(v.load.valid);
            prop_assert!(seconds >= 38);
            for o in &v.objectives {
                prop_assert!(o.samples >= 100);
                let value = o.value.unwrap();
                prop_assert!(value.is_finite() && value <= o.limit.unwrap());
            }
            prop_assert!(latency <= limit * 1.001);
        }
    }
}
