//! The policy's text with positions: a node tree in which every key and value knows its line and
//! column. YAML 1.2 with the core schema; JSON is read as the YAML that it is.

use serde::{Deserialize, Serialize};

mod loader;
mod pointer;
mod scalar;

pub use loader::{MAX_BYTES, MAX_DEPTH, MAX_NODES};
pub use pointer::Pointer;

pub(crate) use loader::load;
pub(crate) use scalar::{Scalar, core_schema};

/// A place in the policy: line and column, both from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Line, from 1; 0 when unknown.
    pub line: u32,
    /// Column, from 1, in characters.
    pub column: u32,
}

/// A stretch of one line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Where it starts.
    pub(crate) position: Position,
    /// How many characters it is wide; at least 1.
    pub(crate) width: u32,
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Where it stands; of an alias, where its anchor stands.
    pub(crate) place: Place,
    /// The value.
    pub(crate) data: Data,
    /// Whether it is an unquoted scalar.
    pub(crate) plain: bool,
    /// Whether a variable was replaced in it.
    pub(crate) interpolated: bool,
}

/// A value.
#[derive(Debug, Clone)]
pub(crate) enum Data {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A finite number, and how it was written.
    Number(serde_json::Number, String),
    /// Text.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in order, without duplicates.
    Map(Vec<Entry>),
}

/// A key of a mapping with its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The key.
    pub(crate) key: String,
    /// Where it stands.
    pub(crate) place: Place,
    /// The value.
    pub(crate) value: Node,
}

impl Node {
    /// The entry of a mapping.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.data {
            Data::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    fn step(&self, segment: &str) -> Option<(&Self, Place)> {
        match &self.data {
            Data::List(items) => {
                let item = items.get(segment.parse::<usize>().ok()?)?;
                Some((item, item.place))
            }
            _ => {
                let entry = self.entry(segment)?;
                Some((&entry.value, entry.place))
            }
        }
    }

    /// The node at a pointer.
    pub(crate) fn at(&self, pointer: &Pointer) -> Option<&Self> {
        let mut node = self;
        for segment in pointer.segments() {
            node = node.step(&segment)?.0;
        }
        Some(node)
    }

    /// The node at a pointer, to change it.
    pub(crate) fn at_mut(&mut self, pointer: &Pointer) -> Option<&mut Self> {
        let mut node = self;
        for segment in pointer.segments() {
            node = match &mut node.data {
                Data::List(items) => items.get_mut(segment.parse::<usize>().ok()?)?,
                Data::Map(entries) => {
                    let entry = entries.iter_mut().find(|entry| entry.key == segment)?;
                    &mut entry.value
                }
                _ => return None,
            };
        }
        Some(node)
    }

    /// Where the value at a pointer stands; of one that is not there, where its nearest holder is.
    pub(crate) fn value_place(&self, pointer: &Pointer) -> Place {
        match self.at(pointer) {
            // A mapping in block style starts at its first key: its own key is the better place.
            Some(node) if matches!(node.data, Data::Map(_) | Data::List(_) | Data::Null) => {
                self.key_place(pointer)
            }
            Some(node) => node.place,
            None => self.key_place(pointer),
        }
    }

    /// Where the last key (or item) of a pointer stands.
    pub(crate) fn key_place(&self, pointer: &Pointer) -> Place {
        let mut node = self;
        let mut place = self.place;
        for segment in pointer.segments() {
            match node.step(&segment) {
                Some((next, at)) => {
                    node = next;
                    place = at;
                }
                None => break,
            }
        }
        place
    }

    /// The value as JSON, without positions.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(b) => Value::Bool(*b),
            Data::Number(n, _) => Value::Number(n.clone()),
            Data::Text(text) => Value::String(text.clone()),
            Data::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Data::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.to_json()))
                    .collect(),
            ),
        }
    }

    /// A scalar as it was written (`1.10` stays `1.10`); `None` for lists, mappings and null.
    pub(crate) fn scalar_text(&self) -> Option<String> {
        match &self.data {
            Data::Bool(b) => Some(b.to_string()),
            Data::Number(_, text) | Data::Text(text) => Some(text.clone()),
            Data::Null | Data::List(_) | Data::Map(_) => None,
        }
    }
}
