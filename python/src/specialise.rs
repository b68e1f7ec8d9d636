//! Programs for recipes: what a recipe means for inputs of given dtypes and shapes, as numpy has it.
//!
//! Whatever is not certain to be what numpy does has no program, and is left to the Python call.

use crate::recipe::{Constant, Known, Number, Recipe, Ref};
use dask_plan::program::{Binary, Draw, Instr, Int, Op, Program, Range, Reduction, Rng};
use dask_plan::{DType, Kind, Scalar, infer};

/// Dtype and shape of an array.
pub(crate) type Shaped = (DType, Vec<usize>);

/// What a value is while the program is written.
#[derive(Clone, Debug)]
enum Abstract {
    /// The program's value of this number.
    Array(u32, DType, Vec<usize>),
    Constant(Constant),
    List(Vec<Abstract>),
}

struct Writer {
    inputs: u32,
    body: Vec<Instr>,
}

/// The program of a recipe for inputs of these dtypes and shapes, and so many numbers of the task's own.
pub(crate) fn specialise(recipe: &Recipe, inputs: &[Shaped], numbers: usize) -> Option<Program> {
    let mut writer = Writer { inputs: inputs.len() as u32, body: vec![] };
    let mut steps: Vec<Abstract> = vec![];
    for call in &recipe.calls {
        let get = |of: &Ref| resolve(of, inputs, &steps);
        let of: Vec<Abstract> = call.of.iter().map(get).collect();
        let keywords: Vec<(&str, Abstract)> =
            call.keywords.iter().map(|(n, v)| (n.as_str(), get(v))).collect();
        let result = writer.call(call.function, of, Keywords(keywords))?;
        steps.push(result);
    }
    // The result is the program's last value.
    let Some(Abstract::Array(id, ..)) = steps.last() else { return None };
    if *id + 1 != writer.inputs + writer.body.len() as u32 || writer.body.is_empty() {
        return None;
    }
    Some(Program { inputs: writer.inputs, args: numbers as u32, body: writer.body })
}

fn resolve(of: &Ref, inputs: &[Shaped], steps: &[Abstract]) -> Abstract {
    match of {
        Ref::Input(i) => Abstract::Array(*i as u32, inputs[*i].0, inputs[*i].1.clone()),
        Ref::Step(i) => steps[*i].clone(),
        Ref::Constant(constant) => Abstract::Constant(constant.clone()),
        Ref::List(items) => Abstract::List(items.iter().map(|i| resolve(i, inputs, steps)).collect()),
    }
}

/// Keyword arguments that were not taken yet.
struct Keywords<'a>(Vec<(&'a str, Abstract)>);

impl Keywords<'_> {
    fn take(&mut self, name: &str) -> Option<Abstract> {
        let at = self.0.iter().position(|(n, _)| *n == name)?;
        Some(self.0.swap_remove(at).1)
    }

    /// A constant, `None` of Python's where it is absent.
    fn constant(&mut self, name: &str) -> Option<Constant> {
        match self.take(name) {
            None => Some(Constant::None),
            Some(Abstract::Constant(constant)) => Some(constant),
            Some(_) => None,
        }
    }

    fn none_left(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

impl Writer {
    fn call(
        &mut self,
        function: Known,
        mut of: Vec<Abstract>,
        mut keywords: Keywords<'_>,
    ) -> Option<Abstract> {
        match function {
            Known::Unary(f) => {
                keywords.none_left()?;
                let [Abstract::Array(x, dtype, shape)] = &of[..] else { return None };
                let (_, result) = infer::unary(f, *dtype).ok()?;
                // numpy's loops for these dtypes work in half precision.
                if result != *dtype && dtype.itemsize() == 1 && result.kind() == Kind::Float {
                    return None;
                }
                Some(self.push(Op::Unary(f), vec![*x], result, shape.clone()))
            }
            Known::Binary(f) => {
                keywords.none_left()?;
                let [a, b] = &of[..] else { return None };
                self.binary(f, a, b)
            }
            Known::Where => {
                keywords.none_left()?;
                let [Abstract::Array(c, DType::Bool, shape), a, b] = &of[..] else { return None };
                let ((a, da, sa), (b, db, sb)) = self.operands(a, b)?;
                if da != db {
                    return None;
                }
                let shape = broadcast(&broadcast(shape, &sa)?, &sb)?;
                Some(self.push(Op::Where, vec![*c, a, b], da, shape))
            }
            Known::Transpose => {
                let axes = keywords.constant("axes")?;
                keywords.none_left()?;
                let (x, dtype, shape) = array(of.first()?)?;
                let axes = match (axes, of.get(1)) {
                    (Constant::None, None | Some(Abstract::Constant(Constant::None))) => {
                        (0..shape.len()).rev().collect()
                    }
                    (Constant::None, Some(Abstract::Constant(axes))) => axes_of(axes, shape.len())?,
                    (axes, None) => axes_of(&axes, shape.len())?,
                    _ => return None,
                };
                if axes.len() != shape.len() || shape.len() < 2 {
                    return None;
                }
                let result = axes.iter().map(|&a| shape[a]).collect();
                let axes = axes.iter().map(|&a| a as u32).collect();
                Some(self.push(Op::Transpose { axes }, vec![x], dtype, result))
            }
            Known::Getitem => {
                keywords.none_left()?;
                let [x, Abstract::Constant(index)] = &of[..] else { return None };
                let (x, dtype, shape) = array(x)?;
                self.getitem(x, dtype, &shape, index)
            }
            Known::Astype => {
                let dtype = match keywords.constant("astype_dtype")? {
                    Constant::DType(dtype) => dtype,
                    _ => return None,
                };
                let copy = keywords.constant("copy")?;
                keywords.none_left()?;
                let [x] = &of[..] else { return None };
                let (x, from, shape) = array(x)?;
                // A cast that warns (complex to real) or that numpy leaves undefined (NaN to an integer) stays numpy's.
                let safe = from.promote(dtype) == dtype || (from.kind() == dtype.kind());
                if !safe || copy != Constant::None && from == dtype {
                    return None;
                }
                Some(self.push(Op::Cast(dtype), vec![x], dtype, shape))
            }
            Known::Reduce(f) => self.reduce(f, of, keywords),
            Known::Concatenate => {
                let axes = keywords.constant("axes")?;
                keywords.none_left()?;
                let list = of.first().filter(|_| of.len() == 1)?;
                let Constant::Tuple(axes) = as_tuple(&axes) else { return None };
                let axes: Vec<usize> =
                    axes.iter().map(|a| usize::try_from(int(a)?).ok()).collect::<Option<_>>()?;
                self.concatenate(list, &axes)
            }
            Known::ConcatenateShaped => {
                keywords.none_left()?;
                let [Abstract::List(items), shape] = &of[..] else { return None };
                let grid: Vec<usize> = match shape {
                    Abstract::List(dims) => dims
                        .iter()
                        .map(|d| match d {
                            Abstract::Constant(c) => usize::try_from(int(c)?).ok(),
                            _ => None,
                        })
                        .collect::<Option<_>>()?,
                    Abstract::Constant(Constant::Tuple(dims)) => {
                        dims.iter().map(|d| usize::try_from(int(d)?).ok()).collect::<Option<_>>()?
                    }
                    _ => return None,
                };
                self.assemble(items.clone(), grid)
            }
            Known::Assemble => {
                keywords.none_left()?;
                let list = of.pop().filter(|_| of.is_empty())?;
                let (mut grid, mut items) = (vec![], vec![list]);
                while let Some(Abstract::List(first)) = items.first() {
                    let len = first.len();
                    grid.push(len);
                    let mut next = vec![];
                    for item in items {
                        match item {
                            Abstract::List(inner) if inner.len() == len => next.extend(inner),
                            _ => return None,
                        }
                    }
                    items = next;
                }
                if let [Abstract::Array(id, dtype, shape)] = &items[..] {
                    // A result of its own, as Dask's copy of a single chunk is.
                    let (id, dtype, shape) = (*id, *dtype, shape.clone());
                    if id < self.inputs {
                        return None;
                    }
                    return Some(Abstract::Array(id, dtype, shape));
                }
                self.assemble(items, grid)
            }
            Known::Full => self.full(of, keywords),
            Known::Random => self.random(&of, &keywords),
            Known::EnforceDtype => {
                let dtype = keywords.constant("enforce_dtype")?;
                let function = keywords.constant("enforce_dtype_function")?;
                let (Constant::DType(dtype), Constant::Function(function)) = (dtype, function) else {
                    return None;
                };
                let result = self.call(function, of, keywords)?;
                matches!(&result, Abstract::Array(_, got, _) if *got == dtype).then_some(result)
            }
            Known::Matmul => {
                keywords.none_left()?;
                let [a, b] = &of[..] else { return None };
                let ((a, da, sa), (b, db, sb)) = (array(a)?, array(b)?);
                let float = |d: DType| matches!(d.kind(), Kind::Float | Kind::Complex);
                if da != db || !float(da) || sa.len() != 2 || sb.len() != 2 || sa[1] != sb[0] {
                    return None;
                }
                let Abstract::Array(product, ..) = self.push(Op::MatMul, vec![a, b], da, vec![sa[0], sb[1]])
                else {
                    return None;
                };
                // With the axis that was summed over back in its place.
                Some(self.push(Op::ExpandDims { axes: vec![1] }, vec![product], da, vec![sa[0], 1, sb[1]]))
            }
            Known::ChunkSum => self.chunk_sum(of, keywords),
            Known::Ones | Known::Zeros | Known::Partial | Known::Compose => None,
        }
    }

    fn push(&mut self, op: Op, of: Vec<u32>, dtype: DType, shape: Vec<usize>) -> Abstract {
        self.body.push(Instr { op, of });
        Abstract::Array(self.inputs + self.body.len() as u32 - 1, dtype, shape)
    }

    fn scalar(&mut self, value: Scalar, dtype: DType) -> u32 {
        self.body.push(Instr { op: Op::Full { dtype, value, shape: vec![] }, of: vec![] });
        self.inputs + self.body.len() as u32 - 1
    }

    /// Two operands as arrays; a Python number takes the dtype that the array beside it gives it.
    #[allow(clippy::type_complexity, reason = "a pair of operands: value, dtype, shape")]
    fn operands(
        &mut self,
        a: &Abstract,
        b: &Abstract,
    ) -> Option<((u32, DType, Vec<usize>), (u32, DType, Vec<usize>))> {
        let weak = |other: DType, n: &Number| infer::weak(other, n.0).ok();
        match (a, b) {
            (Abstract::Array(..), Abstract::Array(..)) => Some((array(a)?, array(b)?)),
            (Abstract::Array(_, d, _), Abstract::Constant(Constant::Number(n))) => {
                let dtype = weak(*d, n)?;
                Some((array(a)?, (self.scalar(n.0, dtype), dtype, vec![])))
            }
            (Abstract::Constant(Constant::Number(n)), Abstract::Array(_, d, _)) => {
                let dtype = weak(*d, n)?;
                Some(((self.scalar(n.0, dtype), dtype, vec![]), array(b)?))
            }
            _ => None,
        }
    }

    fn binary(&mut self, f: Binary, a: &Abstract, b: &Abstract) -> Option<Abstract> {
        let ((a, da, sa), (b, db, sb)) = self.operands(a, b)?;
        let (common, result) = infer::binary(f, da, db).ok()?;
        let integers = matches!(common.kind(), Kind::Signed | Kind::Unsigned | Kind::Bool);
        // Integers divided by zero and raised to negative powers warn or raise in numpy.
        if integers && matches!(f, Binary::FloorDivide | Binary::Remainder | Binary::Fmod | Binary::Power)
            || da.itemsize() == 1 && db.itemsize() == 1 && result.kind() == Kind::Float
        {
            return None;
        }
        let shape = broadcast(&sa, &sb)?;
        Some(self.push(Op::Binary(f), vec![a, b], result, shape))
    }

    fn getitem(&mut self, x: u32, dtype: DType, shape: &[usize], index: &Constant) -> Option<Abstract> {
        let Constant::Tuple(items) = as_tuple(index) else { return None };
        if items.iter().any(|i| matches!(i, Constant::None | Constant::Ellipsis)) || items.len() > shape.len()
        {
            return None;
        }
        let (mut ranges, mut kept, mut drop) = (vec![], vec![], vec![]);
        for (axis, &n) in shape.iter().enumerate() {
            match items.get(axis) {
                None => ranges.push((0, n as i64, 1)),
                Some(Constant::Slice(start, stop, step)) => ranges.push(slice(n, *start, *stop, *step)?),
                Some(index) => {
                    let i = int(index)?;
                    let i = if i < 0 { i + n as i64 } else { i };
                    if i < 0 || i >= n as i64 {
                        return None;
                    }
                    ranges.push((i, 1, 1));
                    drop.push(axis as u32);
                }
            }
            kept.push(ranges[axis].1 as usize);
        }
        let ranges = ranges
            .into_iter()
            .map(|(start, len, step)| Range { start: Int::Lit(start), len: Int::Lit(len), step })
            .collect();
        let result = self.push(Op::Slice { ranges }, vec![x], dtype, kept.clone());
        if drop.is_empty() {
            return Some(result);
        }
        let (x, ..) = array(&result)?;
        let left = (0..kept.len()).filter(|a| !drop.contains(&(*a as u32))).map(|a| kept[a]).collect();
        Some(self.push(Op::Squeeze { axes: drop }, vec![x], dtype, left))
    }

    fn reduce(&mut self, f: Reduction, of: Vec<Abstract>, mut keywords: Keywords<'_>) -> Option<Abstract> {
        let axis = keywords.constant("axis")?;
        let keepdims = keywords.constant("keepdims")?;
        let given = keywords.constant("dtype")?;
        keywords.none_left()?;
        let [x] = &of[..] else { return None };
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
        let axes: Vec<usize> = match axis {
            Constant::None => (0..shape.len()).collect(),
            axis => axes_of(&axis, shape.len())?,
        };
        let mut sorted = axes.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() != axes.len() || shape.is_empty() || sorted.iter().any(|&a| shape[a] == 0) {
            return None;
        }
        let kept: Vec<usize> =
            (0..shape.len()).map(|a| if sorted.contains(&a) { 1 } else { shape[a] }).collect();
        let axes: Vec<u32> = sorted.iter().map(|&a| a as u32).collect();
        let reduced = self.push(Op::Reduce { f, axes: axes.clone(), dtype: result }, vec![x], result, kept);
        match keepdims {
            Constant::Number(Number(Scalar::Bool(true))) => Some(reduced),
            Constant::Number(Number(Scalar::Bool(false))) | Constant::None => {
                let (x, ..) = array(&reduced)?;
                let left = (0..shape.len()).filter(|a| !sorted.contains(a)).map(|a| shape[a]).collect();
                Some(self.push(Op::Squeeze { axes }, vec![x], result, left))
            }
            _ => None,
        }
    }

    /// `numpy.concatenate` along one axis for each level of nesting.
    fn concatenate(&mut self, list: &Abstract, axes: &[usize]) -> Option<Abstract> {
        let Abstract::List(items) = list else {
            return matches!(list, Abstract::Array(..)).then(|| list.clone());
        };
        let (axis, rest) = axes.split_first()?;
        let parts: Vec<Abstract> = if rest.is_empty() {
            items.clone()
        } else {
            items.iter().map(|i| self.concatenate(i, rest)).collect::<Option<_>>()?
        };
        let (_, _, first) = array(parts.first()?)?;
        let mut grid = vec![1; first.len()];
        *grid.get_mut(*axis)? = parts.len();
        self.assemble(parts, grid)
    }

    /// Blocks of a grid, in C order, as one array.
    fn assemble(&mut self, items: Vec<Abstract>, grid: Vec<usize>) -> Option<Abstract> {
        let arrays = items.iter().map(array).collect::<Option<Vec<_>>>()?;
        let (_, dtype, first) = arrays.first()?.clone();
        if grid.is_empty() || grid.len() != first.len() || grid.iter().product::<usize>() != arrays.len() {
            return None;
        }
        let mut shape = vec![];
        for (axis, &n) in grid.iter().enumerate() {
            let step: usize = grid[axis + 1..].iter().product();
            shape.push((0..n).map(|i| arrays[i * step].2.get(axis).copied().unwrap_or(0)).sum());
        }
        // Every block has its row's and its column's extent.
        for (at, (_, d, own)) in arrays.iter().enumerate() {
            let fits = grid.iter().enumerate().all(|(axis, &n)| {
                let step: usize = grid[axis + 1..].iter().product();
                let i = at / step % n;
                own.get(axis) == arrays[i * step].2.get(axis)
            });
            if *d != dtype || own.len() != grid.len() || !fits {
                return None;
            }
        }
        let of = arrays.iter().map(|(id, ..)| *id).collect();
        let grid = grid.iter().map(|&n| n as u32).collect();
        Some(self.push(Op::Assemble { grid }, of, dtype, shape))
    }

    /// `_broadcast_trick_inner(function, shape, meta)`, taken apart: the function is one of the constants.
    fn full(&mut self, of: Vec<Abstract>, mut keywords: Keywords<'_>) -> Option<Abstract> {
        let dtype = keywords.constant("dtype")?;
        let Constant::DType(dtype) = dtype else { return None };
        keywords.none_left()?;
        let [Abstract::Constant(Constant::Function(f)), Abstract::Constant(Constant::Tuple(dims))] = &of[..]
        else {
            return None;
        };
        let number = match f {
            Known::Ones => 1,
            Known::Zeros => 0,
            _ => return None,
        };
        let shape: Vec<usize> = dims.iter().map(|d| usize::try_from(int(d)?).ok()).collect::<Option<_>>()?;
        let ints = shape.iter().map(|&n| Int::from(n)).collect();
        let value = match dtype.kind() {
            Kind::Float => Scalar::Float(number as f64),
            Kind::Complex => Scalar::Complex(number as f64, 0.0),
            Kind::Bool => Scalar::Bool(number != 0),
            Kind::Signed | Kind::Unsigned => Scalar::Int(number),
        };
        Some(self.push(Op::Full { dtype, value, shape: ints }, vec![], dtype, shape))
    }

    fn random(&mut self, of: &[Abstract], keywords: &Keywords<'_>) -> Option<Abstract> {
        keywords.none_left()?;
        let [generator, name, seed, size, args, options] = of else { return None };
        let Abstract::Constant(Constant::Pcg64) = generator else { return None };
        let Abstract::Constant(Constant::Text(name)) = name else { return None };
        let Abstract::Constant(Constant::Seed(words, number)) = seed else { return None };
        let Abstract::Constant(Constant::Tuple(size)) = size else { return None };
        let no_args = match args {
            Abstract::List(list) => list.is_empty(),
            Abstract::Constant(Constant::Tuple(tuple)) => tuple.is_empty(),
            _ => false,
        };
        let Abstract::Constant(Constant::Tuple(options)) = options else { return None };
        let plain = options.iter().all(|option| match option {
            Constant::Tuple(pair) => {
                matches!(
                    &pair[..],
                    [Constant::Text(name), Constant::DType(DType::Float64)] if name == "dtype"
                ) || matches!(&pair[..], [Constant::Text(name), Constant::None] if name == "out")
            }
            _ => false,
        });
        if !no_args || !plain {
            return None;
        }
        let draw = match name.as_str() {
            "random" => Draw::Random,
            "standard_normal" => Draw::StandardNormal,
            _ => return None,
        };
        let shape: Vec<usize> = size.iter().map(|d| usize::try_from(int(d)?).ok()).collect::<Option<_>>()?;
        let ints = shape.iter().map(|&n| Int::from(n)).collect();
        let rng = Rng::Pcg64 { entropy: words.clone(), spawned: 0 };
        let op = Op::Random { rng, draw, dtype: DType::Float64, block: Int::Arg(*number), shape: ints };
        Some(self.push(op, vec![], DType::Float64, shape))
    }

    fn chunk_sum(&mut self, mut of: Vec<Abstract>, mut keywords: Keywords<'_>) -> Option<Abstract> {
        let axis = keywords.constant("axis")?;
        let given = keywords.constant("dtype")?;
        let keepdims = keywords.constant("keepdims")?;
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
            Abstract::Constant(_) => return None,
        };
        let (x, dtype, shape) = array(&sum)?;
        if !matches!(given, Constant::None) && given != Constant::DType(dtype) {
            return None;
        }
        if keepdims == Constant::Number(Number(Scalar::Bool(true))) {
            return Some(sum);
        }
        let axes = axes_of(&axis, shape.len())?;
        let [axis] = axes[..] else { return None };
        let left = (0..shape.len()).filter(|a| *a != axis).map(|a| shape[a]).collect();
        Some(self.push(Op::Squeeze { axes: vec![axis as u32] }, vec![x], dtype, left))
    }
}

fn array(value: &Abstract) -> Option<(u32, DType, Vec<usize>)> {
    match value {
        Abstract::Array(id, dtype, shape) => Some((*id, *dtype, shape.clone())),
        _ => None,
    }
}

fn int(constant: &Constant) -> Option<i64> {
    match constant {
        Constant::Number(Number(Scalar::Int(i))) => Some(*i),
        _ => None,
    }
}

fn as_tuple(constant: &Constant) -> Constant {
    match constant {
        Constant::Tuple(_) => constant.clone(),
        other => Constant::Tuple(vec![other.clone()]),
    }
}

/// Axes, none negative; `None` when one does not exist.
fn axes_of(constant: &Constant, ndim: usize) -> Option<Vec<usize>> {
    let Constant::Tuple(axes) = as_tuple(constant) else { return None };
    let ndim = ndim as i64;
    axes.iter()
        .map(|a| {
            let a = int(a)?;
            let a = if a < 0 { a + ndim } else { a };
            (0..ndim).contains(&a).then_some(a as usize)
        })
        .collect()
}

/// Python's slice of `n` items: start, length, step.
fn slice(n: usize, start: Option<i64>, stop: Option<i64>, step: Option<i64>) -> Option<(i64, i64, i64)> {
    let (n, step) = (n as i64, step.unwrap_or(1));
    if step == 0 {
        return None;
    }
    let clip = |i: i64, low: i64, high: i64| (if i < 0 { i + n } else { i }).clamp(low, high);
    let (low, high) = if step > 0 { (0, n) } else { (-1, n - 1) };
    let start = start.map_or(if step > 0 { 0 } else { n - 1 }, |i| clip(i, low, high));
    let stop = stop.map_or(if step > 0 { n } else { -1 }, |i| clip(i, low, high));
    let len = if step > 0 { (stop - start + step - 1) / step } else { (start - stop - step - 1) / -step };
    Some((start.max(0), len.max(0), step))
}

fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let n = a.len().max(b.len());
    let at = |s: &[usize], i: usize| if i + s.len() < n { 1 } else { s[i + s.len() - n] };
    (0..n)
        .map(|i| match (at(a, i), at(b, i)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}
