//! A table that holds more than numbers, in figures.

use serde::Serialize;
use steepest::{Cells, Table, TableColumn};
use steepest_io::plain;

use crate::report::{shorten, thousands};

const MOST_SHOWN: usize = 60;
const WIDTH: usize = 42;

/// A column in figures.
#[derive(Serialize)]
pub struct Column<'a> {
    name: &'a str,
    is_target: bool,
    /// Rows without a value.
    n_missing: usize,
    /// Of numbers.
    min: Option<f64>,
    max: Option<f64>,
    mean: Option<f64>,
    /// Of text: how many different ones, and the most frequent of them.
    n_distinct: Option<usize>,
    frequent: Option<Vec<&'a str>>,
}

/// The columns of a table.
pub fn columns(table: &Table) -> Vec<Column<'_>> {
    let target = table.target();
    table.columns().iter().enumerate().map(|(place, column)| figures(column, Some(place) == target)).collect()
}

fn figures(column: &TableColumn, is_target: bool) -> Column<'_> {
    const MOST_FREQUENT: usize = 5;
    let (name, n_rows) = (column.name.as_str(), column.cells.len());
    let empty = Column {
        name,
        is_target,
        n_missing: n_rows,
        min: None,
        max: None,
        mean: None,
        n_distinct: None,
        frequent: None,
    };
    match &column.cells {
        Cells::Numbers(numbers) => {
            let present: Vec<f64> = numbers.iter().copied().filter(|x| !x.is_nan()).collect();
            if present.is_empty() {
                return empty;
            }
            Column {
                n_missing: n_rows - present.len(),
                min: present.iter().copied().reduce(f64::min),
                max: present.iter().copied().reduce(f64::max),
                mean: Some(present.iter().sum::<f64>() / present.len() as f64),
                ..empty
            }
        }
        Cells::Texts { ids, texts } => {
            let mut counts = vec![0usize; texts.len()];
            ids.iter().filter(|&&id| id != Cells::MISSING).for_each(|&id| counts[id as usize] += 1);
            let n_missing = n_rows - counts.iter().sum::<usize>();
            let mut counted: Vec<(&str, usize)> = texts.iter().map(String::as_str).zip(counts).collect();
            counted.retain(|(_, count)| *count > 0);
            counted.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
            let frequent = counted.iter().take(MOST_FREQUENT).map(|(text, _)| *text).collect();
            Column { n_missing, n_distinct: Some(counted.len()), frequent: Some(frequent), ..empty }
        }
    }
}

/// A line for each column.
pub fn text(name: &str, table: &Table) -> String {
    let columns = columns(table);
    let shown = |column: &Column| shorten(&plain(column.name), 24);
    let width =
        columns.iter().map(|column| shown(column).chars().count()).max().unwrap_or(0).max("column".len());
    let mut text = format!("{name}\n\n");
    text += &format!("  rows      {}\n", thousands(table.n_rows() as u64));
    text += &format!("  columns   {}\n\n", thousands(columns.len() as u64));
    text += &format!("  {:<width$}  {:>8}  values\n", "column", "missing");
    for column in columns.iter().take(MOST_SHOWN) {
        let mut values = match (column.min.zip(column.max), column.mean, column.n_distinct) {
            (Some((min, max)), Some(mean), _) => format!("{min} to {max}, {mean:.6} on average"),
            (_, _, Some(n)) => {
                let frequent =
                    column.frequent.iter().flatten().map(|text| plain(text)).collect::<Vec<_>>().join(", ");
                let more = if n > column.frequent.as_ref().map_or(0, Vec::len) { ", …" } else { "" };
                shorten(&format!("{} texts: {frequent}{more}", thousands(n as u64)), WIDTH)
            }
            _ => "none".into(),
        };
        if column.is_target {
            values += " (target)";
        }
        let missing = thousands(column.n_missing as u64);
        let name = shown(column);
        let padding = width - name.chars().count();
        text += &format!("  {name}{:padding$}  {missing:>8}  {values}\n", "");
    }
    if columns.len() > MOST_SHOWN {
        text += &format!("  and {} more columns; --json has them all\n", columns.len() - MOST_SHOWN);
    }
    text
}
