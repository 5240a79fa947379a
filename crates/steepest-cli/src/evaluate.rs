//! `steepest evaluate`

pub(crate) mod targets;

use std::io::Write;

use anyhow::{Result, bail};
use serde::Serialize;
use steepest::{
    AnyModel, Columns, ConfusionMatrix, Dataset, Float, Model, Output, Pool, Precision, Predictions,
    RegressionScore, Targets,
};
use steepest_io::{
    CsvError, DataError, DataSpec, KnownColumns, KnownTarget, Part, RowRange, TableOptions, load_part,
    load_table, plain,
};

use crate::UsageError;
use crate::args::{EvaluateArgs, RunArgs};
use crate::experiment::{array_names, read_options, threads};
use crate::inspect::load_model;
use crate::pictures::{PER_LINE, Picture, side_by_side};
use crate::report::{Outcome, thousands};

/// The largest confusion matrix to look at, and the largest to write into JSON.
const MOST_CLASSES_SHOWN: usize = 40;
const MOST_CLASSES_COUNTED: usize = 1000;

/// What `--json` prints.
#[derive(Serialize)]
struct Evaluated<'a> {
    accuracy: Option<f64>,
    loss: f64,
    n_samples: usize,
    /// Rows are true classes, columns predicted ones, in the order of `classes`.
    confusion_matrix: Option<Vec<Vec<u64>>>,
    classes: &'a [String],
    #[serde(flatten)]
    regression: Option<Regression>,
}

/// How far predicted numbers are off, in the target's own units.
#[derive(Clone, Copy, Serialize)]
pub struct Regression {
    /// Coefficient of determination.
    pub r2: f64,
    /// Mean absolute error.
    pub mae: f64,
    /// Root of the mean squared error.
    pub rmse: f64,
}

pub fn run(args: &EvaluateArgs) -> Result<()> {
    let (_, model) = load_model(&args.model)?;
    match model {
        AnyModel::F32(model) => evaluate(args, &model),
        AnyModel::F64(model) => evaluate(args, &model),
    }
}

fn evaluate<T: Float>(args: &EvaluateArgs, model: &Model<T>) -> Result<()> {
    let mut pool = Pool::new(threads(args.run.threads)?);
    let data = match &model.columns {
        Some(columns) => {
            let target = args.run.read.target.clone().map_or(KnownTarget::SameName, KnownTarget::Named);
            let data = load_columns(model, columns, &args.data, &args.run, target)?;
            if data.targets().is_none() {
                let name = plain(&columns.target.name);
                bail!(
                    "{} has no column `{name}` to compare predictions with (--target names another)",
                    args.data
                );
            }
            data
        }
        None => load_data(model, &args.data, &args.run)?,
    };
    check_features(model, &data, &args.data)?;
    let targets = targets::targets(model, &data, &args.data)?;
    let n_samples = data.n_samples();
    let first_row = first_row(args.run.rows.as_deref())?;
    if model.head.predicts_by_batch() {
        writeln!(
            std::io::stderr(),
            "note: this model's softmax sums over the rows of a batch; all {} rows are taken as one batch",
            thousands(n_samples as u64)
        )?;
    }
    let predictions = model.predict(&data, &mut pool);
    let evaluation =
        steepest::evaluate(&model.head, &predictions.logits, &targets, data.weights(), &mut pool);
    let pairs = match &targets {
        Targets::Classes { labels, .. } => Some(pairs(model, labels, &predictions)),
        Targets::Values { .. } => None,
    };
    let counted = pairs.as_ref().filter(|_| model.classes.len() <= MOST_CLASSES_COUNTED);
    let result = Evaluated {
        accuracy: evaluation.accuracy,
        loss: evaluation.loss,
        n_samples,
        confusion_matrix: counted.map(|pairs| {
            let matrix = ConfusionMatrix::new(model.classes.len(), pairs.iter().copied());
            matrix.rows().map(<[u64]>::to_vec).collect()
        }),
        classes: &model.classes,
        regression: regression(model, &targets, &predictions),
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&result)?)?;
        return Ok(());
    }
    write!(out, "{}", headline(&result, model.head.output()))?;
    if let Some(pairs) = &pairs {
        write!(out, "{}", class_text(&model.classes, pairs))?;
        write!(out, "{}", worst_mistakes(model, &data, pairs, &predictions, first_row))?;
    }
    Ok(())
}

/// Loads a data set as the model's own was loaded, where the command line does not say otherwise: of one with parts the
/// test part.
pub fn load_data<T: Float>(model: &Model<T>, spec: &str, args: &RunArgs) -> Result<Dataset> {
    let spec = DataSpec::parse(spec).map_err(|e| UsageError(e.to_string()))?;
    let own = &model.recipe.data;
    let mut as_given = read_options(&args.read, args.rows.as_deref())?;
    as_given.csv.double = model.recipe.precision == Precision::F64;
    let mut as_own = as_given.clone();
    if args.read.target.is_none() {
        as_own.csv.target.clone_from(&own.target);
    }
    if args.read.arrays.is_none() {
        as_own.arrays = array_names(own.arrays.as_deref())?;
    }
    let loaded = match load_part(&spec, Part::Test, &as_own) {
        // The model may have learnt from a table or arrays whose names this data set does not have or need.
        Err(
            DataError::TargetOutsideCsv { .. }
            | DataError::Csv(CsvError::Target { .. })
            | DataError::NpzArray { .. },
        ) => load_part(&spec, Part::Test, &as_given)?,
        loaded => loaded?,
    };
    // In a table without names, what was taken for the target may be an input.
    if as_own.csv.target.is_some() && loaded.n_features() + 1 == model.n_features() {
        return Ok(load_part(&spec, Part::Test, &as_given)
            .ok()
            .filter(|data| data.n_features() == model.n_features())
            .unwrap_or(loaded));
    }
    Ok(loaded)
}

/// Loads a table whose columns become inputs as those of the model's own did, and says which ones it does not use.
pub fn load_columns<T: Float>(
    model: &Model<T>,
    columns: &Columns,
    name: &str,
    args: &RunArgs,
    target: KnownTarget,
) -> Result<Dataset> {
    const SHOWN: usize = 8;
    let spec = DataSpec::parse(name).map_err(|e| UsageError(e.to_string()))?;
    let options = read_options(&args.read, args.rows.as_deref())?;
    let known = TableOptions::Known { columns: KnownColumns::of_model(columns), target };
    let Some(table) = load_table(&spec, &options, &known)? else {
        bail!("{name} is no table, and this model predicts from the columns of one (a CSV or Parquet file)")
    };
    let data = columns.encode(&table, &model.classes, model.recipe.precision)?;
    if let ignored @ [_, ..] = table.ignored() {
        let shown: Vec<String> =
            ignored.iter().take(SHOWN).map(|name| format!("`{}`", plain(name))).collect();
        let more = match ignored.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        writeln!(std::io::stderr(), "note: not used of {name}: {}{more}", shown.join(", "))?;
    }
    Ok(data)
}

/// The number of the first row of a range.
pub fn first_row(rows: Option<&str>) -> Result<usize> {
    let rows = rows.map(RowRange::parse).transpose()?;
    Ok(rows.map_or(0, |rows| rows.clamp(usize::MAX).start))
}

/// Checks that rows have as many numbers as the model has inputs.
pub fn check_features<T: Float>(model: &Model<T>, data: &Dataset, name: &str) -> Result<()> {
    let (found, expected) = (data.n_features(), model.n_features());
    if found == expected {
        return Ok(());
    }
    let image = |size: Option<(usize, usize)>| {
        size.map_or(String::new(), |(height, width)| format!(" ({height} x {width} images)"))
    };
    bail!(
        "{name} has {found} inputs a row{}, but the model takes {expected}{}",
        image(data.image()),
        image(model.image)
    )
}

/// True and predicted class of each row.
fn pairs<T: Float>(model: &Model<T>, labels: &[u32], predictions: &Predictions<T>) -> Vec<(u32, u32)> {
    labels.iter().zip(predictions.rows()).map(|(&label, values)| (label, model.class(values))).collect()
}

/// How far predicted numbers are off, if the model predicts numbers; `targets` as it has them.
pub fn regression<T: Float>(
    model: &Model<T>,
    targets: &Targets,
    predictions: &Predictions<T>,
) -> Option<Regression> {
    match targets {
        Targets::Values { values, n_outputs } if model.head.output() == Output::Identity => {
            let RegressionScore { r2, mae, rmse } = regression_score(model, values, *n_outputs, predictions);
            Some(Regression { r2, mae, rmse })
        }
        _ => None,
    }
}

/// How far predictions are off, in the target's own units; `values` are targets as they are trained on.
pub fn regression_score<T: Float>(
    model: &Model<T>,
    values: &[f64],
    n_outputs: usize,
    predictions: &Predictions<T>,
) -> RegressionScore {
    let predicted: Vec<f64> = predictions.values.iter().map(|x| x.to_f64()).collect();
    match model.target_scaling() {
        Some(scaling) => {
            let truth: Vec<f64> = values.iter().map(|&y| scaling.unscaled(y)).collect();
            RegressionScore::new(&truth, &predicted, n_outputs)
        }
        None => RegressionScore::new(values, &predicted, n_outputs),
    }
}

fn headline(result: &Evaluated, output: Output) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| text += &format!("{name:<10}{value}\n");
    line("rows", thousands(result.n_samples as u64));
    if let Some(accuracy) = result.accuracy {
        let wrong = ((1.0 - accuracy) * result.n_samples as f64).round() as u64;
        let is_multilabel = result.classes.is_empty() && output == Output::Sigmoid;
        let of = if is_multilabel { "rows with all labels right; " } else { "" };
        line("accuracy", format!("{accuracy:.4}  ({of}{} wrong)", thousands(wrong)));
    }
    line("loss", format!("{:.6}", result.loss));
    if let Some(Regression { r2, mae, rmse }) = result.regression {
        line("R2", format!("{r2:.6}"));
        line("MAE", format!("{mae:.6}"));
        line("RMSE", format!("{rmse:.6}"));
    }
    text
}

fn class_text(classes: &[String], pairs: &[(u32, u32)]) -> String {
    let outcome = Outcome::new(classes, pairs);
    let mut text = format!("\n{}\n", outcome.classification_report());
    text += &match outcome.n_classes() {
        n if n > MOST_CLASSES_SHOWN => {
            format!("No confusion matrix is shown for {n} classes; --json has it.\n")
        }
        _ => format!("Confusion matrix (rows: true, columns: predicted)\n\n{}", outcome.confusion_matrix()),
    };
    text
}

/// The wrong predictions that the model is surest of, as pictures.
fn worst_mistakes<T: Float>(
    model: &Model<T>,
    data: &Dataset,
    pairs: &[(u32, u32)],
    predictions: &Predictions<T>,
    first_row: usize,
) -> String {
    let Some(size) = data.image() else { return String::new() };
    let probability = |row: usize, class: u32| {
        let values = &predictions.values[row * predictions.n_outputs..(row + 1) * predictions.n_outputs];
        probability(values, class)
    };
    let mut wrong: Vec<usize> = (0..pairs.len()).filter(|&row| pairs[row].0 != pairs[row].1).collect();
    // Many are as good as certain: of these, those come first that leave the least to the true class.
    wrong.sort_by(|&a, &b| {
        let (of_a, of_b) = (pairs[a], pairs[b]);
        let surest = probability(b, of_b.1).total_cmp(&probability(a, of_a.1));
        surest.then(probability(a, of_a.0).total_cmp(&probability(b, of_b.0)))
    });
    wrong.truncate(PER_LINE);
    let picture = |&row: &usize| {
        let (truth, predicted) = pairs[row];
        let name = |class: u32| plain(&model.classes[class as usize]);
        let mut caption = vec![
            format!("row {}", first_row + row),
            format!("true {}", name(truth)),
            format!("predicted {}", name(predicted)),
        ];
        // Shares of a batch say nothing about one row.
        if !model.head.predicts_by_batch() {
            caption.push(format!("p = {:.4}", probability(row, predicted)));
        }
        Picture::new(size, data, row, caption)
    };
    let pictures: Vec<Picture> = wrong.iter().map(picture).collect();
    let title = if pictures.is_empty() { "" } else { "\nThe worst mistakes\n\n" };
    title.to_string() + &side_by_side(&pictures)
}

/// What a row of predicted values gives to a class; one unit stands for the second of two classes.
pub fn probability<T: Float>(values: &[T], class: u32) -> f64 {
    match values {
        [second] if class == 0 => 1.0 - second.to_f64(),
        [second] => second.to_f64(),
        values => values[class as usize].to_f64(),
    }
}
