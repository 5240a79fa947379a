//! The command line as meant: a recipe with all changes, and its data loaded.

use std::path::Path;

use anyhow::{Context, Result};
use steepest::{Dataset, Override, Plan, Precision, Recipe, SeenRows, ValSplit, parse_value};
use steepest_io::builtin::recipe as builtin;
use steepest_io::{ArrayNames, CsvOptions, DataSpec, LoadOptions, Loaded, Part, RowRange, load, load_part};
use toml::Value;

use crate::UsageError;
use crate::args::{ReadArgs, RecipeArgs};
use crate::data_fetch::load_options;

/// A recipe and its data.
pub struct Experiment {
    pub recipe: Recipe,
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

/// Part of a data set to hold out where the recipe's own number of rows is more than half of it.
const OTHER_VAL_SPLIT: f64 = 0.1;

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
    /// Reads the recipe, applies the command line to it, and loads the data; `quiet`: without a word about downloads.
    pub fn new(args: &RecipeArgs, quiet: bool) -> Result<Self> {
        let text = recipe_text(&args.recipe)?;
        let changes = overrides(args)?;
        let mut recipe = Recipe::parse(&text, &changes).with_context(|| format!("recipe {}", args.recipe))?;
        let double = recipe.precision == Precision::F64;
        let csv = CsvOptions { target: recipe.data.target.clone(), double };
        let arrays = array_names(recipe.data.arrays.as_deref())?;
        let rows = recipe.data.rows.as_deref().map(RowRange::parse).transpose()?;
        // The recipe's own range says how much of its own data to use; of other data it takes what there is.
        let is_limit = args.data.is_some() && args.rows.is_none();
        let network = load_options(args.read.network, quiet);
        let options = LoadOptions { rows: rows.filter(|_| !is_limit), csv, arrays, ..network };
        let others = LoadOptions { rows: None, ..options.clone() };

        let loaded = match &args.data {
            Some(data) => load(&DataSpec::parse(data)?, &options)?,
            None => Loaded::One(load_part(&DataSpec::parse(&recipe.data.train)?, Part::Train, &options)?),
        };
        let (mut data, mut test) = match loaded {
            Loaded::One(data) => (data, None),
            Loaded::Parts { train, test } => {
                let name = recipe.data.train.trim_end_matches('/').to_string();
                recipe.data.train = format!("{name}/train");
                if args.test_data.is_none() {
                    recipe.data.test = Some(format!("{name}/test"));
                }
                (train, Some(test))
            }
        };
        if let (true, Some(rows)) = (is_limit, rows) {
            let range = rows.clamp(data.n_samples());
            recipe.data.rows = Some(format!("{}..{}", range.start, range.end));
            data = data.rows(range)?;
        }
        // Nor does the number of rows that it holds out suit a much smaller data set.
        let is_own_split = args.data.is_some() && changes.iter().all(|(key, _)| key != "data.val_split");
        if let (true, ValSplit::Rows(n)) = (is_own_split, recipe.data.val_split)
            && n > data.n_samples() / 2
        {
            recipe.data.val_split = ValSplit::Part(OTHER_VAL_SPLIT);
        }
        if let Some(spec) = recipe.data.test.as_deref().filter(|_| test.is_none() || args.test_data.is_some())
        {
            test = Some(load_part(&DataSpec::parse(spec)?, Part::Test, &others)?);
        }
        let load_validation =
            |spec: &str| anyhow::Ok(load_part(&DataSpec::parse(spec)?, Part::Train, &others)?);
        let validation = recipe.data.validation.as_deref().map(load_validation).transpose()?;
        Ok(Self { recipe, data, validation, test })
    }

    /// The plan for this recipe, or for one with other quirks or another seed.
    pub fn plan(&self, recipe: &Recipe) -> Result<Plan> {
        let plan = Plan::new(recipe.clone(), &self.data)?;
        if let Some(test) = &self.test {
            plan.check_fits(test, "the test set")?;
        }
        Ok(plan)
    }

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

/// The text of a built-in recipe or of a `.toml` file.
fn recipe_text(name: &str) -> Result<String> {
    match builtin(name) {
        Some(text) => Ok(text.into()),
        None if Path::new(name).extension().is_some_and(|e| e == "toml") => {
            std::fs::read_to_string(name).with_context(|| format!("cannot read recipe {name}"))
        }
        None => Err(crate::recipes::unknown(name).into()),
    }
}

/// All flags as changes of recipe keys: no flag does what a recipe cannot.
fn overrides(args: &RecipeArgs) -> Result<Vec<Override>> {
    let text = |value: &String| Value::from(value.as_str());
    let number = |value: u64| Value::Integer(i64::try_from(value).unwrap_or(i64::MAX));
    let hidden = args.hidden.as_deref().map(hidden_layers).transpose()?;
    let mut changes: Vec<Override> = Vec::new();
    if args.data.is_some() {
        // What belongs to the recipe's own data.
        changes.push(("data.test".into(), None));
        changes.push(("data.validation".into(), None));
        changes.push(("data.arrays".into(), None));
    }
    let flags = [
        ("data.train", args.data.as_ref().map(text)),
        ("data.test", args.test_data.as_ref().map(text)),
        ("data.validation", args.val_data.as_ref().map(text)),
        ("data.rows", args.rows.as_ref().map(text)),
        ("data.target", args.read.target.as_ref().map(text)),
        ("data.arrays", args.read.arrays.as_ref().map(text)),
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
