//! From stored numbers to the precision of the network, and back.

use crate::Float;
use crate::simd::{Kernel, Simd, dispatch};

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

    // As above.
    #[inline(always)]
    fn run<S: Simd>(self) {
        for (out, &x) in self.out.iter_mut().zip(self.x) {
            *out = T::from_f64(x.to_f64() * self.factor);
        }
    }
}
