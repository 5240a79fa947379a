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
//! first term to the last, in equal stretches of at most `DEPTH`: so it does not depend on where the tiles are cut.

// Tiles are matrices of registers, and are written as such.
#![allow(clippy::needless_range_loop)]

use crate::finish::Store;
use crate::simd::{Kernel, MAX_LANES, Registers, Simd, prefetch, prefetch_later};
use crate::walks::{tiles, with_constant};
use crate::{AlignedVec, Float};

/// The most terms that are summed in registers before they are added to C: a strip of B fits the first cache.
pub(crate) const DEPTH: usize = 256;
/// Rows of A that are packed at a time: half a megabyte of numbers in single precision.
const HEIGHT: usize = 512;

/// A matrix as it lies in memory: the element in row `i` and column `j` at `i * strides.0 + j * strides.1`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, T> {
    pub(crate) numbers: &'a [T],
    pub(crate) strides: (usize, usize),
}

/// `c = factor a b`, stored as `store` says.
pub(crate) struct Gemm<'a, T> {
    /// `(m, k)`
    pub(crate) a: Matrix<'a, T>,
    /// `(k, n)`
    pub(crate) b: Matrix<'a, T>,
    pub(crate) k: usize,
    pub(crate) n: usize,
    pub(crate) factor: T,
    pub(crate) store: Store<'a, T>,
    /// `(m, n)` row-major.
    pub(crate) c: &'a mut [T],
}

impl<T: Float> Kernel for Gemm<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        self.multiply::<S, Numbers>();
    }
}

/// In which form factors are packed and multiplied.
pub(crate) trait Packing<T: Float> {
    /// Terms that a packed number holds.
    const TERMS: usize;

    /// Writes `rows x columns` of a matrix from `(row, column)` on as [`pack`] does, so many columns at a time in one.
    fn pack<S: Simd>(
        matrix: Matrix<T>,
        at: (usize, usize),
        size: (usize, usize),
        height: usize,
        out: &mut [T],
    );

    /// `c` and the products of the terms that the lanes of `a` and `b` hold.
    fn mul_add<S: Simd>(a: T::Register<S>, b: T::Register<S>, c: T::Register<S>) -> T::Register<S>;
}

/// Factors as they are.
struct Numbers;

impl<T: Float> Packing<T> for Numbers {
    const TERMS: usize = 1;

    #[inline(always)]
    fn pack<S: Simd>(
        matrix: Matrix<T>,
        at: (usize, usize),
        size: (usize, usize),
        height: usize,
        out: &mut [T],
    ) {
        pack::<S, T>(matrix, at, size, height, out);
    }

    #[inline(always)]
    fn mul_add<S: Simd>(a: T::Register<S>, b: T::Register<S>, c: T::Register<S>) -> T::Register<S> {
        a.mul_add(b, c)
    }
}

/// Registers that a tile is wide.
const V: usize = 2;

impl<T: Float> Gemm<'_, T> {
    /// Computes the product, its factors packed as `P` says.
    #[inline(always)]
    pub(crate) fn multiply<S: Simd, P: Packing<T>>(self) {
        if S::REGISTERS >= 32 { self.blocks::<S, P, 12>() } else { self.blocks::<S, P, 6>() }
    }

    #[inline(always)]
    fn blocks<S: Simd, P: Packing<T>, const TALLEST: usize>(mut self) {
        let lanes = T::Register::<S>::LANES;
        let (m, width) = (self.c.len() / self.n, V * lanes);
        let depth = DEPTH.min(self.k.div_ceil(P::TERMS));
        // With room for what [`pack`] writes too much.
        let mut block = AlignedVec::zeros(HEIGHT.min(m) * depth + lanes);
        let mut strip = AlignedVec::zeros(depth * width + lanes);
        for (term, terms) in tiles(self.k, DEPTH * P::TERMS) {
            let packed = terms.div_ceil(P::TERMS);
            for row in (0..m).step_by(HEIGHT) {
                let rows = HEIGHT.min(m - row);
                for (first, count) in tiles(rows, TALLEST) {
                    let panel = &mut block[first * packed..];
                    P::pack::<S>(self.a, (row + first, term), (count, terms), count, panel);
                }
                for column in (0..self.n).step_by(width) {
                    let columns = width.min(self.n - column);
                    // B transposed: its columns are what is packed as rows.
                    let b = Matrix { strides: (self.b.strides.1, self.b.strides.0), ..self.b };
                    P::pack::<S>(b, (column, term), (columns, terms), width, &mut strip);
                    let next = (column + width, term);
                    let after = (width.min(self.n.saturating_sub(column + width)), terms);
                    let n_tiles = rows.div_ceil(TALLEST);
                    for (t, (first, count)) in tiles(rows, TALLEST).enumerate() {
                        prefetch_part(b, next, after, (t, n_tiles));
                        let panel = &block[first * packed..][..count * packed];
                        with_constant!(count, [1 2 3 4 5 6 7 8 9 10 11 12], R => if R <= TALLEST {
                            let ends = (term == 0, term + terms == self.k);
                            self.tile::<S, P, R>(panel, &strip, row + first, column, ends);
                        });
                    }
                }
            }
        }
    }

    /// Adds the terms of a panel and a strip to `R` rows of C.
    #[inline(always)]
    fn tile<S: Simd, P: Packing<T>, const R: usize>(
        &mut self,
        panel: &[T],
        strip: &[T],
        row: usize,
        column: usize,
        (is_first, is_last): (bool, bool),
    ) {
        let (n, lanes) = (self.n, T::Register::<S>::LANES);
        let left = n - column;
        for r in row..row + R {
            prefetch(self.c[r * n + column..].as_ptr().cast());
            prefetch(self.c[r * n + column + left.min(V * lanes) - 1..].as_ptr().cast());
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
                        sums[r][v] = P::mul_add::<S>(b[v], a, sums[r][v]);
                    }
                }
            }
        }
        self.store.check(self.c.len(), n);
        let (store, adds) = self.store.of_stretch(is_first, is_last);
        let c = (self.c.as_mut_ptr(), n);
        // SAFETY: the rows exist, and so do the columns that are left, of each and of what was checked above.
        unsafe {
            if left >= V * lanes {
                store.tile::<S, R, V>(sums, self.factor, c, (row * n + column, column), (None, adds));
                return;
            }
            for v in 0..V.min(left.div_ceil(lanes)) {
                let sums: [[T::Register<S>; 1]; R] = std::array::from_fn(|r| [sums[r][v]]);
                let (column, left) = (column + v * lanes, left - v * lanes);
                let rest = (left < lanes).then_some(left);
                store.tile::<S, R, 1>(sums, self.factor, c, (row * n + column, column), (rest, adds));
            }
        }
    }
}

/// Writes `rows x columns` of a matrix from `(row, column)` on, column after column, each with room for `height` rows. What is
/// written there beyond `rows` has no meaning, and goes on for up to a register behind the last column.
#[inline(always)]
pub(crate) fn pack<S: Simd, T: Float>(
    matrix: Matrix<T>,
    (row, column): (usize, usize),
    (rows, columns): (usize, usize),
    height: usize,
    out: &mut [T],
) {
    let lanes = T::Register::<S>::LANES;
    let (down, right) = matrix.strides;
    let numbers = &matrix.numbers[row * down + column * right..];
    assert!(rows > 0 && columns > 0 && rows <= height && (down == 1 || right == 1));
    assert!(
        numbers.len() > (rows - 1) * down + (columns - 1) * right && out.len() >= columns * height + lanes
    );
    if down == 1 {
        for j in 0..columns {
            for i in (0..rows).step_by(lanes) {
                let from = numbers[j * right + i..].as_ptr();
                // SAFETY: as many rows of the column are left as are read, and there is room for a register behind it.
                unsafe {
                    let column = if rows - i >= lanes {
                        T::Register::<S>::load(from)
                    } else {
                        T::Register::<S>::load_first(from, rows - i)
                    };
                    column.store(out.as_mut_ptr().add(j * height + i));
                }
            }
        }
        return;
    }
    let whole = columns / lanes * lanes;
    for j in (0..whole).step_by(lanes) {
        for i in (0..rows).step_by(lanes) {
            // The last square overlaps the one before, so that it spoils none of the columns to come.
            let i = i.min(height.saturating_sub(lanes));
            // SAFETY: rows that exist have `lanes` columns from `j` on. No write reaches further than a register behind
            // `height` rows of the last of these columns.
            unsafe {
                let mut square = [numbers.as_ptr(); MAX_LANES];
                for (l, row) in square.iter_mut().enumerate().take(lanes) {
                    *row = row.add((i + l).min(rows - 1) * down + j);
                }
                T::Register::<S>::transpose(&square, out.as_mut_ptr().add(j * height + i), height);
            }
        }
    }
    for j in whole..columns {
        for i in 0..rows {
            out[j * height + i] = numbers[i * down + j];
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
