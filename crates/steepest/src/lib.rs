//! Dense neural networks, trained from scratch.

mod dataset;

pub use dataset::{Dataset, DatasetError, DrawRow, Inputs, Targets};
