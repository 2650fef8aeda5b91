//! The promise itself, against arbitrary runs.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// The promise itself: whatever happens, a release is let through only by a whole run with a
    /// valid load in which every judged objective was measured, enough, and held.
    #[test]
    fn never_a_silent_green(
        limit in prop_oneof![Just(f64::NAN), Just(f64::INFINITY), 0.0..300.0_f64],
        latency in prop_oneof![Just(f64::NAN), Just(f64::INFINITY), 1.0..300.0_f64],
        per_second in 0_usize..60,
        failed in 0_u64..60,
        seconds in 0_usize..45,
        exit in 0_usize..6,
        cpu in prop_oneof![Just(f64::NAN), 0.0..1.2_f64],
        exceptions in 0_u64..500,
        dropped in 0.0..100.0_f64,
        coarse in any::<bool>(),
    ) {
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
        ][exit].clone();
        r.generator = Some((cpu, 1.0));
        r.exceptions = exceptions;
        r.dropped = dropped;
        if coarse { r.resolution = Resolution::Relative { error: 0.044 }; }
        let v = r.verdict();
        if v.verdict.releases() {
            prop_assert_eq!(exit, 0);
            prop_assert!(cpu <= 0.9);
            prop_assert!(v.load.valid);
            prop_assert!(seconds >= 38);
            for o in &v.objectives {
                prop_assert!(o.samples >= 100);
                let value = o.value.unwrap();
                prop_assert!(value.is_finite() && value <= o.limit.unwrap());
            }
            prop_assert!(latency <= limit * 1.001);
        }
    }
}
