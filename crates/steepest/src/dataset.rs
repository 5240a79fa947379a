//! Data sets: inputs as they are stored, and what is to be learnt from them.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use steepest_kernels::Float;

use crate::head::TargetRows;
use crate::numbers::Numbers;
use crate::sparse_rows::SparseRows;

/// Draws one row of bytes: `(epoch, row, out)`, where `out` has `n_features` bytes.
///
/// The same arguments always give the same bytes; a new epoch may give a fresh row of the same class.
pub type DrawRow = dyn Fn(u64, u32, &mut [u8]) + Send + Sync;

/// Inputs `(n_samples, n_features)`, row-major, in the form in which they came.
///
/// Bytes stay bytes: a pixel takes a quarter of what an `f32` would. Numbers may be kept by somebody else ([`Numbers::shared`]).
#[derive(Clone)]
pub enum Inputs {
    /// Small whole numbers, such as pixels: 0 to 255.
    Bytes(Numbers<u8>),
    /// Single precision.
    F32(Numbers<f32>),
    /// Double precision.
    F64(Numbers<f64>),
    /// Numbers of which only those that are not zero are kept.
    Sparse(SparseRows),
    /// Rows drawn when they are needed and never stored; `rows[i]` is the number that sample `i` is drawn by.
    Drawn {
        /// Draws a row.
        draw: Arc<DrawRow>,
        /// The rows that belong to this data set, in order.
        rows: Vec<u32>,
    },
}

/// What is to be learnt.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// One class a sample.
    Classes {
        /// The class of each sample, an index into `names`.
        labels: Vec<u32>,
        /// The classes' names, in their order.
        names: Vec<String>,
    },
    /// Numbers, `(n_samples, n_outputs)` row-major: for regression, or 0 and 1 for several labels at once.
    Values {
        /// The numbers.
        values: Vec<f64>,
        /// How many belong to one sample.
        n_outputs: usize,
    },
}

/// Why arrays do not make a data set.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum DatasetError {
    /// The number of inputs is not a multiple of the number of features.
    #[error("{len} input numbers do not make rows of {n_features} features")]
    Shape {
        /// How many numbers there are.
        len: usize,
        /// How many make a row.
        n_features: usize,
    },
    /// Sparse rows are of another length than was said.
    #[error("sparse rows of {rows} features do not make a data set of {n_features}")]
    SparseFeatures {
        /// Features of the rows.
        rows: usize,
        /// Features asked for.
        n_features: usize,
    },
    /// Sparse inputs have no starts, of which even no rows have one.
    #[error(
        "sparse inputs have no starts (indptr): expected one for each row, and one for the end of the last"
    )]
    SparseNoStarts,
    /// Values of sparse inputs and the numbers of their columns (or rows) differ in number.
    #[error("{values} values of sparse inputs, but {numbers} {what} numbers")]
    SparseLengths {
        /// Values.
        values: usize,
        /// Numbers of columns or rows.
        numbers: usize,
        /// Of which.
        what: &'static str,
    },
    /// The starts of sparse rows are not in order, or go beyond the values.
    #[error(
        "the starts (indptr) of sparse inputs must never fall, and end within their {values} values, but number {place} is {start}"
    )]
    SparseStarts {
        /// Which start, from 0.
        place: usize,
        /// What it is.
        start: usize,
        /// How many values there are.
        values: usize,
    },
    /// An entry of sparse inputs lies outside them.
    #[error("entry {entry} of the sparse inputs has {what} {number}: expected 0 or more, and below {end}")]
    SparseNumber {
        /// Which entry, from 0.
        entry: usize,
        /// Its column, or row.
        number: i32,
        /// Which of them.
        what: &'static str,
        /// One past the last.
        end: usize,
    },
    /// More columns than their numbers can tell apart.
    #[error("sparse inputs have {n_features} columns: expected fewer than 2^31")]
    SparseColumns {
        /// Columns.
        n_features: usize,
    },
    /// Inputs and targets differ in number.
    #[error("{inputs} rows of inputs, but targets for {targets} rows")]
    Targets {
        /// Rows of inputs.
        inputs: usize,
        /// Rows of targets.
        targets: usize,
    },
    /// A label points past the class names.
    #[error("row {row} has label {label}, but there are only {n_classes} classes")]
    Label {
        /// The row, from 0.
        row: usize,
        /// Its label.
        label: u32,
        /// How many classes have a name.
        n_classes: usize,
    },
    /// Inputs and weights differ in number.
    #[error("{inputs} rows of inputs, but weights for {weights} rows")]
    Weights {
        /// Rows of inputs.
        inputs: usize,
        /// Weights.
        weights: usize,
    },
    /// A weight is negative, or no number.
    #[error("row {row} has weight {weight}: expected a number from 0 on, and more than 0 for some row")]
    Weight {
        /// The row, from 0.
        row: usize,
        /// Its weight.
        weight: f64,
    },
    /// A range of rows does not lie within the data.
    #[error("rows {start}..{end} asked for, but the data set has {n_samples} rows (0..{n_samples})")]
    Rows {
        /// First row asked for.
        start: usize,
        /// One past the last row asked for.
        end: usize,
        /// Rows there are.
        n_samples: usize,
    },
}

/// Inputs `(n_samples, n_features)` and, unless they are only to be predicted, their targets.
#[derive(Clone)]
pub struct Dataset {
    /// Clones share them.
    inputs: Arc<Inputs>,
    n_features: usize,
    targets: Option<Targets>,
    weights: Option<Arc<[f64]>>,
    /// The part of the inputs that are not zero, once it was asked for. Clones share it, too.
    ink: Arc<OnceLock<f64>>,
    image: Option<(usize, usize)>,
}

impl Dataset {
    /// A data set of `inputs`, whose rows have `n_features` numbers each.
    ///
    /// # Errors
    /// When the inputs do not fill whole rows or are rows of another length, the targets are for another number of rows, or a label has no class.
    pub fn new(inputs: Inputs, n_features: usize, targets: Option<Targets>) -> Result<Self, DatasetError> {
        let len = match &inputs {
            Inputs::Bytes(x) => x.len(),
            Inputs::F32(x) => x.len(),
            Inputs::F64(x) => x.len(),
            Inputs::Sparse(rows) if rows.n_features() != n_features => {
                return Err(DatasetError::SparseFeatures { rows: rows.n_features(), n_features });
            }
            Inputs::Sparse(rows) => rows.n_samples().saturating_mul(n_features),
            Inputs::Drawn { rows, .. } => rows.len() * n_features,
        };
        if n_features == 0 || len % n_features != 0 {
            return Err(DatasetError::Shape { len, n_features });
        }
        let (inputs, ink) = (Arc::new(inputs), Arc::default());
        let data = Self { inputs, n_features, targets: None, weights: None, ink, image: None };
        match targets {
            Some(targets) => data.with_targets(targets),
            None => Ok(data),
        }
    }

    /// As many rows of as many other inputs, all else the same.
    pub(crate) fn with_inputs(&self, inputs: Inputs) -> Self {
        Self { inputs: Arc::new(inputs), ink: Arc::default(), ..self.clone() }
    }

    /// With at most `most` numbers in the precision of `T`; more of them, or bytes, stay as they are.
    pub(crate) fn in_precision_of<T: Float>(self, most: usize) -> Self {
        match &*self.inputs {
            Inputs::F64(x) if T::EPSILON.to_f64() > f64::EPSILON && x.len() <= most => {
                self.with_inputs(Inputs::F32(x.iter().map(|&x| x as f32).collect()))
            }
            Inputs::F32(x) if T::EPSILON.to_f64() == f64::EPSILON && x.len() <= most => {
                self.with_inputs(Inputs::F64(x.iter().map(|&x| f64::from(x)).collect()))
            }
            _ => self,
        }
    }

    /// The same inputs with these targets.
    ///
    /// # Errors
    /// When they are for another number of rows, or a label has no class.
    pub fn with_targets(mut self, targets: Targets) -> Result<Self, DatasetError> {
        let n_samples = self.n_samples();
        if targets.n_samples() != n_samples {
            return Err(DatasetError::Targets { inputs: n_samples, targets: targets.n_samples() });
        }
        if let Targets::Classes { labels, names } = &targets
            && let Some(row) = labels.iter().position(|&l| l as usize >= names.len())
        {
            return Err(DatasetError::Label { row, label: labels[row], n_classes: names.len() });
        }
        self.targets = Some(targets);
        Ok(self)
    }

    /// Says that each row is an image of `height` x `width` grey pixels. Ignored when that is not the row's length.
    #[must_use]
    pub fn with_image(mut self, height: usize, width: usize) -> Self {
        self.image = (height * width == self.n_features).then_some((height, width));
        self
    }

    /// Says how much each row counts, in training and where it is validated on: the mean loss is the sum of the rows' losses
    /// times their weights, divided by the sum of the weights, as in scikit-learn (`sample_weight`).
    ///
    /// # Errors
    /// When there is not one weight for each row, or a weight is negative or not finite, or all are zero.
    pub fn with_weights(self, weights: Vec<f64>) -> Result<Self, DatasetError> {
        if weights.len() != self.n_samples() {
            return Err(DatasetError::Weights { inputs: self.n_samples(), weights: weights.len() });
        }
        let is_bad = |w: &f64| !w.is_finite() || *w < 0.0;
        let all_zero = || weights.iter().all(|&w| w == 0.0).then_some(0);
        if let (false, Some(row)) = (weights.is_empty(), weights.iter().position(is_bad).or_else(all_zero)) {
            return Err(DatasetError::Weight { row, weight: weights[row] });
        }
        Ok(Self { weights: Some(weights.into()), ..self })
    }

    /// Rows.
    pub fn n_samples(&self) -> usize {
        match &*self.inputs {
            Inputs::Drawn { rows, .. } => rows.len(),
            Inputs::Sparse(rows) => rows.n_samples(),
            Inputs::Bytes(x) => x.len() / self.n_features,
            Inputs::F32(x) => x.len() / self.n_features,
            Inputs::F64(x) => x.len() / self.n_features,
        }
    }

    /// Numbers in a row.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// The inputs as they are stored.
    pub fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// Whether only what is not zero is stored.
    pub fn is_sparse(&self) -> bool {
        matches!(*self.inputs, Inputs::Sparse(_))
    }

    /// Whether rows come as bytes, stored or drawn.
    pub fn is_bytes(&self) -> bool {
        matches!(*self.inputs, Inputs::Bytes(_) | Inputs::Drawn { .. })
    }

    /// The part of the inputs that are not zero, which is looked for once.
    pub(crate) fn ink(&self, look: impl FnOnce() -> f64) -> f64 {
        *self.ink.get_or_init(look)
    }

    /// The targets, if there are any.
    pub fn targets(&self) -> Option<&Targets> {
        self.targets.as_ref()
    }

    /// How much each row counts, where not all count the same.
    pub fn weights(&self) -> Option<&[f64]> {
        self.weights.as_deref()
    }

    /// Height and width, when the rows are images.
    pub fn image(&self) -> Option<(usize, usize)> {
        self.image
    }

    /// The same inputs without their targets.
    #[must_use]
    pub fn without_targets(mut self) -> Self {
        self.targets = None;
        self
    }

    /// The rows of `range`, copied.
    ///
    /// # Errors
    /// When the range ends before it starts or past the last row.
    pub fn rows(&self, range: Range<usize>) -> Result<Self, DatasetError> {
        if range.start > range.end || range.end > self.n_samples() {
            return Err(DatasetError::Rows {
                start: range.start,
                end: range.end,
                n_samples: self.n_samples(),
            });
        }
        Ok(self.select(&range.map(|i| i as u32).collect::<Vec<_>>()))
    }

    /// The given rows in the given order, copied; a row may come more than once.
    ///
    /// # Panics
    /// When a row does not exist.
    #[must_use]
    pub fn select(&self, rows: &[u32]) -> Self {
        let inputs = match &*self.inputs {
            Inputs::Bytes(x) => Inputs::Bytes(gather(x, self.n_features, rows).into()),
            Inputs::F32(x) => Inputs::F32(gather(x, self.n_features, rows).into()),
            Inputs::F64(x) => Inputs::F64(gather(x, self.n_features, rows).into()),
            Inputs::Sparse(all) => Inputs::Sparse(all.select(rows)),
            Inputs::Drawn { draw, rows: all } => {
                Inputs::Drawn { draw: draw.clone(), rows: gather(all, 1, rows) }
            }
        };
        let targets = self.targets.as_ref().map(|targets| match targets {
            Targets::Classes { labels, names } => {
                Targets::Classes { labels: gather(labels, 1, rows), names: names.clone() }
            }
            Targets::Values { values, n_outputs } => {
                Targets::Values { values: gather(values, *n_outputs, rows), n_outputs: *n_outputs }
            }
        });
        let weights = self.weights.as_ref().map(|weights| gather(weights, 1, rows).into());
        Self { inputs: Arc::new(inputs), targets, weights, ink: Arc::default(), ..*self }
    }
}

impl Targets {
    /// Samples that have a target.
    pub fn n_samples(&self) -> usize {
        match self {
            Targets::Classes { labels, .. } => labels.len(),
            Targets::Values { values, n_outputs } => values.len() / (*n_outputs).max(1),
        }
    }

    /// Those of a range of samples.
    ///
    /// # Panics
    /// When the range goes past the last one.
    pub fn rows(&self, range: Range<usize>) -> TargetRows<'_> {
        match self {
            Targets::Classes { labels, .. } => TargetRows::Classes(&labels[range]),
            Targets::Values { values, n_outputs } => {
                TargetRows::Values(&values[range.start * n_outputs..range.end * n_outputs])
            }
        }
    }
}

fn gather<T: Copy>(x: &[T], width: usize, rows: &[u32]) -> Vec<T> {
    let mut out = Vec::with_capacity(rows.len() * width);
    for &row in rows {
        let start = row as usize * width;
        out.extend_from_slice(&x[start..start + width]);
    }
    out
}
