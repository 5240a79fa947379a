//! Models: of files, of estimators, of runs.

use std::path::PathBuf;
use std::sync::Mutex;

use pyo3::prelude::*;
use steepest::{
    AnyModel, Dataset, Float, Inputs, Model, Network, NetworkSpec, Pool, Precision, Predictor, Recipe,
    all_finite,
};
use steepest_io::{
    DataSpec, KnownColumns, KnownTarget, LoadOptions, TableOptions, load_noted, load_table, save_noted,
};

use crate::data_set::DataSet;
use crate::errors::{data_error, model_error, value_error};
use crate::lent::{Lent, write};
use crate::trainer::{Arrays, read_layers, write_layers};

/// Rows up to which a prediction is made by what was prepared, on one thread.
const FEW: usize = 64;

/// A trained network with all that it takes to predict from raw rows.
#[pyclass(name = "Model", module = "steepest._core", frozen)]
pub struct PyModel {
    model: AnyModel,
    note: Option<String>,
    predictor: Mutex<Option<AnyPredictor>>,
}

enum AnyPredictor {
    F32(Predictor<f32>),
    F64(Predictor<f64>),
}

/// `$body` with the model inside, whatever its precision.
macro_rules! with_model {
    ($self:ident, $model:ident => $body:expr) => {
        match &$self.model {
            AnyModel::F32($model) => $body,
            AnyModel::F64($model) => $body,
        }
    };
}

#[pymethods]
impl PyModel {
    /// From a file.
    #[staticmethod]
    fn load(py: Python, path: PathBuf) -> PyResult<Self> {
        let (model, note) = py.detach(|| load_noted(&path)).map_err(model_error)?;
        Ok(Self::new(model, note))
    }

    /// Of weights `(n_in, n_out)` and biases `(n_out)`, for a complete recipe in JSON.
    #[staticmethod]
    fn of(recipe: &str, coefs: Arrays, intercepts: Arrays, classes: Vec<String>) -> PyResult<Self> {
        let recipe: Recipe = serde_json::from_str(recipe).map_err(value_error)?;
        Ok(Self::new(
            match recipe.precision {
                Precision::F32 => AnyModel::F32(model_of(recipe, &coefs, &intercepts, classes)?),
                Precision::F64 => AnyModel::F64(model_of(recipe, &coefs, &intercepts, classes)?),
            },
            None,
        ))
    }

    /// Writes a file, with a text beside the model; returns its SHA-256.
    #[pyo3(signature = (path, note = None))]
    fn save(&self, py: Python, path: PathBuf, note: Option<&str>) -> PyResult<String> {
        py.detach(|| with_model!(self, model => save_noted(model, note, &path))).map_err(model_error)
    }

    /// The text beside the model in its file.
    #[getter]
    fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Names of the classes; none for numbers, and where a row has several labels.
    #[getter]
    fn classes(&self) -> Vec<String> {
        with_model!(self, model => model.classes.clone())
    }

    /// Units of each layer, inputs first.
    #[getter]
    fn sizes(&self) -> Vec<usize> {
        with_model!(self, model => model.network.spec().sizes.clone())
    }

    /// Height and width, where rows are images.
    #[getter]
    fn image(&self) -> Option<(usize, usize)> {
        with_model!(self, model => model.image)
    }

    /// "float32" or "float64".
    #[getter]
    fn dtype(&self) -> &'static str {
        match self.model {
            AnyModel::F32(_) => "float32",
            AnyModel::F64(_) => "float64",
        }
    }

    /// "softmax", "sigmoid" or "identity".
    #[getter]
    fn output(&self) -> &'static str {
        with_model!(self, model => model.head.output().name())
    }

    /// The names of the columns that it predicts from, for a model of a table.
    #[getter]
    fn columns(&self) -> Option<Vec<String>> {
        with_model!(self, model => {
            let columns = model.columns.as_ref()?;
            Some(columns.inputs.iter().map(|column| column.name.clone()).collect())
        })
    }

    /// The complete recipe, as TOML.
    #[getter]
    fn recipe(&self) -> String {
        with_model!(self, model => model.recipe.to_toml())
    }

    /// Writes the parameters into arrays: weights `(n_in, n_out)`, biases `(n_out)`.
    fn write(&self, coefs: Arrays, intercepts: Arrays) -> PyResult<()> {
        with_model!(self, model => {
            let network = with_biases(&model.network);
            write_layers(network.layers(), &network.parameters, &coefs, &intercepts)
        })
    }

    /// Writes predictions `(n_samples, n_outputs)` into `out`. `x` is an array `(n_samples, n_features)` in C order of bytes,
    /// float32 or float64.
    fn predict(&self, x: &Bound<'_, PyAny>, out: &Bound<'_, PyAny>, n_jobs: usize) -> PyResult<()> {
        let data = rows(x)?;
        let expected = with_model!(self, model => model.n_features());
        if with_model!(self, model => model.columns.is_some()) {
            return Err(value_error(
                "this model predicts from the columns of a table: give it a DataFrame with them, or the path of a CSV file",
            ));
        }
        if data.n_features() != expected {
            return Err(value_error(format!(
                "X has {} numbers a row, but the model takes {expected}",
                data.n_features()
            )));
        }
        match (data.inputs(), &self.model) {
            (Inputs::Bytes(x), _) if data.n_samples() <= FEW => self.predict_few(Few::Bytes(x), out),
            (Inputs::F32(x), AnyModel::F32(_)) if data.n_samples() <= FEW => {
                self.predict_few(Few::F32(x), out)
            }
            (Inputs::F64(x), AnyModel::F64(_)) if data.n_samples() <= FEW => {
                self.predict_few(Few::F64(x), out)
            }
            _ => self.predict_many(&data, out, n_jobs),
        }
    }

    /// Predictions of the rows of a table, a CSV or Parquet file, one row after the other.
    fn predict_table(&self, py: Python, path: &str, n_jobs: usize) -> PyResult<Vec<f64>> {
        let data = py.detach(|| self.encoded(path, KnownTarget::None))?;
        Ok(py.detach(|| {
            with_model!(self, model => {
                let predictions = model.predict(&data, &mut Pool::new(n_jobs));
                predictions.values.iter().map(|x| x.to_f64()).collect()
            })
        }))
    }

    /// Loss and accuracy on a data set; of a regression also R2, mean absolute error and root of the mean squared one.
    fn evaluate(&self, py: Python, data: &DataSet, n_jobs: usize) -> PyResult<Scores> {
        py.detach(|| with_model!(self, model => scores(model, &data.data, &data.name, n_jobs)))
    }

    /// The same on a table.
    fn evaluate_table(&self, py: Python, path: &str, n_jobs: usize) -> PyResult<Scores> {
        py.detach(|| {
            let data = self.encoded(path, KnownTarget::SameName)?;
            with_model!(self, model => scores(model, &data, path, n_jobs))
        })
    }

    /// Writes the number of each row's class into an array of int64, of predictions `(n_samples, n_outputs)`.
    fn write_classes(&self, values: &Bound<'_, PyAny>, out: &Bound<'_, PyAny>) -> PyResult<()> {
        let classes: Vec<i64> = match &self.model {
            AnyModel::F32(model) => {
                let values = Lent::<f32>::of(values)?;
                let rows = values.as_ref().chunks_exact(model.head.n_outputs());
                rows.map(|row| i64::from(model.class(row))).collect()
            }
            AnyModel::F64(model) => {
                let values = Lent::<f64>::of(values)?;
                let rows = values.as_ref().chunks_exact(model.head.n_outputs());
                rows.map(|row| i64::from(model.class(row))).collect()
            }
        };
        write(&classes, out)
    }
}

/// Loss, accuracy, and for numbers R2, mean absolute error and root of the mean squared error.
type Scores = (f64, Option<f64>, Option<(f64, f64, f64)>);

/// Rows for what was prepared.
enum Few<'a> {
    Bytes(&'a [u8]),
    F32(&'a [f32]),
    F64(&'a [f64]),
}

impl PyModel {
    pub fn new(model: AnyModel, note: Option<String>) -> Self {
        Self { model, note, predictor: Mutex::new(None) }
    }

    fn predict_few(&self, rows: Few, out: &Bound<'_, PyAny>) -> PyResult<()> {
        let mut kept = self.predictor.lock().unwrap_or_else(|e| e.into_inner());
        let predictor = kept.get_or_insert_with(|| match &self.model {
            AnyModel::F32(model) => AnyPredictor::F32(Predictor::new(model)),
            AnyModel::F64(model) => AnyPredictor::F64(Predictor::new(model)),
        });
        match (predictor, rows) {
            (AnyPredictor::F32(predictor), Few::Bytes(x)) => write(predictor.predict_bytes(x), out),
            (AnyPredictor::F64(predictor), Few::Bytes(x)) => write(predictor.predict_bytes(x), out),
            (AnyPredictor::F32(predictor), Few::F32(x)) => write(predictor.predict(x), out),
            (AnyPredictor::F64(predictor), Few::F64(x)) => write(predictor.predict(x), out),
            _ => unreachable!("rows of the model's own precision"),
        }
    }

    fn predict_many(&self, data: &Dataset, out: &Bound<'_, PyAny>, n_jobs: usize) -> PyResult<()> {
        let py = out.py();
        match &self.model {
            AnyModel::F32(model) => {
                write(&py.detach(|| model.predict(data, &mut Pool::new(n_jobs)).values), out)
            }
            AnyModel::F64(model) => {
                write(&py.detach(|| model.predict(data, &mut Pool::new(n_jobs)).values), out)
            }
        }
    }

    /// The rows of a table as this model's inputs.
    fn encoded(&self, path: &str, target: KnownTarget) -> PyResult<Dataset> {
        with_model!(self, model => {
            let columns = model.columns.as_ref().ok_or_else(|| {
                value_error("this model predicts from rows of numbers: give it an array, such as load_data gives")
            })?;
            let spec = DataSpec::parse(path).map_err(value_error)?;
            let known = TableOptions::Known { columns: KnownColumns::of_model(columns), target };
            let table = load_table(&spec, &LoadOptions::default(), &known).map_err(data_error)?;
            let table = table.ok_or_else(|| value_error(format!("{path} is no table (a CSV or Parquet file)")))?;
            columns.encode(&table, &model.classes, model.recipe.precision).map_err(value_error)
        })
    }
}

fn scores<T: Float>(model: &Model<T>, data: &Dataset, name: &str, n_jobs: usize) -> PyResult<Scores> {
    let (found, expected) = (data.n_features(), model.n_features());
    if found != expected {
        return Err(value_error(format!("{name} has {found} numbers a row, but the model takes {expected}")));
    }
    let targets = steepest_cli::targets(model, data, name).map_err(value_error)?;
    let mut pool = Pool::new(n_jobs);
    let predictions = model.predict(data, &mut pool);
    let evaluation =
        steepest::evaluate(&model.head, &predictions.logits, &targets, data.weights(), &mut pool);
    let regression = steepest_cli::regression(model, &targets, &predictions).map(|r| (r.r2, r.mae, r.rmse));
    Ok((evaluation.loss, evaluation.accuracy, regression))
}

/// Rows of an array, used where they are.
pub fn rows(x: &Bound<'_, PyAny>) -> PyResult<Dataset> {
    let not_finite = || {
        value_error("X has numbers that are infinite or none (NaN): replace them, or leave their rows out")
    };
    let (inputs, n_features) = if let Ok(x) = Lent::<u8>::of(x) {
        let n_features = x.shape().1;
        (Inputs::Bytes(x.into_numbers()), n_features)
    } else if let Ok(x) = Lent::<f32>::of(x) {
        let n_features = x.shape().1;
        all_finite(x.as_ref()).then_some(()).ok_or_else(not_finite)?;
        (Inputs::F32(x.into_numbers()), n_features)
    } else {
        let x = Lent::<f64>::of(x)?;
        let n_features = x.shape().1;
        all_finite(x.as_ref()).then_some(()).ok_or_else(not_finite)?;
        (Inputs::F64(x.into_numbers()), n_features)
    };
    Dataset::new(inputs, n_features, None).map_err(value_error)
}

fn model_of<T: Float + pyo3::buffer::Element>(
    recipe: Recipe,
    coefs: &Arrays,
    intercepts: &Arrays,
    classes: Vec<String>,
) -> PyResult<Model<T>> {
    let mut sizes = match coefs.first() {
        Some(first) => vec![Lent::<T>::of(first)?.shape().0],
        None => return Err(value_error("there are no weights")),
    };
    for bias in intercepts {
        sizes.push(Lent::<T>::of(bias)?.as_ref().len());
    }
    let n_outputs = sizes[sizes.len() - 1];
    let activation = recipe.network.activation;
    let mut network = Network::zeros(NetworkSpec { sizes, activation, bias: true, batch_norm: false });
    let layers = network.layers().to_vec();
    read_layers(&layers, coefs, intercepts, &mut network.parameters)?;
    let output = recipe.network.output.ok_or_else(|| value_error("the recipe has no output"))?;
    let divide_by = recipe.data.divide_by.unwrap_or(1.0);
    let head = recipe.head(output, n_outputs);
    Ok(Model { recipe, head, network, classes, image: None, divide_by, columns: None })
}

/// The same network with biases, which are 0 where there were none.
fn with_biases<T: Float>(network: &Network<T>) -> Network<T> {
    let mut own = Network::zeros(NetworkSpec { bias: true, ..network.spec().clone() });
    let places = own.layers().to_vec();
    for (place, layer) in places.iter().zip(network.layers()) {
        own.parameters[place.weight.clone()].copy_from_slice(network.weight(layer));
        if let Some(bias) = network.bias(layer) {
            own.parameters[place.bias.clone()].copy_from_slice(bias);
        }
    }
    own
}
