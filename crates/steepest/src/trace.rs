//! One step with every quantity in it, to see the mathematics.

use std::ops::Range;

use steepest_kernels::{Float, Pool};

use crate::error::Error;
use crate::gather::Source;
use crate::held::HeldRows;
use crate::optimizer::Optimizer;
use crate::pass::Batch;
use crate::trainer::{Step, Trainer};

/// Every quantity of one step: name, shape, and numbers row-major. Layers count from 1, rows are samples: `x`; `z1`,
/// `a1`, …; `delta2`, … (gradients at the logits of the mean loss); `d_W1`, `d_b1`, `W1`, `b1` before the update and
/// `W1_new`, `b1_new` after it.
///
/// A layer with batch normalisation also has `mean1` and `var1` (of the batch, biased) and `z_hat1` (normalised), and instead of
/// `b1` it has `gamma1` and `beta1`, with `d_gamma1`, `gamma1_new` and so on. With dropout, `dropped1` is what is left of `a1` for
/// the next layer, scaled up.
pub type Trace<T> = Vec<(String, Vec<usize>, Vec<T>)>;

impl<T: Float> Trainer<T> {
    /// One step, with every quantity in it.
    ///
    /// # Errors
    /// [`Error::Diverged`], as [`Trainer::gradients`].
    pub fn trace(&mut self) -> Result<(Step, Trace<T>), Error> {
        let before = self.network();
        let step = self.gradients()?;
        let gradient = self.gradient();
        self.update();
        // As it was descended, which may be shortened; but L-BFGS ends a step with another.
        let is_lbfgs = matches!(self.training().optimizer, Optimizer::Lbfgs { .. });
        let gradient = if is_lbfgs { gradient } else { self.gradient() };
        let (training, data, after) = (self.training(), self.data(), self.network());
        let n = step.n_samples;
        let head = &training.head;
        let factor = 1.0 / training.divide_by;
        let (rows, epoch, augmenter) = (self.rows(), step.epoch, training.augmenter.as_ref());
        let noise = training.noise_of(step.iteration);
        let products = training.products;
        let source = Source { rows, epoch, augmenter, noise, products, ..Source::new(data, factor) };
        let dropout = training.dropout_of(step.iteration, before.layers().len() - 1);
        let (dropout, total) = (dropout.as_ref(), source.total());
        let batch = Batch { source, network: &before, head, dropout, total };
        // The same pass again, in one block. The gradient of the parameters is the trainer's own.
        let mut held = HeldRows::in_one_block(&before, n, products);
        held.pass(&batch, &mut Pool::new(1));
        let passed = held.passed(source);
        let block = &passed.blocks[0];
        let logits = block.activations.logits(n);
        let (predictions, _) = head.predictions(logits, head.coupling(logits).as_ref());

        let mut trace = vec![("x".to_string(), vec![n, data.n_features()], block.x.to_floats())];
        for (l, layer) in before.layers().iter().enumerate() {
            let mut add = |name: &str, shape, numbers: &[T]| {
                trace.push((format!("{name}{}", l + 1), shape, numbers.to_vec()));
            };
            let (rows, units) = (vec![n, layer.n_out], vec![layer.n_out]);
            add("z", rows.clone(), &block.activations.z[l]);
            if let Some(norm) = passed.norms.get(l) {
                add("mean", units.clone(), &norm.mean);
                add("var", units, &norm.variance);
                add("z_hat", rows.clone(), &norm.normalised(&block.activations.z[l]));
            }
            let is_hidden = l + 1 < before.layers().len();
            add("a", rows.clone(), if is_hidden { &block.activations.a[l] } else { &predictions });
            if let (true, Some(dropped)) = (is_hidden, block.activations.dropped.get(l)) {
                add("dropped", rows, dropped);
            }
        }
        for (l, layer) in before.layers().iter().enumerate().rev() {
            trace.push((format!("delta{}", l + 1), vec![n, layer.n_out], block.deltas[l].to_vec()));
            let bias = if layer.is_normalised() { "beta" } else { "b" };
            let parameters: [(&str, &Range<usize>, Vec<usize>); 3] = [
                ("W", &layer.weight, vec![layer.n_out, layer.n_in]),
                (bias, &layer.bias, vec![layer.n_out]),
                ("gamma", &layer.scale, vec![layer.n_out]),
            ];
            for (prefix, suffix, flat) in
                [("d_", "", &gradient), ("", "", &before.parameters), ("", "_new", &after.parameters)]
            {
                for (name, range, shape) in parameters.iter().filter(|(_, range, _)| !range.is_empty()) {
                    let name = format!("{prefix}{name}{}{suffix}", l + 1);
                    trace.push((name, shape.clone(), flat[(*range).clone()].to_vec()));
                }
            }
        }
        Ok((step, trace))
    }
}
