//! `steepest inspect`

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use steepest::{AnyModel, Float, Layer, Model, Precision};

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
