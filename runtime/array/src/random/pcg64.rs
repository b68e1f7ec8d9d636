//! PCG64 (XSL RR 128/64, M. E. O'Neill 2014), numpy's default generator.

use super::{Bits, seed, unit};

const MULTIPLIER: u128 = 0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645;

/// Streams that a fill runs side by side: one step waits for the one before, several do not wait for each other.
const LANES: usize = 16;

/// One step of the generator, `LANES` times: `state * JUMP.0 + increment * JUMP.1`.
const JUMP: (u128, u128) = jump(LANES as u128);

/// The generator.
#[derive(Clone, Debug)]
pub(super) struct Pcg64 {
    state: u128,
    increment: u128,
    /// The upper half of a draw whose lower half was taken.
    half: Option<u32>,
}

impl Pcg64 {
    /// `PCG64(SeedSequence(entropy, spawn_key=(child,)))`.
    pub(super) fn new(entropy: &[u32], child: u64) -> Pcg64 {
        let words: [u32; 8] = seed::generate_state(entropy, &seed::words(child));
        let wide = |i: usize| u128::from(words[i]) | u128::from(words[i + 1]) << 32;
        Pcg64::from_state(wide(0) << 64 | wide(2), wide(4) << 64 | wide(6))
    }

    fn from_state(state: u128, stream: u128) -> Pcg64 {
        let mut pcg = Pcg64 { state: 0, increment: stream << 1 | 1, half: None };
        pcg.step();
        pcg.state = pcg.state.wrapping_add(state);
        pcg.step();
        pcg
    }

    #[inline]
    fn step(&mut self) {
        self.state = self.state.wrapping_mul(MULTIPLIER).wrapping_add(self.increment);
    }

    /// Skips `n` draws of 64 bits, in time that grows with the logarithm of `n`.
    pub(super) fn skip(&mut self, n: u64) {
        let (multiplier, sum) = jump(u128::from(n));
        self.state = self.state.wrapping_mul(multiplier).wrapping_add(self.increment.wrapping_mul(sum));
    }

    /// Uniform numbers in `[0, 1)`, the same as one draw after the other.
    pub(super) fn fill(&mut self, out: &mut [f64]) {
        let (groups, rest) = out.as_chunks_mut::<LANES>();
        if !groups.is_empty() {
            #[cfg(target_arch = "x86_64")]
            match pulp::x86::V4::try_new() {
                // Multiplying in vector registers pays only where they multiply 64 bits at once.
                Some(simd) => simd.vectorize(Wide { pcg: self, out: groups }),
                None => self.fill_groups(groups),
            }
            #[cfg(not(target_arch = "x86_64"))]
            self.fill_groups(groups);
        }
        rest.iter_mut().for_each(|out| *out = self.next_f64());
    }

    /// Groups of draws by the processor's own wide multiplication.
    fn fill_groups(&mut self, groups: &mut [[f64; LANES]]) {
        // More streams than registers hold are slower again.
        const STREAMS: usize = 4;
        const JUMP: (u128, u128) = jump(STREAMS as u128);
        let add = self.increment.wrapping_mul(JUMP.1);
        let mut states: [u128; STREAMS] = std::array::from_fn(|_| {
            self.step();
            self.state
        });
        for out in groups.iter_mut().flat_map(|g| g.as_chunks_mut::<STREAMS>().0) {
            self.state = states[STREAMS - 1];
            for (out, state) in out.iter_mut().zip(&mut states) {
                *out = unit(output(*state));
                *state = state.wrapping_mul(JUMP.0).wrapping_add(add);
            }
        }
    }
}

impl Bits for Pcg64 {
    fn next_u32(&mut self) -> u32 {
        self.half.take().unwrap_or_else(|| {
            let wide = self.next_u64();
            self.half = Some((wide >> 32) as u32);
            wide as u32
        })
    }

    fn next_u64(&mut self) -> u64 {
        self.step();
        output(self.state)
    }

    fn next_f64(&mut self) -> f64 {
        unit(self.next_u64())
    }
}

#[inline(always)]
fn output(state: u128) -> u64 {
    ((state >> 64) as u64 ^ state as u64).rotate_right((state >> 122) as u32)
}

/// `n` steps as one: the multiplier of the state, and that of the increment (F. B. Brown 1994).
const fn jump(mut n: u128) -> (u128, u128) {
    let (mut multiplier, mut sum) = (1u128, 0u128);
    let (mut power, mut power_sum) = (MULTIPLIER, 1u128);
    while n > 0 {
        if n & 1 == 1 {
            multiplier = multiplier.wrapping_mul(power);
            sum = sum.wrapping_mul(power).wrapping_add(power_sum);
        }
        power_sum = power.wrapping_add(1).wrapping_mul(power_sum);
        power = power.wrapping_mul(power);
        n >>= 1;
    }
    (multiplier, sum)
}

/// Groups of draws in vector registers: states as halves of 64 bits, lane by lane, which the compiler vectorises.
#[cfg(target_arch = "x86_64")]
struct Wide<'a> {
    pcg: &'a mut Pcg64,
    out: &'a mut [[f64; LANES]],
}

#[cfg(target_arch = "x86_64")]
impl pulp::NullaryFnOnce for Wide<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let add = self.pcg.increment.wrapping_mul(JUMP.1);
        let (mut high, mut low) = ([0u64; LANES], [0u64; LANES]);
        for lane in 0..LANES {
            self.pcg.step();
            (high[lane], low[lane]) = ((self.pcg.state >> 64) as u64, self.pcg.state as u64);
        }
        let (times_high, times_low) = ((JUMP.0 >> 64) as u64, JUMP.0 as u64);
        let (add_high, add_low) = ((add >> 64) as u64, add as u64);
        for out in self.out {
            self.pcg.state = u128::from(high[LANES - 1]) << 64 | u128::from(low[LANES - 1]);
            for lane in 0..LANES {
                let (h, l) = (high[lane], low[lane]);
                // 53 bits fit a signed integer, which converts faster than an unsigned one.
                out[lane] = ((h ^ l).rotate_right((h >> 58) as u32) >> 11) as i64 as f64
                    * (1.0 / (1u64 << 53) as f64);
                let sum = l.wrapping_mul(times_low).wrapping_add(add_low);
                let carry = u64::from(sum < add_low);
                high[lane] = h
                    .wrapping_mul(times_low)
                    .wrapping_add(l.wrapping_mul(times_high))
                    .wrapping_add(multiply_high(l, times_low))
                    .wrapping_add(add_high)
                    .wrapping_add(carry);
                low[lane] = sum;
            }
        }
    }
}

/// The upper half of a product, from products of 32 bits: vector registers have no other.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn multiply_high(a: u64, b: u64) -> u64 {
    const LOW: u64 = u32::MAX as u64;
    let (a_low, a_high, b_low, b_high) = (a & LOW, a >> 32, b & LOW, b >> 32);
    let (left, right) = (a_high * b_low, a_low * b_high);
    let middle = (a_low * b_low >> 32) + (left & LOW) + (right & LOW);
    a_high * b_high + (left >> 32) + (right >> 32) + (middle >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand_core::Rng as _;

    proptest! {
        #[test]
        fn a_fill_is_one_draw_after_the_other(state: u128, stream: u128, sizes in proptest::collection::vec(0..80usize, 1..6)) {
            let mut pcg = Pcg64::from_state(state, stream);
            let mut reference = rand_pcg::Pcg64::new(state, stream);
            for n in sizes {
                let mut narrow = vec![[0.0; LANES]; n / LANES];
                pcg.clone().fill_groups(&mut narrow);
                let mut out = vec![0.0; n];
                pcg.fill(&mut out);
                prop_assert!(out.iter().all(|&x| x == unit(reference.next_u64())));
                prop_assert!(narrow.as_flattened().iter().zip(&out).all(|(a, b)| a == b));
            }
        }

        #[test]
        fn a_skip_is_as_many_draws(seed: u32, n in 0..300u64) {
            let mut far = Pcg64::new(&[seed], 1);
            let mut near = far.clone();
            far.skip(n);
            (0..n).for_each(|_| near.step());
            prop_assert_eq!(far.state, near.state);
        }

        #[test]
        fn products_have_upper_halves(a: u64, b: u64) {
            prop_assert_eq!(multiply_high(a, b), ((u128::from(a) * u128::from(b)) >> 64) as u64);
        }
    }
}
