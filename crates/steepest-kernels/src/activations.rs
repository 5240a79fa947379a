//! Activation functions and their derivatives, over slices of any length.
//!
//! Forward: `a = f(z)`. Backward: `delta *= f'(z)`, from `a` where that is cheaper, so that `delta` turns from the
//! gradient at `a` into the gradient at `z`.

use crate::Float;
use crate::simd::{Kernel, Registers, Simd, dispatch, load, store};
use crate::special::{normal_cdf, tanh as tanh_of};

/// `max(z, 0)`; a NaN passes through, to be noticed.
pub fn relu<T: Float>(z: &[T], a: &mut [T]) {
    map(Relu, z, a);
}

/// [`relu`] of numbers where they lie.
pub fn relu_in_place<T: Float>(z: &mut [T]) {
    dispatch(ReluInPlace { z });
}

struct ReluInPlace<'a, T> {
    z: &'a mut [T],
}

impl<T: Float> Kernel for ReluInPlace<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        for z in self.z.chunks_mut(T::Register::<S>::LANES) {
            store::<S, T>(Relu.of(load::<S, T>(z, T::ZERO), T::Register::<S>::splat(T::ZERO)), z);
        }
    }
}

/// Passes where `a > 0`; at exactly 0 the derivative is 0.
pub fn relu_backward<T: Float>(a: &[T], delta: &mut [T]) {
    leaky_relu_backward(a, T::ZERO, delta);
}

/// `z` above zero, `slope * z` below (Maas et al. 2013).
pub fn leaky_relu<T: Float>(z: &[T], slope: T, a: &mut [T]) {
    map(LeakyRelu { slope }, z, a);
}

/// 1 above zero, `slope` elsewhere; `a` has the sign of `z`.
pub fn leaky_relu_backward<T: Float>(a: &[T], slope: T, delta: &mut [T]) {
    map(LeakyReluBackward { slope }, a, delta);
}

/// `1 / (1 + e^-z)`
pub fn sigmoid<T: Float>(z: &[T], a: &mut [T]) {
    map(Sigmoid, z, a);
}

/// `a (1 - a)`
pub fn sigmoid_backward<T: Float>(a: &[T], delta: &mut [T]) {
    map(SigmoidBackward, a, delta);
}

/// Hyperbolic tangent.
pub fn tanh<T: Float>(z: &[T], a: &mut [T]) {
    map(Tanh, z, a);
}

/// `z Φ(z)`, with the exact normal distribution function (Hendrycks and Gimpel 2016).
pub fn gelu<T: Float>(z: &[T], a: &mut [T]) {
    map(Gelu, z, a);
}

/// `Φ(z) + z φ(z)`
pub fn gelu_backward<T: Float>(z: &[T], delta: &mut [T]) {
    map(GeluBackward, z, delta);
}

/// `1 - a^2`
pub fn tanh_backward<T: Float>(a: &[T], delta: &mut [T]) {
    map(TanhBackward, a, delta);
}

/// A function of numbers that lie in the same place of two slices, on registers.
///
/// Not a closure: one would be compiled without the instruction set's features.
trait Function<T: Float>: Copy {
    fn of<R: Registers<T>>(self, x: R, out: R) -> R;
}

/// `out = f(x, out)`
fn map<T: Float>(f: impl Function<T>, x: &[T], out: &mut [T]) {
    assert_eq!(x.len(), out.len());
    dispatch(Map { f, x, out });
}

struct Map<'a, T, F> {
    f: F,
    x: &'a [T],
    out: &'a mut [T],
}

impl<T: Float, F: Function<T>> Kernel for Map<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let lanes = T::Register::<S>::LANES;
        let (mut x, mut out) = (self.x.chunks_exact(lanes), self.out.chunks_exact_mut(lanes));
        for (x, out) in (&mut x).zip(&mut out) {
            store::<S, T>(self.f.of(load::<S, T>(x, T::ZERO), load::<S, T>(out, T::ZERO)), out);
        }
        let (x, out) = (x.remainder(), out.into_remainder());
        if !x.is_empty() {
            store::<S, T>(self.f.of(load::<S, T>(x, T::ZERO), load::<S, T>(out, T::ZERO)), out);
        }
    }
}

#[derive(Clone, Copy)]
struct Relu;

impl<T: Float> Function<T> for Relu {
    #[inline(always)]
    fn of<R: Registers<T>>(self, z: R, _: R) -> R {
        // In this order: of a NaN, `max` gives the second.
        R::splat(T::ZERO).max(z)
    }
}

#[derive(Clone, Copy)]
struct LeakyRelu<T> {
    slope: T,
}

impl<T: Float> Function<T> for LeakyRelu<T> {
    #[inline(always)]
    fn of<R: Registers<T>>(self, z: R, _: R) -> R {
        z.where_positive(z, z.mul(R::splat(self.slope)))
    }
}

#[derive(Clone, Copy)]
struct LeakyReluBackward<T> {
    slope: T,
}

impl<T: Float> Function<T> for LeakyReluBackward<T> {
    #[inline(always)]
    fn of<R: Registers<T>>(self, a: R, delta: R) -> R {
        a.where_positive(delta, delta.mul(R::splat(self.slope)))
    }
}

#[derive(Clone, Copy)]
struct Sigmoid;

impl<T: Float> Function<T> for Sigmoid {
    #[inline(always)]
    fn of<R: Registers<T>>(self, z: R, _: R) -> R {
        let one = R::splat(T::ONE);
        one.div(one.add(R::splat(T::ZERO).sub(z).exp()))
    }
}

#[derive(Clone, Copy)]
struct SigmoidBackward;

impl<T: Float> Function<T> for SigmoidBackward {
    #[inline(always)]
    fn of<R: Registers<T>>(self, a: R, delta: R) -> R {
        delta.mul(a).mul(R::splat(T::ONE).sub(a))
    }
}

#[derive(Clone, Copy)]
struct Tanh;

impl<T: Float> Function<T> for Tanh {
    #[inline(always)]
    fn of<R: Registers<T>>(self, z: R, _: R) -> R {
        tanh_of(z)
    }
}

#[derive(Clone, Copy)]
struct TanhBackward;

impl<T: Float> Function<T> for TanhBackward {
    #[inline(always)]
    fn of<R: Registers<T>>(self, a: R, delta: R) -> R {
        delta.mul(R::splat(T::ONE).sub(a.mul(a)))
    }
}

#[derive(Clone, Copy)]
struct Gelu;

impl<T: Float> Function<T> for Gelu {
    #[inline(always)]
    fn of<R: Registers<T>>(self, z: R, _: R) -> R {
        // Minus infinity times zero is no number, but the function's limit is 0.
        let z = z.max(R::splat(T::from_f64(-1e30)));
        z.mul(normal_cdf(z))
    }
}

#[derive(Clone, Copy)]
struct GeluBackward;

impl<T: Float> Function<T> for GeluBackward {
    #[inline(always)]
    fn of<R: Registers<T>>(self, z: R, delta: R) -> R {
        let root = R::splat(T::from_f64(1.0 / (2.0 * std::f64::consts::PI).sqrt()));
        let density = z.mul(z).mul(R::splat(T::from_f64(-0.5))).exp().mul(root);
        delta.mul(density.mul_add(z, normal_cdf(z)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;
    use crate::simd::{InstructionSet, dispatch_on};

    #[test]
    fn sigmoid_equals_its_plain_twin_from_underflow_to_overflow() {
        let z: Vec<f32> = (-2200..2200).map(|i| i as f32 * 0.05).collect();
        let mut expected = vec![0.0; z.len()];
        reference::sigmoid(&z, &mut expected);
        for set in InstructionSet::available() {
            let mut a = vec![0.0; z.len()];
            dispatch_on(set, Map { f: Sigmoid, x: &z, out: &mut a });
            for ((&z, &a), &e) in z.iter().zip(&a).zip(&expected) {
                assert!((a - e).abs() <= 4e-7 * e + 1e-38, "{set:?}: sigmoid({z}) = {a}, not {e}");
            }
            let extreme = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e30, -1e30];
            let mut a = [0.0; 5];
            dispatch_on(set, Map { f: Sigmoid, x: &extreme, out: &mut a });
            assert_eq!([a[0], a[1], a[3], a[4]], [1.0, 0.0, 1.0, 0.0]);
            assert!(a[2].is_nan(), "a NaN stays one");
        }
    }

    #[test]
    fn rectifiers_are_exact_at_every_length_and_keep_what_is_no_number() {
        let z: Vec<f32> = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, 1e-40, -1e-40]
            .into_iter()
            .chain((-40..41).map(|i| i as f32 * 0.37))
            .collect();
        for set in InstructionSet::available() {
            for n in 0..z.len() {
                let z = &z[..n];
                let (mut a, mut leaky) = (vec![7.0; n], vec![7.0; n]);
                dispatch_on(set, Map { f: Relu, x: z, out: &mut a });
                dispatch_on(set, Map { f: LeakyRelu { slope: 0.25 }, x: z, out: &mut leaky });
                let mut d = vec![3.0; n];
                dispatch_on(set, Map { f: LeakyReluBackward { slope: 0.25 }, x: z, out: &mut d });
                for i in 0..n {
                    let is = |a: f32, b: f32| a == b || a.is_nan() && b.is_nan();
                    let above = z[i] > 0.0;
                    assert!(is(a[i], if above || z[i].is_nan() { z[i] } else { 0.0 }), "{set:?} {}", z[i]);
                    assert!(is(leaky[i], if above { z[i] } else { 0.25 * z[i] }), "{set:?} {}", z[i]);
                    assert!(is(d[i], if above { 3.0 } else { 0.75 }), "{set:?} {}", z[i]);
                }
            }
        }
    }

    #[test]
    fn derivatives_agree_with_central_differences() {
        type Pair = (fn(&[f64], &mut [f64]), fn(&[f64], &[f64], &mut [f64]));
        let pairs: [Pair; 5] = [
            (|z, a| relu(z, a), |_, a, d| relu_backward(a, d)),
            (|z, a| leaky_relu(z, 0.01, a), |_, a, d| leaky_relu_backward(a, 0.01, d)),
            (|z, a| sigmoid(z, a), |_, a, d| sigmoid_backward(a, d)),
            (|z, a| tanh(z, a), |_, a, d| tanh_backward(a, d)),
            (|z, a| gelu(z, a), |z, _, d| gelu_backward(z, d)),
        ];
        let z: Vec<f64> = (-30..30).map(|i| f64::from(i) * 0.1 + 0.05).collect();
        let h = 1e-6;
        for (forward, backward) in pairs {
            let at = |shift: f64| {
                let mut a = vec![0.0; z.len()];
                forward(&z.iter().map(|z| z + shift).collect::<Vec<_>>(), &mut a);
                a
            };
            let (a, up, down) = (at(0.0), at(h), at(-h));
            let mut delta = vec![1.0; z.len()];
            backward(&z, &a, &mut delta);
            for i in 0..z.len() {
                assert!((delta[i] - (up[i] - down[i]) / (2.0 * h)).abs() < 1e-8);
            }
        }
    }
}
