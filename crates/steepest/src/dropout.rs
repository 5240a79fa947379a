//! Dropout on what hidden layers give on (Srivastava et al. 2014), as PyTorch's: the numbers that stay are scaled up in training,
//! so that predictions need no change.
//!
//! What a step drops follows from seed, step, layer, and a number's place in the batch: the same for any number of threads, and
//! on the way back as on the way forward.

use rand::Rng;
use steepest_kernels::{self as kernels, DropoutMask, Float};

use crate::rng::{Purpose, stream_of_step};

/// What one step drops.
pub(crate) struct Dropout {
    /// Of each hidden layer.
    masks: Vec<DropoutMask>,
}

/// The same, for rows from `first` on.
#[derive(Clone, Copy)]
pub(crate) struct RowsDropout<'a> {
    masks: &'a [DropoutMask],
    first: usize,
}

impl Dropout {
    /// Nothing if no part is to be dropped.
    pub fn new(rate: f64, seed: u64, step: u64, n_hidden: usize) -> Option<Self> {
        if rate == 0.0 {
            return None;
        }
        let mut rng = stream_of_step(seed, Purpose::Dropout, step);
        let mask = |_| DropoutMask { key: rng.next_u64(), rate };
        Some(Self { masks: (0..n_hidden).map(mask).collect() })
    }

    /// For the rows of the batch from `first` on.
    pub fn rows(&self, first: usize) -> RowsDropout<'_> {
        RowsDropout { masks: &self.masks, first }
    }
}

impl RowsDropout<'_> {
    /// Drops some of what `n` rows of hidden layer `l` give on, or of the gradient there.
    pub fn apply<T: Float>(self, l: usize, n: usize, x: &mut [T]) {
        kernels::dropout(self.masks[l], self.first * (x.len() / n), x);
    }
}
