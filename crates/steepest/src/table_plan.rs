//! The plan of a run on a table: its columns are recognised, encoded as the training rows ask for, and written down.

use crate::columns::{Columns, MOST_CATEGORIES, class_labels};
use crate::dataset::Dataset;
use crate::error::Error;
use crate::kinds;
use crate::plan::{Plan, check, split_rows};
use crate::recipe::Recipe;
use crate::recipe_values::{ColumnKind, Missing, Scale, Task};
use crate::split::SplitKind;
use crate::table::{Cells, Table, quoted};

impl Plan {
    /// Checks `recipe` against a table, and encodes its rows: all of them, by means, deviations and categories of the
    /// training rows. Other tables are encoded in the same way by [`Plan::encode`].
    ///
    /// # Errors
    /// [`Error::Plan`], saying what does not fit and what to do.
    pub fn of_table(mut recipe: Recipe, table: &Table) -> Result<(Self, Dataset), Error> {
        let data = &mut recipe.data;
        for (key, least) in [("max_categories", data.max_categories), ("min_frequency", data.min_frequency)] {
            check(least != Some(0), || format!("data.{key} is 0: expected 1 or more"))?;
        }
        check(data.divide_by.is_none_or(|by| by == 1.0), || {
            "data.divide_by is for inputs that are all of one kind, but a table's columns are scaled one by one: leave it \
             out, and set data.scale"
                .into()
        })?;
        let mut notes = Vec::new();
        let (task, classes) = kinds::target(table, data.task, &mut notes)?;
        let weights = data.sample_weight.as_deref().map(|name| weights(table, name)).transpose()?;
        let inputs = kinds::inputs(table, data, &mut notes)?;

        // All that was decided.
        data.scale.get_or_insert(Scale::default());
        data.missing.get_or_insert(Missing::default());
        data.task = Some(task);
        if inputs.iter().any(|(_, kind)| *kind == ColumnKind::Text) {
            data.max_categories.get_or_insert(MOST_CATEGORIES);
        }
        if task == Task::Regression && data.split == Some(SplitKind::Stratified) {
            data.split = None;
        }
        data.target = table.target().map(|target| table.columns()[target].name.clone());
        data.columns =
            inputs.iter().map(|&(place, kind)| (table.columns()[place].name.clone(), kind)).collect();

        // The held-out rows depend on classes alone, and columns on the training rows.
        let labels = match task {
            Task::Classification => {
                table.target().map(|target| class_labels(table, target, &classes)).transpose()?
            }
            Task::Regression => None,
        };
        let split =
            split_rows(&mut recipe, table.n_rows(), labels.as_deref().map(|labels| (labels, classes.len())))?;
        let columns = Columns::fit(table, &split.train, &inputs, &recipe.data, task)?;
        let mut data = columns.encode(table, &classes, recipe.precision)?;
        if let Some(weights) = weights {
            let column = quoted(recipe.data.sample_weight.as_deref().unwrap_or_default());
            let problem = |e| Error::Plan(format!("{}: weights of column {column}: {e}", table.source()));
            data = data.with_weights(weights).map_err(problem)?;
        }
        let mut plan = Self::checked(recipe, &data)?;
        plan.columns = Some(columns);
        plan.notes = notes;
        Ok((plan, data))
    }

    /// Encodes another table as the one that this plan was made for.
    ///
    /// # Errors
    /// [`Error::Plan`], when it lacks a column, a value or a class.
    pub fn encode(&self, table: &Table) -> Result<Dataset, Error> {
        match &self.columns {
            Some(columns) => columns.encode(table, &self.classes, self.recipe.precision),
            None => Err(Error::Plan(format!(
                "{} is a table of numbers and text, but the training data has no such columns",
                table.source()
            ))),
        }
    }
}

/// How much each row counts: the numbers of a column.
fn weights(table: &Table, name: &str) -> Result<Vec<f64>, Error> {
    let column = table.columns().iter().enumerate().find(|(_, column)| column.name == name);
    let Some((place, column)) = column else {
        return Err(Error::Plan(format!(
            "data.sample_weight names a column {}, but {} has {}",
            quoted(name),
            table.source(),
            table.listed_names()
        )));
    };
    check(table.target() != Some(place), || {
        format!("data.sample_weight names the column {}, which is the target", quoted(name))
    })?;
    if let Some(place) = table.place_of_missing(column) {
        return Err(Error::Plan(format!(
            "{place}: no value, but the column says how much rows count (data.sample_weight): give each row a number"
        )));
    }
    match &column.cells {
        Cells::Numbers(numbers) => Ok(numbers.clone()),
        Cells::Texts { texts, .. } => Err(Error::Plan(format!(
            "data.sample_weight names the column {} of {}, which holds text such as {}: expected numbers",
            quoted(name),
            table.source(),
            quoted(texts.first().map_or("", String::as_str))
        ))),
    }
}
