//! What steps change: out of a trainer and back into one, and steered from outside.

use steepest_kernels::{AlignedVec, Float};

use super::Trainer;
use crate::checkpoint::{Carrier, Place, STEP};
use crate::error::Error;
use crate::layout::Layout;
use crate::mersenne::MersenneTwister;
use crate::schedule::{Course, Schedule};

impl<T: Float> Trainer<T> {
    /// From here on this learning rate, whatever the schedule was.
    pub fn set_rate(&mut self, rate: f64) {
        self.training.schedule = Schedule::constant(rate);
    }

    /// The optimizer's steps so far and its memory, laid out as the parameters; empty where it remembers less.
    pub fn optimizer_state(&self) -> (u64, [AlignedVec<T>; 2]) {
        let upright = |memory: &AlignedVec<T>| match memory.is_empty() {
            true => AlignedVec::zeros(0),
            false => self.network.upright(memory),
        };
        (self.step, self.memory.each_ref().map(upright))
    }

    /// Goes on from what [`Trainer::optimizer_state`] gave.
    ///
    /// # Panics
    /// When the optimizer remembers something of another size.
    pub fn set_optimizer_state(&mut self, steps: u64, memory: [&[T]; 2]) {
        self.step = steps;
        let (layout, first) = (self.network.layout().clone(), self.network.layers()[0].clone());
        for (own, memory) in self.memory.iter_mut().zip(memory).filter(|(own, _)| !own.is_empty()) {
            own.copy_from_slice(memory);
            Layout::Upright.rearrange(&layout, &first, own);
        }
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
