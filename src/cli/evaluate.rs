//! `peakgate evaluate`: judge again without running.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use peakgate_core::baseline::{Baseline, BaselineRun};
use peakgate_core::judge::{Case, Identity, Planned, judge};
use peakgate_core::verdict::SCHEMA_VERSION;
use peakgate_core::{Verdict, summary};
use peakgate_load::RunAccount;
use peakgate_policy::settings::{Policy, Test};
use peakgate_terminal::{Style, final_table};

use super::{color, complain, key_value};
use crate::exit::Exit;
use crate::{output, policy_file, record};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The policy.
    #[arg(long, value_name = "FILE", default_value = "peakgate.yaml")]
    policy: PathBuf,
    /// A verdict.json, or a k6 summary (handleSummary data or --summary-export).
    #[arg(long, value_name = "FILE")]
    results: PathBuf,
    /// The test; needed for a k6 summary when the policy has several.
    #[arg(long, value_name = "NAME")]
    test: Option<String>,
    /// Compare with the runs on record here; without it, with what the verdict was compared with.
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// Write verdict.json and summary.md here.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Judge every objective of a k6 summary over the whole run, whatever its window.
    #[arg(long)]
    whole_run: bool,
    /// A variable for the policy's `${…}`; may be given again.
    #[arg(short, value_name = "KEY=VALUE", value_parser = key_value)]
    e: Vec<(String, String)>,
}

/// No verdict and no summary is larger.
const LARGEST: u64 = 256 << 20;

/// What is judged again.
enum Results {
    Verdict(Box<Verdict>),
    Summary(RunAccount),
}

pub(super) fn main(args: &Args) -> Exit {
    match evaluate(args) {
        Ok(exit) => exit,
        Err((exit, why)) => {
            complain(&why);
            exit
        }
    }
}

fn evaluate(args: &Args) -> Result<Exit, (Exit, String)> {
    let usage = |e: String| (Exit::Usage, e);
    let file =
        policy_file::read(&args.policy, &args.e, color()).map_err(|e| usage(e.to_string()))?;
    let results = read(&args.results).map_err(usage)?;
    let named = match (&args.test, &results) {
        (Some(name), _) => Some(name.clone()),
        (None, Results::Verdict(v)) => Some(v.test.clone()),
        (None, Results::Summary(_)) => None,
    };
    let test = pick(&file.policy, named.as_deref()).map_err(usage)?;
    let mut verdict = match &results {
        Results::Verdict(old) => {
            same_subject(&file.policy, test, old).map_err(usage)?;
            let baseline = baseline(args, &file.policy, test, old)?;
            again(&file.policy, test, old, &baseline).map_err(usage)?
        }
        Results::Summary(account) => from_summary(&file.policy, test, account, args.whole_run),
    };
    print!("{}", final_table(&verdict, Style::detect()));
    if let Some(dir) = &args.out {
        output::prepare(dir)
            .and_then(|()| output::write_verdict(dir, &mut verdict))
            .map_err(|e| (Exit::Error, e.to_string()))?;
    }
    Ok(verdict.verdict.into())
}

fn read(path: &Path) -> Result<Results, String> {
    let name = path.display();
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text))
        .map_err(|e| format!("cannot read {name}: {e}"))?;
    if text.len() as u64 > LARGEST {
        return Err(format!("{name} is larger than {} MiB", LARGEST >> 20));
    }
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|e| format!("{name} is not JSON, or cut off: {e}"))?;
    match value
        .get("schema_version")
        .and_then(serde_json::Value::as_u64)
    {
        None => summary::read(&text)
            .map(Results::Summary)
            .map_err(|e| format!("{name}: {e}")),
        Some(version) if version == u64::from(SCHEMA_VERSION) => serde_json::from_value(value)
            .map(|v| Results::Verdict(Box::new(v)))
            .map_err(|e| format!("{name} is not a whole verdict: {e}")),
        Some(version) => Err(format!(
            "{name} has form {version} of verdict.json; this peakgate knows form {SCHEMA_VERSION}"
        )),
    }
}

fn pick<'p>(policy: &'p Policy, name: Option<&str>) -> Result<&'p Test, String> {
    let names = || policy.tests.keys().cloned().collect::<Vec<_>>().join(", ");
    match name {
        Some(name) => policy
            .tests
            .get(name)
            .ok_or_else(|| format!("the policy has no test '{name}'; it has {}", names())),
        None if policy.tests.len() == 1 => policy
            .tests
            .values()
            .next()
            .ok_or_else(|| "the policy has no test".to_owned()),
        None => Err(format!("which test? Name it with --test: {}", names())),
    }
}

/// Figures of one test, service or environment say nothing about another.
fn same_subject(policy: &Policy, test: &Test, old: &Verdict) -> Result<(), String> {
    let pairs = [
        ("test", old.test.as_str(), test.name.as_str()),
        ("service", &old.service, &policy.service),
        ("environment", &old.environment, &policy.environment.name),
    ];
    match pairs.iter().find(|(_, was, is)| was != is) {
        Some((what, was, is)) => Err(format!(
            "the results are of {what} '{was}', and the policy would judge them as '{is}'"
        )),
        None => Ok(()),
    }
}

fn baseline(
    args: &Args,
    policy: &Policy,
    test: &Test,
    old: &Verdict,
) -> Result<Baseline, (Exit, String)> {
    if let Some(path) = &args.history {
        let failed = |e: peakgate_history::HistoryError| (Exit::Error, e.to_string());
        let history = record::open(path).map_err(failed)?;
        let earlier = record::baseline(
            &history,
            policy,
            &test.name,
            old.rehearsal.is_some(),
            old.run_id.parse().ok(),
        )
        .map_err(failed)?;
        return Ok(earlier.baseline(&old.script_hash, &old.load.shape));
    }
    use peakgate_core::verdict::BaselineReport;
    Ok(match &old.baseline {
        BaselineReport::Found { runs, .. } => {
            let values = old
                .objectives
                .iter()
                .filter_map(|o| Some((o.id.clone(), o.baseline?)))
                .collect();
            Baseline::from_runs(&[BaselineRun {
                run_id: runs.join("+"),
                release: None,
                values,
                script_hash: String::new(),
                shape: String::new(),
            }])
        }
        BaselineReport::FirstRun => Baseline::from_runs(&[]),
        BaselineReport::NotCompared => Baseline::not_compared(),
    })
}

fn again(
    policy: &Policy,
    test: &Test,
    old: &Verdict,
    baseline: &Baseline,
) -> Result<Verdict, String> {
    let rehearsal = old
        .rehearsal
        .as_ref()
        .map(|r| Duration::try_from_secs_f64(r.seconds))
        .transpose()
        .map_err(|e| format!("the rehearsal's length is no duration: {e}"))?;
    let planned = old.load.plan.clone().map(|plan| Planned {
        full: old.load.full_plan.clone().unwrap_or_else(|| plan.clone()),
        plan,
        rehearsal,
    });
    if planned.is_some() && old.evidence.is_none() {
        return Err("this verdict carries no evidence, so it cannot be judged again".to_owned());
    }
    let mut verdict = judge(
        &Case {
            policy,
            test,
            planned: planned.as_ref(),
            evidence: old.evidence.as_ref(),
            timeline: &old.timeline,
            account: &old.account,
            generator: old.load.generator_cpu.zip(old.load.generator_delay_ms),
            baseline,
            today: record::today(),
            whole_run: false,
        },
        &Identity {
            run_id: old.run_id.clone(),
            release: old.release.clone(),
            commit: old.commit.clone(),
            started_at: old.started_at.clone(),
            finished_at: old.finished_at.clone(),
            engine: (old.engine.name.clone(), old.engine.version.clone()),
            script_hash: old.script_hash.clone(),
            rehearsal: old.rehearsal.as_ref().map(|r| r.seconds),
        },
    );
    verdict.base_url.clone_from(&old.base_url);
    verdict.judged_again_at = Some(jiff::Timestamp::now().to_string());
    Ok(verdict)
}

fn from_summary(policy: &Policy, test: &Test, account: &RunAccount, whole_run: bool) -> Verdict {
    let now = jiff::Timestamp::now().to_string();
    judge(
        &Case {
            policy,
            test,
            planned: None,
            evidence: None,
            timeline: &[],
            account,
            generator: None,
            baseline: &Baseline::not_compared(),
            today: record::today(),
            whole_run,
        },
        &Identity {
            run_id: "none".to_owned(),
            release: None,
            commit: None,
            started_at: now.clone(),
            finished_at: now,
            engine: ("summary".to_owned(), "unknown".to_owned()),
            script_hash: String::new(),
            rehearsal: None,
        },
    )
}
