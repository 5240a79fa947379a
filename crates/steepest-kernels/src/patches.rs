//! Images as the squares of them that are not empty, for narrow first layers and data that is seen again and again.
//!
//! In MNIST 62 of 100 squares of 4 x 4 pixels hold nothing but zeros. A block of rows keeps the others, as 16 bytes each
//! that widen into one register (or a few), and two lists of them: by row for the way forward, by patch for the way back.
//!
//! ```text
//!   values   ▓▓▓ ▓▓▓ ▓▓▓ │ ▓▓▓ ▓▓▓ │ ▓▓▓ ▓▓▓ ▓▓▓     by row, one after the other
//!   patch     3   7   8  │  7   8  │  3   8   9      which one it is: forward
//!   by_patch  (row, value) of 3: (0,0) (2,5)   of 7: (0,1) (1,3)   of 8: ...      backward
//! ```
//!
//! The weights lie patch after patch, `(n_patches, n_out, 16)`, so that what a patch is multiplied by lies together.

// Tiles are matrices of registers, and are written as such.
#![allow(clippy::needless_range_loop)]

use crate::Float;
use crate::simd::{Kernel, Registers, Simd, dispatch};
use crate::walks::{reduce, tiles, with_constant};

/// The patches with ink of a block of rows.
#[derive(Clone, Debug, Default)]
pub struct Patches {
    n_patches: usize,
    values: Vec<[u8; Patches::WIDTH]>,
    /// Of each value, in `0..n_patches`.
    patch: Vec<u16>,
    /// Where each row's values begin, and where the last ends.
    row_starts: Vec<u16>,
    by_patch: Vec<Entry>,
    /// Where each patch's entries begin, and where the last ends.
    patch_starts: Vec<u16>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    row: u16,
    value: u16,
}

impl Patches {
    /// Inputs of a patch.
    pub const WIDTH: usize = 16;
    /// The most rows of a block.
    pub const ROWS: usize = 64;
    /// The most patches of a row.
    pub const MOST: usize = u16::MAX as usize / Self::ROWS;

    /// Looks at the rows of `x (rows, n_in)`. The first patch has the inputs `order[..16]`, the second the next 16, and so on.
    ///
    /// # Panics
    /// When there are more rows than [`Patches::ROWS`] or more patches than [`Patches::MOST`], or `order` is not one of
    /// `n_in` inputs.
    pub fn find(&mut self, x: &[u8], n_in: usize, order: &[u32]) {
        let (orders, rest) = order.as_chunks::<{ Self::WIDTH }>();
        let rows = x.len() / n_in;
        assert!(order.len() == n_in && rest.is_empty() && orders.len() <= Self::MOST);
        assert!(x.len() == rows * n_in && rows <= Self::ROWS);
        self.n_patches = orders.len();
        self.values.clear();
        self.patch.clear();
        self.row_starts.clear();
        let mut counts = vec![0; orders.len()];
        for row in x.chunks_exact(n_in) {
            self.row_starts.push(self.values.len() as u16);
            for (patch, order) in orders.iter().enumerate() {
                let value = order.map(|input| row[input as usize]);
                if value != [0; Self::WIDTH] {
                    self.values.push(value);
                    self.patch.push(patch as u16);
                    counts[patch] += 1;
                }
            }
        }
        self.row_starts.push(self.values.len() as u16);

        // The same by patch: a counting sort.
        self.patch_starts.clear();
        self.patch_starts.push(0);
        let mut end = 0;
        for count in &mut counts {
            (*count, end) = (end, end + *count);
            self.patch_starts.push(end);
        }
        self.by_patch.clear();
        self.by_patch.resize(self.values.len(), Entry::default());
        for row in 0..rows {
            for value in self.row_starts[row]..self.row_starts[row + 1] {
                let next = &mut counts[self.patch[value as usize] as usize];
                self.by_patch[*next as usize] = Entry { row: row as u16, value };
                *next += 1;
            }
        }
    }

    /// Inputs of a row.
    pub fn n_in(&self) -> usize {
        self.n_patches * Self::WIDTH
    }

    /// Patches with ink.
    pub fn count(&self) -> usize {
        self.values.len()
    }

    fn n_rows(&self) -> usize {
        self.row_starts.len().saturating_sub(1)
    }
}

/// `out = factor x wᵀ + bias`, as [`crate::affine`], where `x` are these patches.
///
/// `w (n_patches, n_out, 16)`, `bias (n_out)` or none, `out (rows, n_out)`.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn affine_patches<T: Float>(patches: &Patches, factor: T, w: &[T], bias: Option<&[T]>, out: &mut [T]) {
    let n_out = patches.check(w.len(), out.len());
    assert!(bias.is_none_or(|b| b.len() == n_out));
    dispatch(Forward { patches, factor, w, bias, out });
}

/// `d_w = factor deltaᵀ x`, or with `add` `d_w += factor deltaᵀ x`, as [`crate::weight_gradient`], where `x` are these patches.
///
/// `delta (rows, n_out)`, `d_w (n_patches, n_out, 16)`.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn weight_gradient_patches<T: Float>(
    delta: &[T],
    patches: &Patches,
    factor: T,
    add: bool,
    d_w: &mut [T],
) {
    patches.check(d_w.len(), delta.len());
    dispatch(Backward { patches, factor, delta, add, d_w });
}

impl Patches {
    /// Units of a layer that has so many weights and gives so many numbers.
    fn check(&self, n_weights: usize, n_outputs: usize) -> usize {
        let n_out = n_weights / (self.n_patches * Self::WIDTH).max(1);
        assert!(n_weights == n_out * self.n_patches * Self::WIDTH && n_outputs == n_out * self.n_rows());
        n_out
    }
}

/// Units whose sums are in registers together.
const LARGEST: usize = 10;

struct Forward<'a, T> {
    patches: &'a Patches,
    factor: T,
    w: &'a [T],
    bias: Option<&'a [T]>,
    out: &'a mut [T],
}

impl<T: Float> Kernel for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        let n_out = self.out.len() / self.patches.n_rows().max(1);
        for (first, count) in tiles(n_out, LARGEST) {
            with_constant!(count, [1 2 3 4 5 6 7 8 9 10], O => self.tile::<S, O>(first, n_out));
        }
    }
}

impl<T: Float> Forward<'_, T> {
    /// `O` units of all rows.
    #[inline(always)]
    fn tile<S: Simd, const O: usize>(&mut self, first: usize, n_out: usize) {
        let Patches { values, patch, row_starts, .. } = self.patches;
        let lanes = T::Register::<S>::LANES;
        for row in 0..row_starts.len() - 1 {
            let mine = row_starts[row] as usize..row_starts[row + 1] as usize;
            let mut sums = [T::Register::<S>::splat(T::ZERO); O];
            for (value, &patch) in values[mine.clone()].iter().zip(&patch[mine]) {
                debug_assert!(patch < self.patches.n_patches as u16);
                // SAFETY: a value has `WIDTH` bytes, the patch's weights of each unit as many numbers; `LANES` divides
                // `WIDTH`, and there are `first + O` units at least.
                unsafe {
                    let w = self.w.as_ptr().add((patch as usize * n_out + first) * Patches::WIDTH);
                    for k in (0..Patches::WIDTH).step_by(lanes) {
                        let x = T::Register::<S>::load_bytes(value.as_ptr().add(k));
                        for o in 0..O {
                            let w = T::Register::<S>::load(w.add(o * Patches::WIDTH + k));
                            sums[o] = x.mul_add(w, sums[o]);
                        }
                    }
                }
            }
            let out = &mut self.out[row * n_out + first..][..O];
            reduce::<S, T>(&sums, |o, sum| {
                out[o] = self.factor * sum + self.bias.map_or(T::ZERO, |b| b[first + o]);
            });
        }
    }
}

struct Backward<'a, T> {
    patches: &'a Patches,
    factor: T,
    delta: &'a [T],
    add: bool,
    d_w: &'a mut [T],
}

impl<T: Float> Kernel for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        let n_out = self.delta.len() / self.patches.n_rows().max(1);
        for (first, count) in tiles(n_out, LARGEST) {
            with_constant!(count, [1 2 3 4 5 6 7 8 9 10], O => self.tile::<S, O>(first, n_out));
        }
    }
}

impl<T: Float> Backward<'_, T> {
    /// `O` units of all patches.
    #[inline(always)]
    fn tile<S: Simd, const O: usize>(&mut self, first: usize, n_out: usize) {
        let Patches { values, by_patch, patch_starts, n_patches, .. } = self.patches;
        let lanes = T::Register::<S>::LANES;
        let factor = T::Register::<S>::splat(self.factor);
        for patch in 0..*n_patches {
            let mine = &by_patch[patch_starts[patch] as usize..patch_starts[patch + 1] as usize];
            if mine.is_empty() && self.add {
                continue;
            }
            for k in (0..Patches::WIDTH).step_by(lanes) {
                let mut sums = [T::Register::<S>::splat(T::ZERO); O];
                for &Entry { row, value } in mine {
                    debug_assert!((row as usize) < self.patches.n_rows() && (value as usize) < values.len());
                    // SAFETY: entries have rows and values that exist; a row of `delta` has `n_out` numbers, of which
                    // `first + O` are no more; a value has `WIDTH` bytes, of which `LANES` divides the number.
                    unsafe {
                        let x = T::Register::<S>::load_bytes(
                            values.as_ptr().add(value as usize).cast::<u8>().add(k),
                        );
                        let delta = self.delta.as_ptr().add(row as usize * n_out + first);
                        for o in 0..O {
                            sums[o] = x.mul_add(T::Register::<S>::splat(*delta.add(o)), sums[o]);
                        }
                    }
                }
                let d_w = &mut self.d_w[(patch * n_out + first) * Patches::WIDTH..][..O * Patches::WIDTH];
                for o in 0..O {
                    let sum = sums[o].mul(factor);
                    // SAFETY: `O` units of `WIDTH` numbers each were cut just above.
                    unsafe {
                        let p = d_w.as_mut_ptr().add(o * Patches::WIDTH + k);
                        let sum = if self.add { T::Register::<S>::load(p).add(sum) } else { sum };
                        sum.store(p);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Finish;
    use crate::reference::{self, assert_close};
    use crate::simd::{InstructionSet, dispatch_on};

    /// Weights `(n_out, n_in)` patch after patch.
    fn by_patch<T: Float>(w: &[T], n_in: usize, order: &[u32]) -> Vec<T> {
        let patches = order.chunks(Patches::WIDTH);
        patches
            .flat_map(|patch| w.chunks(n_in).flat_map(move |w| patch.iter().map(|&input| w[input as usize])))
            .collect()
    }

    fn check<T: Float>(tolerance: f64) {
        for (rows, n_in, n_out) in [(1, 16, 1), (3, 64, 10), (64, 784, 10), (50, 112, 37)] {
            // 5 has no common factor with any of these.
            let order: Vec<u32> = (0..n_in as u32).map(|i| i * 5 % n_in as u32).collect();
            for ink_of_ten in [0, 2, 10] {
                let has_ink = |i: usize| i / 20 * 7 % 10 < ink_of_ten;
                let byte = |i: usize| if has_ink(i) { (i * 37 % 256) as u8 } else { 0 };
                let mut x = vec![0; rows * n_in];
                for (i, x) in x.iter_mut().enumerate() {
                    let place = order.iter().position(|&input| input as usize == i % n_in).unwrap();
                    *x = byte(i / n_in * n_in + place);
                }
                let numbers = |n: usize| -> Vec<T> {
                    (0..n).map(|i| T::from_f64((i * 29 % 97) as f64 / 97.0 - 0.5)).collect()
                };
                let (w, bias, delta) = (numbers(n_out * n_in), numbers(n_out), numbers(rows * n_out));
                let factor = T::from_f64(1.0 / 255.0);
                let plain: Vec<T> = x.iter().map(|&x| T::from_u8(x) * factor).collect();
                let mut patches = Patches::default();
                patches.find(&x, n_in, &order);
                assert!(patches.count() <= rows * n_in / Patches::WIDTH);
                assert!(ink_of_ten > 0 || patches.count() == 0);
                for set in InstructionSet::available() {
                    for bias in [Some(&bias[..]), None] {
                        let (mut out, mut expected) = (delta.clone(), delta.clone());
                        let (patches, w_p) = (&patches, by_patch(&w, n_in, &order));
                        dispatch_on(set, Forward { patches, factor, w: &w_p, bias, out: &mut out });
                        reference::affine(&plain, &w, Finish::logits(bias), n_in, &mut expected);
                        assert_close(&out, &expected, tolerance);
                    }
                    for add in [false, true] {
                        let (mut d_w, mut expected) = (by_patch(&w, n_in, &order), w.clone());
                        let (patches, delta) = (&patches, &delta[..]);
                        dispatch_on(set, Backward { patches, factor, delta, add, d_w: &mut d_w });
                        reference::weight_gradient(delta, &plain, n_in, add, &mut expected);
                        assert_close(&d_w, &by_patch(&expected, n_in, &order), tolerance);
                    }
                }
            }
        }
    }

    #[test]
    fn patches_equal_the_plain_products_on_every_instruction_set() {
        check::<f32>(2e-5);
        check::<f64>(1e-13);
    }

    #[test]
    #[should_panic]
    fn patches_of_other_rows_are_refused() {
        let mut patches = Patches::default();
        patches.find(&[1; 32], 16, &(0..16).collect::<Vec<_>>());
        affine_patches(&patches, 1.0f32, &[0.0; 16], None, &mut [0.0; 1]);
    }
}
