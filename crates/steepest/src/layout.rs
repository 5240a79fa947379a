//! How the first layer's weights lie: as `(n_out, n_in)`, or as the passes over this data want them.
//!
//! Images that are mostly empty go through a wide first layer by a walk over their ink ([`steepest_kernels::affine_sparse`]),
//! which wants the weights transposed; so do numbers that are mostly zero. And so do tables: their rows are often too short to
//! be walked along, the units of a wide layer are not. Through a narrow first layer images go as the squares of them that are
//! not empty ([`steepest_kernels::affine_patches`]), if the same rows are seen in every step.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use steepest_kernels::{self as kernels, Float, Ink, Patches, Pool};

use crate::batches::Rows;
use crate::dataset::{Dataset, Inputs};
use crate::gather::{Block, Gather, Source};
use crate::locks::lock;
use crate::network::{Layer, Network, NetworkSpec};

/// Where each of the first layer's weights lies.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Layout {
    /// `(n_out, n_in)`
    Upright,
    /// `(n_in, n_out)`
    Turned,
    /// `(n_patches, n_out, 16)`: the patches are 16 inputs each, in this order.
    Patches(Arc<[u32]>),
}

impl Layout {
    /// A layer's weights as `(n_in, n_out)`, out of a flat vector in which they lie in this layout.
    pub(crate) fn turned<'a, T: Float>(&self, layer: &Layer, flat: &'a [T]) -> Cow<'a, [T]> {
        if *self == Self::Turned {
            return Cow::Borrowed(&flat[layer.weight.clone()]);
        }
        let mut weights = vec![T::ZERO; layer.weight.len()];
        if *self == Self::Upright {
            layer.turned(flat, &mut weights);
        } else {
            let mut upright = flat.to_vec();
            self.rearrange(&Self::Upright, layer, &mut upright);
            layer.turned(&upright, &mut weights);
        }
        Cow::Owned(weights)
    }

    /// Puts a layer's weights `(n_in, n_out)` into a flat vector, to lie there in this layout.
    pub(crate) fn put_turned<T: Float>(&self, layer: &Layer, weights: &[T], flat: &mut [T]) {
        if *self == Self::Turned {
            flat[layer.weight.clone()].copy_from_slice(weights);
        } else {
            layer.put_turned(weights, flat);
            Self::Upright.rearrange(self, layer, flat);
        }
    }

    /// Brings a layer's part of a flat vector from this layout into another.
    pub(crate) fn rearrange<T: Float>(&self, to: &Self, layer: &Layer, flat: &mut [T]) {
        if self == to {
            return;
        }
        let weight = &mut flat[layer.weight.clone()];
        let mut before = weight.to_vec();
        match self {
            Self::Upright => {}
            Self::Turned => kernels::transpose(&before, layer.n_out, 0, weight),
            Self::Patches(order) => {
                by_patch(order, layer).zip(&before).for_each(|(i, &number)| weight[i] = number);
            }
        }
        if *self != Self::Upright && *to != Self::Upright {
            before.copy_from_slice(weight);
        }
        match to {
            Self::Upright => {}
            Self::Turned => kernels::transpose(&before, layer.n_in, 0, weight),
            Self::Patches(order) => {
                by_patch(order, layer).zip(weight).for_each(|(i, number)| *number = before[i]);
            }
        }
    }
}

/// Where in `(n_out, n_in)` the numbers are that lie patch after patch.
fn by_patch(order: &[u32], layer: &Layer) -> impl Iterator<Item = usize> {
    let (n_in, n_out) = (layer.n_in, layer.n_out);
    order.chunks(Patches::WIDTH).flat_map(move |patch| {
        (0..n_out).flat_map(move |unit| patch.iter().map(move |&input| unit * n_in + input as usize))
    })
}

/// Units from which a layer is wide enough for a walk over the ink of images to be worth while: with a fifth of ink, 64
/// units gain a factor of two and 32 lose, on AVX-512 (`cargo bench -p steepest-kernels`).
const WIDE: usize = 64;

/// The part of bytes that may be other than zero for it: at half, AVX-512 still gains a factor of 1.7, AVX2 nothing.
const MOST_INK: f64 = 0.5;

/// The same of numbers. Their products are not as slow where nothing is left out: with a quarter, 100 units gain a factor of 1.6 in
/// double precision and nothing in single, on AVX-512 (`cargo bench -p steepest-kernels --bench ink`).
const MOST_NUMBERS: f64 = 0.25;

/// The part of patches that may have ink for it to be worth while to keep them.
const MOST_PATCHES: f64 = 0.7;

/// How the first layer's weights should lie for many passes over any rows of `data`.
pub(crate) fn layout_for(spec: &NetworkSpec, data: &Dataset) -> Layout {
    // Sparse rows have no other way.
    let turns = data.is_sparse() || is_wide(spec) && (!data.is_bytes() || ink(data) <= MOST_INK);
    if turns { Layout::Turned } else { Layout::Upright }
}

/// How they should lie for many passes over all rows of `data` in their order, and what these passes want to know of the rows.
pub(crate) fn layout_for_all(spec: &NetworkSpec, data: &Dataset, pool: &mut Pool) -> (Layout, Vec<Patches>) {
    let n_in = data.n_features();
    let Inputs::Bytes(x) = data.inputs() else { return (layout_for(spec, data), Vec::new()) };
    let has_patches = n_in.is_multiple_of(Patches::WIDTH) && n_in <= Patches::MOST * Patches::WIDTH;
    if is_wide(spec) || !has_patches {
        return (layout_for(spec, data), Vec::new());
    }
    let order = squares(data);
    let (sample, mut patches) = (sample(data), Patches::default());
    let rows: Vec<u8> =
        sample.iter().flat_map(|&row| &x[row as usize * n_in..(row as usize + 1) * n_in]).copied().collect();
    patches.find(&rows, n_in, &order);
    if patches.count() as f64 > MOST_PATCHES * (rows.len() / Patches::WIDTH) as f64 {
        return (layout_for(spec, data), Vec::new());
    }
    let blocks: Vec<&[u8]> = x.chunks(Patches::ROWS * n_in).collect();
    let patches: Vec<_> = blocks.iter().map(|_| Mutex::new(Patches::default())).collect();
    pool.run(blocks.len(), &|i, _| lock(&patches[i]).find(blocks[i], n_in, &order));
    let patches = patches.into_iter().map(|p| p.into_inner().unwrap_or_else(|e| e.into_inner())).collect();
    (Layout::Patches(order.into()), patches)
}

/// The inputs in an order in which 16 in a row are a square of the image. Rows of a table whose length is a square number are
/// taken for images: if they are none, any order is as good.
fn squares(data: &Dataset) -> Vec<u32> {
    const SIDE: usize = 4;
    let mut order: Vec<u32> = (0..data.n_features() as u32).collect();
    let root = data.n_features().isqrt();
    let width = match data.image() {
        Some((_, width)) => Some(width),
        None => (root * root == data.n_features()).then_some(root),
    };
    if let Some(width) = width {
        // Stable: within a square from left to right, from top to bottom.
        order.sort_by_key(|&input| (input as usize / width / SIDE, input as usize % width / SIDE));
    }
    order
}

/// Whether the first layer is wide enough to lie transposed.
pub(crate) fn is_wide(spec: &NetworkSpec) -> bool {
    spec.sizes[1] >= WIDE
}

/// The network, with its first layer laid out for a pass over `data`.
pub(crate) fn suited<'a, T: Float>(network: &'a Network<T>, data: &Dataset) -> Cow<'a, Network<T>> {
    // Also for a few rows, where transposing costs more than it gains: a row's prediction should not depend on how many
    // others it comes with, not even in its last bit.
    if network.is_turned() {
        return Cow::Borrowed(network);
    }
    let layout = layout_for(network.spec(), data);
    if layout == *network.layout() { Cow::Borrowed(network) } else { Cow::Owned(network.laid_out(&layout)) }
}

/// Whether the inputs are numbers of which so few are not zero that a walk over these is worth while, if the first layer is wide.
pub(crate) fn are_mostly_zero(data: &Dataset) -> bool {
    !data.is_bytes() && data.ink(|| ink(data)) <= MOST_NUMBERS
}

/// The part of the inputs that are not zero, in a sample of the rows.
fn ink(data: &Dataset) -> f64 {
    let rows = sample(data);
    let source = Source { rows: Rows::Some(&rows), ..Source::new(data, 1.0) };
    let mut gather = Gather::<f64>::new();
    let mut found = Ink::default();
    match gather.rows(source, 0, rows.len()) {
        Block::Bytes(x) => found.find(x.x, x.n_in),
        Block::Floats(x) => found.find(x.x, x.n_in),
        _ => return 1.0,
    }
    found.count() as f64 / (rows.len() * data.n_features()).max(1) as f64
}

/// Some rows from all over a data set.
fn sample(data: &Dataset) -> Vec<u32> {
    let n = data.n_samples();
    let count = n.min(Ink::ROWS);
    (0..count).map(|i| (i * n / count) as u32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_taken_back_exactly() {
        let none = 0..0;
        let layer = Layer {
            n_in: 48,
            n_out: 5,
            weight: 2..242,
            bias: 242..247,
            scale: none.clone(),
            mean: none.clone(),
            variance: none,
        };
        let upright: Vec<f32> = (0..250).map(|i| i as f32).collect();
        let data = Dataset::new(Inputs::Bytes(vec![0; 48].into()), 48, None).unwrap().with_image(6, 8);
        let order = squares(&data);
        assert_eq!(order[..9], [0, 1, 2, 3, 8, 9, 10, 11, 16]);
        assert_eq!(order[16..20], [4, 5, 6, 7]);
        let layouts = [Layout::Upright, Layout::Turned, Layout::Patches(order.into())];
        for from in &layouts {
            for to in &layouts {
                let mut flat = upright.clone();
                Layout::Upright.rearrange(from, &layer, &mut flat);
                from.rearrange(to, &layer, &mut flat);
                assert!(*to == Layout::Upright || flat[2..242] != upright[2..242]);
                assert!(flat[..2] == upright[..2] && flat[242..] == upright[242..]);
                if let Layout::Patches(_) = to {
                    assert_eq!(
                        flat[2 + 16..2 + 20],
                        [50.0, 51.0, 52.0, 53.0],
                        "the second unit's first patch"
                    );
                }
                to.rearrange(&Layout::Upright, &layer, &mut flat);
                assert_eq!(flat, upright);
            }
        }
    }
}
