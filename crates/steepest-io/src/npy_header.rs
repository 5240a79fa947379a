//! The header of an NPY array: `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`.
//!
//! Read by hand, because a header comes from anywhere: a general parser of Python literals recurses as deep as the
//! header nests, and multiplies sizes that overflow.

use std::io::Read;

use crate::error::DataError;
use crate::file::{read_bytes, read_slice};

/// NumPy itself refuses longer ones.
const MAX_HEADER: usize = 10_000;

pub(crate) struct Header {
    /// The type: byte order, kind and size, such as `<f8`.
    pub(crate) descr: String,
    /// Whether the first index is the fastest.
    pub(crate) fortran_order: bool,
    pub(crate) shape: Vec<u64>,
}

/// Reads what precedes the numbers.
pub(crate) fn read_header(reader: &mut impl Read, place: &str) -> Result<Header, DataError> {
    let fail = |problem| DataError::NpyHeader { place: place.into(), problem };
    let magic: [u8; 8] = read_bytes(reader, WHAT, place)?;
    let [0x93, b'N', b'U', b'M', b'P', b'Y', version, _] = magic else {
        return Err(fail("it does not begin with \\x93NUMPY"));
    };
    let len = match version {
        1 => u16::from_le_bytes(read_bytes(reader, WHAT, place)?) as usize,
        2 | 3 => u32::from_le_bytes(read_bytes(reader, WHAT, place)?) as usize,
        _ => return Err(fail("its format version is none of 1, 2 and 3")),
    };
    if len > MAX_HEADER {
        return Err(fail("it is longer than 10000 bytes"));
    }
    let bytes = read_slice(reader, len as u64, WHAT, place)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| fail("it is not text"))?;
    parse(text).map_err(fail)
}

const WHAT: &str = "an NPY header";

fn parse(text: &str) -> Result<Header, &'static str> {
    const UNREADABLE: &str = "not of the form {'descr': ..., 'fortran_order': ..., 'shape': (...)}";
    let (mut descr, mut fortran_order, mut shape) = (None, None, None);
    let mut rest = text.trim().strip_prefix('{').and_then(|t| t.strip_suffix('}')).ok_or(UNREADABLE)?.trim();
    while !rest.is_empty() {
        let (key, value) = quoted(rest).ok_or(UNREADABLE)?;
        let value = value.trim_start().strip_prefix(':').ok_or(UNREADABLE)?.trim_start();
        let after = match key {
            "descr" if value.starts_with('[') => return Err("a structured array, with named fields"),
            "descr" => {
                let (text, after) = quoted(value).ok_or(UNREADABLE)?;
                descr = Some(text.to_string());
                after
            }
            "fortran_order" => {
                let (flag, after) = match value.strip_prefix("True") {
                    Some(after) => (true, after),
                    None => (false, value.strip_prefix("False").ok_or(UNREADABLE)?),
                };
                fortran_order = Some(flag);
                after
            }
            "shape" => {
                let (sizes, after) =
                    value.strip_prefix('(').and_then(|v| v.split_once(')')).ok_or(UNREADABLE)?;
                // Python 2 wrote long numbers as 3L.
                let sizes = sizes.split(',').map(|size| size.trim().trim_end_matches('L'));
                let sizes = sizes.filter(|size| !size.is_empty());
                shape = Some(sizes.map(str::parse).collect::<Result<_, _>>().map_err(|_| UNREADABLE)?);
                after
            }
            _ => return Err("it has other keys than descr, fortran_order and shape"),
        };
        rest = after.trim_start();
        rest = match rest.strip_prefix(',') {
            Some(after) => after.trim_start(),
            None if rest.is_empty() => rest,
            None => return Err(UNREADABLE),
        };
    }
    Ok(Header {
        descr: descr.ok_or("it has no descr")?,
        fortran_order: fortran_order.ok_or("it has no fortran_order")?,
        shape: shape.ok_or("it has no shape")?,
    })
}

/// A quoted text, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote)
}
