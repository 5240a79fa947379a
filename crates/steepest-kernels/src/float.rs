//! The two precisions.

use std::fmt::{Debug, Display};
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

use crate::bf16::rounded_bits;
use crate::simd::{Registers, Simd};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// `f32` or `f64`: everything numeric in Steepest is generic over these two, and no others.
pub trait Float:
    sealed::Sealed
    + Copy
    + Default
    + PartialOrd
    + Debug
    + Display
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + Sum
{
    /// A register of this type in the given instruction set.
    #[doc(hidden)]
    type Register<S: Simd>: Registers<Self>;

    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// Minus infinity.
    const NEG_INFINITY: Self;
    /// The gap between 1 and the next number.
    const EPSILON: Self;
    /// The smallest normal number.
    const MIN_POSITIVE: Self;

    /// The smallest normal number over the relative precision: still normal when multiplied by small numbers.
    const TINY: Self;

    /// The nearest value of this type.
    fn from_f64(x: f64) -> Self;
    /// The same value in double precision.
    fn to_f64(self) -> f64;
    /// The whole part as a byte; the nearest one where it is none, and 0 for NaN.
    fn to_u8(self) -> u8;
    /// A byte's value.
    fn from_u8(x: u8) -> Self;
    /// Whether two terms of a product in bf16 are put into one number: in single precision. The next two are for it alone.
    #[doc(hidden)]
    const HOLDS_BF16: bool;
    /// Two terms rounded to bf16 in one number.
    #[doc(hidden)]
    fn pair_bf16(lower: Self, upper: Self) -> Self;
    /// `c` and the products of the terms that the lanes of `a` and `b` hold.
    #[doc(hidden)]
    fn dot_bf16<S: Simd>(
        a: Self::Register<S>,
        b: Self::Register<S>,
        c: Self::Register<S>,
    ) -> Self::Register<S>;
    /// The same numbers, if `T` is this very type.
    fn numbers_of<T: Float>(x: &[Self]) -> Option<&[T]> {
        // SAFETY: there are two types of this trait, and only one of each size.
        (size_of::<T>() == size_of::<Self>())
            .then(|| unsafe { std::slice::from_raw_parts(x.as_ptr().cast::<T>(), x.len()) })
    }
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// Exponential.
    fn exp(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Neither infinite nor NaN.
    fn is_finite(self) -> bool;
    /// The larger of two; the other one if one is NaN.
    fn max(self, other: Self) -> Self;
    /// Absolute value.
    fn abs(self) -> Self;
}

macro_rules! float {
    ($t:ident, $register:ident, $holds:literal, |$l:ident, $u:ident| $pair:expr, |$a:ident, $b:ident, $c:ident| $dot:expr) => {
        impl Float for $t {
            type Register<S: Simd> = S::$register;
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const NEG_INFINITY: Self = $t::NEG_INFINITY;
            const EPSILON: Self = $t::EPSILON;
            const MIN_POSITIVE: Self = $t::MIN_POSITIVE;
            const TINY: Self = $t::MIN_POSITIVE / $t::EPSILON;
            const HOLDS_BF16: bool = $holds;
            #[inline(always)]
            fn pair_bf16($l: Self, $u: Self) -> Self {
                $pair
            }
            #[inline(always)]
            fn dot_bf16<S: Simd>($a: S::$register, $b: S::$register, $c: S::$register) -> S::$register {
                $dot
            }
            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn to_u8(self) -> u8 {
                self as u8
            }
            #[inline(always)]
            fn from_u8(x: u8) -> Self {
                $t::from(x)
            }
            #[inline(always)]
            fn ln(self) -> Self {
                $t::ln(self)
            }
            #[inline(always)]
            fn exp(self) -> Self {
                $t::exp(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                $t::sqrt(self)
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                $t::is_finite(self)
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                $t::max(self, other)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                $t::abs(self)
            }
        }
    };
}

float!(
    f32,
    F32,
    true,
    |lower, upper| f32::from_bits(rounded_bits(lower) | rounded_bits(upper) << 16),
    |a, b, c| S::dot_bf16(a, b, c)
);
float!(f64, F64, false, |lower, _upper| lower, |a, b, c| a.mul_add(b, c));
