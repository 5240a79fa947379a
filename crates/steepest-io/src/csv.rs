//! CSV tables: Kaggle's and other MNIST tables, with or without a header, and tables of numbers with a label column.

use std::path::Path;

use csv::ByteRecord;
use steepest::Dataset;

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
        .from_reader(file);
    let failed = |source| DataError::Csv { path: path.into(), source };

    let mut record = ByteRecord::new();
    let mut more = reader.read_byte_record(&mut record).map_err(failed)?;
    let no_rows = |shape: &str| DataError::NoData { place: path.display().to_string(), shape: shape.into() };
    if !more {
        return Err(no_rows("only empty lines"));
    }
    let columns = Columns::of(&record, path, options.target.as_deref())?;
    if columns.has_header {
        more = reader.read_byte_record(&mut record).map_err(failed)?;
    }
    let mut cells = Cells::new(options.double);
    let mut labels = columns.target.map(|_| Labels::default());
    let mut n_rows = 0;
    while more {
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != columns.len {
            return Err(DataError::CsvColumns {
                path: path.into(),
                line,
                found: record.len(),
                expected: columns.len,
            });
        }
        let problem = |(column, problem): (usize, CellProblem)| DataError::CsvCell {
            path: path.into(),
            line,
            column: columns.name(column),
            problem,
        };
        if let (Some(labels), Some(target)) = (&mut labels, columns.target) {
            labels.push(&record[target], line).map_err(|p| problem((target, p)))?;
        }
        cells.push_row(&record, columns.target).map_err(problem)?;
        n_rows += 1;
        more = reader.read_byte_record(&mut record).map_err(failed)?;
    }
    if n_rows == 0 {
        return Err(no_rows("a header without rows"));
    }

    let targets = match (labels, columns.target) {
        (Some(labels), Some(target)) => Some(labels.into_targets().map_err(|(line, problem)| {
            DataError::CsvCell { path: path.into(), line, column: columns.name(target), problem }
        })?),
        _ => None,
    };
    let dataset = Dataset::new(cells.into_inputs(), columns.n_features(), targets)?;
    Ok(match columns.side {
        Some(side) => dataset.with_image(side, side),
        None => dataset,
    })
}
