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
        let key = &mut self.key;
        for i in 0..N {
            let mixed = (key[i] & 0x8000_0000) | (key[(i + 1) % N] & 0x7fff_ffff);
            let odd = if mixed & 1 == 1 { 0x9908_b0df } else { 0 };
            key[i] = key[(i + M) % N] ^ (mixed >> 1) ^ odd;
        }
        self.at = 0;
    }
}

fn temper(mut word: u32) -> u32 {
    word ^= word >> 11;
    word ^= (word << 7) & 0x9d2c_5680;
    word ^= (word << 15) & 0xefc6_0000;
    word ^ (word >> 18)
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
        let (high, low) = (self.next_u32() >> 5, self.next_u32() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }
}
