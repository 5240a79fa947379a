//! Which rows each step sees.

use std::ops::Range;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::mersenne::MersenneTwister;
use crate::rng::{Purpose, stream};

/// How mini-batches are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    /// Every row once in an epoch, in a new order each time; the last batch may be smaller.
    #[default]
    Shuffle,
    /// Every row once in an epoch, always in the order of the data.
    Ordered,
    /// Each row of each batch drawn from all rows, so that some come twice and others not at all (notebook 3).
    Replacement,
}

/// Rows of one step, as numbers within the training rows.
#[derive(Clone, Copy, Debug)]
pub enum Rows<'a> {
    /// All `n` rows in their order.
    All(usize),
    /// These rows.
    Some(&'a [u32]),
}

impl Rows<'_> {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::All(n) => *n,
            Self::Some(rows) => rows.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of the `i`-th row.
    pub fn get(&self, i: usize) -> u32 {
        match self {
            Self::All(_) => i as u32,
            Self::Some(rows) => rows[i],
        }
    }
}

/// Draws the rows of one step after the other.
#[derive(Debug)]
pub struct Batches {
    source: Source,
    n_rows: usize,
    size: usize,
    epoch: u64,
    /// Rows of this epoch that were drawn already.
    drawn: usize,
    /// The last batch, within this epoch's rows.
    batch: Range<usize>,
}

#[derive(Debug)]
enum Source {
    All,
    Order { order: Vec<u32>, shuffle: Option<Shuffle> },
    Replacement { rng: Box<ChaCha8Rng>, batch: Vec<u32> },
    Given { batches: Vec<Vec<u32>>, last: usize },
}

/// Where a new order comes from.
#[derive(Debug)]
enum Shuffle {
    ChaCha(Box<ChaCha8Rng>),
    /// scikit-learn's `shuffle`: the last order, in an order that is drawn.
    Twister(MersenneTwister),
}

impl Shuffle {
    fn shuffle(&mut self, order: &mut Vec<u32>) {
        match self {
            Self::ChaCha(rng) => order.shuffle(rng),
            Self::Twister(twister) => {
                let drawn = twister.permutation(order.len());
                *order = drawn.into_iter().map(|place| order[place as usize]).collect();
            }
        }
    }
}

impl Batches {
    /// Batches of `size` rows out of `n_rows`; the whole set in its order when `size` is `None`.
    pub fn new(n_rows: usize, size: Option<usize>, sampling: Sampling, seed: u64) -> Self {
        let rng = stream(seed, Purpose::Batches);
        let source = match (size, sampling) {
            (_, Sampling::Replacement) => Source::Replacement { rng: Box::new(rng), batch: Vec::new() },
            (None, _) => Source::All,
            (Some(_), sampling) => Source::Order {
                order: (0..n_rows as u32).collect(),
                shuffle: (sampling == Sampling::Shuffle).then_some(Shuffle::ChaCha(Box::new(rng))),
            },
        };
        let size = size.unwrap_or(n_rows);
        // Drawn with replacement, a batch may be larger than the set.
        let size = if sampling == Sampling::Replacement { size } else { size.min(n_rows) };
        Self { source, n_rows, size: size.max(1), epoch: 0, drawn: 0, batch: 0..0 }
    }

    /// Batches of `size` of these rows, as scikit-learn's estimators make them: each once in an epoch, the last batch may be
    /// smaller; in this order, or with a `twister` in a new one each time.
    pub fn of_rows(rows: Vec<u32>, size: usize, twister: Option<MersenneTwister>) -> Self {
        let (n_rows, size) = (rows.len(), size.clamp(1, rows.len().max(1)));
        let source = Source::Order { order: rows, shuffle: twister.map(Shuffle::Twister) };
        Self { source, n_rows, size, epoch: 0, drawn: 0, batch: 0..0 }
    }

    /// The twister of [`Batches::of_rows`], as far as it was used.
    pub fn twister(&self) -> Option<&MersenneTwister> {
        match &self.source {
            Source::Order { shuffle: Some(Shuffle::Twister(twister)), .. } => Some(twister),
            _ => None,
        }
    }

    /// Exactly these batches, one a step, and from the first again after the last.
    pub fn given(n_rows: usize, batches: Vec<Vec<u32>>) -> Self {
        let size = batches.iter().map(Vec::len).max().unwrap_or(1);
        let last = batches.len().saturating_sub(1);
        Self { source: Source::Given { batches, last }, n_rows, size, epoch: 0, drawn: 0, batch: 0..0 }
    }

    /// Rows of the largest batch.
    pub fn largest(&self) -> usize {
        self.size
    }

    /// Whether every batch is all rows in their order.
    pub(crate) fn are_whole(&self) -> bool {
        matches!(self.source, Source::All)
    }

    /// Steps in which as many rows are drawn as there are.
    pub fn steps_per_epoch(&self) -> u64 {
        self.n_rows.div_ceil(self.size) as u64
    }

    /// The epoch that the next batch belongs to, from 0.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Draws the next batch; says whether the epoch ends with it.
    pub fn draw(&mut self) -> bool {
        let start = self.drawn;
        let end = (start + self.size).min(self.n_rows);
        let ends_epoch = end == self.n_rows;
        self.drawn = if ends_epoch { 0 } else { end };
        self.epoch += u64::from(ends_epoch);
        self.batch = start..end;
        match &mut self.source {
            Source::All => {}
            Source::Order { order, shuffle } => {
                if let (0, Some(shuffle)) = (start, shuffle) {
                    shuffle.shuffle(order);
                }
            }
            Source::Replacement { rng, batch } => {
                let n_rows = self.n_rows as u32;
                batch.clear();
                batch.extend((0..self.size).map(|_| rng.random_range(0..n_rows)));
            }
            Source::Given { batches, last } => *last = (*last + 1) % batches.len(),
        }
        ends_epoch
    }

    /// Goes on as if so many more batches had been drawn. They are, in some nanoseconds a row, so that their order need not
    /// be kept.
    pub fn skip(&mut self, steps: u64) {
        for _ in 0..steps {
            self.draw();
        }
    }

    /// The rows of the last batch drawn.
    pub fn rows(&self) -> Rows<'_> {
        match &self.source {
            Source::All => Rows::All(self.n_rows),
            Source::Order { order, .. } => Rows::Some(&order[self.batch.clone()]),
            Source::Replacement { batch, .. } => Rows::Some(batch),
            Source::Given { batches, last } => Rows::Some(&batches[*last]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_has_every_row_once_in_a_new_order() {
        let mut batches = Batches::new(10, Some(4), Sampling::Shuffle, 7);
        let mut epoch = || {
            let mut rows = Vec::new();
            loop {
                let ends = batches.draw();
                rows.extend((0..batches.rows().len()).map(|i| batches.rows().get(i)));
                if ends {
                    return rows;
                }
            }
        };
        let (first, second) = (epoch(), epoch());
        assert_ne!(first, second);
        for mut rows in [first, second] {
            rows.sort_unstable();
            assert_eq!(rows, (0..10).collect::<Vec<_>>());
        }
    }

    #[test]
    fn drawing_with_replacement_repeats_rows_and_fills_every_batch() {
        let mut batches = Batches::new(50, Some(20), Sampling::Replacement, 1);
        let mut counts = [0; 50];
        for _ in 0..100 {
            batches.draw();
            let rows = batches.rows();
            assert_eq!(rows.len(), 20);
            (0..20).for_each(|i| counts[rows.get(i) as usize] += 1);
        }
        assert!(counts.iter().all(|&c| (15..80).contains(&c)), "about 40 times each: {counts:?}");
    }
}
