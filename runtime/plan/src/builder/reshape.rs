//! Reshaping: axes are matched in groups of equal size; within a group, only the first axis stays chunked.

use super::node::{Map, Params};
use super::{Array, Builder, Result, err};
use crate::program::Op;

/// Axes `from` of the old shape that become axes `to` of the new one.
struct Group {
    from: std::ops::Range<usize>,
    to: std::ops::Range<usize>,
}

/// Splits both shapes into the smallest groups of equal products.
fn groups(old: &[u64], new: &[u64]) -> Vec<Group> {
    let mut out = vec![];
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        let (i0, j0) = (i, j);
        let take = |s: &[u64], k: &mut usize| -> u128 {
            let n = s.get(*k).map_or(1, |&n| u128::from(n));
            *k = (*k + 1).min(s.len());
            n
        };
        let (mut a, mut b) = (take(old, &mut i), take(new, &mut j));
        while a != b {
            if a < b && i < old.len() {
                a *= take(old, &mut i);
            } else if j < new.len() {
                b *= take(new, &mut j);
            } else {
                a *= take(old, &mut i);
            }
        }
        // Ones at the end belong to the last group.
        if i == old.len() {
            j = new.len();
        } else if j == new.len() {
            i = old.len();
        }
        out.push(Group { from: i0..i, to: j0..j });
    }
    out
}

impl Builder {
    /// `x.reshape(shape)`, one extent of which may be -1.
    ///
    /// # Errors
    /// When the number of items differs or sizes are unknown.
    pub fn reshape(&mut self, x: Array, shape: &[i64]) -> Result<Array> {
        let old = self.known(x, "reshape")?;
        let new = target(&old, shape, &self.shape_text(x))?;
        if old == new {
            return Ok(x);
        }
        if old.contains(&0) {
            let whole = new.iter().map(|&n| vec![n]).collect();
            return self.full(crate::dtype::Scalar::Int(0), self.dtype(x), whole);
        }
        let mut before = self.chunks(x).to_vec();
        let mut after: Vec<Vec<u64>> = new.iter().map(|&n| vec![n]).collect();
        let mut maps = vec![Map::Const(0); old.len()];
        for g in groups(&old, &new) {
            // The first axis of a group that is longer than 1 stays chunked, in blocks that both sides can cut.
            let first = |s: &[u64], r: &std::ops::Range<usize>| r.clone().find(|&a| s[a] > 1);
            for a in g.from.clone() {
                if Some(a) != first(&old, &g.from) {
                    before[a] = vec![old[a]];
                }
            }
            let (Some(a), Some(b)) = (first(&old, &g.from), first(&new, &g.to)) else { continue };
            let inner = old[a + 1..g.from.end].iter().product::<u64>();
            let outer = new[b + 1..g.to.end].iter().product::<u64>();
            // Items at which a block may end on both sides.
            let unit = lcm(inner, outer) / inner;
            before[a] = aligned(&before[a], unit);
            after[b] = before[a].iter().map(|&n| n * inner / outer).collect();
            maps[a] = Map::Axis(b as u32);
        }
        let x = self.rechunk_to(x, before)?;
        let mut params = Params::default();
        let shape = params.shape(&after);
        Ok(self.blocks(Some(Op::Reshape { shape }), vec![(x, maps)], params, self.dtype(x), after))
    }

    /// The flattened array.
    ///
    /// # Errors
    /// When sizes are unknown along more than one axis.
    pub fn ravel(&mut self, x: Array) -> Result<Array> {
        if self.chunks(x).len() == 1 {
            return Ok(x);
        }
        self.reshape(x, &[-1])
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn lcm(a: u64, b: u64) -> u64 {
    a / gcd(a, b) * b
}

/// Joins chunks until each is a multiple of `unit`, except the last.
fn aligned(chunks: &[u64], unit: u64) -> Vec<u64> {
    if chunks.iter().all(|c| c.is_multiple_of(unit)) {
        return chunks.to_vec();
    }
    let total: u64 = chunks.iter().sum();
    let (mut out, mut at, mut last) = (vec![], 0, 0);
    for c in chunks {
        at += c;
        let cut = (at / unit * unit).min(total);
        if cut > last {
            out.push(cut - last);
            last = cut;
        }
    }
    if total > last {
        out.push(total - last);
    }
    out
}

fn target(old: &[u64], shape: &[i64], text: &str) -> Result<Vec<u64>> {
    let items: u128 = old.iter().map(|&n| u128::from(n)).product();
    let known: u128 = shape.iter().filter(|&&n| n >= 0).map(|&n| n as u128).product();
    let free = shape.iter().filter(|&&n| n < 0).count();
    if free > 1 || shape.iter().any(|&n| n < -1) {
        return err!("shape {shape:?} may have one -1 only");
    }
    if free == 1 && (known == 0 || !items.is_multiple_of(known)) || free == 0 && known != items {
        return err!("an array of shape {text} cannot be reshaped to {shape:?}");
    }
    Ok(shape.iter().map(|&n| if n < 0 { (items / known) as u64 } else { n as u64 }).collect())
}
