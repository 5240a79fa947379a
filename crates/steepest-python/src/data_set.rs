//! Data sets of files and names, as arrays.

use pyo3::prelude::*;
use steepest::{Dataset, Inputs, Targets};
use steepest_io::{ArrayNames, CsvOptions, DataSpec, LoadOptions, Part, RowRange, load_part};

use crate::errors::{data_error, value_error};
use crate::lent::{Lent, write};
use crate::model::rows;

/// A data set in memory.
#[pyclass(module = "steepest._core", frozen)]
pub struct DataSet {
    pub data: Dataset,
    /// What it was loaded by.
    pub name: String,
}

#[pymethods]
impl DataSet {
    /// Loads what a name or path stands for on the command line: of one with parts the training part, if none is named.
    #[staticmethod]
    #[pyo3(signature = (name, rows = None, target = None, arrays = None, offline = false, test_part = false))]
    fn load(
        py: Python,
        name: String,
        rows: Option<&str>,
        target: Option<String>,
        arrays: Option<&str>,
        offline: bool,
        test_part: bool,
    ) -> PyResult<Self> {
        let spec = DataSpec::parse(&name).map_err(value_error)?;
        let options = LoadOptions {
            rows: rows.map(RowRange::parse).transpose().map_err(value_error)?,
            csv: CsvOptions { target, double: true },
            arrays: arrays.map(ArrayNames::parse).transpose().map_err(value_error)?.unwrap_or_default(),
            ..steepest_cli::load_options(offline)
        };
        let part = if test_part { Part::Test } else { Part::Train };
        let data = py.detach(|| load_part(&spec, part, &options)).map_err(data_error)?;
        Ok(Self { data, name })
    }

    /// Of an array `(n_samples, n_features)` of bytes, float32 or float64 in C order, and as targets the numbers of classes,
    /// an array of uint32, or numbers `(n_samples, n_outputs)`, float64.
    #[staticmethod]
    fn of(
        x: &Bound<'_, PyAny>,
        labels: Option<&Bound<'_, PyAny>>,
        names: Vec<String>,
        values: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let mut data = rows(x)?;
        if let Some(labels) = labels {
            let labels = Lent::<u32>::of(labels)?.as_ref().to_vec();
            data = data.with_targets(Targets::Classes { labels, names }).map_err(value_error)?;
        } else if let Some(values) = values {
            let values = Lent::<f64>::of(values)?;
            let n_outputs = values.shape().1;
            let targets = Targets::Values { values: values.as_ref().to_vec(), n_outputs };
            data = data.with_targets(targets).map_err(value_error)?;
        }
        Ok(Self { data, name: "X".into() })
    }

    /// Rows, and numbers in each.
    #[getter]
    fn shape(&self) -> (usize, usize) {
        (self.data.n_samples(), self.data.n_features())
    }

    /// "uint8", "float32" or "float64".
    #[getter]
    fn dtype(&self) -> &'static str {
        match self.data.inputs() {
            Inputs::Bytes(_) | Inputs::Drawn { .. } => "uint8",
            Inputs::F32(_) => "float32",
            Inputs::F64(_) => "float64",
            Inputs::Sparse(_) => unreachable!("no file has them"),
        }
    }

    /// Height and width, where rows are images.
    #[getter]
    fn image(&self) -> Option<(usize, usize)> {
        self.data.image()
    }

    /// Names of the classes, where targets are classes.
    #[getter]
    fn names(&self) -> Option<Vec<String>> {
        match self.data.targets() {
            Some(Targets::Classes { names, .. }) => Some(names.clone()),
            _ => None,
        }
    }

    /// How many numbers are the target of a row, where targets are numbers.
    #[getter]
    fn n_outputs(&self) -> Option<usize> {
        match self.data.targets() {
            Some(Targets::Values { n_outputs, .. }) => Some(*n_outputs),
            _ => None,
        }
    }

    /// Writes the inputs into an array of the right shape and type; rows that are drawn are those of the first epoch.
    fn write_inputs(&self, out: &Bound<'_, PyAny>) -> PyResult<()> {
        match self.data.inputs() {
            Inputs::Bytes(x) => write(x, out),
            Inputs::F32(x) => write(x, out),
            Inputs::F64(x) => write(x, out),
            Inputs::Sparse(_) => unreachable!("no file has them"),
            Inputs::Drawn { draw, rows } => {
                let width = self.data.n_features();
                let drawn = out.py().detach(|| {
                    let mut drawn = vec![0; rows.len() * width];
                    rows.iter().zip(drawn.chunks_exact_mut(width)).for_each(|(&row, out)| draw(0, row, out));
                    drawn
                });
                write(&drawn, out)
            }
        }
    }

    /// Writes the targets into an array: the numbers of classes as uint32, numbers as float64.
    fn write_targets(&self, out: &Bound<'_, PyAny>) -> PyResult<()> {
        match self.data.targets() {
            Some(Targets::Classes { labels, .. }) => write(labels, out),
            Some(Targets::Values { values, .. }) => write(values, out),
            None => Ok(()),
        }
    }
}
