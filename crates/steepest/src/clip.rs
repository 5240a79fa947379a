//! Gradients that are longer than they may be.

use std::sync::Mutex;

use steepest_kernels::{self as kernels, Float, Pool};

use crate::locks::{get, lock};

/// Numbers of a gradient that one task adds.
const PIECE: usize = 16 * 1024;

/// What to multiply a gradient by so that its Euclidean norm is at most `most`, 1 if it is shorter: PyTorch's
/// `clip_grad_norm_`. The same for any number of threads.
pub(crate) fn clip_factor<T: Float>(gradient: &[T], most: f64, pool: &mut Pool) -> f64 {
    let mut squares: Vec<_> = gradient.chunks(PIECE).map(|piece| (piece, Mutex::new(0.0))).collect();
    pool.run(squares.len(), &|i, _| {
        let (piece, sum) = &squares[i];
        *lock(sum) = kernels::dot(piece, piece);
    });
    let norm = squares.iter_mut().map(|(_, sum)| *get(sum)).sum::<f64>().sqrt();
    (most / (norm + 1e-6)).min(1.0)
}
