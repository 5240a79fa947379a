//! IDX: MNIST's own files.

mod common;

use common::*;
use steepest_io::{DataError, DataSpec, Part, fingerprint, load, load_part, read_idx_images, read_idx_part};
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
fn single_file_of_images_has_no_targets() {
    let folder = TempDir::new().unwrap();
    let path = write(&folder, "images", &gzip(&idx(&[2, 1, 3], &[1, 2, 3, 4, 5, 6])));
    let images = read_idx_images(&path).unwrap();
    assert_eq!((images.n_samples(), images.image(), images.targets()), (2, Some((1, 3)), None));
    let labels = write(&folder, "labels", &idx(&[2], &[0, 1]));
    assert_error!(
        read_idx_images(&labels),
        DataError::IdxMagic { .. },
        "IDX file of images",
        "[00, 00, 08, 01]"
    );
}

#[test]
fn test_part_does_without_the_training_files() {
    let folder = TempDir::new().unwrap();
    let path = idx_folder(&folder, "mnist", "-idx?-ubyte");
    std::fs::remove_file(path.join("train-images-idx3-ubyte")).unwrap();
    std::fs::remove_file(path.join("train-labels-idx1-ubyte")).unwrap();
    assert_eq!(read_idx_part(&path, Part::Test).unwrap().n_samples(), 2);
    assert_error!(load_path(&path), DataError::IdxMissing { .. }, "train-images-idx3-ubyte");
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
    let read = |contents: &[u8]| read_idx_images(&write(&folder, "images", contents));
    assert_error!(read(b""), DataError::Empty { .. }, "empty");
    assert_error!(read(b"\r\n<!DOCTYPE html><html>"), DataError::WebPage { .. }, "web page");
    assert_error!(read(b"label,pixel0\n"), DataError::IdxMagic { .. }, "images");
    assert_error!(read(&gzip(b"label,pixel0\n")), DataError::Gzip { .. }, "gunzip");
    assert_error!(read(&idx(&[0, 28, 28], &[])), DataError::NoData { .. });
    assert_error!(read(&idx(&[2, 2, 2], &[0; 9])), DataError::Trailing { .. }, "8 bytes");
    assert_error!(
        read(&idx(&[2, 2, 2], &[0; 7])),
        DataError::Truncated { expected: 8, found: 7, .. },
        "cut short"
    );
    assert_error!(read(&[0, 0, 9, 3, 0, 0, 0, 1]), DataError::IdxMagic { .. });
    assert_error!(read_idx_images(folder.path()), DataError::Directory { .. }, "is a folder");
    assert_error!(read_idx_images(&folder.path().join("none")), DataError::Io { .. }, "cannot read");
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    assert_error!(load_path(&empty), DataError::FolderWithoutData { .. }, "t10k-labels-idx1-ubyte");
}

#[test]
fn lying_sizes_cost_no_memory() {
    let folder = TempDir::new().unwrap();
    let huge = write(&folder, "huge", &idx(&[u32::MAX, u32::MAX, u32::MAX], &[1, 2, 3]));
    assert_error!(read_idx_images(&huge), DataError::TooLarge { .. }, "4294967295");
    let large = write(&folder, "large", &idx(&[u32::MAX, 1024, 1024], &[1, 2, 3]));
    assert_error!(read_idx_images(&large), DataError::Truncated { found: 3, .. });
    // 256 MiB of zeros in a quarter of a megabyte, where the header announces four bytes.
    let bomb = [idx(&[1, 2, 2], &[]), vec![0; 1 << 28]].concat();
    let bomb = write(&folder, "bomb", &gzip(&bomb));
    assert_error!(read_idx_images(&bomb), DataError::Trailing { expected: 4, .. });
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
    assert!(read_idx_images(&trailing).is_err());
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
