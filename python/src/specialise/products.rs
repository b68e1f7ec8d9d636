//! Products of matrices and tensors.

use super::{Abstract, Keywords, Writer, array, as_u32, axes_of, int, numbers};
use crate::recipe::{Constant, Number};
use dask_plan::program::{Binary, Op, Reduction};
use dask_plan::{DType, Kind, Scalar};

/// Whether products of this dtype are the engine's: sums of integers may wrap in another order, floats are as good.
fn inexact(dtype: DType) -> bool {
    matches!(dtype.kind(), Kind::Float | Kind::Complex)
}

impl Writer {
    /// `_matmul` of matrices.
    pub(super) fn matmul(&mut self, of: &[Abstract], keywords: &Keywords<'_>) -> Option<Abstract> {
        let product = array(&self.dot(of, keywords)?)?;
        // With the axis that was summed over back in its place.
        Some(self.insert_axes(&product, &[1]))
    }

    /// `dot` of matrices.
    pub(super) fn dot(&mut self, of: &[Abstract], keywords: &Keywords<'_>) -> Option<Abstract> {
        keywords.none_left()?;
        let [a, b] = of else { return None };
        let ((a, da, sa), (b, db, sb)) = (array(a)?, array(b)?);
        let (&[m, k], &[l, n]) = (&sa[..], &sb[..]) else { return None };
        if da != db || !inexact(da) || k != l {
            return None;
        }
        Some(self.push(Op::MatMul, vec![a, b], da, vec![m, n]))
    }

    pub(super) fn tensordot(&mut self, of: &[Abstract], mut keywords: Keywords<'_>) -> Option<Abstract> {
        let Constant::Tuple(axes) = keywords.constant("axes")? else { return None };
        keywords.only("is_sparse", &Constant::Number(Number(Scalar::Bool(false))))?;
        keywords.none_left()?;
        let ([a, b], [left, right]) = (of, &axes[..]) else { return None };
        let ((a, da, sa), (b, db, sb)) = (array(a)?, array(b)?);
        let (left, right) = (numbers(left)?, axes_of(right, sb.len())?);
        let fits = left.len() == right.len()
            && left.iter().zip(&right).all(|(&i, &j)| sa.get(i).is_some_and(|n| *n == sb[j] && *n > 0));
        if !fits || da != db || !inexact(da) {
            return None;
        }
        let product = self.summed_pairs((a, da, &sa), (b, &sb), &left, &right);
        let mut back = left;
        back.sort_unstable();
        Some(self.insert_axes(&product, &back))
    }

    /// Sums over pairs of axes; the other axes of `a`, then those of `b`.
    fn summed_pairs(
        &mut self,
        (a, dtype, sa): (u32, DType, &[usize]),
        (b, sb): (u32, &[usize]),
        left: &[usize],
        right: &[usize],
    ) -> (u32, DType, Vec<usize>) {
        let others = |shape: &[usize], summed: &[usize]| {
            (0..shape.len()).filter(|i| !summed.contains(i)).map(|i| shape[i]).collect::<Vec<_>>()
        };
        let shape = [others(sa, left), others(sb, right)].concat();
        let op = Op::TensorDot { a: as_u32(left), b: as_u32(right) };
        (self.value(op, vec![a, b]), dtype, shape)
    }

    pub(super) fn einsum(&mut self, of: &[Abstract], mut keywords: Keywords<'_>) -> Option<Abstract> {
        let Constant::Text(subscripts) = keywords.constant("subscripts")? else { return None };
        let contracted = usize::try_from(int(&keywords.constant("ncontract_inds")?)?).ok()?;
        keywords.only("kernel_dtype", &Constant::None)?;
        // How numpy goes about it is not our affair; its order and casting are the defaults where they are not given.
        keywords.constant("optimize")?;
        keywords.none_left()?;
        let (terms, result) = subscripts.split_once("->")?;
        let terms: Vec<&str> = terms.split(',').collect();
        let operands = of.iter().map(array).collect::<Option<Vec<_>>>()?;
        let dtype = operands.first()?.1;
        let distinct =
            |term: &str| term.chars().enumerate().all(|(i, c)| !term.chars().take(i).any(|d| d == c));
        let plain = |term: &str| term.bytes().all(|b| b.is_ascii_alphabetic()) && distinct(term);
        let fits = terms.len() == operands.len()
            && plain(result)
            && terms.iter().zip(&operands).all(|(t, o)| plain(t) && t.len() == o.2.len() && o.1 == dtype);
        if !fits || !inexact(dtype) || terms.len() > 2 {
            return None;
        }
        let value = match (&terms[..], &operands[..]) {
            ([a, b], [x, y]) if result.chars().all(|c| a.contains(c) != b.contains(c)) => {
                self.product(a, b, x, y, result)
            }
            _ => None,
        };
        let (value, shape) = match value {
            Some(value) => value,
            None => self.summed_product(&terms, &operands, result)?,
        };
        let back: Vec<usize> = (0..contracted).map(|i| shape.len() + i).collect();
        Some(self.insert_axes(&(value, dtype, shape), &back))
    }

    /// An einsum whose labels are either summed over in both operands or free in one.
    fn product(
        &mut self,
        a: &str,
        b: &str,
        (x, dtype, sx): &(u32, DType, Vec<usize>),
        (y, _, sy): &(u32, DType, Vec<usize>),
        result: &str,
    ) -> Option<(u32, Vec<usize>)> {
        let summed: Vec<char> = a.chars().filter(|c| !result.contains(*c)).collect();
        if summed.is_empty() || !b.chars().all(|c| result.contains(c) != summed.contains(&c)) {
            return None;
        }
        let places = |term: &str| summed.iter().map(|c| term.find(*c)).collect::<Option<Vec<_>>>();
        let (left, right) = (places(a)?, places(b)?);
        if left.iter().zip(&right).any(|(&i, &j)| sx[i] != sy[j] || sx[i] == 0) {
            return None;
        }
        let (value, _, shape) = self.summed_pairs((*x, *dtype, sx), (*y, sy), &left, &right);
        let free: Vec<char> = a.chars().chain(b.chars()).filter(|c| !summed.contains(c)).collect();
        let axes: Vec<usize> =
            result.chars().map(|c| free.iter().position(|f| *f == c)).collect::<Option<_>>()?;
        let ordered = axes.iter().map(|&a| shape[a]).collect();
        Some((self.value(Op::Transpose { axes: as_u32(&axes) }, vec![value]), ordered))
    }

    /// An einsum as the sum over a product that is never an array: its operands are brought to common axes, which the
    /// fused reduction runs over.
    fn summed_product(
        &mut self,
        terms: &[&str],
        operands: &[(u32, DType, Vec<usize>)],
        result: &str,
    ) -> Option<(u32, Vec<usize>)> {
        let mut labels: Vec<char> = result.chars().collect();
        for label in terms.iter().flat_map(|t| t.chars()) {
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
        let mut extents = vec![0; labels.len()];
        for (term, (_, _, shape)) in terms.iter().zip(operands) {
            for (label, &n) in term.chars().zip(shape) {
                let extent = &mut extents[labels.iter().position(|l| *l == label)?];
                if n == 0 || *extent != 0 && *extent != n {
                    return None;
                }
                *extent = n;
            }
        }
        // In the order of memory of the first operand, so that it is read as it lies.
        let first: Vec<char> = terms[0].chars().collect();
        let mut order: Vec<char> = labels.iter().copied().filter(|l| !first.contains(l)).collect();
        order.extend(first);
        let extent = |l: &char| labels.iter().position(|m| m == l).map(|i| extents[i]);
        let shape: Vec<usize> = order.iter().map(extent).collect::<Option<_>>()?;
        let dtype = operands[0].1;
        let aligned = terms.iter().zip(operands).map(|(term, (x, _, _))| {
            let axes: Vec<usize> = order.iter().filter_map(|l| term.find(*l)).collect();
            let moved = self.value(Op::Transpose { axes: as_u32(&axes) }, vec![*x]);
            let missing: Vec<usize> = (0..order.len()).filter(|&i| !term.contains(order[i])).collect();
            self.value(Op::ExpandDims { axes: as_u32(&missing) }, vec![moved])
        });
        let aligned: Vec<u32> = aligned.collect();
        let mut value = aligned[0];
        for other in &aligned[1..] {
            value = self.value(Op::Binary(Binary::Multiply), vec![value, *other]);
        }
        let summed: Vec<usize> = (0..order.len()).filter(|&i| !result.contains(order[i])).collect();
        if !summed.is_empty() {
            let op = Op::Reduce { f: Reduction::Sum, axes: as_u32(&summed), dtype };
            value = self.value(op, vec![value]);
            value = self.value(Op::Squeeze { axes: as_u32(&summed) }, vec![value]);
        }
        let left: Vec<usize> = (0..order.len()).filter(|i| !summed.contains(i)).collect();
        let axes: Vec<usize> =
            result.chars().map(|c| left.iter().position(|&i| order[i] == c)).collect::<Option<_>>()?;
        let ordered = axes.iter().map(|&a| shape[left[a]]).collect();
        Some((self.value(Op::Transpose { axes: as_u32(&axes) }, vec![value]), ordered))
    }

    /// `_chunk_sum`: blocks of one shape, each 1 long along the axis, added.
    pub(super) fn chunk_sum(
        &mut self,
        mut of: Vec<Abstract>,
        mut keywords: Keywords<'_>,
    ) -> Option<Abstract> {
        let axis = keywords.constant("axis")?;
        let given = keywords.constant("dtype")?;
        let keepdims = keywords.flag("keepdims")?;
        keywords.none_left()?;
        let list = of.pop().filter(|_| of.is_empty())?;
        let sum = match &list {
            Abstract::Array(..) => list.clone(),
            Abstract::List(items) => {
                let mut items = items.iter();
                let mut sum = items.next()?.clone();
                for item in items {
                    sum = self.binary(Binary::Add, &sum, item)?;
                }
                sum
            }
            _ => return None,
        };
        let (x, dtype, shape) = array(&sum)?;
        if !matches!(given, Constant::None) && given != Constant::DType(dtype) {
            return None;
        }
        if keepdims {
            return Some(sum);
        }
        let [axis] = axes_of(&axis, shape.len())?[..] else { return None };
        let left = (0..shape.len()).filter(|a| *a != axis).map(|a| shape[a]).collect();
        Some(self.push(Op::Squeeze { axes: vec![axis as u32] }, vec![x], dtype, left))
    }
}
