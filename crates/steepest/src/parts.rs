//! A step by parts of the parameters, for batches that are small beside their network.
//!
//! Summing a gradient for each shard of such a batch would write and read more numbers than there are products to compute.
//! Here blocks of rows go forward and carry `delta` back; then each task computes a part of the gradient, for all rows. A
//! number of the gradient is written once, by one task, which adds the blocks in their order: the result has the same bits for
//! any number of threads. And while the numbers of a part are in the cache, they can move the parameters at once.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use steepest_kernels::{self as kernels, Float, Pool};

use crate::gather::{Block, Gather, GatherTargets, Source};
use crate::head::Coupling;
use crate::layout::Layout;
use crate::locks::{get, lock};
use crate::network::{Layer, Network};
use crate::optimizer::{Piece, UpdateRule};
use crate::pass::{
    Activations, BLOCK, Batch, Deltas, bias_gradient, block_rows, blocks, deltas, even_blocks,
};
use crate::score::Score;
use crate::shard::shard_count;

/// What a step by parts works with.
pub(crate) struct Parts<T> {
    held: Vec<Mutex<Held<T>>>,
    /// The most rows of a block.
    block_rows: usize,
    layers: Vec<Layer>,
    parts: Vec<Part>,
}

/// A block of rows, and what they are at each layer.
struct Held<T> {
    gather: Gather<T>,
    targets: GatherTargets,
    activations: Activations<T>,
    deltas: Deltas<T>,
    score: Score,
}

/// Some rows of a layer's weights, and with the last of them the layer's bias.
struct Part {
    layer: usize,
    first: usize,
    n_weights: usize,
    n_biases: usize,
}

/// Weights of a part, about: they stay in the second cache while all rows pass by.
const PART: usize = 16 * 1024;

/// Rows of a part, where the product brings what it multiplies with into order for each part anew.
const LARGE_ROWS: usize = 512;

impl<T: Float> Parts<T> {
    /// Whether it suits batches of so many rows: few enough to be held all, where the shards' gradients would not stay in the
    /// second cache. (Patches know only whole layers.)
    pub fn suits(network: &Network<T>, most_rows: usize) -> bool {
        const SECOND_CACHE: usize = 512 << 10;
        let n_parameters = network.parameters.len();
        let of_shards = shard_count(most_rows, n_parameters) * n_parameters * size_of::<T>();
        most_rows <= 16 * BLOCK && of_shards > SECOND_CACHE && !matches!(network.layout(), Layout::Patches(_))
    }

    /// For batches of at most so many rows.
    pub fn new(network: &Network<T>, most_rows: usize) -> Self {
        let size = block_rows(network).min(most_rows.max(1));
        let held = || Held {
            gather: Gather::new(),
            targets: GatherTargets::default(),
            activations: Activations::new(network, size),
            deltas: deltas(network, size),
            score: Score::default(),
        };
        Self {
            held: (0..most_rows.div_ceil(size)).map(|_| Mutex::new(held())).collect(),
            block_rows: block_rows(network),
            layers: network.layers().to_vec(),
            parts: network.layers().iter().enumerate().flat_map(|layer| parts(network, layer)).collect(),
        }
    }

    /// Blocks of a batch: number, first row, rows.
    fn blocks(&self, source: Source) -> impl Iterator<Item = (usize, usize, usize)> + use<T> {
        let n = source.rows.len();
        blocks(0, n, even_blocks(n, self.block_rows))
    }

    /// A batch forward, and back to `delta` at each layer; its score.
    pub fn pass(&mut self, batch: &Batch<T>, pool: &mut Pool) -> Score {
        let (head, source) = (batch.head, batch.source);
        let blocks: Vec<_> = self.blocks(source).collect();
        let held = &mut self.held[..blocks.len()];
        held.iter_mut().for_each(|held| get(held).gather.forget());
        let is_alone = !head.predicts_by_batch();
        pool.run(blocks.len(), &|b, _| {
            let (mut held, (_, first, n)) = (lock(&held[b]), blocks[b]);
            held.forward(batch, first, n);
            if is_alone {
                held.learn(batch, first, n, None);
            }
        });
        let total = |held: &mut [Mutex<Held<T>>]| {
            let mut score = Score::default();
            held.iter_mut().for_each(|held| score.add(get(held).score));
            score
        };
        let mut score = if is_alone { total(held) } else { Score::default() };
        if head.is_coupled() && !head.shift_is_harmless::<T>(&score) {
            let logits: Vec<&[T]> = (held.iter_mut().zip(&blocks))
                .map(|(held, &(_, _, n))| get(held).activations.logits(n))
                .collect();
            let coupling = head.couple(logits.iter().copied());
            pool.run(blocks.len(), &|b, _| {
                let (_, first, n) = blocks[b];
                lock(&held[b]).learn(batch, first, n, Some(&coupling));
            });
            score = total(held);
        }

        score
    }

    /// The gradient of the batch of [`Parts::pass`], which then moves the parameters if there is a rule; whether the gradient
    /// is finite.
    pub fn gradients(
        &mut self,
        source: Source,
        pool: &mut Pool,
        mut all: Piece<T>,
        rule: Option<UpdateRule>,
    ) -> bool {
        let blocks = self.blocks(source);
        let Self { held, layers, parts, .. } = self;
        let rows: Vec<_> = (held.iter_mut().zip(blocks))
            .map(|(held, (_, first, n))| {
                let Held { gather, activations, deltas, .. } = get(held);
                PassedRows { x: gather.rows(source, first, n), n, activations, deltas }
            })
            .collect();
        let places: Vec<_> =
            parts.iter().map(|part| Mutex::new((all.cut(part.n_weights), all.cut(part.n_biases)))).collect();
        let is_finite = AtomicBool::new(true);
        pool.run(parts.len(), &|i, _| {
            let Part { layer: l, first, .. } = parts[i];
            let layer = &layers[l];
            let (weights, biases) = &mut *lock(&places[i]);
            for (b, &PassedRows { x, n, activations, deltas }) in rows.iter().enumerate() {
                let add = b > 0;
                activations.weight_gradient((l, layer), x, n, deltas, (first, add), weights.gradient);
                bias_gradient(&deltas[l][..n * layer.n_out], add, biases.gradient);
            }
            for (piece, are_weights) in [(weights, true), (biases, false)] {
                if !kernels::all_finite(piece.gradient) {
                    is_finite.store(false, Relaxed);
                }
                if let Some(rule) = rule {
                    piece.update(rule, are_weights);
                }
            }
        });
        is_finite.into_inner()
    }
}

impl<T: Float> Held<T> {
    /// Rows up to the logits.
    fn forward(&mut self, batch: &Batch<T>, first: usize, n: usize) {
        self.activations.forward(batch.network, self.gather.rows(batch.source, first, n), n);
    }

    /// From the logits through the head, and back to the first layer's.
    fn learn(&mut self, batch: &Batch<T>, first: usize, n: usize, coupling: Option<&Coupling<T>>) {
        let targets = self.targets.rows(batch.source, first, n);
        self.score = self.activations.head(batch, targets, n, coupling, &mut self.deltas);
        self.activations.carry_back(batch.network, n, &mut self.deltas);
    }
}

/// `n` rows that went forward and back.
struct PassedRows<'a, T> {
    x: Block<'a, T>,
    n: usize,
    activations: &'a Activations<T>,
    deltas: &'a Deltas<T>,
}

/// The parts of a layer, in the order in which they lie.
fn parts<T: Float>(network: &Network<T>, (l, layer): (usize, &Layer)) -> Vec<Part> {
    let is_turned = l == 0 && network.is_turned();
    let (n_rows, width) = if is_turned { (layer.n_in, layer.n_out) } else { (layer.n_out, layer.n_in) };
    let is_large = l > 0 && kernels::is_large::<T>(layer.n_in, layer.n_out);
    let height = if is_large { LARGE_ROWS } else { PART.div_ceil(width) };
    let part = |first: usize| {
        let Range { start, end } = first..n_rows.min(first + height);
        let n_biases = if end == n_rows { layer.bias.len() } else { 0 };
        Part { layer: l, first, n_weights: (end - start) * width, n_biases }
    };
    (0..n_rows).step_by(height).map(part).collect()
}
