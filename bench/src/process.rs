//! Reading what processes used, from `/proc` (proc(5)).

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};

use crate::error::{During, Result};

/// Processor time, user and system, in seconds. The kernel counts in ticks of 10 ms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cpu {
    /// The process's own, all threads.
    pub(crate) own: f64,
    /// That of children that ended and were waited for.
    pub(crate) children: f64,
}

impl Cpu {
    /// Reads a process, which may be a zombie.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let path = format!("/proc/{pid}/stat");
        let stat = std::fs::read_to_string(&path).during(&path)?;
        // The name in parentheses may hold anything; fields are counted after it.
        let ticks: Vec<f64> = stat
            .rsplit_once(')')
            .map_or("", |(_, fields)| fields)
            .split_ascii_whitespace()
            .skip(11)
            .take(4)
            .map(str::parse)
            .collect::<std::result::Result<_, _>>()
            .during(&path)?;
        let [user, system, children_user, children_system] = ticks[..] else {
            return Err(format!("{path} has fewer fields than proc(5) says").into());
        };
        let second = rustix::param::clock_ticks_per_second() as f64;
        Ok(Self {
            own: (user + system) / second,
            children: (children_user + children_system) / second,
        })
    }
}

/// The greatest resident set so far (`VmHWM`) or the present one (`VmRSS`), in MiB; `None` once
/// the process has ended.
pub(crate) fn memory(pid: u32, field: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix(field))?;
    let kib: f64 = line
        .trim_start_matches(':')
        .trim()
        .trim_end_matches("kB")
        .trim()
        .parse()
        .ok()?;
    Some(kib / 1024.0)
}

/// A process that is watched but not ours to wait for.
#[derive(Debug)]
pub(crate) struct Watched(OwnedFd);

impl Watched {
    /// Watches a process.
    pub(crate) fn new(pid: u32) -> Result<Self> {
        let pid = as_pid(pid)?;
        Ok(Self(
            pidfd_open(pid, PidfdFlags::empty()).during("watching a process (pidfd_open)")?,
        ))
    }

    /// Waits until it ended, at most so long; `false` when it has not.
    pub(crate) fn ended_within(&self, longest: Duration) -> Result<bool> {
        let timeout = Timespec {
            tv_sec: i64::try_from(longest.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: longest.subsec_nanos().into(),
        };
        let ready = poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&timeout));
        match ready {
            Ok(count) => Ok(count > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(format!("waiting for a process: {error}").into()),
        }
    }
}

fn as_pid(pid: u32) -> Result<Pid> {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| format!("{pid} is no process").into())
}

/// A child that is killed when dropped, and read before it is forgotten.
#[derive(Debug)]
pub(crate) struct Child(std::process::Child);

/// How a child ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its status.
    pub(crate) status: std::process::ExitStatus,
    /// What it used.
    pub(crate) cpu: Cpu,
}

impl Child {
    /// Starts a command.
    pub(crate) fn start(command: &mut std::process::Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        Ok(Self(command.spawn().during(&format!("starting {name}"))?))
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Waits for its end and reads what it used.
    pub(crate) fn wait(mut self, longest: Duration) -> Result<Ended> {
        let watched = Watched::new(self.pid())?;
        let deadline = Instant::now() + longest;
        while !watched.ended_within(deadline.saturating_duration_since(Instant::now()))? {
            if Instant::now() >= deadline {
                return Err(format!(
                    "process {} was still running after {} s and was killed",
                    self.pid(),
                    longest.as_secs()
                )
                .into());
            }
        }
        // Without reaping: its figures are gone with it.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(as_pid(self.pid())?), options).during("waiting for a process")?;
        let cpu = Cpu::of(self.pid())?;
        let status = self.0.wait().during("waiting for a process")?;
        Ok(Ended { status, cpu })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both fail harmlessly for a child that was waited for. k6 dies with the gate.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The end of a text file, for error messages.
pub(crate) fn tail(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
