//! `peakgate check`

use std::path::PathBuf;

use peakgate_policy::settings::Policy;

use super::{color, complain, key_value};
use crate::exit::Exit;
use crate::policy_file;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The policy.
    #[arg(value_name = "POLICY", default_value = "peakgate.yaml")]
    policy: PathBuf,
    /// A variable for the policy's `${…}`; may be given again.
    #[arg(short, value_name = "KEY=VALUE", value_parser = key_value)]
    e: Vec<(String, String)>,
}

pub(super) fn main(args: &Args) -> Exit {
    let file = match policy_file::read(&args.policy, &args.e, color()) {
        Ok(file) => file,
        Err(e) => {
            complain(&e.to_string());
            return Exit::Usage;
        }
    };
    let mut wrong = 0;
    for test in file.policy.tests.values() {
        if let Err(why) = super::run::load_script(&file, test) {
            complain(&why);
            wrong += 1;
        }
    }
    if wrong > 0 {
        return Exit::Usage;
    }
    tell(&args.policy, &file.policy);
    Exit::Success
}

fn tell(path: &std::path::Path, policy: &Policy) {
    println!(
        "{}: ok. {} on {} ({})",
        path.display(),
        policy.service,
        policy.environment.name,
        policy.environment.base_url
    );
    for test in policy.tests.values() {
        let required = if test.required_for.is_empty() {
            "on request"
        } else {
            "required by rule"
        };
        println!(
            "  {:<12} {} objectives, {required}, {}",
            test.name,
            test.objectives.len(),
            test.script
        );
    }
}
