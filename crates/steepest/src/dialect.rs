//! Whose definitions are followed where libraries mean different things by the same word.

use serde::{Deserialize, Serialize};

/// A library's definitions of what else has the same name everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// PyTorch's, and the textbook's.
    #[default]
    Pytorch,
    /// Those of scikit-learn's `MLPClassifier` and `MLPRegressor`:
    ///
    /// - The L2 penalty of a batch is divided by its rows (or by the sum of their weights).
    /// - Adam adds epsilon to the root of the uncorrected second moment (Kingma and Ba 2015, end of section 2).
    /// - The running sum of momentum holds steps, not gradients: a changed learning rate does not change it.
    /// - The log loss clips probabilities by the precision's epsilon, and the squared error is a mean over the outputs.
    Sklearn,
}

impl Dialect {
    /// Whether it need not be written down.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
