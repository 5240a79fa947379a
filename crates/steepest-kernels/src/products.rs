//! The three matrix products of a dense layer, and the sum for its bias.
//!
//! Both kernels below keep a tile of results in registers while they walk along the summed dimension. Lanes always
//! run along a row of memory, so no operand is ever transposed or packed, and a layer of ten units (where a general
//! matrix product would waste most of each register) is as fast as a wide one. Inputs that are bytes are read as
//! bytes: a quarter of the memory, and widening a register takes two instructions.
//!
//! Images are mostly empty: with [`Zeros::Skip`] a walk leaves out the registers that hold nothing but zeros. It finds
//! them once and then uses the list for all units. Adding a zero changes no bit, so the result is the same.

use crate::Float;
use crate::simd::{Element, Kernel, MAX_LANES, Registers, Simd, dispatch};

/// Whether to look for zeros in the inputs: worth it when many whole registers of them are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zeros {
    /// Leave them out.
    Skip,
    /// Do not look.
    Keep,
}

/// Inputs of a layer, `(rows, n_in)` row-major.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a, T, X> {
    /// Numbers or bytes.
    pub x: &'a [X],
    /// Numbers of a row.
    pub n_in: usize,
    /// What each of them is to be multiplied by.
    pub factor: T,
    /// Whether to look for zeros.
    pub zeros: Zeros,
}

impl<'a, T: Float, X> Inputs<'a, T, X> {
    /// Inputs as they are.
    pub fn plain(x: &'a [X], n_in: usize) -> Self {
        Self { x, n_in, factor: T::ONE, zeros: Zeros::Keep }
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
    dispatch(Affine { inputs, w, bias, out });
}

/// `d_w = factor deltaᵀ x`, or with `add` `d_w += factor deltaᵀ x`: what a block of rows gives to the gradient of a
/// layer's weights.
///
/// `delta (rows, n_out)`, `d_w (n_out, n_in)`.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn weight_gradient<T: Float, X: Element<T>>(delta: &[T], inputs: Inputs<T, X>, add: bool, d_w: &mut [T]) {
    let Inputs { x, n_in, factor, zeros } = inputs;
    let (rows, n_out) = (x.len() / n_in, d_w.len() / n_in);
    assert!(x.len() == rows * n_in && d_w.len() == n_out * n_in && delta.len() == rows * n_out);
    dispatch(Combine {
        c: delta,
        at: (1, n_out),
        terms: rows,
        y: x,
        width: n_in,
        factor,
        zeros,
        out: d_w,
        add,
    });
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
    let (factor, zeros) = (T::ONE, Zeros::Keep);
    dispatch(Combine {
        c: delta,
        at: (n_out, 1),
        terms: n_out,
        y: w,
        width: n_in,
        factor,
        zeros,
        out,
        add: false,
    });
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

/// Cuts `n` into tiles of at most `largest`, as equal as can be: seven rows are four and three, not six and one.
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

/// Which of up to 64 steps of a walk are to be taken, as bits.
type Steps = u64;

/// The first `n` steps, `n <= 64`.
#[inline(always)]
fn all_steps(n: usize) -> Steps {
    if n == 0 { 0 } else { !0 >> (64 - n) }
}

/// The numbers of the steps to be taken, in their order.
#[inline(always)]
fn taken(mut steps: Steps) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        (steps != 0).then(|| {
            let step = steps.trailing_zeros() as usize;
            steps &= steps - 1;
            step
        })
    })
}

struct Affine<'a, T, X> {
    inputs: Inputs<'a, T, X>,
    w: &'a [T],
    bias: Option<&'a [T]>,
    out: &'a mut [T],
}

/// The most registers that a tile of [`Affine`] has.
const MAX_TILE: usize = 24;

impl<T: Float, X: Element<T>> Kernel for Affine<'_, T, X> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        // The more units at once, the less often a narrow layer reads its inputs; the more rows, the less often a
        // wide one reads its weights.
        match (S::REGISTERS >= 32, self.w.len() / self.inputs.n_in <= 12) {
            (true, true) => self.groups::<S, 2, 12>(),
            (true, false) => self.groups::<S, 4, 6>(),
            (false, _) => self.groups::<S, 2, 5>(),
        }
    }
}

impl<T: Float, X: Element<T>> Affine<'_, T, X> {
    /// Rows of `x` in groups of `R`: for each, the registers along a row that are not all zero in all of them.
    #[inline(always)]
    fn groups<S: Simd, const R: usize, const LARGEST: usize>(mut self) {
        let Inputs { x: all, n_in, zeros, .. } = self.inputs;
        let lanes = T::Register::<S>::LANES;
        let chunks = n_in / lanes;
        let panels = chunks.div_ceil(64);
        let n_groups = all.len() / n_in / R;
        let mut steps: Vec<Steps> = (0..panels).map(|p| all_steps((chunks - p * 64).min(64))).collect();
        let dense = steps.clone();
        if zeros == Zeros::Skip {
            steps = vec![0; panels * n_groups];
            for (x, steps) in all.chunks_exact(R * n_in).zip(steps.chunks_exact_mut(panels.max(1))) {
                for (panel, steps) in steps.iter_mut().enumerate() {
                    for step in 0..(chunks - panel * 64).min(64) {
                        let k = (panel * 64 + step) * lanes;
                        // SAFETY: `k + lanes <= n_in`, so these registers lie within the group's `R` rows.
                        let zero = unsafe {
                            let pointers = std::array::from_fn(|r| x.as_ptr().add(r * n_in + k));
                            X::all_zero::<T::Register<S>, R>(pointers)
                        };
                        *steps |= Steps::from(!zero) << step;
                    }
                }
            }
        }
        // A few weight rows at a time stay in the first cache while all rows of `x` pass by.
        let rows = all.len() / n_in;
        for (first, count) in tiles(self.w.len() / n_in, LARGEST) {
            with_constant!(count, [0 1 2 3 4 5 6 7 8 9 10 11 12], O => if O <= LARGEST {
                for group in 0..n_groups {
                    let steps = if zeros == Zeros::Skip { &steps[group * panels..] } else { &steps[..] };
                    self.tile::<S, R, O>(group * R, first, &steps[..panels]);
                }
                for row in n_groups * R..rows {
                    self.tile::<S, 1, O>(row, first, &dense);
                }
            });
        }
    }

    /// `R x O` results, each a dot product.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const O: usize>(&mut self, row: usize, first: usize, steps: &[Steps]) {
        let Inputs { x, n_in, factor, .. } = self.inputs;
        let n_out = self.w.len() / n_in;
        let lanes = T::Register::<S>::LANES;
        let mut sums = [[T::Register::<S>::splat(T::ZERO); O]; R];
        let (x, w) = (&x[row * n_in..(row + R) * n_in], &self.w[first * n_in..(first + O) * n_in]);
        for (panel, &steps) in steps.iter().enumerate() {
            for step in taken(steps) {
                let k = (panel * 64 + step) * lanes;
                debug_assert!(k + lanes <= n_in);
                // SAFETY: `r < R`, `o < O`, and steps are whole registers of a row, so every load lies within the
                // slices cut above.
                unsafe {
                    let xs: [T::Register<S>; R] =
                        std::array::from_fn(|r| X::load(x.as_ptr().add(r * n_in + k)));
                    for o in 0..O {
                        let w = T::Register::<S>::load(w.as_ptr().add(o * n_in + k));
                        for r in 0..R {
                            sums[r][o] = xs[r].mul_add(w, sums[r][o]);
                        }
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
                *out = factor * sum + self.bias.map_or(T::ZERO, |b| b[first + o]);
            }
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
    zeros: Zeros,
    out: &'a mut [T],
    add: bool,
}

impl<T: Float, Y: Element<T>> Kernel for Combine<'_, T, Y> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        // Narrow strips, so that more of them are zero from end to end; the tiles are as tall as registers allow.
        let largest = if S::REGISTERS >= 32 { 12 } else { 5 };
        let lanes = T::Register::<S>::LANES;
        let mut steps = Vec::with_capacity(self.terms.div_ceil(64));
        let mut k = 0;
        while k + 2 * lanes <= self.width {
            self.strip::<S, 2, false>(k, largest, &mut steps);
            k += 2 * lanes;
        }
        if k + lanes <= self.width {
            self.strip::<S, 1, false>(k, largest, &mut steps);
            k += lanes;
        }
        if k < self.width {
            self.strip::<S, 1, true>(k, largest, &mut steps);
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
        steps: &mut Vec<Steps>,
    ) {
        let lanes = T::Register::<S>::LANES;
        steps.clear();
        for first in (0..self.terms).step_by(64) {
            let n = (self.terms - first).min(64);
            let mut bits = all_steps(n);
            if self.zeros == Zeros::Skip && !PARTIAL {
                bits = 0;
                for (t, y) in self.y[first * self.width..].chunks_exact(self.width).take(n).enumerate() {
                    let y = &y[k..k + V * lanes];
                    // SAFETY: the slice above holds `V` registers.
                    let zero = unsafe {
                        Y::all_zero::<T::Register<S>, V>(std::array::from_fn(|v| y.as_ptr().add(v * lanes)))
                    };
                    bits |= Steps::from(!zero) << t;
                }
            }
            steps.push(bits);
        }
        for (first, count) in tiles(self.out.len() / self.width, largest) {
            with_constant!(count, [0 1 2 3 4 5 6 7 8 9 10 11 12], R => {
                self.tile::<S, R, V, PARTIAL>(first, k, steps);
            });
        }
    }

    /// `R` rows by `V` registers; with `PARTIAL`, by the columns that are left, fewer than a register holds.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const V: usize, const PARTIAL: bool>(
        &mut self,
        first: usize,
        k: usize,
        steps: &[Steps],
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
        // `y`, `out` and `c` are those checked above, and steps are numbers of terms.
        unsafe {
            for (panel, &steps) in steps.iter().enumerate() {
                for step in taken(steps) {
                    let t = panel * 64 + step;
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
        zeros: Zeros,
        tolerance: f64,
    ) {
        let rows = x.len() / n_in;
        let (w, b) = (numbers::<T>(n_out * n_in, 2), numbers::<T>(n_out, 3));
        let delta = numbers::<T>(rows * n_out, 4);
        let inputs = Inputs { x, n_in, factor, zeros };

        let (mut out, mut expected) = (delta.clone(), delta.clone());
        dispatch_on(set, Affine { inputs, w: &w, bias: Some(&b), out: &mut out });
        reference::affine(plain, &w, Some(&b), n_in, &mut expected);
        assert_close(&out, &expected, tolerance);

        for add in [false, true] {
            let (mut out, mut expected) = (w.clone(), w.clone());
            let out_ = &mut out;
            dispatch_on(
                set,
                Combine {
                    c: &delta,
                    at: (1, n_out),
                    terms: rows,
                    y: x,
                    width: n_in,
                    factor,
                    zeros,
                    out: out_,
                    add,
                },
            );
            reference::weight_gradient(&delta, plain, n_in, add, &mut expected);
            assert_close(&out, &expected, tolerance);
        }

        let (mut out, mut expected) = (vec![T::ONE; rows * n_in], vec![T::ZERO; rows * n_in]);
        let (c, y, terms, one) = (&delta[..], &w[..], n_out, T::ONE);
        let at = (n_out, 1);
        dispatch_on(
            set,
            Combine { c, at, terms, y, width: n_in, factor: one, zeros, out: &mut out, add: false },
        );
        reference::backpropagate(&delta, &w, n_in, &mut expected);
        assert_close(&out, &expected, tolerance);
    }

    fn check_all<T: Float>(tolerance: f64) {
        let sets = InstructionSet::available().into_iter();
        for (set, zeros) in sets.flat_map(|set| [(set, Zeros::Skip), (set, Zeros::Keep)]) {
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
                let inked = |i: usize| i / 70 % 3 == 0;
                let mut x = numbers::<T>(rows * n_in, 1);
                x.iter_mut().enumerate().filter(|(i, _)| !inked(*i)).for_each(|(_, x)| *x = T::ZERO);
                let plain = scaled(x.iter().copied(), T::from_f64(0.25));
                check(&x, &plain, (n_in, n_out), T::from_f64(0.25), set, zeros, tolerance);

                let bytes: Vec<u8> =
                    (0..rows * n_in).map(|i| if inked(i) { (i * 37 % 256) as u8 } else { 0 }).collect();
                let factor = T::from_f64(1.0 / 255.0);
                let plain = scaled(bytes.iter().map(|&b| T::from_u8(b)), factor);
                check(&bytes, &plain, (n_in, n_out), factor, set, zeros, tolerance);
            }
        }
    }

    #[test]
    fn products_equal_their_plain_twins_on_every_instruction_set() {
        check_all::<f32>(2e-5);
        check_all::<f64>(1e-13);
    }
}
