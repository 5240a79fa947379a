//! Where rows of bytes are not zero.

use crate::Float;
use crate::simd::{Element, Simd};

/// Columns that one `u64` speaks for: a bit for each eight of them.
const PANEL: usize = 64 * 8;

/// For each row, a bit for each eight columns: set where any of them is not zero.
pub struct Ink {
    /// `(rows, panels)`; empty for inputs that are not bytes, where nothing is left out.
    bits: Vec<u64>,
    panels: usize,
    width: usize,
}

/// For each group of rows, the columns at which to load a register.
pub struct Columns {
    columns: Vec<u32>,
    /// Where each group's columns end; one for all where nothing is left out.
    ends: Vec<usize>,
}

impl Ink {
    /// Looks at rows of `width` elements.
    #[inline(always)]
    pub fn new<S: Simd, T: Float, X: Element<T>>(x: &[X], width: usize) -> Self {
        let bytes = X::bytes(x);
        let panels = width.div_ceil(PANEL);
        let mut bits = vec![0; bytes.len() / width * panels];
        for (row, bits) in bytes.chunks_exact(width).zip(bits.chunks_exact_mut(panels)) {
            for (columns, bits) in row.chunks(PANEL).zip(bits) {
                let (lines, rest) = columns.as_chunks::<64>();
                for (i, line) in lines.iter().enumerate() {
                    *bits |= u64::from(S::nonzero_words(line)) << (8 * i);
                }
                if !rest.is_empty() {
                    let mut line = [0; 64];
                    line[..rest.len()].copy_from_slice(rest);
                    *bits |= u64::from(S::nonzero_words(&line)) << (8 * lines.len());
                }
            }
        }
        Self { bits, panels, width }
    }

    /// Whole registers of `lanes` columns in which any of a group's `n` rows has ink.
    #[inline(always)]
    pub fn columns(&self, n: usize, lanes: usize) -> Columns {
        let n_groups = self.bits.len() / self.panels / n;
        if self.bits.is_empty() {
            return self.all_columns(lanes);
        }
        let mut columns = vec![0; n_groups * (self.width / lanes) + 1];
        let mut ends = Vec::with_capacity(n_groups);
        let mut end = 0;
        for group in self.bits.chunks_exact(n * self.panels) {
            for panel in 0..self.panels {
                let mut bits = group[panel..].iter().step_by(self.panels).fold(0, |any, bits| any | bits);
                let first = panel * PANEL;
                let whole = (self.width - first).min(PANEL) / lanes * lanes;
                // A register may take more or less than the eight columns of a bit.
                for k in (0..whole).step_by(lanes) {
                    let mask = if lanes > 8 { 0b11 } else { 0b1 };
                    columns[end] = (first + k) as u32;
                    end += usize::from(bits & mask != 0);
                    bits >>= if (k + lanes).is_multiple_of(8) { lanes.div_ceil(8) } else { 0 };
                }
            }
            ends.push(end);
        }
        Columns { columns, ends }
    }

    /// All whole registers of a row.
    pub fn all_columns(&self, lanes: usize) -> Columns {
        let columns: Vec<u32> = (0..self.width / lanes).map(|i| (i * lanes) as u32).collect();
        Columns { ends: vec![columns.len()], columns }
    }

    /// Those of the first `n` rows that have ink in any of some columns: those from `column` on that lie within the
    /// width and the panel.
    #[inline(always)]
    pub fn rows_with_any(&self, column: usize, columns: usize, n: usize, out: &mut Vec<u32>) {
        out.clear();
        out.extend(0..n as u32);
        if self.bits.is_empty() {
            return;
        }
        let last = (column + columns).min(self.width) - 1;
        let mask = (!0 >> (63 - last % PANEL / 8)) & (!0 << (column % PANEL / 8));
        let mut found = 0;
        for (row, bits) in self.bits[column / PANEL..].iter().step_by(self.panels).take(n).enumerate() {
            out[found] = row as u32;
            found += usize::from(bits & mask != 0);
        }
        out.truncate(found);
    }
}

impl Columns {
    /// A group's columns.
    #[inline(always)]
    pub fn group(&self, group: usize) -> &[u32] {
        let group = group.min(self.ends.len() - 1);
        let start = if group == 0 { 0 } else { self.ends[group - 1] };
        &self.columns[start..self.ends[group]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{InstructionSet, Kernel, dispatch_on};

    struct Look<'a>(&'a [u8], usize);

    impl Kernel for Look<'_> {
        type Output = Ink;
        fn run<S: Simd>(self) -> Ink {
            Ink::new::<S, f32, u8>(self.0, self.1)
        }
    }

    #[test]
    fn single_dots_of_ink_are_found_in_every_column() {
        for width in [1, 16, 30, 64, 100, 512, 530, 1100] {
            for column in 0..width {
                let mut x = vec![0; 3 * width];
                x[width + column] = 1;
                for set in InstructionSet::available() {
                    let ink = dispatch_on(set, Look(&x, width));
                    let mut rows = Vec::new();
                    let strip = column / 8 * 8;
                    ink.rows_with_any(strip, 8, 3, &mut rows);
                    assert_eq!(rows, [1], "width {width}, column {column}");
                    for lanes in [2, 4, 8, 16] {
                        let columns = ink.columns(3, lanes);
                        // The register with the dot is there, if it is whole, and no register without ink nearby.
                        let whole = column < width / lanes * lanes;
                        let there = columns.group(0).contains(&((column / lanes * lanes) as u32));
                        assert_eq!(there, whole, "width {width}, column {column}, {lanes} lanes");
                        assert!(columns.group(0).iter().all(|&k| (k as usize).abs_diff(column) < 16));
                    }
                }
            }
        }
    }
}
