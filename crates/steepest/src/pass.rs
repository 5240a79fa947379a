//! A block of rows on its way through the network and back.

use std::borrow::Cow;

use steepest_kernels::{self as kernels, AlignedVec, Float, Ink, Inputs};

use crate::batches::Rows;
use crate::dataset::{Dataset, Inputs as Storage};
use crate::network::{Network, NetworkSpec};

/// Rows that go through the network together: enough to use each weight many times while it is in a register, few
/// enough for their activations to stay in the second cache.
pub(crate) const BLOCK: usize = Ink::ROWS;

/// What a block's rows are at each layer. Matrices have room for `capacity` rows; a pass may use fewer.
pub(crate) struct Activations<T> {
    /// Logits of each layer, `(rows, n_out)`.
    pub z: Vec<AlignedVec<T>>,
    /// Outputs of each layer, `(rows, n_out)`; of the last, the head's predictions.
    pub a: Vec<AlignedVec<T>>,
    /// The head's row sums, `(rows)`.
    pub log_sums: AlignedVec<T>,
}

/// Gradients at each layer's logits, `(rows, n_out)`.
pub(crate) type Deltas<T> = Vec<AlignedVec<T>>;

pub(crate) fn deltas<T: Float>(network: &Network<T>, capacity: usize) -> Deltas<T> {
    network.layers().iter().map(|layer| AlignedVec::zeros(capacity * layer.n_out)).collect()
}

impl<T: Float> Activations<T> {
    pub fn new(network: &Network<T>, capacity: usize) -> Self {
        let of_layers = || deltas(network, capacity);
        Self { z: of_layers(), a: of_layers(), log_sums: AlignedVec::zeros(capacity) }
    }

    /// Logits of the `n` rows of `x`, and what leads there; the head then makes predictions of them.
    pub fn forward(&mut self, network: &Network<T>, x: Block<T>, n: usize) {
        let last = network.layers().len() - 1;
        for (l, layer) in network.layers().iter().enumerate() {
            let (weight, bias) = (network.weight(layer), network.bias(layer));
            let z = &mut self.z[l][..n * layer.n_out]; // (n, n_out)
            match l.checked_sub(1) {
                None => x.affine(weight, bias, z),
                Some(before) => {
                    let a = &self.a[before][..n * layer.n_in]; // (n, n_in)
                    kernels::affine(Inputs::plain(a, layer.n_in), weight, bias, z);
                }
            }
            if l < last {
                network.spec().activation.forward(z, &mut self.a[l][..n * layer.n_out]);
            }
        }
    }

    /// The last layer's logits of `n` rows.
    pub fn logits(&self, n: usize) -> &[T] {
        let z = &self.z[self.z.len() - 1];
        &z[..z.len() / self.log_sums.len() * n]
    }

    /// From `delta` at the last layer's logits to the gradient of all parameters, which it is added to if `add`.
    pub fn backward(
        &self,
        network: &Network<T>,
        x: Block<T>,
        n: usize,
        delta: &mut Deltas<T>,
        add: bool,
        gradient: &mut [T],
    ) {
        for (l, layer) in network.layers().iter().enumerate().rev() {
            let (before, from_here) = delta.split_at_mut(l);
            let delta = &from_here[0][..n * layer.n_out];
            let d_weight = &mut gradient[layer.weight.clone()];
            match l.checked_sub(1) {
                None => x.weight_gradient(delta, add, d_weight),
                Some(before) => {
                    let a = Inputs::plain(&self.a[before][..n * layer.n_in], layer.n_in);
                    kernels::weight_gradient(delta, a, add, d_weight);
                }
            }
            let d_bias = &mut gradient[layer.bias.clone()];
            if !d_bias.is_empty() {
                if !add {
                    d_bias.fill(T::ZERO);
                }
                kernels::column_sums(delta, d_bias);
            }
            if l > 0 {
                let (z, a) = (&self.z[l - 1][..n * layer.n_in], &self.a[l - 1][..n * layer.n_in]);
                let d_input = &mut before[l - 1][..n * layer.n_in];
                kernels::backpropagate(delta, network.weight(layer), layer.n_in, d_input);
                network.spec().activation.backward(z, a, d_input);
            }
        }
    }
}

/// Units from which a layer is wide enough for a walk over the ink of images to be worth while: about four registers.
const WIDE: usize = 64;

/// The part of bytes that may be other than zero for it. From here on dot products are as fast.
const MOST_INK: f64 = 0.35;

/// Whether the first layer's weights should lie transposed for many passes over `data`.
pub(crate) fn wants_turning(spec: &NetworkSpec, data: &Dataset) -> bool {
    let is_bytes = matches!(data.inputs(), Storage::Bytes(_) | Storage::Drawn { .. });
    is_bytes && spec.sizes[1] >= WIDE && ink(data) <= MOST_INK
}

/// The network, with its first layer laid out for a pass over `data`.
pub(crate) fn suited<'a, T: Float>(network: &'a Network<T>, data: &Dataset) -> Cow<'a, Network<T>> {
    let is_bytes = matches!(data.inputs(), Storage::Bytes(_) | Storage::Drawn { .. });
    // Also for a few rows, where transposing costs more than it gains: a row's prediction should not depend on how many
    // others it comes with, not even in its last bit.
    let turned = if network.is_turned() { is_bytes } else { wants_turning(network.spec(), data) };
    if turned == network.is_turned() { Cow::Borrowed(network) } else { Cow::Owned(network.laid_out(turned)) }
}

/// The part of bytes that are not zero, in a sample of the rows.
fn ink(data: &Dataset) -> f64 {
    let n = data.n_samples();
    let count = n.min(kernels::Ink::ROWS);
    let rows: Vec<u32> = (0..count).map(|i| (i * n / count) as u32).collect();
    let mut gather = Gather::<f32>::new();
    match gather.rows(data, Rows::Some(&rows), 0, count, 0, 1.0, true) {
        Block::Inked(x, ink) => ink.count() as f64 / x.x.len().max(1) as f64,
        Block::Bytes(_) | Block::Floats(_) => 1.0,
    }
}

/// The inputs of a block of rows, in the form in which the data set stores them: bytes stay bytes.
#[derive(Clone, Copy)]
pub(crate) enum Block<'a, T> {
    Bytes(Inputs<'a, T, u8>),
    /// For a network whose first layer lies transposed.
    Inked(Inputs<'a, T, u8>, &'a Ink),
    Floats(Inputs<'a, T, T>),
}

impl<T: Float> Block<'_, T> {
    /// The first layer's logits.
    fn affine(self, weight: &[T], bias: Option<&[T]>, z: &mut [T]) {
        match self {
            Self::Bytes(x) => kernels::affine(x, weight, bias, z),
            Self::Inked(x, ink) => kernels::affine_sparse(x, ink, weight, bias, z),
            Self::Floats(x) => kernels::affine(x, weight, bias, z),
        }
    }

    /// The gradient of the first layer's weights.
    fn weight_gradient(self, delta: &[T], add: bool, d_weight: &mut [T]) {
        match self {
            Self::Bytes(x) => kernels::weight_gradient(delta, x, add, d_weight),
            Self::Inked(x, ink) => kernels::weight_gradient_sparse(delta, x, ink, add, d_weight),
            Self::Floats(x) => kernels::weight_gradient(delta, x, add, d_weight),
        }
    }

    /// The inputs as numbers, scaled.
    pub fn to_floats(self) -> Vec<T> {
        match self {
            Self::Bytes(x) | Self::Inked(x, _) => {
                let mut out = vec![T::ZERO; x.x.len()];
                kernels::widen(x.x, x.factor, &mut out);
                out
            }
            Self::Floats(x) => x.x.to_vec(),
        }
    }
}

/// Where rows are brought together that do not lie together in the data set.
pub(crate) struct Gather<T> {
    bytes: Vec<u8>,
    ink: Ink,
    floats: Vec<T>,
    /// The first row of the batch that lies here now.
    loaded: Option<usize>,
}

impl<T: Float> Gather<T> {
    pub fn new() -> Self {
        Self { bytes: Vec::new(), ink: Ink::default(), floats: Vec::new(), loaded: None }
    }

    /// Forgets what lies here: a new batch begins.
    pub fn forget(&mut self) {
        self.loaded = None;
    }

    /// The rows `first..first + n` of a batch of `data`, to be multiplied by `factor`; with their ink if `inked`.
    #[allow(clippy::too_many_arguments)]
    pub fn rows<'a>(
        &'a mut self,
        data: &'a Dataset,
        rows: Rows<'_>,
        first: usize,
        n: usize,
        epoch: u64,
        factor: f64,
        inked: bool,
    ) -> Block<'a, T> {
        let width = data.n_features();
        let row = |i: usize| rows.get(first + i) as usize;
        let is_here = self.loaded.replace(first) == Some(first);
        let bytes: &[u8] = match (data.inputs(), rows) {
            (Storage::Bytes(all), Rows::All(_)) => &all[first * width..(first + n) * width],
            (Storage::Bytes(all), Rows::Some(_)) => {
                if !is_here {
                    self.bytes.clear();
                    for i in 0..n {
                        self.bytes.extend_from_slice(&all[row(i) * width..(row(i) + 1) * width]);
                    }
                }
                &self.bytes
            }
            (Storage::Drawn { draw, rows: numbers }, _) => {
                if !is_here {
                    self.bytes.resize(n * width, 0);
                    for (i, out) in self.bytes.chunks_exact_mut(width).enumerate() {
                        draw(epoch, numbers[row(i)], out);
                    }
                }
                &self.bytes
            }
            (Storage::F32(all), _) => return self.narrow(all, width, row, n, factor, is_here),
            (Storage::F64(all), _) => return self.narrow(all, width, row, n, factor, is_here),
        };
        let inputs = Inputs { x: bytes, n_in: width, factor: T::from_f64(factor) };
        if !inked {
            return Block::Bytes(inputs);
        }
        if !is_here {
            self.ink.find(bytes, width);
        }
        Block::Inked(inputs, &self.ink)
    }

    fn narrow<F: Float>(
        &mut self,
        all: &[F],
        width: usize,
        row: impl Fn(usize) -> usize,
        n: usize,
        factor: f64,
        is_here: bool,
    ) -> Block<'_, T> {
        if !is_here {
            self.floats.resize(n * width, T::ZERO);
            for (i, out) in self.floats.chunks_exact_mut(width).enumerate() {
                kernels::narrow(&all[row(i) * width..(row(i) + 1) * width], factor, out);
            }
        }
        Block::Floats(Inputs::plain(&self.floats, width))
    }
}
