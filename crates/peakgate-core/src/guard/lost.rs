//! Objectives that can no longer be met: the error budget of the whole planned window is spent.

use std::time::Duration;

use peakgate_load::{Aggregate, Window};
use peakgate_policy::settings::{Direction, Mode, Objective, Policy, Statistic, WindowRule};

use super::middle;
use crate::format;
use crate::judge::Planned;

/// However the traffic turns out, at least this much more than the busiest second so far is
/// allowed for in each remaining second: stopping a run that might still have passed is worse than
/// running on.
const HEADROOM: f64 = 1.5;

/// Nothing is given up before this many seconds of the window were seen.
const PATIENCE: f64 = 3.0;

#[derive(Debug)]
pub(super) struct LostWatch {
    objective: Objective,
    from: Duration,
    to: Duration,
    /// The share of samples that may be bad.
    allowed: f64,
    /// Past this a sample of a Trend is bad.
    limit: f64,
    bad: f64,
    total: f64,
    busiest: f64,
    seen: f64,
}

impl LostWatch {
    /// `None` for objectives that this cannot be said of, or that do not decide by themselves.
    pub(super) fn new(
        policy: &Policy,
        objective: &Objective,
        planned: &Planned,
        resolution: f64,
    ) -> Option<Self> {
        let decides = objective.mode == Mode::Judged
            && objective.each.is_none()
            && objective.waiver.is_none()
            && (policy.score.is_none() || objective.key);
        if !decides || objective.direction != Direction::AtMost || !planned.plan.has_fixed_length()
        {
            return None;
        }
        let limit = objective.limit?;
        let (allowed, limit) = match objective.statistic {
            // k6 interpolates between two samples: one more may lie above.
            Statistic::Quantile(p) => (1.0 - p, limit * (1.0 + resolution)),
            Statistic::Med => (0.5, limit * (1.0 + resolution)),
            Statistic::Rate if objective.kind == Some(peakgate_load::MetricKind::Rate) => {
                (limit, 0.0)
            }
            _ => return None,
        };
        let (span, _) = planned.span(objective.window);
        let to = match (objective.window, span.to) {
            (_, Some(to)) => Duration::try_from_secs_f64(to).ok()?,
            (WindowRule::All, None) => planned.plan.longest(),
            _ => planned.plan.duration(),
        };
        Some(Self {
            objective: objective.clone(),
            from: Duration::try_from_secs_f64(span.from).ok()?,
            to,
            allowed,
            limit,
            bad: 0.0,
            total: 0.0,
            busiest: 0.0,
            seen: 0.0,
        })
    }

    #[allow(clippy::cast_precision_loss)]
    pub(super) fn observe(&mut self, window: &Window) -> Option<String> {
        let at = middle(window);
        if at < self.from || at >= self.to {
            return None;
        }
        let (mut bad, mut total) = (0.0, 0.0);
        for (key, data) in &window.series {
            if key.metric != self.objective.metric || !self.objective.select.matches(&key.tags) {
                continue;
            }
            match data {
                Aggregate::Rate { hits, total: n } => {
                    bad += *hits as f64;
                    total += *n as f64;
                }
                Aggregate::Trend(h) => {
                    bad += h.count_above(self.limit);
                    total += h.count() as f64;
                }
                _ => {}
            }
        }
        let seconds = window.length.as_secs_f64();
        self.bad += bad;
        self.total += total;
        self.seen += seconds;
        self.busiest = self.busiest.max(total / seconds);
        let left = (self.to.as_secs_f64() - (window.start + window.length).as_secs_f64()).max(0.0);
        let expected = self.total + self.busiest * HEADROOM * left;
        let budget = (self.allowed * expected).ceil() + 1.0;
        (self.seen >= PATIENCE && self.bad > budget).then(|| {
            let o = &self.objective;
            format!(
                "{} can no longer be met: {:.0} of {:.0} samples are beyond its limit after {}, \
                 and only {:.0} of the {:.0} that may still come in its whole window would be \
                 allowed",
                o.id,
                self.bad,
                self.total,
                format::seconds(self.seen),
                budget,
                expected
            )
        })
    }
}
