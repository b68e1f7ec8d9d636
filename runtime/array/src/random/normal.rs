//! Normal numbers: the ziggurat of `Generator`, the polar method of `RandomState`.

use super::ziggurat::{HEIGHT, INSIDE, INV_R, R, WIDTH};
use super::{Bits, unit_single};

/// `Generator.standard_normal`, double precision.
pub(super) fn ziggurat(bits: &mut impl Bits) -> f64 {
    loop {
        let draw = bits.next_u64();
        let strip = (draw & 0xff) as usize;
        let place = draw >> 9 & 0x000f_ffff_ffff_ffff;
        let x = place as f64 * WIDTH[strip];
        let x = if draw >> 8 & 1 == 1 { -x } else { x };
        if place < INSIDE[strip] {
            return x;
        }
        if strip == 0 {
            loop {
                let x = -INV_R * (-bits.next_f64()).ln_1p();
                let y = -(-bits.next_f64()).ln_1p();
                if y + y > x * x {
                    return if place >> 8 & 1 == 1 { -(R + x) } else { R + x };
                }
            }
        }
        let height = (HEIGHT[strip - 1] - HEIGHT[strip]) * bits.next_f64() + HEIGHT[strip];
        if height < (-0.5 * x * x).exp() {
            return x;
        }
    }
}

/// `Generator.standard_normal(dtype=float32)`: the same tables, rounded to single precision.
pub(super) fn ziggurat_single(bits: &mut impl Bits) -> f32 {
    let height = |strip: usize| HEIGHT[strip] as f32;
    loop {
        let draw = bits.next_u32();
        let strip = (draw & 0xff) as usize;
        let place = draw >> 9;
        let x = place as f32 * (WIDTH[strip] * (1u64 << 29) as f64) as f32;
        let x = if draw >> 8 & 1 == 1 { -x } else { x };
        if u64::from(place) < (INSIDE[strip] + (1 << 28)) >> 29 {
            return x;
        }
        if strip == 0 {
            loop {
                let x = -(INV_R as f32) * (-unit_single(bits.next_u32())).ln_1p();
                let y = -(-unit_single(bits.next_u32())).ln_1p();
                if y + y > x * x {
                    return if place >> 8 & 1 == 1 { -(R as f32 + x) } else { R as f32 + x };
                }
            }
        }
        let edge = (height(strip - 1) - height(strip)) * unit_single(bits.next_u32()) + height(strip);
        // numpy's comparison is in double precision.
        if f64::from(edge) < (-0.5 * f64::from(x) * f64::from(x)).exp() {
            return x;
        }
    }
}

/// `RandomState.standard_normal`: pairs by the polar method (Marsaglia and Bray 1964).
#[derive(Default)]
pub(super) struct Polar {
    second: Option<f64>,
}

impl Polar {
    pub(super) fn next(&mut self, bits: &mut impl Bits) -> f64 {
        if let Some(second) = self.second.take() {
            return second;
        }
        loop {
            let (a, b) = (2.0 * bits.next_f64() - 1.0, 2.0 * bits.next_f64() - 1.0);
            let square = a * a + b * b;
            if square < 1.0 && square != 0.0 {
                let scale = (-2.0 * square.ln() / square).sqrt();
                self.second = Some(scale * a);
                return scale * b;
            }
        }
    }
}
