//! What each step of a run does.

use steepest_kernels::Products;

use crate::augment::Augmenter;
use crate::dialect::Dialect;
use crate::dropout::Dropout;
use crate::error::Error;
use crate::head::Head;
use crate::noise::Noise;
use crate::optimizer::Optimizer;
use crate::plan_training;
use crate::recipe::Recipe;
use crate::schedule::Schedule;

/// What a [`Trainer`](crate::Trainer) does in each step.
#[derive(Clone, Debug)]
pub struct Training {
    /// Output activation and loss.
    pub head: Head,
    /// Update rule.
    pub optimizer: Optimizer,
    /// Learning rate.
    pub schedule: Schedule,
    /// L2 penalty: `l2 / 2` times the sum of squared weights (not biases) is added to the loss; by scikit-learn's definitions
    /// divided by the rows of the batch.
    pub l2: f64,
    /// Decay of the running mean of the parameters (and of the statistics of batch normalisation) that is validated and saved;
    /// none to do so with the parameters themselves. Early on it is less: see [`Training::mean_decay`].
    pub ema: Option<f64>,
    /// The gradient's norm may be this much; longer ones are shortened (PyTorch's `clip_grad_norm_`).
    pub clip_norm: Option<f64>,
    /// Notebook 2's bias gradient: for every bias of a layer, the sum over all of them.
    pub sum_bias_gradient: bool,
    /// Whether training goes on where loss or gradient are no longer finite, and what comes of it with it.
    pub ignores_divergence: bool,
    /// Steps in all, which schedules end at.
    pub total_steps: u64,
    /// Inputs are divided by this.
    pub divide_by: f64,
    /// Deforms the rows that are learnt from, if they are images of bytes.
    pub augmenter: Option<Augmenter>,
    /// The standard deviation of the noise that is added to the inputs, after the division.
    pub noise: f64,
    /// The part of what hidden layers give on that each step drops.
    pub dropout: f64,
    /// Where noise and dropout come from.
    pub seed: u64,
    /// How the products of large layers are computed while it trains.
    pub products: Products,
}

impl Training {
    /// What the steps of a recipe are, for a network with so many outputs that learns from `n_train` rows. A plan does this,
    /// and checks the data; here somebody else has.
    ///
    /// # Errors
    /// [`Error::Plan`] when the recipe's training is not possible, or it does not say what its output is.
    pub fn new(recipe: &mut Recipe, n_outputs: usize, n_train: usize) -> Result<Self, Error> {
        let output = recipe.network.output.ok_or_else(|| Error::Plan("network.output is missing".into()))?;
        let head = recipe.head(output, n_outputs);
        plan_training::training(recipe, head, n_train, None)
    }

    /// Whose definitions it follows: those of its head.
    pub fn dialect(&self) -> Dialect {
        self.head.dialect()
    }

    /// The L2 penalty of a batch whose rows' weights sum to `total`.
    pub(crate) fn l2_of(&self, total: f64) -> f64 {
        match self.dialect() {
            Dialect::Pytorch => self.l2,
            Dialect::Sklearn => self.l2 / total,
        }
    }

    /// What a step adds to its inputs.
    pub(crate) fn noise_of(&self, step: u64) -> Option<Noise> {
        Noise::new(self.noise, self.seed, step)
    }

    /// What a step drops.
    pub(crate) fn dropout_of(&self, step: u64, n_hidden: usize) -> Option<Dropout> {
        Dropout::new(self.dropout, self.seed, step, n_hidden)
    }

    /// Decay of the parameters' mean in step `step`, counted from 1: at most `(1 + step) / (10 + step)`, so that the mean
    /// soon forgets where training began (TensorFlow's `ExponentialMovingAverage` with `num_updates`).
    pub fn mean_decay(&self, step: u64) -> f64 {
        let step = step as f64;
        self.ema.unwrap_or(0.0).min((1.0 + step) / (10.0 + step))
    }
}
