//! The pages of a column's chunk: their headers, their bytes decompressed, and which rows have a value.

use std::borrow::Cow;
use std::io::Read;

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

use crate::file;
use crate::parquet_encodings::hybrid;
use crate::parquet_error::Problem::{self, Bomb, Damaged, Unusual};
use crate::parquet_footer::Chunk;
use crate::parquet_thrift::{Struct, Value, take};

/// What is made of a file's bytes, all in all: as much as this whatever it has, and beyond so many bytes of each.
const HARMLESS: u64 = 8 << 20;
const MOST_OF_A_BYTE: u64 = 500;
/// What a value costs until it is in its column.
const OF_A_VALUE: usize = 16;
/// Bytes to look back that Zstandard asks every decoder to have.
const ZSTD_WINDOW: u64 = 8 << 20;

/// Counts what is made of a file. A few bytes may stand for a million equal values, and for as many million: no file that
/// people have lives from that alone.
pub(crate) struct Budget {
    spent: u64,
    most: u64,
}

impl Budget {
    /// For a file of so many bytes.
    pub(crate) fn new(file: u64) -> Self {
        Self { spent: 0, most: file.saturating_mul(MOST_OF_A_BYTE).max(HARMLESS) }
    }

    /// Before so many bytes are made.
    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), Problem> {
        self.spent = self.spent.saturating_add(bytes as u64);
        if self.spent > self.most { Err(Bomb(self.spent)) } else { Ok(()) }
    }
}

/// The pages of a chunk.
pub(crate) struct Pages<'a> {
    bytes: &'a [u8],
    codec: i64,
    /// Whether rows may have no value.
    is_optional: bool,
}

/// A page.
pub(crate) struct Page<'a> {
    /// Whether its values are those that other pages name by their places.
    pub(crate) is_dictionary: bool,
    pub(crate) encoding: i64,
    /// Rows; values, of a dictionary.
    pub(crate) n: usize,
    /// Which rows have a value, if not all have.
    pub(crate) present: Option<Vec<u32>>,
    bytes: Cow<'a, [u8]>,
    /// Where in `bytes` the values begin.
    start: usize,
}

impl Page<'_> {
    /// Its values, encoded.
    pub(crate) fn values(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }
}

/// The header of a page.
#[derive(Default)]
struct Header {
    kind: Option<i64>,
    /// Bytes, decompressed and as they are.
    size: Option<usize>,
    stored: Option<usize>,
    n: Option<usize>,
    encoding: i64,
    /// Of the levels, which say what is missing, in a page of the first kind.
    levels_encoding: i64,
    /// The bytes of the levels, which are not compressed, in a page of the second kind.
    levels: usize,
    repetitions: usize,
    is_plain: bool,
}

impl<'a> Pages<'a> {
    pub(crate) fn new(bytes: &'a [u8], chunk: Chunk, is_optional: bool) -> Self {
        Self { bytes, codec: chunk.codec, is_optional }
    }

    /// The next page; none at the end.
    pub(crate) fn next(&mut self, budget: &mut Budget) -> Result<Option<Page<'a>>, Problem> {
        loop {
            if self.bytes.is_empty() {
                return Ok(None);
            }
            let (header, rest) = Struct::split(self.bytes)?;
            self.bytes = rest;
            let header = Header::parse(header)?;
            let (Some(kind), Some(size), Some(stored)) = (header.kind, header.size, header.stored) else {
                return Err(Damaged("a page does not say what it is"));
            };
            let bytes = take(&mut self.bytes, stored).ok_or(Damaged("a page is longer than its column"))?;
            let n = match (kind, header.n) {
                (0 | 2 | 3, Some(n)) => n,
                // An index, or what is not known yet.
                (1 | 4.., _) => continue,
                _ => return Err(Damaged("a page does not say how much is in it")),
            };
            budget.spend(n.saturating_mul(OF_A_VALUE))?;
            return match kind {
                2 => {
                    let bytes = self.decompressed(bytes, size, budget)?;
                    let (present, start) = (None, 0);
                    Ok(Some(Page {
                        is_dictionary: true,
                        encoding: header.encoding,
                        n,
                        present,
                        bytes,
                        start,
                    }))
                }
                0 => self.first_kind(bytes, size, n, &header, budget).map(Some),
                _ => self.second_kind(bytes, size, n, &header, budget).map(Some),
            };
        }
    }

    /// Levels, with their length before them, and values, compressed together.
    fn first_kind(
        &self,
        bytes: &'a [u8],
        size: usize,
        n: usize,
        header: &Header,
        budget: &mut Budget,
    ) -> Result<Page<'a>, Problem> {
        let bytes = self.decompressed(bytes, size, budget)?;
        let (mut rest, mut present) = (&bytes[..], None);
        if self.is_optional {
            if header.levels_encoding != 3 {
                return Err(Unusual("what is missing is written in a way that is no longer used"));
            }
            let levels = take_with_length(&mut rest).ok_or(NO_LEVELS)?;
            present = Some(hybrid(levels, 1, n)?);
        }
        let start = bytes.len().saturating_sub(rest.len());
        Ok(Page { is_dictionary: false, encoding: header.encoding, n, present, bytes, start })
    }

    /// Levels as they are, and values, which may be compressed.
    fn second_kind(
        &self,
        bytes: &'a [u8],
        size: usize,
        n: usize,
        header: &Header,
        budget: &mut Budget,
    ) -> Result<Page<'a>, Problem> {
        let mut rest = bytes;
        take(&mut rest, header.repetitions).ok_or(NO_LEVELS)?;
        let levels = take(&mut rest, header.levels).ok_or(NO_LEVELS)?;
        let present = if self.is_optional { Some(hybrid(levels, 1, n)?) } else { None };
        let before = header.repetitions.saturating_add(header.levels);
        let size = size.checked_sub(before).ok_or(NO_LEVELS)?;
        let bytes =
            if header.is_plain { Cow::Borrowed(rest) } else { self.decompressed(rest, size, budget)? };
        Ok(Page { is_dictionary: false, encoding: header.encoding, n, present, bytes, start: 0 })
    }

    /// Bytes of which there are `size` when they are decompressed.
    fn decompressed(
        &self,
        bytes: &'a [u8],
        size: usize,
        budget: &mut Budget,
    ) -> Result<Cow<'a, [u8]>, Problem> {
        const WRONG: Problem = Damaged("a page cannot be decompressed");
        if self.codec == 0 {
            return Ok(Cow::Borrowed(bytes));
        }
        budget.spend(size)?;
        // A page without values may have no bytes to decompress.
        if size == 0 {
            return Ok(Cow::Borrowed(&[]));
        }
        let mut out = vec![0; size];
        let n = match self.codec {
            1 => {
                if snap::raw::decompress_len(bytes).map_err(|_| WRONG)? != size {
                    return Err(WRONG);
                }
                snap::raw::Decoder::new().decompress(bytes, &mut out).map_err(|_| WRONG)?
            }
            2 => fill(MultiGzDecoder::new(bytes), &mut out).ok_or(WRONG)?,
            6 => {
                let window = (size as u64).max(ZSTD_WINDOW);
                let decoder = StreamingDecoder::new_with_max_window_size(bytes, window).map_err(|_| WRONG)?;
                fill(decoder, &mut out).ok_or(WRONG)?
            }
            7 => lz4_flex::block::decompress_into(bytes, &mut out).map_err(|_| WRONG)?,
            3 => return Err(Unusual("it is compressed with LZO")),
            4 => return Err(Unusual("it is compressed with Brotli")),
            5 => return Err(Unusual("it is compressed with LZ4 in a form that is no longer used")),
            _ => return Err(Unusual("it is compressed in a way that is not known")),
        };
        if n == size { Ok(Cow::Owned(out)) } else { Err(WRONG) }
    }
}

const NO_LEVELS: Problem = Damaged("a page does not say which values are missing");

/// The bytes behind their number.
pub(crate) fn take_with_length<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = u32::from_le_bytes(take(bytes, 4)?.try_into().ok()?);
    take(bytes, usize::try_from(len).ok()?)
}

/// Fills `out`, and says how much there was; none if there is more.
fn fill(mut reader: impl Read, out: &mut [u8]) -> Option<usize> {
    let n = file::fill(&mut reader, out).ok()?;
    (file::fill(&mut reader, &mut [0]).ok()? == 0).then_some(n)
}

impl Header {
    fn parse(fields: Struct) -> Result<Self, Problem> {
        let mut header = Self::default();
        let mut parts = [None; 3];
        fields.for_each(|number, value| {
            match number {
                1 => header.kind = Some(value.int()?),
                2 => header.size = Some(value.int::<u32>()? as usize),
                3 => header.stored = Some(value.int::<u32>()? as usize),
                5 => parts[0] = Some(value.fields()?),
                7 => parts[1] = Some(value.fields()?),
                8 => parts[2] = Some(value.fields()?),
                _ => {}
            }
            Ok(())
        })?;
        let (part, is_second) = match (header.kind, parts) {
            (Some(0), [Some(part), ..]) | (Some(2), [_, Some(part), _]) => (part, false),
            (Some(3), [.., Some(part)]) => (part, true),
            _ => return Ok(header),
        };
        part.for_each(|number, value| {
            match (number, is_second) {
                (1, _) => header.n = Some(value.int::<u32>()? as usize),
                (2, false) | (4, true) => header.encoding = value.int()?,
                (3, false) => header.levels_encoding = value.int().unwrap_or(0),
                (5, true) => header.levels = value.int()?,
                (6, true) => header.repetitions = value.int()?,
                (7, true) => header.is_plain = matches!(value, Value::Bool(false)),
                _ => {}
            }
            Ok(())
        })?;
        Ok(header)
    }
}
