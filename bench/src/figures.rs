//! What is measured.

pub(crate) mod check;
pub(crate) mod history;
pub(crate) mod load;
pub(crate) mod memory;
pub(crate) mod verdict_time;

use std::path::PathBuf;

use crate::cores::Cores;
use crate::error::Result;
use crate::gate;
use crate::target::Target;

/// What all measurements share.
#[derive(Debug)]
pub(crate) struct Bench {
    /// Whose cores are whose.
    pub(crate) cores: Cores,
    /// The gate's program.
    pub(crate) gate: PathBuf,
    /// The server under load.
    pub(crate) target: Target,
}

impl Bench {
    /// Finds the gate and starts the server.
    pub(crate) fn new(cores: Cores) -> Result<Self> {
        Ok(Self {
            cores,
            gate: gate::find()?,
            target: Target::start()?,
        })
    }
}

/// Says how far it is.
pub(crate) fn tell(text: &str) {
    eprintln!("{text}");
}
