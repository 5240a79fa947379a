//! Whether the first layer's weights lie as `(n_out, n_in)` or transposed.
//!
//! Images that are mostly empty go through a wide first layer by a walk over their ink
//! ([`steepest_kernels::affine_sparse`]), which wants the weights transposed. So do tables: their rows are often too short to
//! be walked along, the units of a wide layer are not.

use std::borrow::Cow;

use steepest_kernels::{Float, Ink};

use crate::batches::Rows;
use crate::dataset::Dataset;
use crate::gather::{Block, Gather, Source};
use crate::network::{Network, NetworkSpec};

/// Units from which a layer is wide enough for a walk over the ink of images to be worth while: with a fifth of ink, 64
/// units gain a factor of two and 32 lose, on AVX-512 (`cargo bench -p steepest-kernels`).
const WIDE: usize = 64;

/// The part of bytes that may be other than zero for it: at half, AVX-512 still gains a factor of 1.7, AVX2 nothing.
const MOST_INK: f64 = 0.5;

/// Whether the first layer's weights should lie transposed for many passes over `data`.
pub(crate) fn wants_turning(spec: &NetworkSpec, data: &Dataset) -> bool {
    is_wide(spec) && (!data.is_bytes() || ink(data) <= MOST_INK)
}

/// Whether the first layer is wide enough to lie transposed.
pub(crate) fn is_wide(spec: &NetworkSpec) -> bool {
    spec.sizes[1] >= WIDE
}

/// The network, with its first layer laid out for a pass over `data`.
pub(crate) fn suited<'a, T: Float>(network: &'a Network<T>, data: &Dataset) -> Cow<'a, Network<T>> {
    // Also for a few rows, where transposing costs more than it gains: a row's prediction should not depend on how many
    // others it comes with, not even in its last bit.
    if network.is_turned() || !wants_turning(network.spec(), data) {
        return Cow::Borrowed(network);
    }
    Cow::Owned(network.laid_out(true))
}

/// The part of bytes that are not zero, in a sample of the rows.
fn ink(data: &Dataset) -> f64 {
    let n = data.n_samples();
    let count = n.min(Ink::ROWS);
    let rows: Vec<u32> = (0..count).map(|i| (i * n / count) as u32).collect();
    let source = Source { data, rows: Rows::Some(&rows), epoch: 0, factor: 1.0, turned: true };
    match Gather::<f32>::new().rows(source, 0, count) {
        Block::Inked(x, inks) => inks.iter().map(Ink::count).sum::<usize>() as f64 / x.x.len().max(1) as f64,
        Block::Bytes(_) | Block::Floats(_) | Block::Turned(_) => 1.0,
    }
}
