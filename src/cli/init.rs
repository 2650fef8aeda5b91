//! `peakgate init`: a first policy from the scripts that are there.

use std::path::{Path, PathBuf};

use peakgate_script::{ImportKind, ScriptFacts, policy_yaml, read};

use super::complain;
use crate::exit::Exit;
use crate::{output, script};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to look for scripts, and where the policy is written.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// The policy's name in that folder.
    #[arg(long, value_name = "FILE", default_value = "peakgate.yaml")]
    policy: PathBuf,
    /// The service's name; without it, the folder's.
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Where the load is to go.
    #[arg(long, value_name = "URL", default_value = "http://localhost:8080")]
    base_url: String,
    /// Write over a policy that is there.
    #[arg(long)]
    force: bool,
}

/// Folders that hold no scripts of the project's own.
const SKIPPED: [&str; 5] = ["node_modules", "target", "dist", "vendor", "build"];
const DEEPEST: usize = 8;
const MOST_FILES: usize = 10_000;
const LARGEST: u64 = 1024 * 1024;

pub(super) fn main(args: &Args) -> Exit {
    let path = args.dir.join(&args.policy);
    if path.exists() && !args.force {
        complain(&format!(
            "{} is there already; use --force to write over it",
            path.display()
        ));
        return Exit::Usage;
    }
    let scripts = find(&args.dir);
    if scripts.is_empty() {
        complain(&format!(
            "no k6 script under {}: none imports 'k6' or 'k6/…' and exports a default function \
             or options",
            args.dir.display()
        ));
        return Exit::Usage;
    }
    let service = args
        .service
        .clone()
        .unwrap_or_else(|| folder_name(&args.dir));
    let text = policy_yaml(&service, &args.base_url, &scripts);
    if let Err(e) = output::write(&path, text.as_bytes()) {
        complain(&e.to_string());
        return Exit::Error;
    }
    println!("wrote {} with {} tests:", path.display(), scripts.len());
    for (script, facts) in &scripts {
        println!("  {script} ({} thresholds)", facts.thresholds.len());
    }
    println!("next: peakgate check {}", path.display());
    Exit::Success
}

fn folder_name(dir: &Path) -> String {
    std::fs::canonicalize(dir)
        .ok()
        .and_then(|d| Some(d.file_name()?.to_string_lossy().into_owned()))
        .unwrap_or_else(|| "service".to_owned())
}

/// The k6 scripts under a folder, by relative path, in order.
fn find(root: &Path) -> Vec<(String, ScriptFacts)> {
    let mut found = Vec::new();
    let mut seen = 0;
    let mut queue = vec![(root.to_owned(), 0)];
    while let Some((dir, depth)) = queue.pop() {
        let Ok(entries) = std::fs::read_dir(&dir) else {
            continue;
        };
        for entry in entries.flatten() {
            seen += 1;
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if seen > MOST_FILES || name.starts_with('.') {
                continue;
            }
            if kind.is_dir() {
                if depth < DEEPEST && !SKIPPED.contains(&name.as_ref()) {
                    queue.push((path, depth + 1));
                }
            } else if kind.is_file()
                && [".js", ".ts", ".mjs"].iter().any(|end| name.ends_with(end))
                && entry.metadata().is_ok_and(|m| m.len() <= LARGEST)
                && let Some(facts) = k6_script(&path)
            {
                let relative = path.strip_prefix(root).unwrap_or(&path);
                found.push((relative.display().to_string(), facts));
            }
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// The facts of a file that is a runnable k6 script.
fn k6_script(path: &Path) -> Option<ScriptFacts> {
    let text = std::fs::read_to_string(path).ok()?;
    let own = read(&text, &path.to_string_lossy()).ok()?;
    // With what it imports: metrics and thresholds may be defined there. A missing import is for
    // `check` to complain about.
    let facts = script::load(path).map_or_else(|_| own.clone(), |files| files.facts);
    let runs = own.exports("default") || own.exports("options");
    let uses_k6 = own.imports.iter().any(|i| i.kind == ImportKind::K6);
    (runs && (uses_k6 || own.exports("options"))).then_some(facts)
}
