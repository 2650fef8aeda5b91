//! The leads: a ring that forgets the oldest, so that memory stays bounded.

use std::collections::VecDeque;

use serde::Serialize;
use serde_json::{Map, Value};

/// How many leads are remembered; at most some 30 MB with the longest texts.
const CAPACITY: usize = 32_768;
/// Longer texts are cut.
const MAX_TEXT: usize = 200;

/// A lead.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Lead {
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) source: Option<String>,
}

/// The store.
#[derive(Debug, Default)]
pub(crate) struct Store {
    leads: VecDeque<Lead>,
    /// The number of the first lead in the ring.
    first: u64,
}

const PREFIX: &str = "lead-";

impl Store {
    /// Stores a lead; fields other than those of [`Lead`] are ignored, as is an `id`.
    pub(crate) fn add(&mut self, fields: &Map<String, Value>) -> Lead {
        if self.leads.len() == CAPACITY {
            self.leads.pop_front();
            self.first += 1;
        }
        let number = self.created();
        let text = |key: &str| {
            let text = fields.get(key)?.as_str()?;
            Some(text.chars().take(MAX_TEXT).collect::<String>())
        };
        let lead = Lead {
            id: format!("{PREFIX}{number}"),
            status: text("status").unwrap_or_else(|| "NEW".to_owned()),
            name: text("name"),
            email: text("email"),
            source: text("source"),
        };
        self.leads.push_back(lead.clone());
        lead
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Lead> {
        let number: u64 = id.strip_prefix(PREFIX)?.parse().ok()?;
        let index = number.checked_sub(self.first)?;
        self.leads.get(usize::try_from(index).ok()?)
    }

    /// The newest leads, newest first.
    pub(crate) fn newest(&self) -> impl Iterator<Item = &Lead> {
        self.leads.iter().rev()
    }

    /// How many leads were ever created.
    pub(crate) fn created(&self) -> u64 {
        self.first + self.leads.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_forgets_the_oldest() {
        let mut store = Store::default();
        let mut fields = Map::new();
        fields.insert("name".to_owned(), "Ada".into());
        fields.insert("email".to_owned(), "é".repeat(500).into());
        let first = store.add(&fields);
        assert_eq!(store.get(&first.id).unwrap().name.as_deref(), Some("Ada"));
        assert_eq!(first.email.unwrap().chars().count(), MAX_TEXT);
        assert_eq!(first.status, "NEW");
        for _ in 0..CAPACITY {
            store.add(&fields);
        }
        assert!(store.get(&first.id).is_none());
        assert_eq!(store.leads.len(), CAPACITY);
        assert_eq!(store.created(), CAPACITY as u64 + 1);
        let newest = store.newest().next().unwrap();
        assert_eq!(newest.id, format!("lead-{CAPACITY}"));
        assert_eq!(store.get(&newest.id).unwrap().id, newest.id);
        assert!(store.get("lead-x").is_none() && store.get("").is_none());
    }
}
