//! `steepest`: train dense neural networks from one binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    steepest_cli::run_from(std::env::args_os()).into()
}
