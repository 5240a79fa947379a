//! A table as people have it, from raw rows to predictions, end to end.

mod common;

use common::{Bench, stderr};
use serde_json::Value;

/// 150 people: ages, cities, jobs, a flag, days on which they joined, some values missing, and what they earn.
fn people(bench: &Bench) {
    let row = |i: usize| {
        let (age, city, job) =
            (18 + i * 7 % 50, ["Oslo", "Rome", "New York, NY"][i % 3], ["nurse", "baker"][i / 3 % 2]);
        let income = 10_000 + 500 * age + 9000 * (i % 3) + 4000 * (i / 3 % 2);
        let age = if i % 40 == 7 { String::new() } else { age.to_string() };
        let (joined, city) =
            (format!("20{:02}-03-01", i % 20), if i % 50 == 9 { "NA".into() } else { format!("\"{city}\"") });
        format!("Person {i},{age},{city},{job},{},{joined},{income}.5\n", i.is_multiple_of(4))
    };
    bench.write(
        "people.csv",
        &("name,age,city,job,member,joined,income\n".to_string() + &(0..150).map(row).collect::<String>()),
    );
}

const TRAIN: &str = "train people.csv --target income --drop joined --missing mean";

#[test]
fn every_message_says_what_to_do() {
    let bench = Bench::new();
    people(&bench);
    bench.fails(1, "train people.csv", "say which one to predict with --target (`name`, `age`, `city`");
    bench.fails(1, "train people.csv --target salary", "no column `salary`; its columns are `name`, `age`");
    let message = bench.fails(1, "train people.csv --target income", "such as `2000-03-01`");
    assert!(message.contains("(--drop joined)"), "{message}");
    let message =
        bench.fails(1, "train people.csv --target income --drop joined", "people.csv, line 9, column `age`");
    assert!(message.contains("of 7 in `age`, `city`") && message.contains("--missing mean"), "{message}");
    bench.fails(1, &format!("{TRAIN} --drop height"), "data.drop names a column `height`");
    bench.fails(1, &format!("{TRAIN} --task sorting"), "data.task");
    bench.fails(
        1,
        "train people.csv --target job --drop joined --missing mean --task regression",
        "such as `nurse`",
    );
    // Neither a recipe nor data, or data twice.
    let message = bench.fails(2, "train poeple.csv", "no recipe named \"poeple.csv\"");
    assert!(message.contains("or data: a CSV") && message.contains("table, images"), "{message}");
    bench.fails(1, "train mnist/test", "`steepest data fetch mnist` downloads it");
    bench.fails(2, "train people.csv --data people.csv", "--data names data as well");
    bench.fails(1, "train table", "data.scale is for tables");
    assert_eq!(std::fs::read_dir(bench.path()).unwrap().count(), 1, "nothing is left of what never began");
}

#[test]
fn a_number_from_raw_rows() {
    let bench = Bench::new();
    people(&bench);
    let output = bench.run(&format!("{TRAIN} --epochs 60 --json"));
    let (said, json): (String, Value) = (stderr(&output), serde_json::from_slice(&output.stdout).unwrap());
    for part in [
        "note: `income` has ",
        "to be predicted as such (--task classification",
        "note: column `name` is left out: 150 of its 150 values",
        "on people.csv, 135 rows to learn from, 15 to validate",
        "validation R2 0.",
    ] {
        assert!(said.contains(part), "{said}\ndoes not say {part:?}");
    }
    let run = "runs/people-1";
    assert_eq!(json["run"], run);
    let (r2, rmse) = (json["validation_r2"].as_f64().unwrap(), json["train_rmse"].as_f64().unwrap());
    assert!(r2 > 0.7 && (10.0..3000.0).contains(&rmse) && json["test_r2"].is_null(), "{json}");

    // The plan repeats the run, and has all that was decided.
    let plan = bench.read(&format!("{run}/plan.toml"));
    for part in [
        "task = \"regression\"",
        "drop = [\"joined\", \"name\"]",
        "scale = \"standard\"",
        "[data.columns]\nage = \"number\"\n",
    ] {
        assert!(plan.contains(part), "{plan}\ndoes not have {part:?}");
    }
    let again = bench.json(&format!("train {run}/plan.toml --threads 1 --out again --json"));
    assert_eq!((&again["model_sha256"], &again["history"]), (&json["model_sha256"], &json["history"]));
    assert_eq!(bench.read("again/plan.toml"), plan);

    // Rows in another order of columns, with other columns and without the target.
    bench.write(
        "new.csv",
        "job,shoes,city,age,member\nnurse,40,Oslo,30,true\nbaker,41,Lima,50,false\nbaker,,,,true\n",
    );
    let output = bench.run(&format!("predict {run} new.csv --json"));
    assert!(stderr(&output).contains("note: not used of new.csv: `shoes`\n"), "{}", stderr(&output));
    let predictions: Value = serde_json::from_slice(&output.stdout).unwrap();
    let prediction = |row: usize| predictions["predictions"][row]["prediction"].as_f64().unwrap();
    assert!((0..3).all(|row| (10_000.0..80_000.0).contains(&prediction(row))), "{predictions}");
    assert!((prediction(0) - 25_000.0).abs() < 4000.0, "{predictions}");
    bench.write("few.csv", "age,job\n30,nurse\n");
    bench.fails(
        1,
        &format!("predict {run} few.csv"),
        "few.csv lacks columns that are predicted from: `city`, `member`",
    );
    bench.fails(1, &format!("predict {run} digits"), "no table");

    let json = bench.json(&format!("evaluate {run} --data people.csv --json"));
    assert!(json["r2"].as_f64().unwrap() > 0.9 && json["rmse"].as_f64().unwrap() > 10.0, "{json}");
    bench.fails(1, &format!("evaluate {run} --data new.csv"), "new.csv has no column `income`");
    let renamed = bench.read("people.csv").replacen("income", "pay", 1);
    bench.write("renamed.csv", &renamed);
    assert_eq!(bench.json(&format!("evaluate {run} --data renamed.csv --target pay --json")), json);

    let text = bench.ok(&format!("inspect {run}"));
    for part in [
        "7, from 4 columns",
        "age     number       1  mean ",
        "New York, NY, Oslo, Rome; missing: ",
        "predicts `income`: mean",
    ] {
        assert!(text.contains(part), "{text}\ndoes not have {part:?}");
    }
    let inspected = bench.json(&format!("inspect {run} --json"));
    assert_eq!(inspected["columns"][1]["categories"], serde_json::json!(["New York, NY", "Oslo", "Rome"]));
}

#[test]
fn columns_can_be_looked_at() {
    let bench = Bench::new();
    people(&bench);
    let text = bench.ok("data info people.csv --target income");
    for part in [
        "rows      150",
        "columns   7",
        "150 texts: Person 0, Person 1",
        "3 texts: ",
        "(target)",
        "18 to 67, ",
    ] {
        assert!(text.contains(part), "{text}\ndoes not have {part:?}");
    }
    let json = bench.json("data info people.csv --json");
    let city = &json["columns"][2];
    assert_eq!(
        (&json["n_samples"], &city["n_missing"], &city["n_distinct"]),
        (&150.into(), &3.into(), &3.into())
    );
}

#[test]
fn classes_keep_their_names() {
    let bench = Bench::new();
    people(&bench);
    // All rows of a test set, and rows held out by class.
    let args =
        "train people.csv --target city --drop joined --drop name --rows 10..59 --test-data people.csv";
    bench.fails(1, &format!("{args} --missing mean"), "the value to be predicted is missing");
    bench.write(
        "tail.csv",
        &bench.read("people.csv").lines().take(9).map(|line| format!("{line}\n")).collect::<String>(),
    );
    let args = format!("{args} --missing mean --epochs 40 --out run --json")
        .replace("--test-data people.csv", "--test-data tail.csv");
    let json = bench.json(&args);
    assert!(json["test_accuracy"].as_f64().unwrap() > 0.8 && json.get("test_r2").is_none(), "{json}");
    let text = bench.ok("predict run tail.csv --rows ..4 --csv");
    assert!(text.starts_with("row,prediction,\"p_New York, NY\",p_Oslo,p_Rome\n"), "{text}");
    let evaluated = bench.json("evaluate run --data tail.csv --json");
    assert_eq!(evaluated["accuracy"], json["test_accuracy"]);
    assert_eq!(bench.ok("predict run tail.csv --kaggle").lines().count(), 9);
    bench.write("other.csv", "age,job,member,income,city\n30,nurse,true,1,Lima\n");
    bench.fails(1, "evaluate run --data other.csv", "class `Lima` is none of the 3 that are learnt");
}

#[test]
fn any_recipe_takes_text_and_images_stay_images() {
    let bench = Bench::new();
    people(&bench);
    // A recipe that says nothing of tables, on one that cannot be read otherwise.
    bench.ok("train digits --data people.csv --target job --drop joined --missing mean --epochs 1 --out run --quiet");
    assert!(bench.read("run/plan.toml").contains("[data.columns]"));
    bench.ok(
        "compare digits --data people.csv --target job --drop joined --missing mean --epochs 1 --seeds 2",
    );
    // Of numbers it is R² that is compared.
    let numbers =
        "compare table --data people.csv --target income --drop joined --missing mean --epochs 2 --seeds 2";
    let rows = bench.json(&format!("{numbers} --json"));
    assert!(
        rows[0]["validation_r2"].as_f64().is_some_and(|r2| r2 < 1.0) && rows[0]["train_accuracy"].is_null()
    );
    let text = bench.ok(numbers);
    assert!(text.contains("train R2") && text.lines().count() == 3, "{text}");
    // Numbers alone are what they were, unless the table itself is named.
    bench.write(
        "numbers.csv",
        &("a,b,y\n".to_string() + &(0..60).map(|i| format!("{i},{},{}\n", i % 5, i % 2)).collect::<String>()),
    );
    bench.ok("train digits --data numbers.csv --epochs 1 --out bytes --quiet");
    assert!(bench.read("bytes/plan.toml").contains("divide_by = 255.0"));
    bench.ok("train numbers.csv --epochs 1 --quiet");
    assert!(
        bench
            .read("runs/numbers-1/plan.toml")
            .contains("split = \"stratified\"\ndivide_by = 1.0\nscale = \"standard\"")
    );
    // Pixels are bytes.
    let pixels: String =
        (0..20).map(|i| format!("{}{}\n", i % 2, format!(",{}", i * 10 % 256).repeat(256))).collect();
    let names: String = (0..256).map(|i| format!(",pixel{i}")).collect();
    bench.write("pixels.csv", &format!("label{names}\n{pixels}"));
    bench.ok("train pixels.csv --epochs 1 --quiet");
    let plan = bench.read("runs/pixels-1/plan.toml");
    assert!(plan.contains("divide_by = 255.0") && !plan.contains("scale"), "{plan}");
    bench.ok("train digits:3/test --rows ..100 --epochs 1 --quiet --out drawn");
}

#[cfg(feature = "parquet")]
#[test]
fn a_parquet_file_does_as_a_csv_file_does() {
    let bench = Bench::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let copy = |from: &str, to: &str| std::fs::copy(root.join(from), bench.path().join(to)).unwrap();
    copy("benchmarks/tables/people.csv", "people.csv");
    // As other programs than pandas write flags.
    bench.write("people.csv", &bench.read("people.csv").replace("True", "true").replace("False", "false"));
    copy("crates/steepest-io/tests/corpus/parquet/people-polars.parquet", "people.parquet");
    copy("crates/steepest-io/tests/corpus/parquet/people-shuffled.parquet", "new.parquet");
    let train = |file: &str, out: &str| {
        bench.json(&format!(
            "train {file} --target income --missing mean --drop tiny --epochs 9 --out {out} --json"
        ))
    };
    let (of_parquet, of_csv) = (train("people.parquet", "p"), train("people.csv", "c"));
    assert_eq!(of_parquet["history"], of_csv["history"]);
    assert_eq!(bench.ok("predict p new.parquet"), bench.ok("predict c people.csv"));
    assert!(stderr(&bench.run("predict p new.parquet")).contains("not used of new.parquet: `tiny`, `list`"));
    assert_eq!(bench.ok("evaluate p --data new.parquet"), bench.ok("evaluate c --data people.csv"));
    let info = |file: &str| bench.ok(&format!("data info {file}")).replace(file, "");
    assert_eq!(info("people.parquet"), info("people.csv"));
    bench.fails(1, "train people.parquet", "say which one to predict with --target (`age`, `city`");
    bench.fails(1, "train people.parquet --target income", "people.parquet, row 14, column `age`");
    bench.fails(1, "train new.parquet --target income", "column `list` holds lists");
    bench.fails(1, "data convert people.parquet people.npz", "encoded one by one");
    // The plan names its data, which are read again.
    let again = bench.json("train p/plan.toml --out again --json");
    assert_eq!(again["model_sha256"], of_parquet["model_sha256"]);
}

#[cfg(not(feature = "parquet"))]
#[test]
fn a_parquet_file_says_how_it_could_be_read() {
    let bench = Bench::new();
    bench.write("people.parquet", "PAR1");
    bench.fails(1, "train people.parquet --target income", "--features parquet");
    bench.fails(1, "data info people.parquet", "--features parquet");
}
