//! Diagnostics as a terminal shows them.

use std::fmt::Write;

use super::Diagnostic;

/// The widest piece of a line that is shown.
const SHOWN: usize = 120;

struct Paint(bool);

impl Paint {
    fn wrap(&self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// What the text says must not steer the terminal.
fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

pub(super) fn all(diagnostics: &[Diagnostic], file: &str, text: &str, color: bool) -> String {
    let paint = Paint(color);
    // A byte order mark has no column of its own.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines: Vec<&str> = text.lines().collect();
    let mut out = String::new();
    for diagnostic in diagnostics {
        one(&mut out, diagnostic, file, &lines, &paint);
    }
    let n = diagnostics.len();
    let _ = writeln!(
        out,
        "{}",
        paint.wrap(
            "1",
            &format!("{file}: {n} error{}", if n == 1 { "" } else { "s" })
        )
    );
    out
}

fn one(out: &mut String, d: &Diagnostic, file: &str, lines: &[&str], paint: &Paint) {
    let place = if d.position.line == 0 {
        file.to_owned()
    } else {
        format!("{file}:{}:{}", d.position.line, d.position.column)
    };
    // Writing to a String does not fail.
    let _ = writeln!(
        out,
        "{}: {}: {}",
        paint.wrap("1", &place),
        paint.wrap("1;31", &format!("error[{}]", d.code)),
        clean(&d.message)
    );
    let line = (d.position.line as usize)
        .checked_sub(1)
        .and_then(|n| lines.get(n));
    if let Some(line) = line {
        snippet(out, d, line, paint);
    }
    if !d.allowed.is_empty() {
        let _ = writeln!(out, "  allowed: {}", clean(&d.allowed.join(", ")));
    }
    if let Some(suggestion) = &d.suggestion {
        let _ = writeln!(
            out,
            "  {}",
            paint.wrap("36", &format!("did you mean `{}`?", clean(suggestion)))
        );
    }
    if let Some(help) = &d.help {
        let _ = writeln!(out, "  help: {}", clean(help));
    }
    out.push('\n');
}

fn snippet(out: &mut String, d: &Diagnostic, line: &str, paint: &Paint) {
    let column = (d.position.column as usize).saturating_sub(1);
    // Of a long line, the piece around the place.
    let skipped = if column + 20 > SHOWN { column - 20 } else { 0 };
    let shown: String = line
        .chars()
        .skip(skipped)
        .take(SHOWN)
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect();
    let shown = shown.trim_end();
    let number = d.position.line.to_string();
    let gutter = " ".repeat(number.len());
    let lead = if skipped > 0 { "…" } else { "" };
    let _ = writeln!(
        out,
        "  {} {} {lead}{shown}",
        paint.wrap("34", &number),
        paint.wrap("34", "|")
    );
    let before = column - skipped + lead.chars().count();
    let room = (shown.chars().count() + lead.chars().count())
        .saturating_sub(before)
        .max(1);
    let width = (d.width as usize).clamp(1, room);
    let _ = writeln!(
        out,
        "  {gutter} {} {}{}",
        paint.wrap("34", "|"),
        " ".repeat(before),
        paint.wrap("31", &"^".repeat(width))
    );
}
