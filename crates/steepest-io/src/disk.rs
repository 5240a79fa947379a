//! The handful of file operations that nothing may get lost between. Tests put a simulated disk in their place, which
//! loses power.

use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::path::Path;

/// What [`crate::atomic`] asks of a disk.
pub(crate) trait Disk {
    /// A file that is being written.
    type File: Write + Seek;
    /// Makes a new file; nothing may go by that name yet.
    fn create(&self, path: &Path) -> io::Result<Self::File>;
    /// Returns when the contents of a file are on the disk.
    fn sync(&self, file: &Self::File) -> io::Result<()>;
    /// Gives a file another name, which it takes over from the file that had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Returns when the names in a folder are on the disk.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// The disk of the operating system.
pub(crate) struct SystemDisk;

impl Disk for SystemDisk {
    type File = File;

    fn create(&self, path: &Path) -> io::Result<File> {
        File::create_new(path)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        // Elsewhere a folder cannot be opened; Windows journals names by itself.
        if !cfg!(unix) {
            return Ok(());
        }
        match File::open(folder)?.sync_all() {
            // Some network file systems know no such thing.
            Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
            result => result,
        }
    }
}
