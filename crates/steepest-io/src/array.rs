//! Arrays, whichever file they come from, as inputs and as targets.

use std::fmt::{Debug, Display};

use steepest::{Dataset, Inputs, Targets};

use crate::classes::{Classes, text_classes};
use crate::error::DataError;
use crate::numbers::Values;
use crate::shown::few;

/// An array in C order: the last index is the fastest.
#[derive(Debug)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Values,
}

impl Array {
    /// Rows: the first size.
    pub(crate) fn n_rows(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }

    /// The array that has its first index fastest, as Fortran does.
    pub(crate) fn from_fortran(Self { shape, values }: Self) -> Self {
        let values = match values {
            Values::U8(values) => Values::U8(to_c_order(&values, &shape)),
            Values::Int(values) => Values::Int(to_c_order(&values, &shape)),
            Values::F32(values) => Values::F32(to_c_order(&values, &shape)),
            Values::F64(values) => Values::F64(to_c_order(&values, &shape)),
            Values::Text(values) => Values::Text(to_c_order(&values, &shape)),
        };
        Self { shape, values }
    }

    /// Inputs `(n)`, `(n, n_features)`, `(n, height, width)`, or with more dimensions, all of which but the first make
    /// a row.
    pub(crate) fn into_inputs(self, place: &str) -> Result<(Inputs, Layout), DataError> {
        let layout = Layout::of(&self.shape, place)?;
        let inputs = match self.values {
            Values::U8(values) => Inputs::Bytes(values),
            Values::F32(values) => {
                check_finite(&values, |v| v.is_finite(), place, layout.n_features)?;
                Inputs::F32(values)
            }
            Values::F64(values) => {
                check_finite(&values, |v| v.is_finite(), place, layout.n_features)?;
                Inputs::F64(values)
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

/// From first index fastest to last index fastest.
fn to_c_order<T: Clone>(values: &[T], shape: &[usize]) -> Vec<T> {
    // For each dimension how far apart its neighbours lie; the last is the fastest from here on.
    let strides = shape.iter().scan(1usize, |stride, &size| {
        let this = *stride;
        *stride = stride.saturating_mul(size);
        Some(this)
    });
    let dimensions: Vec<(usize, usize)> = shape.iter().copied().zip(strides).collect();
    let mut index = vec![0usize; shape.len()];
    let mut at = 0usize;
    let mut in_order = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        in_order.extend(values.get(at).cloned());
        for (i, &(size, stride)) in index.iter_mut().zip(&dimensions).rev() {
            *i = i.saturating_add(1);
            at = at.saturating_add(stride);
            if *i < size {
                break;
            }
            at = at.saturating_sub(size.saturating_mul(stride));
            *i = 0;
        }
    }
    in_order
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fortran_order_of_any_rank_is_turned() {
        for shape in [vec![], vec![3], vec![3, 4], vec![2, 3, 4], vec![2, 3, 1, 4], vec![3, 2, 2, 2, 3]] {
            let strides: Vec<usize> =
                (0..shape.len()).map(|d| shape[..d].iter().product::<usize>()).collect();
            let n: usize = shape.iter().product();
            // Each number says where it lies in Fortran's order.
            let expected: Vec<usize> = (0..n)
                .map(|mut i| {
                    let mut at = 0;
                    for (size, stride) in shape.iter().zip(&strides).rev() {
                        at += i % size * stride;
                        i /= size;
                    }
                    at
                })
                .collect();
            assert_eq!(to_c_order(&(0..n).collect::<Vec<_>>(), &shape), expected, "{shape:?}");
        }
    }
}
