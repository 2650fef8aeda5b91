//! Runs that broke, and loads that do not count.

use super::*;

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

#[test]
fn what_is_not_known_of_a_load_is_not_taken_for_good() {
    let mut r = run(vec![p99(200.0)]);
    r.generator = None;
    let v = r.verdict();
    assert_eq!(v.verdict, Outcome::Inconclusive);
    assert!(v.reason.contains("no reading of its CPU"), "{}", v.reason);
    // A policy that allows it everything does not need to know.
    r.policy.validity.max_cpu = 1.0;
    assert_eq!(r.outcome(), Outcome::Pass);
    r.hide_vus = true;
    let v = r.verdict();
    assert_eq!(v.verdict, Outcome::Inconclusive);
    assert!(v.reason.contains("no virtual users"), "{}", v.reason);
}

fn open(rate: f64, max_vus: u64) -> Scenario {
    Scenario {
        name: "open".into(),
        start_time: Duration::ZERO,
        graceful_stop: Duration::ZERO,
        executor: Executor::ConstantArrivalRate {
            rate,
            time_unit: Duration::from_secs(1),
            duration: Duration::from_secs(40),
            pre_allocated_vus: max_vus,
            max_vus,
        },
        rest: serde_json::Map::new(),
    }
}

#[test]
fn iterations_that_never_started_are_missed_even_if_nobody_dropped_them() {
    // The windows finish 10 iterations a second.
    let mut r = run(vec![p99(200.0)]);
    r.planned.plan.scenarios = vec![open(10.0, 5)];
    assert_eq!(r.outcome(), Outcome::Pass);
    r.planned.plan.scenarios = vec![open(1000.0, 5)];
    let v = r.verdict();
    assert_eq!(v.verdict, Outcome::Inconclusive);
    assert!(v.reason.contains("of the planned load"), "{}", v.reason);
}

#[test]
fn too_few_users_are_missed_beside_an_open_scenario() {
    let mut r = run(vec![p99(200.0)]);
    r.planned.plan.scenarios.push(open(10.0, 5));
    assert_eq!(r.outcome(), Outcome::Pass);
    r.most_vus = Some(1.0);
    assert_eq!(r.outcome(), Outcome::Inconclusive);
}
