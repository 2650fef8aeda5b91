//! The ways in which the service can be.

use std::fmt;
use std::str::FromStr;

/// How the service behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// A few to some tens of milliseconds on every call.
    Healthy,
    /// `POST /api/v1/leads` slows down with the number of connected clients: well at 50, past a
    /// second at 500. The other calls stay fast.
    Slow,
    /// One call in 33 answers 500, on every route (`/healthz` excepted).
    Flaky,
    /// Every call slows down with the time since the start, and memory (as reported) grows.
    Leaking,
    /// Nothing listens: connections are refused.
    Down,
}

impl Mode {
    /// All modes.
    pub const ALL: [Self; 5] = [
        Self::Healthy,
        Self::Slow,
        Self::Flaky,
        Self::Leaking,
        Self::Down,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Slow => "slow",
            Self::Flaky => "flaky",
            Self::Leaking => "leaking",
            Self::Down => "down",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that is no mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no mode of the reference service; there are healthy, slow, flaky, leaking and down"
)]
pub struct UnknownMode(pub String);

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| UnknownMode(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_read_back_and_others_are_named() {
        for mode in Mode::ALL {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        let error = "slwo".parse::<Mode>().unwrap_err().to_string();
        assert!(
            error.contains("`slwo`") && error.contains("slow"),
            "{error}"
        );
    }
}
