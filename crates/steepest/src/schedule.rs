//! How the learning rate changes in the course of training.

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
}

/// The learning rate's course. Any of them may begin with a linear warm-up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Its course.
    pub kind: ScheduleKind,
    /// The learning rate that the course starts from.
    pub rate: f64,
    /// Epochs of linear warm-up before it.
    pub warmup_epochs: f64,
    /// Factor of `Step` and `Exponential`.
    pub decay: f64,
    /// Epochs between factors of `Step`.
    pub decay_epochs: f64,
    /// What `Cosine` ends at, as a part of `rate`.
    pub end: f64,
}

impl Schedule {
    /// A constant learning rate.
    pub fn constant(rate: f64) -> Self {
        let kind = ScheduleKind::Constant;
        Self { kind, rate, warmup_epochs: 0.0, decay: 1.0, decay_epochs: 1.0, end: 0.0 }
    }

    /// The learning rate of step `step` of `total`, both counted from 0, with `steps_per_epoch`.
    pub fn rate(&self, step: u64, steps_per_epoch: u64, total: u64) -> f64 {
        let warmup = self.warmup_epochs * steps_per_epoch as f64;
        let step = step as f64;
        if step < warmup {
            // The last step of a warm-up that is no whole number of steps would go past the peak.
            return (self.rate * (step + 1.0) / warmup).min(self.rate);
        }
        let epoch = (step - warmup) / steps_per_epoch as f64;
        self.rate
            * match self.kind {
                ScheduleKind::Constant => 1.0,
                ScheduleKind::Step => self.decay.powf((epoch / self.decay_epochs).floor()),
                ScheduleKind::Exponential => self.decay.powf(epoch),
                ScheduleKind::Cosine => {
                    let progress = ((step - warmup) / (total as f64 - 1.0 - warmup).max(1.0)).min(1.0);
                    self.end + (1.0 - self.end) * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
                }
            }
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
        let base = Schedule { decay: 0.5, ..Schedule::constant(0.2) };
        assert!(rates(base).iter().all(|&r| r == 0.2));
        let step = rates(Schedule { kind: ScheduleKind::Step, decay_epochs: 2.0, ..base });
        assert_eq!((step[19], step[20], step[39]), (0.2, 0.1, 0.1));
        let exponential = rates(Schedule { kind: ScheduleKind::Exponential, ..base });
        assert!(
            (exponential[10] - 0.1).abs() < 1e-15 && (exponential[15] - 0.1 * 0.5f64.sqrt()).abs() < 1e-15
        );
        let cosine = rates(Schedule { kind: ScheduleKind::Cosine, warmup_epochs: 1.0, end: 0.1, ..base });
        assert!((cosine[0] - 0.02).abs() < 1e-15 && (cosine[9] - 0.2).abs() < 1e-15);
        assert!((cosine[10] - 0.2).abs() < 1e-15 && (cosine[39] - 0.02).abs() < 1e-15);
        assert!(cosine[10..].is_sorted_by(|a, b| a >= b));
    }

    #[test]
    fn a_warm_up_never_exceeds_the_rate() {
        for warmup_epochs in [0.01, 0.05, 0.13, 0.25, 1.99] {
            let rates = rates(Schedule { warmup_epochs, ..Schedule::constant(0.2) });
            assert!(rates.iter().all(|&r| r <= 0.2) && rates[39] == 0.2, "{warmup_epochs}: {rates:?}");
            assert!(rates.is_sorted(), "{warmup_epochs}: {rates:?}");
        }
    }
}
