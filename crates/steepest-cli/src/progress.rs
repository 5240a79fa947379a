//! What a person sees while a network learns.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use steepest::{Plan, Progress, Report};

use crate::report::thousands;
use crate::run::Past;

/// Prints a line for each report and, on a terminal, a live bar below them.
pub struct Console {
    bar: ProgressBar,
    /// Lines go to stderr, because stdout is for JSON.
    to_stderr: bool,
    quiet: bool,
    epochs: Option<u64>,
    /// Since training began in this process, without what comes before the first step.
    elapsed: Duration,
    /// Steps of other processes before.
    steps_before: u64,
    refreshed: Instant,
    samples: u64,
    last: Option<Report>,
}

/// Often enough to look alive, seldom enough to cost nothing.
const REFRESH: Duration = Duration::from_millis(100);

impl Console {
    pub fn new(plan: &Plan, quiet: bool, to_stderr: bool) -> Self {
        let is_live = !quiet && std::io::stderr().is_terminal();
        let target = if is_live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(plan.training.total_steps), target);
        let style = ProgressStyle::with_template("{bar:16.green} {percent:>3} %  {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let epochs = plan.recipe.training.epochs;
        let (elapsed, refreshed) = (Duration::ZERO, Instant::now());
        Self { bar, to_stderr, quiet, epochs, elapsed, steps_before: 0, refreshed, samples: 0, last: None }
    }

    /// A line of its own.
    pub fn line(&self, text: &str) {
        if self.quiet {
            return;
        }
        self.bar.suspend(|| {
            // Whoever closed the other end does not want to know.
            let _ = if self.to_stderr {
                writeln!(std::io::stderr(), "{text}")
            } else {
                writeln!(std::io::stdout(), "{text}")
            };
        });
    }

    /// Shows what a step brought.
    pub fn show(&mut self, progress: &Progress, past: &Past) {
        (self.elapsed, self.steps_before) = (past.elapsed, past.steps);
        self.samples += progress.step.n_samples as u64;
        if self.quiet {
            return;
        }
        if let Some(report) = progress.report.filter(|report| report.is_main) {
            self.line(&self.describe(&report));
            self.last = Some(report);
        }
        if self.refreshed.elapsed() >= REFRESH {
            self.refreshed = Instant::now();
            self.bar.set_position(progress.step.iteration + 1);
            self.bar.set_message(self.live(progress));
        }
    }

    /// Ends the live bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn describe(&self, report: &Report) -> String {
        let place = match self.epochs {
            Some(epochs) => format!("epoch {:>w$}/{epochs}", report.epoch, w = epochs.to_string().len()),
            None => format!("iteration {:>5}", report.iteration),
        };
        let mut line = format!("{place}  loss {:.4}", report.loss);
        line += &accuracy("accuracy", report.accuracy);
        if let Some(validation) = report.validation {
            match validation.accuracy {
                Some(_) => line += &accuracy("validation accuracy", validation.accuracy),
                None => line += &format!("  validation loss {:.4}", validation.loss),
            }
        }
        format!("{line}  {} samples/s", thousands(self.rate()))
    }

    fn live(&self, progress: &Progress) -> String {
        let place = match self.epochs {
            Some(epochs) => format!("epoch {}/{epochs}", progress.step.epoch + 1),
            None => format!("iteration {}", progress.step.iteration),
        };
        let mut text = format!("loss {:.4}", progress.step.loss);
        text += &accuracy("acc", progress.step.accuracy);
        text += &accuracy("val", self.last.and_then(|r| r.validation).and_then(|v| v.accuracy));
        let done = progress.step.iteration + 1;
        let total = self.bar.length().unwrap_or(done).max(done);
        let left = self.elapsed.mul_f64((total - done) as f64 / (done - self.steps_before).max(1) as f64);
        // A narrow terminal cuts off the end: what matters most comes first.
        format!("{place}  {} left  {text}  {} samples/s", duration(left), thousands(self.rate()))
    }

    /// Samples a second so far.
    fn rate(&self) -> u64 {
        (self.samples as f64 / self.elapsed.as_secs_f64().max(1e-9)) as u64
    }
}

fn accuracy(name: &str, value: Option<f64>) -> String {
    value.map_or(String::new(), |value| format!("  {name} {value:.4}"))
}

/// `45 s`, `2 min 5 s`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 { format!("{seconds} s") } else { format!("{} min {} s", seconds / 60, seconds % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        assert_eq!(duration(Duration::from_secs(125)), "2 min 5 s");
    }
}
