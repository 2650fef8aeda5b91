//! From the end of the real k6 to a whole verdict.json.

use super::{Bench, tell};
use crate::error::Result;
use crate::gate::{self, Channel, Order};
use crate::k6::{self, Program};
use crate::table::{Finding, Row, median, range};

const SECONDS: u64 = 5;
const TIMES: usize = 3;

/// Both channels.
pub(crate) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let k6 = k6::find()?;
    [Channel::Exact, Channel::Light]
        .into_iter()
        .map(|channel| {
            let name = channel.name();
            tell(&format!("time to the verdict, {name}: {TIMES} x {SECONDS} s of load"));
            let (mut verdict, mut exit) = (Vec::new(), Vec::new());
            for _ in 0..TIMES {
                let order = Order {
                    program: Program::Real(&k6),
                    channel,
                    seconds: SECONDS,
                };
                let seen = gate::run(bench, order)?;
                verdict.push(seen.to_verdict.as_secs_f64() * 1000.0);
                exit.push(seen.to_exit.as_secs_f64() * 1000.0);
            }
            let worst = range(&verdict).1;
            Ok(Row {
                figure: format!("from k6's exit to verdict.json on disk, {name} channel"),
                target: "< 100 ms",
                measured: format!(
                    "{:.0} ms (median of {TIMES}; at most {worst:.0} ms; the gate's own exit after {:.0} ms)",
                    median(&verdict),
                    median(&exit)
                ),
                finding: Finding::at_most(worst, 100.0),
            })
        })
        .collect()
}
