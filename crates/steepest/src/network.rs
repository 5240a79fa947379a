//! A stack of dense layers over one flat vector of parameters.

use std::ops::Range;

use steepest_kernels::{AlignedVec, Float};

use crate::Activation;
use crate::init::Init;
use crate::layout::Layout;
use crate::rng::{Purpose, stream};

/// The shape of a network: `sizes[0]` inputs, hidden layers, `sizes[last]` outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkSpec {
    /// Units of each layer, inputs first.
    pub sizes: Vec<usize>,
    /// Of the hidden layers; the output layer's belongs to the [`crate::Head`].
    pub activation: Activation,
    /// Whether layers have biases.
    pub bias: bool,
}

/// Where one layer's parameters lie in the flat vector.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Inputs.
    pub n_in: usize,
    /// Units.
    pub n_out: usize,
    /// `(n_out, n_in)` row-major.
    pub weight: Range<usize>,
    /// `(n_out)`; empty without biases.
    pub bias: Range<usize>,
}

impl NetworkSpec {
    /// Each layer's place: its weights, then its biases, layer after layer.
    pub fn layers(&self) -> Vec<Layer> {
        let mut at = 0;
        let mut take = |n: usize| {
            at += n;
            at - n..at
        };
        let layer = |pair: &[usize]| {
            let (n_in, n_out) = (pair[0], pair[1]);
            let weight = take(n_in * n_out);
            Layer { n_in, n_out, weight, bias: take(if self.bias { n_out } else { 0 }) }
        };
        self.sizes.windows(2).map(layer).collect()
    }

    /// Parameters in all.
    pub fn n_parameters(&self) -> usize {
        self.layers().last().map_or(0, |layer| layer.bias.end)
    }
}

/// A network and its parameters.
#[derive(Clone, Debug)]
pub struct Network<T> {
    spec: NetworkSpec,
    layers: Vec<Layer>,
    layout: Layout,
    /// All parameters; [`Network::layers`] says which is which.
    pub parameters: AlignedVec<T>,
}

impl<T: Float> Network<T> {
    /// A network with all parameters zero.
    pub fn zeros(spec: NetworkSpec) -> Self {
        let parameters = AlignedVec::zeros(spec.n_parameters());
        Self { layers: spec.layers(), spec, layout: Layout::Upright, parameters }
    }

    /// A network with random parameters: the same for the same seed.
    pub fn random(spec: NetworkSpec, weights: Init, biases: Init, seed: u64) -> Self {
        let mut network = Self::zeros(spec);
        let mut rng = stream(seed, Purpose::Init);
        for layer in &network.layers {
            weights.fill(layer.n_in, layer.n_out, &mut rng, &mut network.parameters[layer.weight.clone()]);
            biases.fill(layer.n_in, layer.n_out, &mut rng, &mut network.parameters[layer.bias.clone()]);
        }
        network
    }

    /// Its shape.
    pub fn spec(&self) -> &NetworkSpec {
        &self.spec
    }

    /// Where each layer's parameters lie.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// How the first layer's weights lie: upright, but for networks inside a [`crate::Trainer`] or a [`crate::Predictor`].
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Whether the first layer's weights lie transposed, `(n_in, n_out)`.
    pub(crate) fn is_turned(&self) -> bool {
        self.layout == Layout::Turned
    }

    /// The same network, with the first layer's weights in another layout.
    pub(crate) fn laid_out(&self, layout: &Layout) -> Self {
        let mut network = self.clone();
        self.layout.rearrange(layout, &self.layers[0], &mut network.parameters);
        network.layout = layout.clone();
        network
    }

    /// Becomes equal to a network of the same shape and layout, without allocation.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.parameters.copy_from_slice(&other.parameters);
    }

    /// What is laid out as the parameters are, with the first layer's part upright.
    pub(crate) fn upright(&self, flat: &[T]) -> AlignedVec<T> {
        let mut flat = AlignedVec::from(flat);
        self.layout.rearrange(&Layout::Upright, &self.layers[0], &mut flat);
        flat
    }

    /// A layer's weights, `(n_out, n_in)`; the first layer's as the network is laid out.
    pub fn weight(&self, layer: &Layer) -> &[T] {
        &self.parameters[layer.weight.clone()]
    }

    /// A layer's biases, `(n_out)`, if it has any.
    pub fn bias(&self, layer: &Layer) -> Option<&[T]> {
        (!layer.bias.is_empty()).then(|| &self.parameters[layer.bias.clone()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_fill_the_flat_vector_without_gaps() {
        for (bias, total) in [(true, 3 * 4 + 4 + 4 * 2 + 2), (false, 3 * 4 + 4 * 2)] {
            let spec = NetworkSpec { sizes: vec![3, 4, 2], activation: Activation::Relu, bias };
            let mut end = 0;
            for layer in spec.layers() {
                assert_eq!((layer.weight.start, layer.bias.start), (end, layer.weight.end));
                end = layer.bias.end;
            }
            assert_eq!((end, spec.n_parameters()), (total, total));
        }
    }
}
