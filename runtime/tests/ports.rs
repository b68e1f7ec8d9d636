//! What strangers and browsers can do to the ports: nothing.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{command, scheduler, succeed, text, wait, worker, write};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

const GRAPH: &str = "{version: 1, arrays: {x: 'arange(10).sum()'}, outputs: {x: print}}";

#[test]
fn garbage_never_hurts_and_strangers_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let scheduler = scheduler();
    let _worker = worker(&scheduler, "a", dir.path(), &[]);
    let handshake = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(&scheduler.tcp).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = vec![];
        // It may be closed before all was written.
        let _ = stream.read_to_end(&mut answer);
        answer
    };
    // distributed's messages: bytes that follow, frames, their lengths, the frames. A handshake, then a question.
    let message = |frame: &[u8]| {
        let words = [16 + frame.len() as u64, 1, frame.len() as u64].map(u64::to_le_bytes);
        [words.as_flattened(), frame].concat()
    };
    let mut client = TcpStream::connect(&scheduler.tcp).unwrap();
    client.write_all(&message(b"\x80")).unwrap();
    client.read_exact(&mut [0; 24]).unwrap();
    client.write_all(&message(b"\x81\xa2op\xa8identity")).unwrap();
    let mut told = vec![];
    client.read_to_end(&mut told).unwrap();
    let told = text(&told);
    assert!(told.contains("does not speak the protocol of dask.distributed"), "{told:?}");
    assert!(handshake(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").is_empty());
    assert!(handshake(&[0; 4096]).is_empty());
    assert!(handshake(&[255; 4096]).is_empty());
    // A version that is not known: the answer names both.
    let answer = handshake(b"DASKRT\x09\x03");
    let told = text(&answer);
    assert!(told.contains("9.3") && told.contains("1.0"), "{told:?}");
    // A right greeting, then a message of 4 GiB, or nonsense.
    handshake(b"DASKRT\x01\x00\xff\xff\xff\xff\x00\x00\x00\x00");
    handshake(b"DASKRT\x01\x00\x03\x00\x00\x00\x00\x00\x00\x00\xc1\xc1\xc1");
    wait("the counts", || {
        let distributed = scheduler.metric(r#"dask_runtime_connections_refused_total{reason="distributed"}"#);
        let unknown = scheduler.metric(r#"dask_runtime_connections_refused_total{reason="unknown"}"#);
        (distributed == 1.0 && unknown == 6.0).then_some(())
    });
    let file = write(dir.path(), "graph.yaml", GRAPH);
    let out =
        succeed(command(dir.path(), &["submit", file.to_str().unwrap(), "--scheduler", &scheduler.tcp]));
    assert_eq!(out, "x:\n45\n");
}

#[test]
fn pages_have_dasks_form() {
    let dir = tempfile::tempdir().unwrap();
    let scheduler = scheduler();
    assert_eq!(scheduler.get("/health"), (200, "ok".into()));
    assert_eq!(scheduler.json("/api/v1/adaptive_target"), serde_json::json!({"workers": 0}));
    let worker = worker(&scheduler, "a", dir.path(), &[]);
    let expected = serde_json::json!({
        "num_workers": 1,
        "workers": [{"name": "a", "address": format!("tcp://{}", worker.tcp)}],
    });
    assert_eq!(scheduler.json("/api/v1/get_workers"), expected);
    assert!(scheduler.json("/api/v1/check_idle")["idle_since"].as_f64().unwrap() > 1.7e9);
    assert_eq!(scheduler.metric(r#"dask_scheduler_workers{state="idle"}"#), 1.0);
    assert_eq!(worker.get("/health"), (200, "ok".into()));
    assert_eq!(worker.metric("dask_worker_threads"), 1.0);
    assert_eq!(scheduler.get("/api/v1/jobs/none").0, 404);
}

#[test]
fn a_job_that_came_and_went_unseen_was_work() {
    let dir = tempfile::tempdir().unwrap();
    let scheduler = scheduler();
    let _worker = worker(&scheduler, "a", dir.path(), &[]);
    let idle_since = || scheduler.json("/api/v1/check_idle")["idle_since"].as_f64();
    let before = idle_since().unwrap();
    let file = write(dir.path(), "graph.yaml", GRAPH);
    succeed(command(dir.path(), &["submit", file.to_str().unwrap(), "--scheduler", &scheduler.tcp]));
    let after = wait("the scheduler's rest", idle_since);
    assert!(after > before, "{after} is not after {before}");
}

#[test]
fn jobs_can_be_posted_but_not_by_foreign_pages() {
    let dir = tempfile::tempdir().unwrap();
    let scheduler = scheduler();
    let _worker = worker(&scheduler, "a", dir.path(), &[]);
    let (status, body) = scheduler.post("/api/v1/jobs?id=posted", "Origin: http://evil.example\r\n", GRAPH);
    assert_eq!(status, 403, "{body}");
    let (status, body) = scheduler.post(
        "/api/v1/jobs?id=posted",
        "",
        "{version: 1, arrays: {x: 'nope(1)'}, outputs: {x: print}}",
    );
    assert!(
        status == 400 && body.starts_with(r#"{"error":"request body:1:"#) && body.contains("nope"),
        "{body}"
    );
    let large = format!("{GRAPH}# {}", "x".repeat(4 << 20));
    for (path, sent, status, said) in [
        ("/api/v1/jobs", "\u{0}\u{ff}", 400, "request body:"),
        ("/api/v1/jobs?id=", GRAPH, 400, "1 to 200 characters"),
        ("/api/v1/jobs?priority=high", GRAPH, 400, "priority"),
        ("/api/v1/jobs", large.as_str(), 413, "more than 4194304 bytes"),
        ("/api/v1/nothing", "", 404, "404 Not Found"),
        ("/api/v1/get_workers", "", 405, "405 Method Not Allowed"),
    ] {
        let (found, body) = scheduler.post(path, "", sent);
        let error: serde_json::Value = serde_json::from_str(&body).unwrap_or_else(|e| panic!("{e}: {body}"));
        assert!(found == status && error["error"].as_str().unwrap().contains(said), "{path}: {found} {body}");
    }
    assert_eq!(scheduler.json("/api/v1/jobs"), serde_json::json!({"jobs": []}));
    assert_eq!(scheduler.post("/api/v1/jobs?id=posted", "", GRAPH).0, 201);
    wait("the job", || (scheduler.json("/api/v1/jobs/posted")["state"] == "done").then_some(()));
    let out = succeed(command(dir.path(), &["submit", "--attach", "posted", "--scheduler", &scheduler.tcp]));
    assert_eq!(out, "x:\n45\n");
}

#[test]
fn a_port_in_use_is_a_clear_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for option in ["--port", "--http-port"] {
        let other = if option == "--port" { "--http-port" } else { "--port" };
        let out =
            Command::new(common::BINARY).args(["scheduler", option, &port, other, "0"]).output().unwrap();
        assert_eq!(out.status.code(), Some(2));
        assert!(text(&out.stderr).contains(option), "{}", text(&out.stderr));
    }
}
