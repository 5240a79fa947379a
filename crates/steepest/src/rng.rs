//! One random stream for each purpose, all from the run's seed, so that drawing more of one changes no other.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

/// What random numbers are for.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// Shuffling before the validation split.
    Split = 1,
    /// Initial parameters.
    Init = 2,
    /// Order of the rows in training.
    Batches = 3,
}

/// ChaCha8: the same numbers on every platform.
pub(crate) fn stream(seed: u64, purpose: Purpose) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(purpose as u64);
    rng
}
