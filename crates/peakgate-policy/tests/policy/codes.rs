//! Every kind of fault, each met at its place with something to learn from it.

use peakgate_policy::{Code, Diagnostic, load};

use crate::cases::{LATENCY, base_url, cases, hosts, objective, test, valve};
use crate::{minimal, unset};

fn problems(text: &str) -> Vec<Diagnostic> {
    match load(text, &unset) {
        Ok(_) => panic!("accepted:\n{text}"),
        Err(problems) => problems.as_slice().to_vec(),
    }
}

#[test]
fn every_fault_is_met_once_at_its_place() {
    let mut wrong = Vec::new();
    for (code, text, message, at) in cases() {
        let found = problems(&text);
        let shown = || {
            let shown: Vec<String> = found
                .iter()
                .map(|p| format!("{:?} [{}] {} {:?}", p.position, p.code, p.message, p.help))
                .collect();
            shown.join("\n    ")
        };
        let head: String = text.chars().take(300).collect();
        let [only] = found.as_slice() else {
            // Missing metric and statistic come as two of a kind.
            if !found.iter().all(|p| p.code == code) {
                wrong.push(format!("{code}: not alone for\n{head}\n    {}", shown()));
            }
            continue;
        };
        let line = text
            .lines()
            .nth((only.position.line as usize).saturating_sub(1))
            .unwrap_or_default();
        let there: String = line
            .chars()
            .skip((only.position.column as usize).saturating_sub(1))
            .collect();
        if only.code != code || !only.message.contains(message) || !there.starts_with(at) {
            wrong.push(format!(
                "{code} '{message}' at '{at}': for\n{head}\n    found at '{there}': {}",
                shown()
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_code_has_a_case() {
    let cases = cases();
    for code in Code::ALL {
        // Internal faults have no policy that brings them about; that is their point. Unmeasurable
        // needs a script beside the policy.
        assert!(
            matches!(code, Code::Internal | Code::Unmeasurable)
                || cases.iter().any(|(c, ..)| c == code),
            "{code} is never met"
        );
    }
}

/// Every fault says what to do: what is allowed, what was meant, or some other help.
#[test]
fn every_fault_teaches() {
    for (code, text, ..) in cases() {
        for p in problems(&text) {
            assert!(
                p.help.is_some()
                    || p.suggestion.is_some()
                    || !p.allowed.is_empty()
                    || code == Code::OutOfRange,
                "{code}: {} teaches nothing",
                p.message
            );
        }
    }
}

#[test]
fn suggestions_are_what_was_meant() {
    for (text, want) in [
        (minimal("objectivs: {}\n"), "objectivs→-"),
        (minimal("saftey: {}\n"), "safety"),
        (test("engine: emeded"), "embedded"),
        (
            objective("metric: http_req_duration, statistic: p99.9, max: 1s"),
            "p(99.9)",
        ),
        (
            objective("metric: http_req_duration, statistic: median, max: 1s"),
            "med",
        ),
        (objective(&format!("{LATENCY}, max: 500")), "500ms"),
        (objective(&format!("{LATENCY}, max: 5 sec")), "5s"),
        (
            objective("metric: http_req_failed, statistic: rate, max: 10"),
            "10%",
        ),
        (
            objective("metric: http_reqs, statistic: rate, min: 50"),
            "50/s",
        ),
        (minimal("").replace("{t: {", "{Big Test: {"), "big-test"),
        (base_url("h.local"), "http://h.local"),
        (hosts("\"http://h.local:80/x\""), "h.local"),
    ] {
        let found = problems(&text);
        let got = found.iter().find_map(|p| p.suggestion.clone());
        if want.ends_with("→-") {
            // `objectives` is there already, so it was not meant again.
            assert_eq!(got, None);
        } else {
            assert_eq!(got.as_deref(), Some(want), "{text}\n{found:?}");
        }
    }
}

/// A misspelt key is one fault, not also a missing key or an objective without a limit.
#[test]
fn a_fault_is_not_blamed_twice() {
    for text in [
        objective("metrc: http_req_duration, statistic: p(99), max: 1s"),
        objective(&format!("{LATENCY}, mx: 1s")),
        objective(&format!("{LATENCY}, max: [1]")),
        minimal("").replace("objectives:", "objectivess:"),
        minimal("").replace("service:", "servce:"),
        base_url("${NOPE}"),
        test("load: {vus: many, duration: 1m}"),
        valve("metric: vus, statistic: value, abov: 1"),
    ] {
        let found = problems(&text);
        assert_eq!(found.len(), 1, "{text}\n{found:#?}");
    }
}
