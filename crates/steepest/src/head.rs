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

/// What one row should have given.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// This class.
    Class(u32),
    /// These numbers, one for each output.
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
    /// The least and the greatest of softmax's log-sums.
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
            (Output::Softmax, coupling) => {
                let shift = match (self.quirks.shift, coupling) {
                    (Shift::Batch, Some(coupling)) => SoftmaxShift::Constant(coupling.shift),
                    (Shift::None, _) => SoftmaxShift::Constant(T::ZERO),
                    _ => SoftmaxShift::RowMaximum,
                };
                kernels::softmax_rows(z, shift, p, log_sums);
            }
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
    /// `p` is that of [`Head::forward`]; `target` gives the target of each row.
    pub fn delta<'a, T: Float>(
        &self,
        p: &[T],
        target: impl Fn(usize) -> Target<'a>,
        batch: usize,
        delta: &mut [T],
    ) {
        let n = self.n_outputs;
        let scale = T::from_f64(self.quirks.delta_scale / batch as f64);
        for (row, (p, delta)) in p.chunks_exact(n).zip(delta.chunks_exact_mut(n)).enumerate() {
            delta.copy_from_slice(p);
            match target(row) {
                Target::Class(class) if n > 1 => delta[class as usize] -= T::ONE,
                Target::Class(class) => delta[0] -= T::from_f64(f64::from(class)),
                Target::Values(y) => {
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
            for delta in delta {
                *delta *= scale;
            }
        }
    }

    /// Loss and correct predictions of rows: `z (rows, n_outputs)` are their logits, `p` and `log_sums` what
    /// [`Head::forward`] made of them.
    pub fn score<'a, T: Float>(
        &self,
        z: &[T],
        p: &[T],
        log_sums: &[T],
        target: impl Fn(usize) -> Target<'a>,
    ) -> Score {
        let n = self.n_outputs;
        let mut score = Score::default();
        for (row, ((z, p), &log_sum)) in z.chunks_exact(n).zip(p.chunks_exact(n)).zip(log_sums).enumerate() {
            let target = target(row);
            score.loss += self.loss(z, p, target, log_sum);
            score.correct += u64::from(self.is_correct(p, target));
            let log_sum = log_sum.to_f64();
            score.log_sums = (score.log_sums.0.min(log_sum), score.log_sums.1.max(log_sum));
        }
        score
    }

    /// Loss of one row.
    fn loss<T: Float>(&self, z: &[T], p: &[T], target: Target, log_sum: T) -> f64 {
        match (self.output, target) {
            (Output::Identity, _) => 0.5 * squared_error(p, target),
            (Output::Softmax, _) if self.quirks.rule == DeltaRule::Diagonal => squared_error(p, target),
            (Output::Softmax, Target::Class(class)) if self.quirks.axis == Axis::Classes => {
                (log_sum - z[class as usize]).to_f64()
            }
            (Output::Softmax, Target::Class(class)) => -p[class as usize].to_f64().ln(),
            (Output::Softmax, Target::Values(y)) => {
                let cross = |(&p, &y): (&T, &f64)| if y == 0.0 { 0.0 } else { -y * p.to_f64().ln() };
                p.iter().zip(y).map(cross).sum()
            }
            (Output::Sigmoid, _) => {
                // -y ln p - (1 - y) ln(1 - p), from the logit, so that nothing is lost near 0 and 1.
                let term = |(i, &z): (usize, &T)| {
                    let (z, y) = (z.to_f64(), wanted(target, i, p.len()));
                    z.max(0.0) - z * y + (-z.abs()).exp().ln_1p()
                };
                z.iter().enumerate().map(term).sum()
            }
        }
    }

    fn is_correct<T: Float>(&self, p: &[T], target: Target) -> bool {
        match (self.output, target) {
            (Output::Identity, _) => false,
            (_, Target::Class(class)) if p.len() > 1 => is_first_largest(p, class as usize),
            (_, Target::Class(class)) => self.class(p) == class,
            (Output::Sigmoid, Target::Values(y)) => {
                p.iter().zip(y).all(|(p, &y)| (p.to_f64() > 0.5) == (y > 0.5))
            }
            (Output::Softmax, Target::Values(y)) => argmax(p) == argmax(y),
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

/// Sum over a row's outputs of `(p - y)^2`.
fn squared_error<T: Float>(p: &[T], target: Target) -> f64 {
    p.iter().enumerate().map(|(i, p_i)| (p_i.to_f64() - wanted(target, i, p.len())).powi(2)).sum()
}

/// The number that output `i` of `n` should have been.
fn wanted(target: Target, i: usize, n: usize) -> f64 {
    match target {
        Target::Values(y) => y[i],
        Target::Class(class) if n == 1 => f64::from(class),
        Target::Class(class) => f64::from(u8::from(class as usize == i)),
    }
}

/// Whether [`argmax`] is this class; without a branch for each of the others.
fn is_first_largest<T: PartialOrd + Copy>(p: &[T], class: usize) -> bool {
    let (before, from_here) = p.split_at(class);
    let mine = from_here[0];
    before.iter().fold(true, |first, &p| first & (p < mine))
        & from_here.iter().fold(true, |most, &p| most & (p <= mine))
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
