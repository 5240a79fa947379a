//! The three matrix products of a dense layer: by the walks of `walks.rs` or, where its weights are too many for the cache, by
//! the packed product of `gemm.rs`.

use crate::Float;
use crate::bf16::Products;
use crate::finish::{Finish, Store};
use crate::gemm::{Gemm, Matrix};
use crate::simd::{Element, InstructionSet, dispatch, dispatch_on, instruction_set};
use crate::walks::{Affine, Combine};

/// Inputs of a layer, `(rows, n_in)` row-major.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a, T, X> {
    /// Numbers or bytes.
    pub x: &'a [X],
    /// Numbers of a row.
    pub n_in: usize,
    /// What each of them is to be multiplied by.
    pub factor: T,
    /// How products with them are computed.
    pub products: Products,
}

impl<'a, T: Float, X> Inputs<'a, T, X> {
    /// Inputs as they are.
    pub fn plain(x: &'a [X], n_in: usize) -> Self {
        Self { x, n_in, factor: T::ONE, products: Products::Exact }
    }
}

/// `out = factor x wᵀ + bias`: a layer's logits, or what ReLU makes of them.
///
/// `w (n_out, n_in)`, `out (rows, n_out)`. Weights must be finite.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn affine<T: Float, X: Element<T>>(inputs: Inputs<T, X>, w: &[T], finish: Finish<T>, out: &mut [T]) {
    let Inputs { x, n_in, .. } = inputs;
    let (rows, n_out) = (x.len() / n_in, w.len() / n_in);
    assert!(x.len() == rows * n_in && w.len() == n_out * n_in && out.len() == rows * n_out);
    assert!(finish.fits(n_out));
    match X::numbers(x) {
        Some(x) if is_large::<T>(n_in, n_out) => {
            let (a, b) =
                (Matrix { numbers: x, strides: (n_in, 1) }, Matrix { numbers: w, strides: (1, n_in) });
            let store = Store::Sums(finish);
            let product = Gemm { a, b, k: n_in, n: n_out, factor: inputs.factor, store, c: out };
            inputs.products.multiply(instruction_set(), product);
        }
        // Rows that fill no register are not walked along: bringing so few weights into order costs next to nothing.
        Some(x) if n_in <= SHORT && w.len() <= SHORT * SHORT => {
            let mut w_t = [T::ZERO; SHORT * SHORT];
            let w_t = &mut w_t[..w.len()];
            for (unit, w) in w.chunks_exact(n_in).enumerate() {
                for (input, &w) in w.iter().enumerate() {
                    w_t[input * n_out + unit] = w;
                }
            }
            let Inputs { factor, products, .. } = inputs;
            affine_turned(Inputs { x, n_in, factor, products }, w_t, finish, out);
        }
        _ => dispatch(Affine { inputs, w, finish, out }),
    }
}

/// Inputs of a layer that are too few to be walked along.
const SHORT: usize = 16;

/// `d_w = factor deltaᵀ x`, or with `add` `d_w += factor deltaᵀ x`: what a block of rows gives to the gradient of a
/// layer's weights.
///
/// `delta (rows, n_out)`, `d_w (any, n_in)`: the gradient of the units from `first` on, as many as it has room for.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn weight_gradient<T: Float, X: Element<T>>(
    delta: &[T],
    inputs: Inputs<T, X>,
    first: usize,
    add: bool,
    d_w: &mut [T],
) {
    let Inputs { x, n_in, factor, products } = inputs;
    let rows = x.len() / n_in;
    let (n_out, units) = (delta.len() / rows, d_w.len() / n_in);
    assert!(x.len() == rows * n_in && d_w.len() == units * n_in);
    assert!(delta.len() == rows * n_out && first + units <= n_out);
    let delta = &delta[first..];
    match X::numbers(x) {
        Some(x) if is_large::<T>(n_in, n_out) => {
            let (a, b) =
                (Matrix { numbers: delta, strides: (1, n_out) }, Matrix { numbers: x, strides: (n_in, 1) });
            let store = Store::gradient(add);
            products.multiply(instruction_set(), Gemm { a, b, k: rows, n: n_in, factor, store, c: d_w });
        }
        _ => dispatch(Combine {
            c: delta,
            at: (1, n_out),
            terms: rows,
            y: x,
            width: n_in,
            factor,
            store: Store::gradient(add),
            out: d_w,
        }),
    }
}

/// [`affine`] with the weights transposed, so that lanes run along the units: for rows that are too short to be walked along.
///
/// `w_t (n_in, n_out)`, `out (rows, n_out)`.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn affine_turned<T: Float>(inputs: Inputs<T, T>, w_t: &[T], finish: Finish<T>, out: &mut [T]) {
    affine_turned_on(instruction_set(), inputs, w_t, finish, out);
}

/// [`affine_turned`] with one instruction set of those available.
pub(crate) fn affine_turned_on<T: Float>(
    set: InstructionSet,
    inputs: Inputs<T, T>,
    w_t: &[T],
    finish: Finish<T>,
    out: &mut [T],
) {
    let Inputs { x, n_in, factor, products } = inputs;
    let (rows, n_out) = (x.len() / n_in, w_t.len() / n_in);
    assert!(x.len() == rows * n_in && w_t.len() == n_out * n_in && out.len() == rows * n_out);
    assert!(finish.fits(n_out));
    let store = Store::Sums(finish);
    if is_large::<T>(n_in, n_out) {
        let (a, b) =
            (Matrix { numbers: x, strides: (n_in, 1) }, Matrix { numbers: w_t, strides: (n_out, 1) });
        products.multiply(set, Gemm { a, b, k: n_in, n: n_out, factor, store, c: out });
        return;
    }
    let at = (n_in, 1);
    dispatch_on(set, Combine { c: x, at, terms: n_in, y: w_t, width: n_out, factor, store, out });
}

/// [`weight_gradient`] for transposed weights.
///
/// `delta (rows, n_out)`, `d_w_t (any, n_out)`: the gradient of the inputs from `first` on, as many as it has room for.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn weight_gradient_turned<T: Float>(
    delta: &[T],
    inputs: Inputs<T, T>,
    first: usize,
    add: bool,
    d_w_t: &mut [T],
) {
    let Inputs { x, n_in, factor, products } = inputs;
    let rows = x.len() / n_in;
    let n_out = delta.len() / rows;
    let columns = d_w_t.len() / n_out;
    assert!(x.len() == rows * n_in && delta.len() == rows * n_out);
    assert!(d_w_t.len() == columns * n_out && first + columns <= n_in);
    let x = &x[first..];
    if is_large::<T>(n_in, n_out) {
        let (a, b) =
            (Matrix { numbers: x, strides: (1, n_in) }, Matrix { numbers: delta, strides: (n_out, 1) });
        let store = Store::gradient(add);
        products.multiply(instruction_set(), Gemm { a, b, k: rows, n: n_out, factor, store, c: d_w_t });
    } else {
        dispatch(Combine {
            c: x,
            at: (1, n_in),
            terms: rows,
            y: delta,
            width: n_out,
            factor,
            store: Store::gradient(add),
            out: d_w_t,
        });
    }
}

/// `out = delta w`: the gradient at a layer's inputs. Where these are outputs of ReLU, `a (rows, n_in)`, the gradient at what ReLU
/// was given: it passes where `a > 0`.
///
/// `delta (rows, n_out)`, `w (n_out, n_in)`, `out (rows, n_in)`.
///
/// # Panics
/// When the slices do not have these shapes.
pub fn backpropagate<T: Float>(
    delta: &[T],
    w: &[T],
    n_in: usize,
    (relu, products): (Option<&[T]>, Products),
    out: &mut [T],
) {
    let (rows, n_out) = (out.len() / n_in, w.len() / n_in);
    assert!(out.len() == rows * n_in && w.len() == n_out * n_in && delta.len() == rows * n_out);
    assert!(relu.is_none_or(|a| a.len() == out.len()));
    let factor = T::ONE;
    let store = Store::gradient_at_inputs(relu);
    if is_large::<T>(n_in, n_out) {
        let (a, b) =
            (Matrix { numbers: delta, strides: (n_out, 1) }, Matrix { numbers: w, strides: (n_in, 1) });
        products.multiply(instruction_set(), Gemm { a, b, k: n_out, n: n_in, factor, store, c: out });
    } else {
        let at = (n_out, 1);
        dispatch(Combine { c: delta, at, terms: n_out, y: w, width: n_in, factor, store, out });
    }
}

/// Whether a layer's weights are too many for the second cache. It takes such a layer a matrix product that brings them into
/// order piece by piece, which pays where many rows go through it together: 256 or more.
pub fn is_large<T: Float>(n_in: usize, n_out: usize) -> bool {
    const LARGE_BYTES: usize = 2 << 20;
    // With fewer units than this, or fewer inputs, there is little to bring into order.
    const NARROW: usize = 64;
    n_in.min(n_out) >= NARROW && n_in * n_out * size_of::<T>() >= LARGE_BYTES
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::reference::{self, assert_close};

    /// Numbers without a pattern, in -1..1.
    pub fn numbers<T: Float>(n: usize, seed: u64) -> Vec<T> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            T::from_f64((state >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
        };
        (0..n).map(|_| next()).collect()
    }

    /// The twin's inputs: every element times `factor`.
    fn scaled<T: Float>(x: impl Iterator<Item = T>, factor: T) -> Vec<T> {
        x.map(|x| x * factor).collect()
    }

    fn check<T: Float, X: Element<T>>(
        x: &[X],
        plain: &[T],
        (n_in, n_out): (usize, usize),
        factor: T,
        set: InstructionSet,
        tolerance: f64,
    ) {
        let rows = x.len() / n_in;
        let (w, b) = (numbers::<T>(n_out * n_in, 2), numbers::<T>(n_out, 3));
        let delta = numbers::<T>(rows * n_out, 4);
        let inputs = Inputs { x, n_in, factor, products: Products::Exact };

        let (mut out, mut expected) = (delta.clone(), delta.clone());
        for relu in [false, true] {
            let finish = Finish { bias: Some(&b[..]), relu };
            dispatch_on(set, Affine { inputs, w: &w, finish, out: &mut out });
            reference::affine(plain, &w, finish, n_in, &mut expected);
            assert_close(&out, &expected, tolerance);
        }

        for add in [false, true] {
            let (mut out, mut expected) = (w.clone(), w.clone());
            let out_ = &mut out;
            dispatch_on(
                set,
                Combine {
                    c: &delta,
                    at: (1, n_out),
                    terms: rows,
                    y: x,
                    width: n_in,
                    factor,
                    store: Store::gradient(add),
                    out: out_,
                },
            );
            reference::weight_gradient(&delta, plain, n_in, add, &mut expected);
            assert_close(&out, &expected, tolerance);
        }

        if let Some(x) = X::numbers(x) {
            let (a, b_) =
                (Matrix { numbers: x, strides: (n_in, 1) }, Matrix { numbers: &w, strides: (1, n_in) });
            let (mut out, mut expected) = (delta.clone(), delta.clone());
            for relu in [false, true] {
                let finish = Finish { bias: Some(&b[..]), relu };
                let store = Store::Sums(finish);
                dispatch_on(set, Gemm { a, b: b_, k: n_in, n: n_out, factor, store, c: &mut out });
                reference::affine(plain, &w, finish, n_in, &mut expected);
                assert_close(&out, &expected, tolerance);
            }
            let (a, b_) =
                (Matrix { numbers: &delta, strides: (1, n_out) }, Matrix { numbers: x, strides: (n_in, 1) });
            let (mut out, mut expected) = (w.clone(), w.clone());
            let store = Store::Added;
            dispatch_on(set, Gemm { a, b: b_, k: rows, n: n_in, factor, store, c: &mut out });
            reference::weight_gradient(&delta, plain, n_in, true, &mut expected);
            assert_close(&out, &expected, tolerance);
        }

        let (mut out, mut expected) = (vec![T::ONE; rows * n_in], vec![T::ZERO; rows * n_in]);
        let (c, y, terms, one, at) = (&delta[..], &w[..], n_out, T::ONE, (n_out, 1));
        for relu in [None, Some(plain)] {
            let store = Store::gradient_at_inputs(relu);
            let (width, factor) = (n_in, one);
            dispatch_on(set, Combine { c, at, terms, y, width, factor, store, out: &mut out });
            reference::backpropagate(&delta, &w, n_in, relu, &mut expected);
            assert_close(&out, &expected, tolerance);
            let (a, b) =
                (Matrix { numbers: c, strides: (n_out, 1) }, Matrix { numbers: y, strides: (n_in, 1) });
            dispatch_on(set, Gemm { a, b, k: n_out, n: n_in, factor, store, c: &mut out });
            assert_close(&out, &expected, tolerance);
        }
    }

    fn check_all<T: Float>(tolerance: f64) {
        for set in InstructionSet::available() {
            for (rows, n_in, n_out) in [
                (1, 1, 1),
                (5, 3, 2),
                (64, 784, 10),
                (130, 70, 11),
                (6, 2100, 3),
                (7, 10, 10),
                (33, 65, 13),
                (12, 100, 1),
                (9, 24, 17),
            ] {
                // Stretches of zeros of all lengths, as images have them.
                let inked = |i: usize| (i / 70).is_multiple_of(3);
                let mut x = numbers::<T>(rows * n_in, 1);
                x.iter_mut().enumerate().filter(|(i, _)| !inked(*i)).for_each(|(_, x)| *x = T::ZERO);
                let plain = scaled(x.iter().copied(), T::from_f64(0.25));
                check(&x, &plain, (n_in, n_out), T::from_f64(0.25), set, tolerance);

                let bytes: Vec<u8> =
                    (0..rows * n_in).map(|i| if inked(i) { (i * 37 % 256) as u8 } else { 0 }).collect();
                let factor = T::from_f64(1.0 / 255.0);
                let plain = scaled(bytes.iter().map(|&b| T::from_u8(b)), factor);
                check(&bytes, &plain, (n_in, n_out), factor, set, tolerance);
            }
        }
    }

    /// Calls `f` with the number of its first row for each part of a gradient.
    fn parts<T>(width: usize, gradient: &mut [T], mut f: impl FnMut(usize, &mut [T])) {
        let height = (gradient.len() / width).div_ceil(3);
        gradient.chunks_mut(height * width).enumerate().for_each(|(i, part)| f(i * height, part));
    }

    /// Layers whose weights are in the cache and not, upright and turned.
    #[test]
    fn public_products_equal_their_plain_twins() {
        for (rows, n_in, n_out) in [(7, 20, 100), (65, 33, 64), (70, 800, 700), (521, 1100, 515)] {
            assert_eq!(is_large::<f32>(n_in, n_out), n_in > 100);
            let factor = 0.25f32;
            let (x, w, b) = (numbers(rows * n_in, 1), numbers(n_out * n_in, 2), numbers(n_out, 3));
            let delta: Vec<f32> = numbers(rows * n_out, 4);
            let plain = scaled(x.iter().copied(), factor);
            let inputs = Inputs { x: &x[..], n_in, factor, products: Products::Exact };
            let mut w_t = w.clone();
            crate::transpose(&w, n_in, 0, &mut w_t);
            for bias in [Some(&b[..]), None] {
                let mut expected = delta.clone();
                let finish = Finish { bias, relu: bias.is_some() };
                reference::affine(&plain, &w, finish, n_in, &mut expected);
                let mut out = delta.clone();
                affine(inputs, &w, finish, &mut out);
                assert_close(&out, &expected, 2e-5);
                affine_turned(inputs, &w_t, finish, &mut out);
                assert_close(&out, &expected, 2e-5);
            }
            for add in [false, true] {
                let mut expected = w.clone();
                reference::weight_gradient(&delta, &plain, n_in, add, &mut expected);
                let (mut out, mut out_t) = (w.clone(), w_t.clone());
                parts(n_in, &mut out, |first, part| weight_gradient(&delta, inputs, first, add, part));
                assert_close(&out, &expected, 2e-5);
                parts(n_out, &mut out_t, |first, part| {
                    weight_gradient_turned(&delta, inputs, first, add, part);
                });
                crate::transpose(&out_t, n_out, 0, &mut out);
                assert_close(&out, &expected, 2e-5);
            }
            let (mut out, mut expected) = (x.clone(), x.clone());
            for relu in [None, Some(&x[..])] {
                backpropagate(&delta, &w, n_in, (relu, Products::Exact), &mut out);
                reference::backpropagate(&delta, &w, n_in, relu, &mut expected);
                assert_close(&out, &expected, 2e-5);
            }
        }
    }

    #[test]
    fn products_equal_their_plain_twins_on_every_instruction_set() {
        check_all::<f32>(2e-5);
        check_all::<f64>(1e-13);
    }
}
