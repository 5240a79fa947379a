//! Gzip, as the programs that write it mean it: several members are one file, zeros may follow the last.

use std::io::{self, BufRead, Error, Read};

use flate2::bufread::GzDecoder;

/// What is smaller than this when decompressed is no bomb: what is made of it, such as class names, takes up to ten times more.
const HARMLESS: u64 = 8 << 20;
/// Images and tables shrink to a half or a fiftieth; nothing but zeros to a thousandth, which is the most that deflate can.
const BOMB_RATIO: u64 = 500;

/// Whether so many bytes from so few were made to fill the memory.
pub(crate) fn is_bomb(bytes: u64, compressed: u64) -> bool {
    bytes > HARMLESS && bytes > compressed.saturating_mul(BOMB_RATIO)
}

/// Decompresses a gzip file.
pub(crate) struct Gunzip<R> {
    /// None at the end of the file.
    member: Option<GzDecoder<Counted<R>>>,
    bytes: u64,
}

impl<R: BufRead> Gunzip<R> {
    /// `file` begins with a member.
    pub(crate) fn new(file: R) -> Self {
        Self { member: Some(GzDecoder::new(Counted { file, bytes: 0 })), bytes: 0 }
    }

    /// After a member: the next, unless there is nothing but zeros.
    fn next_member(&mut self) -> io::Result<()> {
        let Some(member) = self.member.take() else { return Ok(()) };
        let mut file = member.into_inner();
        loop {
            let head = file.fill_buf()?;
            let zeros = head.iter().take_while(|&&byte| byte == 0).count();
            if zeros < head.len() {
                self.member = Some(GzDecoder::new(file));
                return Ok(());
            }
            if zeros == 0 {
                return Ok(());
            }
            file.consume(zeros);
        }
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while let Some(member) = &mut self.member {
            let n = member.read(buffer)?;
            if n > 0 {
                self.bytes = self.bytes.saturating_add(n as u64);
                let compressed = member.get_ref().bytes;
                if is_bomb(self.bytes, compressed) {
                    return Err(Error::other(format!("{compressed} bytes give more than {}", self.bytes)));
                }
                return Ok(n);
            }
            self.next_member()?;
        }
        Ok(0)
    }
}

/// Counts the bytes that are used.
struct Counted<R> {
    file: R,
    bytes: u64,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.bytes = self.bytes.saturating_add(n as u64);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.file.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        self.file.consume(n);
        self.bytes = self.bytes.saturating_add(n as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Write};

    use flate2::{Compression, GzBuilder};

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut file = GzBuilder::new().write(Vec::new(), Compression::best());
        file.write_all(bytes).unwrap();
        file.finish().unwrap()
    }

    fn gunzip(file: &[u8]) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        // A buffer that ends within headers and members.
        Gunzip::new(BufReader::with_capacity(7, file)).read_to_end(&mut bytes).map(|_| bytes)
    }

    #[test]
    fn members_are_joined_and_zeros_after_them_are_nothing() {
        let file = [gzip(b"one, "), gzip(b""), gzip(b"two"), vec![0; 20]].concat();
        assert_eq!(gunzip(&file).unwrap(), b"one, two");
        assert!(gunzip(&[gzip(b"one"), b"two".to_vec()].concat()).is_err());
        assert!(gunzip(&[gzip(b"one"), vec![0; 9], b"two".to_vec()].concat()).is_err());
    }

    #[test]
    fn a_bomb_is_noticed_while_it_is_decompressed() {
        let megabyte = vec![0; 1 << 20];
        let mut file = GzBuilder::new().write(Vec::new(), Compression::best());
        (0..100).for_each(|_| file.write_all(&megabyte).unwrap());
        let file = file.finish().unwrap();
        let mut bytes = 0;
        let mut reader = Gunzip::new(&file[..]);
        let mut buffer = vec![0; 1 << 16];
        let error = loop {
            match reader.read(&mut buffer) {
                Ok(n) => bytes += n as u64,
                Err(error) => break error,
            }
        };
        assert!(bytes <= HARMLESS, "{bytes}");
        assert!(error.to_string().contains("bytes give more than"), "{error}");
    }
}
