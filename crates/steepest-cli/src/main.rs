//! `steepest`: train dense neural networks from one binary.

mod args;
mod cadence;
mod compare;
mod data_convert;
mod data_fetch;
mod data_info;
mod evaluate;
mod experiment;
mod inspect;
mod interrupt;
mod pictures;
mod predict;
mod progress;
mod recipes;
mod report;
mod run;
mod sources;
mod trace;
mod train;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use steepest::InstructionSet;

use args::{Cli, Command, DataCommand};
use interrupt::{Interrupted, survive_file_size_limit};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = prepare().and_then(|()| run(cli.command));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output has heard enough: `steepest recipes | head -1`.
        Err(e) if is_broken_pipe(&e) => ExitCode::SUCCESS,
        Err(e) => {
            if let Some(interrupted) = e.downcast_ref::<Interrupted>() {
                let _ = writeln!(std::io::stderr(), "{interrupted}");
                return ExitCode::from(interrupted.exit_code());
            }
            let _ = writeln!(std::io::stderr(), "error: {}", message(&e));
            let is_usage = e.downcast_ref::<UsageError>().is_some();
            ExitCode::from(if is_usage { 2 } else { 1 })
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Train(args) => train::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Trace(args) => trace::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Recipes(args) => recipes::run(&args),
        Command::Data(args) => match &args.command {
            DataCommand::Info { data, rows, read, json } => {
                data_info::run(data, rows.as_deref(), read, *json)
            }
            DataCommand::Convert(args) => data_convert::run(args),
            DataCommand::Fetch { name, network, json } => data_fetch::run(name, *network, *json),
        },
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "steepest", &mut std::io::stdout());
            Ok(())
        }
    }
}

/// What holds for every command.
fn prepare() -> anyhow::Result<()> {
    survive_file_size_limit()?;
    check_instruction_set()
}

/// Refuses an instruction set that this processor does not have, in place of taking another one in silence.
fn check_instruction_set() -> anyhow::Result<()> {
    let wanted = std::env::var_os("STEEPEST_SIMD").unwrap_or_default();
    let names: Vec<&str> = InstructionSet::available().into_iter().map(InstructionSet::name).collect();
    if wanted.is_empty() || names.iter().any(|&name| wanted == name) {
        return Ok(());
    }
    let (wanted, names) = (wanted.display(), names.join(", "));
    Err(UsageError(format!("STEEPEST_SIMD is {wanted}: expected one of {names}, or nothing for the widest"))
        .into())
}

/// An error with its causes, less those that it already spells out.
fn message(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text += &format!(": {cause}");
        }
    }
    text
}

/// A mistake on the command line: exit code 2, where other failures have 1.
#[derive(Debug)]
struct UsageError(String);

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|e| e.downcast_ref::<std::io::Error>());
    io.is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn a_cause_is_told_once() {
        let io = || std::io::Error::other("disk on fire");
        let source = steepest_io::ModelError::Io { path: "m".into(), source: io() };
        assert_eq!(message(&source.into()), "m: disk on fire");
        let error = Err::<(), _>(io()).context("cannot read m").unwrap_err();
        assert_eq!(message(&error), "cannot read m: disk on fire");
    }
}
