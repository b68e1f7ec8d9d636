//! Documents to plans, by way of the [`Builder`].

use super::document::{Definition, Document, Target};
use super::error::SourceError;
use super::resolve::{Resolved, resolve};
use super::sources::{ByteOrder, Generator, Order, RawSource, Source};
use crate::builder::{Array, AxisChunks, Builder, ChunkSpec};
use crate::chunking::Chunks;
use crate::described::Described;
use crate::dtype::{DType, Kind};
use crate::formula::{self, Nest, Number, Scope, Value, creation};
use crate::path;
use crate::plan::Part;
use crate::program::{Draw, FileRef, Format, Rng};
use std::cell::Cell;
use std::collections::HashMap;

/// The files that must be described before [`build`] can make a plan, each once, with the array that reads it.
pub fn files(document: &Document) -> Vec<(String, FileRef)> {
    let mut files: Vec<(String, FileRef)> = vec![];
    for (name, definition) in &document.arrays.0 {
        // What is wrong with a path or a size was found when the document was parsed.
        if let Definition::Source(source) = definition
            && let Ok(Some(file)) = file(source)
            && !files.iter().any(|(_, known)| *known == file)
        {
            files.push((name.clone(), file));
        }
    }
    files
}

/// The file that a source reads, if it reads one.
pub(super) fn file(source: &Source) -> Result<Option<FileRef>, String> {
    let (path, format) = match source {
        Source::Npy(file) => (&file.path, Format::Npy),
        Source::Zarr(file) => (&file.path, Format::Zarr),
        Source::Raw(raw) => (&raw.path, raw_format(raw)?),
        _ => return Ok(None),
    };
    path::check(path).map_err(|e| format!("{path:?}: {e}"))?;
    Ok(Some(FileRef { path: path.clone(), format }))
}

fn raw_format(raw: &RawSource) -> Result<Format, String> {
    let bytes = creation::check_size(&raw.shape.0, raw.dtype)?;
    if bytes.checked_add(raw.offset).is_none_or(|end| end > i64::MAX as u64) {
        return Err(format!("offset {} plus {bytes} bytes is more than a file holds", raw.offset));
    }
    Ok(Format::Raw {
        dtype: raw.dtype,
        shape: raw.shape.0.clone(),
        offset: raw.offset,
        fortran: raw.order == Order::F,
        big_endian: raw.byteorder == ByteOrder::Big,
    })
}

/// The plan of a document whose files are described. Plans of more than `max_tasks` tasks are refused before they
/// are made.
///
/// # Errors
/// The first mistake, with its place.
pub fn build(
    document: &Document,
    described: &HashMap<FileRef, Described>,
    max_tasks: u128,
) -> Result<Vec<Part>, SourceError> {
    let Resolved { functions, heads, formulas, order } = resolve(document)?;
    let mut builder = Builder::new();
    let mut values: HashMap<String, Value> = HashMap::new();
    let steps = Cell::new(0);
    for at in order {
        let (Some((name, definition)), Some(formula)) = (document.arrays.0.get(at), formulas.get(at)) else {
            continue;
        };
        let path = ["arrays", name.as_str()];
        let value = match (definition, formula) {
            (Definition::Formula(text), Some(expr)) => {
                let scope = Scope { names: &values, functions: &functions, steps: &steps };
                formula::evaluate(expr, scope, &mut builder).map_err(|error| {
                    let file = &document.origin.file;
                    match error.function.as_ref().and_then(|name| heads.get(name)) {
                        // The mistake is in a function's formula: show that.
                        Some((head, body)) => {
                            let error = SourceError::formula(file, body, &error);
                            let message = format!("{} (in `{head}`, called for `{name}`)", error.message);
                            document.place(&["functions", head], SourceError { message, ..error })
                        }
                        None => document.place(&path, SourceError::formula(file, text, &error)),
                    }
                })?
            }
            (Definition::Number(number), _) => Value::Number(*number),
            (Definition::List(values), _) => {
                let array =
                    values.0.literal(None).and_then(|literal| creation::literal(&mut builder, literal, None));
                Value::Array(array.map_err(|e| document.error(&path, e))?)
            }
            (Definition::Source(source), _) => {
                Value::Array(make(&mut builder, source, described).map_err(|e| document.error(&path, e))?)
            }
            (Definition::Formula(_), None) => continue,
        };
        values.insert(name.clone(), value);
    }
    for (name, targets) in &document.outputs.0 {
        let error = |message: String| document.error(&["outputs", name], message);
        let array = match values.get(name) {
            Some(Value::Array(array)) => *array,
            Some(value @ Value::Number(_)) => {
                let literal = Nest::of(value).and_then(|n| n.literal(None));
                literal.and_then(|l| creation::literal(&mut builder, l, None)).map_err(error)?
            }
            Some(value @ Value::Tuple(_)) => {
                return Err(error(format!(
                    "`{name}` is {}; put out one of its items, as in `{name}[0]`",
                    value.describe()
                )));
            }
            Some(value) => return Err(error(format!("`{name}` is {}, not an array", value.describe()))),
            None => return Err(error(format!("no array is called `{name}`"))),
        };
        for target in &targets.0 {
            match target {
                Target::Print => builder.print(name, array),
                Target::Json(path) => builder.json(name, array, path.as_deref()),
                Target::Npy(path) => builder.npy(name, array, path),
                Target::Zarr(path) => builder.zarr(name, array, path),
            }
            .map_err(|e| error(e.0))?;
        }
    }
    let tasks = builder.tasks();
    if tasks > max_tasks {
        return Err(document.error(
            &["outputs"],
            format!("the outputs need {tasks} tasks, more than the {max_tasks} allowed; make chunks larger, or raise --max-tasks"),
        ));
    }
    builder.finish().map_err(|e| document.error(&["outputs"], e.0))
}

/// The array of a source.
fn make(
    build: &mut Builder,
    source: &Source,
    described: &HashMap<FileRef, Described>,
) -> Result<Array, String> {
    match source {
        Source::Random(r) => {
            let dtype = float(r.dtype, r.generator)?;
            random(build, rng(r.seed, r.generator)?, Draw::Random, dtype, &r.shape.0, &r.chunks)
        }
        Source::StandardNormal(r) => {
            let dtype = float(r.dtype, r.generator)?;
            random(build, rng(r.seed, r.generator)?, Draw::StandardNormal, dtype, &r.shape.0, &r.chunks)
        }
        Source::Integers(r) => {
            let dtype = r.dtype.unwrap_or(DType::Int64);
            if dtype.kind() > Kind::Signed || dtype == DType::Bool {
                return Err(format!("integers are not drawn as {dtype}; draw int64 and use `astype`"));
            }
            if r.low >= r.high {
                return Err(format!("low, {}, is not below high, {}", r.low, r.high));
            }
            for end in [r.low, r.high - 1] {
                Nest::Number(Number::Int(end.into())).literal(Some(dtype))?;
            }
            let draw = Draw::Integers { low: r.low, high: r.high };
            random(build, rng(r.seed, r.generator)?, draw, dtype, &r.shape.0, &r.chunks)
        }
        Source::Zeros(f) => {
            let chunks = f.chunks.spec(f.shape.0.len())?;
            creation::full(build, Number::Int(0), &f.shape.0, f.dtype.or(Some(DType::Float64)), &chunks)
        }
        Source::Ones(f) => {
            let chunks = f.chunks.spec(f.shape.0.len())?;
            creation::full(build, Number::Int(1), &f.shape.0, f.dtype.or(Some(DType::Float64)), &chunks)
        }
        Source::Full(f) => {
            let chunks = f.chunks.spec(f.shape.0.len())?;
            creation::full(build, f.fill_value, &f.shape.0, f.dtype, &chunks)
        }
        Source::Arange(a) => creation::arange(build, [a.start, a.stop, a.step], a.dtype, &a.chunks.spec(1)?),
        Source::Linspace(l) => {
            creation::linspace(build, [l.start, l.stop], l.num, l.endpoint, l.dtype, &l.chunks.spec(1)?)
        }
        Source::Eye(e) => {
            let shape = match e.shape.0.as_slice() {
                [n] => [*n, *n],
                [n, m] => [*n, *m],
                other => return Err(format!("`eye` has two axes, not {}", other.len())),
            };
            creation::eye(build, shape, e.k, e.dtype, &e.chunks.spec(2)?)
        }
        Source::Data(d) => {
            let literal = d.values.0.literal(d.dtype)?;
            let chunks = d.chunks.spec(literal.shape.len())?;
            creation::literal(build, literal, Some(&chunks))
        }
        Source::Npy(f) | Source::Zarr(f) => read(build, source, f.chunks.as_ref(), described),
        Source::Raw(raw) => read(build, source, Some(&raw.chunks), described),
    }
}

fn random(
    build: &mut Builder,
    rng: Rng,
    draw: Draw,
    dtype: DType,
    shape: &[u64],
    chunks: &Chunks,
) -> Result<Array, String> {
    let chunks = creation::grid(&chunks.spec(shape.len())?, shape, dtype)?;
    build.random(rng, draw, dtype, chunks).map_err(|e| e.0)
}

fn float(dtype: Option<DType>, generator: Generator) -> Result<DType, String> {
    match (dtype.unwrap_or(DType::Float64), generator) {
        (DType::Float64, _) => Ok(DType::Float64),
        (DType::Float32, Generator::DefaultRng) => Ok(DType::Float32),
        (DType::Float32, Generator::RandomState) => {
            Err("RandomState draws float64 only; use `astype`".into())
        }
        (dtype, _) => Err(format!("floats are drawn as float64 or float32, not as {dtype}")),
    }
}

/// A generator in its first state.
fn rng(seed: u64, generator: Generator) -> Result<Rng, String> {
    match generator {
        Generator::DefaultRng => {
            // numpy's SeedSequence takes as few 32-bit words as hold the number, but one at least.
            let (low, high) = (seed as u32, (seed >> 32) as u32);
            let entropy = if high == 0 { vec![low] } else { vec![low, high] };
            Ok(Rng::Pcg64 { entropy, spawned: 0 })
        }
        Generator::RandomState => match u32::try_from(seed) {
            Ok(seed) => Ok(Rng::Mt19937 { seed, spawned: 0 }),
            Err(_) => Err(format!("RandomState takes seeds up to {}, not {seed}", u32::MAX)),
        },
    }
}

fn read(
    build: &mut Builder,
    source: &Source,
    chunks: Option<&Chunks>,
    described: &HashMap<FileRef, Described>,
) -> Result<Array, String> {
    let file = file(source)?.ok_or("it reads no file")?;
    let found = described.get(&file).ok_or_else(|| format!("{:?} has not been described", file.path))?;
    let chunks = match (chunks, &found.chunks) {
        (Some(chunks), _) => chunks.spec(found.shape.len())?,
        (None, Some(stored)) => {
            ChunkSpec::Each(stored.iter().map(|sizes| AxisChunks::Sizes(sizes.clone())).collect())
        }
        (None, None) => ChunkSpec::Auto,
    };
    let chunks = creation::grid(&chunks, &found.shape, found.dtype)?;
    build.read(file, found.dtype, chunks).map_err(|e| e.0)
}
