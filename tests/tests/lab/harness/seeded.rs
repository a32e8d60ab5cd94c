//! Chance that can be had again: by the seed.

use std::time::{SystemTime, UNIX_EPOCH};

/// The variable that names a seed.
const SEED: &str = "QUORATE_SEED";

/// Numbers that look random and are the same for the same seed, which is not 0 (xorshift).
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    /// Another seed in every run, unless `QUORATE_SEED` names one. It is printed.
    pub(crate) fn of_this_run() -> Self {
        let drawn = || {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            u64::from(now.subsec_nanos()) ^ now.as_secs()
        };
        let seed = std::env::var(SEED).map_or_else(|_| drawn(), |text| text.parse().unwrap());
        println!("chosen by chance: {SEED}={seed} chooses the same again");
        let mut seeded = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        // Neighbouring seeds begin alike.
        for _ in 0..8 {
            seeded.below(1);
        }
        seeded
    }

    /// A number below the limit.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    /// This many of these, in their order.
    pub(crate) fn sample<T>(&mut self, mut from: Vec<T>, count: usize) -> Vec<T> {
        while from.len() > count {
            let limit = u64::try_from(from.len()).unwrap();
            let out = usize::try_from(self.below(limit)).unwrap();
            from.remove(out);
        }
        from
    }
}
