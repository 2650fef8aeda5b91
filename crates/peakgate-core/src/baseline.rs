//! The figures of earlier runs that a run is compared with.

use std::collections::BTreeMap;

use crate::verdict::BaselineReport;

/// One earlier run's figures.
#[derive(Debug, Clone, PartialEq)]
pub struct BaselineRun {
    /// Its id.
    pub run_id: String,
    /// Its release.
    pub release: Option<String>,
    /// Objective id → value.
    pub values: BTreeMap<String, f64>,
    /// SHA-256 of its script; empty when not known.
    pub script_hash: String,
    /// Its load in words; empty when not known.
    pub shape: String,
}

/// What an objective is compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    values: BTreeMap<String, f64>,
    report: BaselineReport,
}

impl Baseline {
    /// The runs that the policy's rule chose; with several, each objective's median. Values that
    /// are not finite are left out: nothing may be compared with NaN.
    #[must_use]
    pub fn from_runs(runs: &[BaselineRun]) -> Self {
        if runs.is_empty() {
            return Self {
                values: BTreeMap::new(),
                report: BaselineReport::FirstRun,
            };
        }
        let mut by_objective: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for run in runs {
            for (id, value) in &run.values {
                if value.is_finite() {
                    by_objective.entry(id).or_default().push(*value);
                }
            }
        }
        let description = match runs {
            [only] => match &only.release {
                Some(release) => format!("release {release} (run {})", short(&only.run_id)),
                None => format!("run {}", short(&only.run_id)),
            },
            many => format!("the median of {} passed runs", many.len()),
        };
        Self {
            values: by_objective
                .into_iter()
                .filter_map(|(id, values)| Some((id.to_owned(), median(values)?)))
                .collect(),
            report: BaselineReport::Found {
                description,
                runs: runs.iter().map(|r| r.run_id.clone()).collect(),
                differs: Vec::new(),
            },
        }
    }

    /// Notes what was different when the runs were made: figures of another load are compared with
    /// a warning.
    #[must_use]
    pub fn noting(mut self, runs: &[BaselineRun], script_hash: &str, shape: &str) -> Self {
        let other = |theirs: fn(&BaselineRun) -> &str, ours: &str| {
            runs.iter()
                .any(|r| !theirs(r).is_empty() && theirs(r) != ours)
        };
        if let BaselineReport::Found { differs, .. } = &mut self.report {
            if other(|r| &r.shape, shape) {
                differs.push("the load".to_owned());
            }
            if other(|r| &r.script_hash, script_hash) {
                differs.push("the script".to_owned());
            }
        }
        self
    }

    /// No comparison is made at all (rehearsals, summaries).
    #[must_use]
    pub fn not_compared() -> Self {
        Self {
            values: BTreeMap::new(),
            report: BaselineReport::NotCompared,
        }
    }

    /// The value to compare an objective with.
    #[must_use]
    pub fn value(&self, objective: &str) -> Option<f64> {
        self.values.get(objective).copied()
    }

    /// The tag values of an objective with `each` that the baseline knows.
    pub fn tag_values<'a>(&'a self, objective: &'a str) -> impl Iterator<Item = &'a str> {
        self.values.keys().filter_map(move |id| {
            id.strip_prefix(objective)?
                .strip_prefix('[')?
                .strip_suffix(']')
        })
    }

    /// What the comparison is with.
    #[must_use]
    pub fn report(&self) -> &BaselineReport {
        &self.report
    }
}

/// Enough of an id to find it by.
#[must_use]
pub fn short(run_id: &str) -> &str {
    // The random end tells runs of one minute apart; ids are ASCII, but the world may send others.
    let start = run_id
        .char_indices()
        .rev()
        .nth(11)
        .map_or(0, |(start, _)| start);
    &run_id[start..]
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    let high = *values.get(n / 2)?;
    Some(if n % 2 == 1 {
        high
    } else {
        f64::midpoint(values[n / 2 - 1], high)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: &str, value: f64) -> BaselineRun {
        BaselineRun {
            run_id: id.into(),
            release: Some("v1".into()),
            values: [("p99".to_owned(), value)].into(),
            script_hash: "s".into(),
            shape: "10 users".into(),
        }
    }

    #[test]
    fn another_load_or_script_is_noted() {
        let runs = [run("a", 1.0)];
        let differs = |script: &str, shape: &str| match Baseline::from_runs(&runs)
            .noting(&runs, script, shape)
            .report
        {
            BaselineReport::Found { differs, .. } => differs,
            _ => panic!("a baseline was given"),
        };
        assert!(differs("s", "10 users").is_empty());
        assert_eq!(differs("s", "1 user"), ["the load"]);
        assert_eq!(differs("t", "10 users"), ["the script"]);
    }

    #[test]
    fn several_runs_give_the_median_and_nan_gives_nothing() {
        let b = Baseline::from_runs(&[run("a", 1.0), run("b", 9.0), run("c", 2.0)]);
        assert_eq!(b.value("p99"), Some(2.0));
        let b = Baseline::from_runs(&[run("a", 1.0), run("b", 2.0)]);
        assert_eq!(b.value("p99"), Some(1.5));
        let b = Baseline::from_runs(&[run("a", f64::NAN)]);
        assert_eq!(b.value("p99"), None);
        assert_eq!(*Baseline::from_runs(&[]).report(), BaselineReport::FirstRun);
    }
}
