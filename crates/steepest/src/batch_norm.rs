//! Batch normalisation of hidden layers (Ioffe and Szegedy 2015), with the constants of PyTorch's `BatchNorm1d`.
//!
//! In training, a unit's sums `z` are brought to mean 0 and variance 1 over the batch, and then become `y = scale ẑ + shift`,
//! which the activation sees. Afterwards the same is done with running means and variances, and so can be folded into the weights.
//!
//! The statistics are those of the whole batch: its blocks of rows wait for each other once for each layer and direction
//! ([`crate::held`]). Each block's moments are combined in the order of the blocks, in double precision.

use steepest_kernels::{self as kernels, AlignedVec, Float};

use crate::activation::Activation;
use crate::network::{Layer, Network};

/// Keeps the division finite where all rows have the same sum.
const EPSILON: f64 = 1e-5;

/// The part of a batch's statistics in the new running ones.
const MOMENTUM: f64 = 0.1;

/// Numbers of a block that go through normalisation and activation together, whole rows, while they are in the first cache.
const CHUNK: usize = 2048;

/// What a batch makes of one layer's normalisation, on the way forward and then back. All are `(n_out)`.
pub(crate) struct BatchNorm<T> {
    pub mean: AlignedVec<T>,
    /// Biased: the sum of squares over the rows, not over one less.
    pub variance: AlignedVec<T>,
    /// One over the standard deviation.
    inverse: Vec<f64>,
    /// What distances from the mean are multiplied by: scale over standard deviation.
    factor: AlignedVec<T>,
    d_shift: AlignedVec<T>,
    d_scale: AlignedVec<T>,
    /// The mean of `delta`, and of `delta ẑ` over the standard deviation.
    centre: AlignedVec<T>,
    slope: AlignedVec<T>,
}

/// What one block of rows gives to its batch: for each unit the mean of its sums and their squared distances from it, or on the
/// way back the sums of `delta` and of `delta (z - mean)`.
pub(crate) struct Share<T> {
    first: Vec<T>,
    second: Vec<T>,
    /// `y` of a few rows.
    y: AlignedVec<T>,
}

impl<T: Float> Share<T> {
    /// For the widest of the normalised layers; empty if there are none.
    pub fn new(network: &Network<T>) -> Self {
        let widest = network.layers().iter().map(|layer| layer.scale.len()).max().unwrap_or(0);
        let y = AlignedVec::zeros(if widest > 0 { CHUNK.max(widest) } else { 0 });
        Self { first: vec![T::ZERO; widest], second: vec![T::ZERO; widest], y }
    }

    /// Takes the moments of a block's sums.
    pub fn moments(&mut self, z: &[T], n_out: usize) {
        kernels::column_moments(z, &mut self.first[..n_out], &mut self.second[..n_out]);
    }
}

impl<T: Float> BatchNorm<T> {
    pub fn new(n_out: usize) -> Self {
        let zeros = || AlignedVec::zeros(n_out);
        Self {
            mean: zeros(),
            variance: zeros(),
            inverse: vec![0.0; n_out],
            factor: zeros(),
            d_shift: zeros(),
            d_scale: zeros(),
            centre: zeros(),
            slope: zeros(),
        }
    }

    /// Combines the blocks' moments (Chan, Golub and LeVeque 1979); with each comes the number of its rows.
    pub fn combine<'a>(&mut self, scale: &[T], shares: impl Iterator<Item = (usize, &'a Share<T>)>) {
        let n_out = scale.len();
        let (mut rows, mut mean, mut squares) = (0.0, vec![0.0; n_out], vec![0.0; n_out]);
        for (n, share) in shares {
            let n = n as f64;
            let (part, weight) = (n / (rows + n), rows * n / (rows + n));
            for (i, (mean, squares)) in mean.iter_mut().zip(&mut squares).enumerate() {
                let distance = share.first[i].to_f64() - *mean;
                *mean += distance * part;
                *squares += share.second[i].to_f64() + distance * distance * weight;
            }
            rows += n;
        }
        for i in 0..n_out {
            // Rounding may leave a little less than nothing.
            let variance = if squares[i] < 0.0 { 0.0 } else { squares[i] / rows };
            self.inverse[i] = 1.0 / (variance + EPSILON).sqrt();
            self.mean[i] = T::from_f64(mean[i]);
            self.variance[i] = T::from_f64(variance);
            self.factor[i] = T::from_f64(scale[i].to_f64() * self.inverse[i]);
        }
    }

    /// From a block's sums to its activations.
    pub fn forward(&self, activation: Activation, shift: &[T], z: &[T], share: &mut Share<T>, a: &mut [T]) {
        let chunk = chunk(shift.len());
        for (z, a) in z.chunks(chunk).zip(a.chunks_mut(chunk)) {
            let y = &mut share.y[..z.len()];
            kernels::batch_norm(z, &self.mean, &self.factor, shift, y);
            activation.forward(y, a);
        }
    }

    /// A block's sums, normalised: `ẑ`.
    pub fn normalised(&self, z: &[T]) -> Vec<T> {
        let inverse: Vec<T> = self.inverse.iter().map(|&inverse| T::from_f64(inverse)).collect();
        let mut z_hat = vec![T::ZERO; z.len()];
        kernels::batch_norm(z, &self.mean, &inverse, &vec![T::ZERO; inverse.len()], &mut z_hat);
        z_hat
    }

    /// From `delta` at a block's activations to `delta` at `y`, and the block's share in the sums that [`BatchNorm::turn`] takes.
    pub fn activation_backward(
        &self,
        activation: Activation,
        shift: &[T],
        (z, a): (&[T], &[T]),
        share: &mut Share<T>,
        delta: &mut [T],
    ) {
        let n_out = shift.len();
        let (sums, products) = (&mut share.first[..n_out], &mut share.second[..n_out]);
        sums.fill(T::ZERO);
        products.fill(T::ZERO);
        let chunk = chunk(n_out);
        for ((z, a), delta) in z.chunks(chunk).zip(a.chunks(chunk)).zip(delta.chunks_mut(chunk)) {
            let y = &mut share.y[..z.len()];
            if activation.looks_at_sums() {
                kernels::batch_norm(z, &self.mean, &self.factor, shift, y);
            }
            activation.backward(y, a, delta);
            kernels::batch_norm_sums(delta, z, &self.mean, sums, products);
        }
    }

    /// Adds up the shares of all blocks of `n_rows` rows: the gradients of shift and scale, and what the way back needs.
    pub fn turn<'a>(&mut self, n_rows: usize, shares: impl Iterator<Item = &'a Share<T>>) {
        let n_out = self.inverse.len();
        let (mut sums, mut products) = (vec![0.0; n_out], vec![0.0; n_out]);
        for share in shares {
            sums.iter_mut().zip(&share.first).for_each(|(sum, share)| *sum += share.to_f64());
            products.iter_mut().zip(&share.second).for_each(|(sum, share)| *sum += share.to_f64());
        }
        for (i, inverse) in self.inverse.iter().enumerate() {
            self.d_shift[i] = T::from_f64(sums[i]);
            self.d_scale[i] = T::from_f64(products[i] * inverse);
            self.centre[i] = T::from_f64(sums[i] / n_rows as f64);
            self.slope[i] = T::from_f64(products[i] * inverse * inverse / n_rows as f64);
        }
    }

    /// From `delta` at `y` to `delta` at `z`. Each sum moves the mean and the variance of all, hence the two terms:
    /// `factor (delta - mean of delta - ẑ mean of (delta ẑ))`.
    pub fn backward(&self, z: &[T], delta: &mut [T]) {
        kernels::batch_norm_backward(z, &self.mean, &self.factor, &self.centre, &self.slope, delta);
    }

    /// The gradient of shift and scale, which lie side by side.
    pub fn gradient(&self, gradient: &mut [T]) {
        let (d_shift, d_scale) = gradient.split_at_mut(self.d_shift.len());
        d_shift.copy_from_slice(&self.d_shift);
        d_scale.copy_from_slice(&self.d_scale);
    }

    /// Takes a batch of `n_rows` rows into the running statistics: its mean, and as the variance of all data the unbiased
    /// estimate. A single row has none, and is left out.
    pub fn note(&self, n_rows: usize, layer: &Layer, statistics: &mut [T]) {
        if n_rows < 2 {
            return;
        }
        let unbiased = n_rows as f64 / (n_rows - 1) as f64;
        for (range, now, factor) in
            [(layer.mean.clone(), &self.mean, 1.0), (layer.variance.clone(), &self.variance, unbiased)]
        {
            for (running, &now) in statistics[range].iter_mut().zip(&**now) {
                let now = now.to_f64() * factor;
                *running = T::from_f64((1.0 - MOMENTUM) * running.to_f64() + MOMENTUM * now);
            }
        }
    }
}

/// Whole rows, about [`CHUNK`] numbers.
fn chunk(n_out: usize) -> usize {
    (CHUNK / n_out).max(1) * n_out
}

/// Folds a layer's normalisation with its running statistics into copies of its weights and shifts, one after the other:
/// `scale (x wᵀ - mean) / deviation + shift` is `x (factor w)ᵀ + (shift - factor mean)`.
pub(crate) fn fold<T: Float>(network: &Network<T>, layer: &Layer, folded: &mut [T]) {
    let (weight, bias) = folded.split_at_mut(layer.weight.len());
    let scale = &network.parameters[layer.scale.clone()];
    let (mean, variance) =
        (&network.statistics[layer.mean.clone()], &network.statistics[layer.variance.clone()]);
    for (i, (w, bias)) in weight.chunks_exact_mut(layer.n_in).zip(bias).enumerate() {
        let factor = scale[i].to_f64() / (variance[i].to_f64() + EPSILON).sqrt();
        w.iter_mut().for_each(|w| *w = T::from_f64(w.to_f64() * factor));
        *bias = T::from_f64(bias.to_f64() - factor * mean[i].to_f64());
    }
}
