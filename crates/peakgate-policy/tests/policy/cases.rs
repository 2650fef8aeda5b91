//! Policies with one fault each.

use peakgate_policy::Code;

use crate::minimal;

/// A policy whose one objective is this.
pub(crate) fn objective(fields: &str) -> String {
    minimal("").replace(
        "{metric: http_req_duration, statistic: p(99), max: 1s}",
        &format!("{{{fields}}}"),
    )
}

/// A policy whose test has more keys.
pub(crate) fn test(fields: &str) -> String {
    minimal("").replace("script: t.js", &format!("script: t.js, {fields}"))
}

pub(crate) fn valve(fields: &str) -> String {
    minimal(&format!("safety: {{valves: {{v: {{{fields}}}}}}}\n"))
}

pub(crate) fn base_url(url: &str) -> String {
    minimal("").replace("http://h.local", url)
}

pub(crate) const LATENCY: &str = "metric: http_req_duration, statistic: p(99)";

/// Code, policy, a piece of the message, the text at the fault's place (or empty).
pub(crate) fn cases() -> Vec<(Code, String, &'static str, &'static str)> {
    use Code as C;
    let o = |rest: &str| objective(&format!("{LATENCY}, {rest}"));
    vec![
        (C::TooLarge, "#".repeat(2_000_000), "1 MiB", ""),
        (C::Syntax, "service: [a\nb: {".into(), "not valid YAML", ""),
        (
            C::Syntax,
            "service: s\nenvironment:\n\tname: x\n".into(),
            "not valid YAML",
            "",
        ),
        (C::Empty, "# nothing\n".into(), "empty", ""),
        (C::Empty, String::new(), "empty", ""),
        (C::NotAMapping, "- a\n".into(), "not a list", "- a"),
        (C::NotAMapping, "hello".into(), "not text", "hello"),
        (C::TooDeep, "[".repeat(100), "64 deep", ""),
        (C::TooManyNodes, "- x\n".repeat(21_000), "20000 values", ""),
        (
            C::YamlFeature,
            minimal("---\na: b\n"),
            "second YAML document",
            "---",
        ),
        (
            C::YamlFeature,
            minimal("score: !mine {pass: 1}\n"),
            "tags",
            "",
        ),
        (C::YamlFeature, minimal("<<: {a: b}\n"), "merge keys", "<<"),
        (
            C::YamlFeature,
            minimal("? [a]\n: b\n"),
            "a key must be a name",
            "",
        ),
        (
            C::YamlFeature,
            minimal("score: &a [*a]\n"),
            "contains it",
            "*a",
        ),
        (
            C::DuplicateKey,
            minimal("service: again\n"),
            "a second time",
            "service: again",
        ),
        (
            C::UnsetVariable,
            base_url("${NOPE}"),
            "NOPE is not set",
            "\"${NOPE}",
        ),
        (C::BadReference, base_url("${1}"), "does not name", "\"${1}"),
        (C::BadReference, base_url("${A"), "closing", "\"${A"),
        (
            C::UnknownKey,
            minimal("servce: x\n"),
            "not a key of a policy",
            "servce",
        ),
        (
            C::UnknownKey,
            minimal("notifications: {}\n"),
            "not available yet",
            "notifications",
        ),
        (
            C::UnknownKey,
            o("max: 1s, maximum: 2"),
            "not a key of `o`",
            "maximum",
        ),
        (
            C::MissingKey,
            minimal("").replace("service: s\n", ""),
            "lacks `service`",
            "",
        ),
        (
            C::MissingKey,
            test("objectives: {new: {max: 1s}}"),
            "lacks `metric`",
            "new",
        ),
        (
            C::WrongType,
            minimal("score: 5\n"),
            "must be a mapping, not a number",
            "5",
        ),
        (
            C::WrongType,
            minimal("").replace("service: s", "service: 5"),
            "must be text",
            "5",
        ),
        (C::WrongType, minimal("score:\n"), "has no value", "score"),
        (C::UnknownValue, test("engine: k7"), "cannot be `k7`", "k7"),
        (
            C::UnknownValue,
            minimal("baseline: {with: last_pased}\n"),
            "last_pased",
            "last_pased",
        ),
        (
            C::UnknownValue,
            o("max: 1s, window: plato"),
            "plato",
            "plato",
        ),
        (
            C::OutOfRange,
            minimal("validity: {min_samples: 0}\n"),
            "at least 1",
            "0}",
        ),
        (
            C::OutOfRange,
            minimal("baseline: {with: {median_of_last: 0}}\n"),
            "at least 1",
            "0}",
        ),
        (C::OutOfRange, o("max: 1s, weight: 0"), "above 0", "0}"),
        (C::OutOfRange, o("max: 1s, certainty: 40%"), "50 %", "40%"),
        (C::OutOfRange, o("max: 1s, certainty: 100%"), "50 %", "100%"),
        (
            C::OutOfRange,
            valve("metric: vus, statistic: value, above: 1, within: 0s"),
            "1s",
            "0s",
        ),
        (
            C::OutOfRange,
            minimal("").replace("{t: {script: t.js}}", "{}"),
            "not be empty",
            "tests",
        ),
        (
            C::BadName,
            minimal("").replace("{t: {", "{Big Test: {"),
            "is not a name",
            "Big Test",
        ),
        (
            C::BadName,
            test("env: {\"A=B\": x}"),
            "cannot name",
            "\"A=B\"",
        ),
        (C::BadUnit, o("max: 500"), "needs a unit", "500"),
        (C::BadUnit, o("max: 5MB"), "wrong unit", "5MB"),
        (C::BadUnit, o("max: 5 parsecs"), "parsecs", "5 parsecs"),
        (C::BadUnit, o("max: -5ms"), "negative", "-5ms"),
        (C::BadUnit, o("max: .nan"), "finite", ".nan"),
        (C::BadUnit, o("max: .inf"), "finite", ".inf"),
        (
            C::BadUnit,
            o("max: 1s, max_regression: 0.1"),
            "share or an amount",
            "0.1",
        ),
        (
            C::BadUnit,
            objective("metric: http_req_failed, statistic: rate, max: 10"),
            "more than the whole",
            "10}",
        ),
        (
            C::BadUnit,
            objective("metric: http_reqs, statistic: rate, min: 50"),
            "needs a unit",
            "50}",
        ),
        (
            C::BadUnit,
            objective("metric: mine, statistic: rate, min: 50"),
            "needs a unit",
            "50}",
        ),
        (
            C::BadUnit,
            objective("metric: mine, statistic: avg, max: 50, warn: 5ms"),
            "another unit",
            "5ms",
        ),
        (
            C::BadUnit,
            test("load: {vus: 1, duration: 60}"),
            "needs a unit",
            "60}",
        ),
        (
            C::BadUnit,
            test("load: {rate: 50, duration: 1m, max_vus: 5}"),
            "needs a unit",
            "50,",
        ),
        (
            C::BadUnit,
            minimal("score: {pass: 90, warn: 75%}\n"),
            "more than the whole",
            "90,",
        ),
        (
            C::BadStatistic,
            objective("metric: http_req_duration, statistic: p99, max: 1s"),
            "not a statistic",
            "p99",
        ),
        (
            C::BadStatistic,
            objective("metric: http_req_duration, statistic: p(101), max: 1s"),
            "0 to 100",
            "p(101)",
        ),
        (
            C::BadStatistic,
            objective("metric: http_req_failed, statistic: avg, max: 1%"),
            "has no avg",
            "avg",
        ),
        (
            C::BadStatistic,
            valve("metric: http_reqs, statistic: value, above: 1"),
            "has no value",
            "value",
        ),
        (
            C::BadMetric,
            objective("metric: http-req-duration, statistic: avg, max: 1s"),
            "not a metric name",
            "http-req-duration",
        ),
        (
            C::BadMetric,
            objective("metric: \"http_reqs{a:b}\", statistic: count, max: 1"),
            "not a metric name",
            "\"http_reqs{a:b}",
        ),
        (
            C::NoLimit,
            objective(LATENCY),
            "nothing could ever fail",
            "o:",
        ),
        (
            C::NoLimit,
            o("mode: dry_run"),
            "nothing could ever fail",
            "o:",
        ),
        (C::NoLimit, o("warn: 1s"), "without `max` or `min`", "o:"),
        (
            C::Conflict,
            o("max: 1s, min: 1ms"),
            "both `max` and `min`",
            "o:",
        ),
        (
            C::Conflict,
            o("max: 1s, key: true, mode: informational"),
            "does not count",
            "key",
        ),
        (
            C::Conflict,
            o("max: 1s, each: name, select: {name: x}"),
            "one value",
            "name, select",
        ),
        (
            C::Conflict,
            valve("metric: vus, statistic: value"),
            "neither",
            "v:",
        ),
        (
            C::Conflict,
            valve("metric: vus, statistic: value, above: 1, below: 2"),
            "both",
            "v:",
        ),
        (C::WrongSide, o("max: 1s, warn: 2s"), "below `max`", "2s"),
        (
            C::WrongSide,
            o("max: 1s, warn: 1000ms"),
            "below `max`",
            "1000ms",
        ),
        (
            C::WrongSide,
            objective("metric: checks, statistic: rate, min: 99%, warn: 90%"),
            "above `min`",
            "90%",
        ),
        (
            C::WrongSide,
            o("max: 1s, waiver: {ceiling: 500ms, reason: r, owner: o, expires: 2026-01-01}"),
            "waives nothing",
            "500ms",
        ),
        (
            C::WrongSide,
            minimal("score: {pass: 50%, warn: 60%}\n"),
            "above the score that passes",
            "60%",
        ),
        (
            C::BadDate,
            o("max: 1s, waiver: {ceiling: 2s, reason: r, owner: o, expires: 31.12.2026}"),
            "not a date",
            "31.12.2026",
        ),
        (
            C::BadDate,
            o("max: 1s, waiver: {ceiling: 2s, reason: r, owner: o, expires: 2026-02-30}"),
            "not a date",
            "2026-02-30",
        ),
        (
            C::BadWindow,
            o("max: 1s, window: {from: 5m, to: 2m}"),
            "ends before",
            "2m}",
        ),
        (C::BadUrl, base_url("ftp://h.local"), "http://", "\"ftp"),
        (C::BadUrl, base_url("h.local"), "not a URL", "\"h.local"),
        (
            C::BadUrl,
            base_url("http://u:p@h.local"),
            "user or password",
            "\"http",
        ),
        (C::BadUrl, base_url("http://"), "no host", "\"http"),
        (
            C::BadUrl,
            base_url("http://h.local:99999"),
            "port",
            "\"http",
        ),
        (
            C::BadUrl,
            base_url("http://h.local/?a=b"),
            "end with its path",
            "\"http",
        ),
        (
            C::BadUrl,
            base_url("http://2852039166/"),
            "neither a name",
            "\"http",
        ),
        (C::BadHost, hosts("\"*\""), "every host", "\"*\""),
        (C::BadHost, hosts("\"h.local:80\""), "port", "\"h.local:80"),
        (
            C::BadHost,
            hosts("\"http://h.local\""),
            "is a URL",
            "\"http://h.local\"]",
        ),
        (C::BadHost, hosts("a b"), "neither a host name", "a b"),
        (
            C::ForbiddenHost,
            base_url("http://169.254.169.254"),
            "never loaded",
            "\"http",
        ),
        (
            C::ForbiddenHost,
            base_url("http://[fd00:ec2::254]"),
            "never loaded",
            "\"http",
        ),
        (
            C::ForbiddenHost,
            hosts("h.local, 168.63.129.16"),
            "never loaded",
            "168.63",
        ),
        (
            C::ForbiddenHost,
            hosts("other.local"),
            "not among",
            "\"http://h.local\"",
        ),
        (
            C::NoObjectives,
            minimal("")
                .split("objectives")
                .next()
                .unwrap_or_default()
                .into(),
            "no objective",
            "t:",
        ),
        (
            C::NoObjectives,
            test("objectives: {o: null}"),
            "no objective",
            "t:",
        ),
        (
            C::UnknownObjective,
            test("objectives: {oo: null}"),
            "not there",
            "oo",
        ),
        (
            C::BadRegex,
            o("max: 1s, select: {name: {regex: \"(\"}}"),
            "unclosed",
            "\"(\"",
        ),
        (
            C::BadRegex,
            o("max: 1s, select: {name: {regex: \"a)(b\"}}"),
            "unopened",
            "\"a)(b\"",
        ),
        (
            C::BadLoad,
            test("load: {stages: [{duration: 1m, target: 5}], duration: 1m}"),
            "does not go with",
            "duration: 1m}",
        ),
        (
            C::BadLoad,
            test("load: {vus: 5}"),
            "lacks `duration`",
            "load",
        ),
        (
            C::BadLoad,
            test("load: {duration: 5s}"),
            "none of the shapes",
            "load",
        ),
        (
            C::BadLoad,
            test("load: {vus: 0, duration: 5s}"),
            "at least 1",
            "0,",
        ),
        (
            C::BadLoad,
            test("load: {vus: 1, duration: 0s}"),
            "more than nothing",
            "0s",
        ),
        (
            C::BadLoad,
            test("load: {stages: [{duration: 0s, target: 5}]}"),
            "no time",
            "stages",
        ),
        (
            C::BadVersion,
            test("required_for: [{version: two}]"),
            "not a version range",
            "two",
        ),
        (
            C::BadGlob,
            test("required_for: [{paths: [\"a[\"]}]"),
            "not a glob",
            "\"a[",
        ),
        (
            C::ReservedName,
            test("env: {K6_VUS: 5}"),
            "k6's own options",
            "K6_VUS",
        ),
        (
            C::ReservedName,
            test("rehearsal: {env: {PEAKGATE_X: 5}}"),
            "PEAKGATE_",
            "PEAKGATE_X",
        ),
    ]
}

pub(crate) fn hosts(list: &str) -> String {
    minimal("").replace(
        "\"http://h.local\"",
        &format!("\"http://h.local\", allowed_hosts: [{list}]"),
    )
}
