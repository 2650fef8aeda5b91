//! What good policies resolve to.

use std::time::Duration;

use peakgate_load::MetricKind;
use peakgate_policy::load;
use peakgate_policy::settings::{
    BaselineRule, Bump, Direction, EngineChoice, LiveChannel, LoadOverride, Mode, Objective,
    Policy, Regression, ScriptThresholds, Statistic, Test, Unit, WindowRule,
};

use crate::{minimal, unset};

const FULL: &str = include_str!("../samples/full.yaml");

fn full() -> Policy {
    match load(FULL, &unset) {
        Ok(policy) => policy,
        Err(problems) => panic!("{}", problems.render("full.yaml", FULL, false)),
    }
}

fn objective<'a>(test: &'a Test, id: &str) -> &'a Objective {
    test.objectives.iter().find(|o| o.id == id).unwrap()
}

#[test]
fn the_full_sample_resolves_to_every_setting() {
    let p = full();
    assert_eq!(p.service, "lead-api");
    assert_eq!(p.environment.base_url, "http://api.staging.local");
    assert_eq!(
        p.environment.allowed_hosts,
        ["api.staging.local", "*.staging.local"]
    );
    assert_eq!(
        p.tests.keys().collect::<Vec<_>>(),
        ["peak", "spike", "soak", "smoke", "steady"]
    );
    let peak = &p.tests["peak"];
    assert_eq!(
        peak.env.iter().collect::<Vec<_>>(),
        [
            (&"API_KEY".to_owned(), &"demo".to_owned()),
            // As written, not as a number.
            (&"RATE".to_owned(), &"0.10".to_owned()),
            (&"DEBUG".to_owned(), &"true".to_owned()),
        ]
    );
    assert_eq!(peak.rehearsal_env["THINK_TIME_SCALE"], "0.1");
    assert_eq!(peak.required_for.len(), 1);
    assert_eq!(peak.required_for[0].bump, None);
    assert_eq!(peak.position.line, 8);
    let spike = &p.tests["spike"];
    assert_eq!(
        (spike.engine, spike.live),
        (EngineChoice::K6, LiveChannel::Light)
    );
    assert_eq!(spike.required_for[0].bump, Some(Bump::Major));
    assert_eq!(spike.required_for[1].paths.len(), 2);
    assert!(
        spike.required_for[1]
            .version
            .as_ref()
            .unwrap()
            .matches(&"2.1.0".parse().unwrap())
    );
    assert_eq!((p.score.unwrap().pass, p.score.unwrap().warn), (0.9, 0.75));
    assert!(!p.safety.stop_when_lost);
    let valve = &p.safety.valves[0];
    assert_eq!(
        (valve.hold, valve.within, valve.min_samples),
        (Duration::from_secs(30), Duration::from_secs(5), 10)
    );
    assert_eq!((valve.threshold, valve.direction), (0.1, Direction::AtMost));
    let starved = &p.safety.valves[1];
    assert_eq!(
        (starved.direction, starved.unit),
        (Direction::AtLeast, Unit::PerSecond)
    );
    assert_eq!(starved.select.to_string(), "{status:200}");
    assert_eq!((p.validity.min_samples, p.validity.min_achieved), (50, 0.9));
    assert_eq!(p.validity.max_scheduling_delay, Duration::from_millis(10));
    assert_eq!(p.baseline.with, BaselineRule::MedianOfLast(5));
    assert!(p.baseline.missing_warns);
    assert_eq!(p.script_thresholds, ScriptThresholds::Warn);
    assert_eq!(p.hash.len(), 64);
}

#[test]
fn loads_take_their_four_shapes() {
    let p = full();
    assert!(matches!(
        p.tests["spike"].load,
        Some(LoadOverride::Ramping { start_vus: 5, ref stages }) if stages.len() == 2
    ));
    assert_eq!(
        p.tests["soak"].load,
        Some(LoadOverride::Constant {
            vus: 10,
            duration: Duration::from_secs(60)
        })
    );
    assert_eq!(
        p.tests["smoke"].load,
        Some(LoadOverride::Iterations {
            vus: 2,
            iterations: 20
        })
    );
    assert_eq!(
        p.tests["steady"].load,
        Some(LoadOverride::Rate {
            per_second: 50.0,
            duration: Duration::from_secs(90),
            max_vus: 100
        })
    );
    assert_eq!(p.tests["peak"].load, None);
}

#[test]
fn objectives_have_their_units_and_kinds() {
    let p = full();
    let peak = &p.tests["peak"];
    let p99 = objective(peak, "p99-latency");
    assert_eq!(p99.statistic, Statistic::Quantile(0.99));
    assert_eq!(
        (p99.limit, p99.warn, p99.unit),
        (Some(1000.0), Some(800.0), Unit::Millis)
    );
    assert_eq!(p99.kind, Some(MetricKind::Trend));
    assert_eq!(
        p99.max_regression,
        Some(Regression {
            relative: Some(0.1),
            absolute: Some(50.0)
        })
    );
    assert_eq!(
        p99.window,
        WindowRule::Between {
            from: Duration::from_secs(120),
            to: Some(Duration::from_secs(600))
        }
    );
    assert_eq!(
        (p99.key, p99.weight, p99.certainty),
        (true, 2.0, Some(0.95))
    );
    assert_eq!(
        p99.select.to_string(),
        "{name:POST /api/v1/leads,status=~2..,shard:1.10}"
    );
    let waiver = p99.waiver.as_ref().unwrap();
    assert_eq!(
        (waiver.ceiling, waiver.expires.to_string().as_str()),
        (1500.0, "2026-12-31")
    );
    assert_eq!(
        objective(peak, "p95-by-endpoint").each.as_deref(),
        Some("name")
    );
    assert_eq!(objective(peak, "p95-by-endpoint").limit, Some(600.0));
    assert_eq!(objective(peak, "error-rate").limit, Some(0.005));
    let checks = objective(peak, "checks-hold");
    assert_eq!(
        (checks.direction, checks.mode),
        (Direction::AtLeast, Mode::DryRun)
    );
    // Less throughput is worse, though nothing says so but the metric.
    let throughput = objective(peak, "throughput");
    assert_eq!(
        (throughput.direction, throughput.limit),
        (Direction::AtLeast, None)
    );
    assert_eq!(throughput.max_regression.unwrap().absolute, Some(5.0));
    let received = objective(peak, "received");
    assert_eq!(
        (received.limit, received.unit),
        (Some(5e6), Unit::BytesPerSecond)
    );
    let waits = objective(peak, "waits");
    assert_eq!(
        (waits.unit, waits.kind),
        (Unit::Millis, Some(MetricKind::Trend))
    );
    assert_eq!(waits.mode, Mode::Informational);
}

#[test]
fn a_regex_matches_the_whole_value() {
    let p = full();
    let select = &objective(&p.tests["peak"], "p99-latency").select;
    let tags = |status: &str| {
        [
            ("name", "POST /api/v1/leads"),
            ("status", status),
            ("shard", "1.10"),
        ]
        .into_iter()
        .collect()
    };
    assert!(select.matches(&tags("201")));
    assert!(!select.matches(&tags("2010")));
    assert!(!select.matches(&tags("1201")));
}

#[test]
fn overrides_go_field_by_field() {
    let p = full();
    let spike = &p.tests["spike"];
    let p99 = objective(spike, "p99-latency");
    // Its own limit; the warning taken away; the rest as shared.
    assert_eq!((p99.limit, p99.warn, p99.weight), (Some(2000.0), None, 2.0));
    assert!(spike.objectives.iter().all(|o| o.id != "throughput"));
    let own = objective(spike, "spike-only");
    assert_eq!(
        (own.limit, own.unit, own.kind),
        (Some(10.0), Unit::Plain, Some(MetricKind::Trend))
    );
    assert!(
        p.tests["peak"]
            .objectives
            .iter()
            .all(|o| o.id != "spike-only")
    );
}

#[test]
fn defaults_are_the_documented_ones() {
    let p = load(&minimal(""), &unset).unwrap();
    let v = &p.validity;
    assert_eq!((v.min_samples, v.rehearsal_min_samples), (100, 20));
    assert_eq!(
        (v.max_dropped, v.min_achieved, v.max_exceptions),
        (0.01, 0.95, 0.01)
    );
    assert_eq!(
        (v.max_cpu, v.max_scheduling_delay),
        (0.9, Duration::from_millis(20))
    );
    assert_eq!(p.environment.allowed_hosts, ["h.local"]);
    assert!(p.safety.stop_when_lost && p.safety.valves.is_empty());
    assert_eq!(p.baseline.with, BaselineRule::LastPassed);
    assert!(!p.baseline.missing_warns);
    assert_eq!(p.script_thresholds, ScriptThresholds::Fail);
    let o = &p.tests["t"].objectives[0];
    assert_eq!(
        (o.window, o.mode, o.weight),
        (WindowRule::Plateau, Mode::Judged, 1.0)
    );
    let valve = "safety: {valves: {v: {metric: http_req_failed, statistic: rate, above: 0.1}}}";
    let p = load(&minimal(valve), &unset).unwrap();
    let v = &p.safety.valves[0];
    assert_eq!(
        (v.hold, v.within, v.min_samples),
        (Duration::ZERO, Duration::from_secs(1), 1)
    );
}

#[test]
fn variables_become_text_and_where_needed_numbers() {
    let text = minimal("baseline: {with: {release: \"${V}\"}}").replace(
        "{t: {script: t.js}}",
        "\n  t:\n    script: t.js\n    env: {A: \"${V}\", B: \"$${V}\"}\n    load:\n      vus: ${V}\n      duration: 1m",
    );
    let p = load(&text, &|name| (name == "V").then(|| "12".to_owned())).unwrap();
    assert_eq!(p.tests["t"].env["A"], "12");
    assert_eq!(p.tests["t"].env["B"], "${V}");
    assert!(matches!(
        p.tests["t"].load,
        Some(LoadOverride::Constant { vus: 12, .. })
    ));
    assert_eq!(p.baseline.with, BaselineRule::Release("12".into()));
}

#[test]
fn json_is_read_as_well() {
    let text = "{\n\t\"service\": \"s\",\n\t\"environment\": {\"name\": \"n\", \"base_url\": \"http:\\/\\/h.local\"},\n\t\"tests\": {\"t\": {\"script\": \"t.js\"}},\n\t\"objectives\": {\"o\": {\"metric\": \"http_req_duration\", \"statistic\": \"avg\", \"max\": \"1s\"}}\n}\n";
    match load(text, &unset) {
        Ok(policy) => assert_eq!(policy.environment.base_url, "http://h.local"),
        Err(problems) => panic!("{}", problems.render("p.json", text, false)),
    }
}

#[test]
fn anchors_and_aliases_work() {
    let text = minimal("").replace(
        "o: {metric: http_req_duration, statistic: p(99), max: 1s}",
        "o: {metric: http_req_duration, statistic: p(99), max: 1s, select: &s {name: x}}\n  \
         p: {metric: http_reqs, statistic: rate, min: 1/s, select: *s}",
    );
    let p = load(&text, &unset).unwrap();
    assert_eq!(p.tests["t"].objectives[1].select.to_string(), "{name:x}");
}
