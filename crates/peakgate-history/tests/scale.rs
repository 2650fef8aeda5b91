//! Ten thousand runs: `cargo test --release -p peakgate-history --test scale -- --ignored --nocapture`.

// The lint knows test functions only, not their helpers.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant};

use common::run;
use peakgate_history::{
    BaselineChoice, BaselineQuery, History, PassedQuery, RunFilter, Subject, Verdict,
};

const LIMIT: Duration = Duration::from_millis(50);

#[test]
#[ignore = "a measurement; wants an optimised build"]
fn ten_thousand_runs_are_looked_up_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let history = History::open(&path).unwrap();
    let verdict_json = format!("{{\"notes\":\"{}\"}}", "a verdict document. ".repeat(500));
    let evidence = (0..20_000)
        .map(|i| format!("{},", i * i))
        .collect::<String>();
    let start = Instant::now();
    for i in 0..10_000 {
        // The one passed run of the test `rare` is the oldest of its kind: the worst case.
        let passed = i % 3 == 0 && i % 2 == 0 || i == 1;
        let mut record = run(i, if passed { Verdict::Pass } else { Verdict::Fail });
        record.test = if i % 2 == 0 { "peak" } else { "rare" }.to_owned();
        record.verdict_json.clone_from(&verdict_json);
        record.evidence_json = (i % 10 == 0).then(|| evidence.clone());
        record.objectives = (0..20)
            .map(|n| common::objective(&format!("objective-{n}"), Some(1.5), Verdict::Pass))
            .collect();
        history.finish(&record).unwrap();
    }
    drop(history);
    println!(
        "10,000 runs written in {:.1?}, file {} MiB",
        start.elapsed(),
        std::fs::metadata(&path).unwrap().len() >> 20
    );

    let query = |test: &str, choice| BaselineQuery {
        service: "leads".to_owned(),
        test: test.to_owned(),
        environment: "staging".to_owned(),
        rehearsal: false,
        except: None,
        choice,
    };
    // Each in a connection of its own, as a command of its own would be.
    let measure = |what: &str, call: &dyn Fn(&History) -> usize| {
        let start = Instant::now();
        let history = History::open(&path).unwrap();
        let opened = start.elapsed();
        let found = call(&history);
        let total = start.elapsed();
        println!("{what}: {found} found, {total:.2?} with opening ({opened:.2?})");
        assert!(total < LIMIT, "{what}: {total:?}");
        found
    };
    let list = |filter: RunFilter| move |h: &History| h.list(&filter).unwrap().len();
    let filter = RunFilter::default;
    let newest = list(RunFilter {
        limit: Some(50),
        ..filter()
    });
    assert_eq!(measure("list, newest 50", &newest), 50);
    assert_eq!(measure("list, all", &list(filter())), 10_000);
    let some = RunFilter {
        test: Some("rare".to_owned()),
        limit: Some(20),
        ..filter()
    };
    assert_eq!(measure("list, one test", &list(some)), 20);
    let other = RunFilter {
        environment: Some("prod".to_owned()),
        ..filter()
    };
    assert_eq!(measure("list, nothing fits", &list(other)), 0);
    for (what, test, choice, wanted) in [
        ("baseline, last", "peak", BaselineChoice::LastPassed, 1),
        (
            "baseline, last 10",
            "peak",
            BaselineChoice::LastPassedN(10),
            10,
        ),
        (
            "baseline, the oldest",
            "rare",
            BaselineChoice::LastPassed,
            1,
        ),
        (
            "baseline, a release",
            "peak",
            BaselineChoice::Release("v1.6.0".to_owned()),
            1,
        ),
        (
            "baseline, none",
            "peak",
            BaselineChoice::Release("v9".to_owned()),
            0,
        ),
    ] {
        let query = query(test, choice);
        assert_eq!(
            measure(what, &|h| h.baseline(&query).unwrap().len()),
            wanted
        );
    }
    let passed = PassedQuery {
        service: "leads".to_owned(),
        test: "peak".to_owned(),
        environment: None,
        subject: Subject::Commit(format!("{:040x}", 6)),
    };
    measure("passed", &|h| {
        usize::from(h.passed(&passed).unwrap().is_some())
    });
    measure("last request rate", &|h| {
        usize::from(h.last_request_rate("leads", "peak").unwrap().is_some())
    });
}
