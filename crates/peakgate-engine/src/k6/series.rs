//! From the text of tags to series, without work for a tag set that is known.

use std::collections::{BTreeSet, HashMap};

use foldhash::fast::RandomState;
use peakgate_load::metric::builtin;
use peakgate_load::{MetricKind, MetricName, SeriesKey, Tags};

use super::sample::parse_tags;
use super::targets::Targets;
use crate::DEFAULT_TAGS;

/// Texts of tag sets that are remembered; past this all are forgotten, so that scripts with ever
/// new URLs cost time, not memory.
const MAX_TEXTS: usize = 20_000;

/// The part of the run that a sample belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// `setup()` or `teardown()`: not load.
    Outside,
    /// An iteration's.
    Load,
    /// k6's own, such as the number of users.
    Ambient,
}

/// A tag set's place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SetIndex(usize);

/// A metric's place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MetricIndex(usize);

/// A series' place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SeriesIndex(pub(super) usize);

#[derive(Debug)]
struct Set {
    tags: Tags,
    phase: Phase,
    /// By metric.
    series: Vec<Option<SeriesIndex>>,
    /// Set for what stands in for tag sets beyond the limit.
    other: bool,
}

#[derive(Debug)]
struct Metric {
    name: MetricName,
    kind: MetricKind,
}

#[derive(Debug)]
struct Entry {
    key: SeriesKey,
    kind: MetricKind,
    other: bool,
}

/// Which tags series keep.
pub(super) fn kept_tags(keep: &BTreeSet<String>) -> BTreeSet<String> {
    DEFAULT_TAGS
        .iter()
        .map(|t| (*t).to_owned())
        .chain(keep.iter().cloned())
        .collect()
}

/// What part of the run tags speak of.
pub(super) fn phase_of(group: Option<&str>, scenario: Option<&str>) -> Phase {
    match (scenario, group) {
        (Some(_), _) => Phase::Load,
        (None, Some(g)) if g.starts_with("::setup") || g.starts_with("::teardown") => {
            Phase::Outside
        }
        (None, _) => Phase::Ambient,
    }
}

/// The table of series.
#[derive(Debug)]
pub(super) struct SeriesTable {
    keep: BTreeSet<String>,
    targets: Targets,
    max_series: usize,
    texts: HashMap<Box<[u8]>, SetIndex, RandomState>,
    sets: Vec<Set>,
    by_tags: HashMap<(Tags, Phase), SetIndex, RandomState>,
    metrics: Vec<Metric>,
    by_name: HashMap<Box<[u8]>, MetricIndex, RandomState>,
    series: Vec<Entry>,
    /// The last text: the nine samples of a request come in a row with one.
    last: (Vec<u8>, Option<SetIndex>),
    violation: Option<String>,
}

impl SeriesTable {
    pub(super) fn new(keep: &BTreeSet<String>, targets: Targets, max_series: usize) -> Self {
        let other = |phase| Set {
            tags: [("name", "(other)")].into_iter().collect(),
            phase,
            series: Vec::new(),
            other: true,
        };
        Self {
            keep: kept_tags(keep),
            targets,
            max_series,
            texts: HashMap::default(),
            sets: vec![other(Phase::Load), other(Phase::Ambient)],
            by_tags: HashMap::default(),
            metrics: Vec::new(),
            by_name: HashMap::default(),
            series: Vec::new(),
            last: (Vec::new(), None),
            violation: None,
        }
    }

    /// Where a request went that it should not have gone; told once.
    pub(super) fn take_violation(&mut self) -> Option<String> {
        self.violation.take()
    }

    /// Makes a metric known. `false`: the name is not one.
    pub(super) fn define(&mut self, name: &str, kind: MetricKind) -> bool {
        let Ok(parsed) = MetricName::parse(name) else {
            return false;
        };
        if !self.by_name.contains_key(name.as_bytes()) {
            self.by_name
                .insert(name.as_bytes().into(), MetricIndex(self.metrics.len()));
            self.metrics.push(Metric { name: parsed, kind });
        }
        true
    }

    /// The metric of a name, if it was defined or is built into k6.
    pub(super) fn metric(&mut self, name: &[u8]) -> Option<MetricIndex> {
        if let Some(&index) = self.by_name.get(name) {
            return Some(index);
        }
        let metric = builtin(std::str::from_utf8(name).ok()?)?;
        self.define(metric.name, metric.kind);
        self.by_name.get(name).copied()
    }

    /// The tag set of a text; `None` when it is not a JSON object of texts.
    pub(super) fn set(&mut self, text: &[u8]) -> Option<SetIndex> {
        if self.last.0 == text {
            return self.last.1;
        }
        let found = match self.texts.get(text) {
            Some(&set) => set,
            None => self.new_text(text)?,
        };
        self.last.0.clear();
        self.last.0.extend_from_slice(text);
        self.last.1 = Some(found);
        Some(found)
    }

    fn new_text(&mut self, text: &[u8]) -> Option<SetIndex> {
        let all = parse_tags(text)?;
        let pairs = all.iter().map(|(k, v)| (k.as_ref(), v.as_ref()));
        let set = self.set_of(pairs);
        if self.texts.len() >= MAX_TEXTS {
            self.texts.clear();
        }
        self.texts.insert(text.into(), set);
        Some(set)
    }

    /// The tag set of pairs; looks at where requests went.
    pub(super) fn set_of<'a>(
        &mut self,
        pairs: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> SetIndex {
        let (mut group, mut scenario) = (None, None);
        let mut tags = Tags::default();
        for (key, value) in pairs {
            match key {
                "group" => group = Some(value),
                "scenario" => scenario = Some(value),
                "url" | "name" if self.violation.is_none() => {
                    self.violation = self.targets.violation(value);
                }
                _ => {}
            }
            // k6 gives every sample a group; the empty one says nothing.
            if self.keep.contains(key) && !value.is_empty() {
                tags.set(key, value);
            }
        }
        let phase = phase_of(group, scenario);
        let key = (tags, phase);
        if let Some(&known) = self.by_tags.get(&key) {
            return known;
        }
        if self.sets.len() >= self.max_series + 2 {
            return SetIndex(usize::from(phase == Phase::Ambient));
        }
        let index = SetIndex(self.sets.len());
        self.sets.push(Set {
            tags: key.0.clone(),
            phase,
            series: Vec::new(),
            other: false,
        });
        self.by_tags.insert(key, index);
        index
    }

    /// The part of the run that a tag set speaks of.
    pub(super) fn phase(&self, set: SetIndex) -> Phase {
        self.sets[set.0].phase
    }

    /// The series of a metric and a tag set, and whether it was folded into `(other)`.
    pub(super) fn series(&mut self, metric: MetricIndex, set: SetIndex) -> (SeriesIndex, bool) {
        let entry = &mut self.sets[set.0];
        if let Some(Some(known)) = entry.series.get(metric.0) {
            return (*known, self.series[known.0].other);
        }
        let full = self.series.len() >= self.max_series;
        if full && !entry.other {
            let other = SetIndex(usize::from(entry.phase == Phase::Ambient));
            let (index, _) = self.series(metric, other);
            self.remember(metric, set, index);
            return (index, true);
        }
        let Metric { name, kind } = &self.metrics[metric.0];
        let index = SeriesIndex(self.series.len());
        let (tags, folded) = (entry.tags.clone(), entry.other);
        self.series.push(Entry {
            key: SeriesKey::new(name.clone(), tags),
            kind: *kind,
            other: folded,
        });
        self.remember(metric, set, index);
        (index, folded)
    }

    fn remember(&mut self, metric: MetricIndex, set: SetIndex, index: SeriesIndex) {
        let series = &mut self.sets[set.0].series;
        if series.len() <= metric.0 {
            series.resize(metric.0 + 1, None);
        }
        series[metric.0] = Some(index);
    }

    /// A series' identity and type.
    pub(super) fn get(&self, index: SeriesIndex) -> (&SeriesKey, MetricKind) {
        let entry = &self.series[index.0];
        (&entry.key, entry.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(max: usize) -> SeriesTable {
        SeriesTable::new(&BTreeSet::new(), Targets::new(&["ok".into()]), max)
    }

    #[test]
    fn tag_sets_that_keep_the_same_tags_are_one_series() {
        let mut t = table(10);
        let m = t.metric(b"http_reqs").unwrap();
        let a = t
            .set(br#"{"name":"x","scenario":"s","url":"http://ok/1","group":""}"#)
            .unwrap();
        let b = t
            .set(br#"{"name":"x","scenario":"s","url":"http://ok/2","group":""}"#)
            .unwrap();
        assert_eq!(a, b);
        let (index, folded) = t.series(m, a);
        assert!(!folded);
        assert_eq!(t.get(index).0.to_string(), "http_reqs{name:x,scenario:s}");
        assert_eq!(t.take_violation(), None);
        let _ = t.set(br#"{"name":"x","scenario":"s","url":"http://evil/2"}"#);
        assert!(t.take_violation().unwrap().contains("evil"));
        assert!(t.metric(b"no_such_metric").is_none());
    }

    #[test]
    fn past_the_limit_series_are_folded_and_memory_stays() {
        let mut t = table(5);
        let m = t.metric(b"http_reqs").unwrap();
        let mut folded = 0;
        for round in 0..2 {
            for i in 0..1000 {
                let text = format!(r#"{{"name":"n{i}","scenario":"s"}}"#);
                let set = t.set(text.as_bytes()).unwrap();
                let (index, f) = t.series(m, set);
                folded += usize::from(f);
                assert_eq!(f, i >= 5, "{round} {i} {}", t.get(index).0);
            }
        }
        assert_eq!(folded, 2 * 995);
        assert_eq!(t.series.len(), 6);
        assert!(t.sets.len() <= 7);
    }

    #[test]
    fn phases() {
        let mut t = table(9);
        for (text, phase) in [
            (r#"{"group":"::setup"}"#, Phase::Outside),
            (r#"{"group":"::teardown::x"}"#, Phase::Outside),
            (r#"{"group":"::setup","scenario":"s"}"#, Phase::Load),
            (r"{}", Phase::Ambient),
        ] {
            let set = t.set(text.as_bytes()).unwrap();
            assert_eq!(t.phase(set), phase, "{text}");
        }
    }
}
