//! How often a run writes checkpoints: `100steps`, `2epochs`, `5min`, `never`.

use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::{Duration, Instant};

use steepest::Step;

/// How often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cadence {
    /// After every so many steps.
    Steps(NonZeroU64),
    /// At the end of every so many epochs.
    Epochs(NonZeroU64),
    /// When so long has passed since the last one.
    Time(Duration),
    /// Only when the run is interrupted.
    Never,
}

impl FromStr for Cadence {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self::Never);
        }
        let wrong = || {
            "expected a number and a unit, such as 100steps, 2epochs, 5min, 30s or 1h, or never".to_string()
        };
        let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = text.split_at(unit_at);
        let number: NonZeroU64 = number.parse().map_err(|_| wrong())?;
        let seconds = |each: u64| number.get().checked_mul(each).map(Duration::from_secs).ok_or_else(wrong);
        match unit.trim() {
            "step" | "steps" => Ok(Self::Steps(number)),
            "epoch" | "epochs" => Ok(Self::Epochs(number)),
            "s" => seconds(1).map(Self::Time),
            "min" => seconds(60).map(Self::Time),
            "h" => seconds(3600).map(Self::Time),
            _ => Err(wrong()),
        }
    }
}

impl Cadence {
    /// Whether a checkpoint is due after a step, when the last one was written at `last`.
    pub fn is_due(self, step: &Step, last: Instant) -> bool {
        match self {
            Self::Steps(every) => (step.iteration + 1).is_multiple_of(every.get()),
            Self::Epochs(every) => step.ends_epoch && (step.epoch + 1).is_multiple_of(every.get()),
            Self::Time(every) => last.elapsed() >= every,
            Self::Never => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_units_are_read() {
        let n = |n| NonZeroU64::new(n).unwrap();
        for (text, expected) in [
            ("100steps", Cadence::Steps(n(100))),
            ("1 step", Cadence::Steps(n(1))),
            ("2epochs", Cadence::Epochs(n(2))),
            ("1epoch", Cadence::Epochs(n(1))),
            ("90s", Cadence::Time(Duration::from_secs(90))),
            ("5min", Cadence::Time(Duration::from_secs(300))),
            ("1h", Cadence::Time(Duration::from_secs(3600))),
            ("never", Cadence::Never),
        ] {
            assert_eq!(text.parse(), Ok(expected));
        }
        for wrong in [
            "",
            "5",
            "steps",
            "0steps",
            "-1s",
            "1.5h",
            "5minutes",
            "99999999999999999999s",
            "9223372036854775807h",
        ] {
            assert!(wrong.parse::<Cadence>().unwrap_err().contains("100steps"), "{wrong}");
        }
    }

    #[test]
    fn steps_and_epochs_count_from_one() {
        let step = |iteration, epoch, ends_epoch| Step {
            weight: 1.0,
            iteration,
            epoch,
            n_samples: 1,
            loss: 0.0,
            accuracy: None,
            ends_epoch,
        };
        let (now, every) = (Instant::now(), |text: &str| text.parse::<Cadence>().unwrap());
        let due = |text: &str, step| every(text).is_due(&step, now);
        assert!(due("10steps", step(9, 0, false)) && !due("10steps", step(10, 0, false)));
        assert!(due("2epochs", step(9, 1, true)) && !due("2epochs", step(9, 1, false)));
        assert!(!due("2epochs", step(4, 0, true)) && !due("never", step(9, 1, true)));
        assert!(!due("1h", step(0, 0, true)));
        assert!(every("1s").is_due(&step(0, 0, true), now - Duration::from_secs(1)));
    }
}
