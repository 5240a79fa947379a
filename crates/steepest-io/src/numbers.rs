//! Numbers as files store them, read in blocks: only what they become takes memory.

use std::io::Read;

use crate::error::DataError;
use crate::file::{Extent, fill, product};
use crate::order::Order;

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

/// What the header of a file says of an array.
#[derive(Debug)]
pub(crate) struct Announced {
    pub(crate) dtype: Dtype,
    pub(crate) big_endian: bool,
    /// Whether the first index is the fastest.
    pub(crate) fortran_order: bool,
    pub(crate) shape: Vec<u64>,
}

/// Reads the numbers of an array, which must be all that `reader` still has, in C's order.
pub(crate) fn read_values(
    reader: &mut impl Read,
    announced: &Announced,
    extent: Extent,
    what_for: Use,
    place: &str,
) -> Result<Values, DataError> {
    let &Announced { dtype, big_endian, fortran_order, ref shape } = announced;
    if what_for == Use::Inputs && matches!(dtype, Dtype::Text(_) | Dtype::Bytes(_)) {
        return Err(DataError::NpyTextInputs { place: place.into() });
    }
    let n = product(shape, place)?;
    let expected = product(&[n, dtype.size()], place)?;
    extent.refuse_bomb(expected, place)?;
    let order = if fortran_order && shape.len() > 1 && n > 0 {
        Order::fortran(shape.iter().map(|&size| usize::try_from(size).unwrap_or(usize::MAX)).collect())
    } else {
        Order::C
    };
    let room = extent.room(n, dtype.size());
    let blocks =
        Blocks { reader, left: expected, expected, big_endian, place, room, order, buffer: Vec::new() };
    match dtype {
        Dtype::U8 => blocks.numbers(Values::U8, u8::from_le_bytes),
        Dtype::Bool => blocks.numbers(Values::U8, |[byte]| u8::from(byte != 0)),
        Dtype::I8 => blocks.whole(what_for, |b| Ok(i8::from_le_bytes(b).into())),
        Dtype::U16 => blocks.whole(what_for, |b| Ok(u16::from_le_bytes(b).into())),
        Dtype::I16 => blocks.whole(what_for, |b| Ok(i16::from_le_bytes(b).into())),
        Dtype::U32 => blocks.whole(what_for, |b| Ok(u32::from_le_bytes(b).into())),
        Dtype::I32 => blocks.whole(what_for, |b| Ok(i32::from_le_bytes(b).into())),
        Dtype::I64 => blocks.whole(what_for, |b| Ok(i64::from_le_bytes(b))),
        Dtype::U64 => blocks.whole(what_for, |b| {
            let value = u64::from_le_bytes(b);
            i64::try_from(value).map_err(|_| DataError::TooWide { place: place.into(), value })
        }),
        Dtype::F16 => blocks.numbers(Values::F32, |b| half(u16::from_le_bytes(b))),
        Dtype::F32 => blocks.numbers(Values::F32, f32::from_le_bytes),
        Dtype::F64 => blocks.numbers(Values::F64, f64::from_le_bytes),
        // Of text only a column is used, which is in both orders at once.
        Dtype::Text(length) => Ok(Values::Text(blocks.texts(length as usize)?)),
        Dtype::Bytes(length) => Ok(Values::Text(blocks.byte_texts(length as usize)?)),
    }
}

/// Bytes held at a time; a multiple of every number's size.
const BLOCK: u64 = 1 << 18;

struct Blocks<'a, R> {
    reader: &'a mut R,
    left: u64,
    expected: u64,
    big_endian: bool,
    place: &'a str,
    /// For so many numbers room is made at once.
    room: usize,
    order: Order,
    buffer: Vec<u8>,
}

impl<R: Read> Blocks<'_, R> {
    /// The next numbers, least byte first; none at the end, which is then known to be one.
    fn next<const N: usize>(&mut self) -> Result<Option<&[[u8; N]]>, DataError> {
        let wanted = self.left.min(BLOCK);
        // At the end, one byte more than there should be.
        self.buffer.resize(wanted.max(1) as usize, 0);
        let damaged = |source| DataError::Damaged { place: self.place.into(), source };
        let found = fill(self.reader, &mut self.buffer).map_err(damaged)? as u64;
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

    /// Reads everything, each run of numbers into the part to which it belongs.
    fn into_parts<const N: usize, P>(
        mut self,
        empty: impl Fn(usize) -> P,
        mut append: impl FnMut(&mut P, &[[u8; N]]) -> Result<(), DataError>,
    ) -> Result<(Order, Vec<P>), DataError> {
        let order = std::mem::replace(&mut self.order, Order::C);
        let room = self.room.div_ceil(order.n_parts().max(1));
        let mut parts: Vec<P> = (0..order.n_parts()).map(|_| empty(room)).collect();
        let mut at = 0usize;
        while let Some(mut items) = self.next()? {
            while !items.is_empty() {
                let (part, len) = order.part(at);
                let (run, rest) = items.split_at(len.min(items.len()));
                if let Some(part) = parts.get_mut(part) {
                    append(part, run)?;
                }
                at = at.saturating_add(run.len());
                items = rest;
            }
        }
        Ok((order, parts))
    }

    fn numbers<const N: usize, T: Copy>(
        self,
        values: impl Fn(Vec<T>) -> Values,
        number: impl Fn([u8; N]) -> T,
    ) -> Result<Values, DataError> {
        let (order, parts) = self.into_parts(Vec::with_capacity, |part, run| {
            part.extend(run.iter().map(|&item| number(item)));
            Ok(())
        })?;
        Ok(values(order.join(parts)))
    }

    fn whole<const N: usize>(
        self,
        what_for: Use,
        number: impl Fn([u8; N]) -> Result<i64, DataError>,
    ) -> Result<Values, DataError> {
        let empty = |room| Values::U8(Vec::with_capacity(room));
        let (order, mut parts) = self.into_parts(empty, |part, run| {
            run.iter().try_for_each(|&item| {
                part.push_whole(number(item)?, what_for);
                Ok(())
            })
        })?;
        // All become as wide as the widest.
        let widest = parts.iter().map(Values::width).max().unwrap_or(0);
        for part in &mut parts {
            while part.width() < widest {
                part.widen(what_for);
            }
        }
        macro_rules! join {
            ($width:ident) => {{
                let values = |part| if let Values::$width(values) = part { values } else { Vec::new() };
                Values::$width(order.join(parts.into_iter().map(values)))
            }};
        }
        Ok(match parts.first() {
            Some(Values::Int(_)) => join!(Int),
            Some(Values::F32(_)) => join!(F32),
            Some(Values::F64(_)) => join!(F64),
            _ => join!(U8),
        })
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
    /// Adds a whole number. Values become as wide as they have to be, and no wider.
    fn push_whole(&mut self, value: i64, what_for: Use) {
        let is_exact = |value: i64| i128::from(value) == (value as f32) as i128;
        loop {
            match self {
                Self::U8(values) if let Ok(byte) = u8::try_from(value) => return values.push(byte),
                Self::Int(values) => return values.push(value),
                Self::F32(values) if is_exact(value) => return values.push(value as f32),
                Self::F64(values) => return values.push(value as f64),
                Self::Text(_) => return,
                Self::U8(_) | Self::F32(_) => self.widen(what_for),
            }
        }
    }

    /// The next wider form: for labels integers, for inputs floats.
    fn widen(&mut self, what_for: Use) {
        *self = match self {
            Self::U8(values) if what_for == Use::Targets => {
                Self::Int(values.iter().map(|&byte| byte.into()).collect())
            }
            Self::U8(values) => Self::F32(values.iter().map(|&byte| byte.into()).collect()),
            Self::F32(values) => Self::F64(values.iter().map(|&value| value.into()).collect()),
            Self::Int(_) | Self::F64(_) | Self::Text(_) => return,
        };
    }

    /// Forms in the order of [`widen`](Self::widen).
    fn width(&self) -> u8 {
        match self {
            Self::U8(_) => 0,
            Self::Int(_) | Self::F32(_) => 1,
            Self::F64(_) | Self::Text(_) => 2,
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
            let announced =
                Announced { dtype: Dtype::U16, big_endian: true, fortran_order: false, shape: vec![n] };
            let extent = Extent { bytes: bytes.len() as u64, compressed: false };
            read_values(&mut &bytes[..], &announced, extent, Use::Targets, "here")
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
