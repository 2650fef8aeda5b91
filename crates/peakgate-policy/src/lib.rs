//! The policy language: document, schema, diagnostics, typed settings. Pure: text in, settings or
//! diagnostics out.

pub mod settings;
pub mod source;
