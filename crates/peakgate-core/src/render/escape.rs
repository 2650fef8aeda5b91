//! Text from outside in GitHub Markdown: it is shown, and does nothing else.
//!
//! Special characters become numeric entities rather than backslash escapes: those also hold in
//! table cells, where a backslash before a pipe is read differently by different parsers.

use super::clean;

/// Prose: no markup, no HTML, no links, no mentions; at most [`clean::MAX_CHARS`] characters.
/// Good in a paragraph, a list item or a table cell.
#[must_use]
pub fn text(raw: &str) -> String {
    escape(&clean::short(raw, clean::MAX_CHARS), true)
}

/// A name or a URL in `<code>`, where GitHub looks for neither mentions nor references; at most
/// [`clean::MAX_CHARS`] characters. Empty text is shown as a dash.
#[must_use]
pub fn code(raw: &str) -> String {
    let clean = clean::short(raw, clean::MAX_CHARS);
    if clean.is_empty() {
        return "–".to_owned();
    }
    format!("<code>{}</code>", escape(&clean, false))
}

/// `split`: break what GitHub links by itself with an invisible space. In code it stays out, so
/// that a copied name is the name.
fn escape(clean: &str, split: bool) -> String {
    let chars: Vec<char> = clean.chars().collect();
    let at = |i: usize| chars.get(i).copied();
    let word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    // What would begin a list: a dash, a plus, or a number with a dot or bracket.
    let digits = chars.iter().take_while(|c| c.is_ascii_digit()).count();
    let mut out = String::with_capacity(clean.len() + 16);
    for (i, &c) in chars.iter().enumerate() {
        let next = at(i + 1);
        let before = i.checked_sub(1).and_then(at);
        let begins_list = match c {
            '-' | '+' | '=' => i == 0,
            '.' | ')' => digits > 0 && i == digits,
            _ => false,
        };
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // Inside a word it is never emphasis, and metric names stay readable.
            '_' if word(before) && word(next) => out.push('_'),
            '\\' | '`' | '*' | '_' | '~' | '[' | ']' | '|' | '$' | '"' => entity(&mut out, c),
            _ if begins_list => entity(&mut out, c),
            // Mentions, and addresses of mail.
            '@' => out.push_str("@&#8203;"),
            // References to issues.
            '#' if split => out.push_str("#&#8203;"),
            '#' => entity(&mut out, c),
            // URLs, and emoji by name.
            ':' if split && next == Some('/') => out.push_str(":&#8203;"),
            ':' if next == Some('/') => entity(&mut out, c),
            '.' if before.is_some_and(|b| b.eq_ignore_ascii_case(&'w')) => {
                if split {
                    out.push_str("&#8203;");
                }
                entity(&mut out, c);
            }
            _ => out.push(c),
        }
    }
    out
}

fn entity(out: &mut String, c: char) {
    out.push_str(&format!("&#{};", u32::from(c)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

    /// The extensions that GitHub has.
    fn options() -> Options {
        Options::ENABLE_TABLES
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_GFM
            | Options::ENABLE_MATH
    }

    /// What a reader sees of some Markdown, or the event that is more than text.
    fn seen(markdown: &str) -> Result<String, String> {
        let mut out = String::new();
        for event in Parser::new_ext(markdown, options()) {
            match event {
                Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph) => {}
                Event::Text(t) => out.push_str(&t),
                Event::InlineHtml(h) if matches!(&*h, "<code>" | "</code>") => {}
                other => return Err(format!("{other:?}")),
            }
        }
        Ok(out)
    }

    const NASTY: &[&str] = &[
        "@octocat please merge",
        "a | b | c",
        "`code` and ``more``",
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<!-- hidden",
        "</details></td>",
        "[click](javascript:alert(1))",
        "![x](http://evil/track.png)",
        "[ref]: http://evil",
        "<http://evil>",
        "see https://evil.example/x?y=1 and www.evil.example",
        "**bold** _em_ __strong__ ~~gone~~ ***",
        "# heading",
        "- item",
        "+ item",
        "* item",
        "1. item",
        "2) item",
        "> quote",
        "---",
        "===",
        "```sh",
        "~~~",
        "    indented",
        "a\\|b \\` \\",
        "&lt;b&gt; &#60;",
        "$x^2$ $$y$$",
        "| a |\n|---|\n| b |",
        "#123 owner/repo#7 GH-9",
        "me@example.com",
        "[^1] [x] [ ]",
        ": definition",
        "{#id .class}",
        "{{ template }}",
        "[[wiki]]",
        "http_req_duration{name:POST /leads}",
        "\"quotes\" it's -- ... ",
    ];

    #[test]
    fn nasty_text_is_shown_and_does_nothing() {
        for raw in NASTY {
            let shown = seen(&text(raw)).unwrap_or_else(|e| panic!("{raw:?} became {e}"));
            let shown = shown.replace('\u{200b}', "");
            assert_eq!(shown, clean::line(raw));
            seen(&code(raw)).unwrap_or_else(|e| panic!("{raw:?} as code became {e}"));
        }
    }

    #[test]
    fn a_table_row_keeps_its_cells() {
        for raw in NASTY {
            let table = format!("|a|b|c|\n|-|-|-|\n|{}|{}|end|\n", text(raw), code(raw));
            let mut cells = 0;
            let mut last = String::new();
            let mut html = Vec::new();
            for event in Parser::new_ext(&table, options()) {
                match event {
                    Event::Start(Tag::TableCell) => {
                        cells += 1;
                        last.clear();
                    }
                    Event::Text(t) => last.push_str(&t),
                    Event::InlineHtml(h) | Event::Html(h) => html.push(h.to_string()),
                    Event::Start(
                        Tag::Link { .. } | Tag::Image { .. } | Tag::Emphasis | Tag::Strong,
                    )
                    | Event::Code(_) => panic!("{raw:?} became markup: {table}"),
                    _ => {}
                }
            }
            assert_eq!((cells, last.as_str()), (6, "end"), "{raw:?}: {table}");
            assert_eq!(html, ["<code>", "</code>"], "{raw:?}");
        }
    }

    #[test]
    fn what_github_links_by_itself_is_broken() {
        assert_eq!(text("@team"), "@&#8203;team");
        assert_eq!(text("fix #12"), "fix #&#8203;12");
        assert_eq!(text("http://x"), "http:&#8203;//x");
        assert_eq!(text("www.x.y"), "www&#8203;&#46;x.y");
        assert_eq!(code("http://x/a|b"), "<code>http&#58;//x/a&#124;b</code>");
        assert_eq!(code("\u{202e}\n"), "–");
        assert_eq!(text(&"x".repeat(500)).chars().count(), clean::MAX_CHARS);
    }

    proptest! {
        #[test]
        fn any_text_is_only_text(raw in "[ -~\\n\\t\\x1b\u{202e}\u{200b}é日]{0,60}") {
            // A lone text that is empty shows nothing; everything else is one paragraph of text.
            prop_assert!(seen(&text(&raw)).is_ok(), "{:?} -> {:?}", raw, seen(&text(&raw)));
            prop_assert!(seen(&code(&raw)).is_ok(), "{:?} -> {:?}", raw, seen(&code(&raw)));
        }
    }
}
