//! The k6 engine on the real k6, against a server on loopback.

mod endings;
mod numbers;
mod scripts;
mod support;
