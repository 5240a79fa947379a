//! The forward product of a wide layer whose inputs are mostly zero bytes.
//!
//! Four of five pixels of a handwritten digit are zero, one by one rather than in stretches. Where each of the others
//! meets a hundred units, it pays to look at pixels singly: lanes run along the units, over transposed weights.

use crate::Float;
use crate::simd::{Kernel, Registers, Simd, dispatch};

/// `out (columns, rows)` becomes the transpose of `x (rows, columns)`.
///
/// # Panics
/// When the lengths differ.
pub fn transpose<T: Float>(x: &[T], columns: usize, out: &mut [T]) {
    assert_eq!(x.len(), out.len());
    let rows = x.len() / columns;
    // Square tiles: both sides touch few cache lines at a time.
    const TILE: usize = 16;
    for r in (0..rows).step_by(TILE) {
        for c in 0..columns {
            let out = &mut out[c * rows + r..c * rows + (r + TILE).min(rows)];
            for (out, row) in out.iter_mut().zip(x[r * columns..].chunks_exact(columns)) {
                *out = row[c];
            }
        }
    }
}

/// `out = factor x wᵀ + bias`, as [`crate::affine`], from bytes and transposed weights.
///
/// `x (rows, n_in)`, `transposed (n_in, n_out)`, `bias (n_out)` or none, `out (rows, n_out)`. Weights must be finite.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn affine_sparse<T: Float>(
    x: &[u8],
    transposed: &[T],
    bias: Option<&[T]>,
    n_in: usize,
    factor: T,
    out: &mut [T],
) {
    let (rows, n_out) = (x.len() / n_in, transposed.len() / n_in);
    assert!(x.len() == rows * n_in && transposed.len() == n_in * n_out && out.len() == rows * n_out);
    assert!(bias.is_none_or(|b| b.len() == n_out));
    dispatch(Sparse { x, transposed, n_in, out });
    for row in out.chunks_exact_mut(n_out.max(1)) {
        match bias {
            Some(bias) => row.iter_mut().zip(bias).for_each(|(out, &b)| *out = factor * *out + b),
            None => row.iter_mut().for_each(|out| *out *= factor),
        }
    }
}

struct Sparse<'a, T> {
    x: &'a [u8],
    transposed: &'a [T],
    n_in: usize,
    out: &'a mut [T],
}

impl<T: Float> Kernel for Sparse<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let n_out = self.transposed.len() / self.n_in;
        let lanes = T::Register::<S>::LANES;
        // Of the row's inputs that are not zero: where their weights begin, and what they are.
        let mut inked: Vec<(usize, T)> = Vec::with_capacity(self.n_in);
        for (x, out) in self.x.chunks_exact(self.n_in).zip(self.out.chunks_exact_mut(n_out)) {
            inked.clear();
            for (i, eight) in x.chunks(8).enumerate() {
                let mut bytes = [0; 8];
                bytes[..eight.len()].copy_from_slice(eight);
                let mut word = u64::from_le_bytes(bytes);
                while word != 0 {
                    let j = word.trailing_zeros() as usize / 8;
                    inked.push(((i * 8 + j) * n_out, T::from_u8(bytes[j])));
                    word &= !(0xff << (8 * j));
                }
            }
            let mut first = 0;
            while first + 8 * lanes <= n_out {
                strip::<S, T, 8>(&inked, &self.transposed[first..], &mut out[first..]);
                first += 8 * lanes;
            }
            while first + lanes <= n_out {
                strip::<S, T, 1>(&inked, &self.transposed[first..], &mut out[first..]);
                first += lanes;
            }
            for o in first..n_out {
                out[o] = inked.iter().map(|&(at, x)| x * self.transposed[at + o]).sum::<T>();
            }
        }
    }
}

/// `out = sum of x * w[at..]` over `V` registers.
#[inline(always)]
fn strip<S: Simd, T: Float, const V: usize>(inked: &[(usize, T)], w: &[T], out: &mut [T]) {
    let lanes = T::Register::<S>::LANES;
    let mut sums = [T::Register::<S>::splat(T::ZERO); V];
    for &(at, x) in inked {
        let w = &w[at..at + V * lanes];
        let x = T::Register::<S>::splat(x);
        for v in 0..V {
            // SAFETY: the slice above holds `V` registers.
            let w = unsafe { T::Register::<S>::load(w.as_ptr().add(v * lanes)) };
            sums[v] = w.mul_add(x, sums[v]);
        }
    }
    let out = &mut out[..V * lanes];
    for v in 0..V {
        // SAFETY: the slice above holds `V` registers.
        unsafe { sums[v].store(out.as_mut_ptr().add(v * lanes)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;
    use crate::simd::{InstructionSet, dispatch_on};

    #[test]
    fn sparse_product_equals_the_plain_twin() {
        for (rows, n_in, n_out) in [(1, 1, 1), (3, 21, 5), (4, 784, 128), (2, 100, 333)] {
            let ink = |i: usize| if i % 5 == 0 { (i * 7 % 256) as u8 } else { 0 };
            let x: Vec<u8> = (0..rows * n_in).map(ink).collect();
            let w: Vec<f64> = (0..n_in * n_out).map(|i| ((i * 31) % 17) as f64 * 0.1 - 0.8).collect();
            let bias: Vec<f64> = (0..n_out).map(|i| i as f64 * 0.01).collect();
            let plain: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
            let mut transposed = vec![0.0; w.len()];
            transpose(&w, n_in, &mut transposed);

            let mut expected = vec![0.0; rows * n_out];
            reference::affine(&plain, &w, None, n_in, &mut expected);
            let check = |out: &[f64], expected: &[f64]| {
                out.iter().zip(expected).for_each(|(o, e)| assert!((o - e).abs() < 1e-12 * (1.0 + e.abs())));
            };
            for set in InstructionSet::available() {
                let mut out = vec![0.0; rows * n_out];
                dispatch_on(set, Sparse { x: &x, transposed: &transposed, n_in, out: &mut out });
                check(&out, &expected);
            }
            let scaled: Vec<f64> = plain.iter().map(|x| x / 255.0).collect();
            reference::affine(&scaled, &w, Some(&bias), n_in, &mut expected);
            let mut out = vec![0.0; rows * n_out];
            affine_sparse(&x, &transposed, Some(&bias), n_in, 1.0 / 255.0, &mut out);
            check(&out, &expected);
        }
    }
}
