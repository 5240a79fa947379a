//! What steps change: out of a trainer and back into one, and steered from outside.

use std::borrow::Cow;

use steepest_kernels::Float;

use super::Trainer;
use crate::checkpoint::{Carrier, Place, STEP};
use crate::error::Error;
use crate::mersenne::MersenneTwister;
use crate::schedule::{Course, Schedule};

/// What a trainer has one of for each parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PerParameter {
    /// The parameter.
    Value,
    /// Its part of the last gradient.
    Gradient,
    /// What the optimizer remembers of it: a first and a second number, as [`crate::Optimizer::memory`] says.
    Memory(usize),
}

impl<T: Float> Trainer<T> {
    /// From here on this learning rate, whatever the schedule was.
    pub fn set_rate(&mut self, rate: f64) {
        self.training.schedule = Schedule::constant(rate);
    }

    /// A layer's part of what there is one of for each parameter: weights `(n_in, n_out)`, as NumPy code mostly has them, and biases
    /// `(n_out)`. None of memory that the optimizer does not have.
    ///
    /// # Panics
    /// When there is no such layer.
    pub fn layer(&self, of: PerParameter, l: usize) -> Option<(Cow<'_, [T]>, &[T])> {
        let flat: &[T] = match of {
            PerParameter::Value => &self.network.parameters,
            PerParameter::Gradient => &self.gradient,
            PerParameter::Memory(i) => &self.memory[i],
        };
        let layer = &self.network.layers()[l];
        (!flat.is_empty()).then(|| (self.network.layout_of(l).turned(layer, flat), &flat[layer.bias.clone()]))
    }

    /// Replaces what [`Trainer::layer`] gives.
    ///
    /// # Panics
    /// When there is no such layer or no such memory, or the layer has other shapes.
    pub fn set_layer(&mut self, of: PerParameter, l: usize, weights: &[T], biases: &[T]) {
        self.known = None;
        let (layout, layer) = (self.network.layout_of(l), self.network.layers()[l].clone());
        let flat: &mut [T] = match of {
            PerParameter::Value => &mut self.network.parameters,
            PerParameter::Gradient => &mut self.gradient,
            PerParameter::Memory(i) => &mut self.memory[i],
        };
        layout.put_turned(&layer, weights, flat);
        flat[layer.bias].copy_from_slice(biases);
    }

    /// Goes on as if so many steps had been done.
    pub fn set_steps(&mut self, steps: u64) {
        self.step = steps;
    }

    /// How often L-BFGS computed loss and gradient so far, and how many steps of it led somewhere.
    pub fn evaluations(&self) -> (u64, u64) {
        (self.evaluations, self.lbfgs.as_ref().map_or(0, |lbfgs| lbfgs.iterations))
    }

    /// Where the order of the rows comes from, if from a Mersenne Twister.
    pub fn twister(&self) -> Option<&MersenneTwister> {
        self.batches.twister()
    }

    /// All that steps change, out of a trainer or back into a new one.
    pub(crate) fn carry(&mut self, carrier: &mut Carrier<T>) -> Result<(), Error> {
        let place = Place::of(&self.network);
        // A run of which all steps are done has nothing to go on with.
        carrier.integer(STEP, &mut self.step, self.training.total_steps - 1)?;
        carrier.parameters("parameters", &place, &mut self.network.parameters)?;
        carrier.vector("statistics", &mut self.network.statistics)?;
        for (memory, i) in self.memory.iter_mut().zip(0..self.training.optimizer.memory()) {
            carrier.parameters(&format!("memory.{i}"), &place, memory)?;
        }
        let mut means = vec![("mean", &mut self.mean)];
        if let Some(good) = &mut self.last_good {
            carrier.integer("last_good.step", &mut good.iteration, self.step)?;
            carrier.parameters("last_good.parameters", &place, &mut good.network.parameters)?;
            carrier.vector("last_good.statistics", &mut good.network.statistics)?;
            means.push(("last_good.mean", &mut good.mean));
        }
        for (name, mean) in means {
            if let Some(mean) = mean {
                carrier.parameters(name, &place, &mut mean.parameters)?;
                carrier.vector(&format!("{name}.statistics"), &mut mean.statistics)?;
            }
        }
        if matches!(self.training.schedule.course, Course::Adaptive { .. }) {
            let most_rows = self.data.n_samples() + self.batches.largest();
            self.plateau.carry(carrier, self.step, most_rows as u64)?;
        }
        if let Some(lbfgs) = &mut self.lbfgs {
            lbfgs.carry(carrier, &place, self.gradient.len())?;
        }
        if carrier.puts_back() {
            self.batches.skip(self.step);
        }
        Ok(())
    }
}
