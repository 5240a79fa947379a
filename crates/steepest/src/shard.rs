//! A batch in shards, a shard in blocks: who computes what of a step.

use steepest_kernels::{AlignedVec, Float};

use crate::gather::{Gather, GatherTargets, Source};
use crate::head::{Coupling, Head, Score, TargetRows};
use crate::network::Network;
use crate::pass::{Activations, BLOCK, Deltas, block_rows, deltas};

/// The part of a batch that one task works on.
pub(crate) struct Shard<T> {
    /// For coupled heads, one for each block, since they wait for the rest of the batch.
    pub activations: Vec<Activations<T>>,
    pub gradient: AlignedVec<T>,
    pub score: Score,
}

/// What a thread works with, so that it stays in the cache from block to block.
pub(crate) struct Scratch<T> {
    pub gather: Gather<T>,
    targets: GatherTargets,
    activations: Activations<T>,
    deltas: Deltas<T>,
}

/// What all shards of a step share.
pub(crate) struct Batch<'a, T> {
    pub source: Source<'a>,
    pub network: &'a Network<T>,
    pub head: &'a Head,
}

/// Blocks of `size` of the batch's rows `first..end`: number, first row, rows.
pub(crate) fn blocks(first: usize, end: usize, size: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (first..end).step_by(size).enumerate().map(move |(b, row)| (b, row, size.min(end - row)))
}

impl<T: Float> Shard<T> {
    pub fn new(network: &Network<T>) -> Self {
        let gradient = AlignedVec::zeros(network.parameters.len());
        Self { activations: Vec::new(), gradient, score: Score::default() }
    }

    /// Forward through all blocks, up to the logits, for a coupled head.
    pub fn forward(&mut self, batch: &Batch<T>, (first, end): (usize, usize), scratch: &mut Scratch<T>) {
        let size = block_rows(batch.network);
        for (b, row, n) in blocks(first, end, size) {
            if self.activations.len() == b {
                self.activations.push(Activations::new(batch.network, size));
            }
            self.activations[b].forward(batch.network, scratch.gather.rows(batch.source, row, n), n);
        }
    }

    /// Through the head and back, for all blocks; without `coupling` forward as well, block by block.
    pub fn backward(
        &mut self,
        batch: &Batch<T>,
        (first, end): (usize, usize),
        coupling: Option<&Coupling<T>>,
        scratch: &mut Scratch<T>,
    ) {
        self.score = Score::default();
        for (b, row, n) in blocks(first, end, block_rows(batch.network)) {
            let Scratch { gather, targets, activations, deltas } = &mut *scratch;
            let x = gather.rows(batch.source, row, n);
            let activations = match coupling {
                Some(_) => &mut self.activations[b],
                None => {
                    activations.forward(batch.network, x, n);
                    activations
                }
            };
            let targets = targets.rows(batch.source, row, n);
            self.score.add(activations.head(batch, targets, n, coupling, deltas));
            activations.backward(batch.network, x, n, deltas, b > 0, &mut self.gradient);
        }
    }
}

impl<T: Float> Scratch<T> {
    pub fn new(network: &Network<T>) -> Self {
        let size = block_rows(network);
        let (activations, deltas) = (Activations::new(network, size), deltas(network, size));
        Self { gather: Gather::new(), targets: GatherTargets::default(), activations, deltas }
    }
}

impl<T: Float> Activations<T> {
    /// `delta` at a block's logits, and its score.
    pub fn head(
        &mut self,
        batch: &Batch<T>,
        targets: Option<TargetRows>,
        n: usize,
        coupling: Option<&Coupling<T>>,
        deltas: &mut Deltas<T>,
    ) -> Score {
        let (last, width) = (self.z.len() - 1, batch.head.n_outputs());
        let Some(targets) = targets else { return Score::default() };
        let (z, delta) = (&self.z[last][..n * width], &mut deltas[last][..n * width]);
        let batch_rows = batch.source.rows.len();
        if let Some(score) = batch.head.learn_class(z, coupling, targets, batch_rows, delta) {
            return score;
        }
        let (p, log_sums) = (&mut self.a[last][..n * width], &mut self.log_sums[..n]);
        batch.head.forward(z, coupling, p, log_sums);
        batch.head.delta(p, targets, batch_rows, delta);
        batch.head.score(z, p, log_sums, targets)
    }
}

/// Shards of a batch: enough to keep many cores busy, but no more than their gradients are worth in memory.
pub(crate) fn shard_count(n_rows: usize, n_parameters: usize) -> usize {
    let blocks = n_rows.div_ceil(BLOCK);
    let most = ((1 << 22) / n_parameters.max(1)).clamp(4, 64);
    // Many blocks to a shard while there are shards to spare: each shard's gradient goes out to memory and comes back.
    (blocks / 4).max(blocks.min(16)).clamp(1, most)
}

/// The rows of shard `s` of `n_shards`: whole blocks, as equal as can be.
pub(crate) fn shard_rows(s: usize, n_shards: usize, n_rows: usize) -> (usize, usize) {
    let blocks = n_rows.div_ceil(BLOCK);
    let first_of = |s: usize| (blocks * s / n_shards * BLOCK).min(n_rows);
    (first_of(s), first_of(s + 1))
}
