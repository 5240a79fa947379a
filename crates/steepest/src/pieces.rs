//! The flat vectors in pieces: parameters with what lies in the same places of the gradient, the optimizer's memory and the mean.

use std::sync::Mutex;

use steepest_kernels::{self as kernels, Float, Pool};

use crate::locks::lock;
use crate::network::Layer;

/// Some parameters, and all that belongs to them.
#[derive(Default)]
pub(crate) struct Piece<'a, T> {
    /// Where among all parameters it begins.
    pub first: usize,
    /// Whether these are weights, to which penalties and weight decay apply.
    pub are_weights: bool,
    pub gradient: &'a mut [T],
    pub parameters: &'a mut [T],
    /// Empty where an optimizer remembers less.
    pub memory: [&'a mut [T]; 2],
    /// Empty where no mean is kept.
    pub mean: &'a mut [T],
    /// The sum of the squared weights that the penalty is of, where there is one.
    pub squares: f64,
}

impl<'a, T: Float> Piece<'a, T> {
    /// Cuts off the first `n`.
    pub fn cut(&mut self, n: usize, are_weights: bool) -> Self {
        let cut = |all: &mut &'a mut [T]| all.split_off_mut(..n).unwrap_or_default();
        let Self { first, gradient, parameters, memory: [one, two], mean, .. } = self;
        let memory = [cut(one), cut(two)];
        let (gradient, parameters, mean) = (cut(gradient), cut(parameters), cut(mean));
        *first += n;
        Self { first: *first - n, are_weights, gradient, parameters, memory, mean, squares: 0.0 }
    }

    /// If these are weights, adds the gradient `l2 w` of the penalty `l2 / 2 w^2`.
    pub fn add_l2(&mut self, l2: f64) {
        if self.are_weights && l2 > 0.0 {
            kernels::axpy(T::from_f64(l2), self.parameters, self.gradient);
            self.squares = kernels::dot(self.parameters, self.parameters);
        }
    }
}

/// Everything in pieces, weights and the others apart.
pub(crate) struct Pieces<'a, T>(Vec<Mutex<Piece<'a, T>>>);

/// Parameters of a piece, at most.
const PIECE: usize = 16 * 1024;

impl<'a, T: Float> Pieces<'a, T> {
    /// Cuts `all` of a network of these layers.
    pub fn new(layers: &[Layer], mut all: Piece<'a, T>) -> Self {
        let ranges = layers.iter().flat_map(|layer| [(layer.weight.clone(), true), (layer.vectors(), false)]);
        let mut pieces = Vec::with_capacity(2 * layers.len());
        for (range, are_weights) in ranges {
            for first in range.clone().step_by(PIECE) {
                pieces.push(Mutex::new(all.cut(PIECE.min(range.end - first), are_weights)));
            }
        }
        Self(pieces)
    }

    /// Calls `f` with each.
    pub fn for_each(&self, pool: &mut Pool, f: impl Fn(&mut Piece<T>) + Sync) {
        let n: usize = self.0.iter().map(|piece| lock(piece).parameters.len()).sum();
        if n <= PIECE {
            // Not worth waking anybody for.
            self.0.iter().for_each(|piece| f(&mut lock(piece)));
        } else {
            pool.run(self.0.len(), &|i, _| f(&mut lock(&self.0[i])));
        }
    }

    /// The sum of the squared weights that a penalty is of.
    pub fn squares(self) -> f64 {
        self.0.into_iter().map(|piece| lock(&piece).squares).sum()
    }
}
