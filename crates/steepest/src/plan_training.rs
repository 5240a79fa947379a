//! The part of a plan that says what each step does.

use crate::augment::Augmenter;
use crate::batches::Batches;
use crate::error::Error;
use crate::head::Head;
use crate::optimizer::{Optimizer, OptimizerKind};
use crate::plan::check;
use crate::recipe::Recipe;
use crate::recipe_values::{BatchSize, BiasGradient};
use crate::schedule::Schedule;
use crate::trainer::Training;

/// Epochs when neither epochs nor iterations are given.
const DEFAULT_EPOCHS: u64 = 10;

/// Checks `[training]`, fills in its defaults, and makes of it what each step does.
pub(crate) fn training(
    recipe: &mut Recipe,
    head: Head,
    n_train: usize,
    augmenter: Option<Augmenter>,
) -> Result<Training, Error> {
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
    for (key, value, lowest, highest) in [
        ("lr", r.lr, 0.0, f64::MAX),
        ("momentum", r.momentum, 0.0, 1.0),
        ("beta1", r.beta1, 0.0, 1.0),
        ("beta2", r.beta2, 0.0, 1.0),
        ("epsilon", r.epsilon, 0.0, f64::MAX),
        ("weight_decay", r.weight_decay, 0.0, f64::MAX),
        ("l2", r.l2, 0.0, f64::MAX),
        ("warmup_epochs", r.warmup_epochs, 0.0, f64::MAX),
        ("decay", r.decay, 0.0, f64::MAX),
        ("end", r.end, 0.0, f64::MAX),
    ] {
        let at_most = if highest == 1.0 { " and below 1" } else { "" };
        let fits = value >= lowest && value <= highest && (highest != 1.0 || value < 1.0);
        check(fits, || format!("training.{key} is {value}: expected a number from {lowest} on{at_most}"))?;
    }
    if let Some(ema) = r.ema {
        check(ema > 0.0 && ema < 1.0, || {
            format!("training.ema is {ema}: expected a number above 0 and below 1, such as 0.999")
        })?;
    }
    check(r.lr > 0.0, || "training.lr is 0: nothing would be learnt".into())?;
    check(r.decay_epochs > 0.0, || {
        format!("training.decay_epochs is {}: expected more than 0", r.decay_epochs)
    })?;
    let optimizer = match r.optimizer {
        OptimizerKind::Sgd => Optimizer::Sgd { momentum: 0.0, nesterov: false },
        OptimizerKind::Momentum => Optimizer::Sgd { momentum: r.momentum, nesterov: false },
        OptimizerKind::Nesterov => Optimizer::Sgd { momentum: r.momentum, nesterov: true },
        kind => Optimizer::Adam {
            beta1: r.beta1,
            beta2: r.beta2,
            epsilon: r.epsilon,
            weight_decay: if kind == OptimizerKind::Adamw { r.weight_decay } else { 0.0 },
        },
    };
    let schedule = Schedule {
        kind: r.schedule,
        rate: r.lr,
        warmup_epochs: r.warmup_epochs,
        decay: r.decay,
        decay_epochs: r.decay_epochs,
        end: r.end,
    };
    let (epochs, iterations, l2, ema) = (r.epochs, r.iterations, r.l2, r.ema);
    let steps_per_epoch = batches(recipe, n_train).steps_per_epoch();
    let total = iterations.or_else(|| epochs.and_then(|epochs| epochs.checked_mul(steps_per_epoch)));
    Ok(Training {
        head,
        optimizer,
        schedule,
        l2,
        ema,
        sum_bias_gradient: recipe.quirks.bias_gradient == Some(BiasGradient::Summed),
        total_steps: total.ok_or_else(|| Error::Plan("training.epochs is too large".into()))?,
        divide_by: recipe.data.divide_by.unwrap_or(1.0),
        augmenter,
    })
}

/// Batches as `[training]` asks for them.
pub(crate) fn batches(recipe: &Recipe, n_train: usize) -> Batches {
    let size = match recipe.training.batch_size {
        BatchSize::Full => None,
        BatchSize::Rows(n) => Some(n),
    };
    Batches::new(n_train, size, recipe.training.sampling, recipe.seed)
}
