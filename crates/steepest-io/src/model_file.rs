//! Model files: safetensors with everything that predicting takes.
//!
//! Tensors are `layers.{i}.weight (n_out, n_in)` and `layers.{i}.bias (n_out)`, `i` from 0, for inputs already divided
//! by the plan's `data.divide_by`; batch normalisation is folded into them. Of a table's columns there is more: see
//! [`crate::model_columns`]. The metadata has one key, `steepest`, whose value is JSON: the plan, the class names, the image's size,
//! the columns, a checksum of the tensors, and what another program keeps with the model. (One key, because a second one would make the order of keys, and so the bytes of the
//! file, a matter of chance.)

use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensorError, TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use steepest::{AnyModel, Layer, Model, Network, NetworkSpec, Precision, Recipe};

use crate::atomic::write_atomically;
use crate::checkpoint_file::KEY as CHECKPOINT;
use crate::model_columns::{self, ColumnsMetadata};
use crate::shown::{few, shown};
use crate::tensor_file::{
    LONGEST_HEADER, ModelError, Stored, TensorFile, excerpt, hex, le_bytes, read_tensor, sha256,
    tensor_file_bytes,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    version: u32,
    plan: String,
    classes: Vec<String>,
    image: Option<(usize, usize)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    columns: Option<ColumnsMetadata>,
    tensors_sha256: String,
    /// What another program keeps with the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

const KEY: &str = "steepest";
const VERSION: u32 = 1;

/// The bytes of a model file: the same for the same model.
///
/// # Errors
/// When the model is too large for the format's header.
pub fn model_bytes<T: Stored>(model: &Model<T>) -> Result<Vec<u8>, SafeTensorError> {
    noted_bytes(model, None)
}

fn noted_bytes<T: Stored>(model: &Model<T>, note: Option<&str>) -> Result<Vec<u8>, SafeTensorError> {
    let tensors = tensors(&model.network.folded());
    let of_columns = model.columns.as_ref().map(model_columns::tensors).unwrap_or_default();
    let metadata = Metadata {
        version: VERSION,
        plan: model.recipe.to_toml(),
        classes: model.classes.clone(),
        image: model.image,
        columns: model.columns.as_ref().map(ColumnsMetadata::of),
        tensors_sha256: tensors_sha256(tensors.iter().chain(&of_columns)),
        note: note.map(String::from),
    };
    let typed = tensors.iter().map(|tensor| (T::DTYPE, tensor));
    let views: Result<Vec<_>, SafeTensorError> = typed
        .chain(of_columns.iter().map(|tensor| (Dtype::F64, tensor)))
        .map(|(dtype, (name, shape, bytes))| {
            Ok((name.as_str(), TensorView::new(dtype, shape.clone(), bytes)?))
        })
        .collect();
    let metadata = serde_json::to_string(&metadata).map_err(SafeTensorError::JsonError)?;
    tensor_file_bytes(views?, KEY, metadata)
}

/// Checks that [`save_model`] can save a model, before it is trained: there is a limit to its class names.
///
/// # Errors
/// When it cannot.
pub fn check_saveable<T: Stored>(model: &Model<T>, path: &Path) -> Result<(), ModelError> {
    // Each tensor takes some hundred bytes.
    let names: usize = model.classes.iter().map(|name| name.len().saturating_add(8)).sum();
    let tensors = model.network.layers().len().saturating_mul(400);
    let columns = model.columns.as_ref().map_or(0, model_columns::text_length);
    let length = [model.recipe.to_toml().len(), names, tensors, columns, 4096]
        .into_iter()
        .fold(0_usize, usize::saturating_add);
    if length as u64 > LONGEST_HEADER {
        return Err(ModelError::contents(path)(format!(
            "the names of {} classes and {columns} bytes of columns are too much for a model file ({LONGEST_HEADER} bytes). \
             Are they really classes? Another column may be meant (--target)",
            model.classes.len()
        )));
    }
    Ok(())
}

/// Saves a model: to a temporary file first, which then takes the name. Returns the file's SHA-256.
///
/// # Errors
/// When the file cannot be written.
pub fn save_model<T: Stored>(model: &Model<T>, path: &Path) -> Result<String, ModelError> {
    save_noted(model, None, path)
}

/// As [`save_model`], with a text of the caller's own beside the model: [`load_noted`] gives it back, nobody else looks at it.
///
/// # Errors
/// When the file cannot be written, or names and text are too much for its header.
pub fn save_noted<T: Stored>(
    model: &Model<T>,
    note: Option<&str>,
    path: &Path,
) -> Result<String, ModelError> {
    let bytes = noted_bytes(model, note).map_err(ModelError::format(path))?;
    write_atomically(path, &bytes).map_err(ModelError::io(path))?;
    Ok(sha256(&bytes))
}

/// Loads a model.
///
/// # Errors
/// When the file cannot be read, is damaged, or was not written by [`save_model`].
pub fn load_model(path: &Path) -> Result<AnyModel, ModelError> {
    Ok(load_noted(path)?.0)
}

/// Loads a model, and the text that was saved with it by [`save_noted`].
///
/// # Errors
/// As [`load_model`].
pub fn load_noted(path: &Path) -> Result<(AnyModel, Option<String>), ModelError> {
    let tensors = TensorFile::read(path, "a model")?;
    let contents = ModelError::contents(path);
    if tensors.text(CHECKPOINT).is_some() {
        return Err(contents(
            "is no model: it is a checkpoint of a run: steepest train --resume goes on with it".into(),
        ));
    }
    let text = tensors.text(KEY).ok_or_else(|| {
        contents(format!(
            "has no {KEY:?} metadata, so it is not a model of Steepest (weights alone can start a run: --init-from)"
        ))
    })?;
    let damaged =
        |what: &str, e: &dyn ToString| contents(format!("{what} is damaged: {}", excerpt(&e.to_string())));
    let mut metadata: Metadata =
        serde_json::from_str(text).map_err(|e| damaged("its \"steepest\" metadata", &e))?;
    if metadata.version != VERSION {
        return Err(contents(format!(
            "is of version {}; this program reads version {VERSION}",
            metadata.version
        )));
    }
    let recipe = Recipe::parse(&metadata.plan, &[]).map_err(|e| damaged("its plan", &e))?;
    let note = metadata.note.take();
    let model = match recipe.precision {
        Precision::F32 => AnyModel::F32(model(&tensors, recipe, metadata).map_err(contents)?),
        Precision::F64 => AnyModel::F64(model(&tensors, recipe, metadata).map_err(contents)?),
    };
    Ok((model, note))
}

fn model<T: Stored>(tensors: &TensorFile, recipe: Recipe, metadata: Metadata) -> Result<Model<T>, String> {
    let network = network::<T>(tensors, &recipe, false)?;
    let sizes = &network.spec().sizes;
    if sizes.get(1..sizes.len().saturating_sub(1)) != Some(recipe.network.hidden.as_slice()) {
        return Err(format!(
            "its layers are {}, but its plan has hidden layers {}",
            few(sizes),
            few(&recipe.network.hidden)
        ));
    }
    let columns = metadata.columns.map(|columns| columns.columns(tensors)).transpose()?;
    if columns.is_none() && tensors.names().iter().any(|name| name.starts_with(model_columns::PREFIX)) {
        return Err("has numbers of columns, but no columns".into());
    }
    let of_columns = columns.as_ref().map(model_columns::tensors).unwrap_or_default();
    if tensors_sha256(self::tensors(&network).iter().chain(&of_columns)) != metadata.tensors_sha256 {
        return Err("its weights are damaged: they do not have the checksum that they were saved with".into());
    }
    let (Some(&n_in), Some(&n_out)) = (sizes.first(), sizes.last()) else {
        return Err("it has no layers".into());
    };
    let output = recipe.network.output.ok_or("its plan does not say what the output layer is")?;
    let divide_by = recipe.data.divide_by.ok_or("its plan does not say how inputs are scaled")?;
    if !divide_by.is_finite() || divide_by == 0.0 {
        return Err(format!(
            "its inputs are scaled by a division by {divide_by}: expected a number other than 0"
        ));
    }
    if metadata.image.is_some_and(|(height, width)| height.checked_mul(width) != Some(n_in)) {
        return Err(format!("its images are {:?}, but the network has {n_in} inputs", metadata.image));
    }
    let n_classes = metadata.classes.len();
    if n_classes != 0 && n_classes != n_out && (n_classes, n_out) != (2, 1) {
        return Err(format!("it has {n_classes} class names, but the network has {n_out} outputs"));
    }
    let classes = metadata.classes;
    if let Some(columns) = &columns {
        let found = columns.n_inputs();
        if found != n_in {
            return Err(format!("its columns make {found} inputs, but the network has {n_in}"));
        }
        if columns.target.scaling.is_some() != classes.is_empty() || (classes.is_empty() && n_out != 1) {
            return Err("its columns are for another kind of target than its network".into());
        }
    }
    let head = recipe.head(output, n_out);
    Ok(Model { recipe, head, network, classes, image: metadata.image, divide_by, columns })
}

/// Loads the weights of a network with the shape, activation and biases of `recipe`, in either precision, from any
/// safetensors file with the tensors' names; its inputs are those of the file. With batch normalisation, hidden layers also have
/// `layers.{i}.scale (n_out)`, and their bias is the shift; running statistics start anew.
///
/// # Errors
/// When the file cannot be read, or has other tensors.
pub fn load_weights<T: Stored>(path: &Path, recipe: &Recipe) -> Result<Network<T>, ModelError> {
    let tensors = TensorFile::read(path, "weights")?;
    network(&tensors, recipe, recipe.network.batch_norm).map_err(ModelError::contents(path))
}

/// The network of `recipe` from its tensors; normalised, or with normalisation folded into weights and biases.
fn network<T: Stored>(tensors: &TensorFile, recipe: &Recipe, batch_norm: bool) -> Result<Network<T>, String> {
    let find = |name: &str| {
        tensors.tensor(name).ok_or_else(|| {
            let names: Vec<String> = tensors.names().iter().take(8).map(|name| shown(name)).collect();
            let (found, more) = (names.join(", "), if tensors.len() > names.len() { ", …" } else { "" });
            format!("has no tensor {name}: expected layers.0.weight, layers.0.bias, …; found {found}{more}")
        })
    };
    let n_layers = recipe.network.hidden.len().saturating_add(1);
    let mut sizes = Vec::new();
    for i in 0..n_layers {
        let &[n_out, n_in] = find(&format!("layers.{i}.weight"))?.shape() else {
            return Err(format!("layers.{i}.weight does not have two dimensions (n_out, n_in)"));
        };
        if n_in == 0 || n_out == 0 || sizes.last().is_some_and(|&before| before != n_in) {
            return Err(format!(
                "layers.{i}.weight is ({n_out}, {n_in}), which does not follow {:?}: expected (n_out, n_in)",
                sizes.last()
            ));
        }
        if sizes.is_empty() {
            sizes.push(n_in);
        }
        sizes.push(n_out);
    }
    let activation = recipe.network.activation;
    // What is folded ends as biases.
    let bias = recipe.network.bias || (recipe.network.batch_norm && !batch_norm);
    let mut network = Network::zeros(NetworkSpec { sizes, activation, bias, batch_norm });
    let vectors = |layer: &Layer| [("bias", layer.bias.clone()), ("scale", layer.scale.clone())];
    let layers = network.layers().to_vec();
    let n_vectors = layers.iter().flat_map(vectors).filter(|(_, range)| !range.is_empty()).count();
    let expected = n_layers.saturating_add(n_vectors);
    let found = tensors.names().iter().filter(|name| !name.starts_with(model_columns::PREFIX)).count();
    if found != expected {
        return Err(format!("has {found} tensors; the recipe's {n_layers} layers need {expected}"));
    }
    for (i, layer) in layers.iter().enumerate() {
        let weight = format!("layers.{i}.weight");
        let place = network.parameters.get_mut(layer.weight.clone()).unwrap_or_default();
        read_tensor(&find(&weight)?, &weight, place)?;
        for (name, range) in vectors(layer).into_iter().filter(|(_, range)| !range.is_empty()) {
            let name = format!("layers.{i}.{name}");
            let tensor = find(&name)?;
            if tensor.shape() != [layer.n_out] {
                return Err(format!("{name} has shape {}; expected ({},)", few(tensor.shape()), layer.n_out));
            }
            read_tensor(&tensor, &name, network.parameters.get_mut(range).unwrap_or_default())?;
        }
    }
    Ok(network)
}

/// Name, shape and bytes of each tensor.
fn tensors<T: Stored>(network: &Network<T>) -> Vec<(String, Vec<usize>, Vec<u8>)> {
    let mut tensors = Vec::new();
    for (i, layer) in network.layers().iter().enumerate() {
        tensors.push((
            format!("layers.{i}.weight"),
            vec![layer.n_out, layer.n_in],
            le_bytes(network.weight(layer)),
        ));
        if let Some(bias) = network.bias(layer) {
            tensors.push((format!("layers.{i}.bias"), vec![layer.n_out], le_bytes(bias)));
        }
    }
    tensors
}

fn tensors_sha256<'a>(tensors: impl Iterator<Item = &'a (String, Vec<usize>, Vec<u8>)>) -> String {
    let mut hash = Sha256::new();
    tensors.for_each(|(_, _, bytes)| hash.update(bytes));
    hex(&hash.finalize())
}
