//! Inputs and targets as the estimators have checked them.

use pyo3::prelude::*;
use steepest::{Dataset, DatasetError, Inputs, Targets};

use crate::lent::Lent;
use crate::value_error;

/// Rows, and unless they are only to be predicted, what they should give.
#[pyclass(module = "steepest._core", frozen)]
pub struct Rows(pub Dataset);

#[pymethods]
impl Rows {
    /// Of an array `(n_samples, n_features)` of float64 or float32 in C order, used where it is.
    #[staticmethod]
    pub fn dense(x: &Bound<'_, PyAny>) -> PyResult<Self> {
        let (inputs, n_features) = match Lent::<f64>::of(x) {
            Ok(x) => {
                let n_features = x.shape().1;
                (Inputs::F64(x.into_numbers()), n_features)
            }
            Err(_) => {
                let x = Lent::<f32>::of(x)?;
                let n_features = x.shape().1;
                (Inputs::F32(x.into_numbers()), n_features)
            }
        };
        Dataset::new(inputs, n_features, None).map(Self).map_err(value_error)
    }

    /// The same rows with the class of each, an array of uint32 below `n_classes`.
    fn with_classes(&self, labels: &Bound<'_, PyAny>, n_classes: usize) -> PyResult<Self> {
        let labels = Lent::<u32>::of(labels)?.as_ref().to_vec();
        let names = (0..n_classes).map(|class| class.to_string()).collect();
        self.with_targets(Targets::Classes { labels, names }).map(Self).map_err(value_error)
    }

    /// The same rows with numbers `(n_samples, n_outputs)` of float64.
    fn with_values(&self, values: &Bound<'_, PyAny>) -> PyResult<Self> {
        let values = Lent::<f64>::of(values)?;
        let n_outputs = values.shape().1;
        let targets = Targets::Values { values: values.as_ref().to_vec(), n_outputs };
        self.with_targets(targets).map(Self).map_err(value_error)
    }

    /// The same rows, each counting as much as an array of float64 says.
    fn with_weights(&self, weights: &Bound<'_, PyAny>) -> PyResult<Self> {
        let weights = Lent::<f64>::of(weights)?.as_ref().to_vec();
        self.0.clone().with_weights(weights).map(Self).map_err(value_error)
    }

    /// Some of the rows, in this order: a copy.
    fn select(&self, rows: Vec<u32>) -> Self {
        Self(self.0.select(&rows))
    }

    fn __len__(&self) -> usize {
        self.0.n_samples()
    }
}

impl Rows {
    fn with_targets(&self, targets: Targets) -> Result<Dataset, DatasetError> {
        self.0.clone().with_targets(targets)
    }
}
