//! Runs that are killed, interrupted or refused go on to the same bits, end to end.

mod common;

use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use common::{Bench, stderr};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

/// Under a second, and a hundred steps.
const SHORT: &str = "train digits --rows ..1500 --val-split 200 --epochs 10 --hidden 32 --quiet";

/// What a run leaves that must be the same, whatever came in between.
const RESULTS: [&str; 4] = ["model.safetensors", "metrics.csv", "metrics.jsonl", "plan.toml"];

fn results(bench: &Bench, run: &str) -> Vec<Vec<u8>> {
    RESULTS.iter().map(|name| std::fs::read(bench.path().join(run).join(name)).unwrap()).collect()
}

#[track_caller]
fn assert_same(bench: &Bench, run: &str, expected: &[Vec<u8>]) {
    for (name, (found, expected)) in RESULTS.iter().zip(results(bench, run).iter().zip(expected)) {
        assert!(found == expected, "{run}/{name} is another than without an interruption");
    }
}

fn start(bench: &Bench, args: &str) -> Child {
    bench.command(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until something is so; the process must not end before.
fn wait_until(child: &mut Child, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(child.try_wait().unwrap().is_none(), "it ended too soon");
        assert!(started.elapsed() < Duration::from_secs(60), "it takes too long");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Makes a finished run one that was killed just before the end.
fn unfinish(bench: &Bench, run: &str) {
    for name in ["summary.json", "model.safetensors"] {
        std::fs::remove_file(bench.path().join(run).join(name)).unwrap();
    }
}

/// Kills runs at random moments, and lets them go on, until there were so many kills.
fn kill(n_kills: u32, seed: u64) {
    let bench = Bench::new();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    bench.ok(&format!("{SHORT} --out whole"));
    let whole = results(&bench, "whole");
    let (mut kills, mut name) = (0, 0);
    while kills < n_kills {
        name += 1;
        let run = format!("run-{name}");
        let folder = bench.path().join(&run);
        let every = ["1steps", "7steps", "1epoch", "3epochs", "never", "1s"][rng.random_range(0..6)];
        while !folder.join("summary.json").exists() {
            let what = if folder.join("plan.toml").exists() {
                format!("train --resume {run} --quiet")
            } else {
                let _ = std::fs::remove_dir_all(&folder);
                format!("{SHORT} --out {run}")
            };
            let threads = rng.random_range(1..4);
            let mut child = start(&bench, &format!("{what} --checkpoint-every {every} --threads {threads}"));
            // Once it is time to, even a last run is left alone.
            let ends = Instant::now() + Duration::from_millis(rng.random_range(10..400));
            while kills < n_kills && Instant::now() < ends && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
            if kills < n_kills && child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
            } else {
                let output = child.wait_with_output().unwrap();
                assert!(output.status.success(), "{what}: {}", stderr(&output));
            }
        }
        // A kill between the summary and the end of the process leaves a finished run.
        assert_same(&bench, &run, &whole);
        let remains = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name());
        let remains: Vec<_> =
            remains.filter(|name| name.to_string_lossy().starts_with(".steepest")).collect();
        assert!(remains.is_empty(), "{remains:?}");
    }
}

#[test]
fn runs_that_are_killed_go_on_to_the_same_bits() {
    kill(10, 0);
}

/// `cargo test -p steepest-cli --test resume -- --ignored`
#[test]
#[ignore = "takes half a minute"]
fn a_hundred_kills() {
    kill(100, 1);
}

#[cfg(unix)]
#[test]
fn ctrl_c_writes_a_checkpoint_and_says_how_to_go_on() {
    let bench = Bench::new();
    let long =
        "train digits --rows ..1500 --val-split 200 --epochs 30 --hidden 32 --quiet --checkpoint-every never";
    bench.ok(&format!("{long} --out whole"));
    let whole = results(&bench, "whole");
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut child = start(&bench, &format!("{long} --out {signal}"));
        let metrics = bench.path().join(signal).join("metrics.jsonl");
        wait_until(&mut child, || std::fs::read(&metrics).is_ok_and(|lines| !lines.is_empty()));
        let id = child.id().to_string();
        std::process::Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap();
        let output = child.wait_with_output().unwrap();
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{message}");
        assert!(message.starts_with("Interrupted after "), "{message}");
        assert!(message.contains(&format!("Go on with: steepest train --resume {signal}")), "{message}");
        let checkpoints = std::fs::read_dir(bench.path().join(signal).join("checkpoints")).unwrap();
        assert_eq!(checkpoints.count(), 1);
        assert!(!bench.path().join(signal).join("model.safetensors").exists());

        let text = bench.ok(&format!("train --resume {signal} --threads 1"));
        assert!(text.contains("Goes on after ") && text.contains("epoch 30/30"), "{text}");
        assert_same(&bench, signal, &whole);
    }
}

#[test]
fn a_resumed_run_tells_the_whole_story() {
    let bench = Bench::new();
    let whole =
        bench.json(&format!("{SHORT} --out run --json --checkpoint-every 20steps --keep-checkpoints 3"));
    let results = results(&bench, "run");
    let names = || {
        let entries = std::fs::read_dir(bench.path().join("run/checkpoints")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    // 11 steps an epoch, 110 in all; the best is one of the last.
    let expected = ["step-00000060.safetensors", "step-00000080.safetensors", "step-00000100.safetensors"];
    assert_eq!(names()[names().len() - 3..], expected);
    unfinish(&bench, "run");
    let again = bench.json("train --resume run --json --threads 1 --keep-checkpoints 1");
    for key in ["history", "iterations", "epochs", "model_sha256", "train_accuracy", "test_accuracy", "loss"]
    {
        assert_eq!(again[key], whole[key], "{key}");
    }
    assert_same(&bench, "run", &results);
    let summary: Value = serde_json::from_str(&bench.read("run/summary.json")).unwrap();
    assert_eq!(summary["model_sha256"], whole["model_sha256"]);
    // What is in the model is what the plan says, and nothing of how it came about.
    let model = String::from_utf8_lossy(&results[0]).into_owned();
    assert!(!model.contains("threads") && !model.contains("run/") && !model.contains("seconds"));
}

#[test]
fn the_best_checkpoint_is_kept() {
    let bench = Bench::new();
    let args = "train digits --rows ..600 --val-split 100 --epochs 25 --hidden 16 --lr 0.05 --set training.schedule=constant --quiet --out run --checkpoint-every 1epoch";
    let json = bench.json(&format!("{args} --json"));
    let losses =
        json["history"].as_array().unwrap().iter().map(|line| line["validation_loss"].as_f64().unwrap());
    let best = losses.enumerate().take(24).min_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0 as u64 + 1;
    assert!(best < 22, "it is not among the last anyway");
    // Four steps an epoch; at the last step there is no checkpoint.
    for step in [best * 4, 23 * 4, 24 * 4] {
        assert!(bench.path().join(format!("run/checkpoints/step-{step:08}.safetensors")).exists(), "{step}");
    }
    assert_eq!(std::fs::read_dir(bench.path().join("run/checkpoints")).unwrap().count(), 3);
}

#[test]
fn given_weights_and_batches_are_kept_with_the_run() {
    let bench = Bench::new();
    bench.ok("train digits --rows ..300 --val-split 0 --epochs 1 --hidden 8 --out first --quiet");
    // Three batches of two rows: `numpy.save` of int64.
    let mut npy =
        b"\x93NUMPY\x01\x00\x76\x00{'descr': '<i8', 'fortran_order': False, 'shape': (3, 2), }".to_vec();
    npy.resize(127, b' ');
    npy.push(b'\n');
    npy.extend([0i64, 1, 50, 51, 7, 7].into_iter().flat_map(i64::to_le_bytes));
    std::fs::write(bench.path().join("batches.npy"), npy).unwrap();
    bench.ok("train digits --rows ..300 --val-split 0 --iterations 40 --hidden 8 --out run --quiet \
         --init-from first/model.safetensors --batches batches.npy --checkpoint-every 30steps");
    let whole = results(&bench, "run");
    unfinish(&bench, "run");
    std::fs::remove_dir_all(bench.path().join("first")).unwrap();
    std::fs::remove_file(bench.path().join("batches.npy")).unwrap();
    for newest in ["step-00000030.safetensors", "step-00000000.safetensors"] {
        bench.ok("train --resume run --quiet");
        assert_same(&bench, "run", &whole);
        unfinish(&bench, "run");
        std::fs::remove_file(bench.path().join("run/checkpoints").join(newest)).unwrap();
    }
    bench.fails(
        1,
        "train --resume run",
        "began from given weights (--init-from), and has no checkpoint left",
    );
    std::fs::write(bench.path().join("run/batches.npy"), "other").unwrap();
    bench.fails(1, "train --resume run", "its batches.npy has changed");
}

#[test]
fn a_run_that_cannot_go_on_as_it_was_is_refused() {
    let bench = Bench::new();
    let rows = |n: i32| {
        let row = |i: i32| format!("{i},{},{}\n", i % 3, if 2 * i < n { "left" } else { "right" });
        "a,b,label\n".to_string() + &(0..n).map(row).collect::<String>()
    };
    bench.write("words.csv", &rows(60));
    bench.ok("train --data words.csv --val-split 10 --epochs 4 --hidden 5 --out run --quiet --checkpoint-every 1epoch");
    let whole = results(&bench, "run");
    let message = bench.fails(1, "train --resume run", "the run in run is finished");
    assert!(message.contains("steepest train run/plan.toml"), "{message}");
    unfinish(&bench, "run");

    bench.fails(1, "train --resume nowhere", "there is no run in nowhere");
    for flags in
        ["--lr 1", "--data words.csv", "--out other", "--set seed=1", "--batches x.npy", "--offline --seed 2"]
    {
        bench.fails(
            2,
            &format!("train --resume run {flags}"),
            "--resume goes on with a run as its plan has it",
        );
    }
    bench.fails(2, "train digits-transfer --resume run", "and nothing else");
    bench.fails(2, "train --checkpoint-every 5", "100steps");
    bench.fails(2, "train --keep-checkpoints 0", "keep-checkpoints");

    let changed = |name: &str, from: &str, to: &str, says: &str| {
        let text = bench.read(name);
        assert!(text.contains(from), "{text}");
        bench.write(name, &text.replacen(from, to, 1));
        let message = bench.fails(1, "train --resume run", says);
        assert!(message.contains("the run in run cannot go on"), "{message}");
        bench.write(name, &text);
    };
    changed("words.csv", "7,1,", "7,2,", "the training data have changed since it began");
    changed("run/plan.toml", "seed = 0", "seed = 1", "its plan.toml is not the plan");
    changed("run/start.json", "\"version\": \"", "\"version\": \"9", "it began with Steepest 9");
    let portable = bench.command("train --resume run").env("STEEPEST_SIMD", "portable").output().unwrap();
    if !bench.read("run/start.json").contains("portable") {
        assert!(
            stderr(&portable).contains("which rounds otherwise: set STEEPEST_SIMD="),
            "{}",
            stderr(&portable)
        );
        assert_eq!(portable.status.code(), Some(1));
    } else {
        eprintln!("SKIPPED: this processor has the portable instruction set only");
        unfinish(&bench, "run");
    }
    bench.ok("train --resume run --quiet");
    assert_same(&bench, "run", &whole);
}

#[test]
fn a_damaged_checkpoint_makes_way_for_an_older_one() {
    let bench = Bench::new();
    bench.ok(&format!("{SHORT} --out run --checkpoint-every 50steps"));
    let whole = results(&bench, "run");
    unfinish(&bench, "run");
    let path = |name: &str| bench.path().join("run/checkpoints").join(name);
    let damage = |name: &str| {
        let mut bytes = std::fs::read(path(name)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path(name), bytes).unwrap();
    };
    damage("step-00000100.safetensors");
    let text = bench.ok("train --resume run --checkpoint-every never");
    assert!(text.contains("warning: ") && text.contains("an older checkpoint is taken"), "{text}");
    assert!(text.contains("Goes on after 50 steps"), "{text}");
    assert_same(&bench, "run", &whole);
    assert!(path("step-00000100.damaged").exists() && !path("step-00000100.safetensors").exists());
    unfinish(&bench, "run");
    damage("step-00000050.safetensors");
    let message = bench.fails(1, "train --resume run", "step-00000050.safetensors: ");
    assert!(message.contains("checksum"), "{message}");
}

#[test]
fn a_run_that_diverges_keeps_its_last_good_checkpoint() {
    let bench = Bench::new();
    let rows: String = (0..40).map(|i| format!("{i},{}\n", f64::from(i) / 2.0 + 0.25)).collect();
    bench.write("line.csv", &("x,y\n".to_string() + &rows));
    let args = "train --data line.csv --hidden none --optimizer sgd --lr 100 --batch-size full --val-split 0 --quiet \
                --set training.schedule=constant --epochs 100 --out run --checkpoint-every 1steps";
    let message = bench.fails(1, args, "training diverged at iteration ");
    assert!(message.contains("Try a lower learning rate (--lr)"), "{message}");
    // Each checkpoint has finite numbers only; the next steps are as they were.
    assert_eq!(std::fs::read_dir(bench.path().join("run/checkpoints")).unwrap().count(), 2);
    assert_eq!(bench.fails(1, "train --resume run --quiet", "diverged"), message);
}

/// After early stopping the network is the best one, from which no step may follow.
#[test]
fn a_run_that_fails_at_its_end_comes_to_the_same_end_again() {
    let bench = Bench::new();
    let args = "train digits --rows ..600 --val-split 100 --epochs 40 --patience 2 --lr 0.02 --quiet";
    bench.ok(&format!("{args} --out whole"));
    let mut child = start(&bench, &format!("{args} --out run"));
    wait_until(&mut child, || bench.path().join("run/plan.toml").exists());
    // In the way of the summary.
    std::fs::create_dir(bench.path().join("run/summary.json")).unwrap();
    let output = child.wait_with_output().unwrap();
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(
        message.starts_with("error: run/summary.json: ") && message.contains("--resume run"),
        "{message}"
    );
    std::fs::remove_dir(bench.path().join("run/summary.json")).unwrap();
    bench.ok("train --resume run --quiet");
    assert_same(&bench, "run", &results(&bench, "whole"));
}

#[test]
fn two_processes_never_train_in_one_folder() {
    let bench = Bench::new();
    let mut child = start(
        &bench,
        "train digits --rows ..600 --val-split 100 --epochs 100000 --hidden 8 --out run --quiet",
    );
    wait_until(&mut child, || bench.path().join("run/plan.toml").exists());
    bench.fails(1, "train --resume run", "another process is at work in run");
    child.kill().unwrap();
    child.wait().unwrap();
    // The lock went with it.
    let mut child = start(&bench, "train --resume run --quiet");
    let log = bench.path().join("run/metrics.csv");
    wait_until(&mut child, || std::fs::read_to_string(&log).is_ok_and(|text| text.lines().count() > 3));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Runs a command line in a shell that lets no file grow beyond some blocks of 512 bytes (of 1024 in some shells).
#[cfg(unix)]
fn with_file_size_limit(bench: &Bench, blocks: usize, args: &str) -> Output {
    let command = bench.command("");
    let program = command.get_program().to_str().unwrap();
    let mut shell = std::process::Command::new("sh");
    command.get_envs().for_each(|(name, value)| {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    });
    let script = format!("ulimit -f {blocks} && exec {program} {args}");
    shell.current_dir(bench.path()).args(["-c", &script]).output().unwrap()
}

#[cfg(unix)]
#[test]
fn a_limit_on_file_sizes_is_an_error_like_any_other() {
    let bench = Bench::new();
    let run = "train digits --rows ..300 --val-split 50 --epochs 3 --hidden 8 --quiet --threads 1";
    bench.ok(&format!("{run} --out whole"));
    let whole = results(&bench, "whole");
    let mut codes = Vec::new();
    // From not even a plan to all but the last file.
    for blocks in [0, 1, 20, 100, 1000] {
        let name = format!("limit-{blocks}");
        let output =
            with_file_size_limit(&bench, blocks, &format!("{run} --out {name} --checkpoint-every 1epoch"));
        let message = stderr(&output);
        codes.push(output.status.code().unwrap_or_else(|| panic!("{blocks}: {:?} {message}", output.status)));
        let folder = bench.path().join(&name);
        if codes.last() == Some(&0) {
            continue;
        }
        assert!(message.starts_with("error: ") && message.contains("File too large"), "{message}");
        assert!(!folder.join("model.safetensors").exists(), "{blocks}");
        if std::fs::read_dir(&folder).unwrap().next().is_some() {
            assert!(message.contains(&format!("goes on with: steepest train --resume {name}")), "{message}");
            bench.ok(&format!("train --resume {name} --quiet"));
            assert_same(&bench, &name, &whole);
        }
    }
    assert_eq!((codes[0], codes[4]), (1, 0), "{codes:?}");

    // A file that is there already stays as it was.
    let trace = "trace digits --rows ..300 --val-split 50 --hidden 8 --out step.npz";
    bench.ok(trace);
    let before = std::fs::read(bench.path().join("step.npz")).unwrap();
    let output = with_file_size_limit(&bench, 8, trace);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(std::fs::read(bench.path().join("step.npz")).unwrap(), before);
    let names = std::fs::read_dir(bench.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(!names.into_iter().any(|name| name.to_string_lossy().starts_with(".steepest")));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_device_is_an_error_and_stays_a_device() {
    use std::os::unix::fs::FileTypeExt;
    let bench = Bench::new();
    let tiny = "digits --rows ..300 --val-split 50 --hidden 8";
    bench.fails(1, &format!("trace {tiny} --out /dev/full"), "/dev/full: No space left on device");
    assert!(Path::new("/dev/full").metadata().unwrap().file_type().is_char_device());
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output =
        bench.command(&format!("train {tiny} --epochs 1 --json --out run")).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("No space left on device"), "{}", stderr(&output));
    assert!(bench.path().join("run/model.safetensors").exists());
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_an_error() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    let folder = bench.path().join("locked");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(folder.join("probe"), "").is_ok() {
        eprintln!("SKIPPED: this user (root?) may write to read-only folders");
        return;
    }
    let tiny = "digits --rows ..300 --val-split 50 --hidden 8";
    bench.fails(1, &format!("train {tiny} --epochs 1 --out locked"), "locked: Permission denied");
    bench.fails(1, &format!("train {tiny} --epochs 1 --out locked/run"), "Permission denied");
    bench.fails(1, &format!("trace {tiny} --out locked/step.npz"), "locked/step.npz: Permission denied");
    bench.fails(1, "data convert digits/test --rows ..20 locked/a.npz", "locked/a.npz");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}

/// Every call of a kind fails in its turn, until one run has no such call left.
#[cfg(target_os = "linux")]
#[test]
fn an_error_at_any_call_has_a_message_and_harms_no_old_file() {
    let bench = Bench::new();
    let strace = |args: &[&str], command: &str| {
        let command = bench.command(command);
        let mut traced = std::process::Command::new("strace");
        traced
            .args(["-f", "--seccomp-bpf", "-qq", "-o", "calls"])
            .args(args)
            .arg(command.get_program())
            .args(command.get_args());
        command.get_envs().for_each(|(name, value)| {
            match value {
                Some(value) => traced.env(name, value),
                None => traced.env_remove(name),
            };
        });
        traced.current_dir(bench.path()).output()
    };
    if !strace(&["-e", "trace=none"], "recipes").is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: strace is not there, or may not trace (apt-get install strace)");
        return;
    }
    let run = "train digits --rows ..300 --val-split 50 --epochs 2 --hidden 8 --threads 1 --quiet --out run --checkpoint-every 1epoch";
    bench.ok("train digits --rows ..300 --val-split 50 --epochs 1 --hidden 8 --quiet --out old");
    let old = std::fs::read(bench.path().join("old/model.safetensors")).unwrap();
    let trace = "trace digits --rows ..300 --val-split 50 --hidden 8 --out old/model.safetensors";
    for (command, calls, error) in [
        (run, "write,fsync", "EIO"),
        (run, "rename,mkdir,unlink", "EACCES"),
        (trace, "write,fsync,rename", "ENOSPC"),
    ] {
        let mut failures = 0;
        for n in 1.. {
            let _ = std::fs::remove_dir_all(bench.path().join("run"));
            let rule = format!("inject={calls}:error={error}:when={n}");
            let output = strace(&["-e", &format!("trace={calls}"), "-e", &rule], command).unwrap();
            let message = stderr(&output);
            let new = std::fs::read(bench.path().join("old/model.safetensors")).unwrap();
            if !bench.read("calls").contains("INJECTED") {
                assert_eq!(output.status.code(), Some(0), "{message}");
                break;
            }
            // The last sync is that of a folder in which the new file is already.
            let is_renamed = command == trace && new != old;
            assert!(
                !is_renamed || new.starts_with(b"PK"),
                "{calls} {n}: neither the old file nor the new one"
            );
            std::fs::write(bench.path().join("old/model.safetensors"), &old).unwrap();
            assert!(!message.contains("panicked"), "{calls} {n}: {message}");
            // What is said to nobody does no harm.
            if output.status.code() != Some(0) {
                assert_eq!(output.status.code(), Some(1), "{calls} {n}: {message}");
                assert!(message.starts_with("error: ") || calls.contains("write"), "{calls} {n}: {message}");
                failures += 1;
            }
        }
        assert!(failures > 3, "{command}: {failures}");
    }
}
