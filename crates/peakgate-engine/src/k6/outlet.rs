//! The way of events to the consumer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use peakgate_load::Window;
use tokio::sync::mpsc::{self, error::TrySendError};

use super::Limits;
use crate::EngineEvent;

/// How long between two attempts to hand an event to a consumer that is slow.
const RETRY: Duration = Duration::from_millis(10);

/// Sends events; holds the stream back while the consumer is slow, and gives up when told to or
/// when the consumer took nothing for too long.
#[derive(Debug, Clone)]
pub(super) struct Outlet {
    /// `None` once closed. All clones share it: a thread that cannot end (it reads an output that
    /// an escaped process holds open) must not keep the consumer waiting for ever.
    events: Arc<Mutex<Option<mpsc::Sender<EngineEvent>>>>,
    give_up: Arc<AtomicBool>,
    patience: Duration,
}

impl Outlet {
    pub(super) fn new(limits: &Limits) -> (Self, mpsc::Receiver<EngineEvent>) {
        let (events, receiver) = mpsc::channel(limits.events.max(1));
        let outlet = Self {
            events: Arc::new(Mutex::new(Some(events))),
            give_up: Arc::default(),
            patience: limits.patience,
        };
        (outlet, receiver)
    }

    fn sender(&self) -> Option<mpsc::Sender<EngineEvent>> {
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Tells that the load started. Never waits: it is the first event.
    pub(super) fn load_started(&self) {
        if let Some(events) = self.sender() {
            let _ = events.try_send(EngineEvent::LoadStarted);
        }
    }

    /// Waits for no consumer any more.
    pub(super) fn give_up(&self) {
        self.give_up.store(true, Ordering::Relaxed);
    }

    /// Ends the events, whoever else still has a clone.
    pub(super) fn close(&self) {
        self.give_up();
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        *events = None;
    }

    /// Sends a window from a thread of its own. `false`: it was given up.
    pub(super) fn window(&self, window: Window) -> bool {
        let mut waited = Duration::ZERO;
        let mut event = EngineEvent::Window(window);
        loop {
            let Some(events) = self.sender() else {
                return false;
            };
            match events.try_send(event) {
                // A consumer that went away wants no more events; the run is not ours to end.
                Ok(()) | Err(TrySendError::Closed(_)) => return true,
                Err(TrySendError::Full(back)) => {
                    // Attempts are counted, not the clock read: while the whole gate was
                    // suspended, the consumer had no chance either.
                    if self.give_up.load(Ordering::Relaxed) || waited >= self.patience {
                        return false;
                    }
                    event = back;
                    drop(events);
                    std::thread::sleep(RETRY);
                    waited += RETRY;
                }
            }
        }
    }

    /// The same within a task.
    pub(super) async fn window_in_task(&self, window: Window) -> bool {
        let Some(events) = self.sender() else {
            return false;
        };
        // A consumer that went away is no error here either.
        events
            .send_timeout(EngineEvent::Window(window), self.patience)
            .await
            .is_ok()
            || events.is_closed()
    }
}
