//! From a table's columns to a network's inputs: fitted to the training rows, then the same for all rows.
//!
//! What scikit-learn's `SimpleImputer`, `StandardScaler` and `OneHotEncoder` compute, one after the other.

use std::collections::HashMap;

use crate::dataset::{Dataset, Inputs, Targets};
use crate::error::Error;
use crate::kinds::{flag, number_name};
use crate::plan::check;
use crate::recipe::DataRecipe;
use crate::recipe_values::{ColumnKind, Missing, Precision, Scale, Task};
use crate::table::{Cells, Table, TableColumn, listed, quoted};

/// Inputs that a column of text becomes, unless `data.max_categories` says otherwise.
pub(crate) const MOST_CATEGORIES: usize = 32;

/// How the rows of a table become the inputs of a network, and its target what the network learns.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    /// The columns that are inputs, in the order of the inputs.
    pub inputs: Vec<Column>,
    /// The column that is predicted.
    pub target: TargetColumn,
    /// Whether columns are found by their names; otherwise they are numbered.
    pub has_names: bool,
}

/// A column that becomes one input or several.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name; its number, from 1, in a table without names.
    pub name: String,
    /// What becomes of its values.
    pub encoding: Encoding,
}

/// What becomes of a column's values.
#[derive(Clone, Debug, PartialEq)]
pub enum Encoding {
    /// A number: one input.
    Number {
        /// How it is scaled.
        scaling: Scaling,
        /// What takes the place of a missing number; with none there, it is an error.
        fill: Option<f64>,
    },
    /// True or false: one input, 1 or 0.
    Flag {
        /// What takes the place of a missing value.
        fill: Option<bool>,
    },
    /// Text: for each category an input that is 1 for this one and 0 for the others.
    Text {
        /// The categories of the training rows, sorted.
        categories: Vec<String>,
        /// Whether rare categories share one more input, the last. Text that was not there in training has that one, too;
        /// without it all inputs are 0.
        has_other: bool,
        /// The input that a missing text has, counted from the column's first.
        fill: Option<usize>,
    },
}

/// `(x - mean) / deviation`
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scaling {
    /// Of the training rows.
    pub mean: f64,
    /// Standard deviation of the training rows, dividing by their number; 1 where all are equal.
    pub deviation: f64,
}

/// The column that is predicted.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetColumn {
    /// Its name, or number.
    pub name: String,
    /// Whether its cells are numbers, be they values or classes.
    pub is_number: bool,
    /// How values are scaled for training; none for classes.
    pub scaling: Option<Scaling>,
}

impl Scaling {
    /// Leaves numbers as they are.
    const NONE: Self = Self { mean: 0.0, deviation: 1.0 };

    /// Of numbers that are there, and as many more that their mean takes the place of.
    fn of(numbers: &[f64], n_filled: usize) -> Self {
        let n = numbers.len() as f64;
        let mean = numbers.iter().sum::<f64>() / n;
        // What rounding left of the sum of differences is taken away again (Chan, Golub, LeVeque 1983), as NumPy and
        // scikit-learn do.
        let rest = numbers.iter().map(|x| x - mean).sum::<f64>();
        let squares = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
        let n_all = n + n_filled as f64;
        let variance = (squares - rest * rest / n) / n_all;
        // scikit-learn's bound, below which a variance is rounding.
        let bound = n_all * f64::EPSILON * variance + (n_all * mean * f64::EPSILON).powi(2);
        let deviation = if variance <= bound { 1.0 } else { variance.sqrt() };
        Self { mean, deviation }
    }

    fn scaled(self, x: f64) -> f64 {
        (x - self.mean) / self.deviation
    }

    /// From a scaled number to that number.
    pub fn unscaled(self, x: f64) -> f64 {
        x * self.deviation + self.mean
    }
}

impl Columns {
    /// Fits itself to some rows of a table: `kinds` are the columns that are inputs, by their places.
    ///
    /// # Errors
    /// When a column has no values in these rows, or numbers too large to be squared.
    pub(crate) fn fit(
        table: &Table,
        rows: &[u32],
        kinds: &[(usize, ColumnKind)],
        data: &DataRecipe,
        task: Task,
    ) -> Result<Self, Error> {
        let columns = table.columns();
        let fit = |&(place, kind): &(usize, ColumnKind)| {
            let column = &columns[place];
            let encoding = match kind {
                ColumnKind::Number => fit_numbers(column, rows, data),
                ColumnKind::Flag => fit_flags(column, rows, data),
                ColumnKind::Text => fit_text(column, rows, data),
            };
            let encoding = encoding.map_err(|problem| {
                Error::Plan(format!("{}, column {}: {problem}", table.source(), quoted(&column.name)))
            })?;
            Ok(Column { name: column.name.clone(), encoding })
        };
        let inputs: Result<Vec<Column>, Error> = kinds.iter().map(fit).collect();
        let target = &columns[table.target().ok_or_else(|| Error::Plan("the table has no target".into()))?];
        let scaling = match task {
            Task::Classification => None,
            Task::Regression => match fit_numbers(target, rows, data) {
                Ok(Encoding::Number { scaling, .. }) => Some(scaling),
                Ok(_) | Err(_) => {
                    return Err(Error::Plan(format!(
                        "{}, column {}: expected numbers to be predicted, and not too large ones",
                        table.source(),
                        quoted(&target.name)
                    )));
                }
            },
        };
        let is_number = matches!(target.cells, Cells::Numbers(_));
        let target = TargetColumn { name: target.name.clone(), is_number, scaling };
        Ok(Self { inputs: inputs?, target, has_names: table.has_names() })
    }

    /// Inputs of a row.
    pub fn n_inputs(&self) -> usize {
        self.inputs.iter().map(|column| column.encoding.n_inputs()).sum()
    }

    /// Encodes all rows of a table, whose columns may be in any order and more than these; with targets, if the table has
    /// them. `classes` are those of the model, none for regression.
    ///
    /// # Errors
    /// When a column is not there, a value is missing that nothing is known to take the place of, or a class is none of
    /// `classes`.
    pub fn encode(&self, table: &Table, classes: &[String], precision: Precision) -> Result<Dataset, Error> {
        let places = self.places(table)?;
        let inputs = match precision {
            Precision::F32 => Inputs::F32(self.inputs(table, &places, f32::MAX.into(), |x| x as f32)?.into()),
            Precision::F64 => Inputs::F64(self.inputs(table, &places, f64::MAX, |x| x)?.into()),
        };
        let targets = match table.target() {
            Some(target) => Some(self.targets(table, target, classes)?),
            None => None,
        };
        Dataset::new(inputs, self.n_inputs(), targets).map_err(|error| Error::Plan(error.to_string()))
    }

    /// Where in the table each column is.
    fn places(&self, table: &Table) -> Result<Vec<usize>, Error> {
        let by_name: HashMap<&str, usize> =
            table.columns().iter().enumerate().map(|(place, column)| (column.name.as_str(), place)).collect();
        let place = |column: &Column| by_name.get(column.name.as_str()).copied();
        let missing =
            || self.inputs.iter().filter(|column| place(column).is_none()).map(|column| column.name.as_str());
        check(missing().next().is_none(), || {
            let n = missing().count();
            let columns = if n == 1 { "a column that is" } else { "columns that are" };
            format!(
                "{} lacks {columns} predicted from: {} (it has {})",
                table.source(),
                listed(missing()),
                table.listed_names()
            )
        })?;
        Ok(self.inputs.iter().filter_map(place).collect())
    }

    /// Inputs `(n_rows, n_inputs)`, none beyond `largest`.
    fn inputs<T: Copy + Default>(
        &self,
        table: &Table,
        places: &[usize],
        largest: f64,
        number: impl Fn(f64) -> T,
    ) -> Result<Vec<T>, Error> {
        let width = self.n_inputs();
        let (zero, one) = (number(0.0), number(1.0));
        let mut x = vec![zero; table.n_rows() * width];
        let mut first = 0;
        for (column, &place) in self.inputs.iter().zip(places) {
            let found = &table.columns()[place];
            let missing = || {
                let place = table.place_of_missing(found).unwrap_or_default();
                Error::Plan(format!(
                    "{place}: the value is missing, and nothing takes its place: fill it in, or train with --missing mean"
                ))
            };
            let wrong = |what: String| {
                Error::Plan(format!("{}, column {}: {what}", table.source(), quoted(&column.name)))
            };
            let rows = x.chunks_exact_mut(width);
            match (&column.encoding, &found.cells) {
                (Encoding::Number { scaling, fill }, Cells::Numbers(numbers)) => {
                    for (row, &value) in rows.zip(numbers) {
                        let value = if value.is_nan() { fill.ok_or_else(missing)? } else { value };
                        let scaled = scaling.scaled(value);
                        check(scaled.abs() <= largest, || {
                            format!(
                                "{}, column {}: {value:e} is too large",
                                table.source(),
                                quoted(&column.name)
                            )
                        })?;
                        row[first] = number(scaled);
                    }
                }
                (Encoding::Flag { fill }, Cells::Texts { ids, texts }) => {
                    let flags: Vec<Option<bool>> = texts.iter().map(|text| flag(text)).collect();
                    for (row, &id) in rows.zip(ids) {
                        let is_set = match (id, flags.get(id as usize)) {
                            (Cells::MISSING, _) => fill.ok_or_else(missing)?,
                            (_, Some(Some(flag))) => *flag,
                            _ => {
                                let text = texts.get(id as usize).map_or("", String::as_str);
                                return Err(wrong(format!("{} is neither true nor false", quoted(text))));
                            }
                        };
                        row[first] = if is_set { one } else { zero };
                    }
                }
                (Encoding::Text { categories, has_other, fill }, Cells::Texts { ids, texts }) => {
                    let other = has_other.then_some(categories.len());
                    let place = |text: &String| categories.binary_search(text).ok().or(other);
                    let places: Vec<Option<usize>> = texts.iter().map(place).collect();
                    for (row, &id) in rows.zip(ids) {
                        let place = match id {
                            Cells::MISSING => Some(fill.ok_or_else(missing)?),
                            id => places[id as usize],
                        };
                        if let Some(place) = place {
                            row[first + place] = one;
                        }
                    }
                }
                (Encoding::Number { .. }, _) => return Err(wrong("expected numbers, found text".into())),
                (_, Cells::Numbers(_)) => return Err(wrong("expected text, found numbers".into())),
            }
            first += column.encoding.n_inputs();
        }
        Ok(x)
    }

    fn targets(&self, table: &Table, target: usize, classes: &[String]) -> Result<Targets, Error> {
        let Some(scaling) = self.target.scaling else {
            let labels = class_labels(table, target, classes)?;
            return Ok(Targets::Classes { labels, names: classes.to_vec() });
        };
        let column = &table.columns()[target];
        check_present(table, column)?;
        match &column.cells {
            Cells::Numbers(numbers) => {
                let values = numbers.iter().map(|&x| scaling.scaled(x)).collect();
                Ok(Targets::Values { values, n_outputs: 1 })
            }
            Cells::Texts { .. } => {
                let name = quoted(&column.name);
                Err(Error::Plan(format!("{}, column {name}: expected numbers, found text", table.source())))
            }
        }
    }
}

/// The class of each row: the place of what is in the column `target` among `classes`.
pub(crate) fn class_labels(table: &Table, target: usize, classes: &[String]) -> Result<Vec<u32>, Error> {
    let column = &table.columns()[target];
    check_present(table, column)?;
    let known: HashMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
    let class = |name: &str| {
        known.get(name).copied().ok_or_else(|| {
            Error::Plan(format!(
                "{}, column {}: class {} is none of the {} that are learnt ({})",
                table.source(),
                quoted(&column.name),
                quoted(name),
                classes.len(),
                listed(classes.iter().map(String::as_str))
            ))
        })
    };
    match &column.cells {
        Cells::Numbers(numbers) => numbers.iter().map(|&x| class(&number_name(x))).collect(),
        Cells::Texts { ids, texts } => ids.iter().map(|&id| class(&texts[id as usize])).collect(),
    }
}

/// Refuses a target that some rows lack.
pub(crate) fn check_present(table: &Table, column: &TableColumn) -> Result<(), Error> {
    match table.place_of_missing(column) {
        Some(place) => {
            Err(Error::Plan(format!("{place}: the value to be predicted is missing: leave the row out")))
        }
        None => Ok(()),
    }
}

impl Encoding {
    /// Inputs that it makes.
    pub fn n_inputs(&self) -> usize {
        match self {
            Self::Number { .. } | Self::Flag { .. } => 1,
            Self::Text { categories, has_other, .. } => categories.len() + usize::from(*has_other),
        }
    }

    /// What it is for.
    pub fn kind(&self) -> ColumnKind {
        match self {
            Self::Number { .. } => ColumnKind::Number,
            Self::Flag { .. } => ColumnKind::Flag,
            Self::Text { .. } => ColumnKind::Text,
        }
    }
}

const NO_VALUES: &str = "no training row has a value: leave the column out (--drop)";

fn fit_numbers(column: &TableColumn, rows: &[u32], data: &DataRecipe) -> Result<Encoding, String> {
    let Cells::Numbers(all) = &column.cells else { return Err("expected numbers".into()) };
    let numbers: Vec<f64> = rows.iter().map(|&row| all[row as usize]).filter(|x| !x.is_nan()).collect();
    if numbers.is_empty() {
        return Err(NO_VALUES.into());
    }
    let fitted = Scaling::of(&numbers, rows.len() - numbers.len());
    if !(fitted.mean.is_finite() && fitted.deviation.is_finite()) {
        return Err(
            "its numbers are too large to take their mean and deviation: leave it out (--drop)".into()
        );
    }
    let scaling = match data.scale.unwrap_or_default() {
        Scale::Standard => fitted,
        Scale::None => Scaling::NONE,
    };
    Ok(Encoding::Number { scaling, fill: fills(data).then_some(fitted.mean) })
}

fn fit_flags(column: &TableColumn, rows: &[u32], data: &DataRecipe) -> Result<Encoding, String> {
    let Cells::Texts { ids, texts } = &column.cells else { return Err("expected flags".into()) };
    let flags: Vec<Option<bool>> = texts.iter().map(|text| flag(text)).collect();
    let of_row = |&row: &u32| flags.get(ids[row as usize] as usize).copied().flatten();
    let (n, n_set) =
        rows.iter().filter_map(of_row).fold((0, 0), |(n, set), flag| (n + 1, set + usize::from(flag)));
    if n == 0 {
        return Err(NO_VALUES.into());
    }
    // Of as many each, the smaller: false.
    Ok(Encoding::Flag { fill: fills(data).then_some(2 * n_set > n) })
}

fn fit_text(column: &TableColumn, rows: &[u32], data: &DataRecipe) -> Result<Encoding, String> {
    let Cells::Texts { ids, texts } = &column.cells else { return Err("expected text".into()) };
    let mut counts = vec![0usize; texts.len()];
    let mut n_missing = 0;
    for &row in rows {
        match ids[row as usize] {
            Cells::MISSING => n_missing += 1,
            id => counts[id as usize] += 1,
        }
    }
    let mut counted: Vec<(&String, usize)> =
        texts.iter().zip(counts).filter(|(_, count)| *count > 0).collect();
    counted.sort_unstable();
    // The first of the most frequent.
    let most = counted.iter().map(|(_, count)| *count).max().ok_or(NO_VALUES)?;
    let most_frequent = counted.iter().position(|(_, count)| *count == most).unwrap_or_default();
    if fills(data) {
        counted[most_frequent].1 += n_missing;
    }
    let is_kept = kept_categories(&counted, data);
    let has_other = is_kept.contains(&false);
    let n_kept = is_kept.iter().filter(|&&is_kept| is_kept).count();
    let before = is_kept[..most_frequent].iter().filter(|&&is_kept| is_kept).count();
    let filled = if is_kept[most_frequent] { before } else { n_kept };
    let kept = counted.iter().zip(&is_kept).filter(|(_, is_kept)| **is_kept);
    let categories = kept.map(|((text, _), _)| (*text).clone()).collect();
    Ok(Encoding::Text { categories, has_other, fill: fills(data).then_some(filled) })
}

/// Which categories have an input of their own: as scikit-learn's `OneHotEncoder` decides by `min_frequency` and
/// `max_categories`, where of equally frequent ones the later is kept.
fn kept_categories(counted: &[(&String, usize)], data: &DataRecipe) -> Vec<bool> {
    let least = data.min_frequency.unwrap_or(0);
    let most = data.max_categories.unwrap_or(MOST_CATEGORIES);
    let mut is_kept: Vec<bool> = counted.iter().map(|(_, count)| *count >= least).collect();
    let n_kept = is_kept.iter().filter(|&&is_kept| is_kept).count();
    if n_kept + usize::from(is_kept.contains(&false)) > most {
        let mut by_count: Vec<usize> = (0..counted.len()).collect();
        by_count.sort_by_key(|&category| counted[category].1);
        let n_rare = counted.len() - most.saturating_sub(1);
        by_count[..n_rare].iter().for_each(|&category| is_kept[category] = false);
    }
    is_kept
}

fn fills(data: &DataRecipe) -> bool {
    data.missing.unwrap_or_default() == Missing::Mean
}
