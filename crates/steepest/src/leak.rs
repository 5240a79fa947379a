//! Rows that are held out and yet seen in training.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::dataset::{Dataset, Inputs};

/// The rows of a training set, to be recognised by their contents.
pub struct SeenRows(HashSet<u64>);

impl SeenRows {
    /// Remembers the given rows of `data`; none where rows are drawn anew each time.
    pub fn new(data: &Dataset, rows: &[u32]) -> Self {
        Self(rows.iter().filter_map(|&row| row_hash(data, row)).collect())
    }

    /// Those of `rows` whose inputs do not occur among the seen ones.
    pub fn unseen(&self, data: &Dataset, rows: impl IntoIterator<Item = u32>) -> Vec<u32> {
        let is_seen = |row: u32| row_hash(data, row).is_some_and(|hash| self.0.contains(&hash));
        rows.into_iter().filter(|&row| !is_seen(row)).collect()
    }
}

fn row_hash(data: &Dataset, row: u32) -> Option<u64> {
    let width = data.n_features();
    let place = row as usize * width..(row as usize + 1) * width;
    let mut hasher = DefaultHasher::new();
    match data.inputs() {
        Inputs::Bytes(x) => hasher.write(&x[place]),
        Inputs::F32(x) => x[place].iter().for_each(|x| x.to_bits().hash(&mut hasher)),
        Inputs::F64(x) => x[place].iter().for_each(|x| x.to_bits().hash(&mut hasher)),
        Inputs::Sparse(rows) => rows
            .entries(row as usize)
            .iter()
            .for_each(|(column, value)| (column, value.to_bits()).hash(&mut hasher)),
        Inputs::Drawn { .. } => return None,
    }
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_recognised_by_their_contents() {
        let data = Dataset::new(Inputs::Bytes(vec![1, 2, 3, 4, 1, 2, 5, 6].into()), 2, None).unwrap();
        let seen = SeenRows::new(&data, &[0]);
        assert_eq!(seen.unseen(&data, 1..4), [1, 3]);
        let other = Dataset::new(Inputs::Bytes(vec![5, 6, 1, 2].into()), 2, None).unwrap();
        assert_eq!(seen.unseen(&other, 0..2), [0]);
    }
}
