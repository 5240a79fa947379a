//! NPY, NumPy's file of one array: a header in Python's notation, then the numbers.

use std::io::Read;
use std::path::Path;

use steepest::{Dataset, Inputs};

use crate::error::DataError;
use crate::file::{Format, open, product, read_rest};
use crate::npy_header::{Header, read_header};

/// An array of 1 to 3 dimensions, in C order.
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Values,
}

/// The numbers of an array.
pub(crate) enum Values {
    U8(Vec<u8>),
    Int(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Values {
    /// The whole numbers, or else the others.
    pub(crate) fn into_integers(self) -> Result<Vec<i64>, Vec<f64>> {
        match self {
            Self::U8(values) => Ok(values.into_iter().map(i64::from).collect()),
            Self::Int(values) => Ok(values),
            Self::F32(values) => Err(values.into_iter().map(f64::from).collect()),
            Self::F64(values) => Err(values),
        }
    }
}

/// Reads an array `(n, n_features)` or `(n, height, width)` from an NPY file, as inputs without targets.
///
/// Whole numbers from 0 to 255 become bytes; float32 and float64 stay what they are; other whole numbers become
/// float32 where that is exact, float64 otherwise.
///
/// # Errors
/// When the file is not NPY, damaged, of another shape, of a type that is not read, or holds a NaN or an infinity.
pub fn read_npy(path: &Path) -> Result<Dataset, DataError> {
    let place = path.display().to_string();
    let (inputs, layout) = into_inputs(read_file(path)?, &place)?;
    layout.dataset(inputs, None)
}

/// Reads the row numbers of mini-batches from an NPY file of whole numbers `(n_steps, batch_size)`: one line a step.
///
/// # Errors
/// When the file is not NPY, damaged, not two-dimensional, not of whole numbers, or a number is no row number.
pub fn read_npy_rows(path: &Path) -> Result<Vec<Vec<u32>>, DataError> {
    let place = path.display().to_string();
    let Array { shape, values } = read_file(path)?;
    let [_, width] = shape[..] else {
        return Err(bad_shape(
            &place,
            &shape,
            "(steps, batch size): the row numbers of one mini-batch a line",
        ));
    };
    let Ok(whole) = values.into_integers() else {
        return Err(DataError::NpyRowsDtype { place });
    };
    let row_number = |(i, &value): (usize, &i64)| {
        u32::try_from(value)
            .map_err(|_| bad_value(&place, i, width, value, "a row number (0 or more, below 4294967296)"))
    };
    let rows: Vec<u32> = whole.iter().enumerate().map(row_number).collect::<Result<_, _>>()?;
    Ok(rows.chunks(width).map(<[u32]>::to_vec).collect())
}

fn read_file(path: &Path) -> Result<Array, DataError> {
    let (format, mut reader) = open(path)?;
    let place = path.display().to_string();
    if format != Format::Npy {
        return Err(DataError::NpyHeader { place, problem: "it does not begin with \\x93NUMPY" });
    }
    read_npy_array(&mut reader, &place)
}

/// Reads the array that `reader` holds to its end.
pub(crate) fn read_npy_array(reader: &mut impl Read, place: &str) -> Result<Array, DataError> {
    let Header { descr, fortran_order, shape } = read_header(reader, place)?;
    let (big_endian, code) = match descr.split_at_checked(1) {
        Some((">", code)) => (true, code),
        Some(("<" | "|" | "=", code)) => (false, code),
        _ => (false, descr.as_str()),
    };
    if code.starts_with('O') {
        return Err(DataError::NpyObjects { place: place.into() });
    }
    let item_size = match code {
        "b1" | "u1" | "i1" => 1,
        "u2" | "i2" => 2,
        "u4" | "i4" | "f4" => 4,
        "u8" | "i8" | "f8" => 8,
        _ => return Err(DataError::NpyDtype { place: place.into(), dtype: descr }),
    };
    if !(1..=3).contains(&shape.len()) {
        return Err(bad_shape(place, &shape, "1 to 3 dimensions"));
    }
    let n = product(&shape, place)?;
    let bytes = read_rest(reader, product(&[n, item_size], place)?, place)?;
    // Where there are no numbers, a size may still be any number: but then there is nothing to read, either.
    let shape: Vec<usize> = shape.iter().map(|&size| usize::try_from(size).unwrap_or(usize::MAX)).collect();
    if n == 0 {
        return Err(DataError::NoData { place: place.into(), shape: format!("its shape is {shape:?}") });
    }
    let values = match code {
        "b1" | "u1" => Values::U8(bytes),
        "i1" => Values::Int(decode(&bytes, big_endian, |b| i8::from_le_bytes(b).into())),
        "u2" => Values::Int(decode(&bytes, big_endian, |b| u16::from_le_bytes(b).into())),
        "i2" => Values::Int(decode(&bytes, big_endian, |b| i16::from_le_bytes(b).into())),
        "u4" => Values::Int(decode(&bytes, big_endian, |b| u32::from_le_bytes(b).into())),
        "i4" => Values::Int(decode(&bytes, big_endian, |b| i32::from_le_bytes(b).into())),
        "i8" => Values::Int(decode(&bytes, big_endian, i64::from_le_bytes)),
        "u8" => {
            let wide = decode(&bytes, big_endian, u64::from_le_bytes);
            let width = shape[1..].iter().product();
            let narrow = |(i, &value): (usize, &u64)| {
                i64::try_from(value).map_err(|_| bad_value(place, i, width, value, "below 2^63"))
            };
            Values::Int(wide.iter().enumerate().map(narrow).collect::<Result<_, _>>()?)
        }
        "f4" => Values::F32(decode(&bytes, big_endian, f32::from_le_bytes)),
        _ => Values::F64(decode(&bytes, big_endian, f64::from_le_bytes)),
    };
    let values = match values {
        values if !fortran_order || shape.len() == 1 => values,
        Values::U8(values) => Values::U8(to_c_order(&values, &shape)),
        Values::Int(values) => Values::Int(to_c_order(&values, &shape)),
        Values::F32(values) => Values::F32(to_c_order(&values, &shape)),
        Values::F64(values) => Values::F64(to_c_order(&values, &shape)),
    };
    Ok(Array { shape, values })
}

fn decode<const N: usize, T>(bytes: &[u8], big_endian: bool, number: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (items, _) = bytes.as_chunks::<N>();
    if big_endian {
        items
            .iter()
            .map(|&(mut item)| {
                item.reverse();
                number(item)
            })
            .collect()
    } else {
        items.iter().map(|&item| number(item)).collect()
    }
}

/// From first index fastest to last index fastest.
fn to_c_order<T: Copy>(values: &[T], shape: &[usize]) -> Vec<T> {
    let (n, height) = (shape[0], shape[1]);
    let width = shape.get(2).copied().unwrap_or(1);
    let mut out = Vec::with_capacity(values.len());
    for i in 0..n {
        for j in 0..height {
            out.extend((0..width).map(|k| values[i + n * (j + height * k)]));
        }
    }
    out
}

/// How the numbers of inputs make rows.
pub(crate) struct Layout {
    pub(crate) n_rows: usize,
    n_features: usize,
    image: Option<(usize, usize)>,
}

impl Layout {
    pub(crate) fn dataset(
        &self,
        inputs: Inputs,
        targets: Option<steepest::Targets>,
    ) -> Result<Dataset, DataError> {
        let dataset = Dataset::new(inputs, self.n_features, targets)?;
        Ok(match self.image {
            Some((height, width)) => dataset.with_image(height, width),
            None => dataset,
        })
    }
}

/// An array `(n, n_features)` or `(n, height, width)` as inputs.
pub(crate) fn into_inputs(
    Array { shape, values }: Array,
    place: &str,
) -> Result<(Inputs, Layout), DataError> {
    let layout = match shape[..] {
        [n_rows, n_features] => Layout { n_rows, n_features, image: None },
        [n_rows, height, width] => {
            Layout { n_rows, n_features: height * width, image: Some((height, width)) }
        }
        _ => return Err(bad_shape(place, &shape, "(rows, features) or (rows, height, width)")),
    };
    let inputs = match values {
        Values::U8(values) => Inputs::Bytes(values),
        Values::Int(values) => from_integers(&values),
        Values::F32(values) => {
            check_finite(&values, |v| v.is_finite(), place, layout.n_features)?;
            Inputs::F32(values)
        }
        Values::F64(values) => {
            check_finite(&values, |v| v.is_finite(), place, layout.n_features)?;
            Inputs::F64(values)
        }
    };
    Ok((inputs, layout))
}

/// The smallest form that holds the numbers.
fn from_integers(values: &[i64]) -> Inputs {
    if let Ok(bytes) = values.iter().map(|&v| u8::try_from(v)).collect() {
        return Inputs::Bytes(bytes);
    }
    if values.iter().all(|&v| i128::from(v) == (v as f32) as i128) {
        return Inputs::F32(values.iter().map(|&v| v as f32).collect());
    }
    Inputs::F64(values.iter().map(|&v| v as f64).collect())
}

/// Refuses a NaN or an infinity, with its place.
pub(crate) fn check_finite<T: std::fmt::Display>(
    values: &[T],
    is_finite: impl Fn(&T) -> bool,
    place: &str,
    width: usize,
) -> Result<(), DataError> {
    match values.iter().position(|value| !is_finite(value)) {
        Some(i) => Err(bad_value(place, i, width, &values[i], "a finite number")),
        None => Ok(()),
    }
}

fn bad_value(
    place: &str,
    i: usize,
    width: usize,
    value: impl std::fmt::Display,
    expected: &'static str,
) -> DataError {
    let (row, column) = (i / width, i % width);
    DataError::NpyValue { place: place.into(), row, column, value: value.to_string(), expected }
}

pub(crate) fn bad_shape(place: &str, shape: &[impl std::fmt::Debug], expected: &'static str) -> DataError {
    DataError::NpyShape { place: place.into(), shape: format!("{shape:?}"), expected }
}
