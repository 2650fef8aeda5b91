//! What a run leaves in its output folder: `verdict.json` and `summary.md`, each whole or not there.

use std::io::Write;
use std::path::{Path, PathBuf};

use peakgate_core::Verdict;

/// Why the folder or a file in it cannot be written.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot write {}: {source}. Check the disk's space and the folder's permissions, or give another folder with --out",
    path.display()
)]
pub(crate) struct OutputError {
    path: PathBuf,
    source: std::io::Error,
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> OutputError + '_ {
    move |source| OutputError {
        path: path.to_owned(),
        source,
    }
}

/// The files that a run leaves.
const FILES: [&str; 3] = ["verdict.json", "summary.md", "k6.log"];

/// Takes an earlier run's files away: a verdict that is found after a run must be that run's, also
/// when the run came to nothing.
pub(crate) fn clear(dir: &Path) -> Result<(), OutputError> {
    for name in FILES {
        let path = dir.join(name);
        match std::fs::remove_file(&path) {
            Err(e)
                if e.kind() != std::io::ErrorKind::NotFound
                    && e.kind() != std::io::ErrorKind::NotADirectory =>
            {
                return Err(at(&path)(e));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Makes the folder and checks that it can be written to, before any load is made.
pub(crate) fn prepare(dir: &Path) -> Result<(), OutputError> {
    std::fs::create_dir_all(dir).map_err(at(dir))?;
    clear(dir)?;
    tempfile::NamedTempFile::new_in(dir).map_err(at(dir))?;
    Ok(())
}

/// Writes a file atomically: to a temporary one beside it, to the disk, then renamed.
pub(crate) fn write(path: &Path, text: &[u8]) -> Result<(), OutputError> {
    let dir = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(at(path))?;
    file.write_all(text).map_err(at(path))?;
    file.as_file().sync_all().map_err(at(path))?;
    readable_by_all(file.as_file()).map_err(at(path))?;
    file.persist(path).map_err(|e| at(path)(e.error))?;
    Ok(())
}

/// Temporary files are private; what a CI job uploads afterwards must not be.
fn readable_by_all(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

/// Writes both files of a verdict.
pub(crate) fn write_verdict(dir: &Path, verdict: &mut Verdict) -> Result<(), OutputError> {
    let path = dir.join("verdict.json");
    let json = document(verdict).map_err(|e| at(&path)(std::io::Error::other(e)))?;
    write(&path, json.as_bytes())?;
    write(
        &dir.join("summary.md"),
        peakgate_core::render::markdown(verdict).as_bytes(),
    )
}

/// The verdict as JSON: indented for people, but for the evidence, which only programs read and
/// which would be a hundred thousand lines.
fn document(verdict: &mut Verdict) -> Result<String, serde_json::Error> {
    verdict.apart(|light, evidence| {
        let mut text = serde_json::to_string_pretty(light)?;
        if let Some(evidence) = evidence {
            const LAST: &str = "null\n}";
            debug_assert!(text.ends_with(&format!("\"evidence\": {LAST}")));
            text.truncate(text.len() - LAST.len());
            text += &serde_json::to_string(evidence)?;
            text += "\n}";
        }
        text.push('\n');
        Ok(text)
    })
}
