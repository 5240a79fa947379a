//! Why Parquet files could not be read.

use std::path::PathBuf;

use crate::csv_error::CellProblem;

/// Why a Parquet file could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParquetError {
    /// A Parquet file, where the code that reads them is left out.
    #[error(
        "{path} is a Parquet file, and this program was built without reading them: build it with `--features parquet` \
         (cargo install --path crates/steepest-cli --features parquet), or save the table as CSV"
    )]
    NotBuilt {
        /// The file.
        path: PathBuf,
    },
    /// Not what Parquet files look like.
    #[error("{path} is damaged, or no Parquet file: {what}: write or download it again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// Something that Parquet has and that is not read.
    #[error(
        "{path}: {what}: write it again with the usual settings, compressed with snappy, zstd, gzip, lz4 or not at all"
    )]
    Unusual {
        /// The file.
        path: PathBuf,
        /// What it has.
        what: &'static str,
    },
    /// A column with more than one value for each row, or of a kind that is none for a network.
    #[error(
        "{path}: column `{column}` holds {what}, of which nothing can be learnt as they are: leave it out (--drop), or put \
         numbers or text in its place"
    )]
    Column {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// What is in it.
        what: &'static str,
    },
    /// The row numbers that pandas writes.
    #[error(
        "{path}: column `{column}` is the index that pandas numbered its rows with: write the file with \
         to_parquet(..., index=False), or leave it out (--drop)"
    )]
    RowNumbers {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
    },
    /// More columns than any table has.
    #[error("{path}: {found} columns, where tables have up to {most}")]
    Wide {
        /// The file.
        path: PathBuf,
        /// Columns there are.
        found: usize,
        /// Columns that are read.
        most: usize,
    },
    /// A value that cannot be taken.
    #[error("{path}, row {row}, column `{column}`: {problem}")]
    Cell {
        /// The file.
        path: PathBuf,
        /// The row, from 0.
        row: u64,
        /// The column's name.
        column: String,
        /// What is wrong.
        problem: CellProblem,
    },
    /// A table whose columns were not to be encoded one by one.
    #[error(
        "{path} is a Parquet file, whose columns are encoded one by one: it is for models that learnt from a table \
         (steepest train FILE); save it as CSV to take its numbers as they are"
    )]
    OnlyColumns {
        /// The file.
        path: PathBuf,
    },
}

/// What is wrong with some of a file's bytes.
#[cfg(feature = "parquet")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// They are not what Parquet files have.
    Damaged(&'static str),
    /// They are, and are not read.
    Unusual(&'static str),
    /// So many bytes are made of the file that it can only be meant to fill the memory.
    Bomb(u64),
}
