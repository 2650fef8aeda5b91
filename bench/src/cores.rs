//! Which processor cores are whose: k6 gets one of its own, so that the server, the gate and this
//! program do not take its time.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::error::{During, Result};

/// The division of the cores.
#[derive(Debug, Clone)]
pub(crate) struct Cores {
    /// k6's core; none where there is only one.
    pub(crate) k6: Option<usize>,
    /// How many there are.
    pub(crate) count: usize,
}

impl Cores {
    /// Keeps this process, and all that it starts, off the core that is k6's.
    pub(crate) fn take() -> Result<Self> {
        let mut set = sched_getaffinity(None).during("reading which cores may be used")?;
        let count = set.count() as usize;
        let first = (0..CpuSet::MAX_CPU).find(|&core| set.is_set(core));
        let Some(first) = first.filter(|_| count > 1) else {
            return Ok(Self { k6: None, count });
        };
        set.unset(first);
        sched_setaffinity(None, &set).during("leaving k6's core")?;
        Ok(Self {
            k6: Some(first),
            count,
        })
    }

    /// k6's core as an argument of this program.
    pub(crate) fn argument(&self) -> String {
        self.k6
            .map_or_else(|| "-".to_owned(), |core| core.to_string())
    }
}

/// Moves this process to the core that [`Cores::argument`] names.
pub(crate) fn move_to(core: &str) -> Result<()> {
    if core == "-" {
        return Ok(());
    }
    let mut set = CpuSet::new();
    set.set(core.parse().during("reading the number of a core")?);
    sched_setaffinity(None, &set).during("moving to k6's core")
}
