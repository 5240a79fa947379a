//! `steepest evaluate`

use std::collections::HashMap;
use std::io::Write;

use anyhow::{Result, bail};
use serde::Serialize;
use steepest::{AnyModel, ConfusionMatrix, Dataset, Float, Model, Output, Pool, Predictions, RegressionScore, Targets};
use steepest_io::{CsvOptions, DataError, DataSpec, LoadOptions, Part, RowRange, load_part};

use crate::UsageError;
use crate::args::EvaluateArgs;
use crate::experiment::threads;
use crate::inspect::load_model;
use crate::pictures::{PER_LINE, Picture, side_by_side};
use crate::progress::thousands;
use crate::report::Outcome;

/// A confusion matrix of more classes is no longer looked at.
const MOST_CLASSES_SHOWN: usize = 40;
/// One of more classes would take more room than all else.
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

#[derive(Clone, Copy, Serialize)]
struct Regression {
    r2: f64,
    mae: f64,
    rmse: f64,
}

pub fn run(args: &EvaluateArgs) -> Result<()> {
    let (_, model) = load_model(&args.model)?;
    match model {
        AnyModel::F32(model) => evaluate(args, &model),
        AnyModel::F64(model) => evaluate(args, &model),
    }
}

fn evaluate<T: Float>(args: &EvaluateArgs, model: &Model<T>) -> Result<()> {
    let mut pool = Pool::new(threads(args.threads)?);
    let data = load_data(model, &args.data, args.rows.as_deref())?;
    check_features(model, &data, &args.data)?;
    let targets = targets(model, &data, &args.data)?;
    let n_samples = data.n_samples();
    if model.head.predicts_by_batch() {
        writeln!(
            std::io::stderr(),
            "note: this model's softmax sums over the rows of a batch; all {} rows are taken as one batch",
            thousands(n_samples as u64)
        )?;
    }
    let predictions = model.predict(&data, &mut pool);
    let evaluation = steepest::evaluate(&model.head, &predictions.logits, &targets);
    let pairs = match &targets {
        Targets::Classes { labels, .. } => Some(pairs(model, labels, &predictions)),
        Targets::Values { .. } => None,
    };
    let counted = pairs.as_ref().filter(|_| model.classes.len() <= MOST_CLASSES_COUNTED);
    let result = Evaluated {
        accuracy: evaluation.accuracy,
        loss: evaluation.loss,
        n_samples,
        confusion_matrix: counted.map(|pairs| counts(model.classes.len(), pairs)),
        classes: &model.classes,
        regression: regression(model, &targets, &predictions),
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&result)?)?;
        return Ok(());
    }
    write!(out, "{}", headline(&result, model.head.n_outputs()))?;
    if let Some(pairs) = &pairs {
        write!(out, "{}", class_text(&model.classes, pairs))?;
        write!(out, "{}", worst_mistakes(model, &data, pairs, &predictions))?;
    }
    Ok(())
}

/// Loads a data set as the model's own was loaded: of one with parts the test part.
pub fn load_data<T: Float>(model: &Model<T>, spec: &str, rows: Option<&str>) -> Result<Dataset> {
    let usage = |e: DataError| UsageError(e.to_string());
    let spec = DataSpec::parse(spec).map_err(usage)?;
    let rows = rows.map(RowRange::parse).transpose().map_err(usage)?;
    let csv = CsvOptions { target: model.recipe.data.target.clone(), ..CsvOptions::default() };
    let options = LoadOptions { csv, rows, ..LoadOptions::default() };
    match load_part(&spec, Part::Test, &options) {
        // The model may have learnt from a table whose target column this data set does not have or need.
        Err(DataError::TargetOutsideCsv { .. } | DataError::CsvTarget { .. }) => {
            let csv = CsvOptions::default();
            Ok(load_part(&spec, Part::Test, &LoadOptions { csv, ..options })?)
        }
        loaded => Ok(loaded?),
    }
}

/// Checks that rows have as many numbers as the model has inputs.
pub fn check_features<T: Float>(model: &Model<T>, data: &Dataset, name: &str) -> Result<()> {
    let (found, expected) = (data.n_features(), model.n_features());
    if found == expected {
        return Ok(());
    }
    let image = |size: Option<(usize, usize)>| match size {
        Some((height, width)) => format!(" ({height} x {width} images)"),
        None => String::new(),
    };
    bail!(
        "{name} has {found} inputs a row{}, but the model takes {expected}{}",
        image(data.image()),
        image(model.image)
    )
}

/// The targets of `data` as the model has them: classes by their names, in the model's order.
fn targets<T: Float>(model: &Model<T>, data: &Dataset, name: &str) -> Result<Targets> {
    match data.targets() {
        None => bail!("{name} has no labels to compare predictions with; `steepest predict` needs none"),
        Some(Targets::Classes { labels, names }) if !model.classes.is_empty() => {
            let labels = same_classes(&model.classes, labels, names, name)?;
            Ok(Targets::Classes { labels, names: model.classes.clone() })
        }
        Some(Targets::Classes { labels, names }) => Ok(numbers(model, labels, names, name)?),
        Some(Targets::Values { .. }) if !model.classes.is_empty() => {
            bail!(
                "{name} has numbers as targets, but the model tells {} classes apart ({})",
                model.classes.len(),
                some_of(&model.classes)
            )
        }
        Some(targets @ Targets::Values { values, n_outputs }) => {
            let expected = model.head.n_outputs();
            if *n_outputs != expected {
                bail!("{name} has {n_outputs} targets a row, but the model predicts {expected}");
            }
            if model.head.output() != Output::Identity && !values.iter().all(|y| (0.0..=1.0).contains(y)) {
                bail!("{name} has targets below 0 or above 1, but the model predicts probabilities");
            }
            Ok(targets.clone())
        }
    }
}

/// Labels as indices into the model's classes. A class that only stands among the names is no matter.
fn same_classes(classes: &[String], labels: &[u32], names: &[String], data: &str) -> Result<Vec<u32>> {
    let known: HashMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
    let places: Vec<Option<u32>> = names.iter().map(|name| known.get(name.as_str()).copied()).collect();
    let place = |(row, &label): (usize, &u32)| {
        places[label as usize].ok_or_else(|| {
            let (name, known) = (&names[label as usize], some_of(classes));
            anyhow::anyhow!("{data}, row {row}: class {name:?} is none of the model's {} ({known})", classes.len())
        })
    };
    labels.iter().enumerate().map(place).collect()
}

/// Targets of regression that happen to be whole numbers look like classes.
fn numbers<T: Float>(model: &Model<T>, labels: &[u32], names: &[String], data: &str) -> Result<Targets> {
    let numbers: Option<Vec<f64>> = names.iter().map(|name| name.parse().ok()).collect();
    match numbers {
        Some(numbers) if model.head.n_outputs() == 1 => {
            let values = labels.iter().map(|&label| numbers[label as usize]).collect();
            Ok(Targets::Values { values, n_outputs: 1 })
        }
        _ => bail!("{data} has classes as targets, but the model predicts {} numbers", model.head.n_outputs()),
    }
}

fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let more = if names.len() > SHOWN { ", …" } else { "" };
    names[..names.len().min(SHOWN)].join(", ") + more
}

/// True and predicted class of each row.
fn pairs<T: Float>(model: &Model<T>, labels: &[u32], predictions: &Predictions<T>) -> Vec<(u32, u32)> {
    labels.iter().zip(predictions.rows()).map(|(&label, values)| (label, model.class(values))).collect()
}

fn counts(n_classes: usize, pairs: &[(u32, u32)]) -> Vec<Vec<u64>> {
    ConfusionMatrix::new(n_classes, pairs.iter().copied()).rows().map(<[u64]>::to_vec).collect()
}

fn regression<T: Float>(model: &Model<T>, targets: &Targets, predictions: &Predictions<T>) -> Option<Regression> {
    match targets {
        Targets::Values { values, n_outputs } if model.head.output() == Output::Identity => {
            let predicted: Vec<f64> = predictions.values.iter().map(|x| x.to_f64()).collect();
            let RegressionScore { r2, mae, rmse } = RegressionScore::new(values, &predicted, *n_outputs);
            Some(Regression { r2, mae, rmse })
        }
        _ => None,
    }
}

fn headline(result: &Evaluated, n_outputs: usize) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| text += &format!("{name:<10}{value}\n");
    line("rows", thousands(result.n_samples as u64));
    if let Some(accuracy) = result.accuracy {
        let wrong = ((1.0 - accuracy) * result.n_samples as f64).round() as u64;
        let of = if result.classes.is_empty() && n_outputs > 1 { "rows with all labels right, " } else { "" };
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
        n if n > MOST_CLASSES_SHOWN => format!("No confusion matrix is shown for {n} classes; --json has it.\n"),
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
    if wrong.is_empty() {
        return String::new();
    }
    let picture = |&row: &usize| {
        let (truth, predicted) = pairs[row];
        let name = |class: u32| &model.classes[class as usize];
        let caption = vec![
            format!("row {row}"),
            format!("true {}", name(truth)),
            format!("predicted {}", name(predicted)),
            format!("p = {:.4}", probability(row, predicted)),
        ];
        Picture::new(size, data, row, caption)
    };
    let pictures: Vec<Picture> = wrong.iter().map(picture).collect();
    format!("\nThe worst mistakes\n\n{}", side_by_side(&pictures))
}

/// What a row of predicted values gives to a class; one unit stands for the second of two classes.
pub fn probability<T: Float>(values: &[T], class: u32) -> f64 {
    match values {
        [second] if class == 0 => 1.0 - second.to_f64(),
        [second] => second.to_f64(),
        values => values[class as usize].to_f64(),
    }
}
