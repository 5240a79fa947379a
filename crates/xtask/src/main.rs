//! Project chores, run from anywhere in the repository: `cargo xtask test`, `cargo xtask check`.
//!
//! A chore is a list of named steps, run one after the other. A new kind of test joins as a line in [`TEST`].

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};

/// A step's name, what it does, and how.
type Step = (&'static str, &'static str, fn() -> Result<Outcome>);

enum Outcome {
    Done,
    /// With the reason.
    Skipped(String),
}

/// Python comes first because one Rust test uses the environment that it sets up.
const TEST: &[Step] = &[
    ("python", "the benchmarks compile and reproduce their golden files", test_python),
    ("rust", "all tests of all crates", test_rust),
    ("parquet", "the tests of tables, with Parquet files", test_parquet),
    ("wheel", "the Python package, built and installed, beside scikit-learn", test_wheel),
];

const CHECK: &[Step] = &[
    ("fmt", "formatting", check_fmt),
    ("clippy", "lints, warnings are errors", check_clippy),
    ("doc", "documentation of the libraries, warnings are errors", check_doc),
];

const USAGE: &str = "usage: cargo xtask CHORE [STEP]...
  test [python] [rust] [parquet] [wheel]  run the tests: all steps, or those named
  check [fmt] [clippy] [doc]              formatting, lints, documentation";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let steps = match arguments.split_first() {
        Some((&"test", names)) => chosen(TEST, names),
        Some((&"check", names)) => chosen(CHECK, names),
        _ => None,
    };
    match steps {
        Some(steps) => run(&steps),
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// The steps named, in their own order; all where none is; `None` where a name is unknown.
fn chosen(steps: &[Step], names: &[&str]) -> Option<Vec<Step>> {
    let is_known = |name: &&str| steps.iter().any(|step| step.0 == *name);
    let is_chosen = |step: &&Step| names.is_empty() || names.contains(&step.0);
    names.iter().all(is_known).then(|| steps.iter().filter(is_chosen).copied().collect())
}

/// Runs every step, whether or not an earlier one failed, and sums up.
fn run(steps: &[Step]) -> ExitCode {
    let mut summary = Vec::new();
    let mut failed = false;
    for (name, what, step) in steps {
        eprintln!("\n=== {name}: {what}");
        let result = step();
        failed |= result.is_err();
        let line = match result {
            Ok(Outcome::Done) => format!("{name}: ok"),
            Ok(Outcome::Skipped(why)) => format!("{name}: SKIPPED, {why}"),
            Err(error) => format!("{name}: FAILED, {error:#}"),
        };
        eprintln!("=== {line}");
        summary.push(line);
    }
    eprintln!("\n{}", summary.join("\n"));
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn test_rust() -> Result<Outcome> {
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast"]);
    if std::env::var_os("STEEPEST_PYTHON").is_none() && environment().is_ready() {
        command.env("STEEPEST_PYTHON", environment().python());
    }
    call(&mut command)
}

/// Those that read tables: what else there is does not change with a reader more.
fn test_parquet() -> Result<Outcome> {
    let io = ["test", "--package", "steepest-io", "--features", "parquet"];
    call(cargo(&io).args(["--lib", "parquet"]))?;
    let tests = [
        "--package",
        "steepest-cli",
        "--no-fail-fast",
        "--test",
        "parquet",
        "--test",
        "corpus",
        "--test",
        "table",
    ];
    call(cargo(&io).args(tests))
}

fn test_python() -> Result<Outcome> {
    let Some(python) = python_since((3, 10)) else {
        return Ok(Outcome::Skipped("there is no Python 3.10 or newer, which the benchmarks need".into()));
    };
    let benchmarks = root().join("benchmarks");
    let mut scripts = Vec::new();
    for folder in [&benchmarks, &benchmarks.join("peers")] {
        for entry in std::fs::read_dir(folder)? {
            scripts.push(entry?.path());
        }
    }
    scripts.retain(|path| path.extension().is_some_and(|e| e == "py"));
    scripts.sort();
    call(script(python).args(["-m", "py_compile"]).args(&scripts))?;
    eprintln!("{} scripts compile", scripts.len());

    let environment = environment();
    if let Err(error) = environment.set_up(python) {
        let why = format!(
            "the packages of benchmarks/requirements.txt are not to be had, so golden files were not checked ({error:#})"
        );
        return Ok(Outcome::Skipped(why));
    }
    let fresh = root().join("target/golden");
    let python = environment.python();
    call(script(&python).arg(benchmarks.join("make_golden.py")).arg(&fresh))?;
    let compare = root().join("crates/xtask/src/compare_golden.py");
    call(script(&python).arg(compare).arg(benchmarks.join("golden")).arg(&fresh))
}

/// The wheel as a person installs it, in an environment of its own: pip builds it.
fn test_wheel() -> Result<Outcome> {
    let Some(python) = python_since((3, 11)) else {
        return Ok(Outcome::Skipped("there is no Python 3.11 or newer, which the wheel needs".into()));
    };
    let environment = Environment { folder: "target/venv-wheel", requirements: "python/requirements.txt" };
    if let Err(error) = environment.set_up(python) {
        let why = format!("the packages of python/requirements.txt are not to be had ({error:#})");
        return Ok(Outcome::Skipped(why));
    }
    let pip = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet"];
    let python = environment.python();
    call(script(&python).args(pip).args(["--force-reinstall", "--no-deps", "."]))?;
    let pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "python/tests"];
    call(script(&python).args(pytest))
}

/// A Python of this version or a newer one.
fn python_since((major, minor): (u32, u32)) -> Option<&'static str> {
    let code = format!("import sys; sys.exit(sys.version_info < ({major}, {minor}))");
    ["python3", "python"].into_iter().find(|python| succeeds(python, &code))
}

/// A virtual environment with the packages of a file.
struct Environment {
    folder: &'static str,
    requirements: &'static str,
}

/// That of the benchmarks.
fn environment() -> Environment {
    Environment { folder: "target/venv", requirements: "benchmarks/requirements.txt" }
}

impl Environment {
    /// Makes it, unless it is there already.
    fn set_up(&self, python: &str) -> Result<()> {
        if self.is_ready() {
            return Ok(());
        }
        let (folder, requirements) = (root().join(self.folder), root().join(self.requirements));
        eprintln!("setting up {} with the packages of {}", folder.display(), requirements.display());
        call(script(python).args(["-m", "venv", "--clear"]).arg(&folder))?;
        let pip = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--retries", "1", "-r"];
        call(script(self.python()).args(pip).arg(&requirements))?;
        // Only now is it complete.
        std::fs::copy(&requirements, folder.join("requirements.txt")).context("requirements.txt")?;
        Ok(())
    }

    /// Whether it was set up, from the requirements as they are now.
    fn is_ready(&self) -> bool {
        let installed = std::fs::read(root().join(self.folder).join("requirements.txt"));
        let wanted = std::fs::read(root().join(self.requirements));
        matches!((installed, wanted), (Ok(a), Ok(b)) if a == b)
            && succeeds(self.python(), "import numpy, pandas, scipy")
    }

    fn python(&self) -> PathBuf {
        root().join(self.folder).join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" })
    }
}

fn check_fmt() -> Result<Outcome> {
    call(&mut cargo(&["fmt", "--all", "--check"]))
}

fn check_clippy() -> Result<Outcome> {
    call(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    let parquet = [
        "clippy",
        "--package",
        "steepest-io",
        "--features",
        "parquet",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    call(&mut cargo(&parquet))
}

/// Of the libraries: the program `steepest` would be written over the library of the same name.
fn check_doc() -> Result<Outcome> {
    call(cargo(&["doc", "--workspace", "--no-deps", "--lib"]).env("RUSTDOCFLAGS", "-D warnings"))
}

/// The repository's root.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.current_dir(root()).args(arguments);
    command
}

/// Python, with what it compiles kept out of the source folders.
fn script(python: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(python);
    command.current_dir(root()).env("PYTHONPYCACHEPREFIX", root().join("target/pycache"));
    command
}

/// Whether this Python can be started and runs `code` without an error.
fn succeeds(python: impl AsRef<std::ffi::OsStr>, code: &str) -> bool {
    script(python).args(["-c", code]).output().is_ok_and(|output| output.status.success())
}

/// Runs a command to its end; its output is ours.
fn call(command: &mut Command) -> Result<Outcome> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot start {name}"))?;
    let Some(code) = status.code() else { bail!("{name} was killed") };
    ensure!(code == 0, "{name} ended with {code}");
    Ok(Outcome::Done)
}
