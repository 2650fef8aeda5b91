//! Scripts of all kinds, and what they see.

use std::time::Duration;

use peakgate_engine::{EngineError, LoadPlanOverride, Probe};
use peakgate_load::{Executor, ExitReason, LoadPlan, Scenario};

use crate::support::{Bench, Outcome, read, target};

fn completed(outcome: &Outcome) {
    assert_eq!(outcome.account.exit, ExitReason::Completed, "{outcome:?}");
    assert_eq!(outcome.starts, 1);
}

/// Every form of module runs its iterations, wherever the file lies.
#[tokio::test]
async fn forms_of_scripts() {
    for (name, script, iterations) in [
        ("plain.js", "export default function () {}", 1.0),
        // k6 takes one user for granted.
        ("no users.js", "export const options = { iterations: 3 }; export default function () {}", 3.0),
        (
            "with space %20 é/exec only.js",
            "export const options = { scenarios: { a: { executor: 'per-vu-iterations', vus: 1, iterations: 2, exec: 'foo' } } };
             export function foo() { console.log('foo ran'); }",
            2.0,
        ),
        (
            "cjs.js",
            "const { sleep } = require('k6');
             module.exports = { options: { vus: 2, iterations: 3 },
               setup: function () { return { a: 1 }; },
               default: function (d) { if (d.a !== 1) throw new Error('no data'); sleep(0.01); } };",
            3.0,
        ),
        (
            "typed.ts",
            "interface A { x: number }
             export const options: any = { vus: 1, iterations: 4 };
             export async function setup(): Promise<A> { return { x: 3 } }
             export default async function (d: A): Promise<void> {
               await Promise.resolve(); if (d.x !== 3) throw new Error('no data'); }",
            4.0,
        ),
    ] {
        let outcome = Bench::new(name, script).run().await;
        completed(&outcome);
        assert_eq!(outcome.account.iteration_exceptions, 0, "{name}: {outcome:?}");
        assert!((outcome.value("iterations", "count") - iterations).abs() < 0.5, "{name}");
        assert!((outcome.sum("iterations") - iterations).abs() < 0.5, "{name}");
    }
}

#[tokio::test]
async fn files_hooks_and_the_scripts_own_summary() {
    let bench = Bench::js(
        "import { SharedArray } from 'k6/data';
         import { sleep } from 'k6';
         const text = open('./data.txt');
         const list = new SharedArray('s', () => JSON.parse('[1,2,3]'));
         export const options = { iterations: 2, summaryTrendStats: ['avg', 'p(42)'],
           thresholds: { iterations: [{ threshold: 'count>1', abortOnFail: true }], 'http_reqs{name:x}': ['count<1'] } };
         export function setup() { sleep(0.3); return { seen: text.trim() }; }
         export default function (d) { console.log('iteration ' + d.seen + list.length); }
         export function teardown(d) { console.log('teardown ' + d.seen); }
         export function handleSummary(data) {
           return { stdout: 'MY SUMMARY ' + Object.keys(data.metrics.iteration_duration.values).includes('p(42)'),
                    [__ENV.OUT]: 'mine' };
         }",
    );
    std::fs::write(bench.dir.path().join("data.txt"), "hello\n").unwrap();
    let mine = bench.dir.path().join("mine.txt");
    let bench = bench.env("OUT", &mine.display());
    let outcome = bench.run().await;
    completed(&outcome);
    let log = bench.log();
    for text in ["iteration hello3", "teardown hello", "MY SUMMARY true"] {
        assert!(log.contains(text), "{text}: {log}");
    }
    assert_eq!(read(&mine), "mine");
    assert!(!log.contains("peakgate-"), "{log}");
    // Only the script's own thresholds, with their results.
    let thresholds: Vec<_> = outcome
        .account
        .thresholds
        .iter()
        .map(|t| (t.metric.as_str(), t.expression.as_str(), t.ok))
        .collect();
    assert_eq!(thresholds.len(), 2, "{thresholds:?}");
    assert!(thresholds.contains(&("iterations", "count>1", true)));
    // setup() is not load.
    assert!(outcome.account.load_seconds < 0.25, "{:?}", outcome.account);
    let values = &outcome.metric("iteration_duration").values;
    for statistic in ["avg", "p(42)", "min", "max", "p(99.9)", "count"] {
        assert!(values.contains_key(statistic), "{values:?}");
    }
}

#[tokio::test]
async fn a_summary_that_throws_costs_nothing() {
    let bench = Bench::js(
        "export default function () {}
         export function handleSummary() { throw new Error('broken summary'); }",
    );
    let outcome = bench.run().await;
    completed(&outcome);
    assert!((outcome.value("iterations", "count") - 1.0).abs() < 0.5);
    let told = |n: &peakgate_load::LogNote| n.message.contains("broken summary");
    assert!(outcome.account.notes.iter().any(told), "{outcome:?}");
}

#[tokio::test]
async fn the_script_sees_its_environment_and_no_more() {
    let bench = Bench::js(
        "export const options = { iterations: 1, thresholds: JSON.parse(__ENV.LIMITS) };
         export default function () { console.log('KEYS ' + Object.keys(__ENV).sort()); }",
    );
    let mut bench = bench
        .env("LIMITS", r#"{"iterations":["count>0"]}"#)
        .env("A_TOKEN", "s3cret");
    for live in [peakgate_engine::Live::Exact, peakgate_engine::Live::Light] {
        bench.request.live = live;
        let outcome = bench.run().await;
        assert_eq!(outcome.account.exit, ExitReason::Completed, "{outcome:?}");
        let log = bench.log();
        assert!(log.contains("KEYS A_TOKEN,LIMITS\""), "{log}");
    }
    // Nor are values written to files; and no pipe is left, which would hang whoever opened it.
    for file in std::fs::read_dir(&bench.request.scratch).unwrap().flatten() {
        assert!(file.file_type().unwrap().is_file(), "{file:?}");
        let text = std::fs::read(file.path()).unwrap();
        assert!(
            !String::from_utf8_lossy(&text).contains("s3cret"),
            "{file:?}"
        );
    }
}

#[tokio::test]
async fn tags_system_tags_and_replaced_load() {
    let address = target().await;
    let mut bench = Bench::js(
        "import http from 'k6/http';
         export const options = { vus: 50, duration: '10m', systemTags: ['status'], tags: { a: 'script', b: 'script' } };
         export default function () { http.get(`http://${__ENV.AT}/ok`); }",
    )
    .env("AT", &address);
    bench.request.tags = vec![("a".into(), "gate".into())];
    bench.request.keep_tags = ["a", "b", "url"].map(String::from).into();
    bench.request.load = Some(LoadPlanOverride {
        plan: LoadPlan {
            scenarios: vec![Scenario {
                name: "default".into(),
                start_time: Duration::ZERO,
                graceful_stop: Duration::from_secs(5),
                executor: Executor::SharedIterations {
                    vus: 2,
                    iterations: 6,
                    max_duration: Duration::from_secs(20),
                },
                rest: serde_json::Map::new(),
            }],
        },
    });
    let prepared = bench.prepare().await.unwrap();
    assert_eq!(prepared.plan.max_vus(), 2);
    let outcome = bench.run().await;
    completed(&outcome);
    let series = outcome.series();
    let url = format!("http://{address}/ok");
    let key = format!(
        "http_reqs{{a:gate,b:script,expected_response:true,method:GET,name:{url},scenario:default,status:200,url:{url}}}"
    );
    assert_eq!(series.get(&key), Some(&6), "{series:?}");
}

#[tokio::test]
async fn rehearsals_compress_the_plan() {
    let mut bench = Bench::js(
        "import { sleep } from 'k6';
         export const options = { scenarios: {
           up: { executor: 'ramping-vus', stages: [{ duration: '5m', target: 4 }, { duration: '5m', target: 4 }] } } };
         export default function () { sleep(0.05); }",
    );
    bench.request.rehearsal = Some(Duration::from_secs(2));
    let prepared = bench.prepare().await.unwrap();
    assert_eq!(prepared.full_plan.duration(), Duration::from_secs(600));
    assert_eq!(prepared.plan.duration(), Duration::from_secs(2));
    let outcome = bench.run().await;
    completed(&outcome);
    let seconds = outcome.account.load_seconds;
    assert!((1.9..6.0).contains(&seconds), "{seconds}");
}

async fn refused(script: &str) -> EngineError {
    Bench::js(script).prepare().await.unwrap_err()
}

#[tokio::test]
async fn scripts_that_cannot_be_run_are_refused_with_k6s_words() {
    for (script, words) in [
        ("throw new Error('at load');", "at load"),
        ("export default function( {", "Unexpected"),
        (
            "import './nope.js'; export default function () {}",
            "nope.js",
        ),
        (
            "export const options = { vus: 'x' }; export default function () {}",
            "invalid syntax",
        ),
        (
            "export const options = { scenarios: { a: { executor: 'constant-vus', vuss: 1 } } }; export default function () {}",
            "vuss",
        ),
    ] {
        let error = refused(script).await;
        let text = error.to_string();
        assert!(matches!(error, EngineError::Script(_)), "{text}");
        assert!(
            text.contains(words) && !text.contains("\"level\""),
            "{text}"
        );
    }
    let mut bench = Bench::js("");
    bench.request.script = "/no/such/script.js".into();
    let error = bench.prepare().await.unwrap_err().to_string();
    assert!(error.contains("/no/such/script.js"), "{error}");
    let bench = Bench::js("export default function () {}").env("K6_VUS", "3");
    assert!(bench.prepare().await.is_err());
}

#[tokio::test]
async fn probes_find_unknown_metrics_and_fit_known_ones() {
    let mut bench = Bench::js(
        "import { Gauge, Trend, Counter, Rate } from 'k6/metrics';
         const g = new Gauge('my_gauge'), t = new Trend('my_trend'), c = new Counter('my_counter'), r = new Rate('my_rate');
         export const options = { iterations: 1 };
         export default function () { g.add(-3); t.add(-7, { kind: 'x' }); t.add(9); c.add(2); r.add(true); }",
    );
    let probe = |metric: &str, statistic: &str, tags: &[(&str, &str)]| Probe {
        metric: metric.into(),
        tags: tags
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect(),
        statistic: statistic.into(),
    };
    bench.request.probes = vec![
        probe("my_gauge", "max", &[]),
        probe("my_trend", "count", &[("kind", "x")]),
        probe("my_trend", "p(97)", &[]),
        probe("my_counter", "rate", &[]),
        probe("my_rate", "rate", &[("a", "b,c")]),
        probe("http_req_duration", "count", &[("name", "${}/x?y=z:1")]),
        probe("vus", "max", &[]),
    ];
    let outcome = bench.run().await;
    completed(&outcome);
    assert!((outcome.value("my_trend{kind:x}", "p(99)") + 7.0).abs() < 1e-9);
    assert!((outcome.value("my_trend{kind:x}", "count") - 1.0).abs() < 1e-9);
    assert!(outcome.metric("my_trend").values.contains_key("p(97)"));
    assert!((outcome.value("my_gauge", "value") + 3.0).abs() < 1e-9);
    let _ = outcome.metric("http_req_duration{name:${}/x?y=z:1}");
    assert!(outcome.account.thresholds.is_empty(), "{outcome:?}");
    // The one that k6 cannot say is not left out in silence.
    let told = |n: &peakgate_load::LogNote| {
        n.level == "warning" && n.message.contains("rate my_rate where a=b,c")
    };
    assert!(outcome.account.notes.iter().any(told), "{outcome:?}");

    bench.request.probes.push(probe("my_typo", "rate", &[]));
    let error = bench.prepare().await.unwrap_err();
    assert!(matches!(error, EngineError::UnknownMetric(_)), "{error}");
    assert!(error.to_string().contains("my_typo"), "{error}");
}
