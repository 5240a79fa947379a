//! Why CSV tables could not be read.

use std::path::PathBuf;

/// Why a CSV table could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CsvError {
    /// A quote without its partner.
    #[error(
        "{path}, line {line}: a cell begins with a quote that is never closed: close it, or write it twice"
    )]
    Quote {
        /// The file.
        path: PathBuf,
        /// The line on which its record begins, from 1.
        line: u64,
    },
    /// More columns than any table has.
    #[error(
        "{path}, line 1: {found} cells, where tables have up to {most}: this is no table, or none of rows"
    )]
    Wide {
        /// The file.
        path: PathBuf,
        /// Cells of the first line.
        found: usize,
        /// Columns that are read.
        most: usize,
    },
    /// A record without an end.
    #[error(
        "{path}, line {line}: this row is longer than {longest} bytes: a quote is not closed, or this is no table"
    )]
    Endless {
        /// The file.
        path: PathBuf,
        /// The line on which it begins, from 1.
        line: u64,
        /// Bytes that a row may have.
        longest: usize,
    },
    /// A cell that is not a number.
    #[error("{path}, line {line}, column `{column}`: {problem}")]
    Cell {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column's name; its number, from 1, where columns have no names.
        column: String,
        /// What is wrong.
        problem: CellProblem,
    },
    /// A line of another length than the first.
    #[error("{path}, line {line}: {found} cells, but the first line has {expected}")]
    Columns {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// Cells it has.
        found: usize,
        /// Cells the first line has.
        expected: usize,
    },
    /// A column without a name: most often the row numbers that pandas writes.
    #[error(
        "{path}, line 1: column {column} has no name; pandas writes its row numbers so: write the file with \
         to_csv(..., index=False), or name the column"
    )]
    Unnamed {
        /// The file.
        path: PathBuf,
        /// The column, from 1.
        column: usize,
    },
    /// Two columns of one name.
    #[error("{path}: two columns are named `{name}`: give each a name of its own")]
    SameName {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// The target column that was asked for is not there.
    #[error("{path} has no column `{target}`; its columns are {columns}")]
    Target {
        /// The file.
        path: PathBuf,
        /// The column asked for.
        target: String,
        /// The columns there are.
        columns: String,
    },
    /// More than one column could be the target.
    #[error("{path}: both `{first}` and `{second}` could be the labels: say which with --target")]
    Targets {
        /// The file.
        path: PathBuf,
        /// One.
        first: String,
        /// The other.
        second: String,
    },
}

/// What is wrong with a cell of a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CellProblem {
    /// Nothing there.
    #[error("the cell is empty: fill in missing values, or leave the row out")]
    Missing,
    /// Text.
    #[error(
        "`{0}` is not a number: encode text as numbers (as `steepest train` does in tables), or name this column as the \
         target if it is the label"
    )]
    Text(String),
    /// Text among numbers.
    #[error(
        "`{text}` is not a number, but {numbers} of this column's {present} values are: correct it, leave the column \
         out (--drop), or say that it is text (data.columns in the recipe)"
    )]
    Odd {
        /// The text.
        text: String,
        /// How many values of the column are numbers.
        numbers: u64,
        /// How many there are.
        present: u64,
    },
    /// Text in a column that is known to hold numbers.
    #[error("`{0}` is not a number, and this column is one of numbers: correct it, or leave the row out")]
    NotNumber(String),
    /// A text too long for the name of a category.
    #[error("a text of {bytes} bytes, where categories have up to {most}: leave the column out (--drop)")]
    Long {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        most: usize,
    },
    /// A word for a missing value.
    #[error("`{0}` stands for a missing value: fill in missing values, or leave the row out")]
    NotAvailable(String),
    /// A decimal written with a comma.
    #[error("`{0}` has a comma where a decimal point is read: save the table with decimal points")]
    DecimalComma(String),
    /// Text in another encoding.
    #[error("`{0}` is not UTF-8 text: save the file as UTF-8")]
    NotUtf8(String),
    /// NaN, an infinity, or too large.
    #[error("`{0}` is not a finite number in range: replace it, or leave the row out")]
    NotFinite(String),
}
