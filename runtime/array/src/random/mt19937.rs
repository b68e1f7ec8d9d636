//! MT19937 (Matsumoto and Nishimura 1998), the generator behind `RandomState`.

use super::Bits;
use crate::run::{Context, Error};

/// Words of the state.
pub(super) const N: usize = 624;
const M: usize = 397;

/// The generator.
#[derive(Clone, Debug)]
pub(super) struct Mt19937 {
    key: [u32; N],
    at: usize,
}

impl Mt19937 {
    /// `RandomState(seed)`.
    fn from_seed(seed: u32) -> Mt19937 {
        let mut key = [seed; N];
        for i in 1..N {
            let before = key[i - 1];
            key[i] = 1_812_433_253u32.wrapping_mul(before ^ (before >> 30)).wrapping_add(i as u32);
        }
        Mt19937 { key, at: N }
    }

    /// `RandomState(words)`: `init_by_array` for as many words as the state has.
    pub(super) fn from_words(words: &[u32; N]) -> Mt19937 {
        let mut mt = Mt19937::from_seed(19_650_218);
        let key = &mut mt.key;
        let mut i = 1;
        for (j, word) in words.iter().enumerate() {
            let before = key[i - 1];
            let mixed = key[i] ^ (before ^ (before >> 30)).wrapping_mul(1_664_525);
            key[i] = mixed.wrapping_add(*word).wrapping_add(j as u32);
            i += 1;
            if i == N {
                key[0] = key[N - 1];
                i = 1;
            }
        }
        for _ in 1..N {
            let before = key[i - 1];
            let mixed = key[i] ^ (before ^ (before >> 30)).wrapping_mul(1_566_083_941);
            key[i] = mixed.wrapping_sub(i as u32);
            i += 1;
            if i == N {
                key[0] = key[N - 1];
                i = 1;
            }
        }
        key[0] = 0x8000_0000;
        mt
    }

    /// The generator of a block: seeded by run number `run` of 624 words of `RandomState(seed).bytes`. Takes about
    /// a microsecond for each run before it.
    pub(super) fn of_run(seed: u32, run: u64, context: &Context) -> Result<Mt19937, Error> {
        let mut parent = Mt19937::from_seed(seed);
        // `bytes` gives the words as they are drawn, so that a run is one whole state.
        for turn in 0..=run {
            if turn % 4096 == 0 {
                context.check()?;
            }
            parent.twist();
        }
        Ok(Mt19937::from_words(&parent.key.map(temper)))
    }

    fn twist(&mut self) {
        let mix = |word: u32, next: u32, far: u32| {
            let mixed = (word & 0x8000_0000) | (next & 0x7fff_ffff);
            far ^ (mixed >> 1) ^ ((mixed & 1).wrapping_neg() & 0x9908_b0df)
        };
        // In three runs, in each of which no step needs what another one of the run makes, but for the second's first part.
        let key = &mut self.key;
        for i in 0..N - M {
            key[i] = mix(key[i], key[i + 1], key[i + M]);
        }
        for i in N - M..N - 1 {
            key[i] = mix(key[i], key[i + 1], key[i + M - N]);
        }
        key[N - 1] = mix(key[N - 1], key[0], key[M - 1]);
        self.at = 0;
    }
}

fn temper(mut word: u32) -> u32 {
    word ^= word >> 11;
    word ^= (word << 7) & 0x9d2c_5680;
    word ^= (word << 15) & 0xefc6_0000;
    word ^ (word >> 18)
}

impl Mt19937 {
    /// The next numbers of [`Bits::next_f64`].
    pub(super) fn fill(&mut self, out: &mut [f64]) {
        let mut out = out.iter_mut();
        while !out.as_slice().is_empty() {
            // One number takes two words, which may lie in two states.
            if self.at + 1 >= N {
                if let Some(out) = out.next() {
                    *out = self.next_f64();
                }
                continue;
            }
            let words = self.key[self.at..].as_chunks::<2>().0;
            let mut taken = 0;
            for (&[high, low], out) in words.iter().zip(out.by_ref()) {
                *out = double(temper(high), temper(low));
                taken += 2;
            }
            self.at += taken;
        }
    }
}

/// Two words as a number in `[0, 1)`, 53 bits.
#[inline]
fn double(high: u32, low: u32) -> f64 {
    (f64::from(high >> 5) * 67_108_864.0 + f64::from(low >> 6)) / 9_007_199_254_740_992.0
}

impl Bits for Mt19937 {
    #[inline]
    fn next_u32(&mut self) -> u32 {
        if self.at == N {
            self.twist();
        }
        self.at += 1;
        temper(self.key[self.at - 1])
    }

    fn next_u64(&mut self) -> u64 {
        let high = self.next_u32();
        u64::from(high) << 32 | u64::from(self.next_u32())
    }

    #[inline]
    fn next_f64(&mut self) -> f64 {
        let high = self.next_u32();
        double(high, self.next_u32())
    }
}
