//! The reference service: our own lead API on loopback, healthy or broken on purpose.
//!
//! It answers the calls of the example scripts with latencies of a realistic shape, and each
//! [`Mode`] goes wrong in one way that a load test must find. It sleeps instead of working, so that
//! it takes little from the machine that also makes the load.
//!
//! | call | answer |
//! |---|---|
//! | `POST /api/v1/leads` (a JSON object) | 201 and the lead with its `id` |
//! | `GET /api/v1/leads/{id}` | 200, or 404 |
//! | `GET /api/v1/leads?status=NEW&limit=20` | 200 and the newest leads |
//! | `GET /api/v1/leads/export?format=csv` | 200 and the newest leads as CSV |
//! | `GET /api/v1/analytics/overview` | 200 and totals |
//! | `GET /api/v1/config` | 200 and settings |
//! | `POST /api/v1/leads/batch` (up to 100 leads, `X-API-KEY`) | 201, or 401 without a key |
//! | `GET /healthz` | 200, in every mode but `down`, at once |

mod api;
mod connections;
mod latency;
mod mode;
mod service;
mod store;
mod traffic;

pub use mode::{Mode, UnknownMode};
pub use service::{DemoError, DemoService};
pub use traffic::{Route, RouteCounts};
