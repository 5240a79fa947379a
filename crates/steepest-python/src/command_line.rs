//! The command line.

use pyo3::prelude::*;

/// Runs the command line `arguments`, program name first, as the binary `steepest` would; returns its exit code.
#[pyfunction]
pub fn run_command_line(py: Python, arguments: Vec<String>) -> u8 {
    py.detach(|| steepest_cli::run_from(arguments.into_iter().map(Into::into)))
}
