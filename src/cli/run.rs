//! `peakgate run`

use std::path::PathBuf;
use std::time::Duration;

use peakgate_policy::settings::{Policy, Test};
use peakgate_terminal::{ProgressKind, Style, final_table_with};

use super::{EngineArg, Places, color, complain, duration, key_value, runtime};
use crate::engines::{K6Settings, default_cache};
use crate::exit::Exit;
use crate::gate::{self, Finished, Settings};
use crate::policy_file::{self, PolicyFile};
use crate::releases::Release;
use crate::script::{self, ScriptFiles};
use crate::signals::Signals;

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
    let file = match policy_file::read(&args.policy, &args.e, color()) {
        Ok(file) => file,
        Err(e) => {
            complain(&e.to_string());
            return Exit::Usage;
        }
    };
    let tests = match pick(&file.policy, &args) {
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
    gate_all(&file.policy, &tests, &scripts, &settings)
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

fn pick<'p>(policy: &'p Policy, args: &Args) -> Result<Vec<&'p Test>, String> {
    let names = || policy.tests.keys().cloned().collect::<Vec<_>>().join(", ");
    if let Some(name) = &args.test {
        return policy
            .tests
            .get(name)
            .map(|t| vec![t])
            .ok_or_else(|| format!("the policy has no test '{name}'; it has {}", names()));
    }
    let release = Release {
        name: args.release.as_deref(),
        previous: args.previous_release.as_deref(),
        changed: &args.changed,
    };
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

/// Runs the tests one after the other; the worst decides.
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
        for (test, script) in tests.iter().zip(scripts) {
            let mut own = settings.clone();
            if tests.len() > 1 {
                own.out = settings.out.join(&test.name);
            }
            let exit = match gate::run(policy, test, script, &own, &mut signals).await {
                Ok(finished) => tell(&finished, &own),
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
