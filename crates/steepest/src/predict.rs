//! Predictions for whole data sets.

use std::sync::Mutex;

use steepest_kernels::{Float, Pool};

use crate::batches::Rows;
use crate::dataset::{Dataset, Targets};
use crate::head::{Head, Score, Target};
use crate::network::Network;
use crate::pass::{Activations, BLOCK, Gather};

/// Blocks that one task takes.
const BLOCKS_PER_TASK: usize = 4;

/// Loss and accuracy on a data set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean loss.
    pub loss: f64,
    /// Part of the rows predicted correctly; none for regression.
    pub accuracy: Option<f64>,
}

/// The target of one row.
pub(crate) fn target(targets: &Targets, row: usize) -> Target<'_> {
    match targets {
        Targets::Classes { labels, .. } => Target::Class(labels[row]),
        Targets::Values { values, n_outputs } => {
            Target::Values(&values[row * n_outputs..(row + 1) * n_outputs])
        }
    }
}

/// Logits `(n_samples, n_outputs)` of all rows, inputs multiplied by `factor`.
pub fn logits<T: Float>(network: &Network<T>, data: &Dataset, factor: f64, pool: &mut Pool) -> Vec<T> {
    let n_outputs = network.spec().sizes[network.spec().sizes.len() - 1];
    let n_samples = data.n_samples();
    let per_task = BLOCKS_PER_TASK * BLOCK;
    let mut out = vec![T::ZERO; n_samples * n_outputs];
    let parts: Vec<Mutex<&mut [T]>> = out.chunks_mut(per_task * n_outputs).map(Mutex::new).collect();
    let buffers = || Mutex::new((Gather::new(), Activations::new(network, BLOCK)));
    let buffers: Vec<_> = (0..pool.threads()).map(|_| buffers()).collect();
    pool.run(parts.len(), &|task, thread| {
        let mut part = parts[task].lock().unwrap_or_else(|e| e.into_inner());
        let (gather, activations) = &mut *buffers[thread].lock().unwrap_or_else(|e| e.into_inner());
        for (block, out) in part.chunks_mut(BLOCK * n_outputs).enumerate() {
            let n = out.len() / n_outputs;
            let first = task * per_task + block * BLOCK;
            let x = gather.rows(data, Rows::All(n_samples), first, n, 0, factor);
            activations.forward(network, x, n);
            out.copy_from_slice(activations.logits(n));
        }
    });
    drop(parts);
    out
}

/// Predictions `(n_samples, n_outputs)` of all rows, and what [`Head::forward`] says of each row; a head that looks
/// at the whole batch takes the data set as one.
pub fn predictions<T: Float>(head: &Head, logits: &[T]) -> (Vec<T>, Vec<T>) {
    let mut p = vec![T::ZERO; logits.len()];
    let mut log_sums = vec![T::ZERO; logits.len() / head.n_outputs()];
    let coupling = head.is_coupled().then(|| head.couple(std::iter::once(logits)));
    head.forward(logits, coupling.as_ref(), &mut p, &mut log_sums);
    (p, log_sums)
}

/// Mean loss and accuracy of logits.
///
/// # Panics
/// When `targets` are for another number of rows.
pub fn evaluate<T: Float>(head: &Head, logits: &[T], targets: &Targets) -> Evaluation {
    let n = targets.n_samples();
    assert_eq!(n * head.n_outputs(), logits.len());
    let (p, log_sums) = predictions(head, logits);
    let mut delta = vec![T::ZERO; logits.len()];
    let score = head.backward(logits, &p, &log_sums, |row| target(targets, row), n, &mut delta);
    summarize(head, score, n)
}

/// From sums over `n` rows to means.
pub(crate) fn summarize(head: &Head, score: Score, n: usize) -> Evaluation {
    let accuracy = (head.output() != crate::Output::Identity).then(|| score.correct as f64 / n as f64);
    Evaluation { loss: score.loss / n as f64, accuracy }
}
