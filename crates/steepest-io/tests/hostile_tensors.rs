//! Malformed safetensors files: the readers of models and of checkpoints refuse each of them, soon, in little memory, and
//! with a short message that names the file.

use std::path::Path;
use std::time::{Duration, Instant};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Value as Json, json};
use steepest::{Dataset, Inputs, Plan, Recipe, Session, Start, Targets};
use steepest_io::{
    BestCheckpoint, Checkpoint, DataSums, Metrics, RunStart, load_checkpoint, load_model, load_weights,
    model_bytes, save_checkpoint,
};
use tempfile::TempDir;

const MOST_TIME: Duration = Duration::from_millis(100);
const MOST_MEMORY: u64 = 128 << 20;

fn session(precision: &str) -> Session<f32> {
    let text = format!(
        "precision = \"{precision}\"\n[data]\nval_split = 2\n[network]\nhidden = [3]\n[training]\niterations = 9\npatience = 5"
    );
    let targets = Targets::Classes { labels: vec![0, 1, 1, 0, 1, 0], names: vec!["no".into(), "yes".into()] };
    let data = Dataset::new(Inputs::Bytes((0..24).map(|i| i * 10).collect()), 4, Some(targets)).unwrap();
    let plan = Plan::new(Recipe::parse(&text, &[]).unwrap(), &data).unwrap();
    let mut session = Session::new(plan, data, None, Start::default(), 1).unwrap();
    (0..3).for_each(|_| assert!(session.advance().unwrap().stop.is_none()));
    session
}

fn checkpoint() -> Checkpoint<f32> {
    let mut session = session("f32");
    let line = |iteration, validation_loss| Metrics {
        iteration,
        epoch: 1,
        lr: 0.1,
        loss: 1.0 / 3.0,
        accuracy: Some(0.5),
        validation_loss,
        validation_accuracy: None,
    };
    let sums = DataSums::of(session.trainer().data(), session.validation(), None);
    Checkpoint {
        plan: session.plan().recipe.to_toml(),
        start: RunStart::new(sums, None, false),
        state: session.state(),
        history: vec![line(0, None), line(2, Some(0.1 + 0.2))],
        seconds: 0.7,
        best: Some(BestCheckpoint { step: 2, loss: 0.1 + 0.2 }),
    }
}

/// The two kinds of files, and how each is read.
struct Kind {
    name: &'static str,
    bytes: Vec<u8>,
    read: fn(&Path) -> Result<(), String>,
}

fn kinds() -> [Kind; 2] {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("c");
    save_checkpoint(&checkpoint(), &path).unwrap();
    [
        Kind {
            name: "model.safetensors",
            bytes: model_bytes(&session("f32").model()).unwrap(),
            read: |path| load_model(path).map(drop).map_err(|e| e.to_string()),
        },
        Kind {
            name: "checkpoint.safetensors",
            bytes: std::fs::read(&path).unwrap(),
            read: |path| load_checkpoint::<f32>(path).map(drop).map_err(|e| e.to_string()),
        },
    ]
}

/// A file as its header, as JSON, and its data.
#[derive(Clone)]
struct File {
    header: Json,
    data: Vec<u8>,
}

impl File {
    fn of(bytes: &[u8]) -> Self {
        let end = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        Self { header: serde_json::from_slice(&bytes[8..end]).unwrap(), data: bytes[end..].to_vec() }
    }

    fn bytes(&self) -> Vec<u8> {
        with_header(self.header.to_string().as_bytes(), &self.data)
    }

    /// Names of the tensors, by where they lie.
    fn names(&self) -> Vec<String> {
        let tensors = self.header.as_object().unwrap().iter().filter(|(name, _)| *name != "__metadata__");
        let mut names: Vec<(u64, String)> =
            tensors.map(|(name, info)| (info["data_offsets"][0].as_u64().unwrap(), name.clone())).collect();
        names.sort();
        names.into_iter().map(|(_, name)| name).collect()
    }

    /// A vector of floats among them.
    fn vector(&self) -> String {
        let is_vector = |name: &String| {
            let info = &self.header[name];
            info["dtype"] == "F32" && info["shape"].as_array().unwrap().len() == 1
        };
        self.names().into_iter().find(is_vector).unwrap()
    }
}

fn with_header(header: &[u8], data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header, data].concat()
}

/// Files that are no longer what they were: what was done, and their bytes.
fn malformed(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let whole = File::of(bytes);
    let (names, vector) = (whole.names(), whole.vector());
    let (first, last) = (&names[0], &names[names.len() - 1]);
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add = |what: &str, bytes: Vec<u8>| files.push((what.into(), bytes));

    // The first eight bytes.
    add("nothing", vec![]);
    add("seven bytes", bytes[..7].to_vec());
    add("no header", bytes[..8].to_vec());
    for length in [
        0,
        1,
        2,
        whole.data.len() as u64 + 1,
        1 << 21,
        (1 << 21) + 1,
        100_000_000,
        1 << 40,
        1 << 63,
        u64::MAX,
    ] {
        let mut changed = bytes.to_vec();
        changed[..8].copy_from_slice(&length.to_le_bytes());
        add(&format!("a header of {length} bytes"), changed);
    }
    // The header's text.
    let bomb = |text: String| with_header(text.as_bytes(), &whole.data);
    add("not JSON", bomb("{".into()));
    add("not Unicode", with_header(b"{\"\xff\":1}", &whole.data));
    add("an array", bomb("[]".into()));
    add("an empty object", bomb("{}".into()));
    add("numbers", bomb("{\"a\":1}".into()));
    add("a control character for a name", bomb("{\"\\u001b[2J\\n\":1}".into()));
    add("deep nesting", bomb(format!("{{\"a\":{}", "[".repeat(1 << 20))));
    add("a long array", bomb(format!("{{\"a\":[{}0]}}", "0,".repeat((1 << 20) - 10))));
    add("a long name", bomb(format!("{{\"{}\":1}}", "a".repeat(2_000_000))));
    add("white space", bomb(format!("{{{}}}", " ".repeat(2_000_000))));
    let empty = |i: usize| format!("\"{i}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}");
    let many: Vec<String> = (0..30_000).map(empty).collect();
    add("thirty thousand tensors", with_header(format!("{{{}}}", many.join(",")).as_bytes(), &[]));
    let dimensions = format!("[{}0]", "1,".repeat(1_000_000));
    let wide = format!("{{\"a\":{{\"dtype\":\"F32\",\"shape\":{dimensions},\"data_offsets\":[0,0]}}}}");
    add("a million dimensions", with_header(wide.as_bytes(), &[]));

    let mut change = |what: &str, change: &dyn Fn(&mut File)| {
        let mut file = whole.clone();
        change(&mut file);
        add(what, file.bytes());
    };
    // Offsets and shapes that lie.
    change("data cut off", &|file| file.data.truncate(file.data.len() - 1));
    change("data behind the data", &|file| file.data.push(0));
    change("no data", &|file| file.data.clear());
    let offsets = |name: &str, start: u64, end: u64| {
        let name = name.to_string();
        move |file: &mut File| file.header[&name]["data_offsets"] = json!([start, end])
    };
    let data = whole.data.len() as u64;
    change("offsets past the end", &offsets(last, data, data + 4));
    change("offsets reversed", &offsets(first, 4, 0));
    change("offsets that overlap", &offsets(last, 0, 4));
    change("offsets beyond all memory", &offsets(last, u64::MAX - 3, u64::MAX));
    let shape = |name: &str, shape: Json| {
        let name = name.to_string();
        move |file: &mut File| file.header[&name]["shape"] = shape.clone()
    };
    change("a shape that is too large", &shape(&vector, json!([1_000_000])));
    change("a shape that overflows", &shape(&vector, json!([u64::MAX, 8])));
    change("a shape of nothing", &shape(&vector, json!([0])));
    change("a negative shape", &shape(&vector, json!([-1])));
    change("a fraction for a shape", &shape(&vector, json!([1.5])));
    change("an unknown dtype", &|file| file.header[&vector]["dtype"] = json!("F33"));
    change("integers for floats", &|file| file.header[&vector]["dtype"] = json!("I32"));
    change("another number of bits", &|file| file.header[&vector]["dtype"] = json!("F16"));
    // Tensors.
    change("a missing tensor", &|file| drop(file.header.as_object_mut().unwrap().remove(last)));
    change("an empty tensor more", &|file| {
        file.header["more"] = json!({"dtype": "F32", "shape": [0], "data_offsets": [data, data]});
    });
    change("another name", &|file| {
        let info = file.header.as_object_mut().unwrap().remove(&vector).unwrap();
        file.header["\u{1b}[31mred"] = info;
    });
    let start = whole.header[&vector]["data_offsets"][0].as_u64().unwrap() as usize;
    for (what, number) in [("NaN", f32::NAN), ("infinity", f32::INFINITY), ("another number", 0.12345)] {
        change(&format!("{what} among the numbers"), &|file: &mut File| {
            file.data[start..start + 4].copy_from_slice(&number.to_le_bytes());
        });
    }
    // Metadata.
    change("no metadata", &|file| drop(file.header.as_object_mut().unwrap().remove("__metadata__")));
    change("other metadata", &|file| file.header["__metadata__"] = json!({"format": "pt"}));
    change("metadata that are no text", &|file| file.header["__metadata__"] = json!({"steepest": 1}));
    let key = whole.header["__metadata__"].as_object().unwrap().keys().next().unwrap().clone();
    let text = whole.header["__metadata__"][&key].as_str().unwrap().to_string();
    let inner = |from: &str, to: &str| {
        assert!(text.contains(from), "{text}");
        let (key, text) = (key.clone(), text.replacen(from, to, 1));
        move |file: &mut File| file.header["__metadata__"][&key] = json!(text)
    };
    change("another version", &inner("\"version\":1", "\"version\":2"));
    change("no version", &inner("\"version\":1,", ""));
    change("an unknown key", &inner("\"version\":1", "\"version\":1,\"more\":0"));
    change("half of the metadata", &inner(&text[text.len() / 2..], ""));
    change("another checksum", &inner("sha256\":\"", "sha256\":\"0"));
    change("another plan", &inner("seed = 0", "seed = "));
    files
}

#[test]
fn every_malformed_file_is_refused_soon_and_in_little_memory() {
    let folder = TempDir::new().unwrap();
    for kind in kinds() {
        let path = folder.path().join(kind.name);
        std::fs::write(&path, File::of(&kind.bytes).bytes()).unwrap();
        (kind.read)(&path).expect("what the test changes is read as long as it is whole");
        let files = malformed(&kind.bytes);
        assert!(files.len() > 50, "{}", files.len());
        for (what, bytes) in files {
            std::fs::write(&path, &bytes).unwrap();
            let Err(message) = (kind.read)(&path) else { panic!("{}: {what} was read", kind.name) };
            assert!(message.contains(kind.name), "{what}: {message}");
            let is_of_number = what.starts_with("NaN") || what.starts_with("infinity");
            assert!(!is_of_number || message.contains("expected finite numbers"), "{what}: {message}");
            assert!(message.len() < 1000 && !message.contains(char::is_control), "{what}: {message:?}");
            let time = || {
                let started = Instant::now();
                let _ = (kind.read)(&path);
                started.elapsed()
            };
            // A run may be held up by others: the best of a few counts.
            assert!((0..5).any(|_| time() < MOST_TIME), "{}: {what} takes too long", kind.name);
            // It never falls, so the first file that takes more is to blame.
            assert!(peak_memory() < MOST_MEMORY, "{}: {what} takes {} bytes", kind.name, peak_memory());
        }
    }
}

#[test]
fn every_cut_and_every_flip_in_a_checkpoint_is_noticed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let [_, Kind { bytes, .. }] = kinds();
    for length in 0..bytes.len() {
        std::fs::write(&path, &bytes[..length]).unwrap();
        load_checkpoint::<f32>(&path).expect_err("a part was read");
    }
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= if at % 2 == 0 { 0x01 } else { 0xff };
        std::fs::write(&path, &changed).unwrap();
        if let Ok(read) = load_checkpoint::<f32>(&path) {
            // White space of the header may be another.
            assert_eq!(read, checkpoint(), "byte {at}");
        }
    }
}

#[test]
fn a_checkpoint_comes_back_bit_for_bit() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let before = checkpoint();
    save_checkpoint(&before, &path).unwrap();
    let read = load_checkpoint(&path).unwrap();
    assert_eq!(read, before);
    session("f32");
    // It is neither of another precision, nor a model, nor weights.
    let message = load_checkpoint::<f64>(&path).unwrap_err().to_string();
    assert!(message.contains("is F32") && message.contains("or F64 with one"), "{message}");
    let message = load_model(&path).unwrap_err().to_string();
    assert!(message.contains("it is a checkpoint of a run: steepest train --resume"), "{message}");
    let recipe = Recipe::parse(&before.plan, &[]).unwrap();
    assert!(load_weights::<f32>(&path, &recipe).unwrap_err().to_string().contains("has no tensor layers.0"));
    let names = std::fs::read_dir(folder.path()).unwrap();
    assert_eq!(names.count(), 1, "no temporary file stays behind");

    // Other programs read it, too.
    let bytes = std::fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let step: TensorView = file.tensor("step").unwrap();
    assert_eq!((step.dtype(), step.shape(), step.data()), (Dtype::U64, &[][..], &3u64.to_le_bytes()[..]));
    assert_eq!(file.tensor("parameters").unwrap().shape(), [3 * 4 + 3 + 2 * 3 + 2]);
}

/// The most memory that this process has held so far; 0 elsewhere than on Linux.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10)
}
