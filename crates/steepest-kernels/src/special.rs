//! The hyperbolic tangent and the normal distribution function, on registers.
//!
//! Both by the rational functions of Moshier's Cephes library (`tanh.c`, `ndtr.c`), which are exact to a few roundings in double
//! precision, and so in single. Where a lane needs another branch, both are computed: that costs less than to part lanes.

use crate::Float;
use crate::simd::Registers;

/// Numerator and denominator of `tanh(x) / x - 1` over `x^2`, for `|x| < 5/8`.
const TANH_P: [f64; 3] = [-9.643_991_794_250_523e-1, -9.928_772_310_019_186e1, -1.614_687_684_417_084_6e3];
const TANH_Q: [f64; 4] = [1.0, 1.128_116_784_916_329_3e2, 2.235_488_390_601_004_4e3, 4.844_063_053_251_255e3];

/// Of `erf(x) / x`, in `x^2`, for `|x| < 1`.
const ERF_T: [f64; 5] = [
    9.604_973_739_870_516,
    9.002_601_972_038_427e1,
    2.232_005_345_946_843e3,
    7.003_325_141_128_051e3,
    5.559_230_130_103_949e4,
];
const ERF_U: [f64; 6] = [
    1.0,
    3.356_171_416_475_031e1,
    5.213_579_497_801_527e2,
    4.594_323_829_709_801e3,
    2.262_900_006_138_909_5e4,
    4.926_739_426_086_359e4,
];

/// Of `erfc(x) e^(x^2)`, in `x`, for `1 <= x`: beyond 8 less exact, where `erfc` is below 1e-29.
const ERFC_P: [f64; 9] = [
    2.461_969_814_735_305e-10,
    5.641_895_648_310_688e-1,
    7.463_210_564_422_699,
    4.863_719_709_856_814e1,
    1.965_208_329_560_771e2,
    5.264_451_949_954_774e2,
    9.345_285_271_719_576e2,
    1.027_551_886_895_157_1e3,
    5.575_353_353_693_994e2,
];
const ERFC_Q: [f64; 9] = [
    1.0,
    1.322_819_511_547_449_9e1,
    8.670_721_408_859_897e1,
    3.549_377_788_878_199e2,
    9.757_085_017_432_055e2,
    1.823_909_166_879_097_3e3,
    2.246_337_608_187_109_8e3,
    1.656_663_091_941_613_5e3,
    5.575_353_408_177_277e2,
];

/// `coefficients[0] x^n + ... + coefficients[n]`
#[inline(always)]
fn polynomial<T: Float, R: Registers<T>, const N: usize>(x: R, coefficients: [f64; N]) -> R {
    let mut sum = R::splat(T::from_f64(coefficients[0]));
    for c in &coefficients[1..] {
        sum = sum.mul_add(x, R::splat(T::from_f64(*c)));
    }
    sum
}

#[inline(always)]
fn absolute<T: Float, R: Registers<T>>(x: R) -> R {
    x.max(R::splat(T::ZERO).sub(x))
}

/// Hyperbolic tangent of each lane; of a NaN it is NaN.
#[inline(always)]
pub(crate) fn tanh<T: Float, R: Registers<T>>(z: R) -> R {
    let number = |x: f64| R::splat(T::from_f64(x));
    let (size, square) = (absolute(z), z.mul(z));
    let small = polynomial(square, TANH_P).div(polynomial(square, TANH_Q)).mul(square).mul_add(z, z);
    let large = number(1.0).sub(number(2.0).div(size.add(size).exp().add(number(1.0))));
    let large = z.where_positive(large, R::splat(T::ZERO).sub(large));
    number(0.625).sub(size).where_positive(small, large)
}

/// The part of a normal distribution that is below each lane; of a NaN it is NaN.
#[inline(always)]
pub(crate) fn normal_cdf<T: Float, R: Registers<T>>(z: R) -> R {
    let number = |x: f64| R::splat(T::from_f64(x));
    let x = z.mul(number(std::f64::consts::FRAC_1_SQRT_2));
    let (size, square) = (absolute(x), x.mul(x));
    let erf = polynomial(square, ERF_T).div(polynomial(square, ERF_U)).mul(x);
    let near = erf.mul_add(number(0.5), number(0.5));
    // Beyond this the polynomials would overflow in single precision, and the exponential is zero.
    let far_size = R::splat(T::ZERO).sub(R::splat(T::ZERO).sub(size).max(number(-30.0)));
    let quotient = polynomial(far_size, ERFC_P).div(polynomial(far_size, ERFC_Q));
    let tail = quotient.mul(R::splat(T::ZERO).sub(square).exp()).mul(number(0.5));
    let far = z.where_positive(number(1.0).sub(tail), tail);
    number(1.0).sub(size).where_positive(near, far)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{InstructionSet, Kernel, Simd, dispatch_on, load, store};

    #[derive(Clone, Copy)]
    enum Which {
        Tanh,
        NormalCdf,
    }

    struct Each<'a, T>(Which, &'a [T], &'a mut [T]);

    impl<T: Float> Kernel for Each<'_, T> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self) {
            let lanes = T::Register::<S>::LANES;
            for (x, out) in self.1.chunks(lanes).zip(self.2.chunks_mut(lanes)) {
                let x = load::<S, T>(x, T::ZERO);
                let y = match self.0 {
                    Which::Tanh => tanh(x),
                    Which::NormalCdf => normal_cdf(x),
                };
                store::<S, T>(y, out);
            }
        }
    }

    fn check<T: Float>(tolerance: f64) {
        let x: Vec<T> = (-30_000..=30_000).map(|i| T::from_f64(f64::from(i) * 7e-4)).collect();
        for set in InstructionSet::available() {
            let mut y = vec![T::ZERO; x.len()];
            dispatch_on(set, Each(Which::Tanh, &x, &mut y));
            for (x, y) in x.iter().zip(&y) {
                let (expected, y) = (x.to_f64().tanh(), y.to_f64());
                assert!((y - expected).abs() <= tolerance * expected.abs(), "{set:?} tanh({x}): {y}");
            }
            dispatch_on(set, Each(Which::NormalCdf, &x, &mut y));
            for (x, y) in x.iter().zip(&y) {
                let (x, y) = (x.to_f64(), y.to_f64());
                let expected = 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2);
                // In the tail the exponent's rounding shows; and beyond 8 deviations there is next to nothing.
                let exact = if x < -11.0 { 1e-3 } else { tolerance * (1.0 + x * x) };
                let slack = exact * expected + T::MIN_POSITIVE.to_f64() * 1e8;
                assert!((y - expected).abs() <= slack, "{set:?} cdf({x}): {y}, not {expected}");
            }
        }
    }

    #[test]
    fn functions_are_exact_to_a_few_roundings() {
        check::<f32>(5e-7);
        check::<f64>(1e-15);
    }

    #[test]
    fn ends_and_what_is_no_number() {
        let x = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30, 0.0, -0.0, 1e-40];
        for set in InstructionSet::available() {
            let mut y = [0.0; 8];
            dispatch_on(set, Each(Which::Tanh, &x, &mut y));
            assert!(y[0].is_nan() && y[1..] == [1.0, -1.0, 1.0, -1.0, 0.0, 0.0, 1e-40], "{set:?} {y:?}");
            dispatch_on(set, Each(Which::NormalCdf, &x, &mut y));
            assert!(y[0].is_nan() && y[1..] == [1.0, 0.0, 1.0, 0.0, 0.5, 0.5, 0.5], "{set:?} {y:?}");
        }
    }
}
