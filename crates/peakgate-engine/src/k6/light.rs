//! The light live channel: k6 pushes aggregates by remote write to a receiver of ours.
//!
//! What is pushed is cumulative; the differences between two pushes make a window. What k6's names
//! cannot tell apart is told by convention: `…_total` is a Counter, `…_rate` a Rate, a native
//! histogram a Trend, anything else a Gauge. Rates come as ratios since the start of the run, so
//! that windows of them cannot be had, except for `http_req_failed`, whose number of samples is
//! that of `http_reqs` with the same tags. Other Rates are left out of windows; their exact
//! figures are in the final account.

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::post;
use peakgate_load::metric::builtin;
use peakgate_load::window::LostSamples;
use peakgate_load::{Aggregate, Histogram, MetricKind, ValueKind, Window};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use super::generator::Readings;
use super::origin::Origin;
use super::outlet::Outlet;
use super::pipe::{Iterations, StreamEnd, UNTAKEN};
use super::prom::{self, Bucket, TimeSeries, WriteRequest, middle};
use super::series::{Phase, SeriesIndex, SeriesTable, SetIndex};

/// The relative error of a value that is taken for its bucket's middle: 2^(1/16) − 1 at schema 3.
pub(crate) const ERROR: f64 = 0.044;

/// How often k6 pushes.
pub(super) const PUSH_INTERVAL: &str = "1s";

const PUSH_INTERVAL_MS: f64 = 1000.0;

/// The counter of requests, by k6's name for it in pushes and by ours.
const REQUESTS: (&str, &str) = ("k6_http_reqs_total", "http_reqs");

const MAX_BODY: usize = 64 << 20;
/// Source series beyond this are not followed: their samples are lost, and told of as unreadable.
const MAX_SOURCES: usize = 200_000;

/// What a source series amounted to at the last push.
#[derive(Debug)]
enum Seen {
    Sum(f64),
    Rate { hits: f64, total: f64 },
    Buckets(HashMap<Bucket, u64>),
}

/// Turns pushes into windows.
pub(super) struct Receiver {
    table: SeriesTable,
    origin: Origin,
    readings: Readings,
    outlet: Outlet,
    forbidden: Box<dyn Fn(String) + Send>,
    seen: HashMap<String, Seen>,
    max_sources: usize,
    /// Iterations by the last push that told of them.
    iterations: f64,
    /// Of these, by the last window.
    iterations_before: f64,
    /// The most iterations in an interval between pushes.
    busiest: f64,
    /// Of the last window, from the start of the load.
    end_ms: i64,
    /// What came with the push that is going on, and its time stamp.
    content: HashMap<usize, Aggregate>,
    lost: LostSamples,
    push_ms: Option<i64>,
    messages: u64,
    load_ms: i64,
    /// The consumer stood still: it is waited for no more.
    stalled: bool,
}

/// One source series, taken apart.
struct Source {
    /// Name and tags, as a key.
    key: String,
    /// Tags alone.
    tags_key: String,
    tags: BTreeMap<String, String>,
    metric: String,
    kind: MetricKind,
    /// From k6's unit to ours.
    scale: f64,
}

fn source(series: &TimeSeries) -> Option<Source> {
    let mut tags: BTreeMap<_, _> = series
        .labels
        .iter()
        .map(|l| (l.name.clone(), l.value.clone()))
        .collect();
    let name = tags.remove("__name__")?;
    let plain = name.strip_prefix("k6_")?;
    let (metric, kind) = if !series.histograms.is_empty() {
        match plain.strip_suffix("_seconds") {
            Some(time) => (time, MetricKind::Trend),
            None => (plain, MetricKind::Trend),
        }
    } else if let Some(counter) = plain.strip_suffix("_total") {
        (counter, MetricKind::Counter)
    } else if let Some(rate) = plain.strip_suffix("_rate") {
        (rate, MetricKind::Rate)
    } else {
        (plain, MetricKind::Gauge)
    };
    // k6 exports times in seconds.
    let scale = if kind == MetricKind::Trend && plain.ends_with("_seconds") {
        1000.0
    } else {
        1.0
    };
    let metric = metric.to_owned();
    let mut tags_key = String::new();
    for (k, v) in &tags {
        for part in [k, v] {
            tags_key += part;
            tags_key.push('\u{1f}');
        }
    }
    Some(Source {
        key: format!("{name}\u{1f}{tags_key}"),
        tags_key,
        tags,
        metric,
        kind,
        scale,
    })
}

impl Receiver {
    pub(super) fn new(
        table: SeriesTable,
        origin: Origin,
        readings: Readings,
        outlet: Outlet,
        forbidden: Box<dyn Fn(String) + Send>,
    ) -> Self {
        Self {
            table,
            origin,
            readings,
            outlet,
            forbidden,
            seen: HashMap::new(),
            max_sources: MAX_SOURCES,
            iterations: 0.0,
            iterations_before: 0.0,
            busiest: 0.0,
            end_ms: 0,
            content: HashMap::new(),
            lost: LostSamples::default(),
            push_ms: None,
            messages: 0,
            load_ms: 0,
            stalled: false,
        }
    }

    /// Takes a push in; returns a window when an earlier push is complete.
    fn push(&mut self, request: Option<WriteRequest>) -> Option<Window> {
        self.messages += 1;
        let Some(request) = request else {
            self.lost.unreadable += 1;
            return None;
        };
        let stamp = request
            .timeseries
            .iter()
            .flat_map(|s| {
                let samples = s.samples.iter().map(|x| x.timestamp);
                samples.chain(s.histograms.iter().map(|x| x.timestamp))
            })
            .max();
        let stamp = stamp?;
        // One flush may come in several requests with one time stamp.
        let done = match self.push_ms {
            Some(before) if before != stamp => self.close(),
            _ => None,
        };
        self.push_ms = Some(self.push_ms.map_or(stamp, |before| before.max(stamp)));
        let (requests, others): (Vec<_>, Vec<_>) = request
            .timeseries
            .iter()
            .map(|series| (series, source(series)))
            .partition(|(_, s)| s.as_ref().is_some_and(|s| s.metric == REQUESTS.1));
        // Requests first: the ratio of failed ones needs them.
        for (series, source) in requests.into_iter().chain(others) {
            if source.is_none_or(|source| self.series(series, &source).is_none()) {
                self.lost.unreadable += 1;
            }
        }
        if let Some(where_to) = self.table.take_violation() {
            (self.forbidden)(where_to);
        }
        done
    }

    /// Takes one series in; `None`: it could not be understood.
    fn series(&mut self, series: &TimeSeries, source: &Source) -> Option<()> {
        if source.kind == MetricKind::Rate && source.metric != "http_req_failed" {
            return Some(());
        }
        let pairs = source.tags.iter().map(|(k, v)| (k.as_str(), v.as_str()));
        let set = self.table.set_of(pairs);
        let phase = self.table.phase(set);
        if phase == Phase::Outside {
            return Some(());
        }
        // Of a Gauge nothing is remembered but its series, of which the table keeps few.
        if source.kind != MetricKind::Gauge
            && self.seen.len() >= self.max_sources
            && !self.seen.contains_key(&source.key)
        {
            return None;
        }
        if !self.table.define(&source.metric, source.kind) {
            return None;
        }
        let new = match source.kind {
            MetricKind::Gauge => Aggregate::of(MetricKind::Gauge, series.samples.last()?.value),
            MetricKind::Counter => self.counter(source, series.samples.last()?.value),
            MetricKind::Rate => self.failed(source, series.samples.last()?.value),
            MetricKind::Trend => self.trend(source, series)?,
        };
        let Some(new) = new else {
            return Some(());
        };
        if phase == Phase::Load && source.kind != MetricKind::Gauge {
            self.load_ms = self.load_ms.max(self.push_ms.unwrap_or_default());
        }
        self.keep(source, set, &new)
    }

    fn keep(&mut self, source: &Source, set: SetIndex, new: &Aggregate) -> Option<()> {
        let metric = self.table.metric(source.metric.as_bytes())?;
        let (index, folded) = self.table.series(metric, set);
        self.lost.folded += if folded { new.samples() } else { 0 };
        match self.content.entry(index.0) {
            // Several source series may share the tags that are kept.
            std::collections::hash_map::Entry::Occupied(mut known) => {
                known.get_mut().merge(new).then_some(())
            }
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(new.clone());
                Some(())
            }
        }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn counter(&mut self, source: &Source, value: f64) -> Option<Aggregate> {
        let before = match self.seen.insert(source.key.clone(), Seen::Sum(value)) {
            Some(Seen::Sum(before)) if before <= value => before,
            _ => 0.0,
        };
        let sum = value - before;
        if sum <= 0.0 || !sum.is_finite() {
            return None;
        }
        if source.metric == "iterations" {
            self.iterations += sum;
        }
        // k6's own counters of events add one for each; of others only the sum is known.
        let ones = builtin(&source.metric).is_some_and(|m| m.contains == ValueKind::Default);
        let samples = if ones { sum.round() as u64 } else { 1 };
        Some(Aggregate::Counter { sum, samples })
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn failed(&mut self, source: &Source, ratio: f64) -> Option<Aggregate> {
        let requests = format!("{}\u{1f}{}", REQUESTS.0, source.tags_key);
        let Some(&Seen::Sum(total)) = self.seen.get(&requests) else {
            return None;
        };
        let hits = (ratio * total).round();
        let now = Seen::Rate { hits, total };
        let (hits_before, total_before) = match self.seen.insert(source.key.clone(), now) {
            Some(Seen::Rate { hits, total }) => (hits, total),
            _ => (0.0, 0.0),
        };
        let total = (total - total_before).round() as u64;
        let hits = ((hits - hits_before).round() as u64).min(total);
        (total > 0).then_some(Aggregate::Rate { hits, total })
    }

    fn trend(&mut self, source: &Source, series: &TimeSeries) -> Option<Option<Aggregate>> {
        let native = series.histograms.last()?;
        let buckets = native.buckets()?;
        let seen = self
            .seen
            .entry(source.key.clone())
            .or_insert_with(|| Seen::Buckets(HashMap::new()));
        let Seen::Buckets(before) = seen else {
            return None;
        };
        let mut histogram = Histogram::new();
        for (bucket, count) in buckets {
            let before = before.insert(bucket, count).unwrap_or(0);
            let new = count.checked_sub(before).unwrap_or(count);
            if !histogram.record_n(middle(bucket, native.schema) * source.scale, new) {
                self.lost.not_finite += new;
            }
        }
        Some((histogram.count() > 0).then_some(Aggregate::Trend(histogram)))
    }

    /// Makes the window of the push that is complete.
    fn close(&mut self) -> Option<Window> {
        let content = std::mem::take(&mut self.content);
        let stamp = self.push_ms.take()?;
        // Before the load there are only k6's own gauges.
        let origin = self.origin.get()?;
        let end_ms = stamp - origin / 1_000_000;
        if end_ms <= 0 {
            return None;
        }
        let start_ms = self.end_ms.min(end_ms - 1);
        self.end_ms = end_ms;
        self.measure(end_ms - start_ms);
        let ms = |n: i64| Duration::from_millis(n.unsigned_abs());
        Some(Window {
            start: ms(start_ms),
            length: ms(end_ms - start_ms),
            series: content
                .into_iter()
                .map(|(i, a)| (self.table.get(SeriesIndex(i)).0.clone(), a))
                .collect(),
            generator: self
                .readings
                .near(origin + start_ms * 1_000_000, origin + end_ms * 1_000_000),
            lost: std::mem::take(&mut self.lost),
        })
    }

    /// Takes down how many iterations came in an interval, as of a whole one if it was longer.
    fn measure(&mut self, length_ms: i64) {
        let new = self.iterations - self.iterations_before;
        self.iterations_before = self.iterations;
        #[allow(clippy::cast_precision_loss)]
        let intervals = (length_ms as f64 / PUSH_INTERVAL_MS).max(1.0);
        self.busiest = self.busiest.max(new / intervals);
    }

    /// A window of what was lost after the last one, if anything was.
    fn leftover(&mut self) -> Option<Window> {
        // Without a start of the load there are no windows.
        self.origin.get()?;
        let lost = std::mem::take(&mut self.lost);
        (lost != LostSamples::default()).then(|| Window {
            start: Duration::from_millis(self.end_ms.unsigned_abs()),
            length: Duration::from_millis(1),
            lost,
            ..Window::default()
        })
    }

    async fn take(&mut self, request: Option<WriteRequest>) {
        if let Some(window) = self.push(request) {
            self.send(window).await;
        }
    }

    async fn send(&mut self, window: Window) {
        if !self.stalled {
            self.stalled = !self.outlet.window_in_task(window).await;
        }
    }

    /// Sends what is left.
    async fn finish(&mut self) -> StreamEnd {
        if let Some(window) = self.close() {
            self.send(window).await;
        }
        if let Some(window) = self.leftover() {
            self.send(window).await;
        }
        let origin = self.origin.get().unwrap_or_default() / 1_000_000;
        StreamEnd {
            broken: self.stalled.then(|| UNTAKEN.to_owned()),
            length: Duration::from_millis(u64::try_from(self.load_ms - origin).unwrap_or_default()),
            messages: self.messages,
            iterations: Iterations::Pushed {
                sum: self.iterations,
                busiest: self.busiest,
            },
        }
    }
}

/// The receiver's HTTP side.
pub(super) struct Server {
    /// Where k6 pushes to; the path is a secret of this run.
    pub(super) url: String,
    state: Arc<Mutex<Receiver>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Listens on a free loopback port.
    ///
    /// # Errors
    /// The system's.
    pub(super) async fn start(receiver: Receiver, secret: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(receiver));
        let path = format!("/{secret}");
        let router = Router::new()
            .route(&path, post(receive))
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(state.clone());
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::warn!(%error, "the receiver of k6's figures failed");
            }
        });
        Ok(Self {
            url: format!("http://{address}{path}"),
            state,
            task,
        })
    }

    /// Ends it, once k6 is gone; waits for a slow consumer only so long.
    pub(super) async fn finish(self, longest: Duration) -> StreamEnd {
        let work = async { self.state.lock().await.finish().await };
        tokio::time::timeout(longest, work)
            .await
            .unwrap_or_else(|_| StreamEnd {
                broken: Some(UNTAKEN.to_owned()),
                ..StreamEnd::default()
            })
    }
}

async fn receive(
    State(receiver): State<Arc<Mutex<Receiver>>>,
    body: Result<Bytes, BytesRejection>,
) -> StatusCode {
    // A push that was too large, or was cut off, is one that cannot be read.
    let request = body.ok().and_then(|body| prom::decode(&body));
    let status = if request.is_some() {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::BAD_REQUEST
    };
    // A task of its own: k6 hanging up must not cut a window off that waits for the consumer.
    let work = tokio::spawn(async move { receiver.lock().await.take(request).await });
    match work.await {
        Ok(()) => status,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests;
