//! The gate's memory over two million requests.

use super::{Bench, tell};
use crate::error::{During, Error, Result};
use crate::fake;
use crate::gate::{self, Channel, Order};
use crate::k6::Program;
use crate::table::{Finding, Row};

const MOST: f64 = 40.0;
/// How much the resident set may grow over the second million to be called flat, as a share. Not
/// nothing: the timeline fills its 300 points in the first five minutes of any test.
const FLAT: f64 = 0.10;

/// Peak and growth.
pub(crate) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    tell("memory: two million requests from a synthetic stream");
    let seen = gate::run(
        bench,
        Order {
            program: Program::Synthetic,
            channel: Channel::Exact,
            seconds: fake::SECONDS,
        },
    )?;
    #[allow(clippy::cast_precision_loss)]
    let wanted = fake::REQUESTS as f64;
    if (seen.requests - wanted).abs() > 0.5 {
        return Err(format!("the gate saw {} requests of {wanted}", seen.requests).into());
    }
    let notes = std::fs::read_to_string(seen.dir.path().join(fake::MEMORY))
        .during("reading what the synthetic k6 saw of the gate's memory")?;
    let at = |requests: u64| -> Result<f64> {
        notes
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{requests} ")))
            .and_then(|mib| mib.parse().ok())
            .ok_or_else(|| -> Error { format!("no memory at {requests} requests").into() })
    };
    let (first, half, second) = (at(1_000_000)?, at(1_500_000)?, at(2_000_000)?);
    let growth = second / first - 1.0;
    Ok(vec![
        Row {
            figure: format!(
                "gate's peak memory, 2 million requests over {} endpoints in {} s of test (synthetic k6 stream, exact channel)",
                fake::ENDPOINTS,
                fake::SECONDS
            ),
            target: "≤ 40 MiB",
            measured: format!("{:.1} MiB (VmHWM)", seen.peak_memory),
            finding: Finding::at_most(seen.peak_memory, MOST),
        },
        Row {
            figure: "gate's memory at 1, 1.5 and 2 million requests (same run)".to_owned(),
            target: "flat (1 → 2 million: ≤ +10 %)",
            measured: format!(
                "{first:.1}, {half:.1} and {second:.1} MiB ({:+.0} %)",
                growth * 100.0
            ),
            finding: Finding::at_most(growth, FLAT),
        },
        Row {
            figure: "from the end of that stream to verdict.json".to_owned(),
            target: "< 100 ms",
            measured: format!(
                "{:.0} ms ({:.1} MB of verdict.json)",
                seen.to_verdict.as_secs_f64() * 1000.0,
                seen.verdict_bytes as f64 / 1e6
            ),
            finding: Finding::at_most(seen.to_verdict.as_secs_f64(), 0.1),
        },
    ])
}
