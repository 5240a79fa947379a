//! NPZ, NumPy's archive of arrays, with the names that Keras and scikit-learn people give them.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use steepest::Dataset;
use zip::read::ZipFile;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use crate::array::Array;
use crate::error::DataError;
use crate::file::{Extent, Format, open, open_regular};
use crate::npy::read_npy_array;
use crate::npy_header::read_header;
use crate::numbers::Use;
use crate::shown::shown;
use crate::spec::Part;

/// Which array plays which part in an NPZ file, where it has another name than the usual ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArrayNames {
    named: Vec<(Role, String)>,
}

/// The parts that arrays play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Inputs(Option<Part>),
    Targets(Option<Part>),
}

impl Role {
    const ALL: [Self; 6] = [
        Self::Inputs(None),
        Self::Targets(None),
        Self::Inputs(Some(Part::Train)),
        Self::Targets(Some(Part::Train)),
        Self::Inputs(Some(Part::Test)),
        Self::Targets(Some(Part::Test)),
    ];

    /// The names that people give it, the most usual first; small or capital letters.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Inputs(None) => &["X", "data", "images"],
            Self::Targets(None) => &["y", "target", "targets", "label", "labels"],
            Self::Inputs(Some(Part::Train)) => &["x_train", "train_images"],
            Self::Targets(Some(Part::Train)) => &["y_train", "train_labels"],
            Self::Inputs(Some(Part::Test)) => &["x_test", "test_images"],
            Self::Targets(Some(Part::Test)) => &["y_test", "test_labels"],
        }
    }

    /// The first of its names.
    fn name(self) -> &'static str {
        self.names().first().copied().unwrap_or_default()
    }
}

impl ArrayNames {
    /// Reads `X=images,y=labels`; the parts are `X`, `y`, `x_train`, `y_train`, `x_test` and `y_test`.
    ///
    /// # Errors
    /// When it is not of this form, or a part is not one of these.
    pub fn parse(text: &str) -> Result<Self, DataError> {
        let fail = || DataError::ArraysSyntax { text: text.into() };
        let named = |pair: &str| {
            let (role, name) = pair.split_once('=').ok_or_else(fail)?;
            let is_meant = |known: &Role| known.name().eq_ignore_ascii_case(role.trim());
            let role = Role::ALL.into_iter().find(is_meant).ok_or_else(fail)?;
            if name.trim().is_empty() { Err(fail()) } else { Ok((role, name.trim().to_string())) }
        };
        Ok(Self { named: text.split(',').map(named).collect::<Result<_, _>>()? })
    }

    fn of(&self, role: Role) -> Option<&str> {
        self.named.iter().find(|(named, _)| *named == role).map(|(_, name)| name.as_str())
    }
}

/// An open NPZ file.
///
/// Either `x_train`, `y_train`, `x_test`, `y_test` (or `train_images`, `train_labels`, ...), or `X` and `y` (or `data`,
/// `target`, `images`, `labels`); small or capital letters, stored or compressed. `x` has rows along its first dimension;
/// `y` is `(n,)` whole numbers or text, which are classes, or numbers `(n,)` or `(n, n_outputs)`. A part or `X` without its
/// `y` is read as inputs without targets.
pub struct Npz<'a> {
    path: &'a Path,
    /// Bytes of the file: no member has more, whatever it says.
    len: u64,
    archive: ZipArchive<BufReader<File>>,
    names: Vec<String>,
    roles: ArrayNames,
}

impl<'a> Npz<'a> {
    /// Opens the file and reads which arrays it holds; `roles` says what they are where their names do not.
    ///
    /// # Errors
    /// When it is not a whole zip file.
    pub fn open(path: &'a Path, roles: &ArrayNames) -> Result<Self, DataError> {
        let fail = |reason: String| DataError::Zip { path: path.into(), reason };
        if open(path)?.format != Format::Zip {
            return Err(fail("it does not begin as a zip file does".into()));
        }
        let (file, len) = open_regular(path)?;
        let archive = ZipArchive::new(BufReader::new(file)).map_err(|error| fail(error.to_string()))?;
        let name =
            |raw: &[u8]| String::from_utf8_lossy(raw.strip_suffix(b".npy").unwrap_or(raw)).into_owned();
        let names: Vec<String> = archive.file_names_raw().map(name).collect();
        // Nothing is ever unpacked to a file; but NumPy writes no such names, and nobody means well with them.
        let is_outside = |name: &&String| {
            name.starts_with(['/', '\\']) || name.split(['/', '\\']).any(|part| part == "..")
        };
        if let Some(name) = names.iter().find(is_outside) {
            return Err(fail(format!("it holds `{}`, which leads out of a folder", shown(name))));
        }
        Ok(Self { path, len, archive, names, roles: roles.clone() })
    }

    /// The parts that are there: none in a file of `X` and `y`.
    pub fn parts(&self) -> Vec<Part> {
        if self.roles.of(Role::Inputs(None)).is_some() {
            return Vec::new();
        }
        let is_there = |part: &Part| self.find(Role::Inputs(Some(*part))).is_some();
        [Part::Train, Part::Test].into_iter().filter(is_there).collect()
    }

    /// Reads a part. Its classes are those of both parts, so that the parts agree.
    ///
    /// # Errors
    /// When an array is missing, damaged, of a wrong shape or type, or has another number of rows than its partner.
    pub fn read_part(&mut self, part: Part) -> Result<Dataset, DataError> {
        let others = self.find(Role::Targets(Some(part.other())));
        if let (Some(x), Some(y)) = (self.find(Role::Inputs(Some(part.other()))), others) {
            self.check_rows(x, y)?;
        }
        let others = others.map(|index| self.read_array(index, Use::Targets)).transpose()?;
        self.read_pair(Some(part), others)
    }

    /// Reads the arrays `X` and `y` of a file without parts.
    ///
    /// # Errors
    /// As [`read_part`](Self::read_part).
    pub fn read_whole(&mut self) -> Result<Dataset, DataError> {
        self.read_pair(None, None)
    }

    fn read_pair(&mut self, part: Option<Part>, others: Option<Array>) -> Result<Dataset, DataError> {
        let (x, y) = (Role::Inputs(part), Role::Targets(part));
        let x_index = self.find(x).ok_or_else(|| self.missing(x))?;
        let y_index = self.find(y);
        if y_index.is_none() && self.roles.of(y).is_some() {
            return Err(self.missing(y));
        }
        if let Some(y_index) = y_index {
            self.check_rows(x_index, y_index)?;
        }
        let targets = y_index.map(|index| self.read_array(index, Use::Targets)).transpose()?;
        let (inputs, layout) = self.read_array(x_index, Use::Inputs)?.into_inputs(&self.place(x_index))?;
        let place = y_index.map(|index| self.place(index)).unwrap_or_default();
        let targets = targets.map(|array| array.into_targets(others, &place)).transpose()?;
        layout.dataset(inputs, targets)
    }

    /// Refuses arrays whose headers announce different numbers of rows, before either is read.
    fn check_rows(&mut self, x: usize, y: usize) -> Result<(), DataError> {
        let (n_x, n_y) = (self.n_rows(x)?, self.n_rows(y)?);
        if n_x == n_y {
            return Ok(());
        }
        let (x, y) = (shown(self.name(x)), shown(self.name(y)));
        Err(DataError::NpzCounts { path: self.path.into(), x, n_x, y, n_y })
    }

    fn n_rows(&mut self, index: usize) -> Result<u64, DataError> {
        let place = self.place(index);
        Ok(read_header(&mut self.member(index)?, &place)?.shape.first().copied().unwrap_or(1))
    }

    fn find(&self, role: Role) -> Option<usize> {
        if let Some(name) = self.roles.of(role) {
            return self.names.iter().position(|other| other == name);
        }
        let position = |name: &&str| self.names.iter().position(|other| other.eq_ignore_ascii_case(name));
        role.names().iter().find_map(position)
    }

    fn missing(&self, role: Role) -> DataError {
        // A table that was zipped, or a spreadsheet, which is a zip file as well.
        let is_array = |name: &[u8]| name.ends_with(b".npy") || !name.contains(&b'.');
        let mut raw_names = self.archive.file_names_raw();
        if let Some(other) = raw_names.find(|name| !is_array(name)) {
            let member = shown(&String::from_utf8_lossy(other));
            return DataError::ZipOfOthers { path: self.path.into(), member };
        }
        let missing = self.roles.of(role).unwrap_or(role.name()).into();
        let shown: Vec<String> =
            self.names.iter().take(10).map(|name| format!("`{}`", shown(name))).collect();
        let found = if shown.is_empty() { "(none)".into() } else { shown.join(", ") };
        DataError::NpzArray { path: self.path.into(), missing, found }
    }

    fn name(&self, index: usize) -> &str {
        self.names.get(index).map_or("", String::as_str)
    }

    fn place(&self, index: usize) -> String {
        format!("{} (array `{}`)", self.path.display(), shown(self.name(index)))
    }

    fn member(&mut self, index: usize) -> Result<ZipFile<'_, BufReader<File>>, DataError> {
        let failed = |error: ZipError| DataError::Zip { path: self.path.into(), reason: error.to_string() };
        self.archive.by_index(index).map_err(failed)
    }

    fn read_array(&mut self, index: usize, what_for: Use) -> Result<Array, DataError> {
        let place = self.place(index);
        let file_len = self.len;
        let mut member = self.member(index)?;
        let extent = Extent {
            bytes: member.compressed_size().min(file_len),
            compressed: member.compression() != CompressionMethod::Stored,
        };
        read_npy_array(&mut member, extent, what_for, &place)
    }
}
