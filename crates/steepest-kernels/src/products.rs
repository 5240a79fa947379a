//! The three matrix products of a dense layer, and the sum for its bias.
//!
//! Both kernels below keep a tile of results in registers while they walk along the summed dimension. Lanes always
//! run along a row of memory, so no operand is ever transposed or packed, and a layer of ten units (where a general
//! matrix product would waste most of each register) is as fast as a wide one.

use crate::Float;
use crate::simd::{Kernel, Registers, Simd, dispatch};

/// `out = x wᵀ + bias`: a layer's logits.
///
/// `x (rows, n_in)`, `w (n_out, n_in)`, `bias (n_out)` or none, `out (rows, n_out)`.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn affine<T: Float>(x: &[T], w: &[T], bias: Option<&[T]>, n_in: usize, out: &mut [T]) {
    let (rows, n_out) = (x.len() / n_in, w.len() / n_in);
    assert!(x.len() == rows * n_in && w.len() == n_out * n_in && out.len() == rows * n_out);
    assert!(bias.is_none_or(|b| b.len() == n_out));
    dispatch(Affine { x, w, bias, n_in, out });
}

/// `d_w = deltaᵀ x`, or with `add` `d_w += deltaᵀ x`: what a block of rows gives to the gradient of a layer's weights.
///
/// `delta (rows, n_out)`, `x (rows, n_in)`, `d_w (n_out, n_in)`.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn weight_gradient<T: Float>(delta: &[T], x: &[T], n_in: usize, add: bool, d_w: &mut [T]) {
    let (rows, n_out) = (x.len() / n_in, d_w.len() / n_in);
    assert!(x.len() == rows * n_in && d_w.len() == n_out * n_in && delta.len() == rows * n_out);
    dispatch(Combine { c: delta, at: (1, n_out), terms: rows, y: x, width: n_in, out: d_w, add });
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
    dispatch(Combine { c: delta, at: (n_out, 1), terms: n_out, y: w, width: n_in, out, add: false });
}

/// `d_b += sum over rows of delta`: what a block of rows adds to the gradient of a layer's bias.
///
/// `delta (rows, n_out)`, `d_b (n_out)`.
pub fn column_sums<T: Float>(delta: &[T], d_b: &mut [T]) {
    for row in delta.chunks_exact(d_b.len()) {
        for (sum, &d) in d_b.iter_mut().zip(row) {
            *sum += d;
        }
    }
}

/// Cuts `n` into tiles of at most `largest`, as equal as can be: ten rows are five and five, not six and four.
#[inline(always)]
fn tiles(n: usize, largest: usize) -> impl Iterator<Item = (usize, usize)> {
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

/// The widest register, and the most registers that a tile of [`Affine`] has.
const MAX_LANES: usize = 16;
const MAX_TILE: usize = 24;

struct Affine<'a, T> {
    x: &'a [T],
    w: &'a [T],
    bias: Option<&'a [T]>,
    n_in: usize,
    out: &'a mut [T],
}

impl<T: Float> Kernel for Affine<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        let n_out = self.w.len() / self.n_in;
        // A few weight rows at a time stay in the first cache while all rows of `x` pass by.
        let (largest, rows_at_once) = if S::REGISTERS >= 32 { (6, 4) } else { (5, 2) };
        for (first, count) in tiles(n_out, largest) {
            with_constant!(count, [0 1 2 3 4 5 6], O => if rows_at_once == 4 {
                self.weight_rows::<S, 4, O>(first)
            } else {
                self.weight_rows::<S, 2, O>(first)
            });
        }
    }
}

impl<T: Float> Affine<'_, T> {
    /// All rows of `x` with the `O` weight rows from `first` on, `R` rows at a time.
    #[inline(always)]
    fn weight_rows<S: Simd, const R: usize, const O: usize>(&mut self, first: usize) {
        let rows = self.x.len() / self.n_in;
        let mut row = 0;
        while row + R <= rows {
            self.tile::<S, R, O>(row, first);
            row += R;
        }
        while row < rows {
            self.tile::<S, 1, O>(row, first);
            row += 1;
        }
    }

    /// `R x O` results, each a dot product.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const O: usize>(&mut self, row: usize, first: usize) {
        let n_in = self.n_in;
        let n_out = self.w.len() / n_in;
        let lanes = T::Register::<S>::LANES;
        let mut sums = [[T::Register::<S>::splat(T::ZERO); O]; R];
        let (x, w) = (&self.x[row * n_in..(row + R) * n_in], &self.w[first * n_in..(first + O) * n_in]);
        let mut k = 0;
        while k + lanes <= n_in {
            // SAFETY: `r < R`, `o < O` and `k + lanes <= n_in`, so every load lies within the slices cut above.
            unsafe {
                let xs: [_; R] =
                    std::array::from_fn(|r| T::Register::<S>::load(x.as_ptr().add(r * n_in + k)));
                for o in 0..O {
                    let w = T::Register::<S>::load(w.as_ptr().add(o * n_in + k));
                    for r in 0..R {
                        sums[r][o] = xs[r].mul_add(w, sums[r][o]);
                    }
                }
            }
            k += lanes;
        }
        if k < n_in {
            let rest = n_in - k;
            // SAFETY: as above, with the `rest < lanes` numbers that are left of each row.
            unsafe {
                let xs: [_; R] =
                    std::array::from_fn(|r| T::Register::<S>::load_first(x.as_ptr().add(r * n_in + k), rest));
                for o in 0..O {
                    let w = T::Register::<S>::load_first(w.as_ptr().add(o * n_in + k), rest);
                    for r in 0..R {
                        sums[r][o] = xs[r].mul_add(w, sums[r][o]);
                    }
                }
            }
        }
        // By way of memory: the long sums, unrolled for every element, would drive the tile out of its registers.
        let mut parked = [[T::ZERO; MAX_LANES]; MAX_TILE];
        for r in 0..R {
            for o in 0..O {
                // SAFETY: a register has at most `MAX_LANES` lanes.
                unsafe { sums[r][o].store(parked[r * O + o].as_mut_ptr()) }
            }
        }
        for r in 0..R {
            let out = &mut self.out[(row + r) * n_out + first..][..O];
            for (o, out) in out.iter_mut().enumerate() {
                // SAFETY: as above.
                let sum = unsafe { T::Register::<S>::load(parked[r * O + o].as_ptr()) }.sum();
                *out = sum + self.bias.map_or(T::ZERO, |b| b[first + o]);
            }
        }
    }
}

/// `out[i] (+)= sum over t of c[i, t] * y[t]`: rows of `out` as combinations of the rows of `y`, where `c[i, t]` lies
/// at `i * at.0 + t * at.1`. Both backward products are this one, with `delta` read along or across.
struct Combine<'a, T> {
    c: &'a [T],
    at: (usize, usize),
    terms: usize,
    y: &'a [T],
    width: usize,
    out: &'a mut [T],
    add: bool,
}

impl<T: Float> Kernel for Combine<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        if S::REGISTERS >= 32 {
            self.columns::<S, 4>(6);
        } else {
            self.columns::<S, 2>(5);
        }
    }
}

impl<T: Float> Combine<'_, T> {
    /// Strips of `V` registers across, then of one, then the last columns.
    #[inline(always)]
    fn columns<S: Simd, const V: usize>(&mut self, largest: usize) {
        let lanes = T::Register::<S>::LANES;
        let mut k = 0;
        while k + V * lanes <= self.width {
            self.strip::<S, V, false>(k, largest);
            k += V * lanes;
        }
        while k + lanes <= self.width {
            self.strip::<S, 1, false>(k, largest);
            k += lanes;
        }
        if k < self.width {
            self.strip::<S, 1, true>(k, largest);
        }
    }

    /// All rows of `out` for the columns from `k` on.
    #[inline(always)]
    fn strip<S: Simd, const V: usize, const PARTIAL: bool>(&mut self, k: usize, largest: usize) {
        for (first, count) in tiles(self.out.len() / self.width, largest) {
            with_constant!(count, [0 1 2 3 4 5 6], R => self.tile::<S, R, V, PARTIAL>(first, k));
        }
    }

    /// `R` rows by `V` registers; with `PARTIAL`, by the columns that are left, fewer than a register holds.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const V: usize, const PARTIAL: bool>(&mut self, first: usize, k: usize) {
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
        // `y`, `out` and `c` are those checked above.
        unsafe {
            for t in 0..self.terms {
                let y = self.y.as_ptr().add(t * width + k);
                let ys: [_; V] = std::array::from_fn(|v| {
                    if PARTIAL {
                        T::Register::<S>::load_first(y, rest)
                    } else {
                        T::Register::<S>::load(y.add(v * lanes))
                    }
                });
                for r in 0..R {
                    let c = *self.c.as_ptr().add((first + r) * self.at.0 + t * self.at.1);
                    let c = T::Register::<S>::splat(c);
                    for v in 0..V {
                        sums[r][v] = ys[v].mul_add(c, sums[r][v]);
                    }
                }
            }
            for r in 0..R {
                for v in 0..V {
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
    use crate::reference;
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

    fn assert_close<T: Float>(got: &[T], expected: &[T], tolerance: f64) {
        for (i, (g, e)) in got.iter().zip(expected).enumerate() {
            let (g, e) = (g.to_f64(), e.to_f64());
            assert!((g - e).abs() <= tolerance * (1.0 + e.abs()), "element {i}: {g} instead of {e}");
        }
    }

    fn check_all<T: Float>(tolerance: f64) {
        for set in InstructionSet::available() {
            for (rows, n_in, n_out) in
                [(1, 1, 1), (5, 3, 2), (64, 784, 10), (7, 10, 10), (33, 65, 13), (12, 100, 1), (9, 24, 17)]
            {
                let x = numbers::<T>(rows * n_in, 1);
                let w = numbers::<T>(n_out * n_in, 2);
                let b = numbers::<T>(n_out, 3);
                let delta = numbers::<T>(rows * n_out, 4);

                let (mut out, mut expected) = (vec![T::ZERO; rows * n_out], vec![T::ZERO; rows * n_out]);
                dispatch_on(set, Affine { x: &x, w: &w, bias: Some(&b), n_in, out: &mut out });
                reference::affine(&x, &w, Some(&b), n_in, &mut expected);
                assert_close(&out, &expected, tolerance);

                let (mut d_w, mut expected) = (w.clone(), w.clone());
                let at = (1, n_out);
                let c = &delta;
                dispatch_on(
                    set,
                    Combine { c, at, terms: rows, y: &x, width: n_in, out: &mut d_w, add: true },
                );
                reference::weight_gradient(&delta, &x, n_in, true, &mut expected);
                assert_close(&d_w, &expected, tolerance);

                let (mut back, mut expected) = (vec![T::ONE; rows * n_in], vec![T::ZERO; rows * n_in]);
                let at = (n_out, 1);
                dispatch_on(
                    set,
                    Combine { c, at, terms: n_out, y: &w, width: n_in, out: &mut back, add: false },
                );
                reference::backpropagate(&delta, &w, n_in, &mut expected);
                assert_close(&back, &expected, tolerance);
            }
        }
    }

    #[test]
    fn products_equal_their_plain_twins_on_every_instruction_set() {
        check_all::<f32>(2e-5);
        check_all::<f64>(1e-13);
    }
}
