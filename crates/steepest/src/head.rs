//! The output layer's activation and the loss, as one object: from logits to probabilities, loss and `delta`.
//!
//! Textbook heads treat each row by itself. The quirks that notebooks 0 and 3 need look at the whole batch: what
//! they need of it is a [`Coupling`], taken from all of the batch's logits before any row is finished.

use serde::{Deserialize, Serialize};
use steepest_kernels::{self as kernels, Float, SoftmaxShift};

/// Output activation and loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// Softmax and cross-entropy: one class a row.
    Softmax,
    /// Sigmoid and binary cross-entropy: two classes from one unit, or any number of labels at once.
    Sigmoid,
    /// The logits themselves and half their squared error: regression.
    Identity,
}

/// What is subtracted before softmax's exponential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shift {
    /// Each row's maximum (the textbook).
    #[default]
    Sample,
    /// The maximum of the whole batch: a row far below it underflows (notebooks 0 and 3).
    Batch,
    /// Nothing: overflows from logits of 89 (f32) or 710 (f64) on (notebook 2).
    None,
}

/// What softmax's exponentials are divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Axis {
    /// Their sum over a row's classes (the textbook).
    #[default]
    Classes,
    /// Their sum over the rows of the batch, for each class (notebook 3). Implies [`Shift::Batch`].
    Batch,
}

/// How `delta`, the gradient at the logits, is computed from probabilities `p` and one-hot targets `y`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeltaRule {
    /// `p - y`: the gradient of the loss (the textbook).
    #[default]
    Gradient,
    /// `2 (p - y) p (1 - p)`: squared error, with only the diagonal of softmax's Jacobian (notebook 3).
    Diagonal,
}

/// Departures from the textbook; the default has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadQuirks {
    /// Multiplies `delta` (2 in notebook 0).
    pub delta_scale: f64,
    /// Softmax's shift.
    pub shift: Shift,
    /// Softmax's axis.
    pub axis: Axis,
    /// Delta rule.
    pub rule: DeltaRule,
}

impl Default for HeadQuirks {
    fn default() -> Self {
        Self { delta_scale: 1.0, shift: Shift::Sample, axis: Axis::Classes, rule: DeltaRule::Gradient }
    }
}

/// Output activation and loss, with `n_outputs` units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head {
    output: Output,
    n_outputs: usize,
    quirks: HeadQuirks,
}

/// What rows should have given.
#[derive(Clone, Copy, Debug)]
pub enum TargetRows<'a> {
    /// The class of each row.
    Classes(&'a [u32]),
    /// Numbers, `(rows, n_outputs)`.
    Values(&'a [f64]),
}

/// What rows of one batch share, for heads that look at all of it.
#[derive(Clone, Debug)]
pub struct Coupling<T> {
    shift: T,
    /// Sum of the exponentials of each class over the batch; empty unless softmax goes over the batch.
    totals: Vec<T>,
}

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
    /// A head; softmax's quirks mean nothing to the others.
    pub fn new(output: Output, n_outputs: usize, quirks: HeadQuirks) -> Self {
        let quirks = if output == Output::Softmax {
            quirks
        } else {
            HeadQuirks { delta_scale: quirks.delta_scale, ..HeadQuirks::default() }
        };
        Self { output, n_outputs, quirks }
    }

    /// Output activation and loss.
    pub fn output(&self) -> Output {
        self.output
    }

    /// Units.
    pub fn n_outputs(&self) -> usize {
        self.n_outputs
    }

    /// Whether rows of a batch depend on each other.
    pub fn is_coupled(&self) -> bool {
        self.quirks.shift == Shift::Batch || self.quirks.axis == Axis::Batch
    }

    /// Whether a row's prediction depends on the other rows (a shared shift cancels out; a shared sum does not).
    pub fn predicts_by_batch(&self) -> bool {
        self.quirks.axis == Axis::Batch
    }

    /// Whether sharing one shift over a batch, whose rows taken one by one have this score, changes nothing but
    /// rounding: then no row lies so far below the largest that its exponentials vanish.
    pub fn shift_is_harmless<T: Float>(&self, score: &Score) -> bool {
        // Half of the logarithm of the smallest normal number.
        let vanishing = 0.5 * -T::MIN_POSITIVE.to_f64().ln();
        let (least, greatest) = score.log_sums;
        self.quirks.axis == Axis::Classes && greatest - least < vanishing
    }

    /// What rows share that are a batch by themselves, from all of their logits; nothing unless
    /// [`Head::is_coupled`].
    pub fn coupling<T: Float>(&self, z: &[T]) -> Option<Coupling<T>> {
        self.is_coupled().then(|| self.couple(std::iter::once(z)))
    }

    /// What the rows of a batch share, from all of its logits, in parts `(rows, n_outputs)`.
    pub fn couple<'a, T: Float>(&self, parts: impl Iterator<Item = &'a [T]> + Clone) -> Coupling<T> {
        let shift = parts.clone().map(kernels::maximum).fold(T::NEG_INFINITY, T::max);
        let mut totals = Vec::new();
        if self.quirks.axis == Axis::Batch {
            totals.resize(self.n_outputs, T::ZERO);
            parts.for_each(|part| kernels::add_column_exps(part, shift, &mut totals));
        }
        Coupling { shift, totals }
    }

    /// Predictions `p` from logits `z`, both `(rows, n_outputs)`; `log_sums (rows)` gets what a row's logit minus
    /// the logarithm of its probability is, where softmax goes over the classes.
    ///
    /// `coupling` must be there if [`Head::is_coupled`].
    pub fn forward<T: Float>(
        &self,
        z: &[T],
        coupling: Option<&Coupling<T>>,
        p: &mut [T],
        log_sums: &mut [T],
    ) {
        match (self.output, coupling) {
            (Output::Identity, _) => p.copy_from_slice(z),
            (Output::Sigmoid, _) => kernels::sigmoid(z, p),
            (Output::Softmax, Some(coupling)) if self.quirks.axis == Axis::Batch => {
                kernels::softmax_columns(z, coupling.shift, &coupling.totals, p);
            }
            (Output::Softmax, coupling) => kernels::softmax_rows(z, self.shift(coupling), p, log_sums),
        }
    }

    /// What softmax over the classes subtracts.
    fn shift<T: Float>(&self, coupling: Option<&Coupling<T>>) -> SoftmaxShift<T> {
        match (self.quirks.shift, coupling) {
            (Shift::Batch, Some(coupling)) => SoftmaxShift::Constant(coupling.shift),
            (Shift::None, _) => SoftmaxShift::Constant(T::ZERO),
            _ => SoftmaxShift::RowMaximum,
        }
    }

    /// Predictions and what else [`Head::forward`] says of each row, in new vectors.
    pub fn predictions<T: Float>(&self, z: &[T], coupling: Option<&Coupling<T>>) -> (Vec<T>, Vec<T>) {
        let (mut p, mut log_sums) = (vec![T::ZERO; z.len()], vec![T::ZERO; z.len() / self.n_outputs]);
        self.forward(z, coupling, &mut p, &mut log_sums);
        (p, log_sums)
    }

    /// `delta (rows, n_outputs)`, the gradient of the mean loss over `batch` rows at the logits.
    ///
    /// `p` is that of [`Head::forward`], `targets` those of the same rows.
    pub fn delta<T: Float>(&self, p: &[T], targets: TargetRows, batch: usize, delta: &mut [T]) {
        let n = self.n_outputs;
        delta.copy_from_slice(p);
        match targets {
            TargetRows::Classes(labels) if n > 1 => {
                for (delta, &class) in delta.chunks_exact_mut(n).zip(labels) {
                    delta[class as usize] -= T::ONE;
                }
            }
            TargetRows::Classes(labels) => {
                for (delta, &class) in delta.iter_mut().zip(labels) {
                    *delta -= T::from_f64(f64::from(class));
                }
            }
            TargetRows::Values(y) => {
                for (delta, &y) in delta.iter_mut().zip(y) {
                    *delta -= T::from_f64(y);
                }
            }
        }
        if self.quirks.rule == DeltaRule::Diagonal {
            for (delta, &p) in delta.iter_mut().zip(p) {
                *delta = T::from_f64(2.0) * *delta * p * (T::ONE - p);
            }
        }
        let scale = T::from_f64(self.quirks.delta_scale / batch as f64);
        delta.iter_mut().for_each(|delta| *delta *= scale);
    }

    /// [`Head::forward`], [`Head::delta`] and [`Head::score`] in one pass, for the commonest case: one of a few classes.
    /// Elsewhere nothing.
    pub fn learn_class<T: Float>(
        &self,
        z: &[T],
        coupling: Option<&Coupling<T>>,
        targets: TargetRows,
        batch: usize,
        delta: &mut [T],
    ) -> Option<Score> {
        let is_textbook = self.quirks.axis == Axis::Classes && self.quirks.rule == DeltaRule::Gradient;
        let is_few = (2..=kernels::FEW_CLASSES).contains(&self.n_outputs);
        match (self.output, targets) {
            (Output::Softmax, TargetRows::Classes(classes)) if is_textbook && is_few => {
                let scale = T::from_f64(self.quirks.delta_scale / batch as f64);
                let score = kernels::softmax_cross_entropy(z, classes, self.shift(coupling), scale, delta);
                let kernels::CrossEntropy { loss, correct, log_sums } = score;
                Some(Score { loss, correct: correct as u64, log_sums })
            }
            _ => None,
        }
    }

    /// Loss and correct predictions of rows: `z (rows, n_outputs)` are their logits, `p` and `log_sums` what
    /// [`Head::forward`] made of them.
    pub fn score<T: Float>(&self, z: &[T], p: &[T], log_sums: &[T], targets: TargetRows) -> Score {
        let (least, greatest) = (-T::NEG_INFINITY, T::NEG_INFINITY);
        Score {
            loss: self.loss(z, p, log_sums, targets),
            correct: self.correct(p, targets) as u64,
            log_sums: (
                log_sums.iter().fold(least, |m, &x| if x < m { x } else { m }).to_f64(),
                log_sums.iter().fold(greatest, |m, &x| if x > m { x } else { m }).to_f64(),
            ),
        }
    }

    /// Loss, summed over rows.
    fn loss<T: Float>(&self, z: &[T], p: &[T], log_sums: &[T], targets: TargetRows) -> f64 {
        let n = self.n_outputs;
        match (self.output, targets) {
            (Output::Identity, _) => 0.5 * squared_error(p, targets, n),
            (Output::Softmax, _) if self.quirks.rule == DeltaRule::Diagonal => squared_error(p, targets, n),
            (Output::Softmax, TargetRows::Classes(labels)) if self.quirks.axis == Axis::Classes => {
                let rows = z.chunks_exact(n).zip(labels).zip(log_sums);
                rows.map(|((z, &class), &log_sum)| (log_sum - z[class as usize]).to_f64()).sum()
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

    /// The class that a row of predictions means: the first largest, or for one unit whether it is above one half.
    pub fn class<T: Float>(&self, p: &[T]) -> u32 {
        if p.len() == 1 { u32::from(p[0].to_f64() > 0.5) } else { argmax(p) as u32 }
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
fn argmax<T: PartialOrd>(x: &[T]) -> usize {
    let mut best = 0;
    for (i, x_i) in x.iter().enumerate() {
        if *x_i > x[best] {
            best = i;
        }
    }
    best
}
