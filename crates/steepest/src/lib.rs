//! Dense neural networks, trained from scratch: forward pass, backpropagation and gradient descent by hand.
//!
//! A [`Recipe`] (what a person writes) and a [`Dataset`] make a [`Plan`] (checked, complete); a [`Trainer`] executes
//! it step by step; a [`Model`] is what comes out. Nothing here touches files, clocks or the terminal.

mod activation;
mod augment;
mod batch_norm;
mod batches;
mod checkpoint;
mod class_weight;
mod clip;
mod columns;
mod compact;
mod dataset;
mod dates;
mod dialect;
mod dropout;
mod error;
mod gather;
mod head;
mod head_quirks;
mod held;
mod init;
#[cfg(debug_assertions)]
mod instances;
mod kinds;
mod layout;
mod lbfgs;
mod leak;
mod lent;
mod line_search;
mod locks;
mod loss;
mod mersenne;
mod mersenne_split;
mod metrics;
mod model;
mod network;
mod noise;
mod numbers;
mod optimizer;
mod parts;
mod pass;
mod pieces;
mod plan;
mod plan_training;
mod predict;
mod predictor;
mod recipe;
mod recipe_training;
mod recipe_values;
mod rng;
mod schedule;
mod score;
mod session;
mod shard;
mod sparse_rows;
mod split;
mod table;
mod table_plan;
mod trace;
mod trainer;
mod training;

pub use activation::Activation;
pub use augment::{Augment, AugmentScratch, Augmenter};
pub use batches::{Batches, Rows, Sampling};
pub use checkpoint::{State, Value};
pub use class_weight::ClassWeight;
pub use columns::{Column, Columns, Encoding, Scaling, TargetColumn};
pub use dataset::{Dataset, DatasetError, DrawRow, Inputs, Targets};
pub use dialect::Dialect;
pub use error::Error;
pub use head::{Coupling, Head, Output, TargetRows};
pub use head_quirks::{Axis, DeltaRule, HeadQuirks, Shift};
pub use init::Init;
#[cfg(debug_assertions)]
#[doc(hidden)]
pub use instances::instances;
pub use leak::SeenRows;
pub use lent::LentNetwork;
pub use loss::{Loss, LossKind};
pub use mersenne::MersenneTwister;
pub use metrics::{ClassScore, ConfusionMatrix, RegressionScore};
pub use model::{AnyModel, Model, Predictions};
pub use network::{Layer, Network, NetworkSpec};
pub use numbers::Numbers;
pub use optimizer::{Optimizer, OptimizerKind};
pub use plan::Plan;
pub use predict::{Evaluation, evaluate, logits};
pub use predictor::Predictor;
pub use recipe::{DataRecipe, NetworkRecipe, Override, Quirks, Recipe, parse_value};
pub use recipe_training::TrainingRecipe;
pub use recipe_values::{
    BatchSize, BiasGradient, ColumnKind, Missing, Precision, ProductsKind, Scale, Task, ValSplit,
};
pub use rng::Purpose;
pub use schedule::{Course, Schedule, ScheduleKind, Warmup};
pub use score::Score;
pub use session::{Progress, Report, Session, Start, Stop};
pub use sparse_rows::{SparseRows, SparseValues};
pub use split::{Split, SplitKind, SplitShuffle, split, stratified};
pub use steepest_kernels::{Float, InstructionSet, Pool, Products, all_finite, instruction_set};
pub use table::{Cells, Table, TableColumn, TableError};
pub use trace::Trace;
pub use trainer::{PerParameter, Step, Trainer};
pub use training::Training;
