//! Predictions straight from weights that somebody else keeps, in the layout of NumPy and scikit-learn.

use std::sync::Mutex;

use steepest_kernels::{self as kernels, Finish, Float, Inputs, Pool};

use crate::activation::Activation;
use crate::dataset::Dataset;
use crate::gather::{Gather, Source};
use crate::head::Head;
use crate::locks::lock;
use crate::pass::BLOCK;

/// A network whose parameters belong to somebody else, who may change them between predictions. Nothing is prepared, so even a
/// single row is predicted at once.
pub struct LentNetwork<'a, T> {
    /// Of each layer the weights `(n_in, n_out)` and biases `(n_out)`.
    pub layers: Vec<(&'a [T], &'a [T])>,
    /// Of hidden layers.
    pub activation: Activation,
    /// Of the last layer.
    pub head: Head,
}

/// Rows that one task takes.
const TASK: usize = 4 * BLOCK;

impl<T: Float> LentNetwork<'_, T> {
    /// Predictions `out (n_samples, n_outputs)` of all rows.
    ///
    /// # Panics
    /// When layers, data and `out` do not fit each other.
    pub fn predict(&self, data: &Dataset, pool: &mut Pool, out: &mut [T]) {
        let n_outputs = self.head.n_outputs();
        let mut n_in = data.n_features();
        for (weight, bias) in &self.layers {
            assert!(weight.len() == n_in * bias.len());
            n_in = bias.len();
        }
        assert!(n_in == n_outputs && out.len() == data.n_samples() * n_outputs);
        let source = Source { turned: true, ..Source::new(data, 1.0) };
        let parts: Vec<Mutex<&mut [T]>> = out.chunks_mut(TASK * n_outputs).map(Mutex::new).collect();
        pool.run(parts.len(), &|task, _| {
            let mut work = Work { gather: Gather::new(), z: Vec::new(), a: Vec::new() };
            for (block, out) in lock(&parts[task]).chunks_mut(BLOCK * n_outputs).enumerate() {
                self.predict_block(source, task * TASK + block * BLOCK, &mut work, out);
            }
        });
    }

    /// Predictions `out (n_outputs)` of a single row, as [`LentNetwork::predict`] makes them of dense rows, and sooner.
    ///
    /// # Panics
    /// When layers, row and `out` do not fit each other.
    pub fn predict_row(&self, x: &[T], out: &mut [T]) {
        let (mut z, mut a) = (Vec::new(), Vec::new());
        for (l, &(weight, bias)) in self.layers.iter().enumerate() {
            z.resize(bias.len(), T::ZERO);
            kernels::affine_sparse_row(if l == 0 { x } else { &a }, T::ONE, weight, Some(bias), &mut z);
            if l + 1 < self.layers.len() {
                a.resize(z.len(), T::ZERO);
                self.activation.forward(&z, &mut a);
            }
        }
        self.head.forward(&z, None, out, &mut [T::ZERO]);
    }

    /// The rows from `first` on, as many as `out` has room for.
    fn predict_block(&self, source: Source, first: usize, work: &mut Work<T>, out: &mut [T]) {
        let n = out.len() / self.head.n_outputs();
        let Work { gather, z, a } = work;
        let mut n_in = source.data.n_features();
        for (l, &(weight, bias)) in self.layers.iter().enumerate() {
            z.resize(n * bias.len(), T::ZERO);
            if l == 0 {
                gather.rows(source, first, n).affine(weight, Finish::logits(Some(bias)), z);
            } else {
                a.resize(n * n_in, T::ZERO);
                kernels::affine_turned(Inputs::plain(a, n_in), weight, Finish::logits(Some(bias)), z);
            }
            n_in = bias.len();
            if l + 1 < self.layers.len() {
                a.resize(z.len(), T::ZERO);
                self.activation.forward(z, a);
            }
        }
        a.resize(n, T::ZERO);
        self.head.forward(z, None, out, &mut a[..n]);
    }
}

/// What a task works with.
struct Work<T> {
    gather: Gather<T>,
    z: Vec<T>,
    a: Vec<T>,
}
