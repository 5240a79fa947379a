//! The names of data sets: one grammar everywhere.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::DataError;
use crate::fetch::obtain;
use crate::file::is_png;
use crate::idx::idx_parts;
use crate::image_error::ImageError;
use crate::image_folder::{is_image_folder, other_image, whole_of_part};
use crate::known::Known;
use crate::load::LoadOptions;

/// A part of a data set that comes in two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// For training.
    Train,
    /// Held out.
    Test,
}

impl Part {
    /// `train` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Part::Train => "train",
            Part::Test => "test",
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Part::Train => Part::Test,
            Part::Test => Part::Train,
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Part::Train, Part::Test].into_iter().find(|part| part.name() == name)
    }
}

/// The name of a data set: a file, a folder with MNIST's four IDX files or of PNG images, `mnist`, `fashion-mnist`, `digits` or
/// `digits:SEED`; with `/train` or `/test` behind it where only that part is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSpec {
    text: String,
}

/// What a name stands for.
#[derive(Debug)]
pub(crate) enum Source {
    Digits { seed: u64 },
    Folder(PathBuf),
    Images(PathBuf),
    File(PathBuf),
}

impl DataSpec {
    /// Takes a name. What it stands for shows when it is loaded.
    ///
    /// # Errors
    /// When it is empty.
    pub fn parse(text: &str) -> Result<Self, DataError> {
        match text.trim() {
            "" => Err(DataError::SpecEmpty),
            text => Ok(Self { text: text.into() }),
        }
    }

    /// Finds what the name stands for, and the part it asks for. What exists under the whole name comes first,
    /// what has to be downloaded last.
    pub(crate) fn resolve(&self, options: &LoadOptions) -> Result<(Source, Option<Part>), DataError> {
        let whole = self.text.as_str();
        match find(whole, &options.folders) {
            // Part of a larger whole, with which it shares its classes.
            Some(Source::Images(folder)) => {
                let part = folder.file_name().and_then(|name| Part::parse(name.to_str()?));
                return Ok(match part.and_then(|_| whole_of_part(&folder)) {
                    Some(set) => (Source::Images(set), part),
                    None => (Source::Images(folder), None),
                });
            }
            Some(source) => return Ok((source, None)),
            None => {}
        }
        if let Some((base, name)) = whole.rsplit_once('/') {
            let part = Part::parse(name);
            let source = match self.digits(base)?.or_else(|| find(base, &options.folders)) {
                // A part that does not exist is nothing to download for.
                None => known(base, options, part.is_some())?,
                source => source,
            };
            if let Some(source) = source {
                return match part {
                    Some(part) => Ok((source, Some(part))),
                    None if places(whole, &options.folders).iter().any(|place| place.is_dir()) => {
                        Err(self.not_found(options))
                    }
                    None => Err(DataError::Part { spec: base.into(), part: name.into() }),
                };
            }
        }
        match self.digits(whole)? {
            Some(digits) => Ok((digits, None)),
            None => Ok((known(whole, options, true)?.ok_or_else(|| self.not_found(options))?, None)),
        }
    }

    /// The file that the name stands for, if that is a PNG image.
    pub fn png(&self, folders: &[PathBuf]) -> Option<PathBuf> {
        match find(&self.text, folders) {
            Some(Source::File(path)) if is_png(&path) => Some(path),
            _ => None,
        }
    }

    /// `digits` and `digits:SEED`.
    fn digits(&self, name: &str) -> Result<Option<Source>, DataError> {
        let seed = match name.strip_prefix("digits") {
            Some("") => return Ok(Some(Source::Digits { seed: 0 })),
            Some(rest) => rest.strip_prefix(':'),
            None => None,
        };
        let Some(seed) = seed else { return Ok(None) };
        let is_number = seed.bytes().all(|byte| byte.is_ascii_digit());
        match seed.parse() {
            Ok(seed) if is_number => Ok(Some(Source::Digits { seed })),
            _ => Err(DataError::Seed { spec: self.text.clone() }),
        }
    }

    fn not_found(&self, options: &LoadOptions) -> DataError {
        let base = match self.text.rsplit_once('/') {
            Some((base, name)) if Part::parse(name).is_some() => base,
            _ => &self.text,
        };
        let mut places = places(base, &options.folders);
        if let Some(folder) = places.iter().find(|place| place.is_dir()) {
            let folder = folder.clone();
            return match other_image(&folder) {
                Some(found) => ImageError::OtherFormats { folder, found }.into(),
                None => DataError::FolderWithoutData { path: folder },
            };
        }
        let known = options.known.iter().find(|known| known.name == base);
        if let Some(known) = known {
            places.extend(options.cache.iter().map(|cache| cache.join(base)));
            places.extend_from_slice(&known.elsewhere);
        }
        let looked: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
        let help = known.map_or(HELP.into(), known_help);
        DataError::NotFound { spec: self.text.clone(), looked: looked.join(", "), help }
    }
}

const HELP: &str =
    "Check the path, or set STEEPEST_DATA to the folder that holds it; `digits` needs no files";

fn known_help(known: &Known) -> String {
    let name = &known.name;
    let files: Vec<&str> = known.files.iter().map(|file| file.name.as_str()).collect();
    format!(
        "`steepest data fetch {name}` downloads it where there is a network (and no --offline or STEEPEST_OFFLINE); or \
         put its files ({}) into data/{name}, or {name}.npz as Keras has it into data, or set STEEPEST_DATA to the \
         folder that holds {name} or {name}.npz; the generated `digits` need no files",
        files.join(", ")
    )
}

/// A known data set: in the cache, from another program, or downloaded where that may be.
fn known(name: &str, options: &LoadOptions, may_download: bool) -> Result<Option<Source>, DataError> {
    match options.known.iter().find(|known| known.name == name) {
        Some(known) => obtain(known, options, may_download),
        None => Ok(None),
    }
}

/// Where a name is looked for, in this order: under the name itself, then in each of the folders of data sets; each
/// time also with `.npz` if it is a bare name.
fn places(name: &str, folders: &[PathBuf]) -> Vec<PathBuf> {
    let path = Path::new(name);
    let is_bare = !name.contains(['/', '\\', '.']);
    let mut roots = vec![PathBuf::new()];
    if path.is_relative() && !name.starts_with('.') {
        roots.extend_from_slice(folders);
    }
    let with_npz = |root: PathBuf| {
        let npz = is_bare.then(|| root.join(format!("{name}.npz")));
        [Some(root.join(name)), npz].into_iter().flatten()
    };
    roots.into_iter().flat_map(with_npz).collect()
}

/// The first place with a file, or with a folder of IDX files or images: a folder of something else is not in the way.
pub(crate) fn find(name: &str, folders: &[PathBuf]) -> Option<Source> {
    places(name, folders).into_iter().find_map(|place| match place.metadata() {
        Ok(found) if found.is_dir() => match place {
            place if !idx_parts(&place).is_empty() => Some(Source::Folder(place)),
            place if is_image_folder(&place) => Some(Source::Images(place)),
            _ => None,
        },
        Ok(_) => Some(Source::File(place)),
        Err(_) => None,
    })
}

impl FromStr for DataSpec {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        Self::parse(text)
    }
}

impl fmt::Display for DataSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
