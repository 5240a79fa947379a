//! A step by parts of the parameters, for batches that are small beside their network.
//!
//! Summing a gradient for each shard of such a batch would write and read more numbers than there are products to compute.
//! Here all rows go forward and back first ([`HeldRows`]); then each task computes a part of the gradient, for all rows. A
//! number of the gradient is written once, by one task, which adds the blocks in their order: the result has the same bits for
//! any number of threads. And while the numbers of a part are in the cache, they can move the parameters at once.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use steepest_kernels::{self as kernels, Float, Pool, Products};

use crate::gather::Source;
use crate::held::HeldRows;
use crate::layout::Layout;
use crate::locks::lock;
use crate::network::{Layer, Network};
use crate::optimizer::UpdateRule;
use crate::pass::BLOCK;
use crate::pieces::Piece;
use crate::shard::shard_count;

/// What a step by parts works with.
pub(crate) struct Parts<T> {
    pub held: HeldRows<T>,
    layers: Vec<Layer>,
    parts: Vec<Part>,
}

/// Some rows of a layer's weights, and with the last of them the layer's bias and scale.
struct Part {
    layer: usize,
    first: usize,
    n_weights: usize,
    n_vectors: usize,
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
    pub fn new(network: &Network<T>, most_rows: usize, products: Products) -> Self {
        Self {
            held: HeldRows::new(network, most_rows, products),
            layers: network.layers().to_vec(),
            parts: network.layers().iter().enumerate().flat_map(|layer| parts(network, layer)).collect(),
        }
    }

    /// The gradient of the batch of [`HeldRows::pass`], with that of an `l2` penalty, which then moves the parameters if there
    /// is a rule; whether the gradient is finite, and with a penalty the sum of the squared weights before they moved.
    pub fn gradients(
        &mut self,
        source: Source,
        pool: &mut Pool,
        mut all: Piece<T>,
        l2: f64,
        rule: Option<&UpdateRule>,
    ) -> (bool, f64) {
        let Self { held, layers, parts } = self;
        let rows = held.passed(source);
        let places: Vec<_> = parts
            .iter()
            .map(|part| Mutex::new((all.cut(part.n_weights, true), all.cut(part.n_vectors, false))))
            .collect();
        let is_finite = AtomicBool::new(true);
        pool.run(parts.len(), &|i, _| {
            let Part { layer: l, first, .. } = parts[i];
            let layer = (l, &layers[l]);
            let (weights, vectors) = &mut *lock(&places[i]);
            for (b, block) in rows.blocks.iter().enumerate() {
                block.weight_gradient(layer, (first, b > 0), weights.gradient);
            }
            weights.add_l2(l2);
            if !vectors.gradient.is_empty() {
                rows.vector_gradient(layer, 0..rows.blocks.len(), vectors.gradient);
            }
            for piece in [weights, vectors] {
                if !kernels::all_finite(piece.gradient) {
                    is_finite.store(false, Relaxed);
                }
                if let Some(rule) = rule {
                    rule.update(piece);
                }
            }
        });
        let squares = places.iter().map(|place| lock(place).0.squares).sum();
        (is_finite.into_inner(), squares)
    }
}

/// The parts of a layer, in the order in which they lie.
fn parts<T: Float>(network: &Network<T>, (l, layer): (usize, &Layer)) -> Vec<Part> {
    let is_turned = l == 0 && network.is_turned();
    let (n_rows, width) = if is_turned { (layer.n_in, layer.n_out) } else { (layer.n_out, layer.n_in) };
    let is_large = l > 0 && kernels::is_large::<T>(layer.n_in, layer.n_out);
    let height = if is_large { LARGE_ROWS } else { PART.div_ceil(width) };
    let part = |first: usize| {
        let Range { start, end } = first..n_rows.min(first + height);
        let n_vectors = if end == n_rows { layer.vectors().len() } else { 0 };
        Part { layer: l, first, n_weights: (end - start) * width, n_vectors }
    };
    (0..n_rows).step_by(height).map(part).collect()
}
