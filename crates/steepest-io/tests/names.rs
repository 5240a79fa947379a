//! Names of data sets, parts, rows, generated digits.

mod common;

use common::*;
use steepest::Inputs;
use steepest_io::{DataError, DataSpec, LoadOptions, Loaded, Part, RowRange, fingerprint, load, load_part};
use tempfile::TempDir;

fn load_name(name: &str, options: &LoadOptions) -> Result<Loaded, DataError> {
    load(&DataSpec::parse(name)?, options)
}

#[test]
fn names_are_looked_for_in_the_folders_in_order() {
    let (first, second) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let options = looking_in(&[first.path(), second.path()]);
    let missing = load_name("mnist", &options);
    let in_first = first.path().join("mnist").display().to_string();
    assert_error!(missing, DataError::NotFound { .. }, &in_first, "mnist.npz", "STEEPEST_DATA", "digits");

    std::fs::copy(fixture("keras.npz"), second.path().join("mnist.npz")).unwrap();
    let (train, _) = both(load_name("mnist", &options));
    assert_eq!(train.n_samples(), 4);
    // A folder of something else is not in the way, one with IDX files comes first.
    std::fs::create_dir(first.path().join("mnist")).unwrap();
    assert_eq!(fingerprint(&both(load_name("mnist", &options)).0), fingerprint(&train));
    idx_folder(&first, "mnist", "-idx?-ubyte");
    std::fs::remove_file(second.path().join("mnist.npz")).unwrap();
    assert_eq!(fingerprint(&both(load_name("mnist", &options)).0), fingerprint(&train));
    assert_eq!(one(load_name("mnist/test", &options)).n_samples(), 2);
    assert_error!(
        load_name("mnist/valid", &options),
        DataError::Part { .. },
        "`valid`",
        "`train` and `test`"
    );
    assert_error!(load_name("", &options), DataError::SpecEmpty);
}

#[test]
fn parts_of_files_and_folders() {
    let folder = TempDir::new().unwrap();
    let idx = idx_folder(&folder, "mnist", ".idx?-ubyte").display().to_string();
    let npz = fixture("keras.npz").display().to_string();
    let csv = fixture("kaggle.csv").display().to_string();
    let options = looking_in(&[]);
    for name in [&idx, &npz] {
        let (train, test) = both(load_name(name, &options));
        for (part, dataset, other) in [("train", &train, Part::Test), ("test", &test, Part::Train)] {
            let named = DataSpec::parse(&format!("{name}/{part}")).unwrap();
            assert_eq!(fingerprint(&one(load(&named, &options))), fingerprint(dataset));
            let default = load_part(&named, other, &options).unwrap();
            assert_eq!(fingerprint(&default), fingerprint(dataset), "the name comes before the default");
        }
        let unnamed = load_part(&DataSpec::parse(name).unwrap(), Part::Test, &options).unwrap();
        assert_eq!(fingerprint(&unnamed), fingerprint(&test));
    }
    assert_error!(load_name(&format!("{csv}/test"), &options), DataError::NoParts { .. }, "/test");
    assert_eq!(load_part(&DataSpec::parse(&csv).unwrap(), Part::Test, &options).unwrap().n_samples(), 6);
    // What exists under the whole name wins.
    std::fs::copy(fixture("kaggle.csv"), format!("{idx}/test")).unwrap();
    assert_eq!(one(load_name(&format!("{idx}/test"), &options)).n_samples(), 6);
}

#[test]
fn ranges_of_rows() {
    for (text, range) in [("..4", 0..4), ("2..5", 2..5), ("5..", 5..10), ("3", 0..3), ("..", 0..10)] {
        assert_eq!(RowRange::parse(text).unwrap().within(10).unwrap(), range);
    }
    for text in ["", "a", "1..b", "-1", "+1", "1..2..3", "1.5", "99999999999999999999999"] {
        assert_error!(RowRange::parse(text), DataError::RangeSyntax { .. }, "1000..42000");
    }
    for text in ["..11", "10..", "4..4", "5..4", "0"] {
        assert_error!(RowRange::parse(text).unwrap().within(10), DataError::Range { .. }, "0..10");
    }
    let mut options = looking_in(&[]);
    options.rows = Some(RowRange::parse("1..3").unwrap());
    let (train, test) = both(load_name(fixture("keras.npz").to_str().unwrap(), &options));
    assert_eq!((train.n_samples(), test.n_samples()), (2, 2));
    assert_eq!(classes(&train), (&[0, 1][..], vec!["0", "1", "2", "3"]));
    let csv = one(load_name(fixture("kaggle.csv").to_str().unwrap(), &options));
    assert_eq!((csv.n_samples(), csv.image()), (2, Some((2, 2))));
}

#[test]
fn digits_are_drawn() {
    let options = looking_in(&[]);
    let (train, test) = both(load_name("digits", &options));
    assert_eq!((train.n_samples(), test.n_samples()), (60_000, 10_000));
    assert_eq!((train.n_features(), train.image()), (784, Some((28, 28))));
    assert_eq!(&classes(&train).0[..12], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
    let print = |name: &str| fingerprint(&one(load_name(name, &options)));
    assert_eq!(fingerprint(&train), print("digits:0/train"));
    assert_eq!(fingerprint(&test), print("digits/test"));
    assert_ne!(print("digits/test"), print("digits:7/test"));
    for name in ["digits:", "digits:x", "digits:-1/train", "digits:99999999999999999999"] {
        assert_error!(load_name(name, &options), DataError::Seed { .. }, "digits:7");
    }
    assert_error!(load_name("digits/valid", &options), DataError::Part { .. }, "`train` and `test`");
}

#[test]
fn more_digits_than_the_usual_number() {
    let mut options = looking_in(&[]);
    options.rows = Some(RowRange::parse("59990..200000").unwrap());
    let digits = one(load_name("digits/train", &options));
    let Inputs::Drawn { rows, draw } = digits.inputs() else { panic!("digits are drawn") };
    assert_eq!((rows.len(), rows[0]), (140_010, 59_990));
    let mut image = [0; 784];
    draw(3, 199_999, &mut image);
    assert!(image.iter().any(|&pixel| pixel > 100));
    options.rows = Some(RowRange::parse("100..").unwrap());
    assert_eq!(one(load_name("digits/test", &options)).n_samples(), 9_900);
}
