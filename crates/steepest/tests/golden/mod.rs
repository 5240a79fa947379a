//! Golden files: what NumPy and SciPy made of the same numbers (`benchmarks/make_golden.py`; the keys are listed in
//! `benchmarks/README.md`).

#![allow(dead_code, reason = "each file of tests uses some of it")]

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use steepest::{Dataset, Float, Inputs, Targets};

/// An array's shape and its numbers, row-major.
pub type Array = (Vec<usize>, Vec<f64>);

pub fn root(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The arrays of an NPZ file in `benchmarks/golden`.
pub struct Golden(pub HashMap<String, Array>);

impl Golden {
    pub fn open(name: &str) -> Self {
        let mut archive =
            zip::ZipArchive::new(File::open(root("benchmarks/golden").join(name)).unwrap()).unwrap();
        let n = archive.len();
        let read = |i: usize| {
            let mut file = archive.by_index(i).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            (file.name().unwrap().strip_suffix(".npy").unwrap().to_string(), parse_npy(&bytes))
        };
        Self((0..n).map(read).collect())
    }

    pub fn array(&self, name: &str) -> &Array {
        self.0.get(name).unwrap_or_else(|| panic!("no array {name}: {:?}", self.0.keys()))
    }

    pub fn numbers(&self, name: &str) -> &[f64] {
        &self.array(name).1
    }

    pub fn number(&self, name: &str) -> f64 {
        self.numbers(name)[0]
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        self.numbers(name).iter().map(|&x| x as u8).collect()
    }

    /// Rows and classes.
    pub fn dataset(&self, x: &str, y: &str) -> Dataset {
        let labels = self.bytes(y).into_iter().map(u32::from).collect();
        let names = (0..10).map(|class| class.to_string()).collect();
        let targets = Targets::Classes { labels, names };
        Dataset::new(Inputs::Bytes(self.bytes(x).into()), self.array(x).0[1], Some(targets)).unwrap()
    }

    /// The rows of each step.
    pub fn batches(&self) -> Vec<Vec<u32>> {
        let (shape, rows) = self.array("batches");
        rows.chunks_exact(shape[1]).map(|rows| rows.iter().map(|&row| row as u32).collect()).collect()
    }

    /// The numbers of arrays with these names, if they are there, one after the other.
    pub fn parameters(&self, names: &[&str], suffix: &str) -> Vec<f64> {
        let arrays = names.iter().filter_map(|name| self.0.get(&format!("{name}{suffix}")));
        arrays.flat_map(|(_, numbers)| numbers.clone()).collect()
    }
}

fn parse_npy(bytes: &[u8]) -> Array {
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..end]).unwrap();
    let after = |key: &str| header.split_once(key).unwrap().1;
    assert!(after("'fortran_order': ").starts_with("False"));
    let shape = after("'shape': (").split_once(')').unwrap().0;
    let shape = shape.split(',').filter_map(|n| n.trim().parse().ok()).collect();
    let data = &bytes[end..];
    let numbers = match &after("'descr': '")[..3] {
        "|u1" => data.iter().map(|&x| f64::from(x)).collect(),
        "<i4" => data.as_chunks().0.iter().map(|&x| f64::from(i32::from_le_bytes(x))).collect(),
        "<f4" => data.as_chunks().0.iter().map(|&x| f64::from(f32::from_le_bytes(x))).collect(),
        "<f8" => data.as_chunks().0.iter().map(|&x| f64::from_le_bytes(x)).collect(),
        other => panic!("{other}"),
    };
    (shape, numbers)
}

#[track_caller]
pub fn assert_close<T: Float>(what: &str, ours: &[T], theirs: &[f64], allowed: f64) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let worst = ours.iter().zip(theirs).map(|(a, b)| (a.to_f64() - b).abs()).fold(0.0, f64::max);
    // Not `worst > allowed`, so that a NaN fails too.
    assert!(worst <= allowed && ours.iter().all(|x| x.is_finite()), "{what}: off by {worst:.1e}");
}
