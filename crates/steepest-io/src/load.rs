//! From the name of a data set to its contents.

use std::path::{Path, PathBuf};

use steepest::{Dataset, Table};

use crate::cache::user_cache;
use crate::csv::{CsvOptions, read_csv};
use crate::digits::digits;
use crate::error::DataError;
use crate::fetch::Fetch;
use crate::file::{Format, open};
use crate::idx::{idx_parts, read_idx, read_idx_part};
use crate::image_folder::{ImageFolder, read_image};
use crate::known::Known;
use crate::npy::read_npy;
use crate::npz::{ArrayNames, Npz};
use crate::parquet_error::ParquetError;
use crate::rows::RowRange;
use crate::spec::{DataSpec, Part, Source};
use crate::table::{TableOptions, are_columns, read_table};

/// How to load a data set.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// How to read it if it is a CSV file.
    pub csv: CsvOptions,
    /// What the arrays of an NPZ file are.
    pub arrays: ArrayNames,
    /// Which rows to take; from the `train` part where both parts are loaded.
    pub rows: Option<RowRange>,
    /// Folders in which names are looked for after the working directory.
    pub folders: Vec<PathBuf>,
    /// Data sets that can be downloaded by their names.
    pub known: Vec<Known>,
    /// The folder that those are kept in, each in one of its own. They are looked for there after `folders`.
    pub cache: Option<PathBuf>,
    /// How to download what is found nowhere; with `None` the network is never touched.
    pub fetch: Option<Fetch>,
}

impl Default for LoadOptions {
    /// All rows; the folders are `$STEEPEST_DATA`, where it is set, and `data`; all known names, in the user's cache; no
    /// network.
    fn default() -> Self {
        let given = std::env::var_os("STEEPEST_DATA").filter(|folder| !folder.is_empty());
        let folders = given.into_iter().map(PathBuf::from).chain(["data".into()]).collect();
        let (csv, known, cache) = (CsvOptions::default(), Known::all(), user_cache());
        Self { csv, arrays: ArrayNames::default(), rows: None, folders, known, cache, fetch: None }
    }
}

/// A data set, of one piece or in two parts.
#[derive(Clone)]
pub enum Loaded {
    /// One piece, or the part that was asked for.
    One(Dataset),
    /// Both parts, with the same classes.
    Parts {
        /// For training.
        train: Dataset,
        /// Held out.
        test: Dataset,
    },
}

/// Loads what `spec` names: both parts, where it has parts and does not say which.
///
/// # Errors
/// When nothing goes by that name, a known data set cannot be downloaded, a file is damaged or of another format, or the rows do not exist.
pub fn load(spec: &DataSpec, options: &LoadOptions) -> Result<Loaded, DataError> {
    let (source, part) = spec.resolve(options)?;
    load_source(&source, part, None, options)
}

/// Loads what `spec` names: of a data set with parts the one it says, or else `default_part`.
///
/// # Errors
/// As [`load`].
pub fn load_part(spec: &DataSpec, default_part: Part, options: &LoadOptions) -> Result<Dataset, DataError> {
    let (source, part) = spec.resolve(options)?;
    match load_source(&source, part, Some(default_part), options)? {
        Loaded::One(dataset) | Loaded::Parts { train: dataset, .. } => Ok(dataset),
    }
}

/// Loads the table that `spec` names, a CSV or Parquet file, as columns of numbers and of text; none if it names something else.
///
/// # Errors
/// As [`load`].
pub fn load_table(
    spec: &DataSpec,
    options: &LoadOptions,
    columns: &TableOptions,
) -> Result<Option<Table>, DataError> {
    let Some((path, _)) = table_file(spec, options)? else { return Ok(None) };
    let table = read_table(&path, columns)?;
    Ok(Some(match options.rows {
        Some(rows) => {
            let range = rows.within(table.n_rows())?;
            table.rows(range)?
        }
        None => table,
    }))
}

/// Whether `spec` names a Parquet file, or a CSV file whose columns are more than the pixels of images.
///
/// # Errors
/// As [`load`], as far as its first line tells.
pub fn is_table(spec: &DataSpec, options: &LoadOptions) -> Result<bool, DataError> {
    match table_file(spec, options)? {
        Some((_, Format::Parquet)) => Ok(true),
        Some((path, _)) => are_columns(&path, options.csv.target.as_deref()),
        None => Ok(false),
    }
}

/// The file with a table that `spec` names.
fn table_file(spec: &DataSpec, options: &LoadOptions) -> Result<Option<(PathBuf, Format)>, DataError> {
    let (Source::File(path), part) = spec.resolve(options)? else { return Ok(None) };
    match (open(&path)?.format, part) {
        (Format::Text | Format::Parquet, Some(part)) => Err(DataError::NoParts { path, part: part.name() }),
        (format @ (Format::Text | Format::Parquet), None) => Ok(Some((path, format))),
        _ => Ok(None),
    }
}

fn load_source(
    source: &Source,
    named: Option<Part>,
    default: Option<Part>,
    options: &LoadOptions,
) -> Result<Loaded, DataError> {
    let path = match source {
        Source::File(path) | Source::Folder(path) | Source::Images(path) => Some(path.as_path()),
        Source::Digits { .. } => None,
    };
    let wanted = named.or(default);
    let format = match source {
        Source::File(path) => Some(open(path)?.format),
        _ => None,
    };
    if let (Some(target), false) =
        (&options.csv.target, matches!(format, Some(Format::Text | Format::Parquet)))
    {
        let path = path.unwrap_or(Path::new("digits")).into();
        return Err(DataError::TargetOutsideCsv { path, target: target.clone() });
    }
    let cut = |dataset: Dataset, rows: Option<RowRange>| match rows {
        Some(rows) => rows.of(&dataset),
        None => Ok(dataset),
    };
    let whole = |path: &Path, dataset: Dataset| match named {
        Some(part) => Err(DataError::NoParts { path: path.into(), part: part.name() }),
        None => Ok(Loaded::One(cut(dataset, options.rows)?)),
    };
    match (source, format) {
        (Source::Digits { seed }, _) => parts(wanted, options.rows, |part, rows| digits(*seed, part, rows)),
        (Source::Folder(folder), _) => {
            let read = |part, rows| cut(read_idx_part(folder, part)?, rows);
            match idx_parts(folder)[..] {
                // One part alone is the whole, by its own name or none.
                [only] if named.is_none() => Ok(Loaded::One(read(only, options.rows)?)),
                _ => parts(wanted, options.rows, read),
            }
        }
        (Source::Images(folder), _) => {
            let mut images = ImageFolder::open(folder)?;
            match images.parts()[..] {
                [] => match named {
                    Some(part) => Err(DataError::NoParts { path: folder.into(), part: part.name() }),
                    None => Ok(Loaded::One(images.read_whole(options.rows)?)),
                },
                [only] if named.is_none() => Ok(Loaded::One(images.read_part(only, options.rows)?)),
                _ => parts(wanted, options.rows, |part, rows| images.read_part(part, rows)),
            }
        }
        (Source::File(path), Some(Format::Zip)) => {
            let mut npz = Npz::open(path, &options.arrays)?;
            match npz.parts()[..] {
                [] => whole(path, npz.read_whole()?),
                [only] if named.is_none() => Ok(Loaded::One(cut(npz.read_part(only)?, options.rows)?)),
                _ => parts(wanted, options.rows, |part, rows| cut(npz.read_part(part)?, rows)),
            }
        }
        (Source::File(path), Some(Format::Idx)) => whole(path, read_idx(path)?),
        (Source::File(path), Some(Format::Npy)) => whole(path, read_npy(path)?),
        (Source::File(path), Some(Format::Png)) => whole(path, read_image(path)?),
        (Source::File(path), Some(Format::Parquet)) => {
            Err(ParquetError::OnlyColumns { path: path.into() }.into())
        }
        (Source::File(path), _) => whole(path, read_csv(path, &options.csv)?),
    }
}

/// Reads the part that is wanted, or both.
fn parts(
    wanted: Option<Part>,
    rows: Option<RowRange>,
    mut read: impl FnMut(Part, Option<RowRange>) -> Result<Dataset, DataError>,
) -> Result<Loaded, DataError> {
    match wanted {
        Some(part) => Ok(Loaded::One(read(part, rows)?)),
        None => Ok(Loaded::Parts { train: read(Part::Train, rows)?, test: read(Part::Test, None)? }),
    }
}
