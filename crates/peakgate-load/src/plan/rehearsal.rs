//! Rehearsals: the same shape in less time.

use std::time::Duration;

use super::{Executor, LoadPlan, Stage};

impl LoadPlan {
    /// The plan compressed (or stretched) so that its planned duration becomes `total`: every
    /// start, stage, duration and grace scales by one factor; levels stay. Scenarios that end with
    /// their iterations keep them and only get a shorter limit of time.
    #[must_use]
    pub fn rehearsed(&self, total: Duration) -> Self {
        let planned = self.duration().as_secs_f64();
        if planned <= 0.0 {
            return self.clone();
        }
        let factor = total.as_secs_f64() / planned;
        // Whole milliseconds: k6 prints and parses those exactly.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let scale =
            |d: Duration| Duration::from_millis((d.as_secs_f64() * factor * 1000.0).round() as u64);
        // A second at least, so that requests in flight at the end are still counted.
        let grace = |d: Duration| d.min(scale(d).max(Duration::from_secs(1)));
        let ramps = |stages: &[Stage]| {
            stages
                .iter()
                .map(|s| Stage {
                    duration: scale(s.duration),
                    target: s.target,
                })
                .collect::<Vec<_>>()
        };
        let mut plan = self.clone();
        for scenario in &mut plan.scenarios {
            scenario.start_time = scale(scenario.start_time);
            scenario.graceful_stop = grace(scenario.graceful_stop);
            match &mut scenario.executor {
                Executor::SharedIterations { max_duration, .. }
                | Executor::PerVuIterations { max_duration, .. } => {
                    *max_duration = scale(*max_duration).max(Duration::from_secs(1));
                }
                Executor::ConstantVus { duration, .. }
                | Executor::ConstantArrivalRate { duration, .. } => {
                    *duration = scale(*duration).max(Duration::from_secs(1));
                }
                Executor::RampingVus {
                    stages,
                    graceful_ramp_down,
                    ..
                } => {
                    *stages = ramps(stages);
                    *graceful_ramp_down = grace(*graceful_ramp_down);
                }
                Executor::RampingArrivalRate { stages, .. } => *stages = ramps(stages),
            }
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Scenario;

    #[test]
    fn the_shape_stays() {
        let plan = LoadPlan {
            scenarios: vec![Scenario {
                name: "default".into(),
                start_time: Duration::ZERO,
                graceful_stop: Duration::from_secs(30),
                executor: Executor::RampingVus {
                    start_vus: 1,
                    stages: [(300, 500.0), (600, 500.0), (300, 0.0)]
                        .map(|(s, target)| Stage {
                            duration: Duration::from_secs(s),
                            target,
                        })
                        .to_vec(),
                    graceful_ramp_down: Duration::from_secs(30),
                },
                rest: serde_json::Map::new(),
            }],
        };
        let short = plan.rehearsed(Duration::from_secs(20));
        assert_eq!(short.duration(), Duration::from_secs(20));
        let p = short.plateau().unwrap();
        assert_eq!(
            (p.from, p.to),
            (Duration::from_secs(5), Duration::from_secs(15))
        );
        assert_eq!(short.max_vus(), 500);
        assert_eq!(short.scenarios[0].graceful_stop, Duration::from_secs(1));
    }
}
