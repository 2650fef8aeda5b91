//! The live figures against k6's own account.

use peakgate_engine::{DEFAULT_TAGS, Live};
use peakgate_load::{Aggregate, ExitReason, Resolution};

use crate::support::{Bench, Outcome, target};

const MIXED: &str = "import http from 'k6/http';
    import { check, group, sleep } from 'k6';
    import { Counter, Gauge, Rate, Trend } from 'k6/metrics';
    const c = new Counter('my_counter'), g = new Gauge('my_gauge'), r = new Rate('my_rate'), t = new Trend('my_time', true);
    const at = `http://${__ENV.AT}`;
    export const options = { scenarios: {
      a: { executor: 'constant-vus', vus: 4, duration: '4s' },
      b: { executor: 'constant-arrival-rate', rate: 20, duration: '3s', startTime: '1s', preAllocatedVUs: 5, exec: 'b' } } };
    export function setup() { http.get(`${at}/ok`); sleep(1.2); return 1; }
    export default function () {
      group('pages', () => {
        check(http.get(`${at}/ok`), { 'is ok': (x) => x.status === 200 });
        http.get(`${at}/fail`, { tags: { name: 'the failing one' } });
      });
      c.add(3); g.add(__VU); r.add(__ITER % 4 === 0); t.add(5 + (__ITER % 7));
      sleep(0.02);
    }
    export function b() { http.get(`${at}/slow`); }
    export function teardown() { http.get(`${at}/ok`); sleep(0.3); }";

/// k6 counts the requests of setup() and teardown(), two of them; windows do not.
const HOOKS: f64 = 2.0;

async fn mixed(live: Live) -> Outcome {
    let mut bench = Bench::js(MIXED).env("AT", &target().await);
    bench.request.live = live;
    let outcome = bench.run().await;
    assert_eq!(outcome.account.exit, ExitReason::Completed, "{outcome:?}");
    assert_eq!(outcome.starts, 1);
    outcome
}

fn same_counts(outcome: &Outcome) {
    for (metric, hooks) in [
        ("http_reqs", HOOKS),
        ("iterations", 0.0),
        ("my_counter", 0.0),
    ] {
        let (live, own) = (outcome.sum(metric), outcome.value(metric, "count") - hooks);
        assert!(
            (live - own).abs() < 1e-6,
            "{metric}: {live} live, {own} by k6"
        );
        assert!(own > 50.0, "{metric}: {own}");
    }
    for (metric, hooks) in [
        ("http_req_duration", HOOKS),
        ("iteration_duration", 0.0),
        ("my_time", 0.0),
    ] {
        let own = outcome.value(metric, "count") - hooks;
        #[allow(clippy::cast_precision_loss)]
        let live = outcome.histogram(metric).count() as f64;
        assert!(
            (live - own).abs() < 0.5,
            "{metric}: {live} live, {own} by k6"
        );
    }
    let Some(Aggregate::Rate { hits, total }) = outcome.merged("http_req_failed", &[]) else {
        panic!("{:?}", outcome.series());
    };
    #[allow(clippy::cast_precision_loss)]
    let (hits, total) = (hits as f64, total as f64);
    assert!((hits - outcome.value("http_req_failed", "passes")).abs() < 0.5);
    let own =
        outcome.value("http_req_failed", "passes") + outcome.value("http_req_failed", "fails");
    assert!((total - (own - HOOKS)).abs() < 0.5, "{total} {own}");
}

fn same_quantiles(outcome: &Outcome, metric: &str, tolerance: f64) {
    for (p, statistic) in [(0.5, "p(50)"), (0.9, "p(90)"), (0.99, "p(99)")] {
        let live = outcome.histogram(metric).quantile(p).unwrap();
        let own = outcome.value(metric, statistic);
        // Half a microsecond on top, for values near zero.
        assert!(
            (live - own).abs() <= own * tolerance + 5e-4,
            "{statistic} of {metric}: {live} live, {own} by k6"
        );
    }
}

#[tokio::test]
async fn exact_windows_add_up_to_k6s_account() {
    let outcome = mixed(Live::Exact).await;
    assert_eq!(outcome.account.resolution, Live::Exact.resolution());
    assert_eq!(outcome.account.resolution, Resolution::Exact);
    same_counts(&outcome);
    // The hooks' two requests are in k6's quantiles of http_*; these have none.
    for metric in ["iteration_duration", "my_time"] {
        same_quantiles(&outcome, metric, 0.001);
    }
    let rate = outcome.merged("my_rate", &[]);
    let Some(Aggregate::Rate { hits, total }) = rate else {
        panic!("{rate:?}");
    };
    #[allow(clippy::cast_precision_loss)]
    let (hits, total) = (hits as f64, total as f64);
    let (passes, fails) = (
        outcome.value("my_rate", "passes"),
        outcome.value("my_rate", "fails"),
    );
    assert!((hits - passes).abs() < 0.5, "{hits} {passes}");
    assert!(
        (total - passes - fails).abs() < 0.5,
        "{total} {passes} {fails}"
    );
    // Windows are whole seconds from the end of setup(), in order, each once.
    let starts: Vec<_> = outcome
        .windows
        .iter()
        .map(|w| w.start.as_millis())
        .collect();
    assert!(starts.iter().all(|ms| ms % 1000 == 0), "{starts:?}");
    assert!(starts.windows(2).all(|w| w[0] < w[1]), "{starts:?}");
    // Scenario b started a second after the load, which is a second after setup() did.
    let first_b = outcome.windows.iter().find(|w| {
        w.series
            .keys()
            .any(|k| k.metric.as_str() == "http_reqs" && k.tags.get("scenario") == Some("b"))
    });
    assert_eq!(first_b.unwrap().start.as_secs(), 1);
    assert!(outcome.windows.iter().all(|w| w.lost == Default::default()));
    let readings = outcome
        .windows
        .iter()
        .filter(|w| w.generator.is_some())
        .count();
    assert!(readings >= 2, "{readings} readings");
    assert!(
        (3.9..8.0).contains(&outcome.account.load_seconds),
        "{:?}",
        outcome.account
    );
}

#[tokio::test]
async fn exact_series_keep_the_default_tags() {
    let outcome = mixed(Live::Exact).await;
    for window in &outcome.windows {
        for key in window.series.keys() {
            for (tag, _) in key.tags.iter() {
                assert!(DEFAULT_TAGS.contains(&tag), "{key}");
            }
        }
    }
    let wanted = [
        ("name", "the failing one"),
        ("group", "::pages"),
        ("status", "500"),
        ("method", "GET"),
        ("expected_response", "false"),
        ("scenario", "a"),
    ];
    assert!(
        outcome.merged("http_reqs", &wanted).is_some(),
        "{:?}",
        outcome.series()
    );
    assert!(outcome.merged("checks", &[("check", "is ok")]).is_some());
    assert!(outcome.merged("vus", &[]).is_some());
}

#[tokio::test]
async fn light_windows_add_up_to_k6s_account() {
    let outcome = mixed(Live::Light).await;
    let resolution = outcome.account.resolution;
    assert_eq!(resolution, Live::Light.resolution());
    assert_eq!(resolution, Resolution::Relative { error: 0.044 });
    same_counts(&outcome);
    for metric in ["iteration_duration", "my_time"] {
        same_quantiles(&outcome, metric, 0.0443);
    }
    // Other rates cannot be had by window; the account has them.
    assert!(outcome.merged("my_rate", &[]).is_none());
    assert!(outcome.value("my_rate", "rate") > 0.0);
    let ends: Vec<_> = outcome
        .windows
        .iter()
        .map(|w| (w.start, w.start + w.length))
        .collect();
    assert!(ends.windows(2).all(|w| w[0].1 <= w[1].0), "{ends:?}");
    assert!(ends.len() >= 4, "{ends:?}");
    assert!(outcome.windows.iter().all(|w| w.lost == Default::default()));
    assert!(
        (3.9..8.0).contains(&outcome.account.load_seconds),
        "{:?}",
        outcome.account
    );
}

#[tokio::test]
async fn series_beyond_the_limit_are_folded() {
    let mut bench = Bench::js(
        "import { Counter } from 'k6/metrics'; const c = new Counter('my_counter');
         export const options = { iterations: 200 };
         export default function () { c.add(1, { name: 'n' + __ITER }); }",
    );
    bench.request.max_series = 20;
    let outcome = bench.run().await;
    assert!((outcome.sum("my_counter") - 200.0).abs() < 1e-6);
    let folded: u64 = outcome.windows.iter().map(|w| w.lost.folded).sum();
    assert!((180..=200 + 20).contains(&folded), "{folded}");
    let series = outcome.series();
    assert!(
        series.contains_key("my_counter{name:(other)}"),
        "{series:?}"
    );
    assert!(series.len() <= 30, "{series:?}");
}
