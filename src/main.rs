//! The release gate for peak load: runs the required k6 test, judges it against an SLO policy, and
//! decides.

mod cli;
mod engines;
mod exit;
mod gate;
mod output;
mod policy_file;
mod record;
mod releases;
mod script;
mod signals;
mod target;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main().into()
}
