//! Rows to hold out, as scikit-learn's `train_test_split` draws them.

use crate::mersenne::MersenneTwister;
use crate::split::Split;

impl MersenneTwister {
    /// `train_test_split(test_size=n_validation)` of `n_rows` rows.
    pub fn split(&mut self, n_rows: usize, n_validation: usize) -> Split {
        let mut validation = self.permutation(n_rows);
        let train = validation.split_off(n_validation.min(n_rows));
        Split { train, validation }
    }

    /// The same with `stratify=labels`: as many rows of each class as its part of all rows. `labels` are below `n_classes`.
    pub fn stratified_split(&mut self, labels: &[u32], n_classes: usize, n_validation: usize) -> Split {
        let mut rows = vec![Vec::new(); n_classes];
        (0..).zip(labels).for_each(|(row, &label)| rows[label as usize].push(row));
        let counts: Vec<usize> = rows.iter().map(Vec::len).collect();
        let for_training = self.shares(&counts, labels.len() - n_validation);
        let left: Vec<usize> = counts.iter().zip(&for_training).map(|(all, train)| all - train).collect();
        let held_out = self.shares(&left, n_validation);
        let (mut train, mut validation) = (Vec::new(), Vec::new());
        for ((rows, n_train), n_validation) in rows.iter().zip(for_training).zip(held_out) {
            let order = self.permutation(rows.len());
            let mut drawn = order.into_iter().map(|place| rows[place as usize]);
            train.extend(drawn.by_ref().take(n_train));
            validation.extend(drawn.take(n_validation));
        }
        self.shuffle(&mut train);
        self.shuffle(&mut validation);
        Split { train, validation }
    }

    /// How many of each class are drawn, if `n` are in all: its part, rounded down, and one more where that takes the most
    /// away, until there are as many; among equals by chance.
    fn shares(&mut self, counts: &[usize], n: usize) -> Vec<usize> {
        let all = counts.iter().sum::<usize>() as f64;
        let exact: Vec<f64> = counts.iter().map(|&count| count as f64 / all * n as f64).collect();
        let mut shares: Vec<usize> = exact.iter().map(|x| x.floor() as usize).collect();
        let rests: Vec<f64> = exact.iter().map(|x| x - x.floor()).collect();
        let mut missing = n.saturating_sub(shares.iter().sum());
        let mut by_rest = rests.clone();
        by_rest.sort_by(|a, b| b.total_cmp(a));
        by_rest.dedup();
        for rest in by_rest {
            if missing == 0 {
                break;
            }
            let equal: Vec<usize> = (0..rests.len()).filter(|&class| rests[class] == rest).collect();
            let chosen = self.permutation(equal.len());
            let count = equal.len().min(missing);
            chosen[..count].iter().for_each(|&place| shares[equal[place as usize]] += 1);
            missing -= count;
        }
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Printed by scikit-learn 1.9: `train_test_split(np.arange(n), test_size=k, random_state=seed)`, and with `stratify`.
    #[test]
    fn splits_are_scikit_learns() {
        let split = MersenneTwister::seeded(7).split(11, 3);
        assert_eq!(split, Split { train: vec![2, 1, 10, 7, 3, 6, 9, 4], validation: vec![8, 5, 0] });
        let split =
            MersenneTwister::seeded(0).stratified_split(&[0, 1, 0, 1, 2, 2, 0, 1, 2, 0, 1, 2, 0], 3, 5);
        assert_eq!(split, Split { train: vec![4, 8, 10, 5, 6, 2, 1, 12], validation: vec![9, 7, 3, 11, 0] });
        let split =
            MersenneTwister::seeded(3).stratified_split(&[0, 1, 0, 1, 2, 2, 0, 1, 2, 0, 1, 2, 0], 3, 5);
        assert_eq!(split, Split { train: vec![4, 5, 10, 7, 9, 12, 8, 6], validation: vec![1, 11, 0, 3, 2] });
    }
}
