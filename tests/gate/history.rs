//! `peakgate history`

use crate::support::{Scene, one_load};

#[test]
fn runs_are_listed_shown_compared_voided_and_pruned() {
    let _one = one_load();
    let scene = Scene::new();
    scene
        .run(&["history", "list"])
        .exits(0)
        .says("no runs on record");
    scene.run(&["run", "--release", "v1"]).exits(0);
    scene.run(&["run", "--release", "v2"]).exits(0);
    let id = |n: usize| {
        let list = scene.run(&["history", "list"]).exits(0).out;
        list.lines()
            .nth(n)
            .unwrap()
            .split_whitespace()
            .next()
            .unwrap()
            .to_owned()
    };
    let (newer, older) = (id(0), id(1));
    scene
        .run(&["history", "show", &newer])
        .exits(0)
        .says("v2")
        .says("latency");
    let shown = scene
        .run(&["history", "show", &older, "--json"])
        .exits(0)
        .out;
    let verdict: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(verdict["release"], "v1");
    assert!(verdict["evidence"]["series"].is_array());
    // What the record holds can be judged again.
    scene.write("v.json", &shown);
    scene.run(&["evaluate", "--results", "v.json"]).exits(0);
    scene
        .run(&["history", "compare", &older, &newer])
        .exits(0)
        .says("latency");
    scene.run(&["history", "show", "ffffffffffff"]).exits(2);
    scene
        .run(&[
            "history",
            "invalidate",
            &newer,
            "--reason",
            "the cache was warm",
        ])
        .exits(0);
    scene
        .run(&["history", "list"])
        .exits(0)
        .says("the cache was warm");
    // A void run is no baseline: the next one is compared with the older.
    scene.run(&["run", "--release", "v3"]).exits(0);
    assert!(
        scene.verdict()["baseline"]["description"]
            .as_str()
            .unwrap()
            .contains("v1")
    );
    scene
        .run(&["history", "prune", "--keep", "1"])
        .exits(0)
        .says("forgot 2");
    let left = scene.run(&["history", "list"]).exits(0).out;
    assert_eq!(left.lines().count(), 1, "{left}");
}
