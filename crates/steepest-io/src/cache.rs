//! Where downloaded data sets are kept.

use std::ffi::OsString;
use std::path::PathBuf;

/// The folder that has a folder for each downloaded data set: `$STEEPEST_CACHE`, or else `steepest` in the user's cache
/// folder (`$XDG_CACHE_HOME` or `~/.cache`; on macOS `~/Library/Caches`, on Windows `%LOCALAPPDATA%`).
///
/// `None` where the environment names no such folder.
pub fn user_cache() -> Option<PathBuf> {
    cache_in(std::env::consts::OS, |name| std::env::var_os(name))
}

/// The user's own folder.
pub(crate) fn home() -> Option<PathBuf> {
    std::env::home_dir().filter(|home| !home.as_os_str().is_empty())
}

/// The cache on this operating system with these variables. A relative path in them is no place for a cache that all
/// working directories share; only `$STEEPEST_CACHE` is taken as it is.
fn cache_in(system: &str, variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let absolute = |name: &str| folder(name).filter(|path| path.is_absolute());
    let of_user = || match system {
        "windows" => absolute("LOCALAPPDATA"),
        "macos" => absolute("HOME").map(|home| home.join("Library/Caches")),
        _ => absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache"))),
    };
    folder("STEEPEST_CACHE").or_else(|| of_user().map(|caches| caches.join("steepest")))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn each_system_has_its_place() {
        let of = |system: &str, given: &[(&str, &str)]| {
            let find = |name: &str| given.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
            cache_in(system, find).map(|path| path.display().to_string())
        };
        let home = ("HOME", "/home/ada");
        let cases = [
            (of("linux", &[home]), Some("/home/ada/.cache/steepest")),
            (of("linux", &[home, ("XDG_CACHE_HOME", "/caches")]), Some("/caches/steepest")),
            (of("linux", &[home, ("XDG_CACHE_HOME", "caches")]), Some("/home/ada/.cache/steepest")),
            (of("macos", &[home, ("XDG_CACHE_HOME", "/x")]), Some("/home/ada/Library/Caches/steepest")),
            (of("windows", &[home, ("LOCALAPPDATA", "/local")]), Some("/local/steepest")),
            (of("linux", &[home, ("STEEPEST_CACHE", "/big")]), Some("/big")),
            (of("windows", &[("STEEPEST_CACHE", "big")]), Some("big")),
            (of("linux", &[home, ("STEEPEST_CACHE", "")]), Some("/home/ada/.cache/steepest")),
            (of("linux", &[]), None),
        ];
        for (i, (found, expected)) in cases.iter().enumerate() {
            assert_eq!(found.as_deref(), *expected, "case {i}");
        }
    }
}
