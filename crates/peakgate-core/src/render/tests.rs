#![allow(
    clippy::disallowed_methods,
    reason = "tests read files and take the time; the crate does not"
)]
extern crate self as peakgate_core;

#[path = "fixture.rs"]
mod fixture;

use pulldown_cmark::{Event, Options, Parser, Tag};

use super::{MARKDOWN_BUDGET, markdown};
use crate::verdict::Outcome;

/// HTML tags of a document, in order.
fn html(markdown: &str) -> Vec<String> {
    Parser::new_ext(markdown, Options::ENABLE_TABLES)
        .filter_map(|e| match e {
            Event::Html(h) | Event::InlineHtml(h) => Some(h.trim().to_owned()),
            _ => None,
        })
        .collect()
}

#[test]
fn the_first_line_tells_the_decision() {
    let first = |v| markdown(&v).lines().next().unwrap_or_default().to_owned();
    assert_eq!(
        first(fixture::pass()),
        "### ✅ PASS: peak of lead-api · v1.4.0 · REHEARSAL, 20s instead of 20m"
    );
    assert_eq!(
        first(fixture::warn()),
        "### ⚠️ WARN: peak of lead-api · v1.4.0"
    );
    for (name, verdict) in fixture::all() {
        let text = markdown(&verdict);
        assert!(text.contains(&name.to_uppercase()), "{text}");
        // Every folded section is closed again.
        assert_eq!(
            text.matches("<details>").count(),
            text.matches("</details>").count()
        );
    }
}

#[test]
fn a_pass_in_full() {
    insta::assert_snapshot!(markdown(&fixture::pass()));
}

#[test]
fn a_warning_in_full() {
    insta::assert_snapshot!(markdown(&fixture::warn()));
}

#[test]
fn an_error_in_full() {
    insta::assert_snapshot!(markdown(&fixture::error()));
}

#[test]
fn an_inconclusive_run_in_full() {
    insta::assert_snapshot!(markdown(&fixture::inconclusive()));
}

#[test]
fn failed_objectives_come_before_anything_folded() {
    let v = fixture::fail();
    let text = markdown(&v);
    let open = text.split("<details>").next().unwrap_or_default();
    let failed = v
        .objectives
        .iter()
        .filter(|o| super::words::wants_a_look(o))
        .count();
    assert_eq!(open.matches("| ❌ |").count(), failed);
    assert!(failed > 20);
    assert!(!open.contains("p99-next-year"), "a dry run does not count");
    assert!(text.contains("<sub>dry run</sub>"));
    assert!(text.contains("1 failed"));
}

#[test]
fn hostile_text_makes_no_markup() {
    let text = markdown(&fixture::hostile());
    assert!(!text.contains(['\x1b', '\x07', '\r', '\u{202e}']));
    assert!(!text.contains("@admin"));
    let allowed = [
        "<details>",
        "</details>",
        "<code>",
        "</code>",
        "<sub>",
        "</sub>",
        "<br>",
        "<summary>",
        "</summary>",
    ];
    for tag in html(&text) {
        let mut rest = tag.as_str();
        while let Some(start) = rest.find('<') {
            let end = rest[start..]
                .find('>')
                .map_or(rest.len(), |e| start + e + 1);
            assert!(allowed.contains(&&rest[start..end]), "{tag}");
            rest = &rest[end..];
        }
    }
    let links = Parser::new_ext(&text, Options::all())
        .filter(|e| {
            matches!(
                e,
                Event::Start(Tag::Link { .. } | Tag::Image { .. }) | Event::Code(_)
            )
        })
        .count();
    assert_eq!(links, 0);
}

#[test]
fn a_large_verdict_fits_and_counts_what_is_left_out() {
    let mut v = fixture::fail();
    let one = v.objectives[0].clone();
    assert_eq!(one.verdict, Outcome::Pass);
    v.objectives.extend((0..2000).map(|_| one.clone()));
    let text = markdown(&v);
    assert!(text.len() <= MARKDOWN_BUDGET);
    assert!(text.len() > MARKDOWN_BUDGET * 9 / 10, "the budget is used");
    let failed = v
        .objectives
        .iter()
        .filter(|o| super::words::wants_a_look(o))
        .count();
    // Each of them in both tables.
    let rows = text.matches("| ❌ | <code>").count();
    assert!(rows >= failed * 2, "{rows} of {failed}");
    assert!(text.contains("more left out for size; verdict.json has them all._"));
    assert!(text.contains("Run and environment") && text.contains("Endpoints"));
}

#[test]
fn even_a_thousand_hostile_failures_fit() {
    let mut v = fixture::hostile();
    for o in &mut v.objectives {
        o.verdict = Outcome::Fail;
        o.id = "*".repeat(5000);
        o.why = "日".repeat(5000);
    }
    let one = v.objectives[0].clone();
    v.objectives.extend((0..1000).map(|_| one.clone()));
    let text = markdown(&v);
    assert!(text.len() <= MARKDOWN_BUDGET, "{}", text.len());
    assert!(text.contains("more left out for size"));
}

/// Leaves the five summaries in a folder, to look at them as GitHub would show them.
#[test]
#[ignore = "writes files for a person to look at: PEAKGATE_LOOK=DIR"]
fn look() {
    let dir = std::env::var("PEAKGATE_LOOK")
        .unwrap_or_else(|_| std::env::temp_dir().display().to_string());
    for (name, verdict) in fixture::all() {
        let text = markdown(&verdict);
        let mut html = String::new();
        pulldown_cmark::html::push_html(&mut html, Parser::new_ext(&text, Options::ENABLE_TABLES));
        std::fs::write(format!("{dir}/{name}.html"), html).unwrap();
        std::fs::write(format!("{dir}/{name}.md"), text).unwrap();
    }
}
