//! Whether a gzip-compressed file is the published one.

use std::io::{self, BufRead, Read};

use flate2::bufread::MultiGzDecoder;
use md5::Md5;
use sha2::{Digest, Sha256};

use crate::file::is_markup;
use crate::known::{Checksum, KnownFile};

const CHUNK: usize = 1 << 16;

/// Compares a file with its checksum. At most one byte more than its known length is ever decompressed.
///
/// # Errors
/// In words: what it has in place of the published bytes.
pub(crate) fn check(file: &KnownFile, mut packed: impl BufRead) -> Result<(), String> {
    let broken = |e: io::Error| format!("cut short or damaged ({e})");
    match packed.fill_buf().map_err(broken)? {
        [] => return Err("empty".into()),
        [0x1f, 0x8b, ..] => {}
        head if is_markup(head) => return Err("a web page in place of the file".into()),
        head => {
            return Err(format!("not gzip: it begins with {:02x?}", head.iter().take(4).collect::<Vec<_>>()));
        }
    }
    let (what, expected, found) = match &file.checksum {
        Checksum::Md5Packed(expected) => ("MD5", expected, digest::<Md5>(packed).map_err(broken)?.1),
        Checksum::Sha256Unpacked(expected) => {
            let unpacked = MultiGzDecoder::new(packed).take(file.unpacked.saturating_add(1));
            let (length, found) = digest::<Sha256>(unpacked).map_err(broken)?;
            if length != file.unpacked {
                let than = if length > file.unpacked { "more" } else { "less" };
                return Err(format!(
                    "wrong bytes: decompressed it has {than} than {} of them",
                    file.unpacked
                ));
            }
            ("SHA-256 of the decompressed bytes", expected, found)
        }
    };
    if found != *expected {
        return Err(format!("wrong bytes: their {what} is {found}, {expected} expected"));
    }
    Ok(())
}

/// How many bytes there are, and their checksum.
fn digest<D: Digest>(mut reader: impl Read) -> io::Result<(u64, String)> {
    let (mut hash, mut chunk, mut length) = (D::new(), vec![0; CHUNK], 0u64);
    loop {
        let n = match reader.read(&mut chunk) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            n => n?,
        };
        let Some(new @ [_, ..]) = chunk.get(..n) else { break };
        length = length.saturating_add(n as u64);
        hash.update(new);
    }
    Ok((length, hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
}
