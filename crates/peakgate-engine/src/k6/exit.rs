//! What k6's end means.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use peakgate_load::{ExitReason, StopCause};

/// What is known beside k6's exit code.
#[derive(Debug, Default)]
pub(super) struct Circumstances<'a> {
    /// Why the gate stopped it, if it did.
    pub(super) stopped: Option<StopCause>,
    /// Why the live figures broke off, if they did.
    pub(super) broken: Option<String>,
    /// The gate stopped k6 because the live figures broke off; k6's own end then says nothing.
    pub(super) stopped_for_stream: bool,
    /// An `abortOnFail` threshold was crossed, by the log.
    pub(super) threshold_abort: bool,
    /// By the summary, all thresholds that failed are probes of ours, and at least one is.
    pub(super) only_probes_failed: bool,
    /// k6's last error.
    pub(super) error: Option<&'a str>,
}

/// The reason behind k6's end. The codes are k6's documented ones.
pub(super) fn reason(status: ExitStatus, about: Circumstances<'_>) -> ExitReason {
    if let Some(cause) = about.stopped {
        return ExitReason::Stopped(cause);
    }
    let error = |otherwise: &str| about.error.unwrap_or(otherwise).to_owned();
    let own = match status.code() {
        Some(0) => ExitReason::Completed,
        Some(97) => ExitReason::StoppedOutside(error("k6 cloud: the test failed or was aborted")),
        Some(98) => ExitReason::StoppedOutside(error("k6 cloud: no progress")),
        Some(99) if about.threshold_abort => ExitReason::ThresholdAborted,
        // Only a probe of ours failed: its metric is not a number. The load ran to its end.
        Some(99) if about.only_probes_failed => ExitReason::Completed,
        Some(99) => ExitReason::ThresholdsFailed,
        Some(100) => ExitReason::SetupTimeout,
        Some(101) => ExitReason::TeardownTimeout,
        Some(103) => ExitReason::StoppedOutside("over k6's REST API".to_owned()),
        Some(104) => ExitReason::BadConfig(error("k6 refused the options")),
        Some(105) => ExitReason::StoppedOutside("k6 received SIGINT or SIGTERM".to_owned()),
        Some(106) => ExitReason::CannotRun(error("k6's REST API could not start")),
        Some(107) => ExitReason::ScriptException(error("the script threw an exception")),
        Some(108) => ExitReason::AbortedByScript(error("the script called exec.test.abort()")),
        Some(109) => ExitReason::Crashed(error("k6 panicked")),
        Some(110) => ExitReason::FailedByScript,
        Some(255) => ExitReason::CannotRun(error("k6 cannot run the script")),
        Some(code) => {
            let why = about.error.map(|e| format!(": {e}")).unwrap_or_default();
            ExitReason::Crashed(format!("k6 ended with the unknown exit code {code}{why}"))
        }
        None => ExitReason::Crashed(match status.signal() {
            Some(9) => "k6 was killed by signal 9 (SIGKILL; perhaps for want of memory)".to_owned(),
            Some(signal) => format!("k6 was killed by signal {signal}"),
            None => "k6 ended without an exit code".to_owned(),
        }),
    };
    match about.broken {
        // A run that failed anyhow failed for its own reason.
        Some(broken) if about.stopped_for_stream || own.is_whole() => {
            ExitReason::StreamBroken(broken)
        }
        _ => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_reason() {
        let kind = |raw: i32, about: Circumstances<'_>| {
            let reason = reason(ExitStatus::from_raw(raw), about);
            serde_json::to_value(reason).unwrap()["kind"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        for (code, expected) in [
            (0, "completed"),
            (97, "stopped_outside"),
            (98, "stopped_outside"),
            (99, "thresholds_failed"),
            (100, "setup_timeout"),
            (101, "teardown_timeout"),
            (103, "stopped_outside"),
            (104, "bad_config"),
            (105, "stopped_outside"),
            (106, "cannot_run"),
            (107, "script_exception"),
            (108, "aborted_by_script"),
            (109, "crashed"),
            (110, "failed_by_script"),
            (255, "cannot_run"),
            (1, "crashed"),
            (42, "crashed"),
        ] {
            assert_eq!(
                kind(code << 8, Circumstances::default()),
                expected,
                "{code}"
            );
        }
        assert_eq!(kind(9, Circumstances::default()), "crashed");
        let abort = Circumstances {
            threshold_abort: true,
            // A probe never aborts.
            only_probes_failed: true,
            ..Circumstances::default()
        };
        assert_eq!(kind(99 << 8, abort), "threshold_aborted");
        let probe = Circumstances {
            only_probes_failed: true,
            ..Circumstances::default()
        };
        assert_eq!(kind(99 << 8, probe), "completed");
        for raw in [0, 99 << 8, 9, 105 << 8] {
            let stopped = Circumstances {
                stopped: Some(StopCause::Valve("v".into())),
                broken: Some("b".into()),
                ..Circumstances::default()
            };
            assert_eq!(kind(raw, stopped), "stopped", "{raw}");
        }
        for (raw, expected) in [
            (0, "stream_broken"),
            (99 << 8, "stream_broken"),
            (9, "crashed"),
        ] {
            let broken = Circumstances {
                broken: Some("b".into()),
                ..Circumstances::default()
            };
            assert_eq!(kind(raw, broken), expected);
        }
        // Our own SIGINT and SIGKILL, sent because the stream broke, are not somebody else's.
        for raw in [0, 105 << 8, 9] {
            let ours = Circumstances {
                broken: Some("b".into()),
                stopped_for_stream: true,
                ..Circumstances::default()
            };
            assert_eq!(kind(raw, ours), "stream_broken", "{raw}");
        }
    }
}
