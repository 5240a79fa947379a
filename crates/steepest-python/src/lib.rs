//! What Python sees of Steepest: the module `steepest._core`, which the package in `python/steepest` is written on.
//!
//! A door without maths: arrays go in and out, the core does the work without Python's lock, and Ctrl-C is heard in between.

mod command_line;
mod data;
mod data_set;
mod errors;
mod lent;
mod model;
mod predict;
mod run;
mod stream;
mod trainer;

use pyo3::prelude::*;

use errors::value_error;

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
    use super::predict::Network;
    #[pymodule_export]
    use super::run::train;
    #[pymodule_export]
    use super::stream::Stream;
    #[pymodule_export]
    use super::trainer::Trainer;
}
