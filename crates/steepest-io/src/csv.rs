//! CSV tables: Kaggle's and other MNIST tables, with or without a header, and tables of numbers with a label column.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use csv::ByteRecord;
use steepest::Dataset;

use crate::csv_bytes::{Lines, read_lines};
use crate::csv_cells::{Cells, Labels};
use crate::csv_header::Columns;
use crate::error::{CellProblem, DataError};
use crate::file::open;

/// How to read a CSV file.
#[derive(Clone, Debug, Default)]
pub struct CsvOptions {
    /// The column with the targets, by name; where columns have no names, by number, from 1.
    ///
    /// Without it, a column named `label`, `target`, `class` or `y` is taken. In a table of images without a header
    /// (a square number of columns, 16 x 16 or more, and one), it is the first.
    pub target: Option<String>,
    /// Keep decimals in double precision.
    pub double: bool,
}

/// Reads a CSV file: a row of inputs a line, and their targets if there is a target column.
///
/// Inputs that are all whole numbers from 0 to 255 become bytes, others float32, or float64 if asked for. Targets that
/// are all written as whole numbers are classes; so is text; other numbers are values.
///
/// # Errors
/// When a cell among the inputs is no finite number, lines differ in length, or the target column is not there.
pub fn read_csv(path: &Path, options: &CsvOptions) -> Result<Dataset, DataError> {
    let (_, file) = open(path)?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true) // lines of another length: our own message names the line
        .buffer_capacity(1 << 18)
        .from_reader(ShortLines { file, since_newline: 0 });
    let failed = |source| DataError::Csv { path: path.into(), source };

    let mut record = ByteRecord::new();
    let no_rows = |shape: &str| DataError::NoData { place: path.display().to_string(), shape: shape.into() };
    if !reader.read_byte_record(&mut record).map_err(failed)? {
        return Err(no_rows("only empty lines"));
    }
    let columns = Columns::of(&record, path, options.target.as_deref())?;
    let mut table = Table { path, cells: Cells::new(options.double), labels: Labels::default(), columns };
    let mut is_empty = table.columns.has_header;
    if !table.columns.has_header {
        table.push(&record)?;
    }
    is_empty &= table.read_bytes(&mut reader).map_err(|source| DataError::io(path, source))? == 0;
    while reader.read_byte_record(&mut record).map_err(failed)? {
        table.push(&record)?;
        is_empty = false;
    }
    if is_empty {
        return Err(no_rows("a header without rows"));
    }

    table.into_dataset()
}

/// A line of a million cells fits.
const LONGEST_LINE: usize = 16 << 20;

/// A file that is refused where a line has no end: the reader of records would take it into memory.
struct ShortLines {
    file: BufReader<File>,
    since_newline: usize,
}

impl Read for ShortLines {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.file.read(buffer)?;
        let new = buffer.get(..n).unwrap_or_default();
        self.since_newline = match new.iter().rev().position(|&byte| byte == b'\n') {
            Some(after) => after,
            None => self.since_newline.saturating_add(n),
        };
        if self.since_newline > LONGEST_LINE {
            let message =
                format!("a line is longer than {LONGEST_LINE} bytes: this is no table, or none of rows");
            return Err(std::io::Error::other(message));
        }
        Ok(n)
    }
}

impl Seek for ShortLines {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.since_newline = 0;
        self.file.seek(to)
    }
}

/// A table as far as it is read.
struct Table<'a> {
    path: &'a Path,
    columns: Columns,
    cells: Cells,
    labels: Labels,
}

impl Table<'_> {
    /// Reads a line.
    fn push(&mut self, record: &ByteRecord) -> Result<(), DataError> {
        let line = record.position().map_or(0, csv::Position::line);
        let Self { path, columns, cells, labels } = self;
        let path: &Path = path;
        if record.len() != columns.len {
            let (found, expected) = (record.len(), columns.len);
            return Err(DataError::CsvColumns { path: path.into(), line, found, expected });
        }
        let problem = |(column, problem): (usize, CellProblem)| {
            let column = columns.name(column);
            DataError::CsvCell { path: path.into(), line, column, problem }
        };
        if let Some(target) = columns.target {
            let cell = record.get(target).unwrap_or_default();
            labels.push(cell, line).map_err(|p| problem((target, p)))?;
        }
        cells.push_row(record, columns.target).map_err(problem)
    }

    /// Reads lines of bytes where the reader stands, as long as there are any, and says how many.
    fn read_bytes(&mut self, reader: &mut csv::Reader<ShortLines>) -> std::io::Result<u64> {
        let mut position = reader.position().clone();
        let Self { columns, cells, labels, .. } = self;
        let Some(pixels) = cells.bytes() else { return Ok(0) };
        let start = position.byte();
        // A pipe can only be read once.
        if reader.get_mut().seek(SeekFrom::Start(start)).is_err() {
            return Ok(0);
        }
        let lines = Lines { n_columns: columns.len, target: columns.target };
        let (mut byte, mut line, mut n_rows) = (start, position.line(), 0u64);
        read_lines(reader.get_mut(), lines, |rows| {
            pixels.extend_from_slice(&rows.pixels);
            for (line, label) in (line..).zip(&rows.labels) {
                labels.push_number(*label, line);
            }
            byte = byte.saturating_add(rows.bytes as u64);
            line = line.saturating_add(rows.n_rows);
            n_rows = n_rows.saturating_add(rows.n_rows);
        })?;
        let record = position.record().saturating_add(n_rows);
        position.set_byte(byte).set_line(line).set_record(record);
        reader.seek_raw(SeekFrom::Start(position.byte()), position).map_err(std::io::Error::other)?;
        Ok(n_rows)
    }

    fn into_dataset(self) -> Result<Dataset, DataError> {
        let Self { path, columns, cells, labels } = self;
        let targets = |target| {
            labels.into_targets().map_err(|(line, problem)| {
                let column = columns.name(target);
                DataError::CsvCell { path: path.into(), line, column, problem }
            })
        };
        let targets = columns.target.map(targets).transpose()?;
        let dataset = Dataset::new(cells.into_inputs(), columns.n_features(), targets)?;
        Ok(match columns.image {
            Some((height, width)) => dataset.with_image(height, width),
            None => dataset,
        })
    }
}
