//! From objectives to one outcome.

use super::*;

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
    // What was missed is said all the same.
    assert!(v.reason.contains("missed: p99: 150 ms"), "{}", v.reason);
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
fn a_verdict_survives_its_json() {
    let v = run(vec![p99(200.0), errors(0.01)]).verdict();
    let text = serde_json::to_string(&v).unwrap();
    let back: Verdict = serde_json::from_str(&text).unwrap();
    assert_eq!(back, v);
}

#[test]
fn the_reason_names_the_worst_failure() {
    let near = p99(149.0);
    let mut far = objective("far", "http_req_duration", Statistic::Med, 1.0);
    let reason = |objectives: Vec<Objective>| run(objectives).verdict().reason;
    assert!(reason(vec![near.clone(), far.clone()]).starts_with("far: "));
    // A key objective is worse than any other.
    far.key = false;
    let mut near = near;
    near.key = true;
    assert!(reason(vec![far, near]).starts_with("p99: "));
}
