//! Named arrays into NPZ and NPY files that NumPy loads.

use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use zip::write::{SimpleFileOptions, ZipWriter};

use crate::atomic::write_file;
use crate::tensor_file::{ModelError, Stored};

/// An array on its way into a file.
pub(crate) struct NpyArray<'a> {
    /// Its type, as NumPy writes it.
    pub(crate) descr: String,
    pub(crate) shape: Vec<usize>,
    /// Its numbers, row-major.
    pub(crate) bytes: Box<dyn Iterator<Item = u8> + 'a>,
}

impl<'a> NpyArray<'a> {
    /// An array of numbers that safetensors knows as well.
    pub(crate) fn of<T: Stored>(shape: &[usize], numbers: &'a [T]) -> Self {
        let bytes = numbers.iter().flat_map(|x| x.le_bytes());
        Self { descr: T::DESCR.into(), shape: shape.to_vec(), bytes: Box::new(bytes) }
    }

    /// Writes it as `numpy.save` does, in format version 1.0.
    pub(crate) fn write(self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&npy_header(&self.descr, &self.shape))?;
        let mut block = Vec::with_capacity(BLOCK);
        let mut bytes = self.bytes;
        loop {
            block.clear();
            block.extend(bytes.by_ref().take(BLOCK));
            if block.is_empty() {
                return Ok(());
            }
            out.write_all(&block)?;
        }
    }
}

const BLOCK: usize = 1 << 16;

/// Writes arrays (name, shape, numbers row-major) as `numpy.savez` does: stored, in format version 1.0.
///
/// # Errors
/// When the file cannot be written.
pub fn write_npz<T: Stored>(path: &Path, arrays: &[(String, Vec<usize>, Vec<T>)]) -> Result<(), ModelError> {
    let arrays = arrays.iter().map(|(name, shape, numbers)| (name.as_str(), NpyArray::of(shape, numbers)));
    write_file(path, |out| write_arrays(out, arrays))
        .map_err(|source| ModelError::Io { path: path.into(), source })
}

/// Writes named arrays, stored.
pub(crate) fn write_arrays<'a>(
    out: &mut (impl Write + Seek),
    arrays: impl IntoIterator<Item = (&'a str, NpyArray<'a>)>,
) -> io::Result<()> {
    let mut out = Unfailing { out, error: None, at: 0, end: 0 };
    let mut archive = ZipWriter::new(&mut out);
    for (name, array) in arrays {
        // As if each might be larger than 4 GiB: sizes are known only afterwards.
        let options = SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .last_modified_time(zip::DateTime::default())
            .large_file(true);
        archive.start_file(format!("{name}.npy"), options)?;
        array.write(&mut archive)?;
    }
    archive.finish()?;
    out.error.map_or(Ok(()), Err)
}

/// A writer that keeps its first error to itself, and writes nothing from then on: `ZipWriter` panics or writes on stderr
/// after an error.
struct Unfailing<W> {
    out: W,
    error: Option<io::Error>,
    at: u64,
    end: u64,
}

impl<W: Write> Write for Unfailing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.error.is_none() {
            self.error = self.out.write_all(bytes).err();
        }
        self.at = self.at.saturating_add(bytes.len() as u64);
        self.end = self.end.max(self.at);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.error.is_none() {
            self.error = self.out.flush().err();
        }
        Ok(())
    }
}

impl<W: Seek> Seek for Unfailing<W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.end.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        if self.error.is_none() {
            self.error = self.out.seek(SeekFrom::Start(self.at)).err();
        }
        Ok(self.at)
    }
}

/// Magic, version, length, and a Python dictionary padded so that the numbers start at a multiple of 64.
fn npy_header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let shape: String = shape.iter().map(|n| format!("{n},")).collect();
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    let unpadded = text.len().saturating_add(11);
    text.push_str(&" ".repeat(unpadded.next_multiple_of(64).saturating_sub(unpadded)));
    text.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend((text.len() as u16).to_le_bytes());
    header.extend(text.as_bytes());
    header
}
