//! What the tests share: a folder with a policy and a script, a server, and the command.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;

use peakgate_demo::{DemoService, Mode};
use serde_json::Value;

/// Load tests run one at a time: two of them on two busy cores would judge each other.
static ONE_LOAD: Mutex<()> = Mutex::new(());

pub(crate) fn one_load() -> std::sync::MutexGuard<'static, ()> {
    // A failed test must not fail the others.
    ONE_LOAD
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The real k6.
pub(crate) fn k6() -> PathBuf {
    peakgate_engine::testing::test_k6()
}

/// A script that asks one endpoint all the time; `OPTIONS` and `BODY` are replaced.
const SCRIPT: &str = "
import http from 'k6/http';
import { check, sleep } from 'k6';
export const options = OPTIONS;
export default function () {
  BODY
}
";

pub(crate) const ASK: &str =
    "const r = http.get(`${__ENV.BASE_URL}/api/v1/config`, { tags: { name: 'GET /config' } });
  check(r, { 'status is 200': (r) => r.status === 200 });
  sleep(0.02);";

pub(crate) const POLICY: &str = "
service: shop
environment:
  name: test
  base_url: ${BASE_URL}
  allowed_hosts: [127.0.0.1]
objectives:
  latency: {metric: http_req_duration, statistic: p(95), max: 500ms}
  errors: {metric: http_req_failed, statistic: rate, max: 1%, key: true}
  checks: {metric: checks, statistic: rate, min: 99%}
validity: {min_samples: 50, generator: {max_cpu: 100%, max_scheduling_delay: 10s}}
tests:
  peak: {script: script.js, engine: k6, required_for: [{release: any}]}
";

/// A folder of its own for one test.
pub(crate) struct Scene {
    dir: tempfile::TempDir,
    server: Option<Server>,
}

struct Server {
    runtime: tokio::runtime::Runtime,
    service: Option<DemoService>,
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(service) = self.service.take() {
            self.runtime.block_on(service.shutdown());
        }
    }
}

impl Scene {
    /// A folder with the usual policy, a script of three seconds, and a healthy server.
    pub(crate) fn new() -> Self {
        let scene = Self::empty();
        scene.write("peakgate.yaml", POLICY);
        scene.script("{ vus: 5, duration: '4s' }", ASK);
        scene.with_server(Mode::Healthy)
    }

    pub(crate) fn empty() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            server: None,
        }
    }

    pub(crate) fn with_server(mut self, mode: Mode) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let service = {
            let _inside = runtime.enter();
            DemoService::start(mode, 7).unwrap()
        };
        self.server = Some(Server {
            runtime,
            service: Some(service),
        });
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// The usual policy with a part replaced.
    pub(crate) fn policy(&self, from: &str, to: &str) {
        assert!(POLICY.contains(from), "{from}");
        self.write("peakgate.yaml", &POLICY.replace(from, to));
    }

    pub(crate) fn script(&self, options: &str, body: &str) {
        let text = SCRIPT.replace("OPTIONS", options).replace("BODY", body);
        self.write("script.js", &text);
    }

    pub(crate) fn base_url(&self) -> String {
        self.server
            .as_ref()
            .and_then(|s| s.service.as_ref())
            .map_or_else(|| "http://127.0.0.1:9".to_owned(), DemoService::base_url)
    }

    /// The command, with nothing of the surrounding environment that could change what it does.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peakgate"));
        command
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TMPDIR", self.path())
            .env("CI", "true")
            .env("PEAKGATE_K6", k6())
            .env("BASE_URL", self.base_url())
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Done {
        Done::from(self.command(args).output().unwrap())
    }

    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).spawn().unwrap()
    }

    pub(crate) fn verdict(&self) -> Value {
        self.json("peakgate-out/verdict.json")
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        let text = std::fs::read_to_string(self.path().join(name))
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        serde_json::from_str(&text).unwrap()
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Done {
    /// Asserts the exit code and shows what was printed when it is another.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "stdout:\n{}\nstderr:\n{}",
            self.out,
            self.err
        );
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            self.out.contains(text) || self.err.contains(text),
            "no {text:?} in\nstdout:\n{}\nstderr:\n{}",
            self.out,
            self.err
        );
        self
    }
}

/// The processes whose command line holds a text, from /proc.
pub(crate) fn processes(text: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else {
            continue;
        };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(text) {
            found.push(pid);
        }
    }
    found
}

/// Waits until a condition holds; a minute at most.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !holds() {
        assert!(std::time::Instant::now() < end, "never: {what}");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}
