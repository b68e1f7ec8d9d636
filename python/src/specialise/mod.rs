//! Programs for recipes: what a recipe means for inputs of given dtypes and shapes, as numpy has it.
//!
//! Whatever is not certain to be what numpy does has no program, and is left to the Python call.

mod counting;
mod elementwise;
mod indexing;
mod movement;
mod products;
mod reductions;
mod sources;

use crate::recipe::{Call, Constant, Known, Number, Recipe, Ref};
use crate::record::Fields;
use dask_plan::program::{Instr, Op, Program};
use dask_plan::{DType, Scalar};

/// Dtype and shape of an array.
pub(crate) type Shaped = (DType, Vec<usize>);

/// What an input is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Input {
    Array(Shaped),
    /// Its parts are inputs of the program one by one.
    Record(Fields, Vec<Shaped>),
}

/// The program of a recipe, or of its beginning.
pub(crate) struct Specialised {
    pub(crate) program: Program,
    /// The result is a record of these fields: the program's is a tuple.
    pub(crate) record: Option<Fields>,
    /// What is still to be done once shapes are known that depend on values: its further inputs are the program's result.
    pub(crate) rest: Option<Recipe>,
}

/// What a value is while the program is written.
#[derive(Clone, Debug)]
enum Abstract {
    /// The program's value of this number.
    Array(u32, DType, Vec<usize>),
    /// The same, of a shape that only its computation tells.
    Unshaped(u32),
    Record(Fields, Vec<(u32, DType, Vec<usize>)>),
    Constant(Constant),
    List(Vec<Abstract>),
    Tuple(Vec<Abstract>),
}

struct Writer {
    inputs: u32,
    body: Vec<Instr>,
}

/// The program of a recipe for inputs of these dtypes and shapes, and so many numbers of the task's own.
pub(crate) fn specialise(recipe: &Recipe, inputs: &[Input], numbers: usize) -> Option<Specialised> {
    let mut known = vec![];
    let mut next = 0;
    for input in inputs {
        let mut value = |(dtype, shape): &Shaped| {
            next += 1;
            (next - 1, *dtype, shape.clone())
        };
        known.push(match input {
            Input::Array(shaped) => {
                let (id, dtype, shape) = value(shaped);
                Abstract::Array(id, dtype, shape)
            }
            Input::Record(fields, parts) => Abstract::Record(*fields, parts.iter().map(value).collect()),
        });
    }
    let mut writer = Writer { inputs: next, body: vec![] };
    let mut steps: Vec<Abstract> = vec![];
    for call in &recipe.calls {
        let get = |of: &Ref| resolve(of, &known, &steps);
        let of: Vec<Abstract> = call.of.iter().map(get).collect();
        let keywords: Vec<(&str, Abstract)> =
            call.keywords.iter().map(|(n, v)| (n.as_str(), get(v))).collect();
        let result = writer.call(call.function, of, Keywords(keywords))?;
        let cut = matches!(result, Abstract::Unshaped(_));
        steps.push(result);
        if cut {
            break;
        }
    }
    writer.finish(recipe, &steps, numbers)
}

fn resolve(of: &Ref, inputs: &[Abstract], steps: &[Abstract]) -> Abstract {
    let all = |items: &[Ref]| items.iter().map(|i| resolve(i, inputs, steps)).collect();
    match of {
        Ref::Input(i) => inputs[*i].clone(),
        Ref::Step(i) => steps[*i].clone(),
        Ref::Constant(constant) => Abstract::Constant(constant.clone()),
        Ref::List(items) => Abstract::List(all(items)),
        Ref::Tuple(items) => Abstract::Tuple(all(items)),
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
            Some(value) => value.constant(),
        }
    }

    /// A truth value, false where it is absent.
    fn flag(&mut self, name: &str) -> Option<bool> {
        match self.constant(name)? {
            Constant::None => Some(false),
            Constant::Number(Number(Scalar::Bool(b))) => Some(b),
            _ => None,
        }
    }

    /// A constant that must be this one where it is given.
    fn only(&mut self, name: &str, value: &Constant) -> Option<()> {
        match self.constant(name)? {
            Constant::None => Some(()),
            given => (given == *value).then_some(()),
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
        // Arguments that have their names in the table at `Known` may be given by position too.
        let named: &[&str] = match function {
            Known::Reduce(_) | Known::Mean | Known::Squeeze | Known::ExpandDims => &["axis"],
            Known::Cumulative(_) | Known::Nancumulative(_) => &["axis", "dtype"],
            Known::Transpose => &["axes"],
            Known::Take => &["indices", "axis"],
            Known::Round => &["decimals"],
            Known::BroadcastTo => &["shape"],
            _ => &[],
        };
        if !named.is_empty() && of.len() > 1 {
            if of.len() - 1 > named.len() {
                return None;
            }
            keywords.0.extend(named.iter().copied().zip(of.drain(1..)));
        }
        match function {
            Known::Unary(f) => self.unary(f, &of, &keywords),
            Known::Binary(f) => {
                keywords.none_left()?;
                let [a, b] = &of[..] else { return None };
                self.binary(f, a, b)
            }
            Known::Where => self.choose(&of, &keywords),
            Known::Clip => self.clip(&of, &keywords),
            Known::Round => self.round(&of, keywords),
            Known::Astype => self.astype(&of, keywords),
            Known::EnforceDtype => {
                let dtype = keywords.constant("enforce_dtype")?;
                let function = keywords.constant("enforce_dtype_function")?;
                let (Constant::DType(dtype), Constant::Function(function)) = (dtype, function) else {
                    return None;
                };
                let result = self.call(function, of, keywords)?;
                match &result {
                    Abstract::Array(_, got, _) => (*got == dtype).then_some(result),
                    // The dtype is that of what is indexed.
                    Abstract::Unshaped(_) => Some(result),
                    _ => None,
                }
            }

            Known::Reduce(f) => self.reduce(f, &of, keywords),
            Known::Mean => self.mean(&of, keywords),
            Known::MeanChunk => self.mean_chunk(&of, keywords),
            Known::MeanCombine => self.mean_combine(&of, keywords),
            Known::MeanAgg => self.mean_agg(&of, keywords),
            Known::MomentChunk => self.moment_chunk(&of, keywords),
            Known::MomentCombine => self.moment_combine(&of, keywords),
            Known::MomentAgg => self.moment_agg(&of, keywords),
            Known::ArgChunk => self.arg_chunk(&of, &keywords),
            Known::ArgCombine => self.arg_combine(&of, keywords),
            Known::ArgAgg => self.arg_agg(&of, keywords),
            Known::Cumulative(f) => self.cumulative(f, false, &of, keywords),
            Known::Nancumulative(f) => self.cumulative(f, true, &of, keywords),
            Known::PrefixFirst | Known::PrefixCombine => self.prefix(of, &keywords),

            Known::Coarsen => self.coarsen(&of, keywords),
            Known::Topk => self.topk(&of, keywords, false),
            Known::TopkAggregate => self.topk(&of, keywords, true),
            Known::Histogram => self.histogram(&of, &keywords),

            Known::Transpose => self.transpose(&of, keywords),
            Known::Reshape => self.reshape(&of, &keywords),
            Known::Squeeze => self.squeeze(&of, keywords),
            Known::ExpandDims => self.expand_dims(&of, keywords),
            Known::BroadcastTo => self.broadcast_to(&of, keywords),
            Known::Concatenate => {
                let axes = keywords.constant("axes")?;
                keywords.none_left()?;
                let list = of.first().filter(|_| of.len() == 1)?;
                self.concatenate(list, &numbers(&axes)?)
            }
            Known::ConcatenateShaped => self.concatenate_shaped(&of, &keywords),
            Known::Assemble => self.assemble_nested(of, &keywords),

            Known::Getitem => {
                keywords.none_left()?;
                let [x, index] = &of[..] else { return None };
                self.getitem(x, index)
            }
            Known::ShuffleMerge => self.shuffle_merge(&of, &keywords),
            Known::Take => self.take(&of, keywords),

            Known::Matmul => self.matmul(&of, &keywords),
            Known::Dot => self.dot(&of, &keywords),
            Known::Tensordot => self.tensordot(&of, keywords),
            Known::Einsum => self.einsum(&of, keywords),
            Known::ChunkSum => self.chunk_sum(of, keywords),

            Known::Full => self.full(&of, keywords),
            Known::Ones => self.full_like(&of, Some(1), keywords),
            Known::Zeros => self.full_like(&of, Some(0), keywords),
            Known::FullLike => self.full_like(&of, None, keywords),
            Known::Arange => self.arange(&of, keywords),
            Known::Eye => self.eye(&of, &keywords),
            Known::Generator => self.generator(&of, &keywords),
            Known::RandomState => self.random_state(&of, &keywords),

            // Functions that only others take, and what is taken apart before.
            Known::Numel
            | Known::Nannumel
            | Known::Arg(_)
            | Known::ShuffleSplit
            | Known::Partial
            | Known::Compose
            | Known::Apply
            | Known::Container
            | Known::Cast
            | Known::List
            | Known::Tuple
            | Known::Dict => None,
        }
    }

    fn push(&mut self, op: Op, of: Vec<u32>, dtype: DType, shape: Vec<usize>) -> Abstract {
        Abstract::Array(self.value(op, of), dtype, shape)
    }

    /// The number of an instruction's value.
    fn value(&mut self, op: Op, of: Vec<u32>) -> u32 {
        self.body.push(Instr { op, of });
        self.inputs + self.body.len() as u32 - 1
    }

    fn scalar(&mut self, value: Scalar, dtype: DType) -> u32 {
        self.value(Op::Full { dtype, value, shape: vec![] }, vec![])
    }

    /// The program, once its last step is written.
    fn finish(mut self, recipe: &Recipe, steps: &[Abstract], numbers: usize) -> Option<Specialised> {
        let (mut record, mut rest) = (None, None);
        match steps.last()? {
            // The result is the program's last value.
            Abstract::Array(id, ..) => {
                if *id + 1 != self.inputs + self.body.len() as u32 || self.body.is_empty() {
                    return None;
                }
            }
            Abstract::Record(fields, parts) => {
                self.value(Op::Tuple, parts.iter().map(|(id, ..)| *id).collect());
                record = Some(*fields);
            }
            Abstract::Unshaped(id) if steps.len() == recipe.calls.len() => {
                if *id + 1 != self.inputs + self.body.len() as u32 {
                    return None;
                }
            }
            Abstract::Unshaped(_) => {
                let (of, recipe) = after(recipe, steps)?;
                self.value(Op::Tuple, of);
                rest = Some(recipe);
            }
            _ => return None,
        }
        let program = Program { inputs: self.inputs, args: numbers as u32, body: self.body };
        Some(Specialised { program, record, rest })
    }
}

/// The calls after these steps, and the values that they need of them.
fn after(recipe: &Recipe, steps: &[Abstract]) -> Option<(Vec<u32>, Recipe)> {
    let done = steps.len();
    let (mut of, mut places) = (vec![], vec![None; done]);
    let mut calls = recipe.calls[done..].to_vec();
    for Call { of: arguments, keywords, .. } in &mut calls {
        for argument in arguments.iter_mut().chain(keywords.iter_mut().map(|(_, v)| v)) {
            rename(argument, &mut |step| {
                if step >= done {
                    return Some(Ref::Step(step - done));
                }
                if places[step].is_none() {
                    let (Abstract::Array(id, ..) | Abstract::Unshaped(id)) = steps[step] else { return None };
                    places[step] = Some(of.len());
                    of.push(id);
                }
                places[step].map(|place| Ref::Input(recipe.inputs + place))
            })?;
        }
    }
    let inputs = recipe.inputs + of.len();
    Some((of, Recipe { calls, inputs }))
}

/// Replaces references to steps.
fn rename(argument: &mut Ref, new: &mut impl FnMut(usize) -> Option<Ref>) -> Option<()> {
    match argument {
        Ref::Step(step) => *argument = new(*step)?,
        Ref::List(items) | Ref::Tuple(items) => items.iter_mut().try_for_each(|item| rename(item, new))?,
        Ref::Input(_) | Ref::Constant(_) => {}
    }
    Some(())
}

impl Abstract {
    /// What it is when it holds no array.
    fn constant(&self) -> Option<Constant> {
        match self {
            Abstract::Constant(constant) => Some(constant.clone()),
            Abstract::Tuple(items) | Abstract::List(items) => {
                items.iter().map(Abstract::constant).collect::<Option<_>>().map(Constant::Tuple)
            }
            Abstract::Array(..) | Abstract::Unshaped(_) | Abstract::Record(..) => None,
        }
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

/// A number, or several, none negative: a shape, or axes.
fn numbers(constant: &Constant) -> Option<Vec<usize>> {
    let Constant::Tuple(items) = as_tuple(constant) else { return None };
    items.iter().map(|i| usize::try_from(int(i)?).ok()).collect()
}

fn as_tuple(constant: &Constant) -> Constant {
    match constant {
        Constant::Tuple(_) => constant.clone(),
        other => Constant::Tuple(vec![other.clone()]),
    }
}

/// Axes, none negative and each once; `None` when one does not exist.
fn axes_of(constant: &Constant, ndim: usize) -> Option<Vec<usize>> {
    let Constant::Tuple(axes) = as_tuple(constant) else { return None };
    let ndim = ndim as i64;
    let axes: Vec<usize> = axes
        .iter()
        .map(|a| {
            let a = int(a)?;
            let a = if a < 0 { a + ndim } else { a };
            (0..ndim).contains(&a).then_some(a as usize)
        })
        .collect::<Option<_>>()?;
    let twice = axes.iter().enumerate().any(|(i, a)| axes[..i].contains(a));
    (!twice).then_some(axes)
}

/// As [`axes_of`], sorted, and every axis for `None` of Python's.
fn reduced_axes(constant: &Constant, ndim: usize) -> Option<Vec<usize>> {
    if *constant == Constant::None {
        return Some((0..ndim).collect());
    }
    let mut axes = axes_of(constant, ndim)?;
    axes.sort_unstable();
    Some(axes)
}

fn as_u32(axes: &[usize]) -> Vec<u32> {
    axes.iter().map(|&a| a as u32).collect()
}
