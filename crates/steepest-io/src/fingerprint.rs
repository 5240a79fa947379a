//! A checksum by which data sets are told apart.

use sha2::{Digest, Sha256};
use steepest::{Dataset, Inputs, Targets};

/// Of drawn inputs, this many images stand for all.
const DRAWN_SAMPLES: usize = 16;

/// The SHA-256 of a data set's contents, as 64 hexadecimal digits: sizes, inputs in the form in which they are stored,
/// targets and class names. It does not depend on the file format.
///
/// Of sparse rows, the entries that are not zero are hashed, in the order of their columns. Of inputs that are drawn, the row numbers are hashed, and up to 16 rows spread over all of them as epoch 0 draws them.
pub fn fingerprint(dataset: &Dataset) -> String {
    let mut hash = Sha256::new();
    hash_text(&mut hash, "steepest data set 1");
    hash_number(&mut hash, dataset.n_samples());
    hash_number(&mut hash, dataset.n_features());
    match dataset.inputs() {
        Inputs::Bytes(values) => {
            hash_text(&mut hash, "bytes");
            hash.update(&values[..]);
        }
        Inputs::F32(values) => {
            hash_text(&mut hash, "f32");
            hash_items(&mut hash, values, |v| v.to_le_bytes());
        }
        Inputs::F64(values) => {
            hash_text(&mut hash, "f64");
            hash_items(&mut hash, values, |v| v.to_le_bytes());
        }
        Inputs::Sparse(rows) => {
            hash_text(&mut hash, "sparse");
            for row in 0..rows.n_samples() {
                let entries = rows.entries(row);
                hash_number(&mut hash, entries.len());
                hash_items(&mut hash, &entries, |(column, _)| (*column as u64).to_le_bytes());
                hash_items(&mut hash, &entries, |(_, value)| value.to_le_bytes());
            }
        }
        Inputs::Drawn { draw, rows } => {
            hash_text(&mut hash, "drawn");
            hash_items(&mut hash, rows, |v| v.to_le_bytes());
            let mut image = vec![0; dataset.n_features()];
            for &row in rows.iter().step_by(rows.len().div_ceil(DRAWN_SAMPLES).max(1)) {
                draw(0, row, &mut image);
                hash.update(&image);
            }
        }
    }
    match dataset.targets() {
        None => hash_text(&mut hash, "no targets"),
        Some(Targets::Classes { labels, names }) => {
            hash_text(&mut hash, "classes");
            hash_items(&mut hash, labels, |v| v.to_le_bytes());
            hash_number(&mut hash, names.len());
            names.iter().for_each(|name| hash_text(&mut hash, name));
        }
        Some(Targets::Values { values, n_outputs }) => {
            hash_text(&mut hash, "values");
            hash_number(&mut hash, *n_outputs);
            hash_items(&mut hash, values, |v| v.to_le_bytes());
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hash_number(hash: &mut Sha256, number: usize) {
    hash.update((number as u64).to_le_bytes());
}

/// With its length first, so that no two texts in a row hash as two others do.
fn hash_text(hash: &mut Sha256, text: &str) {
    hash_number(hash, text.len());
    hash.update(text);
}

/// In blocks, because a hash takes long runs of bytes faster than many short ones.
fn hash_items<T, const N: usize>(hash: &mut Sha256, items: &[T], bytes: impl Fn(&T) -> [u8; N]) {
    for block in items.chunks(4096) {
        let block: Vec<u8> = block.iter().flat_map(&bytes).collect();
        hash.update(block);
    }
}
