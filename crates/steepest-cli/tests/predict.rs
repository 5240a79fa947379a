//! `steepest predict`, end to end.

mod common;

use common::Bench;
use serde_json::Value;

/// A model `m` of ten classes, on generated digits.
fn digits() -> Bench {
    train("digits --rows ..600 --set data.val_split=100 --epochs 1", "")
}

/// Of two classes with names that need care, on two columns, with one output unit where it is `sigmoid`.
fn words(output: &str) -> Bench {
    let line = |i: i32| format!("{i},{},{}\n", i % 3, if i < 20 { "\"left, far\"" } else { "right" });
    let table = "a,b,side\n".to_string() + &(0..40).map(line).collect::<String>();
    let args = "digits --data t.csv --hidden 8 --epochs 200 --val-split 0 --lr 0.02 --batch-size full \
                --set data.divide_by=20.0 --set data.target=side --set network.output=";
    train(&(args.to_string() + output), &table)
}

fn train(args: &str, table: &str) -> Bench {
    let bench = Bench::new();
    bench.write("t.csv", table);
    bench.ok(&format!("train {args} --out m --quiet"));
    bench
}

#[test]
fn predictions_go_into_a_file_whole_or_not_at_all() {
    let bench = digits();
    for form in ["", "--json", "--csv", "--kaggle"] {
        let printed = bench.ok(&format!("predict m digits/test --rows ..5 {form}"));
        assert_eq!(bench.ok(&format!("predict m digits/test --rows ..5 {form} --out p.txt")), "");
        assert_eq!(bench.read("p.txt"), printed);
    }
    bench.fails(1, "predict m digits/test --rows ..5 --out nowhere/p.txt", "nowhere/p.txt: ");
    bench.fails(1, "predict m nothing --out p.txt", "nothing");
    assert!(bench.read("p.txt").starts_with("ImageId,Label"));
}

#[test]
fn all_formats_say_the_same() {
    let bench = digits();
    let json = bench.json("predict m digits --rows ..50 --json");
    let rows = json["predictions"].as_array().unwrap();
    assert_eq!(rows.len(), 50);
    let text = bench.ok("predict m digits/test --rows ..50");
    let csv = bench.ok("predict m digits --rows 50 --csv");
    let kaggle = bench.ok("predict m digits --rows 0..50 --kaggle");
    assert_eq!(csv.lines().next().unwrap(), "row,prediction,p_0,p_1,p_2,p_3,p_4,p_5,p_6,p_7,p_8,p_9");
    assert_eq!(kaggle.lines().next().unwrap(), "ImageId,Label");
    for (i, row) in rows.iter().enumerate() {
        let prediction = row["prediction"].as_str().unwrap();
        // The shortest decimal of a number in single precision: as such it is the number itself.
        let probability = row["probability"].as_f64().unwrap() as f32;
        assert_eq!((&row["row"], &row["probabilities"][prediction]), (&i.into(), &row["probability"]));
        let sum: f64 = row["probabilities"].as_object().unwrap().values().filter_map(Value::as_f64).sum();
        assert!((sum - 1.0).abs() < 1e-5);
        let line: Vec<&str> = text.lines().nth(i + 1).unwrap().split_whitespace().collect();
        assert_eq!(line, [&i.to_string(), prediction, &format!("{probability:.4}")]);
        assert!(csv.lines().nth(i + 1).unwrap().starts_with(&format!("{i},{prediction},")));
        assert_eq!(kaggle.lines().nth(i + 1).unwrap(), format!("{},{prediction}", i + 1));
    }
    bench.fails(2, "predict m digits --csv --json", "cannot be used with");
}

#[test]
fn predictions_are_those_that_evaluate_counts() {
    let bench = words("softmax");
    let json = bench.json("evaluate m --data t.csv --json");
    let csv = bench.ok("predict m t.csv --csv");
    let left = csv.lines().filter(|line| line.contains(",\"left, far\",")).count() as u64;
    let column: u64 = (0..2).map(|truth| json["confusion_matrix"][truth][0].as_u64().unwrap()).sum();
    assert_eq!(left, column);
    assert_eq!(csv.lines().next().unwrap(), "row,prediction,\"p_left, far\",p_right");
}

#[test]
fn labels_are_ignored_and_may_be_missing() {
    let bench = words("softmax");
    let with_labels = bench.ok("predict m t.csv");
    let bare = |range: std::ops::Range<i32>| range.map(|i| format!("{i},{}\n", i % 3)).collect::<String>();
    bench.write("bare.csv", &("a,b\n".to_string() + &bare(0..40)));
    bench.write("nameless.csv", &bare(0..40));
    bench.write("up.csv", "a,b,side\n0,0,up\n1,1,down\n");
    assert_eq!(bench.ok("predict m bare.csv"), with_labels);
    assert_eq!(bench.ok("predict m nameless.csv"), with_labels);
    assert_eq!(bench.ok("predict m up.csv").lines().count(), 3);
}

#[test]
fn one_unit_tells_two_classes_apart() {
    let bench = words("sigmoid");
    let json = bench.json("predict m t.csv --json");
    for (i, row) in json["predictions"].as_array().unwrap().iter().enumerate() {
        let probability = |name: &str| row["probabilities"][name].as_f64().unwrap();
        assert!((probability("left, far") + probability("right") - 1.0).abs() < 1e-6);
        assert!(row["probability"].as_f64().unwrap() >= 0.5);
        if !(15..25).contains(&i) {
            assert_eq!(row["prediction"], if i < 20 { "left, far" } else { "right" });
        }
    }
    assert_eq!(bench.json("evaluate m --data t.csv --json")["confusion_matrix"].as_array().unwrap().len(), 2);
}

#[test]
fn several_files_are_told_apart() {
    let bench = words("softmax");
    bench.write("a,b.csv", "a,b\n1,1\n");
    let csv = bench.ok("predict m t.csv a,b.csv --rows 0..1 --csv");
    let starts: Vec<&str> = csv.lines().map(|line| &line[..9]).collect();
    assert_eq!(starts, ["file,row,", "t.csv,0,\"", "\"a,b.csv\""]);
    let json = bench.json("predict m t.csv a,b.csv --rows 1 --json");
    assert_eq!(
        (&json["predictions"][1]["file"], &json["predictions"][1]["row"]),
        (&"a,b.csv".into(), &0.into())
    );
    assert!(
        bench.ok("predict m t.csv a,b.csv --kaggle").contains("\n41,"),
        "numbers go on in the second file"
    );
    // Nothing is printed when one of the files does not fit.
    bench.write("wide.csv", "a,b,c\n1,2,3\n");
    bench.fails(1, "predict m t.csv wide.csv", "wide.csv has 3 inputs a row, but the model takes 2");
}

#[test]
fn regression_predicts_numbers() {
    let table: String = (0..40).map(|i| format!("{i},{}\n", f64::from(i) / 2.0 + 0.25)).collect();
    let args = "digits --data t.csv --hidden none --epochs 2000 --val-split 0 --lr 0.2 --batch-size full \
                --set data.divide_by=40.0";
    let bench = train(args, &("x,y\n".to_string() + &table));
    let json = bench.json("predict m t.csv --rows 20..21 --json");
    let number = json["predictions"][0]["prediction"].as_f64().unwrap();
    assert!((number - 10.25).abs() < 0.5, "{number}");
    assert_eq!(bench.ok("predict m t.csv --rows 20..21 --csv"), format!("row,prediction\n20,{number}\n"));
    assert!(bench.ok("predict m t.csv").starts_with("row  prediction\n  0  "));
    bench.fails(2, "predict m t.csv --kaggle", "predicts numbers");
}

#[test]
fn rows_that_depend_on_each_other_are_not_predicted_alone() {
    let args = "digits --rows ..300 --set data.val_split=100 --epochs 1 --set quirks.softmax_axis=batch";
    let bench = train(args, "");
    bench.fails(
        1,
        "predict m digits --rows ..20",
        "each prediction depends on which other rows come with it",
    );
    assert_eq!(bench.ok("predict m digits --rows ..20 --as-one-batch").lines().count(), 21);
    bench.fails(2, "predict m digits digits --as-one-batch", "takes one file");
    let output = bench.run("evaluate m --data digits --rows ..20 --json");
    let note = String::from_utf8(output.stderr).unwrap();
    assert!(note.contains("all 20 rows are taken as one batch") && note.lines().count() == 1, "{note}");
    serde_json::from_slice::<Value>(&output.stdout).unwrap();
}
