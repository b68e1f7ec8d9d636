//! The way from an operator to the API server: it lends the operator the rights of its ServiceAccount, notes what is denied,
//! counts writes, and can be shut at the n-th of them, as if the operator had died there.

use crate::cluster;
use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use kube::Client;
use serde_json::Value;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Where a gate shuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shut {
    /// The API server never hears of the n-th write.
    Before(usize),
    /// The API server carries the n-th write out, and the operator never hears of it.
    After(usize),
}

#[derive(Default)]
struct Seen {
    writes: Vec<String>,
    denied: Vec<String>,
    made: HashSet<String>,
    shut_at: Option<Shut>,
}

/// A way to the API server that can be shut.
pub struct Gate {
    client: Client,
    address: SocketAddr,
    seen: Mutex<Seen>,
    is_shut: watch::Sender<bool>,
    server: Mutex<Option<JoinHandle<()>>>,
}

impl Gate {
    /// Opens a gate for whoever has this token.
    ///
    /// # Errors
    /// When it cannot listen.
    pub(crate) async fn open(token: &str) -> Result<Arc<Gate>> {
        let client = cluster::client_of(token).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen")?;
        let gate = Arc::new(Gate {
            client,
            address: listener.local_addr()?,
            seen: Mutex::default(),
            is_shut: watch::Sender::new(false),
            server: Mutex::default(),
        });
        let router = Router::new().fallback(pass).with_state(Arc::downgrade(&gate));
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                eprintln!("the way to the API server ended: {error}");
            }
        });
        *gate.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
        Ok(gate)
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the operator finds it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The writes that came since it was reset, as `POST /api/v1/…`; events are not among them.
    pub fn writes(&self) -> Vec<String> {
        self.seen().writes.clone()
    }

    /// What the operator was not allowed to do.
    pub fn denied(&self) -> Vec<String> {
        self.seen().denied.clone()
    }

    /// Whether an object of this uid was made through this gate.
    pub fn made(&self, uid: &str) -> bool {
        self.seen().made.contains(uid)
    }

    /// Opens it, forgets the writes, and says where to shut next.
    pub fn reset(&self, shut_at: Option<Shut>) {
        let mut seen = self.seen();
        seen.writes.clear();
        seen.shut_at = shut_at;
        self.is_shut.send_replace(false);
    }

    /// Waits until it has shut.
    pub async fn shut(&self) {
        // It fails when the gate is gone, and that is borrowed here.
        let _ = self.is_shut.subscribe().wait_for(|shut| *shut).await;
    }

    /// Whether it has shut.
    pub fn is_shut(&self) -> bool {
        *self.is_shut.borrow()
    }

    /// Notes a write. Returns whether it is the one at which to shut.
    fn note(&self, request: &Request) -> Option<Shut> {
        let path = request.uri().path();
        // That an event is lost hurts nothing.
        if request.method() == Method::GET || path.ends_with("/events") {
            return None;
        }
        let mut seen = self.seen();
        seen.writes.push(format!("{} {path}", request.method()));
        let n = seen.writes.len();
        seen.shut_at.filter(|at| matches!(at, Shut::Before(m) | Shut::After(m) if *m == n))
    }

    async fn forward(&self, mut request: Request) -> Result<Response> {
        let is_create = request.method() == Method::POST;
        // They are the API server's to say anew.
        request.headers_mut().remove(header::HOST);
        request.headers_mut().remove(header::AUTHORIZATION);
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let request = axum::http::Request::from_parts(parts, body.to_vec().into());
        let mut response = self.client.send(request).await?;
        // It is about the other connection.
        response.headers_mut().remove(header::TRANSFER_ENCODING);
        let is_denied = response.status() == StatusCode::FORBIDDEN;
        if !is_create && !is_denied {
            return Ok(response.map(Body::new));
        }
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await?.to_bytes();
        let text = String::from_utf8_lossy(&bytes);
        // Quotas and the like say 403, too; a missing right names the account.
        if is_denied && text.contains("system:serviceaccount:") {
            self.seen().denied.push(text.into_owned());
        } else if let Ok(object) = serde_json::from_slice::<Value>(&bytes) {
            self.seen().made.extend(object["metadata"]["uid"].as_str().map(str::to_string));
        }
        Ok(Response::from_parts(parts, Body::from(bytes)))
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Some(server) = self.server.lock().unwrap_or_else(PoisonError::into_inner).take() {
            server.abort();
        }
    }
}

async fn pass(State(gate): State<std::sync::Weak<Gate>>, request: Request) -> Response {
    let Some(gate) = gate.upgrade() else { return StatusCode::BAD_GATEWAY.into_response() };
    if gate.is_shut() {
        return std::future::pending().await;
    }
    match gate.note(&request) {
        None => {}
        Some(Shut::Before(_)) => {
            gate.is_shut.send_replace(true);
            return std::future::pending().await;
        }
        Some(Shut::After(_)) => {
            let done = gate.forward(request).await;
            gate.is_shut.send_replace(true);
            drop(done);
            return std::future::pending().await;
        }
    }
    // What has begun is done, even if the operator has hung up: it gives up writes beside one that fails.
    let done = tokio::spawn(async move { gate.forward(request).await });
    match done.await.map_err(anyhow::Error::from).flatten() {
        Ok(response) => response,
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response(),
    }
}
