//! Prints arrays as numpy does, byte for byte: `print(x)` with numpy 2.4's default print options.

mod decimal;
mod float;
mod scalar;

use crate::chunk::{Chunk, Element};
use dask_plan::plan::{PRINTED_EDGE, PRINTED_WHOLE};
use dask_plan::{DType, Kind};
use float::{ComplexFormat, FloatFormat};
use ndarray::{ArrayViewD, Axis};

/// Columns of a line.
const LINE_WIDTH: usize = 75;

/// What `print(x)` shows, without the last newline.
///
/// `chunk` is the whole array, or what numpy's summary shows of it: every axis that the summary cuts is cut to its
/// first and last items already (as many at each end). `summary_of` then is the shape of the whole array; axes whose
/// extent differs from it get `...` in the middle. A 0-d array prints as its scalar.
pub fn array(chunk: &Chunk, summary_of: Option<&[u64]>) -> String {
    if chunk.ndim() == 0 {
        return scalar::scalar(chunk);
    }
    if chunk.is_empty() {
        return "[]".into();
    }
    let cut: Vec<bool> = match summary_of {
        Some(whole) => chunk.shape().iter().zip(whole).map(|(&n, &whole)| n as u64 != whole).collect(),
        None => vec![false; chunk.ndim()],
    };
    let words = words(chunk);
    Layout { words: &words, shape: chunk.shape(), cut: &cut }.axis(0, 0, 1, LINE_WIDTH)
}

/// What `print(x)` shows of a whole array, without the last newline: a summary if it is large.
pub fn whole(x: &Chunk) -> String {
    if x.len() as u64 <= PRINTED_WHOLE {
        return array(x, None);
    }
    let shape: Vec<u64> = x.shape().iter().map(|&n| n as u64).collect();
    let ends = crate::with_dtype!(x.dtype(), T => ends(x.view::<T>()));
    array(&ends, Some(&shape))
}

/// The first and last items of every axis that a summary cuts.
fn ends<T: Element>(x: ArrayViewD<'_, T>) -> Chunk {
    let edge = PRINTED_EDGE as usize;
    let cut = |x: ArrayViewD<'_, T>, axis: usize| {
        let n = x.shape()[axis];
        let kept: Vec<usize> = (0..n).filter(|i| n <= 2 * edge || *i < edge || *i >= n - edge).collect();
        x.select(Axis(axis), &kept)
    };
    match x.ndim() {
        0 => Chunk::from_array(&x),
        ndim => {
            let first = cut(x, 0);
            Chunk::from_array(&(1..ndim).fold(first, |x, axis| cut(x.view(), axis)).view())
        }
    }
}

/// Every element's text, in C order, padded to a common width as numpy does.
fn words(chunk: &Chunk) -> Vec<String> {
    let chunk = chunk.to_contiguous();
    match chunk.dtype() {
        DType::Bool => elements::<bool>(&chunk)
            .iter()
            .map(|&b| if b { " True".into() } else { "False".into() })
            .collect(),
        DType::Float32 => {
            let values = elements::<f32>(&chunk);
            let format = FloatFormat::new(values.iter().copied(), false);
            values.iter().map(|&x| format.format(x)).collect()
        }
        DType::Float64 => {
            let values = elements::<f64>(&chunk);
            let format = FloatFormat::new(values.iter().copied(), false);
            values.iter().map(|&x| format.format(x)).collect()
        }
        DType::Complex64 => {
            let values = elements::<num_complex::Complex32>(&chunk);
            let format = ComplexFormat::new(values);
            values.iter().map(|x| format.format(x)).collect()
        }
        DType::Complex128 => {
            let values = elements::<num_complex::Complex64>(&chunk);
            let format = ComplexFormat::new(values);
            values.iter().map(|x| format.format(x)).collect()
        }
        integer => {
            debug_assert!(matches!(integer.kind(), Kind::Signed | Kind::Unsigned));
            crate::with_dtype!(integer, T in [i8, i16, i32, i64, u8, u16, u32, u64] => {
                let words: Vec<String> = elements::<T>(&chunk).iter().map(T::to_string).collect();
                let width = words.iter().map(String::len).max().unwrap_or(0);
                words.into_iter().map(|w| format!("{w:>width$}")).collect()
            }, else => vec![])
        }
    }
}

fn elements<T: Element>(contiguous: &Chunk) -> &[T] {
    contiguous.as_slice::<T>().unwrap_or_default()
}

/// Puts words into rows and brackets: numpy's `_formatArray`.
struct Layout<'a> {
    words: &'a [String],
    shape: &'a [usize],
    cut: &'a [bool],
}

impl Layout<'_> {
    /// The text of everything along `axis` for the elements from `first`; lines after the first one start with
    /// `indent` spaces.
    fn axis(&self, axis: usize, first: usize, indent: usize, width: usize) -> String {
        if axis + 1 == self.shape.len() {
            return self.row(first, indent, width);
        }
        let step: usize = self.shape[axis + 1..].iter().product();
        let between = "\n".repeat(self.shape.len() - axis - 1) + &" ".repeat(indent);
        let mut parts = vec![];
        for i in 0..self.shape[axis] {
            if self.gap_before(axis, i) {
                parts.push("...".to_string());
            }
            parts.push(self.axis(axis + 1, first + i * step, indent + 1, width - 1));
        }
        format!("[{}]", parts.join(&between))
    }

    /// The last axis: words side by side, wrapped where the line would be too long.
    fn row(&self, first: usize, indent: usize, width: usize) -> String {
        let width = width.saturating_sub(1);
        let prefix = " ".repeat(indent);
        let (mut done, mut line) = (String::new(), prefix.clone());
        let mut add = |word: &str, last: bool| {
            if line.len() + word.len() > width && line.len() > prefix.len() {
                done.push_str(line.trim_end());
                done.push('\n');
                line.clone_from(&prefix);
            }
            line.push_str(word);
            if !last {
                line.push(' ');
            }
        };
        let axis = self.shape.len() - 1;
        let n = self.shape[axis];
        for i in 0..n {
            if self.gap_before(axis, i) {
                add("...", false);
            }
            add(&self.words[first + i], i + 1 == n);
        }
        done.push_str(&line);
        format!("[{}]", &done[indent..])
    }

    fn gap_before(&self, axis: usize, i: usize) -> bool {
        self.cut[axis] && i == self.shape[axis].div_ceil(2)
    }
}

#[cfg(test)]
mod tests;
