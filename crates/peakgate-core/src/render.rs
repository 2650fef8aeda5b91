//! Words about a verdict. `markdown` makes summary.md, which is also what a pull request and a
//! step summary show; `words` holds the phrases that every publisher shares.

pub mod clean;
pub mod escape;
mod fit;
mod objectives;
mod sections;
#[cfg(test)]
mod tests;
pub mod words;

use crate::verdict::Verdict;
use fit::fit;

/// The most bytes that [`markdown`] returns. GitHub takes 65,536 characters in a comment; the rest
/// is room for a marker or a footer of whoever publishes it.
pub const MARKDOWN_BUDGET: usize = 60_000;

/// The verdict as GitHub Markdown, at most [`MARKDOWN_BUDGET`] bytes.
///
/// The first line tells the decision. Objectives that need a look come next, then what to do, then
/// folded sections. Text from outside (names, URLs, tags, reasons, log lines) is escaped. When it
/// grows too long, rows of passing objectives go first; what was left out is counted.
#[must_use]
pub fn markdown(verdict: &Verdict) -> String {
    let mut blocks = vec![sections::head(verdict)];
    blocks.extend(objectives::attention(verdict));
    blocks.extend(sections::next(verdict));
    blocks.extend(objectives::all(verdict));
    blocks.push(sections::load(verdict));
    blocks.extend(sections::endpoints(verdict));
    blocks.extend(sections::thresholds(verdict));
    blocks.extend(sections::waivers(verdict));
    blocks.extend(sections::notes(verdict));
    blocks.push(sections::environment(verdict));
    fit(&blocks, MARKDOWN_BUDGET)
}
