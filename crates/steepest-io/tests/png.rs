//! PNG images, one by one and in folders.

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::*;
use png::{BitDepth, ColorType};
use steepest_io::{
    Alpha, DataError, DataSpec, GreyImage, ImageError, Part, RowRange, load, load_part, read_png, write_png,
};
use tempfile::TempDir;

/// A PNG file of rows as the format packs them.
struct Image<'a> {
    color: ColorType,
    depth: BitDepth,
    size: (u32, u32),
    palette: &'a [u8],
    transparency: &'a [u8],
    rows: &'a [u8],
}

impl Image<'_> {
    fn encode(&self) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.size.1, self.size.0);
        encoder.set_color(self.color);
        encoder.set_depth(self.depth);
        if !self.palette.is_empty() {
            encoder.set_palette(self.palette);
        }
        if !self.transparency.is_empty() {
            encoder.set_trns(self.transparency);
        }
        encoder.write_header().unwrap().write_image_data(self.rows).unwrap();
        file
    }
}

fn image(color: ColorType, depth: BitDepth, size: (u32, u32), rows: &[u8]) -> Vec<u8> {
    Image { color, depth, size, palette: &[], transparency: &[], rows }.encode()
}

fn grey(size: (u32, u32), pixels: &[u8]) -> Vec<u8> {
    image(ColorType::Grayscale, BitDepth::Eight, size, pixels)
}

/// A chunk with its checksum.
fn chunk(kind: &[u8; 4], contents: &[u8]) -> Vec<u8> {
    let mut chunk = (contents.len() as u32).to_be_bytes().to_vec();
    chunk.extend(kind);
    chunk.extend(contents);
    let mut crc = u32::MAX;
    for &byte in &chunk[4..] {
        crc ^= u32::from(byte);
        (0..8).for_each(|_| crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 });
    }
    chunk.extend((!crc).to_be_bytes());
    chunk
}

/// A file with a header of its own.
fn raw(width: u32, height: u32, depth_color_interlace: [u8; 3], lines: &[u8]) -> Vec<u8> {
    let [depth, color, interlace] = depth_color_interlace;
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([depth, color, 0, 0, interlace]);
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut packed, lines).unwrap();
    let data = packed.finish().unwrap();
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &header), chunk(b"IDAT", &data), chunk(b"IEND", b"")]
        .concat()
}

#[test]
fn every_colour_type_and_depth_becomes_grey() {
    use BitDepth::*;
    use ColorType::*;
    // By the formula, worked out by hand: (19595 R + 38470 G + 7471 B + 32768) >> 16.
    let colours = [255, 0, 0, /**/ 0, 255, 0, /**/ 0, 0, 255, /**/ 10, 20, 30];
    let greys = [76, 150, 29, 18];
    let rgba = [255, 0, 0, 7, /**/ 0, 255, 0, 0, /**/ 0, 0, 255, 255, /**/ 10, 20, 30, 128];
    let wide = |bytes: &[u8]| bytes.iter().flat_map(|&byte| [byte, 0x99]).collect::<Vec<u8>>();
    let cases = [
        (Grayscale, One, (2, 3), vec![0b1010_0000, 0b0100_0000], vec![255, 0, 255, 0, 255, 0]),
        (Grayscale, Two, (1, 4), vec![0b00_01_10_11], vec![0, 85, 170, 255]),
        (Grayscale, Four, (1, 3), vec![0x01, 0xf0], vec![0, 17, 255]),
        (Grayscale, Eight, (2, 2), vec![0, 1, 128, 255], vec![0, 1, 128, 255]),
        (Grayscale, Sixteen, (2, 2), vec![0, 255, 1, 0, 128, 127, 255, 0], vec![0, 1, 128, 255]),
        (GrayscaleAlpha, Eight, (1, 3), vec![9, 0, 8, 255, 7, 100], vec![9, 8, 7]),
        (GrayscaleAlpha, Sixteen, (1, 2), wide(&[9, 0, 8, 255]), vec![9, 8]),
        (Rgb, Eight, (2, 2), colours.to_vec(), greys.to_vec()),
        (Rgb, Sixteen, (2, 2), wide(&colours), greys.to_vec()),
        (Rgba, Eight, (4, 1), rgba.to_vec(), greys.to_vec()),
        (Rgba, Sixteen, (4, 1), wide(&rgba), greys.to_vec()),
        (Rgb, Eight, (1, 1), vec![255, 255, 255], vec![255]),
        // Where one more or less in any of the factors would show.
        (Rgb, Eight, (1, 2), vec![28, 40, 32, 119, 73, 62], vec![36, 85]),
    ];
    let folder = TempDir::new().unwrap();
    for (color, depth, size, rows, expected) in cases {
        let path = write(&folder, "a.png", &image(color, depth, size, &rows));
        let found = read_png(&path, Alpha::Ignored).unwrap();
        assert_eq!((found.height as u32, found.width as u32), size, "{color:?} {depth:?}");
        assert_eq!(found.pixels, expected, "{color:?} {depth:?}");
    }
}

#[test]
fn palettes_of_every_depth_with_transparency() {
    let palette = [255, 0, 0, /**/ 0, 255, 0, /**/ 0, 0, 255, /**/ 10, 20, 30];
    let folder = TempDir::new().unwrap();
    for (depth, rows, expected) in [
        (BitDepth::One, vec![0b0110_0000], vec![76, 150, 150, 76]),
        (BitDepth::Two, vec![0b00_01_10_11], vec![76, 150, 29, 18]),
        (BitDepth::Four, vec![0x01, 0x23], vec![76, 150, 29, 18]),
        (BitDepth::Eight, vec![3, 2, 1, 0], vec![18, 29, 150, 76]),
    ] {
        for transparency in [&[][..], &[0, 128]] {
            let size = (1, 4);
            let image = Image {
                color: ColorType::Indexed,
                depth,
                size,
                palette: &palette,
                transparency,
                rows: &rows,
            };
            let path = write(&folder, "a.png", &image.encode());
            assert_eq!(read_png(&path, Alpha::Ignored).unwrap().pixels, expected, "{depth:?}");
        }
    }
    let image = Image {
        color: ColorType::Indexed,
        depth: BitDepth::Eight,
        size: (1, 3),
        palette: &palette,
        transparency: &[0, 128],
        rows: &[0, 1, 2],
    };
    let path = write(&folder, "a.png", &image.encode());
    // (150 * 128 + 255 * 127) / 255, to the nearest.
    assert_eq!(read_png(&path, Alpha::OverWhite).unwrap().pixels, [255, 202, 29]);
    let keyed = Image {
        color: ColorType::Grayscale,
        depth: BitDepth::Eight,
        size: (1, 3),
        palette: &[],
        transparency: &[0, 5],
        rows: &[4, 5, 6],
    };
    let path = write(&folder, "a.png", &keyed.encode());
    assert_eq!(read_png(&path, Alpha::Ignored).unwrap().pixels, [4, 5, 6]);
    assert_eq!(read_png(&path, Alpha::OverWhite).unwrap().pixels, [4, 255, 6]);
}

#[test]
fn interlaced_images_are_put_together() {
    // Adam7 of 5 x 3, by hand: each pass is its own image, each line begins with a filter byte.
    // Rows and columns of the passes, which begin at (0, 0), (0, 4), (4, 0), (0, 2), (2, 0), (0, 1), (1, 0).
    let pixel = |y: u8, x: u8| y * 50 + x * 7;
    let passes: [(&[u8], &[u8]); 7] = [
        (&[0], &[0]),
        (&[0], &[4]),
        (&[], &[0, 4]),
        (&[0], &[2]),
        (&[2], &[0, 2, 4]),
        (&[0, 2], &[1, 3]),
        (&[1], &[0, 1, 2, 3, 4]),
    ];
    let folder = TempDir::new().unwrap();
    for (color, copies) in [(0, 1), (2, 3)] {
        let mut lines = Vec::new();
        for (rows, columns) in passes {
            for &y in rows {
                lines.push(0);
                lines.extend(columns.iter().flat_map(|&x| vec![pixel(y, x); copies]));
            }
        }
        let path = write(&folder, "a.png", &raw(5, 3, [8, color, 1], &lines));
        let expected: Vec<u8> = (0..3).flat_map(|y| (0..5).map(move |x| pixel(y, x))).collect();
        assert_eq!(read_png(&path, Alpha::Ignored).unwrap().pixels, expected);
    }
}

#[test]
fn what_is_written_reads_back() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.png");
    let pixels: Vec<u8> = (0..70 * 300).map(|i| (i * i % 251) as u8).collect();
    write_png(&path, &pixels, 70, 300).unwrap();
    assert_eq!(read_png(&path, Alpha::Ignored).unwrap(), GreyImage { height: 70, width: 300, pixels });
    let whole = one(load_path(&path));
    assert_eq!((whole.n_samples(), whole.image(), whole.targets()), (1, Some((70, 300)), None));
    let write_wrong = |height, width| write_png(&path, &[1, 2, 3], height, width);
    for (height, width) in [(2, 2), (0, 3), (0, 0), (usize::MAX, 1)] {
        assert_error!(write_wrong(height, width), DataError::Image(ImageError::Write { .. }), "cannot write");
    }
}

#[test]
fn damaged_and_hostile_files_are_refused() {
    let folder = TempDir::new().unwrap();
    let good = image(ColorType::Rgb, BitDepth::Eight, (2, 2), &[9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2]);
    refuses_every_prefix(&folder, "a.png", &good);
    survives_every_flip(&folder, "a.png", &good);
    let read = |contents: &[u8]| read_png(&write(&folder, "a.png", contents), Alpha::Ignored);
    assert!(read(&good).is_ok());
    assert_error!(read(b""), DataError::Empty { .. }, "empty");
    assert_error!(
        read(b"\xff\xd8\xff\xe0JFIF...."),
        DataError::Image(ImageError::NotPng { .. }),
        "[ff, d8, ff, e0]"
    );
    let mut flipped = good.clone();
    flipped[good.len() - 13] ^= 1;
    assert_error!(read(&flipped), DataError::Image(ImageError::Damaged { .. }), "a.png", "CRC");
    assert_error!(read(&raw(0, 5, [8, 0, 0], &[])), DataError::Image(ImageError::Damaged { .. }));
    assert_error!(read(&raw(2, 2, [8, 0, 0], &[0, 1, 2])), DataError::Image(ImageError::Damaged { .. }));
    assert_error!(read(&raw(2, 2, [3, 0, 0], &[0; 6])), DataError::Image(ImageError::Damaged { .. }));
    // The headers alone must cost neither time nor memory: 256 MiB as RGBA, where they are within the limits.
    for (width, height) in [(30_000, 30_000), (16_385, 1), (1, u32::MAX >> 1), (16_384, 4097)] {
        let start = Instant::now();
        let result = read(&raw(width, height, [8, 6, 0], &[]));
        assert_error!(result, DataError::Image(ImageError::TooLarge { .. }), &format!("{width} x {height}"));
        assert!(start.elapsed() < Duration::from_millis(100));
    }
    for interlace in [0, 1] {
        let result = read(&raw(8192, 8192, [8, 6, interlace], &[]));
        assert_error!(result, DataError::Image(ImageError::Damaged { .. }));
    }
}

#[test]
fn of_an_animation_the_first_frame_is_taken() {
    let folder = TempDir::new().unwrap();
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 2, 1);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_animated(2, 0).unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[3, 4]).unwrap();
    writer.write_image_data(&[5, 6]).unwrap();
    writer.finish().unwrap();
    assert_eq!(read_png(&write(&folder, "a.png", &file), Alpha::Ignored).unwrap().pixels, [3, 4]);
}

/// Images of 1 x 2 whose first pixel is given.
fn fill(folder: &TempDir, files: &[(&str, u8)]) {
    files.iter().for_each(|&(name, pixel)| drop(write(folder, name, &grey((1, 2), &[pixel, 200]))));
}

fn firsts(dataset: &steepest::Dataset) -> Vec<u8> {
    bytes(dataset).chunks(2).map(|image| image[0]).collect()
}

#[test]
fn folders_with_parts_agree_on_their_classes() {
    let folder = TempDir::new().unwrap();
    let files = [
        ("train/10/b.png", 1),
        ("train/10/B.PNG", 2),
        ("train/9/z.png", 3),
        ("test/2/a.png", 4),
        ("test/9/a.png", 5),
    ];
    fill(&folder, &files);
    for passed_over in
        ["train/.DS_Store", "train/9/._z.png", "train/9/Thumbs.db", "train/9/notes.txt", "test/1/x"]
    {
        write(&folder, passed_over, b"x");
    }
    fill(&folder, &[("train/9/deeper/a.png", 77)]);
    let (train, test) = both(load_path(folder.path()));
    // By file name, then by class.
    assert_eq!((firsts(&train), train.image()), (vec![2, 1, 3], Some((1, 2))));
    assert_eq!(classes(&train), (&[2, 2, 1][..], vec!["2", "9", "10"]));
    assert_eq!((firsts(&test), classes(&test)), (vec![4, 5], (&[0, 1][..], vec!["2", "9", "10"])));
    // A part named by its own folder is the same part.
    for slash in ["", "/"] {
        let spec = DataSpec::parse(&format!("{}/test{slash}", folder.path().display())).unwrap();
        assert_eq!(classes(&one(load(&spec, &looking_in(&[])))).1, ["2", "9", "10"]);
    }
    let mut options = looking_in(&[]);
    options.rows = Some(RowRange::parse("1..3").unwrap());
    let spec = DataSpec::parse(folder.path().to_str().unwrap()).unwrap();
    assert_eq!(firsts(&load_part(&spec, Part::Train, &options).unwrap()), [1, 3]);
    options.rows = Some(RowRange::parse("1..4").unwrap());
    assert_error!(load(&spec, &options), DataError::Range { .. }, "0..3");
}

#[test]
fn folders_without_parts_or_classes() {
    let folder = TempDir::new().unwrap();
    fill(&folder, &[("words/dog/a.png", 1), ("words/ant/a.png", 2), ("words/7/a.png", 3)]);
    fill(
        &folder,
        &[("bare/b.png", 1), ("bare/a.png", 2), ("alone/train/0/a.png", 3), ("rail/train/a.png", 4)],
    );
    fill(&folder, &[("rail/bus/a.png", 5), ("mixed/a.png", 1), ("mixed/0/a.png", 1)]);
    let path = |name: &str| folder.path().join(name);
    let words = one(load_path(&path("words")));
    assert_eq!((firsts(&words), classes(&words)), (vec![3, 2, 1], (&[0, 1, 2][..], vec!["7", "ant", "dog"])));
    let bare = one(load_path(&path("bare")));
    assert_eq!((firsts(&bare), bare.targets()), (vec![2, 1], None));
    assert_error!(load_path(&path("bare/train")), DataError::NoParts { .. }, "/train");
    assert_eq!(firsts(&one(load_path(&path("alone")))), [3]);
    assert_error!(load_path(&path("alone/test")), DataError::Image(ImageError::PartMissing { .. }), "`test`");
    assert_eq!(classes(&one(load_path(&path("rail")))).1, ["bus", "train"]);
    assert_error!(load_path(&path("mixed")), DataError::Image(ImageError::Mixed { .. }), "a.png", "(0)");
    for photo in ["photos/a.jpg", "deep/train/0/a.JPEG"] {
        write(&folder, photo, b"\xff\xd8");
        let set = path(photo.split('/').next().unwrap());
        assert_error!(
            load_path(&set),
            DataError::Image(ImageError::OtherFormats { .. }),
            "only format read",
            photo
        );
    }
    write(&folder, "words/eel/a.webp", b"RIFF");
    assert_error!(load_path(&path("words")), DataError::Image(ImageError::OtherFormats { .. }), "a.webp");
}

#[test]
fn images_of_a_set_have_one_size() {
    let folder = TempDir::new().unwrap();
    // Enough for several threads: the first of the wrong ones is named, whoever finds it.
    (0..300).for_each(|i| fill(&folder, &[(&format!("0/{i:03}.png"), 9)]));
    for name in ["0/149.png", "0/150.png"] {
        write(&folder, name, &grey((3, 1), &[1, 2, 3]));
    }
    assert_error!(
        load_path(folder.path()),
        DataError::Image(ImageError::Sizes { .. }),
        "000.png has 2 x 1 pixels",
        "149.png has 1 x 3"
    );
    write(&folder, "0/050.png", b"x");
    assert_error!(load_path(folder.path()), DataError::Image(ImageError::NotPng { .. }), "050.png");
}

#[test]
fn many_images_keep_their_order() {
    let folder = TempDir::new().unwrap();
    (0..500u32).for_each(|i| fill(&folder, &[(&format!("{}/{i:03}.png", i / 100), (i % 251) as u8)]));
    let set = one(load_path(folder.path()));
    assert_eq!(firsts(&set), (0..500u32).map(|i| (i % 251) as u8).collect::<Vec<_>>());
    assert_eq!(classes(&set).0, (0..500).map(|i| i / 100).collect::<Vec<u32>>());
}

#[cfg(unix)]
#[test]
fn links_may_not_lead_out() {
    use std::os::unix::fs::symlink;
    let folder = TempDir::new().unwrap();
    fill(&folder, &[("set/0/a.png", 1), ("set/1/b.png", 2), ("other/2/c.png", 3)]);
    let path = |name: &str| folder.path().join(name);
    symlink("../0/a.png", path("set/1/a.png")).unwrap();
    symlink("0", path("set/2")).unwrap();
    assert_eq!(firsts(&one(load_path(&path("set")))), [1, 1, 1, 2]);
    let refused = |link: &str, target: &Path| {
        symlink(target, path(link)).unwrap();
        assert_error!(load_path(&path("set")), DataError::Image(ImageError::LinkOut { .. }), link);
        std::fs::remove_file(path(link)).unwrap();
    };
    refused("set/1/c.png", &path("other/2/c.png"));
    refused("set/3", &path("other/2"));
    refused("set/train", &path("other"));
    assert_eq!(firsts(&one(load_path(&path("set")))), [1, 1, 1, 2]);
}
