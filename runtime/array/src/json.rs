//! Arrays as JSON.

use crate::chunk::{Chunk, Element};
use ndarray::{ArrayViewD, Axis};
use num_complex::{Complex32, Complex64};
use serde_json::Value;

/// Nested lists of numbers, or one value for a 0-d array: what Python's `json.dumps(x.tolist())` writes.
///
/// Integers are exact. A `float32` becomes the `float64` of the same value. A complex number is `[re, im]`. JSON has
/// no NaN and infinities: they are the strings `"NaN"`, `"Infinity"` and `"-Infinity"`, which Python's and Rust's
/// `float` parsers read.
pub fn value(chunk: &Chunk) -> Value {
    crate::with_dtype!(chunk.dtype(), T => nested(&chunk.view::<T>()))
}

fn nested<T: Json>(view: &ArrayViewD<'_, T>) -> Value {
    match view.ndim() {
        0 => view.first().map_or(Value::Null, |x| x.json()),
        1 => view.iter().map(|x| x.json()).collect(),
        _ => view.axis_iter(Axis(0)).map(|row| nested(&row)).collect(),
    }
}

/// An element as JSON.
trait Json: Element {
    fn json(self) -> Value;
}

macro_rules! exact {
    ($($t:ty),*) => { $(impl Json for $t {
        fn json(self) -> Value {
            self.into()
        }
    })* };
}
exact!(bool, i8, i16, i32, i64, u8, u16, u32, u64);

impl Json for f64 {
    fn json(self) -> Value {
        if self.is_nan() {
            return "NaN".into();
        }
        let infinity = if self > 0.0 { "Infinity" } else { "-Infinity" };
        serde_json::Number::from_f64(self).map_or_else(|| infinity.into(), Value::Number)
    }
}

impl Json for f32 {
    fn json(self) -> Value {
        f64::from(self).json()
    }
}

impl Json for Complex64 {
    fn json(self) -> Value {
        [self.re.json(), self.im.json()].into_iter().collect()
    }
}

impl Json for Complex32 {
    fn json(self) -> Value {
        [self.re.json(), self.im.json()].into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_python_writes_them() {
        for (chunk, text) in [
            (Chunk::scalar(2.0f64), "2.0"),
            (Chunk::scalar(true), "true"),
            (Chunk::scalar(u64::MAX), "18446744073709551615"),
            (Chunk::scalar(0.1f32), "0.10000000149011612"),
            (Chunk::scalar(Complex64::new(1.0, -0.5)), "[1.0,-0.5]"),
            (
                Chunk::from_slice(&[3], &[f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
                r#"["NaN","Infinity","-Infinity"]"#,
            ),
            (Chunk::from_slice(&[2, 2], &[1i8, 2, 3, 4]).transpose(&[1, 0]), "[[1,3],[2,4]]"),
            (Chunk::from_slice::<f32>(&[2, 0], &[]), "[[],[]]"),
        ] {
            assert_eq!(value(&chunk).to_string(), text);
        }
    }
}
