use std::collections::BTreeSet;

use peakgate_load::Window;

use super::super::Limits;
use super::super::prom::{Label, Sample};
use super::super::targets::Targets;
use super::*;
use crate::EngineEvent;

const START_MS: i64 = 1_000_000;

fn receiver() -> (Receiver, tokio::sync::mpsc::Receiver<EngineEvent>) {
    let limits = Limits {
        stop_grace: Duration::ZERO,
        slack: Duration::ZERO,
        events: 100,
        patience: Duration::from_secs(1),
    };
    let (outlet, events) = Outlet::new(&limits);
    let origin = Origin::default();
    assert!(origin.set(START_MS * 1_000_000));
    let table = SeriesTable::new(&BTreeSet::new(), Targets::new(&[]), 1_000);
    let nobody = Box::new(|_| {});
    let receiver = Receiver::new(table, origin, Readings::default(), outlet, nobody);
    (receiver, events)
}

/// A series with one value; `url` is a tag that windows do not keep.
fn series(name: &str, url: &str, ms: i64, value: f64) -> TimeSeries {
    let label = |name: &str, value: &str| Label {
        name: name.into(),
        value: value.into(),
    };
    TimeSeries {
        labels: vec![
            label("__name__", name),
            label("scenario", "default"),
            label("url", url),
        ],
        samples: vec![Sample {
            value,
            timestamp: START_MS + ms,
        }],
        histograms: Vec::new(),
    }
}

fn push(series: Vec<TimeSeries>) -> Option<WriteRequest> {
    Some(WriteRequest { timeseries: series })
}

/// Ends the receiver and returns all its windows.
async fn ended(
    mut receiver: Receiver,
    mut events: tokio::sync::mpsc::Receiver<EngineEvent>,
) -> (StreamEnd, Vec<Window>) {
    let end = receiver.finish().await;
    drop(receiver);
    let mut windows = Vec::new();
    while let Some(event) = events.recv().await {
        if let EngineEvent::Window(window) = event {
            windows.push(window);
        }
    }
    (end, windows)
}

fn lost(windows: &[Window]) -> LostSamples {
    let mut all = LostSamples::default();
    for window in windows {
        all.folded += window.lost.folded;
        all.unreadable += window.lost.unreadable;
        all.not_finite += window.lost.not_finite;
    }
    all
}

#[tokio::test]
async fn sources_beyond_the_limit_are_unreadable_and_cost_no_memory() {
    let (mut receiver, events) = receiver();
    receiver.max_sources = 10;
    for ms in [1_000, 2_000] {
        let mut all: Vec<_> = (0..50)
            .map(|i| series("k6_http_reqs_total", &format!("u{i}"), ms, 3.0))
            .collect();
        // A Gauge is not followed from push to push, so that it needs no place.
        all.push(series("k6_vus", "", ms, 7.0));
        receiver.take(push(all)).await;
        assert_eq!(receiver.seen.len(), 10);
    }
    let (_, windows) = ended(receiver, events).await;
    let lost = lost(&windows);
    assert_eq!((lost.unreadable, lost.folded), (2 * 40, 0));
    let told = |metric: &str| -> u64 {
        let of = windows.iter().flat_map(|w| &w.series);
        of.filter(|(key, _)| key.metric.as_str() == metric)
            .map(|(_, a)| a.samples())
            .sum()
    };
    assert_eq!(told("http_reqs"), 10 * 3);
    assert_eq!(told("vus"), 2);
}

#[tokio::test]
async fn failed_requests_are_counted_wherever_the_requests_stand() {
    let (mut receiver, events) = receiver();
    for (ms, requests, ratio) in [(1_000, 10.0, 0.5), (2_000, 20.0, 0.5), (3_000, 40.0, 0.25)] {
        let all = vec![
            series("k6_http_req_failed_rate", "u", ms, ratio),
            series("k6_http_reqs_total", "u", ms, requests),
        ];
        receiver.take(push(all)).await;
    }
    let (_, windows) = ended(receiver, events).await;
    let rates: Vec<_> = windows
        .iter()
        .flat_map(|w| w.series.values())
        .filter(|a| a.kind() == MetricKind::Rate)
        .cloned()
        .collect();
    let rate = |hits, total| Aggregate::Rate { hits, total };
    assert_eq!(rates, [rate(5, 10), rate(5, 10), rate(0, 20)]);
}

#[tokio::test]
async fn the_last_push_is_lost_with_a_word() {
    let (mut receiver, events) = receiver();
    let good = |ms, n| push(vec![series("k6_iterations_total", "", ms, n)]);
    receiver.take(good(1_000, 10.0)).await;
    receiver.take(good(2_000, 30.0)).await;
    // It ends the window of the push before with it.
    receiver.take(good(3_000, 35.0)).await;
    receiver.take(None).await;
    // As finish() does when the push before an unreadable one is closed already.
    if let Some(window) = receiver.close() {
        receiver.send(window).await;
    }
    receiver.take(None).await;
    let (end, windows) = ended(receiver, events).await;
    assert_eq!(windows.len(), 4, "{windows:?}");
    assert_eq!(windows[2].lost.unreadable, 1);
    assert_eq!(windows[3].lost.unreadable, 1);
    assert_eq!(windows[3].start, Duration::from_secs(3));
    assert!(windows[3].length > Duration::ZERO);
    assert_eq!(
        end.iterations,
        Iterations::Pushed {
            sum: 35.0,
            busiest: 20.0
        }
    );
}

#[tokio::test]
async fn a_long_silence_is_no_busy_interval() {
    let (mut receiver, events) = receiver();
    for (ms, n) in [(1_000, 10.0), (11_000, 110.0), (11_100, 112.0)] {
        let all = vec![series("k6_iterations_total", "", ms, n)];
        receiver.take(push(all)).await;
    }
    let (end, _) = ended(receiver, events).await;
    assert_eq!(
        end.iterations,
        Iterations::Pushed {
            sum: 112.0,
            busiest: 10.0
        }
    );
}

#[tokio::test]
async fn a_body_that_is_refused_is_told_of() {
    let (receiver, mut events) = receiver();
    let server = Server::start(receiver, "secret").await.unwrap();
    let address = server.url.trim_start_matches("http://");
    let address = address.split('/').next().unwrap().to_owned();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let sender = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        let length = MAX_BODY + 1;
        let head = format!("POST /secret HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
        // The server hangs up before all is sent.
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(&vec![0; length]).await;
        stream
    });
    let told = async {
        while server.state.lock().await.messages == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), told)
        .await
        .unwrap();
    sender.abort();
    assert_eq!(server.state.lock().await.lost.unreadable, 1);
    server.finish(Duration::from_secs(1)).await;
    let Ok(EngineEvent::Window(window)) = events.try_recv() else {
        panic!("nothing was told");
    };
    assert_eq!(window.lost.unreadable, 1);
}
