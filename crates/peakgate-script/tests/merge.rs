//! Several files as one script.

use peakgate_script::{ScriptFacts, merge, read, relative_imports, resolve_relative};

fn entry(path: &str, source: &str) -> (String, ScriptFacts) {
    (path.to_owned(), read(source, path).expect("it parses"))
}

#[test]
fn paths_are_joined_and_nothing_is_added() {
    for (base, specifier, expected) in [
        ("k6/peak-test.js", "./lib/users.js", "k6/lib/users.js"),
        ("k6/peak-test.js", "../shared/a", "shared/a"),
        ("peak-test.js", "./a.js", "a.js"),
        ("peak-test.js", "../../a.js", "../../a.js"),
        ("../k6/x.js", "../a.js", "../a.js"),
        ("/srv/k6/x.js", "../a.js", "/srv/a.js"),
        ("/x.js", "../../a.js", "/a.js"),
        ("/x.js", "./a.js", "/a.js"),
        ("k6/x.js", "/abs/./a/../b.js", "/abs/b.js"),
        ("k6/x.js", "file:///abs/b.js", "/abs/b.js"),
        ("./k6//x.js", "././/a.js", "k6/a.js"),
    ] {
        assert_eq!(
            resolve_relative(base, specifier),
            expected,
            "{base} + {specifier}"
        );
    }
}

#[test]
fn relative_imports_are_listed_once() {
    let (_, facts) = entry(
        "a.js",
        "import './x.js'; export * from './x.js'; import 'k6'; import '../y.js'; import 'https://e.com/z.js';",
    );
    assert_eq!(relative_imports(&facts), ["./x.js", "../y.js"]);
}

#[test]
fn facts_of_all_files_count_and_read_imports_are_closed() {
    let merged = merge(vec![
        entry(
            "k6/test.js",
            "import { check } from 'k6'; import { run } from './lib/users.js';\n\
             export const options = { thresholds: { checks: ['rate>0.9'] } };\n\
             export default function () { check(1, { main: f }); __ENV.A_A; run(); }",
        ),
        entry(
            "./k6/lib/users.js",
            "import { Trend } from 'k6/metrics'; import { check, group } from 'k6';\n\
             import '../missing.js';\n\
             export const options = { thresholds: { other: ['count>1'] } };\n\
             export const t = new Trend('lib_time', true);\n\
             export function run() { group('g', () => check(1, { lib: f, main: f })); __ENV.B_B; }",
        ),
    ]);
    assert_eq!(merged.checks, ["main", "lib"]);
    assert_eq!(merged.groups, ["g"]);
    assert_eq!(merged.metrics[0].name, "lib_time");
    assert_eq!(merged.env_vars, ["A_A", "B_B"]);
    assert_eq!(merged.exports, ["options", "default"]);
    assert_eq!(
        merged.thresholds.len(),
        1,
        "a library's options are not k6's"
    );
    let imports: Vec<_> = merged
        .imports
        .iter()
        .map(|i| i.specifier.as_str())
        .collect();
    assert_eq!(imports, ["k6", "k6/metrics", "k6/missing.js"]);
    assert!(merged.has_unread_modules());
    assert!(!merged.checks_are_known());
}

#[test]
fn a_closed_set_of_files_is_known() {
    let merged = merge(vec![
        entry("a.js", "import { f } from './b.js'; export default f;"),
        entry("b.js", "import './a.js'; export const f = () => {};"),
    ]);
    assert!(merged.metrics_are_known() && merged.checks_are_known());
    assert!(merged.imports.is_empty());
}

#[test]
fn exports_pass_through_stars_and_options_from_other_files_are_found() {
    let merged = merge(vec![
        entry(
            "a.js",
            "export * from './b.js'; export default function () {}",
        ),
        entry(
            "b.js",
            "export * from './c.js'; export default 1; export function setup() {}",
        ),
        entry(
            "c.js",
            "export const options = { thresholds: { checks: ['rate>0.9'] } };",
        ),
        entry("d.js", "export function teardown() {}"),
    ]);
    assert_eq!(merged.exports, ["default", "setup", "options"]);
    assert_eq!(merged.thresholds[0].expression, "rate>0.9");
    assert!(merged.star_exports.is_empty());

    let passed_on = merge(vec![
        entry("a.js", "export { options } from './b.js';"),
        entry(
            "b.js",
            "export const options = { thresholds: { checks: ['rate>0.9'] } };",
        ),
    ]);
    assert!(passed_on.dynamic_thresholds);
    assert_eq!(passed_on.thresholds.len(), 1);
}

#[test]
fn nothing_merges_into_nothing() {
    assert_eq!(merge(Vec::new()), ScriptFacts::default());
}
