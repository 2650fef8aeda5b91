//! Starting and stopping the service.

use std::future::IntoFuture;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::api::{Service, router};
use crate::connections::CountedListener;
use crate::mode::Mode;
use crate::store::Store;
use crate::traffic::{RouteCounts, Traffic};

/// How long calls under way may take to end at a shutdown.
const GRACE: Duration = Duration::from_secs(5);

/// The service did not start.
#[derive(Debug, thiserror::Error)]
#[error("the reference service cannot listen on 127.0.0.1: {0}")]
pub struct DemoError(#[source] io::Error);

/// A running service on a free port of 127.0.0.1. Dropping it stops it as
/// [`DemoService::shutdown`] does, without waiting.
pub struct DemoService {
    address: SocketAddr,
    service: Arc<Service>,
    work: Work,
}

enum Work {
    Serving {
        stop: Option<oneshot::Sender<()>>,
        task: JoinHandle<()>,
    },
    /// A socket that is bound but does not listen: the system refuses connections to it, and the
    /// port stays ours, so that nobody else can answer there.
    Refusing { _socket: TcpSocket },
}

impl DemoService {
    /// Starts the service; must be called within a tokio runtime. The same seed gives the same
    /// sequence of latencies on each route.
    ///
    /// # Errors
    /// No port can be had.
    pub fn start(mode: Mode, seed: u64) -> Result<Self, DemoError> {
        let socket = TcpSocket::new_v4().map_err(DemoError)?;
        socket
            .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .map_err(DemoError)?;
        let address = socket.local_addr().map_err(DemoError)?;
        let service = Arc::new(Service {
            mode,
            seed,
            started: Instant::now(),
            traffic: Traffic::default(),
            clients: Arc::new(AtomicU64::new(0)),
            store: Mutex::new(Store::default()),
        });
        let work = if mode == Mode::Down {
            Work::Refusing { _socket: socket }
        } else {
            // Deep enough for thousands of users that all connect in the first second.
            let listener = socket.listen(4096).map_err(DemoError)?;
            serve(listener, &service)
        };
        tracing::debug!(%mode, %address, "the reference service is up");
        Ok(Self {
            address,
            service,
            work,
        })
    }

    /// Where it listens (or refuses, when it is down).
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How often each route was called so far.
    #[must_use]
    pub fn counts(&self) -> RouteCounts {
        self.service.traffic.counts()
    }

    /// Bytes that the service says it has lost: grows with every call when leaking, else 0.
    #[must_use]
    pub fn leaked_bytes(&self) -> u64 {
        self.service.leaked_bytes()
    }

    /// Stops taking calls, lets those under way end (for 5 s at the most), and returns the final
    /// counts.
    pub async fn shutdown(mut self) -> RouteCounts {
        if let Work::Serving { stop, task } = &mut self.work {
            if let Some(stop) = stop.take() {
                // It fails only when the task has ended already.
                let _ = stop.send(());
            }
            if tokio::time::timeout(GRACE, &mut *task).await.is_err() {
                // The port is closed by now; what is left are connections that end by themselves.
                task.abort();
                tracing::debug!("calls were still under way when the reference service stopped");
            }
        }
        self.counts()
    }
}

fn serve(listener: TcpListener, service: &Arc<Service>) -> Work {
    let (stop, stopped) = oneshot::channel::<()>();
    let listener = CountedListener {
        inner: listener,
        open: Arc::clone(&service.clients),
    };
    let server = axum::serve(listener, router(Arc::clone(service)))
        .with_graceful_shutdown(async {
            // A dropped sender stops it as well.
            let _ = stopped.await;
        })
        .into_future();
    let task = tokio::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the reference service broke off");
        }
    });
    Work::Serving {
        stop: Some(stop),
        task,
    }
}
