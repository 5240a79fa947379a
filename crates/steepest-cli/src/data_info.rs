//! `steepest data info`

mod columns;

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Instant;

use anyhow::Result;
use serde::Serialize;
use serde_json::json;
use steepest::{Dataset, Inputs, SparseValues, Targets};
use steepest_io::{DataError, DataSpec, Loaded, TableOptions, load, load_table, plain};

use crate::UsageError;
use crate::args::ReadArgs;
use crate::experiment::read_options;
use crate::pictures::{PER_LINE, Picture, side_by_side};
use crate::report::{bytes, shorten, thousands};

/// Of inputs that are drawn, this many rows stand for all.
const DRAWN_SAMPLES: usize = 100;
const MOST_CLASSES_SHOWN: usize = 30;
const MOST_PICTURES: usize = 2 * PER_LINE;
const BAR_WIDTH: usize = 40;

/// A data set in figures: what `--json` prints.
///
/// For a data set in two parts it prints the figures of the training part, and beside them `parts`: an object with
/// `train` and `test`, each with its own figures. Then `read_seconds`.
#[derive(Serialize)]
struct Info<'a> {
    n_samples: usize,
    n_features: usize,
    /// Height and width.
    image: Option<(usize, usize)>,
    /// `bytes`, `f32`, `f64` or `drawn`.
    storage: &'static str,
    /// Of the inputs.
    memory_bytes: usize,
    /// Smallest and largest input; where rows are drawn, of the first hundred.
    min: f64,
    max: f64,
    /// Class names, in their order; null for other targets than classes.
    classes: Option<&'a [String]>,
    /// Rows of each class.
    counts: Option<Vec<usize>>,
    /// Numbers to be predicted for each row.
    values: Option<Values>,
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    first: &'a Info<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<Parts<'a>>,
    /// Time that the reading took, without these figures.
    read_seconds: f64,
}

#[derive(Serialize)]
struct Parts<'a> {
    train: &'a Info<'a>,
    test: &'a Info<'a>,
}

/// Targets that are numbers.
#[derive(Clone, Copy, Serialize)]
struct Values {
    n_outputs: usize,
    min: f64,
    max: f64,
    mean: f64,
}

pub fn run(data: &str, rows: Option<&str>, read: &ReadArgs, json: bool) -> Result<()> {
    let spec = DataSpec::parse(data).map_err(|e| UsageError(e.to_string()))?;
    let options = read_options(read, rows)?;
    let started = Instant::now();
    let loaded = load(&spec, &options);
    let mut out = std::io::stdout().lock();
    if loaded.as_ref().is_err_and(DataError::asks_for_columns) {
        let new = TableOptions::New { target: read.target.clone(), drop: Vec::new(), kinds: BTreeMap::new() };
        if let Some(table) = load_table(&spec, &options, &new)? {
            let read_seconds = started.elapsed().as_secs_f64();
            let (n_samples, columns) = (table.n_rows(), columns::columns(&table));
            return Ok(match json {
                true => writeln!(
                    out,
                    "{}",
                    json!({ "n_samples": n_samples, "columns": columns, "read_seconds": read_seconds })
                ),
                false => write!(out, "{}", columns::text(data, &table)),
            }?);
        }
    }
    let loaded = loaded?;
    let read_seconds = started.elapsed().as_secs_f64();
    match (&loaded, json) {
        (Loaded::One(data), true) => {
            let report = Report { first: &info(data), parts: None, read_seconds };
            writeln!(out, "{}", serde_json::to_string(&report)?)?;
        }
        (Loaded::Parts { train, test }, true) => {
            let (train, test) = (info(train), info(test));
            let parts = Some(Parts { train: &train, test: &test });
            let report = Report { first: &train, parts, read_seconds };
            writeln!(out, "{}", serde_json::to_string(&report)?)?;
        }
        (Loaded::One(dataset), false) => write!(out, "{}", text(data, dataset))?,
        (Loaded::Parts { train, test }, false) => {
            write!(
                out,
                "{}\n{}",
                text(&format!("{spec}/train"), train),
                text(&format!("{spec}/test"), test)
            )?;
        }
    }
    Ok(())
}

fn info(data: &Dataset) -> Info<'_> {
    let size = data.n_samples() * data.n_features();
    let (storage, memory_bytes) = match data.inputs() {
        Inputs::Bytes(_) => ("bytes", size),
        Inputs::F32(_) => ("f32", 4 * size),
        Inputs::F64(_) => ("f64", 8 * size),
        // A value and its column for each entry, a start for each row.
        Inputs::Sparse(rows) => {
            let (storage, width) = match rows.values() {
                SparseValues::F32(_) => ("sparse f32", 4 + 4),
                SparseValues::F64(_) => ("sparse f64", 8 + 4),
            };
            (storage, width * rows.n_entries() + 8 * (rows.n_samples() + 1))
        }
        Inputs::Drawn { rows, .. } => ("drawn", size_of_val(rows.as_slice())),
    };
    let (min, max) = input_range(data);
    let (classes, counts) = match data.targets() {
        Some(Targets::Classes { labels, names }) => {
            let mut counts = vec![0; names.len()];
            labels.iter().for_each(|&label| counts[label as usize] += 1);
            (Some(names.as_slice()), Some(counts))
        }
        _ => (None, None),
    };
    let values = match data.targets() {
        Some(Targets::Values { values, n_outputs }) => {
            let (min, max) = range(values);
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            Some(Values { n_outputs: *n_outputs, min, max, mean })
        }
        _ => None,
    };
    let (n_samples, n_features, image) = (data.n_samples(), data.n_features(), data.image());
    Info { n_samples, n_features, image, storage, memory_bytes, min, max, classes, counts, values }
}

fn input_range(data: &Dataset) -> (f64, f64) {
    match data.inputs() {
        Inputs::Bytes(x) => range(x),
        Inputs::F32(x) => range(x),
        Inputs::F64(x) => range(x),
        Inputs::Sparse(rows) => {
            let with = |(min, max): (f64, f64), x: f64| (min.min(x), max.max(x));
            let all = (0..rows.n_samples()).map(|row| rows.entries(row));
            let of_row = |limits, entries: Vec<(usize, f64)>| {
                // What a row does not have is zero.
                let zero = (entries.len() < rows.n_features()).then_some(0.0);
                entries.into_iter().map(|(_, value)| value).chain(zero).fold(limits, with)
            };
            if rows.n_samples() == 0 {
                return (0.0, 0.0);
            }
            all.fold((f64::INFINITY, f64::NEG_INFINITY), of_row)
        }
        Inputs::Drawn { draw, rows } => {
            let mut row = vec![0; data.n_features()];
            let each = rows.iter().take(DRAWN_SAMPLES).map(|&number| {
                draw(0, number, &mut row);
                range(&row)
            });
            each.fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), (a, b)| (min.min(a), max.max(b)))
        }
    }
}

/// The smallest and the largest value.
fn range<T: Into<f64> + PartialOrd + Copy>(values: &[T]) -> (f64, f64) {
    let Some(&first) = values.first() else { return (0.0, 0.0) };
    let smaller = |a: T, b: T| if b < a { b } else { a };
    let larger = |a: T, b: T| if b > a { b } else { a };
    // Several ranges side by side, which vectors can hold.
    let (chunks, rest) = values.as_chunks::<64>();
    let (mut least, mut most) = ([first; 64], [first; 64]);
    for chunk in chunks {
        least.iter_mut().zip(chunk).for_each(|(a, &b)| *a = smaller(*a, b));
        most.iter_mut().zip(chunk).for_each(|(a, &b)| *a = larger(*a, b));
    }
    let min = least.iter().chain(rest).copied().fold(first, smaller);
    let max = most.iter().chain(rest).copied().fold(first, larger);
    (min.into(), max.into())
}

fn text(name: &str, data: &Dataset) -> String {
    let info = info(data);
    let mut text = format!("{name}\n\n");
    let mut line = |name: &str, value: String| text += &format!("  {name:<10}{value}\n");
    line("rows", thousands(info.n_samples as u64));
    let image = info.image.map(|(height, width)| format!(", images of {height} x {width}"));
    line("inputs", format!("{}{}", thousands(info.n_features as u64), image.unwrap_or_default()));
    let memory = bytes(info.memory_bytes);
    line(
        "stored as",
        match info.storage {
            "drawn" => format!("row numbers ({memory}); rows are drawn when they are needed"),
            storage => format!("{storage} ({memory})"),
        },
    );
    let of = if info.storage == "drawn" { " (in the first hundred rows)" } else { "" };
    // In single precision the shortest digits that mean the same number.
    let number = |x: f64| if info.storage == "f64" { x.to_string() } else { (x as f32).to_string() };
    line("range", format!("{} to {}{of}", number(info.min), number(info.max)));
    line("targets", targets(&info));
    text += &class_table(&info);
    text += &samples(data);
    text
}

fn targets(info: &Info) -> String {
    match (info.classes, info.values) {
        (Some(classes), _) => format!("{} classes", thousands(classes.len() as u64)),
        (_, Some(Values { n_outputs, min, max, mean })) => {
            format!(
                "{n_outputs} {}, {min} to {max}, {mean:.6} on average",
                if n_outputs == 1 { "number" } else { "numbers" }
            )
        }
        (None, None) => "none".into(),
    }
}

fn class_table(info: &Info) -> String {
    const WIDEST: usize = 24;
    let (Some(names), Some(counts)) = (info.classes, &info.counts) else { return String::new() };
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).clamp(5, WIDEST);
    let most = counts.iter().max().copied().unwrap_or(0).max(1);
    let mut text = format!("\n  {:>width$}{:>10}\n", "class", "rows");
    for (name, &count) in names.iter().zip(counts).take(MOST_CLASSES_SHOWN) {
        let bar = bar(count, most);
        let name = plain(name);
        let line = format!("  {:>width$}{:>10}  {bar}", shorten(&name, width), thousands(count as u64));
        text += line.trim_end();
        text.push('\n');
    }
    if names.len() > MOST_CLASSES_SHOWN {
        text += &format!("  and {} more classes; --json has them all\n", names.len() - MOST_CLASSES_SHOWN);
    }
    text
}

/// A bar in eighths of a character.
fn bar(count: usize, most: usize) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (count as f64 / most as f64 * (BAR_WIDTH * 8) as f64).round() as usize;
    "█".repeat(eighths / 8) + PARTS[eighths % 8]
}

/// Some images: the first one of each class, or else the first ones.
fn samples(data: &Dataset) -> String {
    let Some(size) = data.image() else { return String::new() };
    let pictures: Vec<Picture> = match data.targets() {
        Some(Targets::Classes { labels, names }) => {
            let first = |class: u32| labels.iter().position(|&label| label == class);
            let rows = (0..names.len() as u32).filter_map(first).take(MOST_PICTURES);
            rows.map(|row| Picture::new(size, data, row, vec![plain(&names[labels[row] as usize])])).collect()
        }
        _ => {
            let rows = 0..data.n_samples().min(PER_LINE);
            rows.map(|row| Picture::new(size, data, row, vec![format!("row {row}")])).collect()
        }
    };
    let indented = |line: &str| format!("  {line}").trim_end().to_string() + "\n";
    "\n".to_string() + &side_by_side(&pictures).lines().map(indented).collect::<String>()
}
