//! What a run needs besides its plan: data as the plan asks for them, and flags as changes of recipe keys.

use anyhow::Result;
use steepest::{Dataset, Override, Plan, SeenRows, parse_value};
use steepest_io::{ArrayNames, CsvOptions, LoadOptions, RowRange};
use toml::Value;

use crate::UsageError;
use crate::args::{ReadArgs, RecipeArgs};
use crate::data_fetch::load_options;

/// The data of a run.
pub struct Experiment {
    pub data: Dataset,
    pub validation: Option<Dataset>,
    pub test: Option<Dataset>,
}

/// Validation rows that also occur in training.
pub struct Leak {
    pub leaked: usize,
    /// Rows that do not occur in training: of the validation set, or of all the data that it was split from.
    pub clean: Dataset,
}

/// Threads to use: as many as asked for, or one for each core.
pub fn threads(wanted: Option<usize>) -> Result<usize> {
    const MOST: usize = 1024;
    match wanted {
        Some(n) if n == 0 || n > MOST => {
            Err(UsageError(format!("--threads is {n}: expected 1 to {MOST}")).into())
        }
        Some(n) => Ok(n),
        None => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
    }
}

/// What `--arrays` says, or the usual names.
pub fn array_names(text: Option<&str>) -> Result<ArrayNames> {
    let names = text.map(ArrayNames::parse).transpose().map_err(|e| UsageError(e.to_string()))?;
    Ok(names.unwrap_or_default())
}

/// How a data set is to be read on which no recipe has a say.
pub fn read_options(read: &ReadArgs, rows: Option<&str>) -> Result<LoadOptions> {
    let rows = rows.map(RowRange::parse).transpose().map_err(|e| UsageError(e.to_string()))?;
    let csv = CsvOptions { target: read.target.clone(), double: false };
    let arrays = array_names(read.arrays.as_deref())?;
    Ok(LoadOptions { rows, csv, arrays, ..load_options(read.network, false) })
}

impl Experiment {
    /// Whether rows that a plan validates on also occur among its training rows.
    pub fn leak(&self, plan: &Plan) -> Option<Leak> {
        let seen = SeenRows::new(&self.data, &plan.split.train);
        let (source, held_out) = match &self.validation {
            Some(validation) => (validation, (0..validation.n_samples() as u32).collect()),
            None => (&self.data, plan.split.validation.clone()),
        };
        let n_validation = held_out.len();
        let leaked = n_validation - seen.unseen(source, held_out).len();
        let clean = || source.select(&seen.unseen(source, 0..source.n_samples() as u32));
        (leaked > 0).then(|| Leak { leaked, clean: clean() })
    }
}

/// All flags as changes of recipe keys: no flag does what a recipe cannot. `data` takes the place of the recipe's own.
pub fn overrides(args: &RecipeArgs, data: Option<&str>) -> Result<Vec<Override>> {
    let text = |value: &String| Value::from(value.as_str());
    let number = |value: u64| Value::Integer(i64::try_from(value).unwrap_or(i64::MAX));
    let hidden = args.hidden.as_deref().map(hidden_layers).transpose()?;
    let mut changes: Vec<Override> = Vec::new();
    if data.is_some() {
        // What belongs to the recipe's own data.
        changes.push(("data.test".into(), None));
        changes.push(("data.validation".into(), None));
        changes.push(("data.arrays".into(), None));
    }
    let flags = [
        ("data.train", data.map(Value::from)),
        ("data.test", args.test_data.as_ref().map(text)),
        ("data.validation", args.val_data.as_ref().map(text)),
        ("data.rows", args.rows.as_ref().map(text)),
        ("data.target", args.read.target.as_ref().map(text)),
        ("data.arrays", args.read.arrays.as_ref().map(text)),
        ("data.task", args.task.as_ref().map(text)),
        ("data.missing", args.missing.as_ref().map(text)),
        ("data.drop", (!args.drop.is_empty()).then(|| args.drop.clone().into())),
        ("data.sample_weight", args.sample_weight.as_ref().map(text)),
        ("network.hidden", hidden),
        ("network.activation", args.activation.as_ref().map(text)),
        ("training.optimizer", args.optimizer.as_ref().map(text)),
        ("training.lr", args.lr.as_deref().map(number_value)),
        ("training.batch_size", args.batch_size.as_deref().map(parse_value)),
        ("training.epochs", args.epochs.map(number)),
        ("training.iterations", args.iterations.map(number)),
        ("data.val_split", args.val_split.as_deref().map(parse_value)),
        ("training.patience", args.patience.map(number)),
        ("seed", args.seed.map(number)),
        ("precision", args.precision.as_ref().map(text)),
    ];
    changes.extend(flags.into_iter().filter_map(|(key, value)| value.map(|v| (key.to_string(), Some(v)))));
    if args.textbook {
        changes.push(("quirks".into(), None));
    }
    for change in &args.set {
        let (key, value) = change.split_once('=').ok_or_else(|| {
            UsageError(format!("--set {change}: expected KEY=VALUE, such as training.l2=0.0001"))
        })?;
        changes.push((key.trim().into(), Some(parse_value(value.trim()))));
    }
    Ok(changes)
}

/// A floating-point key takes whole numbers too: `--lr 1`.
fn number_value(text: &str) -> Value {
    match parse_value(text) {
        Value::Integer(i) => Value::Float(i as f64),
        other => other,
    }
}

fn hidden_layers(text: &str) -> Result<Value> {
    if text == "none" || text.is_empty() {
        return Ok(Value::Array(Vec::new()));
    }
    let unit = |part: &str| part.trim().parse::<i64>().ok().filter(|&n| n > 0).map(Value::Integer);
    let units: Option<Vec<Value>> = text.split(',').map(unit).collect();
    let message =
        || UsageError(format!("--hidden {text}: expected units of each layer, such as 128,64, or none"));
    Ok(units.ok_or_else(message)?.into())
}
