//! Results where the submitter wants them: on the terminal, in `.npy` and JSON files.

use super::{Failure, Result};
use dask_array::io::npy::Writer;
use dask_array::{Chunk, Context, Prepared, Value};
use dask_plan::columns::U32s;
use dask_plan::plan::{Output, Sink};
use dask_plan::program::{Instr, Op, Program};
use serde_json::{Map, json};
use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// See the module.
pub(super) struct Outputs {
    context: Context,
    outputs: Vec<Gathering>,
    /// Which outputs a task's result belongs to, and where in them.
    places: HashMap<u32, Vec<(usize, usize)>>,
}

/// An output and what of it is there.
struct Gathering {
    output: Output,
    how: How,
}

enum How {
    /// Blocks are kept until all are there.
    Blocks(Vec<Option<Chunk>>),
    /// Blocks are written as they come.
    Npy { path: PathBuf, writer: Option<Writer> },
    /// Nothing comes here.
    Elsewhere,
}

impl Outputs {
    pub(super) fn new(data_dirs: Vec<PathBuf>) -> Outputs {
        let context = Context { data_dirs, ..Context::default() };
        Outputs { context, outputs: vec![], places: HashMap::new() }
    }

    /// Takes in what will come. Files are created now, so that a wrong path shows before the work.
    pub(super) fn add(&mut self, outputs: Vec<Output>) -> Result {
        for output in outputs {
            let tasks = U32s::new(&output.tasks);
            let how = match &output.to {
                Sink::Zarr { .. } | Sink::Keep => How::Elsewhere,
                Sink::Npy { path } => {
                    let path = self.writable(path)?;
                    let shape = shape(&output);
                    // With unknown sizes the shape shows only when all blocks are there.
                    let writer = shape.map(|shape| Writer::create(&path, output.dtype, &shape)).transpose();
                    match writer.map_err(Failure::input)? {
                        Some(writer) => How::Npy { path, writer: Some(writer) },
                        None => How::Blocks(vec![None; tasks.len()]),
                    }
                }
                Sink::Json { path: Some(path) } => {
                    self.writable(path)?;
                    How::Blocks(vec![None; tasks.len()])
                }
                Sink::Print { .. } | Sink::Json { path: None } => How::Blocks(vec![None; tasks.len()]),
            };
            let number = self.outputs.len();
            for (place, task) in tasks.iter().enumerate() {
                self.places.entry(task).or_default().push((number, place));
            }
            self.outputs.push(Gathering { output, how });
        }
        Ok(())
    }

    /// Finds wrong paths before any work.
    pub(super) fn check(&self, outputs: &[Output]) -> Result {
        for output in outputs {
            if let Sink::Npy { path } | Sink::Json { path: Some(path) } = &output.to {
                self.writable(path)?;
            }
        }
        Ok(())
    }

    /// Where a file is to be written, which a folder must not be, in a folder that is there.
    fn writable(&self, path: &str) -> Result<PathBuf> {
        let file = dask_array::io::output_path(path, &self.context).map_err(Failure::input)?;
        if file.is_dir() {
            return Err(Failure::Input(format!("{path}: it is a folder; name a file")));
        }
        if let Some(folder) = file.parent().filter(|f| !f.is_dir()) {
            let folder = folder.display();
            return Err(Failure::Input(format!("{path}: there is no folder {folder}; make it first")));
        }
        Ok(file)
    }

    /// Takes a result.
    pub(super) fn take(&mut self, task: u32, value: &Value) -> Result {
        for &(number, place) in self.places.get(&task).map_or(&[][..], |p| p) {
            let Gathering { output, how } = &mut self.outputs[number];
            let Some(chunk) = value.array() else {
                if matches!(how, How::Elsewhere) {
                    continue;
                }
                return Err(Failure::Failed(format!(
                    "output {:?}: a block is a tuple, not an array",
                    output.name
                )));
            };
            match how {
                How::Elsewhere => {}
                How::Blocks(blocks) => blocks[place] = Some(chunk.clone()),
                How::Npy { writer, .. } => {
                    if let Some(writer) = writer {
                        writer.write(&start(&output.chunks, place), chunk).map_err(Failure::failed)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Writes and prints what is left; returns what `--json` shows of each output.
    pub(super) fn finish(self, quiet: bool) -> Result<Map<String, serde_json::Value>> {
        let mut shown: Map<String, serde_json::Value> = Map::new();
        let mut stdout = std::io::stdout().lock();
        for Gathering { output, how } in self.outputs {
            let Output { name, to, chunks, .. } = &output;
            let (kind, value, text) = match (how, to) {
                (How::Npy { path, writer }, _) => {
                    if let Some(writer) = writer {
                        writer.finish().map_err(Failure::failed)?;
                    }
                    ("npy", json!(path), None)
                }
                (How::Blocks(blocks), Sink::Npy { path }) => {
                    let whole = whole(name, blocks, chunks)?;
                    let path = dask_array::io::output_path(path, &self.context).map_err(Failure::failed)?;
                    let shape: Vec<u64> = whole.shape().iter().map(|n| *n as u64).collect();
                    let mut writer = Writer::create(&path, whole.dtype(), &shape).map_err(Failure::failed)?;
                    writer.write(&vec![0; shape.len()], &whole).map_err(Failure::failed)?;
                    writer.finish().map_err(Failure::failed)?;
                    ("npy", json!(path), None)
                }
                (How::Blocks(blocks), Sink::Print { edge }) => {
                    let one: Vec<Vec<u64>> = vec![vec![u64::MAX]; chunks.len()];
                    let chunk = whole(name, blocks, &one)?;
                    let text = match edge {
                        Some(_) => dask_array::show::array(&chunk, shape(&output).as_deref()),
                        None => dask_array::show::whole(&chunk),
                    };
                    ("print", json!(text), Some(text))
                }
                (How::Blocks(blocks), Sink::Json { path }) => {
                    let value = dask_array::json::value(&whole(name, blocks, chunks)?);
                    match path {
                        Some(path) => {
                            let path =
                                dask_array::io::output_path(path, &self.context).map_err(Failure::failed)?;
                            replace(&path, value.to_string().as_bytes())?;
                            ("json", json!(path), None)
                        }
                        None => ("json", value.clone(), Some(value.to_string())),
                    }
                }
                (_, Sink::Zarr { path }) => ("zarr", json!(path), None),
                (_, _) => ("keep", json!(true), None),
            };
            if let Some(text) = text.filter(|_| !quiet) {
                writeln!(stdout, "{name}:\n{text}").map_err(Failure::failed)?;
            }
            let of = shown.entry(name.clone()).or_insert_with(|| json!({}));
            of[kind] = value;
        }
        stdout.flush().map_err(Failure::failed)?;
        Ok(shown)
    }
}

/// Extents of the whole array; `None` when one is unknown.
fn shape(output: &Output) -> Option<Vec<u64>> {
    let known =
        |axis: &Vec<u64>| axis.iter().try_fold(0u64, |sum, n| sum.checked_add(*n).filter(|_| *n != u64::MAX));
    output.chunks.iter().map(known).collect()
}

/// Where the block at a place in C order starts.
fn start(chunks: &[Vec<u64>], place: usize) -> Vec<u64> {
    let mut rest = place;
    let mut start: Vec<u64> = chunks
        .iter()
        .rev()
        .map(|axis| {
            let at = rest % axis.len().max(1);
            rest /= axis.len().max(1);
            axis[..at].iter().sum()
        })
        .collect();
    start.reverse();
    start
}

/// Joins blocks, in C order, to one chunk.
fn whole(name: &str, blocks: Vec<Option<Chunk>>, chunks: &[Vec<u64>]) -> Result<Chunk> {
    let missing = blocks.iter().filter(|b| b.is_none()).count();
    if missing > 0 {
        return Err(Failure::Failed(format!(
            "output {name:?}: {missing} of {} blocks did not come",
            blocks.len()
        )));
    }
    let mut blocks: Vec<Chunk> = blocks.into_iter().flatten().collect();
    if blocks.len() == 1
        && let Some(block) = blocks.pop()
    {
        return Ok(block);
    }
    let grid = chunks.iter().map(|axis| axis.len() as u32).collect();
    let count = blocks.len() as u32;
    let body = vec![Instr { op: Op::Assemble { grid }, of: (0..count).collect() }];
    let joined = Prepared::new(Program { inputs: count, args: 0, body })
        .and_then(|p| p.run(blocks.into_iter().map(Value::Array).collect(), &[], &Context::default()));
    match joined.map_err(Failure::failed)? {
        Value::Array(chunk) => Ok(chunk),
        Value::Tuple(_) => Err(Failure::Failed(format!("output {name:?}: its blocks do not join"))),
    }
}

/// Writes a file whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> Result {
    let error = |e: std::io::Error| Failure::Failed(format!("{}: {e}", path.display()));
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = std::fs::write(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written.map_err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_start_where_those_before_end() {
        let chunks = vec![vec![2, 3], vec![4, 1, 1]];
        assert_eq!(start(&chunks, 0), [0, 0]);
        assert_eq!(start(&chunks, 2), [0, 5]);
        assert_eq!(start(&chunks, 4), [2, 4]);
        assert!(start(&[], 0).is_empty());
    }
}
