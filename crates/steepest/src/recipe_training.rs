//! The part of a recipe that says how a network learns.

use serde::{Deserialize, Serialize};

use crate::Sampling;
use crate::class_weight::ClassWeight;
use crate::optimizer::OptimizerKind;
use crate::recipe_values::{BatchSize, ProductsKind};
use crate::schedule::ScheduleKind;

/// `[training]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingRecipe {
    /// Passes over the data. Excludes `iterations`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u64>,
    /// Steps. Excludes `epochs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iterations: Option<u64>,
    /// Rows of a step, or `"full"`.
    pub batch_size: BatchSize,
    /// How mini-batches are drawn.
    pub sampling: Sampling,
    /// Update rule.
    pub optimizer: OptimizerKind,
    /// Learning rate.
    pub lr: f64,
    /// Of `momentum` and `nesterov` (by default 0.9), and of `rmsprop` (0).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub momentum: Option<f64>,
    /// Of `adam` and `adamw`.
    pub beta1: f64,
    /// Of `adam` and `adamw`.
    pub beta2: f64,
    /// Of `adam`, `adamw` and `rmsprop`.
    pub epsilon: f64,
    /// Of `rmsprop`.
    pub alpha: f64,
    /// Decoupled decay of `adamw`.
    pub weight_decay: f64,
    /// L2 penalty: half of this times the sum of squared weights (not biases) joins the loss.
    pub l2: f64,
    /// Gradients whose norm is more are shortened to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// How much rows of each class count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weight: Option<ClassWeight>,
    /// The part of each target that is spread over all classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_smoothing: Option<f64>,
    /// Decay of the running mean of the parameters that is validated and saved; without it, they are themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ema: Option<f64>,
    /// How products of single precision are computed in layers that are large.
    #[serde(skip_serializing_if = "ProductsKind::is_default")]
    pub products: ProductsKind,
    /// The learning rate's course.
    pub schedule: ScheduleKind,
    /// Epochs in which the learning rate rises linearly to `lr`.
    pub warmup_epochs: f64,
    /// The part of all steps in which it does, instead of `warmup_epochs`. By default 0.3 for `one-cycle`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup: Option<f64>,
    /// Factor of the schedules `step` and `exponential`.
    pub decay: f64,
    /// Epochs between factors of `step`.
    pub decay_epochs: f64,
    /// What `cosine` ends at, as a part of `lr`.
    pub end: f64,
    /// What `one-cycle` divides `lr` by at first.
    pub div_factor: f64,
    /// What `one-cycle` divides its first learning rate by at last.
    pub final_div_factor: f64,
    /// Power of `inv-scaling`.
    pub power_t: f64,
    /// By how much the training loss must get better for `adaptive` to leave the learning rate as it is; and with `lbfgs`, the
    /// gradient's largest component at which training ends.
    pub tol: f64,
    /// Epochs in a row without that, after which `adaptive` divides the learning rate by 5.
    pub lr_patience: u64,
    /// Stop when the validation loss has not improved for so many validations, and restore the best weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<u64>,
    /// Report every so many iterations. By default at the end of each epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report_every: Option<u64>,
    /// Validate after every so many iterations, from the first on. By default whenever a report is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validate_every: Option<u64>,
}

impl Default for TrainingRecipe {
    fn default() -> Self {
        Self {
            epochs: None,
            iterations: None,
            batch_size: BatchSize::Rows(128),
            sampling: Sampling::Shuffle,
            optimizer: OptimizerKind::Adam,
            lr: 0.001,
            momentum: None,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            alpha: 0.99,
            weight_decay: 0.01,
            l2: 0.0,
            clip_norm: None,
            class_weight: None,
            label_smoothing: None,
            ema: None,
            products: ProductsKind::F32,
            schedule: ScheduleKind::Constant,
            warmup_epochs: 0.0,
            warmup: None,
            decay: 0.1,
            decay_epochs: 10.0,
            end: 0.0,
            div_factor: 25.0,
            final_div_factor: 1e4,
            power_t: 0.5,
            tol: 1e-4,
            lr_patience: 2,
            patience: None,
            report_every: None,
            validate_every: None,
        }
    }
}
