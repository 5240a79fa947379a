//! What a person writes: one TOML file per experiment.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::augment::Augment;
use crate::dialect::Dialect;
use crate::error::Error;
use crate::head::{Head, Output};
use crate::head_quirks::{Axis, DeltaRule, HeadQuirks, Shift};
use crate::loss::{Loss, LossKind};
use crate::recipe_training::TrainingRecipe;
use crate::recipe_values::{
    BiasGradient, ColumnKind, Missing, Precision, Scale, Task, ValSplit, text_or_number,
};
use crate::split::{SplitKind, SplitShuffle};
use crate::{Activation, Init};

/// An experiment. Every key has a default; unknown keys are errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Its name.
    pub name: String,
    /// Where all random numbers come from.
    pub seed: u64,
    /// Precision of all arithmetic.
    pub precision: Precision,
    /// Whose definitions are followed where libraries mean different things by the same word.
    #[serde(skip_serializing_if = "Dialect::is_default")]
    pub dialect: Dialect,
    /// What it learns from.
    pub data: DataRecipe,
    /// What learns.
    pub network: NetworkRecipe,
    /// How it learns.
    pub training: TrainingRecipe,
    /// How images to learn from are deformed.
    #[serde(skip_serializing_if = "Augment::is_off")]
    pub augment: Augment,
    /// Departures from the textbook.
    #[serde(skip_serializing_if = "Quirks::is_empty")]
    pub quirks: Quirks,
}

/// `[data]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataRecipe {
    /// Data set to learn from, by path or name.
    pub train: String,
    /// Data set to test on at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// Data set to validate on, instead of rows held out of `train`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<String>,
    /// Rows of `train` to use, such as `"..10000"`, or `100` for the first hundred.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "text_or_number")]
    pub rows: Option<String>,
    /// Column of a table to predict, by name or number; otherwise it is recognised.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "text_or_number")]
    pub target: Option<String>,
    /// Which arrays of an NPZ file are what, such as `"X=images,y=labels"`; otherwise by their usual names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrays: Option<String>,
    /// Rows held out for validation: a number of rows, or a part such as `0.1`. The first ones, after shuffling.
    pub val_split: ValSplit,
    /// Shuffle the rows before the split.
    pub shuffle: bool,
    /// Whether the held-out rows are to have each class in the same part. By default they are what chance makes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<SplitKind>,
    /// Inputs are divided by this. By default 255 for bytes, otherwise 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub divide_by: Option<f64>,
    /// Of a table: what is done to columns of numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
    /// Of a table: what is done about missing values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// Of a table: what its target is; otherwise it is recognised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// Of a table: the most inputs that a column of text becomes; its rarer categories share the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_categories: Option<usize>,
    /// Of a table: categories that fewer training rows have share an input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_frequency: Option<usize>,
    /// Of a table: columns that are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop: Option<Vec<String>>,
    /// Of a table: what columns are, by their names; otherwise it is recognised.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, ColumnKind>,
    /// Of a table: the column that says how much each row counts, which is no input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_weight: Option<String>,
    /// Standard deviation of the noise that training adds to the inputs, after the division.
    #[serde(skip_serializing_if = "is_zero")]
    pub noise: f64,
}

/// `[network]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkRecipe {
    /// Units of each hidden layer; `[]` for none.
    pub hidden: Vec<usize>,
    /// Activation of hidden layers.
    pub activation: Activation,
    /// Output activation and loss. By default softmax for classes, identity for numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Output>,
    /// Loss of an identity output. By default the squared error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<LossKind>,
    /// Where Huber's loss changes from squared to linear. By default at 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub huber_delta: Option<f64>,
    /// Whether layers have biases.
    pub bias: bool,
    /// Whether the sums of hidden layers are normalised over each batch.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub batch_norm: bool,
    /// The part of what hidden layers give on that each training step drops.
    #[serde(skip_serializing_if = "is_zero")]
    pub dropout: f64,
    /// Initial weights.
    pub weights: Init,
    /// Initial biases.
    pub biases: Init,
}

/// `[quirks]`: mistakes of the notebooks, each off by default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quirks {
    /// Multiplies the gradient at the logits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta_scale: Option<f64>,
    /// What softmax subtracts from the logits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub softmax_shift: Option<Shift>,
    /// What softmax sums over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub softmax_axis: Option<Axis>,
    /// How the gradient at the logits is computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta_rule: Option<DeltaRule>,
    /// How the gradient of biases is computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bias_gradient: Option<BiasGradient>,
    /// How rows are shuffled before the split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_shuffle: Option<SplitShuffle>,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            name: "custom".into(),
            seed: 0,
            precision: Precision::F32,
            dialect: Dialect::default(),
            data: DataRecipe::default(),
            network: NetworkRecipe::default(),
            training: TrainingRecipe::default(),
            augment: Augment::default(),
            quirks: Quirks::default(),
        }
    }
}

impl Default for DataRecipe {
    fn default() -> Self {
        Self {
            train: "digits/train".into(),
            test: None,
            validation: None,
            rows: None,
            target: None,
            arrays: None,
            val_split: ValSplit::Part(0.1),
            shuffle: true,
            split: None,
            divide_by: None,
            scale: None,
            missing: None,
            task: None,
            max_categories: None,
            min_frequency: None,
            drop: None,
            columns: BTreeMap::new(),
            sample_weight: None,
            noise: 0.0,
        }
    }
}

impl DataRecipe {
    /// The first key that only a table has whose columns are encoded one by one, if there is any.
    pub fn table_key(&self) -> Option<&'static str> {
        let keys = [
            ("scale", self.scale.is_some()),
            ("missing", self.missing.is_some()),
            ("task", self.task.is_some()),
            ("max_categories", self.max_categories.is_some()),
            ("min_frequency", self.min_frequency.is_some()),
            ("drop", self.drop.is_some()),
            ("columns", !self.columns.is_empty()),
            ("sample_weight", self.sample_weight.is_some()),
        ];
        keys.into_iter().find(|(_, is_set)| *is_set).map(|(key, _)| key)
    }
}

impl Default for NetworkRecipe {
    fn default() -> Self {
        Self {
            hidden: vec![128],
            activation: Activation::Relu,
            output: None,
            loss: None,
            huber_delta: None,
            bias: true,
            batch_norm: false,
            dropout: 0.0,
            weights: Init::HeNormal,
            biases: Init::Zeros,
        }
    }
}

/// Keys that came later are written only where they say something, so that older plans, and models with them, stay as they were.
fn is_zero(x: &f64) -> bool {
    *x == 0.0
}

/// A change to a recipe: the key's path, and its new value, or none to leave the key out.
pub type Override = (String, Option<toml::Value>);

impl Recipe {
    /// Reads a recipe and applies changes to it, in their order. Setting one of `training.epochs` and
    /// `training.iterations` leaves the other one out.
    ///
    /// # Errors
    /// [`Error::Recipe`] with line and column (or with the key, for a change).
    pub fn parse(text: &str, overrides: &[Override]) -> Result<Self, Error> {
        let recipe: Self = toml::from_str(text).map_err(|e| Error::Recipe(e.to_string()))?;
        if overrides.is_empty() {
            return Ok(recipe);
        }
        let mut table: toml::Table = toml::from_str(text).map_err(|e| Error::Recipe(e.to_string()))?;
        for (path, value) in overrides {
            set(&mut table, path, value.clone())?;
            // Each change by itself, so that the message names the one at fault.
            let checked: Result<Self, _> = table.clone().try_into();
            checked.map_err(|e| Error::Recipe(format!("in {path}: {}", e.message())))?;
        }
        table.try_into().map_err(|e: toml::de::Error| Error::Recipe(e.to_string()))
    }

    /// The output activation and the loss that it asks for, with `n_outputs` units.
    pub fn head(&self, output: Output, n_outputs: usize) -> Head {
        let smoothing = self.training.label_smoothing.unwrap_or(0.0);
        let loss = match self.network.loss.unwrap_or(LossKind::Squared) {
            LossKind::Squared => Loss::Squared,
            LossKind::Mae => Loss::Absolute,
            LossKind::Huber => Loss::Huber { delta: self.network.huber_delta.unwrap_or(1.0) },
            LossKind::Poisson => Loss::Poisson,
        };
        Head::new(output, n_outputs, self.quirks.head())
            .with_label_smoothing(smoothing)
            .with_loss(loss)
            .with_dialect(self.dialect)
    }

    /// The recipe as TOML that [`Recipe::parse`] reads.
    pub fn to_toml(&self) -> String {
        // A recipe has only tables, strings, numbers and lists.
        toml::to_string(self).unwrap_or_else(|e| unreachable!("a recipe is always TOML: {e}"))
    }
}

/// Reads the `VALUE` of `--set KEY=VALUE`: TOML, or else a string.
pub fn parse_value(text: &str) -> toml::Value {
    let parsed: Result<toml::Table, _> = toml::from_str(&format!("value = {text}"));
    parsed.ok().and_then(|mut table| table.remove("value")).unwrap_or_else(|| text.into())
}

fn set(table: &mut toml::Table, path: &str, value: Option<toml::Value>) -> Result<(), Error> {
    let (parents, key) = path.rsplit_once('.').map_or((None, path), |(p, k)| (Some(p), k));
    let mut place = table;
    for parent in parents.into_iter().flat_map(|p| p.split('.')) {
        let entry = place.entry(parent).or_insert_with(|| toml::Table::new().into());
        place = entry
            .as_table_mut()
            .ok_or_else(|| Error::Recipe(format!("in {path}: {parent} is a value, not a table of values")))?;
    }
    match (path, &value) {
        ("training.epochs", Some(_)) => drop(place.remove("iterations")),
        ("training.iterations", Some(_)) => drop(place.remove("epochs")),
        _ => {}
    }
    match value {
        Some(value) => drop(place.insert(key.into(), value)),
        None => drop(place.remove(key)),
    }
    Ok(())
}

impl Quirks {
    /// Whether nothing departs from the textbook.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Those that the head reads.
    pub fn head(&self) -> HeadQuirks {
        HeadQuirks {
            delta_scale: self.delta_scale.unwrap_or(1.0),
            shift: self.softmax_shift.unwrap_or_default(),
            axis: self.softmax_axis.unwrap_or_default(),
            rule: self.delta_rule.unwrap_or_default(),
        }
    }

    /// Each quirk that is set, by its key and alone.
    pub fn each(&self) -> Vec<(&'static str, Self)> {
        let none = Self::default;
        [
            ("delta_scale", Self { delta_scale: self.delta_scale, ..none() }),
            ("softmax_shift", Self { softmax_shift: self.softmax_shift, ..none() }),
            ("softmax_axis", Self { softmax_axis: self.softmax_axis, ..none() }),
            ("delta_rule", Self { delta_rule: self.delta_rule, ..none() }),
            ("bias_gradient", Self { bias_gradient: self.bias_gradient, ..none() }),
            ("split_shuffle", Self { split_shuffle: self.split_shuffle, ..none() }),
        ]
        .into_iter()
        .filter(|(_, quirks)| !quirks.is_empty())
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BatchSize;

    #[test]
    fn a_recipe_survives_writing_and_reading() {
        let text = "[training]\nbatch_size = \"full\"\niterations = 5\n[quirks]\ndelta_scale = 2.0\n[network]\n\
                    weights = { uniform = 0.5 }\n[data]\nval_split = 1000\n[augment]\nrotation = 15";
        let recipe = Recipe::parse(text, &[]).unwrap();
        assert_eq!(recipe.training.batch_size, BatchSize::Full);
        assert_eq!(Recipe::parse(&recipe.to_toml(), &[]).unwrap(), recipe);
        assert_eq!(Recipe::parse(&Recipe::default().to_toml(), &[]).unwrap(), Recipe::default());
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_place() {
        let message =
            Recipe::parse("seed = 1\n[training]\nlearning_rate = 1.0", &[]).unwrap_err().to_string();
        assert!(message.contains("line 3, column 1") && message.contains("learning_rate"), "{message}");
        let change = ("training.batch_size".to_string(), Some(parse_value("0")));
        let message = Recipe::parse("", &[change]).unwrap_err().to_string();
        assert!(message.contains("training.batch_size") && message.contains("from 1 on"), "{message}");
    }

    #[test]
    fn rows_and_target_may_be_whole_numbers() {
        let recipe = Recipe::parse("[data]\nrows = 100\ntarget = 3", &[]).unwrap();
        assert_eq!((recipe.data.rows.as_deref(), recipe.data.target.as_deref()), (Some("100"), Some("3")));
        assert_eq!(Recipe::parse(&recipe.to_toml(), &[]).unwrap(), recipe);
        let change = |value| [("data.rows".to_string(), Some(parse_value(value)))];
        assert_eq!(Recipe::parse("", &change("..7")).unwrap().data.rows.as_deref(), Some("..7"));
        assert_eq!(Recipe::parse("", &change("7")).unwrap().data.rows.as_deref(), Some("7"));
        for wrong in ["-1", "1.5", "true"] {
            let message = Recipe::parse("", &change(wrong)).unwrap_err().to_string();
            assert!(message.contains("in data.rows") && message.contains("whole number"), "{message}");
        }
    }

    #[test]
    fn epochs_and_iterations_replace_each_other() {
        let change = |key: &str, value| (format!("training.{key}"), Some(toml::Value::Integer(value)));
        let recipe = Recipe::parse("[training]\nepochs = 3", &[change("iterations", 7)]).unwrap();
        assert_eq!((recipe.training.epochs, recipe.training.iterations), (None, Some(7)));
    }
}
