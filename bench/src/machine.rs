//! What the figures were measured on.

use crate::cores::Cores;

/// One line: cores, processor, and how busy the machine was.
pub(crate) fn describe(cores: &Cores) -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("an unknown processor", |(_, model)| model.trim());
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown");
    let division = match cores.k6 {
        Some(_) => "k6 on one core, all else on the others",
        None => "everything on the same core",
    };
    format!(
        "{} cores ({model}); {division}; load average at the end {load}.",
        cores.count
    )
}
