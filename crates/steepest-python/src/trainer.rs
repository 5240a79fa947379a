//! Training, an epoch at a time.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use pyo3::buffer::Element;
use pyo3::exceptions::PyZeroDivisionError;
use pyo3::prelude::*;
use steepest::{
    BatchSize, Batches, Float, Layer, Network, NetworkSpec, PerParameter, Precision, Recipe, Targets,
    Training,
};

use crate::data::Rows;
use crate::lent::{Lent, write};
use crate::stream::Stream;
use crate::value_error;

/// How long Ctrl-C may wait to be heard.
const DEAF: Duration = Duration::from_millis(50);

/// Arrays of NumPy, one for each layer.
pub type Arrays<'py> = Vec<Bound<'py, PyAny>>;

/// Trains a network whose parameters come from and go to NumPy arrays: weights `(n_in, n_out)`, biases `(n_out)`.
#[pyclass(module = "steepest._core")]
pub struct Trainer(Mutex<AnyFit>);

/// A fit in either precision.
enum AnyFit {
    F32(Fit<f32>),
    F64(Fit<f64>),
}

struct Fit<T> {
    trainer: steepest::Trainer<T>,
    /// The best network so far, if one was kept.
    kept: Option<Network<T>>,
}

/// `$body` with the fit inside, whatever its precision.
macro_rules! with_fit {
    ($self:ident, $fit:ident => $body:expr) => {
        match &mut *$self.lock() {
            AnyFit::F32($fit) => $body,
            AnyFit::F64($fit) => $body,
        }
    };
}

#[pymethods]
impl Trainer {
    /// `recipe` is one in JSON. Each epoch sees the rows named by `row_numbers` (by default all), in this order, or with a
    /// `stream` in a new one each time.
    #[new]
    #[pyo3(signature = (recipe, rows, coefs, intercepts, row_numbers, stream, n_jobs))]
    fn new(
        recipe: &str,
        rows: &Rows,
        coefs: Arrays,
        intercepts: Arrays,
        row_numbers: Option<Vec<u32>>,
        stream: Option<&Stream>,
        n_jobs: usize,
    ) -> PyResult<Self> {
        let recipe: Recipe = serde_json::from_str(recipe).map_err(value_error)?;
        let order = match row_numbers {
            Some(numbers) => numbers,
            None => (0..rows.data.n_samples() as u32).collect(),
        };
        let batches = match recipe.training.batch_size {
            BatchSize::Full => Batches::new(order.len(), None, steepest::Sampling::Ordered, 0),
            BatchSize::Rows(size) => Batches::of_rows(order, size, stream.map(|stream| stream.0.clone())),
        };
        let arrays = (coefs, intercepts);
        Ok(Self(Mutex::new(match recipe.precision {
            Precision::F32 => AnyFit::F32(Fit::new(recipe, rows, arrays, batches, n_jobs)?),
            Precision::F64 => AnyFit::F64(Fit::new(recipe, rows, arrays, batches, n_jobs)?),
        })))
    }

    /// One pass over the rows; the mean of its batches' losses. Ctrl-C ends it early, as `KeyboardInterrupt`.
    fn epoch(&self, py: Python) -> PyResult<f64> {
        let (mut loss, mut n) = (0.0, 0);
        loop {
            let until = || {
                let end = Instant::now() + DEAF;
                with_fit!(self, fit => loop {
                    let step = fit.trainer.step().map_err(value_error)?;
                    if step.weight == 0.0 {
                        return Err(PyZeroDivisionError::new_err("Weights sum to zero, can't be normalized"));
                    }
                    loss += step.loss * step.n_samples as f64;
                    n += step.n_samples;
                    if step.ends_epoch || Instant::now() > end {
                        return Ok::<_, PyErr>(step.ends_epoch);
                    }
                })
            };
            if py.detach(until)? {
                return Ok(loss / n as f64);
            }
            py.check_signals()?;
        }
    }

    /// One iteration of L-BFGS. The loss where it ends, iterations and evaluations so far, and whether it has converged.
    fn lbfgs(&self, py: Python) -> PyResult<(f64, u64, u64, bool)> {
        py.detach(|| {
            with_fit!(self, fit => {
                let trainer = &mut fit.trainer;
                trainer.step().map_err(value_error)?;
                // Known already: it was computed to see whether the step was good.
                let loss = trainer.gradients().map_err(value_error)?.loss;
                let (evaluations, iterations) = trainer.evaluations();
                Ok((loss, iterations, evaluations, trainer.has_converged()))
            })
        })
    }

    /// Loss and gradient of all rows at the parameters as they are; the gradient is written into arrays.
    fn gradient(&self, coefs: Arrays, intercepts: Arrays) -> PyResult<f64> {
        with_fit!(self, fit => {
            let loss = fit.trainer.gradients().map_err(value_error)?.loss;
            fit.write(PerParameter::Gradient, &coefs, &intercepts)?;
            Ok(loss)
        })
    }

    /// From here on this learning rate.
    fn set_rate(&self, rate: f64) {
        with_fit!(self, fit => fit.trainer.set_rate(rate));
    }

    /// Remembers the network as it is.
    fn keep(&self) {
        with_fit!(self, fit => fit.kept = Some(fit.trainer.averaged()));
    }

    /// Writes the parameters into arrays: those that are kept, or as they are.
    fn write(&self, coefs: Arrays, intercepts: Arrays, kept: bool) -> PyResult<()> {
        with_fit!(self, fit => {
            let network = match &fit.kept {
                Some(network) if kept => network.clone(),
                _ if fit.is_plain() => return fit.write(PerParameter::Value, &coefs, &intercepts),
                _ => fit.trainer.averaged(),
            };
            let network = network.folded();
            write_layers(network.layers(), &network.parameters, &coefs, &intercepts)
        })
    }

    /// Writes the optimizer's memory into arrays, one pair of lists for each number that it remembers of a parameter; returns
    /// its steps.
    fn write_optimizer(&self, memory: Vec<(Arrays, Arrays)>) -> PyResult<u64> {
        with_fit!(self, fit => {
            for (i, (coefs, intercepts)) in memory.iter().enumerate() {
                fit.write(PerParameter::Memory(i), coefs, intercepts)?;
            }
            Ok(fit.trainer.steps())
        })
    }

    /// Goes on from what `write_optimizer` gave.
    fn read_optimizer(&self, steps: u64, memory: Vec<(Arrays, Arrays)>) -> PyResult<()> {
        with_fit!(self, fit => {
            for (i, (coefs, intercepts)) in memory.iter().enumerate() {
                // Another solver than the one it comes from may remember less.
                if i < fit.trainer.training().optimizer.memory() {
                    fit.read(PerParameter::Memory(i), coefs, intercepts)?;
                }
            }
            fit.trainer.set_steps(steps);
            Ok(())
        })
    }

    /// Writes predictions `(n_samples, n_outputs)` of the network as it is into an array.
    fn predict(&self, rows: &Rows, out: &Bound<'_, PyAny>) -> PyResult<()> {
        with_fit!(self, fit => {
            let values = out.py().detach(|| fit.trainer.predict(&rows.data));
            write(&values, out)
        })
    }

    /// The random numbers that are left.
    fn stream(&self) -> Option<Stream> {
        with_fit!(self, fit => fit.trainer.twister().cloned().map(Stream))
    }
}

impl Trainer {
    fn lock(&self) -> MutexGuard<'_, AnyFit> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl<T: Float + Element> Fit<T> {
    fn new(
        mut recipe: Recipe,
        rows: &Rows,
        (coefs, intercepts): (Arrays, Arrays),
        batches: Batches,
        n_jobs: usize,
    ) -> PyResult<Self> {
        let data = &rows.data;
        let mut sizes = vec![data.n_features()];
        for bias in &intercepts {
            sizes.push(Lent::<T>::of(bias)?.as_ref().len());
        }
        let n_outputs = sizes[sizes.len() - 1];
        let fits = match data.targets() {
            Some(Targets::Values { n_outputs: n, .. }) => *n == n_outputs,
            Some(Targets::Classes { names, .. }) => names.len() == n_outputs.max(2),
            None => false,
        };
        if !fits {
            return Err(value_error(format!(
                "the network has {n_outputs} outputs, but y is not for as many"
            )));
        }
        let mut training = Training::new(&mut recipe, n_outputs, data.n_samples()).map_err(value_error)?;
        // As in scikit-learn, which looks at the parameters at the end.
        training.ignores_divergence = true;
        training.divide_by = rows.divide_by;
        let batch_norm = recipe.network.batch_norm;
        let spec = NetworkSpec { sizes, activation: recipe.network.activation, bias: true, batch_norm };
        let network = Network::zeros(spec);
        let trainer = steepest::Trainer::new(training, network, data.clone(), batches, n_jobs);
        let mut fit = Self { trainer, kept: None };
        fit.read(PerParameter::Value, &coefs, &intercepts)?;
        Ok(fit)
    }

    /// Whether the parameters as they are, and nothing else, are what is learnt.
    fn is_plain(&self) -> bool {
        self.trainer.training().ema.is_none()
            && self.trainer.layers().iter().all(|layer| layer.scale.is_empty())
    }

    /// Puts arrays where they belong.
    fn read(&mut self, of: PerParameter, coefs: &Arrays, intercepts: &Arrays) -> PyResult<()> {
        let layers = lent_layers(self.trainer.layers(), coefs, intercepts)?;
        for (l, (weights, biases)) in layers.iter().enumerate() {
            self.trainer.set_layer(of, l, weights.as_ref(), biases.as_ref());
        }
        Ok(())
    }

    /// Writes what there is of it into arrays.
    fn write(&self, of: PerParameter, coefs: &Arrays, intercepts: &Arrays) -> PyResult<()> {
        for (l, (coef, intercept)) in coefs.iter().zip(intercepts).enumerate() {
            if let Some((weights, biases)) = self.trainer.layer(of, l) {
                write(&weights, coef)?;
                write(biases, intercept)?;
            }
        }
        Ok(())
    }
}

/// Each layer's weights and biases, of the shapes that they should have.
fn lent_layers<T: Float + Element>(
    layers: &[Layer],
    coefs: &Arrays,
    intercepts: &Arrays,
) -> PyResult<Vec<(Lent<T>, Lent<T>)>> {
    if coefs.len() != layers.len() || intercepts.len() != layers.len() {
        return Err(value_error(format!("there are {} layers, but {} coefs_", layers.len(), coefs.len())));
    }
    let lent = layers.iter().zip(coefs).zip(intercepts).map(|((layer, coef), intercept)| {
        let (weight, bias) = (Lent::<T>::of(coef)?, Lent::<T>::of(intercept)?);
        if weight.shape() != (layer.n_in, layer.n_out) || bias.as_ref().len() != layer.n_out {
            let (shape, Layer { n_in, n_out, .. }) = (weight.shape(), layer);
            return Err(value_error(format!(
                "weights of shape {shape:?} where ({n_in}, {n_out}) are expected"
            )));
        }
        Ok((weight, bias))
    });
    lent.collect()
}

/// Puts arrays into a vector that is laid out as the parameters.
pub fn read_layers<T: Float + Element>(
    layers: &[Layer],
    coefs: &Arrays,
    intercepts: &Arrays,
    flat: &mut [T],
) -> PyResult<()> {
    for (layer, (weights, biases)) in layers.iter().zip(lent_layers(layers, coefs, intercepts)?) {
        layer.put_turned(weights.as_ref(), flat);
        flat[layer.bias.clone()].copy_from_slice(biases.as_ref());
    }
    Ok(())
}

/// Writes a vector that is laid out as the parameters into arrays.
pub fn write_layers<T: Float + Element>(
    layers: &[Layer],
    flat: &[T],
    coefs: &Arrays,
    intercepts: &Arrays,
) -> PyResult<()> {
    for ((layer, coef), intercept) in layers.iter().zip(coefs).zip(intercepts) {
        let mut weight = vec![T::ZERO; layer.n_in * layer.n_out];
        layer.turned(flat, &mut weight);
        write(&weight, coef)?;
        write(&flat[layer.bias.clone()], intercept)?;
    }
    Ok(())
}
