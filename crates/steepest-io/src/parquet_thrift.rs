//! Thrift's compact protocol, in which Parquet writes its footer and the headers of its pages.
//!
//! Values are looked at where they lie: whatever a length says, nothing is made of it but a walk through bytes that are there.

use crate::parquet_error::Problem;

/// Structures within structures: Parquet has four levels.
const DEEPEST: usize = 16;
const CUT: Problem = Problem::Damaged("its metadata end too soon");

/// A value.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Bool(bool),
    Int(i64),
    Bytes(&'a [u8]),
    List(List<'a>),
    Struct(Struct<'a>),
    /// What Parquet's metadata have no use for.
    Other,
}

/// The fields of a structure.
#[derive(Clone, Copy)]
pub(crate) struct Struct<'a> {
    bytes: &'a [u8],
}

/// The elements of a list.
#[derive(Clone, Copy)]
pub(crate) struct List<'a> {
    kind: u8,
    left: u64,
    bytes: &'a [u8],
}

impl<'a> Struct<'a> {
    /// The structure that these bytes begin with, and the bytes behind it.
    pub(crate) fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Problem> {
        let mut rest = bytes;
        skip_struct(&mut rest, 0)?;
        Ok((Self { bytes }, rest))
    }

    /// Goes through its fields, each with its number.
    pub(crate) fn for_each(
        self,
        mut see: impl FnMut(i64, Value<'a>) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let mut bytes = self.bytes;
        let mut number = 0;
        while let Some((field, kind)) = field(&mut bytes, number)? {
            number = field;
            see(number, value(&mut bytes, kind, 0)?)?;
        }
        Ok(())
    }
}

impl<'a> List<'a> {
    /// Its elements, which are structures.
    pub(crate) fn structs(mut self) -> impl Iterator<Item = Result<Struct<'a>, Problem>> {
        std::iter::from_fn(move || {
            self.left = self.left.checked_sub(1)?;
            Some(match value(&mut self.bytes, self.kind, 0) {
                Ok(Value::Struct(fields)) => Ok(fields),
                Ok(_) => Err(Problem::Damaged("its metadata list something else than structures")),
                Err(problem) => Err(problem),
            })
        })
    }
}

impl<'a> Value<'a> {
    /// A whole number that fits.
    pub(crate) fn int<T: TryFrom<i64>>(self) -> Result<T, Problem> {
        const WRONG: Problem =
            Problem::Damaged("its metadata have no number, or another one, where one belongs");
        match self {
            Self::Int(number) => number.try_into().map_err(|_| WRONG),
            _ => Err(WRONG),
        }
    }

    pub(crate) fn fields(self) -> Result<Struct<'a>, Problem> {
        match self {
            Self::Struct(fields) => Ok(fields),
            _ => Err(Problem::Damaged("its metadata have no structure where one belongs")),
        }
    }

    pub(crate) fn list(self) -> Result<List<'a>, Problem> {
        match self {
            Self::List(list) => Ok(list),
            _ => Err(Problem::Damaged("its metadata have no list where one belongs")),
        }
    }

    pub(crate) fn bytes(self) -> Result<&'a [u8], Problem> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(Problem::Damaged("its metadata have no text where one belongs")),
        }
    }
}

/// The next bytes, which are then behind.
pub(crate) fn take<'a>(bytes: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(n)?;
    *bytes = rest;
    Some(taken)
}

/// A number in groups of seven bits, the lowest first.
pub(crate) fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let &byte = take(bytes, 1)?.first()?;
        number |= u64::from(byte & 0x7f).wrapping_shl(shift);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// The same with a sign: 0, -1, 1, -2, ...
pub(crate) fn zigzag(bytes: &mut &[u8]) -> Option<i64> {
    let number = varint(bytes)?;
    Some((number >> 1) as i64 ^ ((number & 1) as i64).wrapping_neg())
}

/// The number and the kind of the next field, after the one with the number `before`; none at the end.
fn field(bytes: &mut &[u8], before: i64) -> Result<Option<(i64, u8)>, Problem> {
    let &head = take(bytes, 1).and_then(<[u8]>::first).ok_or(CUT)?;
    let (delta, kind) = (head >> 4, head & 0xf);
    Ok(match (delta, kind) {
        (_, 0) => None,
        (0, kind) => Some((zigzag(bytes).ok_or(CUT)?, kind)),
        (delta, kind) => Some((before.saturating_add(delta.into()), kind)),
    })
}

fn skip_struct(bytes: &mut &[u8], depth: usize) -> Result<(), Problem> {
    while let Some((_, kind)) = field(bytes, 0)? {
        value(bytes, kind, depth)?;
    }
    Ok(())
}

/// The next value, of this kind. As fields, true and false have no bytes.
fn value<'a>(bytes: &mut &'a [u8], kind: u8, depth: usize) -> Result<Value<'a>, Problem> {
    if depth > DEEPEST {
        return Err(Problem::Damaged("its metadata are nested too deeply"));
    }
    let depth = depth.saturating_add(1);
    Ok(match kind {
        1 => Value::Bool(true),
        2 => Value::Bool(false),
        3 => Value::Int((*take(bytes, 1).and_then(<[u8]>::first).ok_or(CUT)? as i8).into()),
        4..=6 => Value::Int(zigzag(bytes).ok_or(CUT)?),
        7 => take(bytes, 8).map(|_| Value::Other).ok_or(CUT)?,
        8 => {
            let len = varint(bytes).and_then(|len| usize::try_from(len).ok()).ok_or(CUT)?;
            Value::Bytes(take(bytes, len).ok_or(CUT)?)
        }
        9 | 10 => {
            let &head = take(bytes, 1).and_then(<[u8]>::first).ok_or(CUT)?;
            let (short, kind) = (head >> 4, head & 0xf);
            let left = if short == 15 { varint(bytes).ok_or(CUT)? } else { short.into() };
            let list = List { kind, left, bytes };
            for _ in 0..left {
                match kind {
                    // In a list they have one: a length without bytes behind it would be a loop without end.
                    1 | 2 => take(bytes, 1).map(drop).ok_or(CUT)?,
                    kind => value(bytes, kind, depth).map(drop)?,
                }
            }
            Value::List(list)
        }
        12 => {
            let fields = Struct { bytes };
            skip_struct(bytes, depth)?;
            Value::Struct(fields)
        }
        _ => return Err(Problem::Damaged("its metadata have a value of no kind that Parquet uses")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_lie_end_with_the_bytes() {
        // A list of 2^60 structures, of texts, of flags; a text of 2^60 bytes; lists in lists.
        let long = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10];
        for kind in [0xfc, 0xf8, 0xf1] {
            let bytes = [&[0x19, kind][..], &long].concat();
            assert!(Struct::split(&bytes).is_err());
        }
        assert!(Struct::split(&[&[0x18][..], &long].concat()).is_err());
        assert!(Struct::split(&[&[0x19][..], &[0x19; 1000]].concat()).is_err());
        assert!(Struct::split(&[0x1c; 1000]).is_err());
        assert!(varint(&mut &[0x80; 20][..]).is_none());
    }

    #[test]
    fn fields_are_numbered_by_differences_or_outright() {
        let bytes = [0x15, 0x05, 0x21, 0x05, 0x0a, 0x02, 0x19, 0x2c, 0x00, 0x00, 0x00, 7];
        let (fields, rest) = Struct::split(&bytes).unwrap();
        let mut seen = Vec::new();
        fields
            .for_each(|number, value| {
                seen.push((
                    number,
                    match value {
                        Value::Int(number) => number,
                        Value::Bool(flag) => flag.into(),
                        Value::List(list) => {
                            list.structs().map(|element| element.map(|_| ()).is_ok() as i64).sum()
                        }
                        _ => 0,
                    },
                ));
                Ok(())
            })
            .unwrap();
        assert_eq!((seen, rest), (vec![(1, -3), (3, 1), (5, 1), (6, 2)], &[7][..]));
    }
}
