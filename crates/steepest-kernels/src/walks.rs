//! Two kernels for the products of a dense layer: walks along the summed dimension.
//!
//! Both keep a tile of results in registers while they walk. Lanes always run along a row of memory, so no operand is
//! ever transposed or packed, and a layer of ten units (where a general matrix product would waste most of each register)
//! is as fast as a wide one. Inputs that are bytes are read as bytes: a quarter of the memory, and widening a register
//! takes two instructions.
//!
//! Images are mostly empty: where inputs are bytes, a walk leaves out the stretches that hold nothing but zeros. Adding
//! a zero changes no bit, so the result is the same.

// Tiles are matrices of registers, and are written as such.
#![allow(clippy::needless_range_loop)]

use std::mem::MaybeUninit;

use crate::Float;
use crate::ink::{columns_with_ink, rows_with_ink};
use crate::products::Inputs;
use crate::simd::{Element, Kernel, Registers, Simd, load, prefetch};

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

pub(crate) struct Affine<'a, T, X> {
    pub(crate) inputs: Inputs<'a, T, X>,
    pub(crate) w: &'a [T],
    pub(crate) bias: Option<&'a [T]>,
    pub(crate) out: &'a mut [T],
}

/// The most registers that [`reduce`] takes.
const MOST_SUMS: usize = 12;

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
        for r in 0..R {
            reduce::<S, T, O>(&sums[r], |o, sum| {
                let bias = self.bias.map_or(T::ZERO, |b| b[first + o]);
                self.out[(row + r) * n_out + first + o] = factor * sum + bias;
            });
        }
    }
}

/// Calls `each` with the sum of the lanes of every register.
#[inline(always)]
pub(crate) fn reduce<S: Simd, T: Float, const N: usize>(
    registers: &[T::Register<S>; N],
    mut each: impl FnMut(usize, T),
) {
    // By way of memory: the long sums, unrolled for every element, would drive a tile out of its registers.
    let mut parked = [MaybeUninit::<T::Register<S>>::uninit(); MOST_SUMS];
    for (parked, &register) in parked.iter_mut().zip(registers) {
        parked.write(register);
    }
    for register in &mut parked[N..N.next_multiple_of(4)] {
        register.write(T::Register::<S>::splat(T::ZERO));
    }
    for (i, [a, b, c, d]) in parked.as_chunks::<4>().0.iter().enumerate().take(N.div_ceil(4)) {
        // SAFETY: all of these were written above.
        let four = unsafe { [a.assume_init(), b.assume_init(), c.assume_init(), d.assume_init()] };
        let four = T::Register::<S>::sums(four);
        for (j, sum) in four.into_iter().enumerate().take(N - i * 4) {
            each(i * 4 + j, sum);
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
/// at `i * at.0 + t * at.1`; all times `factor`, and `bias (width)`, if any, added to each row. Both backward products are this one, with `delta` read along or across.
pub(crate) struct Combine<'a, T, Y> {
    pub(crate) c: &'a [T],
    pub(crate) at: (usize, usize),
    pub(crate) terms: usize,
    pub(crate) y: &'a [Y],
    pub(crate) width: usize,
    pub(crate) factor: T,
    pub(crate) bias: Option<&'a [T]>,
    pub(crate) out: &'a mut [T],
    pub(crate) add: bool,
}

impl<T: Float, Y: Element<T>> Kernel for Combine<'_, T, Y> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        // Narrow strips, so that more of them are zero from end to end; the tiles are as tall as registers allow.
        let largest = if S::REGISTERS >= 32 { 10 } else { 5 };
        let lanes = T::Register::<S>::LANES;
        let mut rows = Vec::new();
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
        if Y::MAY_BE_EMPTY {
            rows_with_ink::<S, T, Y, V>(self.y, self.width, k, self.terms, rows);
        }
        for (first, count) in tiles(self.out.len() / self.width, largest) {
            with_constant!(count, [1 2 3 4 5 6 7 8 9 10], R => if Y::MAY_BE_EMPTY {
                self.tile::<S, R, V, PARTIAL>(first, k, rows.iter().map(|&row| row as usize));
            } else {
                self.tile::<S, R, V, PARTIAL>(first, k, 0..self.terms);
            });
        }
    }

    /// `R` rows by `V` registers; with `PARTIAL`, by the columns that are left, fewer than a register holds.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const V: usize, const PARTIAL: bool>(
        &mut self,
        first: usize,
        k: usize,
        rows: impl Iterator<Item = usize>,
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
        assert!(self.bias.is_none_or(|bias| bias.len() == width));
        let out = &mut self.out[first * width..(first + R) * width];
        // SAFETY: columns `k..k + V * lanes` (or the `rest` last ones) lie within each row of `width`; the rows of
        // `y`, `out` and `c` are those checked above, where `rows` are numbers of terms.
        unsafe {
            for t in rows {
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
            for v in 0..V {
                let bias = match self.bias {
                    Some(bias) => load::<S, T>(&bias[k + v * lanes..], T::ZERO),
                    None => T::Register::<S>::splat(T::ZERO),
                };
                for r in 0..R {
                    let sum = sums[r][v].mul_add(factor, bias);
                    let p = out.as_mut_ptr().add(r * width + k + v * lanes);
                    match (PARTIAL, self.add) {
                        (false, false) => sum.store(p),
                        (false, true) => T::Register::<S>::load(p).add(sum).store(p),
                        (true, false) => sum.store_first(p, rest),
                        (true, true) => T::Register::<S>::load_first(p, rest).add(sum).store_first(p, rest),
                    }
                }
            }
        }
    }
}
