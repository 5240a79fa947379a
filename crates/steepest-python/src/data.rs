//! Inputs and targets as the estimators have checked them.

use pyo3::prelude::*;
use steepest::{Dataset, Inputs, Pool, SparseRows, SparseValues, Targets};

use crate::lent::Lent;
use crate::value_error;

/// Rows, and unless they are only to be predicted, what they should give.
#[pyclass(module = "steepest._core", frozen)]
pub struct Rows {
    pub data: Dataset,
    /// What the inputs are to be divided by.
    pub divide_by: f64,
}

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
        Dataset::new(inputs, n_features, None).map(Self::new).map_err(value_error)
    }

    /// For many passes: as bytes, if they are bytes in disguise and there are so many that it pays to find out.
    fn for_training(&self, py: Python, n_jobs: usize) -> Self {
        let compact = || self.is_large().then(|| self.data.as_bytes(&mut Pool::new(n_jobs))).flatten();
        match py.detach(compact) {
            Some((data, divide_by)) => Self { data, divide_by },
            None => Self::new(self.data.clone()),
        }
    }

    /// Whether no input is infinite or NaN.
    fn are_finite(&self, py: Python, n_jobs: usize) -> bool {
        // Threads take longer to start than a small array to be looked at.
        let threads = if self.is_large() { n_jobs } else { 1 };
        py.detach(|| self.data.is_finite(&mut Pool::new(threads)))
    }

    /// Of the parts of SciPy's `csr_array`, used where they are: `data` of float64 or float32, `indices` of int32, `indptr`.
    #[staticmethod]
    fn csr(
        data: &Bound<'_, PyAny>,
        indices: &Bound<'_, PyAny>,
        indptr: Vec<usize>,
        n_features: usize,
    ) -> PyResult<Self> {
        let columns = Lent::<i32>::of(indices)?.into_numbers();
        let rows = SparseRows::new(sparse_values(data)?, columns, indptr, n_features).map_err(value_error)?;
        Dataset::new(Inputs::Sparse(rows), n_features, None).map(Self::new).map_err(value_error)
    }

    /// Of the parts of SciPy's `csc_array`, copied.
    #[staticmethod]
    fn csc(
        data: &Bound<'_, PyAny>,
        indices: &Bound<'_, PyAny>,
        indptr: Vec<usize>,
        n_samples: usize,
    ) -> PyResult<Self> {
        let (of_rows, n_features) =
            (Lent::<i32>::of(indices)?.into_numbers(), indptr.len().saturating_sub(1));
        let rows = SparseRows::of_columns(sparse_values(data)?, of_rows, indptr, n_samples);
        let rows = rows.map_err(value_error)?;
        Dataset::new(Inputs::Sparse(rows), n_features, None).map(Self::new).map_err(value_error)
    }

    /// The same rows with the class of each, an array of uint32 below `n_classes`.
    fn with_classes(&self, labels: &Bound<'_, PyAny>, n_classes: usize) -> PyResult<Self> {
        let labels = Lent::<u32>::of(labels)?.as_ref().to_vec();
        let names = (0..n_classes).map(|class| class.to_string()).collect();
        self.with_targets(Targets::Classes { labels, names })
    }

    /// The same rows with numbers `(n_samples, n_outputs)` of float64.
    fn with_values(&self, values: &Bound<'_, PyAny>) -> PyResult<Self> {
        let values = Lent::<f64>::of(values)?;
        let n_outputs = values.shape().1;
        let targets = Targets::Values { values: values.as_ref().to_vec(), n_outputs };
        self.with_targets(targets)
    }

    /// The same rows, each counting as much as an array of float64 says.
    fn with_weights(&self, weights: &Bound<'_, PyAny>) -> PyResult<Self> {
        let weights = Lent::<f64>::of(weights)?.as_ref().to_vec();
        let data = self.data.clone().with_weights(weights).map_err(value_error)?;
        Ok(Self { data, divide_by: self.divide_by })
    }

    /// Some of the rows, in this order: a copy.
    fn select(&self, rows: Vec<u32>) -> Self {
        Self { data: self.data.select(&rows), divide_by: self.divide_by }
    }

    fn __len__(&self) -> usize {
        self.data.n_samples()
    }
}

/// The values of sparse rows, in either precision.
fn sparse_values(data: &Bound<'_, PyAny>) -> PyResult<SparseValues> {
    Ok(match Lent::<f64>::of(data) {
        Ok(values) => SparseValues::F64(values.into_numbers()),
        Err(_) => SparseValues::F32(Lent::<f32>::of(data)?.into_numbers()),
    })
}

impl Rows {
    /// Whether there are so many inputs that more than one look at them pays.
    fn is_large(&self) -> bool {
        const MANY: usize = 1 << 20;
        self.data.n_samples().saturating_mul(self.data.n_features()) >= MANY
    }

    /// Inputs as they are.
    fn new(data: Dataset) -> Self {
        Self { data, divide_by: 1.0 }
    }

    fn with_targets(&self, targets: Targets) -> PyResult<Self> {
        let data = self.data.clone().with_targets(targets).map_err(value_error)?;
        Ok(Self { data, divide_by: self.divide_by })
    }
}
