//! Files of other people: unusual ones are read, malformed ones refused, soon and in little memory.
//!
//! The files and what must come of them are made by `corpus/make_corpus.py`, those of Parquet by `corpus/make_parquet.py`.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use steepest::{Dataset, Inputs, Plan, Recipe, Targets};
use steepest_io::{CsvOptions, DataSpec, LoadOptions, Loaded, TableOptions, load, load_model, read_table};

/// A refusal takes less.
const MOST_TIME: Duration = Duration::from_millis(100);
const MOST_MEMORY: u64 = 128 << 20;

#[test]
fn every_file_is_read_or_refused_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let lists: &[&str] = if cfg!(feature = "parquet") {
        &["expected.json", "expected_parquet.json"]
    } else {
        &["expected.json"]
    };
    let mut expected = serde_json::Map::new();
    for list in lists {
        let list = std::fs::read_to_string(folder.join(list)).unwrap();
        expected.extend(serde_json::from_str::<serde_json::Map<String, Value>>(&list).unwrap());
    }
    if peak_memory().is_none() {
        eprintln!("skipped: peak memory is only known on Linux");
    }
    let mut failures = Vec::new();
    for (name, outcome) in &expected {
        let path = folder.join(name);
        assert!(path.is_file(), "{name} is missing: make_corpus.py or make_parquet.py writes it");
        let read = |path: &Path| match outcome["recipe"].as_str() {
            Some(keys) => read_columns(path, keys),
            None => read(path),
        };
        let found = read(&path);
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
        // It never falls, so the first file that takes more is to blame.
        assert!(
            peak_memory().is_none_or(|peak| peak < MOST_MEMORY),
            "{name} takes more than {MOST_MEMORY} bytes"
        );
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

/// Reads a table and encodes its columns, as a recipe with these keys of `[data]` says.
fn read_columns(path: &Path, keys: &str) -> Result<Option<Dataset>, String> {
    let text = format!("precision = \"f64\"\n[data]\nshuffle = false\nval_split = 0\n{keys}");
    let recipe = Recipe::parse(&text, &[]).unwrap();
    let (target, kinds) = (recipe.data.target.clone(), recipe.data.columns.clone());
    let columns = TableOptions::New { target, drop: recipe.data.drop.clone().unwrap_or_default(), kinds };
    let table = read_table(path, &columns).map_err(|error| error.to_string())?;
    Plan::of_table(recipe, &table).map(|(_, data)| Some(data)).map_err(|error| error.to_string())
}

/// What of the data is not as expected.
fn differs(found: &Option<Dataset>, expected: &Value) -> Option<String> {
    let Some(found) = found else { return Some("is no model".into()) };
    let numbers = |value: &Value| -> Vec<f64> {
        let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok());
        value.as_array().unwrap().iter().map(|value| number(value).unwrap()).collect()
    };
    let inputs: Vec<f64> = expected["inputs"].as_array().unwrap().iter().flat_map(numbers).collect();
    let found_inputs: Vec<f64> = match found.inputs() {
        Inputs::Bytes(values) => values.iter().map(|&value| value.into()).collect(),
        Inputs::F32(values) => values.iter().map(|&value| value.into()).collect(),
        Inputs::F64(values) => values.to_vec(),
        Inputs::Drawn { .. } | Inputs::Sparse(_) => vec![],
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

/// The most memory that this process, which has no other test, has held so far; unknown elsewhere than on Linux.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
}
