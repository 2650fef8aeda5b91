//! The policy language: document, schema, diagnostics, typed settings. Pure: text in, settings or
//! diagnostics out.
//!
//! [`load`] goes through these steps, and gathers what each finds wrong: text → nodes with
//! positions → variables replaced → form (the JSON Schema) → meaning ([`settings::Policy`]).

pub mod diagnostic;
pub mod hosts;
mod interpolate;
pub mod reference;
pub mod settings;
pub mod source;

mod document;
mod form;
mod resolve;
mod units;

pub use diagnostic::{Code, Diagnostic, Diagnostics};
pub use document::schema;
pub use interpolate::Lookup;
pub use reference::reference_markdown;

use sha2::{Digest, Sha256};

/// Reads a policy. `lookup` gives environment variables; nothing else is read from anywhere.
///
/// # Errors
/// All that is wrong with it, at once.
pub fn load(text: &str, lookup: Lookup<'_>) -> Result<settings::Policy, Diagnostics> {
    let mut problems = Vec::new();
    let policy = read(text, lookup, &mut problems);
    match (Diagnostics::new(problems), policy) {
        (Some(diagnostics), _) => Err(diagnostics),
        (None, Some(policy)) => Ok(policy),
        // Cannot happen: no policy goes with a problem. If it does, it must not pass in silence.
        (None, None) => Err(Diagnostics::from_one(form::internal(
            "the policy was neither understood nor complained about",
        ))),
    }
}

fn read(
    text: &str,
    lookup: Lookup<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Option<settings::Policy> {
    let mut root = source::load(text, problems)?;
    let broken = interpolate::interpolate(&mut root, lookup, problems);
    let form = form::check(&mut root, &broken, problems)?;
    let hash = Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    resolve::resolve(&root, form, hash, problems)
}
