//! The run over time, for progress and charts: a bounded number of points of equal width.

use std::time::Duration;

use peakgate_load::{Aggregate, GeneratorReading, Histogram, Window};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One point of the timeline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimelinePoint {
    /// Start in seconds from the start of the load.
    pub at: f64,
    /// Width in seconds.
    pub width: f64,
    /// Requests finished.
    pub requests: u64,
    /// Requests that failed (k6's `http_req_failed`).
    pub failed: u64,
    /// Iterations finished.
    pub iterations: u64,
    /// Iterations dropped.
    pub dropped: u64,
    /// Virtual users at the end of the point; absent when none were reported.
    pub vus: Option<f64>,
    /// Median of `http_req_duration` in milliseconds, within 0.8 %; absent without samples.
    pub p50: Option<f64>,
    /// Its 95th percentile.
    pub p95: Option<f64>,
    /// Its 99th percentile.
    pub p99: Option<f64>,
    /// The generator's CPU as a share of its processors.
    pub generator_cpu: Option<f64>,
    /// The generator's mean scheduling delay in milliseconds.
    pub generator_delay_ms: Option<f64>,
}

#[derive(Debug, Default)]
struct Cell {
    point: TimelinePoint,
    durations: Histogram,
    cpu: f64,
    delay: f64,
    readings: f64,
}

/// Builds the timeline; at most `most` points, which double their width when the run grows longer.
#[derive(Debug)]
pub struct Timeline {
    most: usize,
    width: f64,
    cells: Vec<Cell>,
}

impl Timeline {
    /// A timeline of at most `most` points (at least 2), one second wide at first.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            most: most.max(2),
            width: 1.0,
            cells: Vec::new(),
        }
    }

    /// Adds a window.
    pub fn observe(&mut self, window: &Window) {
        let middle = (window.start + window.length / 2).as_secs_f64();
        let mut index = self.index(middle);
        while index >= self.most {
            self.widen();
            index = self.index(middle);
        }
        while self.cells.len() <= index {
            self.cells.push(Cell::default());
        }
        let cell = &mut self.cells[index];
        for (key, data) in &window.series {
            match (key.metric.as_str(), data) {
                ("http_req_duration", Aggregate::Trend(h)) => cell.durations.merge(h),
                ("http_reqs", Aggregate::Counter { sum, .. }) => {
                    cell.point.requests += count(*sum);
                }
                ("http_req_failed", Aggregate::Rate { hits, .. }) => cell.point.failed += hits,
                ("iterations", Aggregate::Counter { sum, .. }) => {
                    cell.point.iterations += count(*sum);
                }
                ("dropped_iterations", Aggregate::Counter { sum, .. }) => {
                    cell.point.dropped += count(*sum);
                }
                ("vus", Aggregate::Gauge { last, .. }) => cell.point.vus = Some(*last),
                _ => {}
            }
        }
        cell.durations.coarsen();
        if let Some(GeneratorReading {
            cpu,
            scheduling_delay_ms,
            ..
        }) = window.generator
        {
            cell.cpu += cpu;
            cell.delay += scheduling_delay_ms;
            cell.readings += 1.0;
        }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn index(&self, at: f64) -> usize {
        (at.max(0.0) / self.width) as usize
    }

    fn widen(&mut self) {
        self.width *= 2.0;
        let mut old = std::mem::take(&mut self.cells).into_iter();
        while let Some(mut first) = old.next() {
            if let Some(second) = old.next() {
                first.durations.merge(&second.durations);
                first.point.requests += second.point.requests;
                first.point.failed += second.point.failed;
                first.point.iterations += second.point.iterations;
                first.point.dropped += second.point.dropped;
                first.point.vus = second.point.vus.or(first.point.vus);
                first.cpu += second.cpu;
                first.delay += second.delay;
                first.readings += second.readings;
            }
            self.cells.push(first);
        }
    }

    /// The points, in order.
    #[must_use]
    pub fn points(&self) -> Vec<TimelinePoint> {
        (0_u32..)
            .zip(&self.cells)
            .map(|(i, cell)| TimelinePoint {
                at: f64::from(i) * self.width,
                width: self.width,
                p50: cell.durations.quantile(0.5),
                p95: cell.durations.quantile(0.95),
                p99: cell.durations.quantile(0.99),
                generator_cpu: (cell.readings > 0.0).then(|| cell.cpu / cell.readings),
                generator_delay_ms: (cell.readings > 0.0).then(|| cell.delay / cell.readings),
                ..cell.point.clone()
            })
            .collect()
    }

    /// The generator's mean CPU share and mean scheduling delay (ms) between two offsets.
    #[must_use]
    pub fn generator_between(&self, from: Duration, to: Option<Duration>) -> Option<(f64, f64)> {
        let (from, to) = (from.as_secs_f64(), to.map(|t| t.as_secs_f64()));
        let mut sums = (0.0, 0.0, 0.0);
        for (i, cell) in (0_u32..).zip(&self.cells) {
            let middle = (f64::from(i) + 0.5) * self.width;
            if middle >= from && to.is_none_or(|to| middle <= to) {
                sums = (
                    sums.0 + cell.cpu,
                    sums.1 + cell.delay,
                    sums.2 + cell.readings,
                );
            }
        }
        (sums.2 > 0.0).then(|| (sums.0 / sums.2, sums.1 / sums.2))
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn count(sum: f64) -> u64 {
    sum.max(0.0).round() as u64
}
