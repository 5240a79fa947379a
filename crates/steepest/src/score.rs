//! Loss and correct predictions of rows.

use steepest_kernels::{self as kernels, Float};

use crate::dialect::Dialect;
use crate::head::{Head, Output, TargetRows};
use crate::head_quirks::{Axis, DeltaRule};
use crate::loss::Loss;

/// Loss and correct predictions, summed over rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Sum of the rows' losses.
    pub loss: f64,
    /// Rows predicted correctly; none for regression.
    pub correct: u64,
    /// Bounds of softmax's log-sums.
    pub log_sums: (f64, f64),
}

impl Default for Score {
    fn default() -> Self {
        Self { loss: 0.0, correct: 0, log_sums: (f64::INFINITY, f64::NEG_INFINITY) }
    }
}

impl Head {
    /// Loss and correct predictions of rows: `z (rows, n_outputs)` are their logits, `p` and `log_sums` what
    /// [`Head::forward`] made of them. With `weights (rows)` each row's loss is multiplied by its own; correct predictions
    /// are counted without.
    pub fn score<T: Float>(
        &self,
        z: &[T],
        p: &[T],
        log_sums: &[T],
        targets: TargetRows,
        weights: Option<&[f64]>,
    ) -> Score {
        let (least, greatest) = (-T::NEG_INFINITY, T::NEG_INFINITY);
        Score {
            loss: match weights {
                None => self.loss_of(z, p, log_sums, targets),
                Some(weights) => {
                    let n = self.n_outputs;
                    let rows =
                        z.chunks_exact(n).zip(p.chunks_exact(n)).zip(log_sums.chunks_exact(1)).enumerate();
                    let loss = |(row, ((z, p), log_sum))| self.loss_of(z, p, log_sum, targets.row(row, n));
                    rows.map(loss).zip(weights).map(|(loss, weight)| weight * loss).sum()
                }
            },
            correct: self.correct(p, targets) as u64,
            log_sums: (
                log_sums.iter().fold(least, |m, &x| if x < m { x } else { m }).to_f64(),
                log_sums.iter().fold(greatest, |m, &x| if x > m { x } else { m }).to_f64(),
            ),
        }
    }

    /// Loss, summed over rows.
    fn loss_of<T: Float>(&self, z: &[T], p: &[T], log_sums: &[T], targets: TargetRows) -> f64 {
        let n = self.n_outputs;
        match (self.output, targets) {
            (Output::Identity, _) => {
                let sum = sum_of(z, n, |row, i, z| self.loss.of(z.to_f64(), targets.number(row, i, n)));
                let is_mean = self.dialect == Dialect::Sklearn && self.loss != Loss::Poisson;
                if is_mean { sum / n as f64 } else { sum }
            }
            (Output::Softmax, _) if self.quirks.rule == DeltaRule::Diagonal => squared_error(p, targets, n),
            (Output::Softmax | Output::Sigmoid, _) if self.dialect == Dialect::Sklearn => {
                self.clipped_log_loss(p, targets)
            }
            (Output::Softmax, TargetRows::Classes(labels)) if self.quirks.axis == Axis::Classes => {
                let rows = z.chunks_exact(n).zip(labels).zip(log_sums);
                let of_class = |((z, &class), &log_sum): ((&[T], &u32), &T)| {
                    (log_sum - z[class as usize]).to_f64() + self.smoothing_loss(z, class)
                };
                rows.map(of_class).sum()
            }
            (Output::Softmax, TargetRows::Classes(labels)) => {
                p.chunks_exact(n).zip(labels).map(|(p, &class)| -p[class as usize].to_f64().ln()).sum()
            }
            (Output::Softmax, TargetRows::Values(y)) => {
                let cross = |(&p, &y): (&T, &f64)| if y == 0.0 { 0.0 } else { -y * p.to_f64().ln() };
                p.iter().zip(y).map(cross).sum()
            }
            (Output::Sigmoid, _) => sum_of(z, n, |row, i, z| {
                // -y ln p - (1 - y) ln(1 - p), from the logit, so that nothing is lost near 0 and 1.
                let (z, y) = (z.to_f64(), targets.number(row, i, n));
                z.max(0.0) - z * y + (-z.abs()).exp().ln_1p()
            }),
        }
    }

    /// scikit-learn's `log_loss`, summed over rows: the precision's epsilon is the least that a probability is taken to be, and
    /// the least that it is below 1.
    fn clipped_log_loss<T: Float>(&self, p: &[T], targets: TargetRows) -> f64 {
        // So many of the least probabilities have a product that is still a number: one logarithm for all of them.
        const FACTORS: u32 = 16;
        let (n, least) = (self.n_outputs, T::EPSILON.to_f64());
        let is_softmax = self.output == Output::Softmax;
        let (mut loss, mut product, mut factors) = (0.0, 1.0, 0);
        for (row, p) in p.chunks_exact(n).enumerate() {
            for (i, p) in p.iter().enumerate() {
                let p = p.to_f64().clamp(least, 1.0 - least);
                let y = targets.number(row, i, n);
                let y = (1.0 - self.label_smoothing) * y + self.label_smoothing / n as f64;
                if y == 1.0 {
                    product *= p;
                } else if y == 0.0 {
                    product *= if is_softmax { 1.0 } else { 1.0 - p };
                } else {
                    loss -= y * p.ln() + if is_softmax { 0.0 } else { (1.0 - y) * (1.0 - p).ln() };
                }
                factors += 1;
                if factors == FACTORS {
                    loss -= f64::ln(product);
                    (product, factors) = (1.0, 0);
                }
            }
        }
        loss - f64::ln(product)
    }

    /// What label smoothing adds to a row's cross-entropy: `smoothing (z[class] - mean(z))`.
    fn smoothing_loss<T: Float>(&self, z: &[T], class: u32) -> f64 {
        if self.label_smoothing == 0.0 {
            return 0.0;
        }
        let mean = z.iter().map(|z| z.to_f64()).sum::<f64>() / z.len() as f64;
        self.label_smoothing * (z[class as usize].to_f64() - mean)
    }

    /// How many rows are predicted correctly.
    fn correct<T: Float>(&self, p: &[T], targets: TargetRows) -> usize {
        let n = self.n_outputs;
        let rows = p.chunks_exact(n);
        match (self.output, targets) {
            (Output::Identity, _) => 0,
            (_, TargetRows::Classes(labels)) if n > 1 => kernels::count_first_largest(p, labels),
            (_, TargetRows::Classes(labels)) => {
                rows.zip(labels).filter(|(p, class)| self.class(p) == **class).count()
            }
            (Output::Sigmoid, TargetRows::Values(y)) => {
                let is_right = |(p, y): (&T, &f64)| (p.to_f64() > 0.5) == (*y > 0.5);
                rows.zip(y.chunks_exact(n)).filter(|(p, y)| p.iter().zip(*y).all(is_right)).count()
            }
            (Output::Softmax, TargetRows::Values(y)) => {
                rows.zip(y.chunks_exact(n)).filter(|(p, y)| argmax(p) == argmax(y)).count()
            }
        }
    }
}

impl Score {
    /// Adds another's rows.
    pub fn add(&mut self, other: Score) {
        self.loss += other.loss;
        self.correct += other.correct;
        self.log_sums.0 = self.log_sums.0.min(other.log_sums.0);
        self.log_sums.1 = self.log_sums.1.max(other.log_sums.1);
    }
}

impl TargetRows<'_> {
    /// One of the rows, of `n` outputs each.
    fn row(&self, row: usize, n: usize) -> Self {
        match self {
            Self::Classes(labels) => Self::Classes(&labels[row..=row]),
            Self::Values(y) => Self::Values(&y[row * n..(row + 1) * n]),
        }
    }

    /// What output `i` of `n` should have been in a row.
    fn number(self, row: usize, i: usize, n: usize) -> f64 {
        match self {
            Self::Values(y) => y[row * n + i],
            Self::Classes(labels) if n == 1 => f64::from(labels[row]),
            Self::Classes(labels) => f64::from(u8::from(labels[row] as usize == i)),
        }
    }
}

/// Sum over all outputs of `(p - y)^2`.
fn squared_error<T: Float>(p: &[T], targets: TargetRows, n: usize) -> f64 {
    sum_of(p, n, |row, i, p| (p.to_f64() - targets.number(row, i, n)).powi(2))
}

/// Sum of `f(row, column, x[row, column])` over all of `x (rows, n)`.
fn sum_of<T: Float>(x: &[T], n: usize, f: impl Fn(usize, usize, T) -> f64) -> f64 {
    let of_row = |(row, x): (usize, &[T])| -> f64 { x.iter().enumerate().map(|(i, &x)| f(row, i, x)).sum() };
    x.chunks_exact(n).enumerate().map(of_row).sum()
}

/// The first of the largest, as NumPy's.
pub(crate) fn argmax<T: PartialOrd>(x: &[T]) -> usize {
    let mut best = 0;
    for (i, x_i) in x.iter().enumerate() {
        if *x_i > x[best] {
            best = i;
        }
    }
    best
}
