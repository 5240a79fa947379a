//! Memory that Python objects lend: NumPy's arrays, and whatever else has a buffer.

use std::sync::Arc;

use pyo3::buffer::{Element, PyBuffer};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use steepest::Numbers;

/// The numbers of an array in C order, used where they are.
///
/// The array stays alive as long as this does. Whoever writes to it meanwhile from another thread gets what NumPy gives in such
/// a case: a mixture of old and new numbers.
pub struct Lent<T: Element>(PyBuffer<T>);

impl<T: Element> Lent<T> {
    /// Of an array of `T` in C order.
    pub fn of(array: &Bound<'_, PyAny>) -> PyResult<Self> {
        let buffer = PyBuffer::<T>::get(array)?;
        let foreign: &[u8] = if cfg!(target_endian = "little") { b">!" } else { b"<" };
        let is_foreign = buffer.format().to_bytes().first().is_some_and(|first| foreign.contains(first));
        if is_foreign || buffer.as_slice_ptr().is_none() {
            return Err(PyValueError::new_err(
                "expected an array in C order, its numbers in this machine's order of bytes",
            ));
        }
        Ok(Self(buffer))
    }

    /// Rows and columns; a vector is one column.
    pub fn shape(&self) -> (usize, usize) {
        match *self.0.shape() {
            [] => (1, 1),
            [n] => (n, 1),
            [n, ref rest @ ..] => (n, rest.iter().product()),
        }
    }

    /// How many dimensions the array has.
    pub fn dimensions(&self) -> usize {
        self.0.dimensions()
    }

    /// For a data set.
    pub fn into_numbers(self) -> Numbers<T>
    where
        T: Send + Sync + 'static,
    {
        Numbers::shared(Arc::new(self))
    }
}

impl<T: Element> AsRef<[T]> for Lent<T> {
    #[allow(unsafe_code)]
    fn as_ref(&self) -> &[T] {
        // SAFETY: the buffer is held as long as `self`, so its memory is there, in C order as checked, and aligned as PyO3
        // checks. That nobody writes to it meanwhile is asked of the caller, in Python's documentation of `fit` and
        // `predict`; all bit patterns of the types used here are numbers.
        self.0.as_slice_ptr().map_or(&[], |numbers| unsafe { numbers.as_ref() })
    }
}

/// Writes numbers into an array of as many, in C order.
pub fn write<T: Element>(numbers: &[T], array: &Bound<'_, PyAny>) -> PyResult<()> {
    PyBuffer::<T>::get(array)?.copy_from_slice(array.py(), numbers)
}
