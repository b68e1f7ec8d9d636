//! Pages for people, monitors and the operator: `/health`, `/metrics`, `/api/v1/…`.

mod api;
mod metrics;

use crate::scheduler::Hub;
use crate::worker::remote::Status;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Serves a scheduler's pages on the current runtime; returns where.
///
/// # Errors
/// When the port is taken.
pub async fn scheduler(hub: &Arc<Hub>, host: &str, port: u16) -> Result<SocketAddr, String> {
    serve(api::routes(hub), host, port).await
}

/// Serves a worker's pages on the current runtime; returns where.
///
/// # Errors
/// When the port is taken.
pub async fn worker(
    status: &Arc<Status>,
    memory_limit: u64,
    host: &str,
    port: u16,
) -> Result<SocketAddr, String> {
    let status = Arc::clone(status);
    let metrics = get(move || async move { metrics::respond(metrics::worker(&status, memory_limit)) });
    serve(Router::new().route("/health", get(health)).route("/metrics", metrics), host, port).await
}

async fn serve(routes: Router, host: &str, port: u16) -> Result<SocketAddr, String> {
    let error = |e: std::io::Error| {
        format!(
            "cannot serve HTTP on {host}:{port}: {e}; choose another --http-port, or --http-port 0 for a free one"
        )
    };
    let listener = TcpListener::bind((host, port)).await.map_err(error)?;
    let address = listener.local_addr().map_err(error)?;
    let routes = routes.layer(middleware::from_fn(guard));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::error!(%error, "the HTTP server ended");
        }
    });
    Ok(address)
}

/// The most bytes of a request's body: a document that is submitted over HTTP is small.
const MAX_DOCUMENT: usize = 4 << 20;

async fn health() -> &'static str {
    "ok"
}

/// Refuses requests that a page of another site makes a browser send.
async fn guard(request: Request, next: Next) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) && foreign(request.headers()) {
        let error = "requests that change something are not taken from pages of other origins";
        return problem(StatusCode::FORBIDDEN, error.into());
    }
    errors_as_json(next.run(request).await).await
}

/// What is wrong with a request.
fn problem(status: StatusCode, error: String) -> Response {
    (status, Json(json!({"error": error}))).into_response()
}

/// Gives the framework's own errors, which are text, the form of ours.
async fn errors_as_json(response: Response) -> Response {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    if status.as_u16() < 400 || kind.is_some_and(|k| k == "application/json") {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let error = match status {
        StatusCode::PAYLOAD_TOO_LARGE => {
            format!(
                "the request body has more than {MAX_DOCUMENT} bytes; data of this size belong into a file"
            )
        }
        _ => {
            let text = axum::body::to_bytes(body, MAX_DOCUMENT).await.unwrap_or_default();
            match String::from_utf8_lossy(&text).trim() {
                "" => status.to_string(),
                text => text.into(),
            }
        }
    };
    head.headers.remove(header::CONTENT_TYPE);
    head.headers.remove(header::CONTENT_LENGTH);
    let mut response = problem(status, error);
    response.headers_mut().extend(head.headers);
    response
}

/// Whether the request comes from a page that this server did not serve.
fn foreign(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok());
    let origin = origin.to_str().ok().and_then(|o| o.split_once("://")).map(|(_, authority)| authority);
    origin.is_none() || origin != host || !host.is_some_and(is_ours)
}

/// Whether only we can be meant by a host: not a name that somebody else may point at this address.
fn is_ours(host: &str) -> bool {
    let name =
        host.rsplit_once(':').map_or(host, |(name, port)| if port.contains(']') { host } else { name });
    let number = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || number.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_origin_may_change_things() {
        let headers = |origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "localhost:8787".parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            headers
        };
        assert!(!foreign(&headers(None)), "curl and the operator send none");
        assert!(!foreign(&headers(Some("http://localhost:8787"))));
        // A name that was made to lead here.
        let mut rebound = headers(Some("http://evil.example"));
        rebound.insert(header::HOST, "evil.example".parse().unwrap());
        assert!(foreign(&rebound));
        for ours in ["localhost", "localhost:8787", "127.0.0.1:8787", "[::1]:8787", "[::1]", "10.0.0.7"] {
            assert!(is_ours(ours), "{ours}");
        }
        for origin in
            ["http://evil.example", "null", "http://localhost:8788", "http://localhost:8787.evil.example"]
        {
            assert!(foreign(&headers(Some(origin))), "{origin}");
        }
    }
}
