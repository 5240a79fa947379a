//! Readers against NumPy, pandas and Pillow, by a Python script that anyone can run.

use std::process::Command;

#[test]
fn readers_agree_with_numpy_pandas_and_pillow() {
    let python = std::env::var("STEEPEST_PYTHON").unwrap_or("python3".into());
    let has_numpy = Command::new(&python).args(["-c", "import numpy"]).output();
    if !has_numpy.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: {python} has no numpy (STEEPEST_PYTHON names another Python)");
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/readers_agree.py");
    let output = Command::new(&python).args([script, env!("CARGO_BIN_EXE_steepest")]).output().unwrap();
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    eprint!("{said}");
    assert!(output.status.success(), "{said}{complained}");
    assert!(said.contains("comparisons agree"), "{said}");
}
