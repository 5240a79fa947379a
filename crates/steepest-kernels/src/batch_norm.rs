//! Batch normalisation (Ioffe and Szegedy 2015), block of rows by block of rows.
//!
//! A unit's sums `z` become `y = factor (z - mean) + shift`, where `mean` and `factor = scale / sqrt(variance + epsilon)` are
//! those of the whole batch. So a block is looked at twice in each direction: for its share in the batch's sums, and again when
//! these are known. All loops go along the rows, so that the compiler vectorises them.

use crate::Float;
use crate::simd::{Kernel, Simd, dispatch};

/// Each column's mean, and its sum of squared distances from it.
///
/// `z (rows, n)`, at least one row; `mean (n)`, `squares (n)`. Distances are taken from the mean itself, so nothing is lost where
/// it is far from zero; what rounding leaves of their sum corrects both results.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn column_moments<T: Float>(z: &[T], mean: &mut [T], squares: &mut [T]) {
    assert!(mean.len() == squares.len() && !z.is_empty() && z.len().is_multiple_of(mean.len()));
    dispatch(ColumnMoments { z, mean, squares });
}

/// `y = factor (z - mean) + shift` in each row.
///
/// `z (rows, n)`, `y (rows, n)`, the others `(n)`.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn batch_norm<T: Float>(z: &[T], mean: &[T], factor: &[T], shift: &[T], y: &mut [T]) {
    let n = mean.len();
    assert!(factor.len() == n && shift.len() == n && y.len() == z.len() && z.len().is_multiple_of(n));
    dispatch(BatchNorm { z, mean, factor, shift, y });
}

/// `sums += delta` and `products += delta (z - mean)`, over the rows.
///
/// `delta (rows, n)`, the gradient at `y`; `z (rows, n)`, the others `(n)`.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn batch_norm_sums<T: Float>(delta: &[T], z: &[T], mean: &[T], sums: &mut [T], products: &mut [T]) {
    let n = mean.len();
    assert!(sums.len() == n && products.len() == n && z.len() == delta.len() && z.len().is_multiple_of(n));
    dispatch(BatchNormSums { delta, z, mean, sums, products });
}

/// `delta = factor (delta - centre - slope (z - mean))`: from the gradient at `y` to the gradient at `z`.
///
/// `centre` is the mean of `delta` over the batch, `slope` that of `delta (z - mean)`, over the variance. `delta (rows, n)`,
/// `z (rows, n)`, the others `(n)`.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn batch_norm_backward<T: Float>(
    z: &[T],
    mean: &[T],
    factor: &[T],
    centre: &[T],
    slope: &[T],
    delta: &mut [T],
) {
    let n = mean.len();
    assert!(factor.len() == n && centre.len() == n && slope.len() == n);
    assert!(z.len() == delta.len() && z.len().is_multiple_of(n));
    dispatch(BatchNormBackward { z, mean, factor, centre, slope, delta });
}

struct ColumnMoments<'a, T> {
    z: &'a [T],
    mean: &'a mut [T],
    squares: &'a mut [T],
}

/// Columns that are done together: their sums stay in the first cache while all rows pass by.
const COLUMNS: usize = 512;

impl<T: Float> Kernel for ColumnMoments<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { z, mean, squares } = self;
        let n = mean.len();
        let share = T::from_f64(1.0 / (z.len() / n) as f64);
        let mut rest = [T::ZERO; COLUMNS]; // sums of the distances, which would be zero without rounding
        for (i, (mean, squares)) in mean.chunks_mut(COLUMNS).zip(squares.chunks_mut(COLUMNS)).enumerate() {
            let columns = i * COLUMNS..i * COLUMNS + mean.len();
            let rest = &mut rest[..mean.len()];
            mean.fill(T::ZERO);
            for row in z.chunks_exact(n) {
                for (mean, &z) in mean.iter_mut().zip(&row[columns.clone()]) {
                    *mean += z;
                }
            }
            mean.iter_mut().for_each(|mean| *mean *= share);
            squares.fill(T::ZERO);
            rest.fill(T::ZERO);
            for row in z.chunks_exact(n) {
                let sums = mean.iter().zip(&mut *squares).zip(&mut *rest);
                for (((&mean, squares), rest), &z) in sums.zip(&row[columns.clone()]) {
                    let distance = z - mean;
                    *rest += distance;
                    *squares += distance * distance;
                }
            }
            for ((mean, squares), &rest) in mean.iter_mut().zip(squares).zip(&*rest) {
                *mean += rest * share;
                *squares -= rest * rest * share;
            }
        }
    }
}

struct BatchNorm<'a, T> {
    z: &'a [T],
    mean: &'a [T],
    factor: &'a [T],
    shift: &'a [T],
    y: &'a mut [T],
}

impl<T: Float> Kernel for BatchNorm<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { z, mean, factor, shift, y } = self;
        let n = mean.len();
        for (z, y) in z.chunks_exact(n).zip(y.chunks_exact_mut(n)) {
            for ((((y, &z), &mean), &factor), &shift) in y.iter_mut().zip(z).zip(mean).zip(factor).zip(shift)
            {
                *y = factor * (z - mean) + shift;
            }
        }
    }
}

struct BatchNormSums<'a, T> {
    delta: &'a [T],
    z: &'a [T],
    mean: &'a [T],
    sums: &'a mut [T],
    products: &'a mut [T],
}

impl<T: Float> Kernel for BatchNormSums<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { delta, z, mean, sums, products } = self;
        let n = mean.len();
        for (delta, z) in delta.chunks_exact(n).zip(z.chunks_exact(n)) {
            let totals = sums.iter_mut().zip(&mut *products);
            for ((((sum, product), &delta), &z), &mean) in totals.zip(delta).zip(z).zip(mean) {
                *sum += delta;
                *product += delta * (z - mean);
            }
        }
    }
}

struct BatchNormBackward<'a, T> {
    z: &'a [T],
    mean: &'a [T],
    factor: &'a [T],
    centre: &'a [T],
    slope: &'a [T],
    delta: &'a mut [T],
}

impl<T: Float> Kernel for BatchNormBackward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { z, mean, factor, centre, slope, delta } = self;
        let n = mean.len();
        for (z, delta) in z.chunks_exact(n).zip(delta.chunks_exact_mut(n)) {
            let columns = mean.iter().zip(factor).zip(centre).zip(slope);
            for ((delta, &z), (((&mean, &factor), &centre), &slope)) in delta.iter_mut().zip(z).zip(columns) {
                *delta = factor * (*delta - centre - slope * (z - mean));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::products::tests::numbers;
    use crate::reference::{self, assert_close};
    use crate::simd::{InstructionSet, dispatch_on};

    const SHAPES: [(usize, usize); 6] = [(1, 3), (2, 1), (64, 10), (100, 37), (64, 513), (9, 1100)];

    fn check<T: Float>(tolerance: f64) {
        for set in InstructionSet::available() {
            for (rows, n) in SHAPES {
                // Far from zero beside their spread, as sums of inputs that were not centred are.
                let z: Vec<T> = numbers::<T>(rows * n, 1).iter().map(|&z| z + T::from_f64(30.0)).collect();
                let (scale, shift) = (numbers::<T>(n, 2), numbers::<T>(n, 3));
                let delta = numbers::<T>(rows * n, 4);
                let (mut mean, mut squares) = (vec![T::ONE; n], vec![T::ONE; n]);
                dispatch_on(set, ColumnMoments { z: &z, mean: &mut mean, squares: &mut squares });
                let share = 1.0 / rows as f64;
                let inverse: Vec<f64> =
                    squares.iter().map(|s| 1.0 / (s.to_f64() * share + 1e-3).sqrt()).collect();
                let factor: Vec<T> =
                    scale.iter().zip(&inverse).map(|(s, i)| T::from_f64(s.to_f64() * i)).collect();
                let (mut y, mut expected) = (vec![T::ZERO; z.len()], vec![T::ZERO; z.len()]);
                let (mean, factor, shift) = (&mean[..], &factor[..], &shift[..]);
                dispatch_on(set, BatchNorm { z: &z, mean, factor, shift, y: &mut y });
                reference::batch_norm(&z, &scale, shift, 1e-3, &mut expected);
                assert_close(&y, &expected, tolerance);

                let (mut sums, mut products) = (vec![T::ZERO; n], vec![T::ZERO; n]);
                let (half, rest) = (rows / 2 * n, rows * n);
                for rows in [0..half, half..rest] {
                    let (delta, z) = (&delta[rows.clone()], &z[rows]);
                    let (sums, products) = (&mut sums, &mut products);
                    dispatch_on(set, BatchNormSums { delta, z, mean, sums, products });
                }
                let mean_of = |x: &T, by: f64| T::from_f64(x.to_f64() * share * by);
                let centre: Vec<T> = sums.iter().map(|x| mean_of(x, 1.0)).collect();
                let slope: Vec<T> = products.iter().zip(&inverse).map(|(x, i)| mean_of(x, i * i)).collect();
                let (mut d_z, mut expected) = (delta.clone(), delta.clone());
                let (centre, slope) = (&centre[..], &slope[..]);
                dispatch_on(set, BatchNormBackward { z: &z, mean, factor, centre, slope, delta: &mut d_z });
                let (mut d_scale, mut d_shift) = (vec![T::ZERO; n], vec![T::ZERO; n]);
                reference::batch_norm_backward(&z, &scale, 1e-3, &mut expected, &mut d_scale, &mut d_shift);
                assert_close(&d_z, &expected, tolerance);
                assert_close(&sums, &d_shift, tolerance);
                let of_scale: Vec<T> =
                    products.iter().zip(&inverse).map(|(x, i)| T::from_f64(x.to_f64() * i)).collect();
                assert_close(&of_scale, &d_scale, tolerance);
            }
        }
    }

    #[test]
    fn each_step_equals_its_plain_twin() {
        check::<f32>(2e-4);
        check::<f64>(1e-12);
    }

    #[test]
    fn a_spread_far_from_zero_is_not_lost() {
        // 4096 and its neighbours in single precision: a difference of squares would be all rounding.
        let z: Vec<f32> = (0..64).flat_map(|row| [4096.0 + (row % 4) as f32 / 1024.0; 2]).collect();
        let (mut mean, mut squares) = ([0.0; 2], [0.0; 2]);
        column_moments(&z, &mut mean, &mut squares);
        let expected = 64.0 * 1.25 / 1024f64.powi(2);
        assert!(squares.iter().all(|&s| (f64::from(s) / expected - 1.0).abs() < 1e-5), "{squares:?}");
        assert!(mean.iter().all(|&m| (f64::from(m) - 4096.0 - 1.5 / 1024.0).abs() < 3e-4), "{mean:?}");
    }
}
