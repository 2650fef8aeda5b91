//! k6's log: kept in a file, searched for what matters.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use peakgate_load::LogNote;
use serde::Deserialize;

/// The log file grows no further than this.
const MAX_FILE: usize = 20 << 20;
const MAX_NOTES: usize = 50;
/// Of these, our own.
const MAX_OWN: usize = 20;
const MAX_NOTE_CHARS: usize = 500;
/// Distinct messages that are told apart; rare ones beyond are counted together.
const MAX_DISTINCT: usize = 2_000;
/// A longer line is cut.
const MAX_LINE: u64 = 1 << 20;

/// A file that stops growing, and whose failures hurt nobody.
#[derive(Debug)]
struct CappedFile {
    file: Option<File>,
    left: usize,
}

impl CappedFile {
    fn write(&mut self, line: &[u8]) {
        let Some(file) = &mut self.file else {
            return;
        };
        let cut = b"(peakgate: the log is cut off here, at 20 MiB)\n";
        let (text, last) = if line.len() <= self.left {
            (line, false)
        } else {
            (cut.as_slice(), true)
        };
        self.left = self.left.saturating_sub(line.len());
        if let Err(error) = file.write_all(text) {
            // A full disk must not end the run.
            tracing::warn!(%error, "k6's log cannot be written any further");
            self.file = None;
        } else if last {
            self.file = None;
        }
    }
}

/// What k6 logs with `--log-format json`.
#[derive(Debug, Default, Deserialize)]
struct Record {
    #[serde(default)]
    level: String,
    #[serde(default)]
    msg: String,
    #[serde(default)]
    source: Option<serde_json::Value>,
    #[serde(default)]
    scenario: Option<serde_json::Value>,
    #[serde(default)]
    executor: Option<serde_json::Value>,
    #[serde(default)]
    error: Option<serde_json::Value>,
}

/// What was found in the log.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Iterations that ended with an exception.
    pub(super) exceptions: u64,
    /// An `abortOnFail` threshold ended the run.
    pub(super) threshold_abort: bool,
    /// The last error that was k6's own, not an iteration's or the script's console.
    pub(super) last_error: Option<String>,
    notes: HashMap<(String, String), u64>,
    more: u64,
    /// Ours, which no flood of k6's may push out.
    own: Vec<String>,
}

impl Findings {
    /// Adds a warning of our own; it is among the notes however much k6 logs.
    pub(super) fn own_note(&mut self, message: &str) {
        if self.own.len() < MAX_OWN {
            self.own.push(shorten(message.trim(), MAX_NOTE_CHARS));
        } else {
            self.note("warning", message);
        }
    }

    /// Adds a note of k6's.
    pub(super) fn note(&mut self, level: &str, message: &str) {
        let message = shorten(message.trim(), MAX_NOTE_CHARS);
        let known = self.notes.len();
        match self.notes.entry((level.to_owned(), message)) {
            std::collections::hash_map::Entry::Occupied(mut times) => *times.get_mut() += 1,
            std::collections::hash_map::Entry::Vacant(place) if known < MAX_DISTINCT => {
                place.insert(1);
            }
            std::collections::hash_map::Entry::Vacant(_) => self.more += 1,
        }
    }

    /// The most frequent notes, in that order; ours before others that came as often. Last, what
    /// there was no place for.
    pub(super) fn notes(&self) -> Vec<LogNote> {
        let mut notes: Vec<_> = self
            .notes
            .iter()
            .map(|((level, message), times)| LogNote {
                level: level.clone(),
                message: message.clone(),
                times: *times,
            })
            .collect();
        notes.sort_by(|a, b| (b.times, &a.level, &a.message).cmp(&(a.times, &b.level, &b.message)));
        let places = MAX_NOTES - self.own.len();
        let mut rest = None;
        let left_out = notes.len().saturating_sub(places - 1);
        if notes.len() > places || self.more > 0 {
            let times = notes.iter().skip(places - 1).map(|n| n.times).sum::<u64>() + self.more;
            notes.truncate(places - 1);
            rest = Some(LogNote {
                level: "warning".to_owned(),
                message: format!("and more than {left_out} other messages: see k6.log"),
                times,
            });
        }
        let own = self.own.iter().map(|message| LogNote {
            level: "warning".to_owned(),
            message: message.clone(),
            times: 1,
        });
        let before = notes.partition_point(|n| n.times > 1);
        notes.splice(before..before, own);
        notes.extend(rest);
        notes
    }

    fn record(&mut self, record: &Record) {
        let level = match record.level.as_str() {
            "error" | "fatal" | "panic" => "error",
            "warning" | "warn" => "warning",
            _ => return,
        };
        let message = match &record.error {
            Some(serde_json::Value::String(error)) => format!("{}: {error}", record.msg),
            _ => record.msg.clone(),
        };
        if level == "error" {
            let console = record.source.as_ref().is_some_and(|s| s == "console");
            // An iteration that throws is logged with its scenario and executor.
            if record.scenario.is_some() && record.executor.is_some() && !console {
                self.exceptions += 1;
            } else if !console {
                self.threshold_abort |= record.msg.contains("abortOnFail enabled");
                self.last_error = Some(readable(&message));
            }
        }
        self.note(level, &readable(&message));
    }
}

/// A message of k6 as one reads it: without `GoError:`, and with its stack on one line.
pub(super) fn readable(message: &str) -> String {
    let lines: Vec<_> = message
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    let text = lines.join(" ");
    text.strip_prefix("GoError: ").unwrap_or(&text).to_owned()
}

fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most - 1).collect();
    short.push('…');
    short
}

/// The errors in what `k6 inspect` wrote to its log.
pub(super) fn errors_in(log: &[u8]) -> Vec<String> {
    log.split(|b| *b == b'\n')
        .filter_map(|line| serde_json::from_slice::<Record>(line).ok())
        .filter(|r| r.level == "error" || r.level == "fatal")
        .map(|r| readable(&r.msg))
        .collect()
}

/// What the wrapper tells by the log, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// `setup()` is done.
    LoadStart(i64),
    /// `teardown()` begins.
    LoadEnd(i64),
}

impl Mark {
    fn parse(text: &str) -> Option<Self> {
        let (what, ms) = text.trim().split_once(' ')?;
        let nanos = ms.parse::<i64>().ok()?.saturating_mul(1_000_000);
        match what {
            "start" => Some(Self::LoadStart(nanos)),
            "end" => Some(Self::LoadEnd(nanos)),
            _ => None,
        }
    }
}

/// The log, shared by the threads that read k6's two outputs.
#[derive(Debug, Clone)]
pub(super) struct Log {
    file: Arc<Mutex<CappedFile>>,
    findings: Arc<Mutex<Findings>>,
}

impl Log {
    /// Starts the file; one that cannot be made costs the log, not the run.
    pub(super) fn create(path: &Path) -> Self {
        let file = File::create(path)
            .inspect_err(|error| tracing::warn!(%error, path = %path.display(), "no log of k6"))
            .ok();
        let left = MAX_FILE;
        Self {
            file: Arc::new(Mutex::new(CappedFile { file, left })),
            findings: Arc::default(),
        }
    }

    pub(super) fn findings(&self) -> MutexGuard<'_, Findings> {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, line: &[u8]) {
        self.file
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(line);
    }

    /// Copies k6's standard output (the script's own summary) to its end.
    pub(super) fn copy(&self, output: impl Read) {
        each_line(output, |line| self.keep(line));
    }

    /// Reads k6's log to its end. `marker` begins what the wrapper logs when the load starts and
    /// ends.
    pub(super) fn read(&self, output: impl Read, marker: &str, marked: impl Fn(Mark)) {
        each_line(output, |line| {
            let record: Option<Record> = serde_json::from_slice(line).ok();
            if let Some(record) = &record
                && let Some(text) = record.msg.strip_prefix(marker)
            {
                if let Some(mark) = Mark::parse(text) {
                    marked(mark);
                }
                return;
            }
            self.keep(line);
            match record {
                Some(record) => self.findings().record(&record),
                // A Go panic, for one, is no JSON.
                None if line.starts_with(b"panic:") || line.starts_with(b"fatal error:") => {
                    let text = String::from_utf8_lossy(line);
                    let mut findings = self.findings();
                    findings.last_error = Some(readable(&text));
                    findings.note("error", &text);
                }
                None => {}
            }
        });
    }
}

fn each_line(output: impl Read, mut take: impl FnMut(&[u8])) {
    let mut reader = BufReader::with_capacity(64 << 10, output);
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(_) => take(&line),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => {
                tracing::warn!(%error, "k6's output broke off");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(text: &str) -> (Log, Vec<Mark>) {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::create(&dir.path().join("k6.log"));
        let starts = Mutex::new(Vec::new());
        log.read(text.as_bytes(), "mark-1 ", |at| {
            starts.lock().unwrap().push(at);
        });
        (log, starts.into_inner().unwrap())
    }

    #[test]
    fn exceptions_are_told_from_other_errors() {
        let (log, starts) = log(concat!(
            r#"{"level":"info","msg":"mark-1 start 1795519837144","source":"console"}"#,
            "\n",
            r#"{"executor":"x","level":"error","msg":"Error: boom\n\tat f\n","scenario":"d","source":"stacktrace"}"#,
            "\n",
            r#"{"executor":"x","level":"error","msg":"Uncaught (in promise) TypeError: as","scenario":"d"}"#,
            "\n",
            r#"{"level":"error","msg":"from the script","source":"console"}"#,
            "\n",
            r#"{"level":"warning","msg":"Request Failed","error":"refused"}"#,
            "\n",
            r#"{"level":"error","msg":"thresholds on metrics 'a' were crossed; at least one has abortOnFail enabled, stopping test prematurely"}"#,
            "\n",
            "not json\n",
        ));
        let findings = log.findings();
        assert_eq!(starts, [Mark::LoadStart(1_795_519_837_144_000_000)]);
        assert_eq!(findings.exceptions, 2);
        assert!(findings.threshold_abort);
        let notes: Vec<_> = findings.notes().into_iter().map(|n| n.message).collect();
        assert_eq!(notes.len(), 5, "{notes:?}");
        assert!(notes.contains(&"Error: boom at f".to_owned()), "{notes:?}");
        assert!(
            notes.contains(&"Request Failed: refused".to_owned()),
            "{notes:?}"
        );
    }

    #[test]
    fn notes_are_few_and_short() {
        let mut findings = Findings::default();
        for _ in 0..5 {
            findings.note("warning", "often");
        }
        for i in 0..3_000 {
            findings.note("error", &format!("{i} {}", "x".repeat(900)));
        }
        findings.note("error", "2999");
        findings.own_note("ours");
        findings.own_note("ours too");
        let notes = findings.notes();
        assert_eq!(notes.len(), MAX_NOTES);
        assert!(
            notes
                .iter()
                .all(|n| n.message.chars().count() <= MAX_NOTE_CHARS)
        );
        assert_eq!(notes.iter().map(|n| n.times).sum::<u64>(), 3_008);
        let (rest, ranked) = notes.split_last().unwrap();
        assert!(rest.message.starts_with("and more than"), "{rest:?}");
        assert!(
            ranked.windows(2).all(|w| w[0].times >= w[1].times),
            "{notes:?}"
        );
        let first: Vec<_> = notes[..3].iter().map(|n| n.message.as_str()).collect();
        assert_eq!(first, ["often", "ours", "ours too"]);
    }

    #[test]
    fn the_file_stops_growing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k6.log");
        let log = Log::create(&path);
        log.copy(std::io::repeat(b'a').take(MAX_FILE as u64 + 5_000_000));
        let size = std::fs::metadata(&path).unwrap().len();
        assert!(size <= MAX_FILE as u64 + 100, "{size}");
        let text = std::fs::read(&path).unwrap();
        assert!(text.ends_with(b"20 MiB)\n"));
    }

    #[test]
    fn a_full_disk_hurts_nobody() {
        let log = Log::create(Path::new("/dev/full"));
        log.copy(&b"one\ntwo\n"[..]);
        log.read(&b"{\"level\":\"error\",\"msg\":\"x\"}\n"[..], "-", |_| {});
        assert_eq!(log.findings().last_error.as_deref(), Some("x"));
    }
}
