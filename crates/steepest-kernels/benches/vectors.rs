//! `cargo bench -p steepest-kernels --bench vectors`: what goes along vectors and over the outputs of layers, on one thread, in
//! picoseconds for each number.

mod timing;

use std::hint::black_box;

use steepest_kernels::{self as kernels, AdamStep, AlignedVec, RmspropStep, SoftmaxShift, instruction_set};

use timing::median_seconds;

/// Numbers of a row, and rows: together they stay in the second cache.
const WIDTH: usize = 10;
const ROWS: usize = 1_600;
const N: usize = WIDTH * ROWS;

fn main() {
    println!("one thread, {}, f32, {N} numbers; medians, ps for each number", instruction_set().name());
    let numbers = |offset: usize| {
        let number = |i: usize| ((i * 37 + offset) % 101) as f32 / 101.0 - 0.5;
        AlignedVec::from(&(0..N).map(number).collect::<Vec<_>>()[..])
    };
    let (x, mut y, mut w) = (numbers(1), numbers(2), numbers(3));
    let (mut m, mut v) = (numbers(4), AlignedVec::from(&[0.5f32; N][..]));
    let classes: Vec<u32> = (0..ROWS).map(|row| (row * 7 % WIDTH) as u32).collect();
    let (mut log_sums, mut sums, mut squares) = ([0.0f32; ROWS], [0.0f32; WIDTH], [0.0f32; WIDTH]);
    let (mean, factor, shift) = ([0.1f32; WIDTH], [1.5f32; WIDTH], [0.2f32; WIDTH]);
    let bytes: Vec<u8> = (0..N).map(|i| (i % 256) as u8).collect();
    let step = AdamStep {
        rate: 1e-6,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        correction1: 0.5,
        correction2: 0.5,
        decay: 0.0,
    };
    let rmsprop = RmspropStep { rate: 1e-6, alpha: 0.99, epsilon: 1e-8, momentum: 0.0 };
    let by_row = SoftmaxShift::RowMaximum;
    let mut rows: Vec<(&str, f64)> = Vec::new();
    let mut row = |name, f: &mut dyn FnMut()| rows.push((name, median_seconds(20, f)));

    row("relu", &mut || kernels::relu(black_box(&x), &mut y));
    row("relu, back", &mut || kernels::relu_backward(black_box(&x), &mut y));
    row("sigmoid", &mut || kernels::sigmoid(black_box(&x), &mut y));
    row("sigmoid, back", &mut || kernels::sigmoid_backward(black_box(&x), &mut y));
    row("tanh", &mut || kernels::tanh(black_box(&x), &mut y));
    row("tanh, back", &mut || kernels::tanh_backward(black_box(&x), &mut y));
    row("gelu", &mut || kernels::gelu(black_box(&x), &mut y));
    row("gelu, back", &mut || kernels::gelu_backward(black_box(&x), &mut y));
    let targets = kernels::ClassTargets { classes: &classes, smoothing: 0.0, clips: false };
    row("softmax, loss and gradient", &mut || {
        black_box(kernels::softmax_cross_entropy(&x, targets, by_row, 1.0, &mut y));
    });
    row("softmax of rows", &mut || kernels::softmax_rows(black_box(&x), by_row, &mut y, &mut log_sums));
    row("column sums (biases)", &mut || kernels::add_column_sums(black_box(&x), &mut sums));
    row("batch norm: moments", &mut || kernels::column_moments(black_box(&x), &mut sums, &mut squares));
    row("batch norm", &mut || kernels::batch_norm(black_box(&x), &mean, &factor, &shift, &mut y));
    row("bytes to numbers", &mut || kernels::widen(black_box(&bytes), 1.0 / 255.0, &mut y));
    row("all finite?", &mut || {
        black_box(kernels::all_finite(black_box(&x)));
    });
    row("gradient descent", &mut || kernels::axpy(-1e-6, black_box(&x), &mut w));
    let momentum = kernels::MomentumStep { inner: 1.0, outer: 1e-6, momentum: 0.9, nesterov: false };
    row("momentum", &mut || kernels::momentum(&momentum, black_box(&x), &mut m, &mut w));
    row("Adam", &mut || kernels::adam(&step, black_box(&x), &mut m, &mut v, &mut w));
    row("RMSprop", &mut || kernels::rmsprop(&rmsprop, black_box(&x), &mut v, &mut [], &mut w));
    row("running mean", &mut || kernels::lerp(0.001, black_box(&x), &mut w));
    for (name, seconds) in rows {
        println!("{name:<28} {:>8.0}", seconds / N as f64 * 1e12);
    }
}
