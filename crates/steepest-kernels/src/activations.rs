//! Activation functions and their derivatives, over slices of any length.
//!
//! Forward: `a = f(z)`. Backward: `delta *= f'(z)`, from `a` where that is cheaper, so that `delta` turns from the
//! gradient at `a` into the gradient at `z`.

use crate::Float;
use crate::simd::{Kernel, Registers, Simd, dispatch, load, store};

/// `max(z, 0)`
pub fn relu<T: Float>(z: &[T], a: &mut [T]) {
    leaky_relu(z, T::ZERO, a);
}

/// Passes where `a > 0`; at exactly 0 the derivative is 0.
pub fn relu_backward<T: Float>(a: &[T], delta: &mut [T]) {
    leaky_relu_backward(a, T::ZERO, delta);
}

/// `z` above zero, `slope * z` below (Maas et al. 2013).
pub fn leaky_relu<T: Float>(z: &[T], slope: T, a: &mut [T]) {
    // A NaN passes through, to be noticed; `max` would hide it.
    let f = |z: T, _| {
        if z > T::ZERO {
            z
        } else if slope == T::ZERO && z <= T::ZERO {
            T::ZERO
        } else {
            slope * z
        }
    };
    dispatch(Each { x: z, out: a, f });
}

/// 1 above zero, `slope` elsewhere; `a` has the sign of `z`.
pub fn leaky_relu_backward<T: Float>(a: &[T], slope: T, delta: &mut [T]) {
    let f = |a: T, delta: T| if a > T::ZERO { delta } else { slope * delta };
    dispatch(Each { x: a, out: delta, f });
}

/// `1 / (1 + e^-z)`
///
/// # Panics
/// When the lengths differ.
pub fn sigmoid<T: Float>(z: &[T], a: &mut [T]) {
    assert_eq!(z.len(), a.len());
    dispatch(Sigmoid { z, a });
}

/// `a (1 - a)`
pub fn sigmoid_backward<T: Float>(a: &[T], delta: &mut [T]) {
    let f = |a: T, delta: T| delta * a * (T::ONE - a);
    dispatch(Each { x: a, out: delta, f });
}

/// Hyperbolic tangent.
pub fn tanh<T: Float>(z: &[T], a: &mut [T]) {
    for (a, &z) in a.iter_mut().zip(z) {
        *a = z.tanh();
    }
}

/// `1 - a^2`
pub fn tanh_backward<T: Float>(a: &[T], delta: &mut [T]) {
    let f = |a: T, delta: T| delta * (T::ONE - a * a);
    dispatch(Each { x: a, out: delta, f });
}

/// `out = f(x, out)` for each pair: simple enough for the compiler to vectorise.
struct Each<'a, T, F> {
    x: &'a [T],
    out: &'a mut [T],
    f: F,
}

impl<T: Float, F: Fn(T, T) -> T> Kernel for Each<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        for (out, &x) in self.out.iter_mut().zip(self.x) {
            *out = (self.f)(x, *out);
        }
    }
}

/// `z Φ(z)`, with the exact normal distribution function (Hendrycks and Gimpel 2016).
pub fn gelu<T: Float>(z: &[T], a: &mut [T]) {
    for (a, &z) in a.iter_mut().zip(z) {
        *a = z * normal_cdf(z);
    }
}

/// `Φ(z) + z φ(z)`
pub fn gelu_backward<T: Float>(z: &[T], delta: &mut [T]) {
    let root = T::from_f64(1.0 / (2.0 * std::f64::consts::PI).sqrt());
    for (delta, &z) in delta.iter_mut().zip(z) {
        let density = root * (T::from_f64(-0.5) * z * z).exp();
        *delta *= normal_cdf(z) + z * density;
    }
}

fn normal_cdf<T: Float>(z: T) -> T {
    T::from_f64(0.5) * (T::ONE + (z * T::from_f64(std::f64::consts::FRAC_1_SQRT_2)).erf())
}

struct Sigmoid<'a, T> {
    z: &'a [T],
    a: &'a mut [T],
}

impl<T: Float> Kernel for Sigmoid<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let lanes = T::Register::<S>::LANES;
        for (z, a) in self.z.chunks(lanes).zip(self.a.chunks_mut(lanes)) {
            store::<S, T>(sigmoid_of(load::<S, T>(z, T::ZERO)), a);
        }
    }
}

// Not a closure: one would be compiled without the instruction set's features.
#[inline(always)]
fn sigmoid_of<T: Float, R: Registers<T>>(z: R) -> R {
    let one = R::splat(T::ONE);
    one.div(one.add(R::splat(T::ZERO).sub(z).exp()))
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
            dispatch_on(set, Sigmoid { z: &z, a: &mut a });
            for ((&z, &a), &e) in z.iter().zip(&a).zip(&expected) {
                assert!((a - e).abs() <= 4e-7 * e + 1e-38, "{set:?}: sigmoid({z}) = {a}, not {e}");
            }
            let extreme = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e30, -1e30];
            let mut a = [0.0; 5];
            dispatch_on(set, Sigmoid { z: &extreme, a: &mut a });
            assert_eq!([a[0], a[1], a[3], a[4]], [1.0, 0.0, 1.0, 0.0]);
            assert!(a[2].is_nan(), "a NaN stays one");
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
