//! Other views of a chunk: its axes moved, cut, repeated.

use super::{Chunk, Strides, c_strides};

impl Chunk {
    /// Axis `i` of the result is axis `axes[i]`.
    ///
    /// # Panics
    /// If `axes` is not a permutation.
    pub fn transpose(&self, axes: &[usize]) -> Chunk {
        let mut seen = vec![false; self.ndim()];
        axes.iter().for_each(|&a| seen[a] = true);
        assert!(
            axes.len() == self.ndim() && seen.iter().all(|s| *s),
            "axes {axes:?} of {} axes",
            self.ndim()
        );
        self.with(
            axes.iter().map(|&a| self.shape[a]).collect(),
            axes.iter().map(|&a| self.strides[a]).collect(),
            self.offset,
        )
    }

    /// `start`, `start + step`, … of `len` elements along each axis.
    ///
    /// # Panics
    /// If a range leaves its axis.
    pub fn slice(&self, ranges: &[(usize, usize, isize)]) -> Chunk {
        assert_eq!(ranges.len(), self.ndim(), "one range an axis");
        let mut offset = self.offset as isize;
        let mut strides = Strides::with_capacity(ranges.len());
        let empty = ranges.iter().any(|r| r.1 == 0);
        for (&(start, len, step), (&n, &s)) in ranges.iter().zip(self.shape.iter().zip(&self.strides)) {
            if len > 0 {
                let last = start as i128 + (len as i128 - 1) * step as i128;
                assert!(start < n && (0..n as i128).contains(&last), "{start}, {len} × {step} of {n}");
            }
            if !empty {
                offset += start as isize * s;
            }
            strides.push(s * step);
        }
        self.with(ranges.iter().map(|r| r.1).collect(), strides, offset as usize)
    }

    /// A C-order reshape; copies only when strides cannot express it.
    ///
    /// # Panics
    /// If the number of elements differs.
    pub fn reshape(&self, shape: &[usize]) -> Chunk {
        assert_eq!(shape.iter().product::<usize>(), self.len(), "{:?} as {shape:?}", self.shape);
        let flat = self.to_contiguous();
        flat.with(shape.into(), c_strides(shape, self.dtype.itemsize()), flat.offset)
    }

    /// numpy broadcasting.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    pub fn broadcast_to(&self, shape: &[usize]) -> Chunk {
        let lead = shape.len().checked_sub(self.ndim()).expect("no fewer axes");
        let strides = (0..shape.len())
            .map(|i| match i.checked_sub(lead) {
                Some(j) if self.shape[j] == shape[i] => self.strides[j],
                Some(j) => {
                    assert_eq!(self.shape[j], 1, "{:?} does not broadcast to {shape:?}", self.shape);
                    0
                }
                None => 0,
            })
            .collect();
        self.with(shape.into(), strides, self.offset)
    }

    /// Inserts axes of length 1 at these positions of the result (sorted).
    ///
    /// # Panics
    /// If a position is beyond the result's axes.
    pub fn expand_dims(&self, axes: &[usize]) -> Chunk {
        let (mut shape, mut strides) = (self.shape.clone(), self.strides.clone());
        for &a in axes {
            shape.insert(a, 1);
            strides.insert(a, 0);
        }
        self.with(shape, strides, self.offset)
    }

    /// Drops these axes (sorted), which have length 1.
    ///
    /// # Panics
    /// If one has not.
    pub fn squeeze(&self, axes: &[usize]) -> Chunk {
        let (mut shape, mut strides) = (self.shape.clone(), self.strides.clone());
        for &a in axes.iter().rev() {
            assert_eq!(shape.remove(a), 1, "axis {a} has length 1");
            strides.remove(a);
        }
        self.with(shape, strides, self.offset)
    }

    /// Reverses these axes.
    pub fn flip(&self, axes: &[usize]) -> Chunk {
        let ranges: Vec<_> = self
            .shape
            .iter()
            .enumerate()
            .map(|(a, &n)| if axes.contains(&a) && n > 0 { (n - 1, n, -1) } else { (0, n, 1) })
            .collect();
        self.slice(&ranges)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_share_memory_and_keep_their_elements() {
        let x = Chunk::from_slice(&[2, 3], &[0i32, 1, 2, 3, 4, 5]);
        assert_eq!(x.transpose(&[1, 0]).to_contiguous().as_slice::<i32>().unwrap(), [0, 3, 1, 4, 2, 5]);
        assert_eq!(x.flip(&[0, 1]).to_contiguous().as_slice::<i32>().unwrap(), [5, 4, 3, 2, 1, 0]);
        assert_eq!(x.slice(&[(1, 1, 1), (2, 2, -2)]).to_contiguous().as_slice::<i32>().unwrap(), [5, 3]);
        assert_eq!(
            x.reshape(&[6]).flip(&[0]).reshape(&[3, 2]).as_slice::<i32>().unwrap(),
            [5, 4, 3, 2, 1, 0]
        );
        let row = x.slice(&[(0, 1, 1), (0, 3, 1)]).broadcast_to(&[2, 3]);
        assert_eq!(row.to_contiguous().as_slice::<i32>().unwrap(), [0, 1, 2, 0, 1, 2]);
    }
}
