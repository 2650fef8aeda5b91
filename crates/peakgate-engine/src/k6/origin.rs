//! When the load started, by the clock that stamps k6's samples.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// The start of the load in nanoseconds since 1970, once it is known. Shared by what learns it
/// (the log) and what needs it (the live stream).
#[derive(Debug, Clone, Default)]
pub(super) struct Origin(Arc<(Mutex<Option<i64>>, Condvar)>);

impl Origin {
    fn lock(&self) -> MutexGuard<'_, Option<i64>> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets it; only the first time counts. Returns whether it was the first.
    pub(super) fn set(&self, nanos: i64) -> bool {
        let mut origin = self.lock();
        if origin.is_some() {
            return false;
        }
        *origin = Some(nanos);
        self.0.1.notify_all();
        true
    }

    /// What is known now.
    pub(super) fn get(&self) -> Option<i64> {
        *self.lock()
    }

    /// Waits until it is known, for at most this long.
    pub(super) fn wait(&self, longest: Duration) -> Option<i64> {
        let guard = self.lock();
        let (guard, _) = self
            .0
            .1
            .wait_timeout_while(guard, longest, |origin| origin.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        *guard
    }
}

/// Nanoseconds since 1970.
pub(super) fn now() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()
        .and_then(|d| i64::try_from(d.as_nanos()).ok())
        .unwrap_or_default()
}
