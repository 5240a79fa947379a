//! Generated digits: images that are drawn when they are needed, from no file.

use std::sync::Arc;

use steepest::{Dataset, Inputs, Targets};
use steepest_digits::{Digits, SIDE};

use crate::error::DataError;
use crate::rows::RowRange;
use crate::spec::Part;

/// As many as MNIST has; more can be asked for.
const TRAIN_ROWS: usize = 60_000;
const TEST_ROWS: usize = 10_000;

/// The generated digits of a seed, `(n_samples, 28 * 28)`: 60,000 rows for training or 10,000 held-out ones, or the
/// rows asked for, whose numbers may go beyond these.
///
/// # Errors
/// When the range has no rows, or goes past the 4,294,967,295 that exist.
pub fn digits(seed: u64, part: Part, rows: Option<RowRange>) -> Result<Dataset, DataError> {
    let (digits, nominal) = match part {
        Part::Train => (Digits::new(seed), TRAIN_ROWS),
        Part::Test => (Digits::held_out(seed), TEST_ROWS),
    };
    let range = match rows {
        None => 0..nominal,
        Some(rows) if rows.end().is_some() => rows.within(u32::MAX as usize)?,
        Some(rows) => rows.within(nominal)?,
    };
    let rows: Vec<u32> = range.map(|row| row as u32).collect();
    let labels = rows.iter().map(|&row| digits.label(row).into()).collect();
    let names = (0..10).map(|digit| digit.to_string()).collect();
    let draw = Arc::new(move |epoch: u64, row: u32, out: &mut [u8]| digits.draw(epoch, row, out));
    let dataset =
        Dataset::new(Inputs::Drawn { draw, rows }, SIDE * SIDE, Some(Targets::Classes { labels, names }))?;
    Ok(dataset.with_image(SIDE, SIDE))
}
