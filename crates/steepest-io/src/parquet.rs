//! Parquet files as columns of numbers and of text.
//!
//! What a file says of itself is not believed: no length makes room before its bytes are there, and all that is made of a file
//! is counted ([`Budget`]).

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use csv::ByteRecord;
use steepest::Table;

use crate::csv_error::CellProblem;
use crate::error::DataError;
use crate::file::open_regular;
use crate::parquet_cells::Cell;
use crate::parquet_encodings::{Values, places, values};
use crate::parquet_error::ParquetError;
use crate::parquet_error::Problem::{self, Damaged, Unusual};
use crate::parquet_footer::{Chunk, Footer, Stored};
use crate::parquet_pages::{Budget, Page, Pages};
use crate::shown::shown;
use crate::table::{MOST_COLUMNS, Reading, TableOptions};
use crate::table_builder::Builder;

const MAGIC: &[u8; 4] = b"PAR1";
/// What pandas calls an index that it writes.
const INDEX: &str = "__index_level_";

/// Reads a Parquet file as columns.
pub(crate) fn read_parquet(path: &Path, options: &TableOptions) -> Result<Table, DataError> {
    let mut source = Source::open(path)?;
    let footer = source.footer()?;
    let found = footer.columns.len();
    if found > MOST_COLUMNS {
        return Err(ParquetError::Wide { path: path.into(), found, most: MOST_COLUMNS }.into());
    }
    let no_data = |shape: &str| DataError::NoData { place: path.display().to_string(), shape: shape.into() };
    if footer.columns.is_empty() {
        return Err(no_data("no columns"));
    }
    let names: ByteRecord = footer.columns.iter().map(|column| column.name.as_str()).collect();
    let reading = Reading::of(&names, true, path, options)?;
    if footer.row_groups.iter().all(|group| group.n_rows == 0) {
        return Err(no_data("columns without rows"));
    }
    let column = |name: &str| shown(name);
    // Before any is read: of what cannot be, all is said at once.
    let mut wanted = Vec::new();
    for read in &reading.columns {
        if matches!(options, TableOptions::New { .. }) && read.name.starts_with(INDEX) {
            return Err(ParquetError::RowNumbers { path: path.into(), column: column(&read.name) }.into());
        }
        match footer.columns.get(read.place).map(|column| column.stored) {
            Some(Ok(stored)) => wanted.push((read, stored)),
            Some(Err(what)) => {
                return Err(
                    ParquetError::Column { path: path.into(), column: column(&read.name), what }.into()
                );
            }
            None => return Err(source.refused(Damaged("a column is not there"))),
        }
    }
    let mut columns = Vec::new();
    for (read, stored) in wanted {
        let mut builder = Builder::new(read.is_number.unwrap_or(stored.is_number()));
        let mut row = 0;
        for group in &footer.row_groups {
            let Some(&chunk) = group.chunks.get(stored.place) else {
                return Err(source.refused(Damaged("a column is not there")));
            };
            let bytes = source.chunk(chunk)?;
            let read_chunk =
                read_chunk(&bytes, chunk, stored, group.n_rows, &mut builder, &mut row, &mut source.budget);
            read_chunk.map_err(|stop| match stop {
                Stop::Problem(problem) => source.refused(problem),
                Stop::Cell(problem) => {
                    ParquetError::Cell { path: path.into(), row, column: column(&read.name), problem }.into()
                }
            })?;
        }
        columns.push(builder.column(read.name.clone()));
    }
    let table =
        Table::new(&path.display().to_string(), columns, reading.target)?.with_ignored(reading.ignored);
    Ok(if reading.has_names { table } else { table.without_names() })
}

/// Why a chunk is not read to its end.
enum Stop {
    Problem(Problem),
    Cell(CellProblem),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Reads a column's values for `n_rows` rows; `row` says on which of all it is.
fn read_chunk(
    bytes: &[u8],
    chunk: Chunk,
    stored: Stored,
    n_rows: u64,
    builder: &mut Builder,
    row: &mut u64,
    budget: &mut Budget,
) -> Result<(), Stop> {
    const ROWS: Problem = Damaged("a column has another number of values than its row group has rows");
    let mut pages = Pages::new(bytes, chunk, stored.is_optional);
    let mut dictionary = None;
    let mut left = n_rows;
    while let Some(page) = pages.next(budget)? {
        if page.is_dictionary {
            dictionary = Some(values(&page, stored.physical, page.n, budget)?);
            continue;
        }
        left = left.checked_sub(page.n as u64).ok_or(ROWS)?;
        push_page(&page, stored, dictionary.as_ref(), builder, row, budget)?;
    }
    if left == 0 { Ok(()) } else { Err(ROWS.into()) }
}

fn push_page(
    page: &Page,
    stored: Stored,
    dictionary: Option<&Values>,
    builder: &mut Builder,
    row: &mut u64,
    budget: &mut Budget,
) -> Result<(), Stop> {
    const NOT_THERE: Problem = Damaged("a page names values that its dictionary does not have");
    let n_present =
        page.present.as_ref().map_or(page.n, |present| present.iter().filter(|&&level| level == 1).count());
    let places = places(page, n_present)?;
    let own;
    let values = match (&places, dictionary) {
        (Some(_), Some(dictionary)) => dictionary,
        (Some(places), None) if !places.is_empty() => return Err(NOT_THERE.into()),
        _ => {
            own = values(page, stored.physical, if places.is_some() { 0 } else { n_present }, budget)?;
            &own
        }
    };
    let as_text = !builder.is_number();
    let mut place = 0usize;
    for i in 0..page.n {
        let is_present = page.present.as_ref().is_none_or(|present| present.get(i) == Some(&1));
        let pushed = if is_present {
            let at = places.as_ref().map_or(Some(place), |places| places.get(place).map(|&at| at as usize));
            place = place.saturating_add(1);
            let cell = at.and_then(|at| stored.cell(values, at, as_text)).ok_or(NOT_THERE)?;
            let n_texts = builder.n_texts();
            let pushed = cell.and_then(|cell| match cell {
                Cell::Number(number) => builder.push_number(number),
                Cell::Text(text) => builder.push(text.trim_ascii(), None),
            });
            if builder.n_texts() > n_texts {
                budget.spend(OF_A_TEXT)?;
            }
            pushed
        } else {
            builder.push(b"", None)
        };
        pushed.map_err(Stop::Cell)?;
        *row = row.saturating_add(1);
    }
    Ok(())
}

/// What a text costs that was not there before.
const OF_A_TEXT: usize = 128;

/// A file that is read here and there.
struct Source<'a> {
    path: &'a Path,
    file: File,
    len: u64,
    budget: Budget,
}

impl<'a> Source<'a> {
    fn open(path: &'a Path) -> Result<Self, DataError> {
        let (file, len) = open_regular(path)?;
        Ok(Self { path, file, len, budget: Budget::new(len) })
    }

    /// The footer, whose length stands at the end.
    fn footer(&mut self) -> Result<Footer, DataError> {
        const TAIL: u64 = 8;
        const SHORT: Problem = Damaged("it does not end as Parquet files do, so that its end may be missing");
        let start = self.read(0, 4)?;
        let tail = match self.len.checked_sub(TAIL) {
            Some(at) => self.read(at, TAIL)?,
            None => return Err(self.refused(SHORT)),
        };
        let Some((len, magic)) = tail.split_first_chunk::<4>() else { return Err(self.refused(SHORT)) };
        if start == b"PARE" || magic == b"PARE" {
            return Err(self.refused(Unusual("it is encrypted")));
        }
        if start != MAGIC {
            return Err(self.refused(Damaged("it does not begin with PAR1")));
        }
        if magic != MAGIC {
            return Err(self.refused(SHORT));
        }
        let len = u64::from(u32::from_le_bytes(*len));
        let at = self.len.checked_sub(TAIL).and_then(|end| end.checked_sub(len)).filter(|&at| at >= 4);
        let Some(at) = at else {
            return Err(self.refused(Damaged("its footer is longer than the file")));
        };
        let bytes = self.read(at, len)?;
        Footer::parse(&bytes).map_err(|problem| self.refused(problem))
    }

    /// The bytes of a column's chunk.
    fn chunk(&mut self, chunk: Chunk) -> Result<Vec<u8>, DataError> {
        let Chunk { start, len, .. } = chunk;
        if start.checked_add(len).is_none_or(|end| end > self.len) {
            return Err(self.refused(Damaged("a column lies behind the end of the file")));
        }
        // The same bytes may be named again and again.
        let spent = self.budget.spend(usize::try_from(len).unwrap_or(usize::MAX));
        spent.map_err(|problem| self.refused(problem))?;
        self.read(start, len)
    }

    /// Bytes that are there.
    fn read(&mut self, at: u64, len: u64) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        let read =
            self.file.seek(SeekFrom::Start(at)).and_then(|_| (&self.file).take(len).read_to_end(&mut bytes));
        match read {
            Ok(n) if n as u64 == len || at == 0 => Ok(bytes),
            Ok(_) => Err(self.refused(Damaged("it ended while it was read"))),
            Err(source) => Err(DataError::io(self.path, source)),
        }
    }

    fn refused(&self, problem: Problem) -> DataError {
        let path = self.path.into();
        match problem {
            Damaged(what) => ParquetError::Damaged { path, what }.into(),
            Unusual(what) => ParquetError::Unusual { path, what }.into(),
            Problem::Bomb(expected) => {
                DataError::Bomb { place: self.path.display().to_string(), expected, compressed: self.len }
            }
        }
    }
}
