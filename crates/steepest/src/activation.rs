//! Activation functions of hidden layers.

use serde::{Deserialize, Serialize};
use steepest_kernels::{self as kernels, Float};

/// What a hidden unit makes of its sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `z`
    Identity,
    /// `max(z, 0)`
    Relu,
    /// `z` above zero, `0.01 z` below (PyTorch's default slope).
    LeakyRelu,
    /// `1 / (1 + e^-z)`
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// `z Φ(z)`, exact.
    Gelu,
}

const LEAKY_SLOPE: f64 = 0.01;

impl Activation {
    /// `a = f(z)`, slices of one length.
    pub fn forward<T: Float>(self, z: &[T], a: &mut [T]) {
        match self {
            Self::Identity => a.copy_from_slice(z),
            Self::Relu => kernels::relu(z, a),
            Self::LeakyRelu => kernels::leaky_relu(z, T::from_f64(LEAKY_SLOPE), a),
            Self::Sigmoid => kernels::sigmoid(z, a),
            Self::Tanh => kernels::tanh(z, a),
            Self::Gelu => kernels::gelu(z, a),
        }
    }

    /// Whether the derivative is computed from `z`, not from `a` alone.
    pub(crate) fn looks_at_sums(self) -> bool {
        self == Self::Gelu
    }

    /// `delta *= f'(z)`: from the gradient at `a` to the gradient at `z`.
    pub fn backward<T: Float>(self, z: &[T], a: &[T], delta: &mut [T]) {
        match self {
            Self::Identity => {}
            Self::Relu => kernels::relu_backward(a, delta),
            Self::LeakyRelu => kernels::leaky_relu_backward(a, T::from_f64(LEAKY_SLOPE), delta),
            Self::Sigmoid => kernels::sigmoid_backward(a, delta),
            Self::Tanh => kernels::tanh_backward(a, delta),
            Self::Gelu => kernels::gelu_backward(z, delta),
        }
    }
}
