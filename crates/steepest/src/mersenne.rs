//! The random numbers of NumPy's `RandomState`: the Mersenne Twister (Matsumoto and Nishimura 1998, MT19937), and what NumPy makes
//! of its words. scikit-learn draws from it, so that with it a seed means the same here and there.

use steepest_kernels::Float;

const N: usize = 624;
const M: usize = 397;

/// A `RandomState`: the same state gives the same numbers as NumPy's, to the last bit.
#[derive(Clone, Debug)]
pub struct MersenneTwister {
    key: Box<[u32; N]>,
    /// Words of `key` that were given out already.
    position: usize,
}

impl MersenneTwister {
    /// Words of a state.
    pub const WORDS: usize = N;

    /// `np.random.RandomState(seed)`
    pub fn seeded(seed: u32) -> Self {
        let mut key = Box::new([seed; N]);
        for i in 1..N {
            let before = key[i - 1];
            key[i] = 1_812_433_253u32.wrapping_mul(before ^ before >> 30).wrapping_add(i as u32);
        }
        Self { key, position: N }
    }

    /// From what `RandomState.get_state()` calls `key` and `pos`; `None` where that is no state.
    pub fn from_state(key: &[u32], position: usize) -> Option<Self> {
        let key = Box::new(*key.first_chunk::<N>().filter(|_| key.len() == N && position <= N)?);
        Some(Self { key, position })
    }

    /// `key` and `pos` as `RandomState.set_state()` takes them.
    pub fn state(&self) -> (&[u32], usize) {
        (&*self.key, self.position)
    }

    #[inline]
    fn next_u32(&mut self) -> u32 {
        if self.position == N {
            self.refill();
        }
        let mut y = self.key[self.position];
        self.position += 1;
        y ^= y >> 11;
        y ^= y << 7 & 0x9d2c_5680;
        y ^= y << 15 & 0xefc6_0000;
        y ^ y >> 18
    }

    /// The next words, each from the one before, and one that is `M` further on or, where there is none, among the new ones.
    fn refill(&mut self) {
        let mixed = |this: u32, next: u32, far: u32| {
            let y = this & 0x8000_0000 | next & 0x7fff_ffff;
            far ^ y >> 1 ^ (0x9908_b0df & (y & 1).wrapping_neg())
        };
        let key = &mut self.key;
        (0..N - M).for_each(|i| key[i] = mixed(key[i], key[i + 1], key[i + M]));
        (N - M..N - 1).for_each(|i| key[i] = mixed(key[i], key[i + 1], key[i + M - N]));
        key[N - 1] = mixed(key[N - 1], key[0], key[M - 1]);
        self.position = 0;
    }

    /// `random_sample()`: 53 bits, in 0..1.
    fn unit(&mut self) -> f64 {
        let (high, low) = (self.next_u32() >> 5, self.next_u32() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    /// A whole number from 0 to `most`: words under a mask, until one is not too large.
    fn up_to(&mut self, most: u32) -> u32 {
        if most == 0 {
            return 0;
        }
        let mask = u32::MAX >> most.leading_zeros();
        loop {
            let value = self.next_u32() & mask;
            if value <= most {
                return value;
            }
        }
    }

    /// `uniform(-limit, limit, len(out))`
    pub fn fill_uniform<T: Float>(&mut self, limit: f64, out: &mut [T]) {
        for x in out {
            *x = T::from_f64(-limit + (limit + limit) * self.unit());
        }
    }

    /// `shuffle(x)` of a one-dimensional array.
    pub fn shuffle<X>(&mut self, x: &mut [X]) {
        for i in (1..x.len()).rev() {
            x.swap(i, self.up_to(i as u32) as usize);
        }
    }

    /// `permutation(n)`
    pub fn permutation(&mut self, n: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..n as u32).collect();
        self.shuffle(&mut order);
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Printed by NumPy 2.4: `r = np.random.RandomState(42)`, then `r.uniform(-0.5, 0.5, 3)`, `r.permutation(10)`, `r.get_state()`.
    #[test]
    fn numbers_are_numpys() {
        let mut twister = MersenneTwister::seeded(42);
        let mut x = [0.0; 3];
        twister.fill_uniform(0.5, &mut x);
        assert_eq!(x, UNIFORM);
        assert_eq!(twister.permutation(10), PERMUTATION);
        let (key, position) = twister.state();
        assert_eq!((key[0], key[623], position), STATE);
        let mut again = MersenneTwister::from_state(key, position).unwrap();
        (0..2_000).for_each(|_| assert_eq!(again.next_u32(), twister.next_u32()));
        assert!(MersenneTwister::from_state(&[0; 623], 0).is_none());
        assert!(MersenneTwister::from_state(&[0; 624], 625).is_none());
    }

    const UNIFORM: [f64; 3] = [-0.1254598811526375, 0.45071430640991617, 0.2319939418114051];
    const PERMUTATION: [u32; 10] = [9, 7, 0, 3, 5, 8, 2, 1, 6, 4];
    const STATE: (u32, u32, usize) = (723970371, 4088152671, 17);
}
