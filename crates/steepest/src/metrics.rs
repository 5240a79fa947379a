//! How good predictions are.

/// Counts of `(true class, predicted class)`, `(n_classes, n_classes)` row-major.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    counts: Vec<u64>,
    n_classes: usize,
}

/// Precision, recall and F1 of one class, or a mean of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassScore {
    /// Of the rows predicted as this class, the part that is.
    pub precision: f64,
    /// Of the rows of this class, the part predicted as such.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// Rows of this class.
    pub support: u64,
}

impl ConfusionMatrix {
    /// Counts pairs of true and predicted class.
    ///
    /// # Panics
    /// When a class is not below `n_classes`.
    pub fn new(n_classes: usize, pairs: impl Iterator<Item = (u32, u32)>) -> Self {
        let mut counts = vec![0; n_classes * n_classes];
        for (truth, predicted) in pairs {
            assert!((predicted as usize) < n_classes);
            counts[truth as usize * n_classes + predicted as usize] += 1;
        }
        Self { counts, n_classes }
    }

    /// One row of counts for each true class.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[u64]> {
        self.counts.chunks_exact(self.n_classes)
    }

    /// Rows counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Part of the rows predicted correctly.
    pub fn accuracy(&self) -> f64 {
        let correct: u64 = (0..self.n_classes).map(|c| self.counts[c * self.n_classes + c]).sum();
        ratio(correct, self.total())
    }

    /// Scores of each class; what would be 0 / 0 is 0, as scikit-learn has it.
    pub fn class_scores(&self) -> Vec<ClassScore> {
        let predicted = |c: usize| self.rows().map(|row| row[c]).sum();
        let score = |(c, row): (usize, &[u64])| {
            let (support, predicted) = (row.iter().sum(), predicted(c));
            ClassScore {
                precision: ratio(row[c], predicted),
                recall: ratio(row[c], support),
                f1: ratio(2 * row[c], support + predicted),
                support,
            }
        };
        self.rows().enumerate().map(score).collect()
    }

    /// The plain mean over classes, and the mean weighted by support.
    pub fn averages(&self) -> (ClassScore, ClassScore) {
        let scores = self.class_scores();
        let mean = |weight: &dyn Fn(&ClassScore) -> f64| {
            let total: f64 = scores.iter().map(weight).sum();
            let of = |part: &dyn Fn(&ClassScore) -> f64| {
                scores.iter().map(|s| weight(s) * part(s)).sum::<f64>() / total.max(f64::MIN_POSITIVE)
            };
            ClassScore {
                precision: of(&|s| s.precision),
                recall: of(&|s| s.recall),
                f1: of(&|s| s.f1),
                support: self.total(),
            }
        };
        (mean(&|_| 1.0), mean(&|s| s.support as f64))
    }
}

fn ratio(a: u64, b: u64) -> f64 {
    if b == 0 { 0.0 } else { a as f64 / b as f64 }
}

/// How far predicted numbers are off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RegressionScore {
    /// Coefficient of determination: 1 is perfect, 0 is as good as the mean. Mean over outputs, as scikit-learn.
    pub r2: f64,
    /// Mean absolute error.
    pub mae: f64,
    /// Root of the mean squared error.
    pub rmse: f64,
}

impl RegressionScore {
    /// Compares `(n_samples, n_outputs)` numbers.
    pub fn new(truth: &[f64], predicted: &[f64], n_outputs: usize) -> Self {
        let n = (truth.len() / n_outputs) as f64;
        let errors = || truth.iter().zip(predicted).map(|(t, p)| t - p);
        let r2 = |output: usize| {
            let column = |x: &[f64]| x.iter().skip(output).step_by(n_outputs).copied().collect::<Vec<_>>();
            let (t, p) = (column(truth), column(predicted));
            let mean = t.iter().sum::<f64>() / n;
            let residual: f64 = t.iter().zip(&p).map(|(t, p)| (t - p).powi(2)).sum();
            let spread: f64 = t.iter().map(|t| (t - mean).powi(2)).sum();
            match (residual == 0.0, spread == 0.0) {
                (true, _) => 1.0,
                (false, true) => 0.0,
                _ => 1.0 - residual / spread,
            }
        };
        let count = truth.len() as f64;
        Self {
            r2: (0..n_outputs).map(r2).sum::<f64>() / n_outputs as f64,
            mae: errors().map(f64::abs).sum::<f64>() / count,
            rmse: (errors().map(|e| e * e).sum::<f64>() / count).sqrt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Figures from scikit-learn 1.9: `classification_report([0,1,1,2,2,2], [0,1,0,2,2,1], output_dict=True)`.
    #[test]
    fn class_scores_are_scikit_learns() {
        let pairs = [(0, 0), (1, 1), (1, 0), (2, 2), (2, 2), (2, 1)];
        let matrix = ConfusionMatrix::new(3, pairs.into_iter());
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} is not {b}");
        close(matrix.accuracy(), 4.0 / 6.0);
        let scores = matrix.class_scores();
        close(scores[0].precision, 0.5);
        close(scores[0].f1, 2.0 / 3.0);
        close(scores[2].recall, 2.0 / 3.0);
        close(scores[2].f1, 0.8);
        let (plain, weighted) = matrix.averages();
        close(plain.f1, 0.655_555_555_555_555_5);
        close(weighted.f1, 0.677_777_777_777_777_8);
        close(weighted.precision, 0.75);
    }

    /// Figures from scikit-learn 1.9: `r2_score`, `mean_absolute_error`, `root_mean_squared_error`.
    #[test]
    fn regression_scores_are_scikit_learns() {
        let score = RegressionScore::new(&[3.0, -0.5, 2.0, 7.0], &[2.5, 0.0, 2.0, 8.0], 1);
        assert!((score.r2 - 0.948_608_137_044_967_9).abs() < 1e-12);
        assert!((score.mae - 0.5).abs() < 1e-12 && (score.rmse - 0.375f64.sqrt()).abs() < 1e-12);
    }
}
