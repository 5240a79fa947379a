//! Safetensors files, which may come from anywhere: the header is read first, and believed only when it is short and fits the
//! length of the file.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, Metadata, SafeTensorError, TensorView};
use sha2::{Digest, Sha256};
use steepest::Float;

/// Why a file of tensors cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file system says no.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// Not a safetensors file, or a damaged one.
    #[error("{path}: not a safetensors file, or damaged: {problem}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Valid safetensors, but not what is expected in it.
    #[error("{path}: {problem}", path = path.display())]
    Contents {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        problem: String,
    },
}

impl ModelError {
    pub(crate) fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { path: path.into(), source }
    }

    pub(crate) fn format(path: &Path) -> impl Fn(SafeTensorError) -> Self {
        move |source| Self::Format { path: path.into(), problem: excerpt(&source.to_string()) }
    }

    pub(crate) fn contents(path: &Path) -> impl Fn(String) -> Self {
        move |problem| Self::Contents { path: path.into(), problem }
    }
}

/// Headers beyond it are refused, written or read: it is room for some 30,000 layers or names of classes.
pub(crate) const LONGEST_HEADER: u64 = 2 << 20;

/// A safetensors file in memory.
pub(crate) struct TensorFile {
    metadata: Metadata,
    data: Vec<u8>,
}

impl TensorFile {
    /// Reads a file; `what` it should be.
    pub(crate) fn read(path: &Path, what: &str) -> Result<Self, ModelError> {
        let (io, format) = (ModelError::io(path), ModelError::format(path));
        // A pipe or a device might never end.
        let about = path.metadata().map_err(&io)?;
        if !about.is_file() {
            return Err(ModelError::contents(path)(format!("is not a file; expected {what}")));
        }
        let mut file = File::open(path).map_err(&io)?;
        let mut length = [0; 8];
        match file.read_exact(&mut length) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(format(SafeTensorError::HeaderTooSmall));
            }
            result => result.map_err(&io)?,
        }
        let length = u64::from_le_bytes(length);
        if length > LONGEST_HEADER {
            return Err(format(SafeTensorError::HeaderTooLarge));
        }
        let mut header = Vec::new();
        file.by_ref().take(length).read_to_end(&mut header).map_err(&io)?;
        if (header.len() as u64) < length {
            return Err(format(SafeTensorError::InvalidHeaderLength));
        }
        let header = String::from_utf8(header).map_err(|e| SafeTensorError::InvalidHeader(e.utf8_error()));
        let metadata: Metadata = serde_json::from_str(&header.map_err(&format)?)
            .map_err(|e| format(SafeTensorError::InvalidHeaderDeserialization(e)))?;
        let announced = metadata.data_len() as u64;
        if announced.checked_add(length).and_then(|n| n.checked_add(8)) != Some(about.len()) {
            return Err(format(SafeTensorError::MetadataIncompleteBuffer));
        }
        let mut data = Vec::new();
        data.try_reserve_exact(metadata.data_len()).map_err(|e| io(e.into()))?;
        file.take(announced).read_to_end(&mut data).map_err(&io)?;
        if data.len() as u64 != announced {
            return Err(format(SafeTensorError::MetadataIncompleteBuffer));
        }
        Ok(Self { metadata, data })
    }

    /// A text of the header.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.metadata.metadata().as_ref()?.get(key).map(String::as_str)
    }

    /// Names of all tensors, in their order.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = self.metadata.offset_keys();
        names.sort_unstable();
        names
    }

    /// Tensors in all.
    pub(crate) fn len(&self) -> usize {
        self.metadata.tensors().len()
    }

    /// A tensor.
    pub(crate) fn tensor(&self, name: &str) -> Option<TensorView<'_>> {
        let info = self.metadata.info(name)?;
        let (start, end) = info.data_offsets;
        TensorView::new(info.dtype, info.shape.clone(), self.data.get(start..end)?).ok()
    }
}

/// The bytes of a file with these tensors; refuses a header that [`TensorFile::read`] would refuse.
pub(crate) fn tensor_file_bytes<'a>(
    tensors: impl IntoIterator<Item = (&'a str, TensorView<'a>)>,
    key: &str,
    text: String,
) -> Result<Vec<u8>, SafeTensorError> {
    let bytes = safetensors::serialize(tensors, Some([(key.to_string(), text)].into()))?;
    match bytes.first_chunk::<8>() {
        Some(&length) if u64::from_le_bytes(length) <= LONGEST_HEADER => Ok(bytes),
        _ => Err(SafeTensorError::HeaderTooLarge),
    }
}

/// Puts a tensor's numbers, in either precision, into `out`; they must be finite.
pub(crate) fn read_tensor<T: Float>(tensor: &TensorView, name: &str, out: &mut [T]) -> Result<(), String> {
    let data = tensor.data();
    match tensor.dtype() {
        Dtype::F32 => {
            for (out, x) in out.iter_mut().zip(data.as_chunks::<4>().0) {
                *out = T::from_f64(f64::from(f32::from_le_bytes(*x)));
            }
        }
        Dtype::F64 => {
            for (out, x) in out.iter_mut().zip(data.as_chunks::<8>().0) {
                *out = T::from_f64(f64::from_le_bytes(*x));
            }
        }
        other => return Err(format!("{name} is {other:?}; expected F32 or F64")),
    }
    match out.iter().enumerate().find(|(_, x)| !x.is_finite()) {
        Some((i, x)) => Err(format!("{name} has {x} at element {i}; expected finite numbers")),
        None => Ok(()),
    }
}

/// Little-endian bytes of numbers.
pub(crate) fn le_bytes<T: Stored>(numbers: &[T]) -> Vec<u8> {
    numbers.iter().flat_map(|x| x.le_bytes()).collect()
}

/// The SHA-256 of bytes, as 64 hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The start of what a library says about a file, which may be full of what the file says.
pub(crate) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 200;
    let start: String = text.chars().take(LONGEST).collect();
    crate::shown::plain(&start)
}

/// The two precisions as they stand in a file.
pub trait Stored: Float {
    /// Their name in safetensors.
    const DTYPE: Dtype;
    /// Their name in NumPy.
    const DESCR: &'static str;
    /// Little-endian bytes.
    fn le_bytes(self) -> impl IntoIterator<Item = u8>;
}

impl Stored for f32 {
    const DTYPE: Dtype = Dtype::F32;
    const DESCR: &'static str = "<f4";
    fn le_bytes(self) -> impl IntoIterator<Item = u8> {
        self.to_le_bytes()
    }
}

impl Stored for f64 {
    const DTYPE: Dtype = Dtype::F64;
    const DESCR: &'static str = "<f8";
    fn le_bytes(self) -> impl IntoIterator<Item = u8> {
        self.to_le_bytes()
    }
}
