//! Dense neural networks, trained from scratch: forward pass, backpropagation and gradient descent by hand.
//!
//! A [`Recipe`] (what a person writes) and a [`Dataset`] make a [`Plan`] (checked, complete); a [`Trainer`] executes
//! it step by step; a [`Model`] is what comes out. Nothing here touches files, clocks or the terminal.

mod activation;
mod augment;
mod batch_norm;
mod batches;
mod dataset;
mod dropout;
mod error;
mod gather;
mod head;
mod held;
mod init;
mod layout;
mod leak;
mod locks;
mod metrics;
mod model;
mod network;
mod noise;
mod optimizer;
mod parts;
mod pass;
mod plan;
mod predict;
mod predictor;
mod recipe;
mod recipe_values;
mod rng;
mod schedule;
mod session;
mod shard;
mod split;
mod trace;
mod trainer;

pub use activation::Activation;
pub use augment::{Augment, AugmentScratch, Augmenter};
pub use batches::{Batches, Rows, Sampling};
pub use dataset::{Dataset, DatasetError, DrawRow, Inputs, Targets};
pub use error::Error;
pub use head::{Axis, Coupling, DeltaRule, Head, HeadQuirks, Output, Score, Shift, TargetRows};
pub use init::Init;
pub use leak::SeenRows;
pub use metrics::{ClassScore, ConfusionMatrix, RegressionScore};
pub use model::{AnyModel, Model, Predictions};
pub use network::{Layer, Network, NetworkSpec};
pub use optimizer::{Optimizer, OptimizerKind};
pub use plan::Plan;
pub use predict::{Evaluation, evaluate, logits};
pub use predictor::Predictor;
pub use recipe::{DataRecipe, NetworkRecipe, Override, Quirks, Recipe, TrainingRecipe, parse_value};
pub use recipe_values::{BatchSize, BiasGradient, Precision, ValSplit};
pub use rng::Purpose;
pub use schedule::{Schedule, ScheduleKind};
pub use session::{Progress, Report, Session, Start, Stop};
pub use split::{Split, SplitShuffle, split};
pub use steepest_kernels::{Float, InstructionSet, Pool, instruction_set};
pub use trace::Trace;
pub use trainer::{Step, Trainer, Training};
