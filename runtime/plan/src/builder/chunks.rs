//! Chunk sizes: dask's `normalize_chunks`, and the common chunks of arrays that meet in one operator.

use super::node::{UNKNOWN, extent};
use super::{Array, AxisChunks, BuildError, Builder, ChunkSpec, Result, err};
use crate::dtype::DType;

/// Bytes of a chunk that is sized by itself (dask's `array.chunk-size`).
const CHUNK_BYTES: u64 = 128 << 20;

/// Chunks along one axis, at most: their sizes are listed.
const MANY_CHUNKS: u64 = 1 << 22;

/// Chunk sizes of an array of this shape: dask's `normalize_chunks`.
///
/// # Errors
/// Names the axis and the sizes that do not fit.
pub fn normalize_chunks(spec: &ChunkSpec, shape: &[u64], dtype: DType) -> Result<Vec<Vec<u64>>> {
    let each = match spec {
        ChunkSpec::Auto => vec![AxisChunks::Auto; shape.len()],
        ChunkSpec::Each(each) => each.clone(),
    };
    if each.len() != shape.len() {
        return err!("chunks say {} axes, but the shape {shape:?} has {}", each.len(), shape.len());
    }
    let bytes = shape.iter().try_fold(dtype.itemsize() as u64, |n, &s| n.checked_mul(s.max(1)));
    if bytes.is_none_or(|b| b > i64::MAX as u64) {
        return err!("an array of shape {shape:?} and dtype {dtype} would take more than 2^63 bytes");
    }
    let mut chunks = vec![vec![]; shape.len()];
    for (axis, (&n, c)) in shape.iter().zip(&each).enumerate() {
        chunks[axis] = match c {
            AxisChunks::Whole => vec![n],
            AxisChunks::Size(0) if n > 0 => {
                return err!("chunks of 0 items along axis {axis}; use -1 for one chunk");
            }
            AxisChunks::Size(size) => split(n, *size, axis)?,
            AxisChunks::Sizes(sizes) => {
                let total = sizes.iter().try_fold(0u64, |t, &s| t.checked_add(s));
                if total != Some(n) || sizes.is_empty() {
                    return err!(
                        "chunks {sizes:?} along axis {axis} add up to {}, but it has {n} items",
                        total.map_or("more than 2^64".into(), |t| t.to_string())
                    );
                }
                sizes.clone()
            }
            AxisChunks::Auto => vec![],
        };
    }
    auto(&each, shape, dtype, &mut chunks)?;
    let blocks = chunks.iter().fold(1u64, |n, c| n.saturating_mul(c.len() as u64));
    if blocks > u64::from(u32::MAX) {
        return err!(
            "{blocks} chunks of an array of shape {shape:?}, more than can be numbered; use larger chunks"
        );
    }
    Ok(chunks)
}

/// `size, size, …, rest`
fn split(n: u64, size: u64, axis: usize) -> Result<Vec<u64>> {
    if n == 0 {
        return Ok(vec![0]);
    }
    let size = size.min(n);
    if n.div_ceil(size) > MANY_CHUNKS {
        return err!("{} chunks of {size} items along axis {axis}; use larger chunks", n.div_ceil(size));
    }
    let mut chunks = vec![size; (n / size) as usize];
    if !n.is_multiple_of(size) {
        chunks.push(n % size);
    }
    Ok(chunks)
}

/// Fills in the automatic axes: all of the same size, smaller where the axis is, so that a chunk takes what
/// [`CHUNK_BYTES`] allows (dask's `auto_chunks` for axes without previous chunks).
fn auto(each: &[AxisChunks], shape: &[u64], dtype: DType, chunks: &mut [Vec<u64>]) -> Result<()> {
    let mut autos: Vec<usize> = (0..shape.len()).filter(|&a| each[a] == AxisChunks::Auto).collect();
    if autos.is_empty() {
        return Ok(());
    }
    let limit = (CHUNK_BYTES / dtype.itemsize() as u64).max(1) as f64;
    let mut largest: f64 = (0..shape.len())
        .filter(|a| each[*a] != AxisChunks::Auto)
        .map(|a| chunks[a].iter().copied().max().unwrap_or(1).max(1) as f64)
        .product();
    loop {
        if autos.is_empty() {
            return Ok(());
        }
        let size = (limit / largest).powf(1.0 / autos.len() as f64);
        let small: Vec<usize> = autos.iter().copied().filter(|&a| (shape[a] as f64) < size).collect();
        if small.is_empty() {
            for &a in &autos {
                chunks[a] = split(shape[a], (size as u64).max(1), a)?;
            }
            return Ok(());
        }
        for a in small {
            chunks[a] = vec![shape[a]];
            largest *= shape[a].max(1) as f64;
            autos.retain(|&b| b != a);
        }
    }
}

impl Builder {
    /// The shape of several arrays together, and its chunks: boundaries of all of them (dask's `unify_chunks`).
    pub(crate) fn common_chunks(&self, arrays: &[Array]) -> Result<Vec<Vec<u64>>> {
        let ndim = arrays.iter().map(|&a| self.chunks(a).len()).max().unwrap_or(0);
        let mut out = Vec::with_capacity(ndim);
        for axis in 0..ndim {
            let of: Vec<&[u64]> = arrays
                .iter()
                .filter_map(|&a| {
                    let chunks = self.chunks(a);
                    (axis + chunks.len()).checked_sub(ndim).map(|i| chunks[i].as_slice())
                })
                .filter(|c| **c != [1])
                .collect();
            out.push(match of.first() {
                None => vec![1],
                Some(_) => common(&of).map_err(|e| self.shapes_message(arrays, e))?,
            });
        }
        Ok(out)
    }

    fn shapes_message(&self, arrays: &[Array], e: Mismatch) -> BuildError {
        let shapes: Vec<String> = arrays.iter().map(|&a| self.shape_text(a)).collect();
        match e {
            Mismatch::Extents => BuildError(format!("shapes {} do not broadcast", shapes.join(" and "))),
            Mismatch::Unknown => BuildError(format!(
                "shapes {} meet along an axis of unknown length; select from all operands by the same mask",
                shapes.join(" and ")
            )),
        }
    }

    /// Its shape as Python writes it, `?` where unknown.
    pub(crate) fn shape_text(&self, a: Array) -> String {
        let each: Vec<String> =
            self.shape(a).iter().map(|s| s.map_or("?".into(), |n| n.to_string())).collect();
        if each.len() == 1 { format!("({},)", each[0]) } else { format!("({})", each.join(", ")) }
    }
}

pub(crate) enum Mismatch {
    Extents,
    Unknown,
}

/// Common boundaries of one axis (dask's `common_blockdim`).
pub(crate) fn common(of: &[&[u64]]) -> std::result::Result<Vec<u64>, Mismatch> {
    let first = of[0];
    if of.iter().all(|c| *c == first) {
        return Ok(first.to_vec());
    }
    if of.iter().any(|c| c.contains(&UNKNOWN)) {
        return Err(Mismatch::Unknown);
    }
    if of.iter().any(|c| extent(c) != extent(first)) {
        return Err(Mismatch::Extents);
    }
    let mut cuts: Vec<u64> = vec![];
    for c in of {
        let mut at = 0;
        cuts.extend(c.iter().map(|n| {
            at += n;
            at
        }));
    }
    cuts.sort_unstable();
    cuts.dedup();
    let mut last = 0;
    let sizes = cuts.into_iter().map(|c| {
        let n = c - last;
        last = c;
        n
    });
    Ok(sizes.collect())
}
