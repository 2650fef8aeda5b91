//! Facts about a k6 script, read without running it. Pure: text in, facts out; the caller reads
//! the files.
//!
//! [`read`] parses one module (JavaScript or TypeScript), [`relative_imports`] says which further
//! files to read, [`resolve_relative`] where they are, and [`merge`] makes one set of facts of them
//! all. What cannot be known without running the script is said to be unknown (the `dynamic_*`
//! facts), so that nobody refuses a metric or a check that a loop defines.
//!
//! [`threshold_to_objective`] and [`policy_yaml`] turn what was found into a first policy.

mod bindings;
mod facts;
mod merge;
mod objective;
mod options;
mod policy;
mod read;
mod url;
mod visit;

pub use facts::{DefinedMetric, Import, ImportKind, Position, ScriptFacts, Threshold, UrlLiteral};
pub use merge::{merge, relative_imports, resolve_relative};
pub use objective::{LimitDirection, SuggestedObjective, threshold_to_objective};
pub use policy::{policy_yaml, test_name};
pub use read::{MAX_NESTING, MAX_SOURCE_BYTES, ScriptError, read};
