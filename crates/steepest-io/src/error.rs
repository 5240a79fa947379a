//! Why data could not be read: what was given, what was expected, where, and what to do.

use std::io;
use std::path::{Path, PathBuf};

use steepest::DatasetError;

/// Why a data set could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system could not read a file.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder stands where a file was expected.
    #[error("{path} is a folder, and a file was expected: name a file in it")]
    Directory {
        /// The folder.
        path: PathBuf,
    },
    /// A pipe, a device or a socket.
    #[error("{path} is a pipe or a device, not a file: save what it gives to a file, and name that")]
    NotRegular {
        /// What was named.
        path: PathBuf,
    },
    /// A file holds nothing.
    #[error("{path} is empty (0 bytes): download or write it again")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A web page was saved in place of the data.
    #[error("{path} looks like a web page, not data: the download gave a page; fetch the file itself again")]
    WebPage {
        /// The file.
        path: PathBuf,
    },
    /// Text in two-byte characters, as some spreadsheets save it.
    #[error("{path} is text in UTF-16: save it as CSV UTF-8 (iconv -f UTF-16 -t UTF-8)")]
    Utf16 {
        /// The file.
        path: PathBuf,
    },
    /// The first bytes belong to no format that is read.
    #[error(
        "{path} begins with {found}, which is none of IDX, NPY and CSV text (plain or gzip), NPZ, PNG and Parquet"
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// Its first bytes, in hexadecimal.
        found: String,
    },
    /// A gzip file holds a form that is not read in gzip.
    #[error(
        "{path}: in gzip, only IDX, NPY and CSV files are read, and this holds another: decompress it first (gunzip)"
    )]
    Gzip {
        /// The file.
        path: PathBuf,
    },
    /// Compressed bytes do not decompress or break off, a checksum disagrees, or the disk fails.
    #[error(
        "{place} cannot be read to its end ({source}): it is damaged or cut short; download or write it again"
    )]
    Damaged {
        /// The file, or the array in it.
        place: String,
        /// What the decompressor or the system said.
        source: io::Error,
    },
    /// There are fewer bytes than were announced.
    #[error(
        "{place} is cut short: {expected} bytes of {what} expected, {found} found; download or write it again"
    )]
    Truncated {
        /// The file, or the array in it.
        place: String,
        /// What the bytes were to be.
        what: &'static str,
        /// How many were announced.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// There are more bytes than were announced.
    #[error(
        "{place} goes on after the {expected} bytes of data that its header announces: it is not what it says"
    )]
    Trailing {
        /// The file, or the array in it.
        place: String,
        /// How many bytes were announced.
        expected: u64,
    },
    /// What a compressed file announces is out of all proportion.
    #[error(
        "{place} makes {expected} bytes of {compressed}, as files do that are to fill the memory: if it really is data, \
         store it uncompressed (numpy.savez)"
    )]
    Bomb {
        /// The file, or the array in it.
        place: String,
        /// Bytes announced.
        expected: u64,
        /// Bytes they are to come from.
        compressed: u64,
    },
    /// Announced sizes multiply to more than any memory.
    #[error("{place} announces an array of {shape}, which no memory can hold: its header is damaged")]
    TooLarge {
        /// The file, or the array in it.
        place: String,
        /// The announced sizes.
        shape: String,
    },
    /// There is not one row, or a row without numbers.
    #[error("{place} holds no data: {shape}")]
    NoData {
        /// The file, or the array in it.
        place: String,
        /// What there is.
        shape: String,
    },

    /// Not an IDX file.
    #[error(
        "{path}: expected an IDX file, which begins with two zeros, a type (08, 09 or 0b to 0e) and the number of \
         dimensions, but it begins with {found:02x?}"
    )]
    IdxMagic {
        /// The file.
        path: PathBuf,
        /// Its first four bytes.
        found: [u8; 4],
    },
    /// One of the four IDX files is not there.
    #[error("{folder} has no {name} (plain or .gz), which belongs to its other IDX files: put it there")]
    IdxMissing {
        /// The folder.
        folder: PathBuf,
        /// The missing file.
        name: String,
    },
    /// Images and labels differ in number.
    #[error(
        "{images} holds {n_images} images, but {labels} holds {n_labels} labels: they do not belong together"
    )]
    IdxCounts {
        /// The file of images.
        images: PathBuf,
        /// How many images it holds.
        n_images: usize,
        /// The file of labels.
        labels: PathBuf,
        /// How many labels it holds.
        n_labels: usize,
    },
    /// A folder without data files.
    #[error(
        "{path} is a folder without IDX files (train-images-idx3-ubyte[.gz], train-labels-idx1-ubyte[.gz], \
         t10k-images-idx3-ubyte[.gz], t10k-labels-idx1-ubyte[.gz]) and without folders of PNG images, one for each \
         class: put them there, or name a file"
    )]
    FolderWithoutData {
        /// The folder.
        path: PathBuf,
    },

    /// The zip container of an NPZ file cannot be read.
    #[error("{path}: not a whole NPZ (zip) file ({reason}): download it or write it again with numpy.savez")]
    Zip {
        /// The file.
        path: PathBuf,
        /// What the zip reader said.
        reason: String,
    },
    /// A zip file that is no NPZ.
    #[error(
        "{path} is a zip file of `{member}` and not of arrays: unzip it first, or save a spreadsheet as CSV"
    )]
    ZipOfOthers {
        /// The file.
        path: PathBuf,
        /// Something it holds.
        member: String,
    },
    /// An NPZ file lacks an array.
    #[error(
        "{path} holds the arrays {found}, not `{missing}`: expected x_train, y_train, x_test, y_test or X, y; say which is \
         which with --arrays X=name,y=name"
    )]
    NpzArray {
        /// The file.
        path: PathBuf,
        /// The array that is missing.
        missing: String,
        /// The arrays there are.
        found: String,
    },
    /// Inputs and targets of an NPZ file differ in number.
    #[error("{path}: `{x}` has {n_x} rows, but `{y}` has {n_y}: they do not belong together")]
    NpzCounts {
        /// The file.
        path: PathBuf,
        /// Name of the inputs.
        x: String,
        /// Rows of inputs.
        n_x: u64,
        /// Name of the targets.
        y: String,
        /// Rows of targets.
        n_y: u64,
    },
    /// Not names of arrays.
    #[error(
        "`{text}` does not name arrays: write X=images,y=labels, or x_train=..., y_train=..., x_test=..., y_test=..."
    )]
    ArraysSyntax {
        /// What was given.
        text: String,
    },
    /// A whole number too large to be told apart.
    #[error("{place}: {value} is not below 2^63: convert it with .astype('int64') or .astype('float64')")]
    TooWide {
        /// The file, or the array in it.
        place: String,
        /// The number.
        value: u64,
    },
    /// Text in an array that is no text.
    #[error("{place} holds text that is not Unicode: write the array again")]
    NpyText {
        /// The file, or the array in it.
        place: String,
    },
    /// Text where inputs were expected.
    #[error("{place} holds text, and inputs are numbers: encode it as numbers before saving")]
    NpyTextInputs {
        /// The file, or the array in it.
        place: String,
    },
    /// The header of an NPY array cannot be understood.
    #[error("{place} has no valid NPY header ({problem}): write it with numpy.save or numpy.savez")]
    NpyHeader {
        /// The file, or the array in it.
        place: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// An array of a type that is not read.
    #[error(
        "{place} has dtype {dtype}; read are bool, int8 to int64, uint8 to uint64, float16 to float64, and text for \
         labels: convert it with .astype(...) before saving"
    )]
    NpyDtype {
        /// The file, or the array in it.
        place: String,
        /// Its type, as NumPy writes it.
        dtype: String,
    },
    /// An array of Python objects.
    #[error(
        "{place} holds Python objects (dtype object), which are never unpickled: save an array of numbers instead, \
         for instance X.astype('float32')"
    )]
    NpyObjects {
        /// The file, or the array in it.
        place: String,
    },
    /// An array of the wrong shape.
    #[error("{place} has shape {shape}; expected {expected}")]
    NpyShape {
        /// The file, or the array in it.
        place: String,
        /// Its shape.
        shape: String,
        /// What was expected.
        expected: &'static str,
    },
    /// Row numbers that are not whole numbers.
    #[error("{place} holds floating-point numbers, but row numbers are whole: save it with .astype('int64')")]
    NpyRowsDtype {
        /// The file.
        place: String,
    },
    /// A number in an array that cannot be used.
    #[error("{place}, row {row}, column {column}: {value} is not {expected}")]
    NpyValue {
        /// The file, or the array in it.
        place: String,
        /// The row, from 0.
        row: usize,
        /// The column in the flattened row, from 0.
        column: usize,
        /// The number.
        value: String,
        /// What was expected.
        expected: &'static str,
    },

    /// A target column was named for data that has no columns.
    #[error("a target column (`{target}`) was named, but {path} is not a table (CSV or Parquet)")]
    TargetOutsideCsv {
        /// The file.
        path: PathBuf,
        /// The column asked for.
        target: String,
    },

    /// No form in which data sets are written.
    #[error(
        "`{name}` is no form in which data sets are written: choose one of idx, npz, npy, csv and png (--to)"
    )]
    Format {
        /// What was asked for.
        name: String,
    },
    /// Data that a form cannot hold.
    #[error("cannot write {path}: {reason}")]
    CannotHold {
        /// The file or folder.
        path: PathBuf,
        /// What does not fit, and what to do.
        reason: &'static str,
    },
    /// The operating system could not write a file.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// An empty name.
    #[error("no data set is named: give a file, a folder, `mnist` or `digits`")]
    SpecEmpty,
    /// Nothing goes by that name.
    #[error("no data set `{spec}`; looked for {looked}. {help}")]
    NotFound {
        /// The name.
        spec: String,
        /// Where it was looked for.
        looked: String,
        /// What to do.
        help: String,
    },
    /// Generated digits are named `digits` or `digits:SEED`.
    #[error("`{spec}`: the seed of generated digits is a whole number from 0, as in digits:7")]
    Seed {
        /// The name.
        spec: String,
    },
    /// No part goes by that name.
    #[error("`{spec}` has neither a file nor a part named `{part}`; parts are `train` and `test`")]
    Part {
        /// The name of the data set.
        spec: String,
        /// The part asked for.
        part: String,
    },
    /// A part of a data set that is all of one piece.
    #[error("{path} has no parts, so `/{part}` cannot be asked of it: leave it out")]
    NoParts {
        /// The file.
        path: PathBuf,
        /// The part asked for.
        part: &'static str,
    },

    /// Not a range of rows.
    #[error("`{text}` is not a range of rows: write ..10000, 1000..42000, 5.. or 100 (the first hundred)")]
    RangeSyntax {
        /// What was given.
        text: String,
    },
    /// A range without rows, or past the last row.
    #[error("rows {range} asked for, but the data set has {n_samples} rows (0..{n_samples})")]
    Range {
        /// What was asked for.
        range: String,
        /// The rows there are.
        n_samples: usize,
    },

    /// An image or a folder of images could not be read or written.
    #[error(transparent)]
    Image(#[from] crate::image_error::ImageError),
    /// The arrays do not make a data set.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The columns do not make a table.
    #[error(transparent)]
    Table(#[from] steepest::TableError),
    /// A CSV table could not be read.
    #[error(transparent)]
    Csv(#[from] crate::csv_error::CsvError),
    /// A Parquet file could not be read.
    #[error(transparent)]
    Parquet(#[from] crate::parquet_error::ParquetError),
    /// A known data set could not be had.
    #[error(transparent)]
    Fetch(#[from] crate::fetch_error::FetchError),
}

impl DataError {
    /// Whether a table could not be read as numbers because it holds text, lacks values, or is a Parquet file: it may still be read with
    /// [`load_table`](crate::load_table).
    pub fn asks_for_columns(&self) -> bool {
        use crate::csv_error::CellProblem::{Missing, NotAvailable, NotFinite, Text};
        use crate::csv_error::CsvError::Cell;
        use crate::parquet_error::ParquetError::OnlyColumns;
        matches!(
            self,
            Self::Csv(Cell { problem: Missing | NotAvailable(_) | NotFinite(_) | Text(_), .. })
                | Self::Parquet(OnlyColumns { .. })
        )
    }

    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }
}
