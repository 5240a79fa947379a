"""An estimator's parameters as a recipe: what the core trains by, and what is saved with a model."""

import json

# What `learning_rate` may be beside scikit-learn's, by the names of recipes.
SCHEDULES = ("cosine", "exponential", "one-cycle", "step")

_ACTIVATIONS = {"logistic": "sigmoid"}
_OUTPUTS = {"logistic": "sigmoid", "exp": "identity"}


def recipe_of(estimator, dtype, batch_size, total_steps):
    """The recipe as JSON; ``batch_size`` is a number of rows or ``"full"``."""
    solver = estimator.solver
    if solver == "sgd" and estimator.momentum > 0:
        solver = "nesterov" if estimator.nesterovs_momentum else "momentum"
    training = {
        "iterations": total_steps,
        "batch_size": batch_size,
        "sampling": "shuffle" if estimator.shuffle else "ordered",
        "optimizer": solver,
        "lr": float(estimator.learning_rate_init),
        "momentum": float(estimator.momentum),
        "beta1": float(estimator.beta_1),
        "beta2": float(estimator.beta_2),
        "epsilon": float(estimator.epsilon),
        "weight_decay": float(estimator.weight_decay),
        "l2": float(estimator.alpha),
        "tol": float(estimator.tol),
    }
    if estimator.learning_rate in SCHEDULES:
        training["schedule"] = estimator.learning_rate
        # Down to a hundredth at the end; by a tenth after each third.
        is_step = estimator.learning_rate == "step"
        training["decay"] = 0.1 if is_step else 0.01 ** (1 / estimator.max_iter)
        training["decay_epochs"] = max(estimator.max_iter / 3, 1.0)
    if getattr(estimator, "label_smoothing", 0.0):
        training["label_smoothing"] = float(estimator.label_smoothing)
    sizes = [intercept.shape[0] for intercept in estimator.intercepts_]
    network = {
        "hidden": sizes[:-1],
        "activation": _ACTIVATIONS.get(estimator.activation, estimator.activation),
        "output": _OUTPUTS.get(estimator.out_activation_, estimator.out_activation_),
        "dropout": float(estimator.dropout),
        "batch_norm": bool(estimator.batch_norm),
        "weights": "glorot-uniform",
    }
    if estimator.out_activation_ == "exp":
        network["loss"] = "poisson"
    return json.dumps(
        {
            "name": type(estimator).__name__,
            "dialect": "sklearn",
            "precision": "f32" if dtype == "float32" else "f64",
            "seed": estimator._seed(),
            "data": {"val_split": 0},
            "network": network,
            "training": training,
        }
    )
