//! What sorts: topk and unique.

use super::assemble::join;
use super::operand::{alike, axis, operand};
use super::order::Ordered;
use super::view::axis_last;
use crate::chunk::Chunk;
use crate::run::{Context, Error};
use crate::value::Value;
use crate::with_dtype;
use std::cmp::Ordering;

/// `TopK`: the `|k|` largest or smallest of all inputs along an axis, sorted; fewer where there are fewer.
pub(super) fn topk(k: i64, at: u32, operands: Vec<Value>, context: &Context) -> Result<Value, Error> {
    const OP: &str = "topk";
    if k == 0 {
        return Err(operand(
            OP,
            "k is 0; it takes a positive k for the largest, a negative one for the smallest",
        ));
    }
    let blocks = alike(OP, operands)?;
    let mut grid = vec![1; blocks[0].ndim()];
    grid[axis(OP, at, blocks[0].ndim())?] = blocks.len();
    let (lanes, back) = axis_last(OP, &join(OP, &grid, &blocks, context)?, at)?;
    let lanes = lanes.to_contiguous();
    let (outer, n) = lanes.shape().split_at(lanes.ndim() - 1);
    let n = n[0];
    let keep = usize::try_from(k.unsigned_abs()).unwrap_or(usize::MAX).min(n);
    let shape = [outer, &[keep]].concat();
    let top = with_dtype!(lanes.dtype(), T => {
        let mut lane: Vec<T> = vec![];
        Chunk::try_build(&shape, |out: &mut [T]| {
            if out.is_empty() {
                return Ok(());
            }
            let all = lanes.as_slice::<T>().unwrap_or_default();
            for (out, all) in out.chunks_exact_mut(keep).zip(all.chunks_exact(n)) {
                context.check()?;
                candidates(all, &mut lane, keep, k > 0);
                select(&mut lane, out, k > 0);
            }
            Ok::<(), Error>(())
        })?
    });
    Ok(top.transpose(&back).into())
}

/// Puts into `lane` those of `all` that may be among the first `keep`.
fn candidates<T: Ordered>(all: &[T], lane: &mut Vec<T>, keep: usize, descending: bool) {
    lane.clear();
    let room = 4 * keep.max(64);
    if all.len() <= 2 * room {
        lane.extend_from_slice(all);
        return;
    }
    let order = |a: &T, b: &T| if descending { b.order(a) } else { a.order(b) };
    // Whatever comes after the last of those that are kept is left out. Runs that hold nothing else are passed over.
    lane.extend_from_slice(&all[..room]);
    let mut bound = cut(lane, keep, order);
    for run in all[room..].chunks(64) {
        let comes_before = |x: &T| if descending { x.is_after(&bound) } else { bound.is_after(x) };
        if run.iter().fold(false, |any, x| any | comes_before(x)) {
            lane.extend(run.iter().filter(|x| comes_before(x)));
            if lane.len() >= room {
                bound = cut(lane, keep, order);
            }
        }
    }
}

/// Drops all but the first `keep`; returns the last of these.
fn cut<T: Ordered>(lane: &mut Vec<T>, keep: usize, order: impl Fn(&T, &T) -> Ordering) -> T {
    let bound = *lane.select_nth_unstable_by(keep - 1, order).1;
    lane.truncate(keep);
    bound
}

/// The first of `lane` in descending or ascending order.
fn select<T: Ordered>(lane: &mut [T], out: &mut [T], descending: bool) {
    let order = |a: &T, b: &T| if descending { b.order(a) } else { a.order(b) };
    if out.len() < lane.len() {
        lane.select_nth_unstable_by(out.len() - 1, order);
    }
    out.copy_from_slice(&lane[..out.len()]);
    out.sort_unstable_by(order);
}

/// `Unique`: sorted distinct elements of all inputs; NaN stands once, at the end.
pub(super) fn unique(operands: Vec<Value>, context: &Context) -> Result<Value, Error> {
    let blocks = alike("unique", operands)?;
    context.check()?;
    Ok(with_dtype!(blocks[0].dtype(), T => distinct::<T>(&blocks)).into())
}

fn distinct<T: Ordered>(blocks: &[Chunk]) -> Chunk {
    let mut all: Vec<T> = Vec::with_capacity(blocks.iter().map(Chunk::len).sum());
    let mut nan = None;
    for block in blocks {
        for &x in &block.view::<T>() {
            if x.is_nan() {
                nan.get_or_insert(x);
            } else {
                all.push(x);
            }
        }
    }
    all.sort_unstable_by(Ordered::order);
    all.dedup();
    all.extend(nan);
    Chunk::from_slice(&[all.len()], &all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn top(k: i64, axis: u32, blocks: &[Chunk]) -> Result<Chunk, Error> {
        let values = blocks.iter().cloned().map(Value::from).collect();
        topk(k, axis, values, &Context::default()).map(|v| v.array().unwrap().to_contiguous())
    }

    #[test]
    fn topk_counts_nan_as_the_largest() {
        let x = Chunk::from_slice(&[5], &[3.0, f64::NAN, -1.0, 7.0, 5.0]);
        let largest = top(3, 0, std::slice::from_ref(&x)).unwrap();
        assert!(largest.as_slice::<f64>().unwrap()[0].is_nan());
        assert_eq!(largest.as_slice::<f64>().unwrap()[1..], [7.0, 5.0]);
        assert_eq!(top(-2, 0, &[x]).unwrap().as_slice::<f64>().unwrap(), [-1.0, 3.0]);
    }

    #[test]
    fn topk_of_a_long_lane_is_what_sorting_gives() {
        for (n, step) in [(20_000u64, 7919u64), (5000, 1), (5000, 0)] {
            let value = |i: u64| match i * step % 1009 {
                17 => f64::NAN,
                18 => f64::INFINITY,
                x => x as f64 - 300.0,
            };
            let all: Vec<f64> = (0..n).map(value).collect();
            let mut sorted = all.clone();
            sorted.sort_by(Ordered::order);
            let x = Chunk::from_slice(&[all.len()], &all);
            let bits = |x: &[f64]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            for k in [1usize, 40, 700] {
                let least = top(-(k as i64), 0, std::slice::from_ref(&x)).unwrap();
                assert_eq!(bits(least.as_slice().unwrap()), bits(&sorted[..k]));
                let largest = top(k as i64, 0, std::slice::from_ref(&x)).unwrap();
                sorted.reverse();
                assert_eq!(bits(largest.as_slice().unwrap()), bits(&sorted[..k]));
                sorted.reverse();
            }
        }
    }

    #[test]
    fn topk_joins_blocks_along_its_axis() {
        let (a, b) = (Chunk::from_slice(&[2, 2], &[1i64, 8, 3, 4]), Chunk::from_slice(&[1, 2], &[9, 2i64]));
        let both = top(2, 0, &[a.clone(), b.clone()]).unwrap();
        assert_eq!((both.shape(), both.as_slice::<i64>().unwrap()), (&[2, 2][..], &[9, 8, 3, 4][..]));
        assert_eq!(
            top(i64::MIN, 0, std::slice::from_ref(&a)).unwrap().as_slice::<i64>().unwrap(),
            [1, 4, 3, 8]
        );
        assert!(top(1, 1, &[a.clone(), b]).is_err(), "blocks of different height");
        assert!(top(0, 1, std::slice::from_ref(&a)).unwrap_err().to_string().contains("k is 0"));
        assert!(top(1, 2, &[a]).is_err());
    }

    #[test]
    fn unique_collapses_nan() {
        let x = Chunk::from_slice(&[2, 2], &[f32::NAN, 2.0, 1.0, 2.0]);
        let y = Chunk::from_slice(&[2], &[f32::NAN, 1.5]);
        let all = unique(vec![x.into(), y.into()], &Context::default()).unwrap();
        let all = all.array().unwrap().as_slice::<f32>().unwrap().to_vec();
        assert_eq!(all[..3], [1.0, 1.5, 2.0]);
        assert!(all.len() == 4 && all[3].is_nan());
    }
}
