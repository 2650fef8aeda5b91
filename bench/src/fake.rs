//! Plays k6 with a synthetic stream: two million requests at the pace at which the gate takes them.
//!
//! The real k6 would need minutes for as many. What the gate does is the same: it asks for the
//! version, inspects the script, starts the run, reads lines of the same form from the same pipe,
//! and takes the summary from the same file. The samples' times cover the planned length, so that
//! the gate sees as many seconds as in the real case, and lie in the past, so that it need not wait.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::cores::move_to;
use crate::error::{During, Result};
use crate::k6::announce;
use crate::process::memory;

/// Endpoints, told apart by the tag `name`.
pub(crate) const ENDPOINTS: u64 = 20;
/// The length of the test in its own time: 5,000 requests a second.
pub(crate) const SECONDS: u64 = 400;
/// Requests: two million and a few, so that each duration occurs equally often.
pub(crate) const REQUESTS: u64 = DURATIONS * 253;
/// Where the gate's memory is noted, as lines of `requests MiB`.
pub(crate) const MEMORY: &str = "memory.txt";

/// Different durations; a prime, so that each endpoint sees all of them.
const DURATIONS: u64 = 7_919;
/// The gate's memory is noted after each so many requests.
const NOTE_EVERY: u64 = 250_000;
/// Written to the pipe at once.
const CHUNK: usize = 128 << 10;
const SECOND: u64 = 1_000_000_000;

/// The trends of a request, each as a share of its duration.
const TRENDS: [(&str, f64); 8] = [
    ("http_req_duration", 1.0),
    ("http_req_blocked", 0.01),
    ("http_req_connecting", 0.0),
    ("http_req_tls_handshaking", 0.0),
    ("http_req_sending", 0.02),
    ("http_req_waiting", 0.9),
    ("http_req_receiving", 0.08),
    // Of the iteration, but as variable.
    ("iteration_duration", 1.05),
];
/// Counters and rates of a request, with the value of each sample.
const ONES: [(&str, &str, u32); 6] = [
    ("http_reqs", "counter", 1),
    ("http_req_failed", "rate", 0),
    ("checks", "rate", 1),
    ("data_sent", "counter", 72),
    ("data_received", "counter", 113),
    ("iterations", "counter", 1),
];
const USERS: [&str; 2] = ["vus", "vus_max"];

/// Answers as k6 would.
pub(crate) fn main(dir: &Path, core: &str, arguments: &[OsString]) -> Result<()> {
    move_to(core)?;
    let arguments: Vec<_> = arguments.iter().map(|a| a.to_string_lossy()).collect();
    match arguments.first().map(AsRef::as_ref) {
        Some("version") => println!("k6 v1.1.0 (synthetic stream)"),
        Some("inspect") => println!("{}", options()),
        Some("run") => {
            announce(dir)?;
            let pipe = arguments
                .iter()
                .find_map(|a| a.strip_prefix("json="))
                .ok_or("the synthetic k6 knows `--out json=` only")?;
            let script = arguments.last().map_or("", AsRef::as_ref);
            run(dir, Path::new(pipe), Path::new(script))?;
        }
        other => return Err(format!("the synthetic k6 does not know {other:?}").into()),
    }
    Ok(())
}

/// What `k6 inspect` prints, as far as it matters.
fn options() -> Value {
    json!({
        "scenarios": { "default": {
            "executor": "constant-vus",
            "vus": crate::gate::VUS,
            "duration": format!("{SECONDS}s"),
        }},
        "maxVUs": crate::gate::VUS,
    })
}

/// A constant of the module that the gate wrote.
fn constant(module: &str, name: &str) -> Result<String> {
    let head = format!("const {name} = ");
    let text = module
        .lines()
        .find_map(|line| line.strip_prefix(&head)?.strip_suffix(';'))
        .ok_or_else(|| format!("the module has no line `{head}…;`"))?;
    serde_json::from_str(text).during("reading the module")
}

fn run(dir: &Path, pipe: &Path, script: &Path) -> Result<()> {
    let module = std::fs::read_to_string(script).during("reading the module")?;
    let marker = constant(&module, "marker")?;
    let summary = constant(&module, "summaryFile")?;
    let pipe = File::options()
        .write(true)
        .open(pipe)
        .during("opening the pipe")?;
    let end = Timestamp::now();
    let start = end - SignedDuration::from_secs(i64::try_from(SECONDS)?);
    let mark = |what: &str, at: Timestamp| {
        let message = format!("{marker}{what} {}", at.as_millisecond());
        eprintln!(
            "{}",
            json!({ "level": "info", "msg": message, "source": "console" })
        );
    };
    mark("start", start);
    let mut stream = Stream::new(pipe, start)?;
    let notes = File::create(dir.join(MEMORY)).during(MEMORY)?;
    stream.write_all(&notes)?;
    drop(stream);
    mark("end", end);
    std::fs::write(summary, account().to_string()).during("writing the summary")
}

/// The `k`-th duration in milliseconds: most about one, few of them seconds (a Pareto distribution).
#[allow(clippy::cast_precision_loss)]
fn duration(k: u64) -> f64 {
    let share = (k as f64 + 0.5) / DURATIONS as f64;
    (1.0 - share).powf(-0.8)
}

/// As many decimals as k6 writes: nanoseconds.
fn decimals(value: f64) -> String {
    format!("{:.6}", (value * 1e6).round() / 1e6)
}

/// The lines of one metric, but for time, value and tags.
struct Lines {
    head: String,
    of_request: bool,
    tags: String,
    values: Vec<String>,
}

struct Stream {
    pipe: File,
    buffer: Vec<u8>,
    start: Timestamp,
    lines: Vec<Lines>,
    users: Vec<Lines>,
    endpoints: Vec<String>,
    /// The present second and its text.
    second: (u64, String),
}

impl Stream {
    fn new(pipe: File, start: Timestamp) -> Result<Self> {
        let mut buffer = Vec::with_capacity(2 * CHUNK);
        let mut define = |name: &str, kind: &str, contains: &str| {
            let data = json!({ "name": name, "type": kind, "contains": contains,
                "thresholds": [], "submetrics": null });
            writeln!(
                buffer,
                "{}",
                json!({ "type": "Metric", "data": data, "metric": name })
            )
        };
        let new = |name: &str, values: Vec<String>| Lines {
            head: format!("{{\"metric\":\"{name}\",\"type\":\"Point\",\"data\":{{\"time\":\""),
            of_request: name.starts_with("http_"),
            tags: match name {
                "checks" => r#"{"check":"ok","group":"","scenario":"default"}"#,
                "vus" | "vus_max" => "{}",
                _ => r#"{"group":"","scenario":"default"}"#,
            }
            .to_owned(),
            values,
        };
        let mut lines = Vec::new();
        for (name, kind, value) in ONES {
            define(name, kind, "default")?;
            lines.push(new(name, vec![value.to_string()]));
        }
        for (name, share) in TRENDS {
            define(name, "trend", "time")?;
            let values = (0..DURATIONS).map(|k| decimals(duration(k) * share));
            lines.push(new(name, values.collect()));
        }
        let mut users = Vec::new();
        for name in USERS {
            define(name, "gauge", "default")?;
            users.push(new(name, vec![crate::gate::VUS.to_string()]));
        }
        let endpoints = (0..ENDPOINTS)
            .map(|n| {
                format!(
                    "{{\"expected_response\":\"true\",\"group\":\"\",\"method\":\"GET\",\
                     \"name\":\"GET /endpoint/{n}\",\"proto\":\"HTTP/1.1\",\"scenario\":\"default\",\
                     \"status\":\"200\",\"url\":\"GET /endpoint/{n}\"}}"
                )
            })
            .collect();
        Ok(Self {
            pipe,
            buffer,
            start,
            lines,
            users,
            endpoints,
            second: (u64::MAX, String::new()),
        })
    }

    fn write_all(&mut self, mut notes: &File) -> Result<()> {
        let gate = rustix::process::getppid()
            .map(|pid| pid.as_raw_nonzero().get().unsigned_abs())
            .ok_or("the gate is gone")?;
        for i in 0..REQUESTS {
            self.request(i)?;
            if self.buffer.len() >= CHUNK {
                self.flush()?;
            }
            if (i + 1) % NOTE_EVERY == 0 {
                // What is under way in the pipe is a few hundred requests at most.
                self.flush()?;
                let mib = memory(gate, "VmRSS").ok_or("the gate is gone")?;
                writeln!(notes, "{} {mib:.3}", i + 1)?;
            }
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        self.pipe
            .write_all(&self.buffer)
            .during("writing to the pipe")?;
        self.buffer.clear();
        Ok(())
    }

    fn request(&mut self, i: u64) -> Result<()> {
        let at = i * (SECONDS * SECOND / REQUESTS);
        let (second, nanos) = (at / SECOND, at % SECOND);
        let new_second = self.second.0 != second;
        if new_second {
            // k6's times have the zone of its machine; a Z is how UTC is written.
            let time = self.start + SignedDuration::from_secs(i64::try_from(second)?);
            self.second = (second, time.strftime("%Y-%m-%dT%H:%M:%S").to_string());
        }
        let time = format!("{}.{nanos:09}Z", self.second.1);
        // Neighbours differ much, as they do in a real stream.
        let k = usize::try_from(i * 4_001 % DURATIONS)?;
        let endpoint = &self.endpoints[usize::try_from(i % ENDPOINTS)?];
        let users = if new_second { &self.users[..] } else { &[] };
        for line in self.lines.iter().chain(users) {
            let tags = if line.of_request {
                endpoint
            } else {
                &line.tags
            };
            for part in [
                &line.head,
                &time,
                "\",\"value\":",
                &line.values[k % line.values.len()],
                ",\"tags\":",
                tags,
                "}}\n",
            ] {
                self.buffer.extend_from_slice(part.as_bytes());
            }
        }
        Ok(())
    }
}

/// The summary: the very numbers of the stream.
#[allow(clippy::cast_precision_loss)]
fn account() -> Value {
    let mut metrics = Map::new();
    let mut add = |name: &str, kind: &str, contains: &str, values: Value| {
        let metric = json!({ "type": kind, "contains": contains, "values": values });
        metrics.insert(name.to_owned(), metric);
    };
    for (name, kind, value) in ONES {
        let sum = u64::from(value) * REQUESTS;
        let values = if kind == "rate" {
            json!({ "rate": value, "passes": sum, "fails": REQUESTS - sum })
        } else {
            json!({ "count": sum, "rate": sum as f64 / SECONDS as f64 })
        };
        add(name, kind, "default", values);
    }
    // In order, and each as often as any other.
    let sorted: Vec<f64> = (0..DURATIONS).map(duration).collect();
    let mean = sorted.iter().sum::<f64>() / DURATIONS as f64;
    for (name, share) in TRENDS {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let at = |p: f64| sorted[((p * DURATIONS as f64) as usize).min(sorted.len() - 1)] * share;
        let values = json!({
            "count": REQUESTS, "avg": mean * share, "min": at(0.0), "max": at(1.0),
            "med": at(0.5), "p(50)": at(0.5), "p(90)": at(0.9), "p(95)": at(0.95),
            "p(99)": at(0.99), "p(99.9)": at(0.999),
        });
        add(name, "trend", "time", values);
    }
    for name in USERS {
        let users = crate::gate::VUS;
        let values = json!({ "value": users, "min": users, "max": users });
        add(name, "gauge", "default", values);
    }
    json!({ "metrics": metrics, "own": {} })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_gates_constants() {
        let module = "import x;\nconst marker = \"a \\\"b\\\" \";\n";
        assert_eq!(constant(module, "marker").unwrap(), "a \"b\" ");
        assert!(constant(module, "summaryFile").is_err());
    }

    #[test]
    fn the_stream_is_json_of_twenty_endpoints() {
        let dir = tempfile::tempdir().unwrap();
        let file = File::create(dir.path().join("lines")).unwrap();
        let mut stream = Stream::new(file, Timestamp::UNIX_EPOCH).unwrap();
        for i in 0..ENDPOINTS {
            stream.request(i).unwrap();
        }
        let text = String::from_utf8(stream.buffer).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let defined = lines.iter().filter(|l| l["type"] == "Metric").count();
        assert_eq!(defined, ONES.len() + TRENDS.len() + USERS.len());
        let names: std::collections::BTreeSet<_> = lines
            .iter()
            .filter(|l| l["metric"] == "http_req_duration" && l["type"] == "Point")
            .map(|l| l["data"]["tags"]["name"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(names.len() as u64, ENDPOINTS);
        assert!(lines.iter().any(|l| l["metric"] == "vus"));
    }

    #[test]
    fn each_duration_is_as_frequent() {
        let mut seen = vec![0; usize::try_from(DURATIONS).unwrap()];
        for i in 0..2 * DURATIONS {
            seen[usize::try_from(i * 4_001 % DURATIONS).unwrap()] += 1;
        }
        assert!(seen.iter().all(|n| *n == 2));
    }
}
