//! What most programs use, compiled here for both precisions.
//!
//! A build without optimisation shares such code with the crates that use this one, so that each of the many test programs need
//! not compile it again: they then take a third of the time. It is never called.

use std::hint::black_box;

use steepest_kernels::{Float, Pool};

use crate::{Dataset, Model, Predictor, Session, Trainer};

/// In both precisions.
#[doc(hidden)]
pub fn instances() {
    of::<f32>();
    of::<f64>();
}

fn of<T: Float>() {
    black_box((
        Session::<T>::new as fn(_, _, _, _, _) -> _,
        Session::<T>::advance as fn(&mut Session<T>) -> _,
        Session::<T>::trace as fn(&mut Session<T>) -> _,
        Session::<T>::state as fn(&mut Session<T>) -> _,
        Session::<T>::resume as fn(Session<T>, _) -> _,
        Session::<T>::evaluate as fn(&mut Session<T>, &Dataset) -> _,
        Trainer::<T>::gradients as fn(&mut Trainer<T>) -> _,
        Trainer::<T>::update as fn(&mut Trainer<T>),
        Model::<T>::predict as fn(&Model<T>, &Dataset, &mut Pool) -> _,
        Predictor::<T>::new as fn(&Model<T>) -> _,
    ));
}
