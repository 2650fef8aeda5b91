//! The name of a run.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The name of a run: a UUID of version 7 (RFC 9562), so that names sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(Uuid);

impl RunId {
    /// A new name from the system's clock and random source.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// A name from a given time and ten random bytes (74 of their 80 bits are used). Times before
    /// 1970 count as 1970.
    #[must_use]
    pub fn from_parts(at: jiff::Timestamp, random: [u8; 10]) -> Self {
        let millis = u64::try_from(at.as_millisecond()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The last eight digits: random, so enough to tell the runs of one file apart by eye.
    #[must_use]
    pub fn short(&self) -> String {
        let text = self.0.to_string();
        text[text.len() - 8..].to_owned()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// A text that is not a whole run name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a run name; a whole one looks like 0190b3c4-5d6e-7f80-91a2-b3c4d5e6f708 (`peakgate history list` shows them)"
)]
pub struct BadRunId(pub String);

impl FromStr for RunId {
    type Err = BadRunId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text)
            .map(Self)
            .map_err(|_ignored| BadRunId(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_time_and_read_back() {
        let at = |s| jiff::Timestamp::from_second(s).unwrap();
        let old = RunId::from_parts(at(1_700_000_000), [0xff; 10]);
        let new = RunId::from_parts(at(1_700_000_001), [0; 10]);
        assert!(old < new);
        assert!(old.to_string() < new.to_string());
        assert_eq!(old.to_string().parse::<RunId>().unwrap(), old);
        assert_eq!(old.to_string().as_bytes()[14], b'7');
        assert!(old.to_string().ends_with(&old.short()));
        assert_ne!(RunId::generate(), RunId::generate());
        assert!(
            "0190b3c4"
                .parse::<RunId>()
                .unwrap_err()
                .to_string()
                .contains("0190b3c4")
        );
    }
}
