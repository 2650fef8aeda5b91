//! Each fact, read from small scripts.

#![allow(
    clippy::disallowed_methods,
    reason = "tests read files and take the time; the crate does not"
)]

use peakgate_load::MetricKind;
use peakgate_script::{ImportKind, MAX_NESTING, ScriptError, ScriptFacts, read};

fn facts(source: &str) -> ScriptFacts {
    read(source, "script.js").expect("the script parses")
}

fn metrics(facts: &ScriptFacts) -> Vec<(&str, MetricKind, Option<bool>)> {
    facts
        .metrics
        .iter()
        .map(|m| (m.name.as_str(), m.kind, m.is_time))
        .collect()
}

#[test]
fn imports_of_every_form_with_their_kind_and_place() {
    let facts = facts(
        "import http from 'k6/http';\n\
         import { check } from 'k6';\n\
         import * as u from './lib/users.js';\n\
         export { x } from '../x.js';\n\
         export * from '/abs/y.js';\n\
         import 'https://jslib.k6.io/k6-utils/1.4.0/index.js';\n\
         import bare from 'lodash';\n\
         const p = require('file:///z.js');\n\
         const later = () => import('./later.js');\n",
    );
    let seen: Vec<_> = facts
        .imports
        .iter()
        .map(|i| (i.specifier.as_str(), i.kind, i.position.to_string()))
        .collect();
    let expected = [
        ("k6/http", ImportKind::K6, "1:1"),
        ("k6", ImportKind::K6, "2:1"),
        ("./lib/users.js", ImportKind::Relative, "3:1"),
        ("../x.js", ImportKind::Relative, "4:1"),
        ("/abs/y.js", ImportKind::Relative, "5:1"),
        (
            "https://jslib.k6.io/k6-utils/1.4.0/index.js",
            ImportKind::Remote,
            "6:1",
        ),
        ("lodash", ImportKind::Other, "7:1"),
        ("file:///z.js", ImportKind::Relative, "8:11"),
        ("./later.js", ImportKind::Relative, "9:21"),
    ];
    assert_eq!(seen.len(), expected.len(), "{seen:?}");
    for ((specifier, kind, place), expected) in seen.iter().zip(expected) {
        assert_eq!((*specifier, *kind, place.as_str()), expected);
    }
    assert!(!facts.dynamic_imports);
    assert_eq!(facts.star_exports, ["/abs/y.js"]);
    assert!(
        facts.urls.is_empty(),
        "a module's address is no load target: {:?}",
        facts.urls
    );
}

#[test]
fn computed_imports_are_unknown() {
    assert!(facts("const m = require(__ENV.MODULE);").dynamic_imports);
    assert!(facts("const m = () => import(`./${__ENV.X}.js`);").dynamic_imports);
    let constant = facts("const dir = './lib'; const m = require(dir + '/a.js');");
    assert!(!constant.dynamic_imports);
    assert_eq!(constant.imports[0].specifier, "./lib/a.js");
}

#[test]
fn metrics_by_name_rename_namespace_and_require() {
    let facts = facts(
        "import { Trend, Counter as C } from 'k6/metrics';\n\
         import * as all from 'k6/metrics';\n\
         import metrics from 'k6/metrics';\n\
         const { Rate: R } = require('k6/metrics');\n\
         const T2 = all.Trend;\n\
         const PREFIX = 'lead';\n\
         const waiting = new Trend('waiting_time', true);\n\
         const plain = new Trend(`queue_length`);\n\
         const errors = new C('errors');\n\
         const ok = new R('ok_rate');\n\
         const g = new all.Gauge('depth');\n\
         const t = new metrics.Trend(PREFIX + '_total', isTime());\n\
         const u = new T2(`${PREFIX}_again`, false);\n\
         const v = new (require('k6/metrics').Rate)('direct');\n",
    );
    assert_eq!(
        metrics(&facts),
        [
            ("waiting_time", MetricKind::Trend, Some(true)),
            ("queue_length", MetricKind::Trend, Some(false)),
            ("errors", MetricKind::Counter, Some(false)),
            ("ok_rate", MetricKind::Rate, Some(false)),
            ("depth", MetricKind::Gauge, Some(false)),
            ("lead_total", MetricKind::Trend, None),
            ("lead_again", MetricKind::Trend, Some(false)),
            ("direct", MetricKind::Rate, Some(false)),
        ]
    );
    assert!(!facts.dynamic_metrics);
    assert!(facts.metrics_are_known());
    assert_eq!(facts.metrics[0].position.to_string(), "7:17");
}

#[test]
fn metrics_that_cannot_be_known_are_said_to_be_dynamic() {
    for source in [
        "import { Trend } from 'k6/metrics'; for (const n of names) new Trend(n);",
        "import { Trend } from 'k6/metrics'; const make = (name) => new Trend(name, true);",
        "import { Trend } from 'k6/metrics'; const name = 'a'; function f(name) { new Trend(name) }",
        "import { Trend } from 'k6/metrics'; let n = 'a'; n = 'b'; new Trend(n);",
        "import { Trend } from 'k6/metrics'; new Trend(...args);",
        // The class is handed around.
        "import { Trend } from 'k6/metrics'; const kinds = { Trend }; new kinds['Trend']('x_x');",
        "import { Trend } from 'k6/metrics'; class T extends Trend {}",
        "import * as m from 'k6/metrics'; new m[kind]('x_x');",
        "import * as m from 'k6/metrics'; make(m.Trend);",
    ] {
        let facts = facts(source);
        assert!(facts.dynamic_metrics, "{source}");
        assert!(!facts.metrics_are_known(), "{source}");
    }
}

#[test]
fn modules_that_are_not_read_leave_the_list_open() {
    let known = "import { check } from 'k6'; export default () => check(1, { a: () => true });";
    assert!(facts(known).checks_are_known());
    for import in [
        "import x from 'https://example.com/x.js';",
        "import './x.js';",
        "import sql from 'k6/x/sql';",
    ] {
        let facts = facts(&format!("{import}{known}"));
        assert!(!facts.checks_are_known(), "{import}");
        assert!(!facts.metrics_are_known(), "{import}");
    }
}

#[test]
fn bundled_scripts_are_understood() {
    let facts = facts(
        "\"use strict\";\n\
         var k6_1 = require('k6'), metrics_1 = require('k6/metrics');\n\
         var t = new metrics_1.Trend('bundled_time', true);\n\
         function inner() { var m = __webpack_require__(7); new m.Rate('inner_rate'); }\n\
         exports.default = function () {\n\
           (0, k6_1.group)('main', function () {\n\
             (0, k6_1.check)(r, { 'is 200': function (r) { return r.status === 200; } });\n\
           });\n\
         };\n",
    );
    assert_eq!(
        metrics(&facts),
        [
            ("bundled_time", MetricKind::Trend, Some(true)),
            ("inner_rate", MetricKind::Rate, Some(false)),
        ]
    );
    assert_eq!(facts.groups, ["main"]);
    assert_eq!(facts.checks, ["is 200"]);
    assert_eq!(facts.exports, ["default"]);
}

#[test]
fn checks_and_groups() {
    let facts = facts(
        "import { check, group as g } from 'k6';\n\
         import k6 from 'k6';\n\
         const common = { 'has body': (r) => r.body };\n\
         const all = { ...common, 'is fast': (r) => true };\n\
         export default function () {\n\
           g('front page', () => {\n\
             check(res, { 'status is 200': (r) => r.status === 200, ok: r => r, ['lit']: r => r }, { flow: 'a' });\n\
             check(res, all);\n\
             k6.check(res, { method() { return true; } });\n\
             k6.group('inner', () => {});\n\
             g('inner', () => {});\n\
           });\n\
         }\n",
    );
    assert_eq!(
        facts.checks,
        [
            "status is 200",
            "ok",
            "lit",
            "has body",
            "is fast",
            "method"
        ]
    );
    assert!(!facts.dynamic_checks);
    assert_eq!(facts.groups, ["front page", "inner"]);
    assert!(!facts.dynamic_groups);
    assert_eq!(facts.tags, ["flow"]);
}

#[test]
fn checks_and_groups_that_cannot_be_known() {
    for call in [
        "check(r, { [`status ${s}`]: f })",
        "check(r, { ...sets, a: f })",
        "check(r, sets())",
        "check(r)",
        "const later = { a: f }; Object.assign(later, x); check(r, later)",
        "const me = { ...me }; check(r, me)",
        "wrap(check)",
    ] {
        let source = format!("import {{ check }} from 'k6';\n{call};");
        assert!(facts(&source).dynamic_checks, "{call}");
    }
    let changed =
        facts("import { check } from 'k6'; const sets = { a: f }; sets[n] = f; check(r, sets);");
    assert!(changed.dynamic_checks);
    assert_eq!(changed.checks, ["a"]);
    assert!(facts("import { group } from 'k6'; group(name, () => {});").dynamic_groups);
    assert!(facts("import { group } from 'k6'; run(group);").dynamic_groups);
}

#[test]
fn objects_and_texts_that_contain_themselves_end() {
    let mut source =
        String::from("import { check } from 'k6';\nconst t0 = 'ab';\nconst o0 = { a: f };\n");
    for i in 1..40 {
        let p = i - 1;
        source.push_str(&format!(
            "const t{i} = t{p} + t{p};\nconst o{i} = {{ ...o{p}, ...o{p} }};\n"
        ));
    }
    source.push_str("const me = { ...me }; const s = s + 'x';\ncheck(r, me); check(r, o39); new Trend(s); new Trend(t39);");
    let facts = facts(&source);
    assert!(facts.dynamic_checks && facts.dynamic_metrics);
    assert_eq!(facts.checks, ["a"]);
}

#[test]
fn request_names_and_tags() {
    let facts = facts(
        "import http from 'k6/http';\n\
         import exec from 'k6/execution';\n\
         const params = { headers: { name: 'not a tag' }, tags: { name: 'GET /a', team: 'x' } };\n\
         const shared = { kind: 'write' };\n\
         export default function () {\n\
           http.get(u, params);\n\
           http.post(u, null, { tags: { name: `POST /b` } });\n\
           http.put(u, null, { tags: shared });\n\
           http.get(http.url`${base}/items/${id}`);\n\
           trend.add(3, { page: 'home' });\n\
           exec.vu.metrics.tags.tenant = 't1';\n\
           exec.vu.metrics.tags['name'] = 'GET /c';\n\
         }\n",
    );
    assert_eq!(
        facts.request_names,
        ["GET /a", "POST /b", "${}/items/${}", "GET /c"]
    );
    assert!(!facts.dynamic_request_names);
    for tag in ["name", "team", "kind", "page", "tenant"] {
        assert!(
            facts.tags.iter().any(|t| t == tag),
            "{tag}: {:?}",
            facts.tags
        );
    }
    assert!(!facts.dynamic_tags);
}

#[test]
fn computed_names_and_tags() {
    assert!(facts("http.get(u, { tags: { name: `GET ${path}` } });").dynamic_request_names);
    assert!(facts("http.get(u, { tags: { [key]: 1 } });").dynamic_tags);
    assert!(facts("http.get(u, { tags: tagsOf(x) });").dynamic_tags);
    assert!(facts("exec.vu.metrics.tags[key] = 1;").dynamic_tags);
}

#[test]
fn urls_with_a_literal_host() {
    let facts = facts(
        "const BASE = __ENV.BASE_URL || 'https://API.example.com/v1';\n\
         http.get(`http://user:secret@test.k6.io:8080/a/${id}?x=1`);\n\
         http.get(`http://${HOST}/x`);\n\
         http.get(`https://api.${ZONE}.example.com/x`);\n\
         http.get(`http://localhost:${PORT}/x`);\n\
         http.get('HTTP://[::1]:9000');\n\
         http.get('ftp://files.example.com');\n\
         http.get('http://');\n\
         console.log('see http://docs.example.com for more');\n",
    );
    let seen: Vec<_> = facts
        .urls
        .iter()
        .map(|u| (u.text.as_str(), u.host.as_str(), u.position.line))
        .collect();
    assert_eq!(
        seen,
        [
            ("https://API.example.com/v1", "api.example.com", 1),
            ("http://****@test.k6.io:8080/a/${}?x=1", "test.k6.io", 2),
            ("http://localhost:${}/x", "localhost", 5),
            ("HTTP://[::1]:9000", "::1", 6),
        ]
    );
}

#[test]
fn environment_variables() {
    let all = facts(
        "const a = __ENV.BASE_URL; const b = __ENV['API_KEY']; const { C_C, d: e } = __ENV;\n\
         const f = globalThis.__ENV.F_F; const g = __ENV?.G_G; const h = __ENV.BASE_URL;",
    );
    assert_eq!(
        all.env_vars,
        ["BASE_URL", "API_KEY", "C_C", "d", "F_F", "G_G"]
    );
    assert!(!all.dynamic_env);
    assert!(facts("const x = __ENV[name];").dynamic_env);
    assert!(facts("const { a, ...rest } = __ENV;").dynamic_env);
}

#[test]
fn exports_of_modules_and_commonjs() {
    let module = facts(
        "export const options = {}, other = 1;\n\
         export function setup() {}\n\
         export async function teardown() {}\n\
         export { summary as handleSummary };\n\
         function summary() {}\n\
         export * as lib from './lib.js';\n\
         export default function () {}\n",
    );
    assert_eq!(
        module.exports,
        [
            "options",
            "other",
            "setup",
            "teardown",
            "handleSummary",
            "lib",
            "default"
        ]
    );
    assert!(module.exports("setup") && !module.exports("summary"));
    let common =
        facts("exports.options = {}; module.exports.setup = () => {}; exports['default'] = f;");
    assert_eq!(common.exports, ["options", "setup", "default"]);
    let whole = facts(
        "module.exports = { default: f, options: { thresholds: { checks: ['rate>0.9'] } } };",
    );
    assert_eq!(whole.exports, ["default", "options"]);
    assert_eq!(whole.thresholds[0].expression, "rate>0.9");
}

#[test]
fn sloppy_commonjs_is_read_and_the_modules_error_is_kept() {
    let facts = facts("var o = 010; with (o) { x = 1; }\nexports.default = function () {};");
    assert_eq!(facts.exports, ["default"]);
}

#[test]
fn thresholds_of_literal_options() {
    let facts = facts(
        "const p95 = 'p(95)<500';\n\
         export const options = {\n\
           stages: [{ duration: '1m', target: 10 }],\n\
           thresholds: {\n\
             http_req_duration: [p95, `p(99)<900`],\n\
             'http_req_duration{name:GET /a}': ['avg<100'],\n\
             http_req_failed: [{ threshold: 'rate<0.01', abortOnFail: true, delayAbortEval: '10s' }],\n\
             checks: [{ threshold: 'rate>0.9' }],\n\
           },\n\
         };\n",
    );
    let seen: Vec<_> = facts
        .thresholds
        .iter()
        .map(|t| {
            (
                t.metric.as_str(),
                t.expression.as_str(),
                t.abort_on_fail,
                t.position.line,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("http_req_duration", "p(95)<500", false, 5),
            ("http_req_duration", "p(99)<900", false, 5),
            ("http_req_duration{name:GET /a}", "avg<100", false, 6),
            ("http_req_failed", "rate<0.01", true, 7),
            ("checks", "rate>0.9", false, 8),
        ]
    );
    assert!(!facts.dynamic_thresholds);
}

#[test]
fn thresholds_by_other_ways() {
    for source in [
        "export let options = { thresholds: { checks: ['rate>0.9'] } };",
        "const thresholds = { checks: ['rate>0.9'] }; export const options = { thresholds };",
        "const base = { thresholds: { checks: ['rate>0.9'] } }; export const options = { ...base, vus: 1 };",
        "const o = { thresholds: { checks: ['rate>0.9'] } }; export { o as options };",
        "exports.options = { thresholds: { checks: ['rate>0.9'] } };",
        "const limits = ['rate>0.9']; export const options = { thresholds: { checks: limits } };",
    ] {
        let facts = facts(source);
        assert_eq!(facts.thresholds.len(), 1, "{source}");
        assert_eq!(facts.thresholds[0].metric, "checks", "{source}");
        assert!(!facts.dynamic_thresholds, "{source}");
    }
}

#[test]
fn thresholds_that_may_be_more_than_seen() {
    for source in [
        "export { options } from './options.js';",
        "import { options } from './options.js'; export { options };",
        "export const options = makeOptions();",
        "export const options = { ...shared };",
        "export const options = { thresholds: { [metric]: ['rate>0.9'] } };",
        "export const options = { thresholds: { checks: [limit()] } };",
        "export const options = { thresholds: { checks: [{ threshold: 'rate>0', abortOnFail: x }] } };",
        "export const options = { thresholds: {} }; options.thresholds[name] = ['rate>0.9'];",
        "const t = {}; export const options = { thresholds: t }; t.checks = ['rate>0.9'];",
    ] {
        assert!(facts(source).dynamic_thresholds, "{source}");
    }
    // An options object that nobody exports is none of k6's.
    let inner = facts("const options = { thresholds: { checks: ['rate>0.9'] } };");
    assert!(inner.thresholds.is_empty() && !inner.dynamic_thresholds);
}

#[test]
fn typescript() {
    let source = "import http, { type Response } from 'k6/http';\n\
         import type { Trend as T } from 'k6/metrics';\n\
         import { Options } from 'k6/options';\n\
         import { Trend } from 'k6/metrics';\n\
         const t: Trend = new Trend('typed_time', true) as Trend;\n\
         export const options: Options = { thresholds: { typed_time: ['p(95)<1'] } } satisfies Options;\n\
         export default function (): void { const x = <string>__ENV.BASE_URL!; }\n";
    let facts = read(source, "dir/script.ts").expect("TypeScript parses");
    assert_eq!(
        metrics(&facts),
        [("typed_time", MetricKind::Trend, Some(true))]
    );
    assert!(!facts.dynamic_metrics, "a type is no use of the class");
    assert_eq!(facts.thresholds[0].expression, "p(95)<1");
    assert!(!facts.dynamic_thresholds);
    assert_eq!(facts.env_vars, ["BASE_URL"]);
    let specifiers: Vec<_> = facts.imports.iter().map(|i| i.specifier.as_str()).collect();
    assert_eq!(specifiers, ["k6/http", "k6/options", "k6/metrics"]);
    assert!(
        read(source, "script.js").is_err(),
        "k6 strips types by the extension"
    );
}

#[test]
fn a_syntax_error_says_where() {
    let error = read("const a = 1;\nconst é = ;\n", "x.js").expect_err("it does not parse");
    assert_eq!((error.line, error.column), (2, 11), "{error}");
    assert!(
        error.to_string().starts_with("line 2, column 11: "),
        "{error}"
    );
    let ScriptError { message, .. } =
        read("export default function () {", "x.js").expect_err("unclosed");
    assert!(!message.is_empty());
    assert!(
        read("", "x.js")
            .expect("an empty file is a module")
            .imports
            .is_empty()
    );
}

#[test]
fn hostile_nesting_is_refused_not_crashed_on() {
    let deep = format!("x = {}1{};", "[".repeat(100_000), "]".repeat(100_000));
    let error = read(&deep, "x.js").expect_err("too deep");
    assert!(error.message.contains(&MAX_NESTING.to_string()), "{error}");
    let allowed = format!(
        "x = {}1{};",
        "[".repeat(MAX_NESTING),
        "]".repeat(MAX_NESTING)
    );
    read(&allowed, "x.js").expect("the limit itself is read");
    let functions = format!("{}{}", "f(function(){if(a){".repeat(300), "}})".repeat(300));
    read(&functions, "x.js").expect("nested functions are read");
    let sum = format!("x = 1{};", "+1".repeat(20_000));
    read(&sum, "x.js").expect("long sums are read");
    let bangs = format!("x = {}1;", "!".repeat(20_000));
    read(&bangs, "x.js").expect("prefixes are read");
    let data = " ".repeat(9 * 1024 * 1024);
    assert!(
        read(&data, "x.js")
            .expect_err("too long")
            .message
            .contains("open()")
    );
}

/// The bound is for a debug build on a busy machine; a release build needs a few milliseconds.
#[test]
fn half_a_megabyte_is_read_quickly() {
    let mut source = String::from(
        "import http from 'k6/http'; import { check, group } from 'k6'; import { Trend } from 'k6/metrics';\n",
    );
    let mut blocks = 0;
    while source.len() < 500_000 {
        blocks += 1;
        source.push_str(&format!(
            "const t{blocks} = new Trend('metric_{blocks}', true);\n\
             export function flow{blocks}() {{\n  group('group {blocks}', () => {{\n    \
             const r = http.get(`${{__ENV.V{blocks}}}/x/${{id}}`, {{ tags: {{ name: 'GET /x/{blocks}' }} }});\n    \
             check(r, {{ 'status {blocks}': (r) => r.status === 200 }});\n  }});\n}}\n"
        ));
    }
    let start = std::time::Instant::now();
    let facts = facts(&source);
    let took = start.elapsed();
    eprintln!("{} bytes, {blocks} blocks: {took:?}", source.len());
    assert_eq!(facts.metrics.len(), blocks);
    assert_eq!(facts.checks.len(), blocks);
    assert_eq!(facts.request_names.len(), blocks);
    assert_eq!(facts.env_vars.len(), blocks);
    assert!(took.as_secs() < 5, "{took:?}");
}
