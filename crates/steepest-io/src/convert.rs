//! Data sets into files: what is written here reads back as equal data.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use steepest::{Dataset, Inputs, Targets};

use crate::atomic::{write_file, write_folder};
use crate::error::DataError;
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
}

impl DataFormat {
    const ALL: [(&'static str, Self); 4] =
        [("idx", Self::Idx), ("npz", Self::Npz), ("npy", Self::Npy), ("csv", Self::Csv)];

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
/// Rows that are drawn when they are needed are written as those of epoch 0.
///
/// # Errors
/// When the form cannot hold these data, or the file system says no.
pub fn write_dataset(path: &Path, data: &Loaded, format: DataFormat) -> Result<(), DataError> {
    let failed = |source| DataError::Write { path: path.into(), source };
    let cannot = |reason| DataError::CannotHold { path: path.into(), reason };
    let parts: Vec<(Option<Part>, Cow<Dataset>)> = match data {
        Loaded::One(data) => vec![(None, stored(data))],
        Loaded::Parts { train, test } => {
            vec![(Some(Part::Train), stored(train)), (Some(Part::Test), stored(test))]
        }
    };
    match (format, &parts[..]) {
        (DataFormat::Idx, parts) => write_folder(path, |folder| {
            for (part, data) in parts {
                write_idx_part(folder, part.unwrap_or(Part::Train), data)?;
            }
            Ok(())
        })
        .map_err(|error| match error {
            IdxError::Io(source) => failed(source),
            IdxError::Cannot(reason) => cannot(reason),
        }),
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
            write_file(path, |out| write_csv(out, data)).map_err(failed)
        }
        (DataFormat::Csv, _) => Err(cannot("there is nothing to write")),
    }
}

/// The data set with its rows at hand.
fn stored(data: &Dataset) -> Cow<'_, Dataset> {
    let Inputs::Drawn { draw, rows } = data.inputs() else { return Cow::Borrowed(data) };
    let width = data.n_features();
    let mut bytes = vec![0; rows.len().saturating_mul(width)];
    for (out, &row) in bytes.chunks_exact_mut(width).zip(rows) {
        draw(0, row, out);
    }
    let image = data.image();
    let stored = Dataset::new(Inputs::Bytes(bytes), width, data.targets().cloned());
    match (stored, image) {
        (Ok(stored), Some((height, width))) => Cow::Owned(stored.with_image(height, width)),
        (Ok(stored), None) => Cow::Owned(stored),
        (Err(_), _) => Cow::Borrowed(data),
    }
}

fn shape(data: &Dataset) -> Vec<usize> {
    match data.image() {
        Some((height, width)) => vec![data.n_samples(), height, width],
        None => vec![data.n_samples(), data.n_features()],
    }
}

/// The whole numbers that classes are named by, if they all are.
fn numbers(names: &[String]) -> Option<Vec<i64>> {
    names.iter().map(|name| name.parse().ok().filter(|number: &i64| number.to_string() == *name)).collect()
}

fn npy_inputs(data: &Dataset) -> NpyArray<'_> {
    let shape = shape(data);
    match data.inputs() {
        Inputs::F32(x) => NpyArray::of(&shape, x),
        Inputs::F64(x) => NpyArray::of(&shape, x),
        Inputs::Bytes(x) => NpyArray { descr: "|u1".into(), shape, bytes: Box::new(x.iter().copied()) },
        Inputs::Drawn { .. } => NpyArray { descr: "|u1".into(), shape, bytes: Box::new(std::iter::empty()) },
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
            if let Some(numbers) = numbers(names) {
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

/// Why IDX files were not written.
enum IdxError {
    Io(std::io::Error),
    Cannot(&'static str),
}

impl From<std::io::Error> for IdxError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

fn write_idx_part(folder: &Path, part: Part, data: &Dataset) -> Result<(), IdxError> {
    let prefix = crate::idx::prefix(part);
    let shape = shape(data);
    let (code, kind) = match data.inputs() {
        Inputs::F32(_) => (0x0d, "float"),
        Inputs::F64(_) => (0x0e, "double"),
        Inputs::Bytes(_) | Inputs::Drawn { .. } => (0x08, "ubyte"),
    };
    let name = format!("{prefix}-images-idx{}-{kind}", shape.len());
    write_idx(&folder.join(name), code, &shape, |out| match data.inputs() {
        Inputs::Bytes(x) => out.write_all(x),
        Inputs::F32(x) => x.iter().try_for_each(|x| out.write_all(&x.to_be_bytes())),
        Inputs::F64(x) => x.iter().try_for_each(|x| out.write_all(&x.to_be_bytes())),
        Inputs::Drawn { .. } => Ok(()),
    })?;
    match data.targets() {
        None => {
            Err(IdxError::Cannot("a folder of IDX files has labels, and these data have none: write .npz"))
        }
        Some(Targets::Values { values, n_outputs }) => {
            let shape = if *n_outputs == 1 { vec![values.len()] } else { vec![data.n_samples(), *n_outputs] };
            let name = format!("{prefix}-labels-idx{}-double", shape.len());
            write_idx(&folder.join(name), 0x0e, &shape, |out| {
                values.iter().try_for_each(|x| out.write_all(&x.to_be_bytes()))
            })
        }
        Some(Targets::Classes { labels, names }) => {
            let text = IdxError::Cannot(
                "IDX holds numbers, and the names of these classes are text: write .npz or .csv",
            );
            let numbers = numbers(names).ok_or(text)?;
            let labels = labels.iter().map(|&label| numbers.get(label as usize).copied().unwrap_or_default());
            let shape = [data.n_samples()];
            if numbers.iter().all(|&number| u8::try_from(number).is_ok()) {
                let bytes: Vec<u8> = labels.map(|label| label as u8).collect();
                return write_idx(&folder.join(format!("{prefix}-labels-idx1-ubyte")), 0x08, &shape, |out| {
                    out.write_all(&bytes)
                });
            }
            let wide =
                IdxError::Cannot("IDX holds whole numbers of 32 bits, and these classes have larger ones");
            let labels: Vec<i32> = labels.map(i32::try_from).collect::<Result<_, _>>().map_err(|_| wide)?;
            write_idx(&folder.join(format!("{prefix}-labels-idx1-int")), 0x0c, &shape, |out| {
                labels.iter().try_for_each(|label| out.write_all(&label.to_be_bytes()))
            })
        }
    }
}

fn write_idx(
    path: &Path,
    code: u8,
    shape: &[usize],
    numbers: impl FnOnce(&mut BufWriter<&File>) -> std::io::Result<()>,
) -> Result<(), IdxError> {
    let too_large = IdxError::Cannot("IDX holds fewer than 2^32 rows");
    let sizes: Vec<u32> =
        shape.iter().map(|&size| u32::try_from(size)).collect::<Result<_, _>>().map_err(|_| too_large)?;
    write_file(path, |out| {
        out.write_all(&[0, 0, code, shape.len() as u8])?;
        sizes.iter().try_for_each(|size| out.write_all(&size.to_be_bytes()))?;
        numbers(out)
    })?;
    Ok(())
}

fn write_csv(out: &mut BufWriter<&File>, data: &Dataset) -> std::io::Result<()> {
    let mut out = csv::Writer::from_writer(out);
    if let Some(targets) = data.targets() {
        out.write_field(if matches!(targets, Targets::Classes { .. }) { "label" } else { "target" })?;
    }
    match (data.image(), data.inputs()) {
        (Some((height, width)), _) if height == width => {
            (0..data.n_features()).try_for_each(|i| out.write_field(format!("pixel{i}")))?;
        }
        (Some((height, width)), _) => {
            for row in 1..=height {
                (1..=width).try_for_each(|column| out.write_field(format!("{row}x{column}")))?;
            }
        }
        (None, _) => (0..data.n_features()).try_for_each(|i| out.write_field(format!("x{i}")))?,
    }
    out.write_record(None::<&[u8]>)?;
    let bytes: Vec<String> = (0..=u8::MAX).map(|byte| byte.to_string()).collect();
    let width = data.n_features();
    for row in 0..data.n_samples() {
        match data.targets() {
            Some(Targets::Classes { labels, names }) => {
                let label = labels.get(row).and_then(|&label| names.get(label as usize));
                out.write_field(label.map_or("", String::as_str))?;
            }
            // With a decimal point even where it is a whole number, which would be a class.
            Some(Targets::Values { values, .. }) => {
                out.write_field(values.get(row).map_or(String::new(), |value| format!("{value:?}")))?;
            }
            None => {}
        }
        let start = row.saturating_mul(width);
        let range = start..start.saturating_add(width);
        match data.inputs() {
            Inputs::Bytes(x) => {
                for &byte in x.get(range).unwrap_or_default() {
                    out.write_field(bytes.get(usize::from(byte)).map_or("", String::as_str))?;
                }
            }
            Inputs::F32(x) => {
                let row = x.get(range).unwrap_or_default();
                row.iter().try_for_each(|x| out.write_field(format!("{x:?}")))?;
            }
            Inputs::F64(x) => {
                let row = x.get(range).unwrap_or_default();
                row.iter().try_for_each(|x| out.write_field(format!("{x:?}")))?;
            }
            Inputs::Drawn { .. } => {}
        }
        out.write_record(None::<&[u8]>)?;
    }
    out.flush()
}
