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
    fn overwriting_loses_about_half_of_the_rows_and_leaks_nearly_all_held_out_ones() {
        let split = split(60_000, 1000, Some(SplitShuffle::Overwrite), 0);
        let train: HashSet<u32> = split.train.iter().copied().collect();
        let distinct = train.iter().chain(&split.validation).collect::<HashSet<_>>().len();
        assert!((29_000..31_500).contains(&distinct), "{distinct} distinct rows are left");
        let leaked = split.validation.iter().filter(|&row| train.contains(row)).count();
        assert!((975..=998).contains(&leaked), "{leaked} of 1000 held-out rows are in training");
    }
}
