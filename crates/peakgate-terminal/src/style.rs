//! How a terminal can be written to: colour, characters, width.

use std::io::IsTerminal;

use peakgate_core::Outcome;
use unicode_width::UnicodeWidthStr;

/// The width where none is known.
const DEFAULT_WIDTH: usize = 100;
/// Below this nothing can be laid out; text then wraps by itself.
const MIN_WIDTH: usize = 40;
/// Wider lines are hard to read.
const MAX_WIDTH: usize = 140;

/// What the place that is written to can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Colours and weights by escape codes.
    pub color: bool,
    /// Characters beyond ASCII.
    pub unicode: bool,
    /// Columns.
    pub width: usize,
}

impl Style {
    /// Text for files, pipes and tests: no colour, Unicode, 100 columns.
    #[must_use]
    pub const fn plain() -> Self {
        Self {
            color: false,
            unicode: true,
            width: DEFAULT_WIDTH,
        }
    }

    /// What stdout can show, by `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE`, `TERM`, the locale
    /// (`LC_ALL`, `LC_CTYPE`, `LANG`), `COLUMNS` and the terminal itself.
    #[must_use]
    pub fn detect() -> Self {
        Self::of(&console::Term::stdout(), std::io::stdout().is_terminal())
    }

    /// The same for stderr, where progress goes.
    #[must_use]
    pub fn detect_stderr() -> Self {
        Self::of(&console::Term::stderr(), std::io::stderr().is_terminal())
    }

    fn of(term: &console::Term, tty: bool) -> Self {
        let columns = tty.then(|| term.size_checked()).flatten();
        Self::from_parts(
            |name| std::env::var(name).ok(),
            tty,
            columns.map(|(_, columns)| usize::from(columns)),
        )
    }

    /// The same from given parts.
    #[must_use]
    pub fn from_parts(
        env: impl Fn(&str) -> Option<String>,
        tty: bool,
        columns: Option<usize>,
    ) -> Self {
        let set = |name: &str| env(name).filter(|v| !v.is_empty());
        let dumb = set("TERM").as_deref() == Some("dumb");
        // https://no-color.org and https://bixense.com/clicolors: NO_COLOR wins over everything.
        let color = if set("NO_COLOR").is_some() {
            false
        } else if set("CLICOLOR_FORCE").is_some_and(|v| v != "0") {
            true
        } else {
            tty && !dumb && set("CLICOLOR").is_none_or(|v| v != "0")
        };
        // The first of the three that is set decides (POSIX). None set: on a pipe in a container
        // that says nothing about who reads it, and what reads CI logs reads UTF-8.
        let locale = set("LC_ALL")
            .or_else(|| set("LC_CTYPE"))
            .or_else(|| set("LANG"));
        let unicode = locale.map_or(!dumb, |l| {
            let l = l.to_ascii_lowercase();
            l.contains("utf-8") || l.contains("utf8")
        });
        let width = set("COLUMNS")
            .and_then(|v| v.parse().ok())
            .or(columns)
            .unwrap_or(DEFAULT_WIDTH)
            .clamp(MIN_WIDTH, MAX_WIDTH);
        Self {
            color,
            unicode,
            width,
        }
    }

    /// Text in a colour, when there are colours.
    pub(crate) fn paint(self, ink: Ink, text: &str) -> String {
        if self.color && !text.is_empty() {
            format!("\x1b[{}m{text}\x1b[0m", ink.code())
        } else {
            text.to_owned()
        }
    }

    /// Text in the characters that can be shown.
    pub(crate) fn chars(self, text: &str) -> String {
        // A narrow space has no width of its own in many terminals' fonts.
        let text = text.replace('\u{202f}', " ");
        if self.unicode {
            return text;
        }
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '✓' => out.push('+'),
                '✗' => out.push('x'),
                '·' | '–' | '—' | '−' => out.push('-'),
                '≤' => out.push_str("<="),
                '≥' => out.push_str(">="),
                '→' => out.push_str("->"),
                '±' => out.push_str("+-"),
                '…' => out.push_str("..."),
                '\u{a0}' => out.push(' '),
                _ if c.is_ascii() => out.push(c),
                _ => out.push('?'),
            }
        }
        out
    }
}

impl Style {
    /// A text in at most `most` columns, with an ellipsis where it was cut.
    pub(crate) fn cut(self, text: &str, most: usize) -> String {
        let text = self.chars(text);
        if width(&text) <= most {
            return text;
        }
        let ellipsis = if self.unicode { "…" } else { "..." };
        let room = most.saturating_sub(width(ellipsis));
        let mut out = String::new();
        let mut used = 0;
        for c in text.chars() {
            used += unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
            if used > room {
                break;
            }
            out.push(c);
        }
        out.push_str(ellipsis);
        out
    }
}

/// The colours in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    Good,
    Look,
    Bad,
    Unclear,
    Dim,
    Bold,
    Badge(Outcome),
}

impl Ink {
    /// SGR parameters; colours of the terminal's own palette, so that themes hold.
    fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Look => "33",
            Self::Bad => "31",
            Self::Unclear => "35",
            Self::Dim => "2",
            Self::Bold => "1",
            Self::Badge(Outcome::Pass) => "1;30;42",
            Self::Badge(Outcome::Warn) => "1;30;43",
            Self::Badge(Outcome::Fail | Outcome::Error) => "1;97;41",
            Self::Badge(Outcome::Inconclusive) => "1;97;45",
        }
    }

    /// The colour of an outcome.
    pub(crate) fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Pass => Self::Good,
            Outcome::Warn => Self::Look,
            Outcome::Fail | Outcome::Error => Self::Bad,
            Outcome::Inconclusive => Self::Unclear,
        }
    }
}

/// Columns that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// A text in lines of at most `most` columns, broken at spaces; longer words are cut apart.
pub(crate) fn wrap(text: &str, most: usize) -> Vec<String> {
    let most = most.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ').filter(|w| !w.is_empty()) {
        let mut word = word;
        if !line.is_empty() && width(&line) + 1 + width(word) > most {
            lines.push(std::mem::take(&mut line));
        }
        while line.is_empty() && width(word) > most {
            let mut used = 0;
            let at = word
                .char_indices()
                .find(|&(i, c)| {
                    used += unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
                    i > 0 && used > most
                })
                .map_or(word.len(), |(i, _)| i);
            lines.push(word[..at].to_owned());
            word = &word[at..];
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(env: &[(&str, &str)], tty: bool) -> Style {
        Style::from_parts(
            |name| {
                env.iter()
                    .find(|(k, _)| *k == name)
                    .map(|(_, v)| (*v).to_owned())
            },
            tty,
            Some(80),
        )
    }

    #[test]
    fn colour_is_decided_by_the_usual_variables() {
        assert!(style(&[], true).color);
        assert!(!style(&[], false).color);
        assert!(style(&[("CLICOLOR_FORCE", "1")], false).color);
        assert!(!style(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], true).color);
        assert!(style(&[("NO_COLOR", "")], true).color, "empty is unset");
        assert!(!style(&[("CLICOLOR", "0")], true).color);
        assert!(!style(&[("TERM", "dumb")], true).color);
    }

    #[test]
    fn characters_and_width() {
        assert!(!style(&[("LANG", "C")], true).unicode);
        assert!(style(&[("LANG", "C"), ("LC_ALL", "de_DE.UTF-8")], true).unicode);
        assert!(!style(&[("LANG", "C.UTF-8"), ("LC_ALL", "C")], true).unicode);
        assert!(style(&[], false).unicode);
        assert_eq!(style(&[], true).width, 80);
        assert_eq!(style(&[("COLUMNS", "9999")], true).width, MAX_WIDTH);
        assert_eq!(style(&[("COLUMNS", "3")], true).width, MIN_WIDTH);
    }

    #[test]
    fn cutting_and_wrapping_count_columns() {
        let ascii = Style {
            unicode: false,
            ..Style::plain()
        };
        assert_eq!(Style::plain().cut("日本語", 5), "日本…");
        assert_eq!(Style::plain().cut("abc", 3), "abc");
        assert_eq!(ascii.cut("abcdefg", 6), "abc...");
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("日本語日本語", 4), ["日本", "語日", "本語"]);
        assert_eq!(wrap("a bbbbbbb", 3), ["a", "bbb", "bbb", "b"]);
    }
}
