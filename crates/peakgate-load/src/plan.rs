//! Load plans in k6's terms: scenarios, executors, stages; the planned curve and its plateau.

use std::time::Duration;

use serde::{Deserialize, Serialize};

mod curve;
mod k6_options;
mod rehearsal;

pub use curve::Plateau;
pub use k6_options::{PlanError, format_duration, parse_duration};

/// What load is to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LoadPlan {
    /// The scenarios, which run side by side.
    pub scenarios: Vec<Scenario>,
}

/// One k6 scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Scenario {
    /// Its name (`default` for the shortcut options).
    pub name: String,
    /// When it starts, from the start of the load.
    #[serde(with = "seconds")]
    #[schemars(with = "f64")]
    pub start_time: Duration,
    /// How long running iterations may go on past the end.
    #[serde(with = "seconds")]
    #[schemars(with = "f64")]
    pub graceful_stop: Duration,
    /// How it makes load.
    pub executor: Executor,
    /// k6 fields that the plan does not interpret: `exec`, `env`, `tags`, `options`.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub rest: serde_json::Map<String, serde_json::Value>,
}

/// k6's executors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "executor", rename_all = "kebab-case")]
pub enum Executor {
    /// A fixed number of iterations shared by the users.
    SharedIterations {
        /// Virtual users.
        vus: u64,
        /// Iterations in all.
        iterations: u64,
        /// The longest it may take.
        #[serde(with = "seconds")]
        #[schemars(with = "f64")]
        max_duration: Duration,
    },
    /// A fixed number of iterations for each user.
    PerVuIterations {
        /// Virtual users.
        vus: u64,
        /// Iterations for each.
        iterations: u64,
        /// The longest it may take.
        #[serde(with = "seconds")]
        #[schemars(with = "f64")]
        max_duration: Duration,
    },
    /// A fixed number of users.
    ConstantVus {
        /// Virtual users.
        vus: u64,
        /// For how long.
        #[serde(with = "seconds")]
        #[schemars(with = "f64")]
        duration: Duration,
    },
    /// A changing number of users.
    RampingVus {
        /// Users at the start.
        start_vus: u64,
        /// Linear ramps, one after the other.
        stages: Vec<Stage>,
        /// How long an iteration may go on when its user is ramped down.
        #[serde(with = "seconds")]
        #[schemars(with = "f64")]
        graceful_ramp_down: Duration,
    },
    /// A fixed rate of iteration starts (open model).
    ConstantArrivalRate {
        /// Iterations per time unit.
        rate: f64,
        /// The time unit.
        #[serde(with = "seconds")]
        #[schemars(with = "f64")]
        time_unit: Duration,
        /// For how long.
        #[serde(with = "seconds")]
        #[schemars(with = "f64")]
        duration: Duration,
        /// Users made ready before the start.
        pre_allocated_vus: u64,
        /// The most users.
        max_vus: u64,
    },
    /// A changing rate of iteration starts (open model).
    RampingArrivalRate {
        /// Iterations per time unit at the start.
        start_rate: f64,
        /// The time unit.
        #[serde(with = "seconds")]
        #[schemars(with = "f64")]
        time_unit: Duration,
        /// Linear ramps of the rate.
        stages: Vec<Stage>,
        /// Users made ready before the start.
        pre_allocated_vus: u64,
        /// The most users.
        max_vus: u64,
    },
}

/// One linear ramp.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Stage {
    /// How long the ramp takes; zero jumps.
    #[serde(with = "seconds")]
    #[schemars(with = "f64")]
    pub duration: Duration,
    /// Users, or iterations per time unit, at its end.
    pub target: f64,
}

impl Executor {
    /// k6's name of it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::SharedIterations { .. } => "shared-iterations",
            Self::PerVuIterations { .. } => "per-vu-iterations",
            Self::ConstantVus { .. } => "constant-vus",
            Self::RampingVus { .. } => "ramping-vus",
            Self::ConstantArrivalRate { .. } => "constant-arrival-rate",
            Self::RampingArrivalRate { .. } => "ramping-arrival-rate",
        }
    }

    /// Whether it starts iterations by the clock rather than by users becoming free.
    #[must_use]
    pub fn is_open_model(&self) -> bool {
        matches!(
            self,
            Self::ConstantArrivalRate { .. } | Self::RampingArrivalRate { .. }
        )
    }

    /// Whether it ends with its iterations rather than by the clock.
    #[must_use]
    pub fn ends_with_iterations(&self) -> bool {
        matches!(
            self,
            Self::SharedIterations { .. } | Self::PerVuIterations { .. }
        )
    }

    /// How long it runs by plan (at most, for those that end with their iterations), without
    /// graceful stop.
    #[must_use]
    pub fn duration(&self) -> Duration {
        match self {
            Self::SharedIterations { max_duration, .. }
            | Self::PerVuIterations { max_duration, .. } => *max_duration,
            Self::ConstantVus { duration, .. } | Self::ConstantArrivalRate { duration, .. } => {
                *duration
            }
            Self::RampingVus { stages, .. } | Self::RampingArrivalRate { stages, .. } => {
                stages.iter().map(|stage| stage.duration).sum()
            }
        }
    }
}

impl LoadPlan {
    /// From the first start to the last planned end, without graceful stop.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.scenarios
            .iter()
            .map(|s| s.start_time + s.executor.duration())
            .max()
            .unwrap_or_default()
    }

    /// The longest that a run of the plan can take: with every graceful stop.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.scenarios
            .iter()
            .map(|s| {
                let ramp_down = match &s.executor {
                    Executor::RampingVus {
                        graceful_ramp_down, ..
                    } => *graceful_ramp_down,
                    _ => Duration::ZERO,
                };
                s.start_time + s.executor.duration() + s.graceful_stop.max(ramp_down)
            })
            .max()
            .unwrap_or_default()
    }

    /// Whether its length is known: false when a scenario ends with its iterations.
    #[must_use]
    pub fn has_fixed_length(&self) -> bool {
        !self
            .scenarios
            .iter()
            .any(|s| s.executor.ends_with_iterations())
    }

    /// The most virtual users that can be active at once, by plan.
    #[must_use]
    pub fn max_vus(&self) -> u64 {
        self.scenarios
            .iter()
            .map(|s| match &s.executor {
                Executor::SharedIterations { vus, .. }
                | Executor::PerVuIterations { vus, .. }
                | Executor::ConstantVus { vus, .. } => *vus,
                Executor::RampingVus {
                    start_vus, stages, ..
                } => stages
                    .iter()
                    .map(|stage| curve::whole(stage.target))
                    .fold(*start_vus, u64::max),
                Executor::ConstantArrivalRate { max_vus, .. }
                | Executor::RampingArrivalRate { max_vus, .. } => *max_vus,
            })
            .sum()
    }

    /// The shape in words: `5m→500, 10m→500, 5m→0 virtual users`.
    #[must_use]
    pub fn describe(&self) -> String {
        let one = |s: &Scenario| match &s.executor {
            Executor::SharedIterations {
                vus, iterations, ..
            } => format!("{iterations} iterations shared by {vus} virtual users"),
            Executor::PerVuIterations {
                vus, iterations, ..
            } => format!("{iterations} iterations for each of {vus} virtual users"),
            Executor::ConstantVus { vus, duration } => {
                format!("{vus} virtual users for {}", format_duration(*duration))
            }
            Executor::RampingVus { stages, .. } => {
                format!("{} virtual users", curve::describe_stages(stages))
            }
            Executor::ConstantArrivalRate {
                rate,
                time_unit,
                duration,
                ..
            } => format!(
                "{rate} iterations per {} for {}",
                format_duration(*time_unit),
                format_duration(*duration)
            ),
            Executor::RampingArrivalRate {
                stages, time_unit, ..
            } => format!(
                "{} iterations per {}",
                curve::describe_stages(stages),
                format_duration(*time_unit)
            ),
        };
        match self.scenarios.as_slice() {
            [only] => one(only),
            many => many
                .iter()
                .map(|s| format!("{}: {}", s.name, one(s)))
                .collect::<Vec<_>>()
                .join("; "),
        }
    }
}

/// Durations as seconds in JSON.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(d: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_f64(d.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        /// Ten years: sums of such durations cannot overflow.
        const MOST: f64 = 10.0 * 366.0 * 86400.0;
        let seconds = f64::deserialize(d)?;
        if seconds > MOST {
            return Err(D::Error::custom(format!(
                "{seconds} s is longer than ten years"
            )));
        }
        Duration::try_from_secs_f64(seconds).map_err(D::Error::custom)
    }
}
