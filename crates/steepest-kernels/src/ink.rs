//! Where rows of bytes or numbers are not zero.

use crate::Float;
use crate::simd::{Element, Kernel, Registers, Simd, Stored, dispatch};

/// Puts into `out` the columns at which to load a register: those from which any of `R` rows of `width` elements has ink
/// within a whole register.
#[inline(always)]
pub fn columns_with_ink<S: Simd, T: Float, X: Element<T>, const R: usize>(
    rows: &[X],
    width: usize,
    out: &mut Vec<u32>,
) {
    assert!(rows.len() >= R * width);
    let lanes = T::Register::<S>::LANES;
    out.resize(width / lanes + 1, 0);
    let mut found = 0;
    for i in 0..width / lanes {
        let column = i * lanes;
        let mut ink = 0;
        for r in 0..R {
            // SAFETY: each of the `R` rows has a whole register from this column on.
            ink |= unsafe { X::ink::<T::Register<S>>(rows.as_ptr().add(r * width + column)) };
        }
        // Written at every column, kept at those with ink: a branch would be mispredicted at every edge.
        out[found] = column as u32;
        found += usize::from(ink != 0);
    }
    out.truncate(found);
}

/// Puts into `out` those of the first `n` rows of `x` that have ink in any of `V` registers from `column` on; the
/// last, narrower ones of a row count as having it.
#[inline(always)]
pub fn rows_with_ink<S: Simd, T: Float, X: Element<T>, const V: usize>(
    x: &[X],
    width: usize,
    column: usize,
    n: usize,
    out: &mut Vec<u32>,
) {
    let lanes = T::Register::<S>::LANES;
    out.clear();
    out.extend(0..n as u32);
    if !X::MAY_BE_EMPTY || column + V * lanes > width {
        return;
    }
    assert!(n * width <= x.len());
    let mut found = 0;
    for row in 0..n {
        let mut ink = 0;
        for v in 0..V {
            // SAFETY: `V` registers fit into the row from `column` on, and there are `n` rows, both as just checked.
            ink |= unsafe { X::ink::<T::Register<S>>(x.as_ptr().add(row * width + column + v * lanes)) };
        }
        out[found] = row as u32;
        found += usize::from(ink != 0);
    }
    out.truncate(found);
}

/// For each column of a block of rows, a bit for each row that is not zero there.
#[derive(Clone, Debug, Default)]
pub struct Ink {
    pub(crate) columns: Vec<u64>,
}

impl Ink {
    /// The most rows of a block: as many as a word has bits.
    pub const ROWS: usize = 64;

    /// Looks at the rows of `x (rows, n_in)`.
    ///
    /// # Panics
    /// When there are more than [`Ink::ROWS`].
    pub fn find<X: Stored>(&mut self, x: &[X], n_in: usize) {
        assert!(x.len() <= Self::ROWS * n_in);
        dispatch(Find { x, n_in, columns: &mut self.columns });
    }

    /// How many elements are not zero.
    pub fn count(&self) -> usize {
        self.columns.iter().map(|rows| rows.count_ones() as usize).sum()
    }
}

struct Find<'a, X> {
    x: &'a [X],
    n_in: usize,
    columns: &'a mut Vec<u64>,
}

impl<X: Stored> Kernel for Find<'_, X> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { x, n_in, columns } = self;
        columns.clear();
        columns.resize(n_in.next_multiple_of(64), 0);
        for (i, square) in columns.as_chunks_mut::<64>().0.iter_mut().enumerate() {
            for (row, bits) in x.chunks_exact(n_in).zip(&mut *square) {
                *bits = X::nonzero::<S>(&row[i * 64..n_in.min((i + 1) * 64)]);
            }
            transpose_bits(square);
        }
        columns.truncate(n_in);
    }
}

/// Swaps rows and columns of 64 x 64 bits: quarters of ever smaller squares (Warren, Hacker's Delight, 7-3).
#[inline(always)]
fn transpose_bits(square: &mut [u64; 64]) {
    let mut mask = !0u64 >> 32;
    let mut half = 32;
    while half > 0 {
        for block in square.chunks_exact_mut(2 * half) {
            let (upper, lower) = block.split_at_mut(half);
            for (upper, lower) in upper.iter_mut().zip(lower) {
                let swapped = (*upper >> half ^ *lower) & mask;
                *lower ^= swapped;
                *upper ^= swapped << half;
            }
        }
        half /= 2;
        mask ^= mask << half;
    }
}

#[cfg(test)]
mod tests {
    use std::marker::PhantomData;

    use super::*;
    use crate::simd::{InstructionSet, dispatch_on};

    struct Look<'a, T> {
        x: &'a [u8],
        width: usize,
        dot: usize,
        precision: PhantomData<T>,
    }

    impl<T: Float> Kernel for Look<'_, T> {
        type Output = ();
        fn run<S: Simd>(self) {
            let Self { x, width, dot, .. } = self;
            let lanes = T::Register::<S>::LANES;
            let is_whole = dot < width / lanes * lanes;
            let expected = if is_whole { vec![(dot / lanes * lanes) as u32] } else { vec![] };
            let mut columns = Vec::new();
            columns_with_ink::<S, T, u8, 2>(x, width, &mut columns);
            assert_eq!(columns, [0u32; 0], "rows without ink");
            columns_with_ink::<S, T, u8, 2>(&x[2 * width..], width, &mut columns);
            assert_eq!(columns, expected, "width {width}, column {dot}, {lanes} lanes");

            let mut rows = Vec::new();
            rows_with_ink::<S, T, u8, 1>(x, width, dot / lanes * lanes, 4, &mut rows);
            assert_eq!(rows, if is_whole { vec![3] } else { vec![0, 1, 2, 3] });
        }
    }

    #[test]
    fn single_dots_of_ink_are_found_in_every_column() {
        for width in [1, 16, 30, 64, 100] {
            for dot in 0..width {
                let mut x = vec![0; 4 * width];
                x[3 * width + dot] = 1;
                for set in InstructionSet::available() {
                    dispatch_on(set, Look { x: &x, width, dot, precision: PhantomData::<f32> });
                    dispatch_on(set, Look { x: &x, width, dot, precision: PhantomData::<f64> });
                }
            }
        }
    }

    /// Finds the ink of `x`, which has it where the bytes have.
    fn check_columns<X: Stored>(set: InstructionSet, x: &[X], bytes: &[u8], width: usize) {
        let (rows, mut ink) = (bytes.len() / width, Ink::default());
        dispatch_on(set, Find { x, n_in: width, columns: &mut ink.columns });
        assert_eq!(ink.count(), bytes.iter().filter(|&&x| x != 0).count());
        for (column, bits) in ink.columns.iter().enumerate() {
            for row in 0..64 {
                let has_ink = row < rows && bytes[row * width + column] != 0;
                assert_eq!(bits >> row & 1 == 1, has_ink, "{set:?}: row {row}, column {column}");
            }
        }
    }

    #[test]
    fn each_column_knows_its_rows() {
        for (rows, width) in [(1, 1), (3, 64), (64, 131), (64, 784), (33, 63)] {
            let bytes: Vec<u8> =
                (0..rows * width).map(|i| if i * i % 7 < 2 { (i % 255) as u8 } else { 0 }).collect();
            let numbers: Vec<f32> = bytes.iter().map(|&x| if x == 9 { f32::NAN } else { x.into() }).collect();
            let zeros_of_both_signs: Vec<f64> =
                bytes.iter().map(|&x| if x == 0 { -0.0 } else { -f64::from(x) }).collect();
            for set in InstructionSet::available() {
                check_columns(set, &bytes, &bytes, width);
                check_columns(set, &numbers, &bytes, width);
                check_columns(set, &zeros_of_both_signs, &bytes, width);
            }
        }
    }
}
