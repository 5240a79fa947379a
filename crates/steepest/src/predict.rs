//! Predictions for whole data sets.

use std::sync::Mutex;

use steepest_kernels::{Float, Pool};

use crate::dataset::{Dataset, Targets};
use crate::gather::{Gather, Source};
use crate::head::Head;
use crate::layout;
use crate::locks::{get, lock};
use crate::network::Network;
use crate::pass::{Activations, BLOCK, block_rows};
use crate::score::Score;

/// Rows that one task takes: whole blocks of any size.
const TASK: usize = 4 * BLOCK;

/// Loss and accuracy on a data set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean loss.
    pub loss: f64,
    /// Part of the rows predicted correctly; none for regression.
    pub accuracy: Option<f64>,
}

/// Logits `(n_samples, n_outputs)` of all rows, inputs multiplied by `factor`; with batch normalisation by its running statistics.
pub fn logits<T: Float>(network: &Network<T>, data: &Dataset, factor: f64, pool: &mut Pool) -> Vec<T> {
    let n_outputs = network.spec().sizes[network.spec().sizes.len() - 1];
    let n_samples = data.n_samples();
    let network = network.folded();
    let network = &*layout::suited(&network, data);
    let source = Source { turned: network.is_turned(), ..Source::new(data, factor) };
    let size = block_rows(network);
    let mut out = vec![T::ZERO; n_samples * n_outputs];
    let parts: Vec<Mutex<&mut [T]>> = out.chunks_mut(TASK * n_outputs).map(Mutex::new).collect();
    let buffers = || Mutex::new((Gather::for_predictions(), Activations::new(network, size)));
    let buffers: Vec<_> = (0..pool.threads()).map(|_| buffers()).collect();
    pool.run(parts.len(), &|task, thread| {
        let mut part = lock(&parts[task]);
        let (gather, activations) = &mut *lock(&buffers[thread]);
        for (block, out) in part.chunks_mut(size * n_outputs).enumerate() {
            let n = out.len() / n_outputs;
            let first = task * TASK + block * size;
            activations.forward(network, gather.rows(source, first, n), n, None);
            out.copy_from_slice(activations.logits(n));
        }
    });
    drop(parts);
    out
}

/// Mean loss and accuracy of logits, taken as one batch where the head looks at the whole batch. With `weights` the loss is
/// the weighted mean; the accuracy is not.
///
/// # Panics
/// When `targets` or `weights` are for another number of rows.
pub fn evaluate<T: Float>(
    head: &Head,
    logits: &[T],
    targets: &Targets,
    weights: Option<&[f64]>,
    pool: &mut Pool,
) -> Evaluation {
    let n = targets.n_samples();
    assert_eq!(n * head.n_outputs(), logits.len());
    assert!(weights.is_none_or(|weights| weights.len() == n));
    let coupling = head.coupling(logits);
    let mut parts: Vec<_> =
        logits.chunks(TASK * head.n_outputs()).map(|z| (z, Mutex::new(Score::default()))).collect();
    pool.run(parts.len(), &|task, _| {
        let (z, score) = &parts[task];
        let (p, log_sums) = head.predictions(z, coupling.as_ref());
        let first = task * TASK;
        let rows = first..first + log_sums.len();
        let weights = weights.map(|weights| &weights[rows.clone()]);
        let score_of = head.score(z, &p, &log_sums, targets.rows(rows), weights);
        *lock(score) = score_of;
    });
    let mut total = Score::default();
    parts.iter_mut().for_each(|(_, score)| total.add(*get(score)));
    summarize(head, total, n, weights.map_or(n as f64, |weights| weights.iter().sum()))
}

/// From sums over `n` rows, whose weights sum to `total`, to means.
pub(crate) fn summarize(head: &Head, score: Score, n: usize, total: f64) -> Evaluation {
    let accuracy = (head.output() != crate::Output::Identity).then(|| score.correct as f64 / n as f64);
    Evaluation { loss: score.loss / total, accuracy }
}
