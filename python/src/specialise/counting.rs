//! What looks at many elements at once but is no reduction of axes: coarsening, the largest of many, counts in bins.

use super::{Abstract, Keywords, Writer, array, axes_of, int};
use crate::recipe::{Constant, Known, Number};
use dask_plan::program::{Int, Op, Range};
use dask_plan::{DType, Scalar};

impl Writer {
    pub(super) fn coarsen(&mut self, of: &[Abstract], mut keywords: Keywords<'_>) -> Option<Abstract> {
        let given = keywords.take("trim_excess");
        let [Abstract::Constant(Constant::Function(reduction)), x, factors, rest @ ..] = of else {
            return None;
        };
        let trim = match (rest, &given) {
            ([], None) => Constant::None,
            ([trim], None) | ([], Some(trim)) => trim.constant()?,
            _ => return None,
        };
        let trim = match trim {
            Constant::None => false,
            Constant::Number(Number(Scalar::Bool(trim))) => trim,
            _ => return None,
        };
        let (mut x, dtype, shape) = array(x)?;
        let Constant::Tuple(pairs) = factors.constant()? else { return None };
        let mut by = vec![1; shape.len()];
        for pair in &pairs {
            let Constant::Tuple(pair) = pair else { return None };
            let [axis, factor] = &pair[..] else { return None };
            let axis = usize::try_from(int(axis)?).ok()?;
            *by.get_mut(axis)? = usize::try_from(int(factor)?).ok().filter(|f| *f > 0)?;
        }
        let fits = shape.iter().zip(&by).all(|(n, by)| n % by == 0);
        if !fits && !trim {
            return None;
        }
        let whole: Vec<usize> = shape.iter().zip(&by).map(|(n, by)| n - n % by).collect();
        if !fits {
            let range = |&n: &usize| Range { start: Int::Lit(0), len: Int::from(n), step: 1 };
            x = self.value(Op::Slice { ranges: whole.iter().map(range).collect() }, vec![x]);
        }
        let split: Vec<usize> = whole.iter().zip(&by).flat_map(|(n, by)| [n / by, *by]).collect();
        let ints = split.iter().map(|&n| Int::from(n)).collect();
        let x = self.push(Op::Reshape { shape: ints }, vec![x], dtype, split);
        let axes = (0..by.len()).map(|a| Constant::Number(Number(Scalar::Int(2 * a as i64 + 1)))).collect();
        keywords.0.push(("axis", Abstract::Constant(Constant::Tuple(axes))));
        match reduction {
            Known::Reduce(f) => self.reduce(*f, &[x], keywords),
            Known::Mean => self.mean(&[x], keywords),
            _ => None,
        }
    }

    pub(super) fn topk(
        &mut self,
        of: &[Abstract],
        mut keywords: Keywords<'_>,
        last: bool,
    ) -> Option<Abstract> {
        let k = int(&keywords.constant("k")?).filter(|k| *k != 0)?;
        let axes = keywords.constant("axis")?;
        let keepdims = keywords.flag("keepdims")?;
        keywords.none_left()?;
        let [x] = of else { return None };
        let (x, dtype, shape) = array(x)?;
        let [axis] = axes_of(&axes, shape.len())?[..] else { return None };
        let fewer = usize::try_from(k.unsigned_abs()).ok()?.min(shape[axis]);
        if !keepdims {
            return None;
        }
        if !last && fewer == shape[axis] {
            return Some(Abstract::Array(x, dtype, shape));
        }
        let mut left = shape;
        left[axis] = fewer;
        Some(self.push(Op::TopK { k, axis: axis as u32 }, vec![x], dtype, left))
    }

    pub(super) fn histogram(&mut self, of: &[Abstract], keywords: &Keywords<'_>) -> Option<Abstract> {
        keywords.none_left()?;
        let [x, Abstract::List(how) | Abstract::Tuple(how)] = of else { return None };
        let (x, DType::Float64, _) = array(x)? else { return None };
        let (edges, bins) = match &how[..] {
            [Abstract::Constant(bins), range] => {
                let Constant::Tuple(range) = range.constant()? else { return None };
                let [Constant::Number(Number(low)), Constant::Number(Number(high))] = range[..] else {
                    return None;
                };
                let ends = (low.to_complex().re, high.to_complex().re);
                let bins = usize::try_from(int(bins)?).ok().filter(|b| *b > 0)?;
                if !(ends.0 < ends.1 && ends.0.is_finite() && ends.1.is_finite()) {
                    return None;
                }
                let edges = Op::Linspace {
                    dtype: DType::Float64,
                    start: Scalar::Float(ends.0),
                    stop: Scalar::Float(ends.1),
                    num: bins as u64 + 1,
                    endpoint: true,
                    offset: Int::Lit(0),
                    len: Int::from(bins + 1),
                };
                (self.value(edges, vec![]), bins)
            }
            [edges @ Abstract::Array(..), _] => {
                let (edges, DType::Float64, shape) = array(edges)? else { return None };
                let [n] = shape[..] else { return None };
                (edges, n.checked_sub(1).filter(|n| *n > 0)?)
            }
            _ => return None,
        };
        let counts = self.value(Op::Histogram { weighted: false }, vec![x, edges]);
        Some(self.push(Op::ExpandDims { axes: vec![0] }, vec![counts], DType::Int64, vec![1, bins]))
    }
}
