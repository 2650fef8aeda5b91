//! The planned curve: how many users, or iterations per second, at a time; and its plateau.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Executor, LoadPlan, Scenario, Stage, format_duration, seconds};

/// The stretch of the plan at its highest level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Plateau {
    /// Start, from the start of the load.
    #[serde(with = "seconds")]
    #[schemars(with = "f64")]
    pub from: Duration,
    /// End, from the start of the load.
    #[serde(with = "seconds")]
    #[schemars(with = "f64")]
    pub to: Duration,
    /// How it was found, in words.
    pub how: String,
}

/// Levels this close to the highest count as near it when the plan never holds its highest level.
const NEAR: f64 = 0.9;

/// A hold of the highest level that is shorter than this share of the stretch near it is a spike.
const SHORT: f64 = 0.2;

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn whole(target: f64) -> u64 {
    target.max(0.0).round() as u64
}

pub(super) fn describe_stages(stages: &[Stage]) -> String {
    stages
        .iter()
        .map(|s| format!("{}→{}", format_duration(s.duration), s.target))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A piecewise linear curve as (time in seconds, level) points; two points at one time are a jump.
fn points(scenario: &Scenario) -> Vec<(f64, f64)> {
    let start = scenario.start_time.as_secs_f64();
    let end = start + scenario.executor.duration().as_secs_f64();
    let flat = |level: f64| vec![(start, 0.0), (start, level), (end, level), (end, 0.0)];
    let ramps = |from: f64, stages: &[Stage], per_second: f64| {
        let mut at = start;
        let mut out = vec![(start, 0.0), (start, from * per_second)];
        for stage in stages {
            at += stage.duration.as_secs_f64();
            out.push((at, stage.target * per_second));
        }
        out.push((at, 0.0));
        out
    };
    #[allow(clippy::cast_precision_loss)]
    match &scenario.executor {
        Executor::SharedIterations { vus, .. }
        | Executor::PerVuIterations { vus, .. }
        | Executor::ConstantVus { vus, .. } => flat(*vus as f64),
        Executor::RampingVus {
            start_vus, stages, ..
        } => ramps(*start_vus as f64, stages, 1.0),
        Executor::ConstantArrivalRate {
            rate, time_unit, ..
        } => flat(rate / time_unit.as_secs_f64()),
        Executor::RampingArrivalRate {
            start_rate,
            time_unit,
            stages,
            ..
        } => ramps(*start_rate, stages, 1.0 / time_unit.as_secs_f64()),
    }
}

/// The level at a time, right-continuous.
fn level(points: &[(f64, f64)], at: f64) -> f64 {
    let after = points.partition_point(|(t, _)| *t <= at);
    match (after.checked_sub(1).map(|i| points[i]), points.get(after)) {
        (Some((t0, y0)), Some((t1, y1))) if *t1 > t0 => y0 + (y1 - y0) * (at - t0) / (t1 - t0),
        _ => 0.0,
    }
}

/// The area under a curve between two times.
fn area(points: &[(f64, f64)], from: f64, to: f64) -> f64 {
    points
        .windows(2)
        .map(|pair| {
            let ((t0, _), (t1, _)) = (pair[0], pair[1]);
            let (a, b) = (t0.max(from), t1.min(to));
            if b <= a || t1 <= t0 {
                return 0.0;
            }
            let y = |t: f64| pair[0].1 + (pair[1].1 - pair[0].1) * (t - t0) / (t1 - t0);
            (y(a) + y(b)) / 2.0 * (b - a)
        })
        .sum()
}

impl LoadPlan {
    fn curves(&self, open: bool) -> Vec<Vec<(f64, f64)>> {
        self.scenarios
            .iter()
            .filter(|s| s.executor.is_open_model() == open)
            .map(points)
            .collect()
    }

    /// Planned virtual users at a time; 0 for scenarios that start iterations by the clock.
    #[must_use]
    pub fn vus_at(&self, at: Duration) -> f64 {
        let at = at.as_secs_f64();
        self.curves(false).iter().map(|c| level(c, at)).sum()
    }

    /// Planned iteration starts per second at a time, over the open-model scenarios.
    #[must_use]
    pub fn arrivals_at(&self, at: Duration) -> f64 {
        let at = at.as_secs_f64();
        self.curves(true).iter().map(|c| level(c, at)).sum()
    }

    /// Planned iteration starts between two times, over the open-model scenarios.
    #[must_use]
    pub fn arrivals_between(&self, from: Duration, to: Duration) -> f64 {
        let (from, to) = (from.as_secs_f64(), to.as_secs_f64());
        self.curves(true).iter().map(|c| area(c, from, to)).sum()
    }

    /// The mean of the planned virtual users between two times, over the closed-model scenarios.
    #[must_use]
    pub fn mean_vus_between(&self, from: Duration, to: Duration) -> f64 {
        let (from, to) = (from.as_secs_f64(), to.as_secs_f64());
        if to <= from {
            return 0.0;
        }
        let sum: f64 = self.curves(false).iter().map(|c| area(c, from, to)).sum();
        sum / (to - from)
    }

    /// Whether any scenario starts iterations by the clock.
    #[must_use]
    pub fn has_arrivals(&self) -> bool {
        self.scenarios.iter().any(|s| s.executor.is_open_model())
    }

    /// The plateau: the longest stretch at the highest planned level, or, where the plan never
    /// holds it, the longest stretch within 10 % of it. Found from the plan, never from the data.
    ///
    /// `None` when the plan has no load or its length depends on its iterations.
    #[must_use]
    pub fn plateau(&self) -> Option<Plateau> {
        if !self.has_fixed_length() {
            return None;
        }
        // Users and arrivals are different units: each is measured against its own peak.
        let groups = [self.curves(false), self.curves(true)];
        let mut breaks: Vec<f64> = groups.iter().flatten().flatten().map(|(t, _)| *t).collect();
        breaks.sort_by(f64::total_cmp);
        breaks.dedup();
        let peaks: Vec<f64> = groups
            .iter()
            .map(|curves| {
                breaks
                    .iter()
                    .flat_map(|&t| {
                        let right: f64 = curves.iter().map(|c| level(c, t)).sum();
                        let left: f64 = curves.iter().map(|c| level(c, t - 1e-9)).sum();
                        [right, left]
                    })
                    .fold(0.0, f64::max)
            })
            .collect();
        let relative = |at: f64| {
            let mut shares = groups
                .iter()
                .zip(&peaks)
                .filter(|(_, peak)| **peak > 0.0)
                .map(|(curves, peak)| curves.iter().map(|c| level(c, at)).sum::<f64>() / peak);
            let n = shares.clone().count();
            if n == 0 {
                return 0.0;
            }
            #[allow(clippy::cast_precision_loss)]
            let n = n as f64;
            shares.by_ref().sum::<f64>() / n
        };
        // Between two breaks the level is linear: its ends tell everything.
        let pieces: Vec<(f64, f64, f64, f64)> = breaks
            .windows(2)
            .filter(|w| w[1] - w[0] > 1e-6)
            .map(|w| (w[0], w[1], relative(w[0]), relative(w[1] - 1e-9)))
            .collect();
        let top = pieces.iter().fold(0.0_f64, |m, p| m.max(p.2).max(p.3));
        if top <= 0.0 {
            return None;
        }
        let flat =
            longest(pieces.iter().filter_map(|&(a, b, ya, yb)| {
                (ya > top - 1e-6 && yb > top - 1e-6).then_some((a, b))
            }));
        let near = longest(
            pieces
                .iter()
                .filter_map(|&(a, b, ya, yb)| above(a, b, ya, yb, top * NEAR)),
        )?;
        let (found, how) = match flat {
            // A short peak on top of a long hold is not what the test is about.
            Some(flat) if flat.1 - flat.0 >= (near.1 - near.0) * SHORT => {
                (flat, "the longest stretch at the highest planned level")
            }
            Some(_) => (
                near,
                "the highest planned level is held only briefly: the longest stretch within 10 % \
                 of it",
            ),
            None => (
                near,
                "the plan never holds its highest level: the longest stretch within 10 % of it",
            ),
        };
        let at = |s: f64| Duration::from_millis(whole(s * 1000.0));
        Some(Plateau {
            from: at(found.0),
            to: at(found.1),
            how: how.to_owned(),
        })
    }
}

/// The part of a linear piece that lies at or above a level.
fn above(a: f64, b: f64, ya: f64, yb: f64, limit: f64) -> Option<(f64, f64)> {
    match (ya >= limit, yb >= limit) {
        (true, true) => Some((a, b)),
        (false, false) => None,
        (rising, _) => {
            let cross = a + (b - a) * (limit - ya) / (yb - ya);
            Some(if rising { (a, cross) } else { (cross, b) })
        }
    }
}

/// Joins touching stretches and returns the longest (the first of equals).
fn longest(stretches: impl Iterator<Item = (f64, f64)>) -> Option<(f64, f64)> {
    let mut joined: Vec<(f64, f64)> = Vec::new();
    for (a, b) in stretches {
        match joined.last_mut() {
            Some(last) if a - last.1 < 1e-6 => last.1 = b,
            _ => joined.push((a, b)),
        }
    }
    joined
        .into_iter()
        .fold(None, |best: Option<(f64, f64)>, s| match best {
            Some(b) if s.1 - s.0 <= b.1 - b.0 + 1e-6 => Some(b),
            _ => Some(s),
        })
}

#[cfg(test)]
mod tests {
    use super::super::parse_duration;
    use super::*;

    fn ramping(stages: &[(&str, f64)]) -> LoadPlan {
        LoadPlan {
            scenarios: vec![Scenario {
                name: "default".into(),
                start_time: Duration::ZERO,
                graceful_stop: Duration::from_secs(30),
                executor: Executor::RampingVus {
                    start_vus: 1,
                    stages: stages
                        .iter()
                        .map(|(d, target)| Stage {
                            duration: parse_duration(d).unwrap(),
                            target: *target,
                        })
                        .collect(),
                    graceful_ramp_down: Duration::from_secs(30),
                },
                rest: serde_json::Map::new(),
            }],
        }
    }

    fn plateau(plan: &LoadPlan) -> (u64, u64) {
        let p = plan.plateau().unwrap();
        (p.from.as_secs(), p.to.as_secs())
    }

    #[test]
    fn plateau_of_the_five_reference_shapes() {
        let min = 60;
        let peak = ramping(&[("5m", 500.0), ("10m", 500.0), ("5m", 0.0)]);
        assert_eq!(plateau(&peak), (5 * min, 15 * min));
        let spike = ramping(&[
            ("2m", 50.0),
            ("2m", 1000.0),
            ("5m", 1000.0),
            ("2m", 50.0),
            ("2m", 0.0),
        ]);
        assert_eq!(plateau(&spike), (4 * min, 9 * min));
        let soak = ramping(&[("5m", 200.0), ("3h45m", 200.0), ("10m", 0.0)]);
        assert_eq!(plateau(&soak), (5 * min, 230 * min));
        // Never flat: the last ramp's end and the first of the way down.
        let stress = ramping(&[
            ("5m", 500.0),
            ("5m", 1000.0),
            ("5m", 1500.0),
            ("5m", 2000.0),
            ("5m", 0.0),
        ]);
        assert_eq!(plateau(&stress), (18 * min, 20 * min + 30));
        assert_eq!(stress.max_vus(), 2000);
    }

    #[test]
    fn a_brief_spike_on_a_long_hold_is_no_plateau() {
        let plan = ramping(&[("0s", 100.0), ("30m", 100.0), ("0s", 105.0), ("1s", 105.0)]);
        assert_eq!(plateau(&plan), (0, 1801));
    }

    #[test]
    fn a_jump_makes_a_plateau_at_once() {
        let plan = ramping(&[("0s", 10.0), ("3s", 10.0)]);
        assert_eq!(plateau(&plan), (0, 3));
        assert_eq!(plan.vus_at(Duration::from_secs(1)), 10.0);
        assert_eq!(plan.vus_at(Duration::from_secs(4)), 0.0);
    }

    #[test]
    fn no_load_has_no_plateau() {
        assert_eq!(LoadPlan { scenarios: vec![] }.plateau(), None);
    }

    #[test]
    fn arrivals_are_the_area_under_the_rate() {
        let plan = LoadPlan {
            scenarios: vec![Scenario {
                name: "a".into(),
                start_time: Duration::from_secs(10),
                graceful_stop: Duration::ZERO,
                executor: Executor::RampingArrivalRate {
                    start_rate: 0.0,
                    time_unit: Duration::from_secs(60),
                    stages: vec![
                        Stage {
                            duration: Duration::from_secs(60),
                            target: 120.0,
                        },
                        Stage {
                            duration: Duration::from_secs(60),
                            target: 120.0,
                        },
                    ],
                    pre_allocated_vus: 1,
                    max_vus: 1,
                },
                rest: serde_json::Map::new(),
            }],
        };
        let all = plan.arrivals_between(Duration::ZERO, Duration::from_secs(1000));
        assert!((all - 180.0).abs() < 1e-6, "{all}");
        assert_eq!(plateau(&plan), (70, 130));
        assert_eq!(plan.arrivals_at(Duration::from_secs(40)), 1.0);
    }
}
