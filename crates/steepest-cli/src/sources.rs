//! The command line as meant: a recipe with all changes, and its data as read.

use std::path::Path;

use anyhow::{Context, Result, bail};
use steepest::{Dataset, Override, Plan, Precision, Recipe, Table, ValSplit};
use steepest_io::{
    CsvOptions, DataError, DataSpec, KnownColumns, KnownTarget, LoadOptions, Loaded, Part, RowRange,
    TableOptions, builtin, is_table, load, load_part, load_table,
};

use crate::UsageError;
use crate::args::RecipeArgs;
use crate::data_fetch::load_options;
use crate::experiment::{Experiment, array_names, overrides};

/// Part of a data set to hold out where the recipe's own number of rows is more than half of it.
const OTHER_VAL_SPLIT: f64 = 0.1;

/// A recipe, and its data before a plan is made of them.
pub struct Sources {
    pub recipe: Recipe,
    data: Source,
    validation: Option<Source>,
    test: Option<Source>,
}

/// Rows of one kind, or columns of many.
enum Source {
    Rows(Dataset),
    /// To be encoded as a plan says.
    Columns(Table),
}

/// What the command line names first.
struct Named {
    /// The recipe.
    text: String,
    /// Data to take in place of the recipe's own, by `--data` or itself named first.
    data: Option<String>,
    /// A name for runs on data that were named first.
    name: Option<Override>,
}

impl Sources {
    /// Reads the recipe, applies the command line to it, and reads the data; `quiet`: without a word about downloads.
    pub fn new(args: &RecipeArgs, quiet: bool) -> Result<Self> {
        let network = load_options(args.read.network, quiet);
        let Named { text, data: given, name } = Named::of(args, &network)?;
        let changes: Vec<Override> = name.into_iter().chain(overrides(args, given.as_deref())?).collect();
        let mut recipe = Recipe::parse(&text, &changes).with_context(|| format!("recipe {}", args.recipe))?;
        let double = recipe.precision == Precision::F64;
        let csv = CsvOptions { target: recipe.data.target.clone(), double };
        let arrays = array_names(recipe.data.arrays.as_deref())?;
        let rows = recipe.data.rows.as_deref().map(RowRange::parse).transpose()?;
        // The recipe's own range says how much of its own data to use; of other data it takes what there is.
        let is_limit = given.is_some() && args.rows.is_none();
        let options = LoadOptions { rows: rows.filter(|_| !is_limit), csv, arrays, ..network };
        let others = LoadOptions { rows: None, ..options.clone() };

        let (mut data, mut test) = match &given {
            Some(data) => read(data, None, &recipe, &options)?,
            None => read(&recipe.data.train, Some(Part::Train), &recipe, &options)?,
        };
        if test.is_some() {
            let name = recipe.data.train.trim_end_matches('/').to_string();
            recipe.data.train = format!("{name}/train");
            if args.test_data.is_none() {
                recipe.data.test = Some(format!("{name}/test"));
            }
        }
        if let (true, Some(rows)) = (is_limit, rows) {
            let range = rows.clamp(data.n_rows());
            recipe.data.rows = Some(format!("{}..{}", range.start, range.end));
            data = match data {
                Source::Rows(data) => Source::Rows(data.rows(range)?),
                Source::Columns(table) => Source::Columns(table.rows(range)?),
            };
        }
        // Nor does the number of rows that it holds out suit a much smaller data set.
        let is_own_split = given.is_some() && changes.iter().all(|(key, _)| key != "data.val_split");
        if let (true, ValSplit::Rows(n)) = (is_own_split, recipe.data.val_split)
            && n > data.n_rows() / 2
        {
            recipe.data.val_split = ValSplit::Part(OTHER_VAL_SPLIT);
        }
        if let Some(spec) = recipe.data.test.as_deref().filter(|_| test.is_none() || args.test_data.is_some())
        {
            test = Some(data.read_like(spec, Part::Test, &others)?);
        }
        let validation = recipe.data.validation.as_deref();
        let validation = validation.map(|spec| data.read_like(spec, Part::Train, &others)).transpose()?;
        Ok(Self { recipe, data, validation, test })
    }

    /// The plan for this recipe, or for one with other quirks or another seed, and the data as it asks for them.
    pub fn experiment(&self, recipe: &Recipe) -> Result<(Experiment, Plan)> {
        let (plan, data) = match &self.data {
            Source::Rows(data) => (Plan::new(recipe.clone(), data)?, data.clone()),
            Source::Columns(table) => Plan::of_table(recipe.clone(), table)?,
        };
        let encoded = |source: &Source| match source {
            Source::Rows(data) => anyhow::Ok(data.clone()),
            Source::Columns(table) => Ok(plan.encode(table)?),
        };
        let validation = self.validation.as_ref().map(encoded).transpose()?;
        let test = self.test.as_ref().map(encoded).transpose()?;
        if let Some(test) = &test {
            plan.check_fits(test, "the test set")?;
        }
        Ok((Experiment { data, validation, test }, plan))
    }
}

impl Named {
    /// A recipe that is given stands for itself, a built-in one's name or a `.toml` file for a recipe; anything else is data, with
    /// the recipe that suits it.
    fn of(args: &RecipeArgs, options: &LoadOptions) -> Result<Self> {
        let (name, data) = (args.recipe.as_str(), args.data.clone());
        if let Some(text) = args.text.clone() {
            return Ok(Self { text, data, name: None });
        }
        if let Some(text) = builtin::recipe(name) {
            return Ok(Self { text: text.into(), data, name: None });
        }
        if Path::new(name).extension().is_some_and(|e| e == "toml") {
            let text = std::fs::read_to_string(name).with_context(|| format!("cannot read recipe {name}"))?;
            return Ok(Self { text, data, name: None });
        }
        let csv = CsvOptions { target: args.read.target.clone(), ..CsvOptions::default() };
        let options = LoadOptions { csv, ..options.clone() };
        let is_table =
            match is_table(&DataSpec::parse(name).map_err(|e| UsageError(e.to_string()))?, &options) {
                // A data set that could be downloaded is told how.
                Err(DataError::NotFound { .. })
                    if !options.known.iter().any(|known| name.starts_with(&known.name)) =>
                {
                    return Err(crate::recipes::unknown(name).into());
                }
                is_table => is_table?,
            };
        if data.is_some() {
            let message =
                format!("{name} is data and no recipe, and --data names data as well: give one of them");
            return Err(UsageError(message).into());
        }
        let recipe = if is_table { "table" } else { "images" };
        let text = builtin::recipe(recipe).unwrap_or_default().into();
        Ok(Self { text, data: Some(name.into()), name: Some(("name".into(), Some(run_name(name).into()))) })
    }
}

/// What runs on data of this name are called: the file's name without what follows its first point, as a folder may be named.
fn run_name(data: &str) -> String {
    let is_part = |part: &&str| !part.is_empty() && !matches!(*part, "train" | "test" | "." | "..");
    let last = data.split(['/', '\\']).rfind(is_part).unwrap_or("data");
    let stem = last.split('.').find(|part| !part.is_empty()).unwrap_or("data");
    stem.chars().map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' }).collect()
}

impl Source {
    fn n_rows(&self) -> usize {
        match self {
            Self::Rows(data) => data.n_samples(),
            Self::Columns(table) => table.n_rows(),
        }
    }

    /// Reads another data set with the same columns.
    fn read_like(&self, spec: &str, part: Part, options: &LoadOptions) -> Result<Self> {
        let name = DataSpec::parse(spec)?;
        let Self::Columns(table) = self else { return Ok(Self::Rows(load_part(&name, part, options)?)) };
        let columns =
            TableOptions::Known { columns: KnownColumns::of_table(table), target: KnownTarget::SameName };
        let Some(other) = load_table(&name, options, &columns)? else {
            bail!("{spec} is no table (CSV or Parquet file), but {} is one", table.source())
        };
        if other.target().is_none() {
            let target = table.target().map_or("", |target| &table.columns()[target].name);
            bail!("{spec} has no column `{}` to compare predictions with", steepest_io::plain(target));
        }
        Ok(Self::Columns(other))
    }
}

/// Reads a data set and, where it has parts and none is asked for, its test part: as columns if the recipe asks for that, or
/// if they hold more than numbers.
fn read(
    spec: &str,
    part: Option<Part>,
    recipe: &Recipe,
    options: &LoadOptions,
) -> Result<(Source, Option<Source>)> {
    let name = DataSpec::parse(spec)?;
    let data = &recipe.data;
    let columns = TableOptions::New {
        target: data.target.clone(),
        drop: data.drop.clone().unwrap_or_default(),
        kinds: data.columns.clone(),
    };
    if data.table_key().is_some()
        && let Some(table) = load_table(&name, options, &columns)?
    {
        return Ok((Source::Columns(table), None));
    }
    let loaded = match part {
        Some(part) => load_part(&name, part, options).map(Loaded::One),
        None => load(&name, options),
    };
    match loaded {
        Ok(Loaded::One(data)) => Ok((Source::Rows(data), None)),
        Ok(Loaded::Parts { train, test }) => Ok((Source::Rows(train), Some(Source::Rows(test)))),
        Err(error) if error.asks_for_columns() => match load_table(&name, options, &columns)? {
            Some(table) => Ok((Source::Columns(table), None)),
            None => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}
