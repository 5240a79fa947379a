//! Run folders: `plan.toml`, `metrics.csv`, `metrics.jsonl`, `model.safetensors`, `summary.json`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use steepest::Report;

use crate::atomic::write_atomically;

/// A run's folder, with its metrics open.
pub struct RunFolder {
    path: PathBuf,
    csv: File,
    jsonl: File,
}

/// One line of metrics.
#[derive(Clone, Debug, Serialize)]
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

impl RunFolder {
    /// Makes the folder `path`, or else the first free one of `runs/NAME-1`, `runs/NAME-2`, …
    ///
    /// # Errors
    /// When `path` exists and is not empty, or the file system says no.
    pub fn create(path: Option<&Path>, name: &str) -> io::Result<Self> {
        let path = match path {
            Some(path) => {
                fs::create_dir_all(path)?;
                if fs::read_dir(path)?.next().is_some() {
                    let message = "is not empty: name another folder, or remove it first";
                    return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
                }
                path.to_path_buf()
            }
            None => {
                fs::create_dir_all("runs")?;
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
        let open = |name: &str| OpenOptions::new().create(true).append(true).open(path.join(name));
        let (mut csv, jsonl) = (open("metrics.csv")?, open("metrics.jsonl")?);
        writeln!(csv, "iteration,epoch,lr,loss,accuracy,validation_loss,validation_accuracy")?;
        Ok(Self { path, csv, jsonl })
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
        let Metrics { iteration, epoch, lr, loss, accuracy, validation_loss, validation_accuracy } = metrics;
        let optional = |x: &Option<f64>| x.map_or(String::new(), |x| x.to_string());
        let rest = [accuracy, validation_loss, validation_accuracy].map(optional).join(",");
        writeln!(self.csv, "{iteration},{epoch},{lr},{loss},{rest}")?;
        let mut line = serde_json::to_string(metrics)?;
        line.push('\n');
        self.jsonl.write_all(line.as_bytes())
    }

    /// Writes a whole file.
    ///
    /// # Errors
    /// When the file system says no.
    pub fn write(&self, name: &str, text: &str) -> io::Result<()> {
        write_atomically(&self.file(name), text.as_bytes())
    }
}
