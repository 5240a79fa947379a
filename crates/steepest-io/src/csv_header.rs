//! What the columns of a CSV table are, told from its first line.

use std::path::Path;

use csv::ByteRecord;

use crate::csv_error::CsvError;
use crate::error::DataError;
use crate::shown::shown;

/// Names of a column that is the target without being asked for.
const TARGET_NAMES: [&str; 4] = ["label", "target", "class", "y"];
/// In a table without names, this many columns or more may be an image.
const MIN_PIXELS: usize = 16 * 16;
/// A first line 0, 1, 2, ... of this many cells or more is pandas' numbering of nameless columns.
const MIN_NUMBERED: usize = 8;

/// More columns than this, and it is no table.
const MOST_COLUMNS: usize = 1 << 20;

/// The columns of a table.
pub(crate) struct Columns {
    /// Whether the first line is not data.
    pub(crate) has_header: bool,
    /// How many there are, the target included.
    pub(crate) len: usize,
    /// Which one is the target.
    pub(crate) target: Option<usize>,
    /// Height and width of the image that the inputs are.
    pub(crate) image: Option<(usize, usize)>,
    names: Vec<String>,
}

impl Columns {
    /// The columns of the table that begins with the line `first`; `wanted` names the target.
    pub(crate) fn of(first: &ByteRecord, path: &Path, wanted: Option<&str>) -> Result<Self, DataError> {
        check_width(first, path)?;
        let is_number = |cell: &[u8]| {
            let is_float = |text: &str| text.parse::<f64>().is_ok();
            // A column may well be called inf or nan.
            cell.iter().any(u8::is_ascii_digit) && std::str::from_utf8(cell.trim_ascii()).is_ok_and(is_float)
        };
        let is_numbered = first.len() >= MIN_NUMBERED
            && first.iter().enumerate().all(|(i, cell)| cell == i.to_string().as_bytes());
        let texts = || first.iter().enumerate().filter(|(_, cell)| !is_number(cell) && !cell.is_empty());
        // Measured values beside a class's name are a row of data. Names may be numbers, but only counted ones, and many or
        // beside the name of a target.
        let n_numbers = first.iter().filter(|cell| is_number(cell)).count();
        let names_target = texts().any(|(_, cell)| {
            let cell = String::from_utf8_lossy(cell.trim_ascii());
            wanted == Some(&*cell) || is_usual_target(&cell)
        });
        let counts = is_counted(first.iter().filter(|cell| is_number(cell)));
        let has_values = n_numbers > 0 && !(counts && (n_numbers >= MIN_NUMBERED || names_target));
        let has_names = texts().next().is_some() && !has_values;
        let mut columns = Self {
            has_header: has_names || is_numbered,
            len: first.len(),
            target: None,
            image: None,
            names: if has_names { names(first) } else { Vec::new() },
        };
        if let Some(column) = columns.names.iter().position(String::is_empty) {
            return Err(DataError::Csv(CsvError::Unnamed {
                path: path.into(),
                column: column.saturating_add(1),
            }));
        }
        columns.target = match wanted {
            Some(wanted) => Some(columns.find(wanted, path)?),
            None if has_names => columns.usual_target(path)?,
            // Of a row of data, the only text can only be its class.
            None if has_values && texts().count() == 1 => texts().next().map(|(column, _)| column),
            None => image_side(columns.len.saturating_sub(1)).map(|_| 0),
        };
        columns.image = if has_names {
            columns.named_image()
        } else {
            image_side(columns.n_features()).map(|side| (side, side))
        };
        if columns.n_features() == 0 {
            return Err(no_inputs(path));
        }
        Ok(columns)
    }

    /// The columns of the table whose first line, `first`, is known to be their names.
    pub(crate) fn named(first: &ByteRecord, path: &Path) -> Result<Self, DataError> {
        check_width(first, path)?;
        Ok(Self { has_header: true, len: first.len(), target: None, image: None, names: names(first) })
    }

    /// The same with the target that is asked for, or one with a usual name.
    pub(crate) fn with_target(mut self, wanted: Option<&str>, path: &Path) -> Result<Self, DataError> {
        self.target = match wanted {
            Some(wanted) => Some(self.find(wanted, path)?),
            None => self.usual_target(path)?,
        };
        if self.n_features() == 0 {
            return Err(no_inputs(path));
        }
        Ok(self)
    }

    /// Whether they have names.
    pub(crate) fn has_names(&self) -> bool {
        !self.names.is_empty()
    }

    /// Whether they are the pixels of images that are worth the name.
    pub(crate) fn are_pixels(&self) -> bool {
        self.image.is_some() && self.n_features() >= MIN_PIXELS
    }

    /// Columns of inputs.
    pub(crate) fn n_features(&self) -> usize {
        self.len.saturating_sub(usize::from(self.target.is_some()))
    }

    /// A column's name; without names its number, from 1.
    pub(crate) fn name(&self, column: usize) -> String {
        self.names.get(column).cloned().unwrap_or_else(|| column.saturating_add(1).to_string())
    }

    /// The name as a message shows it.
    pub(crate) fn shown_name(&self, column: usize) -> String {
        shown(&self.name(column))
    }

    /// The column of this name, or if there is none, of this number.
    pub(crate) fn find(&self, wanted: &str, path: &Path) -> Result<usize, DataError> {
        let number = || wanted.parse().ok().filter(|number| (1..=self.len).contains(number));
        let named = (0..self.len).find(|&column| self.name(column) == wanted);
        named.or_else(|| number()?.checked_sub(1)).ok_or_else(|| {
            let shown: Vec<String> =
                (0..self.len.min(8)).map(|column| format!("`{}`", self.shown_name(column))).collect();
            let more = match self.len.saturating_sub(8) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            DataError::Csv(CsvError::Target {
                path: path.into(),
                target: wanted.into(),
                columns: shown.join(", ") + &more,
            })
        })
    }

    fn usual_target(&self, path: &Path) -> Result<Option<usize>, DataError> {
        let usual = (0..).zip(&self.names).filter(|(_, name)| is_usual_target(name));
        let mut usual = usual.map(|(column, _)| column);
        match (usual.next(), usual.next()) {
            (Some(first), Some(second)) => Err(DataError::Csv(CsvError::Targets {
                path: path.into(),
                first: self.shown_name(first),
                second: self.shown_name(second),
            })),
            (first, _) => Ok(first),
        }
    }

    /// The image whose columns are named `pixel0`, `pixel1`, ..., which is square, or `1x1`, `1x2`, ... to its size.
    fn named_image(&self) -> Option<(usize, usize)> {
        let is_input = |(column, _): &(usize, &String)| Some(*column) != self.target;
        let mut inputs = self.names.iter().enumerate().filter(is_input).map(|(_, name)| name);
        if inputs.clone().all(|name| name.starts_with("pixel")) {
            return square_side(self.n_features()).map(|side| (side, side));
        }
        let first = inputs.next()?;
        let (height, width) = inputs.next_back().unwrap_or(first).split_once('x')?;
        let (height, width): (usize, usize) = (height.parse().ok()?, width.parse().ok()?);
        (first == "1x1" && height.checked_mul(width)? == self.n_features()).then_some((height, width))
    }
}

fn no_inputs(path: &Path) -> DataError {
    DataError::NoData { place: path.display().to_string(), shape: "no column besides the target".into() }
}

fn check_width(first: &ByteRecord, path: &Path) -> Result<(), DataError> {
    if first.len() > MOST_COLUMNS {
        let (path, found, most) = (path.into(), first.len(), MOST_COLUMNS);
        return Err(CsvError::Wide { path, found, most }.into());
    }
    Ok(())
}

fn names(first: &ByteRecord) -> Vec<String> {
    let text = |cell: &[u8]| String::from_utf8_lossy(cell.trim_ascii()).into_owned();
    let mut names: Vec<String> = first.iter().map(text).collect();
    // NumPy's savetxt writes a header as a comment.
    if let Some(name) = names.first_mut()
        && let Some(bare) = name.strip_prefix("# ")
    {
        *name = bare.trim().to_string();
    }
    names
}

fn is_usual_target(name: &str) -> bool {
    TARGET_NAMES.iter().any(|usual| name.eq_ignore_ascii_case(usual))
}

/// Whether cells are numbers that follow each other, as names of columns do.
fn is_counted<'a>(cells: impl Iterator<Item = &'a [u8]>) -> bool {
    let whole = |cell: &[u8]| std::str::from_utf8(cell.trim_ascii()).ok()?.parse::<u32>().ok();
    let mut before = None;
    cells.map(whole).all(|number| {
        let follows =
            number.is_some() && (before.is_none() || before.and_then(|b: u32| b.checked_add(1)) == number);
        before = number;
        follows
    })
}

fn square_side(n: usize) -> Option<usize> {
    Some(n.isqrt()).filter(|side| side.saturating_mul(*side) == n && n > 0)
}

fn image_side(n: usize) -> Option<usize> {
    square_side(n).filter(|_| n >= MIN_PIXELS)
}
