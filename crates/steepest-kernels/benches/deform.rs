//! `cargo bench -p steepest-kernels --bench deform`: deformed images on one thread, in microseconds an image.

use std::hint::black_box;
use std::time::Instant;

use steepest_kernels::{DeformScratch, Deformation, deform, instruction_set, reference};

fn median_micros(images: usize, mut f: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..31)
        .map(|_| {
            let start = Instant::now();
            (0..images).for_each(|_| f());
            start.elapsed().as_secs_f64() * 1e6 / images as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    println!("one thread, {}; medians, µs an image", instruction_set().name());
    println!("{:>10} {:>8} {:>8} {:>10}", "size", "affine", "elastic", "reference");
    for (height, width) in [(28, 28), (32, 32), (64, 64), (128, 128)] {
        let image: Vec<u8> = (0..height * width).map(|i| (i * i % 251) as u8).collect();
        let (n_down, n_across) = (height / 4, width / 4);
        let shape = |n: usize| (0..n).map(|i| (i % 5) as f32 * 0.1).collect::<Vec<_>>();
        let (down, across, bumps) =
            (shape(height * n_down), shape(n_across * width), shape(n_down * n_across));
        let map = [[1.1, 0.2, 0.5], [-0.2, 0.9, -0.5]];
        let affine = Deformation { size: (height, width), map, down: &[], across: &[], bumps: [&[]; 2] };
        let elastic = Deformation { down: &down, across: &across, bumps: [&bumps; 2], ..affine };
        let (mut scratch, mut out) = (DeformScratch::default(), vec![0; image.len()]);
        let mut exact = vec![0.0; image.len()];
        let size = format!("{height} x {width}");
        let (affine, elastic, reference) = (
            median_micros(200, || deform(black_box(&image), &affine, &mut scratch, black_box(&mut out))),
            median_micros(200, || deform(black_box(&image), &elastic, &mut scratch, black_box(&mut out))),
            median_micros(1, || reference::deform(black_box(&image), &elastic, black_box(&mut exact))),
        );
        println!("{size:>10} {affine:>8.2} {elastic:>8.2} {reference:>10.1}");
    }
}
