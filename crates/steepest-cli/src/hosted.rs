//! Runs inside another program, which watches them: the flags are those of `steepest train`, and so is the model.

use std::ffi::OsString;

use anyhow::Result;
use clap::Parser;
use steepest::{AnyModel, Model, Plan, Precision, Progress, Recipe, Session, Stop};
use steepest_io::{Metrics, Stored};

use crate::args::{Cli, Command, TrainArgs};
use crate::experiment::{Experiment, threads};
use crate::run::{Past, Run, start};
use crate::sources::Sources;
use crate::train::{Outcome, execute, failed, save};
use crate::{UsageError, check_instruction_set};

/// What came of a run.
pub struct Trained {
    /// The model as it was at the end.
    pub model: AnyModel,
    /// The complete recipe.
    pub recipe: Recipe,
    /// The reports.
    pub history: Vec<Metrics>,
    /// Why it ended, and in JSON how well the model does; none if the watcher ended it.
    pub end: Option<(Stop, serde_json::Value)>,
    /// What was decided that a person should hear of.
    pub notes: Vec<String>,
}

/// How far a run is.
pub struct Moment<'a> {
    /// What came of the last step.
    pub progress: &'a Progress,
    /// What is to be executed.
    pub plan: &'a Plan,
}

/// Trains as `steepest train` with these arguments, program name and `train` first, and shows nothing. A folder is written where
/// `--out` names one. `recipe` is one in TOML, in place of one that is named. `watch` sees each step, and ends the run
/// with `false`; what it has learnt by then is kept, and in a folder the run can go on.
///
/// # Errors
/// When the arguments are wrong, the data cannot be read or do not fit the recipe, a file cannot be written, or training diverges.
pub fn train(
    arguments: impl IntoIterator<Item = OsString>,
    recipe: Option<String>,
    mut watch: impl FnMut(&Moment) -> bool,
) -> Result<Trained> {
    let mut args = match Cli::try_parse_from(arguments) {
        Ok(Cli { command: Command::Train(args) }) => args,
        Ok(_) => return Err(UsageError("expected the arguments of train".into()).into()),
        Err(e) => {
            let text = e.render().to_string();
            return Err(UsageError(text.trim_start_matches("error: ").trim_end().into()).into());
        }
    };
    if args.resume.is_some() {
        return Err(UsageError("a run goes on with the command steepest train --resume".into()).into());
    }
    check_instruction_set()?;
    args.recipe.text = recipe;
    let threads = threads(args.recipe.threads)?;
    let sources = Sources::new(&args.recipe, args.quiet)?;
    let (experiment, plan) = sources.experiment(&sources.recipe)?;
    drop(sources);
    match plan.recipe.precision {
        Precision::F32 => hosted(&args, &experiment, plan, threads, &mut watch, AnyModel::F32),
        Precision::F64 => hosted(&args, &experiment, plan, threads, &mut watch, AnyModel::F64),
    }
}

/// The watcher had seen enough.
#[derive(Debug, thiserror::Error)]
#[error("ended by whoever watches")]
struct Enough;

fn hosted<T: Stored>(
    args: &TrainArgs,
    experiment: &Experiment,
    plan: Plan,
    threads: usize,
    watch: &mut dyn FnMut(&Moment) -> bool,
    any: fn(Model<T>) -> AnyModel,
) -> Result<Trained> {
    let notes = plan.notes.clone();
    let mut seen = |session: &Session<T>, progress: &Progress| {
        let moment = Moment { progress, plan: session.plan() };
        // What has ended has ended well.
        if watch(&moment) || progress.stop.is_some() { Ok(()) } else { Err(Enough) }
    };
    let (result, session, past) = if args.out.is_some() {
        let mut run = Run::begin(args, experiment, plan, threads)?;
        let Run { session, past, record, .. } = &mut run;
        let result = execute(experiment, session, past, |session, progress, past| {
            if let (Some(_), Some(line)) = (progress.report, past.history.last()) {
                record.log(line)?;
            }
            if let Err(enough) = seen(session, progress) {
                record.checkpoint(session, past)?;
                return Err(enough.into());
            }
            if progress.stop.is_none()
                && args.checkpoint_every.is_due(&progress.step, record.last_checkpoint())
            {
                record.checkpoint(session, past)?;
            }
            Ok(())
        });
        let result = match result.and_then(|(outcome, stop)| save(&run, &outcome).map(|_| (outcome, stop))) {
            Err(e) if !e.is::<Enough>() => return Err(failed(&mut run, |_| {}, e)),
            result => result,
        };
        (result, run.session, run.past)
    } else {
        let start = start(&plan, args.start.init_from.as_deref(), args.start.batches.as_deref())?;
        let (data, validation) = (experiment.data.clone(), experiment.validation.clone());
        let mut session = Session::new(plan, data, validation, start, threads)?;
        let mut past = Past::default();
        let result =
            execute(experiment, &mut session, &mut past, |session, progress, _| Ok(seen(session, progress)?));
        (result, session, past)
    };
    let end = match result {
        Ok((outcome, stop)) => Some((stop, figures(&outcome)?)),
        Err(e) if e.is::<Enough>() => None,
        Err(e) => return Err(e),
    };
    let recipe = session.plan().recipe.clone();
    Ok(Trained { model: any(session.model()), recipe, history: past.history, end, notes })
}

/// How well a model does, less what stands in the history.
fn figures(outcome: &Outcome) -> Result<serde_json::Value> {
    let mut figures = serde_json::to_value(outcome)?;
    if let Some(figures) = figures.as_object_mut() {
        figures.remove("history");
    }
    Ok(figures)
}
