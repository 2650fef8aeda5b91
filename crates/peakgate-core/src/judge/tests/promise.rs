//! The promise itself, against arbitrary runs.

use std::cell::Cell;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestRunner};

use super::*;

/// Mostly what is in order, so that runs with one or two faults are frequent.
fn mostly<T: Clone + std::fmt::Debug + 'static>(
    good: T,
    any: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = T> {
    prop_oneof![5 => Just(good), 1 => any]
}

/// Whatever happens, a release is let through only by a whole run with a valid load in which
/// every judged objective was measured, enough, and held.
#[test]
fn never_a_silent_green() {
    let odd = || prop_oneof![Just(f64::NAN), Just(f64::INFINITY), 1.0..300.0_f64];
    let figures = (
        mostly(200.0, odd()),
        mostly(100.0, odd()),
        mostly(50_usize, 0_usize..60),
        mostly(0_u64, 0_u64..60),
        mostly(40_usize, 0_usize..45),
        mostly(0_usize, 0_usize..6),
    );
    let faults = (
        mostly(0.2, prop_oneof![Just(f64::NAN), 0.0..1.2_f64]),
        mostly(0_u64, 0_u64..500),
        mostly(0.0, 0.0..100.0_f64),
        any::<bool>(),
        mostly(0_u8, 0_u8..8),
        0_u8..8,
    );
    let released = Cell::new(0);
    let config = Config {
        cases: 1500,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&(figures, faults), |(figures, faults)| {
            let (limit, latency, per_second, failed, seconds, exit) = figures;
            let (cpu, exceptions, dropped, coarse, hidden, shape) = faults;
            let mut r = run(vec![p99(limit), errors(0.5)]);
            let failed = failed.min(per_second as u64);
            r.seconds = vec![vec![("GET /a", vec![latency; per_second], failed)]; seconds];
            r.exit = [
                ExitReason::Completed,
                ExitReason::Crashed(String::new()),
                ExitReason::Stopped(StopCause::Interrupted(String::new())),
                ExitReason::ThresholdsFailed,
                ExitReason::StreamBroken(String::new()),
                ExitReason::AbortedByScript(String::new()),
            ][exit]
                .clone();
            r.generator = Some((cpu, 1.0));
            r.exceptions = exceptions;
            r.dropped = dropped;
            if coarse {
                r.resolution = Resolution::Relative { error: 0.044 };
            }
            let (no_generator, no_users, few_users) =
                (hidden & 1 != 0, hidden & 2 != 0, hidden & 4 != 0);
            if no_generator {
                r.generator = None;
            }
            r.hide_vus = no_users;
            if few_users {
                r.most_vus = Some(2.0);
            }
            let (each, scored, waived) = (shape & 1 != 0, shape & 2 != 0, shape & 4 != 0);
            let first = &mut r.policy.tests["peak"].objectives[0];
            if each {
                first.each = Some("name".into());
            }
            if waived {
                first.waiver = Some(Waiver {
                    ceiling: 250.0,
                    reason: "r".into(),
                    owner: "o".into(),
                    expires: jiff::civil::date(2026, 12, 1),
                    position: Position::default(),
                });
            }
            first.key = scored;
            if scored {
                r.policy.score = Some(Score {
                    pass: 0.4,
                    warn: 0.2,
                });
            }
            let v = r.verdict();
            if v.verdict.releases() {
                released.set(released.get() + 1);
                prop_assert_eq!(exit, 0);
                prop_assert!(cpu <= 0.9);
                prop_assert!(v.load.valid);
                prop_assert!(seconds >= 38);
                prop_assert!(!no_generator && !no_users && !few_users);
                for o in &v.objectives {
                    // A score may excuse what is no key objective; nothing excuses what was not measured.
                    let excused = scored && !o.key;
                    prop_assert!(o.samples >= 100);
                    let value = o.value.unwrap();
                    prop_assert!(value.is_finite());
                    let allowed = if waived && o.waiver.is_some() {
                        prop_assert!(v.verdict == Outcome::Warn || value <= o.limit.unwrap());
                        o.limit.unwrap().max(250.0)
                    } else {
                        o.limit.unwrap()
                    };
                    prop_assert!(excused || value <= allowed, "{value} {allowed}");
                }
            }
            Ok(())
        })
        .unwrap();
    // A promise that is never put to the test would be kept, too.
    assert!(
        released.get() > 100,
        "only {} runs were let through",
        released.get()
    );
}
