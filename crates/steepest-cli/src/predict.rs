//! `steepest predict`

mod images;
mod rows;

use std::io::{BufWriter, Write};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use steepest::{AnyModel, Float, Model, Pool};
use steepest_io::{KnownTarget, plain, write_atomically};

use crate::UsageError;
use crate::args::PredictArgs;
use crate::evaluate::{check_features, first_row, load_columns, load_data, probability};
use crate::experiment::threads;
use crate::inspect::load_model;
use rows::{Outputs, Predicted, is_set};

pub fn run(args: &PredictArgs) -> Result<()> {
    let (_, model) = load_model(&args.model)?;
    match model {
        AnyModel::F32(model) => predict(args, &model),
        AnyModel::F64(model) => predict(args, &model),
    }
}

fn predict<T: Float + Serialize>(args: &PredictArgs, model: &Model<T>) -> Result<()> {
    check_batch(args, model)?;
    let outputs = Outputs::of(model);
    if args.kaggle && !matches!(outputs, Outputs::Classes(_)) {
        return Err(
            UsageError("--kaggle prints one label a row, but this model predicts numbers".into()).into()
        );
    }
    let mut pool = Pool::new(threads(args.run.threads)?);
    // All files first: what is printed is whole, or nothing is.
    let first_row = first_row(args.run.rows.as_deref())?;
    let mut files = Vec::new();
    for file in &args.files {
        let data = match (args.as_is, images::find(file)?) {
            _ if let Some(columns) = &model.columns => {
                load_columns(model, columns, file, &args.run, KnownTarget::None)?
            }
            (false, Some(image)) => images::load(model, file, &image, args.run.rows.as_deref())?,
            _ => load_data(model, file, &args.run)?,
        };
        check_features(model, &data, file)?;
        let predictions = model.predict(&data, &mut pool);
        files.push(Predicted {
            file,
            values: predictions.values,
            n_outputs: predictions.n_outputs,
            first_row,
        });
    }

    if let Some(path) = &args.out {
        let mut text = Vec::new();
        write(&mut text, args, model, &outputs, &files)?;
        return write_atomically(path, &text).with_context(|| path.display().to_string());
    }
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    write(&mut out, args, model, &outputs, &files)?;
    Ok(out.flush()?)
}

/// Writes predictions in the form that is asked for.
fn write<T: Float + Serialize>(
    out: &mut impl Write,
    args: &PredictArgs,
    model: &Model<T>,
    outputs: &Outputs,
    files: &[Predicted<T>],
) -> Result<()> {
    match args {
        PredictArgs { json: true, .. } => write_json(out, model, outputs, files),
        PredictArgs { csv: true, .. } => write_csv(out, model, outputs, files),
        PredictArgs { kaggle: true, .. } => write_kaggle(out, model, outputs, files),
        _ => write_text(out, model, outputs, files),
    }
}

/// Refuses to predict rows as if each stood alone, when none does.
fn check_batch<T: Float>(args: &PredictArgs, model: &Model<T>) -> Result<()> {
    if !model.head.predicts_by_batch() {
        return Ok(());
    }
    if !args.as_one_batch {
        bail!(
            "this model's softmax sums over the rows of a batch, not over the classes (quirks.softmax_axis = \"batch\"): \
             each prediction depends on which other rows come with it. Say --as-one-batch to take all rows as one \
             batch, or train with --textbook"
        );
    }
    if args.files.len() > 1 {
        let message = "--as-one-batch takes one file: rows of several files would not come together";
        return Err(UsageError(message.into()).into());
    }
    Ok(())
}

fn write_text<T: Float>(
    out: &mut impl Write,
    model: &Model<T>,
    outputs: &Outputs,
    files: &[Predicted<T>],
) -> Result<()> {
    let last_rows = files.iter().map(|file| file.first_row + file.values.len() / file.n_outputs - 1);
    let width = last_rows.max().unwrap_or(0).to_string().len().max("row".len());
    let names: &[String] = if let Outputs::Classes(names) = outputs { names } else { &[] };
    let names: Vec<String> = names.iter().map(|name| plain(name)).collect();
    let wide = names.iter().map(|name| name.chars().count()).fold("prediction".len(), usize::max);
    for (i, file) in files.iter().enumerate() {
        if files.len() > 1 {
            writeln!(out, "{}{}", if i > 0 { "\n" } else { "" }, file.file)?;
        }
        match outputs {
            Outputs::Classes(_) => writeln!(out, "{:>width$}  {:<wide$}  probability", "row", "prediction")?,
            Outputs::Labels => writeln!(out, "{:>width$}  probabilities", "row")?,
            Outputs::Numbers => writeln!(out, "{:>width$}  prediction", "row")?,
        }
        for row in file.rows(model, outputs) {
            write!(out, "{:>width$}  ", row.number)?;
            match outputs {
                Outputs::Classes(_) => {
                    let probability = probability(row.values, row.class);
                    writeln!(out, "{:<wide$}  {probability:>11.4}", names[row.class as usize])?;
                }
                Outputs::Labels => writeln!(out, "{}", joined(row.values, |x| format!("{x:.4}")))?,
                Outputs::Numbers => writeln!(out, "{}", joined(row.values, T::to_string))?,
            }
        }
    }
    Ok(())
}

fn write_csv<T: Float + Serialize>(
    out: &mut impl Write,
    model: &Model<T>,
    outputs: &Outputs,
    files: &[Predicted<T>],
) -> Result<()> {
    let has_file = files.len() > 1;
    let n_outputs = model.head.n_outputs();
    if has_file {
        write!(out, "file,")?;
    }
    write!(out, "row")?;
    match outputs {
        Outputs::Classes(names) => {
            write!(out, ",prediction")?;
            names.iter().try_for_each(|name| write!(out, ",{}", csv_cell(&format!("p_{name}"))))?;
        }
        Outputs::Labels => {
            (0..n_outputs).try_for_each(|i| write!(out, ",prediction_{i}"))?;
            (0..n_outputs).try_for_each(|i| write!(out, ",p_{i}"))?;
        }
        Outputs::Numbers if n_outputs == 1 => write!(out, ",prediction")?,
        Outputs::Numbers => (0..n_outputs).try_for_each(|i| write!(out, ",prediction_{i}"))?,
    }
    writeln!(out)?;
    for file in files {
        for row in file.rows(model, outputs) {
            if has_file {
                write!(out, "{},", csv_cell(file.file))?;
            }
            write!(out, "{}", row.number)?;
            match outputs {
                Outputs::Classes(names) => write!(out, ",{}", csv_cell(&names[row.class as usize]))?,
                Outputs::Labels => row.values.iter().try_for_each(|&x| write!(out, ",{}", is_set(x)))?,
                Outputs::Numbers => {}
            }
            for x in row.all_values() {
                write!(out, ",")?;
                write_number(out, x)?;
            }
            writeln!(out)?;
        }
    }
    Ok(())
}

fn write_kaggle<T: Float>(
    out: &mut impl Write,
    model: &Model<T>,
    outputs: &Outputs,
    files: &[Predicted<T>],
) -> Result<()> {
    writeln!(out, "ImageId,Label")?;
    let rows = files.iter().flat_map(|file| file.rows(model, outputs));
    for (i, row) in rows.enumerate() {
        if let Outputs::Classes(names) = outputs {
            writeln!(out, "{},{}", i + 1, csv_cell(&names[row.class as usize]))?;
        }
    }
    Ok(())
}

/// One object, but a line for each row: readable, and as fast as it can be written.
fn write_json<T: Float + Serialize>(
    out: &mut impl Write,
    model: &Model<T>,
    outputs: &Outputs,
    files: &[Predicted<T>],
) -> Result<()> {
    write!(out, "{{\"predictions\":[")?;
    let mut separator = "\n";
    for file in files {
        for row in file.rows(model, outputs) {
            write!(out, "{separator}{{")?;
            if files.len() > 1 {
                write!(out, "\"file\":{},", serde_json::to_string(file.file)?)?;
            }
            // The row's own object, less its opening brace.
            let object = serde_json::to_string(&row)?;
            write!(out, "{}", &object[1..])?;
            separator = ",\n";
        }
    }
    Ok(writeln!(out, "\n]}}")?)
}

fn joined<T: Float>(values: &[T], text: impl Fn(&T) -> String) -> String {
    values.iter().map(text).collect::<Vec<_>>().join("  ")
}

/// The fewest digits that read back as the same number, with an exponent where that is shorter.
fn write_number<T: Float + Serialize>(out: &mut impl Write, x: T) -> Result<()> {
    if x.to_f64().is_finite() {
        // As the I/O error that it is, so that a closed pipe is recognised.
        Ok(serde_json::to_writer(out, &x).map_err(std::io::Error::from)?)
    } else {
        Ok(write!(out, "{x}")?)
    }
}

fn csv_cell(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text.into()
}
