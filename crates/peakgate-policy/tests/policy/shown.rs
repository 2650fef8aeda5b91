//! What people see of a bad policy.

use peakgate_policy::{Code, load};

use crate::unset;

const BAD: &str = include_str!("../samples/bad.yaml");

#[test]
fn all_faults_show_at_once_with_place_and_remedy() {
    let problems = load(BAD, &unset).unwrap_err();
    insta::assert_snapshot!(problems.render("peakgate.yaml", BAD, false));
}

#[test]
fn each_kind_of_fault_is_there() {
    let problems = load(BAD, &unset).unwrap_err();
    for code in [
        Code::UnknownKey,
        Code::UnknownValue,
        Code::BadUnit,
        Code::BadStatistic,
        Code::BadLoad,
        Code::DuplicateKey,
        Code::UnsetVariable,
        Code::ReservedName,
    ] {
        assert!(problems.iter().any(|p| p.code == code), "{code}");
    }
    let places: Vec<_> = problems.iter().map(|p| p.position).collect();
    assert!(places.is_sorted());
}

#[test]
fn colour_is_only_colour() {
    let problems = load(BAD, &unset).unwrap_err();
    let plain = problems.render("p", BAD, false);
    let coloured = problems.render("p", BAD, true);
    assert!(coloured.contains("\u{1b}[1;31merror["));
    let mut stripped = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        stripped += before;
        rest = after.split_once('m').unwrap().1;
    }
    stripped += rest;
    assert_eq!(stripped, plain);
}

#[test]
fn the_text_cannot_steer_the_terminal_nor_flood_it() {
    let text = format!(
        "service: \"\\x1b[31m{}\"\nservic\u{7f}e: x\n",
        "y".repeat(5000)
    );
    let problems = load(&text, &unset).unwrap_err();
    let shown = problems.render("p", &text, false);
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{7f}'));
    assert!(
        shown.lines().all(|line| line.chars().count() < 400),
        "{shown}"
    );
}

#[test]
fn secrets_of_a_url_are_not_repeated() {
    let text = crate::minimal("").replace("\"http://h.local\"", "\"${U}\"");
    let lookup = |_: &str| Some("http://me:hunter2@h.local".to_owned());
    let problems = load(&text, &lookup).unwrap_err();
    let shown = problems.render("p", &text, false);
    assert!(shown.contains("user or password"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}
