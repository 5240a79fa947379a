//! What Python sees of Steepest: the module `steepest._core`, which the package in `python/steepest` is written on.
//!
//! A door without maths: arrays go in and out, the core does the work without Python's lock, and Ctrl-C is heard in between.

mod command_line;
mod data;
mod data_set;
mod lent;
mod model;
mod predict;
mod run;
mod stream;
mod trainer;

use std::fmt::Display;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// An error of the core as Python's `ValueError`.
fn value_error(error: impl Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}

#[pymodule]
mod _core {
    #[pymodule_export]
    use super::command_line::run_command_line;
    #[pymodule_export]
    use super::data::Rows;
    #[pymodule_export]
    use super::data_set::DataSet;
    #[pymodule_export]
    use super::model::PyModel;
    #[pymodule_export]
    use super::predict::{predict_classes, predict_values};
    #[pymodule_export]
    use super::run::train;
    #[pymodule_export]
    use super::stream::Stream;
    #[pymodule_export]
    use super::trainer::Trainer;
}
