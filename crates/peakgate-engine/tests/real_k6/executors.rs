//! Each of k6's executors: what the plan says against what k6 did.

use peakgate_load::{Aggregate, ExitReason};

use crate::support::{Bench, Outcome};

/// Iterations that a scenario's windows tell of, within seconds of the load.
fn iterations(outcome: &Outcome, scenario: &str, seconds: std::ops::Range<u64>) -> f64 {
    outcome
        .windows
        .iter()
        .filter(|w| seconds.contains(&w.start.as_secs()))
        .flat_map(|w| &w.series)
        .filter(|(key, _)| {
            key.metric.as_str() == "iterations" && key.tags.get("scenario") == Some(scenario)
        })
        .map(|(_, aggregate)| match aggregate {
            Aggregate::Counter { sum, .. } => *sum,
            other => panic!("{other:?}"),
        })
        .sum()
}

/// Iterations that k6 could not start, which belong to what was planned.
fn dropped(outcome: &Outcome) -> f64 {
    outcome.sum("dropped_iterations")
}

#[tokio::test]
async fn a_ramping_arrival_rate_starts_what_is_planned() {
    let bench = Bench::js(
        "export const options = { scenarios: { ramp: {
           executor: 'ramping-arrival-rate', startRate: 20, timeUnit: '1s', preAllocatedVUs: 20,
           stages: [{ duration: '2s', target: 100 }, { duration: '2s', target: 100 }, { duration: '1s', target: 0 }] } } };
         export default function () {}",
    );
    let prepared = bench.prepare().await.unwrap();
    let between = |from: u64, to: u64| {
        let seconds = std::time::Duration::from_secs;
        prepared.plan.arrivals_between(seconds(from), seconds(to))
    };
    // Two trapezia and a rectangle: 120 + 200 + 50.
    assert!((between(0, 5) - 370.0).abs() < 1e-6, "{}", between(0, 5));
    let outcome = bench.run().await;
    assert_eq!(outcome.account.exit, ExitReason::Completed, "{outcome:?}");
    // k6 starts an iteration when the area reaches the next whole number: one may be missing.
    let all = outcome.value("iterations", "count") + dropped(&outcome);
    assert!((all - 370.0).abs() <= 2.0, "{all}");
    // The shape too, second by second; k6 may be late by some tens of milliseconds.
    for second in 0..5 {
        let seen = iterations(&outcome, "ramp", second..second + 1);
        let planned = between(second, second + 1);
        let late = dropped(&outcome) + 25.0;
        assert!((seen - planned).abs() <= late, "{second}: {seen} {planned}");
    }
}

#[tokio::test]
async fn every_executor_does_as_planned() {
    let bench = Bench::js(
        "import { sleep } from 'k6';
         export const options = { scenarios: {
           constant: { executor: 'constant-vus', vus: 2, duration: '2s' },
           ramping: { executor: 'ramping-vus', startVUs: 1, stages: [{ duration: '1s', target: 3 }, { duration: '1s', target: 3 }] },
           shared: { executor: 'shared-iterations', vus: 3, iterations: 10, maxDuration: '20s' },
           each: { executor: 'per-vu-iterations', vus: 3, iterations: 4, maxDuration: '20s' },
           rate: { executor: 'constant-arrival-rate', rate: 120, timeUnit: '1m', duration: '3s', preAllocatedVUs: 3 },
         } };
         export default function () { sleep(0.1); }",
    );
    let prepared = bench.prepare().await.unwrap();
    assert_eq!(prepared.plan.scenarios.len(), 5);
    let outcome = bench.run().await;
    assert_eq!(outcome.account.exit, ExitReason::Completed, "{outcome:?}");
    let of = |scenario: &str| iterations(&outcome, scenario, 0..100);
    assert!((of("shared") - 10.0).abs() < 0.5, "{}", of("shared"));
    assert!((of("each") - 12.0).abs() < 0.5, "{}", of("each"));
    // Two a second for three seconds; the one at the very end may not start.
    let rate = of("rate") + dropped(&outcome);
    assert!((5.0..=7.0).contains(&rate), "{rate}");
    // Users in a closed model: at most ten iterations a second each, fewer on a busy machine.
    assert!(
        (10.0..=44.0).contains(&of("constant")),
        "{}",
        of("constant")
    );
    assert!((10.0..=60.0).contains(&of("ramping")), "{}", of("ramping"));
    let total: f64 = ["constant", "ramping", "shared", "each", "rate"]
        .into_iter()
        .map(of)
        .sum();
    assert!((total - outcome.value("iterations", "count")).abs() < 0.5);
}
