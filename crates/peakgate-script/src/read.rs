//! Parsing one script.

use oxc_allocator::Allocator;
use oxc_parser::{Parser, ParserReturn};
use oxc_span::SourceType;

use crate::bindings::Bindings;
use crate::facts::{Position, ScriptFacts};
use crate::visit::Reader;

/// The longest source that is read, in bytes. Longer ones are data, not scripts.
pub const MAX_SOURCE_BYTES: usize = 8 * 1024 * 1024;

/// The deepest nesting of brackets that is read. The parser is recursive, and a stack overflow
/// cannot be caught; scripts stay below 30, minified bundles below 200.
pub const MAX_NESTING: usize = 1_000;

/// The parser's stack: enough for [`MAX_NESTING`], and for sums of many thousand terms, which nest
/// without brackets. Only what is used becomes resident.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Why a script could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct ScriptError {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// What is wrong and, where known, what would help.
    pub message: String,
}

/// Reads the facts of one script.
///
/// `path_hint` decides the language by its extension, as k6 does: `.ts` is TypeScript, everything
/// else JavaScript. Modules are strict; a file that only parses as sloppy CommonJS is read as such.
///
/// # Errors
/// The text is not a script (the first syntax error, with its place), or exceeds
/// [`MAX_SOURCE_BYTES`] or [`MAX_NESTING`].
pub fn read(source: &str, path_hint: &str) -> Result<ScriptFacts, ScriptError> {
    let lines = Lines::new(source);
    guard(source, &lines)?;
    let failed = |what: &str| ScriptError {
        line: 1,
        column: 1,
        message: format!("the file could not be read: {what}"),
    };
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("script-parser".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || parse(source, path_hint, &lines))
            .map_err(|error| failed(&format!("no thread for the parser ({error})")))?
            .join()
            .unwrap_or_else(|_| Err(failed("the parser crashed on it; please report this")))
    })
}

fn parse(source: &str, path_hint: &str, lines: &Lines<'_>) -> Result<ScriptFacts, ScriptError> {
    let allocator = Allocator::default();
    let extension = path_hint.rsplit_once('.').map_or("", |(_, ext)| ext);
    let typescript = matches!(extension, "ts" | "mts" | "cts");
    let source_type = if typescript {
        SourceType::ts()
    } else {
        SourceType::mjs()
    };
    let mut parsed = Parser::new(&allocator, source, source_type).parse();
    if let Some(error) = first_error(&parsed, lines) {
        if typescript {
            return Err(error);
        }
        // `require` scripts may be sloppy; the error that counts is the module's.
        parsed = Parser::new(&allocator, source, SourceType::cjs()).parse();
        if first_error(&parsed, lines).is_some() {
            return Err(error);
        }
    }
    let bindings = Bindings::collect(&parsed.program);
    Ok(Reader::new(&bindings, lines).read(&parsed.program))
}

fn first_error(parsed: &ParserReturn<'_>, lines: &Lines<'_>) -> Option<ScriptError> {
    if let Some(error) = parsed.diagnostics.errors().next() {
        let offset = error
            .labels
            .first()
            .map_or(0, oxc_span::LabeledSpan::offset);
        let Position { line, column } = lines.position(offset);
        let mut message = error.message.to_string();
        if let Some(help) = &error.help {
            message.push_str("; ");
            message.push_str(help);
        }
        return Some(ScriptError {
            line,
            column,
            message,
        });
    }
    parsed.panicked.then(|| ScriptError {
        line: 1,
        column: 1,
        message: "the parser gave up without saying where".to_owned(),
    })
}

/// Refuses what could exhaust the stack. Brackets within strings and comments are counted as well:
/// a file that has hundreds of unclosed ones there is not a script either.
fn guard(source: &str, lines: &Lines<'_>) -> Result<(), ScriptError> {
    if source.len() > MAX_SOURCE_BYTES {
        return Err(ScriptError {
            line: 1,
            column: 1,
            message: format!(
                "the file has {} bytes; scripts of up to {MAX_SOURCE_BYTES} are read. Load data with open() or SharedArray instead of inlining it",
                source.len()
            ),
        });
    }
    let mut depth = 0_usize;
    for (offset, byte) in source.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_NESTING {
            // Within MAX_SOURCE_BYTES, so it fits.
            let Position { line, column } =
                lines.position(u32::try_from(offset).unwrap_or(u32::MAX));
            return Err(ScriptError {
                line,
                column,
                message: format!(
                    "brackets are nested more than {MAX_NESTING} deep; this is not read as a script"
                ),
            });
        }
    }
    Ok(())
}

/// Turns byte offsets into positions.
pub(crate) struct Lines<'s> {
    source: &'s str,
    starts: Vec<usize>,
}

impl<'s> Lines<'s> {
    pub(crate) fn new(source: &'s str) -> Self {
        let starts = std::iter::once(0)
            .chain(source.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self { source, starts }
    }

    pub(crate) fn position(&self, offset: u32) -> Position {
        let offset = (offset as usize).min(self.source.len());
        let index = self.starts.partition_point(|&start| start <= offset).max(1) - 1;
        let start = self.starts.get(index).copied().unwrap_or(0);
        let before = self.source.get(start..offset).unwrap_or("");
        let number = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
        Position {
            line: number(index),
            column: number(before.chars().count()),
        }
    }
}
