//! Uniform integers in a closed range, as numpy draws them: `Generator` multiplies (D. Lemire 2019), `RandomState`
//! masks and rejects. Ranges of 32 bits take 32-bit draws, narrow dtypes several numbers from one draw.

use super::Bits;
use crate::DType;

/// How a draw is brought into the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// `Generator.integers`.
    Multiply,
    /// `RandomState.randint`.
    Mask,
}

/// Draws `low + v`, `v` uniform in `0..=range`.
pub(super) struct Integers {
    low: u64,
    range: u64,
    method: Method,
    narrow: Option<Narrow>,
}

impl Integers {
    /// For an integer dtype or bool that holds the whole range.
    pub(super) fn new((low, range): (i64, u64), method: Method, dtype: DType) -> Integers {
        let width = if dtype == DType::Bool { 1 } else { dtype.itemsize() as u32 * 8 };
        // A range of 32 bits takes 32-bit draws, even of 64-bit integers.
        let narrow = width < 64 || range <= u64::from(u32::MAX);
        let narrow = narrow.then_some(Narrow { width: width.min(32), word: 0, left: 0 });
        Integers { low: low as u64, range, method, narrow }
    }

    /// The next numbers; `cast` keeps the lowest bits.
    pub(super) fn fill<T>(&mut self, bits: &mut impl Bits, cast: fn(u64) -> T, out: &mut [T]) {
        let (low, range) = (self.low, self.range);
        let mask = u64::MAX.checked_shr(range.leading_zeros()).unwrap_or(0);
        if range == 0 {
            return each(out, low, cast, || 0);
        }
        match (&mut self.narrow, self.method) {
            (Some(narrow), _) if range == narrow.most() => each(out, low, cast, || narrow.next(bits)),
            (Some(narrow), Method::Mask) => {
                each(out, low, cast, || rejected(range, || narrow.next(bits) & mask))
            }
            (Some(narrow), Method::Multiply) => {
                let width = narrow.width;
                each(out, low, cast, || multiplied(range, width, || narrow.next(bits)));
            }
            (None, _) if range == u64::MAX => each(out, low, cast, || bits.next_u64()),
            (None, Method::Mask) => each(out, low, cast, || rejected(range, || bits.next_u64() & mask)),
            (None, Method::Multiply) => each(out, low, cast, || multiplied_wide(range, || bits.next_u64())),
        }
    }
}

fn each<T>(out: &mut [T], low: u64, cast: fn(u64) -> T, mut next: impl FnMut() -> u64) {
    out.iter_mut().for_each(|out| *out = cast(low.wrapping_add(next())));
}

/// Cuts 32-bit draws into numbers of 1, 8, 16 or 32 bits, lowest first.
struct Narrow {
    width: u32,
    word: u32,
    left: u32,
}

impl Narrow {
    fn most(&self) -> u64 {
        u64::MAX >> (64 - self.width)
    }

    fn next(&mut self, bits: &mut impl Bits) -> u64 {
        if self.left == 0 {
            self.word = bits.next_u32();
            self.left = 32 / self.width;
        } else {
            self.word >>= self.width;
        }
        self.left -= 1;
        u64::from(self.word) & self.most()
    }
}

fn rejected(range: u64, mut draw: impl FnMut() -> u64) -> u64 {
    loop {
        let value = draw();
        if value <= range {
            return value;
        }
    }
}

/// `range` is below the greatest number of `width` bits, which is at most 32.
fn multiplied(range: u64, width: u32, mut draw: impl FnMut() -> u64) -> u64 {
    let (count, low) = (range + 1, u64::MAX >> (64 - width));
    let mut product = draw() * count;
    if product & low < count {
        let threshold = (low - range) % count;
        while product & low < threshold {
            product = draw() * count;
        }
    }
    product >> width
}

/// As [`multiplied`], for 64 bits.
fn multiplied_wide(range: u64, mut draw: impl FnMut() -> u64) -> u64 {
    let count = range + 1;
    let mut product = u128::from(draw()) * u128::from(count);
    if (product as u64) < count {
        let threshold = (u64::MAX - range) % count;
        while (product as u64) < threshold {
            product = u128::from(draw()) * u128::from(count);
        }
    }
    (product >> 64) as u64
}
