//! The first layer of images that are mostly empty: a walk over the pixels that are not zero.
//!
//! [`crate::affine`] leaves out whole registers of empty columns. Where a layer is wide, it pays to go further and
//! visit single pixels, with the weights transposed: each pixel has a row of weights, one for each unit. Neighbouring
//! columns mostly have ink in the same rows of a block, so columns go in pairs, whose weights (or whose gradients) stay
//! in registers while the rows pass by.
//!
//! Pixels are bytes or numbers. Numbers whose factor is one are summed as [`crate::affine_turned`] sums them, to the same bits:
//! which of the two takes some rows may depend on what is in them, and yet what is made of a row does not depend on the others.

// Tiles are arrays of registers, and are written as such.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use crate::gemm::DEPTH;
use crate::ink::Ink;
use crate::products::{Inputs, is_large};
use crate::simd::{Element, Kernel, MAX_LANES, Registers, Simd, dispatch};
use crate::walks::tiles;
use crate::{AlignedVec, Float};

/// `out = factor x wᵀ + bias`, as [`crate::affine`], by a walk over `ink`, that of `x`.
///
/// `w_t (n_in, n_out)`: the weights transposed; `bias (n_out)` or none, `out (rows, n_out)`. Weights must be finite.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn affine_sparse<T: Float, X: Element<T>>(
    inputs: Inputs<T, X>,
    ink: &Ink,
    w_t: &[T],
    bias: Option<&[T]>,
    out: &mut [T],
) {
    let (rows, n_out) = (shape(inputs, ink), w_t.len() / inputs.n_in);
    assert!(w_t.len() == n_out * inputs.n_in);
    assert!(out.len() == rows * n_out && bias.is_none_or(|b| b.len() == n_out));
    match bias {
        Some(bias) => out.chunks_exact_mut(n_out).for_each(|out| out.copy_from_slice(bias)),
        None => out.fill(T::ZERO),
    }
    dispatch(Forward { inputs, ink, w_t, out, near: AlignedVec::zeros(0) });
}

/// [`affine_sparse`] of a single row, bit for bit, without looking for its ink first: its sums stay in registers. For numbers it
/// is also [`crate::affine_turned`], if `factor` is one.
///
/// `x (n_in)`, `w_t (n_in, n_out)`, `bias (n_out)` or none, `out (n_out)`.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn affine_sparse_row<T: Float, X: Element<T>>(
    x: &[X],
    factor: T,
    w_t: &[T],
    bias: Option<&[T]>,
    out: &mut [T],
) {
    assert!(w_t.len() == x.len() * out.len() && bias.is_none_or(|b| b.len() == out.len()));
    match bias {
        Some(bias) => out.copy_from_slice(bias),
        None => out.fill(T::ZERO),
    }
    dispatch(Row { x, factor, w_t, out });
}

/// `d_w_t = factor xᵀ delta`, or with `add` `d_w_t += factor xᵀ delta`: [`crate::weight_gradient`] for transposed weights, by
/// a walk over `ink`, that of `x`.
///
/// `delta (rows, n_out)`, `d_w_t (any, n_out)`: the gradient of the columns from `first` on, as many as it has room for.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn weight_gradient_sparse<T: Float, X: Element<T>>(
    delta: &[T],
    inputs: Inputs<T, X>,
    ink: &Ink,
    first: usize,
    add: bool,
    d_w_t: &mut [T],
) {
    let rows = shape(inputs, ink);
    let n_out = delta.len() / rows;
    let columns = d_w_t.len() / n_out;
    assert!(delta.len() == rows * n_out && d_w_t.len() == columns * n_out && first + columns <= inputs.n_in);
    dispatch(Backward { inputs, ink, delta, n_out, first, add, d_w_t });
}

/// Rows, where inputs and ink fit each other.
fn shape<T, X>(inputs: Inputs<T, X>, ink: &Ink) -> usize {
    let Inputs { x, n_in, .. } = inputs;
    let rows = x.len() / n_in;
    assert!(x.len() == rows * n_in && ink.columns.len() == n_in);
    let seen = ink.columns.iter().fold(0, |any, rows| any | rows);
    assert!(seen.checked_shr(rows as u32).unwrap_or(0) == 0, "this is the ink of other rows");
    rows
}

/// Rows `first..` of `x` transposed, as many as `out` has room for.
///
/// `x (n_rows, n_columns)`, `out (any, n_rows)`.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn transpose<T: Float>(x: &[T], n_columns: usize, first: usize, out: &mut [T]) {
    let n_rows = x.len() / n_columns;
    let count = out.len() / n_rows;
    assert!(x.len() == n_rows * n_columns && out.len() == count * n_rows && first + count <= n_columns);
    // In squares, so that each cache line is used whole while it is near.
    const SQUARE: usize = 16;
    for column in (0..count).step_by(SQUARE) {
        for row in (0..n_rows).step_by(SQUARE) {
            for c in column..count.min(column + SQUARE) {
                for r in row..n_rows.min(row + SQUARE) {
                    out[c * n_rows + r] = x[r * n_columns + first + c];
                }
            }
        }
    }
}

/// Two neighbouring columns, and the rows that have ink in either.
#[derive(Clone, Copy)]
struct Pair {
    first: usize,
    /// The first again, where it has no neighbour.
    second: usize,
    rows: u64,
}

impl Ink {
    #[inline(always)]
    fn pair(&self, first: usize, end: usize) -> Pair {
        let second = (first + 1).min(end - 1);
        Pair { first, second, rows: self.columns[first] | self.columns[second] }
    }
}

impl Pair {
    /// The next of its rows.
    #[inline(always)]
    fn next_row(&mut self) -> Option<usize> {
        let row = self.rows.trailing_zeros() as usize;
        // Takes away the lowest bit.
        let is_left = self.rows != 0;
        self.rows &= self.rows.wrapping_sub(1);
        is_left.then_some(row)
    }

    /// What a row has in both columns; a column that is only the first again has zero.
    ///
    /// # Safety
    /// `x` has this row of `n_in` elements, and both columns lie within it.
    #[inline(always)]
    unsafe fn load<S: Simd, T: Float, X: Element<T>>(
        self,
        x: &[X],
        n_in: usize,
        row: usize,
    ) -> [T::Register<S>; 2] {
        debug_assert!((row + 1) * n_in <= x.len() && self.second < n_in);
        // SAFETY: passed on to the caller.
        let [first, second] = unsafe {
            let x = x.as_ptr().add(row * n_in);
            [*x.add(self.first), *x.add(self.second)]
        };
        let second = if self.second > self.first { second.number() } else { T::ZERO };
        [T::Register::<S>::splat(first.number()), T::Register::<S>::splat(second)]
    }
}

/// Calls `$walk.units::<S, V, PARTIAL>(unit)` for all units: `V` registers of them at a time, of which with `PARTIAL` the last one
/// is not full.
macro_rules! for_all_units {
    ($S:ident, $T:ident, $n_out:expr, $walk:ident) => {{
        let (lanes, n_out) = ($T::Register::<$S>::LANES, $n_out);
        let (registers, most) = (n_out.div_ceil(lanes), if $S::REGISTERS >= 32 { 8 } else { 4 });
        for (first, count) in crate::walks::tiles(registers, most) {
            let is_partial = (first + count) * lanes > n_out;
            crate::walks::with_constant!(count, [1 2 3 4 5 6 7 8], V => if V <= most {
                if is_partial {
                    $walk.units::<$S, V, true>(first * lanes);
                } else {
                    $walk.units::<$S, V, false>(first * lanes);
                }
            });
        }
    }};
}
pub(crate) use for_all_units;

/// Loads a register; where it is not full, only `rest` numbers.
///
/// # Safety
/// As many numbers can be read from `p`; `rest` are fewer than a register holds.
#[inline(always)]
pub(crate) unsafe fn load<S: Simd, T: Float>(p: *const T, is_full: bool, rest: usize) -> T::Register<S> {
    // SAFETY: passed on to the caller.
    unsafe { if is_full { T::Register::<S>::load(p) } else { T::Register::<S>::load_first(p, rest) } }
}

/// Stores a register; where it is not full, only `rest` numbers.
///
/// # Safety
/// As many numbers can be written to `p`; `rest` are fewer than a register holds.
#[inline(always)]
pub(crate) unsafe fn store<S: Simd, T: Float>(
    register: T::Register<S>,
    p: *mut T,
    is_full: bool,
    rest: usize,
) {
    // SAFETY: passed on to the caller.
    unsafe { if is_full { register.store(p) } else { register.store_first(p, rest) } }
}

/// Whether sums begin at zero and are added to the bias, as those of numbers; those of bytes begin at the bias.
fn begin_at_zero<T: Float, X: Element<T>>() -> bool {
    X::numbers(&[]).is_some()
}

/// The stretches of columns that are summed on their own.
fn stretches<T: Float, X: Element<T>>(n_in: usize, n_out: usize) -> impl Iterator<Item = Range<usize>> {
    let is_cut = begin_at_zero::<T, X>() && is_large::<T>(n_in, n_out);
    tiles(n_in, if is_cut { DEPTH } else { n_in }).map(|(first, count)| first..first + count)
}

struct Forward<'a, T, X> {
    inputs: Inputs<'a, T, X>,
    ink: &'a Ink,
    w_t: &'a [T],
    /// Holds the bias to begin with.
    out: &'a mut [T],
    /// Where the sums of some units lie meanwhile, row after row, if those of `out` lie so far apart that they would drive each
    /// other out of the first cache; or if they begin at zero.
    near: AlignedVec<T>,
}

impl<T: Float, X: Element<T>> Kernel for Forward<'_, T, X> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        const MOST_UNITS: usize = 8 * MAX_LANES;
        let n_out = self.w_t.len() / self.inputs.n_in;
        if n_out > MOST_UNITS || begin_at_zero::<T, X>() {
            self.near = AlignedVec::zeros(Ink::ROWS * MOST_UNITS);
        }
        for_all_units!(S, T, n_out, self);
    }
}

impl<T: Float, X: Element<T>> Forward<'_, T, X> {
    /// `V` registers of units for all rows; with `PARTIAL`, the last one is not full.
    #[inline(always)]
    fn units<S: Simd, const V: usize, const PARTIAL: bool>(&mut self, unit: usize) {
        let n_out = self.w_t.len() / self.inputs.n_in;
        let count = if PARTIAL { n_out - unit } else { V * T::Register::<S>::LANES };
        let Self { inputs, ink, w_t, out, near } = self;
        let n_in = inputs.n_in;
        if near.is_empty() {
            return walk::<S, T, X, V, PARTIAL>(
                *inputs,
                ink,
                w_t,
                (0..n_in, unit),
                (&mut out[unit..], n_out),
            );
        }
        for columns in stretches::<T, X>(n_in, n_out) {
            for (near, out) in near.chunks_exact_mut(count).zip(out.chunks_exact(n_out)) {
                if begin_at_zero::<T, X>() {
                    near.fill(T::ZERO);
                } else {
                    near.copy_from_slice(&out[unit..unit + count]);
                }
            }
            walk::<S, T, X, V, PARTIAL>(*inputs, ink, w_t, (columns, unit), (near, count));
            for (near, out) in near.chunks_exact(count).zip(out.chunks_exact_mut(n_out)) {
                let out = &mut out[unit..unit + count];
                if begin_at_zero::<T, X>() {
                    out.iter_mut().zip(near).for_each(|(out, &sum)| *out += sum);
                } else {
                    out.copy_from_slice(near);
                }
            }
        }
    }
}

/// Adds some columns to the sums of some units from `unit` on, which lie `stride` apart from row to row.
#[inline(always)]
fn walk<S: Simd, T: Float, X: Element<T>, const V: usize, const PARTIAL: bool>(
    inputs: Inputs<T, X>,
    ink: &Ink,
    w_t: &[T],
    (columns, unit): (Range<usize>, usize),
    (sums, stride): (&mut [T], usize),
) {
    let Inputs { x, n_in, factor, .. } = inputs;
    let n_out = w_t.len() / n_in;
    let lanes = T::Register::<S>::LANES;
    let rest = n_out - unit - (V - 1) * lanes;
    let is_full = |v: usize| !PARTIAL || v + 1 < V;
    let factor = T::Register::<S>::splat(factor);
    for first in columns.clone().step_by(2) {
        let mut pair = ink.pair(first, columns.end);
        if pair.rows == 0 {
            continue;
        }
        let mut w = [[factor; V]; 2];
        // SAFETY: columns are below `n_in`, the rows of `w_t`; rows are those of `x` and `sums` that have ink; `V`
        // registers, of which the last may have `rest` numbers, lie within each row of `w_t` from `unit` on, and within each
        // row of `sums`.
        unsafe {
            for v in 0..V {
                for (i, column) in [pair.first, pair.second].into_iter().enumerate() {
                    let p = w_t.as_ptr().add(column * n_out + unit + v * lanes);
                    w[i][v] = load::<S, T>(p, is_full(v), rest).mul(factor);
                }
            }
            while let Some(row) = pair.next_row() {
                let [x0, x1] = pair.load::<S, T, X>(x, n_in, row);
                let p = sums.as_mut_ptr().add(row * stride);
                for v in 0..V {
                    let p = p.add(v * lanes);
                    let sum = load::<S, T>(p, is_full(v), rest);
                    let sum = x1.mul_add(w[1][v], x0.mul_add(w[0][v], sum));
                    store::<S, T>(sum, p, is_full(v), rest);
                }
            }
        }
    }
}

struct Row<'a, T, X> {
    x: &'a [X],
    factor: T,
    w_t: &'a [T],
    /// Holds the bias to begin with.
    out: &'a mut [T],
}

impl<T: Float, X: Element<T>> Kernel for Row<'_, T, X> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        for_all_units!(S, T, self.out.len(), self);
    }
}

impl<T: Float, X: Element<T>> Row<'_, T, X> {
    /// `V` registers of units; with `PARTIAL`, the last one is not full.
    #[inline(always)]
    fn units<S: Simd, const V: usize, const PARTIAL: bool>(&mut self, unit: usize) {
        let n_out = self.out.len();
        let lanes = T::Register::<S>::LANES;
        let rest = n_out - unit - (V - 1) * lanes;
        let is_full = |v: usize| !PARTIAL || v + 1 < V;
        let factor = T::Register::<S>::splat(self.factor);
        // SAFETY: columns are those of `x`, of which `w_t` has a row each; `V` registers, of which the last may have `rest`
        // numbers, lie within each of these and within `out` from `unit` on.
        unsafe {
            let load = |p: *const T, v: usize| load::<S, T>(p.add(v * lanes), is_full(v), rest);
            let out = self.out.as_mut_ptr().add(unit);
            for columns in stretches::<T, X>(self.x.len(), n_out) {
                let mut sums: [T::Register<S>; V] = std::array::from_fn(|v| {
                    if begin_at_zero::<T, X>() { T::Register::<S>::splat(T::ZERO) } else { load(out, v) }
                });
                for first in columns.clone().step_by(Ink::ROWS) {
                    let end = columns.end.min(first + Ink::ROWS);
                    let mut ink = X::nonzero::<S>(&self.x[first..end]);
                    while ink != 0 {
                        let column = first + ink.trailing_zeros() as usize;
                        // Takes away the lowest bit.
                        ink &= ink - 1;
                        let x = T::Register::<S>::splat(self.x.get_unchecked(column).number());
                        let w = self.w_t.as_ptr().add(column * n_out + unit);
                        for v in 0..V {
                            sums[v] = x.mul_add(load(w, v).mul(factor), sums[v]);
                        }
                    }
                }
                for v in 0..V {
                    let sum = if begin_at_zero::<T, X>() { load(out, v).add(sums[v]) } else { sums[v] };
                    store::<S, T>(sum, out.add(v * lanes), is_full(v), rest);
                }
            }
        }
    }
}

struct Backward<'a, T, X> {
    inputs: Inputs<'a, T, X>,
    ink: &'a Ink,
    delta: &'a [T],
    n_out: usize,
    /// The column that `d_w_t` begins with.
    first: usize,
    add: bool,
    d_w_t: &'a mut [T],
}

impl<T: Float, X: Element<T>> Kernel for Backward<'_, T, X> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        for_all_units!(S, T, self.n_out, self);
    }
}

impl<T: Float, X: Element<T>> Backward<'_, T, X> {
    /// As [`Forward::units`].
    #[inline(always)]
    fn units<S: Simd, const V: usize, const PARTIAL: bool>(&mut self, unit: usize) {
        let Inputs { x, n_in, factor, .. } = self.inputs;
        let n_out = self.n_out;
        let lanes = T::Register::<S>::LANES;
        let rest = n_out - unit - (V - 1) * lanes;
        let is_full = |v: usize| !PARTIAL || v + 1 < V;
        let factor = T::Register::<S>::splat(factor);
        let end = self.first + self.d_w_t.len() / n_out;
        for first in (self.first..end).step_by(2) {
            let mut pair = self.ink.pair(first, end);
            if pair.rows == 0 && self.add {
                continue;
            }
            let mut sums = [[T::Register::<S>::splat(T::ZERO); V]; 2];
            // SAFETY: columns from `self.first` to `end`, which is not beyond `n_in`, are the rows of `d_w_t`; rows are those
            // of `x` and `delta` that have ink; `V` registers, of which the last may have `rest` numbers, lie within each row
            // of `d_w_t` and `delta` from `unit` on.
            unsafe {
                while let Some(row) = pair.next_row() {
                    let [x0, x1] = pair.load::<S, T, X>(x, n_in, row);
                    let p = self.delta.as_ptr().add(row * n_out + unit);
                    for v in 0..V {
                        let delta = load::<S, T>(p.add(v * lanes), is_full(v), rest);
                        sums[0][v] = x0.mul_add(delta, sums[0][v]);
                        sums[1][v] = x1.mul_add(delta, sums[1][v]);
                    }
                }
                // The second first: where it is the first again, its zeros are overwritten by it or added to it.
                for (i, column) in [(1, pair.second), (0, pair.first)] {
                    for v in 0..V {
                        let p = self.d_w_t.as_mut_ptr().add((column - self.first) * n_out + unit + v * lanes);
                        let mut sum = sums[i][v].mul(factor);
                        if self.add {
                            sum = load::<S, T>(p, is_full(v), rest).add(sum);
                        }
                        store::<S, T>(sum, p, is_full(v), rest);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::products::{affine_turned, affine_turned_on};
    use crate::reference::{self, assert_close};
    use crate::simd::{InstructionSet, dispatch_on};
    use crate::{Finish, Products};

    #[test]
    fn parts_of_a_transpose_make_up_the_whole() {
        let (n_rows, n_columns) = (37, 50);
        let x: Vec<f32> = (0..n_rows * n_columns).map(|i| i as f32).collect();
        let mut out = vec![0.0; x.len()];
        for (i, out) in out.chunks_mut(19 * n_rows).enumerate() {
            transpose(&x, n_columns, i * 19, out);
        }
        for (i, &value) in out.iter().enumerate() {
            assert_eq!(value, x[i % n_rows * n_columns + i / n_rows]);
        }
    }

    fn transposed<T: Float>(x: &[T], n_columns: usize) -> Vec<T> {
        let mut out = x.to_vec();
        transpose(x, n_columns, 0, &mut out);
        out
    }

    /// All walks over `rows` of `x`, against the plain products and, for numbers as they are, the bits of the turned ones.
    fn check<T: Float, X: Element<T>>(x: &[X], factor: T, (n_in, n_out): (usize, usize), tolerance: f64) {
        let rows = x.len() / n_in;
        let numbers =
            |n: usize| -> Vec<T> { (0..n).map(|i| T::from_f64((i * 29 % 97) as f64 / 97.0 - 0.5)).collect() };
        let (w, bias, delta) = (numbers(n_out * n_in), numbers(n_out), numbers(rows * n_out));
        let w_t = &transposed(&w, n_in);
        let plain: Vec<T> = x.iter().map(|&x| x.number() * factor).collect();
        let inputs = Inputs { x, n_in, factor, products: Products::Exact };
        let (mut found, delta) = (Ink::default(), &delta);
        found.find(x, n_in);
        let ink = &found;
        let as_they_are = X::numbers(x).filter(|_| factor == T::ONE);
        for set in InstructionSet::available() {
            let (mut out, mut expected) = (bias.repeat(rows), delta.clone());
            dispatch_on(set, Forward { inputs, ink, w_t, out: &mut out, near: AlignedVec::zeros(0) });
            reference::affine(&plain, &w, Finish::logits(Some(&bias)), n_in, &mut expected);
            assert_close(&out, &expected, tolerance);
            let mut by_row = bias.repeat(rows);
            for (x, out) in x.chunks(n_in).zip(by_row.chunks_mut(n_out)) {
                dispatch_on(set, Row { x, factor, w_t, out });
            }
            assert!(by_row == out, "{set:?}: the same bits");
            if let Some(x) = as_they_are {
                affine_turned_on(set, Inputs::plain(x, n_in), w_t, Finish::logits(Some(&bias)), &mut by_row);
                assert!(by_row == out, "{set:?}: the same bits");
            }

            for add in [false, true] {
                let (mut d_w_t, mut expected) = (w_t.clone(), w.clone());
                // In parts of an odd number of columns, and a last one of one or two.
                let height = (n_in / 2) | 1;
                for (i, part) in d_w_t.chunks_mut(height * n_out).enumerate() {
                    let first = i * height;
                    dispatch_on(set, Backward { inputs, ink, delta, n_out, first, add, d_w_t: part });
                }
                reference::weight_gradient(delta, &plain, n_in, add, &mut expected);
                assert_close(&d_w_t, &transposed(&expected, n_in), tolerance);
            }
        }
        let (mut out, mut expected) = (delta.clone(), delta.clone());
        affine_sparse(inputs, ink, w_t, None, &mut out);
        reference::affine(&plain, &w, Finish::logits(None), n_in, &mut expected);
        assert_close(&out, &expected, tolerance);
        if let Some(x) = as_they_are {
            affine_turned(Inputs::plain(x, n_in), w_t, Finish::logits(None), &mut expected);
            assert!(expected == out, "the same bits");
        }
    }

    fn check_all<T: Float>(tolerance: f64) {
        // The last one's weights are too many for the cache: their products are summed in stretches.
        let shapes = [(1, 1, 1), (3, 64, 16), (64, 131, 70), (2, 784, 128), (33, 63, 133), (5, 1101, 517)];
        for (rows, n_in, n_out) in shapes {
            for ink_of_ten in [0, 2, 10] {
                let has_ink = |i: usize| i * 7 % 10 < ink_of_ten;
                let byte = |i: usize| if has_ink(i) { (i * 37 % 255) as u8 + 1 } else { 0 };
                let x: Vec<u8> = (0..rows * n_in).map(byte).collect();
                let factor = T::from_f64(1.0 / 255.0);
                check(&x, factor, (n_in, n_out), tolerance);
                let x: Vec<T> = x.iter().map(|&x| T::from_u8(x) * factor).collect();
                check(&x, T::ONE, (n_in, n_out), tolerance);
                check(&x, T::from_f64(-3.0), (n_in, n_out), tolerance);
            }
        }
        assert!(is_large::<T>(1101, 517));
    }

    #[test]
    fn walks_equal_the_plain_products_on_every_instruction_set() {
        check_all::<f32>(2e-5);
        check_all::<f64>(1e-13);
    }

    #[test]
    #[should_panic = "the ink of other rows"]
    fn ink_of_other_rows_is_refused() {
        let (x, mut ink) = ([1u8; 6], Ink::default());
        ink.find(&x, 2);
        affine_sparse(
            Inputs { x: &x[..2], n_in: 2, factor: 1.0f32, products: Products::Exact },
            &ink,
            &[0.0; 4],
            None,
            &mut [0.0; 2],
        );
    }
}
