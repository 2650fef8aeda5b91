//! Measures the gate's speed and memory, and holds them to their targets: see README.md.

mod cores;
mod error;
mod fake;
mod figures;
mod gate;
mod k6;
mod machine;
mod process;
mod table;
mod target;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cores::Cores;
use crate::error::Result;
use crate::figures::Bench;
use crate::table::Row;

/// Measures the gate's speed and memory. Exits with 1 when a target was missed, 2 when something
/// could not be measured.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// Every figure (the default); takes seven minutes.
    All,
    /// The gate's own processor time against k6's.
    GateCpu,
    /// What the live channels cost k6.
    Channel,
    /// The gate's memory over two million requests.
    Memory,
    /// From k6's exit to verdict.json.
    VerdictTime,
    /// `peakgate check`.
    Check,
    /// A history with ten thousand runs.
    History,
    /// Runs k6 on a core of its own, after saying which process it is (used by the bench itself).
    #[command(hide = true)]
    Launch {
        /// Where to say it.
        dir: PathBuf,
        /// The core; `-` for any.
        core: String,
        /// The program.
        program: PathBuf,
        /// Its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Plays k6 with a synthetic stream (used by the bench itself).
    #[command(hide = true)]
    FakeK6 {
        /// Where to say which process it is.
        dir: PathBuf,
        /// The core; `-` for any.
        core: String,
        /// What k6 would be given.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command.unwrap_or(Command::All) {
        Command::Launch {
            dir,
            core,
            program,
            arguments,
        } => k6::launch(&dir, &core, &program, &arguments).map(|never| match never {}),
        Command::FakeK6 {
            dir,
            core,
            arguments,
        } => fake::main(&dir, &core, &arguments).map(|()| ExitCode::SUCCESS),
        command => measure(&command),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}

fn measure(command: &Command) -> Result<ExitCode> {
    if cfg!(debug_assertions) {
        return Err(
            "figures of an unoptimised build mean nothing: use `cargo run --release`".into(),
        );
    }
    let cores = Cores::take()?;
    let bench = Bench::new(cores)?;
    type Figure = fn(&Bench) -> Result<Vec<Row>>;
    let all: [Figure; 6] = [
        figures::check::measure,
        figures::history::measure,
        figures::memory::measure,
        figures::verdict_time::measure,
        figures::load::gate_cpu,
        figures::load::channel,
    ];
    let [check, history, memory, verdict_time, gate_cpu, channel] = all;
    let chosen = match command {
        Command::GateCpu => vec![gate_cpu],
        Command::Channel => vec![channel],
        Command::Memory => vec![memory],
        Command::VerdictTime => vec![verdict_time],
        Command::Check => vec![check],
        Command::History => vec![history],
        _ => all.to_vec(),
    };
    let mut rows = Vec::new();
    for figure in chosen {
        rows.extend(figure(&bench)?);
    }
    println!("{}\n", machine::describe(&bench.cores));
    print!("{}", table::markdown(&rows));
    Ok(if rows.iter().any(Row::missed) {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    })
}
