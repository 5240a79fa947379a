//! What the notebooks' softmax and its gradient do otherwise than the textbook.

use serde::{Deserialize, Serialize};

/// What is subtracted before softmax's exponential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shift {
    /// Each row's maximum (the textbook).
    #[default]
    Sample,
    /// The maximum of the whole batch: a row far below it underflows (notebooks 0 and 3).
    Batch,
    /// Nothing: overflows from logits of 89 (f32) or 710 (f64) on (notebook 2).
    None,
}

/// What softmax's exponentials are divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Axis {
    /// Their sum over a row's classes (the textbook).
    #[default]
    Classes,
    /// Their sum over the rows of the batch, for each class (notebook 3). Implies [`Shift::Batch`].
    Batch,
}

/// How `delta`, the gradient at the logits, is computed from probabilities `p` and one-hot targets `y`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeltaRule {
    /// `p - y`: the gradient of the loss (the textbook).
    #[default]
    Gradient,
    /// `2 (p - y) p (1 - p)`: squared error, with only the diagonal of softmax's Jacobian (notebook 3).
    Diagonal,
}

/// Departures from the textbook; the default has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadQuirks {
    /// Multiplies `delta` (2 in notebook 0).
    pub delta_scale: f64,
    /// Softmax's shift.
    pub shift: Shift,
    /// Softmax's axis.
    pub axis: Axis,
    /// Delta rule.
    pub rule: DeltaRule,
}

impl Default for HeadQuirks {
    fn default() -> Self {
        Self { delta_scale: 1.0, shift: Shift::Sample, axis: Axis::Classes, rule: DeltaRule::Gradient }
    }
}
