//! The command line `steepest`, for the binary of that name and for Python's `python -m steepest`.

mod args;
mod cadence;
mod compare;
mod data_convert;
mod data_fetch;
mod data_info;
mod evaluate;
mod experiment;
mod hosted;
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

use std::ffi::OsString;
use std::io::Write;

use clap::{CommandFactory, Parser};
use steepest::InstructionSet;

use args::{Cli, Command, DataCommand};
pub use evaluate::targets::targets;
pub use evaluate::{Regression, regression};
pub use hosted::{Moment, Trained, train};
use interrupt::{Interrupted, survive_file_size_limit};

/// Runs a command line, whose first argument is the program's name, and returns the exit code: 0, 1 for failures, 2 for mistakes on
/// the command line, and after an interruption 128 and the signal's number. What there is to say goes to stdout and stderr.
///
/// `train` takes over Ctrl-C and SIGTERM for the rest of the process.
pub fn run_from(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let code = match Cli::try_parse_from(arguments) {
        Ok(cli) => exit_code(prepare().and_then(|()| run(cli.command))),
        Err(e) => {
            // Help and version come this way too. Whoever closed the other end does not want to know.
            let _ = e.print();
            u8::try_from(e.exit_code()).unwrap_or(2)
        }
    };
    // Where another program hosts us, nobody else does it at the end.
    let _ = std::io::stdout().flush();
    code
}

/// Says what went wrong, if anything did.
fn exit_code(result: anyhow::Result<()>) -> u8 {
    match result {
        Ok(()) => 0,
        // Whoever reads our output has heard enough: `steepest recipes | head -1`.
        Err(e) if is_broken_pipe(&e) => 0,
        Err(e) => {
            if let Some(interrupted) = e.downcast_ref::<Interrupted>() {
                let _ = writeln!(std::io::stderr(), "{interrupted}");
                return interrupted.exit_code();
            }
            let _ = writeln!(std::io::stderr(), "error: {}", message(&e));
            if e.downcast_ref::<UsageError>().is_some() { 2 } else { 1 }
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

/// How data sets are loaded: those that are known are downloaded where that may be and is needed, which is told on stderr.
pub fn load_options(offline: bool) -> steepest_io::LoadOptions {
    data_fetch::load_options(args::NetworkArgs { offline }, false)
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

/// An error with its causes in one line, less those that it already spells out.
pub fn message(error: &anyhow::Error) -> String {
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
