//! The real k6 as an engine.
//!
//! k6 runs a generated module that imports the user's script (`wrapper`), tells what happens while
//! it runs by one of two live channels (`pipe`: every sample; `light`: aggregates), and leaves its
//! own exact numbers in a file at the end (`summary`). It runs in a process group of its own, sees
//! the environment of the request and no more, and is killed when the gate dies, drops the run, or
//! the deadline passes (`child`, `run`).

use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::oneshot;

use crate::{
    Engine, EngineError, EngineIdentity, Live, LoadRequest, Prepared, Running, StopHandle,
};

mod child;
mod conclude;
mod exit;
mod generator;
mod inspect;
pub mod install;
pub(crate) mod light;
mod locate;
mod log;
mod origin;
mod outlet;
mod pipe;
mod prom;
mod run;
mod sample;
mod series;
mod summary;
mod targets;
pub mod version;
mod windows;
mod wrapper;

pub use locate::locate;
pub use version::Version;

use generator::Readings;
use light::{Receiver, Server};
use log::Log;
use origin::Origin;
use outlet::Outlet;
use pipe::PipeReader;
use run::{Channel, Run};
use series::SeriesTable;
use summary::OwnProbes;
use targets::Targets;
use wrapper::Wrapper;

/// From SIGINT to SIGKILL: k6 runs teardown() and writes its summary meanwhile.
const STOP_GRACE: Duration = Duration::from_secs(15);
/// Beside the plan, setup and teardown: loading the script, making users, writing the summary.
const SLACK: Duration = Duration::from_secs(30);

/// How many events may wait for the consumer before the stream is held back.
const EVENTS: usize = 64;
/// How long the consumer may take nothing, and k6 tell nothing, until the stream counts as broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long things may take, and how much may wait.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// From SIGINT to SIGKILL.
    stop_grace: Duration,
    /// What the deadline allows beside the plan, setup and teardown.
    slack: Duration,
    /// How many events may wait for the consumer.
    events: usize,
    /// How long the live stream may stand still.
    patience: Duration,
}

/// The real k6.
#[derive(Debug, Clone)]
pub struct K6Engine {
    binary: PathBuf,
    limits: Limits,
}

impl K6Engine {
    /// An engine that runs this k6 (see [`locate`]).
    #[must_use]
    pub fn new(binary: PathBuf) -> Self {
        Self {
            binary,
            limits: Limits {
                stop_grace: STOP_GRACE,
                slack: SLACK,
                events: EVENTS,
                patience: PATIENCE,
            },
        }
    }

    /// Sets how long k6 may take from a stop (SIGINT) until it is killed; 15 seconds unless set.
    #[must_use]
    pub fn with_stop_grace(mut self, grace: Duration) -> Self {
        self.limits.stop_grace = grace;
        self
    }

    /// Sets what the deadline allows beside the plan, setup and teardown; 30 seconds unless set.
    #[must_use]
    pub fn with_slack(mut self, slack: Duration) -> Self {
        self.limits.slack = slack;
        self
    }

    /// Sets how many events may wait for the consumer (64 unless set), and how long the live
    /// stream may stand still (30 seconds unless set): the consumer takes nothing while all places
    /// are full, k6 makes load and tells nothing, or k6 tells nothing more and runs on. After
    /// that the run ends as [`peakgate_load::ExitReason::StreamBroken`].
    #[must_use]
    pub fn with_patience(mut self, events: usize, patience: Duration) -> Self {
        self.limits.events = events;
        self.limits.patience = patience;
        self
    }

    /// The program.
    #[must_use]
    pub fn binary(&self) -> &Path {
        &self.binary
    }
}

fn system<T>(what: impl FnOnce() -> String, result: io::Result<T>) -> Result<T, EngineError> {
    result.map_err(|source| EngineError::System {
        what: what(),
        source,
    })
}

fn write(path: &Path, text: &str) -> Result<(), EngineError> {
    system(
        || format!("writing {}", path.display()),
        std::fs::write(path, text),
    )
}

/// A number that others cannot guess. The standard library seeds each of these hashers from the
/// system's random numbers.
fn secret() -> String {
    let part = || std::hash::RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", part(), part())
}

fn absolute(request: &mut LoadRequest) -> Result<(), EngineError> {
    for path in [
        &mut request.script,
        &mut request.scratch,
        &mut request.log_dir,
    ] {
        *path = system(
            || format!("finding {}", path.display()),
            std::path::absolute(&*path),
        )?;
    }
    Ok(())
}

#[async_trait]
impl Engine for K6Engine {
    async fn prepare(&self, mut request: LoadRequest) -> Result<Prepared, EngineError> {
        let version = version::check(&self.binary).await?;
        absolute(&mut request)?;
        inspect::check_env(&request.env)?;
        // A user's own configuration file would change the test from machine to machine. `k6 run`
        // takes one user for granted where a script names none; `k6 inspect` does not.
        let config = request.scratch.join("inspect-config.json");
        write(&config, r#"{"vus":1}"#)?;
        let inspected = inspect::script(&self.binary, &config, &request).await?;
        let full_plan = match &request.load {
            Some(load) => load.plan.clone(),
            None => inspected.plan,
        };
        let plan = match request.rehearsal {
            Some(total) => full_plan.rehearsed(total),
            None => full_plan.clone(),
        };
        let replaced = (request.load.is_some() || request.rehearsal.is_some()).then_some(&plan);
        let trial = request.scratch.join("inspect.js");
        request.probes = inspect::probes(&self.binary, &config, &trial, &request, replaced).await?;
        Ok(Prepared {
            engine: EngineIdentity {
                name: "k6".to_owned(),
                version: version.to_string(),
            },
            plan,
            full_plan,
            request,
            margin: inspected.margin,
        })
    }

    async fn start(&self, prepared: &Prepared) -> Result<Running, EngineError> {
        let request = &prepared.request;
        let id = secret();
        let file = |name: &str| request.scratch.join(format!("{name}-{}", &id[..8]));
        let wrapper = file("run").with_extension("js");
        let summary = file("summary").with_extension("json");
        let marker = format!("peakgate-{id} ");
        let replaced = request.load.is_some() || request.rehearsal.is_some();
        let text = Wrapper {
            script: &request.script,
            summary: &summary,
            marker: &marker,
            plan: replaced.then_some(&prepared.plan),
            tags: &request.tags,
            keep_tags: &request.keep_tags,
            probes: &request.probes,
        }
        .text();
        write(&wrapper, &text)?;

        let (outlet, events) = Outlet::new(&self.limits);
        let (stop, stop_receiver) = StopHandle::new();
        let (account_sender, account) = oneshot::channel();
        let (origin, readings) = (Origin::default(), Readings::default());
        let child_gone = std::sync::Arc::default();
        let table = SeriesTable::new(
            &request.keep_tags,
            Targets::new(&request.allowed_hosts),
            request.max_series,
        );
        let stopper = stop.clone();
        let forbidden = Box::new(move |where_to| {
            stopper.stop(peakgate_load::StopCause::ForbiddenTarget(where_to));
        });
        let config = file("config").with_extension("json");
        let mut command = child::command(&self.binary, &request.env);
        common_arguments(&mut command, &prepared.engine.version, &config);
        let channel = match request.live {
            Live::Exact => {
                let pipe = file("samples").with_extension("pipe");
                write(&config, "{}")?;
                command.arg("--out").arg(format!("json={}", pipe.display()));
                Channel::Exact(Box::new(PipeReader {
                    pipe: system(
                        || "making the pipe for k6's samples".into(),
                        pipe::create(&pipe),
                    )?,
                    path: pipe,
                    table,
                    origin: origin.clone(),
                    readings: readings.clone(),
                    outlet: outlet.clone(),
                    child_gone: std::sync::Arc::clone(&child_gone),
                    patience: self.limits.patience,
                    forbidden,
                }))
            }
            Live::Light => {
                let receiver = Receiver::new(
                    table,
                    origin.clone(),
                    readings.clone(),
                    outlet.clone(),
                    forbidden,
                );
                let server = system(
                    || "listening on loopback for k6's figures".into(),
                    Server::start(receiver, &id).await,
                )?;
                // By the configuration file: environment variables would be the script's to see.
                let output = json!({"collectors": {"experimental-prometheus-rw": {
                    "url": server.url,
                    "pushInterval": light::PUSH_INTERVAL,
                    "trendAsNativeHistogram": true,
                }}});
                write(&config, &output.to_string())?;
                command.args(["--out", "experimental-prometheus-rw"]);
                Channel::Light(server)
            }
        };
        command.arg(&wrapper);
        let log = Log::create(&request.log_dir.join("k6.log"));
        for note in wrapper::unsaid_probes(&request.probes) {
            log.findings().own_note(&note);
        }
        let started = system(
            || format!("starting {}", self.binary.display()),
            child::start(command).await,
        )?;
        let run = Run {
            started,
            channel,
            log,
            marker,
            origin,
            readings,
            outlet,
            summary,
            probes: OwnProbes::of(&request.probes),
            stop: stop_receiver,
            account: account_sender,
            longest: prepared.plan.longest() + prepared.margin + self.limits.slack,
            limits: self.limits,
            child_gone,
        };
        system(|| "starting the threads that watch k6".into(), run.launch())?;
        Ok(Running {
            events,
            stop,
            account,
        })
    }
}

fn common_arguments(command: &mut Command, version: &str, config: &Path) {
    command
        .args(["run", "--quiet", "--no-color", "--no-usage-report"])
        .args([
            "--include-system-env-vars=true",
            "--log-format",
            "json",
            "--config",
        ])
        .arg(config);
    // Before 2.0 k6 opened a port for its REST API unless told not to; later it must be asked.
    if version.starts_with("0.") || version.starts_with("1.") {
        command.args(["--address", ""]);
    }
}
