//! IDX: MNIST's own files.

mod common;

use common::*;
use steepest_io::{DataError, DataSpec, Part, fingerprint, load, load_part, read_idx, read_idx_part};
use tempfile::TempDir;

#[test]
fn folder_has_two_parts_with_the_same_classes() {
    let folder = TempDir::new().unwrap();
    let (x, _) = expected();
    for (name, suffix) in [
        ("dashes", "-idx?-ubyte"),
        ("dots", ".idx?-ubyte"),
        ("gzip", "-idx?-ubyte.gz"),
        ("dots_gzip", ".idx?-ubyte.gz"),
    ] {
        let (train, test) = both(load_path(&idx_folder(&folder, name, suffix)));
        assert_eq!(bytes(&train), &x[..16]);
        assert_eq!(classes(&train), (&[3, 0, 1, 2][..], vec!["0", "1", "2", "3"]));
        assert_eq!(train.image(), Some((2, 2)));
        assert_eq!(bytes(&test), &x[16..]);
        assert_eq!(classes(&test), (&[1, 0][..], vec!["0", "1", "2", "3"]));
    }
}

#[test]
fn single_files_have_no_targets() {
    let folder = TempDir::new().unwrap();
    let path = write(&folder, "images", &gzip(&idx(&[2, 1, 3], &[1, 2, 3, 4, 5, 6])));
    let images = read_idx(&path).unwrap();
    assert_eq!((images.n_samples(), images.image(), images.targets()), (2, Some((1, 3)), None));
    let labels = read_idx(&write(&folder, "labels", &idx(&[3], &[0, 1, 7]))).unwrap();
    assert_eq!((labels.n_samples(), labels.n_features(), bytes(&labels)), (3, 1, &[0, 1, 7][..]));
    let rows = read_idx(&write(&folder, "rows", &idx(&[1, 2, 2, 2], &[1, 2, 3, 4, 5, 6, 7, 8]))).unwrap();
    assert_eq!((rows.n_samples(), rows.n_features(), rows.image()), (1, 8, None));
    assert_error!(
        read_idx(&write(&folder, "one", &idx(&[], &[5]))),
        DataError::NpyShape { .. },
        "[]",
        "rows"
    );
}

#[test]
fn every_type_of_number_is_read() {
    let folder = TempDir::new().unwrap();
    let read = |code: u8, numbers: &[u8]| {
        let header = [0, 0, code, 2, 0, 0, 0, 1, 0, 0, 0, 2];
        read_idx(&write(&folder, "x", &[&header[..], numbers].concat())).unwrap()
    };
    assert_eq!(floats(&read(0x09, &[0xff, 2])), [-1.0, 2.0]);
    assert_eq!(bytes(&read(0x0b, &[0, 3, 0, 255])), [3, 255]);
    assert_eq!(floats(&read(0x0c, &[0, 1, 0, 0, 0, 0, 0, 4])), [65536.0, 4.0]);
    assert_eq!(floats(&read(0x0d, &[0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0])), [1.0, -2.0]);
    assert_eq!(doubles(&read(0x0e, &[1.5f64.to_be_bytes(), 0.1f64.to_be_bytes()].concat())), [1.5, 0.1]);
}

#[test]
fn names_of_files_may_tell_type_and_rank() {
    let folder = TempDir::new().unwrap();
    let floats_of = |numbers: [f32; 2]| {
        let header = [0, 0, 0x0d, 2, 0, 0, 0, 2, 0, 0, 0, 1];
        [&header[..], &numbers.map(f32::to_be_bytes).concat()].concat()
    };
    write(&folder, "train-images.idx2-float", &floats_of([0.5, 1.5]));
    write(&folder, "train-labels-idx1-ubyte.gz", &gzip(&idx(&[2], &[1, 0])));
    write(&folder, "train-images-notes.txt", b"not a file of the set");
    let train = read_idx_part(folder.path(), Part::Train).unwrap();
    assert_eq!((floats(&train), classes(&train).0), (&[0.5, 1.5][..], &[1, 0][..]));
}

#[test]
fn test_part_does_without_the_training_files() {
    let folder = TempDir::new().unwrap();
    let path = idx_folder(&folder, "mnist", "-idx?-ubyte");
    std::fs::remove_file(path.join("train-images-idx3-ubyte")).unwrap();
    std::fs::remove_file(path.join("train-labels-idx1-ubyte")).unwrap();
    assert_eq!(read_idx_part(&path, Part::Test).unwrap().n_samples(), 2);
    assert_eq!(one(load_path(&path)).n_samples(), 2);
    assert_error!(load_path(&path.join("train")), DataError::IdxMissing { .. }, "train-images-idx3-ubyte");
}

#[test]
fn counts_must_agree() {
    let folder = TempDir::new().unwrap();
    let path = idx_folder(&folder, "mnist", "-idx?-ubyte");
    write(&folder, "mnist/train-labels-idx1-ubyte", &idx(&[3], &[0, 1, 2]));
    assert_error!(load_path(&path), DataError::IdxCounts { .. }, "4 images", "3 labels");
}

#[test]
fn each_wrong_file_has_its_own_message() {
    let folder = TempDir::new().unwrap();
    let read = |contents: &[u8]| read_idx(&write(&folder, "images", contents));
    assert_error!(read(b""), DataError::Empty { .. }, "empty");
    assert_error!(read(b"\r\n<!DOCTYPE html><html>"), DataError::WebPage { .. }, "web page");
    assert_error!(read(b"label,pixel0\n"), DataError::IdxMagic { .. }, "[6c, 61, 62, 65]");
    assert_error!(read(&gzip(b"label,pixel0\n")), DataError::IdxMagic { .. }, "[6c, 61, 62, 65]");
    assert_error!(read(&gzip(b"PK\x03\x04zip")), DataError::Gzip { .. }, "gunzip");
    assert_error!(read(&idx(&[0, 28, 28], &[])), DataError::NoData { .. });
    assert_error!(read(&idx(&[2, 2, 2], &[0; 9])), DataError::Trailing { .. }, "8 bytes");
    assert_error!(
        read(&idx(&[2, 2, 2], &[0; 7])),
        DataError::Truncated { expected: 8, found: 7, .. },
        "cut short"
    );
    assert_error!(read(&[0, 0, 10, 3, 0, 0, 0, 1]), DataError::IdxMagic { .. }, "type");
    assert_error!(read_idx(folder.path()), DataError::Directory { .. }, "is a folder");
    assert_error!(read_idx(&folder.path().join("none")), DataError::Io { .. }, "cannot read");
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    assert_error!(load_path(&empty), DataError::FolderWithoutData { .. }, "t10k-labels-idx1-ubyte");
}

#[test]
fn lying_sizes_cost_no_memory() {
    let folder = TempDir::new().unwrap();
    let huge = write(&folder, "huge", &idx(&[u32::MAX, u32::MAX, u32::MAX], &[1, 2, 3]));
    assert_error!(read_idx(&huge), DataError::TooLarge { .. }, "4294967295");
    let large = write(&folder, "large", &idx(&[u32::MAX, 1024, 1024], &[1, 2, 3]));
    assert_error!(read_idx(&large), DataError::Truncated { found: 3, .. });
    // 256 MiB of zeros in a quarter of a megabyte, where the header announces four bytes.
    let bomb = [idx(&[1, 2, 2], &[]), vec![0; 1 << 28]].concat();
    let bomb = write(&folder, "bomb", &gzip(&bomb));
    assert_error!(read_idx(&bomb), DataError::Trailing { expected: 4, .. });
}

#[test]
fn damaged_files_are_refused() {
    let folder = TempDir::new().unwrap();
    let plain = idx(&[3, 2, 2], &[7; 12]);
    refuses_every_prefix(&folder, "plain", &plain);
    refuses_every_prefix(&folder, "packed", &gzip(&plain));
    survives_every_flip(&folder, "plain", &plain);
    survives_every_flip(&folder, "packed", &gzip(&plain));
    let trailing = write(&folder, "trailing", &[gzip(&plain), b"more".to_vec()].concat());
    assert!(read_idx(&trailing).is_err());
}

#[test]
fn real_mnist() {
    let Some(root) = std::env::var_os("STEEPEST_DATA") else {
        eprintln!("skipped: STEEPEST_DATA is not set");
        return;
    };
    if !std::path::Path::new(&root).join("mnist").is_dir() {
        eprintln!("skipped: STEEPEST_DATA has no folder mnist");
        return;
    }
    let options = looking_in(&[root.as_ref()]);
    let start = std::time::Instant::now();
    let (train, test) = both(load(&DataSpec::parse("mnist").unwrap(), &options));
    eprintln!("MNIST (gzip): {:?}", start.elapsed());
    assert_eq!((train.n_samples(), test.n_samples()), (60_000, 10_000));
    assert_eq!(&classes(&train).0[..5], &[5, 0, 4, 1, 9]);
    let start = std::time::Instant::now();
    let print = fingerprint(&train);
    eprintln!("fingerprint: {:?}", start.elapsed());
    let alone = load_part(&DataSpec::parse("mnist/train").unwrap(), Part::Test, &options).unwrap();
    assert_eq!(fingerprint(&alone), print);
}
