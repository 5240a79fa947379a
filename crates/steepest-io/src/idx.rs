//! IDX, the format of MNIST: a magic number, big-endian sizes, then bytes; plain or gzip-compressed.

use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use steepest::{Dataset, Inputs, Targets};

use crate::classes::Classes;
use crate::error::DataError;
use crate::file::{Format, open, product, read_bytes, read_rest};
use crate::spec::Part;

// Two zeros, the type (8 is unsigned bytes), the number of dimensions.
const IMAGES: [u8; 4] = [0, 0, 8, 3];
const LABELS: [u8; 4] = [0, 0, 8, 1];

/// Reads one part of a folder with MNIST's four files: images `(n, height, width)` and the labels `(n,)`.
///
/// The files are named as they are published, `train-images-idx3-ubyte` or `train-images.idx3-ubyte`, with or without
/// `.gz`. The classes are 0 to the largest label of both parts.
///
/// # Errors
/// When a file is missing, damaged, not IDX, or the numbers of images and labels differ.
pub fn read_idx_part(folder: &Path, part: Part) -> Result<Dataset, DataError> {
    let images_path = find_or_fail(folder, part, "images", 3)?;
    let labels_path = find_or_fail(folder, part, "labels", 1)?;
    let labels = read_labels(&labels_path)?;
    // Only their largest label is needed from the other part, which may well be absent.
    let others = match find(folder, part.other(), "labels", 1) {
        Some(path) => read_labels(&path)?,
        None => Vec::new(),
    };
    let images = read_images(&images_path)?;
    if images.n != labels.len() {
        return Err(DataError::IdxCounts {
            images: images_path,
            n_images: images.n,
            labels: labels_path,
            n_labels: labels.len(),
        });
    }
    images.into_dataset(Some(Classes::of(&[&labels, &others]).targets(&labels)))
}

/// Reads a single file of images `(n, height, width)`, without targets.
///
/// # Errors
/// When the file is damaged or not an IDX file of images.
pub fn read_idx_images(path: &Path) -> Result<Dataset, DataError> {
    read_images(path)?.into_dataset(None)
}

/// Whether a folder has any of the four files.
pub(crate) fn is_idx_folder(folder: &Path) -> bool {
    [Part::Train, Part::Test]
        .iter()
        .any(|&part| find(folder, part, "images", 3).is_some() || find(folder, part, "labels", 1).is_some())
}

fn find(folder: &Path, part: Part, what: &str, dims: usize) -> Option<PathBuf> {
    let prefix = if part == Part::Train { "train" } else { "t10k" };
    ["-", "."]
        .iter()
        .flat_map(|dot| ["", ".gz"].map(|gz| folder.join(format!("{prefix}-{what}{dot}idx{dims}-ubyte{gz}"))))
        .find(|path| path.exists())
}

fn find_or_fail(folder: &Path, part: Part, what: &str, dims: usize) -> Result<PathBuf, DataError> {
    find(folder, part, what, dims).ok_or_else(|| {
        let prefix = if part == Part::Train { "train" } else { "t10k" };
        DataError::IdxMissing { folder: folder.into(), name: format!("{prefix}-{what}-idx{dims}-ubyte") }
    })
}

struct Images {
    n: usize,
    height: usize,
    width: usize,
    pixels: Vec<u8>, // (n, height, width)
}

impl Images {
    fn into_dataset(self, targets: Option<Targets>) -> Result<Dataset, DataError> {
        let dataset = Dataset::new(Inputs::Bytes(self.pixels), self.height * self.width, targets)?;
        Ok(dataset.with_image(self.height, self.width))
    }
}

fn read_images(path: &Path) -> Result<Images, DataError> {
    let ([n, height, width], pixels) = read_idx(path, "images", IMAGES)?;
    Ok(Images { n, height, width, pixels })
}

fn read_labels(path: &Path) -> Result<Vec<i64>, DataError> {
    let ([_], labels) = read_idx(path, "labels", LABELS)?;
    Ok(labels.into_iter().map(i64::from).collect())
}

/// Reads a file of unsigned bytes with `N` dimensions.
fn read_idx<const N: usize>(
    path: &Path,
    what: &'static str,
    magic: [u8; 4],
) -> Result<([usize; N], Vec<u8>), DataError> {
    let (format, file) = open(path)?;
    let mut reader: Box<dyn Read> = match format {
        Format::Gzip => Box::new(MultiGzDecoder::new(file)),
        _ => Box::new(file),
    };
    let place = path.display().to_string();
    let found: [u8; 4] = read_bytes(&mut reader, "an IDX header", &place)?;
    if found != magic {
        return Err(match format {
            Format::Gzip if !found.starts_with(&[0, 0]) => DataError::Gzip { path: path.into() },
            _ => DataError::IdxMagic { path: path.into(), what, expected: magic, found },
        });
    }
    let mut sizes = [0; N];
    for size in &mut sizes {
        *size = u64::from(u32::from_be_bytes(read_bytes(&mut reader, "an IDX header", &place)?));
    }
    let expected = product(&sizes, &place)?;
    if expected == 0 {
        return Err(DataError::NoData { place, shape: format!("its header announces {sizes:?}") });
    }
    let bytes = read_rest(&mut reader, expected, &place)?;
    // No size is larger than the number of bytes that were read.
    Ok((sizes.map(|size| size as usize), bytes))
}
