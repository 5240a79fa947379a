//! Plain scalar twins of the kernels: what each of them computes, in the fewest words.

use crate::Float;

/// See [`crate::affine`].
pub fn affine<T: Float>(x: &[T], w: &[T], bias: Option<&[T]>, n_in: usize, out: &mut [T]) {
    let n_out = w.len() / n_in;
    for (x, out) in x.chunks_exact(n_in).zip(out.chunks_exact_mut(n_out)) {
        for (o, w) in w.chunks_exact(n_in).enumerate() {
            out[o] = x.iter().zip(w).map(|(&x, &w)| x * w).sum::<T>() + bias.map_or(T::ZERO, |b| b[o]);
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
pub fn backpropagate<T: Float>(delta: &[T], w: &[T], n_in: usize, out: &mut [T]) {
    let n_out = w.len() / n_in;
    for (delta, out) in delta.chunks_exact(n_out).zip(out.chunks_exact_mut(n_in)) {
        out.fill(T::ZERO);
        for (&d, w) in delta.iter().zip(w.chunks_exact(n_in)) {
            for (out, &w) in out.iter_mut().zip(w) {
                *out += d * w;
            }
        }
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
