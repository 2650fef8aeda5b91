//! The final table, as it comes out for every outcome.

#![allow(clippy::unwrap_used)]

use peakgate_core::{self, verdict::Verdict};
use peakgate_terminal::{Style, final_table, final_table_with};

#[path = "../../peakgate-core/src/render/fixture.rs"]
mod fixture;

/// Columns of the widest line.
fn widest(text: &str) -> usize {
    text.lines()
        .map(unicode_width::UnicodeWidthStr::width)
        .max()
        .unwrap_or(0)
}

fn sized(width: usize) -> Style {
    Style {
        width,
        ..Style::plain()
    }
}

#[test]
fn pass() {
    let out = std::path::Path::new("out");
    insta::assert_snapshot!(final_table_with(
        &fixture::pass(),
        Style::plain(),
        Some(out)
    ));
}

#[test]
fn warn() {
    insta::assert_snapshot!(final_table(&fixture::warn(), Style::plain()));
}

#[test]
fn fail_with_forty_objectives() {
    insta::assert_snapshot!(final_table(&fixture::fail(), Style::plain()));
}

#[test]
fn inconclusive() {
    insta::assert_snapshot!(final_table(&fixture::inconclusive(), Style::plain()));
}

#[test]
fn error() {
    insta::assert_snapshot!(final_table(&fixture::error(), Style::plain()));
}

#[test]
fn narrow_and_ascii() {
    let style = Style {
        color: false,
        unicode: false,
        width: 60,
    };
    let text = final_table(&fixture::warn(), style);
    assert!(text.is_ascii(), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for (name, verdict) in fixture::all() {
        for width in 60..=140 {
            for unicode in [true, false] {
                let style = Style {
                    unicode,
                    ..sized(width)
                };
                let text = final_table(&verdict, style);
                assert!(widest(&text) <= width, "{name} at {width}:\n{text}");
            }
        }
    }
}

#[test]
fn wide_characters_keep_the_columns_in_line() {
    let mut v = fixture::pass();
    v.objectives.truncate(2);
    v.objectives[0].id = "応答時間".into();
    v.objectives[1].id = "latency".into();
    let text = final_table(&v, Style::plain());
    let column = |needle: &str| {
        let line = text.lines().find(|l| l.contains(needle)).unwrap();
        let at = line.find('≤').unwrap();
        unicode_width::UnicodeWidthStr::width(&line[..at])
    };
    assert_eq!(column("応答時間"), column("latency"), "{text}");
}

#[test]
fn colour_only_where_it_is_asked_for() {
    for (_, verdict) in fixture::all() {
        assert!(!final_table(&verdict, Style::plain()).contains('\x1b'));
        let colored = Style {
            color: true,
            ..Style::plain()
        };
        let text = final_table(&verdict, colored);
        assert!(text.contains("\x1b["));
        // Colour adds codes and changes nothing else.
        assert_eq!(peakgate_plain(&text), final_table(&verdict, Style::plain()));
    }
}

/// Without SGR codes, and without the blanks that they kept at the end of lines.
fn peakgate_plain(text: &str) -> String {
    console::strip_ansi_codes(text)
        .lines()
        .map(|l| format!("{}\n", l.trim_end()))
        .collect()
}

#[test]
fn hostile_text_cannot_move_the_cursor() {
    let v: Verdict = fixture::hostile();
    let text = final_table(&v, Style::plain());
    assert!(
        text.chars().all(|c| c == '\n' || !c.is_control()),
        "{text:?}"
    );
    assert!(!text.contains('\u{202e}'));
    assert!(!text.contains("owned"), "an escape string goes whole");
    let colored = Style {
        color: true,
        ..Style::plain()
    };
    let text = final_table(&v, colored);
    assert!(!text.contains("\x1b[2J") && !text.contains("\x1b]"));
}

/// Leaves the coloured table of the passing rehearsal in a file, for docs/make-picture.sh.
#[test]
#[ignore = "writes a file for a person to look at: PEAKGATE_LOOK=DIR"]
fn look() {
    let dir = std::env::var_os("PEAKGATE_LOOK").map_or_else(std::env::temp_dir, Into::into);
    for (name, verdict) in fixture::all() {
        let style = Style {
            color: true,
            ..Style::plain()
        };
        let out = std::path::Path::new("out");
        let text = final_table_with(&verdict, style, Some(out));
        std::fs::write(dir.join(format!("{name}.ansi")), text).unwrap();
    }
}
