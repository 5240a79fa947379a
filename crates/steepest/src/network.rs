//! A stack of dense layers over one flat vector of parameters.

use std::borrow::Cow;
use std::ops::Range;

use steepest_kernels::{self as kernels, AlignedVec, Float};

use crate::Activation;
use crate::batch_norm;
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
    /// Whether the sums of hidden layers are normalised over the batch. The shift that belongs to it takes the bias's place.
    pub batch_norm: bool,
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
    /// `(n_out)`; empty without biases. Of a normalised layer, the shift (beta) after the scale.
    pub bias: Range<usize>,
    /// `(n_out)`, the scale (gamma) of a normalised layer; else empty.
    pub scale: Range<usize>,
    /// `(n_out)`, where in [`Network::statistics`] a normalised layer's running means lie; else empty.
    pub mean: Range<usize>,
    /// `(n_out)`, where its running variances lie.
    pub variance: Range<usize>,
}

impl Layer {
    /// The layer's weights as NumPy code mostly has them, `(n_in, n_out)`, out of a vector that is laid out as the parameters.
    ///
    /// # Panics
    /// When `out` has not as many.
    pub fn turned<T: Float>(&self, flat: &[T], out: &mut [T]) {
        kernels::transpose(&flat[self.weight.clone()], self.n_in, 0, out);
    }

    /// Puts weights `(n_in, n_out)` into a vector that is laid out as the parameters.
    ///
    /// # Panics
    /// When there are not as many.
    pub fn put_turned<T: Float>(&self, weight: &[T], flat: &mut [T]) {
        kernels::transpose(weight, self.n_out, 0, &mut flat[self.weight.clone()]);
    }

    /// Bias and scale, which lie side by side: the parameters that are no weights and do not decay.
    pub(crate) fn vectors(&self) -> Range<usize> {
        self.bias.start..self.scale.end
    }

    /// Whether its sums are normalised over the batch.
    pub(crate) fn is_normalised(&self) -> bool {
        !self.scale.is_empty()
    }
}

impl NetworkSpec {
    /// Each layer's place: its weights, its biases, its scales, layer after layer.
    pub fn layers(&self) -> Vec<Layer> {
        let (mut parameters, mut statistics) = (0, 0);
        let take = |at: &mut usize, n: usize| {
            *at += n;
            *at - n..*at
        };
        let mut layers: Vec<Layer> = Vec::new();
        for (i, pair) in self.sizes.windows(2).enumerate() {
            let (n_in, n_out) = (pair[0], pair[1]);
            let normalised = if self.batch_norm && i + 2 < self.sizes.len() { n_out } else { 0 };
            layers.push(Layer {
                n_in,
                n_out,
                weight: take(&mut parameters, n_in * n_out),
                bias: take(&mut parameters, if self.bias { n_out } else { normalised }),
                scale: take(&mut parameters, normalised),
                mean: take(&mut statistics, normalised),
                variance: take(&mut statistics, normalised),
            });
        }
        layers
    }

    /// Parameters in all.
    pub fn n_parameters(&self) -> usize {
        self.layers().last().map_or(0, |layer| layer.scale.end)
    }

    /// Running means and variances in all.
    pub fn n_statistics(&self) -> usize {
        self.layers().last().map_or(0, |layer| layer.variance.end)
    }
}

/// A network, its parameters, and with batch normalisation the statistics that it predicts with.
#[derive(Clone, Debug)]
pub struct Network<T> {
    spec: NetworkSpec,
    layers: Vec<Layer>,
    layout: Layout,
    /// All parameters; [`Network::layers`] says which is which.
    pub parameters: AlignedVec<T>,
    /// What training notes and does not learn: running means and variances of normalised layers, [`Layer::mean`] and
    /// [`Layer::variance`].
    pub statistics: AlignedVec<T>,
}

impl<T: Float> Network<T> {
    /// A network with all parameters zero, but scales and running variances one.
    pub fn zeros(spec: NetworkSpec) -> Self {
        let layers = spec.layers();
        let mut parameters = AlignedVec::zeros(spec.n_parameters());
        let mut statistics = AlignedVec::zeros(spec.n_statistics());
        for layer in &layers {
            parameters[layer.scale.clone()].fill(T::ONE);
            statistics[layer.variance.clone()].fill(T::ONE);
        }
        Self { layers, spec, layout: Layout::Upright, parameters, statistics }
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
        self.statistics.copy_from_slice(&other.statistics);
    }

    /// What is laid out as the parameters are, with the first layer's part upright.
    pub(crate) fn upright(&self, flat: &[T]) -> AlignedVec<T> {
        let mut flat = AlignedVec::from(flat);
        self.layout.rearrange(&Layout::Upright, &self.layers[0], &mut flat);
        flat
    }

    /// How the weights of layer `l` lie.
    pub(crate) fn layout_of(&self, l: usize) -> Layout {
        if l == 0 { self.layout.clone() } else { Layout::Upright }
    }

    /// The network that predicts as this one does after training, without batch normalisation: each normalised layer's running
    /// statistics, scale and shift are folded into its weights and biases. Upright then.
    pub fn folded(&self) -> Cow<'_, Self> {
        if !self.spec.batch_norm {
            return Cow::Borrowed(self);
        }
        let upright = self.laid_out(&Layout::Upright);
        let mut folded = Self::zeros(NetworkSpec { bias: true, batch_norm: false, ..self.spec.clone() });
        for (from, to) in upright.layers.iter().zip(&folded.layers) {
            folded.parameters[to.weight.clone()].copy_from_slice(upright.weight(from));
            if let Some(bias) = upright.bias(from) {
                folded.parameters[to.bias.clone()].copy_from_slice(bias);
            }
            if from.is_normalised() {
                batch_norm::fold(&upright, from, &mut folded.parameters[to.weight.start..to.bias.end]);
            }
        }
        Cow::Owned(folded)
    }

    /// A layer's weights, `(n_out, n_in)`; the first layer's as the network is laid out.
    pub fn weight(&self, layer: &Layer) -> &[T] {
        &self.parameters[layer.weight.clone()]
    }

    /// A layer's biases, `(n_out)`, if it has any.
    pub fn bias(&self, layer: &Layer) -> Option<&[T]> {
        (!layer.bias.is_empty()).then(|| &self.parameters[layer.bias.clone()])
    }

    /// A layer's biases `(n_out)`, if they are added to its sums: those of a normalised layer are added later.
    pub(crate) fn added_bias(&self, layer: &Layer) -> Option<&[T]> {
        if layer.is_normalised() { None } else { self.bias(layer) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_fill_the_flat_vector_without_gaps() {
        for (bias, batch_norm, total, statistics) in [
            (true, false, 3 * 4 + 4 + 4 * 2 + 2, 0),
            (false, false, 3 * 4 + 4 * 2, 0),
            (true, true, 3 * 4 + 4 + 4 + 4 * 2 + 2, 8),
            (false, true, 3 * 4 + 4 + 4 + 4 * 2, 8),
        ] {
            let activation = Activation::Relu;
            let spec = NetworkSpec { sizes: vec![3, 4, 2], activation, bias, batch_norm };
            let (mut end, mut noted) = (0, 0);
            for layer in spec.layers() {
                assert_eq!((layer.weight.start, layer.bias.start), (end, layer.weight.end));
                assert_eq!(
                    (layer.scale.start, layer.vectors()),
                    (layer.bias.end, layer.bias.start..layer.scale.end)
                );
                assert_eq!((layer.mean.start, layer.variance.start), (noted, layer.mean.end));
                (end, noted) = (layer.scale.end, layer.variance.end);
            }
            assert_eq!((end, spec.n_parameters()), (total, total));
            assert_eq!((noted, spec.n_statistics()), (statistics, statistics));
        }
    }
}
