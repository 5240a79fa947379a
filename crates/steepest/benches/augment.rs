//! `cargo bench -p steepest --bench augment`: augmentation on one thread, random numbers included, in microseconds an image.

use std::hint::black_box;
use std::time::Instant;

use steepest::{Augment, AugmentScratch, Augmenter, instruction_set};

const IMAGES: u32 = 1000;

fn main() {
    println!("one thread, {}; medians, µs an image", instruction_set().name());
    let affine = Augment { shift: 1.5, rotation: 15.0, scale: 0.15, shear: 0.15, ..Augment::default() };
    let all = Augment { elastic: 1.2, ..affine };
    println!("{:>10} {:>10} {:>10} {:>10}", "size", "shift", "affine", "all");
    for side in [28, 32, 64] {
        // A disc, about a fifth of the picture.
        let distance = |i: usize| {
            let from = |x: usize| x as f64 + 0.5 - side as f64 / 2.0;
            from(i / side).hypot(from(i % side)) / side as f64
        };
        let image: Vec<u8> = (0..side * side).map(|i| if distance(i) < 0.25 { 200 } else { 0 }).collect();
        let (mut scratch, mut out) = (AugmentScratch::default(), image.clone());
        let shift = Augment { shift: 1.5, ..Augment::default() };
        let micros = [shift, affine, all].map(|augment| {
            let augmenter = Augmenter::new(augment, (side, side), 0);
            let mut times: Vec<f64> = (0..31)
                .map(|epoch| {
                    let start = Instant::now();
                    for row in 0..IMAGES {
                        augmenter.deform(epoch, row, black_box(&image), &mut scratch, black_box(&mut out));
                    }
                    start.elapsed().as_secs_f64() * 1e6 / f64::from(IMAGES)
                })
                .collect();
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        });
        let size = format!("{side} x {side}");
        println!("{size:>10} {:>10.2} {:>10.2} {:>10.2}", micros[0], micros[1], micros[2]);
    }
}
