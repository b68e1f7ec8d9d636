//! `dask-runtime graph`: looks at documents.

use super::args::{Graph, GraphFile};
use super::{Failure, Result, input};
use dask_plan::columns::U32s;
use dask_plan::plan::{Part, Sink, Template};
use std::io::{BufWriter, Write as _};

pub(super) fn graph(command: Graph) -> Result {
    match command {
        Graph::Schema => {
            let schema = dask_plan::source::schema();
            let text = serde_json::to_string_pretty(&schema).map_err(Failure::failed)?;
            print(|out| writeln!(out, "{text}"))
        }
        Graph::Validate(file) => {
            let parts = parts(&file)?;
            let tasks: u64 = parts.iter().flat_map(|p| &p.blocks).map(|b| u64::from(b.count)).sum();
            print(|out| writeln!(out, "{}: valid, {tasks} tasks", file.file.display()))
        }
        Graph::Info(file) => {
            let parts = parts(&file)?;
            print(|out| info(&parts, out))
        }
        Graph::Expand { graph, output: Some(path) } => {
            let bytes = dask_plan::encode(&parts(&graph)?).map_err(Failure::failed)?;
            std::fs::write(&path, bytes).map_err(|e| Failure::Failed(format!("{}: {e}", path.display())))
        }
        Graph::Expand { graph, output: None } => {
            let parts = parts(&graph)?;
            print(|out| list(&parts, out))
        }
    }
}

fn parts(graph: &GraphFile) -> Result<Vec<Part>> {
    let dirs = input::data_dirs(&graph.data)?;
    input::parts(input::read(&graph.file)?, &dirs, graph.limits.max_tasks)
}

/// Prints; a reader that has seen enough is no error.
fn print(f: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> Result {
    let mut out = BufWriter::new(std::io::stdout().lock());
    match f(&mut out).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::failed(e)),
        _ => Ok(()),
    }
}

fn templates(parts: &[Part]) -> Vec<Template> {
    parts.iter().flat_map(|p| p.templates.iter().cloned()).collect()
}

fn info(parts: &[Part], out: &mut dyn std::io::Write) -> std::io::Result<()> {
    let templates = templates(parts);
    let mut counts = vec![0u64; templates.len()];
    let mut inputs = 0u64;
    for block in parts.iter().flat_map(|p| &p.blocks) {
        inputs += U32s::new(&block.inputs).len() as u64;
        for task in block.tasks(&templates) {
            counts[task.template as usize] += 1;
        }
    }
    let nbytes: u64 = templates.iter().zip(&counts).map(|(t, n)| t.nbytes.saturating_mul(*n)).sum();
    writeln!(out, "{} tasks, {inputs} inputs, about {nbytes} bytes of results", counts.iter().sum::<u64>())?;
    writeln!(out, "\ntasks      bytes each  template")?;
    for (template, count) in templates.iter().zip(&counts).filter(|(_, n)| **n > 0) {
        writeln!(out, "{count:<10} {:<11} {}", template.nbytes, template.name)?;
    }
    writeln!(out, "\noutputs")?;
    for output in parts.iter().flat_map(|p| &p.outputs) {
        let to = match &output.to {
            Sink::Print { .. } => "print".to_string(),
            Sink::Npy { path } => format!("npy {path}"),
            Sink::Json { path } => format!("json {}", path.as_deref().unwrap_or("on standard output")),
            Sink::Zarr { path } => format!("zarr {path}"),
            Sink::Keep => "kept on the workers".to_string(),
        };
        let extent = |axis: &Vec<u64>| match axis.iter().try_fold(0u64, |s, n| s.checked_add(*n)) {
            Some(n) => n.to_string(),
            None => "?".into(),
        };
        let shape: Vec<String> = output.chunks.iter().map(extent).collect();
        writeln!(out, "{}: {} ({}) to {to}", output.name, output.dtype, shape.join(", "))?;
    }
    Ok(())
}

fn list(parts: &[Part], out: &mut dyn std::io::Write) -> std::io::Result<()> {
    let templates = templates(parts);
    let names: Vec<&String> = parts.iter().flat_map(|p| &p.names).collect();
    let mut number = 0u64;
    for block in parts.iter().flat_map(|p| &p.blocks) {
        for task in block.tasks(&templates) {
            let index: Vec<String> = task.index.iter().map(|i| i.to_string()).collect();
            let inputs: Vec<String> = task.inputs.iter().map(|i| i.to_string()).collect();
            let (name, template) = (names[task.name as usize], &templates[task.template as usize].name);
            writeln!(out, "{number}\t{name}({})\t{template}\t[{}]", index.join(", "), inputs.join(", "))?;
            number += 1;
        }
    }
    Ok(())
}
