//! Files of other people: unusual ones are read, malformed ones refused, soon and in little memory.
//!
//! The files and what must come of them are made by `corpus/make_corpus.py`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use steepest::{Dataset, Inputs, Targets};
use steepest_io::{CsvOptions, DataSpec, LoadOptions, Loaded, load, load_model};

/// A refusal takes less.
const MOST_TIME: Duration = Duration::from_millis(100);
const MOST_MEMORY: usize = 128 << 20;

#[test]
fn every_file_is_read_or_refused_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let expected = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let expected: serde_json::Map<String, Value> = serde_json::from_str(&expected).unwrap();
    let mut failures = Vec::new();
    for (name, outcome) in &expected {
        let path = folder.join(name);
        assert!(path.is_file(), "{name} is missing: make_corpus.py writes it");
        let (found, memory) = peak_of(|| read(&path));
        let failure = match (&found, outcome["refused"].as_str()) {
            (Ok(found), None) => differs(found, outcome),
            (Ok(_), Some(_)) => Some("was read, and should be refused".into()),
            (Err(message), None) => Some(format!("was refused: {message}")),
            (Err(message), Some(part)) if !message.contains(part) => {
                Some(format!("{part:?} is not in: {message}"))
            }
            (Err(message), _) if message.len() > 1000 || message.contains(char::is_control) => {
                Some(format!("no message to print: {message:?}"))
            }
            (Err(message), _) if !message.contains(name) => {
                Some(format!("the file is not named in: {message}"))
            }
            // A run may be held up by others: the best of a few counts.
            (Err(_), _) if (0..5).all(|_| time_of(|| read(&path)) > MOST_TIME) => {
                Some("took too long".into())
            }
            _ => None,
        };
        failures.extend(failure.map(|failure| format!("{name}: {failure}")));
        if memory > MOST_MEMORY {
            failures.push(format!("{name}: {memory} bytes of memory"));
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), expected.len(), failures.join("\n"));
}

/// Reads a file as the command line does.
fn read(path: &Path) -> Result<Option<Dataset>, String> {
    if path.extension().is_some_and(|extension| extension == "safetensors") {
        return load_model(path).map(|_| None).map_err(|error| error.to_string());
    }
    let csv = CsvOptions { double: true, ..CsvOptions::default() };
    let options = LoadOptions { csv, folders: vec![], known: vec![], cache: None, ..LoadOptions::default() };
    match load(&DataSpec::parse(path.to_str().unwrap()).unwrap(), &options) {
        Ok(Loaded::One(data) | Loaded::Parts { train: data, .. }) => Ok(Some(data)),
        Err(error) => Err(error.to_string()),
    }
}

/// What of the data is not as expected.
fn differs(found: &Option<Dataset>, expected: &Value) -> Option<String> {
    let Some(found) = found else { return Some("is no model".into()) };
    let numbers = |value: &Value| -> Vec<f64> {
        value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    };
    let inputs: Vec<f64> = expected["inputs"].as_array().unwrap().iter().flat_map(numbers).collect();
    let found_inputs: Vec<f64> = match found.inputs() {
        Inputs::Bytes(values) => values.iter().map(|&value| value.into()).collect(),
        Inputs::F32(values) => values.iter().map(|&value| value.into()).collect(),
        Inputs::F64(values) => values.clone(),
        Inputs::Drawn { .. } => vec![],
    };
    if found_inputs != inputs {
        return Some(format!("inputs {found_inputs:?}"));
    }
    let image = expected["image"].as_array().map(|_| numbers(&expected["image"]));
    if found.image().map(|(height, width)| vec![height as f64, width as f64]) != image {
        return Some(format!("image {:?}", found.image()));
    }
    let targets: Option<Vec<Value>> = found.targets().map(|targets| match targets {
        Targets::Classes { labels, names } => {
            labels.iter().map(|&label| names[label as usize].clone().into()).collect()
        }
        Targets::Values { values, .. } => values.iter().map(|&value| value.into()).collect(),
    });
    let same = match (&targets, expected["targets"].as_array()) {
        (None, None) => true,
        (Some(found), Some(expected)) => {
            found.len() == expected.len()
                && found
                    .iter()
                    .zip(expected)
                    .all(|(a, b)| a == b || (a.is_number() && a.as_f64() == b.as_f64()))
        }
        _ => false,
    };
    (!same).then(|| format!("targets {targets:?}"))
}

fn time_of<T>(run: impl Fn() -> T) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

/// Counts what is allocated. This file has one test, so no other thread but the reader's own allocates meanwhile.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `run` returns, and the most memory it held at a time.
fn peak_of<T>(run: impl Fn() -> T) -> (T, usize) {
    let before = NOW.load(Ordering::SeqCst);
    PEAK.store(before, Ordering::SeqCst);
    let result = run();
    (result, PEAK.load(Ordering::SeqCst).saturating_sub(before))
}

// SAFETY: the system's allocator does all the work, with the arguments as they came.
#[expect(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::SeqCst) + layout.size();
        PEAK.fetch_max(now, Ordering::SeqCst);
        // SAFETY: what the caller promises, it promises the system.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::SeqCst) + layout.size();
        PEAK.fetch_max(now, Ordering::SeqCst);
        // SAFETY: the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::SeqCst);
        // SAFETY: the same.
        unsafe { System.dealloc(place, layout) }
    }
}
