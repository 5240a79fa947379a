//! A block of rows on its way through the network and back.

use steepest_kernels::{self as kernels, Float};

use crate::batches::Rows;
use crate::dataset::{Dataset, Inputs};
use crate::network::Network;

/// Rows that go through the network together: enough to use each weight many times while it is in a register, few
/// enough for their activations to stay in the second cache.
pub(crate) const BLOCK: usize = 64;

/// What a block's rows are at each layer. Matrices have room for `capacity` rows; a pass may use fewer.
pub(crate) struct Activations<T> {
    /// Logits of each layer, `(rows, n_out)`.
    pub z: Vec<Vec<T>>,
    /// Outputs of each layer, `(rows, n_out)`; of the last, the head's predictions.
    pub a: Vec<Vec<T>>,
    /// The head's row sums, `(rows)`.
    pub log_sums: Vec<T>,
}

/// Gradients at each layer's logits, `(rows, n_out)`.
pub(crate) type Deltas<T> = Vec<Vec<T>>;

pub(crate) fn deltas<T: Float>(network: &Network<T>, capacity: usize) -> Deltas<T> {
    network.layers().iter().map(|layer| vec![T::ZERO; capacity * layer.n_out]).collect()
}

impl<T: Float> Activations<T> {
    pub fn new(network: &Network<T>, capacity: usize) -> Self {
        let of_layers = || deltas(network, capacity);
        Self { z: of_layers(), a: of_layers(), log_sums: vec![T::ZERO; capacity] }
    }

    /// Logits of `n` rows `x (n, n_in)`, and what leads there; the head then makes predictions of them.
    pub fn forward(&mut self, network: &Network<T>, x: &[T], n: usize) {
        let last = network.layers().len() - 1;
        for (l, layer) in network.layers().iter().enumerate() {
            let input = if l == 0 { x } else { &self.a[l - 1][..n * layer.n_in] };
            let z = &mut self.z[l][..n * layer.n_out]; // (n, n_out)
            kernels::affine(input, network.weight(layer), network.bias(layer), layer.n_in, z);
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
        x: &[T],
        n: usize,
        delta: &mut Deltas<T>,
        add: bool,
        gradient: &mut [T],
    ) {
        for (l, layer) in network.layers().iter().enumerate().rev() {
            let (before, from_here) = delta.split_at_mut(l);
            let delta = &from_here[0][..n * layer.n_out];
            let input = if l == 0 { x } else { &self.a[l - 1][..n * layer.n_in] };
            kernels::weight_gradient(delta, input, layer.n_in, add, &mut gradient[layer.weight.clone()]);
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

/// Rows `first..first + n` of a batch, divided by the data set's divisor, into `x (n, n_features)`.
pub(crate) fn fill<T: Float>(
    data: &Dataset,
    rows: Rows<'_>,
    first: usize,
    n: usize,
    epoch: u64,
    factor: f64,
    x: &mut [T],
) {
    let width = data.n_features();
    let places = |i: usize| rows.get(first + i) as usize * width..(rows.get(first + i) as usize + 1) * width;
    let each = x.chunks_exact_mut(width).take(n).enumerate();
    match (data.inputs(), rows) {
        (Inputs::Bytes(bytes), Rows::All(_)) => {
            kernels::widen(
                &bytes[first * width..(first + n) * width],
                T::from_f64(factor),
                &mut x[..n * width],
            );
        }
        (Inputs::Bytes(bytes), _) => {
            each.for_each(|(i, x)| kernels::widen(&bytes[places(i)], T::from_f64(factor), x));
        }
        (Inputs::F32(values), _) => each.for_each(|(i, x)| kernels::narrow(&values[places(i)], factor, x)),
        (Inputs::F64(values), _) => each.for_each(|(i, x)| kernels::narrow(&values[places(i)], factor, x)),
        (Inputs::Drawn { draw, rows: numbers }, _) => {
            let mut bytes = vec![0; width];
            for (i, x) in each {
                draw(epoch, numbers[rows.get(first + i) as usize], &mut bytes);
                kernels::widen(&bytes, T::from_f64(factor), x);
            }
        }
    }
}
