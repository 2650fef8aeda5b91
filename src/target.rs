//! Whether anything listens where the load is to go: a run against nothing is not worth starting.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

const PATIENCE: Duration = Duration::from_secs(5);

/// Connects once to the base URL's host and port.
///
/// # Errors
/// What the network said, as one sentence.
pub(crate) async fn probe(base_url: &str) -> Result<(), String> {
    let url = Url::parse(base_url).map_err(|e| format!("{base_url} is not a URL: {e}"))?;
    let host = url
        .host_str()
        .ok_or_else(|| format!("{base_url} has no host"))?
        // Brackets are how a URL writes IPv6; the resolver does not want them.
        .trim_matches(['[', ']'])
        .to_owned();
    let port = url
        .port_or_known_default()
        .ok_or_else(|| format!("{base_url} has no port"))?;
    match timeout(PATIENCE, TcpStream::connect((host.as_str(), port))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(e)) => Err(format!("{host}:{port} cannot be reached: {e}")),
        Err(_) => Err(format!(
            "{host}:{port} did not accept a connection within {} s",
            PATIENCE.as_secs()
        )),
    }
}
