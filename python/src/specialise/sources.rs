//! Arrays that come from nothing but numbers.

use super::{Abstract, Keywords, Writer, array, int, numbers};
use crate::recipe::{Constant, Known, Number};
use dask_plan::program::{Binary, Draw, Int, Op, Rng};
use dask_plan::{DType, Kind, Scalar, infer};

impl Writer {
    /// `_broadcast_trick_inner(function, shape, meta)`, taken apart: the function is one of the constants.
    pub(super) fn full(&mut self, of: &[Abstract], mut keywords: Keywords<'_>) -> Option<Abstract> {
        let Constant::DType(dtype) = keywords.constant("dtype")? else { return None };
        let given = keywords.constant("fill_value")?;
        keywords.none_left()?;
        let [Abstract::Constant(Constant::Function(f)), shape] = of else { return None };
        let value = match (f, given) {
            (Known::Ones, Constant::None) => Scalar::Int(1),
            (Known::Zeros, Constant::None) => Scalar::Int(0),
            (Known::FullLike, Constant::Number(n)) => n.0,
            _ => return None,
        };
        self.filled(value, dtype, numbers(&shape.constant()?)?)
    }

    /// One value everywhere.
    fn filled(&mut self, value: Scalar, dtype: DType, shape: Vec<usize>) -> Option<Abstract> {
        let real = value.to_complex().re;
        let value = match (value, dtype.kind()) {
            (Scalar::Int(_) | Scalar::Bool(_), Kind::Float) => Scalar::Float(real),
            (Scalar::Int(_) | Scalar::Bool(_) | Scalar::Float(_), Kind::Complex) => {
                Scalar::Complex(real, 0.0)
            }
            (Scalar::Int(i @ (0 | 1)), Kind::Bool) => Scalar::Bool(i == 1),
            (Scalar::Bool(b), Kind::Bool) => Scalar::Bool(b),
            (Scalar::Float(f), Kind::Float) => Scalar::Float(f),
            (Scalar::Int(_), Kind::Signed | Kind::Unsigned) if infer::fits(value, dtype) => value,
            _ => return None,
        };
        let ints = shape.iter().map(|&n| Int::from(n)).collect();
        Some(self.push(Op::Full { dtype, value, shape: ints }, vec![], dtype, shape))
    }

    /// `zeros_like(x)`, `ones_like(x)`, and with a value of its own `full_like(x, value)`.
    pub(super) fn full_like(
        &mut self,
        of: &[Abstract],
        value: Option<i64>,
        mut keywords: Keywords<'_>,
    ) -> Option<Abstract> {
        let (x, mut rest) = of.split_first()?;
        let value = match value {
            Some(i) => Scalar::Int(i),
            None => {
                let (value, others) = rest.split_first()?;
                rest = others;
                let Abstract::Constant(Constant::Number(n)) = value else { return None };
                n.0
            }
        };
        let given = match rest {
            [] => keywords.constant("dtype")?,
            [dtype] => dtype.constant()?,
            _ => return None,
        };
        let shape = keywords.constant("shape")?;
        keywords.none_left()?;
        let (dtype, own) = match x {
            Abstract::Array(_, dtype, shape) => (*dtype, Some(shape.clone())),
            Abstract::Constant(Constant::Empty(dtype)) => (*dtype, None),
            _ => return None,
        };
        let dtype = match given {
            Constant::None => dtype,
            Constant::DType(d) => d,
            _ => return None,
        };
        let shape = match shape {
            Constant::None => own?,
            shape => numbers(&shape)?,
        };
        self.filled(value, dtype, shape)
    }

    /// `chunk.arange(start, stop, step, length, dtype)`
    pub(super) fn arange(&mut self, of: &[Abstract], mut keywords: Keywords<'_>) -> Option<Abstract> {
        match keywords.take("like") {
            None | Some(Abstract::Constant(Constant::None | Constant::Empty(_))) => {}
            Some(_) => return None,
        }
        keywords.none_left()?;
        let constants: Vec<Constant> = of.iter().map(Abstract::constant).collect::<Option<_>>()?;
        let [start, stop, step, length, Constant::DType(dtype)] = &constants[..] else { return None };
        let (start, stop, step) = (int(start)?, int(stop)?, int(step).filter(|s| *s != 0)?);
        let length = usize::try_from(int(length)?).ok()?;
        // As many as lie in the range, and not more than `length`, which Dask's numbers always are.
        let span = i128::from(stop) - i128::from(start);
        let step_wide = i128::from(step);
        let count = (span + step_wide - step_wide.signum()) / step_wide;
        let last = i128::from(start) + step_wide * (length.max(1) as i128 - 1);
        if count != length as i128
            || !matches!(dtype.kind(), Kind::Signed | Kind::Unsigned | Kind::Float)
            || !infer::fits(Scalar::Int(start), *dtype)
            || !i64::try_from(last).is_ok_and(|last| infer::fits(Scalar::Int(last), *dtype))
        {
            return None;
        }
        let op = Op::Arange {
            dtype: *dtype,
            start: Scalar::Int(start),
            step: Scalar::Int(step),
            offset: Int::Lit(0),
            len: Int::from(length),
        };
        Some(self.push(op, vec![], *dtype, vec![length]))
    }

    /// `eye(rows, columns, k, dtype)`
    pub(super) fn eye(&mut self, of: &[Abstract], keywords: &Keywords<'_>) -> Option<Abstract> {
        keywords.none_left()?;
        let constants: Vec<Constant> = of.iter().map(Abstract::constant).collect::<Option<_>>()?;
        let [rows, columns, k, Constant::DType(dtype)] = &constants[..] else { return None };
        let (rows, columns) = (usize::try_from(int(rows)?).ok()?, usize::try_from(int(columns)?).ok()?);
        let shape = [Int::from(rows), Int::from(columns)];
        let op = Op::Eye { dtype: *dtype, k: int(k)?, row: Int::Lit(0), col: Int::Lit(0), shape };
        Some(self.push(op, vec![], *dtype, vec![rows, columns]))
    }

    /// `_apply_random_func`
    pub(super) fn generator(&mut self, of: &[Abstract], keywords: &Keywords<'_>) -> Option<Abstract> {
        keywords.none_left()?;
        let [Abstract::Constant(Constant::Pcg64), name, seed, size, args, options] = of else { return None };
        let Abstract::Constant(Constant::Seed(words, number)) = seed else { return None };
        let rng = Rng::Pcg64 { entropy: words.clone(), spawned: 0 };
        let drawn = Drawn::new(name, args, options)?;
        self.draw(rng, Int::Arg(*number), vec![], &drawn, size)
    }

    /// `_apply_random`
    pub(super) fn random_state(&mut self, of: &[Abstract], keywords: &Keywords<'_>) -> Option<Abstract> {
        keywords.none_left()?;
        let [Abstract::Constant(Constant::RandomState), name, key, size, args, options] = of else {
            return None;
        };
        let (key, DType::UInt32, shape) = array(key)? else { return None };
        if shape != [624] {
            return None;
        }
        let drawn = Drawn::new(name, args, options)?;
        self.draw(Rng::Mt19937Key, Int::Lit(0), vec![key], &drawn, size)
    }

    fn draw(
        &mut self,
        rng: Rng,
        block: Int,
        of: Vec<u32>,
        drawn: &Drawn,
        size: &Abstract,
    ) -> Option<Abstract> {
        let shape = numbers(&size.constant()?)?;
        let ints = shape.iter().map(|&n| Int::from(n)).collect();
        let op = Op::Random { rng, draw: drawn.draw, dtype: drawn.dtype, block, shape: ints };
        let mut x = self.value(op, of);
        if let Some((scale, shift)) = drawn.moved {
            let (scale, shift) = (
                self.scalar(Scalar::Float(scale), DType::Float64),
                self.scalar(Scalar::Float(shift), DType::Float64),
            );
            x = self.value(Op::Binary(Binary::Multiply), vec![scale, x]);
            x = self.value(Op::Binary(Binary::Add), vec![shift, x]);
        }
        Some(Abstract::Array(x, drawn.dtype, shape))
    }
}

/// What a generator's method draws.
struct Drawn {
    draw: Draw,
    dtype: DType,
    /// A factor and a summand.
    moved: Option<(f64, f64)>,
}

impl Drawn {
    fn new(name: &Abstract, args: &Abstract, options: &Abstract) -> Option<Drawn> {
        let Abstract::Constant(Constant::Text(name)) = name else { return None };
        let (Constant::Tuple(args), Constant::Tuple(options)) = (args.constant()?, options.constant()?)
        else {
            return None;
        };
        let mut options: Vec<(&str, &Constant)> = options
            .iter()
            .map(|option| match option {
                Constant::Tuple(pair) => match &pair[..] {
                    [Constant::Text(name), value] => Some((name.as_str(), value)),
                    _ => None,
                },
                _ => None,
            })
            .collect::<Option<_>>()?;
        let mut option = |name: &str| {
            let at = options.iter().position(|(n, _)| *n == name)?;
            Some(options.swap_remove(at).1.clone())
        };
        let mut dtype = match option("dtype") {
            None => None,
            Some(Constant::DType(dtype)) => Some(dtype),
            Some(_) => return None,
        };
        let plain = matches!(option("out"), None | Some(Constant::None));
        let high = option("high");
        let closed = option("endpoint");
        let real = |c: &Constant| match c {
            Constant::Number(Number(n @ (Scalar::Int(_) | Scalar::Float(_)))) => Some(n.to_complex().re),
            _ => None,
        };
        let (draw, moved) = match (name.as_str(), &args[..]) {
            ("random" | "random_sample", []) => (Draw::Random, None),
            ("standard_normal", []) => (Draw::StandardNormal, None),
            ("normal", [mean, deviation]) => {
                let deviation = real(deviation).filter(|d| *d >= 0.0 && d.is_finite())?;
                (Draw::StandardNormal, Some((deviation, real(mean)?)))
            }
            ("uniform", [low, high]) => {
                let (low, high) = (real(low)?, real(high)?);
                let range = high - low;
                if range < 0.0 || !range.is_finite() {
                    return None;
                }
                (Draw::Random, Some((range, low)))
            }
            ("integers", [low]) => {
                let dtype = dtype.get_or_insert(DType::Int64);
                let (low, high) = match high.clone() {
                    None | Some(Constant::None) => (0, int(low)?),
                    Some(high) => (int(low)?, int(&high)?),
                };
                let high = match &closed {
                    None | Some(Constant::Number(Number(Scalar::Bool(false)))) => high,
                    Some(Constant::Number(Number(Scalar::Bool(true)))) => high.checked_add(1)?,
                    _ => return None,
                };
                if matches!(dtype.kind(), Kind::Float | Kind::Complex) {
                    return None;
                }
                (Draw::Integers { low, high }, None)
            }
            _ => return None,
        };
        let integers = matches!(draw, Draw::Integers { .. });
        let dtype = dtype.unwrap_or(DType::Float64);
        // Other options are not known, nor those that belong to another method.
        if !plain
            || !options.is_empty()
            || !integers && (dtype != DType::Float64 || high.is_some() || closed.is_some())
        {
            return None;
        }
        Some(Drawn { draw, dtype, moved })
    }
}
