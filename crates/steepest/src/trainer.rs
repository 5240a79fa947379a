//! Backpropagation and gradient descent, one step at a time.
//!
//! The gradient of a step is computed by rows ([`Shards`]) or, where the batch is small beside the network, by parameters
//! ([`Parts`]). Which of them depends on the batch and the network alone.

use std::sync::Mutex;

use steepest_kernels::{self as kernels, AlignedVec, Float, Patches, Pool};

use crate::augment::Augmenter;
use crate::batches::{Batches, Rows};
use crate::dataset::Dataset;
use crate::dropout::Dropout;
use crate::error::Error;
use crate::gather::Source;
use crate::head::Head;
use crate::held::HeldRows;
use crate::layout::{Layout, layout_for, layout_for_all};
use crate::locks::lock;
use crate::network::{Layer, Network};
use crate::noise::Noise;
use crate::optimizer::{Optimizer, Piece, UpdateRule};
use crate::parts::Parts;
use crate::pass::Batch;
use crate::predict::{self, Evaluation, summarize};
use crate::schedule::Schedule;
use crate::shard::Shards;

/// What a [`Trainer`] does in each step.
#[derive(Clone, Debug)]
pub struct Training {
    /// Output activation and loss.
    pub head: Head,
    /// Update rule.
    pub optimizer: Optimizer,
    /// Learning rate.
    pub schedule: Schedule,
    /// L2 penalty: `l2 / 2` times the sum of squared weights (not biases) is added to the loss.
    pub l2: f64,
    /// Notebook 2's bias gradient: for every bias of a layer, the sum over all of them.
    pub sum_bias_gradient: bool,
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
}

impl Training {
    /// What a step adds to its inputs.
    pub(crate) fn noise_of(&self, step: u64) -> Option<Noise> {
        Noise::new(self.noise, self.seed, step)
    }

    /// What a step drops.
    pub(crate) fn dropout_of(&self, step: u64, n_hidden: usize) -> Option<Dropout> {
        Dropout::new(self.dropout, self.seed, step, n_hidden)
    }
}

/// Trains one network on one data set. Silent and without a clock: it is stepped from outside.
pub struct Trainer<T> {
    training: Training,
    /// Its first layer lies as suits the data, and gradient and memory with it.
    network: Network<T>,
    data: Dataset,
    /// All rows, where the first layer's weights lie by patches.
    patches: Vec<Patches>,
    batches: Batches,
    pool: Pool,
    /// What steps work with, from the first one on.
    work: Option<Work<T>>,
    /// Gradient of the mean loss, laid out as the parameters.
    gradient: AlignedVec<T>,
    /// The optimizer's memory, laid out as the parameters.
    memory: [AlignedVec<T>; 2],
    step: u64,
    /// A step at whose beginning all was well, and parameters and statistics then.
    last_good: (u64, [AlignedVec<T>; 2]),
}

/// How a step's gradient is computed.
enum Work<T> {
    ByRows(Shards<T>),
    ByParameters(Parts<T>),
}

/// One step's report. Loss and accuracy come from the forward pass, before the update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// From 0.
    pub iteration: u64,
    /// From 0.
    pub epoch: u64,
    /// Rows of the batch.
    pub n_samples: usize,
    /// Mean loss over the batch, penalty included.
    pub loss: f64,
    /// Part of the batch predicted correctly.
    pub accuracy: Option<f64>,
    /// As many rows were seen as there are.
    pub ends_epoch: bool,
}

/// Steps between copies of parameters that are known to be good.
const SNAPSHOT_STEPS: u64 = 100;

impl<T: Float> Trainer<T> {
    /// A trainer of `network` on all rows of `data`.
    ///
    /// # Panics
    /// When the data set has no targets, or network and augmentation do not fit it: a plan sees to that.
    pub fn new(
        training: Training,
        network: Network<T>,
        data: Dataset,
        batches: Batches,
        threads: usize,
    ) -> Self {
        assert!(data.targets().is_some() && data.n_features() == network.spec().sizes[0]);
        let fits = |augmenter: &Augmenter| data.is_bytes() && data.image() == Some(augmenter.size());
        assert!(training.augmenter.as_ref().is_none_or(fits));
        let mut pool = Pool::new(threads);
        // Patches are of inputs that are the same in every step.
        let is_fixed = training.augmenter.is_none() && training.noise == 0.0;
        let (layout, patches) = if batches.are_whole() && is_fixed {
            layout_for_all(network.spec(), &data, &mut pool)
        } else {
            (layout_for(network.spec(), &data), Vec::new())
        };
        let network = network.laid_out(&layout);
        let n_parameters = network.parameters.len();
        let memory =
            |i: usize| AlignedVec::zeros(if i < training.optimizer.memory() { n_parameters } else { 0 });
        Self {
            memory: [memory(0), memory(1)],
            gradient: AlignedVec::zeros(n_parameters),
            last_good: (0, [network.parameters.clone(), network.statistics.clone()]),
            work: None,
            pool,
            training,
            network,
            data,
            patches,
            batches,
            step: 0,
        }
    }

    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// Epochs done.
    pub fn epochs(&self) -> u64 {
        self.batches.epoch()
    }

    /// A copy of the network as it is.
    pub fn network(&self) -> Network<T> {
        self.network.laid_out(&Layout::Upright)
    }

    /// Goes on from these parameters and statistics.
    ///
    /// # Panics
    /// When the network has another shape.
    pub fn set_network(&mut self, network: &Network<T>) {
        assert!(network.spec() == self.network.spec());
        self.network = network.laid_out(self.network.layout());
    }

    /// What each step does.
    pub fn training(&self) -> &Training {
        &self.training
    }

    /// The data it learns from.
    pub fn data(&self) -> &Dataset {
        &self.data
    }

    /// The gradient of the last [`Trainer::gradients`], laid out as the parameters.
    pub fn gradient(&self) -> AlignedVec<T> {
        self.network.upright(&self.gradient)
    }

    /// The rows of the last step.
    pub(crate) fn rows(&self) -> Rows<'_> {
        self.batches.rows()
    }

    /// Learning rate of a step.
    pub fn rate(&self, iteration: u64) -> f64 {
        let training = &self.training;
        training.schedule.rate(iteration, self.batches.steps_per_epoch(), training.total_steps)
    }

    /// Threads at work.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// One step: [`Trainer::gradients`], then [`Trainer::update`].
    ///
    /// # Errors
    /// [`Error::Diverged`], as [`Trainer::gradients`].
    pub fn step(&mut self) -> Result<Step, Error> {
        let (step, is_updated) = self.pass(true)?;
        if is_updated {
            self.step += 1;
        } else {
            self.update();
        }
        Ok(step)
    }

    /// Draws the next batch and computes the gradient of its mean loss.
    ///
    /// # Errors
    /// [`Error::Diverged`] when loss or gradient are not finite; the parameters are then the last good ones.
    pub fn gradients(&mut self) -> Result<Step, Error> {
        Ok(self.pass(false)?.0)
    }

    /// [`Trainer::gradients`]; also says whether the parameters were updated at once, which only happens if they `may` be, and
    /// changes no bit.
    fn pass(&mut self, may_update: bool) -> Result<(Step, bool), Error> {
        let rate = self.rate(self.step);
        // Nothing must happen to the gradient in between; and parameters are only copied when they are known to be good.
        let updates = may_update
            && self.training.l2 == 0.0
            && !self.training.sum_bias_gradient
            && !self.step.is_multiple_of(SNAPSHOT_STEPS);
        let Self { training, network, data, patches, batches, pool, work, gradient, memory, .. } = self;
        let epoch = batches.epoch();
        let ends_epoch = batches.draw();
        let rows = batches.rows();
        let n = rows.len();
        let (factor, turned) = (1.0 / training.divide_by, network.is_turned());
        let (augmenter, noise) = (training.augmenter.as_ref(), training.noise_of(self.step));
        let source = Source { data, rows, epoch, factor, turned, patches, augmenter, noise };
        let dropout = training.dropout_of(self.step, network.layers().len() - 1);
        let batch = Batch { source, network, head: &training.head, dropout: dropout.as_ref() };
        let work = work.get_or_insert_with(|| Work::new(network, batches.largest(), pool.threads()));
        let (score, mut is_finite, is_updated) = match work {
            Work::ByRows(shards) => {
                let (score, is_finite) = shards.gradients(&batch, pool, gradient);
                (score, is_finite, false)
            }
            Work::ByParameters(parts) => {
                let score = parts.held.pass(&batch, pool);
                let rule = UpdateRule { optimizer: &training.optimizer, step: self.step + 1, rate };
                let memory = memory.each_mut().map(|m| &mut **m);
                let all = Piece { gradient, parameters: &mut network.parameters, memory };
                (score, parts.gradients(source, pool, all, updates.then_some(rule)), updates)
            }
        };
        if let Some(held) = work.held() {
            held.note_statistics(n, &network.spec().layers(), &mut network.statistics);
        }
        let mut loss = summarize(&training.head, score, n);
        if training.l2 > 0.0 {
            loss.loss += add_l2(network, training.l2, gradient);
            is_finite &= kernels::all_finite(gradient);
        }
        let step = Step {
            iteration: self.step,
            epoch,
            n_samples: n,
            loss: loss.loss,
            accuracy: loss.accuracy,
            ends_epoch,
        };
        self.check(step, is_finite).map(|step| (step, is_updated))
    }

    /// Passes a step on if its loss and its gradient are finite; else goes back to the last good parameters.
    fn check(&mut self, step: Step, gradient_is_finite: bool) -> Result<Step, Error> {
        if !step.loss.is_finite() || !gradient_is_finite {
            let (_, [parameters, statistics]) = &self.last_good;
            self.network.parameters.copy_from_slice(parameters);
            self.network.statistics.copy_from_slice(statistics);
            return Err(Error::Diverged {
                iteration: step.iteration,
                loss: step.loss,
                good: self.last_good.0,
            });
        }
        if step.iteration.is_multiple_of(SNAPSHOT_STEPS) {
            let (iteration, [parameters, statistics]) = &mut self.last_good;
            *iteration = step.iteration;
            parameters.copy_from_slice(&self.network.parameters);
            statistics.copy_from_slice(&self.network.statistics);
        }
        Ok(step)
    }

    /// Moves the parameters along the gradient.
    pub fn update(&mut self) {
        let rate = self.rate(self.step);
        let Self { training, network, pool, gradient, memory, .. } = self;
        if training.sum_bias_gradient {
            for layer in network.layers() {
                let d_bias = &mut gradient[layer.bias.clone()];
                let sum = d_bias.iter().copied().sum();
                d_bias.fill(sum);
            }
        }
        self.step += 1;
        let rule = UpdateRule { optimizer: &training.optimizer, step: self.step, rate };
        let memory = memory.each_mut().map(|m| &mut **m);
        let is_little = gradient.len() <= PIECE;
        let layers = network.spec().layers();
        let pieces = pieces(layers, Piece { gradient, parameters: &mut network.parameters, memory });
        let update = |i: usize| {
            let (piece, are_weights) = &mut *lock(&pieces[i]);
            piece.update(rule, *are_weights);
        };
        if is_little {
            // Not worth waking anybody for.
            (0..pieces.len()).for_each(update);
        } else {
            pool.run(pieces.len(), &|i, _| update(i));
        }
    }

    /// Loss and accuracy of the network as it is on a data set with targets; with batch normalisation by its running statistics.
    ///
    /// # Panics
    /// When the data set has no targets.
    pub fn evaluate(&mut self, data: &Dataset) -> Evaluation {
        let Self { training, network, pool, .. } = self;
        let logits = predict::logits(network, data, 1.0 / training.divide_by, pool);
        let targets = data.targets().unwrap_or_else(|| unreachable!("a plan evaluates on targets only"));
        predict::evaluate(&training.head, &logits, targets, pool)
    }
}

impl<T: Float> Work<T> {
    fn new(network: &Network<T>, most_rows: usize, threads: usize) -> Self {
        if Parts::suits(network, most_rows) {
            Self::ByParameters(Parts::new(network, most_rows))
        } else {
            Self::ByRows(Shards::new(network, most_rows, threads))
        }
    }

    /// The rows of the last step, where they are held.
    fn held(&self) -> Option<&HeldRows<T>> {
        match self {
            Self::ByRows(shards) => shards.held.as_ref(),
            Self::ByParameters(parts) => Some(&parts.held),
        }
    }
}

/// Parameters that one task updates.
const PIECE: usize = 16 * 1024;

/// Cuts everything that is laid out as the parameters into pieces, weights (said to be) and the others apart.
fn pieces<T: Float>(layers: Vec<Layer>, mut all: Piece<T>) -> Vec<Mutex<(Piece<T>, bool)>> {
    let mut pieces = Vec::new();
    let ranges =
        layers.into_iter().flat_map(|layer| [(layer.weight.clone(), true), (layer.vectors(), false)]);
    for (range, are_weights) in ranges {
        for first in range.clone().step_by(PIECE) {
            pieces.push(Mutex::new((all.cut(PIECE.min(range.end - first)), are_weights)));
        }
    }
    pieces
}

/// Adds the penalty's gradient `l2 w` for all weights; returns the penalty.
fn add_l2<T: Float>(network: &Network<T>, l2: f64, gradient: &mut [T]) -> f64 {
    let mut penalty = 0.0;
    for layer in network.layers() {
        let w = network.weight(layer);
        kernels::axpy(T::from_f64(l2), w, &mut gradient[layer.weight.clone()]);
        penalty += w.iter().map(|w| w.to_f64().powi(2)).sum::<f64>();
    }
    0.5 * l2 * penalty
}
