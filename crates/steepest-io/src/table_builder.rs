//! Columns as far as they are read, and what their cells turn out to be.

use std::collections::HashMap;

use steepest::{Cells, TableColumn};

use crate::csv_cells::{has_decimal_comma, is_missing};
use crate::csv_error::CellProblem;
use crate::shown::shown;

/// Bytes of a text that may be a category.
const LONGEST_TEXT: usize = 4096;
/// Among so many values or more, text beside numbers is a mistake if nine in ten are numbers.
const VALUES_OF_NUMBERS: u64 = 10;

/// What the cells of a column are.
#[derive(Default)]
pub(crate) struct Survey {
    present: u64,
    numbers: u64,
    /// Cells that would be numbers if a point took the place of their comma.
    commas: u64,
    /// The first cell that is no number, and its line.
    text: Option<(u64, String)>,
}

impl Survey {
    pub(crate) fn see(&mut self, cell: &[u8], line: u64) {
        if is_missing(cell) {
            return;
        }
        self.present = self.present.saturating_add(1);
        let text = std::str::from_utf8(cell).ok();
        if text.is_some_and(|text| text.parse::<f64>().is_ok()) {
            self.numbers = self.numbers.saturating_add(1);
            return;
        }
        if text.is_some_and(has_decimal_comma) {
            self.commas = self.commas.saturating_add(1);
        }
        self.text.get_or_insert_with(|| (line, shown(&String::from_utf8_lossy(cell))));
    }

    /// Whether all cells are numbers; if nearly all are, the line with one that is none, and what is wrong.
    pub(crate) fn numbers_alone(self) -> Result<bool, (u64, CellProblem)> {
        let Self { present, numbers, commas, text } = self;
        let Some((line, text)) = text else { return Ok(true) };
        if numbers.saturating_add(commas) == present {
            return Err((line, CellProblem::DecimalComma(text)));
        }
        if present >= VALUES_OF_NUMBERS && numbers.saturating_mul(10) >= present.saturating_mul(9) {
            return Err((line, CellProblem::Odd { text, numbers, present }));
        }
        Ok(false)
    }
}

/// A column as far as it is read.
pub(crate) struct Builder {
    cells: Cells,
    /// The place of each text among all.
    places: HashMap<Box<[u8]>, u32>,
    missing_line: Option<u64>,
}

impl Builder {
    pub(crate) fn new(is_number: bool) -> Self {
        let cells = match is_number {
            true => Cells::Numbers(Vec::new()),
            false => Cells::Texts { ids: Vec::new(), texts: Vec::new() },
        };
        Self { cells, places: HashMap::new(), missing_line: None }
    }

    /// Adds a cell without the blanks around it; `line` is the one of the file that it is on, if there are lines.
    pub(crate) fn push(&mut self, cell: &[u8], line: Option<u64>) -> Result<(), CellProblem> {
        if is_missing(cell) {
            self.missing_line = self.missing_line.or(line);
            match &mut self.cells {
                Cells::Numbers(numbers) => numbers.push(f64::NAN),
                Cells::Texts { ids, .. } => ids.push(Cells::MISSING),
            }
            return Ok(());
        }
        match &mut self.cells {
            Cells::Numbers(numbers) => {
                let shown = || shown(&String::from_utf8_lossy(cell));
                let number = std::str::from_utf8(cell).ok().and_then(|text| text.parse::<f64>().ok());
                let number = number.ok_or_else(|| CellProblem::NotNumber(shown()))?;
                if !number.is_finite() {
                    return Err(CellProblem::NotFinite(shown()));
                }
                numbers.push(number);
            }
            Cells::Texts { ids, texts } => {
                let id = match self.places.get(cell) {
                    Some(&id) => id,
                    None => {
                        let id = texts.len() as u32;
                        texts.push(text(cell)?);
                        self.places.insert(cell.into(), id);
                        id
                    }
                };
                ids.push(id);
            }
        }
        Ok(())
    }

    /// Adds a number to a column of numbers; one that is none (NaN) is missing.
    #[cfg(feature = "parquet")]
    pub(crate) fn push_number(&mut self, number: f64) -> Result<(), CellProblem> {
        match &mut self.cells {
            Cells::Numbers(_) if number.is_infinite() => {
                return Err(CellProblem::NotFinite(number.to_string()));
            }
            Cells::Numbers(numbers) => numbers.push(number),
            Cells::Texts { .. } => self.push(number.to_string().as_bytes(), None)?,
        }
        Ok(())
    }

    /// Whether it is a column of numbers.
    #[cfg(feature = "parquet")]
    pub(crate) fn is_number(&self) -> bool {
        matches!(self.cells, Cells::Numbers(_))
    }

    /// Different texts so far.
    #[cfg(feature = "parquet")]
    pub(crate) fn n_texts(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn column(self, name: String) -> TableColumn {
        TableColumn { name, cells: self.cells, missing_line: self.missing_line }
    }
}

/// A cell as a category may be called.
fn text(cell: &[u8]) -> Result<String, CellProblem> {
    if cell.len() > LONGEST_TEXT {
        return Err(CellProblem::Long { bytes: cell.len(), most: LONGEST_TEXT });
    }
    match std::str::from_utf8(cell) {
        Ok(text) if !text.contains('\0') => Ok(text.into()),
        _ => Err(CellProblem::NotUtf8(shown(&String::from_utf8_lossy(cell)))),
    }
}
