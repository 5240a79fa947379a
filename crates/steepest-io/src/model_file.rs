//! Model files: safetensors with everything that predicting takes.
//!
//! Tensors are `layers.{i}.weight (n_out, n_in)` and `layers.{i}.bias (n_out)`, `i` from 0, for inputs already divided
//! by the plan's `data.divide_by`; batch normalisation is folded into them. The metadata has one key, `steepest`, whose value is JSON: the plan, the class
//! names, the image's size, a checksum of the tensors. (One key, because a second one would make the order of keys,
//! and so the bytes of the file, a matter of chance.)

use crate::atomic::write_atomically;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use steepest::{AnyModel, Float, Layer, Model, Network, NetworkSpec, Precision, Recipe};

/// Why a model or weights cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file system says no.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it says.
        source: std::io::Error,
    },
    /// Not a safetensors file, or a damaged one.
    #[error("{path}: not a safetensors file, or damaged: {source}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: SafeTensorError,
    },
    /// Valid safetensors, but not what is expected in it.
    #[error("{path}: {problem}", path = path.display())]
    Contents {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        problem: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    version: u32,
    plan: String,
    classes: Vec<String>,
    image: Option<(usize, usize)>,
    tensors_sha256: String,
}

const KEY: &str = "steepest";
const VERSION: u32 = 1;

/// The bytes of a model file: the same for the same model.
///
/// # Errors
/// When the model is too large for the format's header.
pub fn model_bytes<T: Stored>(model: &Model<T>) -> Result<Vec<u8>, SafeTensorError> {
    let tensors = tensors(&model.network.folded());
    let metadata = Metadata {
        version: VERSION,
        plan: model.recipe.to_toml(),
        classes: model.classes.clone(),
        image: model.image,
        tensors_sha256: tensors_sha256(&tensors),
    };
    let views: Result<Vec<_>, SafeTensorError> = (tensors.iter())
        .map(|(name, shape, bytes)| Ok((name.as_str(), TensorView::new(T::DTYPE, shape.clone(), bytes)?)))
        .collect();
    let metadata = serde_json::to_string(&metadata).map_err(SafeTensorError::JsonError)?;
    safetensors::serialize(views?, Some(HashMap::from([(KEY.into(), metadata)])))
}

/// Saves a model: to a temporary file first, which then takes the name. Returns the file's SHA-256.
///
/// # Errors
/// When the file cannot be written.
pub fn save_model<T: Stored>(model: &Model<T>, path: &Path) -> Result<String, ModelError> {
    let bytes = model_bytes(model).map_err(|source| ModelError::Format { path: path.into(), source })?;
    write_atomically(path, &bytes).map_err(|source| ModelError::Io { path: path.into(), source })?;
    Ok(sha256(&bytes))
}

/// Loads a model.
///
/// # Errors
/// When the file cannot be read, is damaged, or was not written by [`save_model`].
pub fn load_model(path: &Path) -> Result<AnyModel, ModelError> {
    let bytes = read(path)?;
    let format = |source| ModelError::Format { path: path.into(), source };
    let tensors = SafeTensors::deserialize(&bytes).map_err(format)?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(format)?;
    let contents = |problem: String| ModelError::Contents { path: path.into(), problem };
    let text = header.metadata().as_ref().and_then(|m| m.get(KEY)).ok_or_else(|| {
        contents(format!(
            "has no {KEY:?} metadata, so it is not a model of Steepest (weights alone can start a run: --init-from)"
        ))
    })?;
    let metadata: Metadata =
        serde_json::from_str(text).map_err(|e| contents(format!("its {KEY:?} metadata is damaged: {e}")))?;
    if metadata.version != VERSION {
        return Err(contents(format!(
            "is of version {}; this program reads version {VERSION}",
            metadata.version
        )));
    }
    let recipe =
        Recipe::parse(&metadata.plan, &[]).map_err(|e| contents(format!("its plan is damaged: {e}")))?;
    Ok(match recipe.precision {
        Precision::F32 => AnyModel::F32(model(&tensors, recipe, metadata).map_err(contents)?),
        Precision::F64 => AnyModel::F64(model(&tensors, recipe, metadata).map_err(contents)?),
    })
}

fn model<T: Stored>(tensors: &SafeTensors, recipe: Recipe, metadata: Metadata) -> Result<Model<T>, String> {
    let network = network::<T>(tensors, &recipe, false)?;
    let sizes = &network.spec().sizes;
    if sizes.get(1..sizes.len().saturating_sub(1)) != Some(recipe.network.hidden.as_slice()) {
        return Err(format!(
            "its layers are {sizes:?}, but its plan has hidden layers {:?}",
            recipe.network.hidden
        ));
    }
    if tensors_sha256(&self::tensors(&network)) != metadata.tensors_sha256 {
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
    let head = recipe.head(output, n_out);
    Ok(Model { recipe, head, network, classes: metadata.classes, image: metadata.image, divide_by })
}

/// Loads the weights of a network with the shape, activation and biases of `recipe`, in either precision, from any
/// safetensors file with the tensors' names; its inputs are those of the file. With batch normalisation, hidden layers also have
/// `layers.{i}.scale (n_out)`, and their bias is the shift; running statistics start anew.
///
/// # Errors
/// When the file cannot be read, or has other tensors.
pub fn load_weights<T: Stored>(path: &Path, recipe: &Recipe) -> Result<Network<T>, ModelError> {
    let bytes = read(path)?;
    let tensors = SafeTensors::deserialize(&bytes)
        .map_err(|source| ModelError::Format { path: path.into(), source })?;
    network(&tensors, recipe, recipe.network.batch_norm)
        .map_err(|problem| ModelError::Contents { path: path.into(), problem })
}

/// The network of `recipe` from its tensors; normalised, or with normalisation folded into weights and biases.
fn network<T: Stored>(
    tensors: &SafeTensors,
    recipe: &Recipe,
    batch_norm: bool,
) -> Result<Network<T>, String> {
    let find = |name: &str| {
        tensors.tensor(name).map_err(|_| {
            let mut names = tensors.names();
            names.sort_unstable();
            format!("has no tensor {name}: expected layers.0.weight, layers.0.bias, …; found {names:?}")
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
    if tensors.len() != expected {
        return Err(format!("has {} tensors; the recipe's {n_layers} layers need {expected}", tensors.len()));
    }
    for (i, layer) in layers.iter().enumerate() {
        let weight = format!("layers.{i}.weight");
        let place = network.parameters.get_mut(layer.weight.clone()).unwrap_or_default();
        read_tensor(&find(&weight)?, &weight, place)?;
        for (name, range) in vectors(layer).into_iter().filter(|(_, range)| !range.is_empty()) {
            let name = format!("layers.{i}.{name}");
            let tensor = find(&name)?;
            if tensor.shape() != [layer.n_out] {
                return Err(format!("{name} has shape {:?}; expected ({},)", tensor.shape(), layer.n_out));
            }
            read_tensor(&tensor, &name, network.parameters.get_mut(range).unwrap_or_default())?;
        }
    }
    Ok(network)
}

fn read_tensor<T: Float>(tensor: &TensorView, name: &str, out: &mut [T]) -> Result<(), String> {
    let data = tensor.data();
    match tensor.dtype() {
        Dtype::F32 => {
            for (out, x) in out.iter_mut().zip(data.as_chunks::<4>().0) {
                *out = T::from_f64(f64::from(f32::from_le_bytes(*x)));
            }
        }
        Dtype::F64 => {
            for (out, x) in out.iter_mut().zip(data.as_chunks::<8>().0) {
                *out = T::from_f64(f64::from_le_bytes(*x));
            }
        }
        other => return Err(format!("{name} is {other:?}; expected F32 or F64")),
    }
    match out.iter().enumerate().find(|(_, x)| !x.is_finite()) {
        Some((i, x)) => Err(format!("{name} has {x} at element {i}; expected finite numbers")),
        None => Ok(()),
    }
}

/// Name, shape and bytes of each tensor.
fn tensors<T: Stored>(network: &Network<T>) -> Vec<(String, Vec<usize>, Vec<u8>)> {
    let bytes = |x: &[T]| x.iter().flat_map(|x| x.le_bytes()).collect::<Vec<u8>>();
    let mut tensors = Vec::new();
    for (i, layer) in network.layers().iter().enumerate() {
        tensors.push((
            format!("layers.{i}.weight"),
            vec![layer.n_out, layer.n_in],
            bytes(network.weight(layer)),
        ));
        if let Some(bias) = network.bias(layer) {
            tensors.push((format!("layers.{i}.bias"), vec![layer.n_out], bytes(bias)));
        }
    }
    tensors
}

fn tensors_sha256(tensors: &[(String, Vec<usize>, Vec<u8>)]) -> String {
    let mut hash = Sha256::new();
    tensors.iter().for_each(|(_, _, bytes)| hash.update(bytes));
    hex(&hash.finalize())
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    let io = |source| ModelError::Io { path: path.into(), source };
    // A pipe or a device might never end.
    if !fs::metadata(path).map_err(io)?.is_file() {
        return Err(ModelError::Contents {
            path: path.into(),
            problem: "is not a file; expected a model".into(),
        });
    }
    fs::read(path).map_err(io)
}

/// The two precisions as they stand in a file.
pub trait Stored: Float {
    /// Their name in safetensors.
    const DTYPE: Dtype;
    /// Their name in NumPy.
    const DESCR: &'static str;
    /// Little-endian bytes.
    fn le_bytes(self) -> impl IntoIterator<Item = u8>;
}

impl Stored for f32 {
    const DTYPE: Dtype = Dtype::F32;
    const DESCR: &'static str = "<f4";
    fn le_bytes(self) -> impl IntoIterator<Item = u8> {
        self.to_le_bytes()
    }
}

impl Stored for f64 {
    const DTYPE: Dtype = Dtype::F64;
    const DESCR: &'static str = "<f8";
    fn le_bytes(self) -> impl IntoIterator<Item = u8> {
        self.to_le_bytes()
    }
}
