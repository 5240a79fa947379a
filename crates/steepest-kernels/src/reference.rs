//! Plain scalar twins of the kernels: what each of them computes, in the fewest words.

use crate::{Finish, Float};

/// See [`crate::affine`].
pub fn affine<T: Float>(x: &[T], w: &[T], finish: Finish<T>, n_in: usize, out: &mut [T]) {
    let n_out = w.len() / n_in;
    for (x, out) in x.chunks_exact(n_in).zip(out.chunks_exact_mut(n_out)) {
        for (o, w) in w.chunks_exact(n_in).enumerate() {
            let z = x.iter().zip(w).map(|(&x, &w)| x * w).sum::<T>() + finish.bias.map_or(T::ZERO, |b| b[o]);
            out[o] = if finish.relu && z < T::ZERO { T::ZERO } else { z };
        }
    }
}

/// See [`crate::weight_gradient`].
pub fn weight_gradient<T: Float>(delta: &[T], x: &[T], n_in: usize, add: bool, d_w: &mut [T]) {
    let n_out = d_w.len() / n_in;
    if !add {
        d_w.fill(T::ZERO);
    }
    for (delta, x) in delta.chunks_exact(n_out).zip(x.chunks_exact(n_in)) {
        for (&d, d_w) in delta.iter().zip(d_w.chunks_exact_mut(n_in)) {
            for (d_w, &x) in d_w.iter_mut().zip(x) {
                *d_w += d * x;
            }
        }
    }
}

/// See [`crate::backpropagate`].
pub fn backpropagate<T: Float>(delta: &[T], w: &[T], n_in: usize, relu: Option<&[T]>, out: &mut [T]) {
    let n_out = w.len() / n_in;
    for (delta, out) in delta.chunks_exact(n_out).zip(out.chunks_exact_mut(n_in)) {
        out.fill(T::ZERO);
        for (&d, w) in delta.iter().zip(w.chunks_exact(n_in)) {
            for (out, &w) in out.iter_mut().zip(w) {
                *out += d * w;
            }
        }
    }
    if let Some(a) = relu {
        out.iter_mut().zip(a).filter(|(_, a)| **a <= T::ZERO).for_each(|(out, _)| *out = T::ZERO);
    }
}

/// See [`crate::sigmoid`].
pub fn sigmoid<T: Float>(z: &[T], a: &mut [T]) {
    for (a, &z) in a.iter_mut().zip(z) {
        *a = T::ONE / (T::ONE + (-z).exp());
    }
}

/// See [`crate::softmax_rows`], with each row's own maximum.
pub fn softmax_rows<T: Float>(z: &[T], n_classes: usize, p: &mut [T]) {
    for (z, p) in z.chunks_exact(n_classes).zip(p.chunks_exact_mut(n_classes)) {
        let largest = z.iter().copied().fold(T::NEG_INFINITY, T::max);
        for (p, &z) in p.iter_mut().zip(z) {
            *p = (z - largest).exp();
        }
        let total = p.iter().copied().sum::<T>();
        for p in p {
            *p = *p / total;
        }
    }
}

/// All of batch normalisation, from the sums `z (rows, n)` of a whole batch, with the biased variance: see [`crate::batch_norm`].
pub fn batch_norm<T: Float>(z: &[T], scale: &[T], shift: &[T], epsilon: f64, y: &mut [T]) {
    for column in 0..scale.len() {
        let (mean, inverse) = moments(z, scale.len(), column, epsilon);
        for row in (column..z.len()).step_by(scale.len()) {
            let z_hat = (z[row].to_f64() - mean) * inverse;
            y[row] = T::from_f64(scale[column].to_f64() * z_hat + shift[column].to_f64());
        }
    }
}

/// From `delta` at `y` to `delta` at `z`, and the gradients of scale and shift: see [`crate::batch_norm_backward`].
pub fn batch_norm_backward<T: Float>(
    z: &[T],
    scale: &[T],
    epsilon: f64,
    delta: &mut [T],
    d_scale: &mut [T],
    d_shift: &mut [T],
) {
    let (n, rows) = (scale.len(), z.len() / scale.len());
    for column in 0..n {
        let (mean, inverse) = moments(z, n, column, epsilon);
        let z_hat = |i: usize| (z[i].to_f64() - mean) * inverse;
        let column_of = || (column..z.len()).step_by(n);
        let sum: f64 = column_of().map(|i| delta[i].to_f64()).sum();
        let product: f64 = column_of().map(|i| delta[i].to_f64() * z_hat(i)).sum();
        for i in column_of() {
            let centred = delta[i].to_f64() - sum / rows as f64 - z_hat(i) * product / rows as f64;
            delta[i] = T::from_f64(scale[column].to_f64() * inverse * centred);
        }
        (d_scale[column], d_shift[column]) = (T::from_f64(product), T::from_f64(sum));
    }
}

/// A column's mean, and one over its standard deviation.
fn moments<T: Float>(z: &[T], n: usize, column: usize, epsilon: f64) -> (f64, f64) {
    let of_column = || z[column..].iter().step_by(n).map(|z| z.to_f64());
    let rows = (z.len() / n) as f64;
    let mean = of_column().sum::<f64>() / rows;
    let variance = of_column().map(|z| (z - mean).powi(2)).sum::<f64>() / rows;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

/// See [`crate::dropout`].
pub fn dropout<T: Float>(mask: crate::DropoutMask, first: usize, x: &mut [T]) {
    for (i, x) in x.iter_mut().enumerate() {
        let mut bits = (first + i) as u32 ^ mask.key as u32;
        bits = (bits ^ bits >> 16).wrapping_mul(0x7FEB_352D) ^ (mask.key >> 32) as u32;
        bits = (bits ^ bits >> 15).wrapping_mul(0x846C_A68B);
        bits ^= bits >> 16;
        let is_dropped = f64::from(bits) < (mask.rate * 2f64.powi(32)).round();
        *x = if is_dropped { T::ZERO } else { *x * T::from_f64(1.0 / (1.0 - mask.rate)) };
    }
}

/// See [`crate::lerp`].
pub fn lerp<T: Float>(rate: T, x: &[T], mean: &mut [T]) {
    for i in 0..mean.len() {
        mean[i] = (T::ONE - rate) * mean[i] + rate * x[i];
    }
}

/// See [`crate::adam`].
pub fn adam<T: Float>(step: &crate::AdamStep<T>, d: &[T], m: &mut [T], v: &mut [T], w: &mut [T]) {
    for i in 0..w.len() {
        m[i] = step.beta1 * m[i] + (T::ONE - step.beta1) * d[i];
        v[i] = step.beta2 * v[i] + (T::ONE - step.beta2) * d[i] * d[i];
        let m_hat = m[i] / step.correction1;
        let v_hat = v[i] / step.correction2;
        w[i] = w[i] - step.rate * step.decay * w[i] - step.rate * m_hat / (v_hat.sqrt() + step.epsilon);
    }
}

/// See [`crate::deform`]: the same in double precision, and not rounded.
pub fn deform(image: &[u8], how: &crate::Deformation, out: &mut [f64]) {
    let (height, width) = how.size;
    let (n_down, n_across) = (how.down.len() / height, how.across.len() / width);
    let pixel = |y: f64, x: f64| {
        let is_inside = y >= 0.0 && y < height as f64 && x >= 0.0 && x < width as f64;
        if is_inside { f64::from(image[y as usize * width + x as usize]) } else { 0.0 }
    };
    for (i, out) in out.iter_mut().enumerate() {
        let (row, column) = (i / width, i % width);
        let (middle_x, middle_y) = ((width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0);
        let (x, y) = (column as f64 - middle_x, row as f64 - middle_y);
        let place = |axis: usize| {
            let map = how.map[axis].map(f64::from);
            let mut place = map[0] * x + map[1] * y + map[2];
            for k in 0..n_down {
                for l in 0..n_across {
                    let shape =
                        f64::from(how.down[row * n_down + k]) * f64::from(how.across[l * width + column]);
                    place += f64::from(how.bumps[axis][k * n_across + l]) * shape;
                }
            }
            place
        };
        let (x, y) = (place(0) + middle_x, place(1) + middle_y);
        let (left, above) = (x.floor(), y.floor());
        let (u, v) = (x - left, y - above);
        *out = (1.0 - v) * ((1.0 - u) * pixel(above, left) + u * pixel(above, left + 1.0))
            + v * ((1.0 - u) * pixel(above + 1.0, left) + u * pixel(above + 1.0, left + 1.0));
    }
}

/// See [`crate::rmsprop`].
pub fn rmsprop<T: Float>(step: &crate::RmspropStep<T>, d: &[T], v: &mut [T], b: &mut [T], w: &mut [T]) {
    for i in 0..w.len() {
        v[i] = step.alpha * v[i] + (T::ONE - step.alpha) * d[i] * d[i];
        b[i] = step.momentum * b[i] + d[i] / (v[i].sqrt() + step.epsilon);
        w[i] -= step.rate * b[i];
    }
}

/// Fails unless each number is within `tolerance` of the expected one, relative or absolute, whichever is more.
#[cfg(test)]
#[track_caller]
pub(crate) fn assert_close<T: Float>(got: &[T], expected: &[T], tolerance: f64) {
    assert_eq!(got.len(), expected.len());
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        let (g, e) = (g.to_f64(), e.to_f64());
        assert!((g - e).abs() <= tolerance * (1.0 + e.abs()), "element {i}: {g} instead of {e}");
    }
}
