//! No text makes it panic, hang or lose its words.

#![allow(
    clippy::disallowed_methods,
    reason = "tests read files and take the time; the crate does not"
)]

use std::time::{Duration, Instant};

use peakgate_policy::{Code, load};
use proptest::prelude::*;

const FULL: &str = include_str!("../samples/full.yaml");

/// Loads, and checks what holds for every text.
fn try_load(text: &str) {
    match load(text, &|name| (name.len() % 2 == 0).then(|| "7".to_owned())) {
        Ok(policy) => assert!(!policy.tests.is_empty()),
        Err(problems) => {
            assert!(!problems.as_slice().is_empty());
            for p in &problems {
                assert!(!p.message.is_empty());
                assert_ne!(p.code, Code::Internal, "{text:?}: {p:?}");
            }
            let _ = problems.render("p.yaml", text, true);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in "\\PC{0,200}") {
        try_load(&text);
    }

    #[test]
    fn any_yaml_like_text(text in "[a-z0-9:\\-\\[\\]{}\"'#&*!|>%@,. \n\t${}]{0,200}") {
        try_load(&text);
    }

    /// A good policy with some bytes struck out and others put in.
    #[test]
    fn a_mutated_policy(
        cuts in proptest::collection::vec((0usize..4000, 0usize..12, "[a-z0-9:%{}\\[\\]\"\\-~ .\n]{0,6}"), 1..4)
    ) {
        let mut chars: Vec<char> = FULL.chars().collect();
        for (at, length, new) in cuts {
            let at = at % chars.len();
            let end = (at + length).min(chars.len());
            chars.splice(at..end, new.chars());
        }
        try_load(&chars.into_iter().collect::<String>());
    }

    /// A good policy with one of its values replaced by another type.
    #[test]
    fn a_value_of_another_type(
        line in 0usize..100,
        new in prop::sample::select(vec!["null", "[]", "{}", "true", "-1", "1.5", "1e400", "''", "x", "[{a: b}]", "{regex: '('}", "10%", "5s", "${UNSET1}"])
    ) {
        let mut lines: Vec<String> = FULL.lines().map(str::to_owned).collect();
        let n = line % lines.len();
        if let Some((key, _)) = lines[n].clone().split_once(": ") {
            lines[n] = format!("{key}: {new}");
        }
        try_load(&lines.join("\n"));
    }
}

fn bounded(text: &str) -> Vec<Code> {
    let start = Instant::now();
    let problems = load(text, &|_| None).unwrap_err();
    let _ = problems.render("p", text, false);
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    problems.iter().map(|p| p.code).collect()
}

#[test]
fn a_bomb_is_one_error() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..12 {
        let refs = vec![format!("*a{}", i - 1); 10].join(", ");
        text += &format!("a{i}: &a{i} [{refs}]\n");
    }
    assert_eq!(bounded(&text), [Code::TooManyNodes]);
}

#[test]
fn depth_and_size_have_bounds() {
    assert_eq!(bounded(&"[".repeat(500_000)), [Code::TooDeep]);
    assert_eq!(bounded(&"{a: ".repeat(10_000)), [Code::TooDeep]);
    let deep: String = (0..200).map(|i| format!("{}k:\n", " ".repeat(i))).collect();
    assert_eq!(bounded(&deep), [Code::TooDeep]);
    assert_eq!(bounded(&"x".repeat(11 * 1024 * 1024)), [Code::TooLarge]);
    assert_eq!(bounded(&"- x\n".repeat(100_000)), [Code::TooManyNodes]);
    let anchors: String =
        (0..60).map(|i| format!("&a{i} [")).collect::<String>() + &"x,".repeat(15_000);
    assert_eq!(bounded(&(anchors + &"]".repeat(60))), [Code::TooManyNodes]);
}

#[test]
fn many_faults_take_no_time_to_speak_of() {
    let mut text = String::from("service: s\n");
    for i in 0..6000 {
        text += &format!("zzz{i}: 1\n");
    }
    assert!(bounded(&text).len() > 6000);
}
