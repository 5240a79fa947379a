//! Numbers as files store them, read in blocks: only what they become takes memory.

use std::io::Read;

use crate::error::DataError;
use crate::file::{product, read_rest};

/// What an array is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Numbers: whole ones become floating point unless all fit a byte.
    Inputs,
    /// Labels, text among them, or numbers.
    Targets,
}

/// How each number of an array is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dtype {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    F32,
    F64,
    /// Text of so many UCS-4 characters, padded with zeros.
    Text(u32),
    /// Text of so many bytes, padded with zeros.
    Bytes(u32),
}

/// The numbers of an array, in the form that is used from here on.
#[derive(Debug, PartialEq)]
pub(crate) enum Values {
    /// Whole numbers from 0 to 255, whatever they were stored as.
    U8(Vec<u8>),
    /// Whole numbers, not all of which fit a byte.
    Int(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Text(Vec<String>),
}

impl Dtype {
    /// Bytes of one number.
    pub(crate) fn size(self) -> u64 {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
            Self::Text(length) => u64::from(length).saturating_mul(4),
            Self::Bytes(length) => length.into(),
        }
    }
}

/// Reads `n` numbers, which must be all that `reader` still has.
pub(crate) fn read_values(
    reader: &mut impl Read,
    dtype: Dtype,
    big_endian: bool,
    n: u64,
    what_for: Use,
    place: &str,
) -> Result<Values, DataError> {
    let expected = product(&[n, dtype.size()], place)?;
    if what_for == Use::Inputs && matches!(dtype, Dtype::Text(_) | Dtype::Bytes(_)) {
        return Err(DataError::NpyTextInputs { place: place.into() });
    }
    let blocks = Blocks { reader, left: expected, expected, big_endian, place, buffer: Vec::new() };
    Ok(match dtype {
        Dtype::U8 => Values::U8(read_rest(blocks.reader, expected, place)?),
        Dtype::Bool => {
            let mut bytes = read_rest(blocks.reader, expected, place)?;
            bytes.iter_mut().for_each(|byte| *byte = u8::from(*byte != 0));
            Values::U8(bytes)
        }
        Dtype::I8 => blocks.whole(what_for, |b| Ok(i8::from_le_bytes(b).into()))?,
        Dtype::U16 => blocks.whole(what_for, |b| Ok(u16::from_le_bytes(b).into()))?,
        Dtype::I16 => blocks.whole(what_for, |b| Ok(i16::from_le_bytes(b).into()))?,
        Dtype::U32 => blocks.whole(what_for, |b| Ok(u32::from_le_bytes(b).into()))?,
        Dtype::I32 => blocks.whole(what_for, |b| Ok(i32::from_le_bytes(b).into()))?,
        Dtype::I64 => blocks.whole(what_for, |b| Ok(i64::from_le_bytes(b)))?,
        Dtype::U64 => blocks.whole(what_for, |b| {
            let value = u64::from_le_bytes(b);
            i64::try_from(value).map_err(|_| DataError::TooWide { place: place.into(), value })
        })?,
        Dtype::F16 => Values::F32(blocks.floats(|b| half(u16::from_le_bytes(b)))?),
        Dtype::F32 => Values::F32(blocks.floats(f32::from_le_bytes)?),
        Dtype::F64 => Values::F64(blocks.floats(f64::from_le_bytes)?),
        Dtype::Text(length) => Values::Text(blocks.texts(length as usize)?),
        Dtype::Bytes(length) => Values::Text(blocks.byte_texts(length as usize)?),
    })
}

/// Bytes held at a time; a multiple of every number's size.
const BLOCK: u64 = 1 << 18;

struct Blocks<'a, R> {
    reader: &'a mut R,
    left: u64,
    expected: u64,
    big_endian: bool,
    place: &'a str,
    buffer: Vec<u8>,
}

impl<R: Read> Blocks<'_, R> {
    /// The next numbers, least byte first; none at the end, which is then known to be one.
    fn next<const N: usize>(&mut self) -> Result<Option<&[[u8; N]]>, DataError> {
        let damaged = |source| DataError::Damaged { place: self.place.into(), source };
        self.buffer.clear();
        let wanted = self.left.min(BLOCK);
        // At the end, one byte more than there should be.
        let found = self.reader.take(wanted.max(1)).read_to_end(&mut self.buffer).map_err(damaged)? as u64;
        if wanted == 0 && found > 0 {
            return Err(DataError::Trailing { place: self.place.into(), expected: self.expected });
        }
        if found < wanted {
            let found = self.expected.saturating_sub(self.left).saturating_add(found);
            return Err(DataError::Truncated {
                place: self.place.into(),
                what: "data",
                expected: self.expected,
                found,
            });
        }
        self.left = self.left.saturating_sub(found);
        let (items, _) = self.buffer.as_chunks_mut::<N>();
        if self.big_endian {
            items.iter_mut().for_each(|item| item.reverse());
        }
        Ok((wanted > 0).then_some(&*items))
    }

    fn floats<const N: usize, T>(mut self, number: impl Fn([u8; N]) -> T) -> Result<Vec<T>, DataError> {
        let mut values = Vec::new();
        while let Some(items) = self.next()? {
            values.extend(items.iter().map(|&item| number(item)));
        }
        Ok(values)
    }

    fn whole<const N: usize>(
        mut self,
        what_for: Use,
        number: impl Fn([u8; N]) -> Result<i64, DataError>,
    ) -> Result<Values, DataError> {
        let mut values = Values::U8(Vec::new());
        while let Some(items) = self.next()? {
            for &item in items {
                values.push_whole(number(item)?, what_for);
            }
        }
        Ok(values)
    }

    fn byte_texts(mut self, length: usize) -> Result<Vec<String>, DataError> {
        let mut bytes: Vec<u8> = Vec::new();
        while let Some(items) = self.next::<1>()? {
            bytes.extend_from_slice(items.as_flattened());
        }
        let text = |text: &[u8]| match std::str::from_utf8(text) {
            Ok(text) => Ok(text.trim_end_matches('\0').to_string()),
            Err(_) => Err(DataError::NpyText { place: self.place.into() }),
        };
        bytes.chunks(length.max(1)).map(text).collect()
    }

    fn texts(mut self, length: usize) -> Result<Vec<String>, DataError> {
        let mut characters: Vec<char> = Vec::new();
        let place = self.place;
        while let Some(items) = self.next::<4>()? {
            for &item in items {
                let character = char::from_u32(u32::from_le_bytes(item));
                characters.push(character.ok_or_else(|| DataError::NpyText { place: place.into() })?);
            }
        }
        let text = |text: &[char]| text.iter().collect::<String>().trim_end_matches('\0').to_string();
        Ok(characters.chunks(length.max(1)).map(text).collect())
    }
}

impl Values {
    /// Adds a whole number. Values become as wide as they have to be, and no wider: for labels integers, for inputs floats.
    fn push_whole(&mut self, value: i64, what_for: Use) {
        let is_exact = |value: i64| i128::from(value) == (value as f32) as i128;
        loop {
            let wider = match self {
                Self::U8(values) => match u8::try_from(value) {
                    Ok(byte) => return values.push(byte),
                    Err(_) if what_for == Use::Targets => {
                        Self::Int(values.iter().map(|&byte| byte.into()).collect())
                    }
                    Err(_) => Self::F32(values.iter().map(|&byte| byte.into()).collect()),
                },
                Self::Int(values) => return values.push(value),
                Self::F32(values) if is_exact(value) => return values.push(value as f32),
                Self::F32(values) => Self::F64(values.iter().map(|&value| value.into()).collect()),
                Self::F64(values) => return values.push(value as f64),
                Self::Text(_) => return,
            };
            *self = wider;
        }
    }
}

/// A half-precision number (IEEE 754 binary16), exactly.
fn half(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let exponent = u32::from(bits >> 10) & 0x1f;
    let fraction = u32::from(bits) & 0x3ff;
    match exponent {
        // Below the normal numbers: so many times 2^-24.
        0 => {
            let value = fraction as f32 / 16_777_216.0;
            if sign == 0 { value } else { -value }
        }
        0x1f => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | exponent.wrapping_add(127 - 15) << 23 | fraction << 13),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_exact() {
        let known = [
            (0x0000, 0.0),
            (0x8000, -0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 2.0f32.powi(-24)),
            (0x83ff, -1023.0 * 2.0f32.powi(-24)),
            (0x0400, 2.0f32.powi(-14)),
            (0x3555, 0.333_251_95),
            (0x7c00, f32::INFINITY),
        ];
        for (bits, value) in known {
            assert_eq!(half(bits).to_bits(), value.to_bits(), "{bits:04x}");
        }
        assert!(half(0x7e01).is_nan());
    }

    #[test]
    fn blocks_are_joined_without_a_seam() {
        let n = 3 * BLOCK / 2 + 5;
        let numbers: Vec<u16> = (0..n).map(|i| (i % 251) as u16).collect();
        let read = |numbers: &[u16], n| {
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
            read_values(&mut &bytes[..], Dtype::U16, true, n, Use::Targets, "here")
        };
        assert_eq!(read(&numbers, n).unwrap(), Values::U8(numbers.iter().map(|&x| x as u8).collect()));
        let mut wide = numbers.clone();
        wide[200_000] = 256;
        assert_eq!(read(&wide, n).unwrap(), Values::Int(wide.iter().map(|&x| x.into()).collect()));
        assert!(
            matches!(read(&numbers, n - 1), Err(DataError::Trailing { expected, .. }) if expected == 2 * n - 2)
        );
        assert!(matches!(read(&numbers, n + 1), Err(DataError::Truncated { found, .. }) if found == 2 * n));
        assert_eq!(read(&[], 0).unwrap(), Values::U8(vec![]));
    }
}
