//! Run folders: `plan.toml`, `start.json`, `metrics.csv`, `metrics.jsonl`, `checkpoints`, `model.safetensors`, `summary.json`.
//!
//! `plan.toml` is written when everything is there that the run needs to go on; `summary.json` when it is done. The metrics
//! are logs: a crash may leave half a line in them, or lines that are newer than the last checkpoint. A run that goes on
//! writes them anew from its checkpoint.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::atomic::{create_folders, folder_of, remove_remains, write_atomically, write_file};
use crate::disk::{Disk, SystemDisk};
use crate::metrics::{HEADER, Metrics};

/// A run's folder, with its metrics open. No other process can have it meanwhile.
pub struct RunFolder {
    path: PathBuf,
    csv: File,
    jsonl: File,
    /// Held until the folder is closed.
    _lock: Option<File>,
}

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no such run, or it was killed before it began.
    #[error("there is no run in {path} that could go on (no plan.toml): name a run's folder, such as runs/digits-1", path = path.display())]
    NotBegun {
        /// The folder.
        path: PathBuf,
    },
    /// It is done.
    #[error("the run in {path} is finished: its model is {path}/model.safetensors. For another like it: steepest train {path}/plan.toml", path = path.display())]
    Finished {
        /// The folder.
        path: PathBuf,
    },
    /// Another process has it.
    #[error("another process is at work in {path}: wait until it ends, or end it", path = path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The file system says no.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
}

/// The run can go on when it is there.
pub const PLAN: &str = "plan.toml";
/// The run is done when it is there.
pub const SUMMARY: &str = "summary.json";
const CSV: &str = "metrics.csv";
const JSONL: &str = "metrics.jsonl";

impl RunFolder {
    /// Makes the folder `path`, or else the first free one of `runs/NAME-1`, `runs/NAME-2`, …
    ///
    /// # Errors
    /// When `path` exists and is not empty, or the file system says no.
    pub fn create(path: Option<&Path>, name: &str) -> io::Result<Self> {
        let path = match path {
            Some(path) => {
                create_folders(path)?;
                if fs::read_dir(path)?.next().is_some() {
                    let message = "is not empty: name another folder, or remove it first";
                    return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
                }
                path.to_path_buf()
            }
            None => {
                create_folders(Path::new("runs"))?;
                // `create_dir` fails where another run was faster.
                let mut names = (1u64..).map(|i| PathBuf::from(format!("runs/{name}-{i}")));
                loop {
                    let Some(path) = names.next() else { unreachable!("numbers do not end") };
                    match fs::create_dir(&path) {
                        Ok(()) => break path,
                        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                        Err(e) => return Err(e),
                    }
                }
            }
        };
        let lock = lock(&path)?;
        Self::begin(&path, lock).inspect_err(|_| empty(&path))
    }

    fn begin(path: &Path, lock: Option<File>) -> io::Result<Self> {
        SystemDisk.sync_folder(folder_of(path))?;
        let (mut csv, jsonl) = (append(path, CSV)?, append(path, JSONL)?);
        writeln!(csv, "{HEADER}")?;
        Ok(Self { path: path.into(), csv, jsonl, _lock: lock })
    }

    /// Opens the folder of a run that was interrupted, and removes what was left half-written.
    ///
    /// # Errors
    /// When there is none, it is finished, or another process has it.
    pub fn reopen(path: &Path) -> Result<Self, RunError> {
        let io = |source| RunError::Io { path: path.into(), source };
        if !path.join(PLAN).is_file() {
            return Err(RunError::NotBegun { path: path.into() });
        }
        let lock = lock(path).map_err(|e| match e.kind() {
            io::ErrorKind::WouldBlock => RunError::InUse { path: path.into() },
            _ => io(e),
        })?;
        // Only now: it may just have been finished.
        if path.join(SUMMARY).exists() {
            return Err(RunError::Finished { path: path.into() });
        }
        remove_remains(path).map_err(io)?;
        let open = |name| append(path, name).map_err(io);
        Ok(Self { csv: open(CSV)?, jsonl: open(JSONL)?, path: path.into(), _lock: lock })
    }

    /// Removes what a run that cannot begin has written; the folder was empty.
    pub fn discard(self) {
        empty(&self.path);
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Appends a line to both metrics files.
    ///
    /// # Errors
    /// When the file system says no.
    pub fn log(&mut self, metrics: &Metrics) -> io::Result<()> {
        self.csv.write_all(metrics.csv_line().as_bytes())?;
        self.jsonl.write_all(metrics.json_line().as_bytes())
    }

    /// Writes both metrics files anew.
    ///
    /// # Errors
    /// When the file system says no.
    pub fn restore_log(&mut self, history: &[Metrics]) -> io::Result<()> {
        write_file(&self.file(CSV), |out| {
            writeln!(out, "{HEADER}")?;
            history.iter().try_for_each(|line| out.write_all(line.csv_line().as_bytes()))
        })?;
        write_file(&self.file(JSONL), |out| {
            history.iter().try_for_each(|line| out.write_all(line.json_line().as_bytes()))
        })?;
        self.csv = append(&self.path, CSV)?;
        self.jsonl = append(&self.path, JSONL)?;
        Ok(())
    }

    /// Brings both metrics files to the disk.
    ///
    /// # Errors
    /// When the file system says no.
    pub fn sync_log(&self) -> io::Result<()> {
        self.csv.sync_all()?;
        self.jsonl.sync_all()
    }

    /// Writes a whole file.
    ///
    /// # Errors
    /// When the file system says no.
    pub fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        write_atomically(&self.file(name), bytes)
    }
}

/// Empties a folder, as far as that can be done: there is another error to tell already.
fn empty(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    }
}

fn append(folder: &Path, name: &str) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(folder.join(name))
}

/// Locks a folder, until the file is closed or the process is gone. Nothing where the file system cannot do that.
fn lock(folder: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new().create(true).append(true).open(folder.join(".lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => {
            Err(io::Error::new(io::ErrorKind::WouldBlock, "another process is at work in it"))
        }
        Err(TryLockError::Error(_)) => Ok(None),
    }
}
