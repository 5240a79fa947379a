//! `steepest train`

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, anyhow};
use serde::Serialize;
use serde_json::json;
use steepest::{
    Dataset, Error, Evaluation, Inputs, InstructionSet, Output, Plan, Pool, Precision, Progress, Session,
    Stop, Targets, instruction_set,
};
use steepest_io::{Metrics, RunFolder, SUMMARY, Stored, plain, save_model};

use crate::args::TrainArgs;
use crate::evaluate::regression_score;
use crate::experiment::{Experiment, threads};
use crate::interrupt::{Interrupted, Interrupts};
use crate::message;
use crate::progress::Console;
use crate::report::thousands;
use crate::run::{MODEL, Past, Record, Run, resumed_recipe};
use crate::sources::Sources;

/// What a finished run reached.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Of the training loop alone, validation included, in all processes that had a part in it.
    pub seconds: f64,
    pub epochs: u64,
    pub iterations: u64,
    pub threads: usize,
    /// Of the final network on the training rows; where those are drawn anew each time, of the last report.
    pub train_accuracy: Option<f64>,
    pub validation_accuracy: Option<f64>,
    pub test_accuracy: Option<f64>,
    /// Of a regression.
    #[serde(flatten)]
    pub regression: Option<Regression>,
    /// Training loss, as `train_accuracy`.
    pub loss: Option<f64>,
    /// Validation rows that also occur in training.
    pub leaked_rows: usize,
    /// Accuracy on rows that do not occur in training, where some of the validation rows do.
    pub clean_accuracy: Option<f64>,
    pub history: Vec<Metrics>,
}

/// How well numbers are predicted, in the target's own units, as scikit-learn's `r2_score` and `root_mean_squared_error` say it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Regression {
    pub train_r2: f64,
    pub train_rmse: f64,
    pub validation_r2: Option<f64>,
    pub validation_rmse: Option<f64>,
    pub test_r2: Option<f64>,
    pub test_rmse: Option<f64>,
}

pub fn run(args: &TrainArgs) -> Result<()> {
    let threads = threads(args.recipe.threads)?;
    let (sources, interrupted) = match &args.resume {
        None => (Sources::new(&args.recipe, args.quiet)?, None),
        Some(path) => {
            let recipe = resumed_recipe(args, path)?;
            let folder = RunFolder::reopen(path)?;
            (Sources::new(&recipe, args.quiet)?, Some(folder))
        }
    };
    let (experiment, plan) = sources.experiment(&sources.recipe)?;
    drop(sources);
    for note in plan.notes.iter().filter(|_| !args.quiet) {
        writeln!(std::io::stderr(), "note: {}", plain(note))?;
    }
    match plan.recipe.precision {
        Precision::F32 => train::<f32>(args, &experiment, plan, threads, interrupted),
        Precision::F64 => train::<f64>(args, &experiment, plan, threads, interrupted),
    }
}

fn train<T: Stored>(
    args: &TrainArgs,
    experiment: &Experiment,
    plan: Plan,
    threads: usize,
    interrupted: Option<RunFolder>,
) -> Result<()> {
    let mut console = Console::new(&plan, args.quiet, args.json);
    console.line(&headline(&plan, experiment));
    let mut run = match interrupted {
        None => Run::<T>::begin(args, experiment, plan, threads)?,
        Some(folder) => Run::resume(args, experiment, plan, threads, folder)?,
    };
    run.notes.iter().for_each(|note| console.line(note));

    let interrupts = Interrupts::listen()?;
    let Run { session, past, record, .. } = &mut run;
    let result = execute(experiment, session, past, |session, progress, past| {
        console.show(progress, past);
        if progress.report.is_some()
            && let Some(line) = past.history.last()
        {
            record.log(line)?;
        }
        if progress.stop.is_some() {
            return Ok(());
        }
        if let Some(signal) = interrupts.signal() {
            let written = record.checkpoint(session, past)?;
            return Err(Interrupted { signal, message: farewell(session, record, written.as_deref()) }.into());
        }
        if args.checkpoint_every.is_due(&progress.step, record.last_checkpoint()) {
            record.checkpoint(session, past)?;
        }
        Ok(())
    });
    console.finish();
    match result.and_then(|(outcome, stop)| Ok((save(&run, &outcome)?, outcome, stop))) {
        Ok((model_sha256, outcome, stop)) => tell(args, &console, &run, &outcome, stop, &model_sha256),
        Err(e) => Err(failed(&mut run, |line| console.line(line), e)),
    }
}

/// Runs a session to its end. `observe` sees each step and what is behind the run then, and may end it.
///
/// # Errors
/// [`Error::Diverged`], and those of `observe`.
pub fn execute<T: Stored>(
    experiment: &Experiment,
    session: &mut Session<T>,
    past: &mut Past,
    mut observe: impl FnMut(&mut Session<T>, &Progress, &Past) -> Result<()>,
) -> Result<(Outcome, Stop)> {
    let leak = experiment.leak(session.plan());
    let started = Instant::now();
    let stop = loop {
        let progress = session.advance()?;
        past.elapsed = started.elapsed();
        past.has_stopped = progress.stop.is_some();
        past.history.extend(progress.report.as_ref().map(Metrics::from));
        observe(session, &progress, past)?;
        if let Some(stop) = progress.stop {
            break stop;
        }
    };
    past.elapsed = started.elapsed();
    let history = past.history.clone();

    let data = session.trainer().data().clone();
    let is_stored = !matches!(data.inputs(), Inputs::Drawn { .. });
    let train = match history.last() {
        Some(last) if !is_stored => Evaluation { loss: last.loss, accuracy: last.accuracy },
        _ => session.evaluate(&data),
    };
    let validation = session.validation().cloned().map(|data| session.evaluate(&data));
    let test = experiment.test.as_ref().map(|data| session.evaluate(data));
    let clean =
        leak.as_ref().filter(|leak| leak.clean.n_samples() > 0).map(|leak| session.evaluate(&leak.clean));
    let regression = regression(session, &data, experiment.test.as_ref());
    let outcome = Outcome {
        regression,
        seconds: past.seconds(),
        epochs: session.trainer().epochs(),
        iterations: session.trainer().steps(),
        threads: session.trainer().threads(),
        train_accuracy: train.accuracy,
        validation_accuracy: validation.and_then(|v| v.accuracy),
        test_accuracy: test.and_then(|t| t.accuracy),
        loss: train.loss.is_finite().then_some(train.loss),
        leaked_rows: leak.map_or(0, |leak| leak.leaked),
        clean_accuracy: clean.and_then(|c| c.accuracy),
        history,
    };
    Ok((outcome, stop))
}

/// Scores of the model on each kind of rows, if it predicts numbers.
fn regression<T: Stored>(
    session: &Session<T>,
    train: &Dataset,
    test: Option<&Dataset>,
) -> Option<Regression> {
    if session.plan().training.head.output() != Output::Identity {
        return None;
    }
    let model = session.model();
    let mut pool = Pool::new(session.trainer().threads());
    let mut score = |data: &Dataset| match data.targets() {
        Some(Targets::Values { values, n_outputs }) => {
            let predictions = model.predict(data, &mut pool);
            Some(regression_score(&model, values, *n_outputs, &predictions))
        }
        _ => None,
    };
    let (of_train, validation) = (score(train)?, session.validation().and_then(&mut score));
    let test = test.and_then(score);
    Some(Regression {
        train_r2: of_train.r2,
        train_rmse: of_train.rmse,
        validation_r2: validation.map(|score| score.r2),
        validation_rmse: validation.map(|score| score.rmse),
        test_r2: test.map(|score| score.r2),
        test_rmse: test.map(|score| score.rmse),
    })
}

/// Saves the model, then what there is to know of it: with that, the run is finished. Returns the model's SHA-256.
pub fn save<T: Stored>(run: &Run<T>, outcome: &Outcome) -> Result<String> {
    run.record.sync_log()?;
    let model_sha256 = save_model(&run.session.model(), &run.record.folder.file(MODEL))?;
    let summary = summary(run, outcome, &model_sha256);
    run.record.write(SUMMARY, format!("{summary:#}\n").as_bytes())?;
    Ok(model_sha256)
}

/// What is left of a run that failed, and the error with what to do.
pub fn failed<T: Stored>(run: &mut Run<T>, say: impl Fn(&str), error: anyhow::Error) -> anyhow::Error {
    if error.downcast_ref::<Interrupted>().is_some() {
        return error;
    }
    if let Some(Error::Diverged { .. }) = error.downcast_ref() {
        let path = run.record.folder.file(MODEL);
        return match save_model(&run.session.model(), &path) {
            Ok(_) => {
                say(&format!("The last good model is in {}", path.display()));
                error
            }
            Err(e) => anyhow!("{}; and the last good model cannot be saved: {e}", message(&error)),
        };
    }
    // Not again where a checkpoint could not be written; and a run that has stopped, whose network is the best one by now, must
    // come to its end again.
    if !run.past.has_stopped && error.downcast_ref::<steepest_io::ModelError>().is_none() {
        let _ = run.record.checkpoint(&mut run.session, &run.past);
    }
    let command = run.record.resume_command();
    anyhow!("{}\nWhen that is put right, the run goes on with: {command}", message(&error))
}

/// What is said to whoever interrupts a run.
fn farewell<T: Stored>(session: &Session<T>, record: &Record, checkpoint: Option<&Path>) -> String {
    let steps = thousands(session.trainer().steps());
    let kept = match checkpoint {
        Some(path) => format!("the checkpoint is {}", path.display()),
        None => "its numbers are no longer finite, so no checkpoint was written".into(),
    };
    format!("Interrupted after {steps} steps; {kept}\nGo on with: {}", record.resume_command())
}

/// Says how it went.
fn tell<T: Stored>(
    args: &TrainArgs,
    console: &Console,
    run: &Run<T>,
    outcome: &Outcome,
    stop: Stop,
    model_sha256: &str,
) -> Result<()> {
    let model = run.record.folder.file(MODEL);
    for line in closing_lines(outcome, stop, &model, model_sha256, run.session.plan()) {
        console.line(&line);
    }
    if args.json {
        let mut object = serde_json::to_value(outcome)?;
        object["run"] = json!(run.record.folder.path());
        object["model"] = json!(model);
        object["model_sha256"] = json!(model_sha256);
        writeln!(std::io::stdout(), "{object}")?;
    }
    Ok(())
}

fn headline(plan: &Plan, experiment: &Experiment) -> String {
    let sizes: Vec<String> = plan.network.sizes.iter().map(ToString::to_string).collect();
    let (n_train, n_validation) = (plan.split.train.len(), plan.split.validation.len());
    let n_validation = experiment.validation.as_ref().map_or(n_validation, |v| v.n_samples());
    let n_test = experiment.test.as_ref().map_or(0, |t| t.n_samples());
    format!(
        "{}: {} ({} parameters) on {}, {} rows to learn from, {} to validate, {} to test",
        plan.recipe.name,
        sizes.join("-"),
        thousands(plan.network.n_parameters() as u64),
        plan.recipe.data.train,
        thousands(n_train as u64),
        thousands(n_validation as u64),
        thousands(n_test as u64),
    )
}

fn closing_lines(outcome: &Outcome, stop: Stop, model: &Path, sha256: &str, plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    match stop {
        Stop::Finished => {}
        Stop::Converged => lines.push("Converged: no step would lower the training loss any more".into()),
        Stop::Patience { best: Some(best) } => lines.push(format!(
            "Stopped early: the validation loss was best after iteration {best}, whose weights are kept"
        )),
        Stop::Patience { best: None } => {
            lines.push("Stopped early: the validation loss was never a finite number".into());
        }
    }
    let mut figures =
        vec![format!("{} iterations in {:.2} s", thousands(outcome.iterations), outcome.seconds)];
    for (name, value) in [
        ("train", outcome.train_accuracy),
        ("validation", outcome.validation_accuracy),
        ("test", outcome.test_accuracy),
    ] {
        figures.extend(value.map(|value| format!("{name} accuracy {value:.4}")));
    }
    if let Some(of) = outcome.regression {
        for (name, r2, rmse) in [
            ("train", Some(of.train_r2), Some(of.train_rmse)),
            ("validation", of.validation_r2, of.validation_rmse),
            ("test", of.test_r2, of.test_rmse),
        ] {
            figures.extend(r2.zip(rmse).map(|(r2, rmse)| format!("{name} R2 {r2:.4}, RMSE {rmse:.6}")));
        }
    } else if outcome.train_accuracy.is_none() {
        figures.extend(outcome.loss.map(|loss| format!("training loss {loss:.6}")));
    }
    lines.push(figures.join(", "));
    if outcome.leaked_rows > 0 {
        let clean = outcome.clean_accuracy.map_or(String::new(), |accuracy| {
            format!("; on rows that do not, the accuracy is {accuracy:.4}")
        });
        let rows = thousands(outcome.leaked_rows as u64);
        lines.push(format!("warning: {rows} validation rows also occur among the training rows{clean}"));
    }
    lines.push(format!("Model: {} (SHA-256 {sha256})", model.display()));
    let data = plan.recipe.data.test.clone().unwrap_or_else(|| plan.recipe.data.train.clone());
    lines.push("Next:".into());
    lines.push(format!("  steepest evaluate {} --data {data}", model.display()));
    lines.push(format!("  steepest predict {} {data} --rows ..10", model.display()));
    lines.push("  steepest recipes              the four notebooks, and what each of them shows".into());
    lines
}

/// What it takes to know where a model came from.
fn summary<T: Stored>(run: &Run<T>, outcome: &Outcome, model_sha256: &str) -> serde_json::Value {
    let recipe = &run.session.plan().recipe;
    let sets: Vec<&str> = InstructionSet::available().into_iter().map(InstructionSet::name).collect();
    let mut results = json!(outcome);
    if let Some(results) = results.as_object_mut() {
        results.remove("history");
    }
    json!({
        "recipe": recipe.name,
        "seed": recipe.seed,
        "precision": recipe.precision,
        "version": env!("CARGO_PKG_VERSION"),
        "platform": format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        "instruction_set": instruction_set().name(),
        "instruction_sets": sets,
        "data_sha256": run.record.start.data_sha256,
        "model_sha256": model_sha256,
        "results": results,
    })
}
