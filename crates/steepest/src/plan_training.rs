//! The part of a plan that says what each step does.

use steepest_kernels::Products;

use crate::augment::Augmenter;
use crate::batches::Batches;
use crate::error::Error;
use crate::head::Head;
use crate::head_quirks::{Axis, DeltaRule};
use crate::optimizer::{Optimizer, OptimizerKind};
use crate::plan::check;
use crate::recipe::Recipe;
use crate::recipe_training::TrainingRecipe;
use crate::recipe_values::{BatchSize, BiasGradient, Precision, ProductsKind};
use crate::schedule::{Course, Schedule, ScheduleKind, Warmup};
use crate::training::Training;

/// Epochs when neither epochs nor iterations are given.
const DEFAULT_EPOCHS: u64 = 10;
/// The part of its steps in which `one-cycle` rises: PyTorch's `pct_start`.
const ONE_CYCLE_WARMUP: f64 = 0.3;

/// Checks `[training]`, fills in its defaults, and makes of it what each step does.
pub(crate) fn training(
    recipe: &mut Recipe,
    head: Head,
    n_train: usize,
    augmenter: Option<Augmenter>,
) -> Result<Training, Error> {
    let precision = recipe.precision;
    let r = &mut recipe.training;
    check(r.epochs.is_none() || r.iterations.is_none(), || {
        "training.epochs and training.iterations exclude each other: give one".into()
    })?;
    check(r.epochs != Some(0) && r.iterations != Some(0), || "training needs at least one step".into())?;
    check(r.report_every != Some(0) && r.validate_every != Some(0), || {
        "training.report_every and training.validate_every count iterations: expected 1 or more".into()
    })?;
    check(r.patience != Some(0), || {
        "training.patience is 0: expected 1 or more validations, or leave it out to train to the end".into()
    })?;
    if r.epochs.is_none() && r.iterations.is_none() {
        r.epochs = Some(DEFAULT_EPOCHS);
    }
    let momentum = *r.momentum.get_or_insert(if r.optimizer == OptimizerKind::Rmsprop { 0.0 } else { 0.9 });
    for (key, value, lowest, highest) in [
        ("lr", r.lr, 0.0, f64::MAX),
        ("momentum", momentum, 0.0, 1.0),
        ("beta1", r.beta1, 0.0, 1.0),
        ("beta2", r.beta2, 0.0, 1.0),
        ("epsilon", r.epsilon, 0.0, f64::MAX),
        ("alpha", r.alpha, 0.0, 1.0),
        ("weight_decay", r.weight_decay, 0.0, f64::MAX),
        ("l2", r.l2, 0.0, f64::MAX),
        ("warmup_epochs", r.warmup_epochs, 0.0, f64::MAX),
        ("decay", r.decay, 0.0, f64::MAX),
        ("end", r.end, 0.0, f64::MAX),
        ("power_t", r.power_t, 0.0, f64::MAX),
        ("tol", r.tol, 0.0, f64::MAX),
    ] {
        // scikit-learn's momentum may be 1.
        let may_be_one = key == "momentum";
        let at_most = match (highest == 1.0, may_be_one) {
            (true, false) => " and below 1",
            (true, true) => " to 1",
            (false, _) => "",
        };
        let fits = value >= lowest && value <= highest && (highest != 1.0 || may_be_one || value < 1.0);
        check(fits, || format!("training.{key} is {value}: expected a number from {lowest} on{at_most}"))?;
    }
    if let Some(norm) = r.clip_norm {
        check(norm > 0.0, || {
            format!("training.clip_norm is {norm}: expected a number above 0, such as 1.0")
        })?;
    }
    if let Some(ema) = r.ema {
        check(ema > 0.0 && ema < 1.0, || {
            format!("training.ema is {ema}: expected a number above 0 and below 1, such as 0.999")
        })?;
    }
    check(r.products == ProductsKind::F32 || precision == Precision::F32, || {
        "training.products = \"bf16\" rounds numbers of single precision, but precision is \"f64\": leave one of them out"
            .into()
    })?;
    check(r.lr > 0.0, || "training.lr is 0: nothing would be learnt".into())?;
    let optimizer = match r.optimizer {
        OptimizerKind::Sgd => Optimizer::Sgd { momentum: 0.0, nesterov: false },
        OptimizerKind::Momentum => Optimizer::Sgd { momentum, nesterov: false },
        OptimizerKind::Nesterov => Optimizer::Sgd { momentum, nesterov: true },
        OptimizerKind::Rmsprop => Optimizer::Rmsprop { alpha: r.alpha, epsilon: r.epsilon, momentum },
        OptimizerKind::Lbfgs => Optimizer::Lbfgs { tol: r.tol },
        kind => Optimizer::Adam {
            beta1: r.beta1,
            beta2: r.beta2,
            epsilon: r.epsilon,
            weight_decay: if kind == OptimizerKind::Adamw { r.weight_decay } else { 0.0 },
        },
    };
    let schedule = schedule(r, n_train)?;
    check_lbfgs(recipe)?;
    let r = &recipe.training;
    let (epochs, iterations, l2, ema, clip_norm) = (r.epochs, r.iterations, r.l2, r.ema, r.clip_norm);
    let steps_per_epoch = batches(recipe, n_train).steps_per_epoch();
    let total = iterations.or_else(|| epochs.and_then(|epochs| epochs.checked_mul(steps_per_epoch)));
    Ok(Training {
        head,
        optimizer,
        schedule,
        l2,
        ema,
        clip_norm,
        sum_bias_gradient: recipe.quirks.bias_gradient == Some(BiasGradient::Summed),
        ignores_divergence: false,
        total_steps: total.ok_or_else(|| Error::Plan("training.epochs is too large".into()))?,
        divide_by: recipe.data.divide_by.unwrap_or(1.0),
        augmenter,
        noise: recipe.data.noise,
        dropout: recipe.network.dropout,
        seed: recipe.seed,
        products: match recipe.training.products {
            ProductsKind::F32 => Products::Exact,
            ProductsKind::Bf16 => Products::Bf16,
        },
    })
}

/// L-BFGS compares the gradients of one function from step to step, and finds out itself how far to go.
fn check_lbfgs(recipe: &Recipe) -> Result<(), Error> {
    let Recipe { data, network, training, augment, quirks, .. } = recipe;
    if training.optimizer != OptimizerKind::Lbfgs {
        return Ok(());
    }
    check(training.batch_size == BatchSize::Full, || {
        "training.optimizer = \"lbfgs\" needs all rows in each step: set training.batch_size = \"full\" \
         (--batch-size full), and some 200 epochs"
            .into()
    })?;
    for (key, is_set) in [
        ("augment", !augment.is_off()),
        ("data.noise", data.noise > 0.0),
        ("network.dropout", network.dropout > 0.0),
        ("network.batch_norm", network.batch_norm),
        ("training.clip_norm", training.clip_norm.is_some()),
        ("training.ema", training.ema.is_some()),
        ("training.schedule", training.schedule != ScheduleKind::Constant),
        ("training.warmup", training.warmup.is_some_and(|part| part > 0.0)),
        ("training.warmup_epochs", training.warmup_epochs > 0.0),
        ("quirks.delta_scale", quirks.delta_scale.is_some_and(|scale| scale != 1.0)),
        ("quirks.softmax_axis", quirks.softmax_axis.unwrap_or_default() != Axis::default()),
        ("quirks.delta_rule", quirks.delta_rule.unwrap_or_default() != DeltaRule::default()),
        ("quirks.bias_gradient", quirks.bias_gradient == Some(BiasGradient::Summed)),
    ] {
        check(!is_set, || {
            format!(
                "{key} does not go with training.optimizer = \"lbfgs\", which needs the true gradient of the same loss in \
                 each step and chooses the step's length: leave one of them out"
            )
        })?;
    }
    Ok(())
}

/// Checks what is said of the learning rate's course, and makes it.
fn schedule(r: &mut TrainingRecipe, n_train: usize) -> Result<Schedule, Error> {
    for (key, value) in [
        ("decay_epochs", r.decay_epochs),
        ("div_factor", r.div_factor),
        ("final_div_factor", r.final_div_factor),
    ] {
        check(value > 0.0 && value.is_finite(), || {
            format!("training.{key} is {value}: expected more than 0")
        })?;
    }
    check(r.lr_patience > 0, || "training.lr_patience is 0: expected 1 or more epochs".into())?;
    if r.schedule == ScheduleKind::OneCycle && r.warmup_epochs == 0.0 {
        r.warmup.get_or_insert(ONE_CYCLE_WARMUP);
    }
    let warmup = match r.warmup {
        None => Warmup::Epochs(r.warmup_epochs),
        Some(part) => {
            check((0.0..=1.0).contains(&part), || {
                format!("training.warmup is {part}: expected a part of all steps, from 0 to 1, such as 0.1")
            })?;
            check(r.warmup_epochs == 0.0, || {
                "training.warmup and training.warmup_epochs exclude each other: give one".into()
            })?;
            Warmup::Part(part)
        }
    };
    let course = match r.schedule {
        ScheduleKind::Constant => Course::Constant,
        ScheduleKind::Step => Course::Step { decay: r.decay, epochs: r.decay_epochs },
        ScheduleKind::Exponential => Course::Exponential { decay: r.decay },
        ScheduleKind::Cosine => Course::Cosine { end: r.end },
        ScheduleKind::OneCycle => {
            Course::OneCycle { div_factor: r.div_factor, final_div_factor: r.final_div_factor }
        }
        ScheduleKind::InvScaling => Course::InvScaling { power: r.power_t, rows: n_train as u64 },
        ScheduleKind::Adaptive => Course::Adaptive { tol: r.tol, epochs: r.lr_patience },
    };
    Ok(Schedule { course, rate: r.lr, warmup })
}

/// Batches as `[training]` asks for them.
pub(crate) fn batches(recipe: &Recipe, n_train: usize) -> Batches {
    let size = match recipe.training.batch_size {
        BatchSize::Full => None,
        BatchSize::Rows(n) => Some(n),
    };
    Batches::new(n_train, size, recipe.training.sampling, recipe.seed)
}
