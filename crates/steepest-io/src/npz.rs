//! NPZ, NumPy's archive of arrays, with the names that Keras and scikit-learn people give them.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use steepest::{Dataset, Targets};
use zip::ZipArchive;

use crate::classes::Classes;
use crate::error::DataError;
use crate::file::{Format, open};
use crate::npy::{Array, bad_shape, check_finite, into_inputs, read_npy_array};
use crate::spec::Part;

/// An open NPZ file.
///
/// Either `x_train`, `y_train`, `x_test`, `y_test`, or `X` and `y`; small or capital letters, stored or compressed.
/// `x` is `(n, n_features)` or `(n, height, width)`; `y` is `(n,)` whole numbers, which are classes, or numbers
/// `(n,)` or `(n, n_outputs)`. A part or `X` without its `y` is read as
/// inputs without targets.
pub struct Npz<'a> {
    path: &'a Path,
    archive: ZipArchive<BufReader<File>>,
    names: Vec<String>,
}

impl<'a> Npz<'a> {
    /// Opens the file and reads which arrays it holds.
    ///
    /// # Errors
    /// When it is not a whole zip file.
    pub fn open(path: &'a Path) -> Result<Self, DataError> {
        let (format, file) = open(path)?;
        let fail = |reason: String| DataError::Zip { path: path.into(), reason };
        if format != Format::Zip {
            return Err(fail("it does not begin as a zip file does".into()));
        }
        let archive = ZipArchive::new(file).map_err(|error| fail(error.to_string()))?;
        let name =
            |raw: &[u8]| String::from_utf8_lossy(raw.strip_suffix(b".npy").unwrap_or(raw)).into_owned();
        let names = archive.file_names_raw().map(name).collect();
        Ok(Self { path, archive, names })
    }

    /// The parts that are there: none in a file of `X` and `y`.
    pub fn parts(&self) -> Vec<Part> {
        [Part::Train, Part::Test].into_iter().filter(|part| self.find(&x_of(*part)).is_some()).collect()
    }

    /// Reads a part. Its classes are those of both parts, so that the parts agree.
    ///
    /// # Errors
    /// When an array is missing, damaged, of a wrong shape or type, or has another number of rows than its partner.
    pub fn read_part(&mut self, part: Part) -> Result<Dataset, DataError> {
        let others = self.find(&y_of(part.other())).map(|index| self.read_array(index)).transpose()?;
        self.read_pair(&x_of(part), &y_of(part), others)
    }

    /// Reads the arrays `X` and `y` of a file without parts.
    ///
    /// # Errors
    /// As [`read_part`](Self::read_part).
    pub fn read_whole(&mut self) -> Result<Dataset, DataError> {
        self.read_pair("X", "y", None)
    }

    fn read_pair(&mut self, x: &str, y: &str, others: Option<Array>) -> Result<Dataset, DataError> {
        let x_index = self.find(x).ok_or_else(|| self.missing(x))?;
        let y_index = self.find(y);
        let targets = match y_index {
            Some(index) => Some((self.read_array(index)?, self.place(index))),
            None => None,
        };
        let (inputs, layout) = into_inputs(self.read_array(x_index)?, &self.place(x_index))?;
        if let Some((array, _)) = &targets
            && array.shape[0] != layout.n_rows
        {
            return Err(DataError::NpzCounts {
                path: self.path.into(),
                x: x.into(),
                n_x: layout.n_rows,
                y: y.into(),
                n_y: array.shape[0],
            });
        }
        let targets = targets.map(|(array, place)| into_targets(array, others, &place)).transpose()?;
        layout.dataset(inputs, targets)
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| other.eq_ignore_ascii_case(name))
    }

    fn missing(&self, name: &str) -> DataError {
        let shown: Vec<String> = self.names.iter().take(10).map(|name| format!("`{name}`")).collect();
        let found = if shown.is_empty() { "(none)".into() } else { shown.join(", ") };
        DataError::NpzArray { path: self.path.into(), missing: name.into(), found }
    }

    fn place(&self, index: usize) -> String {
        format!("{} (array `{}`)", self.path.display(), self.names[index])
    }

    fn read_array(&mut self, index: usize) -> Result<Array, DataError> {
        let place = self.place(index);
        let mut member = self
            .archive
            .by_index(index)
            .map_err(|error| DataError::Zip { path: self.path.into(), reason: error.to_string() })?;
        read_npy_array(&mut member, &place)
    }
}

fn x_of(part: Part) -> String {
    format!("x_{}", part.name())
}

fn y_of(part: Part) -> String {
    format!("y_{}", part.name())
}

/// Whole numbers `(n,)` are classes, shared with `others`; all else is values.
fn into_targets(array: Array, others: Option<Array>, place: &str) -> Result<Targets, DataError> {
    let n_outputs = match array.shape[..] {
        [_] => 1,
        [_, n_outputs] => n_outputs,
        _ => return Err(bad_shape(place, &array.shape, "(rows,) or (rows, outputs)")),
    };
    let is_vector = array.shape.len() == 1;
    let values = match array.values.into_integers() {
        Ok(labels) if is_vector => {
            let others = others.and_then(|array| array.values.into_integers().ok()).unwrap_or_default();
            return Ok(Classes::of(&[&labels, &others]).targets(&labels));
        }
        Ok(integers) => integers.into_iter().map(|value| value as f64).collect(),
        Err(values) => values,
    };
    check_finite(&values, |v| v.is_finite(), place, n_outputs)?;
    Ok(Targets::Values { values, n_outputs })
}
