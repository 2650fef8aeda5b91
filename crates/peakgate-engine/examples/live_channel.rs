//! Measures what the live channels cost: see docs/live-channel.md for how it is run.
//!
//! `live_channel serve PORT` is the target; `live_channel run exact|light K6 URL VUS SECONDS` drives
//! it with the engine and prints what k6 and the engine used.

use std::collections::BTreeSet;
use std::path::PathBuf;

use peakgate_engine::k6::K6Engine;
use peakgate_engine::{Engine, EngineEvent, Live, LoadRequest};

/// CPU seconds of (this process, its children that ended), from `/proc/self/stat`.
fn cpu() -> Result<(f64, f64), Box<dyn std::error::Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no name in /proc/self/stat")?;
    let ticks: Vec<f64> = fields
        .split_ascii_whitespace()
        .skip(11)
        .take(4)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let per_second = rustix::param::clock_ticks_per_second() as f64;
    Ok((
        (ticks[0] + ticks[1]) / per_second,
        (ticks[2] + ticks[3]) / per_second,
    ))
}

/// The longest resident set so far, in MiB.
fn peak_memory() -> Result<f64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .ok_or("no VmHWM in /proc/self/status")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}

async fn serve(port: u16) -> Result<(), Box<dyn std::error::Error>> {
    let router = axum::Router::new().fallback(|| async { "ok" });
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    Ok(axum::serve(listener, router).await?)
}

async fn run(arguments: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let [live, k6, url, vus, seconds] = arguments else {
        return Err("run exact|light K6 URL VUS SECONDS".into());
    };
    let scratch = std::env::temp_dir().join(format!("live-channel-{}", std::process::id()));
    std::fs::create_dir_all(&scratch)?;
    let script = scratch.join("script.js");
    std::fs::write(
        &script,
        format!(
            "import http from 'k6/http'; import {{ check }} from 'k6';\n\
             export const options = {{ vus: {vus}, duration: '{seconds}s' }};\n\
             export default function () {{ check(http.get('{url}'), {{ ok: (r) => r.status === 200 }}); }}\n"
        ),
    )?;
    let engine = K6Engine::new(PathBuf::from(k6));
    let request = LoadRequest {
        script,
        scratch: scratch.clone(),
        log_dir: scratch.clone(),
        env: Vec::new(),
        tags: Vec::new(),
        load: None,
        rehearsal: None,
        keep_tags: BTreeSet::new(),
        probes: Vec::new(),
        live: if live == "light" {
            Live::Light
        } else {
            Live::Exact
        },
        max_series: 1000,
        allowed_hosts: vec!["127.0.0.1".to_owned()],
    };
    let prepared = engine.prepare(request).await?;
    let (own_before, k6_before) = cpu()?;
    let mut running = engine.start(&prepared).await?;
    let mut windows = 0_u32;
    while let Some(event) = running.events.recv().await {
        windows += u32::from(matches!(event, EngineEvent::Window(_)));
    }
    let account = running.account.await?;
    let (own, k6_cpu) = cpu()?;
    let requests = account
        .metrics
        .iter()
        .find(|m| m.name == "http_reqs")
        .and_then(|m| m.values.get("count").copied())
        .unwrap_or(f64::NAN);
    let (own, k6_cpu) = (own - own_before, k6_cpu - k6_before);
    println!(
        "{live}: {:?}, {requests} requests, {:.0}/s, {windows} windows; k6 {k6_cpu:.2} s = {:.1} us/request; \
         engine {own:.2} s = {:.2} us/request = {:.1} % of k6; peak memory {:.1} MiB",
        account.exit,
        requests / account.load_seconds,
        k6_cpu / requests * 1e6,
        own / requests * 1e6,
        own / k6_cpu * 100.0,
        peak_memory()?
    );
    std::fs::remove_dir_all(&scratch)?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("serve") => serve(arguments.get(1).ok_or("serve PORT")?.parse()?).await,
        Some("run") => run(&arguments[1..]).await,
        _ => Err("serve PORT | run exact|light K6 URL VUS SECONDS".into()),
    }
}
