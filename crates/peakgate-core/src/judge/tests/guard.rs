//! Valves, and objectives that are lost.

use super::*;

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
