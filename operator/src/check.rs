//! Asks a running operator how it is: for tests of an installation, since its image holds no other program that could.

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// How long the page may take to be good: a Service's addresses come some seconds after its pods.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is asked for.
const PERIOD: Duration = Duration::from_secs(1);
/// Bytes of the largest page.
const LARGEST: usize = 1 << 16;

/// Waits until the page at a URL is answered with 200, and returns its text.
///
/// # Errors
/// When that takes longer than a minute: with the last reason.
pub async fn check(url: &Uri) -> Result<String> {
    let Some((host, "http")) = url.host().zip(url.scheme_str()) else {
        bail!("{url} is no such URL as http://dask-operator.dask-operator:8080/readyz");
    };
    let began = Instant::now();
    loop {
        match tokio::time::timeout(PATIENCE, page(url, host)).await.context("no answer") {
            Ok(Ok(text)) => return Ok(text),
            Ok(Err(error)) | Err(error) if began.elapsed() > PATIENCE => return Err(error),
            _ => tokio::time::sleep(PERIOD).await,
        }
    }
}

async fn page(url: &Uri, host: &str) -> Result<String> {
    let stream = TcpStream::connect((host, url.port_u16().unwrap_or(80))).await;
    let stream = stream.with_context(|| format!("{url}: cannot connect"))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::get(url.path()).header("host", host).body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let read = Limited::new(response.into_body(), LARGEST).collect().await;
    connection.abort();
    let bytes = match read {
        Ok(read) => read.to_bytes(),
        Err(error) => bail!("{url}: {error}"),
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if status == StatusCode::OK { Ok(text) } else { bail!("{url}: {status}: {text}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::routing::get;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[tokio::test]
    async fn a_page_is_waited_for() {
        static ASKED: AtomicBool = AtomicBool::new(false);
        let ready = || async {
            match ASKED.swap(true, Ordering::SeqCst) {
                true => (StatusCode::OK, "ok"),
                false => (StatusCode::SERVICE_UNAVAILABLE, "not yet"),
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Uri = format!("http://{}/readyz", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/readyz", get(ready))).await });
        let error = page(&url, "127.0.0.1").await.unwrap_err();
        assert!(error.to_string().ends_with("503 Service Unavailable: not yet"), "{error}");
        assert_eq!(check(&url).await.unwrap(), "ok");
        let error = check(&"https://localhost/".parse().unwrap()).await.unwrap_err();
        assert!(error.to_string().contains("no such URL"), "{error}");
    }
}
