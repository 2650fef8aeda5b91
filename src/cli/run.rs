//! `peakgate run`

use std::path::PathBuf;
use std::time::Duration;

use peakgate_history::{RunFilter, Verdict as Recorded};
use peakgate_policy::settings::{Policy, Test};
use peakgate_terminal::{ProgressKind, Style, final_table_with};

use super::{EngineArg, Places, color, complain, duration, key_value, runtime};
use crate::engines::{K6Settings, default_cache};
use crate::exit::Exit;
use crate::gate::request::forbidden_urls;
use crate::gate::{self, Finished, Settings};
use crate::policy_file::{self, PolicyFile};
use crate::releases::Release;
use crate::script::{self, ScriptFiles};
use crate::signals::Signals;
use crate::{output, record};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The policy.
    #[arg(long, value_name = "FILE", default_value = "peakgate.yaml")]
    policy: PathBuf,
    /// The test; without it, those that the policy requires for this release.
    #[arg(long, value_name = "NAME")]
    test: Option<String>,
    #[command(flatten)]
    places: Places,
    /// A variable for the script and for the policy's `${…}`; may be given again.
    #[arg(short, value_name = "KEY=VALUE", value_parser = key_value)]
    e: Vec<(String, String)>,
    /// Compress the load to this length, keeping its shape. Never counts for a release.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    rehearsal: Option<Duration>,
    /// The release under test.
    #[arg(long, value_name = "NAME")]
    release: Option<String>,
    /// The release before it, to tell a major from a minor one.
    #[arg(long, value_name = "NAME")]
    previous_release: Option<String>,
    /// The commit under test.
    #[arg(long, value_name = "SHA")]
    commit: Option<String>,
    /// A file that the release changes, for rules by path; may be given again.
    #[arg(long = "changed", value_name = "PATH")]
    changed: Vec<String>,
}

pub(super) fn main(args: Args) -> Exit {
    // An earlier run's verdict must not be taken for this one's, whatever happens from here on.
    if let Err(e) = output::clear(&args.places.out) {
        complain(&e.to_string());
        return Exit::Error;
    }
    let file = match policy_file::read(&args.policy, &args.e, color()) {
        Ok(file) => file,
        Err(e) => {
            complain(&e.to_string());
            return Exit::Usage;
        }
    };
    let previous = previous(&args, &file.policy);
    let named = args.release.clone();
    let changed = args.changed.clone();
    let release = Release {
        name: named.as_deref(),
        previous: previous.as_deref(),
        changed: &changed,
    };
    let tests = match pick(&file.policy, args.test.as_deref(), &release) {
        Ok(tests) => tests,
        Err(why) => {
            complain(&why);
            return Exit::Usage;
        }
    };
    // All scripts are checked before the first load, so that nothing runs for half an hour first.
    let mut scripts = Vec::new();
    for test in &tests {
        match load_script(&file, test) {
            Ok(found) => scripts.push(found),
            Err(why) => {
                complain(&why);
                return Exit::Usage;
            }
        }
    }
    let settings = settings(
        args.places,
        args.e,
        args.rehearsal,
        args.release,
        args.commit,
    );
    for test in &tests {
        let forbidden = forbidden_urls(&file.policy, test, &settings);
        if !forbidden.is_empty() {
            complain(&format!(
                "test '{}' gives its script URLs of hosts that environment.allowed_hosts does not \
                 allow: {}; allowed are {}",
                test.name,
                forbidden.join(", "),
                file.policy.environment.allowed_hosts.join(", ")
            ));
            return Exit::Usage;
        }
    }
    if let Some(asked) = &args.test {
        tell_others(&file.policy, &release, asked);
    }
    gate_all(&file.policy, &tests, &scripts, &settings)
}

/// A named test is not the proof that a release needs: say what else is.
fn tell_others(policy: &Policy, release: &Release<'_>, asked: &str) {
    if release.name.is_none() {
        return;
    }
    let others: Vec<_> = release
        .required(policy)
        .into_iter()
        .map(|t| t.name.as_str())
        .filter(|name| *name != asked)
        .collect();
    if !others.is_empty() {
        eprintln!("note: this release also requires {}", others.join(", "));
    }
}

/// The release before, from the runs on record.
fn previous(args: &Args, policy: &Policy) -> Option<String> {
    if args.previous_release.is_some() || !args.places.history.exists() {
        return args.previous_release.clone();
    }
    let filter = RunFilter {
        service: Some(policy.service.clone()),
        limit: Some(100),
        ..RunFilter::default()
    };
    record::open(&args.places.history)
        .and_then(|history| history.list(&filter))
        .ok()?
        .into_iter()
        .filter(|run| matches!(run.state.verdict(), Some(Recorded::Pass | Recorded::Warn)))
        .filter(|run| run.rehearsal_seconds.is_none() && run.invalidated.is_none())
        .find_map(|run| {
            run.release
                .filter(|name| Some(name) != args.release.as_ref())
        })
}

/// The settings of a run.
pub(super) fn settings(
    places: Places,
    env: Vec<(String, String)>,
    rehearsal: Option<Duration>,
    release: Option<String>,
    commit: Option<String>,
) -> Settings {
    Settings {
        engine: places.engine.map(EngineArg::into),
        k6: K6Settings {
            binary: places.k6,
            cache: default_cache(),
            fetch: false,
        },
        out: places.out,
        history: places.history,
        env,
        rehearsal,
        release,
        commit,
        progress: ProgressKind::detect(),
    }
}

fn pick<'p>(
    policy: &'p Policy,
    named: Option<&str>,
    release: &Release<'_>,
) -> Result<Vec<&'p Test>, String> {
    let names = || policy.tests.keys().cloned().collect::<Vec<_>>().join(", ");
    if let Some(name) = named {
        return policy
            .tests
            .get(name)
            .map(|t| vec![t])
            .ok_or_else(|| format!("the policy has no test '{name}'; it has {}", names()));
    }
    let required = release.required(policy);
    if required.is_empty() {
        return Err(format!(
            "the policy requires no test for this release; name one with --test ({}), or say \
             with `required_for` which releases need it",
            names()
        ));
    }
    Ok(required)
}

/// Reads a test's script and checks that its objectives can be measured with it.
pub(super) fn load_script(file: &PolicyFile, test: &Test) -> Result<ScriptFiles, String> {
    let path = file.folder().join(&test.script);
    let found = script::load(&path).map_err(|e| {
        let place = test.position;
        let (name, line, column) = (file.path.display(), place.line, place.column);
        format!(
            "{e}\n  the policy names it at {name}:{line}:{column} (test '{}')",
            test.name
        )
    })?;
    let wrong = script::check(&file.policy, test, &found.facts);
    match peakgate_policy::Diagnostics::new(wrong) {
        Some(wrong) => Err(file.render(&wrong, color())),
        None => Ok(found),
    }
}

/// Runs the tests one after the other; the worst decides. With several, each has a folder of its
/// own in the output folder, and the deciding one's verdict stands in the output folder itself.
pub(super) fn gate_all(
    policy: &Policy,
    tests: &[&Test],
    scripts: &[ScriptFiles],
    settings: &Settings,
) -> Exit {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(e) => {
            complain(&format!("cannot start: {e}"));
            return Exit::Error;
        }
    };
    runtime.block_on(async {
        let mut signals = match Signals::listen() {
            Ok(signals) => signals,
            Err(e) => {
                complain(&format!("cannot listen for signals: {e}"));
                return Exit::Error;
            }
        };
        let mut worst = Exit::Success;
        let mut deciding: Option<(Exit, Finished)> = None;
        for (test, script) in tests.iter().zip(scripts) {
            let mut own = settings.clone();
            if tests.len() > 1 {
                own.out = settings.out.join(&test.name);
            }
            let exit = match gate::run(policy, test, script, &own, &mut signals).await {
                Ok(finished) => {
                    let exit = tell(&finished, &own);
                    if deciding
                        .as_ref()
                        .is_none_or(|(before, _)| before.worse(exit) != *before)
                    {
                        deciding = Some((exit, finished));
                    }
                    exit
                }
                Err(e) => {
                    complain(&e.to_string());
                    Exit::Error
                }
            };
            worst = worst.worse(exit);
            if matches!(exit, Exit::Interrupted | Exit::Terminated) {
                break;
            }
        }
        if let (Some((_, mut finished)), true) = (deciding, tests.len() > 1)
            && let Err(e) = output::write_verdict(&settings.out, &mut finished.verdict)
        {
            complain(&e.to_string());
            worst = worst.worse(Exit::Error);
        }
        worst
    })
}

fn tell(finished: &Finished, settings: &Settings) -> Exit {
    print!(
        "{}",
        final_table_with(&finished.verdict, Style::detect(), Some(&settings.out))
    );
    for trouble in &finished.trouble {
        complain(trouble);
    }
    finished.exit
}
