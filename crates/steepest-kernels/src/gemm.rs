//! The product of two large matrices, after Goto and van de Geijn (Anatomy of High-Performance Matrix Multiplication, 2008).
//!
//! Where the weights of a layer are too many for the second cache, the walks of [`crate::affine`] and its kin would fetch
//! them from memory again and again. Here both factors are cut into pieces that fit a cache each, and brought into the order
//! in which they are read:
//!
//! ```text
//!                          B (k, n)          a strip of B: DEPTH x V registers of columns, in the first cache
//!                        ┌───┬──┬───────┐
//!              DEPTH  {  │   │▒▒│       │
//!                        ├───┴──┴───────┤
//!        A (m, k)        │              │
//!      ┌─────┬──┐        └──────────────┘
//!      │▓▓▓▓▓│  │        ┌───┬──┬───────┐
//!      │─────┤  │  tile  │   │██│       │    a tile of C: up to 12 rows x V registers, in registers
//!      │▓▓▓▓▓│  │        │   └──┘       │
//!      └─────┴──┘        └──────────────┘
//!   a block of A: HEIGHT x DEPTH,  C (m, n)
//!   in the second cache
//! ```
//!
//! A strip of B is read once from memory for each block of A, and used for all its rows. Each element of C is summed from the
//! first term to the last, in stretches of `DEPTH`: so it does not depend on where the tiles are cut.

// Tiles are matrices of registers, and are written as such.
#![allow(clippy::needless_range_loop)]

use crate::simd::{Kernel, Registers, Simd, prefetch, prefetch_later};
use crate::walks::{tiles, with_constant};
use crate::{AlignedVec, Float};

/// Terms that are summed in registers before they are added to C: a strip of B fits the first cache.
const DEPTH: usize = 256;
/// Rows of A that are packed at a time: half a megabyte of numbers in single precision.
const HEIGHT: usize = 512;

/// A matrix as it lies in memory: the element in row `i` and column `j` at `i * strides.0 + j * strides.1`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, T> {
    pub(crate) numbers: &'a [T],
    pub(crate) strides: (usize, usize),
}

/// `c = factor a b + bias`, or with `add` `c += factor a b`.
pub(crate) struct Gemm<'a, T> {
    /// `(m, k)`
    pub(crate) a: Matrix<'a, T>,
    /// `(k, n)`
    pub(crate) b: Matrix<'a, T>,
    pub(crate) k: usize,
    pub(crate) n: usize,
    pub(crate) factor: T,
    /// `(n)`, added to every row.
    pub(crate) bias: Option<&'a [T]>,
    pub(crate) add: bool,
    /// `(m, n)` row-major.
    pub(crate) c: &'a mut [T],
}

impl<T: Float> Kernel for Gemm<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        if S::REGISTERS >= 32 { self.blocks::<S, 12>() } else { self.blocks::<S, 6>() }
    }
}

/// Registers that a tile is wide.
const V: usize = 2;

impl<T: Float> Gemm<'_, T> {
    #[inline(always)]
    fn blocks<S: Simd, const TALLEST: usize>(mut self) {
        let (m, width) = (self.c.len() / self.n, V * T::Register::<S>::LANES);
        let depth = DEPTH.min(self.k);
        let mut block = AlignedVec::zeros(HEIGHT.min(m) * depth);
        let mut strip = AlignedVec::zeros(depth * width);
        for term in (0..self.k).step_by(DEPTH) {
            let terms = DEPTH.min(self.k - term);
            for row in (0..m).step_by(HEIGHT) {
                let rows = HEIGHT.min(m - row);
                for (first, count) in tiles(rows, TALLEST) {
                    let panel = &mut block[first * terms..][..count * terms];
                    pack(self.a, (row + first, term), (count, terms), count, self.factor, panel);
                }
                for column in (0..self.n).step_by(width) {
                    let columns = width.min(self.n - column);
                    // B transposed: its columns are what is packed as rows.
                    let b = Matrix { strides: (self.b.strides.1, self.b.strides.0), ..self.b };
                    pack(b, (column, term), (columns, terms), width, T::ONE, &mut strip);
                    let next = (column + width, term);
                    let after = (width.min(self.n.saturating_sub(column + width)), terms);
                    let n_tiles = rows.div_ceil(TALLEST);
                    for (t, (first, count)) in tiles(rows, TALLEST).enumerate() {
                        prefetch_part(b, next, after, (t, n_tiles));
                        let panel = &block[first * terms..][..count * terms];
                        with_constant!(count, [1 2 3 4 5 6 7 8 9 10 11 12], R => if R <= TALLEST {
                            self.tile::<S, R>(panel, &strip, row + first, column, term == 0);
                        });
                    }
                }
            }
        }
    }

    /// Adds the terms of a panel and a strip to `R` rows of C.
    #[inline(always)]
    fn tile<S: Simd, const R: usize>(
        &mut self,
        panel: &[T],
        strip: &[T],
        row: usize,
        column: usize,
        is_first: bool,
    ) {
        let (n, lanes) = (self.n, T::Register::<S>::LANES);
        let c = &mut self.c[row * n..(row + R) * n];
        let left = n - column;
        for r in 0..R {
            prefetch(c[r * n + column..].as_ptr().cast());
            prefetch(c[r * n + column + left.min(V * lanes) - 1..].as_ptr().cast());
        }
        let mut sums = [[T::Register::<S>::splat(T::ZERO); V]; R];
        let terms = panel.len() / R;
        assert!(strip.len() >= terms * V * lanes);
        // SAFETY: the panel has `R` numbers for each term, the strip `V` registers.
        unsafe {
            for t in 0..terms {
                let b: [T::Register<S>; V] =
                    std::array::from_fn(|v| T::Register::<S>::load(strip.as_ptr().add((t * V + v) * lanes)));
                for r in 0..R {
                    let a = T::Register::<S>::splat(*panel.as_ptr().add(t * R + r));
                    for v in 0..V {
                        sums[r][v] = b[v].mul_add(a, sums[r][v]);
                    }
                }
            }
        }
        let bias = self.bias.filter(|_| is_first).map(|bias| &bias[column..]);
        let adds = self.add || !is_first;
        for v in 0..V {
            let columns = left.saturating_sub(v * lanes);
            if columns == 0 {
                break;
            }
            // SAFETY: `columns` numbers, or a register of them, are left in each row of C and in the bias.
            unsafe {
                let load = |p: *const T| {
                    if columns >= lanes {
                        T::Register::<S>::load(p)
                    } else {
                        T::Register::<S>::load_first(p, columns)
                    }
                };
                let bias = bias.map(|bias| load(bias.as_ptr().add(v * lanes)));
                for r in 0..R {
                    let p = c.as_mut_ptr().add(r * n + column + v * lanes);
                    let mut sum = sums[r][v];
                    if let Some(bias) = bias {
                        sum = sum.add(bias);
                    }
                    if adds {
                        sum = load(p).add(sum);
                    }
                    if columns >= lanes { sum.store(p) } else { sum.store_first(p, columns) }
                }
            }
        }
    }
}

/// Writes `rows x columns` of a matrix from `(row, column)` on, times `factor`, column after column, each with room for
/// `height` rows, the last of which are zero.
#[inline(always)]
fn pack<T: Float>(
    matrix: Matrix<T>,
    (row, column): (usize, usize),
    (rows, columns): (usize, usize),
    height: usize,
    factor: T,
    out: &mut [T],
) {
    let (down, right) = matrix.strides;
    let numbers = &matrix.numbers[row * down + column * right..];
    if rows < height {
        out.fill(T::ZERO);
    }
    if down == 1 {
        for (j, out) in out.chunks_exact_mut(height).take(columns).enumerate() {
            let column = &numbers[j * right..][..rows];
            out.iter_mut().zip(column).for_each(|(out, &x)| *out = x * factor);
        }
        return;
    }
    // In small squares, so that each cache line that is read is used whole while it is near.
    const SQUARE: usize = 8;
    for i in (0..rows).step_by(SQUARE) {
        for j in (0..columns).step_by(2 * SQUARE) {
            for j in j..columns.min(j + 2 * SQUARE) {
                for i in i..rows.min(i + SQUARE) {
                    out[j * height + i] = numbers[i * down + j * right] * factor;
                }
            }
        }
    }
}

/// Asks for one of `parts` parts of the memory that [`pack`] will read.
#[inline(always)]
fn prefetch_part<T: Float>(
    matrix: Matrix<T>,
    (row, column): (usize, usize),
    (rows, columns): (usize, usize),
    (part, parts): (usize, usize),
) {
    let (down, right) = matrix.strides;
    // Lines of memory: along the columns, or along the rows.
    let (n_lines, along, stride) = if right == 1 { (rows, columns, down) } else { (columns, rows, right) };
    let start = matrix.numbers.as_ptr().wrapping_add(row * down + column * right);
    for i in n_lines * part / parts..n_lines * (part + 1) / parts {
        for j in (0..along).step_by(64 / size_of::<T>()) {
            prefetch_later(start.wrapping_add(i * stride + j).cast());
        }
    }
}
