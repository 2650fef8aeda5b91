//! The service over real connections, mode by mode.

// The lint knows test functions only, not their helpers.
#![allow(clippy::unwrap_used)]

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use peakgate_demo::{DemoService, Mode, Route};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;

/// A client with one connection that it keeps, as a virtual user has.
struct Client(BufStream<TcpStream>);

impl Client {
    async fn connect(to: SocketAddr) -> Self {
        Self(BufStream::new(TcpStream::connect(to).await.unwrap()))
    }

    /// One call; `headers` are whole lines.
    async fn call(&mut self, call: &str, headers: &str, body: &str) -> (u16, String) {
        let request = format!(
            "{call} HTTP/1.1\r\nHost: demo\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        );
        self.0.write_all(request.as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
        let mut status = None;
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).await.unwrap() > 0, "closed");
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if status.is_none() {
                status = Some(line.split(' ').nth(1).unwrap().parse().unwrap());
            } else if let Some(n) = line.strip_prefix("content-length: ") {
                length = n.parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.unwrap();
        (status.unwrap(), String::from_utf8(body).unwrap())
    }

    async fn json(&mut self, call: &str, body: &Value) -> (u16, Value) {
        let (status, text) = self.call(call, "X-API-KEY: k\r\n", &body.to_string()).await;
        (status, serde_json::from_str(&text).unwrap())
    }

    async fn status(&mut self, call: &str) -> u16 {
        self.call(call, "", "").await.0
    }

    /// How long a call took.
    async fn timed(&mut self, call: &str, body: &str) -> Duration {
        let start = Instant::now();
        let (status, _) = self.call(call, "", body).await;
        assert!((200..300).contains(&status), "{call}: {status}");
        start.elapsed()
    }
}

const CREATE: &str = "POST /api/v1/leads";

#[tokio::test]
async fn a_healthy_service_answers_every_call_of_the_scripts() {
    let service = DemoService::start(Mode::Healthy, 1).unwrap();
    let mut user = Client::connect(service.address()).await;

    let ada = json!({"name": "Ada \"L\"", "email": "ada@example.com", "source": "web"});
    let (status, lead) = user.json(CREATE, &ada).await;
    assert_eq!((status, &lead["status"]), (201, &json!("NEW")));
    let id = lead["id"].as_str().unwrap();
    let (status, read) = user
        .json(&format!("GET /api/v1/leads/{id}"), &json!({}))
        .await;
    assert_eq!((status, read), (200, lead.clone()));
    assert_eq!(user.status("GET /api/v1/leads/lead-999").await, 404);

    let batch = json!({"leads": vec![json!({"name": "Bob", "status": "NEW"}); 10]});
    let (status, answer) = user.json("POST /api/v1/leads/batch", &batch).await;
    assert_eq!((status, &answer["created"]), (201, &json!(10)));
    let bare = json!([{"name": "Eve", "status": "WON"}]);
    assert_eq!(user.json("POST /api/v1/leads/batch", &bare).await.0, 201);

    let (status, list) = user
        .json("GET /api/v1/leads?status=NEW&limit=5", &json!({}))
        .await;
    assert_eq!((status, &list["count"]), (200, &json!(5)));
    assert_eq!(list["items"][0]["name"], "Bob");
    let (status, csv) = user
        .call("GET /api/v1/leads/export?format=csv", "", "")
        .await;
    assert_eq!((status, csv.lines().count()), (200, 13));
    assert!(csv.contains("\"Ada \"\"L\"\"\""), "{csv}");
    let (status, totals) = user
        .json("GET /api/v1/analytics/overview", &json!({}))
        .await;
    assert_eq!((status, &totals["leads"]["created"]), (200, &json!(12)));
    assert_eq!(user.status("GET /api/v1/config").await, 200);
    assert_eq!(user.status("GET /healthz").await, 200);

    let counts = service.shutdown().await;
    assert_eq!(counts.of(Route::CreateLead), 1);
    assert_eq!(counts.of(Route::ReadLead), 2);
    assert_eq!(counts.of(Route::CreateBatch), 2);
    assert_eq!(counts.total(), 10);
}

#[tokio::test]
async fn bad_calls_are_refused() {
    let service = DemoService::start(Mode::Healthy, 1).unwrap();
    let mut user = Client::connect(service.address()).await;
    assert_eq!(
        user.call("POST /api/v1/leads/batch", "", "[{}]").await.0,
        401
    );
    for (call, body, status) in [
        (CREATE, "{\"name\":", 400),
        (CREATE, "[]", 400),
        ("POST /api/v1/leads/batch", "3", 400),
        ("POST /api/v1/leads/batch", "[]", 422),
        ("GET /api/v1/leads/export?format=xml", "", 400),
        ("GET /nowhere", "", 404),
        ("DELETE /api/v1/config", "", 405),
    ] {
        let got = user.call(call, "X-API-KEY: k\r\n", body).await.0;
        assert_eq!(got, status, "{call} {body}");
    }
    assert_eq!(service.counts().of(Route::Unknown), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_healthy_service_stays_fast_with_many_users() {
    let service = DemoService::start(Mode::Healthy, 1).unwrap();
    let times = create_at_once(service.address(), 200).await;
    assert!(
        times[times.len() / 2] < Duration::from_millis(200),
        "{times:?}"
    );
}

/// Connects so many users, lets each create a lead, and returns how long that took, sorted.
async fn create_at_once(to: SocketAddr, users: usize) -> Vec<Duration> {
    let mut clients = Vec::new();
    for _ in 0..users {
        clients.push(Client::connect(to).await);
    }
    // A call on the last connection: by its answer all are accepted.
    clients.last_mut().unwrap().status("GET /healthz").await;
    let calls: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            tokio::spawn(async move {
                let time = client.timed(CREATE, "{}").await;
                // Stay connected until all have called.
                (time, client)
            })
        })
        .collect();
    let mut times = Vec::new();
    let mut connected = Vec::new();
    for call in calls {
        let (time, client) = call.await.unwrap();
        times.push(time);
        connected.push(client);
    }
    times.sort();
    times
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_service_creates_leads_slowly_under_load_only() {
    let service = DemoService::start(Mode::Slow, 1).unwrap();
    let few = create_at_once(service.address(), 10).await;
    assert!(few[few.len() / 2] < Duration::from_millis(150), "{few:?}");

    // 300 users, within the usual limit of 1024 open files for both ends in one process.
    let load = tokio::spawn(create_at_once(service.address(), 300));
    // Meanwhile the other calls stay fast.
    let mut other = Client::connect(service.address()).await;
    let mut others = Vec::new();
    for _ in 0..20 {
        others.push(
            other
                .timed("GET /api/v1/leads?status=NEW&limit=20", "")
                .await,
        );
    }
    others.sort();
    assert!(others[10] < Duration::from_millis(100), "{others:?}");
    let many = load.await.unwrap();
    let p99 = many[many.len() * 99 / 100];
    assert!(p99 > Duration::from_secs(1), "{p99:?}");
    assert!(p99 < Duration::from_secs(6), "{p99:?}");
    assert!(
        many[many.len() / 2] > Duration::from_millis(400),
        "{many:?}"
    );

    // The load gone, it recovers.
    let after = create_at_once(service.address(), 10).await;
    assert!(after[5] < Duration::from_millis(150), "{after:?}");
}

#[tokio::test]
async fn a_flaky_service_fails_three_calls_in_a_hundred() {
    let service = DemoService::start(Mode::Flaky, 1).unwrap();
    let mut user = Client::connect(service.address()).await;
    for call in ["GET /api/v1/config", "GET /api/v1/leads/lead-0"] {
        let mut failed = 0;
        for _ in 0..66 {
            failed += u32::from(user.status(call).await == 500);
        }
        assert_eq!(failed, 2, "{call}");
    }
    for _ in 0..66 {
        assert_eq!(user.status("GET /healthz").await, 200);
    }
}

#[tokio::test]
async fn a_leaking_service_gets_worse_with_time() {
    let service = DemoService::start(Mode::Leaking, 1).unwrap();
    let mut user = Client::connect(service.address()).await;
    let call = "GET /api/v1/config";
    let fresh = user.timed(call, "").await;
    let leaked = service.leaked_bytes();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let aged = user.timed(call, "").await;
    assert!(fresh < Duration::from_millis(200), "{fresh:?}");
    assert!(aged > Duration::from_millis(290), "{aged:?}");
    assert!(service.leaked_bytes() > leaked && leaked > 0);
    let (_, health) = user.json("GET /healthz", &json!({})).await;
    assert_eq!(health["leaked_bytes"], json!(service.leaked_bytes()));
}

#[tokio::test]
async fn a_service_that_is_down_refuses_connections() {
    let service = DemoService::start(Mode::Down, 1).unwrap();
    for _ in 0..3 {
        let error = TcpStream::connect(service.address()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }
    assert_eq!(service.shutdown().await.total(), 0);
}

#[tokio::test]
async fn shutdown_lets_calls_end_and_frees_the_port() {
    let service = DemoService::start(Mode::Leaking, 1).unwrap();
    let address = service.address();
    let mut idle = Client::connect(address).await;
    assert_eq!(idle.status("GET /healthz").await, 200);
    let mut user = Client::connect(address).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let call = tokio::spawn(async move { user.status("GET /api/v1/config").await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let start = Instant::now();
    let counts = service.shutdown().await;
    assert!(start.elapsed() < Duration::from_secs(3));
    assert_eq!(counts.of(Route::Config), 1);
    assert_eq!(call.await.unwrap(), 200);
    let error = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn dropping_it_frees_the_port_soon() {
    let service = DemoService::start(Mode::Healthy, 1).unwrap();
    let address = service.address();
    drop(service);
    let deadline = Instant::now() + Duration::from_secs(5);
    while TcpStream::connect(address).await.is_ok() {
        assert!(Instant::now() < deadline, "it still listens");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
