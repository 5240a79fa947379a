//! The checkpoints of a run: the last few of them, and the best.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::atomic::{create_folders, remove_remains};
use crate::checkpoint_file::{BestCheckpoint, Checkpoint, load_checkpoint, save_checkpoint};
use crate::tensor_file::{ModelError, Stored};

/// The folder `checkpoints` of a run, with `step-00000100.safetensors` and so on in it.
pub struct Checkpoints {
    folder: PathBuf,
    keep: usize,
    best: Option<BestCheckpoint>,
}

/// What there is to go on from.
pub struct Newest<T> {
    /// The newest checkpoint that can be read.
    pub checkpoint: Option<Checkpoint<T>>,
    /// Newer ones, which cannot be, and why. They were put aside.
    pub damaged: Vec<ModelError>,
}

impl Checkpoints {
    /// Those of a run; the last `keep` are kept, at least one, and the best one.
    pub fn new(run: &Path, keep: usize) -> Self {
        Self { folder: run.join("checkpoints"), keep: keep.max(1), best: None }
    }

    /// Finds the newest checkpoint. Damaged ones get a name that ends in `.damaged`, so that no whole one makes room for them.
    /// Nobody else may be writing there.
    ///
    /// # Errors
    /// When the file system says no, or there are checkpoints and none can be read.
    pub fn newest<T: Stored>(&mut self) -> Result<Newest<T>, ModelError> {
        let mut damaged = Vec::new();
        if !self.folder.is_dir() {
            return Ok(Newest { checkpoint: None, damaged });
        }
        let io = ModelError::io(&self.folder);
        remove_remains(&self.folder).map_err(&io)?;
        for step in self.steps().map_err(&io)? {
            let path = self.path(step);
            match load_checkpoint(&path) {
                Ok(checkpoint) => {
                    for error in &damaged {
                        put_aside(error).map_err(&io)?;
                    }
                    self.best = checkpoint.best;
                    return Ok(Newest { checkpoint: Some(checkpoint), damaged });
                }
                Err(e @ ModelError::Io { .. }) => return Err(e),
                Err(e) => damaged.push(e),
            }
        }
        damaged.into_iter().next().map_or(Ok(Newest { checkpoint: None, damaged: Vec::new() }), Err)
    }

    /// Writes a checkpoint, and then removes those that are not to be kept. Returns its file.
    ///
    /// # Errors
    /// When the file system says no; what was there before is then still there.
    pub fn write<T: Stored>(&mut self, mut checkpoint: Checkpoint<T>) -> Result<PathBuf, ModelError> {
        let io = ModelError::io(&self.folder);
        create_folders(&self.folder).map_err(&io)?;
        let step = checkpoint.state.step();
        let loss = checkpoint.history.iter().rev().find_map(|line| line.validation_loss);
        if let Some(loss) = loss.filter(|loss| *loss < self.best.map_or(f64::INFINITY, |best| best.loss)) {
            self.best = Some(BestCheckpoint { step, loss });
        }
        checkpoint.best = self.best;
        let path = self.path(step);
        save_checkpoint(&checkpoint, &path)?;
        let is_best = |step: &u64| self.best.is_some_and(|best| best.step == *step);
        for step in self.steps().map_err(&io)?.into_iter().skip(self.keep).filter(|step| !is_best(step)) {
            fs::remove_file(self.path(step)).map_err(&io)?;
        }
        Ok(path)
    }

    /// Steps of all checkpoints, the newest first.
    fn steps(&self) -> io::Result<Vec<u64>> {
        let mut steps = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let step =
                name.to_str().and_then(|name| name.strip_prefix("step-")?.strip_suffix(".safetensors"));
            // Only names that are written like this.
            steps.extend(
                step.and_then(|step| step.parse().ok())
                    .filter(|&step| self.path(step).file_name() == Some(name.as_os_str())),
            );
        }
        steps.sort_unstable_by(|a, b| b.cmp(a));
        Ok(steps)
    }

    fn path(&self, step: u64) -> PathBuf {
        self.folder.join(format!("step-{step:08}.safetensors"))
    }
}

fn put_aside(error: &ModelError) -> io::Result<()> {
    let (ModelError::Io { path, .. } | ModelError::Format { path, .. } | ModelError::Contents { path, .. }) =
        error;
    fs::rename(path, path.with_extension("damaged"))
}
