//! A target, and a short way to run a script.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use peakgate_engine::k6::K6Engine;
use peakgate_engine::testing::test_k6;
use peakgate_engine::{Engine, EngineError, EngineEvent, Live, LoadRequest, Prepared, Running};
use peakgate_load::{Aggregate, Histogram, MetricAccount, RunAccount, Tags, Window};
use tempfile::TempDir;

/// A server with `/ok`, `/fail` (500) and `/slow` (30 ms); lives as long as the runtime.
pub(crate) async fn target() -> SocketAddr {
    let router = Router::new()
        .route("/ok", get(|| async { "ok" }))
        .route("/fail", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .route(
            "/slow",
            get(|| async { tokio::time::sleep(Duration::from_millis(30)).await }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

pub(crate) fn engine() -> K6Engine {
    K6Engine::new(test_k6())
}

/// A folder of a test, with a script in it.
pub(crate) struct Bench {
    pub(crate) dir: TempDir,
    pub(crate) request: LoadRequest,
}

impl Bench {
    pub(crate) fn new(name: &str, script: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, script).unwrap();
        for folder in ["scratch", "out"] {
            std::fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        let request = LoadRequest {
            script: path,
            scratch: dir.path().join("scratch"),
            log_dir: dir.path().join("out"),
            env: Vec::new(),
            tags: Vec::new(),
            load: None,
            rehearsal: None,
            keep_tags: std::collections::BTreeSet::new(),
            probes: Vec::new(),
            live: Live::Exact,
            max_series: 1000,
            allowed_hosts: vec!["127.0.0.1".into()],
        };
        Self { dir, request }
    }

    pub(crate) fn js(script: &str) -> Self {
        Self::new("script.js", script)
    }

    pub(crate) fn env(mut self, key: &str, value: &(impl ToString + ?Sized)) -> Self {
        self.request.env.push((key.into(), value.to_string()));
        self
    }

    pub(crate) async fn prepare(&self) -> Result<Prepared, EngineError> {
        engine().prepare(self.request.clone()).await
    }

    pub(crate) async fn start(&self) -> Running {
        let prepared = self.prepare().await.unwrap();
        engine().start(&prepared).await.unwrap()
    }

    pub(crate) async fn run(&self) -> Outcome {
        let mut running = self.start().await;
        Outcome::of(&mut running).await
    }

    pub(crate) fn log(&self) -> String {
        read(&self.dir.path().join("out/k6.log"))
    }
}

pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// What a run told.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) starts: usize,
    pub(crate) windows: Vec<Window>,
    pub(crate) account: RunAccount,
}

impl Outcome {
    pub(crate) async fn of(running: &mut Running) -> Self {
        let collect = async {
            let (mut starts, mut windows) = (0, Vec::new());
            while let Some(event) = running.events.recv().await {
                match event {
                    EngineEvent::LoadStarted => starts += 1,
                    EngineEvent::Window(window) => windows.push(window),
                }
            }
            let account = (&mut running.account).await.unwrap();
            Self {
                starts,
                windows,
                account,
            }
        };
        // Generous: the machine may be busy. A hang is what is looked for.
        tokio::time::timeout(Duration::from_secs(60), collect)
            .await
            .expect("the run hangs")
    }

    pub(crate) fn metric(&self, name: &str) -> &MetricAccount {
        self.account
            .metrics
            .iter()
            .find(|m| m.name == name)
            .unwrap_or_else(|| panic!("no {name} in {:?}", self.account))
    }

    pub(crate) fn value(&self, name: &str, statistic: &str) -> f64 {
        let metric = self.metric(name);
        *metric
            .values
            .get(statistic)
            .unwrap_or_else(|| panic!("no {statistic} in {metric:?}"))
    }

    /// All of a metric's series merged over the run.
    pub(crate) fn merged(&self, name: &str, wanted: &[(&str, &str)]) -> Option<Aggregate> {
        let fits = |tags: &Tags| wanted.iter().all(|(k, v)| tags.get(k) == Some(v));
        let mut all: Option<Aggregate> = None;
        for (key, aggregate) in self.windows.iter().flat_map(|w| &w.series) {
            if key.metric.as_str() == name && fits(&key.tags) {
                match &mut all {
                    Some(sum) => assert!(sum.merge(aggregate)),
                    empty => *empty = Some(aggregate.clone()),
                }
            }
        }
        all
    }

    pub(crate) fn sum(&self, name: &str) -> f64 {
        match self.merged(name, &[]) {
            Some(Aggregate::Counter { sum, .. }) => sum,
            None => 0.0,
            other => panic!("{name}: {other:?}"),
        }
    }

    pub(crate) fn histogram(&self, name: &str) -> Histogram {
        match self.merged(name, &[]) {
            Some(Aggregate::Trend(histogram)) => histogram,
            other => panic!("{name}: {other:?}"),
        }
    }

    /// Series by their text, over the run.
    pub(crate) fn series(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for (key, aggregate) in self.windows.iter().flat_map(|w| &w.series) {
            *all.entry(key.to_string()).or_default() += aggregate.samples();
        }
        all
    }
}

/// Whether a process is alive (a zombie is not).
pub(crate) fn alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit_once(')')
            .is_some_and(|(_, rest)| rest.starts_with(" Z"))
    })
}

/// The k6 that runs a bench's script.
pub(crate) async fn k6_of(bench: &Bench) -> u32 {
    k6_in(&bench.request.scratch).await
}

/// The k6 that runs a load with files in a folder.
pub(crate) async fn k6_in(folder: &Path) -> u32 {
    let folder = folder.to_string_lossy().into_owned();
    for _ in 0..500 {
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else {
                continue;
            };
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            if line.contains(&folder) && line.contains("\0run\0--quiet") {
                return pid;
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("k6 does not run")
}

/// Waits until a process is gone.
pub(crate) async fn gone(pid: u32) {
    for _ in 0..1_000 {
        if !alive(pid) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("process {pid} is still there")
}

/// Waits for the load to start.
pub(crate) async fn load_started(running: &mut Running) {
    let event = tokio::time::timeout(Duration::from_secs(30), running.events.recv()).await;
    assert!(
        matches!(event, Ok(Some(EngineEvent::LoadStarted))),
        "{event:?}"
    );
}

/// Waits until k6's log has a text.
pub(crate) async fn logged(bench: &Bench, text: &str) {
    for _ in 0..2_000 {
        if bench.log().contains(text) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("'{text}' was not logged: {}", bench.log())
}
