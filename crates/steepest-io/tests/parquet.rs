//! Parquet files as tables: what the corpus's single files do not show.
#![cfg(feature = "parquet")]

mod common;

use std::path::{Path, PathBuf};

use common::*;
use steepest::{Plan, Recipe, Session, Start};
use steepest_io::{
    DataError, DataSpec, KnownColumns, KnownTarget, LoadOptions, ParquetError, RowRange, TableOptions,
    is_table, load_table, model_bytes, read_table,
};
use tempfile::TempDir;

/// A file of the corpus.
fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/parquet").join(name)
}

fn people_csv() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benchmarks/tables/people.csv")
}

fn new(target: &str, drop: &[&str]) -> TableOptions {
    let drop = drop.iter().map(ToString::to_string).collect();
    TableOptions::New { target: Some(target.into()), drop, kinds: Default::default() }
}

/// The model that a table trains in some steps, as its file has it.
fn trained(path: &Path, target: &str) -> Vec<u8> {
    let text = "[data]\nmissing = \"mean\"\nval_split = 0.2\n[network]\nhidden = [8]\n[training]\nepochs = 5";
    let table = read_table(path, &new(target, &[])).unwrap();
    let (plan, data) = Plan::of_table(Recipe::parse(text, &[]).unwrap(), &table).unwrap();
    let mut session = Session::<f32>::new(plan, data, None, Start::default(), 1).unwrap();
    while session.advance().unwrap().stop.is_none() {}
    model_bytes(&session.model()).unwrap()
}

/// Numbers, text, flags and missing values; classes of text and of flags, and a number to be predicted.
#[test]
fn the_same_table_trains_the_same_model() {
    let folder = TempDir::new().unwrap();
    // A target must be there in all rows.
    for (name, target) in
        [("people", "income"), ("people", "10"), ("complete", "city"), ("complete", "member")]
    {
        let csv = std::fs::read_to_string(people_csv().with_file_name(format!("{name}.csv"))).unwrap();
        let csv = csv.replace("True", "true").replace("False", "false");
        let of_csv = trained(&write(&folder, "t.csv", csv.as_bytes()), target);
        for writer in ["polars", "arrow"] {
            let of_parquet = trained(&corpus(&format!("{name}-{writer}.parquet")), target);
            assert!(of_parquet == of_csv, "{name} of {writer}, {target}");
        }
    }
}

#[test]
fn a_model_of_one_format_takes_tables_of_the_other() {
    let (csv, parquet) = (people_csv(), corpus("people-shuffled.parquet"));
    let recipe = Recipe::parse("[data]\nmissing = \"mean\"\nval_split = 0", &[]).unwrap();
    let table = read_table(&csv, &new("income", &[])).unwrap();
    let (plan, data) = Plan::of_table(recipe, &table).unwrap();
    let columns = KnownColumns::of_model(plan.columns.as_ref().unwrap());
    let known = |target| TableOptions::Known { columns: columns.clone(), target };
    // Columns in another order, among them a list that is not asked for.
    let other = read_table(&parquet, &known(KnownTarget::SameName)).unwrap();
    assert_eq!(other.ignored(), ["list"]);
    let other = plan.encode(&other).unwrap();
    assert_eq!((floats(&other), other.targets()), (floats(&data), data.targets()));
    let lacking = read_table(&corpus("people-few.parquet"), &known(KnownTarget::None)).unwrap();
    let message = plan.encode(&lacking).err().unwrap().to_string();
    assert!(message.contains("lacks columns") && message.contains("`height`, `job, or none`"), "{message}");
    let none = read_table(&corpus("none.parquet"), &known(KnownTarget::None));
    assert_error!(none, DataError::NoData { .. }, "none of the columns");
    let error = read_table(&parquet, &known(KnownTarget::Named("salary".into())));
    assert_error!(error, DataError::Csv(_), "no column `salary`");
}

#[test]
fn columns_are_found_by_name_and_number() {
    let path = corpus("none.parquet");
    let target = |wanted: &str| read_table(&path, &new(wanted, &["f"])).unwrap();
    assert_eq!(target("c").columns()[target("c").target().unwrap()].name, "c");
    assert_eq!(target("3").target(), target("c").target());
    assert_eq!(target("c").ignored(), ["f"]);
    assert_error!(read_table(&path, &new("9", &[])), DataError::Csv(_), "`a`, `f`, `c`, `b`");
    let nested = read_table(&corpus("nested-list.parquet"), &new("y", &[]));
    assert_error!(nested, DataError::Parquet(ParquetError::Column { .. }), "`list`", "--drop");
    assert!(read_table(&corpus("nested-list.parquet"), &new("y", &["list"])).is_ok());
}

#[test]
fn it_is_a_table_and_never_rows() {
    let path = corpus("none.parquet");
    let spec = DataSpec::parse(path.to_str().unwrap()).unwrap();
    let options = LoadOptions { rows: Some(RowRange::parse("2..7").unwrap()), ..looking_in(&[]) };
    assert!(is_table(&spec, &options).unwrap());
    let table = load_table(&spec, &options, &new("y", &[])).unwrap().unwrap();
    assert_eq!(table.n_rows(), 5);
    let error = error(load_path(&path));
    assert!(error.asks_for_columns() && error.to_string().contains("encoded one by one"), "{error}");
    let part = DataSpec::parse(&format!("{}/train", path.display())).unwrap();
    assert_error!(load_table(&part, &options, &new("y", &[])), DataError::NoParts { .. });
}

/// Prefixes are refused, and no changed byte makes the reader panic, hang or fill the memory: all of a small file, and some of
/// each of those that are written otherwise.
#[test]
fn damaged_files_do_not_panic() {
    let folder = TempDir::new().unwrap();
    for (name, step) in [("whole", 1), ("zstd", 11), ("lz4", 11), ("snappy-polars", 11), ("delta", 11)] {
        let contents = std::fs::read(corpus(&format!("{name}.parquet"))).unwrap();
        let read = |contents: &[u8]| read_table(&write(&folder, "t.parquet", contents), &new("y", &[]));
        assert!(read(&contents).is_ok());
        for at in (0..contents.len()).step_by(step) {
            assert!(read(&contents[..at]).is_err(), "{at} bytes of {name}");
            for value in [contents[at] ^ 0x01, contents[at] ^ 0xff] {
                let mut changed = contents.clone();
                changed[at] = value;
                if let Err(error) = read(&changed) {
                    let message = error.to_string();
                    assert!(message.len() < 1000 && !message.contains(char::is_control), "{message:?}");
                }
            }
        }
    }
}
