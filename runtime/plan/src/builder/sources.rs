//! Sources: arrays that are made from nothing, or read.

use super::node::{Map, Params, UNKNOWN, offsets};
use super::{Array, Builder, Result, err};
use crate::dtype::{DType, Kind, Scalar};
use crate::infer;
use crate::program::{Draw, FileRef, Op, Rng};
use serde_bytes::ByteBuf;
use std::sync::Arc;

impl Builder {
    /// Random numbers; block `k` in C order over the chunk grid has a stream of its own.
    ///
    /// # Errors
    /// When the dtype is not one that numpy draws in.
    pub fn random(&mut self, rng: Rng, draw: Draw, dtype: DType, chunks: Vec<Vec<u64>>) -> Result<Array> {
        check_chunks(&chunks, dtype)?;
        match draw {
            Draw::Random | Draw::StandardNormal if dtype.kind() != Kind::Float => {
                return err!("random numbers of dtype {dtype}; use float64 or float32, or integers");
            }
            Draw::Integers { low, high } => {
                let Some((lowest, highest)) = infer::bounds(dtype) else {
                    return err!("random integers of dtype {dtype}; use an integer dtype");
                };
                if low >= high {
                    return err!("low = {low} is not below high = {high}");
                }
                if i128::from(low) < lowest || i128::from(high) - 1 > highest {
                    return err!("integers in {low}..{high} do not fit {dtype}");
                }
            }
            _ => {}
        }
        let mut params = Params::default();
        let mut stride = 1i64;
        let mut terms = vec![];
        for (axis, c) in chunks.iter().enumerate().rev() {
            if c.len() > 1 {
                terms.push((axis as u32, (0..c.len() as i64).map(|i| i * stride).collect::<Vec<_>>().into()));
            }
            stride = stride.saturating_mul(c.len() as i64);
        }
        let block = params.sum(terms);
        let shape = params.shape(&chunks);
        Ok(self.blocks(Some(Op::Random { rng, draw, dtype, block, shape }), vec![], params, dtype, chunks))
    }

    /// One value everywhere.
    ///
    /// # Errors
    /// When an integer does not fit the dtype.
    pub fn full(&mut self, value: Scalar, dtype: DType, chunks: Vec<Vec<u64>>) -> Result<Array> {
        check_chunks(&chunks, dtype)?;
        if dtype != DType::Bool && !infer::fits(value, dtype) {
            return err!("{}", infer::out_of_bounds(value, dtype));
        }
        let mut params = Params::default();
        let shape = params.shape(&chunks);
        Ok(self.blocks(Some(Op::Full { dtype, value, shape }), vec![], params, dtype, chunks))
    }

    /// A 0-d array.
    pub(crate) fn constant(&mut self, value: Scalar, dtype: DType) -> Result<Array> {
        self.full(value, dtype, vec![])
    }

    /// `start + i * step` along one axis, whose length is the sum of `chunks`.
    ///
    /// # Errors
    /// When there is not one axis.
    pub fn arange(
        &mut self,
        start: Scalar,
        step: Scalar,
        dtype: DType,
        chunks: Vec<Vec<u64>>,
    ) -> Result<Array> {
        let (params, offset, len) = line(&chunks, dtype)?;
        Ok(self.blocks(Some(Op::Arange { dtype, start, step, offset, len }), vec![], params, dtype, chunks))
    }

    /// `numpy.linspace(start, stop, num, endpoint)`.
    ///
    /// # Errors
    /// When `chunks` do not add up to `num` along one axis.
    pub fn linspace(
        &mut self,
        start: Scalar,
        stop: Scalar,
        num: u64,
        endpoint: bool,
        dtype: DType,
        chunks: Vec<Vec<u64>>,
    ) -> Result<Array> {
        let (params, offset, len) = line(&chunks, dtype)?;
        if chunks[0].iter().sum::<u64>() != num {
            return err!("linspace of {num} numbers with chunks {:?}", chunks[0]);
        }
        let op = Op::Linspace { dtype, start, stop, num, endpoint, offset, len };
        Ok(self.blocks(Some(op), vec![], params, dtype, chunks))
    }

    /// Ones on the `k`-th diagonal of a matrix of zeros.
    ///
    /// # Errors
    /// When there are not two axes.
    pub fn eye(&mut self, k: i64, dtype: DType, chunks: Vec<Vec<u64>>) -> Result<Array> {
        check_chunks(&chunks, dtype)?;
        if chunks.len() != 2 {
            return err!("eye makes a matrix, not an array of {} dimensions", chunks.len());
        }
        let mut params = Params::default();
        let start = params.start(&chunks);
        let shape = params.shape(&chunks);
        let op = Op::Eye { dtype, k, row: start[0], col: start[1], shape: [shape[0], shape[1]] };
        Ok(self.blocks(Some(op), vec![], params, dtype, chunks))
    }

    /// Elements in C order, little-endian.
    ///
    /// # Errors
    /// When bytes, shape and chunks do not fit together.
    pub fn literal(
        &mut self,
        dtype: DType,
        shape: &[u64],
        data: Vec<u8>,
        chunks: Vec<Vec<u64>>,
    ) -> Result<Array> {
        let whole: Vec<Vec<u64>> = shape.iter().map(|&n| vec![n]).collect();
        check_chunks(&whole, dtype)?;
        let bytes = shape.iter().product::<u64>() * dtype.itemsize() as u64;
        if bytes != data.len() as u64 {
            return err!(
                "{} bytes of data for shape {shape:?} and dtype {dtype}, which take {bytes}",
                data.len()
            );
        }
        let op = Op::Literal { dtype, shape: shape.to_vec(), data: ByteBuf::from(data) };
        let a = self.blocks(Some(op), vec![], Params::default(), dtype, whole);
        self.rechunk_to(a, chunks)
    }

    /// A file; `chunks` cover its shape.
    ///
    /// # Errors
    /// When the shape overflows.
    pub fn read(&mut self, file: FileRef, dtype: DType, chunks: Vec<Vec<u64>>) -> Result<Array> {
        check_chunks(&chunks, dtype)?;
        let mut params = Params::default();
        let start = params.start(&chunks);
        let shape = params.shape(&chunks);
        Ok(self.blocks(Some(Op::Read { file, dtype, start, shape }), vec![], params, dtype, chunks))
    }

    /// The same block of another array, with other chunk sizes: for values that are not arrays until now.
    pub(crate) fn alias(&mut self, a: Array, maps: Vec<Map>, dtype: DType, chunks: Vec<Vec<u64>>) -> Array {
        self.blocks(None, vec![(a, maps)], Params::default(), dtype, chunks)
    }

    /// A one-dimensional array of indices, in one block.
    pub(crate) fn indices(&mut self, indices: &[i64]) -> Result<Array> {
        let n = indices.len() as u64;
        let data = indices.iter().flat_map(|i| i.to_le_bytes()).collect();
        self.literal(DType::Int64, &[n], data, vec![vec![n]])
    }

    /// A one-dimensional array of numbers, in one block.
    pub(crate) fn floats(&mut self, numbers: &[f64]) -> Result<Array> {
        let n = numbers.len() as u64;
        let data = numbers.iter().flat_map(|i| i.to_le_bytes()).collect();
        self.literal(DType::Float64, &[n], data, vec![vec![n]])
    }
}

fn line(chunks: &[Vec<u64>], dtype: DType) -> Result<(Params, crate::program::Int, crate::program::Int)> {
    check_chunks(chunks, dtype)?;
    let [c] = chunks else { return err!("a range has one dimension, not {}", chunks.len()) };
    let mut params = Params::default();
    let offset =
        if c.len() == 1 { crate::program::Int::Lit(0) } else { params.sum(vec![(0, Arc::from(offsets(c)))]) };
    let len = params.shape(chunks)[0];
    Ok((params, offset, len))
}

/// Every axis has chunks, all are known, and the array's bytes fit 63 bits.
fn check_chunks(chunks: &[Vec<u64>], dtype: DType) -> Result<()> {
    let mut bytes = Some(dtype.itemsize() as u64);
    for (axis, c) in chunks.iter().enumerate() {
        if c.is_empty() || c.contains(&UNKNOWN) {
            return err!("axis {axis} has no chunks");
        }
        let total = c.iter().try_fold(0u64, |t, &n| t.checked_add(n));
        bytes = bytes.and_then(|b| b.checked_mul(total?.max(1)));
    }
    if bytes.is_none_or(|b| b > i64::MAX as u64) {
        return err!("an array with these chunks and dtype {dtype} would take more than 2^63 bytes");
    }
    Ok(())
}
