//! Known data sets at the command line. Nothing here reaches a server: the only proxy is a port where nobody listens.

mod common;

use std::net::TcpListener;
use std::process::Output;

use common::{Bench, stderr};
use serde_json::json;

const FILES: [&str; 4] = [
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
];

/// Runs with the network allowed, and every mirror out of reach.
fn without_servers(bench: &Bench, args: &str) -> Output {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = bench.command(args);
    command.env("STEEPEST_OFFLINE", "0").env("ALL_PROXY", format!("http://127.0.0.1:{port}"));
    command.env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap()
}

#[test]
fn only_known_names_can_be_fetched() {
    let bench = Bench::new();
    bench.fails(
        2,
        "data fetch cifar",
        "no data set `cifar` to download: the known ones are mnist, fashion-mnist",
    );
}

#[test]
fn every_mirror_is_named_with_its_reason() {
    let bench = Bench::new();
    for args in
        ["data fetch mnist", "data info mnist", "train idx-sigmoid --data mnist", "trace --data mnist/train"]
    {
        let output = without_servers(&bench, args);
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{args}: {message}");
        for mirror in ["ossci-datasets.s3.amazonaws.com", "storage.googleapis.com", "yann.lecun.com"] {
            // Once while it happens, once in the error.
            assert_eq!(message.matches(mirror).count(), 2, "{args}: {message}");
        }
        assert!(message.contains("  failed: ") && message.contains("refused"), "{args}: {message}");
        assert!(output.stdout.is_empty());
    }
    let message = stderr(&without_servers(&bench, "train --data fashion-mnist --quiet"));
    assert!(
        message.starts_with("error: cannot download train-images-idx3-ubyte.gz of `fashion-mnist`"),
        "{message}"
    );
    assert!(!bench.path().join("cache").exists(), "a folder without a file in it");
}

#[test]
fn offline_says_where_it_was_looked_for() {
    let bench = Bench::new();
    let looked = bench.path().join("cache/mnist").display().to_string();
    for args in ["data info mnist", "train --data mnist", "compare --data mnist", "trace --data mnist"] {
        let message = bench.fails(1, args, &looked);
        assert!(
            message.contains("steepest data fetch mnist") && !message.contains("Downloading"),
            "{message}"
        );
        let flag = without_servers(&bench, &format!("{args} --offline"));
        assert_eq!(stderr(&flag), message, "--offline and STEEPEST_OFFLINE=1 differ");
    }
    bench.fails(1, "data fetch mnist", "leave out --offline and STEEPEST_OFFLINE");
    let message = stderr(&without_servers(&bench, "data fetch fashion-mnist --offline"));
    assert!(message.contains("train-images-idx3-ubyte.gz: it is missing"), "{message}");
}

#[test]
fn what_is_there_is_named_and_checked_in_the_cache() {
    let bench = Bench::new();
    for folder in ["data/mnist", "cache/fashion-mnist"] {
        std::fs::create_dir_all(bench.path().join(folder)).unwrap();
        FILES.iter().for_each(|file| bench.write(&format!("{folder}/{file}"), "anything"));
    }
    let text = bench.ok("data fetch mnist");
    assert_eq!(text, "mnist is in data/mnist (there already, not compared with what is published)\n");
    let place = json!({ "name": "mnist", "path": "data/mnist", "downloaded": [], "checked": false });
    assert_eq!(bench.json("data fetch mnist --json"), place);
    let message = bench.fails(1, "data fetch fashion-mnist", "not gzip: it begins with [61, 6e, 79, 74]");
    assert!(message.contains("`fashion-mnist` is not whole") && message.contains(FILES[0]), "{message}");
}
