//! `cargo bench -p steepest-kernels`: each product on one thread, in GFLOP/s of the dense product.

mod timing;

use std::hint::black_box;

use steepest_kernels::{
    AlignedVec, Finish, Ink, Inputs, Patches, Products, affine, affine_patches, affine_sparse, backpropagate,
    instruction_set, weight_gradient, weight_gradient_patches, weight_gradient_sparse,
};

use timing::median_seconds;

const EXACT: (Option<&[f32]>, Products) = (None, Products::Exact);
const LOGITS: Finish<f32> = Finish { bias: None, relu: false };

fn main() {
    println!("one thread, {}, f32; medians, GFLOP/s of the dense product", instruction_set().name());
    println!("{:>15}  {:^29}  {:^19}  {:^19}  {:^19}", "", "floats", "bytes", "pixel by pixel", "patches");
    let names =
        ["forward", "weights", "inputs", "forward", "weights", "forward", "weights", "forward", "weights"];
    let names = names.map(|name| format!(" {name:>9}"));
    println!("{:>5}{:>5}{:>5} {}", "rows", "in", "out", names.concat());
    let shapes = [(64, 784, 10), (64, 784, 32), (64, 784, 64), (64, 784, 128), (64, 512, 512), (64, 10, 10)];
    // Squared radii of discs that cover a fifth and half of a picture; one as most data is, one as few bytes are empty.
    let discs = shapes.map(|shape| (shape, 48.0)).into_iter().chain([((64, 784, 128), 125.0)]);
    for ((rows, n_in, n_out), disc) in discs {
        // A disc of ink in each image, nowhere twice in the same place.
        let has_ink = |i: usize| {
            let (row, pixel) = (i / n_in, i % n_in);
            let (y, x) = (
                pixel as f64 / 28.0 - 11.0 - (row % 7) as f64,
                (pixel % 28) as f64 - 10.0 - (row % 8) as f64,
            );
            x * x + y * y < disc
        };
        let bytes: Vec<u8> = (0..rows * n_in).map(|i| u8::from(has_ink(i)) * 200).collect();
        let filled = |n: usize, x: f32| AlignedVec::from(&vec![x; n][..]);
        let x = filled(rows * n_in, 0.5);
        let w = filled(n_out * n_in, 0.25);
        let delta = filled(rows * n_out, 0.125);
        let (mut out, mut d_w, mut back) = (delta.clone(), w.clone(), x.clone());
        let floats = Inputs::plain(&x[..], n_in);
        let digits = Inputs { x: &bytes[..], n_in, factor: 1.0, products: Products::Exact };
        let (mut ink, mut found) = (Ink::default(), Ink::default());
        found.find(&bytes, n_in);
        let mut patches = Patches::default();
        let mut order: Vec<u32> = (0..n_in as u32).collect();
        order.sort_by_key(|&pixel| (pixel / 28 / 4, pixel % 28 / 4));
        if n_in.is_multiple_of(Patches::WIDTH) {
            patches.find(&bytes, n_in, &order);
        }
        let n_w = patches.n_in() * n_out;
        let if_any = |n: usize, f: &mut dyn FnMut()| if n > 0 { median_seconds(20, f) } else { 0.0 };
        let part = 100 * found.count() / bytes.len();
        let seconds = [
            median_seconds(20, || affine(black_box(floats), &w, LOGITS, black_box(&mut out))),
            median_seconds(20, || weight_gradient(black_box(&delta), floats, 0, true, black_box(&mut d_w))),
            median_seconds(20, || backpropagate(black_box(&delta), &w, n_in, EXACT, black_box(&mut back))),
            median_seconds(20, || affine(black_box(digits), &w, LOGITS, black_box(&mut out))),
            median_seconds(20, || weight_gradient(black_box(&delta), digits, 0, true, black_box(&mut d_w))),
            median_seconds(20, || {
                ink.find(&bytes, n_in);
                affine_sparse(black_box(digits), &ink, &w, None, black_box(&mut out));
            }),
            median_seconds(20, || {
                weight_gradient_sparse(&delta, digits, &found, 0, true, black_box(&mut d_w))
            }),
            if_any(n_w, &mut || affine_patches(&patches, 1.0, &w, None, black_box(&mut out))),
            if_any(n_w, &mut || weight_gradient_patches(&delta, &patches, 1.0, true, black_box(&mut d_w))),
        ];
        let gflop = 2.0 * (rows * n_in * n_out) as f64 / 1e9;
        let rates =
            seconds.map(|s| if s > 0.0 { format!(" {:>9.1}", gflop / s) } else { format!(" {:>9}", "") });
        println!("{rows:>5}{n_in:>5}{n_out:>5} {}   {part} % ink", rates.concat());
    }
}
