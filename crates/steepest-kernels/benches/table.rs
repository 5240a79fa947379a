//! `cargo bench -p steepest-kernels --bench table`: what a step on a table of few columns is made of, on one thread, in µs.

mod timing;

use std::hint::black_box;

use steepest_kernels::{
    AlignedVec, ClassTargets, FEW_CLASSES, Finish, Inputs, Products, SoftmaxShift, affine, affine_turned,
    backpropagate, instruction_set, softmax_cross_entropy, weight_gradient, weight_gradient_turned,
};

use timing::median_seconds;

const EXACT: (Option<&[f32]>, Products) = (None, Products::Exact);
const LOGITS: Finish<f32> = Finish { bias: None, relu: false };

fn main() {
    println!("one thread, {}, f32; medians in µs, GFLOP/s", instruction_set().name());
    let names = ["first", "weights", "last", "weights", "inputs", "softmax, loss"];
    println!(
        "{:>5}{:>4}{:>5}{:>4} {}",
        "rows",
        "in",
        "units",
        "out",
        names.map(|n| format!("  {n:^14}")).concat()
    );
    for (rows, n_in, units, n_out) in
        [(100, 20, 100, 3), (100, 20, 100, 1), (100, 13, 64, 10), (100, 64, 100, 10)]
    {
        assert!(n_out <= FEW_CLASSES);
        let filled = |n: usize, x: f32| AlignedVec::from(&vec![x; n][..]);
        let (x, a, w1, w2) = (
            filled(rows * n_in, 0.5),
            filled(rows * units, 0.5),
            filled(n_in * units, 0.25),
            filled(units * n_out, 0.25),
        );
        let (mut z1, mut z2, mut delta) =
            (filled(rows * units, 0.125), filled(rows * n_out, 0.125), filled(rows * n_out, 0.125));
        let (mut d_w1, mut d_w2, mut back) = (w1.clone(), w2.clone(), a.clone());
        let classes = vec![0; rows];
        let (x, a) = (Inputs::plain(&x[..], n_in), Inputs::plain(&a[..], units));
        let seconds = [
            median_seconds(20, || affine_turned(black_box(x), &w1, LOGITS, black_box(&mut z1))),
            median_seconds(20, || weight_gradient_turned(black_box(&z1), x, 0, true, black_box(&mut d_w1))),
            median_seconds(20, || affine(black_box(a), &w2, LOGITS, black_box(&mut z2))),
            median_seconds(20, || weight_gradient(black_box(&delta), a, 0, true, black_box(&mut d_w2))),
            median_seconds(20, || backpropagate(black_box(&delta), &w2, units, EXACT, black_box(&mut back))),
            median_seconds(20, || {
                let shift = SoftmaxShift::RowMaximum;
                let targets = ClassTargets { classes: &classes, smoothing: 0.0, clips: false };
                softmax_cross_entropy(black_box(&z2), targets, shift, 0.01, black_box(&mut delta));
            }),
        ];
        let flop = |i: usize| 2.0 * (rows * units * if i < 2 { n_in } else { n_out }) as f64;
        let columns = seconds.iter().enumerate().map(|(i, s)| match i {
            5 => format!("  {:>7.2}       ", s * 1e6),
            _ => format!("  {:>7.2} {:>6.0}", s * 1e6, flop(i) / s / 1e9),
        });
        println!("{rows:>5}{n_in:>4}{units:>5}{n_out:>4} {}", columns.collect::<String>());
    }
}
