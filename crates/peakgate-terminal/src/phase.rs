//! Which phase of the planned load a time falls in.

use std::time::Duration;

use peakgate_load::LoadPlan;

/// Changes below this share of the level are rounding.
const FLAT: f64 = 1e-9;

/// The phase in words: `ramping up`, `plateau`, `ramping down`, `steady` (level, but not at the
/// highest level), `waiting` (no scenario has started), `running` (the plan ends with its
/// iterations), `graceful stop` (past the planned end).
#[must_use]
pub fn phase(plan: &LoadPlan, at: Duration) -> String {
    word(plan, at).to_owned()
}

fn word(plan: &LoadPlan, at: Duration) -> &'static str {
    let end = plan.duration();
    if at >= end {
        return "graceful stop";
    }
    if !plan.has_fixed_length() {
        return "running";
    }
    if plan.plateau().is_some_and(|p| p.from <= at && at < p.to) {
        return "plateau";
    }
    // Within a stage the level is linear, so a short look ahead tells where it goes.
    let ahead = (at + Duration::from_millis(100)).min(end.saturating_sub(Duration::from_millis(1)));
    let slope = slope(plan.vus_at(at), plan.vus_at(ahead))
        + slope(plan.arrivals_at(at), plan.arrivals_at(ahead));
    if slope > FLAT {
        "ramping up"
    } else if slope < -FLAT {
        "ramping down"
    } else if plan.vus_at(at) > 0.0 || plan.arrivals_at(at) > 0.0 {
        "steady"
    } else {
        "waiting"
    }
}

/// The change as a share of the higher level, so that users and arrivals can be added up.
fn slope(from: f64, to: f64) -> f64 {
    let high = from.max(to);
    if high > 0.0 { (to - from) / high } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peakgate_load::{Executor, Scenario, Stage};

    fn plan(start: u64, executor: Executor) -> LoadPlan {
        LoadPlan {
            scenarios: vec![Scenario {
                name: "default".into(),
                start_time: Duration::from_secs(start),
                graceful_stop: Duration::from_secs(30),
                executor,
                rest: Default::default(),
            }],
        }
    }

    fn stages(stages: &[(u64, f64)]) -> Vec<Stage> {
        stages
            .iter()
            .map(|&(s, target)| Stage {
                duration: Duration::from_secs(s),
                target,
            })
            .collect()
    }

    fn at(plan: &LoadPlan, seconds: u64) -> String {
        phase(plan, Duration::from_secs(seconds))
    }

    #[test]
    fn a_spike_goes_through_all_phases() {
        let spike = plan(
            10,
            Executor::RampingVus {
                start_vus: 0,
                stages: stages(&[
                    (60, 50.0),
                    (60, 50.0),
                    (60, 1000.0),
                    (300, 1000.0),
                    (60, 50.0),
                    (60, 0.0),
                ]),
                graceful_ramp_down: Duration::ZERO,
            },
        );
        let seen: Vec<String> = [5, 40, 100, 150, 300, 520, 580, 610, 700]
            .iter()
            .map(|&s| at(&spike, s))
            .collect();
        assert_eq!(
            seen,
            [
                "waiting",
                "ramping up",
                "steady",
                "ramping up",
                "plateau",
                "ramping down",
                "ramping down",
                "graceful stop",
                "graceful stop"
            ]
        );
    }

    #[test]
    fn arrivals_and_iterations() {
        let open = plan(
            0,
            Executor::RampingArrivalRate {
                start_rate: 0.0,
                time_unit: Duration::from_secs(1),
                stages: stages(&[(14_400, 1.0), (60, 1.0)]),
                pre_allocated_vus: 1,
                max_vus: 1,
            },
        );
        assert_eq!(at(&open, 12_900), "ramping up", "however slowly");
        assert_eq!(at(&open, 14_401), "plateau");
        let shared = plan(
            0,
            Executor::SharedIterations {
                vus: 1,
                iterations: 5,
                max_duration: Duration::from_secs(60),
            },
        );
        assert_eq!(at(&shared, 5), "running");
        assert_eq!(at(&shared, 60), "graceful stop");
    }
}
