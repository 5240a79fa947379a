//! The gradient of a layer's bias.

// Tiles are arrays of registers, and are written as such.
#![allow(clippy::needless_range_loop)]

use crate::Float;
use crate::simd::{Kernel, Registers, Simd, dispatch, load, store};
use crate::walks::{tiles, with_constant};

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
    fn run<S: Simd>(mut self) {
        // Several registers at a time, so that one sum need not wait for the one before; the last may be a part of one.
        let (lanes, n_out) = (T::Register::<S>::LANES, self.d_b.len());
        for (first, count) in tiles(n_out.div_ceil(lanes), 8) {
            with_constant!(count, [1 2 3 4 5 6 7 8], N => if (first + N) * lanes <= n_out {
                self.columns::<S, N, false>(first * lanes);
            } else {
                self.columns::<S, N, true>(first * lanes);
            });
        }
    }
}

impl<T: Float> ColumnSums<'_, T> {
    /// `N` registers of columns from `first` on; with `PARTIAL` the last is not full.
    #[inline(always)]
    fn columns<S: Simd, const N: usize, const PARTIAL: bool>(&mut self, first: usize) {
        let (lanes, n_out) = (T::Register::<S>::LANES, self.d_b.len());
        let end = n_out.min(first + N * lanes);
        let place = |n: usize| {
            if PARTIAL && n + 1 == N { n * lanes..end - first } else { n * lanes..(n + 1) * lanes }
        };
        let d_b = &mut self.d_b[first..end];
        let mut sums: [_; N] = std::array::from_fn(|n| load::<S, T>(&d_b[place(n)], T::ZERO));
        for row in self.delta.chunks_exact(n_out) {
            let row = &row[first..end];
            for n in 0..N {
                sums[n] = sums[n].add(load::<S, T>(&row[place(n)], T::ZERO));
            }
        }
        for n in 0..N {
            store::<S, T>(sums[n], &mut d_b[place(n)]);
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
        for (rows, n_out) in [(0, 3), (5, 1), (7, 10), (64, 16), (9, 37), (50, 100), (4, 300)] {
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
