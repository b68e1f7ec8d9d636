//! From a submission to parts that the scheduler can start: reading plans as they arrive, planning source documents.

use super::hub::Hub;
use super::job::JobEvent;
use super::state::Opened;
use dask_array::Value;
use dask_plan::columns::u32s;
use dask_plan::plan::{Block, Body, Output, Part, Sink, Template, VERSION};
use dask_plan::program::{FileRef, Instr, Op, Program};
use dask_plan::source::{self, Document};
use dask_plan::{DType, Decoder, Described, Limits, expand};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// A plan as its bytes arrive.
///
/// Explicit tasks go through as they come. Layers are expanded, which gives all tasks new numbers in the static order, so
/// a plan with layers is kept back until it is complete.
pub struct Intake {
    decoder: Decoder,
    max_tasks: u64,
    kept: Vec<Part>,
    layered: bool,
    passed: bool,
    ended: bool,
}

impl Intake {
    /// Refuses more tasks than `max_tasks`.
    pub fn new(max_tasks: u64) -> Intake {
        let decoder = Decoder::new(Limits { max_tasks, ..Limits::default() });
        Intake { decoder, max_tasks, kept: vec![], layered: false, passed: false, ended: false }
    }

    /// Takes bytes; returns parts that can start.
    ///
    /// # Errors
    /// When they are not a plan, or do not fit what came before.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Part>, String> {
        self.decoder.feed(bytes);
        let mut parts = vec![];
        while let Some(part) = self.decoder.next_part().map_err(|e| e.to_string())? {
            self.ended |= part.last;
            if !part.layers.is_empty() && self.passed {
                return Err(
                    "plan: layers follow a part without layers whose tasks have started; write layers first"
                        .into(),
                );
            }
            self.layered |= !part.layers.is_empty();
            if self.layered {
                self.kept.push(part);
            } else {
                self.passed |= !part.blocks.is_empty();
                parts.push(part);
            }
        }
        Ok(parts)
    }

    /// Nothing follows; returns what was kept back. Expanding layers takes a while.
    ///
    /// # Errors
    /// When something is missing, or the layers do not fit.
    pub fn finish(self) -> Result<Vec<Part>, String> {
        self.decoder.finish().map_err(|e| e.to_string())?;
        if !self.ended {
            return Err("plan: it is cut off: no part says `last`".into());
        }
        if self.kept.is_empty() {
            Ok(vec![])
        } else {
            expand(self.kept, self.max_tasks).map_err(|e| e.to_string())
        }
    }

    /// Whether every part has gone through, the last one too.
    pub fn started(&self) -> bool {
        self.ended && self.kept.is_empty()
    }
}

/// Whether these are the first bytes of a plan and not of a source document: a MessagePack map, which no text begins
/// with.
pub fn is_plan(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|b| matches!(b, 0x80..=0x8f | 0xde | 0xdf))
}

/// Plans a source document: describes its files on a worker, builds and expands, and asks a worker whether the Zarr arrays
/// can be created.
///
/// # Errors
/// Names file, place, value and fix.
pub async fn source(hub: &Arc<Hub>, file: String, text: String, max_tasks: u64) -> Result<Vec<Part>, String> {
    let parse = move || source::parse(&text, &file).map(Arc::new).map_err(|e| e.to_string());
    let document = apart(parse).await?;
    let files = source::files(&document);
    let ops = files.iter().map(|(_, file)| Op::Describe { file: file.clone() }).collect();
    let mut described = vec![];
    for ((array, file), answer) in files.into_iter().zip(ask(hub, ops).await?) {
        described.push((file, answer.map_err(|e| document.error(&["arrays", &array], e).to_string())?));
    }
    let whole = Arc::clone(&document);
    let parts = apart(move || planned(&whole, described, max_tasks)).await?;
    let (outputs, ops): (Vec<String>, Vec<Op>) = creates(&parts).into_iter().unzip();
    let ops = ops.into_iter().map(|op| match op {
        Op::Create { file, dtype, shape, chunks } => Op::CheckCreate { file, dtype, shape, chunks },
        other => other,
    });
    for (output, answer) in outputs.iter().zip(ask::<()>(hub, ops.collect()).await?) {
        answer.map_err(|e| document.error(&["outputs", output], e).to_string())?;
    }
    Ok(parts)
}

/// Runs something that takes a while on a thread that may take a while.
async fn apart<T: Send + 'static>(
    f: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    tokio::task::spawn_blocking(f).await.unwrap_or_else(|error| Err(error.to_string()))
}

/// The parts of a document whose files are described, in static order.
///
/// # Errors
/// Names file, place, value and fix.
pub fn planned(
    document: &Document,
    described: Vec<(FileRef, Described)>,
    max_tasks: u64,
) -> Result<Vec<Part>, String> {
    let known = described.into_iter().collect();
    let parts = source::build(document, &known, u128::from(max_tasks)).map_err(|e| e.to_string())?;
    expand(parts, max_tasks).map_err(|e| e.to_string())
}

/// The Zarr outputs of a plan, with the [`Op::Create`] of each.
pub fn creates(parts: &[Part]) -> Vec<(String, Op)> {
    let mut ops = HashMap::new();
    for template in parts.iter().flat_map(|p| &p.templates) {
        let Body::Program(program) = &template.body else { continue };
        for op in program.body.iter().map(|i| &i.op) {
            if let Op::Create { file, .. } = op {
                ops.insert(file.path.as_str(), op);
            }
        }
    }
    let outputs = parts.iter().flat_map(|p| &p.outputs);
    let zarr = outputs.filter_map(|o| match &o.to {
        Sink::Zarr { path } => Some((o.name.clone(), (*ops.get(path.as_str())?).clone())),
        _ => None,
    });
    zarr.collect()
}

/// Asks about files where they are, on a worker: [`Op::Describe`] or [`Op::CheckCreate`]. Each is answered, or it is said
/// why not.
async fn ask<T: DeserializeOwned>(hub: &Arc<Hub>, ops: Vec<Op>) -> Result<Vec<Result<T, String>>, String> {
    if ops.is_empty() {
        return Ok(vec![]);
    }
    let count = ops.len() as u32;
    let part = Part {
        version: VERSION,
        names: vec!["describe".into()],
        templates: ops.into_iter().map(template).collect(),
        blocks: (0..count)
            .map(|template| Block {
                count: 1,
                template,
                ndim: 1,
                index: u32s([template]),
                ..Block::default()
            })
            .collect(),
        outputs: vec![Output {
            name: "describe".into(),
            to: Sink::Json { path: None },
            dtype: DType::UInt8,
            chunks: vec![vec![u64::MAX; count as usize]],
            tasks: u32s(0..count),
        }],
        last: true,
        ..Part::default()
    };
    let (send, mut events) = mpsc::unbounded_channel();
    hub.with(|state| {
        // Nobody else's jobs are found by this name, so it is new.
        if let Ok(Opened::New(job)) = state.open("describe", None, i32::MAX, true) {
            state.subscribe(job, Box::new(move |event| send.send(event.clone()).is_ok()));
            state.add_part(job, part);
        }
    });
    let mut found = HashMap::new();
    while let Some(event) = events.recv().await {
        match event {
            JobEvent::Result { task, value: Value::Array(chunk) } => {
                let chunk = chunk.to_contiguous();
                let json = serde_json::from_slice(chunk.as_bytes().unwrap_or_default());
                found.insert(task, json.map_err(|e| format!("a worker's answer cannot be read: {e}"))?);
            }
            JobEvent::Done(_) => {
                let answer =
                    |n| found.remove(&n).ok_or_else(|| "a worker gave no answer about a file".into());
                return (0..count).map(answer).collect();
            }
            JobEvent::Failed { error, .. } => return Err(error),
            _ => {}
        }
    }
    Err("the scheduler ended".into())
}

fn template(op: Op) -> Template {
    let program = Program { inputs: 0, args: 0, body: vec![Instr { op, of: vec![] }] };
    Template {
        name: "describe".into(),
        body: Body::Program(program),
        nbytes: 0,
        scratch: 0,
        annotations: Default::default(),
    }
}
