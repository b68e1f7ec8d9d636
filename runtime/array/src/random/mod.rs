//! Random arrays, equal to Dask's with NumPy in every bit: the same seeds for each block, the same generators, and
//! the same way from bits to numbers.

mod integers;
mod mt19937;
mod normal;
mod pcg64;
mod seed;
mod ziggurat;

use crate::chunk::Chunk;
use crate::ops::operand;
use crate::run::{Context, Error};
use crate::{DType, with_dtype};
use dask_plan::dtype::Kind;
use dask_plan::program::{Draw, Int, Rng};
use integers::{Integers, Method};
use mt19937::Mt19937;
use pcg64::Pcg64;

const OP: &str = "random";

/// Elements between two looks at whether the caller gave up.
const TILE: usize = 1 << 16;

/// A generator of random bits.
trait Bits {
    /// 32 random bits.
    fn next_u32(&mut self) -> u32;
    /// 64 random bits.
    fn next_u64(&mut self) -> u64;
    /// Uniform in `[0, 1)`, 53 bits.
    fn next_f64(&mut self) -> f64;
}

/// 64 random bits as a number in `[0, 1)`.
#[inline]
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// 32 random bits as a number in `[0, 1)`.
#[inline]
fn unit_single(bits: u32) -> f32 {
    (bits >> 8) as f32 * (1.0 / (1u32 << 24) as f32)
}

/// Uniform float64 numbers of one block, piece by piece: for kernels that use them tile by tile without keeping the
/// block.
#[derive(Clone, Debug)]
pub(crate) struct RandomStream {
    generator: Generator,
}

#[derive(Clone, Debug)]
enum Generator {
    Pcg64(Pcg64),
    Mt19937(Box<Mt19937>),
}

impl RandomStream {
    /// The stream of [`Draw::Random`] for block number `block`; `key` is the operand of a generator that takes one.
    ///
    /// # Errors
    /// When the block's number overflows, the key is none, or the caller gave up.
    pub(crate) fn new(
        rng: &Rng,
        key: Option<&Chunk>,
        block: u64,
        context: &Context,
    ) -> Result<RandomStream, Error> {
        let child = |spawned: u64| {
            let child = spawned.checked_add(block);
            child.ok_or_else(|| {
                operand::operand(OP, format!("block {block} after {spawned} others overflows"))
            })
        };
        let generator = match (rng, key) {
            (Rng::Pcg64 { entropy, spawned }, None) => {
                Generator::Pcg64(Pcg64::new(entropy, child(*spawned)?))
            }
            (Rng::Mt19937 { seed, spawned }, None) => {
                Generator::Mt19937(Box::new(Mt19937::of_run(*seed, child(*spawned)?, context)?))
            }
            (Rng::Mt19937Key, Some(key)) => {
                operand::of_dtype(OP, "the key", key, DType::UInt32)?;
                let key = key.to_contiguous();
                let words =
                    key.as_slice::<u32>().and_then(|words| <&[u32; mt19937::N]>::try_from(words).ok());
                let words = words.ok_or_else(|| {
                    operand::operand(OP, format!("the key is of shape {:?}; it takes 624 words", key.shape()))
                })?;
                Generator::Mt19937(Box::new(Mt19937::from_words(words)))
            }
            (_, key) => {
                let takes = if key.is_some() { "no operand" } else { "a key" };
                return Err(operand::operand(OP, format!("its generator takes {takes}")));
            }
        };
        Ok(RandomStream { generator })
    }

    /// The next numbers of the block, in C order.
    pub(crate) fn fill(&mut self, out: &mut [f64]) {
        match &mut self.generator {
            Generator::Pcg64(pcg) => pcg.fill(out),
            Generator::Mt19937(mt) => mt.fill(out),
        }
    }
}

/// `Random`: block number `block` of a random array.
///
/// # Errors
/// Names what the generator does not draw; see [`crate::ops::run`].
pub(crate) fn run(
    (rng, draw, dtype): (&Rng, Draw, DType),
    key: Option<&Chunk>,
    block: Int,
    dims: &[Int],
    args: &[i64],
    context: &Context,
) -> Result<Chunk, Error> {
    let block = operand::index(OP, "the block", block, args)? as u64;
    let shape = operand::shape(OP, dims, args, dtype)?;
    if let Draw::Integers { low, high } = draw {
        check_range(low, high, dtype)?;
    } else {
        let known = match rng {
            Rng::Pcg64 { .. } => matches!(dtype, DType::Float32 | DType::Float64),
            Rng::Mt19937 { .. } | Rng::Mt19937Key => dtype == DType::Float64,
        };
        if !known {
            let name = if matches!(rng, Rng::Pcg64 { .. }) { "Generator" } else { "RandomState" };
            let takes = if name == "Generator" { "float64 or float32" } else { "float64" };
            return Err(operand::operand(OP, format!("{name} draws {takes}, not {dtype}; cast its result")));
        }
    }
    let mut stream = RandomStream::new(rng, key, block, context)?;
    if (draw, dtype) == (Draw::Random, DType::Float64) {
        return tiles(&shape, context, |out| stream.fill(out));
    }
    match stream.generator {
        Generator::Pcg64(mut pcg) => match (draw, dtype) {
            (Draw::Integers { low, high }, _) => {
                whole(&mut pcg, Method::Multiply, (low, high), dtype, &shape, context)
            }
            (Draw::Random, _) => tiles(&shape, context, |out| {
                out.iter_mut().for_each(|out| *out = unit_single(pcg.next_u32()))
            }),
            (Draw::StandardNormal, DType::Float32) => tiles(&shape, context, |out| {
                out.iter_mut().for_each(|out| *out = normal::ziggurat_single(&mut pcg))
            }),
            (Draw::StandardNormal, _) => {
                tiles(&shape, context, |out| out.iter_mut().for_each(|out| *out = normal::ziggurat(&mut pcg)))
            }
        },
        Generator::Mt19937(mut mt) => match draw {
            Draw::Integers { low, high } => {
                whole(&mut *mt, Method::Mask, (low, high), dtype, &shape, context)
            }
            _ => {
                let mut polar = normal::Polar::default();
                tiles(&shape, context, |out| out.iter_mut().for_each(|out| *out = polar.next(&mut *mt)))
            }
        },
    }
}

/// Fills a chunk tile by tile.
fn tiles<T: crate::Element>(
    shape: &[usize],
    context: &Context,
    mut fill: impl FnMut(&mut [T]),
) -> Result<Chunk, Error> {
    Chunk::try_build(shape, |out: &mut [T]| {
        out.chunks_mut(TILE).try_for_each(|tile| {
            context.check()?;
            fill(tile);
            Ok(())
        })
    })
}

/// A chunk of integers in `[low, high)`.
fn whole(
    bits: &mut impl Bits,
    method: Method,
    (low, high): (i64, i64),
    dtype: DType,
    shape: &[usize],
    context: &Context,
) -> Result<Chunk, Error> {
    let mut integers = Integers::new((low, (high - 1).wrapping_sub(low) as u64), method, dtype);
    with_dtype!(dtype, T in [i8, i16, i32, i64, u8, u16, u32, u64] =>
        tiles(shape, context, |out| integers.fill(bits, |v| v as T, out)),
        else => tiles(shape, context, |out| integers.fill(bits, |v| v & 1 == 1, out)))
}

/// Checks that `[low, high)` is not empty and fits the dtype.
fn check_range(low: i64, high: i64, dtype: DType) -> Result<(), Error> {
    let bits = dtype.itemsize() as u32 * 8;
    let (least, most) = match dtype.kind() {
        Kind::Bool => (0, 1),
        Kind::Unsigned => (0, (1i128 << bits) - 1),
        Kind::Signed => (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1),
        _ => {
            return Err(operand::operand(OP, format!("integers are drawn as an integer dtype, not {dtype}")));
        }
    };
    if low >= high {
        return Err(operand::value(OP, format!("integers from {low} below {high}: there are none")));
    }
    if i128::from(low) < least || i128::from(high) - 1 > most {
        return Err(operand::value(OP, format!("integers from {low} below {high} do not fit {dtype}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
