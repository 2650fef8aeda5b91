//! One run of the gate as its users run it, watched from outside.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::error::{During, Result};
use crate::figures::Bench;
use crate::k6::{self, Program};
use crate::process::{Child, Cpu, Watched, memory, tail};

/// What a script takes before and after its load.
const SLACK: Duration = Duration::from_secs(60);
/// How often a file or a process is looked at.
const LOOK: Duration = Duration::from_micros(500);

/// How live figures come to the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    /// Every sample.
    Exact,
    /// Aggregates.
    Light,
}

impl Channel {
    /// As the policy and the table call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Light => "light",
        }
    }
}

/// The load of all measurements with the real k6: one `GET` and one `check` an iteration, no pause.
pub(crate) fn script(url: &str, seconds: u64) -> String {
    format!(
        "import http from 'k6/http';\n\
         import {{ check }} from 'k6';\n\
         export const options = {{ vus: {VUS}, duration: '{seconds}s' }};\n\
         export default function () {{\n  \
           check(http.get('{url}/'), {{ ok: (r) => r.status === 200 }});\n\
         }}\n"
    )
}

/// Virtual users.
pub(crate) const VUS: u64 = 50;

/// The objectives of the reference policy, with limits that nothing here misses: what is measured
/// is the gate's work, not the load's quality.
fn policy(url: &str, channel: Channel) -> String {
    let live = channel.name();
    format!(
        "service: bench\n\
         environment: {{ name: loopback, base_url: \"{url}\" }}\n\
         objectives:\n\
         \x20 p50: {{ metric: http_req_duration, statistic: p(50), max: 60s }}\n\
         \x20 p95: {{ metric: http_req_duration, statistic: p(95), max: 60s }}\n\
         \x20 p99: {{ metric: http_req_duration, statistic: p(99), max: 60s, key: true }}\n\
         \x20 errors: {{ metric: http_req_failed, statistic: rate, max: 1%, window: all, key: true }}\n\
         \x20 checks: {{ metric: checks, statistic: rate, min: 99%, window: all }}\n\
         \x20 endpoint_p99: {{ metric: http_req_duration, statistic: p(99), each: name, mode: informational }}\n\
         tests:\n\
         \x20 load: {{ script: script.js, live: {live} }}\n\
         safety:\n\
         \x20 stop_when_lost: true\n\
         \x20 valves:\n\
         \x20   errors: {{ metric: http_req_failed, statistic: rate, above: 10%, for: 30s }}\n\
         validity:\n\
         \x20 generator: {{ max_cpu: 100%, max_scheduling_delay: 10s }}\n"
    )
}

/// What a run is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order<'a> {
    /// What makes the load.
    pub(crate) program: Program<'a>,
    /// How it is watched.
    pub(crate) channel: Channel,
    /// For how long.
    pub(crate) seconds: u64,
}

/// What was seen of a run.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The gate's own processor time in seconds, start to end.
    pub(crate) gate_cpu: f64,
    /// That of the k6 that made the load.
    pub(crate) k6_cpu: f64,
    /// The gate's greatest resident set, in MiB.
    pub(crate) peak_memory: f64,
    /// From k6's end to a whole `verdict.json`.
    pub(crate) to_verdict: Duration,
    /// From k6's end to the gate's.
    pub(crate) to_exit: Duration,
    /// Requests by the engine's account.
    pub(crate) requests: f64,
    /// The size of `verdict.json`, in bytes.
    pub(crate) verdict_bytes: usize,
    /// The run's folder.
    pub(crate) dir: tempfile::TempDir,
}

/// Runs the gate once.
pub(crate) fn run(bench: &Bench, order: Order<'_>) -> Result<Seen> {
    let dir = tempfile::tempdir().during("making a folder")?;
    let place = |name: &str| dir.path().join(name);
    let url = bench.target.url();
    let write = |name: &str, text: String| std::fs::write(place(name), text).during(name);
    write("script.js", script(&url, order.seconds))?;
    write("policy.yaml", policy(&url, order.channel))?;
    let k6 = k6::stand_in(dir.path(), &bench.cores, order.program)?;
    let said = place("gate.log");
    let log = File::create(&said).during("gate.log")?;
    let mut command = Command::new(&bench.gate);
    command
        .args(["run", "--test", "load", "--engine", "k6", "--policy"])
        .arg(place("policy.yaml"))
        .arg("--out")
        .arg(place("out"))
        .arg("--history")
        .arg(place("history.db"))
        .arg("--k6")
        .arg(k6)
        .stdin(Stdio::null())
        .stdout(log.try_clone().during("gate.log")?)
        .stderr(log);
    let gate = Child::start(&mut command)?;
    let longest = Duration::from_secs(order.seconds) + SLACK;
    watch(gate, dir.path(), longest)
        .map_err(|e| format!("{e}; the gate said:\n{}", tail(&said)).into())
        .map(|seen| Seen { dir, ..seen })
}

fn watch(gate: Child, dir: &Path, longest: Duration) -> Result<Seen> {
    let pid = gate.pid();
    let alive = Watched::new(pid)?;
    let k6 = k6::started(dir, SLACK, || Ok(!alive.ended_within(Duration::ZERO)?))?;
    let k6 = Watched::new(k6)?;
    // What k6 used to tell its version and to read the script.
    let before = Cpu::of(pid)?.children;
    let mut peak = 0.0_f64;
    let mut look = || {
        if let Some(now) = memory(pid, "VmHWM") {
            peak = peak.max(now);
        }
    };
    let deadline = Instant::now() + longest;
    while !k6.ended_within(Duration::from_millis(100))? {
        look();
        if Instant::now() > deadline {
            return Err("k6 did not end in time".into());
        }
    }
    let ended = Instant::now();
    let verdict_file = dir.join("out").join("verdict.json");
    let mut to_verdict = None;
    while !alive.ended_within(LOOK)? {
        if to_verdict.is_none() && verdict_file.exists() {
            to_verdict = Some(ended.elapsed());
        }
        look();
        if Instant::now() > deadline {
            return Err("the gate did not end in time".into());
        }
    }
    let to_exit = ended.elapsed();
    let gate_end = gate.wait(SLACK)?;
    let text = std::fs::read_to_string(&verdict_file).during("reading verdict.json")?;
    let verdict: Value = serde_json::from_str(&text).during("reading verdict.json")?;
    // A run that did not go as planned must not become a figure.
    if !gate_end.status.success() || verdict["verdict"] != "pass" {
        return Err(format!(
            "the run was to pass, but was {}: {}",
            verdict["verdict"], verdict["reason"]
        )
        .into());
    }
    Ok(Seen {
        gate_cpu: gate_end.cpu.own,
        k6_cpu: gate_end.cpu.children - before,
        peak_memory: peak,
        to_verdict: to_verdict.unwrap_or(to_exit),
        to_exit,
        requests: requests(&verdict)?,
        verdict_bytes: text.len(),
        // Replaced by the caller's; an empty one costs nothing.
        dir: tempfile::tempdir().during("making a folder")?,
    })
}

fn requests(verdict: &Value) -> Result<f64> {
    verdict["account"]["metrics"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|metric| metric["name"] == "http_reqs")
        .and_then(|metric| metric["values"]["count"].as_f64())
        .ok_or_else(|| "verdict.json has no count of http_reqs".into())
}

/// The gate to measure: the optimised one beside this program.
pub(crate) fn find() -> Result<PathBuf> {
    let own = std::env::current_exe().during("finding this program")?;
    let path = own.with_file_name("peakgate");
    if path.is_file() {
        Ok(path)
    } else {
        Err(format!(
            "there is no gate at {}: build it first, with `cargo build --release`",
            path.display()
        )
        .into())
    }
}
