//! The routes, and how often each was called.

use std::sync::atomic::{AtomicU64, Ordering};

/// A route of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// `POST /api/v1/leads`
    CreateLead,
    /// `GET /api/v1/leads/{id}`
    ReadLead,
    /// `GET /api/v1/leads`
    ListLeads,
    /// `GET /api/v1/leads/export`
    ExportLeads,
    /// `GET /api/v1/analytics/overview`
    Overview,
    /// `GET /api/v1/config`
    Config,
    /// `POST /api/v1/leads/batch`
    CreateBatch,
    /// `GET /healthz`
    Health,
    /// Anything else.
    Unknown,
}

impl Route {
    /// All routes, in the order of their discriminants.
    pub const ALL: [Self; 9] = [
        Self::CreateLead,
        Self::ReadLead,
        Self::ListLeads,
        Self::ExportLeads,
        Self::Overview,
        Self::Config,
        Self::CreateBatch,
        Self::Health,
        Self::Unknown,
    ];
}

/// How often each route was called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RouteCounts([u64; Route::ALL.len()]);

impl RouteCounts {
    /// Calls of one route.
    #[must_use]
    pub fn of(&self, route: Route) -> u64 {
        self.0[route as usize]
    }

    /// Calls of all routes.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// Counts calls as they come.
#[derive(Debug, Default)]
pub(crate) struct Traffic([AtomicU64; Route::ALL.len()]);

impl Traffic {
    /// Counts a call and returns how many of its route came before it.
    pub(crate) fn count(&self, route: Route) -> u64 {
        self.0[route as usize].fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn counts(&self) -> RouteCounts {
        RouteCounts(std::array::from_fn(|i| self.0[i].load(Ordering::Relaxed)))
    }
}
