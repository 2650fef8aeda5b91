//! The server under load: a fixed answer, much cheaper than k6's request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::State;

use crate::error::{During, Result};

/// A server on loopback, on one thread, for as long as the program runs.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    port: u16,
    served: Arc<AtomicU64>,
}

impl Target {
    /// Starts it.
    pub(crate) fn start() -> Result<Self> {
        let listener =
            std::net::TcpListener::bind(("127.0.0.1", 0)).during("listening on 127.0.0.1")?;
        let port = listener.local_addr().during("reading the port")?.port();
        listener.set_nonblocking(true).during("listening")?;
        let served = Arc::new(AtomicU64::new(0));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .during("starting the server")?;
        let router = Router::new()
            .fallback(|State(served): State<Arc<AtomicU64>>| async move {
                served.fetch_add(1, Ordering::Relaxed);
                "ok"
            })
            .with_state(served.clone());
        std::thread::Builder::new()
            .name("target".to_owned())
            .spawn(move || {
                let served = runtime.block_on(async {
                    axum::serve(tokio::net::TcpListener::from_std(listener)?, router).await
                });
                if let Err(error) = served {
                    eprintln!("error: the server under load broke: {error}");
                }
            })
            .during("starting the server")?;
        Ok(Self { port, served })
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Requests answered so far: the count that does not depend on who asks.
    pub(crate) fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }
}
