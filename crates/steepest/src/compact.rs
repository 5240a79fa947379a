//! A look at all inputs before training: whether they are finite, or even bytes in disguise, such as pixels from 0 to 255 or from
//! 0 to 1, counts, zeros and ones.
//!
//! As bytes inputs take an eighth of the memory, so that an epoch is no longer spent on waiting for it, and go through the network
//! as bytes do.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use steepest_kernels::{self as kernels, Float, Pool};

use crate::dataset::{Dataset, Inputs};
use crate::locks::lock;

/// What bytes may have been divided by.
const SCALES: [f64; 2] = [255.0, 1.0];

/// Numbers that are looked at first.
const SAMPLE: usize = 1 << 14;

/// Numbers that a task takes.
const TASK: usize = 1 << 18;

impl Dataset {
    /// The same data with their inputs as bytes, and what these are to be divided by; none where an input is no byte divided by
    /// 255 or 1, to the last rounding.
    pub fn as_bytes(&self, pool: &mut Pool) -> Option<(Self, f64)> {
        let (bytes, scale) = match self.inputs() {
            Inputs::F32(x) => bytes(x, pool),
            Inputs::F64(x) => bytes(x, pool),
            Inputs::Bytes(_) | Inputs::Drawn { .. } | Inputs::Sparse(_) => None,
        }?;
        Some((self.with_inputs(Inputs::Bytes(bytes.into())), scale))
    }
}

impl Dataset {
    /// Whether no input is infinite or NaN.
    pub fn is_finite(&self, pool: &mut Pool) -> bool {
        match self.inputs() {
            Inputs::F32(x) => are_finite(x, pool),
            Inputs::F64(x) => are_finite(x, pool),
            Inputs::Sparse(rows) => rows.not_finite().is_none(),
            Inputs::Bytes(_) | Inputs::Drawn { .. } => true,
        }
    }
}

fn are_finite<T: Float>(x: &[T], pool: &mut Pool) -> bool {
    let are_finite = AtomicBool::new(true);
    let tasks: Vec<_> = x.chunks(TASK).collect();
    pool.run(tasks.len(), &|task, _| {
        if !kernels::all_finite(tasks[task]) {
            are_finite.store(false, Relaxed);
        }
    });
    are_finite.into_inner()
}

fn bytes<T: Float>(x: &[T], pool: &mut Pool) -> Option<(Vec<u8>, f64)> {
    // From all over, since the first rows may be blank.
    let step = (x.len() / SAMPLE).max(1);
    let sample: Vec<T> = x.iter().copied().step_by(step).collect();
    let mut out = vec![0; sample.len()];
    let is_one_of = |scale: &f64| kernels::to_bytes(&sample, T::from_f64(*scale), &mut out);
    let scale = SCALES.into_iter().find(is_one_of)?;
    let mut all = vec![0; x.len()];
    let are_bytes = AtomicBool::new(true);
    let tasks: Vec<_> = x.chunks(TASK).zip(all.chunks_mut(TASK).map(Mutex::new)).collect();
    pool.run(tasks.len(), &|task, _| {
        let (x, out) = &tasks[task];
        if are_bytes.load(Relaxed) && !kernels::to_bytes(x, T::from_f64(scale), &mut lock(out)) {
            are_bytes.store(false, Relaxed);
        }
    });
    are_bytes.into_inner().then_some((all, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_and_counts_are_bytes_and_others_are_not() {
        let numbers = |f: &dyn Fn(u32) -> f64| (0..600).map(|i| f(i % 256)).collect::<Vec<_>>();
        let as_bytes = |x: Vec<f64>| {
            let single = Inputs::F32(x.iter().map(|&x| x as f32).collect());
            let double = Inputs::F64(x.into());
            [single, double].map(|inputs| {
                let (bytes, scale) = Dataset::new(inputs, 3, None).unwrap().as_bytes(&mut Pool::new(2))?;
                let Inputs::Bytes(bytes) = bytes.inputs() else { panic!("no bytes") };
                Some((bytes.to_vec(), scale))
            })
        };
        let all: Vec<u8> = (0..600).map(|i| (i % 256) as u8).collect();
        for (f, scale) in [
            (&(|k| f64::from(k) / 255.0) as &dyn Fn(u32) -> f64, 255.0),
            (&|k| f64::from(k) * (1.0 / 255.0), 255.0),
            (&|k| f64::from(k), 1.0),
        ] {
            let of_double = as_bytes(numbers(f)).into_iter().nth(1).flatten();
            assert_eq!(of_double, Some((all.clone(), scale)));
        }
        for odd in [f64::NAN, f64::INFINITY, -1.0, 256.0, 0.5, 1e-9, 255.000001] {
            let mut x = numbers(&|k| f64::from(k));
            x[599] = odd;
            assert_eq!(as_bytes(x).into_iter().nth(1), Some(None), "{odd}");
        }
        assert!(as_bytes(numbers(&|k| f64::from(k))).into_iter().flatten().all(|(bytes, _)| bytes == all));
    }
}
