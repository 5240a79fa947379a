//! Named arrays into an NPZ file that NumPy loads.

use std::io::{Cursor, Write};
use std::path::Path;

use zip::write::{SimpleFileOptions, ZipWriter};

use crate::model_file::{ModelError, Stored, write_atomically};

/// Writes arrays (name, shape, numbers row-major) as `numpy.savez` does: stored, in format version 1.0.
///
/// # Errors
/// When the file cannot be written.
pub fn write_npz<T: Stored>(path: &Path, arrays: &[(String, Vec<usize>, Vec<T>)]) -> Result<(), ModelError> {
    let io = |source| ModelError::Io { path: path.into(), source };
    let bytes = npz_bytes(arrays).map_err(|e| io(e.into()))?;
    write_atomically(path, &bytes).map_err(io)
}

fn npz_bytes<T: Stored>(arrays: &[(String, Vec<usize>, Vec<T>)]) -> zip::result::ZipResult<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default());
    for (name, shape, numbers) in arrays {
        archive.start_file(format!("{name}.npy"), options)?;
        archive.write_all(&npy_header(T::DESCR, shape))?;
        archive.write_all(&numbers.iter().flat_map(|x| x.le_bytes()).collect::<Vec<u8>>())?;
    }
    Ok(archive.finish()?.into_inner())
}

/// Magic, version, length, and a Python dictionary padded so that the numbers start at a multiple of 64.
fn npy_header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let shape: String = shape.iter().map(|n| format!("{n},")).collect();
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    let unpadded = 10 + text.len() + 1;
    text.push_str(&" ".repeat(unpadded.next_multiple_of(64) - unpadded));
    text.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend((text.len() as u16).to_le_bytes());
    header.extend(text.as_bytes());
    header
}
