"""What training offers beside the notebooks, as NumPy formulas: losses, weights, schedules, optimizers.

`make_golden.py` writes their numbers to `golden/learning.npz`; `check_learning.py` compares them with PyTorch
and scikit-learn.
"""

from math import cos, pi

import numpy as np

Array = np.ndarray


def log_softmax(z: Array) -> Array:
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def smoothed_cross_entropy(z: Array, classes: Array, smoothing: float) -> tuple[Array, Array]:
    """Each row's loss, and its gradient at the logits."""
    n = z.shape[1]
    y = (1 - smoothing) * np.eye(n)[classes] + smoothing / n
    return -(y * log_softmax(z)).sum(axis=1), np.exp(log_softmax(z)) - y


def regression(loss: str, z: Array, y: Array, delta: float) -> tuple[Array, Array]:
    """Each row's loss (a sum over outputs), and its gradient at the outputs before their activation."""
    r = z - y
    if loss == "squared":
        each, slope = 0.5 * r**2, r
    elif loss == "mae":
        each, slope = np.abs(r), np.sign(r)
    elif loss == "huber":
        far = np.abs(r) > delta
        each = np.where(far, delta * (np.abs(r) - 0.5 * delta), 0.5 * r**2)
        slope = np.where(far, delta * np.sign(r), r)
    else:  # Half the Poisson deviance, with p = exp(z).
        p, positive = np.exp(z), np.where(y > 0, y, 1.0)
        each, slope = p - y + y * (np.log(positive) - z), p - y
    return each.sum(axis=1), slope


def balanced(classes: Array, n_classes: int) -> Array:
    """The weight of each class that makes all classes that occur weigh the same."""
    counts = np.bincount(classes, minlength=n_classes)
    return len(classes) / ((counts > 0).sum() * counts)


def one_cycle(steps: int, peak: float, part: float, div_factor: float, final_div_factor: float) -> list[float]:
    def between(start: float, end: float, progress: float) -> float:
        return end + (start - end) / 2 * (1 + cos(pi * progress))

    first, turn = peak / div_factor, part * steps - 1
    return [between(first, peak, t / turn) if t <= turn else
            between(peak, first / final_div_factor, (t - turn) / (steps - 1 - turn)) for t in range(steps)]


def inv_scaling(epochs: int, lr: float, rows: int, power: float) -> list[float]:
    """The rate of each epoch: scikit-learn counts the rows seen before it."""
    return [lr / (epoch * rows + 1) ** power for epoch in range(epochs)]


def adaptive(losses: Array, lr: float, tol: float, epochs: int) -> list[float]:
    """The rate of each epoch, given the mean losses of all: a fifth after `epochs` in a row without progress."""
    rates, best, without = [], np.inf, 0
    for loss in losses:
        rates.append(lr)
        without = without + 1 if loss > best - tol else 0
        best = min(best, loss)
        if without == epochs:
            lr, without = lr / 5, 0
    return rates


def rmsprop(grads: Array, p: Array, lr: float, alpha: float, eps: float, momentum: float) -> Array:
    v, buffer = np.zeros_like(p), np.zeros_like(p)
    for g in grads:
        v = alpha * v + (1 - alpha) * g * g
        buffer = momentum * buffer + g / (np.sqrt(v) + eps)
        p = p - lr * buffer
    return p


def clip(g: Array, most: float) -> Array:
    return g * min(1.0, most / (np.sqrt((g * g).sum()) + 1e-6))


def weighted_mean(losses: Array, slopes: Array, weights: Array) -> tuple[Array, Array]:
    """The mean loss, and its gradient, of rows of which each counts as often as its weight says."""
    return (weights * losses).sum() / weights.sum(), weights[:, None] * slopes / weights.sum()


def arrays() -> dict:
    rng = np.random.RandomState(300)
    out: dict = {}

    # Softmax: few classes and many, which take different ways.
    for name, n in (("few", 5), ("many", 40)):
        z, classes = 3 * rng.randn(9, n), rng.randint(0, n, 9)
        weights = rng.choice([0.0, 0.5, 1.0, 2.5], 9)
        out |= {f"{name}_z": z, f"{name}_classes": classes.astype(np.int32), f"{name}_weights": weights}
        for smoothing in (0.0, 0.1):
            loss, slope = smoothed_cross_entropy(z, classes, smoothing)
            suffix = "_smooth" if smoothing else ""
            out |= {f"{name}{suffix}_loss": loss.mean(), f"{name}{suffix}_delta": slope / 9}
            mean, delta = weighted_mean(loss, slope, weights)
            out |= {f"{name}{suffix}_weighted_loss": mean, f"{name}{suffix}_weighted_delta": delta}
    out["smoothing"] = 0.1

    # Regression: far and near targets, some of them zero.
    z, y, weights = rng.randn(9, 2), rng.poisson(1.5, (9, 2)).astype(float), rng.rand(9)
    out |= {"z": z, "y": y, "weights": weights, "huber_from": 0.7}
    for name in ("squared", "mae", "huber", "poisson"):
        loss, slope = regression(name, z, y, 0.7)
        out |= {f"{name}_loss": loss.mean(), f"{name}_delta": slope / 9}
        mean, delta = weighted_mean(loss, slope, weights)
        out |= {f"{name}_weighted_loss": mean, f"{name}_weighted_delta": delta}

    labels = rng.choice(4, 50, p=[0.5, 0.3, 0.15, 0.05])
    out |= {"labels": labels.astype(np.int32), "balanced": balanced(labels, 4)}

    out |= {
        "one_cycle": one_cycle(40, 0.2, 0.3, 25.0, 1e4), "one_cycle_odd": one_cycle(37, 0.2, 0.25, 10.0, 50.0),
        "inv_scaling": inv_scaling(8, 0.2, 130, 0.5),
    }
    losses = np.array([1.0, 0.9, 0.89, 0.895, 0.6, 0.6, 0.59, 0.3, 0.31, 0.32, 0.33, 0.34, 0.2, 0.1])
    out |= {"losses": losses, "adaptive": adaptive(losses, 0.5, 0.02, 2)}

    grads, start = rng.randn(20, 7), rng.randn(7)
    grads[5] = 0.0
    grads[:, 6] *= 1e-6  # so small that epsilon matters
    out |= {
        "grads": grads, "start": start, "lr": 0.01, "alpha": 0.97, "eps": 1e-8, "momentum": 0.8,
        "rmsprop": rmsprop(grads, start, 0.01, 0.97, 1e-8, 0.0),
        "rmsprop_momentum": rmsprop(grads, start, 0.01, 0.97, 1e-8, 0.8),
        "clip_norm": 2.0, "clipped": [clip(g, 2.0) for g in grads],
    }
    return out
