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
use crate::finish::{Finish, Store};
use crate::ink::{columns_with_ink, rows_with_ink};
use crate::products::Inputs;
use crate::simd::{Element, Kernel, Registers, Simd, load, prefetch, store};

/// Cuts `n` into tiles of at most `largest`, as equal as can be: seven rows are four and three, not six and one.
#[inline(always)]
pub(crate) fn tiles(n: usize, largest: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = n.div_ceil(largest).max(1);
    // One division for all: each takes as long as a dozen products of registers.
    let (height, taller) = (n / count, n % count);
    (0..count).map(move |i| (i * height + i.min(taller), height + usize::from(i < taller)))
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
    pub(crate) finish: Finish<'a, T>,
    pub(crate) out: &'a mut [T],
}

/// So few units are finished number by number: their rows are too short for registers.
const FEW: usize = 3;

/// The most registers that [`reduce`] takes.
const MOST_SUMS: usize = 20;

impl<T: Float, X: Element<T>> Kernel for Affine<'_, T, X> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        let n_out = self.w.len() / self.inputs.n_in;
        match (S::REGISTERS >= 32, n_out <= FEW) {
            // Registers are left for more rows. But more rows of bytes are seldom zero in the same columns.
            (true, true) if !X::MAY_BE_EMPTY => self.groups::<S, 4, FEW>(),
            (_, true) => self.groups::<S, 2, FEW>(),
            (true, _) => self.groups::<S, 2, 10>(),
            (false, _) => self.groups::<S, 2, 5>(),
        }
        if n_out > FEW {
            self.finish::<S>();
        }
    }
}

impl<T: Float, X: Element<T>> Affine<'_, T, X> {
    /// Rows of `x` in groups of `R`, units in tiles of at most `LARGEST`.
    #[inline(always)]
    fn groups<S: Simd, const R: usize, const LARGEST: usize>(&mut self) {
        let Inputs { x, n_in, .. } = self.inputs;
        let (rows, lanes) = (x.len() / n_in, T::Register::<S>::LANES);
        let whole = n_in / lanes * lanes;
        // Of each group those with ink, where there may be others.
        let mut columns = Vec::new();
        // A few weight rows at a time stay in the first cache while all rows of `x` pass by.
        for (first, count) in tiles(self.w.len() / n_in, LARGEST) {
            with_constant!(count, [1 2 3 4 5 6 7 8 9 10], O => if O <= LARGEST {
                for row in (0..rows / R * R).step_by(R) {
                    prefetch_bytes(&x[row * n_in..][..R * n_in], PREFETCH_ROWS * n_in);
                    if X::MAY_BE_EMPTY {
                        columns_with_ink::<S, T, X, R>(&x[row * n_in..], n_in, &mut columns);
                        let columns = columns.iter().map(|&column| column as usize);
                        self.tile::<S, R, O, LARGEST>(row, first, columns);
                    } else {
                        self.tile::<S, R, O, LARGEST>(row, first, (0..whole).step_by(lanes));
                    }
                }
                for row in rows / R * R..rows {
                    if X::MAY_BE_EMPTY {
                        columns_with_ink::<S, T, X, 1>(&x[row * n_in..], n_in, &mut columns);
                        let columns = columns.iter().map(|&column| column as usize);
                        self.tile::<S, 1, O, LARGEST>(row, first, columns);
                    } else {
                        self.tile::<S, 1, O, LARGEST>(row, first, (0..whole).step_by(lanes));
                    }
                }
            });
        }
    }

    /// `R x O` results, each a dot product.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const O: usize, const LARGEST: usize>(
        &mut self,
        row: usize,
        first: usize,
        columns: impl Iterator<Item = usize>,
    ) {
        let Inputs { x, n_in, factor, .. } = self.inputs;
        let n_out = self.w.len() / n_in;
        let lanes = T::Register::<S>::LANES;
        let mut sums = [[T::Register::<S>::splat(T::ZERO); O]; R];
        let (x, w) = (&x[row * n_in..(row + R) * n_in], &self.w[first * n_in..(first + O) * n_in]);
        // One flat loop: with a loop inside, the compiler does not keep the tile in registers.
        for k in columns {
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
        let out = &mut self.out[row * n_out..(row + R) * n_out];
        if LARGEST > FEW {
            reduce::<S, T>(sums.as_flattened(), |i, sum| out[i / O * n_out + first + i % O] = sum);
            return;
        }
        let Finish { bias, relu } = self.finish;
        reduce::<S, T>(sums.as_flattened(), |i, sum| {
            let z = factor * sum + bias.map_or(T::ZERO, |b| b[first + i % O]);
            // So that a NaN stays.
            out[i / O * n_out + first + i % O] = if relu && z < T::ZERO { T::ZERO } else { z };
        });
    }

    /// Makes of the sums what they should become: of whole rows at a time, which takes less than to do it number by number.
    #[inline(always)]
    fn finish<S: Simd>(self) {
        let n_out = self.w.len() / self.inputs.n_in;
        let lanes = T::Register::<S>::LANES;
        let Finish { bias, relu } = self.finish;
        let factor = T::Register::<S>::splat(self.inputs.factor);
        let least = T::Register::<S>::splat(if relu { T::ZERO } else { T::NEG_INFINITY });
        for first in (0..n_out).step_by(lanes) {
            let end = n_out.min(first + lanes);
            let bias = match bias {
                Some(bias) => load::<S, T>(&bias[first..end], T::ZERO),
                None => T::Register::<S>::splat(T::ZERO),
            };
            for row in self.out.chunks_exact_mut(n_out) {
                let sums = load::<S, T>(&row[first..end], T::ZERO);
                // In this order: of a NaN, `max` gives the second.
                store::<S, T>(least.max(sums.mul(factor).add(bias)), &mut row[first..end]);
            }
        }
    }
}

/// Calls `each` with the sum of the lanes of every register.
#[inline(always)]
pub(crate) fn reduce<S: Simd, T: Float>(registers: &[T::Register<S>], mut each: impl FnMut(usize, T)) {
    // By way of memory: the long sums, unrolled for every element, would drive a tile out of its registers.
    let mut parked = [MaybeUninit::<T::Register<S>>::uninit(); MOST_SUMS];
    let n = registers.len();
    for (parked, &register) in parked.iter_mut().zip(registers) {
        parked.write(register);
    }
    for register in &mut parked[n..n.next_multiple_of(4)] {
        register.write(T::Register::<S>::splat(T::ZERO));
    }
    for (i, [a, b, c, d]) in parked.as_chunks::<4>().0.iter().enumerate().take(n.div_ceil(4)) {
        // SAFETY: all of these were written above.
        let four = unsafe { [a.assume_init(), b.assume_init(), c.assume_init(), d.assume_init()] };
        let four = T::Register::<S>::sums(four);
        for (j, sum) in four.into_iter().enumerate().take(n - i * 4) {
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

/// `out[i] = factor * sum over t of c[i, t] * y[t]`: rows of `out` as combinations of the rows of `y`, where `c[i, t]` lies at
/// `i * at.0 + t * at.1`; stored as `store` says. Both backward products are this one, with `delta` read along or across.
pub(crate) struct Combine<'a, T, Y> {
    pub(crate) c: &'a [T],
    pub(crate) at: (usize, usize),
    pub(crate) terms: usize,
    pub(crate) y: &'a [Y],
    pub(crate) width: usize,
    pub(crate) factor: T,
    pub(crate) store: Store<'a, T>,
    pub(crate) out: &'a mut [T],
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
        assert!(self.out.len() >= (first + R) * width);
        self.store.check(self.out.len(), width);
        // SAFETY: columns `k..k + V * lanes` (or the `rest` last ones) lie within each row of `width`; the rows of
        // `y`, `out`, `c` and `store` are those checked above, where `rows` are numbers of terms.
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
            let (out, place) = ((self.out.as_mut_ptr(), width), (first * width + k, k));
            self.store.tile::<S, R, V>(sums, self.factor, out, place, (PARTIAL.then_some(rest), false));
        }
    }
}
