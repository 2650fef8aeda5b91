//! How long each call takes, and which fail: plain arithmetic, the same for the same seed.

use std::time::Duration;

use crate::mode::Mode;
use crate::traffic::Route;

/// No call of a healthy service takes longer, so that its p99 stays well under 200 ms.
const HEALTHY_MAX: Duration = Duration::from_millis(150);
/// The median wait for `POST /api/v1/leads` in slow mode with [`SLOW_CLIENTS`] connected.
const SLOW_MEDIAN_MS: f64 = 1400.0;
const SLOW_CLIENTS: f64 = 500.0;
/// Steeper than linear, as waits for a shared resource are near its limit; at 50 clients 44 ms.
const SLOW_EXPONENT: f64 = 1.5;
const SLOW_SPREAD: f64 = 0.3;
const SLOW_MAX: Duration = Duration::from_secs(4);
/// How much every call slows down in each second of a leaking service: past 1 s after 7 s.
const LEAK_MS_PER_SECOND: f64 = 150.0;
const LEAK_MAX_MS: f64 = 5000.0;
/// One call in so many fails when flaky: 3.03 %.
const FLAKY_EVERY: u64 = 33;
/// Which of them: early enough that a handful of calls shows it.
const FLAKY_OFFSET: u64 = 8;

/// What a call's fate depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances {
    /// The seed of the whole service.
    pub(crate) seed: u64,
    /// The route.
    pub(crate) route: Route,
    /// How many calls of the route came before.
    pub(crate) nth: u64,
    /// Clients connected.
    pub(crate) clients: u64,
    /// Since the service started.
    pub(crate) age: Duration,
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) wait: Duration,
    pub(crate) fails: bool,
}

pub(crate) fn fate(mode: Mode, call: Circumstances) -> Fate {
    // Median in milliseconds and spread of a log-normal distribution, the usual shape of service
    // times: with a spread of 0.5, the p99 is 3.2 medians.
    let (median, spread) = match call.route {
        Route::CreateLead => (12.0, 0.5),
        Route::ReadLead => (4.0, 0.45),
        Route::ListLeads => (9.0, 0.5),
        Route::ExportLeads => (22.0, 0.5),
        Route::Overview => (18.0, 0.5),
        Route::Config => (3.0, 0.4),
        Route::CreateBatch => (30.0, 0.45),
        Route::Health | Route::Unknown => {
            return Fate {
                wait: Duration::ZERO,
                fails: false,
            };
        }
    };
    let normal = normal(call);
    let base = millis(median * (spread * normal).exp()).min(HEALTHY_MAX);
    let extra = match mode {
        Mode::Slow if call.route == Route::CreateLead => {
            #[allow(clippy::cast_precision_loss)]
            let load = call.clients as f64 / SLOW_CLIENTS;
            let median = SLOW_MEDIAN_MS * load.powf(SLOW_EXPONENT);
            millis(median * (SLOW_SPREAD * normal).exp()).min(SLOW_MAX)
        }
        Mode::Leaking => millis((LEAK_MS_PER_SECOND * call.age.as_secs_f64()).min(LEAK_MAX_MS)),
        Mode::Slow | Mode::Healthy | Mode::Flaky | Mode::Down => Duration::ZERO,
    };
    Fate {
        wait: base + extra,
        fails: mode == Mode::Flaky && call.nth % FLAKY_EVERY == FLAKY_OFFSET,
    }
}

fn millis(ms: f64) -> Duration {
    Duration::from_secs_f64(ms / 1000.0)
}

/// A standard normal value, by the Box-Muller transform of two hashed counters.
#[allow(clippy::cast_precision_loss)]
fn normal(call: Circumstances) -> f64 {
    let stream = mix(call.seed ^ mix(call.route as u64 + 1));
    let unit = |n: u64| ((mix(stream.wrapping_add(n)) >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    let radius = (-2.0 * unit(2 * call.nth).ln()).sqrt();
    radius * (std::f64::consts::TAU * unit(2 * call.nth + 1)).cos()
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014) over a Weyl step.
fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(route: Route, nth: u64) -> Circumstances {
        Circumstances {
            seed: 42,
            route,
            nth,
            clients: 1,
            age: Duration::ZERO,
        }
    }

    /// Sorted waits in milliseconds of 10,000 calls.
    fn waits(mode: Mode, route: Route, clients: u64, age: Duration) -> Vec<f64> {
        let mut waits: Vec<f64> = (0..10_000)
            .map(|nth| {
                let call = Circumstances {
                    clients,
                    age,
                    ..call(route, nth)
                };
                fate(mode, call).wait.as_secs_f64() * 1000.0
            })
            .collect();
        waits.sort_by(f64::total_cmp);
        waits
    }

    fn quantile(waits: &[f64], percent: usize) -> f64 {
        waits[waits.len() * percent / 100]
    }

    #[test]
    fn healthy_latencies_have_a_realistic_shape() {
        for route in Route::ALL {
            let waits = waits(Mode::Healthy, route, 500, Duration::from_secs(3600));
            if matches!(route, Route::Health | Route::Unknown) {
                assert!(waits[9_999] == 0.0);
                continue;
            }
            let (median, p99) = (quantile(&waits, 50), quantile(&waits, 99));
            assert!((2.5..35.0).contains(&median), "{route:?}: {median}");
            assert!(p99 > 2.0 * median && p99 < 110.0, "{route:?}: {p99}");
        }
        // The median is the one asked for, so the generator is not skewed.
        let waits = waits(Mode::Healthy, Route::CreateLead, 1, Duration::ZERO);
        assert!((quantile(&waits, 50) - 12.0).abs() < 0.5);
    }

    #[test]
    fn the_same_seed_gives_the_same_calls() {
        let first = fate(Mode::Healthy, call(Route::CreateLead, 7));
        assert_eq!(first, fate(Mode::Healthy, call(Route::CreateLead, 7)));
        let other = Circumstances {
            seed: 43,
            ..call(Route::CreateLead, 7)
        };
        assert_ne!(first, fate(Mode::Healthy, other));
        assert_ne!(first, fate(Mode::Healthy, call(Route::CreateLead, 8)));
        assert_ne!(first, fate(Mode::Healthy, call(Route::CreateBatch, 7)));
    }

    #[test]
    fn slow_creation_breaks_the_peak_limits_but_not_those_at_50_users() {
        let at = |clients| waits(Mode::Slow, Route::CreateLead, clients, Duration::ZERO);
        let peak = quantile(&at(500), 99);
        assert!((1500.0..4200.0).contains(&peak), "{peak}");
        let baseline = at(50);
        assert!(quantile(&baseline, 95) < 200.0);
        let spike = at(2000);
        assert!(spike[9_999] <= 4150.0);
        for route in [Route::ReadLead, Route::CreateBatch, Route::ListLeads] {
            let others = waits(Mode::Slow, route, 500, Duration::ZERO);
            assert!(quantile(&others, 99) < 110.0, "{route:?}");
        }
    }

    #[test]
    fn flaky_fails_three_in_a_hundred_and_soon() {
        for route in [Route::CreateLead, Route::Config] {
            let fails = |n| {
                (0..n)
                    .filter(|&nth| fate(Mode::Flaky, call(route, nth)).fails)
                    .count()
            };
            assert_eq!(fails(3300), 100);
            assert_eq!(fails(10), 1);
        }
        assert!((0..1000).all(|nth| !fate(Mode::Flaky, call(Route::Health, nth)).fails));
        assert!((0..1000).all(|nth| !fate(Mode::Slow, call(Route::Config, nth)).fails));
    }

    #[test]
    fn leaking_slows_every_call_down_with_time() {
        let at = |secs| waits(Mode::Leaking, Route::Config, 1, Duration::from_secs(secs));
        assert!(quantile(&at(1), 99) < 200.0);
        // By the middle of a 20 s rehearsal even the fastest call is past the p99 limit of 1 s.
        assert!(at(10)[0] > 1400.0);
        assert!(at(100_000)[9_999] < 5200.0);
    }
}
