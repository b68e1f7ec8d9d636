//! numpy's `SeedSequence`: entropy hashed into as much state as a generator wants, after M. E. O'Neill's
//! `seed_seq` alternatives (2015).

const POOL: usize = 4;

/// `SeedSequence(entropy, spawn_key).generate_state(N)`; all words little end first.
pub(super) fn generate_state<const N: usize>(entropy: &[u32], spawn_key: &[u32]) -> [u32; N] {
    let mut words = entropy.to_vec();
    if !spawn_key.is_empty() && words.len() < POOL {
        // So that a child never equals another sequence whose entropy ends in the child's key.
        words.resize(POOL, 0);
    }
    words.extend_from_slice(spawn_key);
    let mut hash = Hash { constant: 0x43b0_d7e5, multiplier: 0x931e_8875 };
    let mut pool: [u32; POOL] = std::array::from_fn(|i| hash.mix(words.get(i).copied().unwrap_or(0)));
    for from in 0..POOL {
        for into in 0..POOL {
            if from != into {
                pool[into] = combine(pool[into], hash.mix(pool[from]));
            }
        }
    }
    for &word in words.iter().skip(POOL) {
        for slot in &mut pool {
            *slot = combine(*slot, hash.mix(word));
        }
    }
    let mut hash = Hash { constant: 0x8b51_f9dd, multiplier: 0x58f3_8ded };
    std::array::from_fn(|i| hash.mix(pool[i % POOL]))
}

/// A child's number as words, as numpy coerces an integer.
pub(super) fn words(n: u64) -> Vec<u32> {
    let (low, high) = (n as u32, (n >> 32) as u32);
    if high == 0 { vec![low] } else { vec![low, high] }
}

struct Hash {
    constant: u32,
    multiplier: u32,
}

impl Hash {
    fn mix(&mut self, word: u32) -> u32 {
        let word = word ^ self.constant;
        self.constant = self.constant.wrapping_mul(self.multiplier);
        let word = word.wrapping_mul(self.constant);
        word ^ (word >> 16)
    }
}

fn combine(a: u32, b: u32) -> u32 {
    let mixed = a.wrapping_mul(0xca01_f9dd).wrapping_sub(b.wrapping_mul(0x4973_f715));
    mixed ^ (mixed >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_numpys_words() {
        // numpy.random.SeedSequence(42).generate_state(4)
        assert_eq!(generate_state::<4>(&[42], &[]), [3444837047, 2669555309, 2046530742, 3581440988]);
        // numpy.random.SeedSequence([1, 2, 3, 4, 5], spawn_key=(6, 7)).generate_state(3)
        assert_eq!(generate_state::<3>(&[1, 2, 3, 4, 5], &[6, 7]), SEVEN);
        // numpy.random.SeedSequence(7, spawn_key=(2**32 + 1,)).generate_state(3)
        assert_eq!(generate_state::<3>(&[7], &words((1 << 32) + 1)), LONG);
    }

    const SEVEN: [u32; 3] = [1473699950, 2347498550, 2851142778];
    const LONG: [u32; 3] = [3983357107, 83241246, 2691131576];
}
