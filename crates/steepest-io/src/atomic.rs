//! Files that are written whole or not at all, whatever happens meanwhile: an error, a kill, a power cut.
//!
//! A new file is written beside its place under a passing name, brought to the disk, and given its name; then the name is
//! brought to the disk. Whoever looks finds the old file or the new one, and once the writer has returned, the new one.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::disk::{Disk, SystemDisk};

/// Writes a file whole or not at all. Where `path` is a link, the file that it leads to is written; where it is a device or
/// a pipe, the bytes go straight into it.
///
/// # Errors
/// When the file system says no; the old file is then as it was.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_file(path, |out| out.write_all(bytes))
}

/// Writes what `contents` writes, as [`write_atomically`] does.
pub fn write_file(
    path: &Path,
    contents: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(there) if !there.is_file() && !there.is_dir() => {
            let mut out = BufWriter::with_capacity(BUFFER, File::options().write(true).open(path)?);
            contents(&mut out)?;
            out.flush()
        }
        Ok(_) if path.is_symlink() => write_on(&SystemDisk, &fs::canonicalize(path)?, contents),
        _ => write_on(&SystemDisk, path, contents),
    }
}

const BUFFER: usize = 1 << 18;

/// Names of files that are not whole yet begin with it.
const PASSING: &str = ".steepest-";

/// [`write_file`] on any disk.
pub(crate) fn write_on<D: Disk>(
    disk: &D,
    path: &Path,
    contents: impl FnOnce(&mut BufWriter<D::File>) -> io::Result<()>,
) -> io::Result<()> {
    let folder = folder_of(path);
    let (passing, file) = with_passing_name(folder, |name| disk.create(name))?;
    let mut out = BufWriter::with_capacity(BUFFER, file);
    let written = contents(&mut out)
        .and_then(|()| out.flush())
        .and_then(|()| disk.sync(out.get_ref()))
        .and_then(|()| disk.rename(&passing, path));
    // Closed now, and without another try to write what could not be written.
    drop(out.into_parts());
    if let Err(e) = written {
        // The first error is the one to tell.
        let _ = disk.remove(&passing);
        return Err(e);
    }
    disk.sync_folder(folder)
}

/// Makes a folder with what `contents` puts into it, whole or not at all. Nothing may stand at `path` but an empty folder.
pub(crate) fn write_folder<E: From<io::Error>>(
    path: &Path,
    contents: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let parent = folder_of(path);
    let (passing, ()) = with_passing_name(parent, |name| fs::create_dir(name))?;
    let rename = || {
        sync_all_in(&passing)?;
        if path.is_dir() {
            // Fails when there is anything in it.
            fs::remove_dir(path)?;
        }
        fs::rename(&passing, path)
    };
    if let Err(e) = contents(&passing).and_then(|()| Ok(rename()?)) {
        let _ = fs::remove_dir_all(&passing);
        return Err(e);
    }
    Ok(SystemDisk.sync_folder(parent)?)
}

/// Makes a folder and those above it, as far as they are missing, and brings their names to the disk.
pub(crate) fn create_folders(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = folder_of(path);
    create_folders(parent)?;
    match fs::create_dir(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists || !path.is_dir() => Err(e),
        _ => SystemDisk.sync_folder(parent),
    }
}

/// Removes what writers that were killed have left in a folder. Nobody may be writing there.
pub(crate) fn remove_remains(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(PASSING) && entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The folder that a path's last name stands in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes something under a name in `folder` that nothing else has.
fn with_passing_name<X>(folder: &Path, make: impl Fn(&Path) -> io::Result<X>) -> io::Result<(PathBuf, X)> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{PASSING}{}-{number}", std::process::id()));
        match make(&path) {
            Ok(made) => return Ok((path, made)),
            // Left by another process that had this number.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
}

/// Brings all files in a folder, and their names, to the disk.
fn sync_all_in(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_all_in(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    SystemDisk.sync_folder(folder)
}
