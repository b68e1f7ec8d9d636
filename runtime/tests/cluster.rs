//! Scheduler and workers as processes: the same bytes as in one process, whatever happens to the workers.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Server, command, runs, scheduler, start, succeed, text, wait, worker, write};
use dask_plan::columns::u32s;
use dask_plan::dtype::Scalar;
use dask_plan::plan::{Block, Body, Output, Part, Sink, Template, VERSION};
use dask_plan::program::{Binary, Instr, Op, Program};
use dask_plan::{DType, encode};
use serde_json::Value;
use std::path::Path;

const SMALL: &str = "
version: 1
arrays:
  x: {random: {seed: 42, shape: [300, 300], chunks: [100, 100]}}
  y: x + x.T
  total: y.sum()
outputs:
  y: print
  total: [print, json]
";

/// Many tasks that need each other's results, and take long enough to be interrupted.
const LONG: &str = "
version: 1
arrays:
  x: {random: {seed: 1, shape: [1800, 1800], chunks: [200, 200]}}
  y: x @ x
  z: y @ x
  total: z.sum(axis=0)
outputs:
  total: print
";

fn json(out: &str) -> Value {
    serde_json::from_str(out).unwrap_or_else(|e| panic!("{e}: {out}"))
}

fn done(scheduler: &Server, id: &str) -> (u64, u64) {
    let (status, body) = scheduler.get(&format!("/api/v1/jobs/{id}"));
    if status != 200 {
        return (0, 0);
    }
    let job = json(&body);
    (job["done"].as_u64().unwrap(), job["tasks"].as_u64().unwrap())
}

/// Waits until a part of the job's tasks is done.
fn part_done(scheduler: &Server, id: &str) {
    wait("a part of the job", || {
        let (done, tasks) = done(scheduler, id);
        assert!(tasks == 0 || done < tasks, "the job was over before it could be disturbed");
        (tasks > 0 && done * 4 > tasks).then_some(())
    });
}

#[test]
fn a_cluster_yields_the_same_bytes_as_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "graph.yaml", SMALL);
    let file = file.to_str().unwrap();
    let alone = succeed(command(dir.path(), &["run", file]));
    assert!(alone.starts_with("y:\n[["), "{alone}");
    let scheduler = scheduler();
    let _workers = ["a", "b"].map(|name| worker(&scheduler, name, dir.path(), &[]));
    let together = succeed(command(dir.path(), &["submit", file, "--scheduler", &scheduler.tcp]));
    assert_eq!(alone, together);
    let summary =
        json(&succeed(command(dir.path(), &["submit", file, "--scheduler", &scheduler.tcp, "--json"])));
    assert_eq!(runs(&summary), summary["tasks"].as_u64().unwrap(), "{summary}");
    let shown = summary["outputs"]["y"]["print"].as_str().unwrap();
    assert!(alone.contains(shown), "{shown}");
}

#[test]
fn a_killed_worker_costs_only_what_it_held() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "graph.yaml", LONG);
    let file = file.to_str().unwrap();
    let alone = succeed(command(dir.path(), &["run", file, "--json"]));
    let scheduler = scheduler();
    let mut workers = ["a", "b"].map(|name| worker(&scheduler, name, dir.path(), &[]));
    let job =
        start(dir.path(), &["submit", file, "--scheduler", &scheduler.tcp, "--job-id", "long", "--json"]);
    part_done(&scheduler, "long");
    workers[0].child.kill().unwrap();
    let summary = json(&succeed(job.wait_with_output().unwrap()));
    assert_eq!(summary["outputs"], json(&alone)["outputs"]);
    assert!(runs(&summary) > summary["tasks"].as_u64().unwrap(), "some tasks ran again: {summary}");
}

#[test]
fn a_worker_that_is_told_to_end_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "graph.yaml", LONG);
    let file = file.to_str().unwrap();
    let alone = succeed(command(dir.path(), &["run", file, "--json"]));
    let scheduler = scheduler();
    let mut workers = ["a", "b"].map(|name| worker(&scheduler, name, dir.path(), &["--grace", "100"]));
    let job =
        start(dir.path(), &["submit", file, "--scheduler", &scheduler.tcp, "--job-id", "long", "--json"]);
    part_done(&scheduler, "long");
    workers[0].signal("TERM");
    assert_eq!(workers[0].exit_code(), Some(0));
    let summary = json(&succeed(job.wait_with_output().unwrap()));
    assert_eq!(summary["outputs"], json(&alone)["outputs"]);
    assert_eq!(runs(&summary), summary["tasks"].as_u64().unwrap(), "nothing ran twice: {summary}");
}

#[test]
fn workers_retired_over_http_hand_over_what_they_hold() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "graph.yaml", LONG);
    let scheduler = scheduler();
    let mut workers = ["a", "b"].map(|name| worker(&scheduler, name, dir.path(), &[]));
    let job = start(
        dir.path(),
        &["submit", file.to_str().unwrap(), "--scheduler", &scheduler.tcp, "--job-id", "long", "--json"],
    );
    part_done(&scheduler, "long");
    let (status, body) = scheduler.post("/api/v1/retire_workers", "", r#"{"n": 1}"#);
    assert_eq!(status, 200, "{body}");
    let retired = json(&body);
    let names: Vec<&str> =
        retired.as_object().unwrap().values().map(|w| w["name"].as_str().unwrap()).collect();
    assert!(names == ["a"] || names == ["b"], "{retired}");
    let gone = usize::from(names == ["b"]);
    assert_eq!(workers[gone].exit_code(), Some(0));
    let summary = json(&succeed(job.wait_with_output().unwrap()));
    assert_eq!(runs(&summary), summary["tasks"].as_u64().unwrap(), "nothing ran twice: {summary}");
}

#[test]
fn a_job_id_is_computed_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "graph.yaml", SMALL);
    let file = file.to_str().unwrap();
    let scheduler = scheduler();
    let _worker = worker(&scheduler, "a", dir.path(), &[]);
    let submit = ["submit", file, "--scheduler", &scheduler.tcp, "--job-id", "once", "--json"];
    let first = json(&succeed(command(dir.path(), &submit)));
    let ran = scheduler.json("/api/v1/jobs/once")["runs"].clone();
    let second = json(&succeed(command(dir.path(), &submit)));
    assert_eq!(first["outputs"], second["outputs"]);
    assert_eq!(scheduler.json("/api/v1/jobs/once")["runs"], ran, "nothing was computed again");
    let other = write(dir.path(), "other.yaml", SMALL.replace("seed: 42", "seed: 43"));
    let refused = command(
        dir.path(),
        &["submit", other.to_str().unwrap(), "--scheduler", &scheduler.tcp, "--job-id", "once"],
    );
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("another document"), "{}", text(&refused.stderr));
}

#[test]
fn a_job_id_belongs_to_one_plan() {
    let dir = tempfile::tempdir().unwrap();
    let scheduler = scheduler();
    let _worker = worker(&scheduler, "a", dir.path(), &[]);
    for (name, seed) in [("graph", "seed: 42"), ("other", "seed: 43")] {
        let file = write(dir.path(), &format!("{name}.yaml"), SMALL.replace("seed: 42", seed));
        let plan = format!("{name}.plan");
        succeed(command(dir.path(), &["graph", "expand", file.to_str().unwrap(), "-o", &plan]));
    }
    let submit = |file: &str, more: &[&str]| {
        let args = ["submit", file, "--scheduler", &scheduler.tcp, "--job-id", "planned"];
        command(dir.path(), &[&args, more].concat())
    };
    let first = succeed(submit("graph.plan", &[]));
    let ran = scheduler.json("/api/v1/jobs/planned")["runs"].clone();
    assert_eq!(succeed(submit("graph.plan", &[])), first);
    assert_eq!(scheduler.json("/api/v1/jobs/planned")["runs"], ran, "nothing was computed again");
    for (file, more, differs) in [
        ("other.plan", &[][..], "another plan"),
        ("other.plan", &["--detach"][..], "another plan"),
        ("graph.yaml", &[][..], "made from a plan"),
    ] {
        let refused = submit(file, more);
        let error = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{file}: {error}");
        assert!(error.contains("\"planned\"") && error.contains(differs), "{file}: {error}");
    }
}

#[test]
fn a_worker_over_its_memory_limit_fails_the_job_with_sizes() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "graph.yaml", "{version: 1, arrays: {x: arange(5)}, outputs: {x: print}}");
    let scheduler = scheduler();
    // Less than any process takes.
    let _worker = worker(&scheduler, "small", dir.path(), &["--memory-limit", "2MB"]);
    wait("the worker to be paused", || {
        (scheduler.metric(r#"dask_scheduler_workers{state="paused"}"#) == 1.0).then_some(())
    });
    let out = command(dir.path(), &["submit", file.to_str().unwrap(), "--scheduler", &scheduler.tcp]);
    let error = text(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{error}");
    for part in ["task ", "of 2.000 MB", "--memory-limit", "smaller chunks"] {
        assert!(error.contains(part), "no {part:?} in {error}");
    }
}

#[test]
fn a_detached_job_is_picked_up_later() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "graph.yaml", SMALL.replace("  y: print", "  y: {npy: y.npy}"));
    let file = file.to_str().unwrap();
    let scheduler = scheduler();
    let detached = command(
        dir.path(),
        &["submit", file, "--scheduler", &scheduler.tcp, "--detach", "--job-id", "later"],
    );
    assert_eq!(succeed(detached), "later\n");
    let _worker = worker(&scheduler, "a", dir.path(), &[]);
    wait("the job", || (scheduler.json("/api/v1/jobs/later")["state"] == "done").then_some(()));
    let out = succeed(command(dir.path(), &["submit", "--attach", "later", "--scheduler", &scheduler.tcp]));
    assert!(out.starts_with("total:\n"), "{out}");
    let size = std::fs::metadata(dir.path().join("y.npy")).unwrap().len();
    assert_eq!(size, 128 + 300 * 300 * 8);
    let unknown = command(dir.path(), &["submit", "--attach", "never", "--scheduler", &scheduler.tcp]);
    assert_eq!(unknown.status.code(), Some(2));
}

/// A plan by hand: one task adds a block of 2 and a block of 3 elements, which fails.
fn failing() -> Vec<u8> {
    let full = |n: i64| Op::Full {
        dtype: DType::Float64,
        value: Scalar::Float(1.0),
        shape: vec![dask_plan::program::Int::Lit(n)],
    };
    let template = |name: &str, inputs: u32, op: Op| Template {
        name: name.into(),
        body: Body::Program(Program { inputs, args: 0, body: vec![Instr { op, of: (0..inputs).collect() }] }),
        nbytes: 0,
        scratch: 0,
        annotations: Default::default(),
    };
    let block = |template, inputs: Vec<u32>| Block {
        count: 1,
        template,
        name: template,
        ndim: 1,
        index: u32s([7]),
        inputs: u32s(inputs),
        ..Block::default()
    };
    let part = Part {
        version: VERSION,
        names: ["two", "three", "sum"].map(String::from).to_vec(),
        templates: vec![
            template("make-two", 0, full(2)),
            template("make-three", 0, full(3)),
            template("add", 2, Op::Binary(Binary::Add)),
        ],
        blocks: vec![block(0, vec![]), block(1, vec![]), block(2, vec![0, 1])],
        outputs: vec![Output {
            name: "sum".into(),
            to: Sink::Json { path: None },
            dtype: DType::Float64,
            chunks: vec![vec![2]],
            tasks: u32s([2]),
        }],
        last: true,
        ..Part::default()
    };
    encode(&[part]).unwrap()
}

#[test]
fn a_failing_job_fails_alone_and_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let good = write(dir.path(), "graph.yaml", LONG);
    let bad = write(dir.path(), "bad.plan", failing());
    let scheduler = scheduler();
    let _workers = ["a", "b"].map(|name| worker(&scheduler, name, dir.path(), &[]));
    let good = start(
        dir.path(),
        &["submit", good.to_str().unwrap(), "--scheduler", &scheduler.tcp, "--job-id", "good", "--json"],
    );
    part_done(&scheduler, "good");
    let bad = command(dir.path(), &["submit", bad.to_str().unwrap(), "--scheduler", &scheduler.tcp]);
    assert_eq!(bad.status.code(), Some(1));
    let error = text(&bad.stderr);
    for named in ["('sum', 7)", "add", "worker", "('two', 7): float64 [2]", "('three', 7): float64 [3]"] {
        assert!(error.contains(named), "{named} in {error}");
    }
    let summary = json(&succeed(good.wait_with_output().unwrap()));
    assert_eq!(runs(&summary), summary["tasks"].as_u64().unwrap());
}

#[test]
fn files_that_workers_cannot_use_are_refused_with_their_places() {
    let (here, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(data.path(), "short.bin", [0; 31]);
    let scheduler = scheduler();
    let worker = worker(&scheduler, "a", data.path(), &[]);
    for (source, to, said) in [
        ("npy: none.npy", "print", ":3:6: arrays.x: none.npy: no such file; looked below "),
        ("npy: none.npy", "print", "(--data-dir of worker a)"),
        ("raw: {path: short.bin, dtype: f8, shape: [4]}", "print", ":3:6: arrays.x: short.bin: is truncated"),
        ("zeros: {shape: [4]}", "{zarr: short.bin}", ":5:6: outputs.x: short.bin: exists and is not"),
        ("zeros: {shape: [4]}", "{zarr: /tmp/x}", "(--data-dir of worker a), or a link"),
        ("zeros: {shape: [4]}", "{npy: /tmp/x.npy}", ":5:6: outputs.x: /tmp/x.npy: lies outside"),
    ] {
        let graph = format!("version: 1\narrays:\n  x: {{{source}}}\noutputs:\n  x: {to}\n");
        let file = write(here.path(), "graph.yaml", graph);
        let file = file.to_str().unwrap();
        let out = command(here.path(), &["submit", file, "--scheduler", &scheduler.tcp]);
        let error = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{source} {to}: {error}");
        assert!(error.contains(&format!("error: {file}:")) && error.contains(said), "{source} {to}: {error}");
    }
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 1, "nothing was made");
    drop(worker);
}

#[test]
fn a_broken_plan_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let plan = failing();
    let scheduler = scheduler();
    let _worker = worker(&scheduler, "a", dir.path(), &[]);
    for (name, bytes) in [
        ("cut", plan[..plan.len() / 2].to_vec()),
        ("huge", [&plan[..2], &[0xdd, 255, 255, 255, 255]].concat()),
        ("long", [&plan[..], b"\n"].concat()),
    ] {
        let file = write(dir.path(), name, bytes);
        let refused = command(dir.path(), &["submit", file.to_str().unwrap(), "--scheduler", &scheduler.tcp]);
        assert_eq!(refused.status.code(), Some(2), "{name}: {}", text(&refused.stderr));
    }
}

#[test]
fn a_submitter_that_is_told_to_end_takes_its_job_along() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "graph.yaml", LONG);
    let scheduler = scheduler();
    let _worker = worker(&scheduler, "a", dir.path(), &[]);
    let submit = ["submit", file.to_str().unwrap(), "--scheduler", &scheduler.tcp, "--job-id", "long"];
    let mut job = start(dir.path(), &submit);
    part_done(&scheduler, "long");
    let pid = job.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(job.wait().unwrap().code(), Some(143));
    wait("the end of the job", || (scheduler.json("/api/v1/jobs/long")["state"] == "failed").then_some(()));
}

#[test]
fn tasks_are_explained() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "graph.yaml", SMALL);
    let scheduler = scheduler();
    let detach =
        ["submit", file.to_str().unwrap(), "--scheduler", &scheduler.tcp, "--detach", "--job-id", "stuck"];
    // Without a worker nothing runs.
    succeed(command(dir.path(), &detach));
    wait("the plan", || (done(&scheduler, "stuck").1 > 0).then_some(()));
    let key = first_key(dir.path(), file.to_str().unwrap());
    let said = succeed(command(dir.path(), &["explain", &key, "--scheduler", &scheduler.tcp]));
    assert!(said.starts_with("task ('random-") && said.contains("of job stuck is ready"), "{said}");
    let missing = command(dir.path(), &["explain", "nothing", "--scheduler", &scheduler.tcp]);
    assert_eq!(missing.status.code(), Some(2));
}

fn first_key(dir: &Path, file: &str) -> String {
    let listed = succeed(command(dir, &["graph", "expand", file]));
    listed.lines().next().unwrap().split('\t').nth(1).unwrap().to_string()
}
