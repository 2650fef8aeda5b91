//! The command line: parse, dispatch, exit code.

mod check;
mod demo;
mod evaluate;
mod history;
mod init;
mod run;
mod schema;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use peakgate_policy::settings::EngineChoice;

use crate::exit::{self, Exit};

/// The release gate for peak load.
///
/// Runs the k6 test that a release needs, judges it against the objectives of a policy file, and
/// decides: pass, warn, fail, inconclusive or error. Only pass and warn let a release through.
#[derive(Debug, Parser)]
#[command(version, after_help = exit::HELP, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Say more about what is done (also: RUST_LOG).
    #[arg(long, short, global = true)]
    verbose: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the tests that the release needs, judge them and decide.
    Run(run::Args),
    /// Check a policy and its scripts without making load.
    Check(check::Args),
    /// Judge a verdict.json or a k6 summary again, without running anything.
    Evaluate(evaluate::Args),
    /// Look at the runs on record, or mend the record.
    History(history::Args),
    /// Write a first policy from the k6 scripts found here, their thresholds included.
    Init(init::Args),
    /// Rehearse the peak test against a built-in service that is healthy or broken on purpose.
    Demo(demo::Args),
    /// Print a JSON Schema: of the policy, or of verdict.json.
    Schema(schema::Args),
}

/// Which engine makes the load.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum EngineArg {
    /// The best that can run the script (for now: k6).
    Auto,
    /// The embedded engine (not in this version yet).
    Embedded,
    /// The real k6.
    K6,
}

impl From<EngineArg> for EngineChoice {
    fn from(arg: EngineArg) -> Self {
        match arg {
            EngineArg::Auto => Self::Auto,
            EngineArg::Embedded => Self::Embedded,
            EngineArg::K6 => Self::K6,
        }
    }
}

/// Where results go, where k6 comes from.
#[derive(Debug, clap::Args)]
struct Places {
    /// Folder for verdict.json, summary.md and the engine's log.
    #[arg(long, value_name = "DIR", default_value = "peakgate-out")]
    out: PathBuf,
    /// The history file; created when it is not there.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_HISTORY)]
    history: PathBuf,
    /// The engine; wins over the policy.
    #[arg(long, value_enum)]
    engine: Option<EngineArg>,
    /// The k6 program; without it, k6 is looked for on PATH and in .peakgate/.
    #[arg(long, value_name = "FILE", env = "PEAKGATE_K6")]
    k6: Option<PathBuf>,
}

const DEFAULT_HISTORY: &str = ".peakgate/history.db";

fn duration(text: &str) -> Result<Duration, String> {
    peakgate_load::plan::parse_duration(text)
        .filter(|d| *d >= Duration::from_secs(1) && text.ends_with(char::is_alphabetic))
        .ok_or_else(|| "a duration of a second or more, with its unit: 30s, 2m, 1m30s".to_owned())
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("KEY=VALUE, as k6 takes it".to_owned()),
    }
}

/// Parses, runs, and says how the process is to end.
pub(crate) fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // Help and version are no errors and go to stdout.
            let exit = if e.use_stderr() {
                Exit::Usage
            } else {
                Exit::Success
            };
            let _ = e.print();
            return exit;
        }
    };
    start_log(cli.verbose);
    match cli.command {
        Command::Run(args) => run::main(args),
        Command::Check(args) => check::main(&args),
        Command::Evaluate(args) => evaluate::main(&args),
        Command::History(args) => history::main(args),
        Command::Init(args) => init::main(&args),
        Command::Demo(args) => demo::main(args),
        Command::Schema(args) => schema::main(&args),
    }
}

fn start_log(verbose: bool) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(if verbose { "peakgate=debug" } else { "warn" }));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(color())
        .init();
}

/// Whether errors may be coloured.
fn color() -> bool {
    peakgate_terminal::Style::detect_stderr().color
}

/// Prints an error for people.
fn complain(text: &str) {
    let text = text.trim_end();
    if text.contains("error[") {
        eprintln!("{text}");
    } else if color() {
        eprintln!("\u{1b}[1;31merror:\u{1b}[0m {text}");
    } else {
        eprintln!("error: {text}");
    }
}

/// The runtime for commands that do more than read.
fn runtime() -> Result<tokio::runtime::Runtime, std::io::Error> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}
