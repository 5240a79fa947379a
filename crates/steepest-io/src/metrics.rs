//! A run's metrics: a line for each report, as CSV and as JSON.

use serde::Serialize;
use steepest::Report;

/// The first line of `metrics.csv`.
pub(crate) const HEADER: &str = "iteration,epoch,lr,loss,accuracy,validation_loss,validation_accuracy";

/// One line of metrics.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metrics {
    /// The step that it follows, from 0.
    pub iteration: u64,
    /// Epochs begun.
    pub epoch: u64,
    /// Learning rate.
    pub lr: f64,
    /// Training loss.
    pub loss: f64,
    /// Training accuracy.
    pub accuracy: Option<f64>,
    /// Validation loss.
    pub validation_loss: Option<f64>,
    /// Validation accuracy.
    pub validation_accuracy: Option<f64>,
}

impl From<&Report> for Metrics {
    fn from(report: &Report) -> Self {
        let Report { iteration, epoch, lr, loss, accuracy, validation, .. } = *report;
        Self {
            iteration,
            epoch,
            lr,
            loss,
            accuracy,
            validation_loss: validation.map(|v| v.loss),
            validation_accuracy: validation.and_then(|v| v.accuracy),
        }
    }
}

impl Metrics {
    /// A line of `metrics.csv`, with every digit that it takes to read the same numbers back.
    pub(crate) fn csv_line(&self) -> String {
        let Self { iteration, epoch, lr, loss, accuracy, validation_loss, validation_accuracy } = self;
        let optional = |x: &Option<f64>| x.map_or(String::new(), |x| x.to_string());
        let rest = [accuracy, validation_loss, validation_accuracy].map(optional).join(",");
        format!("{iteration},{epoch},{lr},{loss},{rest}\n")
    }

    /// Reads a line of `metrics.csv`.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut cells = line.split(',');
        let mut cell = || cells.next();
        let optional = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
        let metrics = Self {
            iteration: cell()?.parse().ok()?,
            epoch: cell()?.parse().ok()?,
            lr: cell()?.parse().ok()?,
            loss: cell()?.parse().ok()?,
            accuracy: optional(cell()?)?,
            validation_loss: optional(cell()?)?,
            validation_accuracy: optional(cell()?)?,
        };
        cell().is_none().then_some(metrics)
    }

    /// A line of `metrics.jsonl`.
    pub(crate) fn json_line(&self) -> String {
        // Numbers and names are always JSON.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_back_to_the_last_bit() {
        let metrics = Metrics {
            iteration: u64::MAX,
            epoch: 3,
            lr: 0.1 + 0.2,
            loss: 1.0 / 3.0,
            accuracy: None,
            validation_loss: Some(f64::INFINITY),
            validation_accuracy: Some(5e-324),
        };
        assert_eq!(Metrics::parse(metrics.csv_line().trim_end()), Some(metrics.clone()));
        let lost = Metrics { validation_loss: Some(f64::NAN), ..metrics };
        let read = Metrics::parse(lost.csv_line().trim_end()).unwrap();
        assert!(read.validation_loss.unwrap().is_nan() && read.csv_line() == lost.csv_line());
        for wrong in ["", "1,2,3,4,5,6", "1,2,3,4,,,,", "-1,2,3,4,,,", "1,2,,4,,,", "a,2,3,4,,,"] {
            assert_eq!(Metrics::parse(wrong), None, "{wrong:?}");
        }
    }
}
