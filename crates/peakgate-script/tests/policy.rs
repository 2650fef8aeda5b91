//! Objectives from thresholds, and the first policy.

use peakgate_script::{
    LimitDirection, Position, ScriptFacts, SuggestedObjective, Threshold, policy_yaml, read,
    test_name, threshold_to_objective,
};

fn threshold(metric: &str, expression: &str) -> Threshold {
    Threshold {
        metric: metric.to_owned(),
        expression: expression.to_owned(),
        abort_on_fail: false,
        position: Position { line: 1, column: 1 },
    }
}

fn suggest(metric: &str, expression: &str) -> Option<SuggestedObjective> {
    threshold_to_objective(&threshold(metric, expression), &[])
}

#[test]
fn k6s_grammar_becomes_limits_with_units() {
    for (metric, expression, statistic, direction, limit) in [
        ("http_req_duration", "p(95)<500", "p(95)", "max", "500ms"),
        (
            "http_req_duration",
            " p( 99.9 ) <= 1500.5 ",
            "p(99.9)",
            "max",
            "1500.5ms",
        ),
        ("http_req_duration", "avg<=200", "avg", "max", "200ms"),
        ("http_req_duration", "med < 2e2", "med", "max", "200ms"),
        ("http_req_failed", "rate<0.01", "rate", "max", "1%"),
        ("http_req_failed", "rate<0.07", "rate", "max", "7%"),
        ("http_req_failed", "rate<=0", "rate", "max", "0%"),
        ("checks", "rate>0.995", "rate", "min", "99.5%"),
        ("checks", "rate>=1", "rate", "min", "100%"),
        ("http_reqs", "rate>100", "rate", "min", "100/s"),
        ("data_received", "rate<1000000", "rate", "max", "1000000B/s"),
        ("data_sent", "count<=5000", "count", "max", "5000B"),
        ("vus", "value>=10", "value", "min", "10"),
        ("iterations", "count>100", "count", "min", "101"),
        ("iterations", "count>=100", "count", "min", "100"),
        ("dropped_iterations", "count<1", "count", "max", "0"),
        ("dropped_iterations", "count<10.5", "count", "max", "10"),
        ("unseen_rate", "rate<0.1", "rate", "max", "10%"),
        ("unseen_counter", "rate>5", "rate", "min", "5/s"),
        ("unseen_trend", "p(90)<7", "p(90)", "max", "7"),
    ] {
        let got = suggest(metric, expression).unwrap_or_else(|| panic!("{metric} {expression}"));
        assert_eq!(
            (
                got.statistic.as_str(),
                got.direction.key(),
                got.limit_text.as_str()
            ),
            (statistic, direction, limit),
            "{metric} {expression}"
        );
        assert_eq!(got.metric, metric);
        assert!(got.select.is_empty() && !got.abort);
    }
}

#[test]
fn what_is_no_limit_is_left_alone() {
    for (metric, expression) in [
        ("checks", "rate==1"),
        ("checks", "rate===1"),
        ("checks", "rate!=0"),
        ("http_req_failed", "rate>=0"),
        ("http_req_failed", "rate>0"),
        ("http_req_failed", "rate<1"),
        ("http_req_failed", "rate<1.5"),
        ("iterations", "count<0"),
        ("http_req_duration", "count<5"),
        ("http_req_duration", "p(101)<5"),
        ("http_req_duration", "p(95)"),
        ("http_req_duration", "p(95)<fast"),
        ("http_req_duration", "p(95)<NaN"),
        ("http_req_duration", "p95<5"),
        ("http_req_duration{name:x", "p(95)<5"),
        ("http_req_duration{name}", "p(95)<5"),
        ("vus", "max<5"),
    ] {
        assert_eq!(suggest(metric, expression), None, "{metric} {expression}");
    }
}

#[test]
fn sub_metrics_become_selectors() {
    let mut aborting = threshold(
        "http_req_duration{ name:GET /a?x=1:2, group:::main ,\"status\":'200'}",
        "p(95)<500",
    );
    aborting.abort_on_fail = true;
    let got = threshold_to_objective(&aborting, &[]).expect("a limit");
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(
        got,
        SuggestedObjective {
            id: "http_req_duration_p95_get_a_x_1_2_main_200".to_owned(),
            metric: "http_req_duration".to_owned(),
            statistic: "p(95)".to_owned(),
            select: vec![
                pair("name", "GET /a?x=1:2"),
                pair("group", "::main"),
                pair("status", "200"),
            ],
            direction: LimitDirection::Max,
            limit_text: "500ms".to_owned(),
            abort: true,
        }
    );
}

#[test]
fn custom_metrics_have_the_unit_that_the_script_gives_them() {
    let facts = read(
        "import { Trend, Counter, Rate } from 'k6/metrics';\n\
         new Trend('lead_time', true); new Trend('queue_len'); new Counter('errors'); new Rate('ok_rate');",
        "x.js",
    )
    .expect("it parses");
    for (metric, expression, limit) in [
        ("lead_time", "p(95)<500", Some("500ms")),
        ("queue_len", "max<=50", Some("50")),
        ("errors", "count<10", Some("9")),
        ("errors", "rate<0.5", Some("0.5/s")),
        ("ok_rate", "rate>0.5", Some("50%")),
        ("ok_rate", "count>5", None),
    ] {
        let got = threshold_to_objective(&threshold(metric, expression), &facts.metrics);
        assert_eq!(
            got.map(|o| o.limit_text).as_deref(),
            limit,
            "{metric} {expression}"
        );
    }
}

#[test]
fn tests_are_named_after_their_scripts() {
    for (path, name) in [
        ("examples/k6/baseline-test.js", "baseline"),
        ("peak-load-test.js", "peak"),
        ("k6\\spike_test.ts", "spike"),
        ("soak.k6.js", "soak"),
        ("load-test.js", "load"),
        ("Checkout Flow.test.js", "checkout-flow"),
        ("-test.js", "test"),
        ("é.js", "load"),
        ("script", "script"),
    ] {
        assert_eq!(test_name(path), name, "{path}");
    }
}

fn scripts(sources: &[(&str, &str)]) -> Vec<(String, ScriptFacts)> {
    sources
        .iter()
        .map(|(path, source)| ((*path).to_owned(), read(source, path).expect("it parses")))
        .collect()
}

const PEAK: &str = "import { Trend } from 'k6/metrics';\n\
    const t = new Trend('lead_time', true);\n\
    export const options = { thresholds: {\n\
      http_req_failed: [{ threshold: 'rate<0.005', abortOnFail: true }],\n\
      'http_req_duration{name:GET /a/${}}': ['p(95)<600', 'p(95)<700'],\n\
      lead_time: ['max<2000'],\n\
      checks: ['rate==1'],\n\
    } };\n\
    export default () => http.get(`${__ENV.BASE_URL}/a`, { headers: { k: __ENV.API_KEY } });";

const PLAIN: &str = "export default () => http.get('https://shop.example.com/');";

#[test]
fn the_first_policy_says_what_the_scripts_say() {
    let yaml = policy_yaml(
        "lead-api",
        "${BASE_URL:-http://api.staging.local}",
        &scripts(&[("k6/peak-load-test.js", PEAK), ("k6/smoke-test.js", PLAIN)]),
    );
    insta::assert_snapshot!("first_policy", yaml);
}

/// The policy's own reader must take what is written.
#[test]
fn the_first_policy_loads() {
    let odd = "import { Trend, Counter, Rate, Gauge } from 'k6/metrics';\n\
        new Trend('lead_time', true); new Trend('len_len'); new Counter('errors'); new Rate('ok_rate'); new Gauge('g_g');\n\
        export const options = { thresholds: {\n\
          lead_time: ['avg<1.5', 'p(99.9)<=2', 'min>1'], len_len: ['max<5'], errors: ['count<10', 'rate<5'],\n\
          ok_rate: ['rate>0.9'], g_g: ['value<7'], unseen_thing: ['p(90)<3', 'rate<0.5', 'count>2'],\n\
          data_received: ['count<1000', 'rate<500'], http_reqs: ['rate>10'], vus: ['value>1'],\n\
          'http_req_duration{expected_response:true}': ['med<300'],\n\
          'checks{check:is ok: yes?}': [{ threshold: 'rate>=1', abortOnFail: true }],\n\
          'http_reqs{name:x/${}}': ['count>0'],\n\
        } };\n\
        const e = [__ENV.K6_THING, __ENV.OTHER];";
    for base_url in [
        "${BASE_URL:-http://api.staging.local}",
        "http://127.0.0.1:8080/api",
    ] {
        let yaml = policy_yaml(
            "lead: api",
            base_url,
            &scripts(&[
                ("k6/peak-load-test.js", PEAK),
                ("k6/smoke-test.js", PLAIN),
                ("k6/Odd One's.ts", odd),
            ]),
        );
        let policy = peakgate_policy::load(&yaml, &|_| None)
            .unwrap_or_else(|problems| panic!("{problems:#?}\n{yaml}"));
        let names: Vec<_> = policy.tests.keys().map(String::as_str).collect();
        assert_eq!(names, ["peak", "smoke", "odd-one-s"]);
        assert_eq!(policy.tests["peak"].objectives.len(), 4);
        assert_eq!(policy.tests["odd-one-s"].objectives.len(), 18, "{yaml}");
        let selected = &policy.tests["peak"].objectives[1].select;
        assert_eq!(selected.to_string(), "{name:GET /a/${}}");
    }
}

#[test]
fn without_scripts_it_says_what_to_do() {
    let yaml = policy_yaml("a: b", "http://10.0.0.1:8080", &[]);
    insta::assert_snapshot!("no_scripts", yaml);
}

/// Texts that would break out of a plain scalar or a comment.
#[test]
fn hostile_names_stay_what_they_are() {
    for name in [
        "true",
        "null",
        "1.5",
        "- x",
        "# c",
        "a: b",
        "a #b",
        "\"q\"",
        "it's",
        "\\",
        "x\ny: z",
        "\t",
        "\u{2028}",
        "\u{1}",
        "{}",
        "*x",
        "&x",
        "!x",
        "é ü",
        "",
        " lead",
        "yes",
        "%x",
        "${HOME}",
        "=",
        "~",
        "2026-01-01",
        "0x1f",
        ".inf",
        "<<",
    ] {
        let yaml = policy_yaml(name, "http://localhost", &scripts(&[(name, PLAIN)]));
        let value: serde_yaml::Value =
            serde_yaml::from_str(&yaml).unwrap_or_else(|e| panic!("{name:?}: {e}\n{yaml}"));
        let expected = name.replace("${", "$${");
        assert_eq!(value["service"].as_str(), Some(expected.as_str()), "{yaml}");
        let tests = value["tests"].as_mapping().expect("tests");
        let (_, test) = tests.iter().next().expect("a test");
        assert_eq!(test["script"].as_str(), Some(expected.as_str()), "{yaml}");
    }
    let source = "export const options = { thresholds: { 'a_a{x:\\ny: 1\\u2028z}': ['p(95)<5'], 'b\\nb: c': ['rate==1'] } };";
    let yaml = policy_yaml("s", "http://localhost", &scripts(&[("x.js", source)]));
    let value: serde_yaml::Value = serde_yaml::from_str(&yaml).expect("YAML");
    let objectives = value["tests"]["x"]["objectives"]
        .as_mapping()
        .expect("objectives");
    assert_eq!(objectives.len(), 1, "{yaml}");
    let (_, objective) = objectives.iter().next().expect("one");
    assert_eq!(
        objective["select"]["x"].as_str(),
        Some("y: 1\u{2028}z"),
        "{yaml}"
    );
}

#[test]
fn equal_names_are_told_apart() {
    let yaml = policy_yaml(
        "s",
        "http://localhost",
        &scripts(&[("a/load.js", PLAIN), ("b/load.js", PLAIN)]),
    );
    let value: serde_yaml::Value = serde_yaml::from_str(&yaml).expect("YAML");
    assert_eq!(value["tests"]["load"]["script"].as_str(), Some("a/load.js"));
    assert_eq!(
        value["tests"]["load-2"]["script"].as_str(),
        Some("b/load.js")
    );
    assert!(value["tests"]["load-2"]["required_for"].is_null());
}
