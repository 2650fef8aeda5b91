//! What is wrong with a policy: where, what was allowed, and what to do.

use std::fmt;

use serde::Serialize;

use crate::source::{Place, Pointer, Position};

mod code;
mod render;

pub use code::Code;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// What kind of fault it is; stable, so that scripts can match it.
    pub code: Code,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Where it begins; line 0 when it concerns the text as a whole.
    pub position: Position,
    /// How many characters of the line it covers.
    pub width: u32,
    /// The value or key, as a JSON pointer.
    pub pointer: Pointer,
    /// What may stand there; empty when that cannot be listed.
    pub allowed: Vec<String>,
    /// What was probably meant.
    pub suggestion: Option<String>,
    /// What to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A diagnostic about the text as a whole.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            position: Position::default(),
            width: 1,
            pointer: Pointer::root(),
            allowed: Vec::new(),
            suggestion: None,
            help: None,
        }
    }

    /// Puts it at a place that is known as a position only.
    #[must_use]
    pub fn position(mut self, position: Position) -> Self {
        self.position = position;
        self
    }

    pub(crate) fn at(mut self, place: Place) -> Self {
        self.position = place.position;
        self.width = place.width;
        self
    }

    pub(crate) fn pointing(mut self, pointer: &Pointer) -> Self {
        self.pointer = pointer.clone();
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn suggest(mut self, suggestion: Option<impl Into<String>>) -> Self {
        self.suggestion = suggestion.map(Into::into);
        self
    }

    /// Lists what may stand there, and from it suggests what is nearest to `written`.
    #[must_use]
    pub fn allowed<S: Into<String>>(
        mut self,
        written: &str,
        allowed: impl IntoIterator<Item = S>,
    ) -> Self {
        self.allowed = allowed.into_iter().map(Into::into).collect();
        if self.suggestion.is_none() {
            self.suggestion = nearest(written, self.allowed.iter().map(String::as_str));
        }
        self
    }

    /// How much it teaches: of two at one place, the one that teaches more stays.
    fn worth(&self) -> u32 {
        u32::from(self.suggestion.is_some()) * 4
            + u32::from(!self.allowed.is_empty()) * 2
            + u32::from(self.help.is_some())
    }
}

/// All that is wrong with a policy, in the order of the text; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Sorts and drops repetitions; `None` when nothing is wrong.
    #[must_use]
    pub fn new(mut all: Vec<Diagnostic>) -> Option<Self> {
        // The sort is stable, and the first of its place stays: so the best teacher goes first.
        all.sort_by_key(|d| (d.position, std::cmp::Reverse(d.worth())));
        let mut kept: Vec<Diagnostic> = Vec::with_capacity(all.len());
        for new in all {
            let repeated = kept.iter().rev().take_while(|k| k.position == new.position);
            // Two faults at one place are both shown when they are of different kinds, unless one
            // of them is only that the schema had no name for it.
            let covered = repeated.into_iter().any(|k| {
                k.code == new.code && (k.pointer == new.pointer || k.message == new.message)
                    || k.pointer == new.pointer
                        && new.code.is_structural() != k.code.is_structural()
            });
            if !covered {
                kept.push(new);
            }
        }
        (!kept.is_empty()).then_some(Self(kept))
    }

    pub(crate) fn from_one(one: Diagnostic) -> Self {
        Self(vec![one])
    }

    /// The diagnostics, at least one.
    #[must_use]
    pub fn as_slice(&self) -> &[Diagnostic] {
        &self.0
    }

    /// The diagnostics, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// All of them as a terminal shows them: `file:line:column: error[code]: message`, the line
    /// of the text, and what was allowed. Control characters of the text do not come through.
    #[must_use]
    pub fn render(&self, file_name: &str, text: &str, color: bool) -> String {
        render::all(&self.0, file_name, text, color)
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, d) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(
                f,
                "{}:{}: error[{}]: {}",
                d.position.line, d.position.column, d.code, d.message
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// The candidate that was probably meant: close by Damerau-Levenshtein distance, a third of its
/// letters at most, or else the only one that begins with what was written.
pub(crate) fn nearest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let lower = written.to_lowercase();
    if lower.is_empty() || lower.len() > 100 {
        return None;
    }
    let mut begins: Vec<&str> = Vec::new();
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
        let bound = (candidate.chars().count().max(lower.chars().count()) / 3).max(1);
        if distance <= bound && best.is_none_or(|(d, _)| distance < d) {
            best = Some((distance, candidate));
        }
        if lower.chars().count() >= 3 && candidate.to_lowercase().starts_with(&lower) {
            begins.push(candidate);
        }
    }
    match (best, begins.as_slice()) {
        (Some((_, candidate)), _) => Some(candidate.to_owned()),
        (None, [only]) => Some((*only).to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_is_near_and_nothing_else() {
        let words = ["objectives", "service", "max", "min", "median_of_last"];
        assert_eq!(nearest("objectivs", words).as_deref(), Some("objectives"));
        assert_eq!(nearest("Service", words).as_deref(), Some("service"));
        assert_eq!(nearest("mx", words).as_deref(), Some("max"));
        assert_eq!(nearest("median", words).as_deref(), Some("median_of_last"));
        assert_eq!(nearest("notifications", words), None);
        assert_eq!(nearest("", words), None);
    }

    #[test]
    fn repetitions_go_and_the_best_teacher_stays() {
        let at = Place {
            position: Position { line: 2, column: 3 },
            width: 1,
        };
        let poor = Diagnostic::new(Code::WrongType, "poor").at(at);
        let rich = Diagnostic::new(Code::WrongType, "rich")
            .at(at)
            .help("do this");
        let first = Diagnostic::new(Code::UnknownKey, "first").at(Place {
            position: Position { line: 1, column: 1 },
            width: 1,
        });
        let all = Diagnostics::new(vec![poor, rich.clone(), first.clone()]).unwrap();
        assert_eq!(all.as_slice(), [first, rich]);
        assert!(Diagnostics::new(Vec::new()).is_none());
    }
}
