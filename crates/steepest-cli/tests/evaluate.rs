//! `steepest evaluate`, `inspect` and `data info`, end to end.

mod common;

use common::Bench;
use serde_json::Value;

/// A model `m` of digits.
fn digits(bench: &Bench) {
    bench.ok("train digits --rows ..600 --set data.val_split=100 --epochs 2 --out m --quiet");
}

/// Points left and right of a line, with words for classes.
fn words(bench: &Bench) {
    let line = |i: i32| format!("{i},{},{}\n", i % 3, if i < 20 { "left" } else { "right" });
    let rows = |range: std::ops::Range<i32>| range.map(line).collect::<String>();
    bench.write("words.csv", &("a,b,label\n".to_string() + &rows(0..40)));
    bench
        .ok("train digits --data words.csv --hidden 8 --epochs 200 --val-split 0 --lr 0.02 --out m --quiet \
             --batch-size full --set data.divide_by=20.0");
}

#[test]
fn classes_are_reported() {
    let bench = Bench::new();
    digits(&bench);
    let text = bench.ok("evaluate m --data digits --rows ..400");
    for part in [
        "rows      400",
        "accuracy  0.",
        "loss      ",
        "precision",
        "weighted avg",
        "The worst mistakes",
        "p = ",
    ] {
        assert!(text.contains(part), "{text}\ndoes not have {part:?}");
    }
    assert!(!text.contains('\u{1b}'), "no colour codes");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");

    let json = bench.json("evaluate m/model.safetensors --data digits/test --rows ..400 --json");
    let matrix: Vec<Vec<u64>> = serde_json::from_value(json["confusion_matrix"].clone()).unwrap();
    let correct: u64 = (0..10).map(|class| matrix[class][class]).sum();
    assert_eq!(matrix.iter().flatten().sum::<u64>(), 400);
    assert_eq!(json["accuracy"], correct as f64 / 400.0);
    assert_eq!((&json["n_samples"], &json["classes"][7]), (&400.into(), &"7".into()));
    assert!(json["loss"].as_f64().unwrap() > 0.0 && json.get("r2").is_none());
    let one_thread = bench.json("evaluate m --data digits --rows ..400 --json --threads 1");
    assert_eq!(one_thread, json);
}

#[test]
fn labels_are_matched_by_name() {
    let bench = Bench::new();
    words(&bench);
    // Another order of first occurrence, and only one of the classes.
    bench.write("reversed.csv", "label,a,b\nright,39,0\nright,38,1\nleft,1,1\n");
    let json = bench.json("evaluate m --data reversed.csv --json");
    assert_eq!(json["accuracy"], 1.0);
    assert_eq!(json["confusion_matrix"], serde_json::json!([[1, 0], [0, 2]]));
    bench.write("one.csv", "a,b,label\n39,0,right\n");
    assert_eq!(bench.json("evaluate m --data one.csv --json")["accuracy"], 1.0);
    bench.write("up.csv", "a,b,label\n1,0,left\n1,0,up\n");
    bench.fails(1, "evaluate m --data up.csv", "row 1: class \"up\" is none of the model's 2 (left, right)");
    bench.write("numbers.csv", "a,b,label\n1,0,0.5\n");
    bench.fails(
        1,
        "evaluate m --data numbers.csv",
        "numbers as targets, but the model tells 2 classes apart",
    );
    bench.write("bare.csv", "a,b\n1,0\n");
    bench.fails(1, "evaluate m --data bare.csv", "no labels");
    bench.fails(1, "evaluate m --data digits", "784 inputs a row (28 x 28 images), but the model takes 2");
}

#[test]
fn regression_has_its_own_figures() {
    let bench = Bench::new();
    let line = |i: i32| format!("{i},{}\n", f64::from(i) / 2.0 + 0.25);
    bench.write("line.csv", &("x,y\n".to_string() + &(0..40).map(line).collect::<String>()));
    bench.ok(
        "train digits --data line.csv --hidden none --epochs 2000 --val-split 0 --lr 0.2 --out m --quiet \
              --batch-size full --set data.divide_by=40.0",
    );
    let json = bench.json("evaluate m --data line.csv --json");
    assert!(json["accuracy"].is_null() && json["confusion_matrix"].is_null(), "{json}");
    assert!(json["r2"].as_f64().unwrap() > 0.99, "{json}");
    let (mae, rmse) = (json["mae"].as_f64().unwrap(), json["rmse"].as_f64().unwrap());
    assert!(0.0 < mae && mae <= rmse, "{json}");
    assert!(bench.ok("evaluate m --data line.csv").contains("RMSE"));
    // Whole numbers as targets are still numbers to this model.
    bench.write("whole.csv", "x,y\n10,5\n30,15\n");
    assert!(bench.json("evaluate m --data whole.csv --json")["mae"].as_f64().unwrap() < 1.0);
}

#[test]
fn usage_mistakes_have_exit_code_2() {
    let bench = Bench::new();
    words(&bench);
    bench.fails(2, "evaluate m --data words.csv --rows x..", "is not a range of rows");
    bench.fails(2, "evaluate m --data words.csv --threads 0", "--threads is 0");
    bench.fails(1, "evaluate m --data words.csv --rows 0..41", "has 40 rows");
    bench.fails(1, "evaluate nothing --data words.csv", "nothing");
    bench.fails(1, "evaluate m --data nothing", "no data set `nothing`");
    bench.fails(2, "data info digits --rows x", "is not a range of rows");
}

#[test]
fn a_model_can_be_inspected() {
    let bench = Bench::new();
    digits(&bench);
    let text = bench.ok("inspect m");
    for part in [
        "digits, seed 0",
        "784, images of 28 x 28, divided by 255",
        "235,146 in f32",
        "softmax",
        "[training]",
    ] {
        assert!(text.contains(part), "{text}\ndoes not have {part:?}");
    }
    let json = bench.json("inspect m --json");
    assert_eq!((&json["layers"][2]["n_out"], &json["n_parameters"]), (&10.into(), &235_146.into()));
    assert!(json["layers"][0]["weight_norm"].as_f64().unwrap() > 1.0);
    let sha256 = json["sha256"].as_str().unwrap();
    let summary: Value =
        serde_json::from_str(&std::fs::read_to_string(bench.path().join("m/summary.json")).unwrap()).unwrap();
    assert!(summary.to_string().contains(sha256), "the run's summary names the same file");
    // The plan is a recipe: it trains the same model again.
    bench.write("again.toml", json["plan"].as_str().unwrap());
    bench.ok("train again.toml --out again --quiet");
    assert_eq!(bench.json("inspect again --json")["sha256"], sha256);
}

#[test]
fn data_sets_can_be_looked_at() {
    let bench = Bench::new();
    let text = bench.ok("data info digits --rows ..1000");
    for part in [
        "digits/train",
        "digits/test",
        "rows      1,000",
        "rows      10,000",
        "images of 28 x 28",
        "10 classes",
    ] {
        assert!(text.contains(part), "{text}\ndoes not have {part:?}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let json = bench.json("data info digits --rows ..1000 --json");
    assert_eq!((&json["n_samples"], &json["parts"]["train"]["n_samples"]), (&1000.into(), &1000.into()));
    assert_eq!(json["parts"]["test"]["counts"], serde_json::json!(vec![1000; 10]));
    let one = bench.json("data info digits/test --json");
    assert_eq!((&one["n_samples"], one.get("parts")), (&10_000.into(), None));
    bench.write("t.csv", "a,b,y\n0.5,-1,2.5\n1.5,2,3.5\n");
    let table = bench.json("data info t.csv --json");
    assert_eq!((&table["min"], &table["max"]), (&(-1.0).into(), &2.0.into()));
    assert_eq!((&table["values"]["mean"], &table["classes"]), (&3.0.into(), &Value::Null));
    assert!(bench.ok("data info t.csv").contains("1 number, 2.5 to 3.5"));
}
