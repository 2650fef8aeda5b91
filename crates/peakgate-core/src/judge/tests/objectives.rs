//! Judging objectives: limits, windows, samples, baselines, waivers, certainty.

use super::*;

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
            script_hash: String::new(),
            shape: String::new(),
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
fn an_endpoint_is_left_only_to_an_objective_that_judges_all_of_it() {
    let mut every = p99(140.0);
    every.each = Some("name".into());
    let mut other = p99(1000.0);
    other.id = "other".into();
    other
        .select
        .tags
        .insert("name".into(), TagMatch::Exact("GET /a".into()));
    let outcome = |other: Objective| run(vec![every.clone(), other, errors(0.01)]).outcome();
    assert_eq!(outcome(other.clone()), Outcome::Pass);
    // Only shown, only tried out, a part of the samples, another window: it judges nothing here.
    for spoil in [
        (|o| o.mode = Mode::Informational) as fn(&mut Objective),
        |o| o.mode = Mode::DryRun,
        |o| {
            o.select
                .tags
                .insert("status".into(), TagMatch::Exact("200".into()));
        },
        |o| o.window = WindowRule::All,
    ] {
        let mut spoiled = other.clone();
        spoil(&mut spoiled);
        assert_eq!(outcome(spoiled), Outcome::Fail);
    }
}

#[test]
fn an_endpoint_that_vanished_is_told() {
    let mut every = p99(200.0);
    every.id = "every".into();
    every.each = Some("name".into());
    let mut r = run(vec![every]);
    r.baseline = Baseline::from_runs(&[BaselineRun {
        run_id: "0198".into(),
        release: None,
        values: [
            ("every[GET /a]".to_owned(), 150.0),
            ("every[POST /b]".to_owned(), 150.0),
        ]
        .into(),
        script_hash: String::new(),
        shape: String::new(),
    }]);
    let v = r.verdict();
    assert_eq!(v.verdict, Outcome::Warn);
    assert!(v.reason.contains("POST /b"), "{}", v.reason);
}

#[test]
fn seconds_without_samples_count_in_the_interval_of_a_rate() {
    let mut o = objective("rps", "http_reqs", Statistic::Rate, 20.0);
    o.direction = Direction::AtLeast;
    let mut r = run(vec![o]);
    for second in (11..30).step_by(2) {
        r.seconds[second] = vec![];
    }
    let v = r.verdict();
    let interval = v.objectives[0].interval.unwrap();
    assert!((v.objectives[0].value.unwrap() - 25.0).abs() < 1e-9);
    assert!(
        interval.low.unwrap() < 15.0 && interval.high.unwrap() > 35.0,
        "{interval:?}"
    );
}

#[test]
fn a_sure_regression_decides_beside_an_undecided_limit() {
    let mut o = p99(150.5);
    o.certainty = Some(0.95);
    o.max_regression = Some(Regression {
        relative: Some(0.1),
        absolute: None,
    });
    let mut r = run(vec![o]);
    r.baseline = Baseline::from_runs(&[BaselineRun {
        run_id: "0198".into(),
        release: None,
        values: [("p99".to_owned(), 50.0)].into(),
        script_hash: String::new(),
        shape: String::new(),
    }]);
    assert_eq!(r.outcome(), Outcome::Fail);
}
