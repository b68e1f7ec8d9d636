//! A box of elements within an array.

use dask_plan::program::Int;

/// `shape` elements from `start` along each axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Region {
    /// First element along each axis.
    pub(super) start: Vec<u64>,
    /// Extent along each axis.
    pub(super) shape: Vec<u64>,
}

impl Region {
    /// The region that a task's arguments give.
    pub(super) fn of(start: &[Int], shape: &[Int], args: &[i64]) -> Result<Region, String> {
        let get = |ints: &[Int]| ints.iter().map(|i| i.get(args)).collect::<Vec<i64>>();
        let shape = get(shape);
        let extents = shape.iter().map(|&n| u64::try_from(n)).collect::<Result<_, _>>();
        Region::new(&get(start), extents.map_err(|_| format!("a region of negative extent: {shape:?}"))?)
    }

    /// A region from signed starts, as arguments carry them.
    pub(super) fn new(start: &[i64], shape: Vec<u64>) -> Result<Region, String> {
        if start.len() != shape.len() {
            return Err(format!("a region with {} starts and {} extents", start.len(), shape.len()));
        }
        let starts = start.iter().map(|&s| u64::try_from(s)).collect::<Result<_, _>>();
        let start = starts.map_err(|_| format!("a region that starts at {start:?}, before the array"))?;
        Ok(Region { start, shape })
    }

    /// Whether it lies within an array of this shape.
    ///
    /// # Errors
    /// Says which axis does not fit.
    pub(super) fn check(&self, whole: &[u64]) -> Result<(), String> {
        if self.start.len() != whole.len() {
            return Err(format!("has {} axes, but {} were planned", whole.len(), self.start.len()));
        }
        for (axis, (&n, (&start, &len))) in whole.iter().zip(self.start.iter().zip(&self.shape)).enumerate() {
            if start.checked_add(len).is_none_or(|end| end > n) {
                return Err(format!(
                    "has {n} elements along axis {axis}, but {len} from {start} were asked for: the file changed \
                     since the graph was made; submit it again"
                ));
            }
        }
        Ok(())
    }

    /// The same region of the transposed array.
    pub(super) fn reversed(&self) -> Region {
        let reverse = |v: &[u64]| v.iter().rev().copied().collect();
        Region { start: reverse(&self.start), shape: reverse(&self.shape) }
    }

    /// Extents for chunks.
    pub(super) fn extents(&self) -> Vec<usize> {
        self.shape.iter().map(|&n| n as usize).collect()
    }
}

/// The runs of neighbouring elements that make up a region of a C-ordered array.
pub(super) struct Runs {
    /// Elements in each run.
    pub(super) len: u64,
    /// First element of each run, in C order over the array.
    pub(super) starts: Box<dyn Iterator<Item = u64>>,
}

impl Runs {
    /// Of a region that was checked; an empty one has no runs.
    pub(super) fn new(whole: &[u64], region: &Region) -> Runs {
        if region.shape.contains(&0) {
            return Runs { len: 0, starts: Box::new(std::iter::empty()) };
        }
        // Axes after `inner` are covered whole, so their elements lie side by side with those along `inner`.
        let mut inner = whole.len();
        let mut len = 1;
        while inner > 0 {
            inner -= 1;
            len *= region.shape[inner];
            if region.shape[inner] != whole[inner] {
                break;
            }
        }
        let mut strides = vec![1u64; whole.len()];
        for axis in (0..whole.len().saturating_sub(1)).rev() {
            strides[axis] = strides[axis + 1] * whole[axis + 1];
        }
        let first = region.start.iter().zip(&strides).map(|(a, b)| a * b).sum::<u64>();
        let outer: Vec<(u64, u64)> = region.shape[..inner].iter().copied().zip(strides).collect();
        let count = outer.iter().map(|o| o.0).product::<u64>();
        let starts = (0..count).map(move |mut k| {
            let mut at = first;
            for &(n, stride) in outer.iter().rev() {
                at += k % n * stride;
                k /= n;
            }
            at
        });
        Runs { len, starts: Box::new(starts) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn region(start: &[u64], shape: &[u64]) -> Region {
        Region { start: start.to_vec(), shape: shape.to_vec() }
    }

    #[test]
    fn whole_axes_join_into_one_run() {
        let runs = Runs::new(&[4, 5, 6], &region(&[1, 0, 0], &[2, 5, 6]));
        assert_eq!((runs.len, runs.starts.collect::<Vec<_>>()), (60, vec![30]));
        let runs = Runs::new(&[4, 5, 6], &region(&[0, 1, 0], &[2, 2, 6]));
        assert_eq!((runs.len, runs.starts.collect::<Vec<_>>()), (12, vec![6, 36]));
        let runs = Runs::new(&[], &region(&[], &[]));
        assert_eq!((runs.len, runs.starts.collect::<Vec<_>>()), (1, vec![0]));
    }

    #[test]
    fn regions_outside_are_named() {
        let e = region(&[1, 3], &[2, 3]).check(&[4, 5]).unwrap_err();
        assert!(e.contains("5 elements along axis 1") && e.contains("3 from 3"), "{e}");
        assert!(region(&[u64::MAX], &[2]).check(&[4]).is_err());
        assert!(Region::new(&[-1], vec![1]).unwrap_err().contains("[-1]"));
    }

    proptest! {
        #[test]
        fn runs_visit_the_region_in_order(axes in prop::collection::vec((1u64..5, 0u64..5, 0u64..5), 0..4)) {
            let whole: Vec<u64> = axes.iter().map(|a| a.0).collect();
            let start: Vec<u64> = axes.iter().map(|a| a.1.min(a.0)).collect();
            let shape: Vec<u64> = axes.iter().zip(&start).map(|(a, s)| a.2.min(a.0 - s)).collect();
            let runs = Runs::new(&whole, &region(&start, &shape));
            let visited: Vec<u64> = runs.starts.flat_map(|s| s..s + runs.len).collect();
            let expected: Vec<u64> = (0..whole.iter().product()).filter(|&k| {
                let mut k = k;
                whole.iter().zip(start.iter().zip(&shape)).rev().all(|(&n, (&s, &len))| {
                    let i = k % n;
                    k /= n;
                    (s..s + len).contains(&i)
                })
            }).collect();
            prop_assert_eq!(visited, expected);
        }
    }
}
