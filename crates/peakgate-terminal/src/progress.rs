//! Live progress on stderr: a bar for people, quiet lines for CI.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use peakgate_core::format;
use peakgate_core::guard::ValveState;
use peakgate_core::render::{clean, words};
use peakgate_core::verdict::UnitName;

use crate::style::{Ink, Style};

/// How often a quiet line is written while nothing changes.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// The bar's own width.
const BAR: usize = 24;

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgressKind {
    /// A bar that is redrawn.
    Bar,
    /// A line each ten seconds and on a change of phase or valves.
    Lines,
    /// Nothing.
    Off,
}

impl ProgressKind {
    /// [`Self::Bar`] when stderr is a terminal that can redraw and `CI` is not set, else
    /// [`Self::Lines`].
    #[must_use]
    pub fn detect() -> Self {
        let dumb = std::env::var("TERM").is_ok_and(|t| t == "dumb");
        // Some set CI=false to say that it is not one.
        let ci = std::env::var("CI").is_ok_and(|v| !matches!(v.as_str(), "" | "0" | "false"));
        if std::io::stderr().is_terminal() && !dumb && !ci {
            Self::Bar
        } else {
            Self::Lines
        }
    }
}

/// The figures of a moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Live {
    /// Since the start of the load.
    pub elapsed: Duration,
    /// Planned length of the load.
    pub total: Duration,
    /// See [`crate::phase`]; `stopping` after a stop.
    pub phase: String,
    /// Active virtual users.
    pub vus: Option<f64>,
    /// Planned virtual users at this moment.
    pub planned_vus: Option<f64>,
    /// Requests per second.
    pub request_rate: f64,
    /// Median latency in milliseconds.
    pub p50: Option<f64>,
    /// 95th percentile in milliseconds.
    pub p95: Option<f64>,
    /// 99th percentile in milliseconds.
    pub p99: Option<f64>,
    /// Share of requests that failed.
    pub error_rate: Option<f64>,
    /// Iterations dropped so far.
    pub dropped: u64,
    /// How the safety valves stand.
    pub valves: Vec<ValveState>,
}

/// Progress of one run. Dropping it clears the bar.
#[derive(Debug)]
pub struct Progress(Shown);

#[derive(Debug)]
enum Shown {
    Bar {
        bar: ProgressBar,
        style: Style,
        total: Duration,
    },
    Lines {
        lines: Lines,
        style: Style,
    },
    Off,
}

impl Progress {
    /// Begins to show progress under a title: `peak of lead-api · rehearsal 20s`.
    #[must_use]
    pub fn new(kind: ProgressKind, title: &str) -> Self {
        let style = Style::detect_stderr();
        let title = style.chars(&clean::short(title, clean::MAX_CHARS));
        match kind {
            ProgressKind::Off => Self(Shown::Off),
            ProgressKind::Lines => {
                say(&title);
                Self(Shown::Lines {
                    lines: Lines::default(),
                    style,
                })
            }
            ProgressKind::Bar => {
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
                // The template holds no outside text: that goes in as a message.
                if let Ok(form) = ProgressStyle::with_template("{msg}") {
                    bar.set_style(form);
                }
                bar.println(style.paint(Ink::Bold, &title));
                Self(Shown::Bar {
                    bar,
                    style,
                    total: Duration::ZERO,
                })
            }
        }
    }

    /// Sets the planned length, once it is known; it stands in where [`Live::total`] is zero.
    pub fn set_total(&mut self, planned: Duration) {
        match &mut self.0 {
            Shown::Bar { total, .. } => *total = planned,
            Shown::Lines { lines, .. } => lines.total = planned,
            Shown::Off => {}
        }
    }

    /// Shows new figures.
    pub fn update(&mut self, live: &Live) {
        match &mut self.0 {
            Shown::Bar { bar, style, total } => {
                bar.set_message(bar_text(live, *total, *style));
                bar.tick();
            }
            Shown::Lines { lines, style } => {
                if let Some(line) = lines.line(live) {
                    say(&style.chars(&line));
                }
            }
            Shown::Off => {}
        }
    }

    /// Says something above the bar.
    pub fn note(&self, text: &str) {
        let text = clean::short(text, 1000);
        match &self.0 {
            Shown::Bar { bar, style, .. } => bar.println(style.chars(&text)),
            Shown::Lines { style, .. } => say(&style.chars(&text)),
            Shown::Off => {}
        }
    }

    /// Ends it; the bar goes away, as the final table follows.
    pub fn finish(self) {
        drop(self);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Shown::Bar { bar, .. } = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// A line on stderr. A reader that went away must not stop the run.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn ms(value: Option<f64>) -> String {
    value.map_or_else(
        || words::NOTHING.to_owned(),
        |v| format::value(v, UnitName::Milliseconds),
    )
}

/// `312/500 users · 420 /s · p50 84 ms · p95 312 ms · p99 498 ms · errors 0.08 %`.
fn figures(live: &Live) -> String {
    let mut parts = Vec::new();
    match (live.vus, live.planned_vus) {
        (Some(vus), Some(planned)) => parts.push(format!("{vus:.0}/{planned:.0} users")),
        (Some(vus), None) => parts.push(format!("{vus:.0} users")),
        (None, Some(planned)) => parts.push(format!("–/{planned:.0} users")),
        (None, None) => {}
    }
    parts.push(format::value(live.request_rate, UnitName::PerSecond));
    for (name, value) in [("p50", live.p50), ("p95", live.p95), ("p99", live.p99)] {
        parts.push(format!("{name} {}", ms(value)));
    }
    if let Some(errors) = live.error_rate {
        parts.push(format!("errors {}", words::share(errors)));
    }
    if live.dropped > 0 {
        parts.push(format!("{} dropped", words::count(live.dropped)));
    }
    parts.join(" · ")
}

/// What a valve that is holding says; `None` while it does not hold.
fn valve(v: &ValveState) -> Option<String> {
    let (held, must) = v.holding?;
    Some(format!(
        "valve {}: {} for {}, stops the test in {}",
        clean::short(&v.id, 60),
        clean::short(&v.value, 30),
        whole(held),
        whole(must.saturating_sub(held))
    ))
}

/// A duration in whole seconds: what changes each second must not jump in width by its fraction.
fn whole(d: Duration) -> String {
    peakgate_load::plan::format_duration(Duration::from_secs(d.as_secs_f64().round() as u64))
}

fn bar_text(live: &Live, planned: Duration, style: Style) -> String {
    let total = if live.total.is_zero() {
        planned
    } else {
        live.total
    };
    let share = if total.is_zero() {
        0.0
    } else {
        (live.elapsed.as_secs_f64() / total.as_secs_f64()).clamp(0.0, 1.0)
    };
    let full = (share * BAR as f64).round() as usize;
    let (on, off) = if style.unicode {
        ("━", "─")
    } else {
        ("#", "-")
    };
    let phase = clean::short(&live.phase, 40);
    let time = if live.elapsed < total {
        format!("{} left of {}", whole(total - live.elapsed), whole(total))
    } else {
        format!("{} of {}", whole(live.elapsed), whole(total))
    };
    let room = style.width.saturating_sub(1);
    // Cut before painting: escape codes take no columns.
    let head = style.cut(&format!(" {phase} · {time}"), room.saturating_sub(BAR));
    let mut lines = vec![
        format!(
            "{}{}{head}",
            style.paint(Ink::Good, &on.repeat(full)),
            style.paint(Ink::Dim, &off.repeat(BAR.saturating_sub(full)))
        ),
        style.cut(&figures(live), room),
    ];
    lines.extend(
        live.valves
            .iter()
            .filter_map(valve)
            .map(|text| style.paint(Ink::Bad, &style.cut(&text, room))),
    );
    lines.join("\n")
}

/// Which lines a log gets.
#[derive(Debug, Default)]
struct Lines {
    total: Duration,
    last: Option<Duration>,
    phase: String,
    holding: Vec<String>,
}

impl Lines {
    /// A line, when it is time for one.
    fn line(&mut self, live: &Live) -> Option<String> {
        let holding: Vec<String> = live
            .valves
            .iter()
            .filter(|v| v.holding.is_some())
            .map(|v| v.id.clone())
            .collect();
        let due = self
            .last
            .is_none_or(|at| live.elapsed.saturating_sub(at) >= LINE_EVERY);
        if !due && live.phase == self.phase && holding == self.holding {
            return None;
        }
        self.last = Some(live.elapsed);
        self.phase.clone_from(&live.phase);
        self.holding = holding;
        let total = if live.total.is_zero() {
            self.total
        } else {
            live.total
        };
        let mut out = format!(
            "{}/{} {} · {}",
            whole(live.elapsed),
            whole(total),
            clean::short(&live.phase, 40),
            figures(live)
        );
        for text in live.valves.iter().filter_map(valve) {
            out.push_str(" · ");
            out.push_str(&text);
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(seconds: u64) -> Live {
        Live {
            elapsed: Duration::from_secs(seconds),
            total: Duration::from_secs(60),
            phase: "plateau".into(),
            vus: Some(312.0),
            planned_vus: Some(500.0),
            request_rate: 420.4,
            p50: Some(84.0),
            p95: Some(312.0),
            p99: None,
            error_rate: Some(0.0008),
            dropped: 0,
            valves: vec![],
        }
    }

    fn holding(mut live: Live) -> Live {
        live.valves.push(ValveState {
            id: "errors\x1b[2J\nvalve".into(),
            value: "14 %".into(),
            holding: Some((Duration::from_secs(8), Duration::from_secs(30))),
        });
        live
    }

    #[test]
    fn a_bar_in_two_lines_and_a_third_for_a_valve() {
        let text = bar_text(&live(15), Duration::ZERO, Style::plain());
        assert_eq!(
            text,
            "━━━━━━────────────────── plateau · 45s left of 1m\n\
             312/500 users · 420 /s · p50 84 ms · p95 312 ms · p99 – · errors 0.08 %"
        );
        let text = bar_text(&holding(live(15)), Duration::ZERO, Style::plain());
        assert_eq!(
            text.lines().nth(2),
            Some("valve errors valve: 14 % for 8s, stops the test in 22s")
        );
        assert!(!text.contains('\x1b'));
        let past = bar_text(&live(70), Duration::ZERO, Style::plain());
        assert!(past.contains("1m10s of 1m"), "{past}");
        let red = Style {
            color: true,
            ..Style::plain()
        };
        assert!(bar_text(&holding(live(15)), Duration::ZERO, red).contains("\x1b[31mvalve"));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let narrow = Style {
            width: 40,
            unicode: false,
            color: false,
        };
        let mut long = holding(live(15));
        long.phase = "日本".repeat(60);
        for line in bar_text(&long, Duration::ZERO, narrow).lines() {
            assert!(crate::style::width(line) < 40, "{line}");
            assert!(line.is_ascii(), "{line}");
        }
    }

    #[test]
    fn quiet_lines_each_ten_seconds_and_on_changes() {
        let mut lines = Lines::default();
        let said: Vec<u64> = (0..40)
            .filter(|&s| {
                let mut now = live(s);
                if s >= 25 {
                    now.phase = "ramping down".into();
                }
                if s == 28 {
                    now = holding(now);
                }
                lines.line(&now).is_some()
            })
            .collect();
        assert_eq!(said, [0, 10, 20, 25, 28, 29, 39]);
    }

    #[test]
    fn without_figures_there_is_still_a_line() {
        let mut lines = Lines {
            total: Duration::from_secs(20),
            ..Lines::default()
        };
        let now = Live {
            phase: "ramping up".into(),
            request_rate: f64::NAN,
            ..Live::default()
        };
        let line = lines.line(&now).unwrap_or_default();
        assert!(line.starts_with("0s/20s ramping up · "), "{line}");
    }
}
