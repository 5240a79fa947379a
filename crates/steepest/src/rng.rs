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
    /// How images are deformed.
    Augment = 4,
    /// Which hidden units each step drops.
    Dropout = 8,
    /// What is added to the inputs of each step.
    Noise = 9,
}

/// ChaCha8: the same numbers on every platform.
pub(crate) fn stream(seed: u64, purpose: Purpose) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(purpose as u64);
    rng
}

/// A stream for one row in one epoch, which needs no other to be drawn before it. The key is the whole address, so no two
/// rows share their numbers.
pub(crate) fn row_stream(seed: u64, purpose: Purpose, epoch: u64, row: u32) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (part, word) in key.chunks_exact_mut(8).zip([seed, purpose as u64, epoch, row.into()]) {
        part.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// Numbers for one step, the same wherever a run begins: so what is drawn with them needs no memory from step to step.
pub(crate) fn stream_of_step(seed: u64, purpose: Purpose, step: u64) -> ChaCha8Rng {
    let mut rng = stream(seed, purpose);
    rng.set_word_pos(u128::from(step) << 20);
    rng
}
