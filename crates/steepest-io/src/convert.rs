//! Data sets into files, which read back as equal data; only classes at the end of the list without a row are forgotten.

use std::borrow::Cow;
use std::path::Path;

use steepest::{Dataset, Inputs, Targets};

use crate::atomic::{write_file, write_folder};
use crate::classes::Classes;
use crate::csv_cells::are_labels;
use crate::csv_write::write_csv;
use crate::error::DataError;
use crate::idx_write::write_idx_part;
use crate::image_write::write_images;
use crate::load::Loaded;
use crate::npz_write::{NpyArray, write_arrays};
use crate::spec::Part;

/// A form in which data sets are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataFormat {
    /// A folder of IDX files, named as MNIST's are.
    Idx,
    /// An NPZ file: `x_train`, `y_train`, `x_test`, `y_test` of a data set in parts, otherwise `X` and `y`.
    Npz,
    /// An NPY file, of inputs alone.
    Npy,
    /// A CSV table with a header, the target in its first column.
    Csv,
    /// A folder of PNG images, with a folder for each class.
    Png,
}

impl DataFormat {
    const ALL: [(&'static str, Self); 5] =
        [("idx", Self::Idx), ("npz", Self::Npz), ("npy", Self::Npy), ("csv", Self::Csv), ("png", Self::Png)];

    /// The form of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn parse(name: &str) -> Result<Self, DataError> {
        let known = Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, format)| format);
        known.ok_or_else(|| DataError::Format { name: name.into() })
    }

    /// What a path says by its extension; without one, it is a folder of IDX files.
    ///
    /// # Errors
    /// When no form has this extension.
    pub fn of_path(path: &Path) -> Result<Self, DataError> {
        match path.extension() {
            Some(extension) => Self::parse(&extension.to_string_lossy().to_ascii_lowercase()),
            None => Ok(Self::Idx),
        }
    }
}

/// Writes a data set, whole or not at all.
///
/// Rows that are drawn when they are needed are written as those of epoch 0, sparse rows with all their zeros.
///
/// # Errors
/// When the form cannot hold these data, or the file system says no.
pub fn write_dataset(path: &Path, data: &Loaded, format: DataFormat) -> Result<(), DataError> {
    let failed = |source| WriteError::Io(source).at(path);
    let cannot = |reason| WriteError::Cannot(reason).at(path);
    let parts: Vec<(Option<Part>, Cow<Dataset>)> = match data {
        Loaded::One(data) => vec![(None, at_hand(data)?)],
        Loaded::Parts { train, test } => {
            vec![(Some(Part::Train), at_hand(train)?), (Some(Part::Test), at_hand(test)?)]
        }
    };
    match (format, &parts[..]) {
        (DataFormat::Idx, parts) => write_folder(path, |folder| {
            let part_of = |part: &Option<Part>| part.unwrap_or(Part::Train);
            parts.iter().try_for_each(|(part, data)| write_idx_part(folder, part_of(part), data))
        })
        .map_err(|error| error.at(path)),
        (DataFormat::Png, parts) => write_folder(path, |folder| {
            let of_part = |part: &Option<Part>| part.map_or(folder.into(), |part| folder.join(part.name()));
            parts.iter().try_for_each(|(part, data)| write_images(&of_part(part), data))
        })
        .map_err(|error| error.at(path)),
        (DataFormat::Npz, parts) => {
            let mut arrays = Vec::new();
            for (part, data) in parts {
                let (x, y) = match part {
                    None => ("X", "y"),
                    Some(Part::Train) => ("x_train", "y_train"),
                    Some(Part::Test) => ("x_test", "y_test"),
                };
                arrays.push((x, npy_inputs(data)));
                arrays.extend(data.targets().map(|targets| (y, npy_targets(targets))));
            }
            write_file(path, |out| write_arrays(out, arrays)).map_err(failed)
        }
        (_, [_, _]) => {
            Err(cannot("this form holds one part: add /train or /test to the name of the data set"))
        }
        (DataFormat::Npy, [(_, data)]) if data.targets().is_none() => {
            write_file(path, |out| npy_inputs(data).write(out)).map_err(failed)
        }
        (DataFormat::Npy, _) => {
            Err(cannot("NPY holds one array, and these are inputs and targets: write .npz"))
        }
        (DataFormat::Csv, [(_, data)]) => {
            if let Some(Targets::Values { n_outputs: 2.., .. }) = data.targets() {
                return Err(cannot("a table has one target column, and these have several: write .npz"));
            }
            if let Some(Targets::Classes { labels, names }) = data.targets() {
                let used = with_rows(labels, names);
                if !are_labels(used.iter().copied()) {
                    return Err(cannot(
                        "the names of these classes would be read as others from a table: write .npz",
                    ));
                }
            }
            write_file(path, |out| write_csv(out, data)).map_err(failed)
        }
        (DataFormat::Csv, _) => Err(cannot("there is nothing to write")),
    }
}

/// Why nothing was written.
pub(crate) enum WriteError {
    Io(std::io::Error),
    Image(DataError),
    /// The form does not hold these data.
    Cannot(&'static str),
}

impl WriteError {
    fn at(self, path: &Path) -> DataError {
        match self {
            Self::Io(source) => DataError::Write { path: path.into(), source },
            Self::Image(error) => error,
            Self::Cannot(reason) => DataError::CannotHold { path: path.into(), reason },
        }
    }
}

impl From<std::io::Error> for WriteError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// The data set with rows that are neither [`Inputs::Drawn`] nor [`Inputs::Sparse`].
fn at_hand(data: &Dataset) -> Result<Cow<'_, Dataset>, DataError> {
    let width = data.n_features();
    let inputs = match data.inputs() {
        Inputs::Bytes(_) | Inputs::F32(_) | Inputs::F64(_) => return Ok(Cow::Borrowed(data)),
        Inputs::Sparse(rows) => rows.to_dense(),
        Inputs::Drawn { draw, rows } => {
            let mut bytes = vec![0; rows.len().saturating_mul(width)];
            for (out, &row) in bytes.chunks_exact_mut(width).zip(rows) {
                draw(0, row, out);
            }
            Inputs::Bytes(bytes.into())
        }
    };
    let at_hand = Dataset::new(inputs, width, data.targets().cloned())?;
    Ok(Cow::Owned(match data.image() {
        Some((height, width)) => at_hand.with_image(height, width),
        None => at_hand,
    }))
}

pub(crate) fn shape(data: &Dataset) -> Vec<usize> {
    match data.image() {
        Some((height, width)) => vec![data.n_samples(), height, width],
        None => vec![data.n_samples(), data.n_features()],
    }
}

/// The names of the classes that rows have.
fn with_rows<'a>(labels: &[u32], names: &'a [String]) -> Vec<&'a String> {
    let mut has_rows = vec![false; names.len()];
    for &label in labels {
        if let Some(has_rows) = has_rows.get_mut(label as usize) {
            *has_rows = true;
        }
    }
    names.iter().zip(has_rows).filter(|(_, has_rows)| *has_rows).map(|(name, _)| name).collect()
}

/// The whole numbers that classes are named by, if they all are.
pub(crate) fn numbers(names: &[String]) -> Option<Vec<i64>> {
    names.iter().map(|name| name.parse().ok().filter(|number: &i64| number.to_string() == *name)).collect()
}

fn npy_inputs(data: &Dataset) -> NpyArray<'_> {
    let shape = shape(data);
    match data.inputs() {
        Inputs::F32(x) => NpyArray::of(&shape, x),
        Inputs::F64(x) => NpyArray::of(&shape, x),
        Inputs::Bytes(x) => NpyArray { descr: "|u1".into(), shape, bytes: Box::new(x.iter().copied()) },
        Inputs::Drawn { .. } | Inputs::Sparse(_) => unreachable!("rows are at hand"),
    }
}

fn npy_targets(targets: &Targets) -> NpyArray<'_> {
    match targets {
        Targets::Values { values, n_outputs: 1 } => NpyArray::of(&[values.len()], values),
        Targets::Values { values, n_outputs } => NpyArray::of(&[targets.n_samples(), *n_outputs], values),
        Targets::Classes { labels, names } => {
            let shape = vec![labels.len()];
            let of = move |texts: Vec<Vec<u8>>| {
                labels.iter().flat_map(move |&label| texts.get(label as usize).cloned().unwrap_or_default())
            };
            // As text where numbers would be read as other classes: 1 and 3 as 0 to 3.
            let numbers = numbers(names).filter(|numbers| Classes::of(&[numbers]).names() == *names);
            if let Some(numbers) = numbers {
                let bytes = of(numbers.iter().map(|number| number.to_le_bytes().to_vec()).collect());
                return NpyArray { descr: "<i8".into(), shape, bytes: Box::new(bytes) };
            }
            let length = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(1);
            let padded = |name: &String| -> Vec<u8> {
                let units = name.chars().map(u32::from).chain(std::iter::repeat(0)).take(length);
                units.flat_map(u32::to_le_bytes).collect()
            };
            let bytes = of(names.iter().map(padded).collect());
            NpyArray { descr: format!("<U{length}"), shape, bytes: Box::new(bytes) }
        }
    }
}
