//! What the tests of several formats share.
#![allow(dead_code)]

pub mod server;

use std::io::Write;
use std::path::{Path, PathBuf};

use steepest::{Dataset, Inputs, Targets};
use steepest_io::{DataError, DataSpec, Known, LoadOptions, Loaded, load};
use tempfile::TempDir;

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Options that look nowhere but in `folders`, and never ask the network.
pub fn looking_in(folders: &[&Path]) -> LoadOptions {
    let folders = folders.iter().map(|folder| folder.to_path_buf()).collect();
    let known = Known::all().into_iter().map(|known| Known { elsewhere: Vec::new(), ..known }).collect();
    LoadOptions { folders, known, cache: None, fetch: None, ..LoadOptions::default() }
}

pub fn load_path(path: &Path) -> Result<Loaded, DataError> {
    load_with(path, &looking_in(&[]))
}

pub fn load_with(path: &Path, options: &LoadOptions) -> Result<Loaded, DataError> {
    load(&DataSpec::parse(path.to_str().unwrap())?, options)
}

pub fn one(loaded: Result<Loaded, DataError>) -> Dataset {
    match loaded.unwrap() {
        Loaded::One(dataset) => dataset,
        Loaded::Parts { .. } => panic!("two parts, one piece expected"),
    }
}

pub fn both(loaded: Result<Loaded, DataError>) -> (Dataset, Dataset) {
    match loaded.unwrap() {
        Loaded::Parts { train, test } => (train, test),
        Loaded::One(_) => panic!("one piece, two parts expected"),
    }
}

pub fn error<T>(result: Result<T, DataError>) -> DataError {
    result.err().expect("an error")
}

/// The error has the kind and its message says all of `says`.
#[macro_export]
macro_rules! assert_error {
    ($result:expr, $kind:pat $(, $says:expr)*) => {{
        let error = $crate::common::error($result);
        let message = error.to_string();
        assert!(matches!(error, $kind), "{message} ({error:?})");
        $(assert!(message.contains($says), "{message}");)*
    }};
}

pub fn bytes(dataset: &Dataset) -> &[u8] {
    match dataset.inputs() {
        Inputs::Bytes(values) => values,
        _ => panic!("inputs are not bytes"),
    }
}

pub fn floats(dataset: &Dataset) -> &[f32] {
    match dataset.inputs() {
        Inputs::F32(values) => values,
        _ => panic!("inputs are not f32"),
    }
}

pub fn doubles(dataset: &Dataset) -> &[f64] {
    match dataset.inputs() {
        Inputs::F64(values) => values,
        _ => panic!("inputs are not f64"),
    }
}

pub fn classes(dataset: &Dataset) -> (&[u32], Vec<&str>) {
    match dataset.targets() {
        Some(Targets::Classes { labels, names }) => (labels, names.iter().map(String::as_str).collect()),
        other => panic!("targets are not classes: {other:?}"),
    }
}

pub fn values(dataset: &Dataset) -> (&[f64], usize) {
    match dataset.targets() {
        Some(Targets::Values { values, n_outputs }) => (values, *n_outputs),
        other => panic!("targets are not values: {other:?}"),
    }
}

/// The pixels `(6, 2, 2)` and labels of the fixtures.
pub fn expected() -> (Vec<u8>, Vec<u8>) {
    ((0..24).map(|i| (i * 7 % 251) as u8).collect(), vec![3, 0, 1, 2, 1, 0])
}

pub fn write(folder: &TempDir, name: &str, contents: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, contents).unwrap();
    path
}

pub fn gzip(contents: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(contents).unwrap();
    encoder.finish().unwrap()
}

/// An IDX file of unsigned bytes.
pub fn idx(sizes: &[u32], contents: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, sizes.len() as u8];
    sizes.iter().for_each(|size| file.extend(size.to_be_bytes()));
    file.extend(contents);
    file
}

/// The fixtures' data set as a folder of four IDX files.
pub fn idx_folder(folder: &TempDir, name: &str, suffix: &str) -> PathBuf {
    let (x, y) = expected();
    let packed = |file: Vec<u8>| if suffix.ends_with(".gz") { gzip(&file) } else { file };
    for (part, rows) in [("train", 0..4), ("t10k", 4..6)] {
        let n = rows.len() as u32;
        let images = idx(&[n, 2, 2], &x[rows.start * 4..rows.end * 4]);
        let labels = idx(&[n], &y[rows]);
        write(folder, &format!("{name}/{part}-images{}", suffix.replace('?', "3")), &packed(images));
        write(folder, &format!("{name}/{part}-labels{}", suffix.replace('?', "1")), &packed(labels));
    }
    folder.path().join(name)
}

/// Each prefix of a file is refused, without a panic.
pub fn refuses_every_prefix(folder: &TempDir, name: &str, contents: &[u8]) {
    for len in 0..contents.len() {
        let path = write(folder, name, &contents[..len]);
        assert!(load_path(&path).is_err(), "{len} bytes of {name} were taken for a data set");
    }
}

/// No single changed byte makes the readers panic or hang.
pub fn survives_every_flip(folder: &TempDir, name: &str, contents: &[u8]) {
    for at in 0..contents.len() {
        for value in [contents[at] ^ 0x01, contents[at] ^ 0xff] {
            let mut changed = contents.to_vec();
            changed[at] = value;
            let _ = load_path(&write(folder, name, &changed));
        }
    }
}
