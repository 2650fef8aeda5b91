//! Series: a metric and a set of tags.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::metric::MetricName;

/// A tag set, sorted by key; equal sets compare and hash equal.
#[derive(
    Debug,
    Clone,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(
    from = "std::collections::BTreeMap<String, String>",
    into = "std::collections::BTreeMap<String, String>"
)]
#[schemars(with = "std::collections::BTreeMap<String, String>")]
pub struct Tags(Vec<(String, String)>);

impl Tags {
    /// The value of a tag.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0
            .binary_search_by(|(k, _)| k.as_str().cmp(key))
            .ok()
            .map(|i| self.0[i].1.as_str())
    }

    /// Sets a tag, replacing an earlier value.
    pub fn set(&mut self, key: &str, value: &str) {
        match self.0.binary_search_by(|(k, _)| k.as_str().cmp(key)) {
            Ok(i) => value.clone_into(&mut self.0[i].1),
            Err(i) => self.0.insert(i, (key.to_owned(), value.to_owned())),
        }
    }

    /// All tags in key order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// Whether there is no tag.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Tags {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(iter: I) -> Self {
        iter.into_iter()
            .map(|(k, v)| (k.into(), v.into()))
            .collect::<std::collections::BTreeMap<String, String>>()
            .into()
    }
}

impl From<std::collections::BTreeMap<String, String>> for Tags {
    fn from(map: std::collections::BTreeMap<String, String>) -> Self {
        Self(map.into_iter().collect())
    }
}

impl From<Tags> for std::collections::BTreeMap<String, String> {
    fn from(tags: Tags) -> Self {
        tags.0.into_iter().collect()
    }
}

/// What a series is: a metric and its tags.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId {
    /// The metric.
    pub metric: MetricName,
    /// Its tags.
    pub tags: Tags,
}

/// A shared series identity: cheap to clone, so that windows do not copy tag text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey(Arc<SeriesId>);

impl SeriesKey {
    /// A key of its own; engines keep and reuse keys.
    #[must_use]
    pub fn new(metric: MetricName, tags: Tags) -> Self {
        Self(Arc::new(SeriesId { metric, tags }))
    }
}

impl std::ops::Deref for SeriesKey {
    type Target = SeriesId;
    fn deref(&self) -> &SeriesId {
        &self.0
    }
}

impl fmt::Display for SeriesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.metric)?;
        if !self.tags.is_empty() {
            f.write_str("{")?;
            for (i, (k, v)) in self.tags.iter().enumerate() {
                write!(f, "{}{k}:{v}", if i == 0 { "" } else { "," })?;
            }
            f.write_str("}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for SeriesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_sets_do_not_depend_on_order() {
        let a: Tags = [("b", "2"), ("a", "1")].into_iter().collect();
        let mut b = Tags::default();
        b.set("a", "0");
        b.set("b", "2");
        b.set("a", "1");
        assert_eq!(a, b);
        assert_eq!(a.get("b"), Some("2"));
        assert_eq!(a.get("c"), None);
    }
}
