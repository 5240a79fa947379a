//! Checkpoints as safetensors files: all that a run needs to go on.
//!
//! Each item of the [`State`] is a tensor: counts are U64 and single numbers F64 without dimensions, vectors have one
//! dimension and the network's precision. Beside them stand `run.metrics` (U8: `metrics.csv` so far, without its header),
//! `run.seconds`, and `run.best.step` and `run.best.loss` if there is a best checkpoint. The metadata has one key,
//! `steepest-checkpoint`, whose value is JSON: the plan, what the run began with, and a checksum of everything.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensorError, TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use steepest::{State, Value};

use crate::atomic::write_atomically;
use crate::metrics::Metrics;
use crate::run_start::RunStart;
use crate::shown::{few, shown};
use crate::tensor_file::{
    ModelError, Stored, TensorFile, excerpt, hex, le_bytes, read_tensor, tensor_file_bytes,
};

/// All that a run needs to go on.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint<T> {
    /// The plan, as TOML.
    pub plan: String,
    /// What the run began with.
    pub start: RunStart,
    /// Where the session is.
    pub state: State<T>,
    /// What was reported so far.
    pub history: Vec<Metrics>,
    /// How long it has trained so far.
    pub seconds: f64,
    /// The best checkpoint so far, which is kept.
    pub best: Option<BestCheckpoint>,
}

/// The checkpoint with the lowest validation loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BestCheckpoint {
    /// Its number of steps.
    pub step: u64,
    /// The last validation loss before it.
    pub loss: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    version: u32,
    plan: String,
    start: RunStart,
    sha256: String,
}

/// Where its metadata are.
pub(crate) const KEY: &str = "steepest-checkpoint";
const VERSION: u32 = 1;

const METRICS: &str = "run.metrics";
const SECONDS: &str = "run.seconds";
const BEST_STEP: &str = "run.best.step";
const BEST_LOSS: &str = "run.best.loss";

/// A tensor on its way into a file or out of it.
struct Item {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Item {
    fn of<T: Stored>(value: &Value<T>) -> Self {
        match value {
            Value::Integer(n) => Self { dtype: Dtype::U64, shape: vec![], bytes: n.to_le_bytes().into() },
            Value::Float(x) => Self { dtype: Dtype::F64, shape: vec![], bytes: x.to_le_bytes().into() },
            Value::Vector(x) => Self { dtype: T::DTYPE, shape: vec![x.len()], bytes: le_bytes(x) },
        }
    }
}

/// Writes a checkpoint, whole or not at all.
///
/// # Errors
/// When the file cannot be written.
pub fn save_checkpoint<T: Stored>(checkpoint: &Checkpoint<T>, path: &Path) -> Result<(), ModelError> {
    let Checkpoint { plan, start, state, history, seconds, best } = checkpoint;
    let mut items: BTreeMap<String, Item> =
        state.values.iter().map(|(name, value)| (name.clone(), Item::of(value))).collect();
    let mut add = |name: &str, value| items.insert(name.into(), Item::of::<T>(&value));
    add(SECONDS, Value::Float(*seconds));
    if let Some(best) = best {
        add(BEST_STEP, Value::Integer(best.step));
        add(BEST_LOSS, Value::Float(best.loss));
    }
    let lines: String = history.iter().map(Metrics::csv_line).collect();
    items.insert(METRICS.into(), Item { dtype: Dtype::U8, shape: vec![lines.len()], bytes: lines.into() });

    let mut metadata =
        Metadata { version: VERSION, plan: plan.clone(), start: start.clone(), sha256: String::new() };
    metadata.sha256 = checksum(&metadata, &items);
    let bytes = || {
        let views: Result<Vec<_>, SafeTensorError> = (items.iter())
            .map(|(name, item)| {
                Ok((name.as_str(), TensorView::new(item.dtype, item.shape.clone(), &item.bytes)?))
            })
            .collect();
        tensor_file_bytes(views?, KEY, serde_json::to_string(&metadata)?)
    };
    let bytes = bytes().map_err(ModelError::format(path))?;
    write_atomically(path, &bytes).map_err(ModelError::io(path))
}

/// Reads a checkpoint of a run in this precision.
///
/// # Errors
/// When the file cannot be read, is damaged, or was not written by [`save_checkpoint`] in this precision. Whether it fits its
/// plan, [`steepest::Session::resume`] says.
pub fn load_checkpoint<T: Stored>(path: &Path) -> Result<Checkpoint<T>, ModelError> {
    checkpoint(&TensorFile::read(path, "a checkpoint")?).map_err(ModelError::contents(path))
}

fn checkpoint<T: Stored>(file: &TensorFile) -> Result<Checkpoint<T>, String> {
    let text = file
        .text(KEY)
        .ok_or_else(|| format!("has no {KEY:?} metadata, so it is not a checkpoint of Steepest"))?;
    let damaged = |e: serde_json::Error| format!("its metadata is damaged: {}", excerpt(&e.to_string()));
    let metadata: Metadata = serde_json::from_str(text).map_err(damaged)?;
    if metadata.version != VERSION {
        return Err(format!("is of version {}; this program reads version {VERSION}", metadata.version));
    }
    let mut items = BTreeMap::new();
    let mut state = State { values: BTreeMap::new() };
    for name in file.names() {
        let tensor = file.tensor(&name).ok_or("its header contradicts itself")?;
        if name != METRICS {
            state.values.insert(name.clone(), value(&tensor, &shown(&name))?);
        }
        let (dtype, shape, bytes) = (tensor.dtype(), tensor.shape().to_vec(), tensor.data().to_vec());
        items.insert(name, Item { dtype, shape, bytes });
    }
    if checksum(&metadata, &items) != metadata.sha256 {
        return Err("is damaged: it does not have the checksum that it was saved with".into());
    }
    let mut take = |name: &str| state.values.remove(name);
    let missing = |name: &str| format!("has no {name}, or of another type");
    let Some(Value::Float(seconds)) = take(SECONDS) else { return Err(missing(SECONDS)) };
    let best = match (take(BEST_STEP), take(BEST_LOSS)) {
        (Some(Value::Integer(step)), Some(Value::Float(loss))) => Some(BestCheckpoint { step, loss }),
        (None, None) => None,
        _ => return Err(missing(BEST_STEP)),
    };
    let lines = items.get(METRICS).filter(|item| item.dtype == Dtype::U8).ok_or_else(|| missing(METRICS))?;
    let history = str::from_utf8(&lines.bytes)
        .ok()
        .and_then(|text| text.lines().map(Metrics::parse).collect())
        .ok_or_else(|| format!("{METRICS} is not what metrics.csv holds"))?;
    Ok(Checkpoint { plan: metadata.plan, start: metadata.start, state, history, seconds, best })
}

/// What a tensor holds.
fn value<T: Stored>(tensor: &TensorView, name: &str) -> Result<Value<T>, String> {
    match (tensor.dtype(), tensor.shape()) {
        (Dtype::U64, []) => {
            let bytes = tensor.data().first_chunk().ok_or("its header contradicts itself")?;
            Ok(Value::Integer(u64::from_le_bytes(*bytes)))
        }
        (Dtype::F64, []) => {
            let mut float = [0.0];
            read_tensor(tensor, name, &mut float)?;
            Ok(Value::Float(float[0]))
        }
        (dtype, &[n]) if dtype == T::DTYPE => {
            let mut numbers = vec![T::ZERO; n];
            read_tensor(tensor, name, &mut numbers)?;
            Ok(Value::Vector(numbers))
        }
        (dtype, shape) => Err(format!(
            "{name} is {dtype:?} with shape {}; expected U64 or F64 without dimensions, or {:?} with one",
            few(shape),
            T::DTYPE
        )),
    }
}

/// The SHA-256 of everything that a checkpoint says.
fn checksum(metadata: &Metadata, items: &BTreeMap<String, Item>) -> String {
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    add(metadata.plan.as_bytes());
    add(serde_json::to_string(&metadata.start).unwrap_or_default().as_bytes());
    for (name, item) in items {
        add(name.as_bytes());
        add(format!("{:?} {:?}", item.dtype, item.shape).as_bytes());
        add(&item.bytes);
    }
    hex(&hash.finalize())
}
