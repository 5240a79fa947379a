//! What optimizers do to the one flat vector of parameters.

use crate::Float;
use crate::simd::{Kernel, Registers, Simd, dispatch, load, store};

/// `y += a x`
///
/// # Panics
/// When the lengths differ.
pub fn axpy<T: Float>(a: T, x: &[T], y: &mut [T]) {
    assert_eq!(x.len(), y.len());
    dispatch(Axpy { a, x, y });
}

struct Axpy<'a, T> {
    a: T,
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Float> Kernel for Axpy<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        for (y, &x) in self.y.iter_mut().zip(self.x) {
            *y += self.a * x;
        }
    }
}

/// `out[i] = sum over all x of x[first + i]`, added in their order.
///
/// # Panics
/// When there is none, or one of them does not go so far.
pub fn sum<T: Float>(all: &[&[T]], first: usize, out: &mut [T]) {
    assert!(!all.is_empty() && all.iter().all(|x| x.len() >= first + out.len()));
    dispatch(Sum { all, first, out });
}

struct Sum<'a, T> {
    all: &'a [&'a [T]],
    first: usize,
    out: &'a mut [T],
}

impl<T: Float> Kernel for Sum<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        // Several registers stay where they are while all pass by.
        const SUMS: usize = 4;
        let (lanes, mut first) = (T::Register::<S>::LANES, self.first);
        let mut many = self.out.chunks_exact_mut(SUMS * lanes);
        for out in &mut many {
            let all = self.all.iter().map(|x| &x[first..first + SUMS * lanes]);
            let mut sums = [T::Register::<S>::splat(T::ZERO); SUMS];
            for (i, x) in all.enumerate() {
                for (sum, x) in sums.iter_mut().zip(x.chunks_exact(lanes)) {
                    let x = load::<S, T>(x, T::ZERO);
                    *sum = if i == 0 { x } else { sum.add(x) };
                }
            }
            sums.into_iter().zip(out.chunks_exact_mut(lanes)).for_each(|(sum, out)| store::<S, T>(sum, out));
            first += SUMS * lanes;
        }
        for out in many.into_remainder().chunks_mut(lanes) {
            let mut all = self.all.iter().map(|x| load::<S, T>(&x[first..first + out.len()], T::ZERO));
            let sum = all.next().unwrap_or(T::Register::<S>::splat(T::ZERO));
            store::<S, T>(all.fold(sum, |sum, x| sum.add(x)), out);
            first += out.len();
        }
    }
}

/// `mean += rate (x - mean)`: a running mean follows `x`, which it equals at a rate of 1.
///
/// # Panics
/// When the lengths differ.
pub fn lerp<T: Float>(rate: T, x: &[T], mean: &mut [T]) {
    assert_eq!(x.len(), mean.len());
    dispatch(Lerp { rate, x, mean });
}

struct Lerp<'a, T> {
    rate: T,
    x: &'a [T],
    mean: &'a mut [T],
}

impl<T: Float> Kernel for Lerp<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        for (mean, &x) in self.mean.iter_mut().zip(self.x) {
            *mean += self.rate * (x - *mean);
        }
    }
}

/// `x *= a`
pub fn scale<T: Float>(a: T, x: &mut [T]) {
    dispatch(Scale { a, x });
}

struct Scale<'a, T> {
    a: T,
    x: &'a mut [T],
}

impl<T: Float> Kernel for Scale<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        self.x.iter_mut().for_each(|x| *x *= self.a);
    }
}

/// Sum of all `x y` in double precision, always added in the same order.
///
/// # Panics
/// When the lengths differ.
pub fn dot<T: Float>(x: &[T], y: &[T]) -> f64 {
    assert_eq!(x.len(), y.len());
    dispatch(Dot { x, y })
}

struct Dot<'a, T> {
    x: &'a [T],
    y: &'a [T],
}

impl<T: Float> Kernel for Dot<'_, T> {
    type Output = f64;
    #[inline(always)]
    fn run<S: Simd>(self) -> f64 {
        // Many sums at once, to be vectorised.
        let mut sums = [0.0; 32];
        let (xs, x_rest) = self.x.as_chunks::<32>();
        let (ys, y_rest) = self.y.as_chunks::<32>();
        for (x, y) in xs.iter().zip(ys) {
            for (sum, (x, y)) in sums.iter_mut().zip(x.iter().zip(y)) {
                *sum += x.to_f64() * y.to_f64();
            }
        }
        let rest = x_rest.iter().zip(y_rest).map(|(x, y)| x.to_f64() * y.to_f64());
        sums.into_iter().chain(rest).sum()
    }
}

/// Whether no number of `x` is infinite or NaN.
pub fn all_finite<T: Float>(x: &[T]) -> bool {
    dispatch(AllFinite { x })
}

struct AllFinite<'a, T> {
    x: &'a [T],
}

impl<T: Float> Kernel for AllFinite<'_, T> {
    type Output = bool;
    #[inline(always)]
    fn run<S: Simd>(self) -> bool {
        // `x * 0` is 0 for every finite `x` and NaN for the others; many sums at once, to be vectorised.
        let mut sums = [T::ZERO; 64];
        let (chunks, rest) = self.x.as_chunks::<64>();
        for chunk in chunks {
            for (sum, &x) in sums.iter_mut().zip(chunk) {
                *sum += x * T::ZERO;
            }
        }
        sums.into_iter().chain(rest.iter().map(|&x| x * T::ZERO)).all(|x| x == T::ZERO)
    }
}

/// The numbers of one step of gradient descent with momentum.
#[derive(Clone, Copy, Debug)]
pub struct MomentumStep<T> {
    /// What a gradient is multiplied by on its way into the running sum: 1 in PyTorch, the learning rate in Keras and
    /// scikit-learn. That differs where the rate changes.
    pub inner: T,
    /// What the running sum is multiplied by on its way into the parameters: the learning rate in PyTorch, 1 elsewhere.
    pub outer: T,
    /// How much of the running sum stays.
    pub momentum: T,
    /// Look ahead along the running sum (Sutskever et al. 2013).
    pub nesterov: bool,
}

/// `v = momentum v + inner d`, then `w -= outer v`, or with `nesterov` `w -= outer (inner d + momentum v)`.
///
/// # Panics
/// When the lengths differ.
pub fn momentum<T: Float>(step: &MomentumStep<T>, d: &[T], v: &mut [T], w: &mut [T]) {
    assert!(d.len() == w.len() && v.len() == w.len());
    dispatch(Momentum { step: *step, d, v, w });
}

struct Momentum<'a, T> {
    step: MomentumStep<T>,
    d: &'a [T],
    v: &'a mut [T],
    w: &'a mut [T],
}

impl<T: Float> Kernel for Momentum<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let MomentumStep { inner, outer, momentum, nesterov } = self.step;
        for ((w, v), &d) in self.w.iter_mut().zip(self.v).zip(self.d) {
            let d = inner * d;
            *v = without_tiny(momentum * *v + d);
            *w -= outer * if nesterov { d + momentum * *v } else { *v };
        }
    }
}

/// The numbers of one step of Adam.
#[derive(Clone, Copy, Debug)]
pub struct AdamStep<T> {
    /// Learning rate.
    pub rate: T,
    /// Decay of the mean of gradients.
    pub beta1: T,
    /// Decay of the mean of squared gradients.
    pub beta2: T,
    /// Added to the root, outside the correction.
    pub epsilon: T,
    /// `1 - beta1^t` for step `t`, from 1.
    pub correction1: T,
    /// `1 - beta2^t` for step `t`, from 1.
    pub correction2: T,
    /// Decoupled weight decay (AdamW): subtracts `rate * decay * w`.
    pub decay: T,
}

/// One step of Adam (Kingma and Ba 2015) or AdamW (Loshchilov and Hutter 2019), as PyTorch writes them.
///
/// # Panics
/// When the lengths differ.
pub fn adam<T: Float>(step: &AdamStep<T>, d: &[T], m: &mut [T], v: &mut [T], w: &mut [T]) {
    assert!(d.len() == w.len() && m.len() == w.len() && v.len() == w.len());
    dispatch(Adam { step: *step, d, m, v, w });
}

struct Adam<'a, T> {
    step: AdamStep<T>,
    d: &'a [T],
    m: &'a mut [T],
    v: &'a mut [T],
    w: &'a mut [T],
}

impl<T: Float> Kernel for Adam<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let s = self.step;
        // Root and division take longest: what they share is taken out, as PyTorch does.
        let (rate, root) = (s.rate / s.correction1, T::ONE / s.correction2.sqrt());
        for (((w, v), m), &d) in self.w.iter_mut().zip(self.v).zip(self.m).zip(self.d) {
            *m = without_tiny(s.beta1 * *m + (T::ONE - s.beta1) * d);
            *v = without_tiny(s.beta2 * *v + (T::ONE - s.beta2) * d * d);
            *w = *w - s.rate * s.decay * *w - rate * *m / (v.sqrt() * root + s.epsilon);
        }
    }
}

/// The numbers of one step of RMSprop.
#[derive(Clone, Copy, Debug)]
pub struct RmspropStep<T> {
    /// Learning rate.
    pub rate: T,
    /// Decay of the mean of squared gradients.
    pub alpha: T,
    /// Added to the root.
    pub epsilon: T,
    /// How much of the running sum of scaled gradients stays.
    pub momentum: T,
}

/// One step of RMSprop (Tieleman and Hinton 2012), as PyTorch writes it: `v = alpha v + (1 - alpha) d^2`, then
/// `b = momentum b + d / (sqrt(v) + epsilon)` and `w -= rate b`. Without momentum `b` may be empty.
///
/// # Panics
/// When the lengths differ.
pub fn rmsprop<T: Float>(step: &RmspropStep<T>, d: &[T], v: &mut [T], b: &mut [T], w: &mut [T]) {
    let has_momentum = step.momentum != T::ZERO;
    assert!(d.len() == w.len() && v.len() == w.len() && (b.len() == w.len() || !has_momentum));
    dispatch(Rmsprop { step: *step, d, v, b, w });
}

struct Rmsprop<'a, T> {
    step: RmspropStep<T>,
    d: &'a [T],
    v: &'a mut [T],
    b: &'a mut [T],
    w: &'a mut [T],
}

impl<T: Float> Kernel for Rmsprop<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let s = self.step;
        let scaled = |v: &mut T, d: T| {
            *v = without_tiny(s.alpha * *v + (T::ONE - s.alpha) * d * d);
            d / (v.sqrt() + s.epsilon)
        };
        let steps = self.w.iter_mut().zip(self.v).zip(self.d);
        if s.momentum == T::ZERO {
            steps.for_each(|((w, v), &d)| *w -= s.rate * scaled(v, d));
            return;
        }
        for (((w, v), &d), b) in steps.zip(self.b) {
            *b = without_tiny(s.momentum * *b + scaled(v, d));
            *w -= s.rate * *b;
        }
    }
}

/// Zero instead of a number that whatever it is added to will not feel. The memory of a weight whose input has long been blank
/// decays towards zero, and the last of its way, below the smallest normal number, makes every step many times as slow.
#[inline(always)]
fn without_tiny<T: Float>(x: T) -> T {
    if x.abs() < T::TINY { T::ZERO } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;

    #[test]
    fn memory_that_decays_ends_at_zero() {
        let (mut v, mut w) = ([1.0f32, -1.0], [0.5; 2]);
        for _ in 0..2_000 {
            let step = MomentumStep { inner: 1.0, outer: 0.01, momentum: 0.9, nesterov: false };
            momentum(&step, &[0.0; 2], &mut v, &mut w);
            assert!(v.iter().all(|v| *v == 0.0 || v.is_normal()));
        }
        assert_eq!(v, [0.0; 2]);
        let (mut m, mut v) = ([1.0f32, -1.0], [1.0; 2]);
        let step = AdamStep { rate: 0.01, beta1: 0.9, beta2: 0.9, epsilon: 1e-8, ..NO_CORRECTION };
        for _ in 0..2_000 {
            adam(&step, &[0.0; 2], &mut m, &mut v, &mut w);
            assert!(m.iter().chain(&v).all(|x| *x == 0.0 || x.is_normal()));
        }
        assert_eq!((m, v), ([0.0; 2], [0.0; 2]));
    }

    const NO_CORRECTION: AdamStep<f32> = AdamStep {
        rate: 0.0,
        beta1: 0.0,
        beta2: 0.0,
        epsilon: 0.0,
        correction1: 1.0,
        correction2: 1.0,
        decay: 0.0,
    };

    #[test]
    fn one_infinite_or_nan_number_is_found_anywhere() {
        for bad in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
            for i in 0..150 {
                let mut x = vec![-1e38f32; 150];
                assert!(all_finite(&x));
                x[i] = bad;
                assert!(!all_finite(&x));
            }
        }
    }

    #[test]
    fn sums_are_added_in_their_order() {
        for n in [0, 1, 63, 64, 65, 200] {
            let all: Vec<Vec<f32>> =
                [1e8, 1.0, -1e8, 0.25].map(|x| (0..n + 3).map(|i| x + i as f32).collect()).to_vec();
            for count in 1..=all.len() {
                let slices: Vec<&[f32]> = all[..count].iter().map(|x| &x[..]).collect();
                let mut out = vec![f32::NAN; n];
                sum(&slices, 3, &mut out);
                for (i, out) in out.into_iter().enumerate() {
                    let expected = slices[1..].iter().fold(slices[0][3 + i], |sum, x| sum + x[3 + i]);
                    assert_eq!(out, expected);
                }
            }
        }
    }

    #[test]
    fn a_running_mean_equals_its_plain_twin() {
        let x: Vec<f64> = (0..37).map(|i| f64::from(i) * 0.3 - 1.7).collect();
        let mut mean: Vec<f64> = x.iter().map(|x| 1.0 - x * x).collect();
        let mut expected = mean.clone();
        for rate in [0.9, 0.05, 0.001] {
            lerp(rate, &x, &mut mean);
            reference::lerp(rate, &x, &mut expected);
            reference::assert_close(&mean, &expected, 1e-14);
        }
        lerp(1.0, &x, &mut mean);
        reference::assert_close(&mean, &x, 1e-14);
    }

    #[test]
    fn scaling_and_squares_are_those_of_plain_loops() {
        for n in [0, 1, 31, 32, 33, 100] {
            let mut x: Vec<f32> = (0..n).map(|i| i as f32 * 0.3 - 7.0).collect();
            let squares: f64 = x.iter().map(|&x| f64::from(x).powi(2)).sum();
            assert!((dot(&x, &x) - squares).abs() <= 1e-12 * (1.0 + squares));
            let y: Vec<f32> = (0..n).map(|i| 1.0 / (1 + i) as f32).collect();
            let products: f64 = x.iter().zip(&y).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum();
            assert!((dot(&x, &y) - products).abs() <= 1e-12 * (1.0 + squares));
            let expected: Vec<f32> = x.iter().map(|x| 0.7 * x).collect();
            scale(0.7, &mut x);
            assert_eq!(x, expected);
        }
        assert!(
            dot(&[f32::MAX; 40], &[f32::MAX; 40]).is_finite() && dot(&[0.0, f32::NAN], &[1.0; 2]).is_nan()
        );
    }

    #[test]
    fn rmsprop_equals_its_plain_twin() {
        let d: Vec<f64> = (0..37).map(|i| f64::from(i) * 0.1 - 1.7).collect();
        for momentum in [0.0, 0.9] {
            let step = RmspropStep { rate: 0.01, alpha: 0.95, epsilon: 1e-8, momentum };
            let start = |x: f64| vec![x; d.len()];
            let (mut v, mut b, mut w) = (start(0.1), start(0.2), start(0.3));
            let (mut v2, mut b2, mut w2) =
                (v.clone(), if momentum == 0.0 { vec![] } else { b.clone() }, w.clone());
            for _ in 0..3 {
                reference::rmsprop(&step, &d, &mut v, &mut b, &mut w);
                rmsprop(&step, &d, &mut v2, &mut b2, &mut w2);
            }
            reference::assert_close(&w2, &w, 1e-15);
            reference::assert_close(&v2, &v, 1e-15);
            if momentum != 0.0 {
                reference::assert_close(&b2, &b, 1e-15);
            }
        }
    }

    #[test]
    fn adam_equals_its_plain_twin() {
        let step = AdamStep {
            rate: 0.01,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            correction1: 0.1,
            correction2: 0.001,
            decay: 0.03,
        };
        let d: Vec<f64> = (0..37).map(|i| f64::from(i) * 0.1 - 1.7).collect();
        let start = |x: f64| vec![x; d.len()];
        let (mut m, mut v, mut w) = (start(0.1), start(0.2), start(0.3));
        let (mut m2, mut v2, mut w2) = (m.clone(), v.clone(), w.clone());
        for _ in 0..3 {
            adam(&step, &d, &mut m, &mut v, &mut w);
            reference::adam(&step, &d, &mut m2, &mut v2, &mut w2);
        }
        for (a, b) in w.iter().zip(&w2).chain(m.iter().zip(&m2)).chain(v.iter().zip(&v2)) {
            assert!((a - b).abs() <= 1e-15 * (1.0 + b.abs()));
        }
    }
}
