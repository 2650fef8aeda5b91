//! What is written down is what is read back, and the right runs are chosen.

// The lint knows test functions only, not their helpers.
#![allow(clippy::unwrap_used)]

mod common;

use common::{at, objective, run, start_of};
use jiff::{SignedDuration, Timestamp};
use peakgate_history::{
    BaselineChoice, BaselineQuery, History, HistoryError, PassedQuery, Prune, RunFilter, RunId,
    RunRecord, RunState, Subject, Verdict,
};

fn open() -> (tempfile::TempDir, History) {
    let folder = tempfile::tempdir().unwrap();
    let history = History::open(folder.path().join("deep/er/history.db")).unwrap();
    (folder, history)
}

fn ids(history: &History, filter: &RunFilter) -> Vec<RunId> {
    let runs = history.list(filter).unwrap();
    runs.iter().map(|run| run.run_id).collect()
}

fn query(choice: BaselineChoice) -> BaselineQuery {
    BaselineQuery {
        service: "leads".to_owned(),
        test: "peak".to_owned(),
        environment: "staging".to_owned(),
        rehearsal: false,
        except: None,
        choice,
    }
}

fn baseline(history: &History, query: &BaselineQuery) -> Vec<RunId> {
    let runs = history.baseline(query).unwrap();
    runs.iter().map(|run| run.summary.run_id).collect()
}

#[test]
fn a_run_comes_back_as_it_was_written() {
    let (_folder, history) = open();
    let mut record = run(0, Verdict::Warn);
    record.partial = true;
    record.waived = true;
    record.rehearsal_seconds = Some(30.5);
    record.objectives[0].samples = u64::from(u32::MAX) * 1000;
    record
        .objectives
        .push(objective("never", None, Verdict::Inconclusive));
    record
        .objectives
        .push(objective("nan", Some(f64::NAN), Verdict::Inconclusive));
    record.objectives[0].limit = None;
    history.begin(&start_of(&record)).unwrap();
    history.finish(&record).unwrap();

    let detail = history.show(&record.run_id.to_string()).unwrap();
    let summary = &detail.summary;
    assert_eq!(summary.run_id, record.run_id);
    assert_eq!(summary.service, record.service);
    assert_eq!(summary.test, record.test);
    assert_eq!(summary.environment, record.environment);
    assert_eq!(summary.release, record.release);
    assert_eq!(summary.commit, record.commit);
    assert_eq!(summary.started_at, record.started_at);
    assert_eq!(summary.finished_at, Some(record.finished_at));
    assert_eq!(summary.state, RunState::Finished(Verdict::Warn));
    assert_eq!(summary.reason.as_deref(), Some(record.reason.as_str()));
    assert_eq!(summary.rehearsal_seconds, Some(30.5));
    assert!(summary.partial && summary.waived);
    assert_eq!(summary.engine, Some(("k6".to_owned(), "1.1.0".to_owned())));
    assert_eq!(summary.request_rate, Some(41.5));
    assert_eq!(summary.invalidated, None);
    record.objectives[3].value = None;
    assert_eq!(detail.objectives, record.objectives);
    assert_eq!(detail.verdict_json.as_ref(), Some(&record.verdict_json));
    assert!(detail.has_evidence);
    let evidence = history.evidence(&record.run_id.to_string()).unwrap();
    assert_eq!(evidence, record.evidence_json);
    assert_eq!(
        history.list(&RunFilter::default()).unwrap(),
        [detail.summary]
    );
    history.check().unwrap();
}

#[test]
fn a_begun_run_is_running_until_its_process_or_its_time_is_over() {
    let (_folder, history) = open();
    let record = run(0, Verdict::Pass);
    let mut start = start_of(&record);
    history.begin(&start).unwrap();
    let state = |id: RunId| history.show(&id.to_string()).unwrap().summary.state;
    assert_eq!(state(record.run_id), RunState::Running);
    let detail = history.show(&record.run_id.to_string()).unwrap();
    assert!(detail.objectives.is_empty() && detail.verdict_json.is_none());

    start.run_id = RunId::generate();
    start.deadline = Timestamp::now() - SignedDuration::from_secs(1);
    history.begin(&start).unwrap();
    assert_eq!(state(start.run_id), RunState::Interrupted);

    // A late result still counts.
    history.finish(&record).unwrap();
    assert_eq!(state(record.run_id), RunState::Finished(Verdict::Pass));
    // Beginning again does not reopen it.
    history.begin(&start_of(&record)).unwrap();
    assert_eq!(state(record.run_id), RunState::Finished(Verdict::Pass));
}

#[test]
fn a_result_is_final() {
    let (_folder, history) = open();
    let mut record = run(0, Verdict::Fail);
    history.finish(&record).unwrap();
    history
        .invalidate(&record.run_id.to_string(), "wrong target")
        .unwrap();
    history.finish(&record).unwrap();
    record.verdict = Verdict::Pass;
    let refusal = history.finish(&record).unwrap_err();
    assert!(
        matches!(refusal, HistoryError::AlreadyFinished { run_id } if run_id == record.run_id),
        "{refusal}"
    );
    let summary = history.show(&record.run_id.to_string()).unwrap().summary;
    assert_eq!(summary.state, RunState::Finished(Verdict::Fail));
    assert_eq!(summary.invalidated.unwrap().reason, "wrong target");

    let mut twins = run(1, Verdict::Pass);
    twins.objectives[1].id = "p99".to_owned();
    let refusal = history.finish(&twins).unwrap_err();
    assert!(refusal.to_string().contains("`p99`"), "{refusal}");
    assert_eq!(ids(&history, &RunFilter::default()), [record.run_id]);
}

#[test]
fn lists_filter_and_start_with_the_newest() {
    let (_folder, history) = open();
    let mut runs: Vec<RunRecord> = [3, 1, 2].map(|m| run(m, Verdict::Pass)).into();
    runs[1].test = "soak".to_owned();
    runs[2].service = "billing".to_owned();
    for record in &runs {
        history.finish(record).unwrap();
    }
    let [newest, oldest, middle] = [0, 1, 2].map(|i: usize| runs[i].run_id);
    let filter = RunFilter::default;
    assert_eq!(ids(&history, &filter()), [newest, middle, oldest]);
    let text = |t: &str| Some(t.to_owned());
    let cases = [
        (
            RunFilter {
                limit: Some(2),
                ..filter()
            },
            vec![newest, middle],
        ),
        (
            RunFilter {
                limit: Some(0),
                ..filter()
            },
            vec![],
        ),
        (
            RunFilter {
                test: text("peak"),
                ..filter()
            },
            vec![newest, middle],
        ),
        (
            RunFilter {
                service: text("leads"),
                ..filter()
            },
            vec![newest, oldest],
        ),
        (
            RunFilter {
                service: text("leads"),
                test: text("soak"),
                ..filter()
            },
            vec![oldest],
        ),
        (
            RunFilter {
                environment: text("prod"),
                ..filter()
            },
            vec![],
        ),
        (
            RunFilter {
                release: text("v1.2.0"),
                ..filter()
            },
            vec![middle],
        ),
        (
            RunFilter {
                commit: runs[0].commit.clone(),
                ..filter()
            },
            vec![newest],
        ),
    ];
    for (filter, wanted) in cases {
        assert_eq!(ids(&history, &filter), wanted, "{filter:?}");
    }
}

#[test]
fn a_run_is_found_by_its_beginning_or_end() {
    let (_folder, history) = open();
    let mut records = [run(0, Verdict::Pass), run(1, Verdict::Pass)];
    records[0].run_id = RunId::from_parts(at(0), [1; 10]);
    records[1].run_id = RunId::from_parts(at(0), [2; 10]);
    for record in &records {
        history.finish(record).unwrap();
    }
    let [a, b] = [records[0].run_id, records[1].run_id];
    let found = |name: &str| history.show(name).map(|detail| detail.summary.run_id);
    assert_eq!(found(&a.to_string()).unwrap(), a);
    assert_eq!(found(&b.short()).unwrap(), b);
    assert_eq!(found(&b.to_string()[..17].to_uppercase()).unwrap(), b);
    match found(&a.to_string()[..8]).unwrap_err() {
        HistoryError::Ambiguous {
            candidates, more, ..
        } => {
            assert_eq!(candidates, [b, a]);
            assert!(!more);
        }
        other => panic!("{other}"),
    }
    assert!(matches!(found("ffff"), Err(HistoryError::NotFound { .. })));
    for bad in ["", "abc", "%%%%", "' OR 1=1 --", "wxyz"] {
        assert!(
            matches!(found(bad), Err(HistoryError::BadName { .. })),
            "{bad}"
        );
    }
}

#[test]
fn only_runs_that_stand_are_baselines() {
    let (_folder, history) = open();
    let good = run(0, Verdict::Pass);
    let warned = run(1, Verdict::Warn);
    history.finish(&good).unwrap();
    history.finish(&warned).unwrap();
    let mut bad: Vec<RunRecord> = [Verdict::Fail, Verdict::Inconclusive, Verdict::Error]
        .into_iter()
        .map(|verdict| run(10, verdict))
        .collect();
    let mut add = |change: fn(&mut RunRecord)| {
        let mut record = run(11, Verdict::Pass);
        change(&mut record);
        bad.push(record);
    };
    add(|r| r.partial = true);
    add(|r| r.waived = true);
    add(|r| r.environment = "prod".to_owned());
    add(|r| r.test = "soak".to_owned());
    add(|r| r.service = "billing".to_owned());
    for record in &bad {
        history.finish(record).unwrap();
    }
    history.begin(&start_of(&run(12, Verdict::Pass))).unwrap();
    let void = run(13, Verdict::Pass);
    history.finish(&void).unwrap();
    history
        .invalidate(&void.run_id.to_string(), "the database was down")
        .unwrap();
    let mut rehearsal = run(14, Verdict::Pass);
    rehearsal.rehearsal_seconds = Some(20.0);
    history.finish(&rehearsal).unwrap();

    use BaselineChoice::{LastPassed, LastPassedN, Release};
    let ask = |choice| baseline(&history, &query(choice));
    assert_eq!(ask(LastPassed), [warned.run_id]);
    assert_eq!(ask(LastPassedN(5)), [warned.run_id, good.run_id]);
    assert_eq!(ask(Release("v1.0.0".to_owned())), [good.run_id]);
    assert_eq!(ask(Release("v1.10.0".to_owned())), []);
    let mut rehearsals = query(LastPassedN(9));
    rehearsals.rehearsal = true;
    assert_eq!(baseline(&history, &rehearsals), [rehearsal.run_id]);
    let mut others = query(LastPassed);
    others.except = Some(warned.run_id);
    assert_eq!(baseline(&history, &others), [good.run_id]);

    let found = history.baseline(&query(LastPassed)).unwrap();
    assert_eq!(found[0].objectives, warned.objectives);
}

#[test]
fn a_pass_is_proven_by_commit_or_release() {
    let (_folder, history) = open();
    let mut record = run(1, Verdict::Pass);
    record.waived = true;
    let failed = run(2, Verdict::Fail);
    let mut rehearsal = run(3, Verdict::Pass);
    rehearsal.rehearsal_seconds = Some(20.0);
    for record in [&record, &failed, &rehearsal] {
        history.finish(record).unwrap();
    }
    let ask = |subject, environment: Option<&str>| {
        let query = PassedQuery {
            service: "leads".to_owned(),
            test: "peak".to_owned(),
            environment: environment.map(str::to_owned),
            subject,
        };
        history.passed(&query).unwrap().map(|run| run.run_id)
    };
    let commit = |record: &RunRecord| Subject::Commit(record.commit.clone().unwrap());
    assert_eq!(ask(commit(&record), None), Some(record.run_id));
    let release = || Subject::Release("v1.1.0".to_owned());
    assert_eq!(ask(release(), Some("staging")), Some(record.run_id));
    assert_eq!(ask(release(), Some("prod")), None);
    assert_eq!(ask(commit(&failed), None), None);
    assert_eq!(ask(commit(&rehearsal), None), None);
    history.invalidate(&record.run_id.short(), "void").unwrap();
    assert_eq!(ask(commit(&record), None), None);
}

#[test]
fn comparing_pairs_objectives_by_name() {
    let (_folder, history) = open();
    let mut a = run(0, Verdict::Pass);
    let mut b = run(1, Verdict::Pass);
    a.objectives = vec![
        objective("zero", Some(0.0), Verdict::Pass),
        objective("p99", Some(800.0), Verdict::Pass),
        objective("gone", Some(1.0), Verdict::Pass),
    ];
    b.objectives = vec![
        objective("new", None, Verdict::Inconclusive),
        objective("p99", Some(1000.0), Verdict::Pass),
        objective("zero", Some(2.0), Verdict::Pass),
    ];
    history.finish(&a).unwrap();
    history.finish(&b).unwrap();
    let found = history
        .compare(&a.run_id.short(), &b.run_id.short())
        .unwrap();
    let shown: Vec<_> = found
        .objectives
        .iter()
        .map(|o| (o.id.as_str(), o.change(), o.relative_change()))
        .collect();
    assert_eq!(
        shown,
        [
            ("zero", Some(2.0), None),
            ("p99", Some(200.0), Some(0.25)),
            ("gone", None, None),
            ("new", None, None),
        ]
    );
    assert_eq!((found.a.run_id, found.b.run_id), (a.run_id, b.run_id));
}

#[test]
fn the_last_request_rate_is_the_newest_known() {
    let (_folder, history) = open();
    let mut records: Vec<RunRecord> = (0..3).map(|m| run(m, Verdict::Fail)).collect();
    records[0].request_rate = Some(10.0);
    records[1].request_rate = Some(20.0);
    records[2].request_rate = None;
    for record in &records {
        history.finish(record).unwrap();
    }
    assert_eq!(
        history.last_request_rate("leads", "peak").unwrap(),
        Some(20.0)
    );
    assert_eq!(history.last_request_rate("leads", "soak").unwrap(), None);
}

#[test]
fn pruning_keeps_the_newest_and_the_next_baseline() {
    let (_folder, history) = open();
    let passed = run(0, Verdict::Pass);
    let mut rehearsal = run(1, Verdict::Pass);
    rehearsal.rehearsal_seconds = Some(20.0);
    let older = run(-5, Verdict::Pass);
    let failed: Vec<RunRecord> = (2..8).map(|m| run(m, Verdict::Fail)).collect();
    for record in [&passed, &rehearsal, &older].into_iter().chain(&failed) {
        history.finish(record).unwrap();
    }
    history.begin(&start_of(&run(-9, Verdict::Pass))).unwrap();
    let all = ids(&history, &RunFilter::default());
    assert_eq!(history.prune(&Prune::default()).unwrap().removed, []);

    let mut rule = Prune {
        keep_last: Some(2),
        dry_run: true,
        ..Prune::default()
    };
    let told = history.prune(&rule).unwrap();
    assert_eq!(ids(&history, &RunFilter::default()), all);
    rule.dry_run = false;
    assert_eq!(history.prune(&rule).unwrap(), told);
    assert_eq!(told.spared, [rehearsal.run_id, passed.run_id]);
    assert_eq!(told.removed.len(), 5);
    assert!(told.removed.contains(&older.run_id));
    let left = ids(&history, &RunFilter::default());
    // Two newest, two spared, one under way.
    assert_eq!(left.len(), 5);
    assert_eq!(left[..2], [failed[5].run_id, failed[4].run_id]);
    history.check().unwrap();
    assert!(
        history
            .evidence(&passed.run_id.to_string())
            .unwrap()
            .is_some()
    );

    // Both rules must name a run.
    let both = Prune {
        keep_last: Some(0),
        older_than: Some(at(7)),
        ..Prune::default()
    };
    assert_eq!(history.prune(&both).unwrap().removed, [failed[4].run_id]);
    let force = Prune {
        keep_last: Some(0),
        force: true,
        ..Prune::default()
    };
    assert_eq!(history.prune(&force).unwrap().removed.len(), 3);
    assert_eq!(ids(&history, &RunFilter::default()).len(), 1);
}
