//! The footer of a Parquet file: its columns, and where in the file their values lie.

use crate::parquet_error::Problem::{self, Damaged, Unusual};
use crate::parquet_thrift::{Struct, Value};

/// What a file says of itself.
pub(crate) struct Footer {
    pub(crate) columns: Vec<Column>,
    pub(crate) row_groups: Vec<RowGroup>,
}

/// A column of the table.
pub(crate) struct Column {
    pub(crate) name: String,
    /// How its values are stored; if it has not one for each row, what it has.
    pub(crate) stored: Result<Stored, &'static str>,
}

/// How values are stored.
#[derive(Clone, Copy)]
pub(crate) struct Stored {
    /// Which of a row group's chunks holds them.
    pub(crate) place: usize,
    pub(crate) physical: Physical,
    pub(crate) meaning: Meaning,
    /// Whether some may be missing.
    pub(crate) is_optional: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Physical {
    Bool,
    Int32,
    Int64,
    Int96,
    Float,
    Double,
    Bytes,
    /// So many bytes.
    Fixed(usize),
}

/// What stored values mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// What they are.
    Plain,
    /// Whole numbers without a sign.
    Unsigned,
    /// Whole numbers to be divided by ten to this power.
    Decimal(u32),
    Float16,
    Uuid,
    /// Days since 1970.
    Date,
    /// Of so many a second, since midnight.
    Time(i64),
    /// Of so many a second, since 1970.
    Timestamp(i64),
}

/// Some rows of all columns.
pub(crate) struct RowGroup {
    pub(crate) n_rows: u64,
    pub(crate) chunks: Vec<Chunk>,
}

/// Where a column's values for a row group are.
#[derive(Clone, Copy, Default)]
pub(crate) struct Chunk {
    pub(crate) codec: i64,
    /// In the file.
    pub(crate) start: u64,
    pub(crate) len: u64,
}

impl Footer {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let (fields, _) = Struct::split(bytes)?;
        let (mut columns, mut groups, mut n_rows, mut is_encrypted) = (None, None, None, false);
        fields.for_each(|number, value| {
            match number {
                2 => columns = Some(value.list()?),
                3 => n_rows = Some(value.int::<u64>()?),
                4 => groups = Some(value.list()?),
                8 => is_encrypted = true,
                _ => {}
            }
            Ok(())
        })?;
        if is_encrypted {
            return Err(Unusual("it is encrypted"));
        }
        let (Some(columns), Some(groups), Some(n_rows)) = (columns, groups, n_rows) else {
            return Err(Damaged("its footer lacks columns or row groups"));
        };
        let elements =
            columns.structs().map(|element| Element::parse(element?)).collect::<Result<Vec<_>, _>>()?;
        let (columns, n_chunks) = columns_of(&elements)?;
        let row_groups = groups.structs().map(|group| row_group(group?, n_chunks));
        let row_groups = row_groups.collect::<Result<Vec<_>, _>>()?;
        let in_groups = row_groups.iter().try_fold(0u64, |sum, group| sum.checked_add(group.n_rows));
        if in_groups != Some(n_rows) {
            return Err(Damaged("its row groups have not as many rows as the whole"));
        }
        Ok(Self { columns, row_groups })
    }
}

/// A node of the tree of columns, which is written in the order that one walks through it.
#[derive(Default)]
struct Element {
    physical: Option<i64>,
    len: Option<usize>,
    repetition: i64,
    name: String,
    n_children: usize,
    converted: Option<i64>,
    scale: Option<u32>,
    /// The number of a logical type, and its first and second parameter.
    logical: Option<(i64, i64, i64)>,
}

impl Element {
    fn parse(fields: Struct) -> Result<Self, Problem> {
        let mut element = Self::default();
        fields.for_each(|number, value| {
            match number {
                1 => element.physical = Some(value.int()?),
                2 => element.len = Some(value.int()?),
                3 => element.repetition = value.int()?,
                4 => element.name = String::from_utf8_lossy(value.bytes()?).into_owned(),
                5 => element.n_children = value.int()?,
                6 => element.converted = Some(value.int()?),
                7 => element.scale = Some(value.int()?),
                10 => element.logical = Some(logical(value)?),
                _ => {}
            }
            Ok(())
        })?;
        Ok(element)
    }

    /// What a column has that has not one value for each row.
    fn nested(&self) -> Option<&'static str> {
        let logical = self.logical.map(|(number, ..)| number);
        Some(match (self.converted, logical) {
            (Some(1), _) | (_, Some(2)) => "maps",
            (Some(3), _) | (_, Some(3)) => "lists",
            _ if self.repetition == 2 => "lists",
            _ if self.physical.is_none() || self.n_children > 0 => "structures (columns within a column)",
            _ => return None,
        })
    }

    fn physical(&self) -> Result<Physical, Problem> {
        Ok(match (self.physical, self.len) {
            (Some(0), _) => Physical::Bool,
            (Some(1), _) => Physical::Int32,
            (Some(2), _) => Physical::Int64,
            (Some(3), _) => Physical::Int96,
            (Some(4), _) => Physical::Float,
            (Some(5), _) => Physical::Double,
            (Some(6), _) => Physical::Bytes,
            (Some(7), Some(len)) if len > 0 => Physical::Fixed(len),
            _ => return Err(Damaged("a column has a type that there is not")),
        })
    }

    /// What the values mean; the newer of two ways to say it is believed first.
    fn meaning(&self, physical: Physical) -> Result<Result<Meaning, &'static str>, Problem> {
        use Physical::{Bytes, Fixed, Int32, Int64, Int96};
        let per_second = |unit: i64| match unit {
            1 => Ok(1000),
            2 => Ok(1_000_000),
            3 => Ok(1_000_000_000),
            _ => Err(Damaged("a column's times have no unit")),
        };
        let decimal = |scale: Option<u32>| Meaning::Decimal(scale.unwrap_or(0));
        let meaning = match (self.logical, self.converted, physical) {
            (_, _, Int96) => Meaning::Timestamp(1_000_000_000),
            (Some((5, scale, _)), _, Int32 | Int64 | Bytes | Fixed(_)) => decimal(u32::try_from(scale).ok()),
            (None, Some(5), Int32 | Int64 | Bytes | Fixed(_)) => decimal(self.scale),
            (Some((6, ..)), _, Int32) | (None, Some(6), Int32) => Meaning::Date,
            (Some((7, _, unit)), _, Int32 | Int64) => Meaning::Time(per_second(unit)?),
            (Some((8, _, unit)), _, Int64) => Meaning::Timestamp(per_second(unit)?),
            (None, Some(7), Int32) => Meaning::Time(1000),
            (None, Some(8), Int64) => Meaning::Time(1_000_000),
            (None, Some(9), Int64) => Meaning::Timestamp(1000),
            (None, Some(10), Int64) => Meaning::Timestamp(1_000_000),
            (Some((10, _, 0)), _, Int32 | Int64) | (None, Some(11..=14), Int32 | Int64) => Meaning::Unsigned,
            (Some((14, ..)), _, Fixed(16)) => Meaning::Uuid,
            (Some((15, ..)), _, Fixed(2)) => Meaning::Float16,
            (Some((13, ..)), ..) | (_, Some(20), _) => return Ok(Err("documents (BSON)")),
            (Some((16, ..)), ..) => return Ok(Err("variants")),
            (Some((17 | 18, ..)), ..) => return Ok(Err("shapes (geometry)")),
            (_, Some(21), _) => return Ok(Err("intervals of time")),
            _ => Meaning::Plain,
        };
        // Ten to a higher power is infinite.
        if matches!(meaning, Meaning::Decimal(scale) if scale > 300) {
            return Err(Damaged("a column's decimals have more places than there are"));
        }
        Ok(Ok(meaning))
    }
}

/// A logical type: its number, and of its parameters the first and the second.
fn logical(value: Value) -> Result<(i64, i64, i64), Problem> {
    let (mut kind, mut parameters) = (0, (0, 0));
    value.fields()?.for_each(|number, value| {
        kind = number;
        value.fields()?.for_each(|number, value| {
            let parameter = match value {
                Value::Int(number) => number,
                Value::Bool(flag) => flag.into(),
                Value::Struct(unit) => {
                    let mut which = 0;
                    unit.for_each(|number, _| {
                        which = number;
                        Ok(())
                    })?;
                    which
                }
                _ => 0,
            };
            match number {
                1 => parameters.0 = parameter,
                2 => parameters.1 = parameter,
                _ => {}
            }
            Ok(())
        })
    })?;
    Ok((kind, parameters.0, parameters.1))
}

/// The columns, and how many chunks a row group has.
fn columns_of(elements: &[Element]) -> Result<(Vec<Column>, usize), Problem> {
    const SHORT: Problem = Damaged("its list of columns ends too soon");
    let mut elements = elements.iter();
    let root = elements.next().ok_or(SHORT)?;
    let (mut columns, mut n_chunks) = (Vec::new(), 0usize);
    while columns.len() < root.n_children {
        let column = elements.next().ok_or(SHORT)?;
        let stored = match column.nested() {
            Some(what) => Err(what),
            None => {
                let physical = column.physical()?;
                let meaning = column.meaning(physical)?;
                meaning.map(|meaning| Stored {
                    place: n_chunks,
                    physical,
                    meaning,
                    is_optional: column.repetition == 1,
                })
            }
        };
        // What is within it has chunks as well.
        let (mut node, mut left) = (column, column.n_children);
        loop {
            if node.n_children == 0 && node.physical.is_some() {
                n_chunks = n_chunks.saturating_add(1);
            }
            let Some(fewer) = left.checked_sub(1) else { break };
            node = elements.next().ok_or(SHORT)?;
            left = fewer.saturating_add(node.n_children);
        }
        columns.push(Column { name: column.name.clone(), stored });
    }
    match elements.next() {
        None => Ok((columns, n_chunks)),
        Some(_) => Err(Damaged("its list of columns has more than it says")),
    }
}

fn row_group(fields: Struct, n_chunks: usize) -> Result<RowGroup, Problem> {
    let (mut group, mut is_whole) = (RowGroup { n_rows: 0, chunks: Vec::new() }, false);
    fields.for_each(|number, value| {
        match number {
            1 => {
                group.chunks =
                    value.list()?.structs().map(|fields| chunk(fields?)).collect::<Result<_, _>>()?
            }
            3 => (group.n_rows, is_whole) = (value.int()?, true),
            _ => {}
        }
        Ok(())
    })?;
    match is_whole && group.chunks.len() == n_chunks {
        true => Ok(group),
        false => Err(Damaged("a row group lacks columns or its number of rows")),
    }
}

fn chunk(fields: Struct) -> Result<Chunk, Problem> {
    let (mut metadata, mut is_elsewhere) = (None, false);
    fields.for_each(|number, value| {
        match number {
            1 => is_elsewhere = true,
            3 => metadata = Some(value.fields()?),
            _ => {}
        }
        Ok(())
    })?;
    if is_elsewhere {
        return Err(Unusual("its values lie in other files"));
    }
    let metadata =
        metadata.ok_or(Damaged("its footer does not say where a column is, or it is encrypted"))?;
    let (mut chunk, mut data, mut dictionary, mut has_len) = (Chunk::default(), None, None, false);
    metadata.for_each(|number, value| {
        match number {
            4 => chunk.codec = value.int()?,
            7 => (chunk.len, has_len) = (value.int()?, true),
            9 => data = Some(value.int::<u64>()?),
            // Some writers give 0 where there is none.
            11 => dictionary = Some(value.int::<u64>()?).filter(|&start| start > 0),
            _ => {}
        }
        Ok(())
    })?;
    let (Some(data), true) = (data, has_len) else {
        return Err(Damaged("its footer does not say where a column's values are"));
    };
    chunk.start = dictionary.map_or(data, |dictionary| dictionary.min(data));
    Ok(chunk)
}
