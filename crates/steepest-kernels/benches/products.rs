//! `cargo bench -p steepest-kernels`: each product on one thread, in GFLOP/s of the dense product.

use std::hint::black_box;
use std::time::Instant;

use steepest_kernels::{AlignedVec, Inputs, affine, backpropagate, instruction_set, weight_gradient};

fn median_seconds(mut f: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..31)
        .map(|_| {
            let start = Instant::now();
            (0..20).for_each(|_| f());
            start.elapsed().as_secs_f64() / 20.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    println!("one thread, {}, f32; medians, GFLOP/s of the dense product", instruction_set().name());
    println!("{:>15}  {:^29}  {:^19}", "", "floats", "bytes, 4 of 5 zero");
    let names = ["forward", "weights", "inputs", "forward", "weights"].map(|name| format!(" {name:>9}"));
    println!("{:>5}{:>5}{:>5} {}", "rows", "in", "out", names.concat());
    for (rows, n_in, n_out) in [(64, 784, 10), (64, 10, 10), (32, 784, 128), (64, 784, 128), (64, 512, 512)] {
        // A disc of ink in the middle of each image.
        let ink = |i: usize| {
            let (y, x) = ((i % n_in) as f64 / 28.0 - 14.0, (i % 28) as f64 - 13.5);
            u8::from(x * x + y * y < 50.0) * 200
        };
        let bytes: Vec<u8> = (0..rows * n_in).map(ink).collect();
        let filled = |n: usize, x: f32| AlignedVec::from(&vec![x; n][..]);
        let x = filled(rows * n_in, 0.5);
        let w = filled(n_out * n_in, 0.25);
        let delta = filled(rows * n_out, 0.125);
        let (mut out, mut d_w, mut back) = (delta.clone(), w.clone(), x.clone());
        let floats = Inputs::plain(&x[..], n_in);
        let digits = Inputs { x: &bytes[..], n_in, factor: 1.0 };
        let seconds = [
            median_seconds(|| affine(black_box(floats), &w, None, black_box(&mut out))),
            median_seconds(|| weight_gradient(black_box(&delta), floats, true, black_box(&mut d_w))),
            median_seconds(|| backpropagate(black_box(&delta), &w, n_in, black_box(&mut back))),
            median_seconds(|| affine(black_box(digits), &w, None, black_box(&mut out))),
            median_seconds(|| weight_gradient(black_box(&delta), digits, true, black_box(&mut d_w))),
        ];
        let gflop = 2.0 * (rows * n_in * n_out) as f64 / 1e9;
        let rates = seconds.map(|s| format!(" {:>9.1}", gflop / s));
        println!("{rows:>5}{n_in:>5}{n_out:>5} {}", rates.concat());
    }
}
