//! The light channel with something between k6 and the gate that spoils pushes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use peakgate_engine::Live;
use peakgate_load::ExitReason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::breakage::{broken, k6_that, run};
use crate::support::{Bench, Outcome};

const DEAF: u8 = 1;
const GARBLE: u8 = 2;

/// Hands a push on, or not.
async fn relay(
    State(mode): State<Arc<AtomicU8>>,
    Path((port, secret)): Path<(u16, String)>,
    body: Bytes,
) -> StatusCode {
    let body = match mode.load(Ordering::Acquire) {
        DEAF => return StatusCode::NO_CONTENT,
        GARBLE => Bytes::from_static(b"rubbish"),
        _ => body,
    };
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let head = format!(
        "POST /{secret} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    StatusCode::NO_CONTENT
}

/// Runs a script on the real k6, whose pushes go by a relay that the script can spoil.
async fn spoilt(script: &str) -> Outcome {
    let mode = Arc::new(AtomicU8::new(0));
    let router = Router::new()
        .route(
            "/mode/{mode}",
            get(
                |State(mode): State<Arc<AtomicU8>>, Path(new): Path<u8>| async move {
                    mode.store(new, Ordering::Release);
                },
            ),
        )
        .route("/push/{port}/{secret}", post(relay))
        .with_state(mode);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut bench = Bench::js(script).env("PORT", &port);
    bench.request.live = Live::Light;
    let engine = k6_that(
        &bench,
        &format!(
            r#"for word; do [ "$before" = --config ] && CONFIG="$word"; before="$word"; done
               sed -i 's#http://127.0.0.1:\([0-9]*\)/#http://127.0.0.1:{port}/push/\1/#' "$CONFIG"
               exec "$K6" "$@""#
        ),
    );
    run(&engine, &bench).await
}

/// One push cannot be read, the last, and the iterations of one interval are missing: the loss is
/// told of, and the run is not taken for one whose figures broke off.
#[tokio::test]
async fn a_last_push_that_is_lost_is_told_of() {
    let outcome = spoilt(
        "import http from 'k6/http'; import { sleep } from 'k6';
         export const options = { vus: 2, duration: '2500ms' };
         export default function () { sleep(0.02); }
         export function teardown() { http.get(`http://127.0.0.1:${__ENV.PORT}/mode/2`); }",
    )
    .await;
    assert_eq!(outcome.account.exit, ExitReason::Completed, "{outcome:?}");
    assert!(outcome.sum("iterations") < outcome.value("iterations", "count"));
    let unreadable: u64 = outcome.windows.iter().map(|w| w.lost.unreadable).sum();
    assert!(unreadable >= 1, "{outcome:?}");
}

/// k6 is content with its pushes, but they do not arrive: only the numbers tell.
#[tokio::test]
async fn pushes_that_stop_arriving_break_the_stream() {
    let outcome = spoilt(
        "import http from 'k6/http'; import { sleep } from 'k6';
         export const options = { scenarios: {
           load: { executor: 'constant-vus', vus: 2, duration: '4500ms' },
           spoil: { executor: 'shared-iterations', iterations: 1, startTime: '1500ms', exec: 'spoil' } } };
         export default function () { sleep(0.02); }
         export function spoil() { http.get(`http://127.0.0.1:${__ENV.PORT}/mode/1`); }",
    )
    .await;
    assert_eq!(outcome.account.exit_code, Some(0), "{outcome:?}");
    let told = broken(&outcome, "iterations, k6's own account");
    let own = outcome.value("iterations", "count");
    assert!(told.contains(&format!(" {own}")), "{told}");
    assert!(outcome.sum("iterations") > 0.0);
}
