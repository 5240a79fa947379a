//! IDX, the format of MNIST: a magic number, big-endian sizes, then numbers; plain or gzip-compressed.

use std::path::{Path, PathBuf};

use steepest::Dataset;

use crate::array::Array;
use crate::error::DataError;
use crate::file::{Opened, open, read_bytes};
use crate::numbers::{Announced, Dtype, Use};
use crate::spec::Part;

/// Reads one part of a folder with MNIST's four files: images `(n, height, width)` and the labels `(n)`.
///
/// The files are named as they are published, `train-images-idx3-ubyte` or `train-images.idx3-ubyte`, with or without
/// `.gz`; arrays of other types and ranks say so in their names, as in `train-images-idx2-float`. Labels that are whole
/// numbers are classes: 0 to the largest label of both parts.
///
/// # Errors
/// When a file is missing, damaged, not IDX, or the numbers of images and labels differ.
pub fn read_idx_part(folder: &Path, part: Part) -> Result<Dataset, DataError> {
    let images_path = find_or_fail(folder, part, "images", 3)?;
    let labels_path = find_or_fail(folder, part, "labels", 1)?;
    let labels = read_array(&labels_path, Use::Targets)?;
    // Only their largest label is needed from the other part, which may well be absent.
    let others =
        find(folder, part.other(), "labels").map(|path| read_array(&path, Use::Targets)).transpose()?;
    let images = read_array(&images_path, Use::Inputs)?;
    if images.n_rows() != labels.n_rows() {
        return Err(DataError::IdxCounts {
            images: images_path,
            n_images: images.n_rows(),
            labels: labels_path,
            n_labels: labels.n_rows(),
        });
    }
    let targets = labels.into_targets(others, &labels_path.display().to_string())?;
    let (inputs, layout) = images.into_inputs(&images_path.display().to_string())?;
    layout.dataset(inputs, Some(targets))
}

/// Reads a single file of any type and rank, rows along its first dimension, without targets.
///
/// # Errors
/// When the file is damaged or not IDX.
pub fn read_idx(path: &Path) -> Result<Dataset, DataError> {
    let (inputs, layout) = read_array(path, Use::Inputs)?.into_inputs(&path.display().to_string())?;
    layout.dataset(inputs, None)
}

/// The parts of which a folder has a file.
pub(crate) fn idx_parts(folder: &Path) -> Vec<Part> {
    let has = |part, what| find(folder, part, what).is_some();
    let is_there = |part: &Part| has(*part, "images") || has(*part, "labels");
    [Part::Train, Part::Test].into_iter().filter(is_there).collect()
}

/// What the names of a part's files begin with.
pub(crate) fn prefix(part: Part) -> &'static str {
    match part {
        Part::Train => "train",
        Part::Test => "t10k",
    }
}

/// A part's file of images or labels; of several, a plain one rather than a compressed one.
fn find(folder: &Path, part: Part, what: &str) -> Option<PathBuf> {
    let is_meant = |name: &str| {
        let rest = name.strip_prefix(prefix(part))?.strip_prefix('-')?.strip_prefix(what)?;
        let rest = rest.strip_prefix(['-', '.'])?.strip_prefix("idx")?;
        let (rank, kind) = rest.strip_suffix(".gz").unwrap_or(rest).split_once('-')?;
        let is_rank = !rank.is_empty() && rank.bytes().all(|byte| byte.is_ascii_digit());
        (is_rank && !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_lowercase())).then_some(())
    };
    let entries = folder.read_dir().ok()?.filter_map(Result::ok).map(|entry| entry.path());
    let named = entries.filter(|path| path.file_name().and_then(|name| is_meant(name.to_str()?)).is_some());
    named.min()
}

fn find_or_fail(folder: &Path, part: Part, what: &str, rank: usize) -> Result<PathBuf, DataError> {
    find(folder, part, what).ok_or_else(|| {
        let name = format!("{}-{what}-idx{rank}-ubyte", prefix(part));
        DataError::IdxMissing { folder: folder.into(), name }
    })
}

fn read_array(path: &Path, what_for: Use) -> Result<Array, DataError> {
    let Opened { mut reader, extent, .. } = open(path)?;
    let place = path.display().to_string();
    let found: [u8; 4] = read_bytes(&mut reader, "an IDX header", &place)?;
    let (dtype, rank) = match found {
        [0, 0, 0x08, rank] => (Dtype::U8, rank),
        [0, 0, 0x09, rank] => (Dtype::I8, rank),
        [0, 0, 0x0b, rank] => (Dtype::I16, rank),
        [0, 0, 0x0c, rank] => (Dtype::I32, rank),
        [0, 0, 0x0d, rank] => (Dtype::F32, rank),
        [0, 0, 0x0e, rank] => (Dtype::F64, rank),
        _ => return Err(DataError::IdxMagic { path: path.into(), found }),
    };
    let mut shape = Vec::new();
    for _ in 0..rank {
        shape.push(u64::from(u32::from_be_bytes(read_bytes(&mut reader, "an IDX header", &place)?)));
    }
    let announced = Announced { dtype, big_endian: true, fortran_order: false, shape };
    Array::read(&mut reader, &announced, extent, what_for, &place)
}
