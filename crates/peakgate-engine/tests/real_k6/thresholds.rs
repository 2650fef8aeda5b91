//! The script's thresholds beside the gate's probes of the same metrics.

use std::collections::BTreeSet;

use peakgate_engine::Probe;
use peakgate_load::{ExitReason, LogNote};

use crate::support::{Bench, Outcome};

fn probe(metric: &str, tags: &[(&str, &str)], statistic: &str) -> Probe {
    Probe {
        metric: metric.into(),
        tags: tags
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect(),
        statistic: statistic.into(),
    }
}

/// Runs a script with these thresholds, and with probes of the very same sub-metrics.
async fn run(thresholds: &str) -> Outcome {
    run_for("1s", thresholds).await
}

async fn run_for(duration: &str, thresholds: &str) -> Outcome {
    let mut bench = Bench::js(&format!(
        "import {{ sleep }} from 'k6'; import {{ Counter, Rate, Trend }} from 'k6/metrics';
         const t = new Trend('my_trend'), c = new Counter('my_counter'), r = new Rate('my_rate');
         new Trend('idle_trend'); new Counter('idle_counter'); new Rate('idle_rate');
         export const options = {{ vus: 1, duration: '{duration}', thresholds: {{ {thresholds} }} }};
         export default function () {{
           t.add(5, {{ kind: 'a', part: 'b' }}); c.add(1); r.add(true); sleep(0.1);
         }}"
    ));
    bench.request.keep_tags = ["kind", "part"].map(String::from).into_iter().collect();
    bench.request.probes = vec![
        probe("my_trend", &[], "p(99)"),
        probe("my_trend", &[("kind", "a")], "p(99)"),
        probe("my_trend", &[("kind", "a"), ("part", "b")], "avg"),
        probe("my_counter", &[], "count"),
    ];
    let outcome = bench.run().await;
    // Whatever the script calls a sub-metric, ours is found by our name.
    for name in [
        "my_trend",
        "my_trend{kind:a}",
        "my_trend{kind:a,part:b}",
        "my_counter",
    ] {
        assert!(outcome.value(name, "count") > 0.0, "{outcome:?}");
    }
    let ours = |t: &peakgate_load::ThresholdAccount| t.expression.ends_with("-1e300");
    assert!(!outcome.account.thresholds.iter().any(ours), "{outcome:?}");
    outcome
}

fn failed(outcome: &Outcome) -> BTreeSet<&str> {
    let all = outcome.account.thresholds.iter();
    all.filter(|t| !t.ok)
        .map(|t| t.expression.as_str())
        .collect()
}

/// However a script writes the name of a sub-metric, its failed thresholds are told of. k6 itself
/// heeds only one of two names for a sub-metric, the script's or ours, by chance.
#[tokio::test]
async fn failed_thresholds_are_told_of_under_any_name() {
    for name in [
        r"my_trend{ kind:a }",
        r#"my_trend{kind:"a"}"#,
        r"my_trend{ kind : \'a\' }",
        r#"my_trend{ part:"b", kind:a }"#,
        r"my_trend{part:b,kind:a}",
    ] {
        let outcome = run(&format!("'{name}': ['p(95)<1', ' max < 2', 'min>0']")).await;
        assert_eq!(outcome.account.exit_code, Some(99), "{name}: {outcome:?}");
        assert_eq!(outcome.account.exit, ExitReason::ThresholdsFailed, "{name}");
        assert_eq!(
            failed(&outcome),
            [" max < 2", "p(95)<1"].into_iter().collect(),
            "{name}: {outcome:?}"
        );
        assert_eq!(outcome.account.thresholds.len(), 3, "{outcome:?}");
    }
}

/// Two names of the script's own for one sub-metric: k6 alone would drop the thresholds of one.
#[tokio::test]
async fn two_names_for_one_sub_metric_both_count() {
    let outcome = run(
        r#"'my_trend{part:b}': ['p(95)<1'], 'my_trend{ part:"b" }': ['max<2'],
           'my_rate': [{ threshold: 'rate<0.5' }], my_counter: ['count<1']"#,
    )
    .await;
    assert_eq!(outcome.account.exit, ExitReason::ThresholdsFailed);
    assert_eq!(
        failed(&outcome),
        ["count<1", "max<2", "p(95)<1", "rate<0.5"]
            .into_iter()
            .collect(),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_threshold_that_aborts_does_so_under_any_name() {
    // k6 looks at thresholds every two seconds.
    let outcome = run_for(
        "30s",
        r#"'my_trend{ kind:"a" }': [{ threshold: 'max<2', abortOnFail: true }]"#,
    )
    .await;
    assert_eq!(outcome.account.exit, ExitReason::ThresholdAborted);
    assert_eq!(failed(&outcome), ["max<2"].into_iter().collect());
}

/// A probe of ours that is no number makes k6 exit with 99, too.
#[tokio::test]
async fn a_failed_probe_is_no_failed_threshold() {
    let mut bench = Bench::js(
        "import { Trend } from 'k6/metrics'; const t = new Trend('my_trend');
         export const options = { iterations: 3, thresholds: { iterations: ['count==3'] } };
         export default function () { t.add(Infinity); t.add(-Infinity); }",
    );
    bench.request.probes = vec![probe("my_trend", &[], "avg")];
    let outcome = bench.run().await;
    assert_eq!(outcome.account.exit_code, Some(99), "{outcome:?}");
    assert_eq!(outcome.account.exit, ExitReason::Completed, "{outcome:?}");
    assert_eq!(outcome.account.thresholds.len(), 1);
}

#[tokio::test]
async fn thresholds_that_had_no_samples_are_told_of() {
    let outcome = run(
        "'my_trend{ kind:none }': ['p(95)<1'], idle_trend: ['max<1'], idle_counter: ['count<1'],
         idle_rate: ['rate<0.1'], my_rate: ['rate>0.5'], my_trend: ['max<9'], my_counter: ['count>0']",
    )
    .await;
    assert_eq!(outcome.account.exit, ExitReason::Completed, "{outcome:?}");
    let told = |n: &&LogNote| n.message.contains("had no samples");
    let notes: Vec<_> = outcome.account.notes.iter().filter(told).collect();
    assert!(notes.iter().all(|n| n.level == "warning"), "{notes:?}");
    let notes: BTreeSet<_> = notes.iter().map(|n| n.message.as_str()).collect();
    let expected = [
        ("p(95)<1", "my_trend{kind:none}"),
        ("max<1", "idle_trend"),
        ("count<1", "idle_counter"),
        ("rate<0.1", "idle_rate"),
    ]
    .map(|(expression, metric)| {
        format!(
            "the script's threshold '{expression}' on {metric} had no samples: k6 calls it held"
        )
    });
    assert_eq!(notes, expected.iter().map(String::as_str).collect());
}
