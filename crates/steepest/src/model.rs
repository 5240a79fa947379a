//! What is saved and what predicts.

use steepest_kernels::{Float, Pool};

use crate::columns::{Columns, Scaling};
use crate::dataset::Dataset;
use crate::head::Head;
use crate::network::Network;
use crate::plan::Plan;
use crate::predict;
use crate::recipe::Recipe;

/// A trained network with all it takes to predict from raw rows: scaling, class names, and the plan that made it.
#[derive(Clone, Debug)]
pub struct Model<T> {
    /// The complete recipe that it was trained by.
    pub recipe: Recipe,
    /// Output activation and loss.
    pub head: Head,
    /// The network, for inputs divided by [`Model::divide_by`].
    pub network: Network<T>,
    /// Names of the classes; empty for regression.
    pub classes: Vec<String>,
    /// Height and width, when rows are images.
    pub image: Option<(usize, usize)>,
    /// Raw inputs are divided by this.
    pub divide_by: f64,
    /// How rows of a table become inputs.
    pub columns: Option<Columns>,
}

/// A model in either precision.
#[derive(Clone, Debug)]
pub enum AnyModel {
    /// Single.
    F32(Model<f32>),
    /// Double.
    F64(Model<f64>),
}

/// Predictions for a data set.
#[derive(Clone, Debug)]
pub struct Predictions<T> {
    /// Logits, `(n_samples, n_outputs)`.
    pub logits: Vec<T>,
    /// Probabilities, or the numbers themselves in the target's units for regression, `(n_samples, n_outputs)`.
    pub values: Vec<T>,
    /// Outputs of a row.
    pub n_outputs: usize,
}

impl<T: Float> Model<T> {
    /// The model of a run; batch normalisation is folded into its weights.
    pub fn new(plan: &Plan, network: Network<T>) -> Self {
        Self {
            recipe: plan.recipe.clone(),
            head: plan.training.head,
            network: network.folded().into_owned(),
            classes: plan.classes.clone(),
            image: plan.image,
            divide_by: plan.training.divide_by,
            columns: plan.columns.clone(),
        }
    }

    /// Inputs of a row.
    pub fn n_features(&self) -> usize {
        self.network.spec().sizes[0]
    }

    /// Predicts all rows of a data set, taken as one batch where the head looks at the whole batch.
    ///
    /// # Panics
    /// When the rows have another number of features than [`Model::n_features`].
    pub fn predict(&self, data: &Dataset, pool: &mut Pool) -> Predictions<T> {
        assert_eq!(data.n_features(), self.n_features());
        let logits = predict::logits(&self.network, data, 1.0 / self.divide_by, pool);
        let coupling = self.head.coupling(&logits);
        let (mut values, _) = self.head.predictions(&logits, coupling.as_ref());
        to_units(self.target_scaling(), &mut values);
        Predictions { logits, values, n_outputs: self.head.n_outputs() }
    }

    /// How numbers to be predicted were scaled for training.
    pub fn target_scaling(&self) -> Option<Scaling> {
        self.columns.as_ref().and_then(|columns| columns.target.scaling)
    }

    /// The class that a row of predicted values means.
    pub fn class(&self, values: &[T]) -> u32 {
        self.head.class(values)
    }
}

/// From predicted numbers as they were scaled for training to the target's own.
pub(crate) fn to_units<T: Float>(scaling: Option<Scaling>, values: &mut [T]) {
    if let Some(scaling) = scaling {
        values.iter_mut().for_each(|value| *value = T::from_f64(scaling.unscaled(value.to_f64())));
    }
}

impl<T: Float> Predictions<T> {
    /// The values of each row.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[T]> {
        self.values.chunks_exact(self.n_outputs)
    }
}
