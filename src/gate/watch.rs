//! Watching a run: collect, guard, show, stop.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use peakgate_core::evidence::TimelinePoint;
use peakgate_core::guard::Guard;
use peakgate_core::judge::Planned;
use peakgate_core::{Collector, Evidence, Timeline};
use peakgate_engine::{EngineEvent, LoadRequest, Running};
use peakgate_load::{Aggregate, Histogram, LoadPlan, RunAccount, StopCause, Window};
use peakgate_policy::settings::{Policy, Test};
use peakgate_terminal::{Live, Progress, phase};

use crate::signals::{Caught, Signals};

/// Points of the timeline that a verdict keeps.
const POINTS: usize = 300;

/// Live figures are taken over the last seconds.
const RECENT: Duration = Duration::from_secs(5);

/// What live figures are made of; see [`Watch::live`].
const LIVE_METRICS: [&str; 4] = ["http_req_duration", "http_reqs", "http_req_failed", "vus"];

/// What was seen of a run.
#[derive(Debug, Default)]
pub(super) struct Watched {
    pub(super) evidence: Option<Evidence>,
    pub(super) timeline: Vec<TimelinePoint>,
    pub(super) generator: Option<(f64, f64)>,
}

/// Folds a run's events into evidence and stops it when it must be stopped.
pub(super) struct Watch {
    plan: LoadPlan,
    collector: Collector,
    timeline: Timeline,
    guard: Guard,
    recent: VecDeque<Window>,
    dropped: f64,
    span: (Duration, Option<Duration>),
}

impl Watch {
    pub(super) fn new(
        policy: &Policy,
        test: &Test,
        planned: &Planned,
        request: &LoadRequest,
    ) -> Self {
        let detailed: BTreeSet<_> = test.objectives.iter().map(|o| o.metric.clone()).collect();
        let resolution = request.live.resolution();
        Self {
            collector: Collector::new(&planned.cuts(test), detailed),
            timeline: Timeline::new(POINTS),
            guard: Guard::new(policy, test, planned, resolution.error()),
            recent: VecDeque::new(),
            dropped: 0.0,
            span: planned
                .plan
                .plateau()
                .map_or((Duration::ZERO, None), |p| (p.from, Some(p.to))),
            plan: planned.plan.clone(),
        }
    }

    /// Follows a run to its end. A first signal stops it in an orderly way, a second at once.
    pub(super) async fn follow(
        &mut self,
        mut running: Running,
        signals: &mut Signals,
        mut progress: Progress,
    ) -> (RunAccount, Option<Caught>) {
        progress.set_total(self.plan.duration());
        let mut caught: Option<Caught> = None;
        let mut stopping = false;
        let mut started: Option<Instant> = None;
        let mut tick = tokio::time::interval(Duration::from_millis(500));
        loop {
            tokio::select! {
                event = running.events.recv() => match event {
                    Some(EngineEvent::LoadStarted) => started = Some(Instant::now()),
                    Some(EngineEvent::Window(window)) => {
                        if let Some(cause) = self.observe(window)
                            && !stopping
                        {
                            stopping = true;
                            progress.note(&words(&cause));
                            running.stop.stop(cause);
                        }
                    }
                    None => break,
                },
                signal = signals.caught() => {
                    if caught.is_some() {
                        // Dropping the run kills all that it started.
                        drop(running);
                        progress.finish();
                        let cause = StopCause::Interrupted(signal.name().to_owned());
                        let account = super::no_run(peakgate_load::ExitReason::Stopped(cause));
                        return (account, caught);
                    }
                    caught = Some(signal);
                    stopping = true;
                    progress.note(&format!("{}: stopping; once more to kill", signal.name()));
                    running.stop.stop(StopCause::Interrupted(signal.name().to_owned()));
                }
                _ = tick.tick() => {
                    if let Some(started) = started {
                        progress.update(&self.live(started.elapsed(), stopping));
                    }
                }
            }
        }
        let account = running.account.await.unwrap_or_else(|_| {
            super::no_run(peakgate_load::ExitReason::Crashed(
                "the engine gave no account of the run".to_owned(),
            ))
        });
        progress.finish();
        (account, caught)
    }

    fn observe(&mut self, mut window: Window) -> Option<StopCause> {
        self.collector.observe(&window);
        self.timeline.observe(&window);
        let cause = self.guard.observe(&window);
        let end = window.start + window.length;
        for (key, data) in &window.series {
            if let ("dropped_iterations", Aggregate::Counter { sum, .. }) =
                (key.metric.as_str(), data)
            {
                self.dropped += sum;
            }
        }
        // With many endpoints the rest is large, and nothing live shows it.
        window
            .series
            .retain(|key, _| LIVE_METRICS.contains(&key.metric.as_str()));
        self.recent.push_back(window);
        while self.recent.front().is_some_and(|w| w.start + RECENT < end) {
            self.recent.pop_front();
        }
        cause
    }

    fn live(&self, elapsed: Duration, stopping: bool) -> Live {
        let mut durations = Histogram::new();
        let (mut requests, mut failed, mut rated) = (0.0, 0_u64, 0_u64);
        let mut seconds = 0.0;
        let mut vus = None;
        for window in &self.recent {
            seconds += window.length.as_secs_f64();
            for (key, data) in &window.series {
                match (key.metric.as_str(), data) {
                    ("http_req_duration", Aggregate::Trend(h)) => durations.merge(h),
                    ("http_reqs", Aggregate::Counter { sum, .. }) => requests += sum,
                    ("http_req_failed", Aggregate::Rate { hits, total }) => {
                        failed += hits;
                        rated += total;
                    }
                    ("vus", Aggregate::Gauge { last, .. }) => vus = Some(*last),
                    _ => {}
                }
            }
        }
        let planned = self.plan.vus_at(elapsed);
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )]
        Live {
            elapsed,
            total: self.plan.duration(),
            phase: if stopping {
                "stopping".to_owned()
            } else {
                phase(&self.plan, elapsed)
            },
            vus,
            planned_vus: (planned > 0.0).then_some(planned),
            request_rate: if seconds > 0.0 {
                requests / seconds
            } else {
                0.0
            },
            p50: durations.quantile(0.5),
            p95: durations.quantile(0.95),
            p99: durations.quantile(0.99),
            error_rate: (rated > 0).then(|| failed as f64 / rated as f64),
            dropped: self.dropped as u64,
            valves: self.guard.valves(),
        }
    }

    pub(super) fn finish(self) -> Watched {
        Watched {
            generator: self.timeline.generator_between(self.span.0, self.span.1),
            timeline: self.timeline.points(),
            evidence: Some(self.collector.finish()),
        }
    }
}

fn words(cause: &StopCause) -> String {
    match cause {
        StopCause::Valve(why) => format!("safety valve open: {why}"),
        StopCause::Lost(why) => format!("stopping early: {why}"),
        StopCause::ForbiddenTarget(what) => format!("forbidden target: {what}"),
        StopCause::Interrupted(what) => format!("interrupted by {what}"),
        StopCause::Deadline(what) | StopCause::GateFailed(what) => what.clone(),
    }
}
