//! From a data set's targets to those that the model's predictions are compared with.

use std::collections::HashMap;

use anyhow::{Result, bail};
use steepest::{Dataset, Float, Model, Output, Targets};

/// The targets of `data`, which is called `name`, as the model has them: classes by their names, in the model's order.
///
/// # Errors
/// When they are of another kind than the model's, or have classes that it does not know.
pub fn targets<T: Float>(model: &Model<T>, data: &Dataset, name: &str) -> Result<Targets> {
    match data.targets() {
        None => bail!("{name} has no labels to compare predictions with (`steepest predict` needs none)"),
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
            anyhow::anyhow!(
                "{data}, row {row}: class {name:?} is none of the model's {} ({known})",
                classes.len()
            )
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
        _ => {
            bail!("{data} has classes as targets, but the model predicts {} numbers", model.head.n_outputs())
        }
    }
}

fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let more = if names.len() > SHOWN { ", …" } else { "" };
    names[..names.len().min(SHOWN)].join(", ") + more
}
