//! Tables with text and missing values: their columns are encoded as scikit-learn does, and a model takes them with it.

mod common;

use std::path::{Path, PathBuf};

use common::*;
use serde_json::Value;
use steepest::{
    AnyModel, Columns, Dataset, Encoding, Init, Inputs, Model, Network, Plan, Pool, Recipe, RegressionScore,
    Session, Start, Table, Targets,
};
use steepest_io::{
    CellProblem, CsvError, DataError, KnownColumns, KnownTarget, TableOptions, load_model, model_bytes,
    read_table, save_model,
};
use tempfile::TempDir;

fn new(target: Option<&str>, drop: &[&str]) -> TableOptions {
    let drop = drop.iter().map(ToString::to_string).collect();
    TableOptions::New { target: target.map(Into::into), drop, kinds: Default::default() }
}

fn read_with(text: impl AsRef<[u8]>, options: &TableOptions) -> Result<Table, DataError> {
    let folder = TempDir::new().unwrap();
    read_table(&write(&folder, "table.csv", text.as_ref()), options)
}

fn read(text: impl AsRef<[u8]>) -> Result<Table, DataError> {
    read_with(text, &new(None, &[]))
}

/// A recipe in double precision whose first rows are held out.
fn recipe(keys: &str) -> Recipe {
    let text = format!("precision = \"f64\"\n[network]\nhidden = [4]\n[data]\nshuffle = false\n{keys}");
    Recipe::parse(&text, &[]).unwrap()
}

fn plan(keys: &str, text: &str) -> Result<(Plan, Dataset), String> {
    Plan::of_table(recipe(keys), &read(text).unwrap()).map_err(|error| error.to_string())
}

/// The start of a column's inputs, and how many it has.
fn inputs_of(columns: &Columns, name: &str) -> std::ops::Range<usize> {
    let place = columns.inputs.iter().position(|column| column.name == name).unwrap();
    let start = columns.inputs[..place].iter().map(|column| column.encoding.n_inputs()).sum();
    start..start + columns.inputs[place].encoding.n_inputs()
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benchmarks/tables").join(name)
}

/// Against `SimpleImputer`, `StandardScaler` and `OneHotEncoder` of scikit-learn 1.9 (benchmarks/tables/make_golden.py).
#[test]
fn columns_are_encoded_as_by_scikit_learn() {
    let expected: Value = serde_json::from_slice(&std::fs::read(golden("encoded.json")).unwrap()).unwrap();
    let numbers = |value: &Value| -> Vec<f64> {
        value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
    };
    let mut n_checked = 0;
    for case in expected["cases"].as_array().unwrap() {
        let keys = case["keys"].as_object().unwrap();
        let text: String = keys.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        let fills = keys.contains_key("missing");
        let table =
            read_table(&golden(if fills { "people.csv" } else { "complete.csv" }), &new(Some("income"), &[]));
        let held_out = &expected["held_out"];
        let (plan, data) =
            Plan::of_table(recipe(&format!("val_split = {held_out}\n{text}")), &table.unwrap()).unwrap();
        let columns = plan.columns.as_ref().unwrap();
        let order =
            case["order"].as_array().unwrap().iter().map(|name| inputs_of(columns, name.as_str().unwrap()));
        let order: Vec<usize> = order.flatten().collect();
        assert_eq!(order.len(), columns.n_inputs());
        for (row, expected) in
            doubles(&data).chunks(columns.n_inputs()).zip(case["inputs"].as_array().unwrap())
        {
            for (&place, expected) in order.iter().zip(numbers(expected)) {
                let found = row[place];
                // `far` is 1e8 and more, with a deviation of 1: eight of sixteen digits are left.
                assert!(
                    (found - expected).abs() < 1e-7 * expected.abs().max(1.0),
                    "{text}: {found} is not {expected}"
                );
                n_checked += 1;
            }
        }
        let (targets, expected) = (values(&data).0, numbers(&case["targets"]));
        assert!(targets.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-12), "{targets:?}");
        assert_eq!(targets.len(), expected.len());
    }
    assert!(n_checked > 5000, "{n_checked}");
    let of = &expected["regression"];
    let score = RegressionScore::new(&numbers(&of["truth"]), &numbers(&of["predicted"]), 1);
    let close = |a: f64, b: &Value| (a / b.as_f64().unwrap() - 1.0).abs() < 1e-13;
    assert!(close(score.r2, &of["r2"]) && close(score.rmse, &of["rmse"]));
}

const PEOPLE: &str = "age,city,member,y\n20,Oslo,true,a\n40,Rome,false,b\n30,Oslo,false,b\n30,Bern,true,a\n";

#[test]
fn other_tables_are_encoded_by_name() {
    let (plan, data) = plan("val_split = 0", PEOPLE).unwrap();
    let columns = plan.columns.as_ref().unwrap();
    let known = |target| TableOptions::Known { columns: KnownColumns::of_model(columns), target };
    let encode = |text: &str, target| -> Result<Dataset, String> {
        let table = read_with(text, &known(target)).map_err(|error| error.to_string())?;
        plan.encode(&table).map_err(|error| error.to_string())
    };
    // Other order, other columns, and a target that is none.
    let text = "\u{e9},city,y,age,id,member\nx,Oslo,a,20,2020-01-01,true\n,Paris,nothing,60,,False\n";
    let other = encode(text, KnownTarget::None).unwrap();
    assert_eq!(doubles(&other)[..5], doubles(&data)[..5]);
    let scaled = (60.0 - 30.0) / 50f64.sqrt();
    assert_eq!(doubles(&other)[5..], [scaled, 0.0, 0.0, 0.0, 0.0], "a city that was not learnt is none");
    assert_eq!(other.targets(), None);
    let table = read_with(text, &known(KnownTarget::None)).unwrap();
    assert_eq!(table.ignored(), ["\u{e9}", "id"]);

    let says = |text: &str, target, parts: &[&str]| {
        let message = encode(text, target).map(|_| ()).unwrap_err();
        assert!(parts.iter().all(|part| message.contains(part)), "{message}\ndoes not say {parts:?}");
    };
    says(text, KnownTarget::SameName, &["`y`", "`nothing` is none of the 2"]);
    says("age,x\n1,2\n", KnownTarget::None, &["lacks columns", "`city`, `member`", "`age`, `x`"]);
    says("age,city,member\n1,,true\n", KnownTarget::None, &["line 2, column `city`", "--missing mean"]);
    says("age,city,member\nold,Oslo,true\n", KnownTarget::None, &["line 2, column `age`", "`old`"]);
    says(
        "age,city,member\n1,Oslo,perhaps\n",
        KnownTarget::None,
        &["column `member`", "`perhaps` is neither"],
    );
    says("age,city,member\n1e300,Oslo,1\n1,Oslo,0,3\n", KnownTarget::None, &["line 3"]);
    says("age,age,city,member\n1,2,x,1\n", KnownTarget::None, &["two columns are named `age`"]);
    // A column of numbers that were text in training stays text.
    let labelled = encode("who,member,city,age\nb,1,7,30\n", KnownTarget::Named("who".into())).unwrap();
    assert_eq!((doubles(&labelled)[4], classes(&labelled).0), (1.0, &[1][..]));
    let header = encode("age,city,member\n", KnownTarget::None).err().unwrap();
    assert!(header.contains("header"), "{header}");
}

#[test]
fn nameless_tables_are_known_by_place() {
    let (plan, data) = plan("val_split = 0", "p,1.5,20\nq,2.5,21\nq,0.5,22\n").unwrap();
    let known = KnownColumns::of_model(plan.columns.as_ref().unwrap());
    let read = |text: &str, target| {
        plan.encode(&read_with(text, &TableOptions::Known { columns: known.clone(), target }).unwrap())
            .unwrap()
    };
    for (text, target) in [
        ("q,2.5,21\n", KnownTarget::SameName),
        ("q,2.5,21\n", KnownTarget::None),
        ("2.5,21\n", KnownTarget::None),
    ] {
        assert_eq!(doubles(&read(text, target)), &doubles(&data)[2..4]);
    }
}

#[test]
fn held_out_rows_have_no_say() {
    let text = "a,c,y\n1000,new,p\n-1000,new,q\n1,u,p\n3,v,q\n1,u,p\n3,v,q\n";
    let (plan, data) = plan("val_split = 2", text).unwrap();
    let Encoding::Number { scaling, fill } = &plan.columns.as_ref().unwrap().inputs[0].encoding else {
        panic!()
    };
    assert_eq!((scaling.mean, scaling.deviation, *fill), (2.0, 1.0, None));
    assert_eq!(doubles(&data)[..6], [998.0, 0.0, 0.0, -1002.0, 0.0, 0.0]);
}

#[test]
fn what_is_recognised_is_written_down() {
    let names: String = (0..12).map(|i| format!("{i},n{i},{},{},{}\n", i % 3, i % 2 == 0, i % 4)).collect();
    let text = format!("a,name,b,f,y\n{names}");
    let (plan, _) = plan("val_split = 4\nsplit = \"stratified\"", &text).unwrap();
    let data = &plan.recipe.data;
    assert_eq!(data.drop.as_deref(), Some(&["name".to_string()][..]));
    assert_eq!((data.target.as_deref(), data.columns.len()), (Some("y"), 3));
    assert_eq!(plan.classes, ["0", "1", "2", "3"]);
    assert!(
        plan.notes.iter().any(|note| note.contains("`name` is left out: 12 of its 12 values")),
        "{:?}",
        plan.notes
    );
    assert!(plan.notes.iter().any(|note| note.contains("4 different whole numbers, taken as classes")));
    // One row of each class is held out, and the plan makes the same plan.
    let table = read(&text).unwrap();
    let (again, _) = Plan::of_table(Recipe::parse(&plan.recipe.to_toml(), &[]).unwrap(), &table).unwrap();
    assert_eq!((&again.recipe, &again.split, &again.columns), (&plan.recipe, &plan.split, &plan.columns));
    assert_eq!(plan.split.validation.len(), 4);
    // With few rows for as many values, a number is a number; what is asked for is done.
    for (task, n_classes) in [("", 0), ("task = \"classification\"", 12), ("task = \"regression\"", 0)] {
        let keys = format!("val_split = 0\ntarget = \"a\"\nsplit = \"stratified\"\n{task}");
        let table = read_with(&text, &new(Some("a"), &[])).unwrap();
        let (plan, _) = Plan::of_table(recipe(&keys), &table).unwrap();
        assert_eq!((plan.classes.len(), plan.recipe.data.split.is_some()), (n_classes, n_classes > 0));
        assert_eq!(plan.notes.iter().any(|note| note.contains("to be predicted as such")), task.is_empty());
    }
}

#[test]
fn what_a_plan_refuses() {
    let says = |keys: &str, text: &str, parts: &[&str]| {
        let message = plan(keys, text).map(|_| ()).unwrap_err();
        assert!(parts.iter().all(|part| message.contains(part)), "{message}\ndoes not say {parts:?}");
    };
    says("divide_by = 255.0", PEOPLE, &["data.divide_by", "data.scale"]);
    says("max_categories = 0", PEOPLE, &["data.max_categories is 0"]);
    says("task = \"regression\"", PEOPLE, &["--task regression", "`y`", "`a`"]);
    says("[data.columns]\nage = \"flag\"", PEOPLE, &["`age` holds numbers"]);
    says("[data.columns]\ncity = \"flag\"", PEOPLE, &["`city`: `Oslo` is neither"]);
    says("[data.columns]\ny = \"text\"", PEOPLE, &["`y`, which is the target"]);
    says("", "a,b\n1,x\n2,y\n", &["no column is named label", "--target (`a`, `b`)"]);
    let both = "[data]\nsplit = \"stratified\"\n[quirks]\nsplit_shuffle = \"overwrite\"";
    let both = Plan::of_table(Recipe::parse(both, &[]).unwrap(), &read(PEOPLE).unwrap());
    assert!(both.err().unwrap().to_string().contains("quirks.split_shuffle"));
    // Tables' keys mean nothing to other data.
    let data = Dataset::new(
        Inputs::F64(vec![1.0; 8].into()),
        2,
        Some(Targets::Values { values: vec![1.0; 4], n_outputs: 1 }),
    );
    let message = Plan::new(recipe("drop = [\"a\"]"), &data.unwrap()).unwrap_err().to_string();
    assert!(message.contains("data.drop is for tables"), "{message}");
}

#[test]
fn cells_that_no_column_can_hold() {
    let mostly: String = (0..20).map(|i| format!("{i},u,p\n")).collect();
    let odd = read(format!("a,c,y\n{mostly}x,u,q\n"));
    assert_error!(
        odd,
        DataError::Csv(CsvError::Cell {
            problem: CellProblem::Odd { numbers: 20, present: 21, .. },
            line: 22,
            ..
        }),
        "`x`"
    );
    let comma = read("a;c;y\n0,5;u;p\n1;u;q\n");
    assert_error!(
        comma,
        DataError::Csv(CsvError::Cell { problem: CellProblem::DecimalComma(_), line: 2, .. })
    );
    assert_error!(
        read("a,c,y\ninf,u,p\n"),
        DataError::Csv(CsvError::Cell { problem: CellProblem::NotFinite(_), .. })
    );
    // What is left out may be anything but short of cells or of a quote.
    let wild = "a,d,y\n1,\"x\n\u{1}\",p\n2,inf,q\n3,2020-01-01,q\n";
    assert_eq!(read_with(wild, &new(None, &["d"])).unwrap().columns().len(), 2);
}

/// Known by its first bytes or by its name.
#[cfg(not(feature = "parquet"))]
#[test]
fn without_its_feature_parquet_is_named_and_no_more() {
    let folder = TempDir::new().unwrap();
    for (name, contents) in [("t.bin", &b"PAR1\x15\0"[..]), ("t.parquet", b"a,y\n1,2\n")] {
        let path = write(&folder, name, contents);
        let options = [read_table(&path, &new(None, &[])).map(|_| ()), load_path(&path).map(|_| ())];
        for found in options {
            assert_error!(found, DataError::Parquet(_), name, "--features parquet", "save the table as CSV");
        }
    }
}

/// 100,000 categories are read and folded soon, a cell of a megabyte is refused, and so are too many columns.
#[test]
fn large_tables_take_their_time_and_no_more() {
    let start = std::time::Instant::now();
    let rows: String = (0..200_000).map(|i| format!("{},c{},{}\n", i % 7, i / 2, i % 2)).collect();
    let (plan, _) = plan("val_split = 0", &format!("a,c,y\n{rows}")).unwrap();
    assert_eq!(plan.network.sizes[0], 1 + 32);
    let wide = "a,".repeat(70_000) + "y\n";
    assert_error!(read(wide), DataError::Csv(CsvError::Wide { found: 70_001, .. }));
    let long = format!("c,y\n{},p\n", "x".repeat(1 << 20));
    assert_error!(
        read(long),
        DataError::Csv(CsvError::Cell { problem: CellProblem::Long { .. }, .. }),
        "--drop"
    );
    eprintln!("{:?}", start.elapsed());
}

/// A model of a table, with text, flags, numbers and a number to be predicted.
fn model(target: &str) -> Model<f64> {
    let keys = format!("val_split = 0\nmissing = \"mean\"\nmax_categories = 2\ntarget = \"{target}\"");
    let text = "age,city,member,y,income\n20,Oslo,true,a,1000.5\n40,Rome,false,b,3000\n,Oslo,,b,2500\n30,,true,a,1500\n25,Bern,false,a,2000\n";
    let (plan, _) =
        Plan::of_table(recipe(&keys), &read_with(text, &new(Some(target), &[])).unwrap()).unwrap();
    Model::new(&plan, Network::random(plan.network.clone(), Init::HeNormal, Init::HeNormal, 3))
}

#[test]
fn a_model_keeps_its_columns() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("m.safetensors");
    for target in ["y", "income"] {
        let model = model(target);
        save_model(&model, &path).unwrap();
        let AnyModel::F64(loaded) = load_model(&path).unwrap() else { panic!("not double") };
        assert_eq!(
            (&loaded.columns, &loaded.classes, &loaded.recipe),
            (&model.columns, &model.classes, &model.recipe)
        );
        assert_eq!(model_bytes(&loaded).unwrap(), std::fs::read(&path).unwrap());
    }
}

#[test]
fn numbers_are_predicted_in_their_units() {
    let mut model = model("income");
    let scaling = model.target_scaling().unwrap();
    assert_eq!(scaling.mean, 2000.1);
    // With no weight, the mean is predicted.
    model.network.parameters.iter_mut().for_each(|w| *w = 0.0);
    let n_inputs = model.n_features();
    let rows = Dataset::new(Inputs::F64(vec![0.5; n_inputs].into()), n_inputs, None).unwrap();
    assert_eq!(model.predict(&rows, &mut Pool::new(1)).values, [2000.1]);
    assert_eq!(steepest::Predictor::new(&model).predict(&vec![0.5; n_inputs]), [2000.1]);
}

#[test]
fn damaged_columns_are_refused() {
    let folder = TempDir::new().unwrap();
    let bytes = model_bytes(&model("income")).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = String::from_utf8(bytes[8..8 + length].to_vec()).unwrap();
    let with = |header: &str, data: &[u8]| {
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
    };
    let data = &bytes[8 + length..];
    let refused = |contents: &[u8], says: &str| {
        let message = load_model(&write(&folder, "m", contents)).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains(says), "{message}\ndoes not say {says}");
    };
    assert!(load_model(&write(&folder, "m", &with(&header, data))).is_ok());
    for (from, to, says) in [
        (r#"\"name\":\"city\""#, r#"\"name\":\"age\""#, "the same name"),
        (r#"\"name\":\"city\""#, r#"\"name\":\"income\""#, "the same name"),
        (r#"\"categories\":[\"Oslo\"]"#, r#"\"categories\":[\"Rome\",\"Oslo\"]"#, "sorted"),
        (
            r#"\"categories\":[\"Oslo\"]"#,
            r#"\"categories\":[\"A\",\"B\",\"C\"]"#,
            "inputs, but the network has",
        ),
        (r#"\"categories\":[\"Oslo\"],\"other\":true"#, r#"\"categories\":[],\"other\":false"#, "none"),
        (r#"\"other\":true,\"fill\":0"#, r#"\"other\":true,\"fill\":7"#, "filled in"),
        (r#"\"kind\":\"flag\""#, r#"\"kind\":\"number\""#, "metadata is damaged"),
        (
            r#"\"kind\":\"flag\",\"name\":\"member\",\"fill\":false"#,
            r#"\"kind\":\"number\",\"name\":\"member\""#,
            "columns.",
        ),
        (r#"\"kind\":\"flag\""#, r#"\"kind\":\"date\""#, "metadata is damaged"),
        (r#""columns.target""#, r#""columns.targets""#, "besides"),
        (r#""columns.fill""#, r#""columns.full""#, "besides"),
    ] {
        assert!(header.contains(from), "{header} has no {from}");
        refused(&with(&header.replacen(from, to, 1), data), says);
    }
    // A deviation of 0, and numbers that are none: wherever the tensors lie.
    for i in 0..data.len() / 8 {
        for wrong in [0.0f64, f64::NAN, f64::INFINITY, -1.0] {
            let mut data = data.to_vec();
            data[8 * i..8 * i + 8].copy_from_slice(&wrong.to_le_bytes());
            if data != bytes[8 + length..] {
                refused(&with(&header, &data), "");
            }
        }
    }
}

/// Every byte changed in many ways, and every prefix: read or refused, and what is read reads the same again.
#[test]
fn damaged_tables_do_not_panic() {
    let folder = TempDir::new().unwrap();
    let text = "age,city,\"job\",y\r\n20,Oslo,true,a\n,\"Rome, x\",false,b\n3e1,Oslo,,b\n30,NA,true,a\n1,\"a\"\"b\",true,a\n";
    let try_it = |contents: &[u8]| {
        let path = write(&folder, "t.csv", contents);
        let Ok(table) = read_table(&path, &new(None, &[])) else { return 0 };
        let Ok((plan, data)) = Plan::of_table(recipe("val_split = 0\nmissing = \"mean\""), &table) else {
            return 0;
        };
        assert!(doubles(&data).iter().all(|x| x.is_finite()));
        let columns = KnownColumns::of_model(plan.columns.as_ref().unwrap());
        let known = TableOptions::Known { columns, target: KnownTarget::SameName };
        let again = plan.encode(&read_table(&path, &known).unwrap()).unwrap();
        assert!(
            doubles(&data) == doubles(&again) && data.targets() == again.targets(),
            "{:?}",
            String::from_utf8_lossy(contents)
        );
        1
    };
    let bytes = text.as_bytes();
    let mut n_read = 0;
    for place in 0..bytes.len() {
        n_read += try_it(&bytes[..place]);
        for wrong in *b"\0\"\r\n,;-e9.x\x1b\xff" {
            let mut contents = bytes.to_vec();
            contents[place] = wrong;
            n_read += try_it(&contents);
        }
    }
    assert!(n_read > 300, "{n_read}");
}

#[test]
fn a_column_of_weights_counts_rows_as_if_they_were_there_several_times() {
    let keys = "val_split = 0\nscale = \"none\"\n[training]\nbatch_size = \"full\"\nepochs = 20\noptimizer = \"momentum\"\nlr = 0.1";
    let train = |keys: &str, text: &str| {
        let (plan, data) = plan(keys, text).unwrap();
        let mut session = Session::<f64>::new(plan, data, None, Start::default(), 1).unwrap();
        let mut loss = f64::NAN;
        while session.trainer().steps() < 20 {
            loss = session.advance().unwrap().step.loss;
        }
        (loss, session.trainer().network().parameters.to_vec())
    };
    let weighted = "a,w,b,label\n1,2,0.5,x\n-1,0,3,y\n0.3,1,-1,y\n0.7,3,0.1,x\n";
    let repeated = "a,b,label\n1,0.5,x\n1,0.5,x\n0.3,-1,y\n0.7,0.1,x\n0.7,0.1,x\n0.7,0.1,x\n";
    let (loss, parameters) = train(&format!("sample_weight = \"w\"\n{keys}"), weighted);
    let (expected_loss, expected) = train(keys, repeated);
    assert!((loss - expected_loss).abs() < 1e-12);
    assert!(parameters.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-12));

    for (name, text, message) in [
        ("v", weighted, "data.sample_weight names a column `v`, but"),
        ("label", weighted, "names the column `label`, which is the target"),
        ("w", "a,w,label\n1,,x\n2,1,y\n", "line 2, column `w`: no value"),
        ("w", "a,w,label\n1,-1,x\n2,1,y\n", "weights of column `w`: row 0 has weight -1"),
        ("w", "a,w,label\n1,0,x\n2,0,y\n", "more than 0 for some row"),
        ("w", "a,w,label\n1,much,x\n2,little,y\n", "holds text such as `much`: expected numbers"),
    ] {
        let error = plan(&format!("sample_weight = {name:?}"), text).err().unwrap();
        assert!(error.contains(message), "{error}");
    }
}
