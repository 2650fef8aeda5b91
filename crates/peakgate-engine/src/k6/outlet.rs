//! The way of events to the consumer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use peakgate_load::Window;
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::EngineEvent;

/// How many events may wait for the consumer before the stream is held back.
pub(super) const CAPACITY: usize = 64;

/// Sends events; holds the stream back while the consumer is slow, and gives up when told to.
#[derive(Debug, Clone)]
pub(super) struct Outlet {
    events: mpsc::Sender<EngineEvent>,
    give_up: Arc<AtomicBool>,
}

impl Outlet {
    pub(super) fn new() -> (Self, mpsc::Receiver<EngineEvent>) {
        let (events, receiver) = mpsc::channel(CAPACITY);
        let give_up = Arc::default();
        (Self { events, give_up }, receiver)
    }

    /// Tells that the load started. Never waits: it is the first event.
    pub(super) fn load_started(&self) {
        let _ = self.events.try_send(EngineEvent::LoadStarted);
    }

    /// Waits for no consumer any more.
    pub(super) fn give_up(&self) {
        self.give_up.store(true, Ordering::Relaxed);
    }

    /// Sends a window from a thread of its own. `false`: it was given up.
    pub(super) fn window(&self, window: Window) -> bool {
        let mut event = EngineEvent::Window(window);
        loop {
            match self.events.try_send(event) {
                // A consumer that went away wants no more events; the run is not ours to end.
                Ok(()) | Err(TrySendError::Closed(_)) => return true,
                Err(TrySendError::Full(back)) => {
                    if self.give_up.load(Ordering::Relaxed) {
                        return false;
                    }
                    event = back;
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        }
    }

    /// The same within a task.
    pub(super) async fn window_in_task(&self, window: Window) {
        let _ = self.events.send(EngineEvent::Window(window)).await;
    }
}
