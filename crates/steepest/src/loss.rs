//! Losses of numbers: what an identity output is trained by.

use serde::{Deserialize, Serialize};
use steepest_kernels::Float;

/// The losses by the names that a recipe uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// Half the squared error.
    Squared,
    /// The absolute error.
    Mae,
    /// Huber's: squared for small errors, linear for large ones.
    Huber,
    /// Half the Poisson deviance.
    Poisson,
}

/// The loss of one number, with residual `r = z - y` where the network says `z` and the target is `y`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// `r^2 / 2`
    Squared,
    /// `|r|`
    Absolute,
    /// `r^2 / 2` up to `|r| = delta`, and from there on a straight line, `delta (|r| - delta / 2)` (PyTorch's `HuberLoss`).
    Huber {
        /// Where it changes.
        delta: f64,
    },
    /// For counts: predicts `p = e^z`, never below zero; half the Poisson deviance, `p - y + y ln(y / p)` (scikit-learn's
    /// `loss="poisson"`; PyTorch's `PoissonNLLLoss` but for `y ln y - y`, which has no gradient).
    Poisson,
}

impl Loss {
    /// Predictions `p` of logits `z`.
    pub(crate) fn predict<T: Float>(self, z: &[T], p: &mut [T]) {
        match self {
            Self::Poisson => p.iter_mut().zip(z).for_each(|(p, &z)| *p = z.exp()),
            Self::Squared | Self::Absolute | Self::Huber { .. } => p.copy_from_slice(z),
        }
    }

    /// From what predictions are too large by to the gradient at the logits.
    pub(crate) fn slopes<T: Float>(self, residuals: &mut [T]) {
        match self {
            Self::Squared | Self::Poisson => {}
            Self::Absolute => residuals.iter_mut().for_each(|r| *r = sign(*r)),
            Self::Huber { delta } => {
                let delta = T::from_f64(delta);
                residuals.iter_mut().filter(|r| r.abs() > delta).for_each(|r| *r = delta * sign(*r));
            }
        }
    }

    /// The loss of logit `z` where the target is `y`.
    pub(crate) fn of(self, z: f64, y: f64) -> f64 {
        let r = z - y;
        match self {
            Self::Squared => 0.5 * r.powi(2),
            Self::Absolute => r.abs(),
            Self::Huber { delta } if r.abs() > delta => delta * (r.abs() - 0.5 * delta),
            Self::Huber { .. } => 0.5 * r.powi(2),
            Self::Poisson if y == 0.0 => z.exp(),
            Self::Poisson => z.exp() - y + y * (y.ln() - z),
        }
    }
}

/// 1, -1, or what is neither above nor below zero as it is: zero, and what is not a number.
fn sign<T: Float>(x: T) -> T {
    if x > T::ZERO {
        T::ONE
    } else if x < T::ZERO {
        -T::ONE
    } else {
        x
    }
}
