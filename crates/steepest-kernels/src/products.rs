//! The three matrix products of a dense layer.
//!
//! Both kernels below keep a tile of results in registers while they walk along the summed dimension. Lanes always
//! run along a row of memory, so no operand is ever transposed or packed, and a layer of ten units (where a general
//! matrix product would waste most of each register) is as fast as a wide one. Inputs that are bytes are read as
//! bytes: a quarter of the memory, and widening a register takes two instructions.
//!
//! Images are mostly empty: where inputs are bytes, a walk leaves out the stretches that hold nothing but zeros. Adding
//! a zero changes no bit, so the result is the same.

// Tiles are matrices of registers, and are written as such.
#![allow(clippy::needless_range_loop)]

use std::mem::MaybeUninit;

use crate::Float;
use crate::gemm::{Gemm, Matrix};
use crate::ink::{columns_with_ink, rows_with_ink};
use crate::simd::{Element, Kernel, Registers, Simd, dispatch, prefetch};

/// Inputs of a layer, `(rows, n_in)` row-major.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a, T, X> {
    /// Numbers or bytes.
    pub x: &'a [X],
    /// Numbers of a row.
    pub n_in: usize,
    /// What each of them is to be multiplied by.
    pub factor: T,
}

impl<'a, T: Float, X> Inputs<'a, T, X> {
    /// Inputs as they are.
    pub fn plain(x: &'a [X], n_in: usize) -> Self {
        Self { x, n_in, factor: T::ONE }
    }
}

/// `out = factor x wᵀ + bias`: a layer's logits.
///
/// `w (n_out, n_in)`, `bias (n_out)` or none, `out (rows, n_out)`. Weights must be finite.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn affine<T: Float, X: Element<T>>(inputs: Inputs<T, X>, w: &[T], bias: Option<&[T]>, out: &mut [T]) {
    let Inputs { x, n_in, .. } = inputs;
    let (rows, n_out) = (x.len() / n_in, w.len() / n_in);
    assert!(x.len() == rows * n_in && w.len() == n_out * n_in && out.len() == rows * n_out);
    assert!(bias.is_none_or(|b| b.len() == n_out));
    match X::numbers(x) {
        Some(x) if is_large::<T>(n_in, n_out) => {
            let (a, b) =
                (Matrix { numbers: x, strides: (n_in, 1) }, Matrix { numbers: w, strides: (1, n_in) });
            dispatch(Gemm { a, b, k: n_in, n: n_out, factor: inputs.factor, bias, add: false, c: out });
        }
        _ => dispatch(Affine { inputs, w, bias, out }),
    }
}

/// `d_w = factor deltaᵀ x`, or with `add` `d_w += factor deltaᵀ x`: what a block of rows gives to the gradient of a
/// layer's weights.
///
/// `delta (rows, n_out)`, `d_w (n_out, n_in)`.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn weight_gradient<T: Float, X: Element<T>>(delta: &[T], inputs: Inputs<T, X>, add: bool, d_w: &mut [T]) {
    let Inputs { x, n_in, factor } = inputs;
    let (rows, n_out) = (x.len() / n_in, d_w.len() / n_in);
    assert!(x.len() == rows * n_in && d_w.len() == n_out * n_in && delta.len() == rows * n_out);
    match X::numbers(x) {
        Some(x) if is_large::<T>(n_in, n_out) => {
            let (a, b) =
                (Matrix { numbers: delta, strides: (1, n_out) }, Matrix { numbers: x, strides: (n_in, 1) });
            dispatch(Gemm { a, b, k: rows, n: n_in, factor, bias: None, add, c: d_w });
        }
        _ => dispatch(Combine {
            c: delta,
            at: (1, n_out),
            terms: rows,
            y: x,
            width: n_in,
            factor,
            out: d_w,
            add,
        }),
    }
}

/// [`affine`] with the weights transposed, so that lanes run along the units: for rows that are too short to be walked along.
///
/// `w_t (n_in, n_out)`, `bias (n_out)` or none, `out (rows, n_out)`.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn affine_turned<T: Float>(inputs: Inputs<T, T>, w_t: &[T], bias: Option<&[T]>, out: &mut [T]) {
    let Inputs { x, n_in, factor } = inputs;
    let (rows, n_out) = (x.len() / n_in, w_t.len() / n_in);
    assert!(x.len() == rows * n_in && w_t.len() == n_out * n_in && out.len() == rows * n_out);
    assert!(bias.is_none_or(|b| b.len() == n_out));
    if is_large::<T>(n_in, n_out) {
        let (a, b) =
            (Matrix { numbers: x, strides: (n_in, 1) }, Matrix { numbers: w_t, strides: (n_out, 1) });
        dispatch(Gemm { a, b, k: n_in, n: n_out, factor, bias, add: false, c: out });
        return;
    }
    if let Some(bias) = bias {
        out.chunks_exact_mut(n_out).for_each(|out| out.copy_from_slice(bias));
    }
    dispatch(Combine {
        c: x,
        at: (n_in, 1),
        terms: n_in,
        y: w_t,
        width: n_out,
        factor,
        out,
        add: bias.is_some(),
    });
}

/// [`weight_gradient`] for transposed weights.
///
/// `delta (rows, n_out)`, `d_w_t (n_in, n_out)`.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn weight_gradient_turned<T: Float>(delta: &[T], inputs: Inputs<T, T>, add: bool, d_w_t: &mut [T]) {
    let Inputs { x, n_in, factor } = inputs;
    let (rows, n_out) = (x.len() / n_in, d_w_t.len() / n_in);
    assert!(x.len() == rows * n_in && d_w_t.len() == n_out * n_in && delta.len() == rows * n_out);
    if is_large::<T>(n_in, n_out) {
        let (a, b) =
            (Matrix { numbers: x, strides: (1, n_in) }, Matrix { numbers: delta, strides: (n_out, 1) });
        dispatch(Gemm { a, b, k: rows, n: n_out, factor, bias: None, add, c: d_w_t });
    } else {
        dispatch(Combine {
            c: x,
            at: (1, n_in),
            terms: rows,
            y: delta,
            width: n_out,
            factor,
            out: d_w_t,
            add,
        });
    }
}

/// `out = delta w`: the gradient at a layer's inputs.
///
/// `delta (rows, n_out)`, `w (n_out, n_in)`, `out (rows, n_in)`.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn backpropagate<T: Float>(delta: &[T], w: &[T], n_in: usize, out: &mut [T]) {
    let (rows, n_out) = (out.len() / n_in, w.len() / n_in);
    assert!(out.len() == rows * n_in && w.len() == n_out * n_in && delta.len() == rows * n_out);
    let factor = T::ONE;
    if is_large::<T>(n_in, n_out) {
        let (a, b) =
            (Matrix { numbers: delta, strides: (n_out, 1) }, Matrix { numbers: w, strides: (n_in, 1) });
        dispatch(Gemm { a, b, k: n_out, n: n_in, factor, bias: None, add: false, c: out });
    } else {
        dispatch(Combine {
            c: delta,
            at: (n_out, 1),
            terms: n_out,
            y: w,
            width: n_in,
            factor,
            out,
            add: false,
        });
    }
}

/// Whether a layer's weights are too many for the second cache. It takes such a layer a matrix product that brings them into
/// order piece by piece, which pays where many rows go through it together: 256 or more.
pub fn is_large<T: Float>(n_in: usize, n_out: usize) -> bool {
    const LARGE_BYTES: usize = 2 << 20;
    // With fewer units than this, or fewer inputs, there is little to bring into order.
    const NARROW: usize = 64;
    n_in.min(n_out) >= NARROW && n_in * n_out * size_of::<T>() >= LARGE_BYTES
}

/// Cuts `n` into tiles of at most `largest`, as equal as can be: seven rows are four and three, not six and one.
#[inline(always)]
pub(crate) fn tiles(n: usize, largest: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = n.div_ceil(largest).max(1);
    (0..count).map(move |i| (n * i / count, n * (i + 1) / count - n * i / count))
}

/// Calls a tile function with its number of rows as a constant, so that the tile stays in registers.
macro_rules! with_constant {
    ($n:expr, [$($k:literal)+], $C:ident => $call:expr) => {
        match $n {
            $($k => { const $C: usize = $k; $call })+
            _ => unreachable!("tiles are cut no larger than this"),
        }
    };
}
pub(crate) use with_constant;

struct Affine<'a, T, X> {
    inputs: Inputs<'a, T, X>,
    w: &'a [T],
    bias: Option<&'a [T]>,
    out: &'a mut [T],
}

/// The most registers that a tile of [`Affine`] has.
const MAX_TILE: usize = 20;

impl<T: Float, X: Element<T>> Kernel for Affine<'_, T, X> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        if S::REGISTERS >= 32 { self.groups::<S, 2, 10>() } else { self.groups::<S, 2, 5>() }
    }
}

impl<T: Float, X: Element<T>> Affine<'_, T, X> {
    /// Rows of `x` in groups of `R`, units in tiles of at most `LARGEST`.
    #[inline(always)]
    fn groups<S: Simd, const R: usize, const LARGEST: usize>(mut self) {
        let Inputs { x, n_in, .. } = self.inputs;
        let rows = x.len() / n_in;
        let lanes = T::Register::<S>::LANES;
        // All of them, or of each group those with ink.
        let mut columns: Vec<u32> = (0..n_in / lanes).map(|i| (i * lanes) as u32).collect();
        // A few weight rows at a time stay in the first cache while all rows of `x` pass by.
        for (first, count) in tiles(self.w.len() / n_in, LARGEST) {
            with_constant!(count, [1 2 3 4 5 6 7 8 9 10], O => if O <= LARGEST {
                for row in (0..rows / R * R).step_by(R) {
                    prefetch_bytes(&x[row * n_in..][..R * n_in], PREFETCH_ROWS * n_in);
                    if X::MAY_BE_EMPTY {
                        columns_with_ink::<S, T, X, R>(&x[row * n_in..], n_in, &mut columns);
                    }
                    self.tile::<S, R, O>(row, first, &columns);
                }
                for row in rows / R * R..rows {
                    if X::MAY_BE_EMPTY {
                        columns_with_ink::<S, T, X, 1>(&x[row * n_in..], n_in, &mut columns);
                    }
                    self.tile::<S, 1, O>(row, first, &columns);
                }
            });
        }
    }

    /// `R x O` results, each a dot product.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const O: usize>(&mut self, row: usize, first: usize, columns: &[u32]) {
        let Inputs { x, n_in, factor, .. } = self.inputs;
        let n_out = self.w.len() / n_in;
        let lanes = T::Register::<S>::LANES;
        let mut sums = [[T::Register::<S>::splat(T::ZERO); O]; R];
        let (x, w) = (&x[row * n_in..(row + R) * n_in], &self.w[first * n_in..(first + O) * n_in]);
        // One flat loop: with a loop inside, the compiler does not keep the tile in registers.
        for &k in columns {
            let k = k as usize;
            debug_assert!(k + lanes <= n_in);
            // SAFETY: `r < R`, `o < O`, and columns are those of whole registers within a row, so every load lies
            // within the slices cut above.
            unsafe {
                let xs: [T::Register<S>; R] = std::array::from_fn(|r| X::load(x.as_ptr().add(r * n_in + k)));
                for o in 0..O {
                    let w = T::Register::<S>::load(w.as_ptr().add(o * n_in + k));
                    for r in 0..R {
                        sums[r][o] = xs[r].mul_add(w, sums[r][o]);
                    }
                }
            }
        }
        let rest = n_in % lanes;
        if rest > 0 {
            let k = n_in - rest;
            // SAFETY: as above, with the `rest < lanes` numbers that are left of each row.
            unsafe {
                let xs: [T::Register<S>; R] =
                    std::array::from_fn(|r| X::load_first(x.as_ptr().add(r * n_in + k), rest));
                for o in 0..O {
                    let w = T::Register::<S>::load_first(w.as_ptr().add(o * n_in + k), rest);
                    for r in 0..R {
                        sums[r][o] = xs[r].mul_add(w, sums[r][o]);
                    }
                }
            }
        }
        // By way of memory: the long sums, unrolled for every element, would drive the tile out of its registers.
        let mut parked = [MaybeUninit::<T::Register<S>>::uninit(); MAX_TILE];
        for r in 0..R {
            for o in 0..O {
                parked[r * O + o].write(sums[r][o]);
            }
        }
        for register in &mut parked[R * O..(R * O).next_multiple_of(4)] {
            register.write(T::Register::<S>::splat(T::ZERO));
        }
        for (i, four) in parked.as_chunks::<4>().0.iter().enumerate().take((R * O).div_ceil(4)) {
            let [a, b, c, d] = four;
            // SAFETY: all of these were written above.
            let four = unsafe { [a.assume_init(), b.assume_init(), c.assume_init(), d.assume_init()] };
            let four = T::Register::<S>::sums(four);
            for (j, sum) in four.into_iter().enumerate().take(R * O - i * 4) {
                let (r, o) = ((i * 4 + j) / O, (i * 4 + j) % O);
                let bias = self.bias.map_or(T::ZERO, |b| b[first + o]);
                self.out[(row + r) * n_out + first + o] = factor * sum + bias;
            }
        }
    }
}

/// How many rows ahead bytes are asked for: a few microseconds' worth.
const PREFETCH_ROWS: usize = 16;

/// Asks for what lies `ahead` elements behind `x`, where that comes straight from the data set: rows of bytes are too
/// soon used up for the processor to see the pattern in time. Numbers were brought together just before.
#[inline(always)]
fn prefetch_bytes<X>(x: &[X], ahead: usize) {
    const LINE: usize = 64;
    if size_of::<X>() == 1 {
        for i in (0..x.len()).step_by(LINE) {
            prefetch(x.as_ptr().wrapping_add(i + ahead).cast());
        }
    }
}

/// `out[i] (+)= sum over t of c[i, t] * y[t]`: rows of `out` as combinations of the rows of `y`, where `c[i, t]` lies
/// at `i * at.0 + t * at.1`; all times `factor`. Both backward products are this one, with `delta` read along or across.
struct Combine<'a, T, Y> {
    c: &'a [T],
    at: (usize, usize),
    terms: usize,
    y: &'a [Y],
    width: usize,
    factor: T,
    out: &'a mut [T],
    add: bool,
}

impl<T: Float, Y: Element<T>> Kernel for Combine<'_, T, Y> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        // Narrow strips, so that more of them are zero from end to end; the tiles are as tall as registers allow.
        let largest = if S::REGISTERS >= 32 { 10 } else { 5 };
        let lanes = T::Register::<S>::LANES;
        let mut rows = Vec::with_capacity(self.terms);
        let mut k = 0;
        while k + 2 * lanes <= self.width {
            self.strip::<S, 2, false>(k, largest, &mut rows);
            k += 2 * lanes;
        }
        if k + lanes <= self.width {
            self.strip::<S, 1, false>(k, largest, &mut rows);
            k += lanes;
        }
        if k < self.width {
            self.strip::<S, 1, true>(k, largest, &mut rows);
        }
    }
}

impl<T: Float, Y: Element<T>> Combine<'_, T, Y> {
    /// All rows of `out`, `V` registers wide from column `k` on.
    #[inline(always)]
    fn strip<S: Simd, const V: usize, const PARTIAL: bool>(
        &mut self,
        k: usize,
        largest: usize,
        rows: &mut Vec<u32>,
    ) {
        rows_with_ink::<S, T, Y, V>(self.y, self.width, k, self.terms, rows);
        for (first, count) in tiles(self.out.len() / self.width, largest) {
            with_constant!(count, [1 2 3 4 5 6 7 8 9 10], R => {
                self.tile::<S, R, V, PARTIAL>(first, k, rows);
            });
        }
    }

    /// `R` rows by `V` registers; with `PARTIAL`, by the columns that are left, fewer than a register holds.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const V: usize, const PARTIAL: bool>(
        &mut self,
        first: usize,
        k: usize,
        rows: &[u32],
    ) {
        let width = self.width;
        let lanes = T::Register::<S>::LANES;
        let rest = width - k;
        let mut sums = [[T::Register::<S>::splat(T::ZERO); V]; R];
        if R == 0 || self.terms == 0 {
            return;
        }
        // The furthest element that the loops below touch exists.
        let furthest = (first + R - 1) * self.at.0 + (self.terms - 1) * self.at.1;
        assert!(furthest < self.c.len() && self.y.len() >= self.terms * width);
        let out = &mut self.out[first * width..(first + R) * width];
        // SAFETY: columns `k..k + V * lanes` (or the `rest` last ones) lie within each row of `width`; the rows of
        // `y`, `out` and `c` are those checked above, where `rows` are numbers of terms.
        unsafe {
            for &t in rows {
                let t = t as usize;
                debug_assert!(t < self.terms);
                let y = self.y.as_ptr().add(t * width + k);
                let ys: [T::Register<S>; V] = std::array::from_fn(|v| {
                    if PARTIAL { Y::load_first(y, rest) } else { Y::load(y.add(v * lanes)) }
                });
                for r in 0..R {
                    let c = *self.c.as_ptr().add((first + r) * self.at.0 + t * self.at.1);
                    let c = T::Register::<S>::splat(c);
                    for v in 0..V {
                        sums[r][v] = ys[v].mul_add(c, sums[r][v]);
                    }
                }
            }
            let factor = T::Register::<S>::splat(self.factor);
            for r in 0..R {
                for v in 0..V {
                    sums[r][v] = sums[r][v].mul(factor);
                    let p = out.as_mut_ptr().add(r * width + k + v * lanes);
                    match (PARTIAL, self.add) {
                        (false, false) => sums[r][v].store(p),
                        (false, true) => T::Register::<S>::load(p).add(sums[r][v]).store(p),
                        (true, false) => sums[r][v].store_first(p, rest),
                        (true, true) => {
                            T::Register::<S>::load_first(p, rest).add(sums[r][v]).store_first(p, rest)
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{self, assert_close};
    use crate::simd::{InstructionSet, dispatch_on};

    /// Numbers without a pattern, in -1..1.
    pub fn numbers<T: Float>(n: usize, seed: u64) -> Vec<T> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            T::from_f64((state >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
        };
        (0..n).map(|_| next()).collect()
    }

    /// The twin's inputs: every element times `factor`.
    fn scaled<T: Float>(x: impl Iterator<Item = T>, factor: T) -> Vec<T> {
        x.map(|x| x * factor).collect()
    }

    fn check<T: Float, X: Element<T>>(
        x: &[X],
        plain: &[T],
        (n_in, n_out): (usize, usize),
        factor: T,
        set: InstructionSet,
        tolerance: f64,
    ) {
        let rows = x.len() / n_in;
        let (w, b) = (numbers::<T>(n_out * n_in, 2), numbers::<T>(n_out, 3));
        let delta = numbers::<T>(rows * n_out, 4);
        let inputs = Inputs { x, n_in, factor };

        let (mut out, mut expected) = (delta.clone(), delta.clone());
        dispatch_on(set, Affine { inputs, w: &w, bias: Some(&b), out: &mut out });
        reference::affine(plain, &w, Some(&b), n_in, &mut expected);
        assert_close(&out, &expected, tolerance);

        for add in [false, true] {
            let (mut out, mut expected) = (w.clone(), w.clone());
            let out_ = &mut out;
            dispatch_on(
                set,
                Combine { c: &delta, at: (1, n_out), terms: rows, y: x, width: n_in, factor, out: out_, add },
            );
            reference::weight_gradient(&delta, plain, n_in, add, &mut expected);
            assert_close(&out, &expected, tolerance);
        }

        if let Some(x) = X::numbers(x) {
            let (a, b_) =
                (Matrix { numbers: x, strides: (n_in, 1) }, Matrix { numbers: &w, strides: (1, n_in) });
            let (mut out, mut expected) = (delta.clone(), delta.clone());
            let bias = Some(&b[..]);
            dispatch_on(set, Gemm { a, b: b_, k: n_in, n: n_out, factor, bias, add: false, c: &mut out });
            reference::affine(plain, &w, bias, n_in, &mut expected);
            assert_close(&out, &expected, tolerance);
            let (a, b_) =
                (Matrix { numbers: &delta, strides: (1, n_out) }, Matrix { numbers: x, strides: (n_in, 1) });
            let (mut out, mut expected) = (w.clone(), w.clone());
            dispatch_on(set, Gemm { a, b: b_, k: rows, n: n_in, factor, bias: None, add: true, c: &mut out });
            reference::weight_gradient(&delta, plain, n_in, true, &mut expected);
            assert_close(&out, &expected, tolerance);
        }

        let (mut out, mut expected) = (vec![T::ONE; rows * n_in], vec![T::ZERO; rows * n_in]);
        let (c, y, terms, one) = (&delta[..], &w[..], n_out, T::ONE);
        let at = (n_out, 1);
        dispatch_on(set, Combine { c, at, terms, y, width: n_in, factor: one, out: &mut out, add: false });
        reference::backpropagate(&delta, &w, n_in, &mut expected);
        assert_close(&out, &expected, tolerance);
    }

    fn check_all<T: Float>(tolerance: f64) {
        for set in InstructionSet::available() {
            for (rows, n_in, n_out) in [
                (1, 1, 1),
                (5, 3, 2),
                (64, 784, 10),
                (130, 70, 11),
                (6, 2100, 3),
                (7, 10, 10),
                (33, 65, 13),
                (12, 100, 1),
                (9, 24, 17),
            ] {
                // Stretches of zeros of all lengths, as images have them.
                let inked = |i: usize| (i / 70).is_multiple_of(3);
                let mut x = numbers::<T>(rows * n_in, 1);
                x.iter_mut().enumerate().filter(|(i, _)| !inked(*i)).for_each(|(_, x)| *x = T::ZERO);
                let plain = scaled(x.iter().copied(), T::from_f64(0.25));
                check(&x, &plain, (n_in, n_out), T::from_f64(0.25), set, tolerance);

                let bytes: Vec<u8> =
                    (0..rows * n_in).map(|i| if inked(i) { (i * 37 % 256) as u8 } else { 0 }).collect();
                let factor = T::from_f64(1.0 / 255.0);
                let plain = scaled(bytes.iter().map(|&b| T::from_u8(b)), factor);
                check(&bytes, &plain, (n_in, n_out), factor, set, tolerance);
            }
        }
    }

    /// Layers whose weights are in the cache and not, upright and turned.
    #[test]
    fn public_products_equal_their_plain_twins() {
        for (rows, n_in, n_out) in [(7, 20, 100), (65, 33, 64), (70, 800, 700), (521, 1100, 515)] {
            assert_eq!(is_large::<f32>(n_in, n_out), n_in > 100);
            let factor = 0.25f32;
            let (x, w, b) = (numbers(rows * n_in, 1), numbers(n_out * n_in, 2), numbers(n_out, 3));
            let delta: Vec<f32> = numbers(rows * n_out, 4);
            let plain = scaled(x.iter().copied(), factor);
            let inputs = Inputs { x: &x[..], n_in, factor };
            let mut w_t = w.clone();
            crate::transpose(&w, n_in, 0, &mut w_t);
            for bias in [Some(&b[..]), None] {
                let mut expected = delta.clone();
                reference::affine(&plain, &w, bias, n_in, &mut expected);
                let mut out = delta.clone();
                affine(inputs, &w, bias, &mut out);
                assert_close(&out, &expected, 2e-5);
                affine_turned(inputs, &w_t, bias, &mut out);
                assert_close(&out, &expected, 2e-5);
            }
            for add in [false, true] {
                let mut expected = w.clone();
                reference::weight_gradient(&delta, &plain, n_in, add, &mut expected);
                let (mut out, mut out_t) = (w.clone(), w_t.clone());
                weight_gradient(&delta, inputs, add, &mut out);
                assert_close(&out, &expected, 2e-5);
                weight_gradient_turned(&delta, inputs, add, &mut out_t);
                crate::transpose(&out_t, n_out, 0, &mut out);
                assert_close(&out, &expected, 2e-5);
            }
            let (mut out, mut expected) = (x.clone(), x.clone());
            backpropagate(&delta, &w, n_in, &mut out);
            reference::backpropagate(&delta, &w, n_in, &mut expected);
            assert_close(&out, &expected, 2e-5);
        }
    }

    #[test]
    fn products_equal_their_plain_twins_on_every_instruction_set() {
        check_all::<f32>(2e-5);
        check_all::<f64>(1e-13);
    }
}
