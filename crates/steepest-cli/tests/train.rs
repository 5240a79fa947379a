//! `steepest train`, `compare`, `trace`, `recipes` and `completions`, end to end.

mod common;

use common::{Bench, stderr};
use serde_json::Value;

/// Digits, few and once: a moment's work.
const TINY: &str = "digits --rows ..600 --val-split 100 --epochs 2";

/// `n` rows of one input and a number to predict from it.
fn line(bench: &Bench, name: &str, n: i32, offset: f64) {
    let row = |i: i32| format!("{},{}\n", f64::from(i) + offset, f64::from(i) / 2.0 + 0.25);
    bench.write(name, &("x,y\n".to_string() + &(0..n).map(row).collect::<String>()));
}

/// `n` rows of two inputs, all different, and a word for which side of a line they are on.
fn words(bench: &Bench, n: i32) {
    let row = |i: i32| format!("{i},{},{}\n", i % 3, if 2 * i < n { "left" } else { "right" });
    bench.write("words.csv", &("a,b,label\n".to_string() + &(0..n).map(row).collect::<String>()));
}

#[test]
fn a_run_leaves_everything_behind_and_its_plan_repeats_it() {
    let bench = Bench::new();
    let json = bench.json(&format!("train {TINY} --out run --json"));
    let mut keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let expected = [
        "clean_accuracy",
        "epochs",
        "history",
        "iterations",
        "leaked_rows",
        "loss",
        "model",
        "model_sha256",
        "run",
        "seconds",
        "test_accuracy",
        "threads",
        "train_accuracy",
        "validation_accuracy",
    ];
    assert_eq!(keys, expected);
    assert_eq!((&json["epochs"], &json["iterations"], &json["run"]), (&2.into(), &8.into(), &"run".into()));
    assert_eq!((&json["leaked_rows"], &json["clean_accuracy"]), (&0.into(), &Value::Null));
    assert!(json["test_accuracy"].as_f64().unwrap() > 0.2, "{json}");

    let history = json["history"].as_array().unwrap();
    let metrics = bench.read("run/metrics.jsonl");
    let lines: Vec<Value> = metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines), (2, history));
    assert_eq!(lines[1]["validation_accuracy"], json["validation_accuracy"]);
    let csv = bench.read("run/metrics.csv");
    let header = "iteration,epoch,lr,loss,accuracy,validation_loss,validation_accuracy";
    assert_eq!((csv.lines().next(), csv.lines().count()), (Some(header), 3));
    let loss = csv.lines().nth(2).unwrap().split(',').nth(3).unwrap();
    // JSON's reader may be off in the last bit.
    assert!((loss.parse::<f64>().unwrap() - lines[1]["loss"].as_f64().unwrap()).abs() < 1e-12);

    let summary: Value = serde_json::from_str(&bench.read("run/summary.json")).unwrap();
    assert_eq!(summary["model_sha256"], json["model_sha256"]);
    assert_eq!(summary["results"]["test_accuracy"], json["test_accuracy"]);
    assert_eq!(bench.json("inspect run --json")["sha256"], json["model_sha256"]);

    let again = bench.json("train run/plan.toml --out again --threads 1 --json");
    assert_eq!(again["model_sha256"], json["model_sha256"]);
    assert_eq!(again["history"], json["history"]);
    assert_eq!(bench.read("again/plan.toml"), bench.read("run/plan.toml"));
    let other = bench.json("train run/plan.toml --seed 1 --out other --json");
    assert_ne!(other["model_sha256"], json["model_sha256"]);
}

#[test]
fn a_folder_in_use_is_left_alone() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path().join("out")).unwrap();
    bench.write("out/notes.txt", "mine");
    let message = bench.fails(1, &format!("train {TINY} --out out"), "out: is not empty");
    assert_eq!(message.matches("is not empty").count(), 1, "{message}");
    assert_eq!(std::fs::read_dir(bench.path().join("out")).unwrap().count(), 1);
    // Without --out, each run has a folder of its own.
    words(&bench, 30);
    let args = "train --data words.csv --epochs 1 --quiet";
    assert_eq!((bench.ok(args), bench.ok(args)), (String::new(), String::new()));
    bench.read("runs/digits-1/plan.toml");
    bench.read("runs/digits-2/plan.toml");
}

#[test]
fn what_is_told_while_it_learns() {
    let bench = Bench::new();
    let text = bench.ok(&format!("train {TINY} --out run"));
    for part in [
        "784-256-128-10 (235,146 parameters)",
        "epoch 2/2  loss",
        "samples/s",
        "Model: run",
        "steepest evaluate",
    ] {
        assert!(text.contains(part), "{text}\ndoes not have {part:?}");
    }
}

#[test]
fn usage_mistakes_have_exit_code_2() {
    let bench = Bench::new();
    bench.fails(2, "train digits --epochs 1 --iterations 5", "cannot be used with");
    let message = bench.fails(2, "train digit", "no recipe named \"digit\"");
    for name in
        ["digits", "digits-transfer", "kaggle-csv-relu", "keras-npz-relu", "mnist-csv-relu", "idx-sigmoid"]
    {
        assert!(message.contains(name), "{message}");
    }
    bench.fails(2, "train digits --hidden 0", "--hidden 0");
    bench.fails(2, "train digits --set lr", "expected KEY=VALUE");
    bench.fails(2, "train digits --threads 0", "--threads is 0");
    bench.fails(1, &format!("train {TINY} --set training.learning_rate=1"), "learning_rate");
    bench.fails(1, &format!("train {TINY} --patience 0"), "training.patience is 0");
    bench.fails(1, "train digits --rows ..600 --val-split 0 --patience 3", "no rows are held out");
    assert_eq!(std::fs::read_dir(bench.path()).unwrap().count(), 0, "nothing is left of what never began");
}

#[test]
fn an_instruction_set_that_is_not_there_is_refused() {
    let bench = Bench::new();
    let run = |set: &str| bench.command("recipes").env("STEEPEST_SIMD", set).output().unwrap();
    let output = run("sse9");
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("STEEPEST_SIMD is sse9: expected one of portable"), "{message}");
    assert!(run("portable").status.success() && run("").status.success());
}

#[test]
fn a_run_that_diverges_says_where_and_keeps_the_last_good_model() {
    let bench = Bench::new();
    line(&bench, "line.csv", 40, 0.0);
    let args = "train --data line.csv --hidden none --optimizer sgd --lr 1e30 --batch-size full --val-split 0 \
                --set training.schedule=constant --out run";
    let message = bench.fails(1, args, "diverged at iteration ");
    assert!(message.contains("--lr"), "{message}");
    assert_eq!(bench.json("inspect run --json")["n_parameters"], 2);
    assert!(bench.json("evaluate run --data line.csv --json")["mae"].as_f64().unwrap().is_finite());
    assert!(!bench.path().join("run/summary.json").exists());
}

#[test]
fn a_recipe_fits_itself_to_other_data() {
    let bench = Bench::new();
    words(&bench, 40);
    // The recipe holds out 2000 rows, which this table does not have.
    bench.ok("train --data words.csv --epochs 1 --out run --quiet");
    assert!(bench.read("run/plan.toml").contains("val_split = 4\n"));
    bench.fails(1, "train --data words.csv --val-split 2000", "holds out 2000 of 40 rows");
    bench.fails(1, "train --data words.csv --set data.val_split=2000", "holds out 2000 of 40 rows");
    // Whole numbers are rows and columns, too.
    bench
        .ok("train --data words.csv --set data.rows=30 --set data.val_split=3 --epochs 1 --out less --quiet");
    assert!(bench.read("less/plan.toml").contains("rows = \"0..30\""));
}

#[test]
fn quirks_combine_with_flags() {
    let bench = Bench::new();
    words(&bench, 60);
    let tiny = "train mnist-csv-relu --data words.csv --iterations 3";
    bench.ok(&format!("{tiny} --set data.shuffle=false --val-split 0 --out plain --quiet"));
    let leaky = bench.json(&format!("{tiny} --val-split 20 --out leaky --json"));
    let leaked = leaky["leaked_rows"].as_u64().unwrap();
    assert!((1..=20).contains(&leaked) && leaky["clean_accuracy"].is_f64(), "{leaky}");
    let text = bench.ok(&format!("{tiny} --val-split 20 --out again"));
    assert!(
        text.contains(&format!("warning: {leaked} validation rows also occur among the training rows")),
        "{text}"
    );
    let textbook = bench.json(&format!("{tiny} --val-split 20 --textbook --out textbook --json"));
    assert_eq!(textbook["leaked_rows"], 0);
    line(&bench, "line.csv", 40, 0.0);
    bench.fails(1, "train mnist-csv-relu --data line.csv", "quirks.softmax_shift is for softmax");
}

#[test]
fn early_stopping_restores_the_best_weights() {
    let bench = Bench::new();
    let args =
        "train digits --rows ..600 --val-split 100 --epochs 40 --patience 2 --lr 0.02 --out run --json";
    let json = bench.json(args);
    let history = json["history"].as_array().unwrap();
    let best = |a: &&Value, b: &&Value| {
        a["validation_loss"].as_f64().unwrap().total_cmp(&b["validation_loss"].as_f64().unwrap())
    };
    let best = history.iter().min_by(best).unwrap();
    assert_ne!(best, &history[history.len() - 1]);
    assert_eq!(json["validation_accuracy"], best["validation_accuracy"]);
}

#[test]
fn double_precision_begins_in_the_file() {
    let bench = Bench::new();
    // The same numbers in single precision.
    line(&bench, "a.csv", 40, 0.25);
    line(&bench, "b.csv", 40, 0.25 + 1e-9);
    let train = |data: &str, precision: &str| {
        let name = format!("{data}-{precision}");
        let args = format!(
            "train --data {data} --precision {precision} --hidden none --epochs 1 --out {name} --json"
        );
        bench.json(&args)["loss"].as_f64().unwrap()
    };
    assert_ne!(train("a.csv", "f64"), train("b.csv", "f64"));
    assert_eq!(train("a.csv", "f32"), train("b.csv", "f32"));
    bench.write("two.csv", "x\n20.5\n20.500000001\n");
    let predictions = |model: &str| {
        let json = bench.json(&format!("predict {model} two.csv --json"));
        [0, 1].map(|row| json["predictions"][row]["prediction"].as_f64().unwrap())
    };
    let [first, second] = predictions("a.csv-f64");
    assert_ne!(first, second);
    let [first, second] = predictions("a.csv-f32");
    assert_eq!(first, second);
}

#[test]
fn quirks_are_compared() {
    let bench = Bench::new();
    let tiny =
        "compare kaggle-csv-relu --data digits/train --rows ..300 --val-split 50 --iterations 3 --seeds 2";
    let rows = bench.json(&format!("{tiny} --json"));
    let names: Vec<&str> =
        rows.as_array().unwrap().iter().map(|row| row["variant"].as_str().unwrap()).collect();
    assert_eq!(names, ["as written", "textbook", "only delta_scale", "only softmax_shift"]);
    assert_eq!(rows[0]["diverged"], serde_json::json!([]));
    // A shared shift cancels out; a doubled gradient does not.
    assert_eq!(rows[3]["train_accuracy"], rows[1]["train_accuracy"]);
    assert_ne!(rows[2]["train_accuracy"], rows[1]["train_accuracy"]);
    let table = bench.ok(tiny);
    assert!(table.starts_with("| variant ") && table.lines().count() == 6, "{table}");
}

#[test]
fn a_step_can_be_traced() {
    let bench = Bench::new();
    let tiny = "trace keras-npz-relu --data digits/train --rows ..50 --iterations 4";
    let text = bench.ok(&format!("{tiny} --step 3 --out step.npz"));
    assert!(text.starts_with("step 3: 50 rows, loss ") && text.contains("(10, 784)"), "{text}");
    let bytes = std::fs::read(bench.path().join("step.npz")).unwrap();
    for name in
        ["x", "z1", "a1", "z2", "a2", "delta1", "delta2", "d_W1", "d_b1", "W1", "b1", "W1_new", "b2_new"]
    {
        let name = format!("{name}.npy");
        assert!(bytes.windows(name.len()).any(|part| part == name.as_bytes()), "{name}");
    }
    // The array `x` is a data set without labels.
    let info = bench.json("data info step.npz --json");
    assert_eq!(
        (&info["n_samples"], &info["n_features"], &info["max"]),
        (&50.into(), &784.into(), &1.0.into())
    );
    bench.fails(2, &format!("{tiny} --step 4"), "steps 0 to 3");
}

#[test]
fn recipes_and_completions_are_printed() {
    let bench = Bench::new();
    let list = bench.ok("recipes");
    assert!(list.contains("idx-sigmoid") && list.contains("steepest recipes NAME"), "{list}");
    let text = bench.ok("recipes mnist-csv-relu");
    assert!(text.contains("split_shuffle = \"overwrite\""), "{text}");
    // What is printed is a recipe.
    bench.write("mine.toml", &bench.ok("recipes digits"));
    bench.ok("train mine.toml --rows ..600 --val-split 100 --epochs 1 --out run --quiet");
    bench.fails(2, "recipes nothing", "digits");
    assert!(bench.ok("completions bash").contains("complete -F _steepest"));
}
