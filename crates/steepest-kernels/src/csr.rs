//! The first layer of sparse rows, which come as their entries: the others are zero, and nowhere written.
//!
//! Forward, an entry adds its row of the transposed weights to the sums of its row, which stay in registers. For the gradient the
//! entries are brought into the order of their columns: a row of the gradient is then written once.

// Tiles are arrays of registers, and are written as such.
#![allow(clippy::needless_range_loop)]

use crate::Float;
use crate::simd::{Kernel, Registers, Simd, dispatch};
use crate::sparse::{for_all_units, load, store};

/// A block of sparse rows, by rows and by columns.
#[derive(Clone, Debug)]
pub struct Csr<T> {
    n_in: usize,
    by_row: Entries<T>,
    by_column: Entries<T>,
    /// Where the next entry of each column goes.
    next: Vec<usize>,
}

/// Entries in the order of their lines, rows or columns.
#[derive(Clone, Debug)]
struct Entries<T> {
    /// Where each line begins, and where the last one ends.
    starts: Vec<usize>,
    values: Vec<T>,
    /// Where in the line.
    places: Vec<u32>,
}

impl<T: Float> Entries<T> {
    const fn new() -> Self {
        Self { starts: Vec::new(), values: Vec::new(), places: Vec::new() }
    }
}

impl<T: Float> Csr<T> {
    /// No rows yet.
    pub fn new() -> Self {
        Self { n_in: 0, by_row: Entries::new(), by_column: Entries::new(), next: Vec::new() }
    }

    /// Begins a block of rows of `n_in` numbers.
    pub fn begin(&mut self, n_in: usize) {
        self.n_in = n_in;
        let Entries { starts, values, places } = &mut self.by_row;
        starts.clear();
        starts.push(0);
        values.clear();
        places.clear();
        self.by_column.starts.clear();
    }

    /// Adds a row: `factor` times its values, and their columns, in any order; what is in the same column is added up.
    ///
    /// # Panics
    /// When there are not as many columns as values, or a column is not in `0..n_in`.
    pub fn push<F: Float>(&mut self, values: &[F], columns: &[i32], factor: f64) {
        assert_eq!(values.len(), columns.len());
        let n_in = self.n_in;
        for &column in columns {
            assert!(usize::try_from(column).is_ok_and(|c| c < n_in), "column {column} of {n_in}");
        }
        self.by_column.starts.clear();
        let Entries { starts, values: all, places } = &mut self.by_row;
        places.extend(columns.iter().map(|&column| column as u32));
        all.extend(values.iter().map(|x| T::from_f64(x.to_f64() * factor)));
        starts.push(all.len());
    }

    /// Brings the entries of the rows into the order of their columns as well, for the gradient.
    pub fn sort(&mut self) {
        let Self { n_in, by_row, by_column, next } = self;
        next.clear();
        next.resize(*n_in, 0);
        by_row.places.iter().for_each(|&column| next[column as usize] += 1);
        by_column.starts.clear();
        let mut start = 0;
        for next in &mut *next {
            by_column.starts.push(start);
            start += std::mem::replace(next, start);
        }
        by_column.starts.push(start);
        by_column.values.resize(start, T::ZERO);
        by_column.places.resize(start, 0);
        for (row, range) in by_row.starts.windows(2).enumerate() {
            for k in range[0]..range[1] {
                let to = &mut next[by_row.places[k] as usize];
                by_column.values[*to] = by_row.values[k];
                by_column.places[*to] = row as u32;
                *to += 1;
            }
        }
    }

    /// Rows of the block.
    pub fn rows(&self) -> usize {
        self.by_row.starts.len().saturating_sub(1)
    }

    /// Numbers of a row.
    pub fn n_in(&self) -> usize {
        self.n_in
    }
}

impl<T: Float> Default for Csr<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// `out = x wᵀ + bias`: a layer's logits.
///
/// `w_t (n_in, n_out)`, the weights transposed; `bias (n_out)` or none, `out (rows, n_out)`. Each sum is from the first entry of a
/// row to the last.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn affine_csr<T: Float>(x: &Csr<T>, w_t: &[T], bias: Option<&[T]>, out: &mut [T]) {
    let n_out = w_t.len() / x.n_in;
    assert!(w_t.len() == n_out * x.n_in && out.len() == x.rows() * n_out);
    assert!(bias.is_none_or(|b| b.len() == n_out));
    dispatch(Forward { x, w_t, bias, out });
}

/// `d_w_t = xᵀ delta`, or with `add` `d_w_t += xᵀ delta`: what a block of rows gives to the gradient of the transposed weights.
///
/// `delta (rows, n_out)`, `d_w_t (any, n_out)`: the gradient of the columns from `first` on, as many as it has room for.
///
/// # Panics
/// When the slices do not have these shapes, or after [`Csr::push`] the rows were not sorted.
pub fn weight_gradient_csr<T: Float>(delta: &[T], x: &Csr<T>, first: usize, add: bool, d_w_t: &mut [T]) {
    let n_out = delta.len() / x.rows();
    let columns = d_w_t.len() / n_out;
    assert!(delta.len() == x.rows() * n_out && d_w_t.len() == columns * n_out && first + columns <= x.n_in);
    assert!(x.by_column.starts.len() == x.n_in + 1, "rows that are not sorted");
    dispatch(Backward { delta, x, n_out, first, add, d_w_t });
}

struct Forward<'a, T> {
    x: &'a Csr<T>,
    w_t: &'a [T],
    bias: Option<&'a [T]>,
    out: &'a mut [T],
}

impl<T: Float> Kernel for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        for_all_units!(S, T, self.w_t.len() / self.x.n_in, self);
    }
}

impl<T: Float> Forward<'_, T> {
    /// `V` registers of units for all rows; with `PARTIAL`, the last one is not full.
    #[inline(always)]
    fn units<S: Simd, const V: usize, const PARTIAL: bool>(&mut self, unit: usize) {
        let Entries { starts, values, places } = &self.x.by_row;
        let n_out = self.w_t.len() / self.x.n_in;
        let lanes = T::Register::<S>::LANES;
        let rest = n_out - unit - (V - 1) * lanes;
        let is_full = |v: usize| !PARTIAL || v + 1 < V;
        for (range, out) in starts.windows(2).zip(self.out.chunks_exact_mut(n_out)) {
            let mut sums = [T::Register::<S>::splat(T::ZERO); V];
            for (&x, &column) in values[range[0]..range[1]].iter().zip(&places[range[0]..range[1]]) {
                let x = T::Register::<S>::splat(x);
                // SAFETY: columns are below `n_in`, of which `w_t` has a row each, and `V` registers, of which the
                // last may have `rest` numbers, lie within it from `unit` on.
                unsafe {
                    let w = self.w_t.as_ptr().add(column as usize * n_out + unit);
                    for v in 0..V {
                        sums[v] = x.mul_add(load::<S, T>(w.add(v * lanes), is_full(v), rest), sums[v]);
                    }
                }
            }
            for v in 0..V {
                // SAFETY: as above, for the bias and a row of `out`.
                unsafe {
                    let place = unit + v * lanes;
                    if let Some(bias) = self.bias {
                        sums[v] = sums[v].add(load::<S, T>(bias.as_ptr().add(place), is_full(v), rest));
                    }
                    store::<S, T>(sums[v], out.as_mut_ptr().add(place), is_full(v), rest);
                }
            }
        }
    }
}

struct Backward<'a, T> {
    delta: &'a [T],
    x: &'a Csr<T>,
    n_out: usize,
    /// The column that `d_w_t` begins with.
    first: usize,
    add: bool,
    d_w_t: &'a mut [T],
}

impl<T: Float> Kernel for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        for_all_units!(S, T, self.n_out, self);
    }
}

impl<T: Float> Backward<'_, T> {
    /// As [`Forward::units`], for all columns.
    #[inline(always)]
    fn units<S: Simd, const V: usize, const PARTIAL: bool>(&mut self, unit: usize) {
        let Entries { starts, values, places } = &self.x.by_column;
        let n_out = self.n_out;
        let lanes = T::Register::<S>::LANES;
        let rest = n_out - unit - (V - 1) * lanes;
        let is_full = |v: usize| !PARTIAL || v + 1 < V;
        for (range, d_w) in starts[self.first..].windows(2).zip(self.d_w_t.chunks_exact_mut(n_out)) {
            if range[0] == range[1] && self.add {
                continue;
            }
            let mut sums = [T::Register::<S>::splat(T::ZERO); V];
            for (&x, &row) in values[range[0]..range[1]].iter().zip(&places[range[0]..range[1]]) {
                let x = T::Register::<S>::splat(x);
                // SAFETY: `delta` has each of the rows, and `V` registers, of which the last may have `rest` numbers, lie within
                // it from `unit` on.
                unsafe {
                    let delta = self.delta.as_ptr().add(row as usize * n_out + unit);
                    for v in 0..V {
                        sums[v] = x.mul_add(load::<S, T>(delta.add(v * lanes), is_full(v), rest), sums[v]);
                    }
                }
            }
            for v in 0..V {
                // SAFETY: as above, for a row of `d_w_t`.
                unsafe {
                    let p = d_w.as_mut_ptr().add(unit + v * lanes);
                    if self.add {
                        sums[v] = load::<S, T>(p, is_full(v), rest).add(sums[v]);
                    }
                    store::<S, T>(sums[v], p, is_full(v), rest);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Finish;
    use crate::products::tests::numbers;
    use crate::reference::{self, assert_close};
    use crate::simd::{InstructionSet, dispatch_on};

    fn check<T: Float>(tolerance: f64) {
        // Entries of a row, in no order, and some in the same column.
        for (rows, n_in, n_out, entries) in
            [(1, 1, 1, 1), (3, 9, 2, 20), (64, 300, 100, 7), (5, 20, 133, 0), (70, 50, 17, 50)]
        {
            let columns: Vec<i32> = (0..rows * entries).map(|i| (i * i * 7 % n_in) as i32).collect();
            let values: Vec<f64> = numbers(columns.len(), 1);
            let mut x = Csr::<T>::new();
            // What was there before does not matter.
            x.begin(1);
            x.push(&[1.0f32], &[0], 1.0);
            x.sort();
            x.begin(n_in);
            let mut dense = vec![T::ZERO; rows * n_in];
            for row in 0..rows {
                let of_row = row * entries..(row + 1) * entries;
                x.push(&values[of_row.clone()], &columns[of_row.clone()], 0.5);
                for k in of_row {
                    dense[row * n_in + columns[k] as usize] += T::from_f64(values[k] * 0.5);
                }
            }
            x.sort();
            let (x, delta) = (&x, &numbers::<T>(rows * n_out, 2)[..]);
            let (w, bias) = (numbers::<T>(n_out * n_in, 3), numbers::<T>(n_out, 4));
            let mut w_t = w.clone();
            crate::transpose(&w, n_in, 0, &mut w_t);
            for set in InstructionSet::available() {
                for bias in [Some(&bias[..]), None] {
                    let (mut out, mut expected) = (delta.to_vec(), delta.to_vec());
                    dispatch_on(set, Forward { x, w_t: &w_t, bias, out: &mut out });
                    reference::affine(&dense, &w, Finish::logits(bias), n_in, &mut expected);
                    assert_close(&out, &expected, tolerance);
                }
                for add in [false, true] {
                    let (mut d_w_t, mut expected) = (w_t.clone(), w.clone());
                    let height = n_in.div_ceil(3);
                    for (i, d_w_t) in d_w_t.chunks_mut(height * n_out).enumerate() {
                        let first = i * height;
                        dispatch_on(set, Backward { delta, x, n_out, first, add, d_w_t });
                    }
                    reference::weight_gradient(delta, &dense, n_in, add, &mut expected);
                    let mut expected_t = expected.clone();
                    crate::transpose(&expected, n_in, 0, &mut expected_t);
                    assert_close(&d_w_t, &expected_t, tolerance);
                }
            }
        }
    }

    #[test]
    fn sparse_rows_equal_the_plain_products_on_every_instruction_set() {
        check::<f32>(2e-5);
        check::<f64>(1e-13);
    }

    #[test]
    #[should_panic = "column 2 of 2"]
    fn columns_beyond_the_last_are_refused() {
        let mut x = Csr::<f32>::new();
        x.begin(2);
        x.push(&[1.0f32], &[2], 1.0);
    }

    #[test]
    #[should_panic = "not sorted"]
    fn a_gradient_needs_sorted_rows() {
        let mut x = Csr::<f32>::new();
        x.begin(2);
        x.push(&[1.0f32], &[1], 1.0);
        weight_gradient_csr(&[1.0], &x, 0, false, &mut [0.0; 2]);
    }
}
