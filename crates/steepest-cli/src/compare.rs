//! `steepest compare`: what each quirk of a recipe changes.

use std::io::Write;

use anyhow::Result;
use serde::Serialize;
use steepest::{Error, Precision, Quirks, Recipe, Session, Start};
use steepest_io::Stored;

use crate::args::CompareArgs;
use crate::experiment::threads;
use crate::run::Past;
use crate::sources::Sources;
use crate::train::{Outcome, execute};

/// Results of one variant over all seeds.
#[derive(Serialize)]
struct Row {
    variant: String,
    /// Mean accuracy of each kind, where there is one.
    train_accuracy: Option<f64>,
    validation_accuracy: Option<f64>,
    clean_accuracy: Option<f64>,
    test_accuracy: Option<f64>,
    /// Of regressions, mean R² instead.
    train_r2: Option<f64>,
    validation_r2: Option<f64>,
    test_r2: Option<f64>,
    /// Standard deviation of the test accuracy or R² over seeds.
    test_deviation: Option<f64>,
    seconds: f64,
    /// Seeds with which training diverged, and at which iteration.
    diverged: Vec<(u64, u64)>,
}

pub fn run(args: &CompareArgs) -> Result<()> {
    let threads = threads(args.recipe.threads)?;
    let sources = Sources::new(&args.recipe, false)?;
    let mut rows = Vec::new();
    for (variant, quirks) in variants(&sources.recipe.quirks) {
        let outcomes: Result<Vec<_>> = (0..args.seeds)
            .map(|i| {
                let seed = sources.recipe.seed.wrapping_add(i);
                eprintln!("{variant}, seed {seed} …");
                let recipe = Recipe { quirks: quirks.clone(), seed, ..sources.recipe.clone() };
                Ok((seed, outcome(&sources, &recipe, threads)?))
            })
            .collect();
        rows.push(row(variant, outcomes?));
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&rows)?)?;
    } else {
        write!(out, "{}", table(&rows))?;
    }
    Ok(())
}

/// As written, without quirks, and with each alone.
fn variants(quirks: &Quirks) -> Vec<(String, Quirks)> {
    let mut variants = vec![("as written".to_string(), quirks.clone())];
    let each = quirks.each();
    if !each.is_empty() {
        variants.push(("textbook".into(), Quirks::default()));
    }
    if each.len() > 1 {
        variants.extend(each.into_iter().map(|(name, quirk)| (format!("only {name}"), quirk)));
    }
    variants
}

/// A run, or the iteration at which it diverged.
fn outcome(sources: &Sources, recipe: &Recipe, threads: usize) -> Result<Result<Outcome, u64>> {
    match recipe.precision {
        Precision::F32 => outcome_in::<f32>(sources, recipe, threads),
        Precision::F64 => outcome_in::<f64>(sources, recipe, threads),
    }
}

fn outcome_in<T: Stored>(sources: &Sources, recipe: &Recipe, threads: usize) -> Result<Result<Outcome, u64>> {
    let (experiment, plan) = sources.experiment(recipe)?;
    let (data, validation) = (experiment.data.clone(), experiment.validation.clone());
    let mut session = Session::<T>::new(plan, data, validation, Start::default(), threads)?;
    match execute(&experiment, &mut session, &mut Past::default(), |_, _, _| Ok(())) {
        Ok((outcome, _)) => Ok(Ok(outcome)),
        Err(e) => match e.downcast_ref() {
            Some(Error::Diverged { iteration, .. }) => Ok(Err(*iteration)),
            _ => Err(e),
        },
    }
}

fn row(variant: String, outcomes: Vec<(u64, Result<Outcome, u64>)>) -> Row {
    let done: Vec<&Outcome> = outcomes.iter().filter_map(|(_, o)| o.as_ref().ok()).collect();
    let mean = |of: &dyn Fn(&Outcome) -> Option<f64>| {
        let values: Vec<f64> = done.iter().filter_map(|o| of(o)).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let test = |o: &Outcome| o.test_accuracy.or(o.regression.and_then(|of| of.test_r2));
    let variance = mean(&test).and_then(|m| mean(&|o| test(o).map(|score| (score - m).powi(2))));
    let n = done.len() as f64;
    Row {
        variant,
        train_accuracy: mean(&|o| o.train_accuracy),
        validation_accuracy: mean(&|o| o.validation_accuracy),
        clean_accuracy: mean(&|o| o.clean_accuracy),
        test_accuracy: mean(&|o| o.test_accuracy),
        train_r2: mean(&|o| o.regression.map(|of| of.train_r2)),
        validation_r2: mean(&|o| o.regression.and_then(|of| of.validation_r2)),
        test_r2: mean(&|o| o.regression.and_then(|of| of.test_r2)),
        test_deviation: variance.filter(|_| n > 1.0).map(|v| (v * n / (n - 1.0)).sqrt()),
        seconds: mean(&|o| Some(o.seconds)).unwrap_or(f64::NAN),
        diverged: outcomes.iter().filter_map(|(seed, o)| o.as_ref().err().map(|&i| (*seed, i))).collect(),
    }
}

/// A Markdown table that also reads well in a terminal.
fn table(rows: &[Row]) -> String {
    let has_clean = rows.iter().any(|row| row.clean_accuracy.is_some());
    let mut header =
        vec!["variant", "train", "validation", "clean rows", "test", "± over seeds", "seconds", "note"];
    if !has_clean {
        header.remove(3);
    }
    if rows.iter().any(|row| row.train_r2.is_some()) {
        header[1] = "train R2";
    }
    let score = |value: Option<f64>| value.map_or("–".to_string(), |v| format!("{v:.4}"));
    let cells = rows.iter().map(|row| {
        let diverged = row.diverged.iter().map(|(seed, i)| format!("seed {seed} diverged at iteration {i}"));
        let mut cells = vec![
            row.variant.clone(),
            score(row.train_accuracy.or(row.train_r2)),
            score(row.validation_accuracy.or(row.validation_r2)),
            score(row.clean_accuracy),
            score(row.test_accuracy.or(row.test_r2)),
            score(row.test_deviation),
            format!("{:.2}", row.seconds),
            diverged.collect::<Vec<_>>().join(", "),
        ];
        if !has_clean {
            cells.remove(3);
        }
        cells
    });
    let header: Vec<String> = header.into_iter().map(String::from).collect();
    let lines: Vec<Vec<String>> = std::iter::once(header).chain(cells).collect();
    let width =
        |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0).max(3);
    let mut text = String::new();
    for (i, line) in lines.iter().enumerate() {
        let cells = line.iter().enumerate().map(|(c, cell)| format!(" {cell:<w$} ", w = width(c)));
        text += &format!("|{}|\n", cells.collect::<Vec<_>>().join("|"));
        if i == 0 {
            let rules = (0..line.len()).map(|c| "-".repeat(width(c) + 2));
            text += &format!("|{}|\n", rules.collect::<Vec<_>>().join("|"));
        }
    }
    text
}
