//! Why a known data set could not be had.

use std::io;
use std::path::PathBuf;

/// Why a known data set could not be downloaded, or does not agree with its checksums.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Only some names stand for data sets that can be downloaded.
    #[error("no data set `{name}` to download: the known ones are {names}")]
    Unknown {
        /// The name.
        name: String,
        /// The known names.
        names: String,
    },
    /// No folder to keep a download in.
    #[error("no folder to download `{name}` into: the environment names none; set STEEPEST_CACHE to one")]
    NoCache {
        /// The name of the data set.
        name: String,
    },
    /// No mirror gave the published file.
    #[error(
        "cannot download {file} of `{name}`:{reasons}\nCheck the network and try again, or put {names} into \
         {folder} by hand; --offline or STEEPEST_OFFLINE=1 never asks the network"
    )]
    Download {
        /// The name of the data set.
        name: String,
        /// The file.
        file: String,
        /// A line for each mirror, with what it did.
        reasons: String,
        /// All files of the data set.
        names: String,
        /// Where they belong.
        folder: PathBuf,
    },
    /// A file of the cache that would have to be downloaded.
    #[error(
        "`{name}` is not whole: {path}: {problem}; leave out --offline and STEEPEST_OFFLINE to download it, or put the \
         published file there by hand"
    )]
    Offline {
        /// The name of the data set.
        name: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The operating system could not write a file.
    #[error("cannot write {path}: {source}; STEEPEST_CACHE names another folder")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
