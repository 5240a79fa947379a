//! What is written reads back as equal data.

mod common;

use std::path::Path;

use common::*;
use steepest::{Dataset, Inputs, SparseRows, SparseValues, Targets};
use steepest_io::{
    CsvOptions, DataError, DataFormat, LoadOptions, Loaded, digits, fingerprint, write_dataset,
};
use tempfile::TempDir;

const FORMS: [(DataFormat, &str); 5] = [
    (DataFormat::Idx, "idx"),
    (DataFormat::Npz, "a.npz"),
    (DataFormat::Npy, "a.npy"),
    (DataFormat::Csv, "a.csv"),
    (DataFormat::Png, "png"),
];

/// Writes and reads back.
fn there_and_back(data: &Loaded, format: DataFormat, path: &Path) -> Result<Loaded, DataError> {
    write_dataset(path, data, format)?;
    let csv = CsvOptions { double: true, ..CsvOptions::default() };
    load_with(path, &LoadOptions { csv, ..looking_in(&[]) })
}

/// The forms that hold a data set give it back, the others refuse it and leave nothing behind.
fn check(data: &Dataset, holds: &[DataFormat]) {
    for (format, name) in FORMS {
        let folder = TempDir::new().unwrap();
        let back = there_and_back(&Loaded::One(data.clone()), format, &folder.path().join(name));
        if holds.contains(&format) {
            let back = one(back);
            assert_eq!((back.image(), back.targets()), (data.image(), data.targets()), "{format:?}");
            assert_eq!(fingerprint(&back), fingerprint(data), "{format:?}");
        } else {
            assert_error!(back, DataError::CannotHold { .. }, "cannot write");
            assert_eq!(folder.path().read_dir().unwrap().count(), 0, "{format:?}");
        }
    }
}

fn classes_of(labels: &[u32], names: &[&str]) -> Option<Targets> {
    Some(Targets::Classes {
        labels: labels.to_vec(),
        names: names.iter().map(|name| name.to_string()).collect(),
    })
}

#[test]
fn images_of_bytes() {
    use DataFormat::*;
    let pixels = || Inputs::Bytes((0..66).map(|i| i * 3 + 50).collect());
    let targets = || classes_of(&[2, 0, 1, 1, 0, 2, 1, 2, 0, 1, 0], &["0", "1", "2"]);
    check(&Dataset::new(pixels(), 6, targets()).unwrap().with_image(2, 3), &[Idx, Npz, Csv, Png]);
    let square = Dataset::new(Inputs::Bytes((0..44).collect()), 4, targets()).unwrap().with_image(2, 2);
    check(&square, &[Idx, Npz, Csv, Png]);
    check(&square.without_targets(), &[Npz, Npy, Csv, Png]);
    let names = ["a,b", "c \"d\"", "\u{e9}t\u{e9}"];
    let named = Targets::Classes {
        labels: vec![0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1],
        names: names.map(String::from).to_vec(),
    };
    check(&Dataset::new(pixels(), 6, Some(named)).unwrap().with_image(2, 3), &[Npz, Csv]);
    let numbers = classes_of(&[0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1], &["-5", "7", "20000"]);
    check(&Dataset::new(pixels(), 6, numbers).unwrap().with_image(2, 3), &[Idx, Npz, Csv, Png]);
    let huge = classes_of(&[0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0], &["1", "5000000000"]);
    check(&Dataset::new(pixels(), 6, huge).unwrap().with_image(2, 3), &[Npz, Csv, Png]);
}

#[test]
fn tables_of_numbers() {
    use DataFormat::*;
    let doubles = || Inputs::F64(vec![0.1, -1e300, 3.0, 5e-324, 1.0 / 3.0, 0.0].into());
    let values = |values: &[f64], n_outputs| Some(Targets::Values { values: values.to_vec(), n_outputs });
    check(&Dataset::new(doubles(), 2, values(&[1.0, -2.0, 0.1], 1)).unwrap(), &[Idx, Npz, Csv]);
    check(&Dataset::new(doubles(), 2, values(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.5], 2)).unwrap(), &[Idx, Npz]);
    check(&Dataset::new(doubles(), 2, None).unwrap(), &[Npz, Npy, Csv]);
    let single = Dataset::new(Inputs::F32(vec![0.1, -1e30, 3.0, 1e-45].into()), 1, None).unwrap();
    let folder = TempDir::new().unwrap();
    for (format, name) in [(Npz, "a.npz"), (Npy, "a.npy"), (Csv, "a.csv")] {
        write_dataset(&folder.path().join(name), &Loaded::One(single.clone()), format).unwrap();
        assert_eq!(fingerprint(&one(load_path(&folder.path().join(name)))), fingerprint(&single));
    }
}

#[test]
fn both_parts_together() {
    let part = |pixels: [u8; 4], labels: &[u32]| {
        let targets = classes_of(labels, &["3", "5", "9"]);
        Dataset::new(Inputs::Bytes(pixels.to_vec().into()), 2, targets).unwrap().with_image(1, 2)
    };
    let (train, test) = (part([1, 2, 3, 4], &[1, 0]), part([5, 6, 7, 8], &[2, 1]));
    let data = Loaded::Parts { train: train.clone(), test: test.clone() };
    for (format, name) in FORMS {
        let folder = TempDir::new().unwrap();
        let back = there_and_back(&data, format, &folder.path().join(name));
        match format {
            DataFormat::Npy | DataFormat::Csv => {
                assert_error!(back, DataError::CannotHold { .. }, "/train");
            }
            _ => {
                let (back_train, back_test) = both(back);
                for (back, part) in [(back_train, &train), (back_test, &test)] {
                    assert_eq!(bytes(&back), bytes(part), "{format:?}");
                    let named = |data: &Dataset| {
                        let (labels, names) = classes(data);
                        labels.iter().map(|&label| names[label as usize].to_string()).collect::<Vec<_>>()
                    };
                    assert_eq!(named(&back), named(part), "{format:?}");
                }
            }
        }
    }
}

#[test]
fn digits_are_drawn_and_written() {
    let folder = TempDir::new().unwrap();
    let drawn = digits(7, steepest_io::Part::Test, Some("..20".parse().unwrap())).unwrap();
    let back =
        one(there_and_back(&Loaded::One(drawn.clone()), DataFormat::Npz, &folder.path().join("a.npz")));
    let Inputs::Drawn { draw, rows } = drawn.inputs() else { panic!("digits are drawn") };
    let mut image = vec![0; 784];
    for (&row, found) in rows.iter().zip(bytes(&back).chunks(784)) {
        draw(0, row, &mut image);
        assert_eq!(image, found);
    }
    assert_eq!(classes(&back).0, classes(&drawn).0);
}

#[test]
fn forms_go_by_their_names() {
    for (path, format) in [("a.npz", "npz"), ("b/a.CSV", "csv"), ("folder", "idx")] {
        assert_eq!(DataFormat::of_path(Path::new(path)).unwrap(), DataFormat::parse(format).unwrap());
    }
    assert_error!(
        DataFormat::of_path(Path::new("a.parquet")),
        DataError::Format { .. },
        "`parquet`",
        "idx, npz"
    );
}

#[test]
fn sparse_rows_are_written_with_their_zeros() {
    // 0 0.5 0 / 0 0 0 / 3 0 -1
    let rows = |values: &[f64], columns: &[i32], starts: &[usize]| {
        let values = SparseValues::F64(values.to_vec().into());
        let rows = SparseRows::new(values, columns.to_vec().into(), starts.to_vec(), 3).unwrap();
        Dataset::new(Inputs::Sparse(rows), 3, classes_of(&[0, 1, 0], &["0", "1"])).unwrap()
    };
    let sparse = rows(&[0.5, 3.0, -1.0], &[1, 0, 2], &[0, 1, 1, 3]);
    let Inputs::Sparse(entries) = sparse.inputs() else { unreachable!() };
    let dense = Dataset::new(entries.to_dense(), 3, sparse.targets().cloned()).unwrap();
    for format in [DataFormat::Idx, DataFormat::Npz, DataFormat::Csv] {
        let folder = TempDir::new().unwrap();
        let name = FORMS.iter().find(|(form, _)| *form == format).unwrap().1;
        let back = one(there_and_back(&Loaded::One(sparse.clone()), format, &folder.path().join(name)));
        assert_eq!(fingerprint(&back), fingerprint(&dense), "{format:?}");
    }
    // In another order, with a zero, and in two parts.
    let same = rows(&[0.5, -0.5, -0.5, 0.0, 3.0], &[1, 2, 2, 1, 0], &[0, 1, 1, 5]);
    assert_eq!(fingerprint(&same), fingerprint(&sparse));
    let other = rows(&[0.5, 3.0, -1.0], &[1, 0, 2], &[0, 1, 2, 3]);
    assert_ne!(fingerprint(&other), fingerprint(&sparse));
}
