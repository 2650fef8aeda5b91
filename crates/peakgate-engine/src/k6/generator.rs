//! How the load generator itself is doing, read from `/proc`.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use peakgate_load::GeneratorReading;

use super::origin::now;

/// Readings with the middle of the stretch that each is about (nanoseconds since 1970).
#[derive(Debug, Clone, Default)]
pub(super) struct Readings(Arc<Mutex<VecDeque<(i64, GeneratorReading)>>>);

/// Readings to keep: windows are closed a few seconds late.
const KEPT: usize = 120;
const SECOND: i64 = 1_000_000_000;

impl Readings {
    fn push(&self, middle: i64, reading: GeneratorReading) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if list.len() >= KEPT {
            list.pop_front();
        }
        list.push_back((middle, reading));
    }

    /// The reading nearest to the middle of a stretch, if one is within a second of it.
    pub(super) fn near(&self, from: i64, to: i64) -> Option<GeneratorReading> {
        let middle = from + (to - from) / 2;
        let list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.iter()
            .min_by_key(|(at, _)| (at - middle).abs())
            .filter(|(at, _)| (at - middle).abs() <= SECOND)
            .map(|(_, reading)| *reading)
    }
}

/// Samples one process.
#[derive(Debug)]
pub(super) struct Sampler {
    pid: u32,
    readings: Readings,
    processors: f64,
    last: Option<Totals>,
}

#[derive(Debug)]
struct Totals {
    at: Instant,
    wall: i64,
    /// CPU time in seconds.
    cpu: f64,
    /// Per thread: (time waited on a run queue in nanoseconds, times it was run).
    threads: HashMap<u32, (u64, u64)>,
}

impl Sampler {
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn new(pid: u32, readings: Readings) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        Self {
            pid,
            readings,
            processors,
            last: None,
        }
    }

    /// Reads once; what cannot be read (the process went, or this is not Linux) is left out.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn sample(&mut self) {
        let Some((totals, memory_bytes)) = self.read() else {
            return;
        };
        if let Some(last) = &self.last {
            let seconds = totals.at.duration_since(last.at).as_secs_f64();
            if seconds < 0.05 {
                return;
            }
            let (mut waited, mut slices) = (0, 0);
            for (thread, (wait, runs)) in &totals.threads {
                let (wait_before, runs_before) =
                    last.threads.get(thread).copied().unwrap_or((0, 0));
                waited += wait.saturating_sub(wait_before);
                slices += runs.saturating_sub(runs_before);
            }
            let reading = GeneratorReading {
                cpu: ((totals.cpu - last.cpu) / seconds / self.processors).clamp(0.0, 1.0),
                scheduling_delay_ms: if slices == 0 {
                    0.0
                } else {
                    waited as f64 / slices as f64 / 1e6
                },
                memory_bytes,
            };
            self.readings
                .push(last.wall + (totals.wall - last.wall) / 2, reading);
        }
        self.last = Some(totals);
    }

    #[allow(clippy::cast_precision_loss)]
    fn read(&self) -> Option<(Totals, u64)> {
        let base = format!("/proc/{}", self.pid);
        let stat = std::fs::read_to_string(format!("{base}/stat")).ok()?;
        // The name in parentheses may hold anything; fields are counted after it (proc(5)).
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace().skip(11);
        let user: u64 = fields.next()?.parse().ok()?;
        let system: u64 = fields.next()?.parse().ok()?;
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        let statm = std::fs::read_to_string(format!("{base}/statm")).ok()?;
        let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
        let page = u64::try_from(rustix::param::page_size()).ok()?;
        let mut threads = HashMap::new();
        for entry in std::fs::read_dir(format!("{base}/task")).ok()?.flatten() {
            let Some(thread) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else {
                continue;
            };
            // Run time, wait time, slices (the kernel's sched-stats.rst).
            let Ok(text) = std::fs::read_to_string(entry.path().join("schedstat")) else {
                continue;
            };
            let mut numbers = text.split_ascii_whitespace().skip(1);
            let wait = numbers.next().and_then(|n| n.parse().ok());
            let runs = numbers.next().and_then(|n| n.parse().ok());
            if let (Some(wait), Some(runs)) = (wait, runs) {
                threads.insert(thread, (wait, runs));
            }
        }
        let totals = Totals {
            at: Instant::now(),
            wall: now(),
            cpu: (user + system) as f64 / ticks,
            threads,
        };
        Some((totals, pages * page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_itself() {
        let readings = Readings::default();
        let mut sampler = Sampler::new(std::process::id(), readings.clone());
        let start = now();
        sampler.sample();
        let until = Instant::now() + std::time::Duration::from_millis(300);
        let mut n = 0_u64;
        while Instant::now() < until {
            n = std::hint::black_box(n + 1);
        }
        sampler.sample();
        let reading = readings.near(start, now()).unwrap();
        assert!(reading.cpu > 0.0 && reading.cpu <= 1.0, "{reading:?}");
        assert!(reading.memory_bytes > 100_000, "{reading:?}");
        assert!(reading.scheduling_delay_ms >= 0.0);
        assert!(
            readings
                .near(start - 9 * SECOND, start - 8 * SECOND)
                .is_none()
        );
    }

    #[test]
    fn a_process_that_is_gone_is_left_out() {
        let readings = Readings::default();
        let mut sampler = Sampler::new(u32::MAX, readings.clone());
        sampler.sample();
        sampler.sample();
        assert!(readings.near(0, now()).is_none());
    }
}
