//! The records of a CSV file, one after the other; none without end is taken into memory.

use std::io::{self, BufRead, Read};
use std::path::Path;

use csv::{ByteRecord, Reader, ReaderBuilder};

use crate::csv_error::CsvError;
use crate::error::DataError;

/// A line of a million cells fits.
const LONGEST_RECORD: usize = 8 << 20;
const BUFFER: usize = 1 << 18;

/// The bytes of a file. Who reads too far gives back what it did not need.
pub(crate) struct Source {
    given_back: Vec<u8>,
    at: usize, // in `given_back`
    file: Box<dyn BufRead>,
}

impl Source {
    pub(crate) fn new(file: Box<dyn BufRead>) -> Self {
        Self { given_back: Vec::new(), at: 0, file }
    }

    /// What separates cells: commas, or if there is none in the first line tabs or semicolons, if there are.
    pub(crate) fn delimiter(&mut self) -> io::Result<u8> {
        let head = self.file.fill_buf()?;
        let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let start = head.iter().take_while(|byte| is_end(byte)).count();
        let line = head.iter().skip(start).take_while(|byte| !is_end(byte));
        let line: Vec<u8> = line.copied().collect();
        let (mut is_quoted, mut counts) = (false, [(b',', 0usize), (b'\t', 0), (b';', 0)]);
        for &byte in &line {
            is_quoted ^= byte == b'"';
            if let Some((_, count)) = counts.iter_mut().find(|(mark, _)| *mark == byte && !is_quoted) {
                *count = count.saturating_add(1);
            }
        }
        let [(comma, commas), others @ ..] = counts;
        let most = others.into_iter().max_by_key(|(_, count)| *count).filter(|(_, count)| *count > 0);
        let Some((mark, _)) = most else { return Ok(comma) };
        // Commas may be those of decimals: 0,5;1,5.
        let is_decimal = |cell: &[u8]| {
            let text = String::from_utf8_lossy(cell).replacen(',', ".", 1);
            text.trim().parse::<f64>().is_ok()
        };
        let are_decimals = || line.split(|&byte| byte == mark).all(is_decimal);
        Ok(if commas == 0 || are_decimals() { mark } else { comma })
    }

    /// These bytes will be read next.
    pub(crate) fn give_back(&mut self, mut bytes: Vec<u8>) {
        bytes.extend_from_slice(self.given_back.get(self.at..).unwrap_or_default());
        (self.given_back, self.at) = (bytes, 0);
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut left = self.given_back.get(self.at..).unwrap_or_default();
        if left.is_empty() {
            return self.file.read(buffer);
        }
        let n = left.read(buffer)?;
        self.at = self.at.saturating_add(n);
        Ok(n)
    }
}

/// Reads records.
pub(crate) struct Records<'a> {
    path: &'a Path,
    reader: Reader<Watched<'a>>,
    lines_before: u64,
}

impl<'a> Records<'a> {
    /// From a source of which so many lines have been read.
    pub(crate) fn new(source: &'a mut Source, delimiter: u8, lines_before: u64, path: &'a Path) -> Self {
        let (state, kept) = (State::Start, Vec::new());
        let watched =
            Watched { source, delimiter, state, at_end: false, since_record: 0, kept, keeps: false };
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true) // lines of another length: our own message names the line
            .delimiter(delimiter)
            .buffer_capacity(BUFFER)
            .from_reader(watched);
        Self { path, reader, lines_before }
    }

    /// The first record and the line it begins on; how many lines it took. The source is then behind it.
    pub(crate) fn first(mut self) -> Result<Option<(ByteRecord, u64, u64)>, DataError> {
        self.reader.get_mut().keeps = true;
        let mut record = ByteRecord::new();
        let line = self.next(&mut record)?;
        let position = self.reader.position().clone();
        let Watched { source, mut kept, .. } = self.reader.into_inner();
        let mut rest = kept.split_off(kept.len().min(position.byte() as usize));
        if kept.ends_with(b"\r") && rest.first() == Some(&b'\n') {
            rest.remove(0);
        }
        source.give_back(rest);
        Ok(line.map(|line| (record, line, position.line().saturating_sub(1))))
    }

    /// Reads the next record and says which line it begins on, from 1; none at the end.
    pub(crate) fn next(&mut self, record: &mut ByteRecord) -> Result<Option<u64>, DataError> {
        self.reader.get_mut().since_record = 0;
        let is_there = self.reader.read_byte_record(record);
        let line = record.position().map_or(0, csv::Position::line).saturating_add(self.lines_before);
        let is_there = is_there.map_err(|source| match source.into_kind() {
            csv::ErrorKind::Io(source) if source.kind() == io::ErrorKind::FileTooLarge => {
                DataError::Csv(CsvError::Endless { path: self.path.into(), line, longest: LONGEST_RECORD })
            }
            csv::ErrorKind::Io(source) => {
                DataError::Damaged { place: self.path.display().to_string(), source }
            }
            other => {
                let source = io::Error::other(format!("{other:?}"));
                DataError::Damaged { place: self.path.display().to_string(), source }
            }
        })?;
        let watched = self.reader.get_ref();
        if is_there && watched.at_end && watched.state == State::Quoted {
            return Err(DataError::Csv(CsvError::Quote { path: self.path.into(), line }));
        }
        Ok(is_there.then_some(line))
    }
}

/// Where in a record the bytes that were handed on end.
#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Before a cell.
    Start,
    Plain,
    Quoted,
    /// After a quote within quotes: it ended them, or another follows and it stands for itself.
    QuoteInQuotes,
}

/// Hands bytes on, and watches for records without end.
struct Watched<'a> {
    source: &'a mut Source,
    delimiter: u8,
    state: State,
    at_end: bool,
    /// Bytes handed on since the last record was asked for.
    since_record: usize,
    /// All bytes handed on, where they may have to be given back.
    kept: Vec<u8>,
    keeps: bool,
}

impl Watched<'_> {
    fn watch(&mut self, bytes: &[u8]) {
        let ends_cell = |byte: u8| byte == self.delimiter || matches!(byte, b'\n' | b'\r');
        if !bytes.contains(&b'"') && self.state != State::Quoted {
            if let Some(&last) = bytes.last() {
                self.state = if ends_cell(last) { State::Start } else { State::Plain };
            }
            return;
        }
        for &byte in bytes {
            self.state = match (self.state, byte) {
                (State::Start, b'"') | (State::QuoteInQuotes, b'"') => State::Quoted,
                (State::Quoted, b'"') => State::QuoteInQuotes,
                (State::Quoted, _) => State::Quoted,
                (_, byte) if ends_cell(byte) => State::Start,
                _ => State::Plain,
            };
        }
    }
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // What was read before the record was asked for counts as well: at most a buffer.
        if self.since_record > LONGEST_RECORD {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let n = self.source.read(buffer)?;
        let bytes = buffer.get(..n).unwrap_or_default();
        self.at_end = n == 0;
        self.watch(bytes);
        self.since_record = self.since_record.saturating_add(n);
        if self.keeps {
            self.kept.extend_from_slice(bytes);
        }
        Ok(n)
    }
}
