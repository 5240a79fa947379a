//! Where rows of bytes are not zero.

use crate::Float;
use crate::simd::{Element, Registers, Simd};

/// For each group of rows, the columns at which to load a register.
pub struct Columns {
    columns: Vec<u32>,
    /// Where each group's columns end.
    ends: Vec<usize>,
    /// All columns, for rows that were not looked at.
    all: Vec<u32>,
}

impl Columns {
    /// Whole registers of columns in which any of `R` successive rows of `width` elements has ink.
    #[inline(always)]
    pub fn new<S: Simd, T: Float, X: Element<T>, const R: usize>(x: &[X], width: usize) -> Self {
        let lanes = T::Register::<S>::LANES;
        let all: Vec<u32> = (0..width / lanes).map(|i| (i * lanes) as u32).collect();
        let groups = if X::MAY_BE_EMPTY { x.chunks_exact(R * width) } else { [].chunks_exact(1) };
        // Written at every column, kept at those with ink: a branch would be mispredicted at every edge.
        let mut columns = vec![0; groups.len() * all.len() + 1];
        let mut ends = Vec::with_capacity(groups.len());
        let mut end = 0;
        for rows in groups {
            for &k in &all {
                let mut ink = 0;
                for r in 0..R {
                    // SAFETY: row `r` of the group has whole registers from each of these columns on.
                    ink |= unsafe { X::ink::<T::Register<S>>(rows.as_ptr().add(r * width + k as usize)) };
                }
                columns[end] = k;
                end += usize::from(ink != 0);
            }
            ends.push(end);
        }
        Self { columns, ends, all }
    }

    /// The columns of a group.
    #[inline(always)]
    pub fn group(&self, group: usize) -> &[u32] {
        match self.ends.get(group) {
            Some(&end) => &self.columns[if group == 0 { 0 } else { self.ends[group - 1] }..end],
            None => &self.all,
        }
    }

    /// All columns, for rows outside of groups.
    pub fn all(&self) -> &[u32] {
        &self.all
    }
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

#[cfg(test)]
mod tests {
    use std::marker::PhantomData;

    use super::*;
    use crate::simd::{InstructionSet, Kernel, dispatch_on};

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
            let columns = Columns::new::<S, T, u8, 2>(x, width);
            let is_whole = dot < width / lanes * lanes;
            let expected = if is_whole { vec![(dot / lanes * lanes) as u32] } else { vec![] };
            assert_eq!(columns.group(0), [0u32; 0], "rows without ink");
            assert_eq!(columns.group(1), expected, "width {width}, column {dot}, {lanes} lanes");

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
}
