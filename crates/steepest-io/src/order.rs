//! The order in which a file has the numbers of an array: last index fastest, as in C, or first index fastest, as in
//! Fortran.
//!
//! The numbers of one row lie far apart in Fortran's order, so the last number of the file may belong to the first row. To
//! turn such an array whole takes its size twice. Instead it is read into parts, of some rows each, which are turned and
//! let go one after the other:
//!
//! ```text
//!                column 0      column 1      column 2
//!     file       a b c d e f   g h i j k l   m n o p q r
//!     part 0     a b c         g h i         m n o           -> a g m  b h n  c i o
//!     part 1           d e f         j k l         p q r     -> d j p  e k q  f l r
//! ```

/// The order of an array's numbers, and which of its rows are read into which part.
pub(crate) enum Order {
    C,
    Fortran { shape: Vec<usize>, rows_per_part: usize },
}

/// So many parts at most: one of them is what the turning takes above the array's own size.
const PARTS: usize = 64;

impl Order {
    pub(crate) fn fortran(shape: Vec<usize>) -> Self {
        let rows_per_part = n_rows(&shape).div_ceil(PARTS).max(1);
        Self::Fortran { shape, rows_per_part }
    }

    pub(crate) fn n_parts(&self) -> usize {
        match self {
            Self::C => 1,
            Self::Fortran { shape, rows_per_part } => n_rows(shape).div_ceil(*rows_per_part),
        }
    }

    /// To which part number `at` of the file belongs, and how many numbers from there on.
    pub(crate) fn part(&self, at: usize) -> (usize, usize) {
        match self {
            Self::C => (0, usize::MAX),
            Self::Fortran { shape, rows_per_part } => {
                let n_rows = n_rows(shape);
                let row = at.checked_rem(n_rows).unwrap_or(0);
                let part = row.checked_div(*rows_per_part).unwrap_or(0);
                let end = part.saturating_add(1).saturating_mul(*rows_per_part).min(n_rows);
                (part, end.saturating_sub(row))
            }
        }
    }

    /// The whole array in C's order.
    pub(crate) fn join<T: Copy>(&self, parts: impl IntoIterator<Item = Vec<T>>) -> Vec<T> {
        let mut parts = parts.into_iter();
        let Self::Fortran { shape, rows_per_part } = self else {
            return parts.next().unwrap_or_default();
        };
        // As many numbers have been read: room that is not yet filled takes no memory.
        let n = shape.iter().fold(1usize, |product, &size| product.saturating_mul(size));
        let mut values = Vec::with_capacity(n);
        let mut rows_left = n_rows(shape);
        for part in parts {
            let rows = rows_left.min(*rows_per_part);
            rows_left = rows_left.saturating_sub(rows);
            turn(&part, rows, shape, &mut values);
        }
        values
    }
}

fn n_rows(shape: &[usize]) -> usize {
    shape.first().copied().unwrap_or(1)
}

/// Appends `rows` rows of an array of this shape, first index fastest, with the last index fastest.
fn turn<T: Copy>(part: &[T], rows: usize, shape: &[usize], values: &mut Vec<T>) {
    // For each dimension how far apart its neighbours lie in the part.
    let sizes = [rows].into_iter().chain(shape.iter().skip(1).copied());
    let strides = sizes.scan(1usize, |stride, size| {
        let this = *stride;
        *stride = stride.saturating_mul(size);
        Some((size, this))
    });
    let mut outer: Vec<(usize, usize)> = strides.collect();
    let Some((last_size, last_stride)) = outer.pop() else { return };
    let mut index = vec![0usize; outer.len()];
    let mut at = 0usize;
    loop {
        let run = part.get(at..).unwrap_or_default();
        values.extend(run.iter().step_by(last_stride.max(1)).take(last_size));
        // The next row of the last dimension: the indices before it count up like the digits of a number.
        let mut is_end = true;
        for (i, &(size, stride)) in index.iter_mut().zip(&outer).rev() {
            *i = i.saturating_add(1);
            at = at.saturating_add(stride);
            if *i < size {
                is_end = false;
                break;
            }
            at = at.saturating_sub(size.saturating_mul(stride));
            *i = 0;
        }
        if is_end {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fortran_order_of_any_rank_is_turned() {
        let shapes: [&[usize]; 8] =
            [&[3], &[3, 4], &[2, 3, 4], &[2, 3, 1, 4], &[3, 2, 2, 2, 3], &[130, 5], &[65, 1, 3], &[1, 3, 2]];
        for shape in shapes {
            let strides: Vec<usize> =
                (0..shape.len()).map(|d| shape[..d].iter().product::<usize>()).collect();
            let n: usize = shape.iter().product();
            // Each number says where it lies in Fortran's order.
            let expected: Vec<usize> = (0..n)
                .map(|mut i| {
                    let mut at = 0;
                    for (size, stride) in shape.iter().zip(&strides).rev() {
                        at += i % size * stride;
                        i /= size;
                    }
                    at
                })
                .collect();
            let order = Order::fortran(shape.to_vec());
            let mut parts = vec![Vec::new(); order.n_parts()];
            let mut at = 0;
            while at < n {
                let (part, len) = order.part(at);
                // Never more than five at once, so that runs are cut.
                let end = (at + len.min(5)).min(n);
                parts[part].extend(at..end);
                at = end;
            }
            assert!(parts.len() <= PARTS);
            assert_eq!(order.join(parts), expected, "{shape:?}");
        }
    }
}
