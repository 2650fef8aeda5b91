//! Safety valves: a condition on a sliding window that must hold without a break.

use std::collections::VecDeque;
use std::time::Duration;

use peakgate_load::{Aggregate, Window};
use peakgate_policy::settings::{Direction, Statistic, Valve};

use crate::format;
use crate::verdict::UnitName;

/// How a valve stands.
#[derive(Debug, Clone, PartialEq)]
pub struct ValveState {
    /// Its id.
    pub id: String,
    /// The latest value in words; `–` before any.
    pub value: String,
    /// How long the condition has held, and how long it must: `None` while it does not hold.
    pub holding: Option<(Duration, Duration)>,
}

#[derive(Debug)]
pub(super) struct ValveWatch {
    valve: Valve,
    recent: VecDeque<(Duration, Duration, Aggregate)>,
    since: Option<Duration>,
    last: Option<(Duration, f64)>,
}

impl ValveWatch {
    pub(super) fn new(valve: Valve) -> Self {
        Self {
            valve,
            recent: VecDeque::new(),
            since: None,
            last: None,
        }
    }

    /// Adds a window; says why to stop when the condition has held for long enough.
    pub(super) fn observe(&mut self, window: &Window) -> Option<String> {
        let end = window.start + window.length;
        let mut sum: Option<Aggregate> = None;
        for (key, data) in &window.series {
            if key.metric == self.valve.metric && self.valve.select.matches(&key.tags) {
                match &mut sum {
                    None => sum = Some(data.clone()),
                    // Mixed types cannot be judged: what disagrees is left out.
                    Some(sum) => {
                        let _ = sum.merge(data);
                    }
                }
            }
        }
        if let Some(data) = sum {
            self.recent.push_back((window.start, window.length, data));
        }
        let oldest = end.saturating_sub(self.valve.within.max(window.length));
        while self.recent.front().is_some_and(|(at, ..)| *at < oldest) {
            self.recent.pop_front();
        }
        // Without samples the condition is unknown: it neither holds nor breaks.
        let value = self.value()?;
        self.last = Some((end, value));
        let over = match self.valve.direction {
            Direction::AtMost => value > self.valve.threshold,
            Direction::AtLeast => value < self.valve.threshold,
        };
        if !over {
            self.since = None;
            return None;
        }
        let since = *self.since.get_or_insert(window.start);
        (end.saturating_sub(since) >= self.valve.hold).then(|| self.sentence(value, end - since))
    }

    #[allow(clippy::cast_precision_loss)]
    fn value(&self) -> Option<f64> {
        let mut all: Option<Aggregate> = None;
        let mut seconds = 0.0;
        for (_, length, data) in &self.recent {
            seconds += length.as_secs_f64();
            match &mut all {
                None => all = Some(data.clone()),
                Some(all) => {
                    let _ = all.merge(data);
                }
            }
        }
        let all = all?;
        if all.samples() < self.valve.min_samples.max(1) {
            return None;
        }
        match (self.valve.statistic, &all) {
            (Statistic::Quantile(p), Aggregate::Trend(h)) => h.quantile(p),
            (Statistic::Med, Aggregate::Trend(h)) => h.quantile(0.5),
            (Statistic::Avg, Aggregate::Trend(h)) => h.mean(),
            (Statistic::Min, Aggregate::Trend(h)) => h.min(),
            (Statistic::Max, Aggregate::Trend(h)) => h.max(),
            (Statistic::Count, Aggregate::Trend(h)) => Some(h.count() as f64),
            (Statistic::Rate, Aggregate::Rate { hits, total }) => {
                Some(*hits as f64 / *total as f64)
            }
            (Statistic::Count, Aggregate::Counter { sum, .. }) => Some(*sum),
            (Statistic::Rate, Aggregate::Counter { sum, .. }) => Some(sum / seconds),
            (Statistic::Value, Aggregate::Gauge { last, .. }) => Some(*last),
            (Statistic::Min, Aggregate::Gauge { min, .. }) => Some(*min),
            (Statistic::Max, Aggregate::Gauge { max, .. }) => Some(*max),
            _ => None,
        }
        .filter(|v| v.is_finite())
    }

    fn show(&self, value: f64) -> String {
        format::value(value, UnitName::from(self.valve.unit))
    }

    fn sentence(&self, value: f64, held: Duration) -> String {
        let v = &self.valve;
        let side = match v.direction {
            Direction::AtMost => "above",
            Direction::AtLeast => "below",
        };
        format!(
            "{}: {} of {}{} was {side} {} for {}, last {}",
            v.id,
            v.statistic,
            v.metric,
            v.select,
            self.show(v.threshold),
            format::seconds(held.as_secs_f64()),
            self.show(value)
        )
    }

    pub(super) fn state(&self) -> ValveState {
        ValveState {
            id: self.valve.id.clone(),
            value: self
                .last
                .map_or_else(|| "–".to_owned(), |(_, v)| self.show(v)),
            holding: self
                .since
                .zip(self.last)
                .map(|(since, (end, _))| (end.saturating_sub(since), self.valve.hold)),
        }
    }
}
