//! All rows of a batch, held in blocks while they go forward and back: for gradients that are computed afterwards, and for
//! batch normalisation, where rows wait for each other at each layer.
//!
//! Blocks of rows are the tasks. How they are cut depends on the batch and the network alone.

use std::ops::Range;
use std::sync::Mutex;

use steepest_kernels::{Float, Pool, Products};

use crate::batch_norm::{BatchNorm, Share};
use crate::gather::{Block, Gather, GatherTargets, Source};
use crate::head::Coupling;
use crate::locks::{get, lock};
use crate::network::{Layer, Network};
use crate::pass::{
    Activations, BLOCK, Batch, Deltas, bias_gradient, block_rows, blocks, deltas, even_block_rows, to_outputs,
};
use crate::score::Score;

/// A batch's rows, and what they are at each layer.
pub(crate) struct HeldRows<T> {
    blocks: Vec<Mutex<Held<T>>>,
    /// The most rows of a block.
    block_rows: usize,
    /// Of each hidden layer, if they are normalised.
    norms: Vec<BatchNorm<T>>,
}

/// A block of rows.
struct Held<T> {
    gather: Gather<T>,
    targets: GatherTargets,
    activations: Activations<T>,
    deltas: Deltas<T>,
    score: Score,
    share: Share<T>,
}

/// A batch that went forward and back.
pub(crate) struct Passed<'a, T> {
    pub blocks: Vec<PassedBlock<'a, T>>,
    pub norms: &'a [BatchNorm<T>],
}

/// `n` rows of it.
pub(crate) struct PassedBlock<'a, T> {
    pub x: Block<'a, T>,
    pub n: usize,
    pub activations: &'a Activations<T>,
    pub deltas: &'a Deltas<T>,
}

/// Blocks that a batch is cut into, where more than [`BLOCK`] rows go through a network together: as many cores can work on it.
const BLOCKS: usize = 4;

/// But no smaller than this: bringing the weights into order for 64 rows costs a fifth of a step of 784-1024-512-10.
const LEAST_ROWS: usize = 2 * BLOCK;

impl<T: Float> HeldRows<T> {
    /// For batches of at most so many rows.
    pub fn new(network: &Network<T>, most_rows: usize, products: Products) -> Self {
        let even = most_rows.div_ceil(BLOCKS).next_multiple_of(BLOCK).max(LEAST_ROWS);
        Self::in_blocks(network, most_rows, block_rows(network).min(even), products, Activations::new)
    }

    /// For batches of at most so many rows in one block, with the logits of every layer.
    pub fn in_one_block(network: &Network<T>, most_rows: usize, products: Products) -> Self {
        Self::in_blocks(network, most_rows, most_rows, products, Activations::with_logits)
    }

    fn in_blocks(
        network: &Network<T>,
        most_rows: usize,
        block_rows: usize,
        products: Products,
        activations: fn(&Network<T>, usize) -> Activations<T>,
    ) -> Self {
        let size = block_rows.min(most_rows.max(1));
        let held = || Held {
            gather: Gather::new(),
            targets: GatherTargets::default(),
            activations: activations(network, size).with_products(products),
            deltas: deltas(network, size),
            score: Score::default(),
            share: Share::new(network),
        };
        let normalised = network.layers().iter().filter(|layer| layer.is_normalised());
        Self {
            blocks: (0..most_rows.div_ceil(size)).map(|_| Mutex::new(held())).collect(),
            block_rows,
            norms: normalised.map(|layer| BatchNorm::new(layer.n_out)).collect(),
        }
    }

    /// A batch forward, and back to `delta` at each layer; its score.
    pub fn pass(&mut self, batch: &Batch<T>, pool: &mut Pool) -> Score {
        let head = batch.head;
        let rows: Vec<_> = self.cut(batch.source).collect();
        let held = &mut self.blocks[..rows.len()];
        held.iter_mut().for_each(|held| get(held).gather.forget());
        if !self.norms.is_empty() {
            pass_normalised(held, &mut self.norms, batch, &rows, pool);
            return score_of(held);
        }
        let is_alone = !head.predicts_by_batch();
        pool.run(rows.len(), &|b, _| {
            let (mut held, (_, first, n)) = (lock(&held[b]), rows[b]);
            held.forward(batch, first, n);
            if is_alone {
                held.learn(batch, first, n, None);
            }
        });
        let mut score = if is_alone { score_of(held) } else { Score::default() };
        if head.is_coupled() && !head.shift_is_harmless::<T>(&score) {
            let logits: Vec<&[T]> = (held.iter_mut().zip(&rows))
                .map(|(held, &(_, _, n))| get(held).activations.logits(n))
                .collect();
            let coupling = head.couple(logits.iter().copied());
            pool.run(rows.len(), &|b, _| {
                let (_, first, n) = rows[b];
                lock(&held[b]).learn(batch, first, n, Some(&coupling));
            });
            score = score_of(held);
        }
        score
    }

    /// Blocks of a batch: number, first row, rows.
    fn cut(&self, source: Source) -> impl Iterator<Item = (usize, usize, usize)> + use<T> {
        let n = source.rows.len();
        // Patches come by whole blocks.
        let size =
            if source.patches.is_empty() { even_block_rows(n, self.block_rows) } else { self.block_rows };
        blocks(0, n, size)
    }

    /// What became of the batch of [`HeldRows::pass`], which had these rows.
    pub fn passed<'a>(&'a mut self, source: Source<'a>) -> Passed<'a, T> {
        let rows = self.cut(source);
        let blocks = (self.blocks.iter_mut().zip(rows))
            .map(|(held, (_, first, n))| {
                let Held { gather, activations, deltas, .. } = get(held);
                PassedBlock { x: gather.rows(source, first, n), n, activations, deltas }
            })
            .collect();
        Passed { blocks, norms: &self.norms }
    }

    /// Takes the batch of [`HeldRows::pass`], which had `n_rows` rows, into a network's running statistics.
    pub fn note_statistics(&self, n_rows: usize, layers: &[Layer], statistics: &mut [T]) {
        for (norm, layer) in self.norms.iter().zip(layers) {
            norm.note(n_rows, layer, statistics);
        }
    }
}

/// The score of all blocks.
fn score_of<T>(held: &mut [Mutex<Held<T>>]) -> Score {
    let mut score = Score::default();
    held.iter_mut().for_each(|held| score.add(get(held).score));
    score
}

/// Forward and back with batch normalisation. In each direction the blocks wait for each other once for each layer: what a task
/// does in between is all that can be done while a block's numbers are in the cache.
fn pass_normalised<T: Float>(
    held: &mut [Mutex<Held<T>>],
    norms: &mut [BatchNorm<T>],
    batch: &Batch<T>,
    rows: &[(usize, usize, usize)],
    pool: &mut Pool,
) {
    let network = batch.network;
    for (l, layer) in network.layers().iter().enumerate().take(norms.len()) {
        pool.run(rows.len(), &|b, _| {
            let (held, (_, first, n)) = (&mut *lock(&held[b]), rows[b]);
            held.normalised_sums(batch, l, norms, first, n);
            held.share.moments(&held.activations.z[l][..n * layer.n_out], layer.n_out);
        });
        let shares = held.iter_mut().zip(rows).map(|(held, &(_, _, n))| (n, &get(held).share));
        norms[l].combine(&network.parameters[layer.scale.clone()], shares);
    }
    let last = norms.len();
    pool.run(rows.len(), &|b, _| {
        let (held, (_, first, n)) = (&mut *lock(&held[b]), rows[b]);
        held.normalised_sums(batch, last, norms, first, n);
        let targets = held.targets.rows(batch.source, first, n);
        held.score = held.activations.head(batch, targets, n, None, &mut held.deltas);
        held.carry_back_to(last - 1, batch, norms, first, n);
    });
    for l in (0..last).rev() {
        norms[l].turn(batch.source.rows.len(), held.iter_mut().map(|held| &get(held).share));
        let n_out = network.layers()[l].n_out;
        pool.run(rows.len(), &|b, _| {
            let (held, (_, first, n)) = (&mut *lock(&held[b]), rows[b]);
            norms[l].backward(&held.activations.z[l][..n * n_out], &mut held.deltas[l][..n * n_out]);
            if l > 0 {
                held.carry_back_to(l - 1, batch, norms, first, n);
            }
        });
    }
}

impl<T: Float> Held<T> {
    /// Rows up to the logits.
    fn forward(&mut self, batch: &Batch<T>, first: usize, n: usize) {
        let x = self.gather.rows(batch.source, first, n);
        self.activations.forward(batch.network, x, n, batch.dropout(first));
    }

    /// From the logits through the head, and back to the first layer's.
    fn learn(&mut self, batch: &Batch<T>, first: usize, n: usize, coupling: Option<&Coupling<T>>) {
        let targets = self.targets.rows(batch.source, first, n);
        self.score = self.activations.head(batch, targets, n, coupling, &mut self.deltas);
        self.activations.carry_back(batch.network, n, &mut self.deltas, batch.dropout(first));
    }

    /// From the sums of the layer before `l`, normalised by now, to those of `l`; for the first layer from the inputs.
    fn normalised_sums(
        &mut self,
        batch: &Batch<T>,
        l: usize,
        norms: &[BatchNorm<T>],
        first: usize,
        n: usize,
    ) {
        let network = batch.network;
        if let Some(before) = l.checked_sub(1) {
            let layer = &network.layers()[before];
            let (z, a) = (&self.activations.z[before], &mut self.activations.a[before]);
            let (z, a) = (&z[..n * layer.n_out], &mut a[..n * layer.n_out]);
            let shift = &network.parameters[layer.bias.clone()];
            norms[before].forward(network.spec().activation, shift, z, &mut self.share, a);
            self.activations.drop(before, n, batch.dropout(first));
        }
        self.activations.sums(network, l, self.gather.rows(batch.source, first, n), n);
    }

    /// From `delta` at the sums of the layer after `l` to that at what the activation of layer `l` sees.
    fn carry_back_to(&mut self, l: usize, batch: &Batch<T>, norms: &[BatchNorm<T>], first: usize, n: usize) {
        let network = batch.network;
        let layer = &network.layers()[l];
        let Activations { z, a, products, .. } = &self.activations;
        let rows = (&z[l][..n * layer.n_out], &a[l][..n * layer.n_out]);
        let delta = to_outputs(network, l + 1, n, &mut self.deltas, (batch.dropout(first), None, *products));
        let shift = &network.parameters[layer.bias.clone()];
        norms[l].activation_backward(network.spec().activation, shift, rows, &mut self.share, delta);
    }
}

impl<T: Float> Passed<'_, T> {
    /// The gradient of layer `l`'s bias, if it has one, from some of the blocks; of a normalised layer that of shift and scale,
    /// which are known for the whole batch only, with the first block.
    pub fn vector_gradient(&self, (l, layer): (usize, &Layer), blocks: Range<usize>, gradient: &mut [T]) {
        if layer.is_normalised() {
            if blocks.start == 0 {
                self.norms[l].gradient(gradient);
            } else {
                gradient.fill(T::ZERO);
            }
            return;
        }
        for (b, block) in self.blocks[blocks].iter().enumerate() {
            bias_gradient(&block.deltas[l][..block.n * layer.n_out], b > 0, gradient);
        }
    }
}

impl<T: Float> PassedBlock<'_, T> {
    /// The gradient of a layer's weights from their row `first` on, which is added if `add`.
    pub fn weight_gradient(&self, layer: (usize, &Layer), (first, add): (usize, bool), d_weight: &mut [T]) {
        self.activations.weight_gradient(layer, self.x, self.n, self.deltas, (first, add), d_weight);
    }
}
