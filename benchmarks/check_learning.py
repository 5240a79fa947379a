"""Compares the formulas of learning.py with PyTorch and scikit-learn: `python benchmarks/check_learning.py`.

Needs torch and scikit-learn (`peers/requirements.txt`).
"""

import numpy as np
import torch
from sklearn.neural_network import MLPClassifier
from sklearn.neural_network import _base as sklearn_losses
from sklearn.neural_network._stochastic_optimizers import SGDOptimizer
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional as F

import learning

torch.set_default_dtype(torch.float64)


def close(what: str, ours, theirs) -> None:
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    worst = np.abs(ours - theirs).max()
    assert ours.shape == theirs.shape and worst <= 1e-13 * max(1.0, np.abs(theirs).max()), f"{what}: {worst}"
    print(f"{what}: {worst:.1e}")


def value_and_slope(loss, z):
    z = torch.tensor(z, requires_grad=True)
    value = loss(z)
    value.backward()
    return value.item(), z.grad.numpy()


def main() -> None:
    g = learning.arrays()
    for name in ("few", "many"):
        classes = torch.tensor(g[f"{name}_classes"], dtype=torch.long)
        weights = torch.tensor(g[f"{name}_weights"])
        for suffix, smoothing in (("", 0.0), ("_smooth", 0.1)):
            def each(z):
                return F.cross_entropy(z, classes, label_smoothing=smoothing, reduction="none")
            for kind, loss in (("", lambda z: each(z).mean()),
                               ("_weighted", lambda z: (each(z) * weights).sum() / weights.sum())):
                value, slope = value_and_slope(loss, g[f"{name}_z"])
                close(f"PyTorch, {name}{suffix}{kind} loss", g[f"{name}{suffix}{kind}_loss"], value)
                close(f"PyTorch, {name}{suffix}{kind} delta", g[f"{name}{suffix}{kind}_delta"], slope)

    # PyTorch means over outputs as well, of which there are two; its squared error is not halved.
    y = torch.tensor(g["y"])
    constant = torch.special.xlogy(y, y) - y
    for name, loss in (("squared", lambda z: F.mse_loss(z, y)), ("mae", lambda z: 2 * F.l1_loss(z, y)),
                       ("huber", lambda z: 2 * F.huber_loss(z, y, delta=0.7)),
                       ("poisson", lambda z: 2 * (F.poisson_nll_loss(z, y, log_input=True) + constant.mean()))):
        value, slope = value_and_slope(loss, g["z"])
        close(f"PyTorch, {name} loss", g[f"{name}_loss"], value)
        close(f"PyTorch, {name} delta", g[f"{name}_delta"], slope)
    close("scikit-learn, poisson", g["poisson_loss"], sklearn_losses.poisson_loss(g["y"], np.exp(g["z"])))
    close("scikit-learn, weighted poisson", g["poisson_weighted_loss"],
          sklearn_losses.poisson_loss(g["y"], np.exp(g["z"]), g["weights"]))
    close("scikit-learn, weighted squared", g["squared_weighted_loss"],
          2 * sklearn_losses.squared_loss(g["y"], g["z"], g["weights"]))
    close("scikit-learn, balanced", g["balanced"],
          compute_class_weight("balanced", classes=np.arange(4), y=g["labels"]))

    def torch_rates(steps, *args):
        p = torch.nn.Parameter(torch.zeros(1))
        optimizer = torch.optim.SGD([p], 1.0)
        peak, part, div, final = args
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, peak, total_steps=steps, pct_start=part, div_factor=div, final_div_factor=final,
            cycle_momentum=False)
        rates = []
        for _ in range(steps):
            rates.append(schedule.get_last_lr()[0])
            optimizer.step()
            if len(rates) < steps:
                schedule.step()
        return rates
    close("PyTorch, OneCycleLR", g["one_cycle"], torch_rates(40, 0.2, 0.3, 25.0, 1e4))
    close("PyTorch, OneCycleLR, odd", g["one_cycle_odd"], torch_rates(37, 0.2, 0.25, 10.0, 50.0))
    sgd = SGDOptimizer([np.zeros(1)], 0.2, "invscaling", power_t=0.5)
    rates = []
    for epoch in range(1, 9):
        rates.append(sgd.learning_rate)
        sgd.iteration_ends(130 * epoch)
    close("scikit-learn, invscaling", g["inv_scaling"], rates)

    # scikit-learn divides after more than n_iter_no_change epochs.
    watched = MLPClassifier(learning_rate="adaptive", tol=0.02, n_iter_no_change=1)
    watched.loss_curve_, watched.best_loss_, watched._no_improvement_count = [], np.inf, 0
    sgd, rates = SGDOptimizer([np.zeros(1)], 0.5, "adaptive"), []
    for loss in g["losses"]:
        rates.append(sgd.learning_rate)
        watched.loss_curve_.append(loss)
        watched._update_no_improvement_count(False, None, None, None)
        if watched._no_improvement_count > watched.n_iter_no_change:
            sgd.trigger_stopping("", False)
            watched._no_improvement_count = 0
    close("scikit-learn, adaptive", g["adaptive"], rates)

    for name, momentum in (("rmsprop", 0.0), ("rmsprop_momentum", 0.8)):
        p = torch.nn.Parameter(torch.tensor(g["start"]))
        optimizer = torch.optim.RMSprop([p], 0.01, alpha=0.97, eps=1e-8, momentum=momentum)
        for grad in g["grads"]:
            p.grad = torch.tensor(grad)
            optimizer.step()
        close(f"PyTorch, {name}", g[name], p.detach().numpy())
    clipped = []
    for grad in g["grads"]:
        p = torch.nn.Parameter(torch.zeros(7))
        p.grad = torch.tensor(grad)
        torch.nn.utils.clip_grad_norm_([p], 2.0)
        clipped.append(p.grad.numpy())
    close("PyTorch, clip_grad_norm_", g["clipped"], clipped)


if __name__ == "__main__":
    main()
