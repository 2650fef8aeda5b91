//! `peakgate schema`

use clap::ValueEnum;

use super::complain;
use crate::exit::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Of what.
    #[arg(value_enum)]
    of: Of,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Of {
    /// The policy file.
    Policy,
    /// verdict.json.
    Verdict,
}

pub(super) fn main(args: &Args) -> Exit {
    let schema = match args.of {
        Of::Policy => peakgate_policy::schema(),
        Of::Verdict => peakgate_core::verdict::schema(),
    };
    match serde_json::to_string_pretty(&schema) {
        Ok(text) => {
            println!("{text}");
            Exit::Success
        }
        Err(e) => {
            complain(&e.to_string());
            Exit::Error
        }
    }
}
