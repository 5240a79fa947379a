//! Rows of which most numbers are zero, and only the others are kept.

use std::ops::Range;

use steepest_kernels::all_finite;

use crate::dataset::{DatasetError, Inputs};
use crate::numbers::Numbers;

/// Rows as SciPy's `csr_array` has them: for each row its values that are not zero, and their columns.
///
/// Columns may come in any order. Values in the same place are added up.
///
/// ```
/// # use steepest::{Dataset, Inputs, SparseRows, SparseValues};
/// // 0 0 5
/// // 7 0 0
/// let values = SparseValues::F64(vec![5.0, 7.0].into());
/// let rows = SparseRows::new(values, vec![2, 0].into(), vec![0, 1, 2], 3)?;
/// let data = Dataset::new(Inputs::Sparse(rows), 3, None)?;
/// # assert_eq!(data.n_samples(), 2);
/// # Ok::<(), steepest::DatasetError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SparseRows {
    values: SparseValues,
    columns: Numbers<i32>,
    starts: Vec<usize>,
    n_features: usize,
}

/// The values of sparse rows.
#[derive(Clone, Debug)]
pub enum SparseValues {
    /// Single precision.
    F32(Numbers<f32>),
    /// Double precision.
    F64(Numbers<f64>),
}

/// Some of them.
pub(crate) enum ValueSlice<'a> {
    F32(&'a [f32]),
    F64(&'a [f64]),
}

impl SparseValues {
    fn len(&self) -> usize {
        match self {
            Self::F32(x) => x.len(),
            Self::F64(x) => x.len(),
        }
    }

    /// Values of some places, in the given order.
    fn gather(&self, places: impl Iterator<Item = usize>) -> Self {
        match self {
            Self::F32(x) => Self::F32(places.map(|k| x[k]).collect()),
            Self::F64(x) => Self::F64(places.map(|k| x[k]).collect()),
        }
    }
}

impl SparseRows {
    /// Rows of `n_features` numbers. The entries of row `i` are `starts[i]..starts[i + 1]` of `values` and `columns` (SciPy's
    /// `data`, `indices`, `indptr`): there is one start more than there are rows.
    ///
    /// # Errors
    /// When values and columns differ in number, the starts fall or go beyond them, or a column is not in `0..n_features`.
    pub fn new(
        values: SparseValues,
        columns: Numbers<i32>,
        starts: Vec<usize>,
        n_features: usize,
    ) -> Result<Self, DatasetError> {
        Self::checked(values, columns, starts, n_features, "column")
    }

    /// Rows from columns, as SciPy's `csc_array` has them: the entries of column `j` are `starts[j]..starts[j + 1]` of `values` and
    /// `rows`, which are the numbers of their rows. They are copied.
    ///
    /// # Errors
    /// As [`SparseRows::new`], with rows and columns exchanged.
    pub fn of_columns(
        values: SparseValues,
        rows: Numbers<i32>,
        starts: Vec<usize>,
        n_samples: usize,
    ) -> Result<Self, DatasetError> {
        let columns = Self::checked(values, rows, starts, n_samples, "row")?;
        let n_features = columns.n_samples();
        if i32::try_from(n_features).is_err() {
            return Err(DatasetError::SparseColumns { n_features });
        }
        // From the order of the columns into that of the rows: counted, and put in their places.
        let mut starts = vec![0; n_samples + 1];
        let all = columns.starts[0]..columns.starts[n_features];
        columns.columns[all.clone()].iter().for_each(|&row| starts[row as usize + 1] += 1);
        (0..n_samples).for_each(|row| starts[row + 1] += starts[row]);
        let mut next = starts.clone();
        let (mut order, mut of_entries) = (vec![0; all.len()], vec![0; all.len()]);
        for column in 0..n_features {
            for k in columns.place(column) {
                let to = &mut next[columns.columns[k] as usize];
                (order[*to], of_entries[*to]) = (k, column as i32);
                *to += 1;
            }
        }
        let values = columns.values.gather(order.into_iter());
        Ok(Self { values, columns: of_entries.into(), starts, n_features })
    }

    /// `what` are the things that entries are given numbers of, of which there are `end`.
    fn checked(
        values: SparseValues,
        columns: Numbers<i32>,
        starts: Vec<usize>,
        end: usize,
        what: &'static str,
    ) -> Result<Self, DatasetError> {
        let n_values = values.len();
        if columns.len() != n_values {
            return Err(DatasetError::SparseLengths { values: n_values, numbers: columns.len(), what });
        }
        let falls = starts.windows(2).position(|pair| pair[0] > pair[1]).map(|i| i + 1);
        let beyond = || starts.iter().position(|&start| start > n_values);
        if let Some(place) = falls.or_else(beyond) {
            return Err(DatasetError::SparseStarts { place, start: starts[place], values: n_values });
        }
        let (Some(&first), Some(&last)) = (starts.first(), starts.last()) else {
            return Err(DatasetError::SparseNoStarts);
        };
        let is_out = |&number: &i32| usize::try_from(number).map_or(true, |number| number >= end);
        if let Some(i) = columns[first..last].iter().position(is_out) {
            let entry = first + i;
            return Err(DatasetError::SparseNumber { entry, number: columns[entry], what, end });
        }
        Ok(Self { values, columns, starts, n_features: end })
    }

    /// Rows.
    pub fn n_samples(&self) -> usize {
        self.starts.len() - 1
    }

    /// Numbers in a row, zeros included.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// Entries of all rows.
    pub fn n_entries(&self) -> usize {
        self.starts[self.n_samples()] - self.starts[0]
    }

    /// The values of all entries.
    pub fn values(&self) -> &SparseValues {
        &self.values
    }

    /// Where the entries of a row are.
    fn place(&self, row: usize) -> Range<usize> {
        self.starts[row]..self.starts[row + 1]
    }

    /// Values and columns of a row's entries.
    pub(crate) fn row(&self, row: usize) -> (ValueSlice<'_>, &[i32]) {
        let place = self.place(row);
        let values = match &self.values {
            SparseValues::F32(x) => ValueSlice::F32(&x[place.clone()]),
            SparseValues::F64(x) => ValueSlice::F64(&x[place.clone()]),
        };
        (values, &self.columns[place])
    }

    /// A row's columns in their order with their values: none that are zero, and none twice. However the entries of a row are
    /// written, this is the same.
    pub fn entries(&self, row: usize) -> Vec<(usize, f64)> {
        let place = self.place(row);
        let value = |k: usize| match &self.values {
            SparseValues::F32(x) => x[k].into(),
            SparseValues::F64(x) => x[k],
        };
        let mut entries: Vec<(usize, f64)> = place.map(|k| (self.columns[k] as usize, value(k))).collect();
        entries.sort_by_key(|&(column, _)| column);
        entries.dedup_by(|next, kept| {
            let is_same = next.0 == kept.0;
            if is_same {
                kept.1 += next.1;
            }
            is_same
        });
        entries.retain(|&(_, value)| value != 0.0);
        entries
    }

    /// The given rows in the given order, copied.
    pub(crate) fn select(&self, rows: &[u32]) -> Self {
        let places = || rows.iter().flat_map(|&row| self.place(row as usize));
        let mut starts = vec![0; rows.len() + 1];
        for (i, &row) in rows.iter().enumerate() {
            starts[i + 1] = starts[i] + self.place(row as usize).len();
        }
        let columns = places().map(|k| self.columns[k]).collect();
        Self { values: self.values.gather(places()), columns, starts, n_features: self.n_features }
    }

    /// The same numbers with all their zeros.
    pub fn to_dense(&self) -> Inputs {
        match &self.values {
            SparseValues::F32(_) => Inputs::F32(self.dense(|x| x as f32)),
            SparseValues::F64(_) => Inputs::F64(self.dense(|x| x)),
        }
    }

    fn dense<T: Copy + Default + Send + Sync + 'static>(&self, narrow: impl Fn(f64) -> T) -> Numbers<T> {
        let mut out = vec![T::default(); self.n_samples() * self.n_features];
        for row in 0..self.n_samples() {
            let start = row * self.n_features;
            self.entries(row).into_iter().for_each(|(column, value)| out[start + column] = narrow(value));
        }
        out.into()
    }

    /// Row and column of the first entry that is not finite, and its value.
    pub(crate) fn not_finite(&self) -> Option<(usize, usize, f64)> {
        let are_finite = match &self.values {
            SparseValues::F32(x) => all_finite(x),
            SparseValues::F64(x) => all_finite(x),
        };
        if are_finite {
            return None;
        }
        (0..self.n_samples()).find_map(|row| {
            let bad = self.entries(row).into_iter().find(|(_, value)| !value.is_finite());
            bad.map(|(column, value)| (row, column, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(x: &[f64]) -> SparseValues {
        SparseValues::F64(x.to_vec().into())
    }

    fn dense(rows: &SparseRows) -> Vec<f64> {
        let Inputs::F64(x) = rows.to_dense() else { panic!("values are doubles") };
        x.to_vec()
    }

    #[test]
    fn rows_and_columns_make_the_same_numbers() {
        // In no order, with a place twice, an empty row, and entries before and behind all rows.
        let x = values(&[9.0, 1.0, 2.0, 3.0, 0.5, 9.0]);
        let rows = SparseRows::new(x, vec![-1, 2, 0, 1, 2, 77].into(), vec![1, 3, 3, 5], 3).unwrap();
        let expected = [2.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 3.0, 0.5];
        assert_eq!(dense(&rows), expected);
        assert_eq!((rows.n_samples(), rows.n_entries()), (3, 4));
        let columns = values(&[2.0, 3.0, 0.25, 0.75, 0.5, 1.0, -0.75]);
        let rows =
            SparseRows::of_columns(columns, vec![0, 2, 2, 0, 2, 0, 0].into(), vec![0, 1, 2, 7], 3).unwrap();
        assert_eq!(dense(&rows)[..6], expected[..6]);
        assert_eq!(dense(&rows)[6..], [0.0, 3.0, 0.75]);
        assert_eq!(dense(&rows.select(&[2, 1, 2])), [0.0, 3.0, 0.75, 0.0, 0.0, 0.0, 0.0, 3.0, 0.75]);
        let twice =
            SparseRows::new(values(&[1.0, 2.0, -3.0]), vec![1, 1, 1].into(), vec![0, 2, 3], 2).unwrap();
        assert_eq!(twice.entries(0), [(1, 3.0)]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let new = |columns: Vec<i32>, starts| SparseRows::new(values(&[1.0, 2.0]), columns.into(), starts, 3);
        let message = |columns, starts| new(columns, starts).unwrap_err().to_string();
        assert!(message(vec![0], vec![0, 2]).contains("2 values of sparse inputs, but 1 column numbers"));
        assert!(message(vec![0, 1], vec![]).contains("no starts"));
        assert!(message(vec![0, 1], vec![0, 2, 1]).contains("number 2 is 1"));
        assert!(message(vec![0, 1], vec![0, 3]).contains("number 1 is 3"));
        assert!(message(vec![0, 3], vec![0, 2]).contains("entry 1 of the sparse inputs has column 3"));
        assert!(message(vec![-1, 0], vec![0, 2]).contains("has column -1: expected 0 or more, and below 3"));
        let rows = SparseRows::of_columns(values(&[1.0]), vec![5].into(), vec![0, 1], 5);
        assert!(rows.unwrap_err().to_string().contains("has row 5"));
        assert_eq!(new(vec![2, 0], vec![0]).unwrap().n_samples(), 0);
    }
}
