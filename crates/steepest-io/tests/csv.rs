//! CSV: Kaggle's tables, other MNIST tables, and tables of numbers.

mod common;

use common::*;
use steepest::Dataset;
use steepest_io::{CellProblem, CsvError, CsvOptions, DataError, DataSpec, fingerprint, load, read_csv};
use tempfile::TempDir;

fn read(text: impl AsRef<[u8]>) -> Result<Dataset, DataError> {
    read_with(text, &CsvOptions::default())
}

fn read_target(text: &str, target: &str) -> Result<Dataset, DataError> {
    read_with(text, &CsvOptions { target: Some(target.into()), ..CsvOptions::default() })
}

fn read_with(text: impl AsRef<[u8]>, options: &CsvOptions) -> Result<Dataset, DataError> {
    let folder = TempDir::new().unwrap();
    read_csv(&write(&folder, "table.csv", text.as_ref()), options)
}

/// A line of a table of images, 16 x 16, whose first cell is `label` if there is one.
fn line(label: Option<u8>, first_pixel: u8) -> String {
    let pixels = (0..256).map(|i| (i as u8).wrapping_add(first_pixel).to_string());
    label.map(|l| l.to_string()).into_iter().chain(pixels).collect::<Vec<_>>().join(",") + "\n"
}

#[test]
fn kaggle_and_mnist_tables() {
    let (x, y) = expected();
    let labels: Vec<u32> = y.iter().map(|&label| label.into()).collect();
    for name in ["kaggle.csv", "mnist.csv"] {
        let table = one(load_path(&fixture(name)));
        assert_eq!((bytes(&table), table.image()), (&x[..], Some((2, 2))));
        assert_eq!(classes(&table), (&labels[..], vec!["0", "1", "2", "3"]));
    }
    let test = one(load_path(&fixture("kaggle_test.csv")));
    assert_eq!((bytes(&test), test.image(), test.targets()), (&x[..], Some((2, 2)), None));
    assert_error!(
        load_path(&fixture("kaggle_index.csv")),
        DataError::Csv(CsvError::Unnamed { column: 1, .. }),
        "index=False"
    );
}

#[test]
fn every_format_reads_the_same() {
    let print = |name: &str| fingerprint(&one(load_path(&fixture(name))));
    assert_eq!(print("kaggle.csv"), print("mnist.csv"));
    assert_eq!(print("kaggle.csv"), print("fortran.npz"));
    assert_eq!(print("kaggle_test.csv"), print("images.npy"));
    let folder = TempDir::new().unwrap();
    let (train, test) = both(load_path(&idx_folder(&folder, "mnist", "-idx?-ubyte.gz")));
    let (train_npz, test_npz) = both(load_path(&fixture("keras.npz")));
    assert_eq!(fingerprint(&train), fingerprint(&train_npz));
    assert_eq!(fingerprint(&test), fingerprint(&test_npz));
    let rows = one(load_path(&fixture("kaggle.csv"))).rows(0..4).unwrap();
    assert_eq!(fingerprint(&train), fingerprint(&rows));
}

#[test]
fn tables_without_header() {
    let labelled = read(line(Some(7), 0) + &line(Some(2), 9)).unwrap();
    assert_eq!((labelled.n_features(), labelled.image()), (256, Some((16, 16))));
    assert_eq!(classes(&labelled).0, [7, 2]);
    let unlabelled = read(line(None, 1) + &line(None, 9)).unwrap();
    assert_eq!((unlabelled.n_samples(), unlabelled.image(), unlabelled.targets()), (2, Some((16, 16)), None));
    // Too small to be an image: nothing is guessed.
    let small = read("1,2,3,4,5\n6,7,8,9,10\n").unwrap();
    assert_eq!((small.n_features(), small.image(), small.targets()), (5, None, None));
    assert_eq!(classes(&read_target("1,2,3\n4,5,0\n", "3").unwrap()).0, [3, 0]);
    // pandas numbers columns that have no names.
    let numbered = read("0,1,2,3,4,5,6,7\n9,9,9,9,9,9,9,9\n").unwrap();
    assert_eq!(bytes(&numbered), [9; 8]);
}

#[test]
fn label_column_is_found_by_name() {
    for name in ["label", "Target", "class", "Y"] {
        let table = read(format!("a,{name},b\n1,0,2\n3,2,4\n")).unwrap();
        assert_eq!(bytes(&table), [1, 2, 3, 4]);
        assert_eq!(classes(&table), (&[0, 2][..], vec!["0", "1", "2"]));
    }
    assert_eq!(read("a,b\n1,2\n").unwrap().targets(), None);
    assert_eq!(bytes(&read_target("a,label\n1,2\n", "a").unwrap()), [2]);
    assert_eq!(bytes(&read_target("a,b\n1,2\n", "2").unwrap()), [1]);
    assert_error!(read_target("a,b\n1,2\n", "3"), DataError::Csv(CsvError::Target { .. }), "`3`");
    assert_error!(read_target("a,b\n1,2\n", "c"), DataError::Csv(CsvError::Target { .. }), "`c`", "`a`, `b`");
    assert_error!(read("y,class,a\n1,2,3\n"), DataError::Csv(CsvError::Targets { .. }), "`y`", "`class`");
}

#[test]
fn labels_are_classes_names_or_values() {
    let named = read("x,y\n1,cat\n2,ant\n3,cat\n").unwrap();
    assert_eq!(classes(&named), (&[1, 0, 1][..], vec!["ant", "cat"]));
    let mixed = read("x,y\n1,B\n2,7\n").unwrap();
    assert_eq!(classes(&mixed), (&[1, 0][..], vec!["7", "B"]));
    assert_eq!(values(&read("x,y\n1,0.5\n2,3\n").unwrap()), (&[0.5, 3.0][..], 1));
    let negative = read("x,y\n1,-1\n2,1\n").unwrap();
    assert_eq!(classes(&negative), (&[0, 1][..], vec!["-1", "1"]));
    assert_error!(
        read("x,y\n1,0.5\n2,nan\n"),
        DataError::Csv(CsvError::Cell { line: 3, .. }),
        "line 3",
        "column `y`",
        "`nan`"
    );
    assert_error!(read("x,y\n1,\n"), DataError::Csv(CsvError::Cell { problem: CellProblem::Missing, .. }));
    assert_error!(
        read(b"x,y\n1,\xe9\n"),
        DataError::Csv(CsvError::Cell { problem: CellProblem::NotUtf8(_), .. })
    );
}

#[test]
fn quotes_line_ends_spaces_and_byte_order_mark() {
    let plain = fingerprint(&read("label,a,b\n1,20,3\n0,255,0\n").unwrap());
    for text in [
        "\u{feff}label,a,b\n1,20,3\n0,255,0\n",
        "\"label\",\"a\",\"b\"\r\n\"1\",\"20\",3\r\n0,255,0",
        "label, a, b\n 1, 20 ,3\n0,255,000\n\n",
        "label,a,b\r1,20,3\r0,255,0\r",
    ] {
        assert_eq!(fingerprint(&read(text).unwrap()), plain, "{text:?}");
    }
}

#[test]
fn numbers_beyond_a_byte_are_floats() {
    let table = read("a,b,y\n1,2,0\n3,-4.5e1,1\n256,7,0\n").unwrap();
    assert_eq!(floats(&table), [1.0, 2.0, 3.0, -45.0, 256.0, 7.0]);
    let double = CsvOptions { double: true, ..CsvOptions::default() };
    assert_eq!(doubles(&read_with("a,b\n1,0.1\n", &double).unwrap()), [1.0, 0.1]);
    assert_eq!(bytes(&read_with("a,b\n1,2\n", &double).unwrap()), [1, 2]);
}

#[test]
fn bad_cells_are_named_by_line_and_column() {
    let cases = [
        ("a,b\n1,2\n3,\n", "line 3, column `b`: the cell is empty"),
        ("a,b\n1,2\nx,4\n", "line 3, column `a`: `x` is not a number"),
        ("a,b\n1,NaN\n", "line 2, column `b`: `NaN` is not a finite number"),
        ("a,b\n1,-inf\n", "line 2, column `b`: `-inf` is not a finite number"),
        ("a,b\n1,1e39\n", "`1e39` is not a finite number in range"),
        ("1,2\n3,\n", "line 2, column `2`"),
        ("1,\n3,4\n", "line 1, column `2`: the cell is empty"),
    ];
    for (text, says) in cases {
        assert_error!(read(text), DataError::Csv(CsvError::Cell { .. }), says, "table.csv");
    }
    assert_error!(
        read("a,b\n1,2\n3\n"),
        DataError::Csv(CsvError::Columns { line: 3, found: 1, expected: 2, .. }),
        "line 3"
    );
    assert_error!(read("a,b\n1,2,3\n"), DataError::Csv(CsvError::Columns { found: 3, .. }));
    assert_error!(
        read("a,b\n1,2\n\"3,4\n5,6\n"),
        DataError::Csv(CsvError::Quote { line: 3, .. }),
        "never closed"
    );
    assert_error!(read("a,b\n1,2\n3,4\"\n5,6\n"), DataError::Csv(CsvError::Cell { line: 3, .. }), "`4\"`");
}

#[test]
fn tables_without_data_and_other_files() {
    assert_error!(read(""), DataError::Empty { .. });
    assert_error!(read("\n\n"), DataError::NoData { .. }, "empty lines");
    assert_error!(read("\u{feff}"), DataError::NoData { .. });
    assert_error!(read("a,b\n"), DataError::NoData { .. }, "header without rows");
    assert_error!(read("label\n1\n"), DataError::NoData { .. }, "besides the target");
    assert_error!(read("  <html><body>404</body></html>"), DataError::WebPage { .. });
    assert_error!(read(b"a,b\0\n1,2\n"), DataError::UnknownFormat { .. });
    let mut options = looking_in(&[]);
    options.csv.target = Some("y".into());
    let spec = DataSpec::parse(fixture("keras.npz").to_str().unwrap()).unwrap();
    assert_error!(
        load(&spec, &options).map(|_| ()),
        DataError::TargetOutsideCsv { .. },
        "not a table (CSV or Parquet)"
    );
}

#[test]
fn damaged_files_do_not_panic() {
    let folder = TempDir::new().unwrap();
    let contents = std::fs::read(fixture("mnist.csv")).unwrap();
    survives_every_flip(&folder, "table.csv", &contents);
    for len in 0..contents.len() {
        let _ = load_path(&write(&folder, "table.csv", &contents[..len]));
    }
}

#[test]
fn a_big_table_is_read_quickly() {
    // As large as Kaggle's train.csv and with as many zeros.
    let mut text = (0..784).fold("label".to_string(), |text, i| format!("{text},pixel{i}"));
    text.push('\n');
    let row = (0..784).map(|i| if i % 5 == 0 { ((i * 37) % 256).to_string() } else { "0".into() });
    let row = row.collect::<Vec<_>>().join(",");
    for i in 0..42_000 {
        text.push_str(&format!("{},{row}\n", i % 10));
    }
    let folder = TempDir::new().unwrap();
    let path = write(&folder, "train.csv", text.as_bytes());
    let start = std::time::Instant::now();
    let table = one(load_path(&path));
    eprintln!("{} MB of CSV: {:?}", text.len() / 1_000_000, start.elapsed());
    assert_eq!((table.n_samples(), table.image()), (42_000, Some((28, 28))));
}

#[test]
fn lines_without_end_are_refused() {
    for start in ["", "a,b\n1,2\n"] {
        let text = start.to_string() + &"1,".repeat(20 << 20);
        assert_error!(read(text), DataError::Csv(CsvError::Endless { .. }), "longer than 8388608 bytes");
    }
}

#[test]
fn odd_lines_among_many_are_read_as_well() {
    let usual: String = (0..3000).map(|i| format!("{},{},{}\n", i % 10, i % 256, i * 7 % 256)).collect();
    let x = |n: usize| (0..n).flat_map(|i| [(i % 256) as u8, (i * 7 % 256) as u8]);
    for (odd, [a, b], end) in [
        ("3,\"5\",6\n", [5, 6], ""),
        ("\r\n3,5,6\r\n", [5, 6], "\n\n"),
        (" 3 , 5 , 6 \n", [5, 6], ""),
        ("03,005,6\n", [5, 6], "3,5,6"),
    ] {
        let table = read(format!("label,a,b\n{usual}{odd}{usual}{end}")).unwrap();
        let n_last = usize::from(end == "3,5,6");
        assert_eq!(table.n_samples(), 6001 + n_last, "{odd:?}");
        let expected: Vec<u8> =
            x(3000).chain([a, b]).chain(x(3000)).chain([5, 6].into_iter().take(2 * n_last)).collect();
        assert!(bytes(&table) == expected, "{odd:?}");
        assert_eq!((classes(&table).0[3000], classes(&table).1.len()), (3, 10));
    }
    // From here on the numbers are no bytes; those before keep their values.
    let table = read(format!("a,b,c\n{usual}0.5,256,-1\n")).unwrap();
    assert_eq!((floats(&table)[1], floats(&table)[9000..].to_vec()), (0.0, vec![0.5, 256.0, -1.0]));
    // Errors name their lines.
    let wrong = format!("label,a,b\n{usual}1,x,2\n");
    assert_error!(read(&wrong), DataError::Csv(CsvError::Cell { line: 3002, .. }), "line 3002", "`a`");
    let short = format!("label,a,b\n{usual}{usual}1,2\n");
    assert_error!(read(&short), DataError::Csv(CsvError::Columns { line: 6002, found: 2, .. }));
    let unnamed = "1,2,3,4,5,6,7,8,9\n".repeat(2000) + "1,2,3\n";
    assert_error!(read(&unnamed), DataError::Csv(CsvError::Columns { line: 2001, .. }));
}
