//! `steepest data convert`

use std::io::Write;

use anyhow::{Result, bail};
use steepest::Dataset;
use steepest_io::{DataFormat, DataSpec, LoadOptions, Loaded, load, write_dataset};

use crate::UsageError;
use crate::args::ConvertArgs;
use crate::experiment::read_options;
use crate::report::thousands;

pub fn run(args: &ConvertArgs) -> Result<()> {
    let usage = |e: steepest_io::DataError| UsageError(e.to_string());
    let spec = DataSpec::parse(&args.from).map_err(usage)?;
    let format = match &args.form {
        Some(name) => DataFormat::parse(name),
        None => DataFormat::of_path(&args.to),
    };
    let format = format.map_err(usage)?;
    // What is there is never overwritten; an empty folder may be filled.
    let is_empty = || args.to.read_dir().is_ok_and(|mut entries| entries.next().is_none());
    if args.to.exists() && !is_empty() {
        bail!("{} is there already: remove it, or choose another name", args.to.display());
    }
    let mut options: LoadOptions = read_options(&args.read, args.rows.as_deref())?;
    options.csv.double = args.double;
    let data = load(&spec, &options)?;
    write_dataset(&args.to, &data, format)?;
    let said = |data: &Dataset| {
        format!("{} rows of {}", thousands(data.n_samples() as u64), thousands(data.n_features() as u64))
    };
    let what = match &data {
        Loaded::One(data) => said(data),
        Loaded::Parts { train, test } => format!("{} for training, {} for testing", said(train), said(test)),
    };
    Ok(writeln!(std::io::stderr(), "{}: {what}", args.to.display())?)
}
