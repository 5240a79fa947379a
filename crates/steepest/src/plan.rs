//! A recipe checked against its data, with every default filled in: all that a run executes.

use std::fmt::Display;

use steepest_kernels::{Float, all_finite};

use crate::augment::Augmenter;
use crate::batches::Batches;
use crate::columns::Columns;
use crate::dataset::{Dataset, Inputs, Targets};
use crate::error::Error;
use crate::head::Output;
use crate::head_quirks::{Axis, DeltaRule, Shift};
use crate::init::Init;
use crate::loss::{Loss, LossKind};
use crate::network::NetworkSpec;
use crate::plan_training::{batches, training};
use crate::recipe::{NetworkRecipe, Recipe};
use crate::recipe_values::{BatchSize, BiasGradient, ValSplit};
use crate::split::{Split, SplitKind, SplitShuffle, split, stratified};
use crate::training::Training;

/// A run, checked and complete.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The recipe with every default filled in: written down, it repeats the run.
    pub recipe: Recipe,
    /// Network.
    pub network: NetworkSpec,
    /// What each step does.
    pub training: Training,
    /// Rows to learn from and rows held out.
    pub split: Split,
    /// Names of the classes; empty for regression.
    pub classes: Vec<String>,
    /// How much rows of each class count in training; empty if all count the same.
    pub class_weights: Vec<f64>,
    /// Height and width, when rows are images.
    pub image: Option<(usize, usize)>,
    /// How rows of a table become inputs.
    pub columns: Option<Columns>,
    /// What was decided that a person should hear of.
    pub notes: Vec<String>,
}

/// Some 16 GiB in single precision: more is a slip of the keyboard.
const MOST_PARAMETERS: usize = 1 << 32;
/// Pixels a side up to which places in an image are exact enough in single precision.
const LARGEST_IMAGE: usize = 1 << 14;
/// How far the targets of a row for softmax may be from a sum of 1.
const SOFTMAX_SUM: f64 = 1e-6;

impl Plan {
    /// Checks `recipe` against the rows that it will split into training and validation.
    ///
    /// # Errors
    /// [`Error::Plan`], saying what does not fit and what to do.
    pub fn new(recipe: Recipe, data: &Dataset) -> Result<Self, Error> {
        let table_key = recipe.data.table_key();
        check(table_key.is_none(), || {
            format!(
                "data.{} is for tables (CSV files), whose columns are encoded one by one: leave it out",
                table_key.unwrap_or_default()
            )
        })?;
        Self::checked(recipe, data)
    }

    /// As [`Plan::new`], for data of any origin.
    pub(crate) fn checked(mut recipe: Recipe, data: &Dataset) -> Result<Self, Error> {
        let classes = match data.targets() {
            Some(Targets::Classes { labels, names }) => Some((&labels[..], names.len())),
            _ => None,
        };
        let split = split_rows(&mut recipe, data.n_samples(), classes)?;
        let divide_by = recipe.data.divide_by.unwrap_or(match data.inputs() {
            Inputs::Bytes(_) | Inputs::Drawn { .. } => 255.0,
            Inputs::F32(_) | Inputs::F64(_) | Inputs::Sparse(_) => 1.0,
        });
        check(divide_by.is_finite() && divide_by != 0.0, || {
            format!("data.divide_by is {divide_by}: expected a number other than 0")
        })?;
        recipe.data.divide_by = Some(divide_by);
        check_inputs(data)?;

        let (output, n_outputs, classes) = outputs(recipe.network.output, data)?;
        recipe.network.output = Some(output);
        check_loss(&mut recipe, output, data)?;
        check_start(&recipe)?;
        check_quirks(&recipe, output)?;
        check_noise(&recipe, data)?;
        check_batch_norm(&recipe, split.train.len())?;
        check_label_smoothing(&recipe, output, &classes)?;
        check(
            recipe.training.patience.is_none()
                || !split.validation.is_empty()
                || recipe.data.validation.is_some(),
            || {
                "training.patience waits for the validation loss, but no rows are held out: \
             set data.val_split (--val-split 0.1) or data.validation (--val-data), or leave patience out"
                    .into()
            },
        )?;
        let hidden = &recipe.network.hidden;
        let mut sizes = vec![data.n_features()];
        sizes.extend(hidden);
        sizes.push(n_outputs);
        check(hidden.iter().all(|&n| n > 0), || {
            format!(
                "network.hidden is {hidden:?}: every layer needs at least one unit ([] means no hidden layer)"
            )
        })?;
        let n_parameters = sizes.windows(2).try_fold(0usize, |sum, pair| {
            pair[0].checked_mul(pair[1])?.checked_add(pair[1])?.checked_add(sum)
        });
        check(n_parameters.is_some_and(|n| n <= MOST_PARAMETERS), || {
            format!(
                "network.hidden is {hidden:?}: with {} inputs that is too large to train",
                data.n_features()
            )
        })?;
        let activation = recipe.network.activation;
        let NetworkRecipe { bias, batch_norm, .. } = recipe.network;
        let network = NetworkSpec { sizes, activation, bias, batch_norm };

        let head = recipe.head(output, n_outputs);
        let augmenter = augmenter(&recipe, data)?;
        let training = training(&mut recipe, head, split.train.len(), augmenter)?;
        let class_weights = match &recipe.training.class_weight {
            None => Vec::new(),
            Some(class_weight) => class_weight.of_classes(data, &split.train)?,
        };
        let (image, columns, notes) = (data.image(), None, Vec::new());
        Ok(Self { recipe, network, training, split, classes, class_weights, image, columns, notes })
    }

    /// The rows to learn from, each with the weight of its class, if classes have weights, times its own, if it has one.
    ///
    /// # Errors
    /// [`Error::Plan`] when no row counts.
    pub fn weighted(&self, train: Dataset) -> Result<Dataset, Error> {
        let Some(Targets::Classes { labels, .. }) =
            train.targets().filter(|_| !self.class_weights.is_empty())
        else {
            return Ok(train);
        };
        let own = |row: usize| train.weights().map_or(1.0, |weights| weights[row]);
        let of_row = |(row, &label): (usize, &u32)| own(row) * self.class_weights[label as usize];
        let weights = labels.iter().enumerate().map(of_row).collect();
        train.with_weights(weights).map_err(|e| {
            Error::Plan(format!("training.class_weight gives no row to learn from a weight that counts: {e}"))
        })
    }

    /// Checks that a data set has this plan's inputs, and targets of the same kind.
    ///
    /// # Errors
    /// [`Error::Plan`], where `what` names the data set.
    pub fn check_fits(&self, data: &Dataset, what: &str) -> Result<(), Error> {
        let n_features = self.network.sizes[0];
        check(data.n_features() == n_features, || {
            format!("{what} has {} inputs a row, the training data {n_features}", data.n_features())
        })?;
        check_inputs(data).map_err(|e| Error::Plan(format!("{what}: {e}")))?;
        let fits = match data.targets() {
            None => false,
            Some(Targets::Classes { names, .. }) => {
                !self.classes.is_empty()
                    && (names.len() <= self.classes.len() && *names == self.classes[..names.len()])
            }
            Some(Targets::Values { n_outputs, .. }) => *n_outputs == self.training.head.n_outputs(),
        };
        check(fits, || {
            format!("{what} has other targets than the training data: expected the same classes or columns")
        })?;
        match data.targets() {
            Some(Targets::Values { values, n_outputs }) => {
                check_values(self.training.head.output(), values, *n_outputs)
                    .and_then(|()| check_counts(self.training.head.loss(), values))
                    .map_err(|e| Error::Plan(format!("{what}: {e}")))
            }
            _ => Ok(()),
        }
    }

    /// Fresh batches of this plan.
    pub fn batches(&self) -> Batches {
        batches(&self.recipe, self.split.train.len())
    }
}

pub(crate) fn check(holds: bool, message: impl FnOnce() -> String) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::Plan(message())) }
}

/// Rows to learn from and rows to hold out, whose number is filled in; `classes` are the label of each row and how many
/// classes there are.
pub(crate) fn split_rows(
    recipe: &mut Recipe,
    n_rows: usize,
    classes: Option<(&[u32], usize)>,
) -> Result<Split, Error> {
    let n_validation = match recipe.data.val_split {
        _ if recipe.data.validation.is_some() => 0,
        ValSplit::Rows(n) => n,
        ValSplit::Part(part) => (part * n_rows as f64).round() as usize,
    };
    check(n_validation < n_rows, || {
        format!("data.val_split holds out {n_validation} of {n_rows} rows: none are left to learn from")
    })?;
    if recipe.data.validation.is_none() {
        recipe.data.val_split = ValSplit::Rows(n_validation);
    }
    let shuffle = recipe.data.shuffle.then_some(recipe.quirks.split_shuffle.unwrap_or_default());
    let rows = split(n_rows, n_validation, shuffle, recipe.seed);
    match (recipe.data.split.unwrap_or_default(), classes) {
        (SplitKind::Stratified, Some((labels, n_classes))) => {
            check(shuffle != Some(SplitShuffle::Overwrite), || {
                "data.split = \"stratified\" holds out rows of each class, which quirks.split_shuffle = \"overwrite\" \
                 would lose: leave one of them out"
                    .into()
            })?;
            Ok(stratified(rows, labels, n_classes))
        }
        _ => Ok(rows),
    }
}

/// Output activation, units and class names that the targets ask for.
fn outputs(wanted: Option<Output>, data: &Dataset) -> Result<(Output, usize, Vec<String>), Error> {
    match data.targets() {
        None => Err(Error::Plan(
            "the data set has no targets to learn from: expected labels beside the inputs \
             (a column named label, or any column with --target; y_train in an NPZ; or a labels file)"
                .into(),
        )),
        Some(Targets::Classes { names, .. }) => {
            check(names.len() > 1, || {
                let only = names.first().map_or("", String::as_str);
                format!(
                    "all rows of the data set have the same class (`{only}`), so there is nothing to tell apart: \
                     expected two classes or more"
                )
            })?;
            match wanted.unwrap_or(Output::Softmax) {
                Output::Identity => Err(Error::Plan(
                    "network.output = \"identity\" is for numbers, but the targets are classes: \
                     use \"softmax\", or targets with decimals"
                        .into(),
                )),
                Output::Sigmoid if names.len() == 2 => Ok((Output::Sigmoid, 1, names.clone())),
                output => Ok((output, names.len(), names.clone())),
            }
        }
        Some(Targets::Values { values, n_outputs }) => {
            let output = wanted.unwrap_or(Output::Identity);
            check_values(output, values, *n_outputs)?;
            Ok((output, *n_outputs, Vec::new()))
        }
    }
}

/// Checks that inputs are numbers to compute with. Those of files are; a program may give any.
fn check_inputs(data: &Dataset) -> Result<(), Error> {
    match data.inputs() {
        Inputs::F32(x) => check_finite(x, data.n_features(), "the input"),
        Inputs::F64(x) => check_finite(x, data.n_features(), "the input"),
        Inputs::Sparse(rows) => match rows.not_finite() {
            None => Ok(()),
            Some((row, column, x)) => not_finite((row, column), "the input", x),
        },
        Inputs::Bytes(_) | Inputs::Drawn { .. } => Ok(()),
    }
}

/// Checks that rows of so many numbers are finite.
fn check_finite<T: Float>(numbers: &[T], width: usize, what: &str) -> Result<(), Error> {
    if all_finite(numbers) {
        return Ok(());
    }
    let Some((i, x)) = numbers.iter().enumerate().find(|(_, x)| !x.is_finite()) else { return Ok(()) };
    not_finite((i / width.max(1), i % width.max(1)), what, x)
}

fn not_finite((row, column): (usize, usize), what: &str, x: impl Display) -> Result<(), Error> {
    Err(Error::Plan(format!("row {row}, column {column}: {what} is {x}: replace it, or leave the row out")))
}

/// Checks that numbers can be the targets of an output layer.
fn check_values(output: Output, values: &[f64], n_outputs: usize) -> Result<(), Error> {
    check_finite(values, n_outputs, "the target")?;
    let in_range = output == Output::Identity || values.iter().all(|y| (0.0..=1.0).contains(y));
    check(in_range, || {
        "targets for sigmoid or softmax are 0 to 1: use network.output = \"identity\" for other numbers"
            .into()
    })?;
    if output != Output::Softmax {
        return Ok(());
    }
    let sums = values.chunks_exact(n_outputs.max(1)).map(|row| row.iter().sum::<f64>());
    match sums.enumerate().find(|(_, sum)| (sum - 1.0).abs() > SOFTMAX_SUM) {
        None => Ok(()),
        Some((row, sum)) => Err(Error::Plan(format!(
            "row {row}: the targets sum to {sum}, but softmax needs parts of classes that sum to 1: \
             use network.output = \"sigmoid\" for several labels at once, \"identity\" for other numbers"
        ))),
    }
}

/// Checks the numbers that parameters start from.
fn check_start(recipe: &Recipe) -> Result<(), Error> {
    let network = &recipe.network;
    for (key, init) in [("weights", network.weights), ("biases", network.biases)] {
        if let Init::Constant(x) | Init::Uniform(x) | Init::Normal(x) = init {
            check(x.is_finite(), || format!("network.{key} is made with {x}: expected a finite number"))?;
        }
    }
    Ok(())
}

/// Checks that a loss is one for numbers, and fills in which.
fn check_loss(recipe: &mut Recipe, output: Output, data: &Dataset) -> Result<(), Error> {
    let network = &mut recipe.network;
    check(network.loss.is_none() || output == Output::Identity, || {
        format!(
            "network.loss is for numbers with output \"identity\", but network.output is \"{}\", which has a loss of its \
             own: leave network.loss out; or, if the targets are whole numbers that were taken for classes, write them \
             with decimals, such as 3.0",
            output.name()
        )
    })?;
    if output != Output::Identity {
        return Ok(());
    }
    let loss = *network.loss.get_or_insert(LossKind::Squared);
    if loss == LossKind::Huber {
        let delta = *network.huber_delta.get_or_insert(1.0);
        check(delta > 0.0 && delta.is_finite(), || {
            format!("network.huber_delta is {delta}: expected a number above 0")
        })?;
    }
    match data.targets() {
        Some(Targets::Values { values, .. }) => check_counts(recipe.head(output, 1).loss(), values),
        _ => Ok(()),
    }
}

/// Checks that numbers can be the targets of a loss: counts are not negative.
fn check_counts(loss: Loss, values: &[f64]) -> Result<(), Error> {
    match values.iter().find(|&&y| loss == Loss::Poisson && y < 0.0) {
        None => Ok(()),
        Some(y) => Err(Error::Plan(format!(
            "there is a target {y}, but network.loss = \"poisson\" is for counts, from 0 on: use another loss"
        ))),
    }
}

/// Checks that label smoothing is a part, and that there are one-hot targets to smooth.
fn check_label_smoothing(recipe: &Recipe, output: Output, classes: &[String]) -> Result<(), Error> {
    let Some(smoothing) = recipe.training.label_smoothing else { return Ok(()) };
    check((0.0..1.0).contains(&smoothing), || {
        format!(
            "training.label_smoothing is {smoothing}: expected a number from 0 on and below 1, such as 0.1"
        )
    })?;
    check(smoothing == 0.0 || output == Output::Softmax && !classes.is_empty(), || {
        let output = output.name();
        let targets = if classes.is_empty() { "the targets are numbers" } else { "the targets are classes" };
        format!(
            "training.label_smoothing is for softmax on classes, but network.output is \"{output}\" and {targets}: \
             leave it out, or use output \"softmax\" with classes"
        )
    })?;
    let quirks = recipe.quirks.head();
    let is_textbook = quirks.axis == Axis::default() && quirks.rule == DeltaRule::default();
    check(smoothing == 0.0 || is_textbook, || {
        "training.label_smoothing changes the targets of cross-entropy, which quirks.softmax_axis and quirks.delta_rule \
         replace: leave it out, or all quirks with --textbook"
            .into()
    })
}

/// Refuses quirks that have no meaning, or that would change nothing.
fn check_quirks(recipe: &Recipe, output: Output) -> Result<(), Error> {
    let quirks = &recipe.quirks;
    let scale = quirks.delta_scale.unwrap_or(1.0);
    check(scale.is_finite() && scale != 0.0, || {
        format!("quirks.delta_scale is {scale}: expected a number other than 0")
    })?;
    let of_softmax = [
        ("softmax_shift", quirks.softmax_shift.is_some_and(|shift| shift != Shift::default())),
        ("softmax_axis", quirks.softmax_axis.is_some_and(|axis| axis != Axis::default())),
        ("delta_rule", quirks.delta_rule.is_some_and(|rule| rule != DeltaRule::default())),
    ];
    for (key, is_set) in of_softmax {
        check(output == Output::Softmax || !is_set, || {
            let output = output.name();
            format!(
                "quirks.{key} is for softmax, but network.output is \"{output}\": \
                 leave it out, or all quirks with --textbook"
            )
        })?;
    }
    check(recipe.network.bias || quirks.bias_gradient != Some(BiasGradient::Summed), || {
        "quirks.bias_gradient needs biases, but network.bias is false: leave it out, or all quirks with --textbook"
            .into()
    })
}

/// Checks what training adds to the inputs and drops of the hidden layers.
fn check_noise(recipe: &Recipe, data: &Dataset) -> Result<(), Error> {
    let (noise, dropout) = (recipe.data.noise, recipe.network.dropout);
    check(noise >= 0.0 && noise.is_finite(), || {
        format!("data.noise is {noise}: expected a standard deviation, a number from 0 on")
    })?;
    check(noise == 0.0 || !data.is_sparse(), || {
        format!(
            "data.noise is {noise}, but the inputs are sparse, and noise would fill in their zeros: \
             leave it out, or give the rows with all their numbers"
        )
    })?;
    check((0.0..1.0).contains(&dropout), || {
        format!("network.dropout is {dropout}: expected the part that is dropped, 0 or more and below 1")
    })?;
    check(dropout == 0.0 || !recipe.network.hidden.is_empty(), || {
        "network.dropout drops what hidden layers give on, but network.hidden is []: leave it out, or add a layer".into()
    })
}

/// Refuses batch normalisation where there is nothing to normalise, or where quirks look at a batch in ways of their own.
fn check_batch_norm(recipe: &Recipe, n_train: usize) -> Result<(), Error> {
    if !recipe.network.batch_norm {
        return Ok(());
    }
    check(!recipe.network.hidden.is_empty(), || {
        "network.batch_norm normalises hidden layers, but network.hidden is []: leave it out, or add a layer"
            .into()
    })?;
    check(recipe.training.batch_size != BatchSize::Rows(1) && n_train > 1, || {
        "network.batch_norm needs batches of two rows or more, but each has one: \
         set training.batch_size (--batch-size 128), or leave batch_norm out"
            .into()
    })?;
    let quirks = &recipe.quirks;
    for (key, is_set) in [
        ("softmax_shift", quirks.softmax_shift == Some(Shift::Batch)),
        ("softmax_axis", quirks.softmax_axis == Some(Axis::Batch)),
        ("bias_gradient", quirks.bias_gradient == Some(BiasGradient::Summed)),
    ] {
        check(!is_set, || {
            format!(
                "quirks.{key} does not go with network.batch_norm: \
                 leave one of them out, or all quirks with --textbook"
            )
        })?;
    }
    Ok(())
}

/// What deforms the rows to learn from, if anything does.
fn augmenter(recipe: &Recipe, data: &Dataset) -> Result<Option<Augmenter>, Error> {
    let augment = recipe.augment;
    if augment.is_off() {
        return Ok(None);
    }
    let image = data.image().filter(|_| data.is_bytes());
    let (height, width) = image.ok_or_else(|| {
        let (n, what) = (data.n_features(), if data.is_bytes() { "bytes" } else { "decimals" });
        Error::Plan(format!(
            "[augment] deforms images, but the rows to learn from are {n} {what} that are not known to be images: \
             expected images of bytes (IDX, PNG, NPZ with arrays (n, height, width), generated digits), \
             or leave [augment] out"
        ))
    })?;
    let side = height.min(width) as f64;
    check(height.max(width) <= LARGEST_IMAGE, || {
        format!(
            "[augment] deforms images of at most {LARGEST_IMAGE} pixels a side, but these are {height} x {width}"
        )
    })?;
    for (key, value, end, unit) in [
        ("shift", augment.shift, side, " pixels, the shorter side of the images"),
        ("rotation", augment.rotation, 360.0, " degrees"),
        ("scale", augment.scale, 1.0, ""),
        ("shear", augment.shear, 1.0, ""),
        ("elastic", augment.elastic, side, " pixels, the shorter side of the images"),
    ] {
        check(value >= 0.0 && value < end, || {
            format!("augment.{key} is {value}: expected 0 or more, and below {end}{unit}")
        })?;
    }
    let sigma = augment.elastic_sigma;
    check(sigma >= 1.0 && sigma.is_finite(), || {
        format!("augment.elastic_sigma is {sigma}: expected a number of pixels, 1 or more")
    })?;
    Ok(Some(Augmenter::new(augment, (height, width), recipe.seed)))
}
