//! The cells of a CSV table: numbers of inputs, and labels.

use std::collections::HashMap;

use csv::ByteRecord;
use steepest::{Inputs, Targets};

use crate::classes::Classes;
use crate::csv_bytes::{digit, number as number_of};
use crate::csv_error::CellProblem;
use crate::shown::shown;

/// Inputs as they are read: bytes as long as every cell fits one.
pub(crate) struct Cells {
    read: Read,
    double: bool,
}

enum Read {
    Bytes(Vec<u8>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Cells {
    /// No cells yet; `double` keeps decimals in double precision.
    pub(crate) fn new(double: bool) -> Self {
        Self { read: Read::Bytes(Vec::new()), double }
    }

    /// Reads a line except its target. On error, says which column.
    pub(crate) fn push_row(
        &mut self,
        record: &ByteRecord,
        target: Option<usize>,
    ) -> Result<(), (usize, CellProblem)> {
        let mut start = 0;
        if let Read::Bytes(bytes) = &mut self.read {
            let Some(column) = push_bytes(bytes, record, target) else { return Ok(()) };
            // The first number that is no byte: what was read becomes floating point, and so does all that follows.
            start = column;
            self.read = if self.double {
                Read::F64(bytes.iter().map(|&byte| byte.into()).collect())
            } else {
                Read::F32(bytes.iter().map(|&byte| byte.into()).collect())
            };
        }
        for (column, cell) in record.iter().enumerate().skip(start) {
            if Some(column) != target {
                self.push(cell).map_err(|problem| (column, problem))?;
            }
        }
        Ok(())
    }

    fn push(&mut self, cell: &[u8]) -> Result<(), CellProblem> {
        match &mut self.read {
            Read::F32(values) => values.push(number(cell, |v: &f32| v.is_finite())?),
            Read::F64(values) => values.push(number(cell, |v: &f64| v.is_finite())?),
            Read::Bytes(_) => unreachable!("bytes were turned into floats"),
        }
        Ok(())
    }

    /// The bytes so far, if all cells fitted one.
    pub(crate) fn bytes(&mut self) -> Option<&mut Vec<u8>> {
        if let Read::Bytes(bytes) = &mut self.read { Some(bytes) } else { None }
    }

    pub(crate) fn into_inputs(self) -> Inputs {
        match self.read {
            Read::Bytes(bytes) => Inputs::Bytes(bytes.into()),
            Read::F32(values) => Inputs::F32(values.into()),
            Read::F64(values) => Inputs::F64(values.into()),
        }
    }
}

/// Reads bytes until a cell is none, and says which.
fn push_bytes(bytes: &mut Vec<u8>, record: &ByteRecord, target: Option<usize>) -> Option<usize> {
    for (column, cell) in record.iter().enumerate() {
        if Some(column) != target {
            match byte(cell).or_else(|| byte(cell.trim_ascii())) {
                Some(value) => bytes.push(value),
                None => return Some(column),
            }
        }
    }
    None
}

/// A whole number from 0 to 255, written with up to three digits: nearly every cell of an image.
fn byte(cell: &[u8]) -> Option<u8> {
    match *cell {
        [a] => number_of(0, 0, a),
        [a, b] => number_of(0, digit(a)?, b),
        [a, b, c] => number_of(digit(a)?, digit(b)?, c),
        // As pandas writes what was a flag.
        [b'T', b'r', b'u', b'e'] => Some(1),
        [b'F', b'a', b'l', b's', b'e'] => Some(0),
        _ => None,
    }
}

fn number<T: std::str::FromStr>(cell: &[u8], is_finite: impl Fn(&T) -> bool) -> Result<T, CellProblem> {
    let cell = cell.trim_ascii();
    if cell.is_empty() {
        return Err(CellProblem::Missing);
    }
    let cell = match cell {
        b"True" => b"1",
        b"False" => b"0",
        other => other,
    };
    match std::str::from_utf8(cell).ok().and_then(|text| text.parse().ok()) {
        Some(value) if is_finite(&value) => Ok(value),
        Some(_) => Err(CellProblem::NotFinite(shown(&String::from_utf8_lossy(cell)))),
        None => Err(not_a_number::<T>(&String::from_utf8_lossy(cell))),
    }
}

/// Whether a cell, less the blanks around it, says that a value is missing.
pub(crate) fn is_missing(cell: &[u8]) -> bool {
    const WORDS: [&[u8]; 15] = [
        b"", b"?", b"-", b"NA", b"N/A", b"n/a", b"#N/A", b"<NA>", b"NaN", b"nan", b"NAN", b"null", b"NULL",
        b"None", b"-nan",
    ];
    WORDS.contains(&cell)
}

/// Whether a cell is a number but for the comma where its point should be.
pub(crate) fn has_decimal_comma(cell: &str) -> bool {
    cell.contains(',') && cell.replacen(',', ".", 1).parse::<f64>().is_ok()
}

/// What a cell is that is no number.
fn not_a_number<T: std::str::FromStr>(cell: &str) -> CellProblem {
    if is_missing(cell.as_bytes()) {
        CellProblem::NotAvailable(cell.into())
    } else if cell.replacen(',', ".", 1).parse::<T>().is_ok() {
        CellProblem::DecimalComma(shown(cell))
    } else {
        CellProblem::Text(shown(cell))
    }
}

/// The target column: each distinct text once, since what the column holds is known only at its end.
#[derive(Default)]
pub(crate) struct Labels {
    ids: HashMap<Box<[u8]>, u32>,
    texts: Vec<(String, u64)>, // by id, with the line it was first seen on
    rows: Vec<u32>,            // (n_samples,) ids
}

impl Labels {
    pub(crate) fn push(&mut self, cell: &[u8], line: u64) -> Result<(), CellProblem> {
        let cell = cell.trim_ascii();
        if cell.is_empty() {
            return Err(CellProblem::Missing);
        }
        let id = match self.ids.get(cell) {
            Some(&id) => id,
            None => {
                let not_text = || CellProblem::NotUtf8(shown(&String::from_utf8_lossy(cell)));
                let text = std::str::from_utf8(cell).map_err(|_| not_text())?;
                // Other formats, where it means the end of a text, could not give it back.
                if text.contains('\0') {
                    return Err(not_text());
                }
                self.add(text, line)
            }
        };
        self.rows.push(id);
        Ok(())
    }

    /// A label that is a whole number, written as usual.
    pub(crate) fn push_number(&mut self, number: u8, line: u64) {
        let text = number.to_string();
        let id = self.ids.get(text.as_bytes()).copied().unwrap_or_else(|| self.add(&text, line));
        self.rows.push(id);
    }

    fn add(&mut self, text: &str, line: u64) -> u32 {
        let id = self.texts.len() as u32;
        self.ids.insert(text.as_bytes().into(), id);
        self.texts.push((text.into(), line));
        id
    }

    /// Classes when all labels are whole numbers or some are text, values when all are numbers.
    ///
    /// On error, says on which line.
    pub(crate) fn into_targets(self) -> Result<Targets, (u64, CellProblem)> {
        let texts = || self.texts.iter().map(|(text, _)| text.as_str());
        if let Ok(integers) = texts().map(str::parse).collect::<Result<Vec<i64>, _>>() {
            let labels: Vec<i64> = of_rows(&self.rows, &integers);
            return Ok(Classes::of(&[&labels]).targets(&labels));
        }
        if let Ok(numbers) = texts().map(str::parse).collect::<Result<Vec<f64>, _>>() {
            if let Some((_, (text, line))) =
                numbers.iter().zip(&self.texts).find(|(value, _)| !value.is_finite())
            {
                return Err((*line, CellProblem::NotFinite(shown(text))));
            }
            let values = of_rows(&self.rows, &numbers);
            return Ok(Targets::Values { values, n_outputs: 1 });
        }
        let mut names: Vec<String> = texts().map(str::to_string).collect();
        names.sort_unstable();
        let class_of: Vec<u32> =
            texts().map(|text| names.partition_point(|name| name.as_str() < text) as u32).collect();
        let labels = of_rows(&self.rows, &class_of);
        Ok(Targets::Classes { labels, names })
    }
}

/// Whether classes of these names, written as labels of rows, are read as classes of the same names.
pub(crate) fn are_labels<'a>(names: impl Iterator<Item = &'a String> + Clone) -> bool {
    let mut labels = Labels::default();
    let is_read = names.clone().all(|name| labels.push(name.as_bytes(), 0).is_ok());
    match labels.into_targets() {
        Ok(Targets::Classes { labels, names: read }) if is_read => {
            names.eq(labels.iter().filter_map(|&label| read.get(label as usize)))
        }
        _ => false,
    }
}

/// What each row's id stands for; every id has a place.
fn of_rows<T: Copy>(ids: &[u32], meant: &[T]) -> Vec<T> {
    ids.iter().filter_map(|&id| meant.get(id as usize).copied()).collect()
}
