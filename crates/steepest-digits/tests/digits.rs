//! What anyone who trains on generated digits relies on.

use steepest_digits::{Digits, PIXELS, SIDE};

/// The first images of an epoch, one after the other.
fn images(digits: Digits, epoch: u64, count: usize) -> Vec<u8> {
    let mut pixels = vec![0; count * PIXELS];
    for (row, image) in pixels.chunks_exact_mut(PIXELS).enumerate() {
        digits.draw(epoch, row as u32, image);
    }
    pixels
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// The mean of a coordinate over the ink of an image.
fn centre(image: &[u8], coordinate: fn(usize) -> usize) -> f64 {
    let mass: f64 = image.iter().map(|&ink| f64::from(ink)).sum();
    image.iter().enumerate().map(|(i, &ink)| coordinate(i) as f64 * f64::from(ink)).sum::<f64>() / mass
}

#[test]
fn the_bytes_never_change() {
    // Recipes name a seed and mean these images. A change here breaks every result published with them.
    assert_eq!(fnv(&images(Digits::new(0), 0, 500)), 0xbca7_f98c_1796_e51a);
    assert_eq!(fnv(&images(Digits::held_out(7), 3, 500)), 0x13e1_7515_883a_cd70);
}

#[test]
fn a_row_is_the_same_alone_and_among_others() {
    let digits = Digits::new(5);
    let all = images(digits, 2, 100);
    for row in [99, 0, 42] {
        let mut image = [1; PIXELS];
        digits.draw(2, row, &mut image);
        assert_eq!(image, all[row as usize * PIXELS..][..PIXELS]);
    }
}

#[test]
fn seeds_streams_and_epochs_share_no_image() {
    let sources = [(Digits::new(1), 0), (Digits::new(2), 0), (Digits::held_out(1), 0), (Digits::new(1), 1)];
    let pixels: Vec<_> = sources.iter().flat_map(|&(digits, epoch)| images(digits, epoch, 500)).collect();
    let mut distinct: Vec<_> = pixels.chunks_exact(PIXELS).collect();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 4 * 500);
}

#[test]
fn every_digit_is_as_frequent_as_any_other() {
    let mut counts = [0; 10];
    for row in 0..1000 {
        counts[usize::from(Digits::new(0).label(row))] += 1;
    }
    assert_eq!(counts, [100; 10]);
    assert_eq!(Digits::new(0).label(u32::MAX), 5);
}

#[test]
fn there_is_as_much_ink_as_in_real_digits() {
    let pixels = images(Digits::new(0), 0, 5000);
    let mean = pixels.iter().map(|&ink| f64::from(ink)).sum::<f64>() / pixels.len() as f64 / 255.0;
    assert!((0.125..0.137).contains(&mean), "{mean}");
    assert!(pixels.chunks_exact(PIXELS).all(|image| image.iter().filter(|&&ink| ink > 100).count() > 10));
}

#[test]
fn the_centre_of_mass_is_in_the_middle() {
    for image in images(Digits::held_out(0), 0, 1000).chunks_exact(PIXELS) {
        let (x, y) = (centre(image, |i| i % SIDE), centre(image, |i| i / SIDE));
        // Whole-pixel shifts leave half a pixel; ink pushed over the border a little more.
        assert!((x - 14.0).abs() < 0.7 && (y - 14.0).abs() < 0.7, "{x} {y}");
    }
    let strewn = images(Digits::new(0), 0, 2000);
    let mean = strewn.chunks_exact(PIXELS).map(|image| centre(image, |i| i % SIDE)).sum::<f64>() / 2000.0;
    assert!((mean - 14.0).abs() < 0.1, "{mean}");
}

#[test]
fn a_slice_of_another_length_is_filled_as_far_as_it_goes() {
    let mut image = [0; PIXELS];
    let (mut short, mut long) = ([0; 400], [9; 1000]);
    Digits::new(0).draw(0, 3, &mut image);
    Digits::new(0).draw(0, 3, &mut short);
    Digits::new(0).draw(0, 3, &mut long);
    assert_eq!(short, image[..400]);
    assert_eq!(long[..PIXELS], image);
    assert_eq!(long[PIXELS..], [9; 1000 - PIXELS]);
}
