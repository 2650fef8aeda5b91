//! A stateful stand-in for an engine: plays scripted windows and remembers what it was asked.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use peakgate_load::{ExitReason, LoadPlan, Resolution, RunAccount, StopCause, Window};
use tokio::sync::{mpsc, oneshot};

use crate::{
    Engine, EngineError, EngineEvent, EngineIdentity, LoadRequest, Prepared, Running, StopHandle,
};

/// What a fake run does next.
#[derive(Debug, Clone)]
pub enum Step {
    /// Tells a window. The first one tells before that the load started.
    Window(Window),
    /// Waits.
    Pause(Duration),
    /// Does nothing more until it is stopped.
    Hang,
}

/// What the fake was asked and did.
#[derive(Debug, Default)]
pub struct Record {
    /// Requests that were prepared.
    pub prepared: Vec<LoadRequest>,
    /// How often a load was started.
    pub starts: usize,
    /// Causes by which runs were stopped.
    pub stops: Vec<StopCause>,
    /// Runs that were dropped before they ended.
    pub abandoned: usize,
}

type Failure = Arc<dyn Fn() -> EngineError + Send + Sync>;

/// A fake engine.
#[derive(Clone)]
pub struct FakeEngine {
    plan: LoadPlan,
    steps: Vec<Step>,
    account: RunAccount,
    failure: Option<Failure>,
    record: Arc<Mutex<Record>>,
}

impl FakeEngine {
    /// An engine whose script has this plan. Its runs tell nothing and complete at once.
    #[must_use]
    pub fn new(plan: LoadPlan) -> Self {
        Self {
            plan,
            steps: Vec::new(),
            account: RunAccount {
                exit: ExitReason::Completed,
                exit_code: Some(0),
                load_seconds: 0.0,
                resolution: Resolution::Exact,
                metrics: Vec::new(),
                thresholds: Vec::new(),
                iteration_exceptions: 0,
                notes: Vec::new(),
            },
            failure: None,
            record: Arc::default(),
        }
    }

    /// Sets what runs do, in order.
    #[must_use]
    pub fn with_steps(mut self, steps: Vec<Step>) -> Self {
        self.steps = steps;
        self
    }

    /// Sets the account that runs leave. A run that is stopped leaves its exit as `Stopped`, and
    /// one without `load_seconds` gets the end of its last window.
    #[must_use]
    pub fn with_account(mut self, account: RunAccount) -> Self {
        self.account = account;
        self
    }

    /// Makes `prepare` fail.
    #[must_use]
    pub fn failing(mut self, failure: impl Fn() -> EngineError + Send + Sync + 'static) -> Self {
        self.failure = Some(Arc::new(failure));
        self
    }

    /// Looks at what was asked and done so far.
    pub fn record<T>(&self, look: impl FnOnce(&Record) -> T) -> T {
        look(&self.record.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn remember(&self, what: impl FnOnce(&mut Record)) {
        what(&mut self.record.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Plays the steps; returns the end of the last window, or `None` when nobody listens.
    async fn play(&self, events: &mpsc::Sender<EngineEvent>, end: &mut Duration) -> Option<()> {
        let mut told_start = false;
        for step in &self.steps {
            match step {
                Step::Window(window) => {
                    if !told_start {
                        told_start = true;
                        events.send(EngineEvent::LoadStarted).await.ok()?;
                    }
                    *end = window.start + window.length;
                    events
                        .send(EngineEvent::Window(window.clone()))
                        .await
                        .ok()?;
                }
                Step::Pause(time) => tokio::time::sleep(*time).await,
                Step::Hang => std::future::pending().await,
            }
        }
        Some(())
    }
}

#[async_trait]
impl Engine for FakeEngine {
    async fn prepare(&self, request: LoadRequest) -> Result<Prepared, EngineError> {
        if let Some(failure) = &self.failure {
            return Err(failure());
        }
        self.remember(|r| r.prepared.push(request.clone()));
        let full_plan = request
            .load
            .as_ref()
            .map_or_else(|| self.plan.clone(), |load| load.plan.clone());
        let plan = request
            .rehearsal
            .map_or_else(|| full_plan.clone(), |total| full_plan.rehearsed(total));
        Ok(Prepared {
            engine: EngineIdentity {
                name: "fake".to_owned(),
                version: "0.0.0".to_owned(),
            },
            plan,
            full_plan,
            request,
            margin: Duration::ZERO,
        })
    }

    async fn start(&self, _prepared: &Prepared) -> Result<Running, EngineError> {
        self.remember(|r| r.starts += 1);
        let (events_sender, events) = mpsc::channel(16);
        let (stop, mut stopped) = StopHandle::new();
        let (mut tell, account) = oneshot::channel::<RunAccount>();
        let fake = self.clone();
        // Kept here, so that a consumer that drops its handle does not look like a stop.
        let own_handle = stop.clone();
        tokio::spawn(async move {
            let mut end = Duration::ZERO;
            let cause = tokio::select! {
                biased;
                () = tell.closed() => {
                    fake.remember(|r| r.abandoned += 1);
                    return;
                }
                cause = stopped.recv() => cause,
                _ = fake.play(&events_sender, &mut end) => None,
            };
            drop(own_handle);
            let mut account = fake.account.clone();
            if account.load_seconds <= 0.0 {
                account.load_seconds = end.as_secs_f64();
            }
            if let Some(cause) = cause {
                fake.remember(|r| r.stops.push(cause.clone()));
                account.exit = ExitReason::Stopped(cause);
                account.exit_code = Some(105);
            }
            drop(events_sender);
            let _ = tell.send(account);
        });
        Ok(Running {
            events,
            stop,
            account,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use peakgate_load::{Executor, Scenario};

    use super::*;

    fn plan() -> LoadPlan {
        LoadPlan {
            scenarios: vec![Scenario {
                name: "default".into(),
                start_time: Duration::ZERO,
                graceful_stop: Duration::ZERO,
                executor: Executor::ConstantVus {
                    vus: 1,
                    duration: Duration::from_secs(60),
                },
                rest: serde_json::Map::new(),
            }],
        }
    }

    fn request() -> LoadRequest {
        LoadRequest {
            script: PathBuf::from("/s.js"),
            scratch: PathBuf::new(),
            log_dir: PathBuf::new(),
            env: Vec::new(),
            tags: Vec::new(),
            load: None,
            rehearsal: Some(Duration::from_secs(6)),
            keep_tags: std::collections::BTreeSet::new(),
            probes: Vec::new(),
            live: crate::Live::Exact,
            max_series: 1,
            allowed_hosts: Vec::new(),
        }
    }

    fn window(second: u64) -> Step {
        Step::Window(Window {
            start: Duration::from_secs(second),
            length: Duration::from_secs(1),
            ..Window::default()
        })
    }

    #[tokio::test]
    async fn plays_its_steps_and_leaves_its_account() {
        let fake = FakeEngine::new(plan()).with_steps(vec![window(0), window(1)]);
        let prepared = fake.prepare(request()).await.unwrap();
        assert_eq!(prepared.plan.duration(), Duration::from_secs(6));
        let mut running = fake.start(&prepared).await.unwrap();
        let mut events = 0;
        while running.events.recv().await.is_some() {
            events += 1;
        }
        assert_eq!(events, 3);
        let account = running.account.await.unwrap();
        assert_eq!(account.exit, ExitReason::Completed);
        assert!((account.load_seconds - 2.0).abs() < 1e-9);
    }

    #[tokio::test]
    async fn can_be_stopped_and_dropped() {
        let fake = FakeEngine::new(plan()).with_steps(vec![window(0), Step::Hang]);
        let prepared = fake.prepare(request()).await.unwrap();
        let running = fake.start(&prepared).await.unwrap();
        running.stop.stop(StopCause::Lost("x".into()));
        let account = running.account.await.unwrap();
        assert_eq!(
            account.exit,
            ExitReason::Stopped(StopCause::Lost("x".into()))
        );
        drop(fake.start(&prepared).await.unwrap());
        while fake.record(|r| r.abandoned) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(fake.record(|r| (r.starts, r.stops.len())), (2, 1));
    }
}
