//! A block of rows on its way through the network and back.

use steepest_kernels::{self as kernels, AlignedVec, Finish, Float, Ink, Inputs, Products};

use crate::activation::Activation;
use crate::dropout::{Dropout, RowsDropout};
use crate::gather::{Block, Source, Wanted};
use crate::head::{Coupling, Head};
use crate::network::{Layer, Network};
use crate::score::Score;

/// Rows that shards are made of, and that go through most networks together: enough to use each weight many times while it
/// is in a register, few enough for their activations to stay in the second cache.
pub(crate) const BLOCK: usize = Ink::ROWS;

/// Rows that go through this network together: more where it is the weights that do not stay in the cache.
pub(crate) fn block_rows<T: Float>(network: &Network<T>) -> usize {
    let is_large = |layer: &Layer| kernels::is_large::<T>(layer.n_in, layer.n_out);
    if network.layers().iter().any(is_large) { 8 * BLOCK } else { BLOCK }
}

/// Rows of a block, where `n` rows go in as few blocks of at most `most` as possible: as equal as can be, since the longest one
/// is waited for.
pub(crate) fn even_block_rows(n: usize, most: usize) -> usize {
    n.div_ceil(n.div_ceil(most).max(1)).max(1)
}

/// What all rows of a step share.
pub(crate) struct Batch<'a, T> {
    pub source: Source<'a>,
    pub network: &'a Network<T>,
    pub head: &'a Head,
    pub dropout: Option<&'a Dropout>,
    /// What the sum of the rows' losses is divided by: their number, or the sum of their weights.
    pub total: f64,
}

impl<T> Batch<'_, T> {
    /// Dropout for the rows from `first` on.
    pub fn dropout(&self, first: usize) -> Option<RowsDropout<'_>> {
        self.dropout.map(|dropout| dropout.rows(first))
    }
}

/// Blocks of `size` of the batch's rows `first..end`: number, first row, rows.
pub(crate) fn blocks(first: usize, end: usize, size: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (first..end).step_by(size).enumerate().map(move |(b, row)| (b, row, size.min(end - row)))
}

/// What a block's rows are at each layer. Matrices have room for `capacity` rows; a pass may use fewer.
pub(crate) struct Activations<T> {
    /// Logits of each layer, `(rows, n_out)`; of hidden layers with ReLU they may be left out.
    pub z: Vec<AlignedVec<T>>,
    /// Outputs of each layer, `(rows, n_out)`; of the last, the head's predictions.
    pub a: Vec<AlignedVec<T>>,
    /// What each hidden layer gives on under dropout, `(rows, n_out)`; else empty.
    pub dropped: Vec<AlignedVec<T>>,
    /// The head's row sums, `(rows)`.
    pub log_sums: AlignedVec<T>,
    /// Whether hidden layers give the outputs of ReLU at once, and its derivative is taken on the way back in the same way.
    relu_at_once: bool,
    /// How products between layers are computed, here and on the way back.
    pub products: Products,
}

/// Gradients at each layer's logits, `(rows, n_out)`.
pub(crate) type Deltas<T> = Vec<AlignedVec<T>>;

pub(crate) fn deltas<T: Float>(network: &Network<T>, capacity: usize) -> Deltas<T> {
    network.layers().iter().map(|layer| AlignedVec::zeros(capacity * layer.n_out)).collect()
}

impl<T: Float> Activations<T> {
    pub fn new(network: &Network<T>, capacity: usize) -> Self {
        let relu_at_once = network.spec().activation == Activation::Relu && !network.spec().batch_norm;
        let mut all = Self { relu_at_once, ..Self::with_logits(network, capacity) };
        if relu_at_once {
            let last = all.z.len() - 1;
            all.z[..last].fill(AlignedVec::zeros(0));
        }
        all
    }

    /// With the logits of every layer.
    pub fn with_logits(network: &Network<T>, capacity: usize) -> Self {
        let of_layers = || deltas(network, capacity);
        Self {
            z: of_layers(),
            a: of_layers(),
            dropped: Vec::new(),
            log_sums: AlignedVec::zeros(capacity),
            relu_at_once: false,
            products: Products::Exact,
        }
    }

    /// With products as they are asked for.
    pub fn with_products(self, products: Products) -> Self {
        Self { products, ..self }
    }

    /// Logits of the `n` rows of `x`, and what leads there; the head then makes predictions of them. Without batch
    /// normalisation, which looks at all rows at once.
    pub fn forward(&mut self, network: &Network<T>, x: Block<T>, n: usize, dropout: Option<RowsDropout>) {
        let last = network.layers().len() - 1;
        for (l, layer) in network.layers().iter().enumerate() {
            self.sums(network, l, x, n);
            if l < last {
                if !self.relu_at_once {
                    let (z, a) = (&self.z[l][..n * layer.n_out], &mut self.a[l][..n * layer.n_out]);
                    network.spec().activation.forward(z, a);
                }
                self.drop(l, n, dropout);
            }
        }
    }

    /// The sums of layer `l`, from the outputs of the one before, or for the first from `x`; and what ReLU makes of them, if that
    /// is done at once.
    pub fn sums(&mut self, network: &Network<T>, l: usize, x: Block<T>, n: usize) {
        let layer = &network.layers()[l];
        let relu = self.relu_at_once && l + 1 < network.layers().len();
        let (weight, finish) = (network.weight(layer), Finish { bias: network.added_bias(layer), relu });
        let products = self.products;
        let (before, from_here) = self.a.split_at_mut(l);
        let out = if relu { &mut from_here[0] } else { &mut self.z[l] };
        let out = &mut out[..n * layer.n_out]; // (n, n_out)
        match l.checked_sub(1) {
            None => x.affine(weight, finish, out),
            Some(last) => {
                let a = &outputs(before, &self.dropped, last)[..n * layer.n_in]; // (n, n_in)
                kernels::affine(Inputs { products, ..Inputs::plain(a, layer.n_in) }, weight, finish, out);
            }
        }
    }

    /// Drops some of what hidden layer `l` gives on.
    pub fn drop(&mut self, l: usize, n: usize, dropout: Option<RowsDropout>) {
        let Some(dropout) = dropout else { return };
        if self.dropped.is_empty() {
            self.dropped = self.a.iter().map(|a| AlignedVec::zeros(a.len())).collect();
        }
        let used = self.a[l].len() / self.log_sums.len() * n;
        self.dropped[l][..used].copy_from_slice(&self.a[l][..used]);
        dropout.apply(l, n, &mut self.dropped[l][..used]);
    }

    /// The last layer's logits of `n` rows.
    pub fn logits(&self, n: usize) -> &[T] {
        let z = &self.z[self.z.len() - 1];
        &z[..z.len() / self.log_sums.len() * n]
    }

    /// `delta` at a block's logits, and its score.
    pub fn head(
        &mut self,
        batch: &Batch<T>,
        wanted: Option<Wanted>,
        n: usize,
        coupling: Option<&Coupling<T>>,
        deltas: &mut Deltas<T>,
    ) -> Score {
        let (last, width) = (self.z.len() - 1, batch.head.n_outputs());
        let Some(Wanted { targets, weights }) = wanted else { return Score::default() };
        let (z, delta) = (&self.z[last][..n * width], &mut deltas[last][..n * width]);
        let Batch { head, total, .. } = *batch;
        if weights.is_none()
            && let Some(score) = head.learn_class(z, coupling, targets, total, delta)
        {
            return score;
        }
        let (p, log_sums) = (&mut self.a[last][..n * width], &mut self.log_sums[..n]);
        head.forward(z, coupling, p, log_sums);
        head.delta(p, targets, weights, total, delta);
        head.score(z, p, log_sums, targets, weights)
    }

    /// From `delta` at the last layer's logits to those at the others'.
    pub fn carry_back(
        &self,
        network: &Network<T>,
        n: usize,
        delta: &mut Deltas<T>,
        dropout: Option<RowsDropout>,
    ) {
        for (l, layer) in network.layers().iter().enumerate().skip(1).rev() {
            let a = &self.a[l - 1][..n * layer.n_in];
            if self.relu_at_once {
                to_outputs(network, l, n, delta, (dropout, Some(a), self.products));
            } else {
                let d_output = to_outputs(network, l, n, delta, (dropout, None, self.products));
                network.spec().activation.backward(&self.z[l - 1][..n * layer.n_in], a, d_output);
            }
        }
    }

    /// The gradient of layer `l`'s weights from their row `first` on, as many as `d_weight` has room for.
    pub fn weight_gradient(
        &self,
        (l, layer): (usize, &Layer),
        x: Block<T>,
        n: usize,
        delta: &Deltas<T>,
        (first, add): (usize, bool),
        d_weight: &mut [T],
    ) {
        let delta = &delta[l][..n * layer.n_out];
        match l.checked_sub(1) {
            None => x.weight_gradient(delta, first, add, d_weight),
            Some(before) => {
                let a = &outputs(&self.a, &self.dropped, before)[..n * layer.n_in];
                let a = Inputs { products: self.products, ..Inputs::plain(a, layer.n_in) };
                kernels::weight_gradient(delta, a, first, add, d_weight);
            }
        }
    }

    /// From `delta` at the last layer's logits to the gradient of all parameters, which it is added to if `add`.
    pub fn backward(
        &self,
        network: &Network<T>,
        x: Block<T>,
        n: usize,
        delta: &mut Deltas<T>,
        dropout: Option<RowsDropout>,
        (add, gradient): (bool, &mut [T]),
    ) {
        self.carry_back(network, n, delta, dropout);
        for (l, layer) in network.layers().iter().enumerate() {
            let d_weight = &mut gradient[layer.weight.clone()];
            self.weight_gradient((l, layer), x, n, delta, (0, add), d_weight);
            bias_gradient(&delta[l][..n * layer.n_out], add, &mut gradient[layer.bias.clone()]);
        }
    }
}

/// What hidden layer `l` gives on.
fn outputs<'a, T>(a: &'a [AlignedVec<T>], dropped: &'a [AlignedVec<T>], l: usize) -> &'a AlignedVec<T> {
    dropped.get(l).unwrap_or(&a[l])
}

/// From `delta` at the sums of layer `l` to that at the activations of the one before, which is returned; where these are given as
/// those of ReLU, to that at the sums it was given.
pub(crate) fn to_outputs<'a, T: Float>(
    network: &Network<T>,
    l: usize,
    n: usize,
    delta: &'a mut Deltas<T>,
    (dropout, relu, products): (Option<RowsDropout>, Option<&[T]>, Products),
) -> &'a mut [T] {
    let layer = &network.layers()[l];
    let (before, from_here) = delta.split_at_mut(l);
    let d_output = &mut before[l - 1][..n * layer.n_in];
    let delta = &from_here[0][..n * layer.n_out];
    kernels::backpropagate(delta, network.weight(layer), layer.n_in, (relu, products), d_output);
    if let Some(dropout) = dropout {
        dropout.apply(l - 1, n, d_output);
    }
    d_output
}

/// The gradient of a layer's bias, if it has one.
pub(crate) fn bias_gradient<T: Float>(delta: &[T], add: bool, d_bias: &mut [T]) {
    if d_bias.is_empty() {
        return;
    }
    if !add {
        d_bias.fill(T::ZERO);
    }
    kernels::add_column_sums(delta, d_bias);
}
