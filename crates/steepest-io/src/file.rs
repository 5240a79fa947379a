//! Opening files, telling formats apart by their first bytes, and reading no more than was announced.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use crate::error::DataError;
use crate::gunzip::{Gunzip, is_bomb};
use crate::image_error::ImageError;
use crate::parquet_error::ParquetError;
use crate::png::SIGNATURE;
use crate::shown::few;

/// What the first bytes of a file say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Idx,
    Zip,
    Npy,
    Png,
    Parquet,
    Text,
}

/// A file, opened and not yet read.
pub(crate) struct Opened {
    pub(crate) format: Format,
    /// The contents, decompressed if the file is gzip.
    pub(crate) reader: Box<dyn BufRead>,
    pub(crate) extent: Extent,
}

/// How many bytes a file has for what is read from it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) bytes: u64,
    pub(crate) compressed: bool,
}

impl Extent {
    /// Refuses an array that is much larger than the compressed bytes it is to come from, before it is read.
    pub(crate) fn refuse_bomb(self, expected: u64, place: &str) -> Result<(), DataError> {
        if self.compressed && is_bomb(expected, self.bytes) {
            return Err(DataError::Bomb { place: place.into(), expected, compressed: self.bytes });
        }
        Ok(())
    }

    /// For how many of `n` numbers, announced, of so many bytes each room can be made at once: the file has them.
    ///
    /// Room that grows while it is filled costs more than the reading itself.
    pub(crate) fn room(self, n: u64, size: u64) -> usize {
        let room = n.min(self.bytes.checked_div(size).unwrap_or(0));
        usize::try_from(room).unwrap_or(0)
    }
}

/// Opens a file and looks at its first bytes, without consuming them.
pub(crate) fn open(path: &Path) -> Result<Opened, DataError> {
    let io = |source| DataError::io(path, source);
    let (file, len) = open_regular(path)?;
    let mut file = BufReader::with_capacity(BUFFER, file);
    let head = read_head(&mut file).map_err(io)?;
    if !head.starts_with(&[0x1f, 0x8b]) {
        let format = format_of(&head, path)?;
        let extent = Extent { bytes: len, compressed: false };
        return Ok(Opened { format, reader: Box::new(Cursor::new(head).chain(file)), extent });
    }
    let mut contents = Gunzip::new(Cursor::new(head).chain(file));
    let damaged = |source| DataError::Damaged { place: path.display().to_string(), source };
    let head = read_head(&mut contents).map_err(damaged)?;
    let format = format_of(&head, path)?;
    if matches!(format, Format::Zip | Format::Png | Format::Parquet) {
        return Err(DataError::Gzip { path: path.into() });
    }
    let reader = Cursor::new(head).chain(BufReader::with_capacity(BUFFER, contents));
    Ok(Opened { format, reader: Box::new(reader), extent: Extent { bytes: len, compressed: true } })
}

/// Opens a file, and says how many bytes it has. A pipe or a device might never answer, and can be read only once.
pub(crate) fn open_regular(path: &Path) -> Result<(File, u64), DataError> {
    let io = |source| DataError::io(path, source);
    let metadata = path.metadata().map_err(io)?;
    if metadata.is_dir() {
        return Err(DataError::Directory { path: path.into() });
    }
    if !metadata.is_file() {
        return Err(DataError::NotRegular { path: path.into() });
    }
    Ok((File::open(path).map_err(io)?, metadata.len()))
}

const BUFFER: usize = 1 << 16;
const HEAD: u64 = 1 << 12;

/// The first bytes, however few each read gives.
fn read_head(file: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    file.take(HEAD).read_to_end(&mut head)?;
    Ok(head)
}

/// What a file is that begins like this.
fn format_of(head: &[u8], path: &Path) -> Result<Format, DataError> {
    let is_parquet = is_parquet(head, path);
    let path = || path.into();
    Ok(match head {
        [] => return Err(DataError::Empty { path: path() }),
        [b'P', b'K', 3 | 5, 4 | 6, ..] => Format::Zip,
        [0x93, b'N', b'U', b'M', ..] => Format::Npy,
        _ if head.starts_with(&SIGNATURE) => Format::Png,
        _ if is_parquet && !cfg!(feature = "parquet") => {
            return Err(ParquetError::NotBuilt { path: path() }.into());
        }
        _ if is_parquet => Format::Parquet,
        [0, 0, 0x08..=0x0e, ..] => Format::Idx,
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Err(DataError::Utf16 { path: path() }),
        _ if is_markup(head) => return Err(DataError::WebPage { path: path() }),
        _ if let Some(other) = other_image(head) => {
            let path = path();
            return Err(ImageError::NotPng { path, found: format!("the mark of {other}") }.into());
        }
        _ if head.contains(&0) || head.starts_with(&[0x1f, 0x8b]) => {
            let found = format!("the bytes {:02x?}", head.get(..4).unwrap_or(head));
            return Err(DataError::UnknownFormat { path: path(), found });
        }
        _ => Format::Text,
    })
}

/// Whether it is Parquet, encrypted or not, by its first bytes or by its name.
fn is_parquet(head: &[u8], path: &Path) -> bool {
    let is_named = || path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"));
    head.starts_with(b"PAR1") || head.starts_with(b"PARE") || is_named()
}

/// Images of other formats.
fn other_image(head: &[u8]) -> Option<&'static str> {
    let begins: [(&[u8], &str); 5] =
        [(b"\xff\xd8\xff", "JPEG"), (b"GIF8", "GIF"), (b"BM", "BMP"), (b"II*\0", "TIFF"), (b"MM\0*", "TIFF")];
    let is_text = !head.contains(&0);
    begins.into_iter().find(|(start, _)| head.starts_with(start) && !is_text).map(|(_, name)| name)
}

/// Whether a file begins as PNG images do.
pub(crate) fn is_png(path: &Path) -> bool {
    open(path).is_ok_and(|opened| opened.format == Format::Png)
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
    let mut bytes = Vec::new();
    let read = reader.take(expected).read_to_end(&mut bytes);
    let found = read.map_err(|source| DataError::Damaged { place: place.into(), source })? as u64;
    if found < expected {
        return Err(DataError::Truncated { place: place.into(), what, expected, found });
    }
    Ok(bytes)
}

/// Reads until `buffer` is full or the reader ends, and says how many bytes that were.
pub(crate) fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0usize;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(n) => filled = filled.saturating_add(n),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The product of announced sizes.
pub(crate) fn product(sizes: &[u64], place: &str) -> Result<u64, DataError> {
    sizes
        .iter()
        .try_fold(1u64, |product, &size| product.checked_mul(size))
        .ok_or_else(|| DataError::TooLarge { place: place.into(), shape: few(sizes) })
}
