//! The routes' answers.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::latency::{Circumstances, fate};
use crate::mode::Mode;
use crate::store::{Lead, Store};
use crate::traffic::{Route, Traffic};

/// The largest request body.
const MAX_BODY: usize = 256 * 1024;
/// The most leads in one batch.
const MAX_BATCH: usize = 100;
/// The most leads in one list or export.
const MAX_LIST: usize = 100;
/// What a leaking service says that it loses with each call. It is only said, not lost: the demo
/// must not harm the machine.
const LEAK_PER_CALL: u64 = 16 * 1024;

/// What all calls share.
pub(crate) struct Service {
    pub(crate) mode: Mode,
    pub(crate) seed: u64,
    pub(crate) started: Instant,
    pub(crate) traffic: Traffic,
    pub(crate) clients: Arc<AtomicU64>,
    pub(crate) store: Mutex<Store>,
}

impl Service {
    /// Counts a call, lets it take its time, and says whether it fails.
    async fn serve(&self, route: Route) -> Result<(), Refusal> {
        let fate = fate(
            self.mode,
            Circumstances {
                seed: self.seed,
                route,
                nth: self.traffic.count(route),
                clients: self.clients.load(Ordering::Relaxed),
                age: self.started.elapsed(),
            },
        );
        if !fate.wait.is_zero() {
            tokio::time::sleep(fate.wait).await;
        }
        if fate.fails {
            return Err(Refusal(
                StatusCode::INTERNAL_SERVER_ERROR,
                "lost the connection to the database",
            ));
        }
        Ok(())
    }

    /// The store. A panic elsewhere leaves it usable: no change to it is ever half done.
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that the service says it has lost.
    pub(crate) fn leaked_bytes(&self) -> u64 {
        if self.mode == Mode::Leaking {
            self.traffic.counts().total() * LEAK_PER_CALL
        } else {
            0
        }
    }
}

/// An answer other than success: `{"error": …}`.
struct Refusal(StatusCode, &'static str);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

type Answer<T> = Result<T, Refusal>;
type Shared = State<Arc<Service>>;

pub(crate) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/api/v1/leads", post(create_lead).get(list_leads))
        .route("/api/v1/leads/export", get(export_leads))
        .route("/api/v1/leads/batch", post(create_batch))
        .route("/api/v1/leads/{id}", get(read_lead))
        .route("/api/v1/analytics/overview", get(overview))
        .route("/api/v1/config", get(config))
        .route("/healthz", get(health))
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(service)
}

const NO_OBJECT: Refusal = Refusal(StatusCode::BAD_REQUEST, "the body must be a JSON object");

async fn create_lead(State(service): Shared, body: Bytes) -> Answer<(StatusCode, Json<Lead>)> {
    service.serve(Route::CreateLead).await?;
    let fields: Map<String, Value> = serde_json::from_slice(&body).map_err(|_shown| NO_OBJECT)?;
    let lead = service.store().add(&fields);
    Ok((StatusCode::CREATED, Json(lead)))
}

async fn read_lead(State(service): Shared, Path(id): Path<String>) -> Answer<Json<Lead>> {
    service.serve(Route::ReadLead).await?;
    let lead = service.store().get(&id).cloned();
    lead.map(Json)
        .ok_or(Refusal(StatusCode::NOT_FOUND, "no such lead"))
}

/// What lists and exports may be asked for; anything else is ignored.
#[derive(Deserialize)]
struct Wanted {
    status: Option<String>,
    limit: Option<usize>,
    format: Option<String>,
}

impl Wanted {
    fn from<'a>(&self, store: &'a Store) -> impl Iterator<Item = &'a Lead> {
        store
            .newest()
            // Few leads of the status among many must not cost a walk through the whole ring.
            .take(10 * MAX_LIST)
            .filter(|lead| self.status.as_ref().is_none_or(|s| *s == lead.status))
            .take(self.limit.unwrap_or(20).min(MAX_LIST))
    }
}

async fn list_leads(State(service): Shared, Query(wanted): Query<Wanted>) -> Answer<Json<Value>> {
    service.serve(Route::ListLeads).await?;
    let store = service.store();
    let leads: Vec<&Lead> = wanted.from(&store).collect();
    Ok(Json(json!({ "count": leads.len(), "items": leads })))
}

async fn export_leads(
    State(service): Shared,
    Query(mut wanted): Query<Wanted>,
) -> Answer<Response> {
    service.serve(Route::ExportLeads).await?;
    if wanted.format.as_deref().is_some_and(|f| f != "csv") {
        return Err(Refusal(StatusCode::BAD_REQUEST, "the only format is csv"));
    }
    wanted.limit = wanted.limit.or(Some(MAX_LIST));
    let mut csv = String::from("id,status,name,email,source\n");
    for lead in wanted.from(&service.store()) {
        let cell = |text: &Option<String>| quoted(text.as_deref().unwrap_or_default());
        // Writing to a String cannot fail.
        let _ = writeln!(
            csv,
            "{},{},{},{},{}",
            lead.id,
            quoted(&lead.status),
            cell(&lead.name),
            cell(&lead.email),
            cell(&lead.source)
        );
    }
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], csv).into_response())
}

/// A CSV cell (RFC 4180).
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

async fn create_batch(
    State(service): Shared,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<(StatusCode, Json<Value>)> {
    service.serve(Route::CreateBatch).await?;
    // Any key will do: this is a stand-in, not a lock.
    if headers.get("x-api-key").is_none_or(HeaderValue::is_empty) {
        return Err(Refusal(
            StatusCode::UNAUTHORIZED,
            "the header X-API-KEY is missing",
        ));
    }
    let batch: Batch = serde_json::from_slice(&body).map_err(|_shown| {
        Refusal(
            StatusCode::BAD_REQUEST,
            "the body must be a list of leads, bare or under `leads`",
        )
    })?;
    let (Batch::Bare(leads) | Batch::Named { leads }) = batch;
    if leads.is_empty() || leads.len() > MAX_BATCH {
        return Err(Refusal(
            StatusCode::UNPROCESSABLE_ENTITY,
            "a batch has 1 to 100 leads",
        ));
    }
    let mut store = service.store();
    let ids: Vec<String> = leads.iter().map(|lead| store.add(lead).id).collect();
    let answer = json!({ "created": ids.len(), "ids": ids });
    Ok((StatusCode::CREATED, Json(answer)))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Batch {
    Bare(Vec<Map<String, Value>>),
    Named { leads: Vec<Map<String, Value>> },
}

async fn overview(State(service): Shared) -> Answer<Json<Value>> {
    service.serve(Route::Overview).await?;
    let created = service.store().created();
    let calls = service.traffic.counts().total();
    Ok(Json(
        json!({ "leads": { "created": created }, "requests": calls }),
    ))
}

async fn config(State(service): Shared) -> Answer<Json<Value>> {
    service.serve(Route::Config).await?;
    Ok(Json(json!({
        "features": { "batch": true, "export": ["csv"] },
        "limits": { "batch": MAX_BATCH, "list": MAX_LIST },
    })))
}

/// Says that it is well in every mode, as shallow health checks do.
async fn health(State(service): Shared) -> Answer<Json<Value>> {
    service.serve(Route::Health).await?;
    Ok(Json(
        json!({ "status": "ok", "leaked_bytes": service.leaked_bytes() }),
    ))
}

async fn unknown(State(service): Shared) -> Answer<()> {
    service.serve(Route::Unknown).await?;
    Err(Refusal(StatusCode::NOT_FOUND, "no such route"))
}
