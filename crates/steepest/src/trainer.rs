//! Backpropagation and gradient descent, one step at a time.
//!
//! The gradient of a step is computed by rows ([`Shards`]) or, where the batch is small beside the network, by parameters
//! ([`Parts`]). Which of them depends on the batch and the network alone.

mod state;

pub use state::PerParameter;

use steepest_kernels::{self as kernels, AlignedVec, Float, Patches, Pool, Products};

use crate::augment::Augmenter;
use crate::batches::{Batches, Rows};
use crate::clip::clip_factor;
use crate::dataset::Dataset;
use crate::error::Error;
use crate::gather::Source;
use crate::held::HeldRows;
use crate::layout::{Layout, layout_for, layout_for_all};
use crate::lbfgs::{Lbfgs, Objective};
use crate::network::{Layer, Network};
use crate::optimizer::{Optimizer, UpdateRule};
use crate::parts::Parts;
use crate::pass::Batch;
use crate::pieces::{Piece, Pieces};
use crate::predict::{self, Evaluation, summarize};
use crate::schedule::Plateau;
use crate::shard::Shards;
use crate::training::Training;

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
    /// The network's running mean, where there is one, laid out as the network.
    mean: Option<Network<T>>,
    step: u64,
    plateau: Plateau,
    /// Where training goes back to when it diverges, if it does.
    last_good: Option<Good<T>>,
    /// With L-BFGS, whose steps end where the next one begins.
    lbfgs: Option<Lbfgs<T>>,
    /// What is known of the batch at the parameters as they are.
    known: Option<Known>,
    /// How often loss and gradient were computed.
    evaluations: u64,
}

/// Loss and accuracy of a batch, and whether its gradient is finite.
type Known = (Evaluation, bool);

/// A network that is known to be good, and its mean.
struct Good<T> {
    iteration: u64,
    network: Network<T>,
    mean: Option<Network<T>>,
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
    /// The sum of their weights; without weights their number.
    pub weight: f64,
    /// Mean loss over the batch, penalty included.
    pub loss: f64,
    /// Part of the batch predicted correctly.
    pub accuracy: Option<f64>,
    /// As many rows were seen as there are.
    pub ends_epoch: bool,
}

/// Inputs of another precision than the network's are converted before the first step, if they are so few: 16 MB in single precision.
const MOST_CONVERTED: usize = 4 << 20;

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
        let data = if training.divide_by == 1.0 { data.in_precision_of::<T>(MOST_CONVERTED) } else { data };
        let network = if *network.layout() == layout { network } else { network.laid_out(&layout) };
        let mean = training.ema.map(|_| network.clone());
        let n_parameters = network.parameters.len();
        let lbfgs = matches!(training.optimizer, Optimizer::Lbfgs { .. }).then(Lbfgs::new);
        let memory =
            |i: usize| AlignedVec::zeros(if i < training.optimizer.memory() { n_parameters } else { 0 });
        Self {
            memory: [memory(0), memory(1)],
            gradient: AlignedVec::zeros(n_parameters),
            last_good: (!training.ignores_divergence).then(|| Good {
                iteration: 0,
                network: network.clone(),
                mean: mean.clone(),
            }),
            mean,
            work: None,
            pool,
            training,
            network,
            data,
            patches,
            batches,
            step: 0,
            plateau: Plateau::new(),
            lbfgs,
            known: None,
            evaluations: 0,
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

    /// A copy of the network to validate and to save: the running mean where there is one ([`Training::ema`]), else the
    /// network as it is.
    pub fn averaged(&self) -> Network<T> {
        self.mean.as_ref().unwrap_or(&self.network).laid_out(&Layout::Upright)
    }

    /// Goes on from these parameters and statistics, and their mean with them.
    ///
    /// # Panics
    /// When the network has another shape.
    pub fn set_network(&mut self, network: &Network<T>) {
        assert!(network.spec() == self.network.spec());
        self.network = network.laid_out(self.network.layout());
        self.known = None;
        self.mean = self.mean.is_some().then(|| self.network.clone());
    }

    /// Where each layer's parameters lie in [`Trainer::network`] and [`Trainer::gradient`].
    pub fn layers(&self) -> &[Layer] {
        self.network.layers()
    }

    /// What each step does.
    pub fn training(&self) -> &Training {
        &self.training
    }

    /// The data it learns from.
    pub fn data(&self) -> &Dataset {
        &self.data
    }

    /// The gradient of the last [`Trainer::gradients`], laid out as the parameters; of the last [`Trainer::step`] as it was
    /// descended, shortened if it was too long.
    pub fn gradient(&self) -> AlignedVec<T> {
        self.network.upright(&self.gradient)
    }

    /// The rows of the last step.
    pub(crate) fn rows(&self) -> Rows<'_> {
        self.batches.rows()
    }

    /// Learning rate of a step; with [`Course::Adaptive`] of the one that comes next or is under way.
    ///
    /// [`Course::Adaptive`]: crate::Course::Adaptive
    pub fn rate(&self, iteration: u64) -> f64 {
        let Training { schedule, total_steps, .. } = self.training;
        self.plateau.factor * schedule.rate(iteration, self.batches.steps_per_epoch(), total_steps)
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
        // Nothing must happen to the gradient in between; and parameters are only copied when they are known to be good.
        let at_once = self.training.clip_norm.is_none()
            && !self.training.sum_bias_gradient
            && self.lbfgs.is_none()
            && (self.last_good.is_none() || !self.step.is_multiple_of(SNAPSHOT_STEPS));
        let step = self.pass(at_once)?;
        if at_once {
            self.end_step()
        } else {
            self.update()
        }
        Ok(step)
    }

    /// Draws the next batch and computes the gradient of its mean loss.
    ///
    /// # Errors
    /// [`Error::Diverged`] when loss or gradient are not finite; the parameters are then the last good ones.
    pub fn gradients(&mut self) -> Result<Step, Error> {
        self.pass(false)
    }

    /// [`Trainer::gradients`]; if it `updates`, the parameters are moved at once, piece by piece, which changes no bit.
    fn pass(&mut self, updates: bool) -> Result<Step, Error> {
        self.plateau.begin(self.training.schedule.course, self.batches.epoch());
        let rule = updates.then(|| self.rule());
        let epoch = self.batches.epoch();
        let ends_epoch = self.batches.draw();
        let n_samples = self.batches.rows().len();
        let known = self.known.unwrap_or_else(|| self.evaluate_batch(epoch, rule.as_ref()));
        self.known = self.lbfgs.is_some().then_some(known);
        let (Evaluation { loss, accuracy }, is_finite) = known;
        let weight = self.batch_weight();
        let step = Step { iteration: self.step, epoch, n_samples, weight, loss, accuracy, ends_epoch };
        self.plateau.add(step.loss, n_samples);
        self.check(step, is_finite)
    }

    /// The sum of the weights of the batch's rows.
    fn batch_weight(&self) -> f64 {
        let rows = self.batches.rows();
        match self.data.weights() {
            None => rows.len() as f64,
            Some(weights) => (0..rows.len()).map(|i| weights[rows.get(i) as usize]).sum(),
        }
    }

    /// Computes the gradient of the batch; where there is a `rule`, the parameters are moved by it.
    fn evaluate_batch(&mut self, epoch: u64, rule: Option<&UpdateRule>) -> Known {
        self.evaluations += 1;
        let Self { training, network, data, patches, batches, pool, work, gradient, memory, mean, .. } = self;
        let rows = batches.rows();
        let n = rows.len();
        let (factor, turned) = (1.0 / training.divide_by, network.is_turned());
        let (augmenter, noise) = (training.augmenter.as_ref(), training.noise_of(self.step));
        let products = training.products;
        let source = Source { data, rows, epoch, factor, turned, patches, augmenter, noise, products };
        let dropout = training.dropout_of(self.step, network.layers().len() - 1);
        let (head, dropout, total) = (&training.head, dropout.as_ref(), source.total());
        let batch = Batch { source, network, head, dropout, total };
        let l2 = training.l2_of(total);
        let work =
            work.get_or_insert_with(|| Work::new(network, batches.largest(), pool.threads(), products));
        let score = match work {
            Work::ByRows(shards) => shards.pass(&batch, pool),
            Work::ByParameters(parts) => parts.held.pass(&batch, pool),
        };
        let all = whole(gradient, network, memory, mean);
        let (is_finite, squares) = match work {
            Work::ByRows(shards) => shards.gradients(pool, all, l2, rule),
            Work::ByParameters(parts) => parts.gradients(source, pool, all, l2, rule),
        };
        if let Some(held) = work.held() {
            held.note_statistics(n, &network.spec().layers(), &mut network.statistics);
        }
        let mut evaluation = summarize(head, score, n, total);
        evaluation.loss += 0.5 * l2 * squares;
        (evaluation, is_finite)
    }

    /// Passes a step on if its loss and its gradient are finite; else goes back to the last good parameters.
    fn check(&mut self, step: Step, gradient_is_finite: bool) -> Result<Step, Error> {
        let Some(good) = &mut self.last_good else { return Ok(step) };
        if !step.loss.is_finite() || !gradient_is_finite {
            self.network.copy_from(&good.network);
            self.known = None;
            self.mean.iter_mut().zip(&good.mean).for_each(|(mean, good)| mean.copy_from(good));
            return Err(Error::Diverged { iteration: step.iteration, loss: step.loss, good: good.iteration });
        }
        if step.iteration.is_multiple_of(SNAPSHOT_STEPS) {
            good.iteration = step.iteration;
            good.network.copy_from(&self.network);
            good.mean.iter_mut().zip(&self.mean).for_each(|(good, mean)| good.copy_from(mean));
        }
        Ok(step)
    }

    /// Moves the parameters along the gradient; with L-BFGS as far along its direction as is good.
    pub fn update(&mut self) {
        if let Optimizer::Lbfgs { tol } = self.training.optimizer {
            self.advance_lbfgs(tol);
            return;
        }
        let rule = self.rule();
        let Self { training, network, pool, gradient, memory, mean, .. } = self;
        if training.sum_bias_gradient {
            for layer in network.layers() {
                let d_bias = &mut gradient[layer.bias.clone()];
                let sum = d_bias.iter().copied().sum();
                d_bias.fill(sum);
            }
        }
        let shorten = training.clip_norm.map(|most| clip_factor(gradient, most, pool)).filter(|&f| f < 1.0);
        let layers = network.spec().layers();
        Pieces::new(&layers, whole(gradient, network, memory, mean)).for_each(pool, |piece| {
            if let Some(factor) = shorten {
                kernels::scale(T::from_f64(factor), piece.gradient);
            }
            rule.update(piece);
        });
        self.end_step();
    }

    /// Goes on by a step of L-BFGS. What is computed at its end is where the next step begins.
    fn advance_lbfgs(&mut self, tol: f64) {
        if let (Some(mut lbfgs), Some((evaluation, _))) = (self.lbfgs.take(), self.known) {
            lbfgs.advance(evaluation.loss, tol, self);
            self.lbfgs = Some(lbfgs);
        }
        self.end_step();
    }

    /// Whether no step would lower the loss any more, which only L-BFGS can tell.
    pub fn has_converged(&self) -> bool {
        self.lbfgs.as_ref().is_some_and(|lbfgs| lbfgs.is_done)
    }

    /// A step is done. Where the network has a mean, its statistics are averaged as the parameters were in [`UpdateRule::update`].
    fn end_step(&mut self) {
        if let Some(mean) = &mut self.mean {
            let rate = T::from_f64(1.0 - self.training.mean_decay(self.step + 1));
            kernels::lerp(rate, &self.network.statistics, &mut mean.statistics);
        }
        self.step += 1;
    }

    /// The update of the step that comes next, or that is under way.
    fn rule(&self) -> UpdateRule {
        let step = self.step + 1;
        let Training { optimizer, .. } = self.training;
        let mean_rate = 1.0 - self.training.mean_decay(step);
        UpdateRule::new(optimizer, self.training.dialect(), (step, self.rate(self.step)), mean_rate)
    }

    /// Predictions of [`Trainer::averaged`] for all rows, `(n_samples, n_outputs)`.
    pub fn predict(&mut self, data: &Dataset) -> Vec<T> {
        let network = self.mean.as_ref().unwrap_or(&self.network);
        let logits = predict::logits(network, data, 1.0 / self.training.divide_by, &mut self.pool);
        let head = &self.training.head;
        head.predictions(&logits, head.coupling(&logits).as_ref()).0
    }

    /// Loss and accuracy of [`Trainer::averaged`] on a data set with targets; with batch normalisation by its running
    /// statistics.
    ///
    /// # Panics
    /// When the data set has no targets.
    pub fn evaluate(&mut self, data: &Dataset) -> Evaluation {
        let Self { training, network, mean, pool, .. } = self;
        let network = mean.as_ref().unwrap_or(network);
        let logits = predict::logits(network, data, 1.0 / training.divide_by, pool);
        let targets = data.targets().unwrap_or_else(|| unreachable!("a plan evaluates on targets only"));
        predict::evaluate(&training.head, &logits, targets, data.weights(), pool)
    }
}

impl<T: Float> Objective<T> for Trainer<T> {
    fn parameters(&mut self) -> &mut [T] {
        &mut self.network.parameters
    }

    fn gradient(&self) -> &[T] {
        &self.gradient
    }

    fn evaluate(&mut self) -> f64 {
        let known = self.evaluate_batch(self.batches.epoch(), None);
        self.known = Some(known);
        known.0.loss
    }
}

impl<T: Float> Work<T> {
    fn new(network: &Network<T>, most_rows: usize, threads: usize, products: Products) -> Self {
        if Parts::suits(network, most_rows) {
            Self::ByParameters(Parts::new(network, most_rows, products))
        } else {
            Self::ByRows(Shards::new(network, most_rows, threads, products))
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

/// All that is laid out as the parameters.
fn whole<'a, T: Float>(
    gradient: &'a mut [T],
    network: &'a mut Network<T>,
    memory: &'a mut [AlignedVec<T>; 2],
    mean: &'a mut Option<Network<T>>,
) -> Piece<'a, T> {
    Piece {
        gradient,
        parameters: &mut network.parameters,
        memory: memory.each_mut().map(|m| &mut **m),
        mean: mean.as_mut().map_or(&mut [], |mean| &mut *mean.parameters),
        ..Piece::default()
    }
}
