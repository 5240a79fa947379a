//! `cargo bench -p steepest-kernels --bench ink`: numbers that are mostly zero through a wide first layer, turned or by a walk
//! over those that are not; on one thread, in GFLOP/s of the dense product.

mod timing;

use std::hint::black_box;

use steepest_kernels::{
    Finish, Float, Ink, Inputs, affine_sparse, affine_sparse_row, affine_turned, instruction_set,
    weight_gradient_sparse, weight_gradient_turned,
};

use timing::median_seconds;

fn main() {
    println!("one thread, {}; medians, GFLOP/s of the dense product", instruction_set().name());
    println!("{:>28}  {:^19}  {:^19}  {:^19}", "", "turned", "by its ink", "a single row");
    let names = ["forward", "weights", "forward", "weights", "turned", "by its ink"];
    let names = names.map(|name| format!(" {name:>9}"));
    println!("{:>5}{:>5}{:>5}{:>11} {}", "rows", "in", "out", "ink", names.concat());
    measure::<f64>("f64");
    measure::<f32>("f32");
}

fn measure<T: Float>(precision: &str) {
    for (rows, n_in, n_out) in [(64, 784, 100), (64, 784, 512)] {
        for radius in [7.0, 8.0, 11.2, 100.0f64] {
            // A disc of ink in each image, nowhere twice in the same place.
            let has_ink = |i: usize| {
                let (row, pixel) = (i / n_in, i % n_in);
                let y = pixel as f64 / 28.0 - 11.0 - (row % 7) as f64;
                let x = (pixel % 28) as f64 - 10.0 - (row % 8) as f64;
                x * x + y * y < radius * radius
            };
            let number = |i: usize| (i % 97) as f64 / 97.0 + 0.1;
            let numbers = |n: usize| -> Vec<T> { (0..n).map(|i| T::from_f64(number(i))).collect() };
            let x: Vec<T> =
                (0..rows * n_in).map(|i| if has_ink(i) { T::from_f64(number(i)) } else { T::ZERO }).collect();
            let (w, delta) = (numbers(n_in * n_out), numbers(rows * n_out));
            let (mut out, mut d_w) = (delta.clone(), w.clone());
            let inputs = Inputs::plain(&x[..], n_in);
            let row = Inputs::plain(&x[..n_in], n_in);
            let (mut ink, mut found) = (Ink::default(), Ink::default());
            found.find(&x, n_in);
            let seconds = [
                median_seconds(20, || {
                    affine_turned(black_box(inputs), &w, Finish::logits(None), black_box(&mut out))
                }),
                median_seconds(20, || {
                    weight_gradient_turned(black_box(&delta), inputs, 0, true, black_box(&mut d_w));
                }),
                median_seconds(20, || {
                    ink.find(&x, n_in);
                    affine_sparse(black_box(inputs), &ink, &w, None, black_box(&mut out));
                }),
                median_seconds(20, || {
                    weight_gradient_sparse(black_box(&delta), inputs, &found, 0, true, black_box(&mut d_w));
                }),
                median_seconds(20, || {
                    affine_turned(black_box(row), &w, Finish::logits(None), &mut out[..n_out])
                }),
                median_seconds(20, || {
                    affine_sparse_row(black_box(row.x), T::ONE, &w, None, &mut out[..n_out])
                }),
            ];
            let gflop = |i: usize| 2.0 * (if i < 4 { rows } else { 1 } * n_in * n_out) as f64 / 1e9;
            let rates: Vec<_> =
                seconds.iter().enumerate().map(|(i, s)| format!(" {:>9.1}", gflop(i) / s)).collect();
            let part = format!("{precision} {} %", 100 * found.count() / x.len());
            println!("{rows:>5}{n_in:>5}{n_out:>5}{part:>11} {}", rates.concat());
        }
    }
}
