//! NPY, NumPy's file of one array: a header in Python's notation, then the numbers.

use std::io::Read;
use std::path::Path;

use steepest::Dataset;

use crate::array::{Array, bad_shape, bad_value};
use crate::error::DataError;
use crate::file::{Extent, Format, Opened, open};
use crate::npy_header::{Header, read_header};
use crate::numbers::{Announced, Dtype, Use};
use crate::shown::shown;

/// Reads an array `(n, n_features)`, `(n, height, width)` or of more dimensions from an NPY file, as inputs without
/// targets.
///
/// Whole numbers from 0 to 255 become bytes; float32 and float64 stay what they are; float16 becomes float32; other whole
/// numbers become float32 where that is exact, float64 otherwise.
///
/// # Errors
/// When the file is not NPY, damaged, of a type that is not read, or holds a NaN or an infinity.
pub fn read_npy(path: &Path) -> Result<Dataset, DataError> {
    let place = path.display().to_string();
    let (inputs, layout) = read_file(path, Use::Inputs)?.into_inputs(&place)?;
    layout.dataset(inputs, None)
}

/// Reads the row numbers of mini-batches from an NPY file of whole numbers `(n_steps, batch_size)`: one line a step.
///
/// # Errors
/// When the file is not NPY, damaged, not two-dimensional, not of whole numbers, or a number is no row number.
pub fn read_npy_rows(path: &Path) -> Result<Vec<Vec<u32>>, DataError> {
    let place = path.display().to_string();
    let Array { shape, values } = read_file(path, Use::Targets)?;
    let [_, width] = shape[..] else {
        let expected = "(steps, batch size): the row numbers of one mini-batch a line";
        return Err(bad_shape(&place, &shape, expected));
    };
    let Ok(whole) = values.into_integers() else {
        return Err(DataError::NpyRowsDtype { place });
    };
    let row_number = |(i, &value): (usize, &i64)| {
        u32::try_from(value)
            .map_err(|_| bad_value(&place, i, width, value, "a row number (0 or more, below 4294967296)"))
    };
    let rows: Vec<u32> = whole.iter().enumerate().map(row_number).collect::<Result<_, _>>()?;
    Ok(rows.chunks(width.max(1)).map(<[u32]>::to_vec).collect())
}

fn read_file(path: &Path, what_for: Use) -> Result<Array, DataError> {
    let Opened { format, mut reader, extent } = open(path)?;
    let place = path.display().to_string();
    if format != Format::Npy {
        return Err(DataError::NpyHeader { place, problem: "it does not begin with \\x93NUMPY" });
    }
    read_npy_array(&mut reader, extent, what_for, &place)
}

/// Reads the array that `reader` holds to its end.
pub(crate) fn read_npy_array(
    reader: &mut impl Read,
    extent: Extent,
    what_for: Use,
    place: &str,
) -> Result<Array, DataError> {
    let Header { descr, fortran_order, shape } = read_header(reader, place)?;
    let (dtype, big_endian) = dtype(&descr, place)?;
    Array::read(reader, &Announced { dtype, big_endian, fortran_order, shape }, extent, what_for, place)
}

/// The type that NumPy writes as `<f4`, `>i8`, `|b1` or `<U3`, and whether its first byte is the greatest.
fn dtype(descr: &str, place: &str) -> Result<(Dtype, bool), DataError> {
    let (big_endian, code) = match descr.split_at_checked(1) {
        Some((">", code)) => (true, code),
        Some(("<" | "|" | "=", code)) => (false, code),
        _ => (false, descr),
    };
    let dtype = match code {
        "b1" | "?" => Dtype::Bool,
        "u1" | "B" => Dtype::U8,
        "i1" | "b" => Dtype::I8,
        "u2" => Dtype::U16,
        "i2" => Dtype::I16,
        "u4" => Dtype::U32,
        "i4" => Dtype::I32,
        "u8" => Dtype::U64,
        "i8" => Dtype::I64,
        "f2" => Dtype::F16,
        "f4" => Dtype::F32,
        "f8" => Dtype::F64,
        _ if code.starts_with('O') => return Err(DataError::NpyObjects { place: place.into() }),
        _ => match code.split_at_checked(1).and_then(|(kind, length)| Some((kind, length.parse().ok()?))) {
            Some(("U", length)) => Dtype::Text(length),
            Some(("S", length)) => Dtype::Bytes(length),
            _ => return Err(DataError::NpyDtype { place: place.into(), dtype: shown(descr) }),
        },
    };
    Ok((dtype, big_endian))
}
