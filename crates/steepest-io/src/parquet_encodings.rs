//! The encodings of values within a page.

use crate::parquet_error::Problem::{self, Damaged, Unusual};
use crate::parquet_footer::Physical;
use crate::parquet_pages::{Budget, Page, take_with_length};
use crate::parquet_thrift::{take, varint, zigzag};

const SHORT: Problem = Damaged("a page has fewer values than it says");

/// Values of one column.
pub(crate) enum Values {
    Flags(Vec<bool>),
    Ints(Vec<i64>),
    Floats(Vec<f64>),
    Texts(Texts),
}

/// Texts, and other values of some bytes each.
#[derive(Default)]
pub(crate) struct Texts {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Texts {
    pub(crate) fn get(&self, place: usize) -> Option<&[u8]> {
        let start = match place.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.bytes.get(start..*self.ends.get(place)?)
    }

    fn push(&mut self, parts: &[&[u8]]) {
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.ends.push(self.bytes.len());
    }
}

/// The places in the dictionary of a page's `n` values; none if it has the values themselves.
pub(crate) fn places(page: &Page, n: usize) -> Result<Option<Vec<u32>>, Problem> {
    if !matches!(page.encoding, 2 | 8) {
        return Ok(None);
    }
    // A page of missing values alone may be empty.
    let Some((&width, bytes)) = page.values().split_first().filter(|_| n > 0) else {
        return if n == 0 { Ok(Some(Vec::new())) } else { Err(SHORT) };
    };
    hybrid(bytes, width, n).map(Some)
}

/// The `n` values of a page, or of a dictionary.
pub(crate) fn values(
    page: &Page,
    physical: Physical,
    n: usize,
    budget: &mut Budget,
) -> Result<Values, Problem> {
    let mut bytes = page.values();
    let encoding = if page.is_dictionary { 0 } else { page.encoding };
    // Where none is there, not even a header need be.
    if n == 0 {
        return plain(&[], physical, 0);
    }
    Ok(match (encoding, physical) {
        (0, _) => plain(bytes, physical, n)?,
        (3, Physical::Bool) => {
            let bits = hybrid(take_with_length(&mut bytes).ok_or(SHORT)?, 1, n)?;
            Values::Flags(bits.iter().map(|&bit| bit == 1).collect())
        }
        (5, Physical::Int32) => {
            Values::Ints(differences(&mut bytes, n)?.iter().map(|&x| (x as i32).into()).collect())
        }
        (5, Physical::Int64) => Values::Ints(differences(&mut bytes, n)?),
        (6, Physical::Bytes) => Values::Texts(with_lengths(&mut bytes, n)?),
        (7, Physical::Bytes | Physical::Fixed(_)) => {
            Values::Texts(with_prefixes(&mut bytes, physical, n, budget)?)
        }
        (9, Physical::Int32 | Physical::Int64 | Physical::Float | Physical::Double | Physical::Fixed(_)) => {
            // The first bytes of all values, then the second ones.
            let streams = bytes.len().checked_div(width(physical)).filter(|&len| len >= n).ok_or(SHORT)?;
            let streams: Vec<&[u8]> = bytes.chunks_exact(streams).collect();
            let joined: Vec<u8> = (0..n)
                .flat_map(|i| streams.iter().filter_map(move |stream| stream.get(i)))
                .copied()
                .collect();
            plain(&joined, physical, n)?
        }
        (3..=9, _) => return Err(Damaged("a column has an encoding that is not for its type")),
        _ => return Err(Unusual("its values are encoded in a way that is not known")),
    })
}

/// Bytes of a value; 0 if they differ.
fn width(physical: Physical) -> usize {
    match physical {
        Physical::Bool | Physical::Bytes => 0,
        Physical::Int32 | Physical::Float => 4,
        Physical::Int64 | Physical::Double => 8,
        Physical::Int96 => 12,
        Physical::Fixed(width) => width,
    }
}

/// Values one after the other.
fn plain(mut bytes: &[u8], physical: Physical, n: usize) -> Result<Values, Problem> {
    let values =
        |size: usize| Ok(bytes.get(..size.checked_mul(n).ok_or(SHORT)?).ok_or(SHORT)?.chunks_exact(size));
    let four = |value: &[u8]| value.try_into().unwrap_or_default();
    let eight = |value: &[u8]| value.try_into().unwrap_or_default();
    Ok(match physical {
        Physical::Bool => {
            let mut flags = Vec::new();
            unpack(bytes, 1, n, |bit| flags.push(bit == 1))?;
            Values::Flags(flags)
        }
        Physical::Int32 => Values::Ints(values(4)?.map(|x| i32::from_le_bytes(four(x)).into()).collect()),
        Physical::Int64 => Values::Ints(values(8)?.map(|x| i64::from_le_bytes(eight(x))).collect()),
        Physical::Float => Values::Floats(values(4)?.map(|x| f32::from_le_bytes(four(x)).into()).collect()),
        Physical::Double => Values::Floats(values(8)?.map(|x| f64::from_le_bytes(eight(x))).collect()),
        Physical::Int96 | Physical::Fixed(_) => {
            let mut texts = Texts::default();
            values(width(physical))?.for_each(|value| texts.push(&[value]));
            Values::Texts(texts)
        }
        Physical::Bytes => {
            let mut texts = Texts::default();
            for _ in 0..n {
                texts.push(&[take_with_length(&mut bytes).ok_or(SHORT)?]);
            }
            Values::Texts(texts)
        }
    })
}

/// `n` numbers of so many bits, in runs: of one number again and again, or of packed ones.
pub(crate) fn hybrid(mut bytes: &[u8], width: u8, n: usize) -> Result<Vec<u32>, Problem> {
    if width > 32 {
        return Err(Damaged("a page has numbers of more bits than there are"));
    }
    let mut numbers = Vec::new();
    while numbers.len() < n {
        let head = varint(&mut bytes).ok_or(SHORT)?;
        let left = n.saturating_sub(numbers.len());
        let count = usize::try_from(head >> 1).unwrap_or(usize::MAX);
        if head & 1 == 1 {
            // The last run may be shorter than the eight that it is counted by.
            let size = count.saturating_mul(width.into()).min(bytes.len());
            let packed = take(&mut bytes, size).unwrap_or_default();
            let count = count.saturating_mul(8).min(left);
            unpack(packed, width, count, |number| numbers.push(number as u32))?;
        } else {
            let value = take(&mut bytes, usize::from(width.div_ceil(8))).ok_or(SHORT)?;
            let value = value.iter().rev().fold(0u32, |value, &byte| value.wrapping_shl(8) | u32::from(byte));
            numbers.resize(numbers.len().saturating_add(count.min(left)), value);
        }
    }
    Ok(numbers)
}

/// Takes `n` numbers of so many bits apart, the lowest bits first.
fn unpack(bytes: &[u8], width: u8, n: usize, mut see: impl FnMut(u64)) -> Result<(), Problem> {
    let width = u32::from(width);
    let mask = u64::MAX.checked_shr(64u32.saturating_sub(width)).unwrap_or(0);
    let mut bytes = bytes.iter();
    let (mut bits, mut n_bits) = (0u128, 0u32);
    for _ in 0..n {
        while n_bits < width {
            bits |= u128::from(*bytes.next().ok_or(SHORT)?).wrapping_shl(n_bits);
            n_bits = n_bits.wrapping_add(8);
        }
        see(bits as u64 & mask);
        bits = bits.wrapping_shr(width);
        n_bits = n_bits.wrapping_sub(width);
    }
    Ok(())
}

/// Whole numbers as the first one and differences, in blocks whose parts have each its own number of bits.
fn differences(bytes: &mut &[u8], n: usize) -> Result<Vec<i64>, Problem> {
    const WRONG: Problem = Damaged("a page has blocks of numbers that do not fit together");
    let mut next = || varint(bytes).and_then(|number| usize::try_from(number).ok()).ok_or(SHORT);
    let (block, n_parts, total) = (next()?, next()?, next()?);
    let mut number = zigzag(bytes).ok_or(SHORT)?;
    let part = block.checked_div(n_parts).filter(|part| part % 8 == 0 && *part > 0).ok_or(WRONG)?;
    if total != n {
        return Err(SHORT);
    }
    let mut numbers = vec![number];
    while numbers.len() < n {
        let least = zigzag(bytes).ok_or(SHORT)?;
        for &width in take(bytes, n_parts).ok_or(SHORT)? {
            let count = n.saturating_sub(numbers.len()).min(part);
            // Behind the last number, parts have no bytes.
            if count == 0 {
                break;
            }
            if width > 64 {
                return Err(WRONG);
            }
            let size = (part / 8).saturating_mul(width.into()).min(bytes.len());
            unpack(take(bytes, size).unwrap_or_default(), width, count, |difference| {
                number = number.wrapping_add(least).wrapping_add(difference as i64);
                numbers.push(number);
            })?;
        }
    }
    Ok(numbers)
}

/// Texts with the lengths of all before them.
fn with_lengths(bytes: &mut &[u8], n: usize) -> Result<Texts, Problem> {
    let mut texts = Texts::default();
    for len in differences(bytes, n)? {
        let len = usize::try_from(len as i32).map_err(|_| SHORT)?;
        texts.push(&[take(bytes, len).ok_or(SHORT)?]);
    }
    Ok(texts)
}

/// Texts that each begin as the one before does.
fn with_prefixes(
    bytes: &mut &[u8],
    physical: Physical,
    n: usize,
    budget: &mut Budget,
) -> Result<Texts, Problem> {
    let prefixes = differences(bytes, n)?;
    let endings = with_lengths(bytes, n)?;
    let mut texts = Texts::default();
    let mut text = Vec::new();
    for (i, prefix) in prefixes.into_iter().enumerate() {
        let prefix =
            usize::try_from(prefix as i32).ok().filter(|&prefix| prefix <= text.len()).ok_or(SHORT)?;
        text.truncate(prefix);
        text.extend_from_slice(endings.get(i).ok_or(SHORT)?);
        if matches!(physical, Physical::Fixed(width) if width != text.len()) {
            return Err(SHORT);
        }
        // A text of a megabyte may be repeated by a byte.
        budget.spend(text.len())?;
        texts.push(&[&text]);
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Parquet's documentation: 0 to 7 in three bits each.
    #[test]
    fn packed_numbers_begin_with_the_lowest_bits() {
        let run = [3, 0b1000_1000, 0b1100_0110, 0b1111_1010];
        assert_eq!(hybrid(&run, 3, 8).unwrap(), (0..8).collect::<Vec<u32>>());
        assert_eq!(hybrid(&[10, 7, 4, 1], 3, 7).unwrap(), [7, 7, 7, 7, 7, 1, 1]);
        assert_eq!(hybrid(&[10], 0, 5).unwrap(), [0; 5]);
        assert!(
            hybrid(&run, 3, 9).is_err()
                && hybrid(&run[..3], 3, 8).is_err()
                && hybrid(&[2; 9], 33, 1).is_err()
        );
        // Runs of nothing.
        assert!(hybrid(&[0; 100], 1, 1).is_err());
    }

    /// The examples of Parquet's documentation.
    #[test]
    fn differences_are_added_up() {
        let up = [128, 1, 4, 5, 2, 2, 0, 0, 0, 0];
        assert_eq!(differences(&mut &up[..], 5).unwrap(), [1, 2, 3, 4, 5]);
        let packed = [128, 1, 4, 8, 14, 3, 2, 0, 0, 0, 0b1100_0000, 0b0011_1111, 0, 0, 0, 0, 0, 0];
        assert_eq!(differences(&mut &packed[..], 8).unwrap(), [7, 5, 3, 1, 2, 3, 4, 5]);
        assert!(differences(&mut &up[..], 6).is_err(), "another number of values");
        assert!(differences(&mut &[0, 4, 5, 2, 2, 0, 0, 0, 0][..], 5).is_err(), "blocks of nothing");
        assert!(differences(&mut &[128, 1, 0, 5, 2, 2][..], 5).is_err(), "no parts");
    }
}
