//! Text from outside, made harmless for any display: no control characters, no escape sequences,
//! nothing that reorders or hides what is read.

/// The most characters of one piece of outside text.
pub const MAX_CHARS: usize = 200;

/// One line without escape sequences, control characters, invisible characters and bidirectional
/// controls. Runs of white space (line breaks too) become one space.
#[must_use]
pub fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut gap = false;
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            // The same sequences, begun by one C1 character.
            '\u{9b}' => skip_csi(&mut chars),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => skip_string(&mut chars),
            _ if c.is_whitespace() => gap = true,
            _ if c.is_control() || is_hidden(c) => {}
            _ => {
                if gap && !out.is_empty() {
                    out.push(' ');
                }
                gap = false;
                out.push(c);
            }
        }
    }
    out
}

/// [`line`], shortened to `most` characters with an ellipsis in the last place.
#[must_use]
pub fn short(text: &str, most: usize) -> String {
    let clean = line(text);
    if clean.chars().count() <= most {
        return clean;
    }
    let mut out: String = clean.chars().take(most.saturating_sub(1)).collect();
    out.truncate(out.trim_end().len());
    out.push('…');
    out
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// What follows ESC (ECMA-48): a control sequence, a control string, or one character.
fn skip_escape(chars: &mut Chars<'_>) {
    match chars.next() {
        Some('[') => skip_csi(chars),
        Some(']' | 'P' | 'X' | '^' | '_') => skip_string(chars),
        // Intermediate characters come before the final one.
        Some(' '..='/') => {
            while chars.next_if(|c| matches!(c, ' '..='/')).is_some() {}
            chars.next_if(|c| matches!(c, '0'..='~'));
        }
        _ => {}
    }
}

fn skip_csi(chars: &mut Chars<'_>) {
    while chars.next_if(|c| matches!(c, ' '..='?')).is_some() {}
    chars.next_if(|c| matches!(c, '@'..='~'));
}

/// A control string ends with BEL, ST, or ESC \; one that never ends hides the rest, as in a
/// terminal.
fn skip_string(chars: &mut Chars<'_>) {
    while let Some(c) = chars.next() {
        match c {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' => {
                chars.next_if_eq(&'\\');
                return;
            }
            _ => {}
        }
    }
}

/// Invisible characters, and those that change the direction of what follows.
fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_go_whole() {
        assert_eq!(line("a\x1b[31mred\x1b[0m b"), "ared b");
        assert_eq!(
            line("\x1b]8;;http://evil\x07click\x1b]8;;\x1b\\ me"),
            "click me"
        );
        assert_eq!(line("x\u{9b}2Jy\u{9d}0;title\u{9c}z"), "xyz");
        assert_eq!(line("\x1b(Bq\x1bcr\x1b[999;1"), "qr");
        assert_eq!(line("\x1b]0;never ends"), "");
    }

    #[test]
    fn one_line_without_hidden_characters() {
        assert_eq!(line(" a\r\n\tb\u{2028}c\0\u{7f} "), "a b c");
        assert_eq!(
            line("user\u{202e}gpj\u{202c}.exe\u{200b}\u{feff}"),
            "usergpj.exe"
        );
        assert_eq!(line("Straße 日本 ✓"), "Straße 日本 ✓");
    }

    #[test]
    fn long_text_is_shortened() {
        assert_eq!(short("abcdef", 6), "abcdef");
        assert_eq!(short("abcdefg", 6), "abcde…");
        assert_eq!(short("日本語日本語日", 4), "日本語…");
    }
}
