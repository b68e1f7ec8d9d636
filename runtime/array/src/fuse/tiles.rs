//! How an index space is cut into tiles.
//!
//! The cut depends on the shape alone, because the order of summation follows it.

/// Elements of a tile: 64 KiB of float64 for each intermediate.
pub(crate) const TILE: usize = 8192;

/// Rows of a tile that spans its rows not whole. They are read in runs of four cache lines from a transposed operand, and
/// of 2 KiB from a plain one.
const ROWS: usize = 32;

/// Rows up to this length are not cut.
const SHORT: usize = TILE / ROWS;

/// A box of the index space.
pub(crate) struct Tile {
    /// First index along each axis.
    pub(crate) start: Vec<usize>,
    /// Extent along each axis.
    pub(crate) len: Vec<usize>,
    /// Runs that are contiguous in a packed array of the whole space: the next-to-last axis when the last one is
    /// cut, else 1.
    pub(crate) rows: usize,
    /// Elements of a run.
    pub(crate) cols: usize,
}

/// The tiles of a space, in C order.
pub(crate) struct Tiles {
    shape: Vec<usize>,
    /// Extent of a tile that does not touch the upper edge.
    pub(crate) len: Vec<usize>,
    /// Whether a tile is rows of a cut last axis.
    pub(crate) cut_rows: bool,
}

impl Tiles {
    /// For a shape without zeros.
    pub(crate) fn new(shape: &[usize]) -> Tiles {
        let d = shape.len();
        let mut len = vec![1; d];
        let cut_rows = d >= 2 && shape[d - 1] > SHORT && shape[d - 2] > 1;
        if cut_rows {
            len[d - 2] = shape[d - 2].min(ROWS);
            len[d - 1] = shape[d - 1].min(TILE / len[d - 2]);
        } else {
            let mut room = TILE;
            for (len, &n) in len.iter_mut().zip(shape).rev() {
                *len = n.min(room);
                if *len < n {
                    break;
                }
                room /= n;
            }
        }
        Tiles { shape: shape.to_vec(), len, cut_rows }
    }

    /// The first tile.
    pub(crate) fn first(&self) -> Tile {
        let mut tile = Tile { start: vec![0; self.shape.len()], len: self.len.clone(), rows: 1, cols: 1 };
        self.measure(&mut tile);
        tile
    }

    /// Moves on; `false` after the last tile.
    pub(crate) fn advance(&self, tile: &mut Tile) -> bool {
        for axis in (0..self.shape.len()).rev() {
            tile.start[axis] += self.len[axis];
            if tile.start[axis] < self.shape[axis] {
                self.measure(tile);
                return true;
            }
            tile.start[axis] = 0;
        }
        false
    }

    fn measure(&self, tile: &mut Tile) {
        for axis in 0..self.shape.len() {
            tile.len[axis] = self.len[axis].min(self.shape[axis] - tile.start[axis]);
        }
        (tile.rows, tile.cols) = match tile.len[..] {
            [.., rows, cols] if self.cut_rows => (rows, cols),
            _ => (1, tile.len.iter().product()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tiles_cover_each_index_once(shape in prop::collection::vec(1usize..300, 0..4)) {
            prop_assume!(shape.iter().product::<usize>() < 2_000_000);
            let tiles = Tiles::new(&shape);
            let mut tile = tiles.first();
            let mut n = 0;
            loop {
                let len = tile.len.iter().product::<usize>();
                prop_assert_eq!(len, tile.rows * tile.cols);
                prop_assert!(len <= TILE);
                prop_assert!(tile.start.iter().zip(&tile.len).zip(&shape).all(|((s, l), n)| s + l <= *n));
                n += len;
                if !tiles.advance(&mut tile) {
                    break;
                }
            }
            prop_assert_eq!(n, shape.iter().product::<usize>());
        }
    }
}
