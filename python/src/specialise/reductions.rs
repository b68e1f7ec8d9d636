//! Reductions of blocks, and what puts their results together.

use super::{Abstract, Keywords, Writer, array, as_u32, axes_of, int, numbers, reduced_axes};
use crate::recipe::{Constant, Known, Number};
use crate::record::Fields;
use dask_plan::program::{ArgReduction, Binary, Cumulative, Int, Op, Reduction};
use dask_plan::{DType, Kind, Scalar, infer};

/// A value of the program: number, dtype, shape.
type Part = (u32, DType, Vec<usize>);

impl Writer {
    pub(super) fn reduce(
        &mut self,
        f: Reduction,
        of: &[Abstract],
        mut keywords: Keywords<'_>,
    ) -> Option<Abstract> {
        let axis = keywords.constant("axis")?;
        let keepdims = keywords.flag("keepdims")?;
        let given = keywords.constant("dtype")?;
        keywords.none_left()?;
        let [x] = of else { return None };
        let (x, dtype, shape) = array(x)?;
        let given = match given {
            Constant::None => None,
            Constant::DType(d) => Some(d),
            _ => return None,
        };
        let result = infer::reduction(f, dtype, given).ok()?;
        // Sums of floats in another precision than their own are numpy's.
        if given.is_some_and(|d| d != dtype && d.kind() != dtype.kind()) && dtype.kind() == Kind::Complex {
            return None;
        }
        let axes = reduced_axes(&axis, shape.len())?;
        let reduced = self.fold(f, &(x, dtype, shape), &axes, result)?;
        Some(self.drop_axes(reduced, &axes, keepdims))
    }

    /// A reduction that keeps its axes.
    fn fold(&mut self, f: Reduction, (x, _, shape): &Part, axes: &[usize], dtype: DType) -> Option<Part> {
        if shape.is_empty() || axes.iter().any(|&a| shape[a] == 0) {
            return None;
        }
        let op = Op::Reduce { f, axes: as_u32(axes), dtype };
        Some((self.value(op, vec![*x]), dtype, kept(shape, axes)))
    }

    /// Without the axes that were reduced, unless they are to be kept.
    fn drop_axes(&mut self, (x, dtype, shape): Part, axes: &[usize], keep: bool) -> Abstract {
        if keep {
            return Abstract::Array(x, dtype, shape);
        }
        let left = (0..shape.len()).filter(|a| !axes.contains(a)).map(|a| shape[a]).collect();
        self.push(Op::Squeeze { axes: as_u32(axes) }, vec![x], dtype, left)
    }

    pub(super) fn mean(&mut self, of: &[Abstract], mut keywords: Keywords<'_>) -> Option<Abstract> {
        let axis = keywords.constant("axis")?;
        let keepdims = keywords.flag("keepdims")?;
        keywords.only("dtype", &Constant::None)?;
        keywords.none_left()?;
        let [x] = of else { return None };
        let x = array(x)?;
        let axes = reduced_axes(&axis, x.2.len())?;
        let dtype = infer::mean(x.1);
        let count: usize = axes.iter().map(|&a| x.2[a]).product();
        let (sum, _, shape) = self.fold(Reduction::Sum, &x, &axes, dtype)?;
        let count = self.scalar(Scalar::Float(count as f64), infer::real(dtype));
        let mean = self.value(Op::Binary(Binary::Divide), vec![sum, count]);
        Some(self.drop_axes((mean, dtype, shape), &axes, keepdims))
    }

    /// Takes what says how a part of a mean or a variance is counted: whether NaN is left out.
    fn skips_nan(keywords: &mut Keywords<'_>) -> Option<bool> {
        let function = |given: Constant, default: Known| match given {
            Constant::None => Some(default),
            Constant::Function(function) => Some(function),
            _ => None,
        };
        let sum = function(keywords.constant("sum")?, Known::Reduce(Reduction::Sum))?;
        let numel = function(keywords.constant("numel")?, Known::Numel)?;
        match (sum, numel) {
            (Known::Reduce(Reduction::Sum), Known::Numel) => Some(false),
            (Known::Reduce(Reduction::Nansum), Known::Nannumel) => Some(true),
            _ => None,
        }
    }

    pub(super) fn mean_chunk(&mut self, of: &[Abstract], mut keywords: Keywords<'_>) -> Option<Abstract> {
        let nan = Writer::skips_nan(&mut keywords)?;
        let dtype = inexact(&keywords.constant("dtype")?)?;
        let (axes, keepdims) = (keywords.constant("axis")?, keywords.flag("keepdims")?);
        keywords.none_left()?;
        let [x] = of else { return None };
        let x = array(x)?;
        let axes = reduced_axes(&axes, x.2.len())?;
        if !keepdims || x.1.promote(dtype) != dtype {
            return None;
        }
        let n = if nan {
            self.fold(Reduction::Nancount, &x, &axes, dtype)?
        } else {
            let count: usize = axes.iter().map(|&a| x.2[a]).product();
            let shape = kept(&x.2, &axes);
            let ints = shape.iter().map(|&n| Int::from(n)).collect();
            let value = Scalar::Float(count as f64);
            (self.value(Op::Full { dtype, value, shape: ints }, vec![]), dtype, shape)
        };
        let sum = if nan { Reduction::Nansum } else { Reduction::Sum };
        let total = self.fold(sum, &x, &axes, dtype)?;
        Some(Abstract::Record(Fields::Mean, vec![n, total]))
    }

    pub(super) fn mean_combine(&mut self, of: &[Abstract], mut keywords: Keywords<'_>) -> Option<Abstract> {
        Writer::skips_nan(&mut keywords)?;
        let (axes, keepdims) = (numbers(&keywords.constant("axis")?)?, keywords.flag("keepdims")?);
        keywords.none_left()?;
        let [pairs] = of else { return None };
        if !keepdims {
            return None;
        }
        let parts = (0..2).map(|part| {
            let joined = self.joined(pairs, Fields::Mean, part, &axes)?;
            let dtype = joined.1;
            self.fold(Reduction::Sum, &joined, &axes, dtype)
        });
        parts.collect::<Option<_>>().map(|parts| Abstract::Record(Fields::Mean, parts))
    }

    pub(super) fn mean_agg(&mut self, of: &[Abstract], mut keywords: Keywords<'_>) -> Option<Abstract> {
        let dtype = inexact(&keywords.constant("dtype")?)?;
        let (axes, keepdims) = (numbers(&keywords.constant("axis")?)?, keywords.flag("keepdims")?);
        keywords.none_left()?;
        let [pairs] = of else { return None };
        let n = self.joined(pairs, Fields::Mean, 0, &axes)?;
        let total = self.joined(pairs, Fields::Mean, 1, &axes)?;
        if total.1 != dtype || n.1 != dtype {
            return None;
        }
        let (n, ..) = self.fold(Reduction::Sum, &n, &axes, dtype)?;
        let (total, _, shape) = self.fold(Reduction::Sum, &total, &axes, dtype)?;
        let mean = self.value(Op::Binary(Binary::Divide), vec![total, n]);
        Some(self.drop_axes((mean, dtype, shape), &axes, keepdims))
    }

    /// One part of records that are nested in lists, joined along axes as `_concatenate2` does.
    fn joined(&mut self, pairs: &Abstract, fields: Fields, part: usize, axes: &[usize]) -> Option<Part> {
        let arrays = part_of(pairs, fields, part)?;
        let joined = self.concatenate(&arrays, axes)?;
        array(&joined)
    }

    pub(super) fn moment_chunk(&mut self, of: &[Abstract], mut keywords: Keywords<'_>) -> Option<Abstract> {
        let nan = Writer::skips_nan(&mut keywords)?;
        only_squares(&mut keywords)?;
        let implicit = keywords.flag("implicit_complex_dtype")?;
        let given = inexact(&keywords.constant("dtype")?)?;
        let (axes, keepdims) = (keywords.constant("axis")?, keywords.flag("keepdims")?);
        keywords.none_left()?;
        let [x] = of else { return None };
        let (x, dtype, shape) = array(x)?;
        let axes = reduced_axes(&axes, shape.len())?;
        let complex = dtype.kind() == Kind::Complex;
        // The mean's dtype, which that of the result follows.
        let mean = if complex { dtype } else { given };
        if !keepdims
            || infer::real(mean) != given
            || complex != implicit
            || dtype.promote(mean) != mean
            || axes.iter().any(|&a| shape[a] == 0)
            || shape.is_empty()
        {
            return None;
        }
        let moments = self.value(Op::Moments { axes: as_u32(&axes), dtype: mean, nan }, vec![x]);
        Some(self.moments(moments, mean, &kept(&shape, &axes)))
    }

    /// The parts of moments.
    fn moments(&mut self, tuple: u32, mean: DType, shape: &[usize]) -> Abstract {
        let dtypes = [DType::Float64, mean, infer::real(mean)];
        let mut parts = vec![];
        for (part, dtype) in (0..).zip(dtypes) {
            parts.push((self.value(Op::Item(part), vec![tuple]), dtype, shape.to_vec()));
        }
        Abstract::Record(Fields::Moments, parts)
    }

    pub(super) fn moment_combine(&mut self, of: &[Abstract], mut keywords: Keywords<'_>) -> Option<Abstract> {
        sums_of_blocks(&mut keywords)?;
        only_squares(&mut keywords)?;
        keywords.constant("ddof")?;
        keywords.constant("dtype")?;
        keywords.flag("keepdims")?;
        let axes = numbers(&keywords.constant("axis")?)?;
        keywords.none_left()?;
        let [pairs] = of else { return None };
        let (merged, mean, shape) = self.merged(pairs, Fields::Moments, Op::MomentsMerge, &axes)?;
        Some(self.moments(merged, mean, &shape))
    }

    pub(super) fn moment_agg(&mut self, of: &[Abstract], mut keywords: Keywords<'_>) -> Option<Abstract> {
        sums_of_blocks(&mut keywords)?;
        only_squares(&mut keywords)?;
        // With others, Dask and the engine differ where there are fewer elements than that.
        let ddof = match keywords.constant("ddof")? {
            Constant::None => 0,
            ddof => int(&ddof).filter(|d| (0..=1).contains(d))?,
        };
        let dtype = inexact(&keywords.constant("dtype")?)?;
        let (axes, keepdims) = (numbers(&keywords.constant("axis")?)?, keywords.flag("keepdims")?);
        keywords.none_left()?;
        let [pairs] = of else { return None };
        let (merged, mean, shape) = self.merged(pairs, Fields::Moments, Op::MomentsMerge, &axes)?;
        if infer::real(mean) != dtype {
            return None;
        }
        let finish = Op::MomentsFinish { ddof: ddof as f64, sqrt: false, dtype };
        let variance = self.value(finish, vec![merged]);
        Some(self.drop_axes((variance, dtype, shape), &axes, keepdims))
    }

    /// The tuple of all records, with the dtype of its second part and the shape of each part. A block is one element
    /// long along the axes that were reduced.
    fn merged(&mut self, pairs: &Abstract, fields: Fields, merge: Op, axes: &[usize]) -> Option<Part> {
        let mut records = vec![];
        flatten(pairs, fields, &mut records)?;
        let first = (*records.first()?).clone();
        let shape = first[0].2.clone();
        let alike = |parts: &&Vec<Part>| parts.iter().zip(&first).all(|(a, b)| (a.1, &a.2) == (b.1, &b.2));
        if !records.iter().all(alike) || axes.iter().any(|&a| shape.get(a) != Some(&1)) {
            return None;
        }
        let tuples = records
            .into_iter()
            .map(|parts| self.value(Op::Tuple, parts.iter().map(|(id, ..)| *id).collect()))
            .collect();
        Some((self.value(merge, tuples), first[1].1, shape))
    }

    pub(super) fn arg_chunk(&mut self, of: &[Abstract], keywords: &Keywords<'_>) -> Option<Abstract> {
        keywords.none_left()?;
        let [
            Abstract::Constant(Constant::Function(Known::Reduce(reduction))),
            Abstract::Constant(Constant::Function(Known::Arg(f))),
            x,
            axis,
            place,
        ] = of
        else {
            return None;
        };
        let (x, dtype, shape) = array(x)?;
        // Numbers without an order, and what numpy warns of.
        if !matches!(
            (reduction, f),
            (Reduction::Max, ArgReduction::Argmax) | (Reduction::Min, ArgReduction::Argmin)
        ) || dtype.kind() == Kind::Complex
            || shape.contains(&0)
        {
            return None;
        }
        let axes = numbers(&axis.constant()?)?;
        let all = axes.len() == shape.len() || shape.len() == 1;
        let (axes, offset, whole) = match place.constant()? {
            Constant::Tuple(place) if all => {
                let [offset, whole] = &place[..] else { return None };
                let whole = numbers(whole)?.iter().map(|&n| n as u64).collect();
                ((0..shape.len()).collect(), numbers(offset)?, whole)
            }
            offset if !all => {
                let [axis] = axes[..] else { return None };
                let offset = usize::try_from(int(&offset)?).ok()?;
                (vec![axis], vec![offset], vec![(offset + shape[axis]) as u64])
            }
            _ => return None,
        };
        let offset = offset.into_iter().map(Int::from).collect();
        let kept = kept(&shape, &axes);
        let place = self.value(Op::Arg { f: *f, axes: as_u32(&axes), offset, whole }, vec![x]);
        Some(self.places(place, dtype, &kept))
    }

    /// The parts of places.
    fn places(&mut self, tuple: u32, dtype: DType, shape: &[usize]) -> Abstract {
        let value = self.value(Op::Item(0), vec![tuple]);
        let index = self.value(Op::Item(1), vec![tuple]);
        let parts = vec![(value, dtype, shape.to_vec()), (index, DType::Int64, shape.to_vec())];
        Abstract::Record(Fields::Place, parts)
    }

    /// The better of places along an axis. Where several axes were reduced, Dask's order of equal ones is that of the blocks.
    fn best(&mut self, of: &[Abstract], keywords: &mut Keywords<'_>) -> Option<(u32, DType, Vec<usize>)> {
        let axes = numbers(&keywords.constant("axis")?)?;
        let [Abstract::Constant(Constant::Function(Known::Arg(f))), pairs] = of else { return None };
        let mut records = vec![];
        flatten(pairs, Fields::Place, &mut records)?;
        if axes.len() != 1 && records.len() > 1 {
            return None;
        }
        let dtype = records.first()?.first()?.1;
        let (best, _, shape) = self.merged(pairs, Fields::Place, Op::ArgMerge { f: *f }, &axes)?;
        Some((best, dtype, shape))
    }

    pub(super) fn arg_combine(&mut self, of: &[Abstract], mut keywords: Keywords<'_>) -> Option<Abstract> {
        let (best, dtype, shape) = self.best(of, &mut keywords)?;
        keywords.flag("keepdims")?;
        keywords.none_left()?;
        Some(self.places(best, dtype, &shape))
    }

    pub(super) fn arg_agg(&mut self, of: &[Abstract], mut keywords: Keywords<'_>) -> Option<Abstract> {
        let axes = keywords.0.iter().find(|(n, _)| *n == "axis")?.1.constant()?;
        let (best, _, shape) = self.best(of, &mut keywords)?;
        let keepdims = keywords.flag("keepdims")?;
        keywords.none_left()?;
        let axes = axes_of(&axes, shape.len())?;
        let index = self.value(Op::Item(1), vec![best]);
        Some(self.drop_axes((index, DType::Int64, shape), &axes, keepdims))
    }

    pub(super) fn cumulative(
        &mut self,
        f: Cumulative,
        nan: bool,
        of: &[Abstract],
        mut keywords: Keywords<'_>,
    ) -> Option<Abstract> {
        let axis = keywords.constant("axis")?;
        let given = keywords.constant("dtype")?;
        keywords.none_left()?;
        let [x] = of else { return None };
        let (x, dtype, shape) = array(x)?;
        let [axis] = axes_of(&axis, shape.len())?[..] else { return None };
        let result = match given {
            Constant::None => infer::accumulator(dtype),
            Constant::DType(given) if dtype.promote(given) == given => given,
            _ => return None,
        };
        let op = Op::Cumulative { f, axis: axis as u32, dtype: result, nan };
        Some(self.push(op, vec![x], result, shape))
    }

    pub(super) fn prefix(&mut self, mut of: Vec<Abstract>, keywords: &Keywords<'_>) -> Option<Abstract> {
        keywords.none_left()?;
        let (dtype, axis, x) = (of.pop()?, of.pop()?, of.pop()?);
        let (f, nan) = match of.first()? {
            Abstract::Constant(Constant::Function(Known::Cumulative(f))) => (*f, false),
            Abstract::Constant(Constant::Function(Known::Nancumulative(f))) => (*f, true),
            _ => return None,
        };
        let own = self.cumulative(f, nan, &[x], Keywords(vec![("axis", axis), ("dtype", dtype)]))?;
        match &of[1..] {
            [] => Some(own),
            [Abstract::Constant(Constant::Function(Known::Binary(f))), before] => {
                self.binary(*f, before, &own)
            }
            _ => None,
        }
    }
}

/// A floating or complex dtype.
fn inexact(dtype: &Constant) -> Option<DType> {
    match dtype {
        Constant::DType(d) if matches!(d.kind(), Kind::Float | Kind::Complex) => Some(*d),
        _ => None,
    }
}

/// Takes the order of a moment, which must be 2.
fn only_squares(keywords: &mut Keywords<'_>) -> Option<()> {
    keywords.only("order", &Constant::Number(Number(Scalar::Int(2))))
}

/// Takes what parts of a variance are summed with: NaN is not among them, since counts are kept.
fn sums_of_blocks(keywords: &mut Keywords<'_>) -> Option<()> {
    match keywords.constant("sum")? {
        Constant::None | Constant::Function(Known::Reduce(Reduction::Sum | Reduction::Nansum)) => Some(()),
        _ => None,
    }
}

/// A shape with 1 along these axes.
fn kept(shape: &[usize], axes: &[usize]) -> Vec<usize> {
    (0..shape.len()).map(|a| if axes.contains(&a) { 1 } else { shape[a] }).collect()
}

/// Records nested in lists, in order.
fn flatten<'a>(pairs: &'a Abstract, fields: Fields, records: &mut Vec<&'a Vec<Part>>) -> Option<()> {
    match pairs {
        Abstract::Record(of, parts) if *of == fields => records.push(parts),
        Abstract::List(items) => items.iter().try_for_each(|item| flatten(item, fields, records))?,
        _ => return None,
    }
    Some(())
}

/// One part of records nested in lists.
fn part_of(pairs: &Abstract, fields: Fields, part: usize) -> Option<Abstract> {
    match pairs {
        Abstract::Record(of, parts) if *of == fields => {
            let (id, dtype, shape) = parts.get(part)?.clone();
            Some(Abstract::Array(id, dtype, shape))
        }
        Abstract::List(items) => {
            items.iter().map(|i| part_of(i, fields, part)).collect::<Option<_>>().map(Abstract::List)
        }
        _ => None,
    }
}
