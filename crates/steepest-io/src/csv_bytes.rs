//! Tables of images, fast: lines of whole numbers from 0 to 255, in blocks, by all cores.
//!
//! What is not of this form ends it, and is left to the general reader of [`crate::csv`]: so this one knows no quotes, no
//! signs, no blanks and no errors.

use std::io::Read;

/// Bytes of the file held at a time; a line must fit.
const BLOCK: usize = 8 << 20;

/// The lines to expect.
#[derive(Clone, Copy)]
pub(crate) struct Lines {
    /// Cells of each.
    pub(crate) n_columns: usize,
    /// Which of them is a label.
    pub(crate) target: Option<usize>,
}

/// Lines that were read.
#[derive(Default)]
pub(crate) struct Rows {
    /// `(rows, n_features)`
    pub(crate) pixels: Vec<u8>,
    /// `(rows)`, or empty without a target.
    pub(crate) labels: Vec<u8>,
    /// Bytes of the file that these lines take.
    pub(crate) bytes: usize,
    pub(crate) n_rows: u64,
}

/// Reads lines while they are of the expected form, and hands them on in their order. Returns what it read beyond them,
/// for another reader; nothing at the end of the file.
pub(crate) fn read_lines(
    file: &mut impl Read,
    lines: Lines,
    take: impl FnMut(&Rows),
) -> std::io::Result<Vec<u8>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    read_in_blocks(file, lines, BLOCK, threads, take)
}

fn read_in_blocks(
    file: &mut impl Read,
    lines: Lines,
    size: usize,
    threads: usize,
    mut take: impl FnMut(&Rows),
) -> std::io::Result<Vec<u8>> {
    let mut parts: Vec<Rows> = (0..threads).map(|_| Rows::default()).collect();
    let mut block = Vec::with_capacity(size);
    loop {
        let room = size.saturating_sub(block.len()) as u64;
        let found = file.by_ref().take(room).read_to_end(&mut block)?;
        if found == 0 && block.last().is_some_and(|&byte| byte != b'\n') {
            block.push(b'\n'); // the last line may lack it
        }
        let end = after_last_newline(&block);
        let pieces = cut(block.get(..end).unwrap_or_default(), threads);
        std::thread::scope(|scope| {
            for (piece, rows) in pieces.iter().zip(&mut parts) {
                scope.spawn(move || rows.parse(piece, lines));
            }
        });
        let mut taken = 0usize;
        for (piece, rows) in pieces.iter().zip(&parts) {
            take(rows);
            taken = taken.saturating_add(rows.bytes);
            if rows.bytes < piece.len() {
                break;
            }
        }
        let is_too_long = end == 0 && block.len() >= size;
        let is_other = taken < end;
        block.drain(..taken);
        if found == 0 || is_too_long || is_other {
            return Ok(block);
        }
    }
}

fn after_last_newline(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last.saturating_add(1))
}

/// About equal pieces of whole lines.
fn cut(mut lines: &[u8], n: usize) -> Vec<&[u8]> {
    let mut pieces = Vec::with_capacity(n);
    for left in (1..=n).rev() {
        let about = lines.len().checked_div(left).unwrap_or(0);
        let end =
            if left == 1 { lines.len() } else { after_last_newline(lines.get(..about).unwrap_or_default()) };
        let (piece, rest) = lines.split_at_checked(end).unwrap_or((lines, &[]));
        pieces.push(piece);
        lines = rest;
    }
    pieces
}

impl Rows {
    /// Reads whole lines, up to the first that is of another form.
    fn parse(&mut self, lines: &[u8], Lines { n_columns, target }: Lines) {
        self.pixels.clear();
        self.labels.clear();
        self.n_rows = 0;
        let mut rest = lines;
        loop {
            let n_pixels = self.pixels.len();
            let line = match target {
                Some(target) => self.labelled(rest, target, n_columns),
                None => last_cells(rest, n_columns, &mut self.pixels),
            };
            let Some(after) = line else {
                self.pixels.truncate(n_pixels);
                self.labels.truncate(self.n_rows as usize);
                break;
            };
            rest = after;
            self.n_rows = self.n_rows.saturating_add(1);
        }
        self.bytes = lines.len().saturating_sub(rest.len());
    }

    fn labelled<'a>(&mut self, line: &'a [u8], target: usize, n_columns: usize) -> Option<&'a [u8]> {
        let after_target = n_columns.checked_sub(target)?.checked_sub(1)?;
        let label = cells(line, target, &mut self.pixels)?;
        let (value, rest) = if after_target == 0 { last_cell(label)? } else { cell(label)? };
        // Labels are told apart by their text: 07 is for the general reader.
        if matches!(label, [b'0', b'0'..=b'9', ..]) {
            return None;
        }
        self.labels.push(value);
        if after_target == 0 { Some(rest) } else { last_cells(rest, after_target, &mut self.pixels) }
    }
}

/// Reads cells to the end of the line.
fn last_cells<'a>(line: &'a [u8], count: usize, out: &mut Vec<u8>) -> Option<&'a [u8]> {
    let rest = cells(line, count.checked_sub(1)?, out)?;
    let (value, rest) = last_cell(rest)?;
    out.push(value);
    Some(rest)
}

/// Reads cells, a comma behind each.
fn cells<'a>(line: &'a [u8], count: usize, out: &mut Vec<u8>) -> Option<&'a [u8]> {
    // Eight empty pixels: most of an image.
    const EMPTY: &[u8; 16] = b"0,0,0,0,0,0,0,0,";
    let (mut rest, mut left) = (line, count);
    while left > 0 {
        match rest.split_first_chunk() {
            Some((EMPTY, after)) if left >= 8 => {
                out.extend_from_slice(&[0; 8]);
                (rest, left) = (after, left.saturating_sub(8));
            }
            _ => {
                let (value, after) = cell(rest)?;
                out.push(value);
                (rest, left) = (after, left.saturating_sub(1));
            }
        }
    }
    Some(rest)
}

/// Reads a cell and the comma behind it.
#[inline(always)]
fn cell(line: &[u8]) -> Option<(u8, &[u8])> {
    match line {
        [a, b',', rest @ ..] => Some((number(0, 0, *a)?, rest)),
        [a, b, b',', rest @ ..] => Some((number(0, digit(*a)?, *b)?, rest)),
        [a, b, c, b',', rest @ ..] => Some((number(digit(*a)?, digit(*b)?, *c)?, rest)),
        _ => None,
    }
}

/// Reads a cell and the end of the line behind it.
fn last_cell(line: &[u8]) -> Option<(u8, &[u8])> {
    let (value, rest) = match line {
        [a, b'\n' | b'\r', ..] => (number(0, 0, *a)?, line.get(1..)?),
        [a, b, b'\n' | b'\r', ..] => (number(0, digit(*a)?, *b)?, line.get(2..)?),
        [a, b, c, b'\n' | b'\r', ..] => (number(digit(*a)?, digit(*b)?, *c)?, line.get(3..)?),
        _ => return None,
    };
    let rest = rest.strip_prefix(b"\r").unwrap_or(rest);
    Some((value, rest.strip_prefix(b"\n")?))
}

#[inline(always)]
pub(crate) fn digit(byte: u8) -> Option<u16> {
    byte.is_ascii_digit().then(|| u16::from(byte & 0xf))
}

/// A number of three digits, if it fits a byte.
#[inline(always)]
pub(crate) fn number(hundreds: u16, tens: u16, ones: u8) -> Option<u8> {
    u8::try_from(hundreds.wrapping_mul(100).wrapping_add(tens.wrapping_mul(10)).wrapping_add(digit(ones)?))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pixels, labels and bytes read.
    fn read(text: &str, target: Option<usize>, size: usize, threads: usize) -> (Vec<u8>, Vec<u8>, usize) {
        let (mut pixels, mut labels, mut bytes, mut n_rows) = (vec![], vec![], 0, 0);
        let lines = Lines { n_columns: 4, target };
        let rest = read_in_blocks(&mut text.as_bytes(), lines, size, threads, |rows| {
            pixels.extend_from_slice(&rows.pixels);
            labels.extend_from_slice(&rows.labels);
            bytes += rows.bytes;
            n_rows += rows.n_rows as usize;
        })
        .unwrap();
        let left = text.get(bytes..).unwrap_or_default().to_string() + "\n";
        assert!(left.as_bytes().starts_with(&rest) || rest.is_empty(), "{rest:?}");
        let width = if target.is_some() { 3 } else { 4 };
        assert_eq!((pixels.len(), labels.len()), (n_rows * width, if width == 3 { n_rows } else { 0 }));
        (pixels, labels, bytes)
    }

    #[test]
    fn blocks_and_threads_make_no_difference() {
        let cell = |i: usize| (i * i * 7 % 300 % 256) as u8;
        let rows: Vec<[u8; 4]> = (0..500).map(|i| [0, 1, 2, 3].map(|j| cell(4 * i + j))).collect();
        for (end, last) in [("\n", "\n"), ("\r\n", "\r\n"), ("\n", ""), ("\r\n", "")] {
            let lines: Vec<String> = rows.iter().map(|r| r.map(|x| x.to_string()).join(",")).collect();
            let text = lines.join(end) + last;
            for target in [None, Some(0), Some(1), Some(3)] {
                let is_target = |i: &usize| Some(i % 4) == target;
                let flat = rows.concat();
                let pick = |wanted: bool| -> Vec<u8> {
                    (0..flat.len()).filter(|i| is_target(i) == wanted).map(|i| flat[i]).collect()
                };
                for (size, threads) in [(20, 1), (21, 3), (64, 2), (1000, 5), (1 << 20, 2)] {
                    let (pixels, labels, bytes) = read(&text, target, size, threads);
                    let case = format!("{end:?} {last:?} {target:?} {size} {threads}");
                    assert_eq!(pixels.len(), pick(false).len(), "{case}");
                    assert!(pixels == pick(false) && labels == pick(true), "{case}");
                    assert!(bytes >= text.len());
                }
            }
        }
    }

    #[test]
    fn the_first_other_line_ends_it() {
        let good = "1,0,0,255\n".repeat(10);
        let wide = "0,".repeat(9) + "0\n";
        for other in [
            "1,0,0,256\n",
            "1,0,0\n",
            "1,0,0,0,0\n",
            "1,0,0,\n",
            "1,,0,0\n",
            "1,0,0,-1\n",
            "1,0,0,0.5\n",
            " 1,0,0,0\n",
            "1,0,0,0 \n",
            "\"1\",0,0,0\n",
            "1;0;0;0\n",
            "\n",
            "\r\n",
            "1,0,0,0\r\r\n",
            "1,0,0,0\rx",
            "0001,0,0,0\n",
            "x\n",
            &wide,
        ] {
            for (size, threads) in [(25, 1), (64, 3), (1 << 20, 2)] {
                let text = format!("{good}{other}{good}");
                let (pixels, _, bytes) = read(&text, None, size, threads);
                assert_eq!((pixels.len(), bytes), (40, good.len()), "{other:?}, {size}");
            }
        }
        // A label is told apart by its text, a pixel is not.
        assert_eq!(read("1,07,2,3\n", None, 64, 1).0, [1, 7, 2, 3]);
        assert_eq!(read("1,07,2,3\n", Some(1), 64, 1), (vec![], vec![], 0));
        // A line longer than a block is left to the general reader.
        assert_eq!(read(&"200,".repeat(50), None, 20, 2).2, 0);
        assert_eq!(read("", None, 20, 2).2, 0);
    }
}
