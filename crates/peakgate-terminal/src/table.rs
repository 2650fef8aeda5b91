//! The final table: what a tired person reads in five seconds.

use std::path::Path;

use peakgate_core::format;
use peakgate_core::render::{clean, words};
use peakgate_core::verdict::{
    BaselineReport, ModeName, ObjectiveResult, Outcome, UnitName, Verdict,
};

use crate::style::{Ink, Style, width, wrap};

/// With more objectives than this, those that pass are only counted beyond [`FEW_PASSING`].
const MANY: usize = 20;
/// How many passing ones are shown among many.
const FEW_PASSING: usize = 5;
/// Between two columns.
const GAP: usize = 2;
/// An id is not cut shorter than this; other columns go first.
const MIN_ID: usize = 16;
/// Where what follows a label begins.
const LABEL: usize = 10;

/// The verdict for a terminal, ending in a line break.
#[must_use]
pub fn final_table(verdict: &Verdict, style: Style) -> String {
    final_table_with(verdict, style, None)
}

/// [`final_table`] with the folder that holds verdict.json and summary.md.
#[must_use]
pub fn final_table_with(verdict: &Verdict, style: Style, outputs: Option<&Path>) -> String {
    let mut page = Page {
        style,
        out: String::new(),
    };
    page.banner(verdict);
    if !verdict.objectives.is_empty() {
        page.line("");
        page.objectives(verdict);
    }
    page.line("");
    page.facts(verdict);
    for (i, step) in verdict.next.iter().enumerate() {
        let label = if i == 0 { "next" } else { "" };
        page.labelled(label, step, Some(Ink::Bold));
    }
    if let Some(folder) = outputs {
        let path = |file: &str| folder.join(file).display().to_string();
        page.labelled(
            "files",
            &format!("{} · {}", path("summary.md"), path("verdict.json")),
            None,
        );
    }
    page.out
}

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Id,
    Value,
    Limit,
    Change,
    Samples,
    Interval,
}

/// What goes first when the terminal is narrow.
const EXPENDABLE: [Column; 3] = [Column::Interval, Column::Samples, Column::Change];

struct Page {
    style: Style,
    out: String,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    /// Outside text as it may be shown.
    fn safe(&self, text: &str) -> String {
        self.style.chars(&clean::short(text, 400))
    }

    fn banner(&mut self, v: &Verdict) {
        let word = v.verdict.word().to_uppercase();
        let badge = self
            .style
            .paint(Ink::Badge(v.verdict), &format!(" {word} "));
        let mut title = format!("{} of {}", v.test, v.service);
        if let Some(release) = &v.release {
            title.push_str(&format!(" {release}"));
        }
        if let Some(r) = &v.rehearsal {
            title.push_str(&format!(" · rehearsal {}", format::seconds(r.seconds)));
        }
        let title = self.safe(&title);
        let reason = self.safe(&v.reason);
        let indent = word.len() + 4;
        let sep = self.style.chars(" · ");
        let title_room = self.style.width.saturating_sub(indent);
        if width(&title) + width(&sep) + width(&reason) <= title_room {
            let title = self.style.paint(Ink::Bold, &title);
            self.line(&format!("{badge}  {title}{sep}{reason}"));
            return;
        }
        for (i, part) in wrap(&title, title_room).iter().enumerate() {
            let part = self.style.paint(Ink::Bold, part);
            let lead = if i == 0 {
                format!("{badge}  ")
            } else {
                " ".repeat(indent)
            };
            self.line(&format!("{lead}{part}"));
        }
        for part in wrap(&reason, title_room) {
            self.line(&format!("{}{part}", " ".repeat(indent)));
        }
    }

    fn objectives(&mut self, v: &Verdict) {
        let (shown, hidden) = chosen(v);
        let usual = words::usual_confidence(v);
        let mut columns = vec![Column::Id, Column::Value, Column::Limit];
        if shown.iter().any(|o| o.baseline.is_some()) {
            columns.push(Column::Change);
        }
        columns.push(Column::Samples);
        if shown.iter().any(|o| o.interval.is_some()) {
            columns.push(Column::Interval);
        }
        let mut widths = self.widths(&shown, &columns, usual);
        for out in EXPENDABLE {
            if self.fits(&columns, &widths) {
                break;
            }
            if let Some(i) = columns.iter().position(|c| *c == out) {
                columns.remove(i);
                widths.remove(i);
            }
        }
        self.shrink_ids(&mut widths);
        let heading = self.row(&columns, &widths, |c| heading(c, usual));
        let heading = self.style.paint(Ink::Dim, &format!("   {heading}"));
        self.line(&heading);
        for o in shown {
            self.objective(o, &columns, &widths, usual);
        }
        if hidden > 0 {
            let more = self.style.chars(&format!(" ✓ {hidden} more pass"));
            let more = self.style.paint(Ink::Dim, &more);
            self.line(&more);
        }
    }

    fn objective(&mut self, o: &ObjectiveResult, columns: &[Column], widths: &[usize], usual: f64) {
        let (sign, ink) = mark(o);
        let sign = self.style.paint(ink, &self.style.chars(sign));
        let row = self.row(columns, widths, |c| cell(o, c, usual));
        let row = match ink {
            Ink::Dim | Ink::Bad => self.style.paint(ink, row.trim_end()),
            _ => row,
        };
        self.line(&format!(" {sign} {row}"));
        let why = match (o.mode, o.verdict) {
            (ModeName::Informational, _) | (_, Outcome::Pass) => return,
            (ModeName::DryRun, _) => format!("dry run, does not count: {}", o.why),
            // The row has just said it.
            (ModeName::Judged, _) if words::restates(o) => return,
            (ModeName::Judged, _) => o.why.clone(),
        };
        let why = self.safe(&why);
        for part in wrap(&why, self.style.width.saturating_sub(5)) {
            let part = self.style.paint(Ink::Dim, &part);
            self.line(&format!("     {part}"));
        }
    }

    fn widths(&self, shown: &[&ObjectiveResult], columns: &[Column], usual: f64) -> Vec<usize> {
        columns
            .iter()
            .map(|&c| {
                shown
                    .iter()
                    .map(|o| cell(o, c, usual))
                    .chain([heading(c, usual)])
                    .map(|text| width(&self.style.chars(&text)))
                    .max()
                    .unwrap_or(0)
            })
            .collect()
    }

    /// Columns beside the id, with the mark and the gaps.
    fn beside(widths: &[usize]) -> usize {
        3 + widths.iter().skip(1).map(|w| w + GAP).sum::<usize>()
    }

    fn fits(&self, columns: &[Column], widths: &[usize]) -> bool {
        debug_assert_eq!(columns.len(), widths.len());
        let id = widths.first().copied().unwrap_or(0);
        // Ids as long as a path may shrink before a column goes.
        let id = id.min(self.style.width * 2 / 5).max(id.min(MIN_ID));
        Self::beside(widths) + id <= self.style.width
    }

    fn shrink_ids(&self, widths: &mut [usize]) {
        let room = self.style.width.saturating_sub(Self::beside(widths));
        if let Some(id) = widths.first_mut() {
            *id = (*id).min(room.max(MIN_ID));
        }
    }

    /// A row: the id to the left, figures to the right of their columns.
    fn row(&self, columns: &[Column], widths: &[usize], text: impl Fn(Column) -> String) -> String {
        let mut out = String::new();
        for (&column, &most) in columns.iter().zip(widths) {
            let text = text(column);
            if column == Column::Id {
                let text = self.style.cut(&text, most);
                out.push_str(&text);
                out.push_str(&" ".repeat(most.saturating_sub(width(&text))));
            } else {
                let text = self.style.chars(&text);
                out.push_str(&" ".repeat(GAP + most.saturating_sub(width(&text))));
                out.push_str(&text);
            }
        }
        out
    }

    fn facts(&mut self, v: &Verdict) {
        let l = &v.load;
        let mut load = vec![
            l.shape.clone(),
            format!("{} requests", words::count(l.requests)),
            format::value(l.request_rate, UnitName::PerSecond),
        ];
        if l.dropped > 0 {
            load.push(format!("{} dropped", words::count(l.dropped)));
        }
        if l.exceptions > 0 {
            load.push(format!("{} exceptions", words::count(l.exceptions)));
        }
        if let Some(achieved) = l.achieved {
            load.push(format!("{} of the plan", words::share(achieved)));
        }
        if let Some(cpu) = l.generator_cpu {
            load.push(format!("generator CPU {}", words::share(cpu)));
        }
        self.labelled("load", &load.join(" · "), None);
        for issue in &l.issues {
            // The reason has said it already when it is the only one.
            if issue.what != v.reason {
                self.labelled("", &format!("! {}", issue.what), Some(Ink::Look));
            }
        }
        for t in v.script_thresholds.iter().filter(|t| !t.ok) {
            self.labelled(
                "script",
                &format!("✗ threshold {} of {} failed", t.expression, t.metric),
                Some(Ink::Bad),
            );
        }
        if let Some(s) = &v.score {
            self.labelled(
                "score",
                &format!(
                    "{} (pass from {}, warn from {})",
                    words::share(s.value),
                    words::share(s.pass),
                    words::share(s.warn)
                ),
                None,
            );
        }
        if v.baseline != BaselineReport::NotCompared {
            self.labelled("compared", &words::baseline(v), None);
        }
        self.labelled(
            "run",
            &format!(
                "{} · {} {} · {} {}",
                v.run_id, v.engine.name, v.engine.version, v.environment, v.base_url
            ),
            None,
        );
    }

    /// A label and wrapped text beside it.
    fn labelled(&mut self, label: &str, text: &str, ink: Option<Ink>) {
        let text = self.safe(text);
        for (i, part) in wrap(&text, self.style.width.saturating_sub(LABEL + 1))
            .iter()
            .enumerate()
        {
            let label = if i == 0 { label } else { "" };
            let label = self.style.paint(Ink::Dim, &format!("{label:<LABEL$}"));
            let part = ink.map_or_else(|| part.clone(), |ink| self.style.paint(ink, part));
            self.line(&format!(" {label}{part}"));
        }
    }
}

/// The objectives to show, most urgent first, and how many passing ones are not among them.
fn chosen(v: &Verdict) -> (Vec<&ObjectiveResult>, usize) {
    let urgency = |o: &ObjectiveResult| match o.mode {
        ModeName::Judged => words::urgency(o.verdict),
        ModeName::DryRun | ModeName::Informational => 9,
    };
    let mut all: Vec<&ObjectiveResult> = v.objectives.iter().collect();
    all.sort_by_key(|o| urgency(o));
    let passing = |o: &ObjectiveResult| o.mode == ModeName::Judged && o.verdict == Outcome::Pass;
    if all.len() <= MANY {
        return (all, 0);
    }
    let mut seen = 0;
    let before = all.len();
    all.retain(|o| {
        seen += usize::from(passing(o));
        !passing(o) || seen <= FEW_PASSING
    });
    let hidden = before - all.len();
    (all, hidden)
}

fn mark(o: &ObjectiveResult) -> (&'static str, Ink) {
    if o.mode != ModeName::Judged {
        return ("·", Ink::Dim);
    }
    let sign = match o.verdict {
        Outcome::Pass => "✓",
        Outcome::Warn => "!",
        Outcome::Fail | Outcome::Error => "✗",
        Outcome::Inconclusive => "?",
    };
    (sign, Ink::of(o.verdict))
}

fn heading(column: Column, usual: f64) -> String {
    match column {
        Column::Id => "objective".to_owned(),
        Column::Value => "value".to_owned(),
        Column::Limit => "limit".to_owned(),
        Column::Change => "change".to_owned(),
        Column::Samples => "samples".to_owned(),
        Column::Interval => format!("{} interval", words::share(usual)),
    }
}

fn cell(o: &ObjectiveResult, column: Column, usual: f64) -> String {
    match column {
        Column::Id => clean::short(&o.id, clean::MAX_CHARS),
        Column::Value => words::value(o),
        Column::Limit => words::limit(o),
        Column::Change => o
            .change
            .map_or_else(|| words::NOTHING.to_owned(), format::change),
        Column::Samples => words::count(o.samples),
        Column::Interval => words::interval(o, usual),
    }
}
