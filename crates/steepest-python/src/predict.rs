//! Predictions straight from an estimator's arrays `coefs_` and `intercepts_`.

use std::iter;

use pyo3::buffer::Element;
use pyo3::prelude::*;
use steepest::{Activation, Dataset, Float, Head, LentNetwork, Loss, Output, Pool, all_finite};

use crate::data::Rows;
use crate::lent::{Lent, write};
use crate::value_error;

/// Products of a prediction from which on threads are worth their start.
const MANY_PRODUCTS: usize = 1 << 23;

/// An estimator's network: its arrays as they are now, and as they will be where somebody writes to them.
#[pyclass(module = "steepest._core", frozen)]
pub struct Network {
    layers: AnyLayers,
    /// To tell whether an estimator still has these very arrays.
    arrays: Vec<Py<PyAny>>,
    activation: String,
    output: String,
    n_jobs: usize,
}

/// In either precision.
enum AnyLayers {
    F32(Layers<f32>),
    F64(Layers<f64>),
}

/// Of each layer the weights `(n_in, n_out)` and biases `(n_out)`.
type Layers<T> = Vec<(Lent<T>, Lent<T>)>;

#[pymethods]
impl Network {
    #[new]
    fn new(
        coefs: Vec<Bound<'_, PyAny>>,
        intercepts: Vec<Bound<'_, PyAny>>,
        activation: String,
        output: String,
        n_jobs: usize,
    ) -> PyResult<Self> {
        let is_double = coefs.first().is_some_and(|first| Lent::<f64>::of(first).is_ok());
        let layers = if is_double {
            AnyLayers::F64(layers(&coefs, &intercepts)?)
        } else {
            AnyLayers::F32(layers(&coefs, &intercepts)?)
        };
        // That both are known.
        self::activation(&activation)?;
        head(&output, 1)?;
        let arrays = coefs.into_iter().chain(intercepts).map(Bound::unbind).collect();
        Ok(Self { layers, arrays, activation, output, n_jobs })
    }

    /// Writes predictions `(n_samples, n_outputs)` of `Rows` into an array of the type of the weights.
    fn values(&self, rows: &Rows, out: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = out.py();
        match &self.layers {
            AnyLayers::F32(layers) => write(&self.predict(layers, &rows.data, py)?.1, out),
            AnyLayers::F64(layers) => write(&self.predict(layers, &rows.data, py)?.1, out),
        }
    }

    /// The same of an array. False, and nothing is written, where that is no array `(n_samples, n_features)` of finite numbers of the
    /// type of the weights in C order, or where the estimator has other arrays or another activation by now.
    fn quick_values(
        &self,
        x: &Bound<'_, PyAny>,
        coefs: Vec<Bound<'_, PyAny>>,
        intercepts: Vec<Bound<'_, PyAny>>,
        activation: &str,
        out: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        if !self.is_of(&coefs, &intercepts, activation) {
            return Ok(false);
        }
        match &self.layers {
            AnyLayers::F32(layers) => self.predict_array(layers, x, |values, _| write(values, out)),
            AnyLayers::F64(layers) => self.predict_array(layers, x, |values, _| write(values, out)),
        }
    }

    /// The same for the number of each row's class: an array of int64.
    fn quick_classes(
        &self,
        x: &Bound<'_, PyAny>,
        coefs: Vec<Bound<'_, PyAny>>,
        intercepts: Vec<Bound<'_, PyAny>>,
        activation: &str,
        out: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        if !self.is_of(&coefs, &intercepts, activation) {
            return Ok(false);
        }
        match &self.layers {
            AnyLayers::F32(layers) => self.predict_array(layers, x, |p, head| write(&classes(p, head), out)),
            AnyLayers::F64(layers) => self.predict_array(layers, x, |p, head| write(&classes(p, head), out)),
        }
    }
}

impl Network {
    /// Whether it is that of an estimator with these arrays.
    fn is_of(&self, coefs: &[Bound<'_, PyAny>], intercepts: &[Bound<'_, PyAny>], activation: &str) -> bool {
        self.arrays.len() == coefs.len() + intercepts.len()
            && self.activation == activation
            && self.arrays.iter().zip(coefs.iter().chain(intercepts)).all(|(own, array)| own.is(array))
    }

    fn lend<'a, T: Float + Element>(&'a self, layers: &'a Layers<T>) -> PyResult<LentNetwork<'a, T>> {
        let n_outputs = layers.last().map_or(0, |(_, bias)| bias.as_ref().len());
        Ok(LentNetwork {
            layers: layers.iter().map(|(weight, bias)| (weight.as_ref(), bias.as_ref())).collect(),
            activation: activation(&self.activation)?,
            head: head(&self.output, n_outputs)?,
        })
    }

    /// Predictions of all rows, and the head that made them.
    fn predict<T: Float + Element>(
        &self,
        layers: &Layers<T>,
        data: &Dataset,
        py: Python,
    ) -> PyResult<(Head, Vec<T>)> {
        let network = self.lend(layers)?;
        let n_in = layers.first().map_or(0, |(weight, _)| weight.shape().0);
        if data.n_features() != n_in {
            let n = data.n_features();
            return Err(value_error(format!("X has {n} features, but the network has {n_in} inputs")));
        }
        let mut values = vec![T::ZERO; data.n_samples() * network.head.n_outputs()];
        let products = data.n_samples() * network.layers.iter().map(|(w, _)| w.len()).sum::<usize>();
        let threads = if products < MANY_PRODUCTS { 1 } else { self.n_jobs };
        py.detach(|| network.predict(data, &mut Pool::new(threads), &mut values));
        Ok((network.head, values))
    }

    /// Predictions of an array, passed on; false where it is not as the weights want it.
    fn predict_array<T: Float + Element>(
        &self,
        layers: &Layers<T>,
        x: &Bound<'_, PyAny>,
        then: impl FnOnce(&[T], &Head) -> PyResult<()>,
    ) -> PyResult<bool> {
        let Ok(rows) = Lent::<T>::of(x) else { return Ok(false) };
        let fits = rows.dimensions() == 2
            && layers.first().is_some_and(|(weight, _)| weight.shape().0 == rows.shape().1)
            && rows.shape().0 > 0
            && all_finite(rows.as_ref());
        if !fits {
            return Ok(false);
        }
        if rows.shape().0 == 1 {
            let network = self.lend(layers)?;
            let mut values = vec![T::ZERO; network.head.n_outputs()];
            // Sooner done than Python's lock is given back and taken.
            network.predict_row(rows.as_ref(), &mut values);
            then(&values, &network.head)?;
        } else {
            drop(rows);
            let (head, values) = self.predict(layers, &Rows::dense(x)?.data, x.py())?;
            then(&values, &head)?;
        }
        Ok(true)
    }
}

/// Arrays that fit each other.
fn layers<T: Float + Element>(
    coefs: &[Bound<'_, PyAny>],
    intercepts: &[Bound<'_, PyAny>],
) -> PyResult<Layers<T>> {
    let lend = |(coef, intercept)| Ok((Lent::<T>::of(coef)?, Lent::<T>::of(intercept)?));
    let layers = coefs.iter().zip(intercepts).map(lend).collect::<PyResult<Layers<T>>>()?;
    let n_in = layers.first().map_or(0, |(weight, _)| weight.shape().0);
    let widths = layers.iter().map(|(_, bias)| bias.as_ref().len());
    let fits =
        |((n_in, n_out), (weight, _)): ((usize, usize), &(Lent<T>, _))| weight.shape() == (n_in, n_out);
    let n_ins = iter::once(n_in).chain(widths.clone());
    if layers.is_empty() || coefs.len() != intercepts.len() || !n_ins.zip(widths).zip(&layers).all(fits) {
        return Err(value_error("coefs_ and intercepts_ do not fit each other"));
    }
    Ok(layers)
}

fn classes<T: Float>(values: &[T], head: &Head) -> Vec<i64> {
    values.chunks_exact(head.n_outputs()).map(|p| i64::from(head.class(p))).collect()
}

/// By scikit-learn's name, or Steepest's.
fn activation(name: &str) -> PyResult<Activation> {
    Ok(match name {
        "identity" => Activation::Identity,
        "relu" => Activation::Relu,
        "logistic" => Activation::Sigmoid,
        "tanh" => Activation::Tanh,
        "leaky-relu" => Activation::LeakyRelu,
        "gelu" => Activation::Gelu,
        _ => return Err(value_error(format!("unknown activation {name:?}"))),
    })
}

/// By scikit-learn's `out_activation_`.
fn head(name: &str, n_outputs: usize) -> PyResult<Head> {
    let head = |output| Head::new(output, n_outputs, Default::default());
    Ok(match name {
        "softmax" => head(Output::Softmax),
        "logistic" => head(Output::Sigmoid),
        "identity" => head(Output::Identity),
        "exp" => head(Output::Identity).with_loss(Loss::Poisson),
        _ => return Err(value_error(format!("unknown output activation {name:?}"))),
    })
}
