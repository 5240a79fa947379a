//! `cargo bench -p steepest-kernels`: each product on one thread, in GFLOP/s.

use std::hint::black_box;
use std::time::Instant;

use steepest_kernels::{affine, backpropagate, instruction_set, weight_gradient, widen};

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
    println!("one thread, {}, f32; medians", instruction_set().name());
    println!(
        "{:>5} {:>5} {:>5}  {:>9} {:>9} {:>9}  GFLOP/s; widen µs",
        "rows", "in", "out", "forward", "weights", "inputs"
    );
    for (rows, n_in, n_out) in
        [(32, 784, 10), (64, 784, 10), (64, 10, 10), (32, 784, 128), (64, 784, 128), (64, 512, 512)]
    {
        let bytes = vec![3u8; rows * n_in];
        let mut x = vec![0.5f32; rows * n_in];
        let w = vec![0.25f32; n_out * n_in];
        let delta = vec![0.125f32; rows * n_out];
        let (mut out, mut d_w, mut back) = (delta.clone(), w.clone(), x.clone());
        let gflop = 2.0 * (rows * n_in * n_out) as f64 / 1e9;
        let wide = median_seconds(|| widen(black_box(&bytes), 1.0 / 255.0, black_box(&mut x)));
        let forward = median_seconds(|| affine(black_box(&x), &w, None, n_in, black_box(&mut out)));
        let weights =
            median_seconds(|| weight_gradient(black_box(&delta), &x, n_in, true, black_box(&mut d_w)));
        let inputs = median_seconds(|| backpropagate(black_box(&delta), &w, n_in, black_box(&mut back)));
        println!(
            "{rows:>5} {n_in:>5} {n_out:>5}  {:>9.1} {:>9.1} {:>9.1}  {:.1}",
            gflop / forward,
            gflop / weights,
            gflop / inputs,
            wide * 1e6
        );
    }
}
