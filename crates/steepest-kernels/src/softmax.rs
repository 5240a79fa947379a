//! Softmax over the classes of each row; and over the rows, for each class.

use crate::Float;
use crate::simd::{Kernel, Registers, Simd, dispatch, load, store};

/// What is subtracted from the logits before `exp`. In exact arithmetic it cancels out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SoftmaxShift<T> {
    /// Each row's own maximum: never overflows, never loses a row.
    RowMaximum,
    /// The same number for all rows.
    Constant(T),
}

/// `p = exp(z - shift)`, each row divided by its sum; `log_sums` gets each row's `ln(sum of exp(z))`, so that
/// `log_sum - z[class]` is the row's cross-entropy.
///
/// `z` and `p (rows, n_classes)`, `log_sums (rows)`.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn softmax_rows<T: Float>(z: &[T], shift: SoftmaxShift<T>, p: &mut [T], log_sums: &mut [T]) {
    let n_classes = z.len().checked_div(log_sums.len()).unwrap_or(0);
    assert!(z.len() == n_classes * log_sums.len() && p.len() == z.len());
    if n_classes > 0 {
        dispatch(SoftmaxRows { z, n_classes, shift, p, log_sums });
    }
}

/// `totals[c] += sum over rows of exp(z[.., c] - shift)`
///
/// `z (rows, n_classes)`, `totals (n_classes)`.
///
/// # Panics
/// When there are no classes.
pub fn add_column_exps<T: Float>(z: &[T], shift: T, totals: &mut [T]) {
    assert!(z.len().is_multiple_of(totals.len()));
    dispatch(ColumnExps { z, shift, totals });
}

/// `p[.., c] = exp(z[.., c] - shift) / totals[c]`
///
/// `z` and `p (rows, n_classes)`, `totals (n_classes)`.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn softmax_columns<T: Float>(z: &[T], shift: T, totals: &[T], p: &mut [T]) {
    assert!(z.len().is_multiple_of(totals.len()) && p.len() == z.len());
    dispatch(SoftmaxColumns { z, shift, totals, p });
}

/// The largest number; minus infinity if there is none. A NaN may or may not be passed over.
pub fn maximum<T: Float>(x: &[T]) -> T {
    dispatch(Maximum { x })
}

/// In how many rows of `x (rows, n)` the first of the largest numbers stands in the row's column of `columns (rows)`.
///
/// # Panics
/// When the slices do not have these shapes, or a column does not exist.
pub fn count_first_largest<T: Float>(x: &[T], columns: &[u32]) -> usize {
    let width = x.len().checked_div(columns.len()).unwrap_or(0);
    assert_eq!(x.len(), width * columns.len());
    if width == 0 { 0 } else { dispatch(CountFirstLargest { x, width, columns }) }
}

struct SoftmaxRows<'a, T> {
    z: &'a [T],
    n_classes: usize,
    shift: SoftmaxShift<T>,
    p: &'a mut [T],
    log_sums: &'a mut [T],
}

impl<T: Float> Kernel for SoftmaxRows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let lanes = T::Register::<S>::LANES;
        let rows = self.z.chunks_exact(self.n_classes).zip(self.p.chunks_exact_mut(self.n_classes));
        for ((z, p), log_sum) in rows.zip(self.log_sums) {
            let shift = match self.shift {
                SoftmaxShift::RowMaximum => Maximum { x: z }.run::<S>(),
                SoftmaxShift::Constant(c) => c,
            };
            let mut total = T::Register::<S>::splat(T::ZERO);
            let mut exps = total;
            for (z, p) in z.chunks(lanes).zip(p.chunks_mut(lanes)) {
                exps = load::<S, T>(z, shift).sub(T::Register::<S>::splat(shift)).exp();
                total = total.add(if z.len() == lanes {
                    exps
                } else {
                    exps.keep_first(z.len(), T::Register::<S>::splat(T::ZERO))
                });
                if self.n_classes > lanes {
                    store::<S, T>(exps, p);
                }
            }
            let total = total.sum();
            for p in p.chunks_mut(lanes) {
                // Exponentials that fill no more than a register are still there.
                let exps = if self.n_classes > lanes { load::<S, T>(p, T::ONE) } else { exps };
                store::<S, T>(exps.div(T::Register::<S>::splat(total)), p);
            }
            *log_sum = total.ln() + shift;
        }
    }
}

struct ColumnExps<'a, T> {
    z: &'a [T],
    shift: T,
    totals: &'a mut [T],
}

impl<T: Float> Kernel for ColumnExps<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let lanes = T::Register::<S>::LANES;
        let shift = T::Register::<S>::splat(self.shift);
        let n_classes = self.totals.len();
        for (i, totals) in self.totals.chunks_mut(lanes).enumerate() {
            let mut sums = load::<S, T>(totals, T::ZERO);
            for row in self.z.chunks_exact(n_classes) {
                let z = &row[i * lanes..i * lanes + totals.len()];
                sums = sums.add(load::<S, T>(z, self.shift).sub(shift).exp());
            }
            store::<S, T>(sums, totals);
        }
    }
}

struct SoftmaxColumns<'a, T> {
    z: &'a [T],
    shift: T,
    totals: &'a [T],
    p: &'a mut [T],
}

impl<T: Float> Kernel for SoftmaxColumns<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let lanes = T::Register::<S>::LANES;
        let shift = T::Register::<S>::splat(self.shift);
        let n_classes = self.totals.len();
        for (z, p) in self.z.chunks_exact(n_classes).zip(self.p.chunks_exact_mut(n_classes)) {
            for ((z, p), totals) in z.chunks(lanes).zip(p.chunks_mut(lanes)).zip(self.totals.chunks(lanes)) {
                let exps = load::<S, T>(z, self.shift).sub(shift).exp();
                store::<S, T>(exps.div(load::<S, T>(totals, T::ONE)), p);
            }
        }
    }
}

struct Maximum<'a, T> {
    x: &'a [T],
}

impl<T: Float> Kernel for Maximum<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<S: Simd>(self) -> T {
        let mut largest = T::Register::<S>::splat(T::NEG_INFINITY);
        for x in self.x.chunks(T::Register::<S>::LANES) {
            largest = largest.max(load::<S, T>(x, T::NEG_INFINITY));
        }
        largest.maximum()
    }
}

struct CountFirstLargest<'a, T> {
    x: &'a [T],
    width: usize,
    columns: &'a [u32],
}

impl<T: Float> Kernel for CountFirstLargest<'_, T> {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self) -> usize {
        let mut count = 0;
        for (x, &column) in self.x.chunks_exact(self.width).zip(self.columns) {
            let mine = x[column as usize];
            let before = Maximum { x: &x[..column as usize] }.run::<S>();
            let largest = Maximum { x }.run::<S>();
            // Without a branch: which rows are right is hard to foresee.
            count += usize::from((before < mine) & (largest == mine));
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;
    use crate::simd::{InstructionSet, dispatch_on};

    #[test]
    fn rows_equal_the_plain_twin() {
        for n_classes in [1, 2, 10, 16, 23] {
            let rows = 9;
            let z: Vec<f32> = (0..rows * n_classes).map(|i| ((i * 37) % 101) as f32 * 0.2 - 10.0).collect();
            let mut expected = vec![0.0; z.len()];
            reference::softmax_rows(&z, n_classes, &mut expected);
            for set in InstructionSet::available() {
                let (mut p, mut log_sums) = (vec![0.0; z.len()], vec![0.0; rows]);
                dispatch_on(
                    set,
                    SoftmaxRows {
                        z: &z,
                        n_classes,
                        shift: SoftmaxShift::RowMaximum,
                        p: &mut p,
                        log_sums: &mut log_sums,
                    },
                );
                for (row, log_sum) in z.chunks(n_classes).zip(&log_sums) {
                    assert!((row.iter().map(|z| z.exp()).sum::<f32>().ln() - log_sum).abs() < 1e-4);
                }
                for (p, e) in p.iter().zip(&expected) {
                    assert!((p - e).abs() <= 1e-6 * e + 1e-37, "{set:?}: {p} instead of {e}");
                }
            }
        }
    }

    #[test]
    fn columns_equal_the_plain_twin_of_their_transpose() {
        for (rows, n_classes) in [(1, 1), (9, 10), (4, 16), (7, 23)] {
            let z: Vec<f64> = (0..rows * n_classes).map(|i| ((i * 37) % 101) as f64 * 0.2 - 10.0).collect();
            let transposed: Vec<f64> = (0..z.len()).map(|i| z[i % rows * n_classes + i / rows]).collect();
            let mut expected = vec![0.0; z.len()];
            reference::softmax_rows(&transposed, rows, &mut expected);
            for set in InstructionSet::available() {
                let (mut totals, mut p) = (vec![0.0; n_classes], vec![0.0; z.len()]);
                let shift = dispatch_on(set, Maximum { x: &z });
                assert_eq!(shift, z.iter().copied().fold(f64::NEG_INFINITY, f64::max));
                dispatch_on(set, ColumnExps { z: &z, shift, totals: &mut totals });
                dispatch_on(set, SoftmaxColumns { z: &z, shift, totals: &totals, p: &mut p });
                for (i, p) in p.iter().enumerate() {
                    let expected = expected[i % n_classes * rows + i / n_classes];
                    assert!((p - expected).abs() <= 1e-14, "{set:?}: {p} instead of {expected}");
                }
            }
        }
    }

    #[test]
    fn only_the_first_of_the_largest_counts() {
        for width in [1, 2, 10, 16, 23] {
            let x: Vec<f64> = (0..40 * width).map(|i| ((i * i * 7) % 5) as f64).collect();
            let first = |row: &[f64]| {
                let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                row.iter().position(|&x| x == largest).unwrap() as u32
            };
            let firsts: Vec<u32> = x.chunks(width).map(first).collect();
            for column in 0..width as u32 {
                let expected = firsts.iter().filter(|first| **first == column).count();
                for set in InstructionSet::available() {
                    let columns = &[column; 40];
                    assert_eq!(dispatch_on(set, CountFirstLargest { x: &x, width, columns }), expected);
                }
            }
            assert_eq!(count_first_largest(&x, &firsts), 40);
        }
        assert_eq!(count_first_largest(&[f64::NAN; 3], &[1]), 0);
    }

    #[test]
    fn huge_logits_stay_finite() {
        let (mut p, mut log_sums) = ([0.0f32; 3], [0.0]);
        softmax_rows(&[1e4, -1e4, 9999.0], SoftmaxShift::RowMaximum, &mut p, &mut log_sums);
        assert!(p.iter().all(|p| p.is_finite()) && (p.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
}
