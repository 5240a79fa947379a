//! A folder to run the binary in. Each test file uses a part of it.
#![allow(dead_code)]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A folder to run in.
pub struct Bench(TempDir);

impl Bench {
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn write(&self, name: &str, contents: &str) {
        std::fs::write(self.path().join(name), contents).unwrap();
    }

    pub fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_steepest"));
        command.current_dir(self.path()).args(args.split_whitespace());
        command.env_remove("STEEPEST_DATA").env_remove("STEEPEST_SIMD");
        command.env("STEEPEST_OFFLINE", "1").env("STEEPEST_CACHE", self.path().join("cache"));
        command.env("HOME", self.path()).env("USERPROFILE", self.path());
        command
    }

    pub fn run(&self, args: &str) -> Output {
        self.command(args).output().unwrap()
    }

    /// Succeeds; returns what it prints on stdout.
    #[track_caller]
    pub fn ok(&self, args: &str) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    pub fn json(&self, args: &str) -> Value {
        serde_json::from_str(&self.ok(args)).unwrap()
    }

    /// Fails with this exit code and says this; returns the whole message. Only `train` may have said on stdout what it
    /// was about to do.
    #[track_caller]
    pub fn fails(&self, code: i32, args: &str, says: &str) -> String {
        let output = self.run(args);
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{args}: {message}");
        assert!(message.contains("error: ") && message.contains(says), "{message}\ndoes not say: {says}");
        assert!(output.stdout.is_empty() || args.starts_with("train"), "{args}");
        message
    }
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
