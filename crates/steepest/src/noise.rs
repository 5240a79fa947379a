//! Gaussian noise on the inputs: each step sees rows a little elsewhere, and so learns a smoother function (Bishop 1995).
//!
//! A row's noise follows from seed, step, and its place in the batch: the same for any number of threads.

use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt, SeedableRng};
use rand_distr::StandardNormal;
use steepest_kernels::Float;

use crate::rng::{Purpose, stream_of_step};

/// What one step adds.
#[derive(Clone, Copy)]
pub(crate) struct Noise {
    deviation: f64,
    key: u64,
}

impl Noise {
    /// Nothing if the noise has no deviation.
    pub fn new(deviation: f64, seed: u64, step: u64) -> Option<Self> {
        (deviation > 0.0)
            .then(|| Self { deviation, key: stream_of_step(seed, Purpose::Noise, step).next_u64() })
    }

    /// Adds it to rows of `width` numbers, the batch's from `first` on.
    pub fn add<T: Float>(self, first: usize, width: usize, x: &mut [T]) {
        for (i, x) in x.chunks_exact_mut(width).enumerate() {
            let mut rng = ChaCha8Rng::seed_from_u64(self.key);
            rng.set_stream((first + i) as u64);
            for x in x {
                *x += T::from_f64(self.deviation * rng.sample::<f64, _>(StandardNormal));
            }
        }
    }
}
