//! The command line as typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::cadence::Cadence;

/// Train dense neural networks from scratch, and use them anywhere.
#[derive(Parser)]
#[command(name = "steepest", version, propagate_version = true, after_help = "Start with: steepest train")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Train a network by a recipe
    #[command(after_help = "Examples:
  steepest train                                          learn to read generated digits
  steepest train idx-sigmoid --data data/mnist            a notebook, on its own files
  steepest train idx-sigmoid --data data/mnist --textbook the same without its mistakes
  steepest train people.csv --target income               a table with numbers and text
  steepest train train.csv --hidden 128,64 --epochs 20
  steepest train my.toml --set training.l2=0.0001
  steepest train --resume runs/digits-1                   go on after an interruption")]
    Train(TrainArgs),
    /// Run a recipe as written, as the textbook has it, and with each quirk alone
    #[command(after_help = "Example:
  steepest compare idx-sigmoid --data data/mnist --seeds 3")]
    Compare(CompareArgs),
    /// Write every quantity of one training step to an NPZ file
    #[command(after_help = "Example:
  steepest trace keras-npz-relu --step 0 --out step.npz")]
    Trace(TraceArgs),
    /// Measure a model on data with labels
    #[command(after_help = "Example:
  steepest evaluate runs/digits-1/model.safetensors --data mnist/test")]
    Evaluate(EvaluateArgs),
    /// Predict rows of CSV, NPZ, IDX or Parquet files, or PNG images
    #[command(after_help = "Examples:
  steepest predict runs/digits-1 photo.png                of any size, brought to MNIST's frame
  steepest predict model.safetensors test.csv --kaggle > submission.csv
  steepest predict model.safetensors digits/test --rows ..5 --json")]
    Predict(PredictArgs),
    /// Show what a model file holds
    Inspect(InspectArgs),
    /// List the built-in recipes, or print one
    Recipes(RecipesArgs),
    /// Look at data sets, or download them
    Data(DataArgs),
    /// Print shell completions
    #[command(after_help = "Example:
  steepest completions bash > ~/.local/share/bash-completion/completions/steepest")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Which recipe, on which data, with which changes.
#[derive(Args, Default, PartialEq)]
pub struct RecipeArgs {
    /// A recipe: a built-in one's name (see `steepest recipes`) or a .toml file. Or data, learnt from by the recipe `table` or
    /// `images`
    #[arg(default_value = Self::DEFAULT, value_name = "RECIPE OR DATA")]
    pub recipe: String,
    /// The recipe itself, where a program gives it.
    #[arg(skip)]
    pub text: Option<String>,
    /// Data set to learn from: a path or a known name, such as mnist, mnist.npz/train, train.csv, digits:7
    #[arg(long, value_name = "DATA")]
    pub data: Option<String>,
    /// Data set to test on at the end
    #[arg(long, value_name = "DATA")]
    pub test_data: Option<String>,
    /// Data set to validate on, instead of held-out rows
    #[arg(long, value_name = "DATA")]
    pub val_data: Option<String>,
    /// Rows to use, such as ..10000 or 1000..42000
    #[arg(long, value_name = "RANGE")]
    pub rows: Option<String>,
    #[command(flatten)]
    pub read: ReadArgs,
    /// What to learn from a table's target: classification or regression [default: what it looks like]
    #[arg(long)]
    pub task: Option<String>,
    /// What to do about values missing from a table: refuse, or mean (in text what is most frequent)
    #[arg(long, value_name = "WHAT")]
    pub missing: Option<String>,
    /// Leave out a column of a table, as often as needed
    #[arg(long, value_name = "COLUMN")]
    pub drop: Vec<String>,
    /// The column of a table that says how much each row counts
    #[arg(long, value_name = "COLUMN")]
    pub sample_weight: Option<String>,
    /// Units of the hidden layers, such as 128,64 (none: no hidden layer)
    #[arg(long, value_name = "UNITS")]
    pub hidden: Option<String>,
    /// identity, relu, leaky-relu, sigmoid, tanh or gelu
    #[arg(long)]
    pub activation: Option<String>,
    /// sgd, momentum, nesterov, adam, adamw, rmsprop or lbfgs
    #[arg(long)]
    pub optimizer: Option<String>,
    /// Learning rate
    #[arg(long, value_name = "RATE")]
    pub lr: Option<String>,
    /// Rows of a step, or full
    #[arg(long, value_name = "ROWS")]
    pub batch_size: Option<String>,
    /// Passes over the data
    #[arg(long, conflicts_with = "iterations")]
    pub epochs: Option<u64>,
    /// Steps
    #[arg(long)]
    pub iterations: Option<u64>,
    /// Rows held out for validation: a number, or a part such as 0.1
    #[arg(long, value_name = "ROWS")]
    pub val_split: Option<String>,
    /// Stop after so many validations without improvement, and restore the best weights
    #[arg(long, value_name = "N")]
    pub patience: Option<u64>,
    /// Where all random numbers come from
    #[arg(long)]
    pub seed: Option<u64>,
    /// f32 or f64
    #[arg(long)]
    pub precision: Option<String>,
    /// Leave out the recipe's quirks
    #[arg(long)]
    pub textbook: bool,
    /// Set any key of the recipe, such as training.l2=0.0001
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Threads; the result does not depend on it [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

impl RecipeArgs {
    /// The recipe where none is named.
    pub const DEFAULT: &str = "digits";
}

/// Whether known data sets may be downloaded.
#[derive(Args, Clone, Copy, Default, PartialEq)]
pub struct NetworkArgs {
    /// Download nothing (nor with STEEPEST_OFFLINE=1 in the environment)
    #[arg(long)]
    pub offline: bool,
}

/// How to understand a data set that does not speak for itself.
#[derive(Args, Clone, Default, PartialEq)]
pub struct ReadArgs {
    /// Column of a table with the labels or targets: its name, or its number, from 1
    #[arg(long, value_name = "COLUMN")]
    pub target: Option<String>,
    /// Which arrays of an NPZ file are what, such as X=images,y=labels
    #[arg(long, value_name = "NAMES")]
    pub arrays: Option<String>,
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// What a run may start from, besides its recipe.
#[derive(Args, Default, PartialEq)]
pub struct StartArgs {
    /// Start from the weights of a safetensors file
    #[arg(long, value_name = "FILE")]
    pub init_from: Option<PathBuf>,
    /// Take the mini-batches from a .npy file: row numbers, one line a step
    #[arg(long, value_name = "FILE")]
    pub batches: Option<PathBuf>,
}

#[derive(Args)]
pub struct TrainArgs {
    #[command(flatten)]
    pub recipe: RecipeArgs,
    #[command(flatten)]
    pub start: StartArgs,
    /// Folder of the run [default: runs/RECIPE-N]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Go on with an interrupted run, to the same result
    #[arg(long, value_name = "RUN")]
    pub resume: Option<PathBuf>,
    /// How often to write a checkpoint: 100steps, 2epochs, 5min, never
    #[arg(long, value_name = "EVERY", default_value = "5min")]
    pub checkpoint_every: Cadence,
    /// How many checkpoints to keep, besides the best
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::value_parser!(u64).range(1..))]
    pub keep_checkpoints: u64,
    /// Say nothing but errors
    #[arg(long, short)]
    pub quiet: bool,
    /// Print one JSON object on stdout, and everything else on stderr
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct CompareArgs {
    #[command(flatten)]
    pub recipe: RecipeArgs,
    /// Runs of each variant, with seeds from --seed on
    #[arg(long, default_value_t = 1)]
    pub seeds: u64,
    /// Print the table as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct TraceArgs {
    #[command(flatten)]
    pub recipe: RecipeArgs,
    #[command(flatten)]
    pub start: StartArgs,
    /// Which step, from 0
    #[arg(long, default_value_t = 0)]
    pub step: u64,
    /// File to write
    #[arg(long, default_value = "step.npz", value_name = "FILE")]
    pub out: PathBuf,
}

/// What evaluating and predicting share.
#[derive(Args)]
pub struct RunArgs {
    /// Rows to use, such as ..10000 or 1000..42000
    #[arg(long, value_name = "RANGE")]
    pub rows: Option<String>,
    #[command(flatten)]
    pub read: ReadArgs,
    /// Threads; the result does not depend on it [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

#[derive(Args)]
pub struct EvaluateArgs {
    /// Model file, or the run folder it is in
    pub model: PathBuf,
    /// Data set with labels; of one with parts the test part
    #[arg(long, value_name = "DATA")]
    pub data: String,
    #[command(flatten)]
    pub run: RunArgs,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
#[command(group = clap::ArgGroup::new("format").multiple(false))]
pub struct PredictArgs {
    /// Model file, or the run folder it is in
    pub model: PathBuf,
    /// Files or data sets to predict; labels in them are ignored. A PNG image of any size is one row: made light on
    /// dark, scaled and centred as MNIST's digits are
    #[arg(required = true, value_name = "FILES")]
    pub files: Vec<String>,
    #[command(flatten)]
    pub run: RunArgs,
    /// For a model whose predictions depend on the other rows: take all rows as one batch
    #[arg(long)]
    pub as_one_batch: bool,
    /// Write to a file, whole or not at all, in place of stdout
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Take the pixels of PNG images as they are: they must have the model's size
    #[arg(long)]
    pub as_is: bool,
    /// Print one JSON object
    #[arg(long, group = "format")]
    pub json: bool,
    /// Print CSV: row, prediction, probabilities
    #[arg(long, group = "format")]
    pub csv: bool,
    /// Print Kaggle's ImageId,Label
    #[arg(long, group = "format")]
    pub kaggle: bool,
}

#[derive(Args)]
pub struct InspectArgs {
    /// Model file, or the run folder it is in
    pub model: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct RecipesArgs {
    /// Recipe to print
    pub name: Option<String>,
}

#[derive(Args)]
pub struct DataArgs {
    #[command(subcommand)]
    pub command: DataCommand,
}

#[derive(Subcommand)]
pub enum DataCommand {
    /// Show a data set's shape, classes and value range
    #[command(after_help = "Example:
  steepest data info digits/train")]
    Info {
        /// A path or a known name, such as mnist, mnist.npz/train, train.csv, digits:7
        data: String,
        /// Rows to use, such as ..10000 or 1000..42000
        #[arg(long, value_name = "RANGE")]
        rows: Option<String>,
        #[command(flatten)]
        read: ReadArgs,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Write a data set in another form
    #[command(after_help = "Examples:
  steepest data convert train.csv train.npz
  steepest data convert mnist.npz mnist-idx               a folder of IDX files
  steepest data convert mnist/test --rows ..1000 test.csv
  steepest data convert digits:3/test --rows ..100 digits --to png")]
    Convert(ConvertArgs),
    /// Download a known data set, or check the one that is there
    #[command(after_help = "Example:
  steepest data fetch mnist")]
    Fetch {
        /// mnist or fashion-mnist
        name: String,
        #[command(flatten)]
        network: NetworkArgs,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
pub struct ConvertArgs {
    /// What to read: a path or a known name
    #[arg(value_name = "DATA")]
    pub from: String,
    /// What to write; it must not be there yet
    #[arg(value_name = "FILE OR FOLDER")]
    pub to: PathBuf,
    /// idx, npz, npy, csv or png [default: what the name of the file says; a folder is of IDX files]
    #[arg(long = "to", value_name = "FORM")]
    pub form: Option<String>,
    /// Rows to use, such as ..10000 or 1000..42000
    #[arg(long, value_name = "RANGE")]
    pub rows: Option<String>,
    #[command(flatten)]
    pub read: ReadArgs,
    /// Keep decimals of tables in double precision
    #[arg(long)]
    pub double: bool,
}
