//! Exit codes: documented, and mapped in one exhaustive match.

use std::process::ExitCode;

use peakgate_core::Outcome;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Pass or warn: the release may go on. Also: nothing went wrong in a command without verdict.
    Success,
    /// Fail.
    Fail,
    /// The command line, the policy or an input file is wrong.
    Usage,
    /// Inconclusive.
    Inconclusive,
    /// The engine, the target or the environment went wrong.
    Error,
    /// Ended by SIGINT.
    Interrupted,
    /// Ended by SIGTERM.
    Terminated,
}

impl Exit {
    /// The process's exit code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Fail => 1,
            Self::Usage => 2,
            Self::Inconclusive => 3,
            Self::Error => 4,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The worse of two: for several tests in one command.
    pub(crate) fn worse(self, other: Self) -> Self {
        let rank = |exit: Self| match exit {
            Self::Success => 0,
            Self::Inconclusive => 1,
            Self::Fail => 2,
            Self::Error => 3,
            Self::Usage => 4,
            Self::Interrupted => 5,
            Self::Terminated => 6,
        };
        if rank(other) > rank(self) {
            other
        } else {
            self
        }
    }
}

impl From<Outcome> for Exit {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Pass | Outcome::Warn => Self::Success,
            Outcome::Fail => Self::Fail,
            Outcome::Inconclusive => Self::Inconclusive,
            Outcome::Error => Self::Error,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The table for `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0    pass or warn: the release may go on
  1    fail: an objective does not hold
  2    usage: the command line, the policy or an input file is wrong
  3    inconclusive: it cannot be said whether the objectives hold
  4    error: the engine, the target or the environment went wrong
  130  interrupted (SIGINT)
  143  terminated (SIGTERM)";
