//! The exact live channel: every sample as JSON through a named pipe.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, Mode, OFlags};

use super::generator::Readings;
use super::origin::{Origin, now};
use super::outlet::Outlet;
use super::sample::{Line, LineReader};
use super::series::{Phase, SeriesTable};
use super::windows::Windows;

/// As much as Linux gives an ordinary process (`fs.pipe-max-size`).
const PIPE_BYTES: usize = 1 << 20;
/// Longer lines are not k6's.
const MAX_LINE: usize = 16 << 20;
/// The log tells of the start of the load; it comes before the first sample or not at all.
const ORIGIN_PATIENCE: Duration = Duration::from_secs(2);
/// Reading less often, and more at once, saves both sides from waking each other for every 4 KiB.
const GATHER: Duration = Duration::from_millis(10);

/// Makes the pipe and opens our end, so that k6's open cannot block.
///
/// # Errors
/// The system's.
pub(super) fn create(path: &Path) -> io::Result<File> {
    rustix::fs::mknodat(
        rustix::fs::CWD,
        path,
        FileType::Fifo,
        Mode::RUSR | Mode::WUSR,
        0,
    )?;
    // Without NONBLOCK the open would wait for k6's, and for ever if k6 fails before that.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    // Only for speed: a smaller pipe works too.
    let _ = rustix::pipe::fcntl_setpipe_size(&file, PIPE_BYTES);
    Ok(file)
}

/// Why a stream broke whose consumer stands still.
pub(super) const UNTAKEN: &str = "nobody took the live figures";

/// What the reader left when the stream ended.
#[derive(Debug, Default)]
pub(super) struct StreamEnd {
    /// Why it broke, if it did.
    pub(super) broken: Option<String>,
    /// From the start of the load to the last sample.
    pub(super) length: Duration,
    /// Messages read.
    pub(super) messages: u64,
    /// Iterations that the stream told of.
    pub(super) iterations: Iterations,
}

/// Iterations that a stream told of.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) enum Iterations {
    /// The stream was given up before it could say.
    #[default]
    Unknown,
    /// Each was told of.
    Exact(f64),
    /// Their sum was pushed now and then. k6 pushes a last time when it ends; if just that push
    /// fails, those of one interval are missing.
    Pushed {
        /// By the last push.
        sum: f64,
        /// The most in one interval between pushes.
        busiest: f64,
    },
}

/// What the reader needs.
pub(super) struct PipeReader {
    pub(super) pipe: File,
    /// The pipe's name; removed at the end, as whoever opens a pipe without a writer hangs.
    pub(super) path: PathBuf,
    pub(super) table: SeriesTable,
    pub(super) origin: Origin,
    pub(super) readings: Readings,
    pub(super) outlet: Outlet,
    /// Set once k6 is gone: an empty pipe is then the end.
    pub(super) child_gone: Arc<AtomicBool>,
    /// How long k6 may make load and tell nothing.
    pub(super) patience: Duration,
    /// Told of a request that went where it must not.
    pub(super) forbidden: Box<dyn Fn(String) + Send>,
}

struct Sorter {
    reader: PipeReader,
    lines: LineReader,
    windows: Option<Windows>,
    messages: u64,
    iterations: f64,
    unreadable_before: u64,
}

impl PipeReader {
    /// Reads to the end. Runs on a thread of its own.
    pub(super) fn run(self) -> StreamEnd {
        let mut sorter = Sorter {
            reader: self,
            lines: LineReader::default(),
            windows: None,
            messages: 0,
            iterations: 0.0,
            unreadable_before: 0,
        };
        let broken = match sorter.drain() {
            Ok(true) => None,
            Ok(false) => Some(UNTAKEN.to_owned()),
            Err(error) => Some(format!("reading k6's samples from the pipe: {error}")),
        };
        let _ = std::fs::remove_file(&sorter.reader.path);
        let (mut kept, mut length) = (true, Duration::ZERO);
        if let Some(mut windows) = sorter.windows.take() {
            length = windows.length();
            tracing::debug!(
                late = windows.late(),
                lines = sorter.messages,
                "k6's samples are sorted"
            );
            let rest = windows.rest(&sorter.reader.table, &sorter.reader.readings);
            kept = rest.into_iter().all(|w| sorter.reader.outlet.window(w));
        }
        let broken = broken
            .or_else(|| (!kept).then(|| "nobody took the last of the live figures".to_owned()));
        StreamEnd {
            broken,
            length,
            messages: sorter.messages,
            iterations: Iterations::Exact(sorter.iterations),
        }
    }
}

impl Sorter {
    fn drain(&mut self) -> io::Result<bool> {
        let mut buffer = vec![0; PIPE_BYTES];
        let mut filled = 0;
        let mut opened = false;
        let mut silence = Duration::ZERO;
        loop {
            let gone = self.reader.child_gone.load(Ordering::Acquire);
            match self.reader.pipe.read(&mut buffer[filled..]) {
                // No writer. Before k6 opened the pipe that is not the end.
                Ok(0) if gone || opened => {
                    // k6 ends each line; a rest was cut off by its death.
                    if filled > 0 {
                        self.line(&buffer[..filled]);
                    }
                    return Ok(true);
                }
                Ok(0) => {
                    // From the start of the load on k6 tells of its users every second.
                    if self.reader.origin.get().is_some() {
                        silence += GATHER;
                    }
                    if silence > self.reader.patience {
                        return Err(io::Error::other("k6 makes load, but did not open the pipe"));
                    }
                    std::thread::sleep(GATHER);
                }
                Ok(n) => {
                    opened = true;
                    filled += n;
                    let (used, going) = self.lines(&buffer[..filled]);
                    if !going {
                        return Ok(false);
                    }
                    buffer.copy_within(used..filled, 0);
                    filled -= used;
                    if filled == buffer.len() {
                        if filled >= MAX_LINE {
                            return Err(io::Error::other("a line of more than 16 MiB"));
                        }
                        buffer.resize(filled * 2, 0);
                    }
                    if n < PIPE_BYTES / 4 {
                        std::thread::sleep(GATHER);
                    }
                }
                // The pipe is empty. A process that escaped the group may hold it open for ever;
                // what it would write is not k6's.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && gone => {
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait()?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn wait(&self) -> io::Result<()> {
        let fd = self.reader.pipe.as_fd();
        let timeout = rustix::event::Timespec {
            tv_sec: 0,
            tv_nsec: 100_000_000,
        };
        match poll(
            &mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)],
            Some(&timeout),
        ) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes whole lines; returns how many bytes they were, and whether to go on.
    fn lines(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut used = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            self.line(&bytes[used..end]);
            used = end + 1;
        }
        let mut going = true;
        if let Some(windows) = &mut self.windows {
            for window in windows.full(&self.reader.table, &self.reader.readings) {
                going &= self.reader.outlet.window(window);
            }
        }
        if let Some(where_to) = self.reader.table.take_violation() {
            (self.reader.forbidden)(where_to);
        }
        (used, going)
    }

    fn line(&mut self, line: &[u8]) {
        self.messages += 1;
        let understood = match self.lines.read(line) {
            Line::Point(point) => {
                let table = &mut self.reader.table;
                match (table.metric(&point.metric), table.set(&point.tags)) {
                    (Some(metric), Some(set)) => {
                        let phase = table.phase(set);
                        if let Some(windows) =
                            open(&mut self.windows, &self.reader, phase, point.time)
                            && (phase == Phase::Load || windows.offset(point.time) >= 0)
                        {
                            if point.metric.as_ref() == b"iterations" {
                                self.iterations += point.value;
                            }
                            let table = &mut self.reader.table;
                            let series = table.series(metric, set);
                            windows.add(table, series, point.time, point.value);
                        }
                        true
                    }
                    _ => false,
                }
            }
            Line::Metric { name, kind } => self.reader.table.define(&name, kind),
            Line::Other => true,
            Line::Unreadable => false,
        };
        if !understood {
            self.unreadable_before += 1;
        }
        if self.unreadable_before > 0
            && let Some(windows) = &mut self.windows
        {
            for _ in 0..std::mem::take(&mut self.unreadable_before) {
                windows.unreadable();
            }
        }
    }
}

/// The windows that a sample belongs to; `None` while the load has not started, or never for what
/// is not load.
fn open<'a>(
    windows: &'a mut Option<Windows>,
    reader: &PipeReader,
    phase: Phase,
    time: i64,
) -> Option<&'a mut Windows> {
    if phase == Phase::Outside {
        return None;
    }
    if windows.is_none() {
        let origin = match (reader.origin.get(), phase) {
            (Some(origin), _) => origin,
            (None, Phase::Load) => {
                let began = Instant::now();
                reader.origin.wait(ORIGIN_PATIENCE).unwrap_or_else(|| {
                    tracing::warn!(
                        waited = ?began.elapsed(),
                        "k6 did not tell when the load started; counting from its first sample"
                    );
                    let origin = time.min(now());
                    if reader.origin.set(origin) {
                        reader.outlet.load_started();
                    }
                    origin
                })
            }
            // Users are counted during setup() too.
            (None, _) => return None,
        };
        *windows = Some(Windows::new(origin));
    }
    windows.as_mut()
}
