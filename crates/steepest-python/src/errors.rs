//! The core's errors as Python's.

use std::fmt::Display;
use std::io;
use std::path::Path;

use pyo3::exceptions::{PyFileNotFoundError, PyOSError, PyValueError};
use pyo3::prelude::*;
use steepest_io::{DataError, ModelError};

/// An error of the core as Python's `ValueError`.
pub fn value_error(error: impl Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// What is not there is a `FileNotFoundError`, and the like; contents that are wrong a `ValueError`.
pub fn model_error(error: ModelError) -> PyErr {
    match error {
        ModelError::Io { path, source } => os_error(&source, &path),
        other => value_error(other),
    }
}

/// The same of data.
pub fn data_error(error: DataError) -> PyErr {
    match error {
        DataError::NotFound { .. } => PyFileNotFoundError::new_err(error.to_string()),
        other => value_error(other),
    }
}

fn os_error(error: &io::Error, path: &Path) -> PyErr {
    let path = path.display().to_string();
    let text = error.to_string();
    match error.raw_os_error() {
        // Python says the number itself.
        Some(number) => {
            let text = text.trim_end_matches(&format!(" (os error {number})")).to_string();
            PyOSError::new_err((number, text, path))
        }
        None => PyOSError::new_err(format!("{path}: {text}")),
    }
}
