//! A step by rows: a batch in shards, a shard in blocks that stay in the cache.
//!
//! Each shard sums its own gradient, and the shards' gradients are added in their order. How many shards there are depends on
//! the batch and the network alone, so the result has the same bits for any number of threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use steepest_kernels::{self as kernels, AlignedVec, Float, Pool, Products};

use crate::gather::{Gather, GatherTargets};
use crate::head::Coupling;
use crate::held::{HeldRows, Passed};
use crate::locks::{get, lock};
use crate::network::{Layer, Network};
use crate::optimizer::UpdateRule;
use crate::pass::{Activations, BLOCK, Batch, Deltas, block_rows, blocks, deltas, even_block_rows};
use crate::pieces::{Piece, Pieces};
use crate::score::Score;

/// What a step by rows works with.
pub(crate) struct Shards<T> {
    shards: Vec<Mutex<Shard<T>>>,
    /// One for each thread.
    scratch: Vec<Mutex<Scratch<T>>>,
    layers: Vec<Layer>,
    /// How many shards the last batch had.
    n_shards: usize,
    /// With batch normalisation all rows go forward and back before any gradient is summed.
    pub held: Option<HeldRows<T>>,
}

/// The part of a batch that one task works on.
struct Shard<T> {
    /// For coupled heads, one for each block, since they wait for the rest of the batch.
    activations: Vec<Activations<T>>,
    gradient: AlignedVec<T>,
    score: Score,
}

/// What a thread works with, so that it stays in the cache from block to block.
struct Scratch<T> {
    gather: Gather<T>,
    targets: GatherTargets,
    activations: Activations<T>,
    deltas: Deltas<T>,
}

impl<T: Float> Shards<T> {
    /// For batches of at most so many rows.
    pub fn new(network: &Network<T>, most_rows: usize, threads: usize, products: Products) -> Self {
        let count = shard_count(most_rows, network.parameters.len());
        Self {
            shards: (0..count).map(|_| Mutex::new(Shard::new(network))).collect(),
            scratch: (0..threads).map(|_| Mutex::new(Scratch::new(network, products))).collect(),
            layers: network.layers().to_vec(),
            n_shards: 0,
            held: network.spec().batch_norm.then(|| HeldRows::new(network, most_rows, products)),
        }
    }

    /// Each shard's gradient; the batch's score.
    pub fn pass(&mut self, batch: &Batch<T>, pool: &mut Pool) -> Score {
        let Batch { network, head, .. } = batch;
        let Self { shards, scratch, held, n_shards: used, .. } = self;
        if let Some(held) = held {
            let score = held.pass(batch, pool);
            *used = sum_held(shards, network, &held.passed(batch.source), pool);
            return score;
        }
        scratch.iter_mut().for_each(|scratch| get(scratch).gather.forget());
        let n = batch.source.rows.len();
        let n_shards = shard_count(n, network.parameters.len());
        *used = n_shards;
        let shards = &mut shards[..n_shards];
        // Patches come by whole blocks.
        let block = if batch.source.patches.is_empty() { even_block_rows(n, BLOCK) } else { BLOCK };
        let part = |s: usize| shard_rows((s, n_shards), n, block);

        let mut score = Score::default();
        if !head.predicts_by_batch() {
            pool.run(n_shards, &|s, thread| {
                lock(&shards[s]).backward(batch, part(s), None, &mut lock(&scratch[thread]));
            });
            shards.iter_mut().for_each(|shard| score.add(get(shard).score));
        }
        if head.is_coupled() && !head.shift_is_harmless::<T>(&score) {
            pool.run(n_shards, &|s, thread| {
                lock(&shards[s]).forward(batch, part(s), &mut lock(&scratch[thread]));
            });
            let size = shard_block_rows(network);
            let logits: Vec<&[T]> = (shards.iter_mut().enumerate())
                .flat_map(|(s, shard)| {
                    let (first, end) = part(s);
                    let activations = &get(shard).activations;
                    blocks(first, end, size).map(|(b, _, n)| activations[b].logits(n))
                })
                .collect();
            let coupling = head.couple(logits.iter().copied());
            pool.run(n_shards, &|s, thread| {
                lock(&shards[s]).backward(batch, part(s), Some(&coupling), &mut lock(&scratch[thread]));
            });
            score = Score::default();
            shards.iter_mut().for_each(|shard| score.add(get(shard).score));
        }
        score
    }

    /// The gradient of the batch of [`Shards::pass`], with that of an `l2` penalty, which then moves the parameters if there is a
    /// rule; whether the gradient is finite, and with a penalty the sum of the squared weights before they moved.
    pub fn gradients(
        &mut self,
        pool: &mut Pool,
        all: Piece<T>,
        l2: f64,
        rule: Option<&UpdateRule>,
    ) -> (bool, f64) {
        let pieces = Pieces::new(&self.layers, all);
        let shards: Vec<&[T]> =
            self.shards[..self.n_shards].iter_mut().map(|shard| &*get(shard).gradient).collect();
        let is_finite = AtomicBool::new(true);
        pieces.for_each(pool, |piece| {
            let Piece { first, gradient, .. } = &mut *piece;
            kernels::sum(&shards, *first, gradient);
            piece.add_l2(l2);
            if !kernels::all_finite(piece.gradient) {
                is_finite.store(false, Relaxed);
            }
            if let Some(rule) = rule {
                rule.update(piece);
            }
        });
        (is_finite.into_inner(), pieces.squares())
    }
}

/// Each shard's gradient of a batch whose rows all went forward and back already; how many shards there are.
fn sum_held<T: Float>(
    shards: &mut [Mutex<Shard<T>>],
    network: &Network<T>,
    passed: &Passed<T>,
    pool: &mut Pool,
) -> usize {
    let n_shards = shards.len().min(passed.blocks.len());
    let shards = &mut shards[..n_shards];
    let first_of = |s: usize| passed.blocks.len() * s / n_shards;
    pool.run(n_shards, &|s, _| {
        let sum = &mut lock(&shards[s]).gradient;
        let blocks = first_of(s)..first_of(s + 1);
        for layer in network.layers().iter().enumerate() {
            for (b, block) in passed.blocks[blocks.clone()].iter().enumerate() {
                block.weight_gradient(layer, (0, b > 0), &mut sum[layer.1.weight.clone()]);
            }
            passed.vector_gradient(layer, blocks.clone(), &mut sum[layer.1.vectors()]);
        }
    });
    n_shards
}

impl<T: Float> Shard<T> {
    fn new(network: &Network<T>) -> Self {
        let gradient = AlignedVec::zeros(network.parameters.len());
        Self { activations: Vec::new(), gradient, score: Score::default() }
    }

    /// Forward through all blocks, up to the logits, for a coupled head.
    fn forward(&mut self, batch: &Batch<T>, (first, end): (usize, usize), scratch: &mut Scratch<T>) {
        let size = shard_block_rows(batch.network);
        for (b, row, n) in blocks(first, end, size) {
            if self.activations.len() == b {
                let activations = Activations::new(batch.network, size);
                self.activations.push(activations.with_products(scratch.activations.products));
            }
            let x = scratch.gather.rows(batch.source, row, n);
            self.activations[b].forward(batch.network, x, n, batch.dropout(row));
        }
    }

    /// Through the head and back, for all blocks; without `coupling` forward as well, block by block.
    fn backward(
        &mut self,
        batch: &Batch<T>,
        (first, end): (usize, usize),
        coupling: Option<&Coupling<T>>,
        scratch: &mut Scratch<T>,
    ) {
        self.score = Score::default();
        for (b, row, n) in blocks(first, end, shard_block_rows(batch.network)) {
            let Scratch { gather, targets, activations, deltas } = &mut *scratch;
            let x = gather.rows(batch.source, row, n);
            let activations = match coupling {
                Some(_) => &mut self.activations[b],
                None => {
                    activations.forward(batch.network, x, n, batch.dropout(row));
                    activations
                }
            };
            let targets = targets.rows(batch.source, row, n);
            self.score.add(activations.head(batch, targets, n, coupling, deltas));
            let gradient = (b > 0, &mut *self.gradient);
            activations.backward(batch.network, x, n, deltas, batch.dropout(row), gradient);
        }
    }
}

impl<T: Float> Scratch<T> {
    fn new(network: &Network<T>, products: Products) -> Self {
        let size = shard_block_rows(network);
        let activations = Activations::new(network, size).with_products(products);
        let deltas = deltas(network, size);
        Self { gather: Gather::new(), targets: GatherTargets::default(), activations, deltas }
    }
}

/// Rows of a shard that go through this network together: more of them where layers are so narrow that their products take little
/// longer than it takes to call them.
fn shard_block_rows<T: Float>(network: &Network<T>) -> usize {
    const NARROW: usize = 160;
    let units: usize = network.layers().iter().map(|layer| layer.n_out).sum();
    if units <= NARROW { 2 * BLOCK } else { block_rows(network) }
}

/// Shards of a batch: enough to keep many cores busy, but no more than their gradients are worth in memory, and none too small to
/// be worth sending to another core.
pub(crate) fn shard_count(n_rows: usize, n_parameters: usize) -> usize {
    /// Products of a weight and a row: some microseconds' worth.
    const WORTH: usize = 200_000;
    let blocks = n_rows.div_ceil(BLOCK);
    let most = ((1 << 22) / n_parameters.max(1)).clamp(4, 64);
    let worth = (n_rows * n_parameters + WORTH / 2) / WORTH;
    // Many blocks to a shard while there are shards to spare: each shard's gradient goes out to memory and comes back.
    (blocks / 4).max(blocks.min(16)).min(worth).clamp(1, most)
}

/// The rows of shard `s` of `n_shards`: whole blocks, as equal as can be.
fn shard_rows((s, n_shards): (usize, usize), n_rows: usize, block: usize) -> (usize, usize) {
    let blocks = n_rows.div_ceil(block);
    let first_of = |s: usize| (blocks * s / n_shards * block).min(n_rows);
    (first_of(s), first_of(s + 1))
}
