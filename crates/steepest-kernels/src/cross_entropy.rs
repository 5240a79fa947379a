//! Softmax, cross-entropy and its gradient in one pass, for few classes.
//!
//! A row of ten classes fills no register, and its sum and maximum go across lanes. So groups of rows are turned: a register
//! holds one class of as many rows as it has lanes, and all that is left are operations between registers.

use crate::Float;
use crate::simd::{Kernel, MAX_LANES, Registers, Simd, dispatch};
use crate::softmax::SoftmaxShift;

/// The most classes of [`softmax_cross_entropy`]: beyond these, [`crate::softmax_rows`] fills its registers.
pub const FEW_CLASSES: usize = 32;

/// How well rows are predicted, summed over them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrossEntropy {
    /// Sum of the rows' `ln(sum of exp(z)) - z[class] + smoothing (z[class] - mean(z))`.
    pub loss: f64,
    /// Rows whose class is the first of the most probable.
    pub correct: usize,
    /// Bounds of the rows' `ln(sum of exp(z))`, wider than need be by less than the logarithm of the number of classes.
    pub log_sums: (f64, f64),
}

/// What rows should have given, and how it is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassTargets<'a> {
    /// The class of each row, `(rows)`.
    pub classes: &'a [u32],
    /// The part of each target that is spread over all classes.
    pub smoothing: f64,
    /// For the loss, a class's probability is taken to be at least the precision's epsilon and at most 1 minus that
    /// (scikit-learn's `log_loss`). The gradient does not change.
    pub clips: bool,
}

/// `delta = scale (softmax(z) - y)`, and how good these predictions are, where the targets `y` are
/// `(1 - smoothing) one_hot(classes) + smoothing / n_classes`: with `smoothing` 0 the classes themselves.
///
/// `z` and `delta (rows, n_classes)`.
///
/// # Panics
/// When the slices do not have these shapes, there are more than [`FEW_CLASSES`], or a row's class does not exist.
pub fn softmax_cross_entropy<T: Float>(
    z: &[T],
    targets: ClassTargets,
    shift: SoftmaxShift<T>,
    scale: T,
    delta: &mut [T],
) -> CrossEntropy {
    let classes = targets.classes;
    let n_classes = z.len().checked_div(classes.len()).unwrap_or(0);
    assert!(n_classes <= FEW_CLASSES && z.len() == n_classes * classes.len() && delta.len() == z.len());
    assert!(classes.iter().all(|&class| (class as usize) < n_classes));
    dispatch(Fused { z, targets, n_classes, shift, scale, delta })
}

struct Fused<'a, T> {
    z: &'a [T],
    targets: ClassTargets<'a>,
    n_classes: usize,
    shift: SoftmaxShift<T>,
    scale: T,
    delta: &'a mut [T],
}

/// A class of each row of a group.
type Column<T> = [T; MAX_LANES];

/// Room for a group's rows, and for a register behind them.
const SCRATCH: usize = MAX_LANES * FEW_CLASSES + MAX_LANES;

/// Turns a group of rows of `n` numbers, behind which a register more can be read.
#[inline(always)]
fn to_columns<S: Simd, T: Float>(rows: &[T], n: usize, columns: &mut [Column<T>; FEW_CLASSES]) {
    let lanes = T::Register::<S>::LANES;
    assert!(n <= FEW_CLASSES && rows.len() >= lanes * n + lanes.saturating_sub(n));
    for first in squares(n, lanes) {
        let mut square = [rows.as_ptr(); MAX_LANES];
        for (r, row) in square.iter_mut().enumerate().take(lanes) {
            *row = rows.as_ptr().wrapping_add(r * n + first);
        }
        // SAFETY: `first + lanes` is at most `n`, or `lanes` where that is more: the last row reads no further than the
        // slice was just found to go, and there is a column for each number of a row.
        unsafe { T::Register::<S>::transpose(&square, columns[first..].as_mut_ptr().cast(), MAX_LANES) }
    }
}

/// Turns a group back into rows of `n` numbers, behind which a register more may be written.
#[inline(always)]
fn to_rows<S: Simd, T: Float>(columns: &[Column<T>; FEW_CLASSES], n: usize, rows: &mut [T]) {
    let lanes = T::Register::<S>::LANES;
    assert!(n <= FEW_CLASSES && rows.len() >= lanes * n + lanes.saturating_sub(n));
    for first in squares(n, lanes) {
        let mut square = [columns[0].as_ptr(); MAX_LANES];
        for (column, from) in square.iter_mut().zip(&columns[first..]).take(lanes) {
            *column = from.as_ptr();
        }
        // SAFETY: as for `to_columns`. What a row has beyond `n` is written over by the next one.
        unsafe { T::Register::<S>::transpose(&square, rows[first..].as_mut_ptr(), n) }
    }
}

/// Where squares of `lanes` columns begin that cover `n` columns: the last overlaps the one before.
fn squares(n: usize, lanes: usize) -> impl Iterator<Item = usize> {
    (0..n).step_by(lanes).map(move |first| first.min(n.saturating_sub(lanes)))
}

impl<T: Float> Kernel for Fused<'_, T> {
    type Output = CrossEntropy;

    #[inline(always)]
    fn run<S: Simd>(self) -> CrossEntropy {
        let lanes = T::Register::<S>::LANES;
        let (n, ClassTargets { classes, smoothing, clips }) = (self.n_classes, self.targets);
        let mut score = CrossEntropy { loss: 0.0, correct: 0, log_sums: (f64::INFINITY, f64::NEG_INFINITY) };
        let mut sums = Sums::<S, T>::new();
        let mut columns = [[T::ZERO; MAX_LANES]; FEW_CLASSES];
        // What a row's targets are: of its class, and of the others. Without smoothing exactly one and zero.
        let others = smoothing / n.max(1) as f64;
        let (own, others) = (T::from_f64(1.0 - smoothing + others), T::from_f64(others));
        let [own, others, scale] = [own, others, self.scale].map(|x| T::Register::<S>::splat(x));
        // For the last groups, whose rows may be fewer than lanes, and behind which there is no room.
        let (mut last_z, mut last_delta) = ([T::ZERO; SCRATCH], [T::ZERO; SCRATCH]);
        let size = lanes * n;
        for (g, classes) in classes.chunks(lanes).enumerate() {
            let group = g * size..self.z.len().min(g * size + size);
            let has_room = self.z.len() - group.start >= size + lanes;
            let (z, delta) = if has_room {
                (&self.z[group.start..], &mut self.delta[group.start..])
            } else {
                last_z[..group.len()].copy_from_slice(&self.z[group.clone()]);
                (&last_z[..], &mut last_delta[..])
            };
            to_columns::<S, T>(z, n, &mut columns);
            // Rows that are not there have no class.
            let mut mine = [T::from_f64(-1.0); MAX_LANES];
            mine.iter_mut().zip(classes).for_each(|(mine, &class)| *mine = T::from_u8(class as u8));
            let mine = take::<S, T>(&mine);
            let logits = of_class::<S, T>(&columns[..n], mine);
            let totals = softmax::<S, T>(&mut columns[..n], self.shift);
            sums.add(&totals, logits, classes.len(), self.shift, &mut score);
            if smoothing > 0.0 {
                score.loss += smoothing * above_mean(z, classes, n);
            }
            if clips {
                score.loss += clipped_off::<S, T>(&columns, z, classes, n, &totals);
            }
            score.correct += correct::<S, T>(&columns[..n], mine);

            // The probabilities become the gradient.
            for (class, column) in columns[..n].iter_mut().enumerate() {
                let p = take::<S, T>(column);
                let (of_mine, of_others) = (p.sub(own).mul(scale), p.sub(others).mul(scale));
                put::<S, T>(mine.where_equal(number::<S, T>(class), of_mine, of_others), column);
            }
            to_rows::<S, T>(&columns, n, delta);
            if !has_room {
                self.delta[group.clone()].copy_from_slice(&last_delta[..group.len()]);
            }
        }
        sums.end(n, self.shift, &mut score);
        score
    }
}

/// What the loss of rows whose probabilities are clipped is more than without that.
#[inline(always)]
fn clipped_off<S: Simd, T: Float>(
    columns: &[Column<T>; FEW_CLASSES],
    z: &[T],
    classes: &[u32],
    n: usize,
    group: &Group<S, T>,
) -> f64 {
    let (shifts, totals) = (spread::<S, T>(group.shifts), spread::<S, T>(group.totals));
    let rows = classes.iter().enumerate();
    rows.map(|(r, &class)| {
        let (p, least) = (columns[class as usize][r], T::EPSILON);
        let clipped = if p < least {
            least
        } else if p > T::ONE - least {
            T::ONE - least
        } else {
            return 0.0;
        };
        let log_sum = shifts[r].to_f64() + totals[r].to_f64().ln();
        -clipped.to_f64().ln() - (log_sum - z[r * n + class as usize].to_f64())
    })
    .sum()
}

/// By how much the logits of the rows' classes are above the means of their rows, in all.
#[inline(always)]
fn above_mean<T: Float>(z: &[T], classes: &[u32], n: usize) -> f64 {
    let rows = z.chunks_exact(n).zip(classes);
    rows.map(|(z, &class)| {
        let mean = z.iter().map(|z| z.to_f64()).sum::<f64>() / n as f64;
        z[class as usize].to_f64() - mean
    })
    .sum()
}

/// What a group's rows have beside their probabilities.
struct Group<S: Simd, T: Float> {
    /// What was subtracted before the exponential.
    shifts: T::Register<S>,
    /// Sums of the exponentials.
    totals: T::Register<S>,
}

/// Makes probabilities of logits.
#[inline(always)]
fn softmax<S: Simd, T: Float>(columns: &mut [Column<T>], shift: SoftmaxShift<T>) -> Group<S, T> {
    let shifts = match shift {
        SoftmaxShift::Constant(shift) => T::Register::<S>::splat(shift),
        SoftmaxShift::RowMaximum => greatest::<S, T>(columns),
    };
    let mut totals = T::Register::<S>::splat(T::ZERO);
    for column in columns.iter_mut() {
        let exps = take::<S, T>(column).sub(shifts).exp();
        totals = totals.add(exps);
        put::<S, T>(exps, column);
    }
    for column in columns.iter_mut() {
        put::<S, T>(take::<S, T>(column).div(totals), column);
    }
    Group { shifts, totals }
}

/// Each row's number of its own class, which are `mine`.
#[inline(always)]
fn of_class<S: Simd, T: Float>(columns: &[Column<T>], mine: T::Register<S>) -> T::Register<S> {
    let zero = T::Register::<S>::splat(T::ZERO);
    columns.iter().enumerate().fold(zero, |found, (class, column)| {
        mine.where_equal(number::<S, T>(class), take::<S, T>(column), found)
    })
}

/// Rows whose class is the first of the most probable.
#[inline(always)]
fn correct<S: Simd, T: Float>(columns: &[Column<T>], mine: T::Register<S>) -> usize {
    let largest = greatest::<S, T>(columns);
    let (mut correct, mut seen) = (0, 0);
    for (class, column) in columns.iter().enumerate() {
        let here = take::<S, T>(column).equal(largest);
        correct |= here & !seen & mine.equal(number::<S, T>(class));
        seen |= here;
    }
    correct.count_ones() as usize
}

/// What is known of all rows, and not yet a part of their score.
struct Sums<S: Simd, T: Float> {
    /// Of the exponentials' sums, as far as it has not become a part.
    product: f64,
    /// The largest of the negative shifts, and of the shifts.
    shifts: [T::Register<S>; 2],
}

impl<S: Simd, T: Float> Sums<S, T> {
    #[inline(always)]
    fn new() -> Self {
        Self { product: 1.0, shifts: [T::Register::<S>::splat(T::NEG_INFINITY); 2] }
    }

    /// Adds the losses of a group's `n` rows, whose logits of their own classes are given.
    #[inline(always)]
    fn add(
        &mut self,
        group: &Group<S, T>,
        logits: T::Register<S>,
        n: usize,
        shift: SoftmaxShift<T>,
        score: &mut CrossEntropy,
    ) {
        let Group { shifts, totals } = *group;
        let all = |register: T::Register<S>, other| {
            if n < T::Register::<S>::LANES {
                register.keep_first(n, T::Register::<S>::splat(other))
            } else {
                register
            }
        };
        score.loss += all(shifts.sub(logits), T::ZERO).sum().to_f64();
        if shift != SoftmaxShift::RowMaximum {
            for total in &spread::<S, T>(totals)[..n] {
                let (log, shift) = (total.to_f64().ln(), spread::<S, T>(shifts)[0].to_f64());
                score.loss += log;
                let (least, greatest) = score.log_sums;
                score.log_sums = (least.min(shift + log), greatest.max(shift + log));
            }
            return;
        }
        // A row's total lies between 1 and the number of classes: the product of all is far from overflow, and takes one
        // logarithm instead of many.
        let mut products = [1.0; 4];
        for totals in spread::<S, T>(all(totals, T::ONE)).as_chunks::<4>().0 {
            products.iter_mut().zip(totals).for_each(|(product, total)| *product *= total.to_f64());
        }
        self.product *= products.into_iter().product::<f64>();
        if self.product > 1e200 {
            score.loss += f64::ln(self.product);
            self.product = 1.0;
        }
        let zero = T::Register::<S>::splat(T::ZERO);
        let [least, greatest] = self.shifts;
        // Of a number and a NaN, `max` gives the second.
        self.shifts =
            [all(zero.sub(shifts), T::NEG_INFINITY).max(least), all(shifts, T::NEG_INFINITY).max(greatest)];
    }

    /// Makes all that a part of the score.
    #[inline(always)]
    fn end(self, n_classes: usize, shift: SoftmaxShift<T>, score: &mut CrossEntropy) {
        score.loss += f64::ln(self.product);
        if shift == SoftmaxShift::RowMaximum {
            let [least, greatest] = self.shifts.map(|register| register.maximum().to_f64());
            // Without the logarithms of the totals.
            score.log_sums = (-least, greatest + (n_classes as f64).ln());
        }
    }
}

/// The number of a class in every lane.
#[inline(always)]
fn number<S: Simd, T: Float>(class: usize) -> T::Register<S> {
    T::Register::<S>::splat(T::from_u8(class as u8))
}

/// A register's lanes; what follows them are ones.
#[inline(always)]
fn spread<S: Simd, T: Float>(register: T::Register<S>) -> Column<T> {
    let mut column = [T::ONE; MAX_LANES];
    put::<S, T>(register, &mut column);
    column
}

#[inline(always)]
fn greatest<S: Simd, T: Float>(columns: &[Column<T>]) -> T::Register<S> {
    let lowest = T::Register::<S>::splat(T::NEG_INFINITY);
    columns.iter().fold(lowest, |largest, column| largest.max(take::<S, T>(column)))
}

#[inline(always)]
fn take<S: Simd, T: Float>(column: &Column<T>) -> T::Register<S> {
    // SAFETY: a column has room for the widest register.
    unsafe { T::Register::<S>::load(column.as_ptr()) }
}

#[inline(always)]
fn put<S: Simd, T: Float>(register: T::Register<S>, column: &mut Column<T>) {
    // SAFETY: a column has room for the widest register.
    unsafe { register.store(column.as_mut_ptr()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{self, assert_close};
    use crate::simd::{InstructionSet, dispatch_on};

    #[test]
    fn gradient_loss_and_hits_equal_those_of_the_plain_softmax() {
        for n_classes in [1, 2, 10, 16, FEW_CLASSES] {
            for (rows, smoothing) in [(1, 0.0), (7, 0.3), (16, 0.0), (64, 0.1), (70, 0.0), (70, 1.0)] {
                // Whole numbers in between, so that some rows have two largest.
                let z: Vec<f64> =
                    (0..rows * n_classes).map(|i| (i * i * 37 % 101 % 9) as f64 - 4.0).collect();
                let classes: Vec<u32> = (0..rows).map(|r| (r * 7 % n_classes) as u32).collect();
                let mut p = vec![0.0; z.len()];
                reference::softmax_rows(&z, n_classes, &mut p);
                let (mut loss, mut correct, mut delta) = (0.0, 0, p.clone());
                let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
                for (r, &class) in classes.iter().enumerate() {
                    let (z, p) = (&z[r * n_classes..][..n_classes], &p[r * n_classes..][..n_classes]);
                    let log_sum = z.iter().map(|z| z.exp()).sum::<f64>().ln();
                    // PyTorch's definition, term by term.
                    let y = |i: usize| {
                        let one_hot = f64::from(u8::from(i == class as usize));
                        (1.0 - smoothing) * one_hot + smoothing / n_classes as f64
                    };
                    loss += z.iter().enumerate().map(|(i, z)| y(i) * (log_sum - z)).sum::<f64>();
                    let largest = p.iter().copied().fold(0.0, f64::max);
                    correct += usize::from(p.iter().position(|&p| p == largest) == Some(class as usize));
                    (0..n_classes).for_each(|i| delta[r * n_classes + i] -= y(i));
                    (least, greatest) = (least.min(log_sum), greatest.max(log_sum));
                }
                delta.iter_mut().for_each(|d| *d *= 0.5);
                for shift in [SoftmaxShift::RowMaximum, SoftmaxShift::Constant(1.0)] {
                    for set in InstructionSet::available() {
                        let mut got = vec![0.0; z.len()];
                        let targets = ClassTargets { classes: &classes, smoothing, clips: false };
                        let (z, delta_) = (&z[..], &mut got[..]);
                        let fused = Fused { z, targets, n_classes, shift, scale: 0.5, delta: delta_ };
                        let score = dispatch_on(set, fused);
                        assert_close(&got, &delta, 1e-14);
                        assert!((score.loss - loss).abs() <= 1e-12 * rows as f64, "{} {loss}", score.loss);
                        assert_eq!(score.correct, correct);
                        let slack = (n_classes as f64).ln() + 1e-12;
                        assert!(score.log_sums.0 <= least + 1e-12 && score.log_sums.0 >= least - slack);
                        assert!(score.log_sums.1 >= greatest - 1e-12 && score.log_sums.1 <= greatest + slack);

                        let z: Vec<f32> = z.iter().map(|&z| z as f32).collect();
                        let shift = match shift {
                            SoftmaxShift::RowMaximum => SoftmaxShift::RowMaximum,
                            SoftmaxShift::Constant(c) => SoftmaxShift::Constant(c as f32),
                        };
                        let mut got = vec![0.0f32; z.len()];
                        let (z, delta_) = (&z[..], &mut got[..]);
                        let fused = Fused { z, targets, n_classes, shift, scale: 0.5, delta: delta_ };
                        let score = dispatch_on(set, fused);
                        let expected: Vec<f32> = delta.iter().map(|&d| d as f32).collect();
                        assert_close(&got, &expected, 1e-6);
                        assert!((score.loss - loss).abs() <= 1e-5 * rows as f64);
                    }
                }
            }
        }
    }

    #[test]
    fn huge_logits_stay_finite_and_lost_ones_do_not() {
        let (z, mut delta) = ([1e4f32, -1e4, 9999.0], [0.0; 3]);
        let first = ClassTargets { classes: &[0], smoothing: 0.0, clips: false };
        let score = softmax_cross_entropy(&z, first, SoftmaxShift::RowMaximum, 1.0, &mut delta);
        assert!(score.loss.is_finite() && score.correct == 1 && delta.iter().all(|d| d.is_finite()));
        let score = softmax_cross_entropy(&z, first, SoftmaxShift::Constant(0.0), 1.0, &mut delta);
        assert!(!score.loss.is_finite());
        let score = softmax_cross_entropy(&[f32::NAN; 3], first, SoftmaxShift::RowMaximum, 1.0, &mut delta);
        assert!(score.loss.is_nan() && delta[1].is_nan() && score.correct == 0);
    }

    #[test]
    fn clipped_probabilities_have_the_loss_of_their_bounds() {
        let least = f64::EPSILON;
        let (rows, mut delta) = ([[0.0, -50.0], [0.0, 50.0], [0.0, 1.0], [0.0, -40.0]].concat(), [0.0; 8]);
        let targets = ClassTargets { classes: &[1, 1, 1, 0], smoothing: 0.0, clips: true };
        let score = softmax_cross_entropy(&rows, targets, SoftmaxShift::RowMaximum, 1.0, &mut delta);
        let expected = -least.ln() - 2.0 * (1.0 - least).ln() + (-1f64).exp().ln_1p();
        assert!((score.loss - expected).abs() < 1e-14, "{} {expected}", score.loss);
        assert_eq!(delta[1], (-50f64).exp() - 1.0, "the gradient is that of the logits");
    }

    #[test]
    #[should_panic]
    fn a_class_that_does_not_exist_is_refused() {
        let targets = ClassTargets { classes: &[3], smoothing: 0.0, clips: false };
        softmax_cross_entropy(&[0.0f32; 3], targets, SoftmaxShift::RowMaximum, 1.0, &mut [0.0; 3]);
    }
}
