//! Ranges of rows, as a person writes them.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use steepest::Dataset;

use crate::error::DataError;

/// Some rows of a data set: `..10000`, `1000..42000`, `5..`, or `100` for the first hundred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowRange {
    start: usize,
    end: Option<usize>,
}

impl RowRange {
    /// Reads a range.
    ///
    /// # Errors
    /// When `text` is of none of the four forms.
    pub fn parse(text: &str) -> Result<Self, DataError> {
        let number = |part: &str| {
            let digits = part.bytes().all(|b| b.is_ascii_digit());
            part.parse().ok().filter(|_| digits).ok_or_else(|| DataError::RangeSyntax { text: text.into() })
        };
        let optional = |part: &str| (!part.is_empty()).then(|| number(part)).transpose();
        match text.trim().split_once("..") {
            None => Ok(Self { start: 0, end: Some(number(text.trim())?) }),
            Some((start, end)) => Ok(Self { start: optional(start)?.unwrap_or(0), end: optional(end)? }),
        }
    }

    /// The rows meant, of a data set of `n_samples` rows.
    ///
    /// # Errors
    /// When the range has no rows, or goes past the last one.
    pub fn within(&self, n_samples: usize) -> Result<Range<usize>, DataError> {
        let range = self.start..self.end.unwrap_or(n_samples);
        if range.is_empty() || range.end > n_samples {
            return Err(DataError::Range { range: self.to_string(), n_samples });
        }
        Ok(range)
    }

    /// The rows meant, as far as a data set of `n_samples` rows has them.
    pub fn clamp(&self, n_samples: usize) -> Range<usize> {
        let end = self.end.unwrap_or(n_samples).min(n_samples);
        self.start.min(end)..end
    }

    /// The rows meant, of `dataset`, copied.
    ///
    /// # Errors
    /// As [`within`](Self::within).
    pub fn of(&self, dataset: &Dataset) -> Result<Dataset, DataError> {
        Ok(dataset.rows(self.within(dataset.n_samples())?)?)
    }

    /// One past the last row, if it is given.
    pub(crate) fn end(&self) -> Option<usize> {
        self.end
    }
}

impl FromStr for RowRange {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        Self::parse(text)
    }
}

impl fmt::Display for RowRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.end {
            Some(end) => write!(f, "{}..{end}", self.start),
            None => write!(f, "{}..", self.start),
        }
    }
}
