//! One run of k6: start, watch, stop, account.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use peakgate_load::{RunAccount, StopCause};
use rustix::process::Signal;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::Limits;
use super::child::{Group, KillOnDrop, Started};
use super::conclude;
use super::generator::{Readings, Sampler};
use super::light::Server;
use super::log::{Log, Mark};
use super::origin::Origin;
use super::outlet::Outlet;
use super::pipe::{PipeReader, StreamEnd};
use super::summary::OwnProbes;
use crate::Live;

/// How long what k6 left behind may take to be read once it is gone.
const AFTERMATH: Duration = Duration::from_secs(10);

/// The two live channels, at work.
pub(super) enum Channel {
    /// Ends by itself once k6 is gone.
    Exact(Box<PipeReader>),
    /// Ends when told.
    Light(Server),
}

/// A run that is about to start.
pub(super) struct Run {
    pub(super) started: Started,
    pub(super) channel: Channel,
    pub(super) log: Log,
    pub(super) marker: String,
    pub(super) origin: Origin,
    pub(super) readings: Readings,
    pub(super) outlet: Outlet,
    pub(super) summary: PathBuf,
    pub(super) probes: OwnProbes,
    pub(super) stop: mpsc::Receiver<StopCause>,
    pub(super) account: oneshot::Sender<RunAccount>,
    /// The longest that the run may take, from now.
    pub(super) longest: Duration,
    pub(super) limits: Limits,
    pub(super) child_gone: Arc<AtomicBool>,
}

/// The end of what a thread does.
fn in_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<oneshot::Receiver<T>> {
    let (tell, told) = oneshot::channel();
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let _ = tell.send(work());
        })?;
    Ok(told)
}

/// How k6 itself ended.
pub(super) struct Watched {
    pub(super) status: io::Result<ExitStatus>,
    /// Why the gate stopped it, if it did.
    pub(super) stopped: Option<StopCause>,
    /// k6 was interrupted because the live figures broke off.
    pub(super) for_stream: bool,
}

impl Run {
    /// Starts the threads and the task that watch k6.
    ///
    /// # Errors
    /// The system's; k6 is killed then.
    pub(super) fn launch(self) -> io::Result<()> {
        let Run {
            started,
            channel,
            log,
            marker,
            origin,
            readings,
            outlet,
            summary,
            probes,
            stop,
            account,
            longest,
            limits,
            child_gone,
        } = self;
        let guard = KillOnDrop(started.group.clone());
        let (out, err) = (started.stdout, started.stderr);
        let copied = log.clone();
        let stdout = in_thread("k6-stdout", move || copied.copy(out))?;
        let load_end = Origin::default();
        let reader = log.clone();
        let (start_mark, end_mark, events) = (origin.clone(), load_end.clone(), outlet.clone());
        let stderr = in_thread("k6-log", move || {
            reader.read(err, &marker, |mark| match mark {
                Mark::LoadStart(at) => {
                    // The event first: windows wait for the origin.
                    events.load_started();
                    start_mark.set(at);
                }
                Mark::LoadEnd(at) => {
                    end_mark.set(at);
                }
            });
        })?;
        let (stream, server) = match channel {
            Channel::Exact(reader) => (Some(in_thread("k6-samples", || reader.run())?), None),
            Channel::Light(server) => (None, Some(server)),
        };
        let live = if server.is_some() {
            Live::Light
        } else {
            Live::Exact
        };
        let watch = Watch {
            ended: started.ended,
            stop,
            deadline: Instant::now() + longest,
            longest,
            limits,
            load_start: origin.clone(),
            load_end: load_end.clone(),
            sampler: Sampler::new(started.group.pid(), readings),
            group: started.group,
        };
        tokio::spawn(async move {
            let mut account = account;
            let watched = tokio::select! {
                watched = watch.run(stream) => watched,
                // Nobody wants to know any more: the guard kills k6.
                () = account.closed() => return,
            };
            let (watched, stream) = watched;
            drop(guard);
            child_gone.store(true, Ordering::Release);
            let end = stream_end(stream, server, &outlet).await;
            // An escaped process may hold either open; then what was read must do.
            let both = async { tokio::join!(stdout, stderr) };
            let _ = tokio::time::timeout(AFTERMATH, both).await;
            let summary = conclude::read_summary(&summary, &probes);
            let seconds = match (origin.get(), load_end.get()) {
                (Some(start), Some(end)) if end > start => {
                    Duration::from_nanos((end - start).unsigned_abs())
                }
                _ => end.length,
            };
            let told = conclude::account(watched, end, summary, &log, live.resolution(), seconds);
            // The events end before the account comes.
            outlet.close();
            let _ = account.send(told);
        });
        Ok(())
    }
}

type Stream = Option<oneshot::Receiver<StreamEnd>>;

struct Watch {
    group: Group,
    ended: oneshot::Receiver<io::Result<ExitStatus>>,
    stop: mpsc::Receiver<StopCause>,
    deadline: Instant,
    longest: Duration,
    limits: Limits,
    load_start: Origin,
    load_end: Origin,
    sampler: Sampler,
}

/// How the stream stands while k6 runs.
enum Flow {
    Going(oneshot::Receiver<StreamEnd>),
    /// It ended, as it does when k6 closes its outputs at its end.
    Over(StreamEnd),
    /// The light channel, which does not end by itself.
    None,
}

impl Watch {
    /// Watches k6 until it is gone.
    async fn run(mut self, stream: Stream) -> (Watched, Flow) {
        let mut flow = stream.map_or(Flow::None, Flow::Going);
        let (mut stopped, mut for_stream) = (None, false);
        let mut kill_at: Option<Instant> = None;
        // When a stream that ended in good order, with k6 still there, becomes one that broke.
        let mut doubt_at: Option<Instant> = None;
        let mut handles_left = true;
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let status = loop {
            let cause = tokio::select! {
                status = &mut self.ended => break status,
                cause = self.stop.recv(), if handles_left => {
                    handles_left = cause.is_some();
                    cause
                }
                () = sleep_until(self.deadline), if stopped.is_none() => {
                    Some(StopCause::Deadline(format!(
                        "k6 was still running after {} seconds, the longest that the plan allows \
                         with setup, teardown and half a minute to start",
                        self.longest.as_secs()
                    )))
                }
                () = sleep_until(kill_at.unwrap_or(self.deadline)), if kill_at.is_some() => {
                    self.group.signal(Signal::KILL);
                    kill_at = None;
                    None
                }
                end = over(&mut flow) => {
                    // k6 must not run on unseen; nor would it ever exit without a reader.
                    if end.broken.is_some() {
                        for_stream = true;
                        kill_at = Some(self.interrupt(kill_at));
                    } else {
                        doubt_at = Some(Instant::now() + self.limits.patience);
                    }
                    flow = Flow::Over(end);
                    None
                }
                () = sleep_until(doubt_at.unwrap_or(self.deadline)), if doubt_at.is_some() => {
                    doubt_at = None;
                    // k6 closes its outputs after teardown(); what is left is the summary.
                    if self.load_start.get().is_some()
                        && self.load_end.get().is_none()
                        && let Flow::Over(end) = &mut flow
                    {
                        end.broken = Some("k6 told nothing more, but ran on".to_owned());
                        for_stream = true;
                        kill_at = Some(self.interrupt(kill_at));
                    }
                    None
                }
                _ = tick.tick() => {
                    self.sampler.sample();
                    None
                }
            };
            // Only the first cause counts.
            if let (Some(cause), None) = (cause, &stopped) {
                stopped = Some(cause);
                kill_at = Some(self.interrupt(kill_at));
            }
        };
        let status =
            status.unwrap_or_else(|_| Err(io::Error::other("the thread that waits for k6 died")));
        // A cause that came in the same moment.
        if stopped.is_none() {
            stopped = self.stop.try_recv().ok();
        }
        let watched = Watched {
            status,
            stopped,
            for_stream,
        };
        (watched, flow)
    }

    /// Asks k6 to stop, unless it was asked before (a second SIGINT would cost its summary);
    /// returns when it is to be killed.
    fn interrupt(&self, kill_at: Option<Instant>) -> Instant {
        kill_at.unwrap_or_else(|| {
            self.group.signal(Signal::INT);
            Instant::now() + self.limits.stop_grace
        })
    }
}

/// Waits for the stream's end while it is going.
async fn over(flow: &mut Flow) -> StreamEnd {
    match flow {
        Flow::Going(stream) => stream.await.unwrap_or_else(|_| StreamEnd {
            broken: Some("the reader of k6's samples died".to_owned()),
            ..StreamEnd::default()
        }),
        Flow::Over(_) | Flow::None => std::future::pending().await,
    }
}

async fn stream_end(flow: Flow, server: Option<Server>, outlet: &Outlet) -> StreamEnd {
    let mut end = match (flow, server) {
        (Flow::Over(end), _) => end,
        (Flow::Going(mut stream), _) => {
            match tokio::time::timeout(AFTERMATH, &mut stream).await {
                Ok(end) => end.ok(),
                Err(_) => {
                    // It waits for the consumer.
                    outlet.give_up();
                    tokio::time::timeout(AFTERMATH, stream)
                        .await
                        .ok()
                        .and_then(Result::ok)
                }
            }
            .unwrap_or_else(|| StreamEnd {
                broken: Some("the reader of k6's samples did not come to an end".to_owned()),
                ..StreamEnd::default()
            })
        }
        (Flow::None, Some(server)) => server.finish(AFTERMATH).await,
        (Flow::None, None) => StreamEnd::default(),
    };
    if end.messages == 0 && end.broken.is_none() {
        end.broken = Some("k6 told nothing while it ran".to_owned());
    }
    end
}
