//! How the learning rate changes in the course of training.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// The learning rate's course by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// Always the same.
    Constant,
    /// Times `decay` after every `decay_epochs` epochs.
    Step,
    /// Times `decay` for each epoch, a little every step.
    Exponential,
    /// Down half a cosine to `end` times the peak at the last step (Loshchilov and Hutter 2017).
    Cosine,
    /// Up half a cosine, then down another one to nearly nothing (Smith and Topin 2019).
    OneCycle,
    /// Divided by a power of the rows seen so far, from epoch to epoch.
    InvScaling,
    /// A fifth, whenever the training loss does not get better for some epochs.
    Adaptive,
}

/// The learning rate's course after its warm-up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Course {
    /// Always the same.
    Constant,
    /// Times `decay` after every `epochs` epochs.
    Step {
        /// Factor.
        decay: f64,
        /// Epochs between two factors.
        epochs: f64,
    },
    /// Times `decay` for each epoch, a little every step.
    Exponential {
        /// Factor.
        decay: f64,
    },
    /// Down half a cosine to `end` times the peak at the last step.
    Cosine {
        /// What it ends at, as a part of the peak.
        end: f64,
    },
    /// PyTorch's `OneCycleLR` with `anneal_strategy="cos"` and `cycle_momentum=False`: from `rate / div_factor` up to the
    /// rate while the warm-up lasts (`pct_start`), then down to `rate / div_factor / final_div_factor` at the last step.
    OneCycle {
        /// What the rate is divided by at first.
        div_factor: f64,
        /// What the first rate is divided by at last.
        final_div_factor: f64,
    },
    /// scikit-learn's `invscaling`: in each epoch the rate is divided by `(rows seen before it + 1)^power`.
    InvScaling {
        /// `power_t`
        power: f64,
        /// Rows of an epoch.
        rows: u64,
    },
    /// As scikit-learn's `adaptive`: divided by 5 when the training loss of `epochs` epochs in a row is not below the best by at
    /// least `tol`. The trainer watches the loss.
    Adaptive {
        /// What counts as progress.
        tol: f64,
        /// Epochs without it.
        epochs: u64,
    },
}

/// How long the rate rises at first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Warmup {
    /// So many epochs.
    Epochs(f64),
    /// This part of all steps.
    Part(f64),
}

/// The learning rate's course. Any of them may begin with a linear warm-up; that of `OneCycle` is half a cosine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Its course.
    pub course: Course,
    /// The learning rate that the course starts from; the highest one.
    pub rate: f64,
    /// What comes before it.
    pub warmup: Warmup,
}

impl Schedule {
    /// A constant learning rate.
    pub fn constant(rate: f64) -> Self {
        Self { course: Course::Constant, rate, warmup: Warmup::Epochs(0.0) }
    }

    /// The learning rate of step `step` of `total`, both counted from 0, with `steps_per_epoch`.
    pub fn rate(&self, step: u64, steps_per_epoch: u64, total: u64) -> f64 {
        let warmup = match self.warmup {
            Warmup::Epochs(epochs) => epochs * steps_per_epoch as f64,
            Warmup::Part(part) => part * total as f64,
        };
        let (step, last) = (step as f64, total as f64 - 1.0);
        if let Course::OneCycle { div_factor, final_div_factor } = self.course {
            let (turn, first) = (warmup - 1.0, self.rate / div_factor);
            return if step < turn {
                half_cosine(first, self.rate, step / turn)
            } else {
                half_cosine(self.rate, first / final_div_factor, (step - turn) / (last - turn).max(1.0))
            };
        }
        if step < warmup {
            // The last step of a warm-up that is no whole number of steps would go past the peak.
            return (self.rate * (step + 1.0) / warmup).min(self.rate);
        }
        let epoch = (step - warmup) / steps_per_epoch as f64;
        self.rate
            * match self.course {
                Course::Constant | Course::Adaptive { .. } | Course::OneCycle { .. } => 1.0,
                Course::Step { decay, epochs } => decay.powf((epoch / epochs).floor()),
                Course::Exponential { decay } => decay.powf(epoch),
                Course::Cosine { end } => {
                    let progress = ((step - warmup) / (last - warmup).max(1.0)).min(1.0);
                    end + (1.0 - end) * 0.5 * (1.0 + (PI * progress).cos())
                }
                Course::InvScaling { power, rows } => (epoch.floor() * rows as f64 + 1.0).powf(-power),
            }
    }
}

/// From `start` to `end` along half a cosine.
fn half_cosine(start: f64, end: f64, progress: f64) -> f64 {
    end + (start - end) / 2.0 * ((PI * progress.min(1.0)).cos() + 1.0)
}

/// The training loss as [`Course::Adaptive`] watches it.
#[derive(Clone, Debug)]
pub(crate) struct Plateau {
    /// What the learning rate is multiplied by.
    pub factor: f64,
    best: f64,
    /// Epochs in a row without progress.
    without: u64,
    epoch: u64,
    /// Sum of the epoch's losses, and its rows.
    loss: f64,
    rows: usize,
}

impl Plateau {
    pub fn new() -> Self {
        Self { factor: 1.0, best: f64::INFINITY, without: 0, epoch: 0, loss: 0.0, rows: 0 }
    }

    /// Before a step of this epoch: if it is another one than before, that one is judged.
    pub fn begin(&mut self, course: Course, epoch: u64) {
        let Course::Adaptive { tol, epochs } = course else { return };
        if epoch == self.epoch {
            return;
        }
        let mean = self.loss / self.rows as f64;
        self.without = if mean > self.best - tol { self.without + 1 } else { 0 };
        self.best = self.best.min(mean);
        if self.without >= epochs {
            (self.factor, self.without) = (self.factor / 5.0, 0);
        }
        (self.epoch, self.loss, self.rows) = (epoch, 0.0, 0);
    }

    /// After a step over so many rows, whose mean loss is this.
    pub fn add(&mut self, loss: f64, rows: usize) {
        self.loss += loss * rows as f64;
        self.rows += rows;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(schedule: Schedule) -> Vec<f64> {
        (0..40).map(|step| schedule.rate(step, 10, 40)).collect()
    }

    #[test]
    fn courses_pass_through_their_known_points() {
        let base = Schedule::constant(0.2);
        assert!(rates(base).iter().all(|&r| r == 0.2));
        let step = rates(Schedule { course: Course::Step { decay: 0.5, epochs: 2.0 }, ..base });
        assert_eq!((step[19], step[20], step[39]), (0.2, 0.1, 0.1));
        let exponential = rates(Schedule { course: Course::Exponential { decay: 0.5 }, ..base });
        assert!(
            (exponential[10] - 0.1).abs() < 1e-15 && (exponential[15] - 0.1 * 0.5f64.sqrt()).abs() < 1e-15
        );
        let cosine =
            rates(Schedule { course: Course::Cosine { end: 0.1 }, warmup: Warmup::Epochs(1.0), ..base });
        let same = Schedule { course: Course::Cosine { end: 0.1 }, warmup: Warmup::Part(0.25), ..base };
        assert_eq!(cosine, rates(same));
        assert!((cosine[0] - 0.02).abs() < 1e-15 && (cosine[9] - 0.2).abs() < 1e-15);
        assert!((cosine[10] - 0.2).abs() < 1e-15 && (cosine[39] - 0.02).abs() < 1e-15);
        assert!(cosine[10..].is_sorted_by(|a, b| a >= b));
    }

    #[test]
    fn one_cycle_is_defined_for_every_part_and_length() {
        let course = Course::OneCycle { div_factor: 25.0, final_div_factor: 1e4 };
        for total in [1, 2, 3, 40] {
            for part in [0.0, 0.01, 0.3, 0.99, 1.0] {
                let schedule = Schedule { course, rate: 0.2, warmup: Warmup::Part(part) };
                let rates: Vec<f64> = (0..total + 2).map(|step| schedule.rate(step, 10, total)).collect();
                assert!(rates.iter().all(|&r| r > 0.0 && r <= 0.2 + 1e-16), "{part} of {total}: {rates:?}");
            }
        }
    }

    #[test]
    fn a_warm_up_never_exceeds_the_rate() {
        for warmup_epochs in [0.01, 0.05, 0.13, 0.25, 1.99] {
            let rates = rates(Schedule { warmup: Warmup::Epochs(warmup_epochs), ..Schedule::constant(0.2) });
            assert!(rates.iter().all(|&r| r <= 0.2) && rates[39] == 0.2, "{warmup_epochs}: {rates:?}");
            assert!(rates.is_sorted(), "{warmup_epochs}: {rates:?}");
        }
    }
}
