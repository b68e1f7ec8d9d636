//! Commands without a cluster: exit codes, files, what is printed.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{command, runs, start, succeed, text, write};
use serde_json::{Value, json};

const GRAPH: &str = "
version: 1
arrays:
  x: {arange: {stop: 12, chunks: 5}}
  y: x * 2.5
  s: y.sum()
outputs:
  y: [print, {npy: y.npy}, {json: y.json}]
  s: json
";

#[test]
fn run_prints_writes_and_summarises() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "graph.yaml", GRAPH);
    let out = command(dir.path(), &["run", file.to_str().unwrap()]);
    assert!(text(&out.stderr).contains("tasks in "), "{}", text(&out.stderr));
    assert_eq!(
        succeed(out),
        "y:\n[ 0.   2.5  5.   7.5 10.  12.5 15.  17.5 20.  22.5 25.  27.5]\ns:\n165.0\n"
    );
    let written: Value = serde_json::from_slice(&std::fs::read(dir.path().join("y.json")).unwrap()).unwrap();
    assert_eq!(written[11], json!(27.5));
    let npy = std::fs::read(dir.path().join("y.npy")).unwrap();
    assert_eq!(npy[npy.len() - 8..], 27.5f64.to_le_bytes());
    let leftovers = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(leftovers, 3, "no temporary files stay");
}

#[test]
fn json_is_one_object() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "graph.yaml", GRAPH);
    let summary: Value =
        serde_json::from_str(&succeed(command(dir.path(), &["run", file.to_str().unwrap(), "--json"])))
            .unwrap();
    assert_eq!(summary["outputs"]["s"]["json"], json!(165.0));
    assert_eq!(runs(&summary), summary["tasks"].as_u64().unwrap());
    for number in ["seconds", "tasks_per_second", "bytes_peak"] {
        assert!(summary[number].as_f64().unwrap() > 0.0, "{summary}");
    }
}

#[test]
fn bad_input_ends_with_2_and_names_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let formula =
        |f: &str| format!("{{version: 1, arrays: {{x: 'arange(6)', y: '{f}'}}, outputs: {{y: print}}}}");
    for (name, content, named) in [
        ("operator.yaml", formula("tanhh(x)").into_bytes(), "tanh`?"),
        ("shapes.yaml", formula("x + arange(5)").into_bytes(), "broadcast"),
        ("missing.yaml", formula("x + z").into_bytes(), "z"),
        ("future.yaml", b"{version: 99, arrays: {}, outputs: {}}".to_vec(), "99"),
        (
            "file.yaml",
            b"{version: 1, arrays: {x: {npy: none.npy}}, outputs: {x: print}}".to_vec(),
            "none.npy",
        ),
        ("outside.yaml", b"{version: 1, arrays: {x: {npy: ../x.npy}}, outputs: {x: print}}".to_vec(), ".."),
        ("bytes.yaml", vec![0xff, 0xfe, 0x00], "UTF-8"),
        ("plan", vec![0x81, 0xa5, 0x6e, 0x61, 0x6d, 0x65, 0x73, 0xdd, 0xff, 0xff, 0xff, 0xff], "plan"),
    ] {
        let file = write(dir.path(), name, content);
        for sub in [&["run"][..], &["graph", "validate"]] {
            let out = command(dir.path(), &[sub, &[file.to_str().unwrap()]].concat());
            let error = text(&out.stderr);
            assert_eq!(out.status.code(), Some(2), "{name}: {error}");
            assert!(error.contains(named), "{name}: {error}");
        }
    }
    let none = command(dir.path(), &["run", "none.yaml"]);
    assert!(none.status.code() == Some(2) && text(&none.stderr).contains("none.yaml"));
    let many = write(
        dir.path(),
        "many.yaml",
        "{version: 1, arrays: {x: {ones: {shape: [1000], chunks: 1}}}, outputs: {x: {npy: a.npy}}}",
    );
    let many = command(dir.path(), &["run", many.to_str().unwrap(), "--max-tasks", "10"]);
    assert!(
        many.status.code() == Some(2) && text(&many.stderr).contains("--max-tasks"),
        "{}",
        text(&many.stderr)
    );
}

#[test]
fn an_output_outside_is_refused_before_any_work() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "graph.yaml", GRAPH.replace("y.npy", "/tmp/elsewhere/y.npy"));
    let out = command(dir.path(), &["run", file.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("/tmp/elsewhere/y.npy"), "{}", text(&out.stderr));
}

#[test]
fn an_output_that_cannot_be_written_is_refused_before_any_work() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("folder")).unwrap();
    write(&dir.path().join("folder"), "notes.txt", "mine");
    std::os::unix::fs::symlink("/tmp", dir.path().join("way-out")).unwrap();
    let zeros = "{version: 1, arrays: {x: {zeros: {shape: [5]}}}, outputs: {x: {zarr: there.zarr}}}";
    let there = write(dir.path(), "there.yaml", zeros);
    succeed(command(dir.path(), &["run", there.to_str().unwrap()]));
    for (to, said) in [
        ("{npy: folder}", "it is a folder"),
        ("{json: folder}", "it is a folder"),
        ("{json: nowhere/y.json}", "there is no folder"),
        ("{npy: nowhere/y.npy}", "there is no folder"),
        ("{zarr: \"s3://bucket/y\"}", "s3://"),
        ("{zarr: ../y.zarr}", "`..`"),
        ("{zarr: .}", "itself"),
        ("{zarr: way-out/y.zarr}", "a link in it leads out"),
        ("{zarr: there.yaml}", "not a Zarr array: remove it"),
        ("{zarr: there.yaml/y}", "is not a folder"),
        ("{zarr: folder}", "a folder that is not a Zarr array: remove it"),
        ("{zarr: there.zarr}", "exists with shape [5], chunks [5]"),
    ] {
        let graph = GRAPH.replace("[print, {npy: y.npy}, {json: y.json}]", to);
        let file = write(dir.path(), "graph.yaml", graph);
        let out = command(dir.path(), &["run", file.to_str().unwrap()]);
        assert_eq!(out.status.code(), Some(2), "{to}: {}", text(&out.stderr));
        assert!(text(&out.stderr).contains(said) && out.stdout.is_empty(), "{to}: {}", text(&out.stderr));
        let place = format!("error: {}:8:6: outputs.y: ", file.display());
        assert!(text(&out.stderr).starts_with(&place), "{to}: {}", text(&out.stderr));
    }
    let mut left: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["folder", "graph.yaml", "there.yaml", "there.zarr", "way-out"]);
}

#[test]
fn a_source_that_cannot_be_read_is_named_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "short.bin", [0; 31]);
    write(dir.path(), "text.npy", "no array");
    for (source, said) in [
        ("npy: none.npy", "none.npy: no such file; looked below "),
        ("zarr: none.zarr", "none.zarr: no such file; looked below "),
        ("raw: {path: none.bin, dtype: f8, shape: [4]}", "none.bin: no such file; looked below "),
        ("npy: /etc/passwd", "(--data-dir), or a link in it leads out"),
        ("npy: text.npy", "text.npy: is not a `.npy` file"),
        (
            "raw: {path: short.bin, dtype: f8, shape: [4]}",
            "short.bin: is truncated: shape [4] of float64 from byte 0 takes 32 bytes, but the file has 31",
        ),
    ] {
        let graph = format!("version: 1\narrays:\n  x: {{{source}}}\noutputs: {{x: {{npy: x.npy}}}}\n");
        let file = write(dir.path(), "graph.yaml", graph);
        for sub in [&["run"][..], &["graph", "validate"]] {
            let out = command(dir.path(), &[sub, &[file.to_str().unwrap()]].concat());
            let error = text(&out.stderr);
            assert_eq!(out.status.code(), Some(2), "{source}: {error}");
            let place = format!("error: {}:3:6: arrays.x: ", file.display());
            assert!(error.starts_with(&place) && error.contains(said), "{source}: {error}");
        }
    }
    assert!(!dir.path().join("x.npy").exists());
}

#[test]
fn a_full_disk_is_said_before_any_success() {
    let dir = tempfile::tempdir().unwrap();
    let graph = GRAPH.replace("{json: y.json}", "{json: /dev/full}").replace("{npy: y.npy}, ", "");
    let file = write(dir.path(), "graph.yaml", graph);
    let file = file.to_str().unwrap();
    let out = command(dir.path(), &["run", file, "--data-dir", "/dev"]);
    let error = text(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{error}");
    assert!(error.starts_with("error: outputs.y: /dev/full: the disk is full"), "{error}");
    assert!(out.stdout.is_empty() && !error.contains("tasks in"), "{error}");

    let out = command(dir.path(), &["graph", "expand", file, "-o", "/dev/full"]);
    let error = text(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{error}");
    assert!(error.starts_with("error: /dev/full: the disk is full"), "{error}");
    let out = command(dir.path(), &["graph", "expand", file, "-o", "nowhere/graph.plan"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("--output nowhere/graph.plan: there is no folder nowhere"));

    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let printed = std::process::Command::new(common::BINARY)
        .args(["graph", "info", file, "--data-dir", "/dev"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(printed.status.code(), Some(1));
    assert!(text(&printed.stderr).starts_with("error: standard output: the disk is full"));
}

#[test]
fn a_job_id_must_fit_on_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "graph.yaml", GRAPH);
    for id in ["", "a\nb", &"x".repeat(201)] {
        let out = command(dir.path(), &["submit", file.to_str().unwrap(), "--job-id", id]);
        let error = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{error}");
        assert!(error.contains("--job-id") && error.contains("1 to 200 characters"), "{error}");
    }
}

#[test]
fn one_task_is_no_tasks() {
    let dir = tempfile::tempdir().unwrap();
    let file =
        write(dir.path(), "graph.yaml", "{version: 1, arrays: {x: arange(3)}, outputs: {x: {npy: x.npy}}}");
    let file = file.to_str().unwrap();
    assert!(succeed(command(dir.path(), &["graph", "validate", file])).ends_with(": valid, 1 task\n"));
    let out = command(dir.path(), &["run", file]);
    assert!(text(&out.stderr).starts_with("1 task in "), "{}", text(&out.stderr));
}

#[test]
fn expanded_plans_run_alike() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "graph.yaml", GRAPH);
    let direct = succeed(command(dir.path(), &["run", file.to_str().unwrap()]));
    succeed(command(dir.path(), &["graph", "expand", file.to_str().unwrap(), "-o", "graph.plan"]));
    assert_eq!(succeed(command(dir.path(), &["run", "graph.plan"])), direct);
    assert!(succeed(command(dir.path(), &["graph", "info", "graph.plan"])).contains("tasks"));
    let schema: Value = serde_json::from_str(&succeed(command(dir.path(), &["graph", "schema"]))).unwrap();
    assert!(schema["properties"]["arrays"].is_object());
}

#[test]
fn results_that_the_submitter_takes_make_room_for_others() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(
        dir.path(),
        "graph.yaml",
        "{version: 1, arrays: {x: {random: {seed: 1, shape: [24000000], chunks: 250000}}}, outputs: {x: {npy: x.npy}}}",
    );
    // The output is larger than the limit, so it fits only bit by bit.
    succeed(command(dir.path(), &["run", file.to_str().unwrap(), "--memory-limit", "120MB"]));
    assert_eq!(std::fs::metadata(dir.path().join("x.npy")).unwrap().len(), 128 + 8 * 24_000_000);
}

#[test]
fn what_does_not_fit_the_memory_limit_fails_by_name_with_sizes() {
    let dir = tempfile::tempdir().unwrap();
    let graph = "{version: 1, arrays: {x: {random: {seed: 1, shape: [20000000], chunks: 250000}}, s: (x - x.sum()).sum()}, \
                 outputs: {s: json}}";
    let file = write(dir.path(), "graph.yaml", graph);
    // Whether results or the whole process reach the limit first is a matter of when it is measured.
    let out = command(dir.path(), &["run", file.to_str().unwrap(), "--memory-limit", "100MB"]);
    let error = text(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{error}");
    assert!(error.contains("80.00 MB") || error.contains("100.0 MB"), "{error}");
    for part in ["task (", "it needs 2.000 MB", "--memory-limit", "smaller chunks"] {
        assert!(error.contains(part), "no {part:?} in {error}");
    }
}

#[test]
fn what_a_task_takes_while_it_runs_counts_too() {
    let dir = tempfile::tempdir().unwrap();
    let graph = "{version: 1, arrays: {x: {random: {seed: 1, shape: [5000, 5000], chunks: [5000, 5000]}}, s: (x @ x).sum()}, \
                 outputs: {s: json}}";
    let file = write(dir.path(), "graph.yaml", graph);
    let out = command(dir.path(), &["run", file.to_str().unwrap(), "--memory-limit", "300MB"]);
    let error = text(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{error}");
    for part in ["400.0 MB", "240.0 MB", "while it computes", "--memory-limit", "smaller chunks"] {
        assert!(error.contains(part), "no {part:?} in {error}");
    }
}

#[test]
fn ctrl_c_stops_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let endless = "
version: 1
arrays:
  x: {random: {seed: 1, shape: [40000, 40000], chunks: [400, 400]}}
  y: (x @ x).sum()
outputs:
  y: print
";
    let file = write(dir.path(), "graph.yaml", endless);
    let child = start(dir.path(), &["run", file.to_str().unwrap(), "--http", "--http-port", "0"]);
    // It says where its pages are once it runs.
    let mut child = child;
    let mut line = String::new();
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    std::io::BufRead::read_line(&mut stderr, &mut line).unwrap();
    assert!(line.starts_with("serving http://"), "{line}");
    assert!(
        std::process::Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_scheduler_that_is_not_there_is_a_clear_error() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "graph.yaml", GRAPH);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let out = command(dir.path(), &["submit", file.to_str().unwrap(), "--scheduler", &free]);
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stderr).contains(&free), "{}", text(&out.stderr));
}
