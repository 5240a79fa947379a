//! The columns of a table in a model file: names and categories in the metadata, fitted numbers as tensors.
//!
//! `columns.mean` and `columns.deviation (n_numbers)` are those of the columns of numbers, in their order; `columns.fill
//! (n_numbers)` takes the place of missing numbers, where there is such a thing; `columns.target (2)` is mean and deviation of
//! the target of a regression. All are F64, because JSON's readers may be off in the last bit.

use std::collections::HashSet;

use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};
use steepest::{Column, Columns, Encoding, Scaling, TargetColumn};

use crate::shown::few;
use crate::tensor_file::TensorFile;

/// What the names of these tensors begin with.
pub(crate) const PREFIX: &str = "columns.";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ColumnsMetadata {
    inputs: Vec<ColumnMetadata>,
    target: String,
    /// Whether the target's cells are numbers.
    target_is_number: bool,
    has_names: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum ColumnMetadata {
    Number { name: String },
    Flag { name: String, fill: Option<bool> },
    Text { name: String, categories: Vec<String>, other: bool, fill: Option<usize> },
}

impl ColumnsMetadata {
    pub(crate) fn of(columns: &Columns) -> Self {
        let column = |column: &Column| {
            let name = column.name.clone();
            match &column.encoding {
                Encoding::Number { .. } => ColumnMetadata::Number { name },
                Encoding::Flag { fill } => ColumnMetadata::Flag { name, fill: *fill },
                Encoding::Text { categories, has_other, fill } => ColumnMetadata::Text {
                    name,
                    categories: categories.clone(),
                    other: *has_other,
                    fill: *fill,
                },
            }
        };
        Self {
            inputs: columns.inputs.iter().map(column).collect(),
            target: columns.target.name.clone(),
            target_is_number: columns.target.is_number,
            has_names: columns.has_names,
        }
    }

    /// The columns, with their numbers from the file's tensors.
    pub(crate) fn columns(self, tensors: &TensorFile) -> Result<Columns, String> {
        let n_numbers =
            self.inputs.iter().filter(|column| matches!(column, ColumnMetadata::Number { .. })).count();
        let mean = numbers(tensors, "mean", n_numbers)?;
        let deviation = numbers(tensors, "deviation", n_numbers)?;
        let fill = numbers(tensors, "fill", n_numbers)?;
        if n_numbers > 0 && (mean.is_none() || deviation.is_none()) {
            return Err("has columns of numbers, but no columns.mean or no columns.deviation".into());
        }
        if let Some(x) = deviation.iter().flatten().find(|&&x| x <= 0.0) {
            return Err(format!("columns.deviation has {x}; expected numbers above 0"));
        }
        let target = numbers(tensors, "target", 2)?;
        let n_tensors =
            [&mean, &deviation, &fill, &target].into_iter().filter(|numbers| numbers.is_some()).count();
        if tensors.names().iter().filter(|name| name.starts_with(PREFIX)).count() != n_tensors {
            return Err(format!("has tensors for its columns besides the {n_tensors} that are known"));
        }
        let mut scalings = mean.into_iter().flatten().zip(deviation.into_iter().flatten());
        let mut fills = fill.map(Vec::into_iter);
        let mut inputs = Vec::new();
        for column in self.inputs {
            inputs.push(match column {
                ColumnMetadata::Number { name } => {
                    let (mean, deviation) = scalings.next().unwrap_or((0.0, 1.0));
                    let fill = fills.as_mut().and_then(Iterator::next);
                    Column { name, encoding: Encoding::Number { scaling: Scaling { mean, deviation }, fill } }
                }
                ColumnMetadata::Flag { name, fill } => Column { name, encoding: Encoding::Flag { fill } },
                ColumnMetadata::Text { name, categories, other, fill } => {
                    let encoding = Encoding::Text { categories, has_other: other, fill };
                    check_text(&encoding)?;
                    Column { name, encoding }
                }
            });
        }
        let scaling = match target.as_deref() {
            Some(&[mean, deviation]) if deviation > 0.0 => Some(Scaling { mean, deviation }),
            Some(other) => {
                return Err(format!("columns.target is {other:?}; expected a mean, and a deviation above 0"));
            }
            None => None,
        };
        let target = TargetColumn { name: self.target, is_number: self.target_is_number, scaling };
        let mut names: HashSet<&str> = HashSet::from([target.name.as_str()]);
        if !inputs.iter().all(|column| names.insert(&column.name)) {
            return Err("two of its columns have the same name".into());
        }
        Ok(Columns { inputs, target, has_names: self.has_names })
    }
}

/// Checks that categories are sorted, each once, and that what is filled in is among them.
fn check_text(encoding: &Encoding) -> Result<(), String> {
    let Encoding::Text { categories, fill, .. } = encoding else { return Ok(()) };
    let n_inputs = encoding.n_inputs();
    let is_sorted = categories.is_sorted_by(|a, b| a < b);
    if !is_sorted || n_inputs == 0 || fill.is_some_and(|fill| fill >= n_inputs) {
        return Err(
            "the categories of one of its columns are none, are not sorted, or lack the one filled in".into(),
        );
    }
    Ok(())
}

/// Bytes that the columns take in the metadata, about.
pub(crate) fn text_length(columns: &Columns) -> usize {
    let of_column = |column: &Column| {
        let categories: usize = match &column.encoding {
            Encoding::Text { categories, .. } => {
                categories.iter().map(|name| name.len().saturating_add(8)).sum()
            }
            _ => 0,
        };
        column.name.len().saturating_add(categories).saturating_add(100)
    };
    columns.inputs.iter().map(of_column).fold(0, usize::saturating_add)
}

/// The fitted numbers as tensors: name, shape, bytes.
pub(crate) fn tensors(columns: &Columns) -> Vec<(String, Vec<usize>, Vec<u8>)> {
    let fitted = || {
        columns.inputs.iter().filter_map(|column| match &column.encoding {
            Encoding::Number { scaling, fill } => Some((*scaling, *fill)),
            _ => None,
        })
    };
    let tensor = |name: &str, numbers: Vec<f64>| {
        let bytes = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        (format!("{PREFIX}{name}"), vec![numbers.len()], bytes)
    };
    let mut tensors = Vec::new();
    if fitted().next().is_some() {
        tensors.push(tensor("mean", fitted().map(|(scaling, _)| scaling.mean).collect()));
        tensors.push(tensor("deviation", fitted().map(|(scaling, _)| scaling.deviation).collect()));
    }
    let fills: Vec<f64> = fitted().filter_map(|(_, fill)| fill).collect();
    if !fills.is_empty() {
        tensors.push(tensor("fill", fills));
    }
    if let Some(Scaling { mean, deviation }) = columns.target.scaling {
        tensors.push(tensor("target", vec![mean, deviation]));
    }
    tensors
}

/// The numbers of a tensor, if the file has it.
fn numbers(tensors: &TensorFile, name: &str, n: usize) -> Result<Option<Vec<f64>>, String> {
    let name = format!("{PREFIX}{name}");
    let Some(tensor) = tensors.tensor(&name) else { return Ok(None) };
    if tensor.dtype() != Dtype::F64 || tensor.shape() != [n] {
        let (dtype, shape) = (tensor.dtype(), few(tensor.shape()));
        return Err(format!("{name} is {dtype:?} of shape {shape}; expected F64 of shape [{n}]"));
    }
    let numbers: Vec<f64> = tensor.data().as_chunks::<8>().0.iter().map(|x| f64::from_le_bytes(*x)).collect();
    match numbers.iter().find(|x| !x.is_finite()) {
        Some(x) => Err(format!("{name} has {x}; expected finite numbers")),
        None => Ok(Some(numbers)),
    }
}
