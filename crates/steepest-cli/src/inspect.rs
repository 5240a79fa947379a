//! `steepest inspect`

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use steepest::{AnyModel, Columns, Encoding, Float, Layer, Model, Precision};
use steepest_io::plain;

use crate::args::InspectArgs;
use crate::report::{bytes, shorten, thousands};

/// What `--json` prints.
#[derive(Serialize)]
struct Inspected<'a> {
    file: &'a Path,
    sha256: &'a str,
    recipe: &'a str,
    seed: u64,
    precision: Precision,
    n_features: usize,
    n_outputs: usize,
    image: Option<(usize, usize)>,
    divide_by: f64,
    activation: steepest::Activation,
    output: steepest::Output,
    classes: &'a [String],
    n_parameters: usize,
    layers: Vec<LayerInfo>,
    /// Of a table, in the order of the inputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    columns: Option<Vec<ColumnInfo<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<TargetInfo<'a>>,
    /// The complete recipe, as TOML.
    plan: &'a str,
}

#[derive(Serialize)]
struct LayerInfo {
    n_in: usize,
    n_out: usize,
    bias: bool,
    n_parameters: usize,
    /// Root of the sum of squares.
    weight_norm: f64,
    bias_norm: Option<f64>,
}

#[derive(Serialize)]
struct ColumnInfo<'a> {
    name: &'a str,
    kind: steepest::ColumnKind,
    n_inputs: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    mean: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deviation: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    categories: Option<&'a [String]>,
    /// Whether rare categories share one more input.
    #[serde(skip_serializing_if = "Option::is_none")]
    has_other: Option<bool>,
    /// What takes the place of a missing value; null where it is an error.
    fill: serde_json::Value,
}

#[derive(Serialize)]
struct TargetInfo<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mean: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deviation: Option<f64>,
}

pub fn run(args: &InspectArgs) -> Result<()> {
    let (path, model) = load_model(&args.model)?;
    let file = std::fs::read(&path).with_context(|| path.display().to_string())?;
    let sha256 = steepest_io::sha256(&file);
    match model {
        AnyModel::F32(model) => inspect(args, &path, &sha256, &model),
        AnyModel::F64(model) => inspect(args, &path, &sha256, &model),
    }
}

/// Loads a model file, or the one in a run's folder; says which.
pub fn load_model(path: &Path) -> Result<(PathBuf, AnyModel)> {
    let path = if path.is_dir() { path.join("model.safetensors") } else { path.into() };
    let model = steepest_io::load_model(&path)?;
    Ok((path, model))
}

fn inspect<T: Float>(args: &InspectArgs, path: &Path, sha256: &str, model: &Model<T>) -> Result<()> {
    let network = &model.network;
    let spec = network.spec();
    let plan = model.recipe.to_toml();
    let inspected = Inspected {
        file: path,
        sha256,
        recipe: &model.recipe.name,
        seed: model.recipe.seed,
        precision: model.recipe.precision,
        n_features: model.n_features(),
        n_outputs: model.head.n_outputs(),
        image: model.image,
        divide_by: model.divide_by,
        activation: spec.activation,
        output: model.head.output(),
        classes: &model.classes,
        n_parameters: spec.n_parameters(),
        layers: network.layers().iter().map(|layer| layer_info(model, layer)).collect(),
        columns: model.columns.as_ref().map(column_infos),
        target: model.columns.as_ref().map(|columns| TargetInfo {
            name: &columns.target.name,
            mean: columns.target.scaling.map(|scaling| scaling.mean),
            deviation: columns.target.scaling.map(|scaling| scaling.deviation),
        }),
        plan: &plan,
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&inspected)?)?;
    } else {
        write!(out, "{}", text(&inspected)?)?;
    }
    Ok(())
}

fn layer_info<T: Float>(model: &Model<T>, layer: &Layer) -> LayerInfo {
    let norm = |x: &[T]| x.iter().map(|x| x.to_f64().powi(2)).sum::<f64>().sqrt();
    LayerInfo {
        n_in: layer.n_in,
        n_out: layer.n_out,
        bias: !layer.bias.is_empty(),
        n_parameters: layer.weight.len() + layer.bias.len(),
        weight_norm: norm(model.network.weight(layer)),
        bias_norm: model.network.bias(layer).map(norm),
    }
}

fn column_infos(columns: &Columns) -> Vec<ColumnInfo<'_>> {
    let info = |column: &'_ steepest::Column| -> serde_json::Value {
        match &column.encoding {
            Encoding::Number { fill, .. } => (*fill).into(),
            Encoding::Flag { fill } => (*fill).into(),
            Encoding::Text { categories, fill, .. } => {
                fill.map(|fill| categories.get(fill).map_or("(other)", String::as_str)).into()
            }
        }
    };
    let mut infos = Vec::new();
    for column in &columns.inputs {
        let (scaling, categories, has_other) = match &column.encoding {
            Encoding::Number { scaling, .. } => (Some(scaling), None, None),
            Encoding::Flag { .. } => (None, None, None),
            Encoding::Text { categories, has_other, .. } => (None, Some(&categories[..]), Some(*has_other)),
        };
        infos.push(ColumnInfo {
            name: &column.name,
            kind: column.encoding.kind(),
            n_inputs: column.encoding.n_inputs(),
            mean: scaling.map(|scaling| scaling.mean),
            deviation: scaling.map(|scaling| scaling.deviation),
            categories,
            has_other,
            fill: info(column),
        });
    }
    infos
}

/// A line for each column of a table: what it is, and what becomes of its values.
fn column_table(columns: &[ColumnInfo], target: Option<&TargetInfo>) -> Result<String> {
    const MOST: usize = 60;
    const WIDTH: usize = 50;
    let names: Vec<String> = columns.iter().map(|column| shorten(&plain(column.name), 24)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max("column".len());
    let mut text = format!("\n  {:<width$}  {:<8}{:>6}  values\n", "column", "kind", "inputs");
    for (column, name) in columns.iter().zip(&names).take(MOST) {
        let mut values = match (column.mean, column.deviation, column.categories) {
            (Some(mean), Some(deviation), _) if (mean, deviation) == (0.0, 1.0) => "as they are".to_string(),
            (Some(mean), Some(deviation), _) => format!("mean {mean:.6}, deviation {deviation:.6}"),
            (_, _, Some(categories)) => {
                let other = column.has_other.filter(|&has_other| has_other).map(|_| "(other)");
                let all = categories.iter().map(String::as_str).chain(other);
                shorten(&plain(&all.collect::<Vec<_>>().join(", ")), WIDTH)
            }
            _ => "false, true".into(),
        };
        if !column.fill.is_null() {
            let fill = match (column.fill.as_str(), column.fill.as_f64()) {
                (Some(text), _) => plain(text),
                (_, Some(number)) => format!("{number:.6}"),
                _ => column.fill.to_string(),
            };
            values += &format!("; missing: {}", shorten(&fill, 20));
        }
        let padding = width - name.chars().count();
        text += &format!(
            "  {name}{:padding$}  {:<8}{:>6}  {values}\n",
            "",
            self::name(&column.kind)?,
            column.n_inputs
        );
    }
    if columns.len() > MOST {
        text += &format!("  and {} more columns (--json has them all)\n", columns.len() - MOST);
    }
    if let Some(TargetInfo { name, mean, deviation }) = target {
        let scaling = mean
            .zip(*deviation)
            .map(|(mean, deviation)| format!(": mean {mean:.6}, deviation {deviation:.6}"));
        text += &format!("  predicts `{}`{}\n", plain(name), scaling.unwrap_or_default());
    }
    Ok(text)
}

fn text(model: &Inspected) -> Result<String> {
    let (activation, output) = (name(&model.activation)?, name(&model.output)?);
    let precision = name(&model.precision)?;
    let mut text = format!("{}\n\n", model.file.display());
    let mut line = |name: &str, value: String| text += &format!("  {name:<12}{value}\n");
    line("recipe", format!("{}, seed {}", model.recipe, model.seed));
    line("inputs", inputs(model));
    line("classes", classes(model.classes));
    line("parameters", {
        let size = model.n_parameters * if model.precision == Precision::F64 { 8 } else { 4 };
        format!("{} in {precision} ({})", thousands(model.n_parameters as u64), bytes(size))
    });
    line("sha256", model.sha256.into());
    if let Some(columns) = &model.columns {
        text += &column_table(columns, model.target.as_ref())?;
    }
    text += &layer_table(model, &activation, &output);
    text += "\nThe complete recipe (save it as a .toml file and train again with it):\n\n";
    for line in model.plan.lines() {
        text += format!("  {line}").trim_end();
        text.push('\n');
    }
    Ok(text)
}

fn inputs(model: &Inspected) -> String {
    let mut text = model.n_features.to_string();
    if let Some((height, width)) = model.image {
        text += &format!(", images of {height} x {width}");
    }
    if let Some(columns) = &model.columns {
        return format!("{text}, from {} columns", thousands(columns.len() as u64));
    }
    match model.divide_by {
        1.0 => text + ", taken as they are",
        by => text + &format!(", divided by {by}"),
    }
}

fn classes(classes: &[String]) -> String {
    const WIDTH: usize = 64;
    match classes.len() {
        0 => "none".into(),
        n => shorten(&format!("{n}: {}", classes.join(", ")), WIDTH),
    }
}

fn layer_table(model: &Inspected, activation: &str, output: &str) -> String {
    let mut text = format!(
        "\n  {:<6}{:>7}{:>8}{:>14}{:>14}{:>12}  {}\n",
        "layer", "inputs", "units", "parameters", "weight norm", "bias norm", "activation"
    );
    for (i, layer) in model.layers.iter().enumerate() {
        let bias = layer.bias_norm.map_or("none".into(), |norm| format!("{norm:.4}"));
        let activation = if i + 1 == model.layers.len() { output } else { activation };
        text += &format!(
            "  {i:<6}{:>7}{:>8}{:>14}{:>14.4}{bias:>12}  {activation}\n",
            layer.n_in,
            layer.n_out,
            thousands(layer.n_parameters as u64),
            layer.weight_norm,
        );
    }
    text
}

/// An option's name, as recipes have it.
fn name(option: &impl Serialize) -> Result<String> {
    let value = serde_json::to_value(option)?;
    Ok(value.as_str().map_or_else(|| value.to_string(), str::to_string))
}
