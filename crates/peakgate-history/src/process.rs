//! Which process writes a run, so that a later one can tell a live run from an abandoned one.

use std::fmt;
use std::fs;

/// A process, as far as the system tells: the kernel's boot, the process namespace, the process
/// number and when it started (numbers are used again). Written as those four, slash-separated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProcessMark {
    /// Boot and namespace: a number means nothing outside of these.
    place: String,
    pid: u32,
    started: String,
}

impl ProcessMark {
    /// This process; `None` where the system does not tell (no `/proc`).
    pub(crate) fn own() -> Option<Self> {
        let pid = std::process::id();
        Some(Self {
            place: place()?,
            pid,
            started: started(pid)?,
        })
    }

    /// Whether it is dead for certain: it lived here and is gone. A process of another machine or
    /// container may be alive for all that can be seen from here.
    pub(crate) fn surely_dead(&self) -> bool {
        place().is_some_and(|here| here == self.place)
            && started(self.pid).is_none_or(|started| started != self.started)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.rsplitn(3, '/');
        let started = parts.next()?.to_owned();
        let pid = parts.next()?.parse().ok()?;
        let place = parts.next()?.to_owned();
        Some(Self {
            place,
            pid,
            started,
        })
    }
}

impl fmt::Display for ProcessMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.place, self.pid, self.started)
    }
}

fn place() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{}/{}", boot.trim(), namespace.display()))
}

/// When a process started, in the kernel's ticks since boot: field 22 of `/proc/PID/stat` (proc(5)).
/// A zombie counts as gone.
fn started(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; fields count from after its end.
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18).map(str::to_owned)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn tells_the_living_from_the_dead() {
        let own = ProcessMark::own().unwrap();
        assert!(!own.surely_dead());
        assert_eq!(ProcessMark::parse(&own.to_string()), Some(own.clone()));

        let reused = ProcessMark {
            started: "1".to_owned(),
            ..own.clone()
        };
        assert!(reused.surely_dead());
        let elsewhere = ProcessMark {
            place: "other/pid:[1]".to_owned(),
            ..reused
        };
        assert!(!elsewhere.surely_dead());
        assert_eq!(ProcessMark::parse("nonsense"), None);
    }
}
