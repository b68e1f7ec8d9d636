//! Health and metrics over HTTP.

use crate::cache::Scope;
use crate::controller::Context;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;
use tokio::net::TcpListener;

#[derive(Clone)]
struct Pages {
    ctx: Arc<Context>,
    scopes: Arc<[Scope]>,
}

/// Serves `/healthz`, `/readyz` and `/metrics`, until the process ends.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, ctx: Arc<Context>, scopes: &[Scope]) -> std::io::Result<()> {
    let pages = Pages { ctx, scopes: scopes.into() };
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(pages);
    axum::serve(listener, router).await
}

/// Ready once everything was listed, whether this replica leads or waits to.
async fn ready(State(pages): State<Pages>) -> Response {
    if pages.ctx.caches.are_ready(&pages.scopes) {
        "ok".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not everything was listed yet").into_response()
    }
}

async fn metrics(State(pages): State<Pages>) -> Response {
    let text = pages.ctx.metrics.text(&pages.ctx);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}
