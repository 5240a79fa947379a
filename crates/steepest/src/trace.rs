//! One step with every quantity in it, to see the mathematics.

use steepest_kernels::Float;

use crate::error::Error;
use crate::gather::{Gather, GatherTargets, Source};
use crate::pass::{Activations, Batch, deltas};
use crate::trainer::{Step, Trainer};

/// Every quantity of one step: name, shape, and numbers row-major. Layers count from 1, rows are samples: `x`; `z1`,
/// `a1`, …; `delta2`, … (gradients at the logits of the mean loss); `d_W1`, `d_b1`, `W1`, `b1` before the update and
/// `W1_new`, `b1_new` after it.
pub type Trace<T> = Vec<(String, Vec<usize>, Vec<T>)>;

impl<T: Float> Trainer<T> {
    /// One step, with every quantity in it.
    ///
    /// # Errors
    /// [`Error::Diverged`], as [`Trainer::gradients`].
    pub fn trace(&mut self) -> Result<(Step, Trace<T>), Error> {
        let before = self.network();
        let step = self.step()?;
        let (training, data) = (self.training(), self.data());
        let (gradient, after) = (self.gradient(), self.network());
        let n = step.n_samples;
        let head = &training.head;
        let factor = 1.0 / training.divide_by;
        let (rows, epoch, augmenter) = (self.rows(), step.epoch, training.augmenter.as_ref());
        let source = Source { rows, epoch, augmenter, ..Source::new(data, factor) };
        let batch = Batch { source, network: &before, head, total: source.total() };
        let mut gather = Gather::new();
        let x = gather.rows(source, 0, n);
        let mut activations = Activations::new(&before, n);
        activations.forward(&before, x, n);
        let coupling = head.coupling(activations.logits(n));
        let mut delta = deltas(&before, n);
        let mut targets = GatherTargets::default();
        activations.head(&batch, targets.rows(source, 0, n), n, coupling.as_ref(), &mut delta);
        let (predictions, _) = head.predictions(activations.logits(n), coupling.as_ref());
        // Only for the gradients at the hidden layers: that of the parameters is the trainer's own.
        activations.backward(&before, x, n, &mut delta, false, &mut vec![T::ZERO; gradient.len()]);

        let mut trace = vec![("x".to_string(), vec![n, data.n_features()], x.to_floats())];
        for (l, layer) in before.layers().iter().enumerate() {
            let rows = vec![n, layer.n_out];
            trace.push((format!("z{}", l + 1), rows.clone(), activations.z[l].to_vec()));
            let a = if l + 1 < before.layers().len() { &activations.a[l] } else { &predictions[..] };
            trace.push((format!("a{}", l + 1), rows, a.to_vec()));
        }
        for (l, layer) in before.layers().iter().enumerate().rev() {
            trace.push((format!("delta{}", l + 1), vec![n, layer.n_out], delta[l].to_vec()));
            let of_layer = [("d_W", "d_b", &gradient), ("W", "b", &before.parameters)];
            let new = ("W_new", "b_new", &after.parameters);
            for (weight, bias, flat) in of_layer.into_iter().chain([new]) {
                let name = |part: &str| match part.split_once('_') {
                    Some(("d", part)) => format!("d_{part}{}", l + 1),
                    Some((part, suffix)) => format!("{part}{}_{suffix}", l + 1),
                    None => format!("{part}{}", l + 1),
                };
                trace.push((
                    name(weight),
                    vec![layer.n_out, layer.n_in],
                    flat[layer.weight.clone()].to_vec(),
                ));
                if !layer.bias.is_empty() {
                    trace.push((name(bias), vec![layer.n_out], flat[layer.bias.clone()].to_vec()));
                }
            }
        }
        Ok((step, trace))
    }
}
