//! Images, end to end.

mod common;

use common::{Bench, stderr};
use steepest::{Dataset, Inputs, Targets};
use steepest_io::{Part, digits, write_png};

/// A model `m` of generated digits, good enough to read clear ones.
fn digits_model() -> Bench {
    let bench = Bench::new();
    bench.ok("train digits --rows ..8000 --set data.val_split=500 --hidden 64 --epochs 8 --out m --quiet");
    bench
}

/// The generated test digits of a row range, as images of 28 x 28.
fn drawn(n: usize) -> (Vec<Vec<u8>>, Vec<u32>) {
    let data: Dataset = digits(0, Part::Test, None).unwrap();
    let (Inputs::Drawn { draw, rows }, Some(Targets::Classes { labels, .. })) =
        (data.inputs(), data.targets())
    else {
        panic!("digits are drawn")
    };
    let image = |&row: &u32| {
        let mut pixels = vec![0; 784];
        draw(0, row, &mut pixels);
        pixels
    };
    (rows.iter().take(n).map(image).collect(), labels[..n].to_vec())
}

/// Twenty times as large, off the middle of a light page of 700 x 900, as dark ink.
fn page(digit: &[u8]) -> Vec<u8> {
    let (height, width) = (700, 900);
    let ink = |y: usize, x: usize| {
        let (y, x) = (y.checked_sub(30)? / 20, x.checked_sub(310)? / 20);
        (x < 28).then(|| digit.get(y * 28 + x).copied())?
    };
    (0..height * width)
        .map(|i| 240 - ink(i / width, i % width).map_or(0, |ink| (u32::from(ink) * 200 / 255) as u8))
        .collect()
}

#[test]
fn large_dark_digits_on_paper_are_read() {
    let bench = digits_model();
    let (images, labels) = drawn(20);
    let names: Vec<String> = (0..images.len()).map(|i| format!("{i}.png")).collect();
    for (name, image) in names.iter().zip(&images) {
        write_png(&bench.path().join(name), &page(image), 700, 900).unwrap();
    }
    let output = bench.run(&format!("predict m {} --json", names.join(" ")));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let predictions = |json: &serde_json::Value| -> Vec<String> {
        let rows = json["predictions"].as_array().unwrap();
        rows.iter().map(|row| row["prediction"].as_str().unwrap().to_string()).collect()
    };
    let count = |found: &[String]| found.iter().zip(&labels).filter(|(a, b)| **a == b.to_string()).count();
    let (own, framed) =
        (predictions(&bench.json("predict m digits/test --rows 20 --json")), predictions(&json));
    assert!(count(&own) >= 18 && count(&framed) >= 18, "of 20: {} and {}", count(&own), count(&framed));
    // What was not turned, moved and scaled back would be read as something else.
    assert!(own.iter().zip(&framed).filter(|(a, b)| a == b).count() >= 18, "{own:?} {framed:?}");
    let said = stderr(&output);
    assert_eq!(said.lines().count(), 20);
    assert!(said.starts_with("0.png: 900 x 700, inverted (dark ink on light), ink "), "{said}");
    assert!(said.lines().all(|line| line.ends_with(", centred")), "{said}");
}

#[test]
fn pixels_as_they_are() {
    let bench = digits_model();
    let (images, _) = drawn(1);
    write_png(&bench.path().join("own.png"), &images[0], 28, 28).unwrap();
    write_png(&bench.path().join("page.png"), &page(&images[0]), 700, 900).unwrap();
    write_png(&bench.path().join("blank.png"), &[255; 900], 30, 30).unwrap();
    let data = bench.ok("predict m digits/test --rows 1 --csv");
    assert_eq!(bench.ok("predict m own.png --as-is --csv"), data);
    let output = bench.run("predict m own.png --csv");
    assert_eq!(String::from_utf8_lossy(&output.stdout), data);
    assert!(
        stderr(&output).contains("own.png: 28 x 28, light on dark and of the model's size: taken as it is")
    );
    bench.fails(
        1,
        "predict m page.png --as-is",
        "page.png has 630000 inputs a row (700 x 900 images), but the model takes 784 (28 x 28 images)",
    );
    bench.fails(1, "predict m own.png blank.png", "blank.png: an image of 30 x 30 pixels without ink");
    bench.fails(1, "predict m own.png --rows 1..2", "0..1");
}

#[test]
fn a_folder_of_images_is_a_data_set() {
    let bench = digits_model();
    let (images, labels) = drawn(200);
    for (i, (image, label)) in images.iter().zip(&labels).enumerate() {
        let folder = bench.path().join(format!("set/{}/{label}", if i < 150 { "train" } else { "test" }));
        std::fs::create_dir_all(&folder).unwrap();
        write_png(&folder.join(format!("{i:03}.png")), image, 28, 28).unwrap();
    }
    let info = bench.json("data info set --json");
    assert_eq!((&info["parts"]["test"]["n_samples"], &info["image"][0]), (&50.into(), &28.into()));
    assert_eq!(bench.json("evaluate m --data set --json")["n_samples"], 50);
    let whole = bench.json("evaluate m --data set/train --json");
    let drawn = bench.json("evaluate m --data digits/test --rows ..150 --json");
    assert_eq!(whole["confusion_matrix"], drawn["confusion_matrix"]);
    assert_eq!(bench.ok("predict m set").lines().count(), 51);
}
