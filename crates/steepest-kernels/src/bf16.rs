//! Products of numbers in bf16: single precision with the lower half of its bits rounded away, as Google's TPUs and PyTorch's
//! `torch.set_float32_matmul_precision("medium")` have it.
//!
//! Both factors of a large product are rounded while they are packed, two neighbouring terms to a number of single precision.
//! Sums stay in single precision. Processors with an instruction for it do twice as many products in the same time.

use crate::Float;
use crate::gemm::{DEPTH, Gemm, Matrix, Packing, pack};
use crate::simd::{InstructionSet, Kernel, Simd, dispatch_bf16_on, dispatch_on};

/// How products of single precision are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Products {
    /// Of the numbers as they are.
    #[default]
    Exact,
    /// Those of layers that [`crate::is_large`] of numbers rounded to bf16.
    Bf16,
}

impl Products {
    /// Computes a large product.
    pub(crate) fn multiply<T: Float>(self, set: InstructionSet, product: Gemm<T>) {
        // A constant, so that for double precision the second product is not even compiled.
        if const { T::HOLDS_BF16 } && self == Self::Bf16 {
            dispatch_bf16_on(set, GemmBf16(product));
        } else {
            dispatch_on(set, product);
        }
    }
}

/// [`Gemm`] of factors that are rounded to bf16.
struct GemmBf16<'a, T>(Gemm<'a, T>);

impl<T: Float> Kernel for GemmBf16<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        self.0.multiply::<S, Pairs>();
    }
}

/// Pairs of terms in bf16, each in the place of a number.
struct Pairs;

/// The most rows that are packed together: two of the widest registers.
const MOST_ROWS: usize = 32;

impl<T: Float> Packing<T> for Pairs {
    const TERMS: usize = 2;

    #[inline(always)]
    fn pack<S: Simd>(
        matrix: Matrix<T>,
        (row, column): (usize, usize),
        (rows, columns): (usize, usize),
        height: usize,
        out: &mut [T],
    ) {
        let (down, right) = matrix.strides;
        let numbers = &matrix.numbers[row * down + column * right..];
        let pairs = columns.div_ceil(2);
        if down == 1 {
            for (pair, out) in out.chunks_mut(height).take(pairs).enumerate() {
                let lower = &numbers[2 * pair * right..][..rows];
                if 2 * pair + 1 < columns {
                    let upper = &numbers[(2 * pair + 1) * right..][..rows];
                    let terms = lower.iter().zip(upper);
                    out.iter_mut().zip(terms).for_each(|(out, (l, u))| *out = T::pair_bf16(*l, *u));
                } else {
                    out.iter_mut().zip(lower).for_each(|(out, l)| *out = T::pair_bf16(*l, T::ZERO));
                }
            }
            return;
        }
        assert!(right == 1 && rows <= MOST_ROWS && pairs <= DEPTH);
        let mut rounded = [T::ZERO; MOST_ROWS * DEPTH];
        for (i, out) in rounded.chunks_exact_mut(pairs).take(rows).enumerate() {
            let (terms, last) = numbers[i * down..][..columns].as_chunks::<2>();
            out.iter_mut().zip(terms).for_each(|(out, [l, u])| *out = T::pair_bf16(*l, *u));
            last.iter().for_each(|l| out[pairs - 1] = T::pair_bf16(*l, T::ZERO));
        }
        let rounded = Matrix { numbers: &rounded[..], strides: (pairs, 1) };
        pack::<S, T>(rounded, (0, 0), (rows, pairs), height, out);
    }

    #[inline(always)]
    fn mul_add<S: Simd>(a: T::Register<S>, b: T::Register<S>, c: T::Register<S>) -> T::Register<S> {
        T::dot_bf16::<S>(a, b, c)
    }
}

/// The upper half of a number's bits, the lower one rounded away: to the nearest, ties to even.
#[inline(always)]
pub(crate) fn rounded_bits(x: f32) -> u32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    // What is no number must not become one.
    if x.is_nan() { bits >> 16 | 0x40 } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finish::{Finish, Store};
    use crate::products::tests::numbers;
    use crate::reference::assert_close;

    fn rounded(x: f32) -> f32 {
        f32::from_bits(rounded_bits(x) << 16)
    }

    #[test]
    fn numbers_are_rounded_to_the_nearest_of_eight_bits() {
        assert_eq!(rounded(1.0), 1.0);
        assert_eq!(rounded(1.0 + 1.0 / 256.0), 1.0, "a tie, to even");
        assert_eq!(rounded(1.0 + 3.0 / 256.0), 1.0 + 4.0 / 256.0, "a tie, to even");
        assert_eq!(rounded(-1.004), -1.0078125);
        assert_eq!(rounded(f32::INFINITY), f32::INFINITY);
        assert_eq!(rounded(f32::MAX), f32::INFINITY);
        for nan in [f32::NAN, -f32::NAN, f32::from_bits(0x7fff_ffff), f32::from_bits(0x7f80_0001)] {
            assert!(rounded(nan).is_nan());
        }
    }

    #[test]
    fn products_are_those_of_rounded_numbers() {
        for (m, k, n) in [(1, 1, 1), (13, 33, 40), (70, 1100, 65), (530, 512, 31)] {
            let (a, b, c) = (numbers::<f32>(m * k, 1), numbers::<f32>(k * n, 2), numbers::<f32>(m * n, 3));
            let expected: Vec<f32> = (0..m * n)
                .map(|i| {
                    let terms = (0..k)
                        .map(|t| f64::from(rounded(a[i / n * k + t])) * f64::from(rounded(b[t * n + i % n])));
                    (f64::from(c[i]) + 0.5 * terms.sum::<f64>()) as f32
                })
                .collect();
            let mut a_t = a.clone();
            crate::transpose(&a, k, 0, &mut a_t);
            let mut b_t = b.clone();
            crate::transpose(&b, n, 0, &mut b_t);
            for (a, a_strides) in [(&a, (k, 1)), (&a_t, (1, m))] {
                for (b, b_strides) in [(&b, (n, 1)), (&b_t, (1, k))] {
                    for set in InstructionSet::available() {
                        let mut out = c.clone();
                        let (a, b) = (
                            Matrix { numbers: a, strides: a_strides },
                            Matrix { numbers: b, strides: b_strides },
                        );
                        let product = Gemm { a, b, k, n, factor: 0.5, store: Store::Added, c: &mut out };
                        Products::Bf16.multiply(set, product);
                        assert_close(&out, &expected, 1e-5 * (k as f64).sqrt());
                    }
                }
            }
        }
        let (a, b) = (numbers::<f64>(6, 1), numbers::<f64>(6, 2));
        let run = |is_rounded: bool| {
            let mut c = vec![0.0; 4];
            let (a, b) = (Matrix { numbers: &a, strides: (3, 1) }, Matrix { numbers: &b, strides: (2, 1) });
            let store = Store::Sums(Finish::logits(None));
            let product = Gemm { a, b, k: 3, n: 2, factor: 1.0, store, c: &mut c };
            let products = if is_rounded { Products::Bf16 } else { Products::Exact };
            products.multiply(InstructionSet::Portable, product);
            c
        };
        assert_eq!(run(true), run(false), "double precision stays as it is");
    }
}
