//! Builds evidence from an engine's windows.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use peakgate_load::{Aggregate, MetricName, SeriesKey, Window, window::LostSamples};

use super::{Block, Evidence, MAX_BLOCKS, Segment, SeriesEvidence};

/// Blocks hold at most about so many histogram bins in all (12 bytes each) before they double their
/// width: with many endpoints and wide distributions, 32 blocks of each would be too much.
const MOST_BINS: usize = 400_000;

/// But a segment keeps at least so many blocks: intervals are estimated from them, with the factor of
/// few blocks (see `stats::effect`). A stored verdict keeps no more of so wide a run either.
const FEWEST_BLOCKS: f64 = 4.0;

/// Folds windows into evidence as they come.
#[derive(Debug)]
pub struct Collector {
    segments: Vec<Segment>,
    detailed: BTreeSet<MetricName>,
    series: HashMap<SeriesKey, Vec<Block>>,
    lost: LostSamples,
    folded: BTreeSet<String>,
    /// Histogram bins in the blocks of detailed series.
    bins: usize,
}

impl Collector {
    /// Cuts the time axis at `cuts` (any order, 0 is added); `detailed` metrics keep blocks.
    #[must_use]
    pub fn new(cuts: &[Duration], detailed: BTreeSet<MetricName>) -> Self {
        let mut at: Vec<Duration> = cuts.to_vec();
        at.push(Duration::ZERO);
        at.sort();
        at.dedup();
        let segments = at
            .iter()
            .enumerate()
            .map(|(i, from)| Segment {
                from: from.as_secs_f64(),
                to: at.get(i + 1).map(Duration::as_secs_f64),
                block: 1.0,
                observed: 0.0,
            })
            .collect();
        Self {
            segments,
            detailed,
            series: HashMap::new(),
            lost: LostSamples::default(),
            folded: BTreeSet::new(),
            bins: 0,
        }
    }

    /// Adds a window. A window that lies across a cut belongs to the segment of its middle.
    pub fn observe(&mut self, window: &Window) {
        self.lost.not_finite += window.lost.not_finite;
        self.lost.folded += window.lost.folded;
        self.lost.unreadable += window.lost.unreadable;
        let start = window.start.as_secs_f64();
        let middle = start + window.length.as_secs_f64() / 2.0;
        let segment = self
            .segments
            .partition_point(|s| s.from <= middle)
            .saturating_sub(1);
        let Some(found) = self.segments.get_mut(segment) else {
            return;
        };
        let end = (start + window.length.as_secs_f64() - found.from).max(0.0);
        let end = found.to.map_or(end, |to| end.min(to - found.from));
        found.observed = found.observed.max(end);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let mut index = ((middle - found.from) / found.block) as u32;
        #[allow(clippy::cast_possible_truncation)]
        let segment = segment as u32;
        while index >= MAX_BLOCKS {
            self.widen(segment);
            index /= 2;
        }
        for (key, data) in &window.series {
            if data.samples() == 0 {
                continue;
            }
            if window.lost.folded > 0 && key.tags.get("name") == Some("(other)") {
                self.folded.insert(key.metric.to_string());
            }
            let detailed = self.detailed.contains(&key.metric);
            let index = if detailed { index } else { 0 };
            let blocks = match self.series.get_mut(key) {
                Some(blocks) => blocks,
                None => self.series.entry(key.clone()).or_default(),
            };
            // Nearly always the last block; a late window may reach back.
            let slot = blocks
                .iter_mut()
                .rev()
                .find(|b| b.segment == segment && b.index == index);
            match slot {
                Some(block) => {
                    let before = bins(&block.data);
                    if !block.data.merge(data) {
                        self.lost.unreadable += data.samples();
                    }
                    if detailed {
                        self.bins += bins(&block.data) - before;
                    }
                }
                None => {
                    if detailed {
                        self.bins += bins(data);
                    }
                    blocks.push(Block {
                        segment,
                        index,
                        data: data.clone(),
                    });
                }
            }
        }
        while self.bins > MOST_BINS && self.widen_the_finest() {}
    }

    /// Widens the blocks of the segment that has most of them; `false` when all have few.
    fn widen_the_finest(&mut self) -> bool {
        let finest = (0_u32..)
            .zip(&self.segments)
            .map(|(i, segment)| (i, segment.observed / segment.block))
            .filter(|(_, blocks)| *blocks >= 2.0 * FEWEST_BLOCKS)
            .max_by(|a, b| a.1.total_cmp(&b.1));
        let Some((segment, _)) = finest else {
            return false;
        };
        self.widen(segment);
        self.bins = self
            .series
            .iter()
            .filter(|(key, _)| self.detailed.contains(&key.metric))
            .flat_map(|(_, blocks)| blocks)
            .map(|block| bins(&block.data))
            .sum();
        true
    }

    fn widen(&mut self, segment: u32) {
        self.segments[segment as usize].block *= 2.0;
        for blocks in self.series.values_mut() {
            *blocks = halved(std::mem::take(blocks), |s| s == segment);
        }
    }

    /// How many series are held.
    #[must_use]
    pub fn series(&self) -> usize {
        self.series.len()
    }

    /// The evidence, series in order of name.
    #[must_use]
    pub fn finish(self) -> Evidence {
        let ordered: BTreeMap<SeriesKey, Vec<Block>> = self.series.into_iter().collect();
        Evidence {
            segments: self.segments,
            series: ordered
                .into_iter()
                .map(|(key, mut blocks)| {
                    blocks.sort_by_key(|b| (b.segment, b.index));
                    SeriesEvidence {
                        metric: key.metric.clone(),
                        tags: key.tags.clone(),
                        detailed: self.detailed.contains(&key.metric),
                        blocks,
                    }
                })
                .collect(),
            lost: self.lost,
            folded_metrics: self.folded.into_iter().collect(),
        }
    }
}

/// How many histogram bins an aggregate holds.
fn bins(data: &Aggregate) -> usize {
    match data {
        Aggregate::Trend(histogram) => histogram.bins(),
        _ => 0,
    }
}

/// Joins each two neighbouring blocks of the segments that `which` names.
pub(super) fn halved(blocks: Vec<Block>, which: impl Fn(u32) -> bool) -> Vec<Block> {
    let mut out: Vec<Block> = Vec::with_capacity(blocks.len());
    let mut sorted = blocks;
    sorted.sort_by_key(|b| (b.segment, b.index));
    for mut block in sorted {
        if which(block.segment) {
            block.index /= 2;
        }
        match out.last_mut() {
            Some(last) if last.segment == block.segment && last.index == block.index => {
                // One series has one type: a merge cannot be refused here.
                let _ = last.data.merge(&block.data);
            }
            _ => out.push(block),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use peakgate_load::{Histogram, Tags};

    use super::*;

    #[test]
    fn many_wide_series_keep_fewer_blocks_and_all_samples() {
        let metric = MetricName::parse("http_req_duration").unwrap();
        let mut wide = Histogram::new();
        let mut value = 1.0;
        for _ in 0..1_000 {
            value *= 1.01;
            assert!(wide.record(value));
        }
        let keys: Vec<SeriesKey> = (0..40)
            .map(|n| {
                let mut tags = Tags::default();
                tags.set("name", &n.to_string());
                SeriesKey::new(metric.clone(), tags)
            })
            .collect();
        let mut collector = Collector::new(&[], [metric].into());
        for second in 0..100 {
            collector.observe(&Window {
                start: Duration::from_secs(second),
                length: Duration::from_secs(1),
                series: keys
                    .iter()
                    .map(|key| (key.clone(), Aggregate::Trend(wide.clone())))
                    .collect(),
                generator: None,
                lost: LostSamples::default(),
            });
        }
        let evidence = collector.finish();
        assert_eq!(evidence.series.len(), 40);
        let blocks = || evidence.series.iter().flat_map(|s| &s.blocks);
        assert_eq!(
            blocks().map(|b| b.data.samples()).sum::<u64>(),
            40 * 100 * 1_000
        );
        // 32 of them would be three times as much.
        for series in &evidence.series {
            let kept = series.blocks.len();
            assert!((4..=8).contains(&kept), "{kept}");
        }
    }
}
