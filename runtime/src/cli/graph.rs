//! `dask-runtime graph`: looks at documents.

use super::args::{Graph, GraphFile};
use super::{Failure, Result, input, outputs, print};
use dask_plan::plan::{Part, Template};
use dask_plan::text::{Text, counted};

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
            print(|out| writeln!(out, "{}: valid, {}", file.file.display(), counted(tasks, "task")))
        }
        Graph::Info(file) => {
            let parts = parts(&file)?;
            print(|out| writeln!(out, "{}", Text(&parts)))
        }
        Graph::Expand { graph, output: Some(path) } => {
            outputs::may_hold(&path)
                .map_err(|e| Failure::Input(format!("--output {}: {e}", path.display())))?;
            let bytes = dask_plan::encode(&parts(&graph)?).map_err(Failure::failed)?;
            dask_array::io::replace(&path, &bytes).map_err(Failure::failed)
        }
        Graph::Expand { graph, output: None } => {
            let parts = parts(&graph)?;
            print(|out| list(&parts, out))
        }
    }
}

fn parts(graph: &GraphFile) -> Result<Vec<Part>> {
    let dirs = input::data_dirs(&graph.data)?;
    input::parts(&input::read(&graph.file)?, &dirs, graph.limits.max_tasks)
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
