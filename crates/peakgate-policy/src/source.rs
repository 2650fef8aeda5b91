//! Positions in a policy's text.

use serde::{Deserialize, Serialize};

/// A place in the policy: line and column, both from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Line, from 1; 0 when unknown.
    pub line: u32,
    /// Column, from 1, in characters.
    pub column: u32,
}
