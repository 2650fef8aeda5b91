//! The parts of the Markdown around the objectives.

use peakgate_load::Aggregate;

use super::escape::{code, text};
use super::fit::{Block, Row};
use super::words;
use crate::evidence::Span;
use crate::format;
use crate::verdict::{UnitName, Verdict};

/// The most steps shown; more is noise.
const MAX_NEXT: usize = 6;

/// The decision, the reason, the load.
pub(super) fn head(v: &Verdict) -> Block {
    let mut title = format!(
        "### {} {}: {} of {}",
        words::emoji(v.verdict),
        v.verdict.word().to_uppercase(),
        text(&v.test),
        text(&v.service)
    );
    if let Some(release) = &v.release {
        title.push_str(&format!(" · {}", text(release)));
    }
    if let Some(r) = &v.rehearsal {
        title.push_str(&format!(" · REHEARSAL, {}", words::rehearsal(r)));
    }
    let mut out = format!("{title}\n\n**{}**\n\n", text(&v.reason));
    if let Some(s) = &v.score {
        out.push_str(&format!(
            "Score **{}** (pass from {}, warn from {}).\n",
            words::share(s.value),
            words::share(s.pass),
            words::share(s.warn)
        ));
    }
    out.push_str(&format!(
        "{} requests in {}, {}, to {} ({}).\nLoad: {}.\n",
        words::count(v.load.requests),
        format::seconds(v.load.seconds),
        format::value(v.load.request_rate, UnitName::PerSecond),
        text(&v.environment),
        code(&v.base_url),
        text(&v.load.shape),
    ));
    if v.rehearsal.is_some() {
        out.push_str("A rehearsal never counts as a release's required test, nor as a baseline.\n");
    }
    for issue in &v.load.issues {
        out.push_str(&format!("\n⚠️ {}\n", text(&issue.what)));
    }
    Block {
        name: "head",
        need: 0,
        opening: out,
        ..Block::default()
    }
}

/// What to look at next.
pub(super) fn next(v: &Verdict) -> Option<Block> {
    if v.next.is_empty() {
        return None;
    }
    let mut out = "**Next**\n\n".to_owned();
    for step in v.next.iter().take(MAX_NEXT) {
        out.push_str(&format!("- {}\n", text(step)));
    }
    Some(Block {
        name: "next steps",
        need: 0,
        opening: out,
        ..Block::default()
    })
}

fn folded(name: &'static str, need: u8, summary: &str, head: &str, rows: Vec<Row>) -> Block {
    Block {
        name,
        need,
        opening: format!("<details>\n<summary>{summary}</summary>\n\n{head}"),
        rows,
        closing: "\n</details>\n".to_owned(),
    }
}

/// A list of what has a name.
fn pairs(pairs: Vec<(&str, String)>) -> Vec<Row> {
    pairs
        .into_iter()
        .map(|(key, value)| Row {
            text: format!("- {key}: {value}\n"),
            matters: true,
        })
        .collect()
}

/// The load and whether it counts.
pub(super) fn load(v: &Verdict) -> Block {
    let l = &v.load;
    let or_nothing = |value: Option<String>| value.unwrap_or_else(|| words::NOTHING.to_owned());
    let mut rows = vec![("Planned", text(&l.shape))];
    if let Some(full) = &l.full_plan
        && v.rehearsal.is_some()
    {
        rows.push(("Full run", text(&full.describe())));
    }
    rows.push((
        "Length",
        format!(
            "{} of {} planned; the engine {}",
            format::seconds(l.seconds),
            format::seconds(l.planned_seconds),
            text(&words::exit(&v.account.exit))
        ),
    ));
    rows.push((
        "Plateau",
        or_nothing(l.plateau.as_ref().map(|p| {
            format!(
                "{} to {} ({})",
                format::seconds(p.from.as_secs_f64()),
                format::seconds(p.to.as_secs_f64()),
                text(&p.how)
            )
        })),
    ));
    rows.push((
        "Achieved of planned",
        or_nothing(l.achieved.map(words::share)),
    ));
    rows.push((
        "Requests",
        format!(
            "{}, {}",
            words::count(l.requests),
            format::value(l.request_rate, UnitName::PerSecond)
        ),
    ));
    rows.push((
        "Iterations",
        format!(
            "{} finished, {} dropped, {} with an exception",
            words::count(l.iterations),
            words::count(l.dropped),
            words::count(l.exceptions)
        ),
    ));
    rows.push((
        "Most virtual users",
        or_nothing(l.max_vus.map(format::number)),
    ));
    rows.push((
        "Generator's CPU",
        or_nothing(l.generator_cpu.map(words::share)),
    ));
    rows.push((
        "Generator's scheduling delay",
        or_nothing(
            l.generator_delay_ms
                .map(|ms| format::value(ms, UnitName::Milliseconds)),
        ),
    ));
    rows.push((
        "Resolution of values",
        format!("±{}", words::share(v.engine.resolution)),
    ));
    let lost = l.lost;
    if lost.not_finite + lost.folded + lost.unreadable > 0 {
        rows.push((
            "Samples not kept whole",
            format!(
                "{} not a number, {} folded for too many series, {} unreadable",
                words::count(lost.not_finite),
                words::count(lost.folded),
                words::count(lost.unreadable)
            ),
        ));
    }
    let summary = match l.issues.len() {
        0 if l.valid => "Load: as planned".to_owned(),
        0 => "Load: does not count".to_owned(),
        1 => "Load: 1 issue".to_owned(),
        n => format!("Load: {n} issues"),
    };
    folded("load", 2, &summary, "", pairs(rows))
}

/// Latency and failures by endpoint, busiest first.
pub(super) fn endpoints(v: &Verdict) -> Option<Block> {
    let evidence = v.evidence.as_ref()?;
    let failed = evidence.by_tag("http_req_failed", "name", Span::ALL);
    let mut found: Vec<_> = evidence
        .by_tag("http_req_duration", "name", Span::ALL)
        .into_iter()
        .filter_map(|(name, data)| match data {
            Aggregate::Trend(h) => Some((name, h)),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        return None;
    }
    found.sort_by(|a, b| b.1.count().cmp(&a.1.count()).then_with(|| a.0.cmp(&b.0)));
    let rows = found
        .iter()
        .map(|(name, h)| {
            let at = |p| {
                h.quantile(p).map_or_else(
                    || words::NOTHING.to_owned(),
                    |ms| format::value(ms, UnitName::Milliseconds),
                )
            };
            #[allow(clippy::cast_precision_loss)]
            let errors = match failed.get(name) {
                Some(Aggregate::Rate { hits, total }) if *total > 0 => {
                    words::share(*hits as f64 / *total as f64)
                }
                _ => words::NOTHING.to_owned(),
            };
            Row {
                text: format!(
                    "| {} | {} | {} | {} | {} | {errors} |\n",
                    code(name),
                    words::count(h.count()),
                    at(0.5),
                    at(0.95),
                    at(0.99),
                ),
                matters: false,
            }
        })
        .collect();
    Some(folded(
        "endpoints",
        7,
        &format!("Endpoints: {} (whole run)", found.len()),
        "| Endpoint | Requests | p50 | p95 | p99 | Failed |\n|---|--:|--:|--:|--:|--:|\n",
        rows,
    ))
}

/// Thresholds of the script.
pub(super) fn thresholds(v: &Verdict) -> Option<Block> {
    let all = &v.script_thresholds;
    if all.is_empty() {
        return None;
    }
    let failed = all.iter().filter(|t| !t.ok).count();
    let rows = all
        .iter()
        .map(|t| Row {
            text: format!(
                "| {} | {} | {} |\n",
                if t.ok { "✅" } else { "❌" },
                code(&t.metric),
                code(&t.expression)
            ),
            matters: !t.ok,
        })
        .collect();
    Some(folded(
        "thresholds of the script",
        5,
        &format!(
            "The script's own thresholds: {} ({failed} failed)",
            all.len()
        ),
        "| | Metric | Threshold |\n|---|---|---|\n",
        rows,
    ))
}

/// Waivers, also those that have expired.
pub(super) fn waivers(v: &Verdict) -> Option<Block> {
    let rows: Vec<Row> = v
        .objectives
        .iter()
        .filter_map(|o| Some((o, o.waiver.as_ref()?)))
        .map(|(o, w)| Row {
            text: format!(
                "| {} | {} | {} | {} | {} | {} |\n",
                code(&o.id),
                format::value(w.ceiling, o.unit),
                text(&w.owner),
                text(&w.expires),
                match (w.expired, w.applied) {
                    (true, _) => "**expired**",
                    (false, true) => "**applied**",
                    (false, false) => "not needed",
                },
                text(&w.reason),
            ),
            matters: w.applied || w.expired,
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    Some(folded(
        "waivers",
        4,
        &format!("Waivers: {}", rows.len()),
        "| Objective | Up to | Owner | Until | State | Reason |\n|---|--:|---|---|---|---|\n",
        rows,
    ))
}

/// What the engine and the script logged.
pub(super) fn notes(v: &Verdict) -> Option<Block> {
    let notes = &v.account.notes;
    if notes.is_empty() {
        return None;
    }
    let rows = notes
        .iter()
        .map(|n| Row {
            text: format!(
                "| {} | {} | {} |\n",
                text(&n.level),
                words::count(n.times),
                text(&n.message)
            ),
            matters: n.level == "error",
        })
        .collect();
    Some(folded(
        "engine's log",
        6,
        &format!("Engine's log: {} distinct messages", notes.len()),
        "| Level | Times | Message |\n|---|--:|---|\n",
        rows,
    ))
}

/// Who, what and when.
pub(super) fn environment(v: &Verdict) -> Block {
    let mut rows = vec![
        ("Run", code(&v.run_id)),
        (
            "Engine",
            text(&format!("{} {}", v.engine.name, v.engine.version)),
        ),
        (
            "Environment",
            format!("{} ({})", text(&v.environment), code(&v.base_url)),
        ),
    ];
    if let Some(release) = &v.release {
        rows.push(("Release", code(release)));
    }
    if let Some(commit) = &v.commit {
        rows.push(("Commit", code(commit)));
    }
    rows.push(("Started", text(&v.started_at)));
    rows.push(("Finished", text(&v.finished_at)));
    rows.push(("Policy (SHA-256)", code(&v.policy_hash)));
    rows.push(("Script (SHA-256)", code(&v.script_hash)));
    folded("environment", 3, "Run and environment", "", pairs(rows))
}
