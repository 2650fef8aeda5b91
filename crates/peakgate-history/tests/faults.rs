//! Damaged, foreign and locked files, and many writers at once.

// The lint knows test functions only, not their helpers.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use common::{run, start_of};
use peakgate_history::{History, HistoryError, RunFilter, RunState, Verdict};
use rusqlite::Connection;

fn filled(folder: &Path) -> PathBuf {
    let path = folder.join("history.db");
    let history = History::open(&path).unwrap();
    for minutes in 0..50 {
        history.finish(&run(minutes, Verdict::Pass)).unwrap();
    }
    path
}

/// Opens a file that must be refused, and checks that not a byte of it changed.
fn refusal(path: &Path) -> HistoryError {
    let before = fs::read(path).unwrap();
    let refusal = History::open(path).unwrap_err();
    assert_eq!(fs::read(path).unwrap(), before, "{refusal}");
    assert!(refusal.to_string().contains("history.db"), "{refusal}");
    refusal
}

#[test]
fn what_is_no_history_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    fs::write(&path, "release notes\n".repeat(500)).unwrap();
    let error = refusal(&path);
    assert!(
        matches!(error, HistoryError::NotADatabase { .. }),
        "{error}"
    );

    fs::remove_file(&path).unwrap();
    let other = Connection::open(&path).unwrap();
    other
        .execute_batch("CREATE TABLE bookmarks (url TEXT)")
        .unwrap();
    drop(other);
    let error = refusal(&path);
    assert!(matches!(error, HistoryError::Foreign { .. }), "{error}");

    let error = History::open(folder.path()).unwrap_err();
    assert!(matches!(error, HistoryError::CannotOpen { .. }), "{error}");
    let error = History::open(path.join("below/history.db")).unwrap_err();
    assert!(matches!(error, HistoryError::CannotOpen { .. }), "{error}");
}

#[test]
fn a_truncated_file_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    let whole = fs::read(&path).unwrap();
    for keep in [whole.len() - 4096, whole.len() / 2, 5000, 300] {
        fs::write(&path, &whole[..keep]).unwrap();
        let error = refusal(&path);
        assert!(
            matches!(
                error,
                HistoryError::Corrupt { .. } | HistoryError::NotADatabase { .. }
            ),
            "{keep}: {error}"
        );
    }
    // An empty file is a new history, unless a log tells that there was more.
    let log = folder.path().join("history.db-wal");
    fs::write(&log, [7; 100]).unwrap();
    fs::write(&path, "").unwrap();
    let error = refusal(&path);
    assert!(matches!(error, HistoryError::Corrupt { .. }), "{error}");
    assert_eq!(fs::read(&log).unwrap(), [7; 100]);
    fs::remove_file(&log).unwrap();
    History::open(&path).unwrap().check().unwrap();
}

#[test]
fn a_damaged_page_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    for byte in &mut bytes[4096..] {
        *byte = 0xa5;
    }
    fs::write(&path, &bytes).unwrap();
    let outcome = History::open(&path).and_then(|history| {
        history.check()?;
        history.list(&RunFilter::default())
    });
    let error = outcome.unwrap_err();
    assert!(matches!(error, HistoryError::Corrupt { .. }), "{error}");
    assert!(
        fs::read(&path).unwrap() == bytes,
        "a damaged file was written to"
    );
}

#[test]
fn a_lock_is_waited_for_and_then_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    let holder = Connection::open(&path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();

    let history = History::open_with_timeout(&path, Duration::from_millis(200)).unwrap();
    // Readers are not held up.
    assert_eq!(history.list(&RunFilter::default()).unwrap().len(), 50);
    let record = run(99, Verdict::Pass);
    let error = history.finish(&record).unwrap_err();
    assert!(matches!(error, HistoryError::Locked { .. }), "{error}");
    assert!(
        error.to_string().contains("locked by another process"),
        "{error}"
    );

    let patient = History::open(&path).unwrap();
    let waiter = thread::spawn(move || patient.finish(&record));
    thread::sleep(Duration::from_millis(100));
    holder.execute_batch("COMMIT").unwrap();
    waiter.join().unwrap().unwrap();
    assert_eq!(history.list(&RunFilter::default()).unwrap().len(), 51);

    // Held entirely: not even a reader gets in.
    drop(history);
    holder
        .execute_batch("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE")
        .unwrap();
    let error = History::open_with_timeout(&path, Duration::from_millis(200)).unwrap_err();
    assert!(matches!(error, HistoryError::Locked { .. }), "{error}");
}

#[test]
fn many_writers_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    // The file does not exist yet: they race to create it as well.
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let path = path.clone();
            thread::spawn(move || {
                let history = History::open(&path).unwrap();
                for minutes in 0..25 {
                    let record = run(writer * 100 + minutes, Verdict::Pass);
                    history.begin(&start_of(&record)).unwrap();
                    history.finish(&record).unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    let history = History::open(&path).unwrap();
    history.check().unwrap();
    let runs = history.list(&RunFilter::default()).unwrap();
    assert_eq!(runs.len(), 200);
    assert!(
        runs.iter()
            .all(|r| r.state == RunState::Finished(Verdict::Pass))
    );
}
