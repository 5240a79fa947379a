//! Opening files, telling formats apart by their first bytes, and reading no more than was announced.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::error::DataError;
use crate::png::SIGNATURE;

/// What the first bytes of a file say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Idx,
    Gzip,
    Zip,
    Npy,
    Png,
    Text,
}

/// Opens a file and looks at its first bytes, without consuming them.
pub(crate) fn open(path: &Path) -> Result<(Format, BufReader<File>), DataError> {
    let io = |source| DataError::io(path, source);
    let file = File::open(path).map_err(io)?;
    if file.metadata().map_err(io)?.is_dir() {
        return Err(DataError::Directory { path: path.into() });
    }
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let head = reader.fill_buf().map_err(io)?;
    let format = match head {
        [] => return Err(DataError::Empty { path: path.into() }),
        [0x1f, 0x8b, ..] => Format::Gzip,
        [b'P', b'K', 3 | 5, 4 | 6, ..] => Format::Zip,
        [0x93, b'N', b'U', b'M', ..] => Format::Npy,
        _ if head.starts_with(&SIGNATURE) => Format::Png,
        [0, 0, 0x08..=0x0e, ..] => Format::Idx,
        _ if is_markup(head) => return Err(DataError::WebPage { path: path.into() }),
        _ if head.contains(&0) => {
            let found = format!("the bytes {:02x?}", head.get(..4).unwrap_or(head));
            return Err(DataError::UnknownFormat { path: path.into(), found });
        }
        _ => Format::Text,
    };
    Ok((format, reader))
}

/// Whether a file begins as PNG images do.
pub(crate) fn is_png(path: &Path) -> bool {
    matches!(open(path), Ok((Format::Png, _)))
}

/// No table of numbers begins with an angle bracket.
pub(crate) fn is_markup(head: &[u8]) -> bool {
    head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start().starts_with(b"<")
}

/// Reads the next `N` bytes of a header.
pub(crate) fn read_bytes<const N: usize>(
    reader: &mut impl Read,
    what: &'static str,
    place: &str,
) -> Result<[u8; N], DataError> {
    let mut array = [0; N];
    array.copy_from_slice(&read_slice(reader, N as u64, what, place)?);
    Ok(array)
}

/// Reads the next `expected` bytes of a header.
pub(crate) fn read_slice(
    reader: &mut impl Read,
    expected: u64,
    what: &'static str,
    place: &str,
) -> Result<Vec<u8>, DataError> {
    let bytes = read_up_to(reader, expected, place)?;
    let found = bytes.len() as u64;
    if found < expected {
        return Err(DataError::Truncated { place: place.into(), what, expected, found });
    }
    Ok(bytes)
}

/// Reads the rest, which must be exactly `expected` bytes.
///
/// The buffer grows with what is read, so that a lying header costs no memory; at most one byte more than announced
/// is ever decompressed.
pub(crate) fn read_rest(reader: &mut impl Read, expected: u64, place: &str) -> Result<Vec<u8>, DataError> {
    let bytes = read_up_to(reader, expected.saturating_add(1), place)?;
    let found = bytes.len() as u64;
    if found < expected {
        return Err(DataError::Truncated { place: place.into(), what: "data", expected, found });
    }
    if found > expected {
        return Err(DataError::Trailing { place: place.into(), expected });
    }
    Ok(bytes)
}

/// Reads up to `limit` bytes; fewer when the reader ends before.
fn read_up_to(reader: &mut impl Read, limit: u64, place: &str) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    match reader.take(limit).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(source) => Err(DataError::Damaged { place: place.into(), source }),
    }
}

/// The product of announced sizes.
pub(crate) fn product(sizes: &[u64], place: &str) -> Result<u64, DataError> {
    sizes
        .iter()
        .try_fold(1u64, |product, &size| product.checked_mul(size))
        .ok_or_else(|| DataError::TooLarge { place: place.into(), shape: format!("{sizes:?}") })
}
