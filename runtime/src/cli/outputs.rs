//! Results where the submitter wants them: on the terminal, in `.npy` and JSON files.

use super::{Failure, Result};
use dask_array::io::npy::Writer;
use dask_array::io::{output_path, replace};
use dask_array::{Chunk, Context, Prepared, Value};
use dask_plan::columns::U32s;
use dask_plan::plan::{Output, Sink};
use dask_plan::program::{Instr, Op, Program};
use serde_json::{Map, json};
use std::collections::HashMap;
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
        let wrong =
            |output: &Output, e: dask_array::Error| Failure::Input(format!("outputs.{}: {e}", output.name));
        for output in outputs {
            let tasks = U32s::new(&output.tasks);
            let how = match &output.to {
                Sink::Zarr { .. } | Sink::Keep => How::Elsewhere,
                Sink::Npy { path } => {
                    let path = writable(path, &self.context).map_err(|e| wrong(&output, e))?;
                    let shape = shape(&output);
                    // With unknown sizes the shape shows only when all blocks are there.
                    let writer = shape.map(|shape| Writer::create(&path, output.dtype, &shape)).transpose();
                    match writer.map_err(|e| wrong(&output, e))? {
                        Some(writer) => How::Npy { path, writer: Some(writer) },
                        None => How::Blocks(vec![None; tasks.len()]),
                    }
                }
                Sink::Json { path: Some(path) } => {
                    writable(path, &self.context).map_err(|e| wrong(&output, e))?;
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

    /// A line about each output that is not complete when the job did not end well, though something of it may be there.
    pub(super) fn incomplete(&self) -> Vec<String> {
        let zarr = self.outputs.iter().filter_map(|o| match &o.output.to {
            Sink::Zarr { path } => Some(format!(
                "outputs.{}: {path} is not complete: chunks that were not written read as 0; run the graph again, or \
                 remove it",
                o.output.name
            )),
            _ => None,
        });
        zarr.collect()
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
                        let start = start(&output.chunks, place);
                        writer.write(&start, chunk).map_err(|e| failed(&output.name, e))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Writes the files that are left; returns what `--json` shows of each output, and what is printed unless `quiet`.
    pub(super) fn finish(self, quiet: bool) -> Result<(Map<String, serde_json::Value>, Vec<String>)> {
        let mut shown: Map<String, serde_json::Value> = Map::new();
        let mut texts = vec![];
        for Gathering { output, how } in self.outputs {
            let Output { name, to, chunks, .. } = &output;
            let failed = |e| failed(name, e);
            let (kind, value, text) = match (how, to) {
                (How::Npy { path, writer }, _) => {
                    if let Some(writer) = writer {
                        writer.finish().map_err(failed)?;
                    }
                    ("npy", json!(path), None)
                }
                (How::Blocks(blocks), Sink::Npy { path }) => {
                    let whole = whole(name, blocks, chunks)?;
                    let path = writable(path, &self.context).map_err(failed)?;
                    let shape: Vec<u64> = whole.shape().iter().map(|n| *n as u64).collect();
                    let mut writer = Writer::create(&path, whole.dtype(), &shape).map_err(failed)?;
                    writer.write(&vec![0; shape.len()], &whole).map_err(failed)?;
                    writer.finish().map_err(failed)?;
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
                            let path = writable(path, &self.context).map_err(failed)?;
                            replace(&path, value.to_string().as_bytes()).map_err(failed)?;
                            ("json", json!(path), None)
                        }
                        None => ("json", value.clone(), Some(value.to_string())),
                    }
                }
                (_, Sink::Zarr { path }) => ("zarr", json!(path), None),
                (_, _) => ("keep", json!(true), None),
            };
            texts.extend(text.filter(|_| !quiet).map(|text| format!("{name}:\n{text}")));
            let of = shown.entry(name.clone()).or_insert_with(|| json!({}));
            of[kind] = value;
        }
        Ok((shown, texts))
    }
}

/// An output that could not be written.
fn failed(name: &str, e: dask_array::Error) -> Failure {
    Failure::Failed(format!("outputs.{name}: {e}"))
}

/// Where a file is to be written.
///
/// # Errors
/// When that is outside the data directories, a folder, or in a folder that is not there.
pub(super) fn writable(path: &str, context: &Context) -> std::result::Result<PathBuf, dask_array::Error> {
    let file = output_path(path, context)?;
    may_hold(&file).map_err(|message| dask_array::Error::File { path: path.into(), message })?;
    Ok(file)
}

/// Whether a file can be at a path, as far as folders go.
pub(super) fn may_hold(path: &Path) -> std::result::Result<(), String> {
    if path.is_dir() {
        return Err("it is a folder; name a file".into());
    }
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            Err(format!("there is no folder {}; make it first", folder.display()))
        }
        _ => Ok(()),
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
        _ => Err(Failure::Failed(format!("output {name:?}: its blocks do not join"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zarr_arrays_are_named_when_a_job_did_not_end_well() {
        let output = |name: &str, to| Output {
            name: name.into(),
            to,
            dtype: dask_plan::DType::Int8,
            chunks: vec![],
            tasks: dask_plan::columns::u32s([0]),
        };
        let mut outputs = Outputs::new(vec![]);
        let zarr = Sink::Zarr { path: "y.zarr".into() };
        outputs.add(vec![output("x", Sink::Print { edge: None }), output("y", zarr)]).unwrap();
        let lines = outputs.incomplete();
        assert!(lines.len() == 1 && lines[0].starts_with("outputs.y: y.zarr is not complete"), "{lines:?}");
    }

    #[test]
    fn blocks_start_where_those_before_end() {
        let chunks = vec![vec![2, 3], vec![4, 1, 1]];
        assert_eq!(start(&chunks, 0), [0, 0]);
        assert_eq!(start(&chunks, 2), [0, 5]);
        assert_eq!(start(&chunks, 4), [2, 4]);
        assert!(start(&[], 0).is_empty());
    }
}
