//! Nested lists of numbers, as arrays: what `numpy.array` makes of them.

use super::number::Number;
use super::value::Value;
use crate::dtype::{DType, Kind};

/// The most axes that an array has.
pub(crate) const MAX_AXES: usize = 32;

/// A number, or a list of such.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Nest {
    Number(Number),
    List(Vec<Nest>),
}

/// An array's elements, in C order, little-endian.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Literal {
    pub(crate) dtype: DType,
    pub(crate) shape: Vec<u64>,
    pub(crate) data: Vec<u8>,
}

impl Nest {
    /// The nested lists of a value; an error says what in it is not a number.
    pub(crate) fn of(value: &Value) -> Result<Nest, String> {
        match value {
            Value::Number(n) => Ok(Nest::Number(*n)),
            Value::List(xs) | Value::Tuple(xs) => {
                Ok(Nest::List(xs.iter().map(Nest::of).collect::<Result<_, _>>()?))
            }
            Value::Array(_) => {
                Err("a list that holds arrays is no array; join them with `stack` or `concatenate`".into())
            }
            other => Err(format!("{} is neither a number nor an array", other.describe())),
        }
    }

    /// The array that `numpy.array(…, dtype)` makes of it.
    ///
    /// # Errors
    /// Lists of different lengths, or a number that the dtype does not hold.
    pub(crate) fn literal(&self, dtype: Option<DType>) -> Result<Literal, String> {
        let mut shape = vec![];
        let mut level = self;
        while let Nest::List(items) = level {
            if shape.len() == MAX_AXES {
                return Err(format!(
                    "lists are nested deeper than {MAX_AXES}, the most axes that an array has"
                ));
            }
            shape.push(items.len() as u64);
            match items.first() {
                Some(first) => level = first,
                None => break,
            }
        }
        let mut numbers = vec![];
        self.flatten(&shape, &mut numbers)?;
        let dtype = match dtype {
            Some(dtype) => dtype,
            None => infer(&numbers)?,
        };
        let mut data = Vec::with_capacity(numbers.len() * dtype.itemsize());
        for number in numbers {
            push(dtype, number, &mut data)?;
        }
        Ok(Literal { dtype, shape, data })
    }

    fn flatten(&self, shape: &[u64], numbers: &mut Vec<Number>) -> Result<(), String> {
        match (self, shape.split_first()) {
            (Nest::Number(n), None) => numbers.push(*n),
            (Nest::List(items), Some((len, rest))) if items.len() as u64 == *len => {
                for item in items {
                    item.flatten(rest, numbers)?;
                }
            }
            (Nest::List(items), Some((len, _))) => {
                return Err(format!(
                    "lists of {len} and of {} elements side by side make no array",
                    items.len()
                ));
            }
            (Nest::Number(n), Some(_)) => {
                return Err(format!("{n} stands beside a list, which makes no array"));
            }
            (Nest::List(_), None) => return Err("a list stands beside a number, which makes no array".into()),
        }
        Ok(())
    }
}

/// numpy's dtype for a list of Python numbers.
fn infer(numbers: &[Number]) -> Result<DType, String> {
    let kind = numbers
        .iter()
        .map(|n| match n {
            Number::Bool(_) => Kind::Bool,
            Number::Int(_) => Kind::Signed,
            Number::Float(_) => Kind::Float,
            Number::Complex(..) => Kind::Complex,
        })
        .max();
    Ok(match kind {
        None | Some(Kind::Float) => DType::Float64,
        Some(Kind::Bool) => DType::Bool,
        Some(Kind::Complex) => DType::Complex128,
        Some(Kind::Signed | Kind::Unsigned) => {
            let fits =
                |low: i128, high: i128| numbers.iter().filter_map(|n| n.int()).all(|i| low <= i && i <= high);
            if fits(i64::MIN.into(), i64::MAX.into()) {
                DType::Int64
            } else if fits(0, u64::MAX.into()) {
                DType::UInt64
            } else {
                return Err("the integers fit neither int64 nor uint64; give a dtype, such as float64".into());
            }
        }
    })
}

/// Appends a number's bytes.
fn push(dtype: DType, number: Number, data: &mut Vec<u8>) -> Result<(), String> {
    let refuse = || format!("{number} is no {dtype}");
    // Integral floats are let in, as in `data: [1, 2e3]` with an integer dtype; fractions would be lost silently.
    let int = || match number {
        Number::Float(f) if f.fract() == 0.0 && f.abs() < 1e38 => Some(f as i128),
        n => n.int(),
    };
    macro_rules! integer {
        ($t:ty) => {{
            let value = int().ok_or_else(refuse)?;
            let value = <$t>::try_from(value).map_err(|_| {
                format!(
                    "{number} is out of bounds for {dtype}, which goes from {} to {}",
                    <$t>::MIN,
                    <$t>::MAX
                )
            })?;
            data.extend_from_slice(&value.to_le_bytes());
        }};
    }
    let parts = match number {
        Number::Complex(re, im) => Some((re, im)),
        n => n.real().map(|re| (re, 0.0)),
    };
    match dtype {
        DType::Bool => match int().ok_or_else(refuse)? {
            b @ (0 | 1) => data.push(b as u8),
            _ => return Err(refuse()),
        },
        DType::Int8 => integer!(i8),
        DType::Int16 => integer!(i16),
        DType::Int32 => integer!(i32),
        DType::Int64 => integer!(i64),
        DType::UInt8 => integer!(u8),
        DType::UInt16 => integer!(u16),
        DType::UInt32 => integer!(u32),
        DType::UInt64 => integer!(u64),
        DType::Float32 => data.extend_from_slice(&(number.real().ok_or_else(refuse)? as f32).to_le_bytes()),
        DType::Float64 => data.extend_from_slice(&number.real().ok_or_else(refuse)?.to_le_bytes()),
        DType::Complex64 => {
            let (re, im) = parts.ok_or_else(refuse)?;
            data.extend_from_slice(&(re as f32).to_le_bytes());
            data.extend_from_slice(&(im as f32).to_le_bytes());
        }
        DType::Complex128 => {
            let (re, im) = parts.ok_or_else(refuse)?;
            data.extend_from_slice(&re.to_le_bytes());
            data.extend_from_slice(&im.to_le_bytes());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(numbers: &[Number]) -> Nest {
        Nest::List(numbers.iter().map(|n| Nest::Number(*n)).collect())
    }

    #[test]
    fn dtypes_are_numpys() {
        use Number::*;
        for (numbers, dtype) in [
            (vec![], DType::Float64),
            (vec![Bool(true)], DType::Bool),
            (vec![Bool(true), Int(2)], DType::Int64),
            (vec![Int(i128::from(u64::MAX))], DType::UInt64),
            (vec![Int(1), Float(0.5)], DType::Float64),
            (vec![Int(1), Complex(0.0, 1.0)], DType::Complex128),
        ] {
            assert_eq!(list(&numbers).literal(None).map(|l| l.dtype), Ok(dtype));
        }
        assert!(list(&[Int(-1), Int(i128::from(u64::MAX))]).literal(None).is_err());
    }

    #[test]
    fn elements_are_little_endian_in_c_order() {
        let rows = Nest::List(vec![
            list(&[Number::Int(1), Number::Int(2)]),
            list(&[Number::Int(3), Number::Float(4.0)]),
        ]);
        let literal = rows.literal(Some(DType::Int16)).unwrap();
        assert_eq!((literal.shape, literal.data), (vec![2, 2], vec![1, 0, 2, 0, 3, 0, 4, 0]));
        assert_eq!(Nest::Number(Number::Bool(true)).literal(None).unwrap().shape, Vec::<u64>::new());
        assert_eq!(Nest::List(vec![Nest::List(vec![])]).literal(None).unwrap().shape, vec![1, 0]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let n = |n| Nest::Number(n);
        let ragged = Nest::List(vec![list(&[Number::Int(1)]), list(&[Number::Int(1), Number::Int(2)])]);
        assert!(ragged.literal(None).unwrap_err().contains("side by side"));
        assert!(Nest::List(vec![n(Number::Int(1)), list(&[])]).literal(None).is_err());
        assert!(Nest::List(vec![list(&[]), n(Number::Int(1))]).literal(None).is_err());
        assert!(n(Number::Int(300)).literal(Some(DType::UInt8)).unwrap_err().contains("from 0 to 255"));
        assert!(n(Number::Float(1.5)).literal(Some(DType::Int8)).is_err());
        assert!(n(Number::Complex(1.0, 0.0)).literal(Some(DType::Float64)).is_err());
        let deep = (0..40).fold(n(Number::Int(1)), |x, _| Nest::List(vec![x]));
        assert!(deep.literal(None).unwrap_err().contains("deeper"));
    }
}
