//! k6 as a child process that can neither outlive the gate nor hold it up.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use tokio::sync::oneshot;

/// The process group of a child; killed when the last of its handles' owner drops [`KillOnDrop`].
#[derive(Debug, Clone)]
pub(super) struct Group {
    leader: Pid,
    /// Set before the leader is reaped: from then on its number may be somebody else's.
    reaped: Arc<Mutex<bool>>,
}

impl Group {
    /// The leader's process id.
    pub(super) fn pid(&self) -> u32 {
        self.leader.as_raw_nonzero().get().unsigned_abs()
    }

    /// Signals the whole group; a group that is gone is fine.
    pub(super) fn signal(&self, signal: Signal) {
        let reaped = self.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if !*reaped {
            let _ = rustix::process::kill_process_group(self.leader, signal);
        }
    }
}

/// Kills the group when dropped.
#[derive(Debug)]
pub(super) struct KillOnDrop(pub(super) Group);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        self.0.signal(Signal::KILL);
    }
}

/// A started child.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) group: Group,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
    /// How it ended, once it was reaped and the rest of its group was killed.
    pub(super) ended: oneshot::Receiver<io::Result<ExitStatus>>,
}

/// A command that sees `env` and nothing else of the gate's environment.
pub(super) fn command(binary: &Path, env: &[(String, String)]) -> Command {
    let mut command = Command::new(binary);
    command
        .env_clear()
        .envs(env.iter().map(|(k, v)| (k, v)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Starts a command in a process group of its own.
///
/// A thread starts it and stays until it ended: Linux sends the death signal when the *thread*
/// that started a child dies, so that it must not be one of a pool.
///
/// # Errors
/// The system's.
pub(super) async fn start(mut command: Command) -> io::Result<Started> {
    let (tell, started) = oneshot::channel();
    std::thread::Builder::new()
        .name("k6-child".to_owned())
        .spawn(move || {
            command.process_group(0);
            die_with_parent(&mut command);
            let mut child = match command.spawn() {
                Ok(child) => child,
                Err(error) => {
                    let _ = tell.send(Err(error));
                    return;
                }
            };
            let leader = Pid::from_child(&child);
            let group = Group {
                leader,
                reaped: Arc::default(),
            };
            let (tell_end, ended) = oneshot::channel();
            let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
                group.signal(Signal::KILL);
                let _ = child.wait();
                let _ = tell.send(Err(io::Error::other("the child has no outputs")));
                return;
            };
            let reaped = group.reaped.clone();
            let told = tell.send(Ok(Started {
                group: group.clone(),
                stdout,
                stderr,
                ended,
            }));
            if told.is_err() {
                // Whoever asked went away meanwhile.
                group.signal(Signal::KILL);
            }
            // Wait without reaping, so that the group's number is still ours while the rest of it
            // is killed (a browser that k6 started, say).
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while let Err(rustix::io::Errno::INTR) =
                rustix::process::waitid(WaitId::Pid(leader), options)
            {}
            group.signal(Signal::KILL);
            let status = {
                let mut reaped = reaped.lock().unwrap_or_else(PoisonError::into_inner);
                *reaped = true;
                child.wait()
            };
            let _ = tell_end.send(status);
        })?;
    started
        .await
        .unwrap_or_else(|_| Err(io::Error::other("the thread that starts k6 died")))
}

#[cfg(target_os = "linux")]
fn die_with_parent(command: &mut Command) {
    let parent = std::process::id();
    let prepare = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // The parent may have died before the line above.
        let now = rustix::process::getppid().map(|p| p.as_raw_nonzero().get().unsigned_abs());
        if now == Some(parent) {
            Ok(())
        } else {
            Err(io::ErrorKind::Interrupted.into())
        }
    };
    // SAFETY: between fork and exec the closure makes two system calls and neither allocates,
    // locks nor touches memory that another thread could hold.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(prepare);
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_command: &mut Command) {}

/// What a short command printed.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// Runs a short command to its end; kills it at the deadline.
///
/// # Errors
/// It cannot be started, or it took too long ([`io::ErrorKind::TimedOut`]).
pub(super) async fn output(command: Command, longest: Duration) -> io::Result<Output> {
    let started = start(command).await?;
    let guard = KillOnDrop(started.group.clone());
    let read = |mut source: Box<dyn Read + Send>| {
        tokio::task::spawn_blocking(move || {
            let mut bytes = Vec::new();
            // No honest answer is longer.
            let _ = (&mut source).take(64 << 20).read_to_end(&mut bytes);
            bytes
        })
    };
    let stdout = read(Box::new(started.stdout));
    let stderr = read(Box::new(started.stderr));
    let all = async {
        let status = started
            .ended
            .await
            .unwrap_or_else(|_| Err(io::Error::other("the thread that waits for it died")))?;
        Ok(Output {
            status,
            stdout: stdout.await.map_err(io::Error::other)?,
            stderr: stderr.await.map_err(io::Error::other)?,
        })
    };
    let result = tokio::time::timeout(longest, all)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    drop(guard);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = command(Path::new("/bin/sh"), &[("ONLY".into(), "this".into())]);
        command.arg("-c").arg(script);
        command
    }

    #[tokio::test]
    async fn sees_its_environment_and_no_more() {
        let out = output(shell("/usr/bin/env; exit 3"), Duration::from_secs(9))
            .await
            .unwrap();
        assert_eq!(out.status.code(), Some(3));
        let text = String::from_utf8(out.stdout).unwrap();
        assert!(text.contains("ONLY=this"));
        assert!(!text.contains("CARGO") && !text.contains("HOME="), "{text}");
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_killed_with_its_children() {
        let asked = std::time::Instant::now();
        let error = output(shell("sleep 60 & sleep 60"), Duration::from_millis(200)).await;
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(asked.elapsed() < Duration::from_secs(30));
    }

    #[tokio::test]
    async fn children_of_a_child_that_ended_are_killed() {
        // The background process holds the outputs open: without the kill this takes a minute.
        let out = output(shell("sleep 60 & echo $!"), Duration::from_secs(30))
            .await
            .unwrap();
        assert!(out.status.success());
        assert!(!out.stdout.is_empty());
    }

    #[tokio::test]
    async fn a_missing_program_is_an_error() {
        let missing = command(Path::new("/no/such/program"), &[]);
        let error = output(missing, Duration::from_secs(9)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
