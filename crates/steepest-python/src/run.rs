//! Runs by a recipe.

use std::time::{Duration, Instant};

use pyo3::exceptions::{PyFileNotFoundError, PyKeyboardInterrupt};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use steepest::{Report, Stop};
use steepest_cli::Moment;
use steepest_io::{DataError, Metrics};

use crate::model::PyModel;
use crate::value_error;

/// How often Python is asked whether Ctrl-C came, and shown how far the run is.
const GLANCE: Duration = Duration::from_millis(100);

/// What came of a run: its model, the recipe as TOML, its reports, how it ended, figures in JSON, notes.
type Trained = (PyModel, String, Vec<Py<PyDict>>, &'static str, Option<String>, Vec<String>);

/// Trains as `steepest train` with these arguments.
///
/// `report` is called with a dict for each report and may end the run by True; `glance` about ten times a second with steps so far,
/// steps in all, epochs begun and the loss of the last step. Ctrl-C ends the run with what it has.
#[pyfunction]
#[pyo3(signature = (arguments, recipe, report, glance))]
pub fn train(
    py: Python,
    arguments: Vec<String>,
    recipe: Option<&str>,
    report: Py<PyAny>,
    glance: Py<PyAny>,
) -> PyResult<Trained> {
    let recipe = recipe.map(toml_of).transpose()?;
    let mut watcher = Watcher { report, glance, looked: Instant::now(), error: None, interrupted: false };
    let trained = py.detach(|| {
        steepest_cli::train(arguments.into_iter().map(Into::into), recipe, |moment| watcher.watch(moment))
    });
    if let Some(error) = watcher.error {
        return Err(error);
    }
    let trained = trained.map_err(|e| {
        let message = steepest_cli::message(&e);
        match e.downcast_ref::<DataError>() {
            Some(DataError::NotFound { .. }) => PyFileNotFoundError::new_err(message),
            _ => value_error(message),
        }
    })?;
    let history =
        trained.history.iter().map(|line| metrics(py, line).map(Bound::unbind)).collect::<PyResult<_>>()?;
    let (end, figures) = match trained.end {
        None if watcher.interrupted => ("interrupted", None),
        None => ("ended", None),
        Some((stop, figures)) => {
            let how = match stop {
                Stop::Finished => "finished",
                Stop::Converged => "converged",
                Stop::Patience { .. } => "stopped early",
            };
            (how, Some(figures.to_string()))
        }
    };
    Ok((PyModel::new(trained.model, None), trained.recipe.to_toml(), history, end, figures, trained.notes))
}

/// Who is told of a run.
struct Watcher {
    report: Py<PyAny>,
    glance: Py<PyAny>,
    looked: Instant,
    error: Option<PyErr>,
    interrupted: bool,
}

impl Watcher {
    /// Whether the run goes on.
    fn watch(&mut self, moment: &Moment) -> bool {
        if moment.progress.report.is_none() && self.looked.elapsed() < GLANCE {
            return true;
        }
        self.looked = Instant::now();
        match Python::attach(|py| self.tell(py, moment)) {
            Ok(goes_on) => goes_on,
            Err(error) => {
                Python::attach(|py| {
                    if error.is_instance_of::<PyKeyboardInterrupt>(py) {
                        self.interrupted = true;
                    } else {
                        self.error = Some(error);
                    }
                });
                false
            }
        }
    }

    fn tell(&self, py: Python, moment: &Moment) -> PyResult<bool> {
        py.check_signals()?;
        let step = &moment.progress.step;
        let total = moment.plan.training.total_steps;
        self.glance.call1(py, (step.iteration + 1, total, step.epoch + 1, step.loss))?;
        match &moment.progress.report {
            Some(report) => Ok(!self.tell_report(py, report)?),
            None => Ok(true),
        }
    }

    /// Whether whoever hears of it has heard enough.
    fn tell_report(&self, py: Python, report: &Report) -> PyResult<bool> {
        let answer = self.report.call1(py, (metrics(py, &Metrics::from(report))?,))?;
        Ok(answer.extract::<bool>(py).unwrap_or(false))
    }
}

fn metrics<'py>(py: Python<'py>, line: &Metrics) -> PyResult<Bound<'py, PyDict>> {
    let Metrics { iteration, epoch, lr, loss, accuracy, validation_loss, validation_accuracy } = *line;
    let dict = PyDict::new(py);
    dict.set_item("iteration", iteration)?;
    dict.set_item("epoch", epoch)?;
    dict.set_item("lr", lr)?;
    dict.set_item("loss", loss)?;
    dict.set_item("accuracy", accuracy)?;
    dict.set_item("val_loss", validation_loss)?;
    dict.set_item("val_accuracy", validation_accuracy)?;
    Ok(dict)
}

/// From JSON to TOML.
fn toml_of(json: &str) -> PyResult<String> {
    let value: toml::Value = serde_json::from_str(json).map_err(value_error)?;
    toml::to_string(&value).map_err(value_error)
}
