//! Reports as text: what is measured in, what is printed out.

use steepest::{ClassScore, ConfusionMatrix};
use steepest_io::plain;

/// Columns of a confusion matrix are at most so wide, unless their numbers are wider.
const WIDEST_HEADING: usize = 8;

/// True and predicted classes of a data set, of which only those that occur are reported, as scikit-learn does.
pub struct Outcome {
    names: Vec<String>,
    matrix: ConfusionMatrix,
}

impl Outcome {
    /// Counts pairs of true and predicted class, both indices into `names`.
    pub fn new(names: &[String], pairs: &[(u32, u32)]) -> Self {
        let mut occurs = vec![false; names.len()];
        for &(truth, predicted) in pairs {
            occurs[truth as usize] = true;
            occurs[predicted as usize] = true;
        }
        let occurring: Vec<usize> = (0..names.len()).filter(|&class| occurs[class]).collect();
        let mut places = vec![0; names.len()];
        occurring.iter().enumerate().for_each(|(place, &class)| places[class] = place as u32);
        let placed = pairs.iter().map(|&(t, p)| (places[t as usize], places[p as usize]));
        Self {
            matrix: ConfusionMatrix::new(occurring.len(), placed),
            names: occurring.iter().map(|&class| plain(&names[class])).collect(),
        }
    }

    /// Classes that occur.
    pub fn n_classes(&self) -> usize {
        self.names.len()
    }

    /// The text of scikit-learn's `classification_report(y_true, y_pred, digits=4)`.
    pub fn classification_report(&self) -> String {
        let longest = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let width = longest.max("weighted avg".len());
        let mut text = format!(
            "{:>width$}  {:>9} {:>9} {:>9} {:>9}\n\n",
            "", "precision", "recall", "f1-score", "support"
        );
        for (name, score) in self.names.iter().zip(self.matrix.class_scores()) {
            text += &score_line(name, width, &score);
        }
        let (plain, weighted) = self.matrix.averages();
        let (accuracy, total) = (self.matrix.accuracy(), self.matrix.total());
        text += &format!("\n{:>width$}  {:>9} {:>9} {accuracy:>9.4} {total:>9}\n", "accuracy", "", "");
        text + &score_line("macro avg", width, &plain) + &score_line("weighted avg", width, &weighted)
    }

    /// A line for each true class, a column for each predicted one; a dot where there is nothing, so that the
    /// mistakes stand out.
    pub fn confusion_matrix(&self) -> String {
        let most = self.matrix.rows().flatten().max().copied().unwrap_or(0);
        let longest = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let width = longest.min(WIDEST_HEADING).max(most.to_string().len()).max(3);
        let names = self.names.iter();
        let mut text = format!("{:>longest$} ", "");
        names.clone().for_each(|name| text += &format!(" {:>width$}", shorten(name, width)));
        text.push('\n');
        for (name, row) in names.zip(self.matrix.rows()) {
            text += &format!("{name:>longest$} ");
            for count in row {
                let cell = if *count == 0 { "·".into() } else { count.to_string() };
                text += &format!(" {cell:>width$}");
            }
            text.push('\n');
        }
        text
    }
}

fn score_line(name: &str, width: usize, score: &ClassScore) -> String {
    let ClassScore { precision, recall, f1, support } = score;
    format!("{name:>width$}  {precision:>9.4} {recall:>9.4} {f1:>9.4} {support:>9}\n")
}

/// At most `width` characters of a text.
pub fn shorten(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.into();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// A number of bytes as a person says it.
pub fn bytes(n: usize) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut size = n as f64 / 1024.0;
    if size < 1.0 {
        return format!("{n} bytes");
    }
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", units[unit])
}

/// A number with its thousands apart.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUTH: [u32; 8] = [0, 0, 1, 1, 1, 2, 2, 3];
    const PREDICTED: [u32; 8] = [0, 1, 1, 1, 0, 2, 1, 0];

    fn pairs() -> Vec<(u32, u32)> {
        TRUTH.into_iter().zip(PREDICTED).collect()
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 999, 1000, 1234567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    /// Printed by scikit-learn 1.9: `classification_report(truth, predicted, digits=4, zero_division=0)`.
    const NUMBERS: &str = "              precision    recall  f1-score   support

           0     0.3333    0.5000    0.4000         2
           1     0.5000    0.6667    0.5714         3
           2     1.0000    0.5000    0.6667         2
           3     0.0000    0.0000    0.0000         1

    accuracy                         0.5000         8
   macro avg     0.4583    0.4167    0.4095         8
weighted avg     0.5208    0.5000    0.4810         8
";

    /// The same with `target_names=["cat", "a very long class name", "x", "dog"]`.
    const NAMES: &str = "                        precision    recall  f1-score   support

                   cat     0.3333    0.5000    0.4000         2
a very long class name     0.5000    0.6667    0.5714         3
                     x     1.0000    0.5000    0.6667         2
                   dog     0.0000    0.0000    0.0000         1

              accuracy                         0.5000         8
             macro avg     0.4583    0.4167    0.4095         8
          weighted avg     0.5208    0.5000    0.4810         8
";

    #[test]
    fn the_classification_report_is_scikit_learns_to_the_letter() {
        let plain = names(&["0", "1", "2", "3"]);
        assert_eq!(Outcome::new(&plain, &pairs()).classification_report(), NUMBERS);
        let long = names(&["cat", "a very long class name", "x", "dog"]);
        assert_eq!(Outcome::new(&long, &pairs()).classification_report(), NAMES);
    }

    #[test]
    fn classes_that_do_not_occur_are_left_out_as_scikit_learn_does() {
        let shifted: Vec<(u32, u32)> = pairs().iter().map(|&(t, p)| (2 * t + 1, 2 * p + 1)).collect();
        let names = names(&["a", "0", "b", "1", "c", "2", "d", "3", "e"]);
        let outcome = Outcome::new(&names, &shifted);
        assert_eq!(outcome.classification_report(), NUMBERS);
        assert_eq!(outcome.n_classes(), 4);
    }

    #[test]
    fn the_confusion_matrix_has_a_line_for_each_true_class() {
        let names = names(&["cat", "a very long class name", "x", "dog"]);
        let expected = "                             cat a very …        x      dog
                   cat         1        1        ·        ·
a very long class name         1        2        ·        ·
                     x         ·        1        1        ·
                   dog         1        ·        ·        ·
";
        assert_eq!(Outcome::new(&names, &pairs()).confusion_matrix(), expected);
    }

    #[test]
    fn sizes_and_long_names_are_easy_to_read() {
        assert_eq!([12, 1024, 47_040_000].map(bytes), ["12 bytes", "1.0 KiB", "44.9 MiB"]);
        assert_eq!(shorten("iris setosa", 6), "iris …");
    }
}
