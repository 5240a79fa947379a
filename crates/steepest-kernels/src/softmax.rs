//! Softmax over each row.

use crate::Float;
use crate::simd::{Kernel, Registers, Simd, dispatch};

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
        for (row, (z, p)) in rows.enumerate() {
            let shift = match self.shift {
                SoftmaxShift::RowMaximum => z.iter().fold(T::NEG_INFINITY, |m, &z| if z > m { z } else { m }),
                SoftmaxShift::Constant(c) => c,
            };
            for (z, p) in z.chunks(lanes).zip(p.chunks_mut(lanes)) {
                let shift = T::Register::<S>::splat(shift);
                // SAFETY: both chunks have the same length: `lanes`, or fewer at the end.
                unsafe {
                    if z.len() == lanes {
                        T::Register::<S>::load(z.as_ptr()).sub(shift).exp().store(p.as_mut_ptr());
                    } else {
                        let z = T::Register::<S>::load_first(z.as_ptr(), z.len());
                        z.sub(shift).exp().store_first(p.as_mut_ptr(), p.len());
                    }
                }
            }
            let total = p.iter().copied().sum::<T>();
            for p in p {
                *p = *p / total;
            }
            self.log_sums[row] = total.ln() + shift;
        }
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
    fn huge_logits_stay_finite() {
        let (mut p, mut log_sums) = ([0.0f32; 3], [0.0]);
        softmax_rows(&[1e4, -1e4, 9999.0], SoftmaxShift::RowMaximum, &mut p, &mut log_sums);
        assert!(p.iter().all(|p| p.is_finite()) && (p.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
}
