//! A run and its folder: how it begins, how it goes on after an interruption, and what it writes meanwhile.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use steepest::{Network, Plan, Session, Start};
use steepest_io::{
    Checkpoint, Checkpoints, DataSums, Metrics, PLAN, RunFolder, RunStart, Stored, check_saveable,
    load_weights, read_npy_rows, sha256,
};

use crate::UsageError;
use crate::args::{ReadArgs, RecipeArgs, StartArgs, TrainArgs};
use crate::experiment::Experiment;

/// A run on its way.
pub struct Run<T> {
    pub session: Session<T>,
    pub past: Past,
    pub record: Record,
    /// What there is to say about where it begins.
    pub notes: Vec<String>,
}

/// What a run has behind it.
#[derive(Default)]
pub struct Past {
    /// Its reports.
    pub history: Vec<Metrics>,
    /// Steps before this process took it up.
    pub steps: u64,
    /// Seconds of training before that.
    pub seconds: f64,
    /// How long this process has trained.
    pub elapsed: Duration,
    /// Whether the last step was the last of the run.
    pub has_stopped: bool,
}

/// Where a run writes what it has to say.
pub struct Record {
    pub folder: RunFolder,
    pub start: RunStart,
    checkpoints: Checkpoints,
    last_checkpoint: Instant,
}

/// The model that comes out.
pub const MODEL: &str = "model.safetensors";
const START: &str = "start.json";
const BATCHES: &str = "batches.npy";

impl Past {
    /// Seconds of training in all.
    pub fn seconds(&self) -> f64 {
        self.seconds + self.elapsed.as_secs_f64()
    }
}

impl<T: Stored> Run<T> {
    /// A new run, in a folder of its own. All that it takes to go on is in there before the first step.
    pub fn begin(args: &TrainArgs, experiment: &Experiment, plan: Plan, threads: usize) -> Result<Self> {
        let start = start::<T>(&plan, args.start.init_from.as_deref(), args.start.batches.as_deref())?;
        let name = plan.recipe.name.clone();
        let batches = args.start.batches.as_deref().map(read).transpose()?;
        let has_given_weights = start.network.is_some();
        let (data, validation) = (experiment.data.clone(), experiment.validation.clone());
        let session = Session::new(plan, data, validation, start, threads)?;
        check_saveable(&session.model(), Path::new(MODEL))?;
        let start = RunStart::new(sums(experiment), batches.as_deref().map(sha256), has_given_weights);

        let place = || args.out.as_ref().map_or("the folder runs".into(), |out| out.display().to_string());
        let folder = RunFolder::create(args.out.as_deref(), &name).with_context(place)?;
        let record = Record::new(folder, start, args.keep_checkpoints);
        let mut run = Self { session, past: Past::default(), record, notes: Vec::new() };
        match run.write_beginning(batches.as_deref()) {
            Ok(()) => Ok(run),
            Err(e) => {
                run.record.folder.discard();
                Err(e)
            }
        }
    }

    /// All that it takes to go on from the beginning.
    fn write_beginning(&mut self, batches: Option<&[u8]>) -> Result<()> {
        let Self { session, past, record, .. } = self;
        let text = serde_json::to_string_pretty(&record.start)? + "\n";
        record.write(START, text.as_bytes())?;
        if let Some(batches) = batches {
            record.write(BATCHES, batches)?;
        }
        if record.start.has_given_weights {
            // The file that they come from may be gone when the run is to go on.
            record.checkpoint(session, past)?;
        }
        // Last: now there is everything.
        record.write(PLAN, session.plan().recipe.to_toml().as_bytes())
    }

    /// A run that was interrupted, from its newest checkpoint, or else from its beginning.
    pub fn resume(
        args: &TrainArgs,
        experiment: &Experiment,
        plan: Plan,
        threads: usize,
        folder: RunFolder,
    ) -> Result<Self> {
        let place = folder.path().display().to_string();
        let cannot = |why: &str| format!("the run in {place} cannot go on: {why}");
        let path = folder.file(START);
        let began: RunStart =
            serde_json::from_slice(&read(&path)?).with_context(|| path.display().to_string())?;
        let batches = Some(folder.file(BATCHES)).filter(|path| path.exists());
        let sum = batches.as_deref().map(read).transpose()?.as_deref().map(sha256);
        if let Err(why) = began.check(&RunStart::new(sums(experiment), sum, began.has_given_weights)) {
            bail!(cannot(&why));
        }
        let text = plan.recipe.to_toml();
        let start = start::<T>(&plan, None, batches.as_deref())?;
        let (data, validation) = (experiment.data.clone(), experiment.validation.clone());
        let mut session = Session::new(plan, data, validation, start, threads)?;

        let mut record = Record::new(folder, began, args.keep_checkpoints);
        let newest = record.checkpoints.newest::<T>()?;
        let mut notes: Vec<String> =
            newest.damaged.iter().map(|e| format!("warning: {e}; an older checkpoint is taken")).collect();
        let mut past = Past::default();
        match newest.checkpoint {
            Some(checkpoint) if checkpoint.plan != text => bail!(cannot(
                "its plan.toml is not the plan that its checkpoint was made by: put the old one back, or begin a new run"
            )),
            Some(checkpoint) if checkpoint.start != record.start => {
                bail!(cannot("its checkpoint is that of another run: remove it"))
            }
            Some(Checkpoint { state, history, seconds, .. }) => {
                past = Past { history, steps: state.step(), seconds, ..Past::default() };
                session = session.resume(state).with_context(|| cannot("its checkpoint is damaged"))?;
                notes.push(format!("Goes on after {} steps", past.steps));
            }
            None if record.start.has_given_weights => {
                bail!(cannot("it began from given weights (--init-from), and has no checkpoint left"))
            }
            None => notes.push("Begins again: it was interrupted before its first checkpoint".into()),
        }
        record.folder.restore_log(&past.history).with_context(|| record.place())?;
        Ok(Self { session, past, record, notes })
    }
}

impl Record {
    fn new(folder: RunFolder, start: RunStart, keep: u64) -> Self {
        let checkpoints = Checkpoints::new(folder.path(), usize::try_from(keep).unwrap_or(usize::MAX));
        Self { folder, start, checkpoints, last_checkpoint: Instant::now() }
    }

    /// Writes a whole file into the folder.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.folder.write(name, bytes).with_context(|| self.folder.file(name).display().to_string())
    }

    /// Logs a report.
    pub fn log(&mut self, metrics: &Metrics) -> Result<()> {
        self.folder.log(metrics).with_context(|| self.place())
    }

    /// Brings the log to the disk.
    pub fn sync_log(&self) -> Result<()> {
        self.folder.sync_log().with_context(|| self.place())
    }

    /// Writes a checkpoint, unless the run is about to diverge. Returns its file.
    pub fn checkpoint<T: Stored>(
        &mut self,
        session: &mut Session<T>,
        past: &Past,
    ) -> Result<Option<PathBuf>> {
        let state = session.state();
        if !state.is_finite() {
            return Ok(None);
        }
        let plan = session.plan().recipe.to_toml();
        let (history, seconds) = (past.history.clone(), past.seconds());
        let checkpoint = Checkpoint { plan, start: self.start.clone(), state, history, seconds, best: None };
        let path = self.checkpoints.write(checkpoint)?;
        self.last_checkpoint = Instant::now();
        Ok(Some(path))
    }

    /// When the last checkpoint was written, or the run taken up.
    pub fn last_checkpoint(&self) -> Instant {
        self.last_checkpoint
    }

    /// The command that goes on with the run.
    pub fn resume_command(&self) -> String {
        let path = self.folder.path().display().to_string();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/\\._-:".contains(c);
        let path =
            if path.chars().all(is_plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) };
        format!("steepest train --resume {path}")
    }

    fn place(&self) -> String {
        self.folder.path().display().to_string()
    }
}

/// The recipe of the run that is to go on, when nothing else is asked of it.
pub fn resumed_recipe(args: &TrainArgs, run: &Path) -> Result<RecipeArgs> {
    let RecipeArgs { threads, read: ReadArgs { network, .. }, .. } = args.recipe;
    let plain = |recipe: &str| RecipeArgs {
        recipe: recipe.into(),
        threads,
        read: ReadArgs { network, ..ReadArgs::default() },
        ..RecipeArgs::default()
    };
    if args.recipe != plain(RecipeArgs::DEFAULT) || args.start != StartArgs::default() || args.out.is_some() {
        let message = "--resume goes on with a run as its plan has it: beside it there may be --threads, --offline, \
                       --checkpoint-every, --keep-checkpoints, --quiet and --json, and nothing else";
        return Err(UsageError(message.into()).into());
    }
    let plan = run.join(PLAN);
    plan.to_str().map(plain).with_context(|| format!("{}: not a name in Unicode", plan.display()))
}

/// Weights and batches given from outside.
pub fn start<T: Stored>(plan: &Plan, weights: Option<&Path>, batches: Option<&Path>) -> Result<Start<T>> {
    let network: Option<Network<T>> = weights.map(|path| load_weights(path, &plan.recipe)).transpose()?;
    let batches = batches.map(read_npy_rows).transpose()?;
    Ok(Start { network, batches })
}

fn sums(experiment: &Experiment) -> DataSums {
    DataSums::of(&experiment.data, experiment.validation.as_ref(), experiment.test.as_ref())
}

fn read(path: impl AsRef<Path>) -> Result<Vec<u8>> {
    let path = path.as_ref();
    std::fs::read(path).with_context(|| path.display().to_string())
}
