//! `peakgate check` on the reference policy.

use std::path::Path;
use std::process::Command;

use super::{Bench, tell};
use crate::error::{Error, Result};
use crate::figures::history::wall;
use crate::table::{Finding, Row, median, range};

const TIMES: usize = 20;

/// Its wall time.
pub(crate) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let policy = Path::new("examples/peakgate.yaml");
    if !policy.is_file() {
        let error: Error = format!(
            "there is no {} here: start the bench in the project's folder",
            policy.display()
        )
        .into();
        return Err(error);
    }
    tell("peakgate check");
    let times = (0..TIMES)
        .map(|_| wall(Command::new(&bench.gate).arg("check").arg(policy)))
        .collect::<Result<Vec<f64>>>()?;
    let middle = median(&times);
    let (low, high) = range(&times);
    Ok(vec![Row {
        figure: "`peakgate check examples/peakgate.yaml`, wall time".to_owned(),
        target: "< 20 ms",
        measured: format!("{middle:.1} ms (median of {TIMES}, {low:.1} to {high:.1})"),
        finding: Finding::at_most(middle, 20.0),
    }])
}
