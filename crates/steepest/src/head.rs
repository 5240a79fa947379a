//! The output layer's activation and the loss, as one object: from logits to probabilities, loss and `delta`.
//!
//! Textbook heads treat each row by itself. The quirks that notebooks 0 and 3 need look at the whole batch: what
//! they need of it is a [`Coupling`], taken from all of the batch's logits before any row is finished.

use serde::{Deserialize, Serialize};
use steepest_kernels::{self as kernels, ClassTargets, Float, SoftmaxShift};

use crate::dialect::Dialect;
use crate::head_quirks::{Axis, DeltaRule, HeadQuirks, Shift};
use crate::loss::Loss;
use crate::score::{Score, argmax};

/// Output activation and loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// Softmax and cross-entropy: one class a row.
    Softmax,
    /// Sigmoid and binary cross-entropy: two classes from one unit, or any number of labels at once.
    Sigmoid,
    /// Numbers: the logits themselves with half their squared error, or another [`Loss`].
    Identity,
}

impl Output {
    /// As recipes have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Softmax => "softmax",
            Self::Sigmoid => "sigmoid",
            Self::Identity => "identity",
        }
    }
}

/// Output activation and loss, with `n_outputs` units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head {
    pub(crate) output: Output,
    pub(crate) n_outputs: usize,
    pub(crate) quirks: HeadQuirks,
    pub(crate) label_smoothing: f64,
    pub(crate) loss: Loss,
    pub(crate) dialect: Dialect,
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

impl Head {
    /// A head; softmax's quirks mean nothing to the others.
    pub fn new(output: Output, n_outputs: usize, quirks: HeadQuirks) -> Self {
        let quirks = if output == Output::Softmax {
            quirks
        } else {
            HeadQuirks { delta_scale: quirks.delta_scale, ..HeadQuirks::default() }
        };
        let (loss, dialect) = (Loss::Squared, Dialect::default());
        Self { output, n_outputs, quirks, label_smoothing: 0.0, loss, dialect }
    }

    /// With softmax on classes, learns targets `(1 - smoothing) one_hot + smoothing / n_outputs` instead of one-hot ones, and
    /// its loss is the cross-entropy with these (PyTorch's `label_smoothing`).
    #[must_use]
    pub fn with_label_smoothing(self, smoothing: f64) -> Self {
        Self { label_smoothing: smoothing, ..self }
    }

    /// With identity output, this loss instead of the squared error.
    #[must_use]
    pub fn with_loss(self, loss: Loss) -> Self {
        Self { loss, ..self }
    }

    /// With the loss as it is reported by this dialect; the gradient does not change.
    #[must_use]
    pub fn with_dialect(self, dialect: Dialect) -> Self {
        Self { dialect, ..self }
    }

    /// Whose loss it reports.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Output activation and loss.
    pub fn output(&self) -> Output {
        self.output
    }

    /// The loss of an identity output.
    pub fn loss(&self) -> Loss {
        self.loss
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
            (Output::Identity, _) => self.loss.predict(z, p),
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

    /// `delta (rows, n_outputs)`, the gradient of the batch's mean loss at the logits.
    ///
    /// `p` is that of [`Head::forward`], `targets` and `weights` (if there are any) those of the same rows; `total` what the
    /// sum of the batch's losses is divided by: its rows, or the sum of their weights.
    pub fn delta<T: Float>(
        &self,
        p: &[T],
        targets: TargetRows,
        weights: Option<&[f64]>,
        total: f64,
        delta: &mut [T],
    ) {
        let n = self.n_outputs;
        delta.copy_from_slice(p);
        match targets {
            TargetRows::Classes(labels) if n > 1 => {
                if self.label_smoothing > 0.0 {
                    let every = T::from_f64(self.label_smoothing / n as f64);
                    delta.iter_mut().for_each(|delta| *delta -= every);
                }
                let own = T::from_f64(1.0 - self.label_smoothing);
                for (delta, &class) in delta.chunks_exact_mut(n).zip(labels) {
                    delta[class as usize] -= own;
                }
            }
            TargetRows::Classes(labels) => {
                for (delta, &class) in delta.iter_mut().zip(labels) {
                    *delta -= T::from_f64(self.smoothed(f64::from(class)));
                }
            }
            TargetRows::Values(y) => {
                for (delta, &y) in delta.iter_mut().zip(y) {
                    *delta -= T::from_f64(y);
                }
            }
        }
        if self.output == Output::Identity {
            self.loss.slopes(delta);
        }
        if self.quirks.rule == DeltaRule::Diagonal {
            for (delta, &p) in delta.iter_mut().zip(p) {
                *delta = T::from_f64(2.0) * *delta * p * (T::ONE - p);
            }
        }
        let scale = T::from_f64(self.quirks.delta_scale / total);
        delta.iter_mut().for_each(|delta| *delta *= scale);
        for (delta, &weight) in delta.chunks_exact_mut(n).zip(weights.unwrap_or_default()) {
            delta.iter_mut().for_each(|delta| *delta *= T::from_f64(weight));
        }
    }

    /// What a target of 0 or 1 becomes by label smoothing. One unit stands for two classes.
    pub(crate) fn smoothed(&self, y: f64) -> f64 {
        (1.0 - self.label_smoothing) * y + self.label_smoothing / self.n_outputs.max(2) as f64
    }

    /// [`Head::forward`], [`Head::delta`] and [`Head::score`] in one pass, for the commonest case: one of a few classes, and
    /// rows without weights. Elsewhere nothing.
    pub fn learn_class<T: Float>(
        &self,
        z: &[T],
        coupling: Option<&Coupling<T>>,
        targets: TargetRows,
        total: f64,
        delta: &mut [T],
    ) -> Option<Score> {
        let is_textbook = self.quirks.axis == Axis::Classes && self.quirks.rule == DeltaRule::Gradient;
        let is_few = (2..=kernels::FEW_CLASSES).contains(&self.n_outputs);
        match (self.output, targets) {
            (Output::Softmax, TargetRows::Classes(classes)) if is_textbook && is_few => {
                let scale = T::from_f64(self.quirks.delta_scale / total);
                let (smoothing, clips) = (self.label_smoothing, self.dialect == Dialect::Sklearn);
                let targets = ClassTargets { classes, smoothing, clips };
                let score = kernels::softmax_cross_entropy(z, targets, self.shift(coupling), scale, delta);
                let kernels::CrossEntropy { loss, correct, log_sums } = score;
                Some(Score { loss, correct: correct as u64, log_sums })
            }
            _ => None,
        }
    }

    /// The class that a row of predictions means: the first largest, or for one unit whether it is above one half.
    pub fn class<T: Float>(&self, p: &[T]) -> u32 {
        if p.len() == 1 { u32::from(p[0].to_f64() > 0.5) } else { argmax(p) as u32 }
    }
}
