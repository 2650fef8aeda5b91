//! Sorts samples into windows of a second.

use std::collections::VecDeque;
use std::time::Duration;

use peakgate_load::window::LostSamples;
use peakgate_load::{Aggregate, Window};

use super::generator::Readings;
use super::series::{SeriesIndex, SeriesTable};

const SECOND: i64 = 1_000_000_000;

/// How many seconds stay open: that of the latest sample and the one before. k6 hands its samples
/// over five times a second, nearly in the order in which they were taken: of 0.6 million samples at
/// 2,000 requests a second, and of 0.2 million from a k6 that four busy loops starved on two cores,
/// none came too late. One that does is still counted, in the oldest second that is open. Valves see
/// a window 1.2 seconds after its end.
const OPEN: i64 = 2;

#[derive(Debug)]
struct Open {
    second: i64,
    /// By series.
    content: Vec<Option<Aggregate>>,
    lost: LostSamples,
}

/// Windows that still take samples.
#[derive(Debug)]
pub(super) struct Windows {
    origin: i64,
    open: VecDeque<Open>,
    /// Seconds before this are closed.
    closed: i64,
    last: i64,
    late: u64,
}

impl Windows {
    /// Windows from the start of the load (nanoseconds since 1970).
    pub(super) fn new(origin: i64) -> Self {
        Self {
            origin,
            open: VecDeque::new(),
            closed: 0,
            last: 0,
            late: 0,
        }
    }

    /// From the start of the load to the latest sample.
    pub(super) fn length(&self) -> Duration {
        Duration::from_nanos(self.last.unsigned_abs())
    }

    /// Samples that came after their second was closed.
    pub(super) fn late(&self) -> u64 {
        self.late
    }

    /// From the start of the load to a moment; negative before it.
    pub(super) fn offset(&self, time: i64) -> i64 {
        time - self.origin
    }

    fn at(&mut self, time: i64) -> &mut Open {
        let offset = self.offset(time).max(0);
        self.last = self.last.max(offset);
        // A sample for a closed second goes into the oldest that is open.
        self.late += u64::from(offset / SECOND < self.closed);
        let second = (offset / SECOND).max(self.closed);
        let place = self.open.partition_point(|w| w.second < second);
        if self.open.get(place).is_none_or(|w| w.second != second) {
            let new = Open {
                second,
                content: Vec::new(),
                lost: LostSamples::default(),
            };
            self.open.insert(place, new);
        }
        &mut self.open[place]
    }

    /// Adds a sample.
    pub(super) fn add(
        &mut self,
        table: &SeriesTable,
        (series, folded): (SeriesIndex, bool),
        time: i64,
        value: f64,
    ) {
        let window = self.at(time);
        if window.content.len() <= series.0 {
            window.content.resize(series.0 + 1, None);
        }
        let added = match &mut window.content[series.0] {
            Some(aggregate) => aggregate.add(value),
            empty => {
                *empty = Aggregate::of(table.get(series).1, value);
                empty.is_some()
            }
        };
        window.lost.not_finite += u64::from(!added);
        window.lost.folded += u64::from(folded);
    }

    /// Counts a line that could not be understood.
    pub(super) fn unreadable(&mut self) {
        let latest = self.origin + self.last;
        self.at(latest).lost.unreadable += 1;
    }

    /// Takes the windows out that are full by the time of the latest sample.
    pub(super) fn full(&mut self, table: &SeriesTable, readings: &Readings) -> Vec<Window> {
        let oldest = self.last / SECOND - OPEN + 1;
        self.take(oldest, table, readings)
    }

    /// Takes all windows out.
    pub(super) fn rest(&mut self, table: &SeriesTable, readings: &Readings) -> Vec<Window> {
        self.take(i64::MAX, table, readings)
    }

    fn take(&mut self, oldest: i64, table: &SeriesTable, readings: &Readings) -> Vec<Window> {
        let mut full = Vec::new();
        while let Some(window) = self.open.pop_front_if(|w| w.second < oldest) {
            self.closed = window.second + 1;
            let start = window.second * SECOND;
            let at = self.origin + start;
            full.push(Window {
                start: Duration::from_nanos(start.unsigned_abs()),
                length: Duration::from_secs(1),
                series: window
                    .content
                    .into_iter()
                    .enumerate()
                    .filter_map(|(i, a)| Some((table.get(SeriesIndex(i)).0.clone(), a?)))
                    .collect(),
                generator: readings.near(at, at + SECOND),
                lost: window.lost,
            });
        }
        if oldest < i64::MAX {
            self.closed = self.closed.max(oldest);
        }
        full
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::k6::targets::Targets;

    #[test]
    fn late_samples_find_a_window_and_none_is_lost() {
        let mut table = SeriesTable::new(&BTreeSet::new(), Targets::new(&[]), 10);
        let metric = table.metric(b"http_reqs").unwrap();
        let set = table.set(br#"{"scenario":"s"}"#).unwrap();
        let series = table.series(metric, set);
        let readings = Readings::default();
        let mut windows = Windows::new(1_000);
        let mut out = Vec::new();
        // In seconds from the start; -1 is clamped, 0 comes back three times.
        for second in [-1, 0, 1, 0, 2, 0, 3, 4, 0, 9] {
            windows.add(&table, series, 1_000 + second * SECOND + 1, 1.0);
            out.extend(windows.full(&table, &readings));
        }
        windows.add(&table, series, 0, f64::NAN);
        windows.unreadable();
        out.extend(windows.rest(&table, &readings));
        let seen: Vec<_> = out
            .iter()
            .map(|w| {
                let n: u64 = w.series.values().map(Aggregate::samples).sum();
                (w.start.as_secs(), n)
            })
            .collect();
        // The first found second 0 open; the others went to the oldest that was.
        assert_eq!(
            seen,
            [(0, 3), (1, 2), (2, 1), (3, 2), (4, 1), (8, 0), (9, 1)]
        );
        assert_eq!(windows.late(), 3);
        let lost = |f: fn(&LostSamples) -> u64| out.iter().map(|w| f(&w.lost)).sum::<u64>();
        assert_eq!(lost(|l| l.not_finite), 1);
        assert_eq!(lost(|l| l.unreadable), 1);
        assert_eq!(
            windows.length(),
            Duration::from_nanos(9 * SECOND as u64 + 1)
        );
    }
}
