//! Shows the progress display with made-up figures: `cargo run -p peakgate-terminal --example live`.

use std::time::Duration;

use peakgate_core::guard::ValveState;
use peakgate_terminal::{Live, Progress, ProgressKind};

fn main() {
    let total = Duration::from_secs(12);
    let mut progress = Progress::new(ProgressKind::detect(), "peak of lead-api · an example");
    progress.set_total(total);
    for second in 0..=12_u32 {
        let (phase, vus) = match second {
            0..3 => ("ramping up", f64::from(second) * 166.0),
            3..9 => ("plateau", 500.0),
            _ => ("ramping down", f64::from(12 - second) * 166.0),
        };
        if second == 4 {
            progress.note("a note above the bar");
        }
        progress.update(&Live {
            elapsed: Duration::from_secs(second.into()),
            total,
            phase: phase.to_owned(),
            vus: Some(vus),
            planned_vus: Some(vus),
            request_rate: vus * 1.7,
            p50: Some(84.0),
            p95: Some(312.0),
            p99: Some(498.0),
            error_rate: Some(f64::from(second) / 100.0),
            dropped: 0,
            valves: vec![ValveState {
                id: "errors".to_owned(),
                value: format!("{second} %"),
                holding: (second > 5).then(|| {
                    let held = Duration::from_secs(u64::from(second) - 5);
                    (held, Duration::from_secs(30))
                }),
            }],
        });
        std::thread::sleep(Duration::from_secs(1));
    }
    progress.finish();
}
