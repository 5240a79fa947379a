//! What the columns of a table are, told from what is in them.

use crate::columns::check_present;
use crate::dates::is_date;
use crate::error::Error;
use crate::plan::check;
use crate::recipe::DataRecipe;
use crate::recipe_values::{ColumnKind, Missing, Task};
use crate::table::{Cells, Table, TableColumn, listed, quoted};

/// Whole numbers with so many different values or fewer are classes.
const MOST_NUMBERED_CLASSES: usize = 20;
/// Among fewer rows, texts that are all different may be chance.
const ROWS_OF_IDENTIFIERS: usize = 10;
/// How many rows must be there before a table is refused whose target has almost as many classes.
const ROWS_OF_CLASSES: usize = 20;

/// The columns that are inputs: their places and kinds. What is left out by itself joins `data.drop`, and `notes` says so.
///
/// # Errors
/// When a column named in `data` is not there, one holds dates or nothing, or values are missing and not to be filled in.
pub(crate) fn inputs(
    table: &Table,
    data: &mut DataRecipe,
    notes: &mut Vec<String>,
) -> Result<Vec<(usize, ColumnKind)>, Error> {
    let target = table.target().map(|target| table.columns()[target].name.as_str());
    let mut dropped = data.drop.clone().unwrap_or_default();
    for (key, name) in dropped
        .iter()
        .map(|name| ("data.drop", name))
        .chain(data.columns.keys().map(|name| ("data.columns", name)))
    {
        let there =
            table.columns().iter().map(|column| &column.name).chain(table.ignored()).any(|n| n == name);
        check(there, || {
            format!(
                "{key} names a column {}, but {} has {}",
                quoted(name),
                table.source(),
                table.listed_names()
            )
        })?;
        check(target != Some(name), || {
            format!(
                "{key} names the column {}, which is the target (--target names another one)",
                quoted(name)
            )
        })?;
    }

    let (mut kinds, mut dates) = (Vec::new(), Vec::new());
    for (place, column) in table.columns().iter().enumerate() {
        let is_weight = data.sample_weight.as_ref() == Some(&column.name);
        if Some(place) == table.target() || is_weight || dropped.contains(&column.name) {
            continue;
        }
        match kind(table, column, data.columns.get(&column.name).copied())? {
            Recognised::Kind(kind) => kinds.push((place, kind)),
            Recognised::Dates(example) => dates.push((column.name.as_str(), example)),
            Recognised::Identifier { distinct, present } => {
                notes.push(format!(
                    "column {} is left out: {distinct} of its {present} values are different, so that it names rows \
                     (to keep it: {} = \"text\" in the recipe's [data.columns])",
                    quoted(&column.name),
                    toml_key(&column.name),
                ));
                dropped.push(column.name.clone());
            }
        }
    }
    if let Some((_, example)) = dates.first() {
        let names = || dates.iter().map(|(name, _)| *name);
        let flags: Vec<String> = names().map(|name| format!("--drop {}", shell_word(name))).collect();
        return Err(Error::Plan(format!(
            "{}: dates or times are no inputs for a network, and {} holds them, such as {}: leave {} out ({}), or put \
             numbers in their place, such as the year or the days since then",
            table.source(),
            listed(names()),
            quoted(example),
            if dates.len() == 1 { "it" } else { "them" },
            flags.join(" ")
        )));
    }
    check(!kinds.is_empty(), || format!("{} has no column left to predict from", table.source()))?;
    if data.missing.unwrap_or_default() == Missing::Refuse {
        refuse_missing(table, &kinds)?;
    }
    data.drop = (!dropped.is_empty()).then_some(dropped);
    Ok(kinds)
}

enum Recognised<'a> {
    Kind(ColumnKind),
    /// With one of them.
    Dates(&'a str),
    Identifier {
        distinct: usize,
        present: usize,
    },
}

fn kind<'a>(
    table: &Table,
    column: &'a TableColumn,
    given: Option<ColumnKind>,
) -> Result<Recognised<'a>, Error> {
    let name = || quoted(&column.name);
    let no_values = || {
        let drop = shell_word(&column.name);
        Error::Plan(format!(
            "{}: column {} has no values: leave it out (--drop {drop})",
            table.source(),
            name()
        ))
    };
    let (ids, texts) = match &column.cells {
        Cells::Numbers(numbers) => {
            check(given.is_none_or(|kind| kind == ColumnKind::Number), || {
                format!("column {} holds numbers, which data.columns does not say", name())
            })?;
            if numbers.iter().all(|x| x.is_nan()) {
                return Err(no_values());
            }
            return Ok(Recognised::Kind(ColumnKind::Number));
        }
        Cells::Texts { ids, texts } => (ids, texts),
    };
    let mut counts = vec![0usize; texts.len()];
    let mut present = 0;
    for &id in ids.iter().filter(|&&id| id != Cells::MISSING) {
        counts[id as usize] += 1;
        present += 1;
    }
    let used = || texts.iter().zip(&counts).filter(|(_, count)| **count > 0).map(|(text, _)| text.as_str());
    let distinct = used().count();
    let Some(first) = used().next() else { return Err(no_values()) };
    match given {
        Some(ColumnKind::Number) => {
            Err(Error::Plan(format!("column {} holds text such as {}, not numbers", name(), quoted(first))))
        }
        Some(ColumnKind::Flag) => match used().find(|text| flag(text).is_none()) {
            Some(other) => {
                Err(Error::Plan(format!("column {}: {} is neither true nor false", name(), quoted(other))))
            }
            None => Ok(Recognised::Kind(ColumnKind::Flag)),
        },
        Some(ColumnKind::Text) => Ok(Recognised::Kind(ColumnKind::Text)),
        // Ones and zeros are numbers.
        None if used().all(|text| flag(text).is_some()) => Ok(Recognised::Kind(ColumnKind::Flag)),
        None if used().all(is_date) => Ok(Recognised::Dates(first)),
        None if present >= ROWS_OF_IDENTIFIERS && 10 * distinct >= 9 * present => {
            Ok(Recognised::Identifier { distinct, present })
        }
        None => Ok(Recognised::Kind(ColumnKind::Text)),
    }
}

/// What a text of a column of flags says.
pub(crate) fn flag(text: &str) -> Option<bool> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if is("true") || text == "1" {
        Some(true)
    } else if is("false") || text == "0" {
        Some(false)
    } else {
        None
    }
}

fn refuse_missing(table: &Table, kinds: &[(usize, ColumnKind)]) -> Result<(), Error> {
    let columns = || kinds.iter().map(|(place, _)| &table.columns()[*place]);
    let n_missing =
        |column: &TableColumn| (0..table.n_rows()).filter(|&row| column.cells.is_missing(row)).count();
    let Some(first) = columns().find_map(|column| table.place_of_missing(column)) else { return Ok(()) };
    let counts: Vec<(&str, usize)> =
        columns().map(|column| (column.name.as_str(), n_missing(column))).filter(|(_, n)| *n > 0).collect();
    let n_missing: usize = counts.iter().map(|(_, n)| n).sum();
    let all = match n_missing {
        1 => "the only one".into(),
        n => format!("of {n} in {}", listed(counts.iter().map(|(name, _)| *name))),
    };
    Err(Error::Plan(format!(
        "{first}: a value is missing ({all}): fill them in (--missing mean: with the column's mean, or what is most \
         frequent in a column of text), leave out the column (--drop) or the rows"
    )))
}

/// What a table's target is, and the names of its classes; none for regression. `notes` says what was recognised.
///
/// # Errors
/// When there is none, or it cannot be what `wanted` says.
pub(crate) fn target(
    table: &Table,
    wanted: Option<Task>,
    notes: &mut Vec<String>,
) -> Result<(Task, Vec<String>), Error> {
    let Some(column) = table.target().map(|target| &table.columns()[target]) else {
        return Err(Error::Plan(format!(
            "{}: no column is named label, target, class or y: say which one to predict with --target ({})",
            table.source(),
            table.listed_names()
        )));
    };
    let name = quoted(&column.name);
    check_present(table, column)?;
    let n_rows = table.n_rows();
    let first = match &column.cells {
        Cells::Numbers(numbers) => numbers.first().map(|&x| number_name(x)),
        Cells::Texts { ids, texts } => ids.first().map(|&id| texts[id as usize].clone()),
    };
    let differs = match &column.cells {
        Cells::Numbers(numbers) => numbers.windows(2).any(|pair| pair[0] != pair[1]),
        Cells::Texts { ids, .. } => ids.windows(2).any(|pair| pair[0] != pair[1]),
    };
    check(differs, || {
        let value = quoted(first.as_deref().unwrap_or_default());
        format!("{}: {name} is {value} in all rows, so there is nothing to learn", table.source())
    })?;
    match &column.cells {
        Cells::Numbers(numbers) => {
            let mut distinct = numbers.clone();
            distinct.sort_unstable_by(f64::total_cmp);
            // -0 is 0.
            distinct.dedup();
            let n = distinct.len();
            let is_few =
                n <= MOST_NUMBERED_CLASSES && 2 * n <= n_rows && numbers.iter().all(|x| x.fract() == 0.0);
            let task = wanted.unwrap_or(if is_few { Task::Classification } else { Task::Regression });
            let classes = match task {
                Task::Classification => distinct.iter().map(|&x| number_name(x)).collect(),
                Task::Regression => Vec::new(),
            };
            if wanted.is_none() {
                notes.push(match task {
                    Task::Classification => format!(
                        "{name} has {n} different whole numbers, taken as classes (--task regression: as numbers)"
                    ),
                    Task::Regression => format!(
                        "{name} has {n} different numbers, to be predicted as such (--task classification: as classes)"
                    ),
                });
            }
            Ok((task, classes))
        }
        Cells::Texts { ids, texts } => {
            check(wanted != Some(Task::Regression), || {
                let example = quoted(first.as_deref().unwrap_or_default());
                format!("--task regression is for numbers, but {name} holds text such as {example}")
            })?;
            let mut is_used = vec![false; texts.len()];
            ids.iter().for_each(|&id| is_used[id as usize] = true);
            let used = texts.iter().zip(is_used).filter(|(_, is_used)| *is_used);
            let mut classes: Vec<String> = used.map(|(text, _)| text.clone()).collect();
            classes.sort_unstable();
            check(n_rows < ROWS_OF_CLASSES || 10 * classes.len() < 9 * n_rows, || {
                format!(
                    "{}: {name} has {} different texts in {n_rows} rows, so there are no classes to be learnt: say which \
                     column to predict with --target",
                    table.source(),
                    classes.len()
                )
            })?;
            if wanted.is_none() {
                notes.push(format!("{name} has {} classes", classes.len()));
            }
            Ok((Task::Classification, classes))
        }
    }
}

/// A number as the name of a class.
pub(crate) fn number_name(number: f64) -> String {
    // Without the sign of -0.
    format!("{}", number + 0.0)
}

/// A name as the key of a TOML table.
fn toml_key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.chars().all(is_bare) { name.into() } else { quoted(name).replace('`', "\"") }
}

/// A name as a shell takes it.
fn shell_word(name: &str) -> String {
    let name = quoted(name);
    let name = name.trim_matches('`');
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.chars().all(is_plain) { name.into() } else { format!("'{}'", name.replace('\'', "'\\''")) }
}
