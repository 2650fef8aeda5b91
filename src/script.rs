//! The script's files: what they say, their hash, and whether the policy's objectives can be
//! measured with them at all.

mod measurable;

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

use peakgate_script::{ScriptFacts, merge, read, relative_imports, resolve_relative};
use sha2::{Digest, Sha256};

pub(crate) use measurable::check;

/// More modules than this are not followed.
const MOST_MODULES: usize = 500;

/// A script with all that it imports by relative path.
#[derive(Debug)]
pub(crate) struct ScriptFiles {
    /// Where the script is, absolute.
    pub(crate) path: PathBuf,
    /// What it and its imports say.
    pub(crate) facts: ScriptFacts,
    /// SHA-256 over the paths and texts, in order of path.
    pub(crate) hash: String,
}

/// Why a script cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScriptFilesError {
    #[error("cannot read the script {}: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot read {}, which {importer} imports: {source}", path.display())]
    Import {
        path: PathBuf,
        importer: String,
        source: std::io::Error,
    },
    #[error("{path}:{line}:{column}: {message}")]
    Syntax {
        path: String,
        line: u32,
        column: u32,
        message: String,
    },
}

/// Reads a script and, by its relative imports, all further modules.
pub(crate) fn load(path: &Path) -> Result<ScriptFiles, ScriptFilesError> {
    let absolute = std::fs::canonicalize(path).map_err(|source| ScriptFilesError::Read {
        path: path.to_owned(),
        source,
    })?;
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    let mut facts = Vec::new();
    let mut queue = VecDeque::from([(absolute.display().to_string(), String::new())]);
    while let Some((name, importer)) = queue.pop_front() {
        if texts.contains_key(&name) || texts.len() >= MOST_MODULES {
            continue;
        }
        let text = match std::fs::read_to_string(&name) {
            Ok(text) => text,
            Err(source) if importer.is_empty() => {
                return Err(ScriptFilesError::Read {
                    path: name.into(),
                    source,
                });
            }
            Err(source) => {
                return Err(ScriptFilesError::Import {
                    path: name.into(),
                    importer,
                    source,
                });
            }
        };
        // JSON and other data may be imported or opened; only code is read for facts.
        if importer.is_empty() || is_code(&name) {
            let found = read(&text, &name).map_err(|e| ScriptFilesError::Syntax {
                path: shown(&name, path, &absolute),
                line: e.line,
                column: e.column,
                message: e.message,
            })?;
            for specifier in relative_imports(&found) {
                queue.push_back((resolve_relative(&name, specifier), name.clone()));
            }
            facts.push((name.clone(), found));
        }
        texts.insert(name, text);
    }
    Ok(ScriptFiles {
        facts: merge(facts),
        hash: hash(&absolute, &texts),
        path: absolute,
    })
}

fn is_code(name: &str) -> bool {
    [".js", ".mjs", ".cjs", ".ts", ".mts", ".cts"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// The script's own name as the user wrote it.
fn shown(name: &str, written: &Path, absolute: &Path) -> String {
    if Path::new(name) == absolute {
        written.display().to_string()
    } else {
        name.to_owned()
    }
}

fn hash(script: &Path, texts: &BTreeMap<String, String>) -> String {
    let root = script.parent().unwrap_or(script);
    let mut sha = Sha256::new();
    for (name, text) in texts {
        // Relative, so that the hash is the same on every machine.
        let name = Path::new(name)
            .strip_prefix(root)
            .unwrap_or(Path::new(name));
        sha.update(name.to_string_lossy().as_bytes());
        sha.update([0]);
        sha.update(text.as_bytes());
        sha.update([0]);
    }
    sha.finalize().iter().map(|b| format!("{b:02x}")).collect()
}
