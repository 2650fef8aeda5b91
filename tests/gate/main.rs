//! The whole gate, on real parts: the real k6 against a real HTTP server.
//!
//! Load goes to loopback only. No timing is asserted tighter than seconds.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests, too")]

mod bad_input;
mod demo;
mod evaluate;
mod examples;
mod history;
mod init;
mod interrupt;
mod run;
mod support;
