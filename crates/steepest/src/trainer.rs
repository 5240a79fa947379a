//! Backpropagation and gradient descent, one step at a time.
//!
//! A batch is cut into shards, a shard into blocks that stay in the cache. Each shard sums its own gradient, and the
//! shards' gradients are added in their order. How many shards there are depends on the batch and the network alone,
//! so the result has the same bits for any number of threads.

use std::sync::Mutex;

use steepest_kernels::{self as kernels, AlignedVec, Float, Pool};

use crate::batches::{Batches, Rows};
use crate::dataset::Dataset;
use crate::error::Error;
use crate::head::{Coupling, Head, Score};
use crate::network::{Layer, Network};
use crate::optimizer::Optimizer;
use crate::pass::{Activations, BLOCK, Block, Deltas, Gather, deltas};
use crate::predict::{self, Evaluation, summarize};
use crate::schedule::Schedule;

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
}

/// Trains one network on one data set. Silent and without a clock: it is stepped from outside.
pub struct Trainer<T> {
    training: Training,
    network: Network<T>,
    data: Dataset,
    batches: Batches,
    pool: Pool,
    shards: Vec<Mutex<Shard<T>>>,
    /// One for each thread.
    scratch: Vec<Mutex<Scratch<T>>>,
    /// Gradient of the mean loss, laid out as the parameters.
    gradient: AlignedVec<T>,
    /// The optimizer's memory, laid out as the parameters.
    memory: [AlignedVec<T>; 2],
    step: u64,
    last_good: (u64, AlignedVec<T>),
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

/// Every quantity of one step: name, shape, and numbers row-major. Layers count from 1, rows are samples: `x`; `z1`,
/// `a1`, …; `delta2`, … (gradients at the logits of the mean loss); `d_W1`, `d_b1`, `W1`, `b1` before the update and
/// `W1_new`, `b1_new` after it.
pub type Trace<T> = Vec<(String, Vec<usize>, Vec<T>)>;

/// The part of a batch that one task works on.
struct Shard<T> {
    /// For coupled heads, one for each block, since they wait for the rest of the batch.
    activations: Vec<Activations<T>>,
    gradient: AlignedVec<T>,
    score: Score,
}

/// What a thread works with, so that it stays in the cache from block to block.
struct Scratch<T> {
    gather: Gather<T>,
    activations: Activations<T>,
    deltas: Deltas<T>,
}

/// Steps between copies of parameters that are known to be good.
const SNAPSHOT_STEPS: u64 = 100;

impl<T: Float> Trainer<T> {
    /// A trainer of `network` on all rows of `data`.
    ///
    /// # Panics
    /// When the data set has no targets, or the network does not fit it: a plan sees to that.
    pub fn new(
        training: Training,
        network: Network<T>,
        data: Dataset,
        batches: Batches,
        threads: usize,
    ) -> Self {
        assert!(data.targets().is_some() && data.n_features() == network.spec().sizes[0]);
        let n_parameters = network.parameters.len();
        let memory =
            |i: usize| AlignedVec::zeros(if i < training.optimizer.memory() { n_parameters } else { 0 });
        Self {
            memory: [memory(0), memory(1)],
            gradient: AlignedVec::zeros(n_parameters),
            last_good: (0, network.parameters.clone()),
            shards: Vec::new(),
            scratch: Vec::new(),
            pool: Pool::new(threads),
            training,
            network,
            data,
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

    /// The network as it is.
    pub fn network(&self) -> &Network<T> {
        &self.network
    }

    /// Its parameters, to restore earlier ones.
    pub fn network_mut(&mut self) -> &mut Network<T> {
        &mut self.network
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
    pub fn gradient(&self) -> &[T] {
        &self.gradient
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
        let step = self.gradients()?;
        self.update();
        Ok(step)
    }

    /// Draws the next batch and computes the gradient of its mean loss.
    ///
    /// # Errors
    /// [`Error::Diverged`] when loss or gradient are not finite; the parameters are then the last good ones.
    pub fn gradients(&mut self) -> Result<Step, Error> {
        let Self { training, network, data, batches, pool, shards, scratch, gradient, .. } = self;
        let epoch = batches.epoch();
        if shards.is_empty() {
            let most = shard_count(batches.largest(), network.parameters.len());
            shards.resize_with(most, || Mutex::new(Shard::new(network)));
            scratch.resize_with(pool.threads(), || Mutex::new(Scratch::new(network)));
        }
        scratch.iter_mut().for_each(|scratch| get(scratch).gather.forget());
        let ends_epoch = batches.draw();
        let rows = batches.rows();
        let n = rows.len();
        let n_shards = shard_count(n, network.parameters.len());
        let shards = &mut shards[..n_shards];
        let head = &training.head;
        let batch = Batch { data, rows, epoch, factor: 1.0 / training.divide_by, network, head };
        let part = |s: usize| (n * s / n_shards, n * (s + 1) / n_shards);

        let mut score = Score::default();
        if !head.predicts_by_batch() {
            pool.run(n_shards, &|s, thread| {
                lock(&shards[s]).backward(&batch, part(s), None, &mut lock(&scratch[thread]));
            });
            shards.iter_mut().for_each(|shard| score.add(get(shard).score));
        }
        if head.is_coupled() && !head.shift_is_harmless::<T>(&score) {
            pool.run(n_shards, &|s, thread| {
                lock(&shards[s]).forward(&batch, part(s), &mut lock(&scratch[thread]));
            });
            let logits: Vec<&[T]> = (shards.iter_mut().enumerate())
                .flat_map(|(s, shard)| {
                    let (first, end) = part(s);
                    let activations = &get(shard).activations;
                    blocks(first, end).map(|(b, _, n)| activations[b].logits(n))
                })
                .collect();
            let coupling = head.couple(logits.iter().copied());
            pool.run(n_shards, &|s, thread| {
                lock(&shards[s]).backward(&batch, part(s), Some(&coupling), &mut lock(&scratch[thread]));
            });
            score = Score::default();
            shards.iter_mut().for_each(|shard| score.add(get(shard).score));
        }

        let parts: Vec<&[T]> = shards.iter_mut().map(|shard| &*get(shard).gradient).collect();
        let pieces: Vec<_> = gradient.chunks_mut(PIECE).map(Mutex::new).collect();
        pool.run(pieces.len(), &|i, _| {
            let mut piece = lock(&pieces[i]);
            let range = i * PIECE..i * PIECE + piece.len();
            piece.copy_from_slice(&parts[0][range.clone()]);
            parts[1..].iter().for_each(|part| kernels::add_assign(&part[range.clone()], &mut piece));
        });
        let mut loss = summarize(&training.head, score, n);
        if training.l2 > 0.0 {
            loss.loss += add_l2(network, training.l2, gradient);
        }
        let step = Step {
            iteration: self.step,
            epoch,
            n_samples: n,
            loss: loss.loss,
            accuracy: loss.accuracy,
            ends_epoch,
        };
        self.check(step)
    }

    /// Passes a step on if it is finite; else goes back to the last good parameters.
    fn check(&mut self, step: Step) -> Result<Step, Error> {
        if !step.loss.is_finite() || !kernels::all_finite(&self.gradient) {
            self.network.parameters.copy_from_slice(&self.last_good.1);
            return Err(Error::Diverged {
                iteration: step.iteration,
                loss: step.loss,
                good: self.last_good.0,
            });
        }
        if step.iteration.is_multiple_of(SNAPSHOT_STEPS) {
            self.last_good.0 = step.iteration;
            self.last_good.1.copy_from_slice(&self.network.parameters);
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
        let pieces = pieces(network.spec().layers(), gradient, &mut network.parameters, memory);
        let step = self.step;
        pool.run(pieces.len(), &|i, _| {
            let Piece { gradient, parameters, memory, is_weight } = &mut *lock(&pieces[i]);
            let memory = memory.each_mut().map(|m| &mut **m);
            training.optimizer.update(step, rate, *is_weight, gradient, memory, parameters);
        });
    }

    /// One step, with every quantity in it.
    ///
    /// # Errors
    /// [`Error::Diverged`], as [`Trainer::gradients`].
    pub fn trace(&mut self) -> Result<(Step, Trace<T>), Error> {
        let before = self.network.clone();
        let step = self.step()?;
        let Self { training, network, data, batches, gradient, .. } = self;
        let n = step.n_samples;
        let head = &training.head;
        let factor = 1.0 / training.divide_by;
        let batch = Batch { data, rows: batches.rows(), epoch: step.epoch, factor, network: &before, head };
        let mut gather = Gather::new();
        let x = batch.rows(&mut gather, 0, n);
        let mut activations = Activations::new(&before, n);
        activations.forward(&before, x, n);
        let coupling =
            training.head.is_coupled().then(|| training.head.couple(std::iter::once(activations.logits(n))));
        let mut delta = deltas(&before, n);
        activations.head(&batch, 0, n, coupling.as_ref(), &mut delta);
        // Only for the gradients at the hidden layers: that of the parameters is the trainer's own.
        activations.backward(&before, x, n, &mut delta, false, &mut vec![T::ZERO; gradient.len()]);

        let mut trace = vec![("x".to_string(), vec![n, data.n_features()], x.to_floats())];
        for (l, layer) in before.layers().iter().enumerate() {
            let rows = vec![n, layer.n_out];
            trace.push((format!("z{}", l + 1), rows.clone(), activations.z[l].to_vec()));
            trace.push((format!("a{}", l + 1), rows, activations.a[l].to_vec()));
        }
        for (l, layer) in before.layers().iter().enumerate().rev() {
            trace.push((format!("delta{}", l + 1), vec![n, layer.n_out], delta[l].to_vec()));
            let of_layer = [("d_W", "d_b", &*gradient), ("W", "b", &before.parameters)];
            let after = ("W_new", "b_new", &network.parameters);
            for (weight, bias, flat) in of_layer.into_iter().chain([after]) {
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

    /// Loss and accuracy of the network as it is on a data set with targets.
    ///
    /// # Panics
    /// When the data set has no targets.
    pub fn evaluate(&mut self, data: &Dataset) -> Evaluation {
        let logits = predict::logits(&self.network, data, 1.0 / self.training.divide_by, &mut self.pool);
        let targets = data.targets().unwrap_or_else(|| unreachable!("a plan evaluates on targets only"));
        predict::evaluate(&self.training.head, &logits, targets)
    }
}

/// What all shards of a step share.
struct Batch<'a, T> {
    data: &'a Dataset,
    rows: Rows<'a>,
    epoch: u64,
    factor: f64,
    network: &'a Network<T>,
    head: &'a Head,
}

/// Blocks of the batch's rows `first..end`: number, first row, rows.
fn blocks(first: usize, end: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (first..end).step_by(BLOCK).enumerate().map(move |(b, row)| (b, row, BLOCK.min(end - row)))
}

impl<T: Float> Shard<T> {
    fn new(network: &Network<T>) -> Self {
        let gradient = AlignedVec::zeros(network.parameters.len());
        Self { activations: Vec::new(), gradient, score: Score::default() }
    }

    /// Forward through all blocks, up to the logits, for a coupled head.
    fn forward(&mut self, batch: &Batch<T>, (first, end): (usize, usize), scratch: &mut Scratch<T>) {
        for (b, row, n) in blocks(first, end) {
            if self.activations.len() == b {
                self.activations.push(Activations::new(batch.network, BLOCK));
            }
            self.activations[b].forward(batch.network, batch.rows(&mut scratch.gather, row, n), n);
        }
    }

    /// Through the head and back, for all blocks; without `coupling` forward as well, block by block.
    fn backward(
        &mut self,
        batch: &Batch<T>,
        (first, end): (usize, usize),
        coupling: Option<&Coupling<T>>,
        scratch: &mut Scratch<T>,
    ) {
        self.score = Score::default();
        for (b, row, n) in blocks(first, end) {
            let Scratch { gather, activations, deltas } = &mut *scratch;
            let x = batch.rows(gather, row, n);
            let activations = match coupling {
                Some(_) => &mut self.activations[b],
                None => {
                    activations.forward(batch.network, x, n);
                    activations
                }
            };
            self.score.add(activations.head(batch, row, n, coupling, deltas));
            activations.backward(batch.network, x, n, deltas, b > 0, &mut self.gradient);
        }
    }
}

impl<T: Float> Scratch<T> {
    fn new(network: &Network<T>) -> Self {
        let (activations, deltas) = (Activations::new(network, BLOCK), deltas(network, BLOCK));
        Self { gather: Gather::new(), activations, deltas }
    }
}

impl<T: Float> Batch<'_, T> {
    /// Some of its rows.
    fn rows<'a>(&'a self, gather: &'a mut Gather<T>, first: usize, n: usize) -> Block<'a, T> {
        gather.rows(self.data, self.rows, first, n, self.epoch, self.factor)
    }
}

impl<T: Float> Activations<T> {
    /// Predictions of a block, `delta` at its logits, and its score.
    fn head(
        &mut self,
        batch: &Batch<T>,
        first: usize,
        n: usize,
        coupling: Option<&Coupling<T>>,
        deltas: &mut Deltas<T>,
    ) -> Score {
        let (last, width) = (self.z.len() - 1, batch.head.n_outputs());
        let (z, p) = (&self.z[last][..n * width], &mut self.a[last][..n * width]);
        let log_sums = &mut self.log_sums[..n];
        batch.head.forward(z, coupling, p, log_sums);
        let Some(targets) = batch.data.targets() else { return Score::default() };
        let target = |row: usize| predict::target(targets, batch.rows.get(first + row) as usize);
        let delta = &mut deltas[last][..n * width];
        batch.head.backward(z, p, log_sums, target, batch.rows.len(), delta)
    }
}

/// Shards of a batch: enough to keep many cores busy, but no more than their gradients are worth in memory.
fn shard_count(n_rows: usize, n_parameters: usize) -> usize {
    let most = ((1 << 22) / n_parameters.max(1)).clamp(4, 64);
    n_rows.div_ceil(BLOCK).clamp(1, most)
}

/// Parameters that one task updates.
const PIECE: usize = 16 * 1024;

struct Piece<'a, T> {
    gradient: &'a [T],
    parameters: &'a mut [T],
    memory: [&'a mut [T]; 2],
    is_weight: bool,
}

/// Cuts everything that is laid out as the parameters into pieces, weights and biases apart.
fn pieces<'a, T: Float>(
    layers: Vec<Layer>,
    mut gradient: &'a [T],
    mut parameters: &'a mut [T],
    memory: &'a mut [AlignedVec<T>; 2],
) -> Vec<Mutex<Piece<'a, T>>> {
    let mut pieces = Vec::new();
    let [mut first, mut second] = memory.each_mut().map(|m| &mut **m);
    let parts = layers.into_iter().flat_map(|layer| [(layer.weight, true), (layer.bias, false)]);
    for (range, is_weight) in parts {
        let mut left = range.len();
        while left > 0 {
            let n = left.min(PIECE);
            left -= n;
            pieces.push(Mutex::new(Piece {
                gradient: gradient.split_off(..n).unwrap_or_default(),
                parameters: parameters.split_off_mut(..n).unwrap_or_default(),
                // An optimizer without memory has empty slices here.
                memory: [&mut first, &mut second].map(|m| m.split_off_mut(..n).unwrap_or_default()),
                is_weight,
            }));
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

fn lock<X>(mutex: &Mutex<X>) -> std::sync::MutexGuard<'_, X> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

fn get<X>(mutex: &mut Mutex<X>) -> &mut X {
    mutex.get_mut().unwrap_or_else(|e| e.into_inner())
}
