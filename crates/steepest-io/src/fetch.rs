//! Known data sets in the cache: found, checked, downloaded.

use std::fmt;
use std::fs;
use std::io::{BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::atomic::write_atomically;
use crate::checksum;
use crate::error::DataError;
use crate::fetch_error::FetchError;
use crate::http::{Patience, get};
use crate::known::{Known, KnownFile};
use crate::load::LoadOptions;
use crate::spec::{Source, find};

/// How to download.
#[derive(Clone)]
pub struct Fetch {
    /// How long to wait for a server.
    pub patience: Patience,
    /// Is told what happens.
    pub on_event: Arc<dyn Fn(&FetchEvent) + Send + Sync>,
}

impl Default for Fetch {
    /// The usual patience, and nobody is told.
    fn default() -> Self {
        Self { patience: Patience::default(), on_event: Arc::new(|_| {}) }
    }
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetch").field("patience", &self.patience).finish_non_exhaustive()
    }
}

/// What happens during a download.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchEvent<'a> {
    /// A mirror is asked for a file.
    Begins {
        /// The file.
        file: &'a str,
        /// Its address.
        url: &'a str,
        /// How long it usually is, in bytes.
        expected: u64,
    },
    /// More of it came.
    Arrived {
        /// Bytes of it so far.
        bytes: u64,
        /// Bytes in all: as the server says, or else as usual.
        total: u64,
    },
    /// The mirror did not give it; the next one is tried, where there is one.
    Failed {
        /// The file.
        file: &'a str,
        /// Its address.
        url: &'a str,
        /// What was wrong.
        why: &'a str,
    },
    /// It arrived whole, was checked, and is in its place.
    Done {
        /// The file.
        file: &'a str,
    },
}

/// Where a known data set is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Its folder, or the one file that it is in.
    pub path: PathBuf,
    /// Names of the files that had to be downloaded.
    pub downloaded: Vec<String>,
    /// Whether it is in the cache, where every file was compared with its checksum.
    pub checked: bool,
}

/// Finds a known data set where [`load`](crate::load()) does, or else downloads it into the cache. In the cache every
/// file is compared with its checksum, and what is missing or damaged is downloaded.
///
/// # Errors
/// When the name is not known, no mirror gives a file, files of the cache are missing or damaged and `options.fetch` is
/// `None`, or a file cannot be written.
pub fn fetch(name: &str, options: &LoadOptions) -> Result<Fetched, DataError> {
    let Some(known) = options.known.iter().find(|known| known.name == name) else {
        let names: Vec<&str> = options.known.iter().map(|known| known.name.as_str()).collect();
        return Err(FetchError::Unknown { name: name.into(), names: names.join(", ") }.into());
    };
    let found = |path| Fetched { path, downloaded: Vec::new(), checked: false };
    if let Some(Source::Folder(path) | Source::File(path)) = find(name, &options.folders) {
        return Ok(found(path));
    }
    let no_cache = || FetchError::NoCache { name: name.into() }.into();
    let is_elsewhere = || known.elsewhere.iter().find(|path| path.is_file());
    match &options.cache {
        Some(cache) if is_complete(known, &cache.join(name)) || is_elsewhere().is_none() => {
            let path = cache.join(name);
            let downloaded = complete(known, &path, options)?;
            Ok(Fetched { path, downloaded, checked: true })
        }
        _ => is_elsewhere().map(|path| found(path.clone())).ok_or_else(no_cache),
    }
}

/// A known data set in the cache or elsewhere, or downloaded; `None` where it may not be, by the options or the caller.
pub(crate) fn obtain(
    known: &Known,
    options: &LoadOptions,
    may_download: bool,
) -> Result<Option<Source>, DataError> {
    let folder = options.cache.as_ref().map(|cache| cache.join(&known.name));
    if let Some(folder) = folder.as_ref().filter(|folder| is_complete(known, folder)) {
        return Ok(Some(Source::Folder(folder.clone())));
    }
    if let Some(path) = known.elsewhere.iter().find(|path| path.is_file()) {
        return Ok(Some(Source::File(path.clone())));
    }
    if options.fetch.is_none() || !may_download {
        return Ok(None);
    }
    let folder = folder.ok_or_else(|| FetchError::NoCache { name: known.name.clone() })?;
    complete(known, &folder, options)?;
    Ok(Some(Source::Folder(folder)))
}

fn is_complete(known: &Known, folder: &Path) -> bool {
    known.files.iter().all(|file| folder.join(&file.name).is_file())
}

/// Checks all files in a folder and downloads those that are missing or damaged. Returns their names.
fn complete(known: &Known, folder: &Path, options: &LoadOptions) -> Result<Vec<String>, DataError> {
    let mut downloaded = Vec::new();
    let mut mirrors: Vec<&str> = known.mirrors.iter().map(String::as_str).collect();
    for file in &known.files {
        let path = folder.join(&file.name);
        let Some(problem) = problem(file, &path)? else { continue };
        let Some(how) = &options.fetch else {
            return Err(FetchError::Offline { name: known.name.clone(), path, problem }.into());
        };
        let bytes = download(known, file, &mut mirrors, folder, how)?;
        fs::create_dir_all(folder).map_err(|source| FetchError::Write { path: folder.into(), source })?;
        if let Err(source) = write_atomically(&path, &bytes)
            // Another process may have put it there at the same moment, and be reading it.
            && self::problem(file, &path)?.is_some()
        {
            return Err(FetchError::Write { path, source }.into());
        }
        (how.on_event)(&FetchEvent::Done { file: &file.name });
        downloaded.push(file.name.clone());
    }
    Ok(downloaded)
}

/// What is wrong with a file on disk, if anything.
fn problem(file: &KnownFile, path: &Path) -> Result<Option<String>, DataError> {
    let io = |source| DataError::io(path, source);
    match fs::File::open(path) {
        Ok(reader) => {
            let length = reader.metadata().map_err(io)?.len();
            if length > limit(file) {
                return Ok(Some(format!("it is {length} bytes long, {} expected", file.packed)));
            }
            Ok(checksum::check(file, BufReader::new(reader)).err())
        }
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(Some("it is missing".into()))
        }
        Err(e) => Err(io(e)),
    }
}

/// Length at which a download is given up.
fn limit(file: &KnownFile) -> u64 {
    file.packed.saturating_add(file.packed / 2).saturating_add(1024)
}

/// Asks the mirrors in turn, until one gives the right bytes. That one is then the first, for the next file.
fn download(
    known: &Known,
    file: &KnownFile,
    mirrors: &mut [&str],
    folder: &Path,
    how: &Fetch,
) -> Result<Vec<u8>, FetchError> {
    let tell = |event: FetchEvent| (how.on_event)(&event);
    let mut reasons = String::new();
    for (i, mirror) in mirrors.iter().enumerate() {
        let url = format!("{mirror}{}", file.name);
        tell(FetchEvent::Begins { file: &file.name, url: &url, expected: file.packed });
        let arrived = |bytes, total: Option<u64>| {
            tell(FetchEvent::Arrived { bytes, total: total.unwrap_or(file.packed) });
        };
        let got = get(&url, limit(file), &how.patience, arrived)
            .and_then(|bytes| checksum::check(file, bytes.as_slice()).map(|()| bytes));
        match got {
            Ok(bytes) => {
                mirrors.rotate_left(i);
                return Ok(bytes);
            }
            Err(why) => {
                tell(FetchEvent::Failed { file: &file.name, url: &url, why: &why });
                reasons += &format!("\n  {url}: {why}");
            }
        }
    }
    let names: Vec<&str> = known.files.iter().map(|file| file.name.as_str()).collect();
    Err(FetchError::Download {
        name: known.name.clone(),
        file: file.name.clone(),
        reasons,
        names: names.join(", "),
        folder: folder.into(),
    })
}
