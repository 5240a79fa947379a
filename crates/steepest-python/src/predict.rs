//! Predictions straight from an estimator's arrays `coefs_` and `intercepts_`.

use pyo3::buffer::Element;
use pyo3::prelude::*;
use steepest::{Activation, Float, Head, LentNetwork, Loss, Output, Pool, all_finite};

use crate::data::Rows;
use crate::lent::{Lent, write};
use crate::value_error;

/// Products of a prediction from which on threads are worth their start.
const MANY_PRODUCTS: usize = 1 << 23;

/// An estimator's network, as it is.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Estimator<'py> {
    coefs: Vec<Bound<'py, PyAny>>,
    intercepts: Vec<Bound<'py, PyAny>>,
    activation: String,
    output: String,
    n_jobs: usize,
}

/// Writes predictions `(n_samples, n_outputs)` into `out`, an array of the type of the weights. False, and nothing is written,
/// where `x` is not an array of finite numbers of that type in C order, nor `Rows`.
#[pyfunction]
pub fn predict_values(x: &Bound<'_, PyAny>, network: Estimator, out: &Bound<'_, PyAny>) -> PyResult<bool> {
    if Lent::<f64>::of(&network.coefs[0]).is_ok() {
        network.predict::<f64>(x, |values, _| write(values, out))
    } else {
        network.predict::<f32>(x, |values, _| write(values, out))
    }
}

/// The same for the number of each row's class: an array of int64.
#[pyfunction]
pub fn predict_classes(x: &Bound<'_, PyAny>, network: Estimator, out: &Bound<'_, PyAny>) -> PyResult<bool> {
    if Lent::<f64>::of(&network.coefs[0]).is_ok() {
        network.predict::<f64>(x, |values, head| write(&classes(values, head), out))
    } else {
        network.predict::<f32>(x, |values, head| write(&classes(values, head), out))
    }
}

fn classes<T: Float>(values: &[T], head: &Head) -> Vec<i64> {
    values.chunks_exact(head.n_outputs()).map(|p| i64::from(head.class(p))).collect()
}

impl Estimator<'_> {
    fn predict<T: Float + Element>(
        &self,
        x: &Bound<'_, PyAny>,
        then: impl FnOnce(&[T], &Head) -> PyResult<()>,
    ) -> PyResult<bool> {
        let given = x.cast::<Rows>().ok();
        let data = match &given {
            Some(rows) => rows.get().0.clone(),
            None => match Lent::<T>::of(x) {
                Ok(numbers) if all_finite(numbers.as_ref()) => Rows::dense(x)?.0,
                _ => return Ok(false),
            },
        };
        let lend =
            |arrays: &[Bound<'_, PyAny>]| arrays.iter().map(Lent::<T>::of).collect::<PyResult<Vec<_>>>();
        let (coefs, intercepts) = (lend(&self.coefs)?, lend(&self.intercepts)?);
        let n_outputs = intercepts.last().map_or(0, |bias| bias.as_ref().len());
        let network = LentNetwork {
            layers: coefs.iter().map(AsRef::as_ref).zip(intercepts.iter().map(AsRef::as_ref)).collect(),
            activation: activation(&self.activation)?,
            head: head(&self.output, n_outputs)?,
        };
        let sizes = std::iter::once(data.n_features()).chain(intercepts.iter().map(|b| b.as_ref().len()));
        if !sizes.clone().zip(sizes.skip(1)).zip(&coefs).all(|((n_in, n_out), w)| w.shape() == (n_in, n_out))
        {
            return Err(value_error("coefs_ and intercepts_ do not fit each other, or not these rows"));
        }
        let products = data.n_samples() * network.layers.iter().map(|(w, _)| w.len()).sum::<usize>();
        let threads = if products < MANY_PRODUCTS { 1 } else { self.n_jobs };
        let mut values = vec![T::ZERO; data.n_samples() * n_outputs];
        let mut predict = || network.predict(&data, &mut Pool::new(threads), &mut values);
        if threads == 1 {
            // Sooner done than Python's lock is given back and taken.
            predict();
        } else {
            x.py().detach(predict);
        }
        then(&values, &network.head)?;
        Ok(true)
    }
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
