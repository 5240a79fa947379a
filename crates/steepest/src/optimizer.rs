//! From gradients to new parameters.

use serde::{Deserialize, Serialize};
use steepest_kernels::{self as kernels, AdamStep, Float, MomentumStep, RmspropStep};

use crate::dialect::Dialect;
use crate::pieces::Piece;

/// The rule that parameters follow; the learning rate comes from the [`crate::Schedule`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// `w -= rate d`, with `momentum > 0` along a running sum of gradients (PyTorch's form).
    Sgd {
        /// How much of the running sum stays each step.
        momentum: f64,
        /// Look ahead along the running sum (Nesterov, in the form of Sutskever et al. 2013).
        nesterov: bool,
    },
    /// Adam; with `weight_decay > 0` AdamW.
    Adam {
        /// Decay of the mean of gradients.
        beta1: f64,
        /// Decay of the mean of squared gradients.
        beta2: f64,
        /// Keeps the division finite.
        epsilon: f64,
        /// Decoupled decay of weights (not of biases).
        weight_decay: f64,
    },
    /// RMSprop (PyTorch's form).
    Rmsprop {
        /// Decay of the mean of squared gradients.
        alpha: f64,
        /// Keeps the division finite.
        epsilon: f64,
        /// How much of the running sum of scaled gradients stays each step.
        momentum: f64,
    },
    /// Limited-memory BFGS with a line search, for batches of all rows (SciPy's L-BFGS-B without bounds).
    Lbfgs {
        /// It has converged where no component of the gradient is more than this.
        tol: f64,
    },
}

/// The optimizers by the names that a recipe uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// Plain gradient descent.
    Sgd,
    /// Gradient descent with momentum.
    Momentum,
    /// Gradient descent with Nesterov's momentum.
    Nesterov,
    /// Adam (Kingma and Ba 2015).
    Adam,
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2019).
    Adamw,
    /// RMSprop (Tieleman and Hinton 2012).
    Rmsprop,
    /// Limited-memory BFGS (Liu and Nocedal 1989), for small data: each step looks at all rows.
    Lbfgs,
}

impl Optimizer {
    /// How many numbers it remembers for each parameter.
    pub fn memory(&self) -> usize {
        match self {
            Self::Sgd { momentum, .. } => usize::from(*momentum != 0.0),
            Self::Rmsprop { momentum, .. } => 1 + usize::from(*momentum != 0.0),
            Self::Adam { .. } => 2,
            Self::Lbfgs { .. } => 0,
        }
    }

    /// Moves parameters `w` by gradients `d`, as the dialect has it; `memory` has [`Optimizer::memory`] slices as long as `w`.
    /// `step` counts from 1, and `rate` is its learning rate; `decays` says that weight decay applies to these parameters.
    pub fn update<T: Float>(
        &self,
        dialect: Dialect,
        (step, rate): (u64, f64),
        decays: bool,
        d: &[T],
        memory: [&mut [T]; 2],
        w: &mut [T],
    ) {
        UpdateRule::new(*self, dialect, (step, rate), 0.0).apply(decays, d, memory, w);
    }
}

/// One step of an optimizer.
#[derive(Clone, Copy)]
pub(crate) struct UpdateRule {
    optimizer: Optimizer,
    dialect: Dialect,
    rate: f64,
    /// Adam's: how much of the two means is there by now.
    corrections: [f64; 2],
    /// Where parameters have a running mean: the part of the way that it goes towards them.
    mean_rate: f64,
}

impl UpdateRule {
    /// Step number `step`, from 1, at its learning rate, as the dialect has it.
    pub fn new(optimizer: Optimizer, dialect: Dialect, (step, rate): (u64, f64), mean_rate: f64) -> Self {
        let t = i32::try_from(step).unwrap_or(i32::MAX);
        let corrections = match optimizer {
            Optimizer::Adam { beta1, beta2, .. } => [beta1, beta2].map(|beta| 1.0 - beta.powi(t)),
            _ => [1.0; 2],
        };
        Self { optimizer, dialect, rate, corrections, mean_rate }
    }

    /// See [`Optimizer::update`].
    fn apply<T: Float>(&self, decays: bool, d: &[T], memory: [&mut [T]; 2], w: &mut [T]) {
        let t = T::from_f64;
        let [first, second] = memory;
        let rate = self.rate;
        match self.optimizer {
            Optimizer::Sgd { momentum: 0.0, .. } => kernels::axpy(t(-rate), d, w),
            Optimizer::Sgd { momentum, nesterov } => {
                let (inner, outer) = match self.dialect {
                    Dialect::Pytorch => (1.0, rate),
                    Dialect::Sklearn => (rate, 1.0),
                };
                let (inner, outer, momentum) = (t(inner), t(outer), t(momentum));
                kernels::momentum(&MomentumStep { inner, outer, momentum, nesterov }, d, first, w);
            }
            Optimizer::Adam { beta1, beta2, epsilon, weight_decay } => {
                let [correction1, correction2] = self.corrections;
                // What is added to the uncorrected root becomes this much beside the corrected one.
                let epsilon = match self.dialect {
                    Dialect::Pytorch => epsilon,
                    Dialect::Sklearn => epsilon / correction2.sqrt(),
                };
                let step = AdamStep {
                    rate: t(rate),
                    beta1: t(beta1),
                    beta2: t(beta2),
                    epsilon: t(epsilon),
                    correction1: t(correction1),
                    correction2: t(correction2),
                    decay: t(if decays { weight_decay } else { 0.0 }),
                };
                kernels::adam(&step, d, first, second, w);
            }
            Optimizer::Rmsprop { alpha, epsilon, momentum } => {
                let step = RmspropStep {
                    rate: t(rate),
                    alpha: t(alpha),
                    epsilon: t(epsilon),
                    momentum: t(momentum),
                };
                kernels::rmsprop(&step, d, first, second, w);
            }
            Optimizer::Lbfgs { .. } => unreachable!("it moves all parameters together: see lbfgs.rs"),
        }
    }

    /// Moves the parameters of a piece along their gradient, and their mean after them.
    pub fn update<T: Float>(&self, piece: &mut Piece<T>) {
        let memory = piece.memory.each_mut().map(|m| &mut **m);
        self.apply(piece.are_weights, piece.gradient, memory, piece.parameters);
        if !piece.mean.is_empty() {
            kernels::lerp(T::from_f64(self.mean_rate), piece.parameters, piece.mean);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two steps with different learning rates, as scikit-learn's `SGDOptimizer` and `AdamOptimizer` compute them.
    #[test]
    fn the_dialect_of_scikit_learn_is_followed() {
        let (d, rates) = ([0.3, -2.0], [0.1, 0.02]);
        let run = |optimizer: Optimizer, d: f64| {
            let (mut w, mut first, mut second) = ([0.5], [0.0], [0.0]);
            for step in (1..).zip(rates) {
                let memory = [&mut first[..], &mut second[..]];
                optimizer.update(Dialect::Sklearn, step, true, &[d], memory, &mut w);
            }
            w[0]
        };
        for d in d {
            for nesterov in [false, true] {
                let (mut w, mut velocity) = (0.5, 0.0);
                for rate in rates {
                    velocity = 0.9 * velocity - rate * d;
                    w += if nesterov { 0.9 * velocity - rate * d } else { velocity };
                }
                let got = run(Optimizer::Sgd { momentum: 0.9, nesterov }, d);
                assert!((got - w).abs() < 1e-15, "{got} {w}");
            }
            let (mut w, mut m, mut v) = (0.5, 0.0, 0.0);
            for (t, rate) in (1..).zip(rates) {
                (m, v) = (0.9 * m + (1.0 - 0.9) * d, 0.99 * v + (1.0 - 0.99) * d * d);
                let rate = rate * f64::sqrt(1.0 - 0.99f64.powi(t)) / (1.0 - 0.9f64.powi(t));
                w -= rate * m / (f64::sqrt(v) + 0.1);
            }
            let adam = Optimizer::Adam { beta1: 0.9, beta2: 0.99, epsilon: 0.1, weight_decay: 0.0 };
            assert!((run(adam, d) - w).abs() < 1e-15);
        }
    }
}
