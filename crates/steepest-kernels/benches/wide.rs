//! `cargo bench -p steepest-kernels --bench wide`: the products of layers too large for the cache, on one thread, in GFLOP/s.

mod timing;

use std::hint::black_box;

use steepest_kernels::{
    AlignedVec, Finish, Inputs, Products, affine, affine_turned, backpropagate, instruction_set, is_large,
    weight_gradient,
};

use timing::median_seconds;

const LOGITS: Finish<f32> = Finish { bias: None, relu: false };

fn main() {
    println!("one thread, {}, f32; medians, GFLOP/s", instruction_set().name());
    println!(
        "{:>5}{:>5}{:>5}  {:>9} {:>9} {:>9} {:>9}",
        "rows", "in", "out", "forward", "turned", "inputs", "weights"
    );
    for (rows, n_in, n_out) in [
        (512, 784, 2048),
        (512, 2048, 2048),
        (256, 784, 1024),
        (256, 1024, 512),
        (64, 784, 128),
        (128, 784, 128),
        (64, 512, 256),
        (128, 512, 256),
        (64, 128, 128),
        (128, 100, 20),
        (512, 1000, 1000),
    ] {
        let numbers = |n: usize| {
            AlignedVec::from(&(0..n).map(|i| (i % 97) as f32 / 97.0 - 0.5).collect::<Vec<_>>()[..])
        };
        let (x, w, delta) = (numbers(rows * n_in), numbers(n_out * n_in), numbers(rows * n_out));
        let (mut out, mut d_w, mut back) = (delta.clone(), w.clone(), x.clone());
        let gflop = 2.0 * (rows * n_in * n_out) as f64 / 1e9;
        for (products, name) in [(Products::Exact, ""), (Products::Bf16, "bf16")] {
            if products == Products::Bf16 && !is_large::<f32>(n_in, n_out) {
                continue;
            }
            let x = Inputs { products, ..Inputs::plain(&x[..], n_in) };
            let relu = (None, products);
            let rates = [
                median_seconds(1, || affine(black_box(x), &w, LOGITS, black_box(&mut out))),
                median_seconds(1, || affine_turned(black_box(x), &w, LOGITS, black_box(&mut out))),
                median_seconds(1, || backpropagate(black_box(&delta), &w, n_in, relu, black_box(&mut back))),
                median_seconds(1, || weight_gradient(black_box(&delta), x, 0, false, black_box(&mut d_w))),
            ]
            .map(|s| format!(" {:>9.1}", gflop / s));
            println!("{rows:>5}{n_in:>5}{n_out:>5} {} {name}", rates.concat());
        }
    }
}
