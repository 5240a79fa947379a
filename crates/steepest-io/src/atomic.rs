//! Files that are written whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Writes a file whole or not at all.
///
/// # Errors
/// When the file system says no.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    write_file(path, |out| out.write_all(bytes))
}

/// Writes what `contents` writes, whole or not at all.
pub(crate) fn write_file(
    path: &Path,
    contents: impl FnOnce(&mut BufWriter<&File>) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::Builder::new().prefix(".steepest-").tempfile_in(folder)?;
    let mut out = BufWriter::with_capacity(1 << 18, file.as_file());
    contents(&mut out)?;
    out.flush()?;
    drop(out);
    file.as_file().sync_all()?;
    // A temporary file is private to its owner; the finished one is as readable as any other.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    file.persist(path).map_err(|e| e.error)?;
    Ok(())
}

/// Makes a folder with what `contents` puts into it, whole or not at all. Nothing may stand at `path` but an empty folder.
pub(crate) fn write_folder<E: From<std::io::Error>>(
    path: &Path,
    contents: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = tempfile::Builder::new().prefix(".steepest-").tempdir_in(parent)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
    }
    contents(folder.path())?;
    if path.is_dir() {
        // Fails when there is anything in it.
        std::fs::remove_dir(path)?;
    }
    std::fs::rename(folder.path(), path)?;
    // It has another name now, under which it stays.
    let _ = folder.keep();
    Ok(())
}
