//! Tables as people have them: columns of numbers and of text, before anything is made of them.

use std::collections::HashSet;
use std::ops::Range;

/// Columns of one length, each with a name of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    source: String,
    columns: Vec<TableColumn>,
    target: Option<usize>,
    ignored: Vec<String>,
    has_names: bool,
    n_rows: usize,
}

/// One column of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableColumn {
    /// Its name; its number, from 1, in a table without names.
    pub name: String,
    /// What is in it.
    pub cells: Cells,
    /// The line of the file that its first missing value is on, for messages.
    pub missing_line: Option<u64>,
}

/// The cells of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Cells {
    /// Numbers, `(n_rows)`; a missing one is not a number (NaN).
    Numbers(Vec<f64>),
    /// Texts: each distinct one once, and for each row its place among them, or [`Cells::MISSING`].
    Texts {
        /// `(n_rows)`
        ids: Vec<u32>,
        /// The distinct texts, in any order.
        texts: Vec<String>,
    },
}

/// Why columns do not make a table.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum TableError {
    /// No columns, or a target that is none of them.
    #[error("{n_columns} columns, of which number {target:?} is the target: expected one of them")]
    Columns {
        /// Columns there are.
        n_columns: usize,
        /// The target, from 0.
        target: Option<usize>,
    },
    /// Columns of different lengths.
    #[error("column {name} has {found} rows, the first one {expected}")]
    Rows {
        /// The column.
        name: String,
        /// Its rows.
        found: usize,
        /// Those of the first column.
        expected: usize,
    },
    /// Two columns of the same name.
    #[error("two columns are named {name}: give each a name of its own")]
    SameName {
        /// The name.
        name: String,
    },
    /// A number without end, or a row whose text is not there.
    #[error("column {name}, row {row}: an infinite number, or a text that is not in the list")]
    Cell {
        /// The column.
        name: String,
        /// The row, from 0.
        row: usize,
    },
    /// Rows that do not exist.
    #[error("rows {start}..{end} asked for, but the table has {n_rows} rows (0..{n_rows})")]
    Range {
        /// First row asked for.
        start: usize,
        /// One past the last row asked for.
        end: usize,
        /// Rows there are.
        n_rows: usize,
    },
}

impl Cells {
    /// Stands for a missing text.
    pub const MISSING: u32 = u32::MAX;

    /// Rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Texts { ids, .. } => ids.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a row has no value.
    pub(crate) fn is_missing(&self, row: usize) -> bool {
        match self {
            Self::Numbers(numbers) => numbers[row].is_nan(),
            Self::Texts { ids, .. } => ids[row] == Self::MISSING,
        }
    }

    /// The first row, from 0, that holds what no cell may.
    fn wrong_row(&self) -> Option<usize> {
        match self {
            Self::Numbers(numbers) => numbers.iter().position(|x| x.is_infinite()),
            Self::Texts { ids, texts } => {
                ids.iter().position(|&id| id != Self::MISSING && id as usize >= texts.len())
            }
        }
    }
}

impl Table {
    /// A table of these columns, of which `target` is to be predicted; `source` says in messages where it comes from.
    ///
    /// # Errors
    /// When columns differ in length, share a name, or hold infinite numbers.
    pub fn new(source: &str, columns: Vec<TableColumn>, target: Option<usize>) -> Result<Self, TableError> {
        let n_columns = columns.len();
        if n_columns == 0 || target.is_some_and(|target| target >= n_columns) {
            return Err(TableError::Columns { n_columns, target });
        }
        let n_rows = columns[0].cells.len();
        let mut names = HashSet::new();
        for TableColumn { name, cells, .. } in &columns {
            let shown = || quoted(name);
            if cells.len() != n_rows {
                return Err(TableError::Rows { name: shown(), found: cells.len(), expected: n_rows });
            }
            if !names.insert(name.as_str()) {
                return Err(TableError::SameName { name: shown() });
            }
            if let Some(row) = cells.wrong_row() {
                return Err(TableError::Cell { name: shown(), row });
            }
        }
        Ok(Self { source: source.into(), columns, target, ignored: Vec::new(), has_names: true, n_rows })
    }

    /// Says that its columns are known by their places: their names are their numbers.
    #[must_use]
    pub fn without_names(mut self) -> Self {
        self.has_names = false;
        self
    }

    /// Says which columns there were that were not read.
    #[must_use]
    pub fn with_ignored(mut self, names: Vec<String>) -> Self {
        self.ignored = names;
        self
    }

    /// Where it comes from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Its columns, in their order.
    pub fn columns(&self) -> &[TableColumn] {
        &self.columns
    }

    /// The place of the column that is to be predicted.
    pub fn target(&self) -> Option<usize> {
        self.target
    }

    /// The names of columns that were not read.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// The names of all columns, as a message lists them.
    pub(crate) fn listed_names(&self) -> String {
        listed(self.columns.iter().map(|column| &column.name).chain(&self.ignored).map(String::as_str))
    }

    /// Whether columns have names, and not only numbers.
    pub fn has_names(&self) -> bool {
        self.has_names
    }

    /// Rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// The rows of `range`.
    ///
    /// # Errors
    /// When the range ends before it starts or past the last row.
    pub fn rows(mut self, range: Range<usize>) -> Result<Self, TableError> {
        let Range { start, end } = range;
        if start > end || end > self.n_rows {
            return Err(TableError::Range { start, end, n_rows: self.n_rows });
        }
        for column in &mut self.columns {
            match &mut column.cells {
                Cells::Numbers(numbers) => *numbers = numbers[range.clone()].to_vec(),
                Cells::Texts { ids, .. } => *ids = ids[range.clone()].to_vec(),
            }
            // What was left out may have had it.
            column.missing_line = column.missing_line.filter(|_| start == 0);
        }
        self.n_rows = range.len();
        Ok(self)
    }

    /// Where a column has its first missing value, as a message says it.
    pub(crate) fn place_of_missing(&self, column: &TableColumn) -> Option<String> {
        let row = (0..self.n_rows).find(|&row| column.cells.is_missing(row))?;
        let place = match column.missing_line {
            Some(line) => format!("line {line}"),
            None => format!("row {row}"),
        };
        Some(format!("{}, {place}, column {}", self.source, quoted(&column.name)))
    }
}

/// The start of a name or text from a table, as messages may show it: nothing in it that a terminal obeys.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 40;
    let mut shown = String::from("`");
    for c in text.chars().take(LONGEST) {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    let is_longer = text.chars().nth(LONGEST).is_some();
    shown + if is_longer { "...`" } else { "`" }
}

/// Names in a list, the first ones of many.
pub(crate) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const MOST: usize = 12;
    let names: Vec<&str> = names.collect();
    let shown: Vec<String> = names.iter().take(MOST).map(|name| quoted(name)).collect();
    match names.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
