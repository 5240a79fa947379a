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
