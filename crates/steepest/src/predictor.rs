//! Predictions of a few rows at a time.

use steepest_kernels::{self as kernels, Float, Ink, Inputs, Products};

use crate::columns::Scaling;
use crate::gather::Block;
use crate::head::Head;
use crate::layout::{Layout, is_wide};
use crate::model::{Model, to_units};
use crate::network::Network;
use crate::pass::{Activations, block_rows};

/// Predicts rows as they come, one or a few at a time: what a service keeps.
///
/// All that a prediction needs is prepared once, so a row of a small network takes microseconds. For whole data sets there is
/// [`Model::predict`], which uses several threads.
///
/// ```
/// # use steepest::{Head, Init, Model, Activation, Network, NetworkSpec, Output, Predictor, Recipe};
/// # let spec = NetworkSpec { sizes: vec![4, 3, 2], activation: Activation::Relu, bias: true, batch_norm: false };
/// # let network = Network::<f32>::random(spec, Init::HeNormal, Init::Zeros, 0);
/// # let head = Head::new(Output::Softmax, 2, Default::default());
/// # let (recipe, classes) = (Recipe::default(), vec!["no".into(), "yes".into()]);
/// # let model = Model { recipe, head, network, classes, image: None, divide_by: 255.0, columns: None };
/// let mut predictor = Predictor::new(&model);
/// let probabilities = predictor.predict_bytes(&[0, 255, 128, 0]); // one row of four pixels
/// assert_eq!(probabilities.len(), 2);
/// ```
pub struct Predictor<T> {
    head: Head,
    factor: f64,
    scaling: Option<Scaling>,
    network: Network<T>,
    activations: Activations<T>,
    inks: Vec<Ink>,
    /// Rows of numbers, scaled.
    scaled: Vec<T>,
    logits: Vec<T>,
    predictions: Vec<T>,
    log_sums: Vec<T>,
    most_rows: usize,
}

impl<T: Float> Predictor<T> {
    /// Prepares a model for predictions.
    pub fn new(model: &Model<T>) -> Self {
        // Also for rows of which only the first is known: a row's prediction should not depend on the others.
        let layout = if is_wide(model.network.spec()) { Layout::Turned } else { Layout::Upright };
        let network = model.network.folded().laid_out(&layout);
        let most_rows = block_rows(&network);
        Self {
            head: model.head,
            factor: 1.0 / model.divide_by,
            scaling: model.target_scaling(),
            activations: Activations::new(&network, most_rows),
            inks: Vec::new(),
            scaled: Vec::new(),
            logits: Vec::new(),
            predictions: Vec::new(),
            log_sums: Vec::new(),
            network,
            most_rows,
        }
    }

    /// Predicts rows of bytes, such as pixels, as they are in a file: `rows (n, n_features)`; returns probabilities, or the
    /// numbers themselves for regression, `(n, n_outputs)`. A head that looks at the whole batch takes them as one.
    ///
    /// # Panics
    /// When `rows` is not a whole number of rows.
    pub fn predict_bytes(&mut self, rows: &[u8]) -> &[T] {
        let n_in = self.network.spec().sizes[0];
        assert!(rows.len().is_multiple_of(n_in), "{} bytes are no rows of {n_in}", rows.len());
        self.logits.clear();
        for x in rows.chunks(self.most_rows * n_in) {
            let n = x.len() / n_in;
            let inputs = Inputs { x, n_in, factor: T::from_f64(self.factor), products: Products::Exact };
            let block = if self.network.is_turned() {
                self.inks.resize_with(n.div_ceil(Ink::ROWS).max(self.inks.len()), Ink::default);
                if n > 1 {
                    let parts = x.chunks(Ink::ROWS * n_in);
                    self.inks.iter_mut().zip(parts).for_each(|(ink, x)| ink.find(x, n_in));
                }
                Block::Inked(inputs, &self.inks)
            } else {
                Block::Bytes(inputs)
            };
            self.activations.forward(&self.network, block, n, None);
            self.logits.extend_from_slice(self.activations.logits(n));
        }
        self.finish()
    }

    /// Predicts rows of numbers: as [`Predictor::predict_bytes`].
    ///
    /// # Panics
    /// As there.
    pub fn predict(&mut self, rows: &[T]) -> &[T] {
        let n_in = self.network.spec().sizes[0];
        assert!(rows.len().is_multiple_of(n_in), "{} numbers are no rows of {n_in}", rows.len());
        self.logits.clear();
        for x in rows.chunks(self.most_rows * n_in) {
            self.scaled.resize(x.len(), T::ZERO);
            kernels::narrow(x, self.factor, &mut self.scaled);
            let n = x.len() / n_in;
            let inputs = Inputs::plain(&self.scaled[..], n_in);
            let block = if self.network.is_turned() { Block::Turned(inputs) } else { Block::Floats(inputs) };
            self.activations.forward(&self.network, block, n, None);
            self.logits.extend_from_slice(self.activations.logits(n));
        }
        self.finish()
    }

    /// From the logits of all rows to predictions.
    fn finish(&mut self) -> &[T] {
        let coupling = self.head.coupling(&self.logits);
        self.predictions.resize(self.logits.len(), T::ZERO);
        self.log_sums.resize(self.logits.len() / self.head.n_outputs(), T::ZERO);
        self.head.forward(&self.logits, coupling.as_ref(), &mut self.predictions, &mut self.log_sums);
        to_units(self.scaling, &mut self.predictions);
        &self.predictions
    }
}
