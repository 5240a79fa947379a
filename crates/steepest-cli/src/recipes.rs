//! `steepest recipes`

use std::io::Write;

use anyhow::Result;
use steepest_io::builtin::{RECIPES, opening, recipe};

use crate::UsageError;
use crate::args::RecipesArgs;

pub fn run(args: &RecipesArgs) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match &args.name {
        Some(name) => write!(out, "{}", recipe(name).ok_or_else(|| unknown(name))?)?,
        None => {
            for (name, text) in RECIPES {
                writeln!(out, "{name}\n    {}\n", opening(text).trim_end().replace('\n', "\n    "))?;
            }
            writeln!(out, "Print one with: steepest recipes NAME. Run one with: steepest train NAME.")?;
        }
    }
    Ok(())
}

/// The error for a recipe that is neither built in nor a file.
pub fn unknown(name: &str) -> UsageError {
    let names = RECIPES.map(|(name, _)| name).join(", ");
    UsageError(format!(
        "no recipe named {name:?}: expected one of {names}, the path of a .toml file, or data: a CSV, NPZ, NPY or IDX file, a \
         folder of images or of IDX files, or a name such as mnist (no file or folder {name} is there)"
    ))
}
