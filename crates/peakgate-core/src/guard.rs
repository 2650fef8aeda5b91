//! Watching a run in progress: safety valves, and objectives that can no longer be met.

mod lost;
mod valve;

use std::time::Duration;

use peakgate_load::{StopCause, Window};
use peakgate_policy::settings::{Policy, Test};

use crate::judge::Planned;

pub use valve::ValveState;

/// Watches the windows of a run and says when to stop it.
#[derive(Debug)]
pub struct Guard {
    valves: Vec<valve::ValveWatch>,
    lost: Vec<lost::LostWatch>,
}

impl Guard {
    /// A guard for one run of a test.
    #[must_use]
    pub fn new(policy: &Policy, test: &Test, planned: &Planned, resolution: f64) -> Self {
        let lost = if policy.safety.stop_when_lost {
            test.objectives
                .iter()
                .filter_map(|o| lost::LostWatch::new(policy, o, planned, resolution))
                .collect()
        } else {
            Vec::new()
        };
        Self {
            valves: policy
                .safety
                .valves
                .iter()
                .cloned()
                .map(valve::ValveWatch::new)
                .collect(),
            lost,
        }
    }

    /// Looks at a window; says why to stop, if so.
    pub fn observe(&mut self, window: &Window) -> Option<StopCause> {
        let mut cause = None;
        for valve in &mut self.valves {
            if let Some(why) = valve.observe(window) {
                cause.get_or_insert(StopCause::Valve(why));
            }
        }
        for lost in &mut self.lost {
            if let Some(why) = lost.observe(window) {
                cause.get_or_insert(StopCause::Lost(why));
            }
        }
        cause
    }

    /// How the valves stand, for a progress display.
    #[must_use]
    pub fn valves(&self) -> Vec<ValveState> {
        self.valves.iter().map(valve::ValveWatch::state).collect()
    }
}

fn middle(window: &Window) -> Duration {
    window.start + window.length / 2
}
