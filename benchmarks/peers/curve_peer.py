"""A point of curves.py by PyTorch: what a plan of Steepest's says, trained eagerly in the seconds that it is given.

`python -m peers.curve_peer JOB` prints one JSON object. Steps are timed first; then their number is fixed, so that the
learning rate goes all the way down. Wants Python 3.11.
"""

import json
import math
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_rows import read_mnist
from peers.torch_deform import Deformer, is_off
from peers.torch_peer import adamw

# What a plan may say here, and nothing else: the peer would not do the same.
EXPECTED = {"data": {"val_split": 0, "noise": 0.0, "divide_by": 255.0},
            "network": {"activation": "relu", "output": "softmax", "batch_norm": True, "dropout": 0.0, "weights": "he-normal",
                        "biases": "zeros"},
            "training": {"optimizer": "adamw", "epsilon": 1e-8, "sampling": "shuffle", "schedule": "cosine", "end": 0.0,
                         "warmup_epochs": 0.0, "l2": 0.0, "clip_norm": None, "label_smoothing": None, "class_weight": None}}
SIDE, CLASSES = 28, 10


def network(hidden: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    n_in = SIDE * SIDE
    for n_out in hidden:
        layers += [nn.Linear(n_in, n_out, bias=False), nn.BatchNorm1d(n_out), nn.ReLU()]
        n_in = n_out
    layers.append(nn.Linear(n_in, CLASSES))
    nn.init.zeros_(layers[-1].bias)
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return nn.Sequential(*layers)


def batches(n: int, size: int) -> Iterator[Tensor]:
    while True:
        yield from torch.randperm(n).split(size)


def rate(step: int, steps: int, warmup: float) -> float:
    """A linear rise, then half a cosine: the part of the peak in a step, as crates/steepest/src/schedule.rs has it."""
    rise = warmup * steps
    if step < rise:
        return min((step + 1) / rise, 1.0)
    return 0.5 * (1 + math.cos(math.pi * min((step - rise) / max(steps - 1 - rise, 1.0), 1.0)))


def floats(net: nn.Module) -> list[Tensor]:
    """All that is averaged: parameters and running statistics."""
    return [value for value in net.state_dict().values() if value.is_floating_point()]


def train(plan: dict, x: Tensor, y: Tensor, steps: int) -> tuple[float, nn.Module]:
    """Seconds of the loop, and the averaged network in the end."""
    settings, augment = plan["training"], plan.get("augment", {})
    images = (lambda rows: rows) if is_off(augment) else Deformer(augment, SIDE)
    net = network(plan["network"]["hidden"])
    optimizer = adamw(net, settings["lr"], (settings["beta1"], settings["beta2"]), settings["weight_decay"])
    mean = deepcopy(net)
    now, averaged = floats(net), floats(mean)
    started = time.perf_counter()
    for step, batch in zip(range(steps), batches(len(x), settings["batch_size"])):
        for group in optimizer.param_groups:
            group["lr"] = settings["lr"] * rate(step, steps, settings.get("warmup", 0.0))
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(net(images(x[batch])), y[batch]).backward()
        optimizer.step()
        decay = min(settings.get("ema", 0.0), (2 + step) / (11 + step))
        torch._foreach_lerp_(averaged, now, 1 - decay)
    return time.perf_counter() - started, mean


def steps_within(seconds: float, run: Callable[[int], float]) -> int:
    """How many steps take these seconds, by trials that double until a tenth of them (0.5 to 3 s) has passed."""
    steps, took = 16, 0.0
    run(steps)
    while took < min(max(seconds / 10, 0.5), 3.0):
        steps *= 2
        took = run(steps)
    return max(1, round(seconds * steps / took))


def check(plan: dict) -> None:
    for table, keys in EXPECTED.items():
        for key, value in keys.items():
            if plan[table].get(key, value) != value:
                raise SystemExit(f"{table}.{key} = {plan[table][key]!r}: this peer has only {value!r}")


def main() -> None:
    job = json.loads(sys.argv[1])
    torch.set_flush_denormal(True)  # before there are threads, which inherit it
    torch.set_num_threads(job["threads"])
    torch.manual_seed(job["seed"])
    plan = tomllib.loads(Path(job["plan"]).read_text())
    check(plan)
    x, y, x_test, y_test = map(torch.from_numpy, map(lambda part: part.copy(), read_mnist(Path(job["data"]))))
    x, x_test, y = x.float() / 255, x_test.float() / 255, y.long()
    steps = steps_within(job["seconds"], lambda steps: train(plan, x, y, steps)[0])
    seconds, net = train(plan, x, y, steps)
    with torch.inference_mode():
        accuracy = (net.eval()(x_test).argmax(1) == y_test).double().mean().item()
    epochs = steps / math.ceil(len(x) / plan["training"]["batch_size"])
    print(json.dumps({"version": f"torch {torch.__version__}", "seconds": seconds, "accuracy": accuracy, "steps": steps,
                      "epochs": epochs}))


if __name__ == "__main__":
    main()
