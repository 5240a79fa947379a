//! Model files: what is saved comes back bit for bit, and what is damaged is refused with a message.

use std::path::{Path, PathBuf};
use std::process::Command;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use steepest::{Activation, AnyModel, Dataset, Float, Init, Inputs, Model, Network, Plan, Recipe, Targets};
use steepest_io::{Stored, load_model, load_noted, load_weights, model_bytes, save_model, save_noted};
use tempfile::TempDir;

/// A model with 4 inputs (images of 2 x 2), 3 hidden units, 2 classes.
fn model<T: Stored>(precision: &str) -> Model<T> {
    let text = format!("precision = \"{precision}\"\n[network]\nhidden = [3]\nactivation = \"tanh\"");
    let labels = vec![0, 1, 1, 0];
    let targets = Targets::Classes { labels, names: vec!["näin".into(), "no \"x\"".into()] };
    let inputs = Inputs::Bytes((0..16).collect());
    let data = Dataset::new(inputs, 4, Some(targets)).unwrap().with_image(2, 2);
    let plan = Plan::new(Recipe::parse(&text, &[]).unwrap(), &data).unwrap();
    let network = Network::random(plan.network.clone(), Init::HeNormal, Init::HeNormal, 7);
    Model::new(&plan, network)
}

fn bytes() -> Vec<u8> {
    model_bytes(&model::<f32>("f32")).unwrap()
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn write(&self, contents: &[u8]) -> PathBuf {
        let path = self.0.path().join("model.safetensors");
        std::fs::write(&path, contents).unwrap();
        path
    }

    /// What loading `contents` says.
    fn refusal(&self, contents: &[u8]) -> String {
        refusal(&self.write(contents))
    }
}

fn refusal(path: &Path) -> String {
    let message = load_model(path).expect_err("a damaged model was loaded").to_string();
    assert!(message.starts_with(&path.display().to_string()) && message.len() < 1000, "{message}");
    message
}

#[track_caller]
fn assert_refused(contents: &[u8], says: &str) {
    let message = Folder::new().refusal(contents);
    assert!(message.contains(says), "{message}\ndoes not say: {says}");
}

/// The same file with other tensors or another metadata.
fn rewritten(change: impl FnOnce(&mut Vec<Tensor>, &mut String)) -> Vec<u8> {
    let bytes = bytes();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let mut metadata = header.metadata().as_ref().unwrap()["steepest"].clone();
    let tensor = |(name, view): (String, TensorView)| Tensor {
        name,
        dtype: view.dtype(),
        shape: view.shape().to_vec(),
        data: view.data().to_vec(),
    };
    let mut tensors: Vec<Tensor> = file.tensors().into_iter().map(tensor).collect();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    change(&mut tensors, &mut metadata);
    let views = tensors
        .iter()
        .map(|t| (t.name.as_str(), TensorView::new(t.dtype, t.shape.clone(), &t.data).unwrap()));
    safetensors::serialize(views, Some([("steepest".to_string(), metadata)].into())).unwrap()
}

struct Tensor {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

/// Metadata in which `from` is replaced.
fn with_metadata(from: &str, to: &str) -> Vec<u8> {
    rewritten(|_, metadata| {
        assert!(metadata.contains(from), "{metadata}");
        *metadata = metadata.replacen(from, to, 1);
    })
}

fn assert_same<T: Float>(a: &Model<T>, b: &Model<T>) {
    let bits = |m: &Model<T>| m.network.parameters.iter().map(|x| x.to_f64().to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(a), bits(b));
    assert_eq!(a.network.spec(), b.network.spec());
    assert_eq!((&a.recipe, a.head, &a.classes), (&b.recipe, b.head, &b.classes));
    assert_eq!((a.image, a.divide_by), (b.image, b.divide_by));
}

#[test]
fn a_saved_model_comes_back_bit_for_bit_in_both_precisions() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("m.safetensors");
    let (single, double) = (model::<f32>("f32"), model::<f64>("f64"));
    save_model(&single, &path).unwrap();
    let AnyModel::F32(loaded) = load_model(&path).unwrap() else { panic!("not single") };
    assert_same(&single, &loaded);
    assert_eq!(loaded.network.spec().activation, Activation::Tanh);
    assert_eq!(loaded.divide_by, 255.0);
    save_model(&double, &path).unwrap();
    let AnyModel::F64(loaded) = load_model(&path).unwrap() else { panic!("not double") };
    assert_same(&double, &loaded);
    let entries = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(entries, 1, "no temporary file stays behind");
}

#[test]
fn a_note_beside_the_model_comes_back() {
    let (folder, model) = (Folder::new(), model::<f32>("f32"));
    let path = folder.write(&[]);
    let note = "{\"kept\": \"näin\"}";
    save_noted(&model, Some(note), &path).unwrap();
    let (AnyModel::F32(loaded), found) = load_noted(&path).unwrap() else { panic!("of another precision") };
    assert_same(&model, &loaded);
    assert_eq!(found.as_deref(), Some(note));
    assert!(load_model(&path).is_ok(), "who does not ask for it does not notice");
    save_noted(&model, None, &path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes(), "without a note, the file is as ever");
    assert_eq!(load_noted(&path).unwrap().1, None);
    let long = "x".repeat(3 << 20);
    assert!(save_noted(&model, Some(&long), &path).is_err(), "more than a header may be");
}

#[test]
fn the_same_model_gives_the_same_bytes() {
    let folder = TempDir::new().unwrap();
    let paths = ["a", "b"].map(|name| folder.path().join(name));
    let sums = paths.each_ref().map(|path| save_model(&model::<f64>("f64"), path).unwrap());
    let files = paths.map(|path| std::fs::read(path).unwrap());
    assert_eq!((&files[0], &sums[0]), (&files[1], &sums[1]));
    assert_eq!(rewritten(|_, _| {}).len(), bytes().len(), "the tests below change nothing else");
}

#[test]
fn weights_can_be_taken_from_a_model_in_either_precision() {
    let folder = Folder::new();
    let path = folder.write(&bytes());
    let model = model::<f32>("f32");
    let weights: Network<f64> = load_weights(&path, &model.recipe).unwrap();
    let widened: Vec<f64> = model.network.parameters.iter().map(|&x| x.into()).collect();
    assert_eq!(weights.parameters.to_vec(), widened);
}

/// What is saved has batch normalisation folded in; weights to start from have it apart.
#[test]
fn batch_normalisation_in_files() {
    let text = "[network]\nhidden = [3, 2]\nbatch_norm = true\nbias = false";
    let targets = Targets::Values { values: vec![1.0, 2.0, 4.0], n_outputs: 1 };
    let x = vec![0.5, 1.0, -1.0, 2.0, 0.0, 1.5];
    let data = Dataset::new(Inputs::F32(x.into()), 2, Some(targets)).unwrap();
    let plan = Plan::new(Recipe::parse(text, &[]).unwrap(), &data).unwrap();
    let mut network = Network::<f32>::random(plan.network.clone(), Init::HeNormal, Init::HeNormal, 7);
    for (i, x) in network.statistics.iter_mut().enumerate() {
        *x = 0.3 + i as f32;
    }
    let model = Model::new(&plan, network.clone());
    let folder = Folder::new();
    let path = folder.write(&model_bytes(&model).unwrap());
    // A model that somebody made by hand is folded when it is saved.
    let by_hand = Model { network: network.clone(), ..model.clone() };
    assert!(model_bytes(&by_hand).unwrap() == model_bytes(&model).unwrap());
    let AnyModel::F32(loaded) = load_model(&path).unwrap() else { unreachable!() };
    assert_eq!(*loaded.network.parameters, *network.folded().parameters);
    assert_eq!(*loaded.network.spec(), *model.network.spec());
    let logits = |network: &Network<f32>| steepest::logits(network, &data, 1.0, &mut steepest::Pool::new(1));
    assert_eq!(logits(&loaded.network), logits(&network));
    // Where the weights of a run start, nothing is folded yet.
    let message = load_weights::<f32>(&path, &plan.recipe).unwrap_err().to_string();
    assert!(message.contains("has 6 tensors") && message.contains("need 7"), "{message}");

    let tensors = [
        ("layers.0.weight", vec![3, 2], 1.0f32),
        ("layers.0.bias", vec![3], 2.0),
        ("layers.0.scale", vec![3], 3.0),
        ("layers.1.weight", vec![2, 3], 4.0),
        ("layers.1.bias", vec![2], 5.0),
        ("layers.1.scale", vec![2], 6.0),
        ("layers.2.weight", vec![1, 2], 7.0),
    ];
    let stored = |(name, shape, x): &(&str, Vec<usize>, f32)| {
        let n: usize = shape.iter().product();
        (name.to_string(), shape.clone(), x.to_le_bytes().repeat(n))
    };
    let stored: Vec<_> = tensors.iter().map(stored).collect();
    let views = stored.iter().map(|(name, shape, bytes)| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    let path = folder.write(&safetensors::serialize(views, None).unwrap());
    let weights: Network<f32> = load_weights(&path, &plan.recipe).unwrap();
    let expected: Vec<f32> =
        tensors.iter().flat_map(|(_, shape, x)| vec![*x; shape.iter().product()]).collect();
    assert_eq!(*weights.parameters, expected);
    assert_eq!(*weights.statistics, [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
}

#[test]
fn pythons_safetensors_reads_a_model() {
    let python = std::env::var("STEEPEST_PYTHON").unwrap_or("python3".into());
    let has =
        |code: &str| Command::new(&python).args(["-c", code]).output().is_ok_and(|o| o.status.success());
    if !has("import numpy, safetensors.numpy") {
        eprintln!("SKIPPED: {python} has no numpy and safetensors (STEEPEST_PYTHON names another Python)");
        return;
    }
    let folder = Folder::new();
    let path = folder.write(&bytes());
    let code = "import sys; from safetensors import safe_open; f = safe_open(sys.argv[1], 'np')\n\
                for k in sorted(f.keys()): t = f.get_tensor(k); print(k, t.dtype, t.shape, repr(float(t.flat[0])))\n\
                print(sorted(f.metadata()))";
    let output = Command::new(&python).args(["-c", code]).arg(&path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let model = model::<f32>("f32");
    let first = |of: &[f32]| format!("{:?}", f64::from(of[0]));
    let [hidden, last] = model.network.layers() else { panic!("two layers") };
    let expected = format!(
        "layers.0.bias float32 (3,) {}\nlayers.0.weight float32 (3, 4) {}\n\
         layers.1.bias float32 (2,) {}\nlayers.1.weight float32 (2, 3) {}\n['steepest']\n",
        first(model.network.bias(hidden).unwrap()),
        first(model.network.weight(hidden)),
        first(model.network.bias(last).unwrap()),
        first(model.network.weight(last)),
    );
    assert_eq!(text, expected);
}

#[test]
fn every_truncated_file_is_refused() {
    let (folder, bytes) = (Folder::new(), bytes());
    (0..bytes.len()).for_each(|len| drop(folder.refusal(&bytes[..len])));
    folder.refusal(&[&bytes[..], &[0]].concat());
}

#[test]
fn no_flipped_byte_makes_it_panic_and_none_among_the_weights_goes_unnoticed() {
    let (folder, bytes) = (Folder::new(), bytes());
    let data = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    for at in 0..bytes.len() {
        for flip in [0x01, 0x20, 0xff] {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            let path = folder.write(&changed);
            let result = load_model(&path);
            assert!(at < data || result.is_err(), "byte {at}, flipped by {flip:#x}, went unnoticed");
        }
    }
    let mut changed = bytes;
    changed[data] ^= 1;
    assert_refused(&changed, "checksum");
}

#[test]
fn a_header_of_any_length_is_refused_at_once() {
    for len in [u64::MAX, 1 << 62, 1 << 40, 100_000_001, 0] {
        let mut changed = bytes();
        changed[..8].copy_from_slice(&len.to_le_bytes());
        assert_refused(&changed, "not a safetensors file, or damaged");
    }
}

#[test]
fn tensors_must_be_those_of_the_plan() {
    let missing = |name: &'static str| rewritten(move |tensors, _| tensors.retain(|t| t.name != name));
    assert_refused(&missing("layers.0.weight"), "has no tensor layers.0.weight");
    assert_refused(&missing("layers.1.bias"), "3 tensors; the recipe's 2 layers need 4");
    let extra = rewritten(|tensors, _| {
        tensors.push(Tensor { name: "x".into(), dtype: Dtype::F32, shape: vec![1], data: vec![0; 4] });
    });
    assert_refused(&extra, "5 tensors; the recipe's 2 layers need 4");
    // Sorted by name: layers.0.bias, layers.0.weight, layers.1.bias, layers.1.weight.
    let shaped = |at: usize, shape: &'static [usize]| rewritten(move |t, _| t[at].shape = shape.to_vec());
    assert_refused(&shaped(1, &[4, 3]), "layers.1.weight is (2, 3), which does not follow");
    assert_refused(&shaped(1, &[12]), "does not have two dimensions");
    assert_refused(&shaped(0, &[3, 1]), "layers.0.bias has shape [3, 1]; expected (3,)");
    assert_refused(&shaped(3, &[3, 2]), "layers.1.weight is (3, 2)");
    let empty = rewritten(|t, _| (t[1].shape, t[1].data) = (vec![0, 4], Vec::new()));
    assert_refused(&empty, "layers.0.weight is (0, 4)");
}

#[test]
fn weights_must_be_finite_floats() {
    let dtype = |dtype| rewritten(move |tensors, _| tensors[1].dtype = dtype);
    assert_refused(&dtype(Dtype::I32), "layers.0.weight is I32; expected F32 or F64");
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let file = rewritten(|tensors, _| tensors[1].data[8..12].copy_from_slice(&bad.to_le_bytes()));
        assert_refused(&file, &format!("layers.0.weight has {bad} at element 2"));
    }
}

#[test]
fn a_file_of_weights_alone_is_not_a_model() {
    let bytes = bytes();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let bare = |metadata| safetensors::serialize(file.tensors(), metadata).unwrap();
    assert_refused(&bare(None), "not a model of Steepest");
    assert_refused(&bare(Some([("format".into(), "pt".into())].into())), "--init-from");
}

#[test]
fn damaged_metadata_is_refused() {
    assert_refused(&rewritten(|_, metadata| *metadata = "{".into()), "metadata is damaged");
    assert_refused(&rewritten(|_, metadata| metadata.clear()), "metadata is damaged");
    assert_refused(&with_metadata("\"version\":1", "\"version\":2"), "is of version 2");
    assert_refused(&with_metadata("\"version\":1,", ""), "missing field `version`");
    assert_refused(&with_metadata("\"version\":1", "\"version\":1,\"more\":0"), "unknown field");
    assert_refused(&with_metadata("\"image\":[2,2]", "\"image\":[2,3]"), "images are");
    let overflowing = format!("\"image\":[{0},{0}]", u64::MAX);
    assert_refused(&with_metadata("\"image\":[2,2]", &overflowing), "images are");
    let sum = rewritten(|_, metadata| {
        let at = metadata.find("\"tensors_sha256\":\"").unwrap() + 18;
        let other = if &metadata[at..=at] == "0" { "1" } else { "0" };
        metadata.replace_range(at..=at, other);
    });
    assert_refused(&sum, "checksum");
}

#[test]
fn a_damaged_plan_is_refused() {
    assert_refused(&with_metadata("[network]", "[netwerk]"), "plan is damaged");
    assert_refused(&with_metadata("seed = 0", "seed = "), "plan is damaged");
    assert_refused(&with_metadata("hidden = [3]", "hidden = [4]"), "its plan has hidden layers [4]");
    assert_refused(&with_metadata("hidden = [3]", "hidden = []"), "4 tensors; the recipe's 1 layers need 2");
    assert_refused(&with_metadata("output = \\\"softmax\\\"", ""), "what the output layer is");
    assert_refused(&with_metadata("divide_by = 255.0", ""), "how inputs are scaled");
    assert_refused(&with_metadata("bias = true", "bias = false"), "4 tensors; the recipe's 2 layers need 2");
}

#[test]
fn a_plan_whose_numbers_make_no_sense_is_refused() {
    for divisor in ["0.0", "nan", "inf"] {
        assert_refused(&with_metadata("divide_by = 255.0", &format!("divide_by = {divisor}")), "scaled");
    }
}

#[test]
fn class_names_must_be_as_many_as_outputs() {
    assert_refused(&with_metadata("\"näin\",", ""), "1 class names, but the network has 2 outputs");
    assert_refused(&with_metadata("\"näin\",", "\"a\",\"b\","), "3 class names");
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = TempDir::new().unwrap();
    assert!(refusal(folder.path()).contains("is not a file"));
    refusal(&folder.path().join("nothing"));
    assert_refused(b"", "not a safetensors file, or damaged");
    assert_refused(b"label,pixel0\n1,2\n", "not a safetensors file, or damaged");
}
