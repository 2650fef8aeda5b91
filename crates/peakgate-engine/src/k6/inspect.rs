//! Reads what a script will do, without load: `k6 inspect`.

use std::io;
use std::path::Path;
use std::time::Duration;

use peakgate_load::metric::builtin;
use peakgate_load::plan::parse_duration;
use peakgate_load::{LoadPlan, MetricKind};
use serde_json::Value;

use super::wrapper::Wrapper;
use super::{child, log};
use crate::{EngineError, LoadRequest, Probe};

const DEADLINE: Duration = Duration::from_secs(30);
/// k6's default for `setupTimeout` and `teardownTimeout`.
const HOOK_TIMEOUT: Duration = Duration::from_secs(60);

/// Options of k6 itself that its environment could change, and with them what is measured.
/// (k6's documentation, "Options reference".) `K6_BROWSER_…` are harmless and stay.
const RESERVED: &[&str] = &[
    "K6_ADDRESS",
    "K6_BLACKLIST_IPS",
    "K6_CONFIG",
    "K6_CONSOLE_OUTPUT",
    "K6_DURATION",
    "K6_EXECUTION_SEGMENT",
    "K6_EXECUTION_SEGMENT_SEQUENCE",
    "K6_FEATURES",
    "K6_INCLUDE_SYSTEM_ENV_VARS",
    "K6_ITERATIONS",
    "K6_LINGER",
    "K6_LOG_FORMAT",
    "K6_LOG_OUTPUT",
    "K6_NEW_MACHINE_READABLE_SUMMARY",
    "K6_NO_COLOR",
    "K6_NO_SETUP",
    "K6_NO_SUMMARY",
    "K6_NO_TEARDOWN",
    "K6_NO_THRESHOLDS",
    "K6_OUT",
    "K6_PAUSED",
    "K6_QUIET",
    "K6_SETUP_TIMEOUT",
    "K6_STAGES",
    "K6_SUMMARY_EXPORT",
    "K6_SUMMARY_MODE",
    "K6_SUMMARY_TIME_UNIT",
    "K6_SUMMARY_TREND_STATS",
    "K6_SYSTEM_TAGS",
    "K6_TAGS",
    "K6_TEARDOWN_TIMEOUT",
    "K6_TRACES_OUTPUT",
    "K6_TYPE",
    "K6_VERBOSE",
    "K6_VUS",
];
const RESERVED_PREFIXES: &[&str] = &["K6_PROMETHEUS_RW_", "K6_CLOUD_", "K6_OTEL_"];

/// What a script will do.
#[derive(Debug)]
pub(super) struct Inspected {
    /// The load by the script's own options.
    pub(super) plan: LoadPlan,
    /// How long `setup` and `teardown` may take together.
    pub(super) margin: Duration,
}

/// Refuses names by which a policy's environment would change k6 rather than the script.
pub(super) fn check_env(env: &[(String, String)]) -> Result<(), EngineError> {
    for (key, _) in env {
        if key.is_empty() || key.contains(['=', '\0']) {
            return Err(EngineError::Script(format!(
                "'{key}' cannot be the name of an environment variable"
            )));
        }
        if RESERVED.contains(&key.as_str()) || RESERVED_PREFIXES.iter().any(|p| key.starts_with(p))
        {
            return Err(EngineError::Script(format!(
                "the script's environment must not set {key}: k6 takes it as an option of its own; \
                 set load in the script's options or as the test's load in the policy, and call \
                 the variable something else"
            )));
        }
    }
    if let Some((key, _)) = env.iter().find(|(_, value)| value.contains('\0')) {
        return Err(EngineError::Script(format!(
            "the value of {key} has a NUL in it"
        )));
    }
    Ok(())
}

/// Runs `k6 inspect` on a script.
async fn inspect(
    binary: &Path,
    config: &Path,
    script: &Path,
    env: &[(String, String)],
) -> Result<Value, Vec<String>> {
    let mut command = child::command(binary, env);
    command
        .args([
            "inspect",
            "--execution-requirements",
            "--include-system-env-vars=true",
        ])
        .args(["--no-color", "--log-format", "json", "--config"])
        .arg(config)
        .arg(script);
    let out = child::output(command, DEADLINE).await.map_err(|error| {
        vec![match error.kind() {
            io::ErrorKind::TimedOut => format!(
                "loading it took longer than {} seconds; is there an endless loop outside of the \
                 functions?",
                DEADLINE.as_secs()
            ),
            _ => format!("k6 cannot be run: {error}"),
        }]
    })?;
    if out.status.success() {
        return serde_json::from_slice(&out.stdout)
            .map_err(|error| vec![format!("what 'k6 inspect' printed is no JSON: {error}")]);
    }
    let mut errors = log::errors_in(&out.stderr);
    if errors.is_empty() {
        let said: String = String::from_utf8_lossy(&out.stderr)
            .chars()
            .take(500)
            .collect();
        errors.push(format!(
            "'k6 inspect' ended with {}: {}",
            out.status,
            said.trim()
        ));
    }
    Err(errors)
}

/// Reads the script's own options.
pub(super) async fn script(
    binary: &Path,
    config: &Path,
    request: &LoadRequest,
) -> Result<Inspected, EngineError> {
    let shown = request.script.display();
    if !request.script.is_file() {
        return Err(EngineError::Script(format!(
            "there is no script at {shown}"
        )));
    }
    let options = inspect(binary, config, &request.script, &request.env)
        .await
        .map_err(|errors| {
            EngineError::Script(format!("k6 cannot load {shown}: {}", errors.join("; ")))
        })?;
    let timeout = |name: &str| {
        options[name]
            .as_str()
            .and_then(parse_duration)
            .unwrap_or(HOOK_TIMEOUT)
    };
    Ok(Inspected {
        plan: LoadPlan::from_k6_options(&options)?,
        margin: timeout("setupTimeout") + timeout("teardownTimeout"),
    })
}

/// A statistic by which a metric of a kind can be probed; k6 refuses others.
fn fitting(kind: MetricKind, statistic: &str) -> &str {
    let trend = ["avg", "min", "max", "med"].contains(&statistic) || statistic.starts_with("p(");
    match kind {
        MetricKind::Counter => "count",
        MetricKind::Rate => "rate",
        MetricKind::Gauge => "value",
        MetricKind::Trend if trend => statistic,
        MetricKind::Trend => "max",
    }
}

/// Tries the probes on the script as it will be run, and returns them as k6 can take them: a
/// metric has all its numbers in the summary, whichever statistic it was probed by.
///
/// # Errors
/// [`EngineError::UnknownMetric`]: neither k6 nor the script defines a metric.
pub(super) async fn probes(
    binary: &Path,
    config: &Path,
    wrapper: &Path,
    request: &LoadRequest,
    plan: Option<&LoadPlan>,
) -> Result<Vec<Probe>, EngineError> {
    let mut probes = request.probes.clone();
    for probe in &mut probes {
        if let Some(metric) = builtin(&probe.metric) {
            probe.statistic = fitting(metric.kind, &probe.statistic).to_owned();
        }
    }
    // k6 complains of one metric at a time.
    let most = probes.len() + 1;
    for _ in 0..most {
        let text = Wrapper {
            script: &request.script,
            summary: Path::new("/dev/null"),
            marker: "",
            plan,
            tags: &request.tags,
            keep_tags: &request.keep_tags,
            probes: &probes,
        }
        .text();
        std::fs::write(wrapper, text).map_err(|source| EngineError::System {
            what: format!("writing {}", wrapper.display()),
            source,
        })?;
        let errors = match inspect(binary, config, wrapper, &request.env).await {
            Ok(_) => return Ok(probes),
            Err(errors) => errors,
        };
        let all = errors.join("; ");
        match complaint(&all) {
            Some(Complaint::Undefined(metric)) => {
                return Err(EngineError::UnknownMetric(format!(
                    "metric '{metric}' is defined by neither k6 nor {}: {all}",
                    request.script.display()
                )));
            }
            Some(Complaint::Kind(metric, kind)) => {
                let mut changed = false;
                for probe in probes.iter_mut().filter(|p| p.metric == metric) {
                    let fit = fitting(kind, &probe.statistic).to_owned();
                    changed |= fit != probe.statistic;
                    probe.statistic = fit;
                }
                if changed {
                    continue;
                }
            }
            None => {}
        }
        return Err(EngineError::Script(format!(
            "k6 cannot run {} with the policy's load, tags and objectives: {all}",
            request.script.display()
        )));
    }
    Ok(probes)
}

#[derive(Debug, PartialEq)]
enum Complaint {
    Undefined(String),
    Kind(String, MetricKind),
}

/// What k6 has against a threshold.
fn complaint(text: &str) -> Option<Complaint> {
    if let Some((_, rest)) = text.split_once("no metric name \"") {
        return Some(Complaint::Undefined(rest.split('"').next()?.to_owned()));
    }
    let (_, rest) = text.split_once("applied on metric ")?;
    let (metric, rest) = rest.split_once(';')?;
    let (_, rest) = rest.split_once("on metric of type ")?;
    let kind = match rest.split('.').next()? {
        "counter" => MetricKind::Counter,
        "gauge" => MetricKind::Gauge,
        "rate" => MetricKind::Rate,
        "trend" => MetricKind::Trend,
        _ => return None,
    };
    let metric = metric.split('{').next()?;
    Some(Complaint::Kind(metric.to_owned(), kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_of_k6() {
        assert_eq!(
            complaint("invalid threshold defined on nono; reason: no metric name \"nono\" found"),
            Some(Complaint::Undefined("nono".into()))
        );
        let gauge = "invalid threshold \"max>-1e300\" applied on metric my_gauge{a:b}; reason: \
            unsupported aggregation method max on metric of type gauge. supported aggregation \
            methods for this metric are: value";
        assert_eq!(
            complaint(gauge),
            Some(Complaint::Kind("my_gauge".into(), MetricKind::Gauge))
        );
        assert_eq!(complaint("something else"), None);
    }

    #[test]
    fn names_that_would_change_k6_are_refused() {
        let env = |key: &str| check_env(&[(key.to_owned(), "1".to_owned())]);
        for bad in ["K6_VUS", "K6_OUT", "K6_PROMETHEUS_RW_SERVER_URL", "", "A=B"] {
            assert!(env(bad).is_err(), "{bad}");
        }
        for good in ["BASE_URL", "K6_TARGET", "K6_BROWSER_HEADLESS"] {
            assert!(env(good).is_ok(), "{good}");
        }
    }
}
