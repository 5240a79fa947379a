//! From stored numbers to the precision of the network, and back.

use crate::Float;
use crate::simd::{Kernel, Registers, Simd, dispatch, load, prefetch_slice, store};

/// `out = bytes * factor`.
///
/// # Panics
/// When the lengths differ.
pub fn widen<T: Float>(bytes: &[u8], factor: T, out: &mut [T]) {
    assert_eq!(bytes.len(), out.len());
    dispatch(Widen { bytes, factor, out });
}

struct Widen<'a, T> {
    bytes: &'a [u8],
    factor: T,
    out: &'a mut [T],
}

impl<T: Float> Kernel for Widen<'_, T> {
    type Output = ();

    // A flat loop that the compiler turns into a widening load, a conversion and a product per register.
    #[inline(always)]
    fn run<S: Simd>(self) {
        for (out, &byte) in self.out.iter_mut().zip(self.bytes) {
            *out = T::from_u8(byte) * self.factor;
        }
    }
}

/// Whether all of `x` are whole numbers from 0 to 255 divided by `scale`, but for rounding; these then are in `out`.
///
/// # Panics
/// When the lengths differ.
pub fn to_bytes<T: Float>(x: &[T], scale: T, out: &mut [u8]) -> bool {
    assert_eq!(x.len(), out.len());
    dispatch(ToBytes { x, scale, out })
}

struct ToBytes<'a, T> {
    x: &'a [T],
    scale: T,
    out: &'a mut [u8],
}

impl<T: Float> Kernel for ToBytes<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd>(self) -> bool {
        // A product with the reciprocal may be off by a rounding from the quotient.
        let (tolerance, reciprocal) = (T::from_f64(2.0) * T::EPSILON, T::ONE / self.scale);
        let half = T::from_f64(0.5);
        let mut are_bytes = true;
        for (out, &x) in self.out.iter_mut().zip(self.x) {
            // What is no number, negative or too large becomes some byte, which it then is not.
            let byte = (x * self.scale + half).to_u8();
            *out = byte;
            let back = T::from_u8(byte) * reciprocal;
            are_bytes &= (back - x).abs() <= tolerance * back;
        }
        are_bytes
    }
}

/// `out = x * factor`, from any precision to any other.
///
/// # Panics
/// When the lengths differ.
pub fn narrow<F: Float, T: Float>(x: &[F], factor: f64, out: &mut [T]) {
    assert_eq!(x.len(), out.len());
    dispatch(Narrow { x, factor, out });
}

struct Narrow<'a, F, T> {
    x: &'a [F],
    factor: f64,
    out: &'a mut [T],
}

impl<F: Float, T: Float> Kernel for Narrow<'_, F, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        narrow_row(self.x, self.factor, self.out);
    }
}

// As above.
#[inline(always)]
fn narrow_row<F: Float, T: Float>(x: &[F], factor: f64, out: &mut [T]) {
    if factor == 1.0 {
        out.iter_mut().zip(x).for_each(|(out, x)| *out = T::from_f64(x.to_f64()));
    } else {
        out.iter_mut().zip(x).for_each(|(out, x)| *out = T::from_f64(x.to_f64() * factor));
    }
}

/// `out[i] = x[rows[i]] * factor`: rows brought together that lie anywhere, from any precision to any other.
///
/// `x (any, width)`, `out (rows, width)`.
///
/// # Panics
/// When the slices do not have these shapes, or a row does not exist.
pub fn gather_rows<F: Float, T: Float>(x: &[F], width: usize, rows: &[u32], factor: f64, out: &mut [T]) {
    assert_eq!(out.len(), rows.len() * width);
    dispatch(GatherRows { x, width, rows, factor, out });
}

struct GatherRows<'a, F, T> {
    x: &'a [F],
    width: usize,
    rows: &'a [u32],
    factor: f64,
    out: &'a mut [T],
}

/// How many rows ahead rows are asked for: they lie anywhere, and memory is slow to answer.
const AHEAD: usize = 4;

impl<F: Float, T: Float> Kernel for GatherRows<'_, F, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let lanes = T::Register::<S>::LANES;
        let row = |row: u32| &self.x[row as usize * self.width..][..self.width];
        for (i, out) in self.out.chunks_exact_mut(self.width).enumerate() {
            if let Some(&later) = self.rows.get(i + AHEAD) {
                prefetch_slice(row(later));
            }
            let row = row(self.rows[i]);
            match (self.factor == 1.0).then(|| F::numbers_of::<T>(row)).flatten() {
                // Short rows are sooner copied by registers than by calls.
                Some(row) => {
                    for (out, row) in out.chunks_mut(lanes).zip(row.chunks(lanes)) {
                        store::<S, T>(load::<S, T>(row, T::ZERO), out);
                    }
                }
                None => narrow_row(row, self.factor, out),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{InstructionSet, dispatch_on};

    #[test]
    fn rows_are_brought_together_in_their_order() {
        for width in [1, 4, 20, 33] {
            let x: Vec<f64> = (0..9 * width).map(|i| i as f64 / 7.0).collect();
            let rows = [8u32, 0, 3, 3, 7, 1, 8];
            for factor in [1.0, 0.3] {
                let whole = || rows.iter().flat_map(|&row| &x[row as usize * width..][..width]);
                let expected: Vec<f64> = whole().map(|x| x * factor).collect();
                let narrow: Vec<f32> = expected.iter().map(|&x| x as f32).collect();
                for set in InstructionSet::available() {
                    let (mut out, mut out_narrow) = (vec![0.0; expected.len()], vec![0.0; expected.len()]);
                    dispatch_on(set, GatherRows { x: &x, width, rows: &rows, factor, out: &mut out });
                    dispatch_on(set, GatherRows { x: &x, width, rows: &rows, factor, out: &mut out_narrow });
                    assert_eq!((&out, &out_narrow), (&expected, &narrow));
                }
            }
        }
    }

    #[test]
    #[should_panic]
    fn a_row_that_does_not_exist_is_refused() {
        gather_rows(&[1.0f32; 6], 3, &[2], 1.0, &mut [0.0f32; 3]);
    }
}
