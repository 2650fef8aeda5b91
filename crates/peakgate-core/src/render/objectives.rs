//! The tables of objectives: those that want a look, and all of them.

use super::escape::{code, text};
use super::fit::{Block, Row};
use super::words;
use crate::verdict::{ModeName, ObjectiveResult, Outcome, Verdict};

/// Failed, inconclusive and warned objectives that count, most urgent first.
pub(super) fn attention(v: &Verdict) -> Option<Block> {
    let mut rows: Vec<&ObjectiveResult> = v
        .objectives
        .iter()
        .filter(|o| words::wants_a_look(o))
        .collect();
    if rows.is_empty() {
        return None;
    }
    rows.sort_by_key(|o| words::urgency(o.verdict));
    let compared = rows.iter().any(|o| o.baseline.is_some());
    let usual = words::usual_confidence(v);
    Some(Block {
        name: "objectives that want a look",
        need: 1,
        opening: header(compared, usual, ""),
        rows: rows
            .iter()
            .map(|o| {
                let why = if words::restates(o) {
                    String::new()
                } else {
                    format!("<br>{}", text(&o.why))
                };
                Row {
                    text: format!(
                        "| {} | {}{why} | {}\n",
                        words::emoji(o.verdict),
                        name(o),
                        figures(o, compared, usual),
                    ),
                    matters: o.verdict != Outcome::Warn,
                }
            })
            .collect(),
        closing: format!("\n{}\n", text(&words::baseline(v))),
    })
}

/// The head of a table of objectives.
fn header(compared: bool, usual: f64, window: &str) -> String {
    let (change, line) = if compared {
        (" Change |", "--:|")
    } else {
        ("", "")
    };
    let (window, window_line) = if window.is_empty() {
        (String::new(), "")
    } else {
        (format!(" {window} |"), "---|")
    };
    format!(
        "| | Objective |{window} Value | Limit |{change} Samples | {} interval |\n\
         |---|---|{window_line}--:|--:|{line}--:|--:|\n",
        words::share(usual)
    )
}

/// The cells from the value on.
fn figures(o: &ObjectiveResult, compared: bool, usual: f64) -> String {
    let change = if compared {
        format!(" {} |", solid(&words::change(o)))
    } else {
        String::new()
    };
    format!(
        "**{}** | {} |{change} {} | {} |",
        solid(&words::value(o)),
        solid(&limits(o)),
        solid(&words::count(o.samples)),
        solid(&words::interval(o, usual)),
    )
}

/// All objectives in the policy's order, folded.
pub(super) fn all(v: &Verdict) -> Option<Block> {
    if v.objectives.is_empty() {
        return None;
    }
    let usual = words::usual_confidence(v);
    let compared = v.objectives.iter().any(|o| o.baseline.is_some());
    Some(Block {
        name: "table of all objectives",
        need: 9,
        opening: format!(
            "<details>\n<summary>Objectives: {}</summary>\n\n{}",
            tally(v),
            header(compared, usual, "Window"),
        ),
        rows: v
            .objectives
            .iter()
            .map(|o| Row {
                text: format!(
                    "| {} | {}<br>{} | {} | {}\n",
                    sign(o),
                    name(o),
                    text(&o.what),
                    text(&o.window.name),
                    figures(o, compared, usual),
                ),
                matters: words::wants_a_look(o),
            })
            .collect(),
        closing: format!("\n{}\n\n</details>\n", text(&words::baseline(v))),
    })
}

/// `3 pass, 1 warn, 2 not counted`.
fn tally(v: &Verdict) -> String {
    let mut parts = Vec::new();
    for outcome in [
        Outcome::Fail,
        Outcome::Error,
        Outcome::Inconclusive,
        Outcome::Warn,
        Outcome::Pass,
    ] {
        let n = v
            .objectives
            .iter()
            .filter(|o| o.mode == ModeName::Judged && o.verdict == outcome)
            .count();
        if n > 0 {
            parts.push(format!("{n} {outcome}"));
        }
    }
    let shown = v
        .objectives
        .iter()
        .filter(|o| o.mode != ModeName::Judged)
        .count();
    if shown > 0 {
        parts.push(format!("{shown} not counted"));
    }
    parts.join(", ")
}

fn sign(o: &ObjectiveResult) -> &'static str {
    if o.mode == ModeName::Informational {
        "ℹ️"
    } else {
        words::emoji(o.verdict)
    }
}

fn name(o: &ObjectiveResult) -> String {
    match words::part(o) {
        None => code(&o.id),
        Some(part) => format!("{} <sub>{part}</sub>", code(&o.id)),
    }
}

/// The limit that binds, and where it warns.
fn limits(o: &ObjectiveResult) -> String {
    let limit = words::limit(o);
    match o.warn {
        Some(warn) => format!("{limit}, warn {}", crate::format::value(warn, o.unit)),
        None => limit,
    }
}

/// Figures do not break between a number and its unit, only between two figures.
fn solid(figure: &str) -> String {
    text(figure)
        .replace(' ', "&nbsp;")
        .replace("&nbsp;from&nbsp;", " from&nbsp;")
        .replace("&nbsp;(", " (")
        .replace(",&nbsp;", ", ")
}
