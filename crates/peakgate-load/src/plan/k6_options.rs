//! Load plans from and to k6's resolved options (what `k6 inspect --execution-requirements` prints).

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{Executor, LoadPlan, Scenario, Stage};

/// Why options are not a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The executor is unknown, or cannot be gated.
    #[error(
        "scenario '{scenario}': executor '{executor}' cannot be judged; use shared-iterations, \
         per-vu-iterations, constant-vus, ramping-vus, constant-arrival-rate or ramping-arrival-rate"
    )]
    Executor {
        /// The scenario.
        scenario: String,
        /// What it asked for.
        executor: String,
    },
    /// A field is missing or not what it should be.
    #[error("scenario '{scenario}': {field} is {found}, expected {expected}")]
    Field {
        /// The scenario.
        scenario: String,
        /// k6's name of the field.
        field: &'static str,
        /// What stood there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// The options carry no scenarios at all.
    #[error("the options have no scenarios")]
    NoScenarios,
}

const GRACE: Duration = Duration::from_secs(30);
const MAX_DURATION: Duration = Duration::from_secs(600);

/// Reads a duration as k6 and Go write it (`1h2m3.5s`, `250ms`); a bare number is milliseconds.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Ok(ms) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(ms / 1000.0).ok();
    }
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .filter(|&n| n > 0)?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit_end = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        total += number
            * match &rest[..unit_end] {
                "ns" => 1e-9,
                "us" | "µs" | "μs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "d" => 86400.0,
                _ => return None,
            };
        rest = &rest[unit_end..];
    }
    (!text.is_empty())
        .then(|| Duration::try_from_secs_f64(total).ok())
        .flatten()
}

/// Writes a duration as k6 does: `1h30m`, `1m5s`, `250ms`.
#[must_use]
pub fn format_duration(d: Duration) -> String {
    let (s, ms) = (d.as_secs(), d.subsec_millis());
    if s == 0 {
        return if ms > 0 {
            format!("{ms}ms")
        } else {
            "0s".into()
        };
    }
    let mut out = String::new();
    for (unit, n) in [("h", s / 3600), ("m", s / 60 % 60)] {
        if n > 0 {
            out += &format!("{n}{unit}");
        }
    }
    if ms > 0 {
        let tail = format!("{ms:03}");
        out += &format!("{}.{}s", s % 60, tail.trim_end_matches('0'));
    } else if s % 60 > 0 {
        out += &format!("{}s", s % 60);
    }
    out
}

struct Fields<'a> {
    scenario: &'a str,
    map: Map<String, Value>,
}

impl Fields<'_> {
    /// Takes a field; k6 prints unset ones as null.
    fn take(&mut self, field: &str) -> Option<Value> {
        self.map.remove(field).filter(|v| !v.is_null())
    }

    fn wrong(&self, field: &'static str, found: &Value, expected: &'static str) -> PlanError {
        PlanError::Field {
            scenario: self.scenario.to_owned(),
            field,
            found: found.to_string(),
            expected,
        }
    }

    fn number(&mut self, field: &'static str) -> Result<Option<f64>, PlanError> {
        self.take(field)
            .map(|v| {
                v.as_f64()
                    .filter(|n| *n >= 0.0)
                    .ok_or_else(|| self.wrong(field, &v, "a number, 0 or more"))
            })
            .transpose()
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn count(&mut self, field: &'static str, default: u64) -> Result<u64, PlanError> {
        Ok(self.number(field)?.map_or(default, |n| n as u64))
    }

    fn duration(&mut self, field: &'static str, default: Duration) -> Result<Duration, PlanError> {
        self.take(field).map_or(Ok(default), |v| {
            duration_value(&v).ok_or_else(|| self.wrong(field, &v, "a duration such as 5m"))
        })
    }

    fn required_duration(&mut self, field: &'static str) -> Result<Duration, PlanError> {
        let found = self.map.get(field).cloned().unwrap_or(Value::Null);
        if found.is_null() {
            return Err(self.wrong(field, &found, "a duration such as 5m"));
        }
        self.duration(field, Duration::ZERO)
    }

    fn stages(&mut self) -> Result<Vec<Stage>, PlanError> {
        let value = self.take("stages").unwrap_or(Value::Null);
        let stages = value.as_array().and_then(|list| {
            list.iter()
                .map(|stage| {
                    Some(Stage {
                        duration: duration_value(stage.get("duration")?)?,
                        target: stage.get("target")?.as_f64().filter(|t| *t >= 0.0)?,
                    })
                })
                .collect::<Option<Vec<_>>>()
        });
        stages.ok_or_else(|| self.wrong("stages", &value, "a list of {duration, target}"))
    }
}

fn duration_value(value: &Value) -> Option<Duration> {
    match value {
        Value::String(text) => parse_duration(text),
        Value::Number(ms) => Duration::try_from_secs_f64(ms.as_f64()? / 1000.0).ok(),
        _ => None,
    }
}

impl LoadPlan {
    /// Reads the `scenarios` of k6's resolved options.
    ///
    /// # Errors
    /// No scenarios, an executor that cannot be judged, or a field that is not what k6 documents.
    pub fn from_k6_options(options: &Value) -> Result<Self, PlanError> {
        let scenarios = options
            .get("scenarios")
            .and_then(Value::as_object)
            .filter(|map| !map.is_empty())
            .ok_or(PlanError::NoScenarios)?;
        let scenarios = scenarios
            .iter()
            .map(|(name, value)| Self::scenario(name, value))
            .collect::<Result<_, _>>()?;
        Ok(Self { scenarios })
    }

    fn scenario(name: &str, value: &Value) -> Result<Scenario, PlanError> {
        let mut f = Fields {
            scenario: name,
            map: value.as_object().cloned().unwrap_or_default(),
        };
        let executor = f.take("executor").unwrap_or(Value::Null);
        let start_time = f.duration("startTime", Duration::ZERO)?;
        let graceful_stop = f.duration("gracefulStop", GRACE)?;
        let time_unit = f.duration("timeUnit", Duration::from_secs(1))?;
        let executor = match executor.as_str().unwrap_or_default() {
            "shared-iterations" => Executor::SharedIterations {
                vus: f.count("vus", 1)?,
                iterations: f.count("iterations", 1)?,
                max_duration: f.duration("maxDuration", MAX_DURATION)?,
            },
            "per-vu-iterations" => Executor::PerVuIterations {
                vus: f.count("vus", 1)?,
                iterations: f.count("iterations", 1)?,
                max_duration: f.duration("maxDuration", MAX_DURATION)?,
            },
            "constant-vus" => Executor::ConstantVus {
                vus: f.count("vus", 1)?,
                duration: f.required_duration("duration")?,
            },
            "ramping-vus" => Executor::RampingVus {
                start_vus: f.count("startVUs", 1)?,
                stages: f.stages()?,
                graceful_ramp_down: f.duration("gracefulRampDown", GRACE)?,
            },
            "constant-arrival-rate" => {
                let pre_allocated_vus = f.count("preAllocatedVUs", 1)?;
                Executor::ConstantArrivalRate {
                    rate: f.number("rate")?.unwrap_or(0.0),
                    time_unit,
                    duration: f.required_duration("duration")?,
                    pre_allocated_vus,
                    max_vus: f.count("maxVUs", pre_allocated_vus)?,
                }
            }
            "ramping-arrival-rate" => {
                let pre_allocated_vus = f.count("preAllocatedVUs", 1)?;
                Executor::RampingArrivalRate {
                    start_rate: f.number("startRate")?.unwrap_or(0.0),
                    time_unit,
                    stages: f.stages()?,
                    pre_allocated_vus,
                    max_vus: f.count("maxVUs", pre_allocated_vus)?,
                }
            }
            other => {
                return Err(PlanError::Executor {
                    scenario: name.to_owned(),
                    executor: other.to_owned(),
                });
            }
        };
        f.map.retain(|_, v| !v.is_null());
        Ok(Scenario {
            name: name.to_owned(),
            start_time,
            graceful_stop,
            executor,
            rest: f.map,
        })
    }

    /// The plan as k6's `scenarios` option.
    #[must_use]
    pub fn to_k6_scenarios(&self) -> Value {
        Value::Object(
            self.scenarios
                .iter()
                .map(|s| (s.name.clone(), scenario_value(s)))
                .collect(),
        )
    }
}

fn scenario_value(s: &Scenario) -> Value {
    let text = |d: Duration| Value::String(format_duration(d));
    let list = |stages: &[Stage]| {
        stages
            .iter()
            .map(|st| json!({"duration": text(st.duration), "target": number(st.target)}))
            .collect::<Vec<_>>()
    };
    let mut out = s.rest.clone();
    out.insert("executor".into(), s.executor.name().into());
    out.insert("startTime".into(), text(s.start_time));
    out.insert("gracefulStop".into(), text(s.graceful_stop));
    let mut set = |pairs: Vec<(&str, Value)>| {
        out.extend(pairs.into_iter().map(|(k, v)| (k.to_owned(), v)));
    };
    match &s.executor {
        Executor::SharedIterations {
            vus,
            iterations,
            max_duration,
        }
        | Executor::PerVuIterations {
            vus,
            iterations,
            max_duration,
        } => set(vec![
            ("vus", (*vus).into()),
            ("iterations", (*iterations).into()),
            ("maxDuration", text(*max_duration)),
        ]),
        Executor::ConstantVus { vus, duration } => {
            set(vec![("vus", (*vus).into()), ("duration", text(*duration))]);
        }
        Executor::RampingVus {
            start_vus,
            stages,
            graceful_ramp_down,
        } => set(vec![
            ("startVUs", (*start_vus).into()),
            ("stages", list(stages).into()),
            ("gracefulRampDown", text(*graceful_ramp_down)),
        ]),
        Executor::ConstantArrivalRate {
            rate,
            time_unit,
            duration,
            pre_allocated_vus,
            max_vus,
        } => set(vec![
            ("rate", number(*rate)),
            ("timeUnit", text(*time_unit)),
            ("duration", text(*duration)),
            ("preAllocatedVUs", (*pre_allocated_vus).into()),
            ("maxVUs", (*max_vus).into()),
        ]),
        Executor::RampingArrivalRate {
            start_rate,
            time_unit,
            stages,
            pre_allocated_vus,
            max_vus,
        } => set(vec![
            ("startRate", number(*start_rate)),
            ("timeUnit", text(*time_unit)),
            ("stages", list(stages).into()),
            ("preAllocatedVUs", (*pre_allocated_vus).into()),
            ("maxVUs", (*max_vus).into()),
        ]),
    }
    Value::Object(out)
}

/// Whole numbers without a fraction: k6 refuses `5.0` for a target.
fn number(n: f64) -> Value {
    if n.fract() == 0.0 && n.abs() < 9e15 {
        #[allow(clippy::cast_possible_truncation)]
        let n = n as i64;
        n.into()
    } else {
        n.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_write_as_k6_does() {
        for (text, ms, back) in [
            ("5m", 300_000, "5m"),
            ("1h2m3.5s", 3_723_500, "1h2m3.5s"),
            ("250ms", 250, "250ms"),
            ("1500", 1500, "1.5s"),
            ("0s", 0, "0s"),
            ("90s", 90_000, "1m30s"),
            ("1s50ms", 1050, "1.05s"),
        ] {
            let d = parse_duration(text).unwrap();
            assert_eq!(d, Duration::from_millis(ms), "{text}");
            assert_eq!(format_duration(d), back);
        }
        for bad in ["", "s", "5", "x5s", "5parsecs", "-1s", "1..s"] {
            let read = parse_duration(bad);
            assert!(read.is_none() || bad == "5", "{bad}: {read:?}");
        }
    }

    #[test]
    fn reads_what_inspect_prints_and_writes_it_back() {
        let options = serde_json::json!({"scenarios": {
            "default": {"executor": "ramping-vus", "startTime": null, "gracefulStop": null,
                "env": null, "exec": null, "tags": null, "startVUs": null,
                "stages": [{"duration": "1s", "target": 3}], "gracefulRampDown": null},
            "api": {"executor": "constant-arrival-rate", "rate": 50, "timeUnit": "1m0s",
                "duration": "30s", "preAllocatedVUs": 5, "exec": "api", "tags": {"a": "b"}},
        }});
        let plan = LoadPlan::from_k6_options(&options).unwrap();
        assert_eq!(plan.scenarios[1].rest["exec"], "api");
        assert_eq!(plan.max_vus(), 8);
        let again = LoadPlan::from_k6_options(&json!({"scenarios": plan.to_k6_scenarios()}));
        assert_eq!(again.unwrap(), plan);
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<LoadPlan>(&text).unwrap(), plan);
    }

    #[test]
    fn refuses_what_cannot_be_judged() {
        let ask = |v: Value| LoadPlan::from_k6_options(&json!({"scenarios": {"x": v}}));
        assert!(matches!(
            ask(json!({"executor": "externally-controlled"})),
            Err(PlanError::Executor { .. })
        ));
        assert!(ask(json!({"executor": "constant-vus", "duration": null})).is_err());
        assert!(ask(json!({"executor": "ramping-vus", "stages": [{"target": -1}]})).is_err());
        assert_eq!(
            LoadPlan::from_k6_options(&json!({"scenarios": {}})),
            Err(PlanError::NoScenarios)
        );
    }
}
