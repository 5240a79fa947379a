//! Which rows are for training and which are held out.

use rand::RngExt;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::rng::{Purpose, stream};

/// How rows are shuffled before the split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplitShuffle {
    /// A permutation (the textbook).
    #[default]
    Permute,
    /// What `random.shuffle` makes of a 2-D NumPy array (notebook 2): swapping two rows copies one over the other,
    /// because both sides of the swap are views of the same memory. From the last row down, row `i` becomes a copy
    /// of a random row `0..=i`, so that about half of the rows vanish and others stand there several times.
    Overwrite,
}

/// What the held-out rows are to be like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplitKind {
    /// The first ones, whatever they are.
    #[default]
    Random,
    /// The first ones of each class, so that classes are as frequent among them as among all rows. Targets that are
    /// numbers have no classes: then as [`SplitKind::Random`].
    Stratified,
}

/// Row numbers of the two parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// Rows to learn from.
    pub train: Vec<u32>,
    /// Rows held out: the first ones after shuffling, as in the notebooks.
    pub validation: Vec<u32>,
}

/// Splits `n_rows` rows, the first `n_validation` (after shuffling, if `shuffle`) held out.
pub fn split(n_rows: usize, n_validation: usize, shuffle: Option<SplitShuffle>, seed: u64) -> Split {
    let mut rows: Vec<u32> = (0..n_rows as u32).collect();
    let mut rng = stream(seed, Purpose::Split);
    match shuffle {
        None => {}
        Some(SplitShuffle::Permute) => rows.shuffle(&mut rng),
        Some(SplitShuffle::Overwrite) => {
            for i in (1..n_rows).rev() {
                rows[i] = rows[rng.random_range(0..=i)];
            }
        }
    }
    let train = rows.split_off(n_validation.min(n_rows));
    Split { train, validation: rows }
}

/// The same rows, of which as many of each class are held out as its part of all rows: rounded down, and one more for the
/// classes to which that takes the most away, until there are as many as before. A class's last row is not held out.
///
/// `labels` has the class of each row, below `n_classes`.
pub fn stratified(split: Split, labels: &[u32], n_classes: usize) -> Split {
    let Split { train, validation } = split;
    let (n_rows, n_validation) = (labels.len().max(1), validation.len());
    let mut counts = vec![0usize; n_classes];
    labels.iter().for_each(|&label| counts[label as usize] += 1);
    // `count * n_validation / n_rows`, and what is left of the division.
    let mut quotas: Vec<usize> = counts.iter().map(|&count| count * n_validation / n_rows).collect();
    let mut left = n_validation - quotas.iter().sum::<usize>();
    let mut by_rest: Vec<usize> = (0..n_classes).collect();
    by_rest.sort_by_key(|&class| std::cmp::Reverse(counts[class] * n_validation % n_rows));
    // Twice: the last rows that some classes keep are made up for by others.
    for &class in by_rest.iter().chain(&by_rest) {
        if left > 0 && quotas[class] + 1 < counts[class] {
            quotas[class] += 1;
            left -= 1;
        }
    }
    let is_held_out = |row: &u32| {
        let quota = &mut quotas[labels[*row as usize] as usize];
        let has_room = *quota > 0;
        *quota -= usize::from(has_room);
        has_room
    };
    let (validation, train) = validation.into_iter().chain(train).partition(is_held_out);
    Split { train, validation }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_permutation_holds_out_each_row_once() {
        let split = split(100, 20, Some(SplitShuffle::Permute), 3);
        let rows: HashSet<u32> = split.train.iter().chain(&split.validation).copied().collect();
        assert_eq!((split.validation.len(), rows.len()), (20, 100));
        assert_ne!(split.validation, (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn classes_are_held_out_in_their_parts() {
        // 50, 30, 19 and 1 rows of four classes.
        let labels: Vec<u32> =
            (0..100).map(|i| u32::from(i >= 50) + u32::from(i >= 80) + u32::from(i >= 99)).collect();
        let plain = split(100, 25, Some(SplitShuffle::Permute), 3);
        let parts = stratified(plain.clone(), &labels, 4);
        let count = |rows: &[u32]| {
            let mut counts = [0; 4];
            rows.iter().for_each(|&row| counts[labels[row as usize] as usize] += 1);
            counts
        };
        // 12.5, 7.5, 4.75 and 0.25: the rest goes to the third, then to the first.
        assert_eq!((count(&parts.validation), count(&parts.train)), ([13, 7, 5, 0], [37, 23, 14, 1]));
        let all: HashSet<u32> = parts.train.iter().chain(&parts.validation).copied().collect();
        assert_eq!(all.len(), 100);
        // Rows keep the order that the shuffle gave them.
        let order = |rows: &[u32], row: u32| rows.iter().position(|&r| r == row);
        let shuffled: Vec<u32> = plain.validation.iter().chain(&plain.train).copied().collect();
        assert!(parts.validation.is_sorted_by_key(|&row| order(&shuffled, row)));
        assert_eq!(stratified(split(3, 0, None, 0), &[0, 1, 1], 2), split(3, 0, None, 0));
    }

    #[test]
    fn overwriting_loses_about_half_of_the_rows_and_leaks_nearly_all_held_out_ones() {
        let split = split(60_000, 1000, Some(SplitShuffle::Overwrite), 0);
        let train: HashSet<u32> = split.train.iter().copied().collect();
        let distinct = train.iter().chain(&split.validation).collect::<HashSet<_>>().len();
        assert!((29_000..31_500).contains(&distinct), "{distinct} distinct rows are left");
        let leaked = split.validation.iter().filter(|&row| train.contains(row)).count();
        assert!((975..=998).contains(&leaked), "{leaked} of 1000 held-out rows are in training");
    }
}
