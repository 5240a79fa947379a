//! Tables as columns of numbers and of text: which columns are read, and those of CSV files.
//!
//! A CSV file is read twice: first to see what each column holds, then to take it. A million rows of numbers need not be kept
//! as text because the last row might have a word in it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use csv::ByteRecord;
use steepest::{Cells, ColumnKind, Columns, Encoding, Table, TableColumn};

use crate::csv_error::{CellProblem, CsvError};
use crate::csv_header::Columns as Header;
use crate::csv_records::{Records, Source};
use crate::error::DataError;
use crate::file::{Format, open};
use crate::shown::shown;
use crate::table_builder::{Builder, Survey};

/// Columns that are encoded; tables of pixels and other numbers alone may have more.
pub(crate) const MOST_COLUMNS: usize = 1 << 16;

/// What to take of a table.
#[derive(Clone, Debug)]
pub enum TableOptions {
    /// A table that is to be learnt from: all columns.
    New {
        /// The column that is to be predicted, by name or by number, from 1; otherwise one with a usual name.
        target: Option<String>,
        /// Columns that are left out: nothing is asked of them.
        drop: Vec<String>,
        /// What columns are; otherwise it shows from what is in them.
        kinds: BTreeMap<String, ColumnKind>,
    },
    /// A table with the columns of an earlier one, in any order: these, and no other ones.
    Known {
        /// The columns.
        columns: KnownColumns,
        /// Which column is what was predicted then.
        target: KnownTarget,
    },
}

/// Columns whose names and kinds are known from another table.
#[derive(Clone, Debug)]
pub struct KnownColumns {
    /// Name, and whether it holds numbers.
    inputs: Vec<(String, bool)>,
    target: Option<(String, bool)>,
    has_names: bool,
}

/// The target of a table whose columns are known.
#[derive(Clone, Debug)]
pub enum KnownTarget {
    /// There need not be one: it is not read.
    None,
    /// The column with the name that it had then, if it is there.
    SameName,
    /// This column, by name or by number, from 1.
    Named(String),
}

impl KnownColumns {
    /// Those that a model predicts from.
    pub fn of_model(columns: &Columns) -> Self {
        let is_number = |encoding: &Encoding| matches!(encoding, Encoding::Number { .. });
        let inputs = columns.inputs.iter().map(|column| (column.name.clone(), is_number(&column.encoding)));
        let target = &columns.target;
        Self {
            inputs: inputs.collect(),
            target: Some((target.name.clone(), target.is_number)),
            has_names: columns.has_names,
        }
    }

    /// Those of a table.
    pub fn of_table(table: &Table) -> Self {
        let known = |column: &TableColumn| (column.name.clone(), matches!(column.cells, Cells::Numbers(_)));
        let inputs = table.columns().iter().enumerate().filter(|(place, _)| Some(*place) != table.target());
        Self {
            inputs: inputs.map(|(_, column)| known(column)).collect(),
            target: table.target().and_then(|target| table.columns().get(target)).map(known),
            has_names: table.has_names(),
        }
    }
}

/// Reads a CSV file, plain or in gzip, or a Parquet file (with the feature `parquet`) as columns.
///
/// Of a Parquet file, columns are what it says: numbers, or text. In a CSV file, a column holds numbers if all its cells are numbers
/// or missing: empty, or one of `?`, `-`, `NA`, `N/A`, `n/a`, `#N/A`, `<NA>`, `NaN`, `null`, `None`. Otherwise it holds text, without
/// the blanks around it.
///
/// # Errors
/// When lines differ in length, a quote is not closed, columns share a name, a number is infinite, or text stands among
/// numbers.
pub fn read_table(path: &Path, options: &TableOptions) -> Result<Table, DataError> {
    if open(path)?.format == Format::Parquet {
        return read_columnar(path, options);
    }
    let first = first_record(path)?;
    let plan = Reading::of(&first, false, path, options)?;
    let kinds = plan.kinds(path)?;
    let mut builders: Vec<Builder> = kinds.iter().map(|&is_number| Builder::new(is_number)).collect();
    let mut n_rows = 0u64;
    plan.for_each_row(path, |record, line| {
        n_rows = n_rows.saturating_add(1);
        for (column, builder) in plan.columns.iter().zip(&mut builders) {
            let cell = record.get(column.place).unwrap_or_default();
            builder
                .push(cell.trim_ascii(), Some(line))
                .map_err(|problem| plan.problem(path, line, column, problem))?;
        }
        Ok(())
    })?;
    if n_rows == 0 {
        let shape = "a header without rows".into();
        return Err(DataError::NoData { place: path.display().to_string(), shape });
    }
    let columns =
        plan.columns.iter().zip(builders).map(|(column, builder)| builder.column(column.name.clone()));
    let table = Table::new(&path.display().to_string(), columns.collect(), plan.target)?;
    let table = table.with_ignored(plan.ignored);
    Ok(if plan.has_names { table } else { table.without_names() })
}

#[cfg(feature = "parquet")]
use crate::parquet::read_parquet as read_columnar;

/// Without the feature, opening such a file has already failed.
#[cfg(not(feature = "parquet"))]
fn read_columnar(path: &Path, _: &TableOptions) -> Result<Table, DataError> {
    Err(crate::parquet_error::ParquetError::NotBuilt { path: path.into() }.into())
}

/// Whether a CSV file has columns that are more than the pixels of images, as far as its first line tells.
pub(crate) fn are_columns(path: &Path, target: Option<&str>) -> Result<bool, DataError> {
    Ok(!Header::of(&first_record(path)?, path, target)?.are_pixels())
}

fn first_record(path: &Path) -> Result<ByteRecord, DataError> {
    let mut source = Source::new(open(path)?.reader);
    let delimiter = source.delimiter().map_err(|source| DataError::io(path, source))?;
    let first = Records::new(&mut source, delimiter, 0, path).first()?;
    first.map(|(first, ..)| first).ok_or_else(|| DataError::NoData {
        place: path.display().to_string(),
        shape: "only empty lines".into(),
    })
}

/// What is read of a file.
pub(crate) struct Reading {
    has_header: bool,
    pub(crate) has_names: bool,
    /// Cells of a line.
    len: usize,
    pub(crate) columns: Vec<ReadColumn>,
    /// Among `columns`.
    pub(crate) target: Option<usize>,
    pub(crate) ignored: Vec<String>,
}

pub(crate) struct ReadColumn {
    pub(crate) name: String,
    /// In a line.
    pub(crate) place: usize,
    /// Whether it holds numbers, if that is known.
    pub(crate) is_number: Option<bool>,
}

impl Reading {
    /// Of a file whose first line is this; whether it has the names of its columns is known, or shows from it.
    pub(crate) fn of(
        first: &ByteRecord,
        are_names: bool,
        path: &Path,
        options: &TableOptions,
    ) -> Result<Self, DataError> {
        let found = first.len();
        if found > MOST_COLUMNS {
            return Err(CsvError::Wide { path: path.into(), found, most: MOST_COLUMNS }.into());
        }
        let reading = match options {
            TableOptions::New { target, drop, kinds } => {
                let header = match are_names {
                    true => Header::named(first, path)?.with_target(target.as_deref(), path)?,
                    false => Header::of(first, path, target.as_deref())?,
                };
                let is_number = |name: &String| kinds.get(name).map(|&kind| kind == ColumnKind::Number);
                let mut reading = Self::empty(&header, header.has_names());
                for place in 0..header.len {
                    let name = header.name(place);
                    if drop.contains(&name) && header.target != Some(place) {
                        reading.ignored.push(name);
                        continue;
                    }
                    if header.target == Some(place) {
                        reading.target = Some(reading.columns.len());
                    }
                    reading.columns.push(ReadColumn { is_number: is_number(&name), name, place });
                }
                reading
            }
            TableOptions::Known { columns, target } => {
                Self::of_known(first, are_names, path, columns, target)?
            }
        };
        if reading.columns.is_empty() {
            let shape = "none of the columns that are asked for".into();
            return Err(DataError::NoData { place: path.display().to_string(), shape });
        }
        let mut names = HashSet::new();
        if let Some(column) = reading.columns.iter().find(|column| !names.insert(column.name.as_str())) {
            return Err(CsvError::SameName { path: path.into(), name: shown(&column.name) }.into());
        }
        Ok(reading)
    }

    fn empty(header: &Header, has_names: bool) -> Self {
        let (columns, ignored) = (Vec::new(), Vec::new());
        Self { has_header: header.has_header, has_names, len: header.len, columns, target: None, ignored }
    }

    fn of_known(
        first: &ByteRecord,
        are_names: bool,
        path: &Path,
        known: &KnownColumns,
        target: &KnownTarget,
    ) -> Result<Self, DataError> {
        let header = match known.has_names || are_names {
            true => Header::named(first, path)?,
            false => Header::of(first, path, None)?,
        };
        let mut reading = Self::empty(&header, known.has_names);
        if !known.has_names && header.len == known.inputs.len() && !matches!(target, KnownTarget::Named(_)) {
            // Without the target, columns have other numbers than they had with it.
            let column = |(place, (name, is_number)): (usize, &(String, bool))| ReadColumn {
                name: name.clone(),
                place,
                is_number: Some(*is_number),
            };
            reading.columns = known.inputs.iter().enumerate().map(column).collect();
            return Ok(reading);
        }
        let name = |place: usize| match known.has_names {
            true => header.name(place),
            false => place.saturating_add(1).to_string(),
        };
        let target_place = match (target, &known.target) {
            (KnownTarget::Named(wanted), _) => Some(header.find(wanted, path)?),
            (_, Some((target, _))) => (0..header.len).find(|&place| name(place) == *target),
            (_, None) => None,
        };
        let is_number: HashMap<&str, bool> =
            known.inputs.iter().map(|(name, is_number)| (name.as_str(), *is_number)).collect();
        for place in 0..header.len {
            let name = name(place);
            if Some(place) == target_place {
                // What is not asked for is not even complained about.
                if !matches!(target, KnownTarget::None) {
                    reading.target = Some(reading.columns.len());
                    let is_number = known.target.as_ref().map(|(_, is_number)| *is_number);
                    reading.columns.push(ReadColumn { name, place, is_number });
                }
            } else if let Some(&is_number) = is_number.get(name.as_str()) {
                reading.columns.push(ReadColumn { name, place, is_number: Some(is_number) });
            } else {
                reading.ignored.push(name);
            }
        }
        Ok(reading)
    }

    /// Whether each column holds numbers.
    fn kinds(&self, path: &Path) -> Result<Vec<bool>, DataError> {
        let unknown = || self.columns.iter().filter(|column| column.is_number.is_none());
        let mut surveys: Vec<Survey> = unknown().map(|_| Survey::default()).collect();
        if !surveys.is_empty() {
            self.for_each_row(path, |record, line| {
                for (column, survey) in unknown().zip(&mut surveys) {
                    survey.see(record.get(column.place).unwrap_or_default().trim_ascii(), line);
                }
                Ok(())
            })?;
        }
        let mut surveys = surveys.into_iter();
        let kind = |column: &ReadColumn| match column.is_number {
            Some(is_number) => Ok(is_number),
            None => surveys
                .next()
                .unwrap_or_default()
                .numbers_alone()
                .map_err(|(line, problem)| self.problem(path, line, column, problem)),
        };
        self.columns.iter().map(kind).collect()
    }

    /// Goes through all rows, each with the line it begins on.
    fn for_each_row(
        &self,
        path: &Path,
        mut see: impl FnMut(&ByteRecord, u64) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let mut source = Source::new(open(path)?.reader);
        let delimiter = source.delimiter().map_err(|source| DataError::io(path, source))?;
        let mut records = Records::new(&mut source, delimiter, 0, path);
        let mut record = ByteRecord::new();
        let mut is_first = true;
        while let Some(line) = records.next(&mut record)? {
            if record.len() != self.len {
                let (found, expected) = (record.len(), self.len);
                return Err(CsvError::Columns { path: path.into(), line, found, expected }.into());
            }
            if !(std::mem::take(&mut is_first) && self.has_header) {
                see(&record, line)?;
            }
        }
        Ok(())
    }

    fn problem(&self, path: &Path, line: u64, column: &ReadColumn, problem: CellProblem) -> DataError {
        CsvError::Cell { path: path.into(), line, column: shown(&column.name), problem }.into()
    }
}
