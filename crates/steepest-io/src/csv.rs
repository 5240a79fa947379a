//! CSV tables: Kaggle's and other MNIST tables, with or without a header, and tables of numbers with a label column.

use std::path::Path;

use csv::ByteRecord;
use steepest::Dataset;

use crate::csv_bytes::{Lines, read_lines};
use crate::csv_cells::{Cells, Labels};
use crate::csv_error::{CellProblem, CsvError};
use crate::csv_header::Columns;
use crate::csv_records::{Records, Source};
use crate::error::DataError;
use crate::file::open;

/// How to read a CSV file.
#[derive(Clone, Debug, Default)]
pub struct CsvOptions {
    /// The column with the targets, by name or by number, from 1.
    ///
    /// Without it, a column named `label`, `target`, `class` or `y` is taken. In a table without a header it is the only
    /// one that holds text, or in a table of images (a square number of columns, 16 x 16 or more, and one) the first.
    pub target: Option<String>,
    /// Keep decimals in double precision.
    pub double: bool,
}

/// Reads a CSV file, plain or in gzip: a row of inputs a line, and their targets if there is a target column. Where the
/// first line has no commas but tabs or semicolons, these separate the cells.
///
/// Inputs that are all whole numbers from 0 to 255 become bytes, others float32, or float64 if asked for. Targets that
/// are all written as whole numbers are classes; so is text; other numbers are values.
///
/// # Errors
/// When a cell among the inputs is no finite number, lines differ in length, a quote is not closed, or the target column
/// is not there.
pub fn read_csv(path: &Path, options: &CsvOptions) -> Result<Dataset, DataError> {
    let mut source = Source::new(open(path)?.reader);
    let delimiter = source.delimiter().map_err(|source| DataError::io(path, source))?;
    let no_rows = |shape: &str| DataError::NoData { place: path.display().to_string(), shape: shape.into() };
    let Some((first, line, mut lines_read)) = Records::new(&mut source, delimiter, 0, path).first()? else {
        return Err(no_rows("only empty lines"));
    };

    let columns = Columns::of(&first, path, options.target.as_deref())?;
    let mut table = Table { path, cells: Cells::new(options.double), labels: Labels::default(), columns };
    let mut is_empty = table.columns.has_header;
    if !table.columns.has_header {
        table.push(&first, line)?;
    }
    if delimiter == b',' {
        let n_rows = table.read_bytes(&mut source, lines_read)?;
        lines_read = lines_read.saturating_add(n_rows);
        is_empty &= n_rows == 0;
    }
    let mut records = Records::new(&mut source, delimiter, lines_read, path);
    let mut record = ByteRecord::new();
    while let Some(line) = records.next(&mut record)? {
        table.push(&record, line)?;
        is_empty = false;
    }
    if is_empty {
        return Err(no_rows("a header without rows"));
    }

    table.into_dataset()
}

/// A table as far as it is read.
struct Table<'a> {
    path: &'a Path,
    columns: Columns,
    cells: Cells,
    labels: Labels,
}

impl Table<'_> {
    /// Reads a record, which begins on this line.
    fn push(&mut self, record: &ByteRecord, line: u64) -> Result<(), DataError> {
        let Self { path, columns, cells, labels } = self;
        let path: &Path = path;
        if record.len() != columns.len {
            let (found, expected) = (record.len(), columns.len);
            return Err(DataError::Csv(CsvError::Columns { path: path.into(), line, found, expected }));
        }
        let problem = |(column, problem): (usize, CellProblem)| {
            let column = columns.shown_name(column);
            DataError::Csv(CsvError::Cell { path: path.into(), line, column, problem })
        };
        if let Some(target) = columns.target {
            let cell = record.get(target).unwrap_or_default();
            labels.push(cell, line).map_err(|p| problem((target, p)))?;
        }
        cells.push_row(record, columns.target).map_err(problem)
    }

    /// Reads lines of bytes, as long as there are any, and says how many; so many lines were before them.
    fn read_bytes(&mut self, source: &mut Source, lines_before: u64) -> Result<u64, DataError> {
        let Self { path, columns, cells, labels } = self;
        let Some(pixels) = cells.bytes() else { return Ok(0) };
        let lines = Lines { n_columns: columns.len, target: columns.target };
        let mut n_rows = 0u64;
        let rest = read_lines(source, lines, |rows| {
            pixels.extend_from_slice(&rows.pixels);
            let first = lines_before.saturating_add(n_rows).saturating_add(1);
            for (line, label) in (first..).zip(&rows.labels) {
                labels.push_number(*label, line);
            }
            n_rows = n_rows.saturating_add(rows.n_rows);
        });
        let damaged = |source| DataError::Damaged { place: path.display().to_string(), source };
        source.give_back(rest.map_err(damaged)?);
        Ok(n_rows)
    }

    fn into_dataset(self) -> Result<Dataset, DataError> {
        let Self { path, columns, cells, labels } = self;
        let targets = |target| {
            labels.into_targets().map_err(|(line, problem)| {
                let column = columns.shown_name(target);
                DataError::Csv(CsvError::Cell { path: path.into(), line, column, problem })
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
