//! Arrays, whichever file they come from, as inputs and as targets.

use std::fmt::{Debug, Display};
use std::io::Read;

use steepest::{Dataset, Inputs, Targets};

use crate::classes::{Classes, text_classes};
use crate::error::DataError;
use crate::file::Extent;
use crate::numbers::{Announced, Use, Values, read_values};
use crate::shown::few;

/// An array in C order: the last index is the fastest.
#[derive(Debug)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Values,
}

impl Array {
    /// Reads an array, which must be all that `reader` still has.
    pub(crate) fn read(
        reader: &mut impl Read,
        announced: &Announced,
        extent: Extent,
        what_for: Use,
        place: &str,
    ) -> Result<Self, DataError> {
        let values = read_values(reader, announced, extent, what_for, place)?;
        // Where there are no numbers, a size may still be any number: but then there is nothing to read, either.
        let shape: Vec<usize> =
            announced.shape.iter().map(|&size| usize::try_from(size).unwrap_or(usize::MAX)).collect();
        if shape.contains(&0) {
            return Err(DataError::NoData {
                place: place.into(),
                shape: format!("its shape is {}", few(&shape)),
            });
        }
        Ok(Self { shape, values })
    }

    /// Rows: the first size.
    pub(crate) fn n_rows(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }

    /// Inputs `(n)`, `(n, n_features)`, `(n, height, width)`, or with more dimensions, all of which but the first make
    /// a row.
    pub(crate) fn into_inputs(self, place: &str) -> Result<(Inputs, Layout), DataError> {
        let layout = Layout::of(&self.shape, place)?;
        let inputs = match self.values {
            Values::U8(values) => Inputs::Bytes(values.into()),
            Values::F32(values) => {
                check_finite(&values, |v| v.is_finite(), place, layout.n_features)?;
                Inputs::F32(values.into())
            }
            Values::F64(values) => {
                check_finite(&values, |v| v.is_finite(), place, layout.n_features)?;
                Inputs::F64(values.into())
            }
            Values::Int(_) | Values::Text(_) => unreachable!("read for targets"),
        };
        Ok((inputs, layout))
    }

    /// Targets: whole numbers and text, `(n)` or `(n, 1)`, are classes, shared with `others`; other numbers, and rows of
    /// several, are values.
    pub(crate) fn into_targets(self, others: Option<Array>, place: &str) -> Result<Targets, DataError> {
        let n_outputs = match self.shape[..] {
            [_] => 1,
            [_, n_outputs] => n_outputs,
            _ => return Err(bad_shape(place, &self.shape, "(rows,) or (rows, outputs)")),
        };
        let others = others.map(|array| array.values);
        let values: Vec<f64> = match (self.values, others) {
            (Values::Text(texts), others) if n_outputs == 1 => {
                let others = if let Some(Values::Text(others)) = others { others } else { Vec::new() };
                return Ok(text_classes(&texts, &others));
            }
            (Values::Text(_), _) => return Err(bad_shape(place, &self.shape, "(rows,), as labels are text")),
            (values @ (Values::U8(_) | Values::Int(_)), others) if n_outputs == 1 => {
                let labels = values.into_integers().unwrap_or_default();
                let others = others.and_then(|others| others.into_integers().ok()).unwrap_or_default();
                return Ok(Classes::of(&[&labels, &others]).targets(&labels));
            }
            (Values::U8(values), _) => values.into_iter().map(f64::from).collect(),
            (Values::Int(values), _) => values.into_iter().map(|value| value as f64).collect(),
            (Values::F32(values), _) => values.into_iter().map(f64::from).collect(),
            (Values::F64(values), _) => values,
        };
        check_finite(&values, |v| v.is_finite(), place, n_outputs)?;
        Ok(Targets::Values { values, n_outputs })
    }
}

impl Values {
    /// Whole numbers; or itself, if it holds none.
    pub(crate) fn into_integers(self) -> Result<Vec<i64>, Self> {
        match self {
            Self::U8(values) => Ok(values.into_iter().map(i64::from).collect()),
            Self::Int(values) => Ok(values),
            other => Err(other),
        }
    }
}

/// How the numbers of inputs make rows.
#[derive(Debug)]
pub(crate) struct Layout {
    n_features: usize,
    image: Option<(usize, usize)>,
}

impl Layout {
    fn of(shape: &[usize], place: &str) -> Result<Self, DataError> {
        let image = match *shape {
            [] => {
                return Err(bad_shape(
                    place,
                    shape,
                    "rows of numbers: (rows, features) or (rows, height, width)",
                ));
            }
            [_, height, width] | [_, height, width, 1] => Some((height, width)),
            _ => None,
        };
        // No size is larger than the number of bytes that were read, so the product has been formed before.
        let n_features = shape.iter().skip(1).fold(1usize, |product, &size| product.saturating_mul(size));
        Ok(Self { n_features, image })
    }

    pub(crate) fn dataset(&self, inputs: Inputs, targets: Option<Targets>) -> Result<Dataset, DataError> {
        let dataset = Dataset::new(inputs, self.n_features, targets)?;
        Ok(match self.image {
            Some((height, width)) => dataset.with_image(height, width),
            None => dataset,
        })
    }
}

/// Refuses a NaN or an infinity, with its place.
fn check_finite<T: Display>(
    values: &[T],
    is_finite: impl Fn(&T) -> bool,
    place: &str,
    width: usize,
) -> Result<(), DataError> {
    match values.iter().enumerate().find(|(_, value)| !is_finite(value)) {
        Some((i, value)) => Err(bad_value(place, i, width, value, "a finite number")),
        None => Ok(()),
    }
}

pub(crate) fn bad_value(
    place: &str,
    i: usize,
    width: usize,
    value: impl Display,
    expected: &'static str,
) -> DataError {
    let width = width.max(1);
    let (row, column) = (i.checked_div(width).unwrap_or(0), i.checked_rem(width).unwrap_or(0));
    DataError::NpyValue { place: place.into(), row, column, value: value.to_string(), expected }
}

pub(crate) fn bad_shape(place: &str, shape: &[impl Debug], expected: &'static str) -> DataError {
    DataError::NpyShape { place: place.into(), shape: few(shape), expected }
}
