//! Blocks that see the edges of their neighbours.

use super::gather::range_pieces;
use super::node::{Kind, Params, Piece, offsets};
use super::{Array, Builder, Result, err};
use crate::program::{Boundary, Int, Op};
use std::sync::Arc;

impl Builder {
    /// Applies `f` to blocks that are extended by `depth` items of their neighbours along each axis, and cuts the
    /// result back. Beyond the array's edge is what `boundary` says; `None` leaves the edge blocks shorter there.
    ///
    /// # Errors
    /// When `f` changes the shape, or the depth is more than the axis has.
    pub fn map_overlap(
        &mut self,
        x: Array,
        depth: &[u64],
        boundary: &[Option<Boundary>],
        f: &mut dyn FnMut(&mut Builder, Array) -> Result<Array>,
    ) -> Result<Array> {
        let shape = self.known(x, "map_overlap")?;
        let ndim = shape.len();
        if depth.len() != ndim || boundary.len() != ndim {
            return err!("depths for {} and boundaries for {} axes of {ndim}", depth.len(), boundary.len());
        }
        if let Some(a) = (0..ndim).find(|&a| depth[a] > shape[a]) {
            return err!("depth {} along axis {a} of {} items", depth[a], shape[a]);
        }
        let own = self.chunks(x).to_vec();
        let dtype = self.dtype(x);
        let mut extended = x;
        let mut pieces: Vec<Vec<Vec<Piece>>> = vec![];
        let mut cut: Vec<Vec<i64>> = vec![];
        let mut wide = own.clone();
        for a in 0..ndim {
            let (n, d) = (shape[a], depth[a]);
            let wraps = matches!(boundary[a], Some(Boundary::Wrap));
            let mut each = vec![];
            let mut before = vec![];
            for (i, &o) in offsets(&own[a]).iter().enumerate() {
                let (start, end) = (o as u64, o as u64 + own[a][i]);
                let mut p = vec![];
                let (low, high) = (start.saturating_sub(d), (end + d).min(n));
                if wraps && start < d {
                    p.extend(range_pieces(&own[a], n - (d - start), d - start));
                }
                p.extend(range_pieces(&own[a], low, high - low));
                if wraps && end + d > n {
                    p.extend(range_pieces(&own[a], 0, end + d - n));
                }
                wide[a][i] = p.iter().map(|p| p.len).sum();
                before.push(if wraps || boundary[a].is_some() { d as i64 } else { (start - low) as i64 });
                each.push(p);
            }
            pieces.push(each);
            cut.push(before);
        }
        if depth.iter().any(|&d| d > 0) {
            extended = self.gather(vec![x], pieces, None, dtype, wide.clone());
        }
        // One pad for each axis, since each may have another mode.
        for a in 0..ndim {
            let Some(mode) = boundary[a].filter(|m| depth[a] > 0 && !matches!(m, Boundary::Wrap)) else {
                continue;
            };
            let (n, d) = (shape[a], depth[a]);
            let starts = offsets(&own[a]);
            let missing = |i: usize| {
                let (start, end) = (starts[i] as u64, starts[i] as u64 + own[a][i]);
                [d.saturating_sub(start), (end + d).saturating_sub(n)]
            };
            let each: Vec<[u64; 2]> = (0..own[a].len()).map(missing).collect();
            if matches!(mode, Boundary::Reflect) && n <= d {
                return err!("reflecting {d} items along axis {a} of {n}");
            }
            let mut params = Params::default();
            let mut widths = vec![[Int::Lit(0); 2]; ndim];
            widths[a] = [0, 1].map(|s| params.axis(a, each.iter().map(|w| w[s] as i64).collect()));
            each.iter().enumerate().for_each(|(i, w)| wide[a][i] += w[0] + w[1]);
            // Blocks inside need no padding, so they have a program without it.
            let classes: Vec<u32> =
                each.iter().map(|w| u32::from(w[0] > 0) | u32::from(w[1] > 0) << 1).collect();
            let same = self.same(extended);
            let kind = Kind::Blocks {
                op: Some(Op::Pad { widths, mode }),
                of: vec![(extended, same)],
                params: params.0,
                classes: vec![(a as u32, Arc::from(classes))],
            };
            extended = self.add(kind, dtype, wide.clone());
        }
        let outer = std::mem::replace(&mut self.by_block, true);
        let result = f(self, extended);
        self.by_block = outer;
        let result = result?;
        if self.chunks(result) != wide {
            return err!(
                "the function of map_overlap made shape {} of {}; it must keep the shape",
                self.shape_text(result),
                self.shape_text(extended)
            );
        }
        let pieces = (0..ndim)
            .map(|a| {
                let piece = |i: usize| {
                    let (start, len) = (cut[a][i], own[a][i]);
                    vec![Piece { of: 0, src: i as u32, start, len, step: 1, whole: len == wide[a][i] }]
                };
                (0..own[a].len()).map(piece).collect()
            })
            .collect();
        let dtype = self.dtype(result);
        Ok(self.gather(vec![result], pieces, None, dtype, own))
    }
}
