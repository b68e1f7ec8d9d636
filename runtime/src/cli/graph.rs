//! `dask-runtime graph`: looks at documents.

use super::args::{Graph, GraphFile};
use super::{Failure, Result, input};
use dask_plan::plan::{Part, Template};
use dask_plan::text::Text;
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
            print(|out| writeln!(out, "{}", Text(&parts)))
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
