//! `peakgate demo`: the main job against a built-in service.

use std::path::{Path, PathBuf};
use std::time::Duration;

use peakgate_demo::{DemoService, Mode};

use super::{Places, color, complain, duration, run, runtime};
use crate::exit::Exit;
use crate::policy_file;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How the service behaves: healthy, slow, flaky, leaking or down.
    #[arg(long, default_value = "healthy")]
    service: Mode,
    /// How long the rehearsal lasts.
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = duration)]
    duration: Duration,
    #[command(flatten)]
    places: Places,
}

/// The reference policy and its peak test, so that the demo runs from any folder.
const FILES: [(&str, &str); 7] = [
    (
        "peakgate.yaml",
        include_str!("../../examples/peakgate.yaml"),
    ),
    (
        "k6/baseline-test.js",
        include_str!("../../examples/k6/baseline-test.js"),
    ),
    (
        "k6/peak-load-test.js",
        include_str!("../../examples/k6/peak-load-test.js"),
    ),
    (
        "k6/spike-test.js",
        include_str!("../../examples/k6/spike-test.js"),
    ),
    (
        "k6/soak-test.js",
        include_str!("../../examples/k6/soak-test.js"),
    ),
    (
        "k6/stress-test.js",
        include_str!("../../examples/k6/stress-test.js"),
    ),
    (
        "k6/lib/users.js",
        include_str!("../../examples/k6/lib/users.js"),
    ),
];

/// Latencies are random but the same in every demo.
const SEED: u64 = 2026;

pub(super) fn main(args: Args) -> Exit {
    match demo(args) {
        Ok(exit) => exit,
        Err(why) => {
            complain(&why);
            Exit::Error
        }
    }
}

fn demo(args: Args) -> Result<Exit, String> {
    let folder = tempfile::tempdir().map_err(|e| format!("cannot make a folder: {e}"))?;
    let policy = unpack(folder.path()).map_err(|e| format!("cannot write the example: {e}"))?;
    // The service gets a runtime of its own: the gate must not wait behind it.
    let runtime = runtime().map_err(|e| format!("cannot start: {e}"))?;
    let service = {
        let _inside = runtime.enter();
        DemoService::start(args.service, SEED).map_err(|e| e.to_string())?
    };
    eprintln!(
        "demo: a {} lead API on {}, peak test rehearsed in {}",
        args.service,
        service.base_url(),
        peakgate_load::plan::format_duration(args.duration)
    );
    let variables = [("BASE_URL".to_owned(), service.base_url())];
    let file = policy_file::read(&policy, &variables, color()).map_err(|e| e.to_string())?;
    let test = file
        .policy
        .tests
        .get("peak")
        .ok_or("the example policy has no peak test")?;
    let script = run::load_script(&file, test)?;
    let mut settings = run::settings(args.places, Vec::new(), Some(args.duration), None, None);
    settings.k6.fetch = true;
    let exit = run::gate_all(&file.policy, &[test], &[script], &settings);
    runtime.block_on(service.shutdown());
    Ok(exit)
}

fn unpack(folder: &Path) -> std::io::Result<PathBuf> {
    for (name, text) in FILES {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, text)?;
    }
    Ok(folder.join("peakgate.yaml"))
}
