//! Processor time under the real k6 at full speed.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Bench, tell};
use crate::error::{During, Result};
use crate::gate::{self, Channel, Order, Seen, VUS};
use crate::k6::{self, Program};
use crate::process::Child;
use crate::table::{Finding, Row, median, range};

const GATE_SECONDS: u64 = 20;
const CHANNEL_SECONDS: u64 = 10;
const ROUNDS: usize = 5;

/// The gate's own processor time, as a share of k6's.
pub(crate) fn gate_cpu(bench: &Bench) -> Result<Vec<Row>> {
    let k6 = k6::find()?;
    [Channel::Exact, Channel::Light]
        .into_iter()
        .map(|channel| {
            let name = channel.name();
            tell(&format!("gate's CPU, {name}: {GATE_SECONDS} s of load"));
            let order = Order {
                program: Program::Real(&k6),
                channel,
                seconds: GATE_SECONDS,
            };
            let seen = gate::run(bench, order)?;
            let share = seen.gate_cpu / seen.k6_cpu;
            #[allow(clippy::cast_precision_loss)]
            let rate = seen.requests / GATE_SECONDS as f64;
            Ok(Row {
                figure: format!(
                    "gate's own CPU as a share of k6's, {VUS} users at full speed, {name} channel"
                ),
                target: "≤ 10 %",
                measured: format!(
                    "{:.1} % ({:.2} s of {:.1} s, {rate:.0} requests/s, gate's peak memory {:.1} MiB)",
                    share * 100.0,
                    seen.gate_cpu,
                    seen.k6_cpu,
                    seen.peak_memory
                ),
                finding: Finding::at_most(share, 0.10),
            })
        })
        .collect()
}

/// k6's processor time per request: with the live channels, against k6 alone.
pub(crate) fn channel(bench: &Bench) -> Result<Vec<Row>> {
    let k6 = k6::find()?;
    let (mut bare, mut light, mut exact) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        tell(&format!(
            "live channels, round {} of {ROUNDS}: 3 x {CHANNEL_SECONDS} s of load",
            round + 1
        ));
        let mut through_gate = |channel: Channel| -> Result<()> {
            let order = Order {
                program: Program::Real(&k6),
                channel,
                seconds: CHANNEL_SECONDS,
            };
            let answered = bench.target.served();
            let seen = gate::run(bench, order)?;
            let cost = seen.k6_cpu / requests_since(bench, answered, Some(&seen))?;
            match channel {
                Channel::Exact => exact.push(cost),
                Channel::Light => light.push(cost),
            }
            Ok(())
        };
        // Forth and back, so that a machine that grows slower or faster favours none.
        if round % 2 == 0 {
            bare.push(alone(bench, &k6)?);
            through_gate(Channel::Light)?;
            through_gate(Channel::Exact)?;
        } else {
            through_gate(Channel::Exact)?;
            through_gate(Channel::Light)?;
            bare.push(alone(bench, &k6)?);
        }
    }
    let row = |name: &str, target: &'static str, costs: &[f64]| {
        let ratios: Vec<f64> = costs.iter().zip(&bare).map(|(c, b)| c / b).collect();
        let (low, high) = range(&ratios);
        let ratio = median(&ratios);
        Row {
            figure: format!("k6's CPU per request, {name} channel against bare k6"),
            target,
            measured: format!(
                "{ratio:.2} (median of {ROUNDS} pairs, {low:.2} to {high:.2}; {:.1} µs against {:.1} µs)",
                median(costs) * 1e6,
                median(&bare) * 1e6
            ),
            finding: if target == NONE {
                Finding::NoTarget
            } else {
                Finding::at_most(ratio, 1.15)
            },
        }
    };
    Ok(vec![
        row("light", "≤ 1.15", &light),
        row("exact", NONE, &exact),
    ])
}

const NONE: &str = "–";

/// Requests that the server answered since. Those of the engine's account must be the same, but for
/// the few that were under way at the end.
#[allow(clippy::cast_precision_loss)]
fn requests_since(bench: &Bench, answered: u64, seen: Option<&Seen>) -> Result<f64> {
    let served = (bench.target.served() - answered) as f64;
    if served < 1000.0 {
        return Err(format!("only {served} requests arrived: that measures nothing").into());
    }
    match seen {
        Some(seen) if (seen.requests - served).abs() > VUS as f64 => Err(format!(
            "the server answered {served} requests, but the account has {}",
            seen.requests
        )
        .into()),
        _ => Ok(served),
    }
}

/// Seconds of processor time per request of `k6 run --quiet` by itself.
fn alone(bench: &Bench, k6: &std::path::Path) -> Result<f64> {
    let dir = tempfile::tempdir().during("making a folder")?;
    let script = dir.path().join("script.js");
    std::fs::write(&script, gate::script(&bench.target.url(), CHANNEL_SECONDS))
        .during("script.js")?;
    let answered = bench.target.served();
    let program = k6::stand_in(dir.path(), &bench.cores, Program::Real(k6))?;
    let child = Child::start(
        Command::new(program)
            .args(["run", "--quiet", "--no-color", "--no-usage-report"])
            .arg(script)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    )?;
    let ended = child.wait(Duration::from_secs(CHANNEL_SECONDS + 60))?;
    if !ended.status.success() {
        return Err(format!("k6 by itself ended with {}", ended.status).into());
    }
    Ok(ended.cpu.own / requests_since(bench, answered, None)?)
}
