//! NumPy's random numbers: a `RandomState` on its way through a fit.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use steepest::{MersenneTwister, Split};

use crate::lent::{Lent, write};

/// The random numbers of a `numpy.random.RandomState`, from its state on.
#[pyclass(module = "steepest._core")]
pub struct Stream(pub MersenneTwister);

#[pymethods]
impl Stream {
    /// From `key` and `pos` of the state.
    #[new]
    fn new(key: &Bound<'_, PyAny>, pos: usize) -> PyResult<Self> {
        let twister = MersenneTwister::from_state(Lent::<u32>::of(key)?.as_ref(), pos);
        twister.map(Self).ok_or_else(|| PyValueError::new_err("not the state of a Mersenne Twister"))
    }

    /// Writes the state's `key` into an array; returns `pos`.
    fn state(&self, key: &Bound<'_, PyAny>) -> PyResult<usize> {
        let (words, position) = self.0.state();
        write(words, key)?;
        Ok(position)
    }

    /// Fills an array of float64 or float32 with `uniform(-limit, limit)`, drawn in double precision.
    fn fill_uniform(&mut self, limit: f64, array: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Ok(single) = Lent::<f32>::of(array) {
            let mut numbers = vec![0f32; single.as_ref().len()];
            self.0.fill_uniform(limit, &mut numbers);
            write(&numbers, array)
        } else {
            let mut numbers = vec![0f64; Lent::<f64>::of(array)?.as_ref().len()];
            self.0.fill_uniform(limit, &mut numbers);
            write(&numbers, array)
        }
    }

    /// Rows to learn from and rows to hold out; with the classes of the rows, below `n_classes`, each class in the same part.
    #[pyo3(signature = (n_rows, n_validation, labels = None, n_classes = 0))]
    fn split(
        &mut self,
        n_rows: usize,
        n_validation: usize,
        labels: Option<&Bound<'_, PyAny>>,
        n_classes: usize,
    ) -> PyResult<(Vec<u32>, Vec<u32>)> {
        let Split { train, validation } = match labels {
            None => self.0.split(n_rows, n_validation),
            Some(labels) => {
                self.0.stratified_split(Lent::<u32>::of(labels)?.as_ref(), n_classes, n_validation)
            }
        };
        Ok((train, validation))
    }
}
