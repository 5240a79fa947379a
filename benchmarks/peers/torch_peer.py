"""PyTorch: eager, its step compiled (`compile`), or with products in bf16 (`bf16`).

The notebooks' steps are written out, as their gradients are not those of any loss; the rest uses autograd and the fused
optimizers.
"""

import time
from collections.abc import Callable
from itertools import zip_longest

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from notebooks import NOTEBOOKS
from peers.job import WARM_UP_STEPS, Call, Job, Layers, Trainer, folded, serve
from peers.works import BETA2, MOMENTUM, VALIDATE_EVERY, WEIGHT_DECAY, Work


def relu_step(number: int, rate: float) -> Callable:
    """Notebooks 0 to 2: twice the gradient in 0, one number for all biases of a layer in 2."""
    scale = 2.0 if number == 0 else 1.0

    def bias(d: Tensor) -> Tensor:
        return d.sum() if number == 2 else d.sum(0)

    def step(p: list[Tensor], x: Tensor, t: Tensor) -> None:
        w1, b1, w2, b2 = p
        z1 = torch.addmm(b1, x, w1.t())
        a1 = torch.relu(z1)
        d2 = (torch.softmax(torch.addmm(b2, a1, w2.t()), 1) - t) * (scale / len(x))
        d1 = (d2 @ w2) * (z1 > 0)
        w2.sub_(d2.t() @ a1, alpha=rate)
        b2.sub_(bias(d2), alpha=rate)
        w1.sub_(d1.t() @ x, alpha=rate)
        b1.sub_(bias(d1), alpha=rate)

    return step


def sigmoid_step(rate: float) -> Callable:
    """Notebook 3: softmax over the batch, and p (1 - p) for its derivative."""
    def step(p: list[Tensor], x: Tensor, t: Tensor) -> None:
        w1, w2 = p
        a1 = torch.sigmoid(x @ w1.t())
        out = torch.softmax(a1 @ w2.t(), 0)
        d2 = (out - t) * out * (1 - out) * (2 / len(x))
        d1 = (d2 @ w2) * a1 * (1 - a1)
        w2.sub_(d2.t() @ a1, alpha=rate)
        w1.sub_(d1.t() @ x, alpha=rate)

    return step


def sigmoid_accuracy(p: list[Tensor], x: Tensor, y: Tensor) -> Tensor:
    out = torch.softmax(torch.sigmoid(x @ p[0].t()) @ p[1].t(), 0)
    return (out.argmax(1) == y).float().mean()


def compiled(job: Job, function: Callable) -> Callable:
    return torch.compile(function) if job.variant == "compile" else function


def notebook_trainer(job: Job) -> Trainer:
    nb = NOTEBOOKS[job.work.notebook]
    x, t = torch.from_numpy(job.floats(job.x)), torch.from_numpy(job.targets())
    start = [torch.tensor(value) for layer in job.start() for value in layer if value is not None]
    step = compiled(job, sigmoid_step(nb.learning_rate) if nb.stochastic else relu_step(nb.number, nb.learning_rate))
    accuracy = compiled(job, sigmoid_accuracy)
    batches = None if job.batches is None else torch.from_numpy(job.batches)
    validation = None
    if job.validation is not None:
        validation = torch.from_numpy(job.floats(job.validation[0])), torch.from_numpy(job.validation[1])

    @torch.no_grad()
    def run(steps: int = job.steps) -> tuple[float, Layers]:
        p = [value.clone() for value in start]
        started = time.perf_counter()
        for i in range(steps):
            if batches is None:
                step(p, x, t)
            else:
                step(p, x[batches[i]], t[batches[i]])
            if validation is not None and i % VALIDATE_EVERY == 0:
                accuracy(p, *validation).item()
        seconds = time.perf_counter() - started
        layers = [(w, None) for w in p] if nb.stochastic else [(p[0], p[1]), (p[2], p[3])]
        return seconds, [(w.numpy(), None if b is None else b.numpy()) for w, b in layers]

    run(WARM_UP_STEPS)
    return run


def network(job: Job) -> nn.Sequential:
    layers: list[nn.Module] = []
    for (w, b), scale in zip_longest(job.start(), job.scales()):
        linear = nn.Linear(w.shape[1], w.shape[0], bias=scale is None)
        layers += [linear, nn.ReLU()]
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(w))
            if scale is None:
                linear.bias.copy_(torch.from_numpy(b))
            else:
                layers.insert(-1, norm := nn.BatchNorm1d(len(w)))
                norm.weight.copy_(torch.from_numpy(scale))
                norm.bias.copy_(torch.from_numpy(b))
    return nn.Sequential(*layers[:-1])


def layers_of(net: nn.Sequential) -> Layers:
    """Copies of weights and biases, batch normalisation folded in."""
    layers: Layers = []
    for module in net:
        if isinstance(module, nn.Linear):
            layers.append(tuple(p if p is None else p.detach().numpy().copy() for p in (module.weight, module.bias)))
        elif isinstance(module, nn.BatchNorm1d):
            norm = (module.bias, module.weight, module.running_mean, module.running_var)
            layers[-1] = folded(layers[-1][0], *(part.detach().numpy() for part in norm))
    return layers


def optimizer_of(work: Work, net: nn.Sequential) -> torch.optim.Optimizer:
    if work.optimizer == "adam":
        return torch.optim.Adam(net.parameters(), lr=work.lr, fused=True)
    if work.optimizer == "momentum":
        return torch.optim.SGD(net.parameters(), lr=work.lr, momentum=MOMENTUM, fused=True)
    return adamw(net, work.lr, (0.9, BETA2), WEIGHT_DECAY)


def adamw(net: nn.Module, lr: float, betas: tuple[float, float], decay: float) -> torch.optim.Optimizer:
    """Weights decay; biases, shifts and scales do not."""
    groups = [{"params": [p for p in net.parameters() if p.ndim > 1], "weight_decay": decay},
              {"params": [p for p in net.parameters() if p.ndim == 1], "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=lr, betas=betas, fused=True)


def trainer(job: Job) -> Trainer:
    if job.work.notebook is not None:
        return notebook_trainer(job)
    x, y = torch.from_numpy(job.floats(job.x)), torch.from_numpy(job.y).long()
    batches = torch.from_numpy(job.batches).long()
    net = network(job)
    start = {name: value.clone() for name, value in net.state_dict().items()}
    loss = compiled(job, lambda xb, yb: F.cross_entropy(net(xb), yb))

    def run(steps: int = job.steps) -> tuple[float, Layers]:
        net.load_state_dict(start)
        optimizer = optimizer_of(job.work, net)
        started = time.perf_counter()
        for batch in batches[:steps]:
            optimizer.zero_grad(set_to_none=True)
            loss(x[batch], y[batch]).backward()
            optimizer.step()
        seconds = time.perf_counter() - started
        return seconds, layers_of(net)

    run(WARM_UP_STEPS)
    return run


def predictor(job: Job, x) -> Call:
    net, rows = network(job).eval(), torch.from_numpy(x)
    forward = compiled(job, lambda rows: torch.softmax(net(rows), 1))

    def call() -> Tensor:
        with torch.inference_mode():
            return forward(rows)

    return call


def prepared(make: Callable) -> Callable:
    def with_threads(job: Job, *rest):
        torch.set_num_threads(job.threads)
        if job.variant == "bf16":
            torch.set_float32_matmul_precision("medium")
        return make(job, *rest)

    return with_threads


if __name__ == "__main__":
    serve(f"torch {torch.__version__}", prepared(trainer), prepared(predictor))
