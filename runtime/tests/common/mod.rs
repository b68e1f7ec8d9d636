//! Real processes on free ports.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_dask-runtime");

/// Longer than anything takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server process, killed when it is dropped.
pub(crate) struct Server {
    pub(crate) child: Child,
    /// Where it listens, `host:port`.
    pub(crate) tcp: String,
    pub(crate) http: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(args: &[&str]) -> Server {
        let mut command = Command::new(BINARY);
        command.args(args).args(["--http-port", "0", "--log", "warn"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let find = |scheme: &str| {
            line.split_whitespace().find_map(|w| w.strip_prefix(scheme)).unwrap_or_else(|| panic!("{line:?}"))
        };
        Server { tcp: find("tcp://").into(), http: find("http://").into(), child }
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        wait("the process to end", || self.child.try_wait().unwrap()).code()
    }

    /// A page: status and body.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        request(
            &self.http,
            &format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.http),
        )
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    pub(crate) fn post(&self, path: &str, headers: &str, body: &str) -> (u16, String) {
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {length}\r\n",
            self.http
        );
        request(&self.http, &format!("{head}{headers}\r\n{body}"))
    }

    /// A sample of /metrics.
    pub(crate) fn metric(&self, sample: &str) -> f64 {
        let (_, text) = self.get("/metrics");
        let line = text
            .lines()
            .find_map(|l| l.strip_prefix(sample))
            .unwrap_or_else(|| panic!("no {sample} in {text}"));
        line.trim().parse().unwrap()
    }
}

fn request(host: &str, text: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(host).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.into())
}

pub(crate) fn scheduler() -> Server {
    Server::start(&["scheduler", "--port", "0"])
}

pub(crate) fn worker(scheduler: &Server, name: &str, dir: &Path, more: &[&str]) -> Server {
    let dir = dir.to_str().unwrap();
    let args = ["worker", &scheduler.tcp, "--name", name, "--threads", "1", "--data-dir", dir];
    let worker = Server::start(&[&args[..], more].concat());
    wait("the worker to join", || {
        let workers = scheduler.json("/api/v1/get_workers");
        workers["workers"].as_array().unwrap().iter().any(|w| w["name"] == name).then_some(())
    });
    worker
}

/// Asks again until there is an answer.
pub(crate) fn wait<T>(what: &str, mut f: impl FnMut() -> Option<T>) -> T {
    let from = Instant::now();
    loop {
        if let Some(found) = f() {
            return found;
        }
        assert!(from.elapsed() < PATIENCE, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Runs a command to its end in a directory.
pub(crate) fn command(dir: &Path, args: &[&str]) -> Output {
    start(dir, args).wait_with_output().unwrap()
}

pub(crate) fn start(dir: &Path, args: &[&str]) -> Child {
    let mut command = Command::new(BINARY);
    command.args(args).current_dir(dir).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The output of a command that must succeed.
pub(crate) fn succeed(output: Output) -> String {
    assert!(
        output.status.success(),
        "{:?}\n{}\n{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

pub(crate) fn write(dir: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

/// How often tasks ran, all templates together.
pub(crate) fn runs(summary: &Value) -> u64 {
    summary["runs"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum()
}
