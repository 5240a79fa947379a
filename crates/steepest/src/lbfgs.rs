//! L-BFGS: steps along the curvature that the last few gradients show, each as long as a line search finds good.
//!
//! Nocedal and Wright, Numerical Optimization (2006), algorithm 7.4; what starts, skips and stops it follows SciPy's L-BFGS-B,
//! as scikit-learn uses it.

use std::collections::VecDeque;

use steepest_kernels::{self as kernels, AlignedVec, Float, dot};

use crate::checkpoint::{Carrier, Place};
use crate::error::Error;
use crate::line_search::{Point, strong_wolfe};

/// Steps that are remembered (SciPy's `maxcor`).
const MEMORY: usize = 10;

/// A step that lowers the loss by no more than this part of it is the last (SciPy's `ftol`, 1e7 roundings in double precision).
const LEAST_GAIN: f64 = 2.22e-9;

/// What is minimised, at parameters that can be set.
pub(crate) trait Objective<T> {
    fn parameters(&mut self) -> &mut [T];
    /// The gradient as it was last evaluated.
    fn gradient(&self) -> &[T];
    /// Computes value and gradient at the parameters.
    fn evaluate(&mut self) -> f64;
}

/// The curvature of the way so far.
pub(crate) struct Lbfgs<T> {
    /// The last one first.
    steps: VecDeque<Bend<T>>,
    /// Steps that led somewhere.
    pub iterations: u64,
    /// No step lowers the loss any more.
    pub is_done: bool,
}

/// A step, and how the gradient changed along it.
struct Bend<T> {
    step: AlignedVec<T>,
    change: AlignedVec<T>,
    /// Their product, above 0.
    product: f64,
}

impl<T: Float> Lbfgs<T> {
    pub fn new() -> Self {
        Self { steps: VecDeque::new(), iterations: 0, is_done: false }
    }

    /// One step from where `objective` was just evaluated as `value`; its value at the end, where it is evaluated as well. Done
    /// when no component of the gradient is more than `tol`, when hardly anything is gained, or when nothing is.
    pub fn advance(&mut self, value: f64, tol: f64, objective: &mut impl Objective<T>) -> f64 {
        let start = AlignedVec::from(&*objective.parameters());
        let gradient = AlignedVec::from(objective.gradient());
        if gradient.iter().all(|g| g.to_f64().abs() <= tol) {
            self.is_done = true;
            return value;
        }
        loop {
            let (direction, slope) = self.direction(&gradient);
            let length = dot(&direction, &direction).sqrt();
            let first = if self.iterations == 0 { 1.0 / length } else { 1.0 };
            let mut last = f64::NAN;
            let go = |t: f64, objective: &mut dyn Objective<T>| {
                objective.parameters().copy_from_slice(&start);
                kernels::axpy(T::from_f64(t), &direction, objective.parameters());
                let value = objective.evaluate();
                Point { t, value, slope: dot(objective.gradient(), &direction) }
            };
            let found = strong_wolfe(Point { t: 0.0, value, slope }, first, |t| {
                last = t;
                go(t, objective)
            });
            if let Some(point) = found {
                if last != point.t {
                    go(point.t, objective);
                }
                self.learn(&start, &gradient, f64::EPSILON * -slope * point.t, objective);
                self.iterations += 1;
                let scale = value.abs().max(point.value.abs()).max(1.0);
                self.is_done = value - point.value <= LEAST_GAIN * scale;
                return point.value;
            }
            go(0.0, objective);
            if self.steps.is_empty() {
                self.is_done = true;
                return value;
            }
            // Perhaps what is remembered leads astray.
            self.steps.clear();
        }
    }

    /// Where to go, and the slope that way: downhill, even if all that is remembered must be forgotten.
    fn direction(&mut self, gradient: &[T]) -> (AlignedVec<T>, f64) {
        let direction = self.downhill(gradient);
        let slope = dot(&direction, gradient);
        if slope < 0.0 || self.steps.is_empty() {
            return (direction, slope);
        }
        self.steps.clear();
        self.direction(gradient)
    }

    /// Minus the inverse Hessian, as far as it is known, times the gradient.
    fn downhill(&self, gradient: &[T]) -> AlignedVec<T> {
        let mut q = AlignedVec::from(gradient);
        kernels::scale(-T::ONE, &mut q);
        let mut alphas = Vec::new();
        for Bend { step, change, product } in &self.steps {
            let alpha = dot(step, &q) / product;
            kernels::axpy(T::from_f64(-alpha), change, &mut q);
            alphas.push(alpha);
        }
        if let Some(Bend { change, product, .. }) = self.steps.front() {
            kernels::scale(T::from_f64(product / dot(change, change)), &mut q);
        }
        for (Bend { step, change, product }, alpha) in self.steps.iter().zip(alphas).rev() {
            let beta = dot(change, &q) / product;
            kernels::axpy(T::from_f64(alpha - beta), step, &mut q);
        }
        q
    }

    /// Remembers the step from `start` and `gradient` to where `objective` is, if it bends upwards by more than `least`.
    fn learn(&mut self, start: &[T], gradient: &[T], least: f64, objective: &mut impl Objective<T>) {
        let minus = |end: &[T], start: &[T]| {
            let mut difference = AlignedVec::from(end);
            kernels::axpy(-T::ONE, start, &mut difference);
            difference
        };
        let step = minus(objective.parameters(), start);
        let change = minus(objective.gradient(), gradient);
        let product = dot(&step, &change);
        if product > least {
            self.steps.truncate(MEMORY - 1);
            self.steps.push_front(Bend { step, change, product });
        }
    }

    /// Out of a run or back into one, as [`crate::trainer::Trainer::carry`].
    pub fn carry(&mut self, carrier: &mut Carrier<T>, place: &Place, n: usize) -> Result<(), Error> {
        let mut count = self.steps.len() as u64;
        carrier.integer("lbfgs.steps", &mut count, MEMORY as u64)?;
        carrier.integer("lbfgs.iterations", &mut self.iterations, u64::MAX)?;
        let zeros = || AlignedVec::zeros(n);
        let unknown = || Bend { step: zeros(), change: zeros(), product: 0.0 };
        self.steps.resize_with(count as usize, unknown);
        for (i, bend) in self.steps.iter_mut().enumerate() {
            carrier.parameters(&format!("lbfgs.{i}.step"), place, &mut bend.step)?;
            carrier.parameters(&format!("lbfgs.{i}.change"), place, &mut bend.change)?;
            bend.product = dot(&bend.step, &bend.change);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rosenbrock's valley in many dimensions: least, 0, at all ones.
    struct Valley {
        x: Vec<f64>,
        gradient: Vec<f64>,
        evaluations: usize,
    }

    impl Objective<f64> for Valley {
        fn parameters(&mut self) -> &mut [f64] {
            &mut self.x
        }

        fn gradient(&self) -> &[f64] {
            &self.gradient
        }

        fn evaluate(&mut self) -> f64 {
            self.evaluations += 1;
            let (x, g) = (&self.x, &mut self.gradient);
            g.fill(0.0);
            (0..x.len() - 1)
                .map(|i| {
                    let (a, b) = (x[i + 1] - x[i] * x[i], 1.0 - x[i]);
                    g[i] += -400.0 * a * x[i] - 2.0 * b;
                    g[i + 1] += 200.0 * a;
                    100.0 * a * a + b * b
                })
                .sum()
        }
    }

    #[test]
    fn finds_the_end_of_the_valley_about_as_fast_as_scipy() {
        // scipy.optimize.minimize(rosen, x0, jac=rosen_der, method="L-BFGS-B", options={"gtol": 1e-5}) takes evaluations:
        for (n, of_scipy) in [(2, 44), (10, 88), (50, 316)] {
            let x = (0..n).map(|i| if i % 2 == 0 { -1.2 } else { 1.0 }).collect();
            let mut valley = Valley { x, gradient: vec![0.0; n], evaluations: 0 };
            let (mut lbfgs, mut value) = (Lbfgs::new(), valley.evaluate());
            while !lbfgs.is_done {
                let next = lbfgs.advance(value, 1e-5, &mut valley);
                assert!(next <= value);
                value = next;
            }
            assert!(value < 1e-8 || n > 2, "{value}");
            assert!(
                valley.evaluations <= of_scipy + of_scipy / 10,
                "{n}: {} evaluations",
                valley.evaluations
            );
        }
    }
}
