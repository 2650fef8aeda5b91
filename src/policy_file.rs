//! Reading a policy file.

use std::io::Read;
use std::path::{Path, PathBuf};

use peakgate_policy::Diagnostics;
use peakgate_policy::settings::Policy;

/// A policy and where it came from.
#[derive(Debug)]
pub(crate) struct PolicyFile {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) policy: Policy,
}

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PolicyFileError {
    #[error(
        "cannot read the policy {}: {source}. Name it with --policy, or write a first one with `peakgate init`",
        path.display()
    )]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the policy {} is not UTF-8 text: {source}", path.display())]
    NotText {
        path: PathBuf,
        source: std::string::FromUtf8Error,
    },
    #[error("{rendered}")]
    Wrong { rendered: String },
}

/// Larger files are refused by the parser; a little more is read so that it can say so.
const MOST: u64 = 2 * 1024 * 1024;

/// Reads and resolves a policy. `variables` come before the process's environment.
pub(crate) fn read(
    path: &Path,
    variables: &[(String, String)],
    color: bool,
) -> Result<PolicyFile, PolicyFileError> {
    let failed = |source| PolicyFileError::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MOST).read_to_end(&mut bytes))
        .map_err(failed)?;
    let text = String::from_utf8(bytes).map_err(|source| PolicyFileError::NotText {
        path: path.to_owned(),
        source,
    })?;
    let lookup = |name: &str| {
        variables
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
            .or_else(|| std::env::var(name).ok())
    };
    match peakgate_policy::load(&text, &lookup) {
        Ok(policy) => Ok(PolicyFile {
            path: path.to_owned(),
            text,
            policy,
        }),
        Err(wrong) => Err(PolicyFileError::Wrong {
            rendered: render(path, &text, &wrong, color),
        }),
    }
}

fn render(path: &Path, text: &str, wrong: &Diagnostics, color: bool) -> String {
    wrong.render(&path.display().to_string(), text, color)
}

impl PolicyFile {
    /// Renders further diagnostics against this policy's text.
    pub(crate) fn render(&self, wrong: &Diagnostics, color: bool) -> String {
        render(&self.path, &self.text, wrong, color)
    }

    /// The folder that scripts are relative to.
    pub(crate) fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }
}
