//! The gate: run the required test, check it, tell, and leave nothing behind.

pub(crate) mod request;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use peakgate_core::judge::{Case, Identity, Planned, judge_lightly};
use peakgate_core::{Evidence, Outcome, Verdict};
use peakgate_engine::{EngineError, EngineIdentity};
use peakgate_history::{History, HistoryError, RunId, RunStart};
use peakgate_load::{ExitReason, Resolution, RunAccount, StopCause};
use peakgate_policy::settings::{EngineChoice, Policy, Test};
use peakgate_terminal::{Progress, ProgressKind};

use crate::engines::{self, K6Settings};
use crate::exit::Exit;
use crate::output::{self, OutputError};
use crate::record;
use crate::script::ScriptFiles;
use crate::signals::{Caught, Signals};
use crate::target;

/// Stored evidence has at most this many histogram bins (about 3 MB of JSON).
const MOST_BINS: usize = 200_000;

/// What one run of the gate is asked to do.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) engine: Option<EngineChoice>,
    pub(crate) k6: K6Settings,
    pub(crate) out: PathBuf,
    pub(crate) history: PathBuf,
    /// `-e KEY=VALUE`, which wins over the policy.
    pub(crate) env: Vec<(String, String)>,
    pub(crate) rehearsal: Option<Duration>,
    pub(crate) release: Option<String>,
    pub(crate) commit: Option<String>,
    pub(crate) progress: ProgressKind,
}

/// A run that was judged.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) verdict: Verdict,
    pub(crate) exit: Exit,
    /// What went wrong after the verdict was known; it changes the exit code, never the verdict.
    pub(crate) trouble: Vec<String>,
}

/// Why there is no verdict at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GateError {
    #[error(transparent)]
    History(#[from] HistoryError),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("{what}: {source}")]
    System {
        what: &'static str,
        source: std::io::Error,
    },
}

/// What happened between the start of the run and its judgement.
struct Played {
    engine: EngineIdentity,
    planned: Option<Planned>,
    watched: watch::Watched,
    account: RunAccount,
    caught: Option<Caught>,
}

/// Runs one test, judges it, records it and tells it.
///
/// # Errors
/// The history or the output folder cannot be used; nothing was run then.
pub(crate) async fn run(
    policy: &Policy,
    test: &Test,
    script: &ScriptFiles,
    settings: &Settings,
    signals: &mut Signals,
) -> Result<Finished, GateError> {
    // The target is the one that the script is told, whatever the policy calls it by default.
    let mut policy = policy.clone();
    policy.environment.base_url = request::base_url(&policy, test, settings);
    let policy = &policy;
    // Everything that could keep the result from being kept is tried before load is made.
    output::prepare(&settings.out)?;
    let history = record::open(&settings.history)?;
    let run_id = RunId::generate();
    let rehearsal = settings.rehearsal.is_some();
    let earlier = record::baseline(&history, policy, &test.name, rehearsal, None)?;
    let last_rate = history.last_request_rate(&policy.service, &test.name)?;
    let started = Timestamp::now();
    let scratch = tempfile::tempdir().map_err(|source| GateError::System {
        what: "cannot make a folder for temporary files",
        source,
    })?;
    begin(&history, policy, test, settings, &run_id, started)?;

    let stage = Stage {
        policy,
        test,
        script,
        settings,
        scratch: scratch.path(),
        last_rate,
        earlier: &earlier,
    };
    let mut played = stage.play(signals).await;
    let ended = std::time::Instant::now();
    let verdict = stage.judge(&mut played, &run_id, started);
    tracing::debug!(
        milliseconds = ended.elapsed().as_secs_f64() * 1000.0,
        "time from the engine's end to the verdict"
    );
    Ok(conclude(
        &history, &run_id, started, verdict, &played, settings,
    ))
}

fn begin(
    history: &History,
    policy: &Policy,
    test: &Test,
    settings: &Settings,
    run_id: &RunId,
    started: Timestamp,
) -> Result<(), GateError> {
    // The plan is not known yet: a day covers every test that a gate can wait for.
    let deadline = started
        .checked_add(jiff::SignedDuration::from_hours(24))
        .unwrap_or(Timestamp::MAX);
    history.begin(&RunStart {
        run_id: *run_id,
        service: policy.service.clone(),
        test: test.name.clone(),
        environment: policy.environment.name.clone(),
        release: settings.release.clone(),
        commit: settings.commit.clone(),
        started_at: started,
        deadline,
        rehearsal_seconds: settings.rehearsal.map(|d| d.as_secs_f64()),
    })?;
    Ok(())
}

/// Writes, records, and says how the process is to end.
fn conclude(
    history: &History,
    run_id: &RunId,
    started: Timestamp,
    mut verdict: Verdict,
    played: &Played,
    settings: &Settings,
) -> Finished {
    let mut trouble = Vec::new();
    let recorded = record::row(run_id, started, Timestamp::now(), &mut verdict)
        .map_err(|e| format!("the verdict cannot be recorded: {e}"))
        .and_then(|row| history.finish(&row).map_err(|e| e.to_string()));
    if let Err(why) = recorded {
        // What is not on record proves nothing: nobody may publish by this file.
        verdict.reason = format!(
            "judged {} ({}), but not recorded: {why}",
            verdict.verdict, verdict.reason
        );
        verdict.verdict = Outcome::Error;
        trouble.push(why);
    }
    if let Err(e) = output::write_verdict(&settings.out, &mut verdict) {
        trouble.push(e.to_string());
    }
    let exit = match (played.caught, trouble.is_empty()) {
        (Some(caught), _) => caught.exit(),
        // A release must not go out on a verdict that left no proof.
        (None, false) => Exit::from(verdict.verdict).worse(Exit::Error),
        (None, true) => verdict.verdict.into(),
    };
    Finished {
        verdict,
        exit,
        trouble,
    }
}

struct Stage<'a> {
    policy: &'a Policy,
    test: &'a Test,
    script: &'a ScriptFiles,
    settings: &'a Settings,
    scratch: &'a std::path::Path,
    last_rate: Option<f64>,
    earlier: &'a record::Earlier,
}

fn unknown_engine() -> EngineIdentity {
    EngineIdentity {
        name: "k6".to_owned(),
        version: "unknown".to_owned(),
    }
}

/// The account of a run that came to nothing.
fn no_run(exit: ExitReason) -> RunAccount {
    RunAccount {
        exit,
        exit_code: None,
        load_seconds: 0.0,
        resolution: Resolution::Exact,
        metrics: Vec::new(),
        thresholds: Vec::new(),
        iteration_exceptions: 0,
        notes: Vec::new(),
    }
}

fn not_played(engine: EngineIdentity, exit: ExitReason, caught: Option<Caught>) -> Played {
    Played {
        engine,
        planned: None,
        watched: watch::Watched::default(),
        account: no_run(exit),
        caught,
    }
}

impl Stage<'_> {
    /// Prepares and runs the load, watching it.
    async fn play(&self, signals: &mut Signals) -> Played {
        let title = format!("{} of {}", self.test.name, self.policy.service);
        let progress = Progress::new(self.settings.progress, &title);
        let stopped =
            |caught: Caught| ExitReason::Stopped(StopCause::Interrupted(caught.name().into()));
        let ready = tokio::select! {
            ready = self.make_ready(&progress) => ready,
            caught = signals.caught() => {
                progress.finish();
                return not_played(unknown_engine(), stopped(caught), Some(caught));
            }
        };
        let (engine, prepared) = match ready {
            Ok(ready) => ready,
            Err(why) => {
                progress.finish();
                return not_played(unknown_engine(), why, None);
            }
        };
        let identity = prepared.engine.clone();
        let planned = Planned {
            plan: prepared.plan.clone(),
            full: prepared.full_plan.clone(),
            rehearsal: self.settings.rehearsal,
        };
        let running = match engine.start(&prepared).await {
            Ok(running) => running,
            Err(e) => {
                progress.finish();
                return not_played(identity, ExitReason::NotStarted(e.to_string()), None);
            }
        };
        let mut watch = watch::Watch::new(self.policy, self.test, &planned, &prepared.request);
        let (account, caught) = watch.follow(running, signals, progress).await;
        Played {
            engine: identity,
            planned: Some(planned),
            watched: watch.finish(),
            account,
            caught,
        }
    }

    /// Tries the target, finds the engine and reads the script's plan.
    async fn make_ready(
        &self,
        progress: &Progress,
    ) -> Result<(Box<dyn peakgate_engine::Engine>, peakgate_engine::Prepared), ExitReason> {
        let words = |e: EngineError| ExitReason::NotStarted(e.to_string());
        target::probe(&self.policy.environment.base_url)
            .await
            .map_err(ExitReason::TargetDown)?;
        let choice = self.settings.engine.unwrap_or(self.test.engine);
        let tell = |text: &str| progress.note(text);
        let engine = engines::choose(choice, &self.settings.k6, &tell)
            .await
            .map_err(words)?;
        let request = request::build(
            self.policy,
            self.test,
            self.script,
            self.settings,
            self.scratch,
        );
        let mut prepared = engine.prepare(request).await.map_err(words)?;
        let (live, why) = engines::live(self.policy, self.test, &prepared.plan, self.last_rate);
        tracing::debug!(?live, why, "live channel");
        prepared.request.live = live;
        if prepared.plan.max_vus() == 0 {
            return Err(ExitReason::NotStarted(
                "the plan has no load: no virtual users at any time".to_owned(),
            ));
        }
        Ok((engine, prepared))
    }

    fn judge(&self, played: &mut Played, run_id: &RunId, started: Timestamp) -> Verdict {
        let nothing = Evidence::default();
        let shape = played
            .planned
            .as_ref()
            .map(|p| p.plan.describe())
            .unwrap_or_default();
        let baseline = self.earlier.baseline(&self.script.hash, &shape);
        let case = Case {
            policy: self.policy,
            test: self.test,
            planned: played.planned.as_ref(),
            evidence: Some(played.watched.evidence.as_ref().unwrap_or(&nothing)),
            timeline: &played.watched.timeline,
            account: &played.account,
            generator: played.watched.generator,
            baseline: &baseline,
            today: record::today(),
            whole_run: false,
        };
        let identity = Identity {
            run_id: run_id.to_string(),
            release: self.settings.release.clone(),
            commit: self.settings.commit.clone(),
            started_at: started.to_string(),
            finished_at: Timestamp::now().to_string(),
            engine: (played.engine.name.clone(), played.engine.version.clone()),
            script_hash: self.script.hash.clone(),
            rehearsal: self.settings.rehearsal.map(|d| d.as_secs_f64()),
        };
        let mut verdict = judge_lightly(&case, &identity);
        // Moved, not copied: for many endpoints it is most of the gate's memory.
        let mut evidence = played.watched.evidence.take().unwrap_or_default();
        evidence.coarsen(MOST_BINS);
        verdict.evidence = Some(evidence);
        debug_assert!(
            !verdict.verdict.releases() || played.account.exit.is_whole(),
            "a run that was cut short lets nothing through"
        );
        debug_assert!(verdict.verdict != Outcome::Pass || verdict.load.valid);
        verdict
    }
}
