//! NPZ, NumPy's archive of arrays, with the names that Keras and scikit-learn people give them.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use steepest::Dataset;
use zip::ZipArchive;

use crate::array::Array;
use crate::error::DataError;
use crate::file::{Format, open};
use crate::npy::read_npy_array;
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
        let file = File::open(path).map_err(|source| DataError::io(path, source))?;
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
        Ok(Self { path, archive, names, roles: roles.clone() })
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
        let others = others.map(|index| self.read_array(index)).transpose()?;
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
        let targets = match y_index {
            Some(index) => Some((self.read_array(index)?, self.place(index), index)),
            None => None,
        };
        let array = self.read_array(x_index)?;
        let n_x = array.n_rows();
        if let Some((targets, _, y_index)) = &targets
            && targets.n_rows() != n_x
        {
            return Err(DataError::NpzCounts {
                path: self.path.into(),
                x: shown(self.name(x_index)),
                n_x,
                y: shown(self.name(*y_index)),
                n_y: targets.n_rows(),
            });
        }
        let (inputs, layout) = array.into_inputs(&self.place(x_index))?;
        let targets = targets.map(|(array, place, _)| array.into_targets(others, &place)).transpose()?;
        layout.dataset(inputs, targets)
    }

    fn find(&self, role: Role) -> Option<usize> {
        if let Some(name) = self.roles.of(role) {
            return self.names.iter().position(|other| other == name);
        }
        let position = |name: &&str| self.names.iter().position(|other| other.eq_ignore_ascii_case(name));
        role.names().iter().find_map(position)
    }

    fn missing(&self, role: Role) -> DataError {
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

    fn read_array(&mut self, index: usize) -> Result<Array, DataError> {
        let place = self.place(index);
        let mut member = self
            .archive
            .by_index(index)
            .map_err(|error| DataError::Zip { path: self.path.into(), reason: error.to_string() })?;
        let compressed = Some(member.compressed_size());
        read_npy_array(&mut member, compressed, &place)
    }
}
