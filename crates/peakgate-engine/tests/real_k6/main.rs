//! The k6 engine on the real k6, against a server on loopback.

// The lint's exception for tests knows #[test] functions only, not what they call.
#![allow(clippy::unwrap_used)]

mod breakage;
mod endings;
mod executors;
mod numbers;
mod pushes;
mod scripts;
mod support;
mod thresholds;
