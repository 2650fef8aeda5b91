//! Evidence: what a run left behind to judge it by. Bounded by the number of series, never by
//! requests or seconds, and whole enough to judge the run again later.
//!
//! The time axis is cut into segments where any objective's window begins or ends. Within a
//! segment, series that an objective needs keep up to [`MAX_BLOCKS`] blocks of equal width, which
//! double their width as the segment grows or as all blocks together grow too large; all other
//! series keep one block a segment.

mod collector;
mod timeline;

use std::time::Duration;

use indexmap::IndexMap;
use peakgate_load::{Aggregate, MetricName, Tags, window::LostSamples};
use peakgate_policy::settings::Selector;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use collector::Collector;
pub use timeline::{Timeline, TimelinePoint};

/// The most blocks a segment keeps for one series.
pub const MAX_BLOCKS: u32 = 32;

/// Everything observed in a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The segments in order; the last one is open-ended by plan.
    pub segments: Vec<Segment>,
    /// What every series amounts to.
    pub series: Vec<SeriesEvidence>,
    /// Samples that could not be kept whole.
    pub lost: LostSamples,
    /// Metrics whose series were folded into `(other)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folded_metrics: Vec<String>,
}

/// A stretch of the run between two cuts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Segment {
    /// Start in seconds from the start of the load.
    pub from: f64,
    /// Planned end in seconds; absent for the last one.
    pub to: Option<f64>,
    /// Width of a block in seconds.
    pub block: f64,
    /// How many seconds were observed.
    pub observed: f64,
}

/// One series over the segments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesEvidence {
    /// The metric.
    #[schemars(with = "String")]
    pub metric: MetricName,
    /// Its tags.
    pub tags: Tags,
    /// Whether it keeps blocks; otherwise each segment is one, which says nothing about the
    /// variance over time.
    pub detailed: bool,
    /// The blocks that hold samples.
    pub blocks: Vec<Block>,
}

/// What a series amounts to in one block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Block {
    /// Which segment.
    pub segment: u32,
    /// Which block of it; always 0 for series kept whole.
    pub index: u32,
    /// The samples.
    pub data: Aggregate,
}

/// Which stretch of the run is meant, in seconds from the start of the load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// Start.
    pub from: f64,
    /// End; `None` is the end of the run.
    pub to: Option<f64>,
}

impl Span {
    /// From the start to the end of the run.
    pub const ALL: Self = Self {
        from: 0.0,
        to: None,
    };

    /// Between two offsets.
    #[must_use]
    pub fn between(from: Duration, to: Option<Duration>) -> Self {
        Self {
            from: from.as_secs_f64(),
            to: to.map(|t| t.as_secs_f64()),
        }
    }
}

/// What the selected series amount to over a span.
#[derive(Debug, Clone, Default)]
pub struct Selected {
    /// All together; `None` when nothing was observed.
    pub total: Option<Aggregate>,
    /// Block by block in order of time, with each block's seconds.
    pub blocks: Vec<(f64, Aggregate)>,
    /// How many seconds of the span were observed.
    pub seconds: f64,
    /// Seconds of the observed blocks in which nothing was sampled.
    pub gaps: Vec<f64>,
    /// Whether the blocks tell the variance over time: false when a series was kept whole.
    pub detailed: bool,
    /// Series of one metric disagreed on its type; what disagreed was left out.
    pub mixed: bool,
}

/// The evidence is not cut where the span begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotCut;

impl Evidence {
    /// The segments that make up a span.
    fn covering(&self, span: Span) -> Result<Vec<u32>, NotCut> {
        let near = |a: f64, b: f64| (a - b).abs() < 2e-3;
        let mut found = Vec::new();
        let mut from_ok = false;
        let mut to_ok = span.to.is_none();
        for (i, segment) in (0_u32..).zip(&self.segments) {
            from_ok |= near(segment.from, span.from);
            to_ok |= matches!((segment.to, span.to), (Some(a), Some(b)) if near(a, b));
            let starts = segment.from >= span.from - 2e-3;
            let ends = match (segment.to, span.to) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(end), Some(to)) => end <= to + 2e-3,
            };
            if starts && ends {
                found.push(i);
            }
        }
        if from_ok && to_ok {
            Ok(found)
        } else {
            Err(NotCut)
        }
    }

    /// Merges the series of a metric that a selector picks, over a span.
    ///
    /// # Errors
    /// The evidence is not cut at the span's ends, so it cannot say.
    pub fn select(
        &self,
        metric: &MetricName,
        select: impl Fn(&Tags) -> bool,
        span: Span,
    ) -> Result<Selected, NotCut> {
        let covering = self.covering(span)?;
        let mut out = Selected {
            seconds: covering
                .iter()
                .filter_map(|&i| self.segments.get(i as usize))
                .map(|s| s.observed)
                .sum(),
            detailed: true,
            ..Selected::default()
        };
        let mut blocks: std::collections::BTreeMap<(u32, u32), Aggregate> = Default::default();
        for series in &self.series {
            if series.metric != *metric || !select(&series.tags) {
                continue;
            }
            out.detailed &= series.detailed;
            for block in &series.blocks {
                if !covering.contains(&block.segment) {
                    continue;
                }
                match blocks.entry((block.segment, block.index)) {
                    std::collections::btree_map::Entry::Vacant(slot) => {
                        slot.insert(block.data.clone());
                    }
                    std::collections::btree_map::Entry::Occupied(mut slot) => {
                        out.mixed |= !slot.get_mut().merge(&block.data);
                    }
                }
            }
        }
        out.gaps = self.gaps(&covering, &blocks);
        for ((segment, index), data) in blocks {
            match &mut out.total {
                None => out.total = Some(data.clone()),
                Some(total) => out.mixed |= !total.merge(&data),
            }
            out.blocks.push((self.block_seconds(segment, index), data));
        }
        Ok(out)
    }

    /// The seconds of those observed blocks that no selected series has samples in.
    fn gaps<T>(
        &self,
        covering: &[u32],
        blocks: &std::collections::BTreeMap<(u32, u32), T>,
    ) -> Vec<f64> {
        let mut gaps = Vec::new();
        for &segment in covering {
            for index in 0..MAX_BLOCKS {
                let seconds = self.block_seconds(segment, index);
                if seconds > 0.0 && !blocks.contains_key(&(segment, index)) {
                    gaps.push(seconds);
                }
            }
        }
        gaps
    }

    /// How many seconds of a block were observed.
    fn block_seconds(&self, segment: u32, index: u32) -> f64 {
        self.segments.get(segment as usize).map_or(0.0, |s| {
            let before = f64::from(index) * s.block;
            (s.observed - before).clamp(0.0, s.block)
        })
    }

    /// The distinct values of a tag over the series that a selector picks, in order.
    #[must_use]
    pub fn tag_values(&self, metric: &MetricName, select: &Selector, tag: &str) -> Vec<String> {
        let mut values: Vec<String> = self
            .series
            .iter()
            .filter(|s| s.metric == *metric && select.matches(&s.tags) && !s.blocks.is_empty())
            .filter_map(|s| s.tags.get(tag))
            .map(str::to_owned)
            .collect();
        values.sort();
        values.dedup();
        values
    }

    /// The sum of a counter over a span; `None` when it has no samples or the span is not cut.
    #[must_use]
    pub fn counter(&self, metric: &str, select: impl Fn(&Tags) -> bool, span: Span) -> Option<f64> {
        let metric = MetricName::parse(metric).ok()?;
        match self.select(&metric, select, span).ok()?.total? {
            Aggregate::Counter { sum, .. } => Some(sum),
            _ => None,
        }
    }

    /// Per value of `tag`: the total of a metric over a span, for tables by endpoint.
    #[must_use]
    pub fn by_tag(&self, metric: &str, tag: &str, span: Span) -> IndexMap<String, Aggregate> {
        let Ok(metric) = MetricName::parse(metric) else {
            return IndexMap::new();
        };
        let any = Selector::default();
        self.tag_values(&metric, &any, tag)
            .into_iter()
            .filter_map(|value| {
                let total = self
                    .select(&metric, |tags| tags.get(tag) == Some(value.as_str()), span)
                    .ok()?
                    .total?;
                Some((value, total))
            })
            .collect()
    }

    /// Halves the number of blocks, twice at most, while the evidence has more than `limit`
    /// histogram bins in all, so that a stored verdict stays small. Totals do not change, and a full
    /// segment keeps 8 blocks: fewer say too little about the variance over time.
    pub fn coarsen(&mut self, limit: usize) {
        for _ in 0..2 {
            let bins: usize = self
                .series
                .iter()
                .flat_map(|s| &s.blocks)
                .map(|b| match &b.data {
                    Aggregate::Trend(h) => h.bins(),
                    _ => 1,
                })
                .sum();
            if bins <= limit {
                return;
            }
            for segment in &mut self.segments {
                segment.block *= 2.0;
            }
            for series in &mut self.series {
                series.blocks = collector::halved(std::mem::take(&mut series.blocks), |_| true);
            }
        }
    }
}
