//! The gradient of a layer's bias.

use crate::Float;
use crate::simd::{Kernel, Registers, Simd, dispatch, load, store};

/// `d_b += sum over rows of delta`: what a block of rows adds to the gradient of a layer's bias.
///
/// `delta (rows, n_out)`, `d_b (n_out)`.
///
/// # Panics
/// When the slices do not have these shapes, or there is no bias.
pub fn add_column_sums<T: Float>(delta: &[T], d_b: &mut [T]) {
    assert!(delta.len().is_multiple_of(d_b.len()));
    dispatch(ColumnSums { delta, d_b });
}

struct ColumnSums<'a, T> {
    delta: &'a [T],
    d_b: &'a mut [T],
}

impl<T: Float> Kernel for ColumnSums<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        // Several registers at a time, so that one sum need not wait for the one before.
        const SUMS: usize = 4;
        let lanes = T::Register::<S>::LANES;
        let n_out = self.d_b.len();
        let wide = n_out - n_out % (SUMS * lanes);
        let (many, rest) = self.d_b.split_at_mut(wide);
        for (i, d_b) in many.chunks_exact_mut(SUMS * lanes).enumerate() {
            let first = i * SUMS * lanes;
            let mut sums: [_; SUMS] =
                std::array::from_fn(|s| load::<S, T>(&d_b[s * lanes..(s + 1) * lanes], T::ZERO));
            for row in self.delta.chunks_exact(n_out) {
                let row = &row[first..first + SUMS * lanes];
                for (sum, row) in sums.iter_mut().zip(row.chunks_exact(lanes)) {
                    *sum = sum.add(load::<S, T>(row, T::ZERO));
                }
            }
            for (sum, d_b) in sums.into_iter().zip(d_b.chunks_exact_mut(lanes)) {
                store::<S, T>(sum, d_b);
            }
        }
        for (i, d_b) in rest.chunks_mut(lanes).enumerate() {
            let first = wide + i * lanes;
            let mut sums = load::<S, T>(d_b, T::ZERO);
            for row in self.delta.chunks_exact(n_out) {
                sums = sums.add(load::<S, T>(&row[first..first + d_b.len()], T::ZERO));
            }
            store::<S, T>(sums, d_b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::assert_close;
    use crate::simd::{InstructionSet, dispatch_on};

    #[test]
    fn column_sums_are_added() {
        for (rows, n_out) in [(0, 3), (5, 1), (7, 10), (64, 16), (9, 37)] {
            let delta: Vec<f64> = (0..rows * n_out).map(|i| (i * 37 % 101) as f64 / 50.0 - 1.0).collect();
            let sum = |column| delta[column..].iter().step_by(n_out).sum::<f64>() + 0.5;
            let expected: Vec<f64> =
                (0..n_out).map(|column| if rows > 0 { sum(column) } else { 0.5 }).collect();
            for set in InstructionSet::available() {
                let mut d_b = vec![0.5; n_out];
                dispatch_on(set, ColumnSums { delta: &delta, d_b: &mut d_b });
                assert_close(&d_b, &expected, 1e-14);
            }
        }
    }
}
