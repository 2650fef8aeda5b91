//! The policy language from outside.
#![allow(clippy::unwrap_used)]

mod cases;
mod codes;
mod files;
mod fuzz;
mod good;
mod shown;

/// No variable is set.
fn unset(_: &str) -> Option<String> {
    None
}

/// The smallest policy, with room for more at its end.
fn minimal(rest: &str) -> String {
    format!(
        "service: s\nenvironment: {{name: n, base_url: \"http://h.local\"}}\n\
         tests: {{t: {{script: t.js}}}}\n\
         objectives:\n  o: {{metric: http_req_duration, statistic: p(99), max: 1s}}\n{rest}"
    )
}
