//! NPZ and NPY, written by NumPy and by hand.

mod common;

use std::io::Write;

use common::*;
use steepest_io::{ArrayNames, DataError, LoadOptions, Npz, fingerprint, read_npy, read_npy_rows};
use tempfile::TempDir;

/// An NPY file of format version 1.
fn npy(descr: &str, fortran: &str, shape: &str, contents: &[u8]) -> Vec<u8> {
    npy_with(&format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n"), contents)
}

fn npy_with(header: &str, contents: &[u8]) -> Vec<u8> {
    let len = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &len[..], header.as_bytes(), contents].concat()
}

fn npz(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, contents) in members {
        writer.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(contents).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn keras_stored_and_compressed() {
    let (x, _) = expected();
    for name in ["keras.npz", "keras_compressed.npz"] {
        let (train, test) = both(load_path(&fixture(name)));
        assert_eq!((bytes(&train), train.image()), (&x[..16], Some((2, 2))));
        assert_eq!(classes(&train), (&[3, 0, 1, 2][..], vec!["0", "1", "2", "3"]));
        assert_eq!((bytes(&test), test.image()), (&x[16..], Some((2, 2))));
        assert_eq!(classes(&test), (&[1, 0][..], vec!["0", "1", "2", "3"]));
    }
}

#[test]
fn order_endianness_and_width_make_no_difference() {
    let prints: Vec<String> = ["capital.npz", "fortran.npz", "fortran_flat.npz", "big_endian.npz"]
        .iter()
        .map(|name| fingerprint(&one(load_path(&fixture(name)))))
        .collect();
    assert!(prints.iter().all(|print| *print == prints[0]), "{prints:?}");
}

#[test]
fn floats_stay_what_they_are() {
    let (x, y) = expected();
    let single = one(load_path(&fixture("floats.npz")));
    assert_eq!(floats(&single), x.iter().map(|&v| f32::from(v) / 4.0).collect::<Vec<_>>());
    assert_eq!(values(&single), (&y.iter().map(|&v| f64::from(v) / 2.0).collect::<Vec<_>>()[..], 1));
    let double = one(load_path(&fixture("doubles.npz")));
    assert_eq!(doubles(&double), x.iter().map(|&v| f64::from(v) / 3.0).collect::<Vec<_>>());
    assert_eq!((values(&double).1, &values(&double).0[..4]), (4, &[0.0, 0.0, 0.0, 1.0][..]));
}

#[test]
fn integers_take_the_smallest_form_that_holds_them() {
    let folder = TempDir::new().unwrap();
    let read = |values: [i64; 2]| {
        let contents: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        read_npy(&write(&folder, "x.npy", &npy("<i8", "False", "(1, 2)", &contents))).unwrap()
    };
    assert_eq!(bytes(&read([0, 255])), [0, 255]);
    assert_eq!(floats(&read([-1, 1 << 40])), [-1.0, (1u64 << 40) as f32]);
    assert_eq!(doubles(&read([0, (1 << 24) + 1])), [0.0, 16_777_217.0]);
    assert_eq!(doubles(&read([0, i64::MAX])), [0.0, i64::MAX as f64]);
}

#[test]
fn labels_that_are_no_small_numbers_become_classes_in_order() {
    let folder = TempDir::new().unwrap();
    let labels: Vec<u8> = [20_000i32, -1, 20_000].iter().flat_map(|v| v.to_be_bytes()).collect();
    let file =
        npz(&[("x", npy("|b1", "False", "(3, 1)", &[0, 1, 0])), ("y", npy(">i4", "False", "(3,)", &labels))]);
    let dataset = one(load_path(&write(&folder, "a.npz", &file)));
    assert_eq!(classes(&dataset), (&[1, 0, 1][..], vec!["-1", "20000"]));
}

#[test]
fn npy_holds_images_or_row_numbers() {
    let images = one(load_path(&fixture("images.npy")));
    assert_eq!((images.n_samples(), images.image(), images.targets()), (6, Some((2, 2)), None));
    assert_eq!(read_npy_rows(&fixture("batches.npy")).unwrap(), [[0, 2, 4], [5, 3, 1]]);
    assert_error!(read_npy_rows(&fixture("images.npy")), DataError::NpyShape { .. }, "[6, 2, 2]");
    let folder = TempDir::new().unwrap();
    let negative = write(&folder, "b.npy", &npy("|i1", "False", "(2, 2)", &[0, 1, 2, 0xff]));
    assert_error!(
        read_npy_rows(&negative),
        DataError::NpyValue { row: 1, column: 1, .. },
        "-1 is not a row number"
    );
    let float = write(&folder, "f.npy", &npy("<f4", "False", "(1, 1)", &[0; 4]));
    assert_error!(read_npy_rows(&float), DataError::NpyRowsDtype { .. }, "int64");
}

#[test]
fn wrong_arrays_have_their_own_messages() {
    let folder = TempDir::new().unwrap();
    assert_error!(
        load_path(&fixture("objects.npz")),
        DataError::NpyObjects { .. },
        "array `X`",
        "never unpickled"
    );
    let read = |contents: &[u8]| read_npy(&write(&folder, "x.npy", contents));
    assert_error!(
        read(&npy("<f16", "False", "(1, 1)", &[0; 16])),
        DataError::NpyDtype { .. },
        "<f16",
        "astype"
    );
    assert_error!(read(&npy("<c8", "False", "(1, 1)", &[0; 8])), DataError::NpyDtype { .. });
    assert_error!(read(&npy("|u1", "False", "()", &[0])), DataError::NpyShape { .. }, "(rows, features)");
    assert_error!(read(&npy("<U1", "False", "(1,)", &[97, 0, 0, 0])), DataError::NpyTextInputs { .. });
    let with_text = |y: &[u8]| {
        let x = npy("|u1", "False", "(1, 1)", &[0]);
        load_path(&write(&folder, "text.npz", &npz(&[("X", x), ("y", y.to_vec())])))
    };
    assert_error!(with_text(&npy("<U1", "False", "(1,)", &[0, 0, 0xff, 0])), DataError::NpyText { .. });
    let wide = u64::MAX.to_le_bytes();
    assert_error!(read(&npy("<u8", "False", "(1,)", &wide)), DataError::TooWide { value: u64::MAX, .. });
    assert_error!(read(&npy("|u1", "False", "(0, 4)", &[])), DataError::NoData { .. });
    assert_error!(read(&npy("|u1", "False", "(4, 0)", &[])), DataError::NoData { .. });
    let nan = [1f32, 2.0, 3.0, f32::NAN].map(f32::to_le_bytes).concat();
    assert_error!(
        read(&npy("<f4", "False", "(2, 2)", &nan)),
        DataError::NpyValue { row: 1, column: 1, .. },
        "NaN is not a finite number"
    );
    let structured = "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }";
    assert_error!(read(&npy_with(structured, &[0; 4])), DataError::NpyHeader { .. }, "structured");
    for header in
        ["", "{", "{'descr'", "{'shape': (1, 2)}", "{'descr': '<f4', 'fortran_order': 0}", "{'shape': (-1,)}"]
    {
        assert_error!(read(&npy_with(header, &[0; 4])), DataError::NpyHeader { .. });
    }
    assert_error!(read(&npy_with(&"(".repeat(9000), &[])), DataError::NpyHeader { .. });
    assert_error!(read(&npy_with(&" ".repeat(20_000), &[])), DataError::NpyHeader { .. }, "10000");
    assert_error!(
        read(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}"),
        DataError::NpyHeader { .. },
        "longer than 10000"
    );
}

#[test]
fn arrays_must_be_there_and_agree() {
    let folder = TempDir::new().unwrap();
    let x = || npy("|u1", "False", "(2, 1)", &[1, 2]);
    let y = || npy("|u1", "False", "(2,)", &[0, 1]);
    let read = |members: &[(&str, Vec<u8>)]| load_path(&write(&folder, "a.npz", &npz(members)));
    assert_eq!(one(read(&[("X", x())])).targets(), None);
    assert_error!(read(&[("faces", x())]), DataError::NpzArray { .. }, "`faces`", "x_train", "--arrays");
    assert_error!(read(&[]), DataError::NpzArray { .. }, "(none)");
    assert_eq!(one(read(&[("x_train", x()), ("y_train", y())])).n_samples(), 2);
    assert_eq!(one(read(&[("x_test", x())])).targets(), None);
    let short = npy("|u1", "False", "(1,)", &[0]);
    assert_error!(read(&[("x", x()), ("y", short)]), DataError::NpzCounts { n_x: 2, n_y: 1, .. }, "2 rows");
    let text = write(&folder, "text.npz", b"hello");
    assert_error!(Npz::open(&text, &ArrayNames::default()).map(|_| ()), DataError::Zip { .. }, "numpy.savez");
}

#[test]
fn arrays_may_have_other_names() {
    let folder = TempDir::new().unwrap();
    let x = || npy("|u1", "False", "(2, 1)", &[1, 2]);
    let y = || npy("|u1", "False", "(2, 1)", &[0, 1]);
    let path = write(
        &folder,
        "a.npz",
        &npz(&[("faces", x()), ("who", y()), ("X", npy("|u1", "False", "()", &[0]))]),
    );
    let load = |arrays: &str| {
        let arrays = ArrayNames::parse(arrays)?;
        load_with(&path, &LoadOptions { arrays, ..LoadOptions::default() })
    };
    let named = one(load("X=faces, y=who"));
    assert_eq!((bytes(&named), classes(&named).0), (&[1, 2][..], &[0, 1][..]));
    assert_eq!(one(load("x=faces")).targets(), None);
    let (train, test) = both(load("x_train=faces,y_train=who,x_test=faces"));
    assert_eq!((train.n_samples(), test.targets()), (2, None));
    assert_error!(load("X=nobody"), DataError::NpzArray { .. }, "`nobody`", "`faces`, `who`");
    assert_error!(load("X=faces,y=nobody"), DataError::NpzArray { .. }, "`nobody`");
    for wrong in ["", "X", "Z=faces", "X=", "X=faces,"] {
        assert_error!(load(wrong), DataError::ArraysSyntax { .. }, "X=images,y=labels");
    }
    let usual = npz(&[("train_images", x()), ("train_labels", y()), ("test_images", x())]);
    let (train, test) = both(load_path(&write(&folder, "usual.npz", &usual)));
    assert_eq!((classes(&train).0, test.targets()), (&[0, 1][..], None));
}

#[test]
fn labels_may_be_text() {
    let folder = TempDir::new().unwrap();
    let text = |texts: &[&str]| {
        let padded = |text: &&str| text.chars().chain("\0\0\0".chars()).take(3).collect::<Vec<char>>();
        let units: Vec<u8> = texts.iter().flat_map(padded).flat_map(|c| u32::from(c).to_be_bytes()).collect();
        npy(">U3", "False", &format!("({},)", texts.len()), &units)
    };
    let x = |n: u8| npy("|u1", "False", &format!("({n}, 1)"), &(0..n).collect::<Vec<_>>());
    let file = npz(&[
        ("x_train", x(3)),
        ("y_train", text(&["owl", "ü", "owl"])),
        ("x_test", x(1)),
        ("y_test", text(&["cat"])),
    ]);
    let (train, test) = both(load_path(&write(&folder, "a.npz", &file)));
    assert_eq!(classes(&train), (&[1, 2, 1][..], vec!["cat", "owl", "ü"]));
    assert_eq!(classes(&test), (&[0][..], vec!["cat", "owl", "ü"]));
}

#[test]
fn half_precision_becomes_single() {
    let folder = TempDir::new().unwrap();
    let file = npy("<f2", "True", "(2, 2)", &[0x00, 0x3c, 0x00, 0xc0, 0x00, 0x38, 0x00, 0x00]);
    assert_eq!(floats(&read_npy(&write(&folder, "x.npy", &file)).unwrap()), [1.0, 0.5, -2.0, 0.0]);
}

#[test]
fn lying_shapes_and_bombs_are_refused() {
    let folder = TempDir::new().unwrap();
    let read = |contents: &[u8]| read_npy(&write(&folder, "x.npy", contents));
    let huge = npy("<f8", "False", "(18446744073709551615, 2)", &[0; 8]);
    assert_error!(read(&huge), DataError::TooLarge { .. });
    let more_than_u64 = npy("<f8", "False", "(99999999999999999999, 2)", &[0; 8]);
    assert_error!(read(&more_than_u64), DataError::NpyHeader { .. });
    let large = npy("<f8", "True", "(1000000000000, 2)", &[0; 8]);
    assert_error!(read(&large), DataError::Truncated { found: 8, .. });
    assert_error!(read(&npy("|u1", "False", "(1, 2)", &[0; 3])), DataError::Trailing { expected: 2, .. });
    let bomb = npz(&[("X", npy("|u1", "False", "(1, 2)", &vec![0; 1 << 28]))]);
    assert_error!(
        load_path(&write(&folder, "bomb.npz", &bomb)),
        DataError::Trailing { expected: 2, .. },
        "array `X`"
    );
}

#[test]
fn damaged_files_are_refused() {
    let folder = TempDir::new().unwrap();
    for name in ["images.npy", "keras.npz", "keras_compressed.npz"] {
        let contents = std::fs::read(fixture(name)).unwrap();
        refuses_every_prefix(&folder, name, &contents);
        survives_every_flip(&folder, name, &contents);
    }
}
