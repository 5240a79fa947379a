//! The part of a recipe that says how a network learns.

use serde::{Deserialize, Serialize};

use crate::Sampling;
use crate::optimizer::OptimizerKind;
use crate::recipe_values::BatchSize;
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
    /// Of `momentum` and `nesterov`.
    pub momentum: f64,
    /// Of `adam` and `adamw`.
    pub beta1: f64,
    /// Of `adam` and `adamw`.
    pub beta2: f64,
    /// Of `adam` and `adamw`.
    pub epsilon: f64,
    /// Decoupled decay of `adamw`.
    pub weight_decay: f64,
    /// L2 penalty: half of this times the sum of squared weights (not biases) joins the loss.
    pub l2: f64,
    /// Decay of the running mean of the parameters that is validated and saved; without it, they are themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ema: Option<f64>,
    /// The learning rate's course.
    pub schedule: ScheduleKind,
    /// Epochs in which the learning rate rises linearly to `lr`.
    pub warmup_epochs: f64,
    /// Factor of the schedules `step` and `exponential`.
    pub decay: f64,
    /// Epochs between factors of `step`.
    pub decay_epochs: f64,
    /// What `cosine` ends at, as a part of `lr`.
    pub end: f64,
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
            momentum: 0.9,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.01,
            l2: 0.0,
            ema: None,
            schedule: ScheduleKind::Constant,
            warmup_epochs: 0.0,
            decay: 0.1,
            decay_epochs: 10.0,
            end: 0.0,
            patience: None,
            report_every: None,
            validate_every: None,
        }
    }
}
