//! `peakgate history`

use std::path::PathBuf;

use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};
use peakgate_core::baseline::short;
use peakgate_core::format;
use peakgate_core::render::clean::line as plain;
use peakgate_history::{History, HistoryError, Prune, RunFilter, RunSummary};

use super::{DEFAULT_HISTORY, complain};
use crate::exit::Exit;
use crate::record;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
    /// The history file.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_HISTORY, global = true)]
    history: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List runs, newest first.
    List {
        /// Only of this test.
        #[arg(long)]
        test: Option<String>,
        /// Only of this service.
        #[arg(long)]
        service: Option<String>,
        /// Only of this release.
        #[arg(long)]
        release: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Show a run.
    Show {
        /// Its id, or the end of it as `list` shows it.
        run: String,
        /// Print its verdict as JSON, evidence included.
        #[arg(long)]
        json: bool,
    },
    /// Compare two runs, objective by objective.
    Compare {
        /// The earlier run.
        a: String,
        /// The later run.
        b: String,
    },
    /// Declare a run void: it is no baseline and proves no release any more.
    Invalidate {
        /// The run.
        run: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Forget old runs. The newest possible baseline of each test stays.
    Prune {
        /// Keep the newest so many of each test.
        #[arg(long, value_name = "N")]
        keep: Option<u32>,
        /// Forget runs older than so many days.
        #[arg(long, value_name = "DAYS")]
        older_than: Option<u32>,
        /// Forget possible baselines too.
        #[arg(long)]
        force: bool,
        /// Only say what would go.
        #[arg(long)]
        dry_run: bool,
    },
}

pub(super) fn main(args: Args) -> Exit {
    let outcome = record::open(&args.history).and_then(|history| match args.command {
        Command::List {
            test,
            service,
            release,
            limit,
        } => list(
            &history,
            &RunFilter {
                test,
                service,
                release,
                limit: Some(limit),
                ..RunFilter::default()
            },
        ),
        Command::Show { run, json } => show(&history, &run, json),
        Command::Compare { a, b } => compare(&history, &a, &b),
        Command::Invalidate { run, reason } => {
            let id = history.invalidate(&run, &reason)?;
            println!("run {} is void: {}", id, plain(&reason));
            Ok(())
        }
        Command::Prune {
            keep,
            older_than,
            force,
            dry_run,
        } => prune(&history, keep, older_than, force, dry_run),
    });
    match outcome {
        Ok(()) => Exit::Success,
        Err(
            e @ (HistoryError::NotFound { .. }
            | HistoryError::Ambiguous { .. }
            | HistoryError::BadName { .. }),
        ) => {
            complain(&e.to_string());
            Exit::Usage
        }
        Err(e) => {
            complain(&e.to_string());
            Exit::Error
        }
    }
}

fn line(run: &RunSummary) -> String {
    let rehearsal = run
        .rehearsal_seconds
        .map(|s| format!(" rehearsal {}", format::seconds(s)))
        .unwrap_or_default();
    let void = run
        .invalidated
        .as_ref()
        .map(|v| format!(" VOID: {}", plain(&v.reason)))
        .unwrap_or_default();
    format!(
        "{}  {}  {:<12} {:<10} {:<14}{rehearsal}{void}  {}",
        short(&run.run_id.to_string()),
        run.started_at.strftime("%Y-%m-%d %H:%M:%S"),
        run.state.to_string(),
        plain(&run.test),
        plain(run.release.as_deref().unwrap_or("–")),
        plain(run.reason.as_deref().unwrap_or("")),
    )
}

fn list(history: &History, filter: &RunFilter) -> Result<(), HistoryError> {
    let runs = history.list(filter)?;
    if runs.is_empty() {
        println!("no runs on record in {}", history.path().display());
    }
    // At once: standard output is written line by line otherwise, which is slow for ten thousand.
    let lines: String = runs.iter().map(|run| line(run) + "\n").collect();
    print!("{lines}");
    Ok(())
}

fn show(history: &History, run: &str, json: bool) -> Result<(), HistoryError> {
    let detail = history.show(run)?;
    if json {
        let mut verdict: serde_json::Value = detail
            .verdict_json
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or(serde_json::Value::Null);
        if let Some(evidence) = history.evidence(run)?
            && let Ok(evidence) = serde_json::from_str(&evidence)
            && let Some(map) = verdict.as_object_mut()
        {
            map.insert("evidence".to_owned(), evidence);
        }
        println!("{verdict:#}");
        return Ok(());
    }
    println!("{}", line(&detail.summary));
    println!("id {}", detail.summary.run_id);
    for o in &detail.objectives {
        let value = o.value.map_or_else(|| "–".to_owned(), format::number);
        let limit = o.limit.map_or_else(|| "–".to_owned(), format::number);
        println!(
            "  {:<12} {:<32} {value:>10}  limit {limit:<10} {} samples",
            o.verdict.as_str(),
            plain(&o.id),
            o.samples
        );
    }
    Ok(())
}

fn compare(history: &History, a: &str, b: &str) -> Result<(), HistoryError> {
    let comparison = history.compare(a, b)?;
    println!("a: {}", line(&comparison.a));
    println!("b: {}", line(&comparison.b));
    println!(
        "  {:<32} {:>12} {:>12} {:>10}",
        "objective", "a", "b", "change"
    );
    for o in &comparison.objectives {
        let value = |row: &Option<peakgate_history::ObjectiveRow>| {
            row.as_ref()
                .and_then(|r| r.value)
                .map_or_else(|| "–".to_owned(), format::number)
        };
        println!(
            "  {:<32} {:>12} {:>12} {:>10}",
            plain(&o.id),
            value(&o.a),
            value(&o.b),
            o.relative_change()
                .map_or_else(|| "–".to_owned(), format::change)
        );
    }
    Ok(())
}

fn prune(
    history: &History,
    keep_last: Option<u32>,
    older_than: Option<u32>,
    force: bool,
    dry_run: bool,
) -> Result<(), HistoryError> {
    let before = older_than.and_then(|days| {
        Timestamp::now()
            .checked_sub(SignedDuration::from_hours(24 * i64::from(days)))
            .ok()
    });
    if keep_last.is_none() && before.is_none() {
        println!("nothing to do: say what to forget with --keep or --older-than");
        return Ok(());
    }
    let pruned = history.prune(&Prune {
        keep_last,
        older_than: before,
        force,
        dry_run,
    })?;
    let would = if dry_run { "would forget" } else { "forgot" };
    println!(
        "{would} {} runs; {} stay as the next baseline",
        pruned.removed.len(),
        pruned.spared.len()
    );
    Ok(())
}
