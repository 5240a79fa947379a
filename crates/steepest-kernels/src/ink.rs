//! Where rows of bytes are not zero.

use crate::Float;
use crate::simd::{Element, Registers, Simd};

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
}
