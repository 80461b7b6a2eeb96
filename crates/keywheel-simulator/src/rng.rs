//! Numbers that look random and follow from a seed, so that every schedule can be repeated.

/// A stream of words (`SplitMix64`). Small, fast, and good enough to choose faults with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The stream of a seed. Neighbouring seeds give unrelated streams.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next word.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 if there is none.
    pub const fn below(&mut self, bound: u64) -> u64 {
        let word = self.next();
        if bound == 0 { 0 } else { word % bound }
    }

    /// A length of time from `low` up to and including `high`, in milliseconds.
    pub fn millis(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high - low).map_or(0, |span| span + 1);
        low + i64::try_from(self.below(span)).unwrap_or(0)
    }

    /// Whether something happens that does so `percent` times in a hundred.
    pub const fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// An index below `length`; 0 for an empty list.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// One of several values.
    pub fn pick<T: Copy, const N: usize>(&mut self, values: [T; N]) -> T {
        values[self.index(N)]
    }

    /// Ten bytes, as ids need them.
    pub fn bytes(&mut self) -> [u8; 10] {
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&self.next().to_le_bytes());
        bytes[8..].copy_from_slice(&self.next().to_le_bytes()[..2]);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_stream() {
        let words = |seed| {
            let mut rng = Rng::new(seed);
            [rng.next(), rng.next(), rng.below(7), rng.index(3) as u64]
        };
        assert_eq!(words(5), words(5));
        assert_ne!(words(5), words(6));
    }

    #[test]
    fn lengths_of_time_stay_within_their_bounds() {
        let mut rng = Rng::new(1);
        assert!((0..1_000).all(|_| (-5..=5).contains(&rng.millis(-5, 5))));
        assert_eq!(rng.millis(3, 3), 3);
    }
}
