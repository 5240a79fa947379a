"""Writes the golden runs that the Rust tests read: `python benchmarks/make_golden.py [FOLDER]`.

The keys of each file are listed in README.md beside this script. Seeds are fixed and NumPy is held to
one thread, so the same NumPy on the same processor writes the same bytes.
"""

import os

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

import sys
from pathlib import Path

import numpy as np
from scipy.ndimage import map_coordinates

import learning
import notebooks as nbs
from notebooks import Array, Named, Notebook

FEATURES, ROWS, VALIDATION_ROWS, TRACE_ROWS = 40, 300, 100, 32
ITERATIONS = 50  # full batch
STEPS, BATCH, HIDDEN_3, VALIDATE_EVERY = 200, 32, 24, 20
# Seeds with which no recorded accuracy hangs on a gap below these, even in float32.
SEEDS = [3, 34, 3, 13]
LEAST_MARGIN = [2e-6, 1e-6, 2e-6, 1.5e-7]


def digits(rng: np.random.RandomState, n: int, lit: Array) -> tuple[Array, Array]:
    """n byte rows, three values in five zero, of ten classes that differ in which columns are lit.

    Every class comes equally often, the first ten rows show all ten.
    """
    y = np.concatenate([rng.permutation(10) for _ in range(n // 10)]).astype(np.uint8)
    x = rng.randint(1, 256, size=(n, FEATURES)) * (rng.rand(n, FEATURES) < lit[y])
    return x.astype(np.uint8), y


def save(path: Path, arrays: dict) -> None:
    # Row-major, so that no array of the file is stored in Fortran order.
    np.savez(path, **{name: np.array(value, order="C") for name, value in arrays.items()})
    print(f"{path.name}: {path.stat().st_size} bytes")


def steepest_names(nb: Notebook, w: Named, suffix: str = "") -> Named:
    """Weights as (n_out, n_in), biases as (n_out,): w1, b1, w2, b2 for every notebook."""
    if nb.stochastic:
        named = {"w1": w["l1"].T, "w2": w["l2"].T}
    else:
        named = {name: value.ravel() if name[0] == "b" else value for name, value in w.items()}
    return {name + suffix: value for name, value in named.items()}


def smallest_margin(nb: Notebook, x: Array, y: Array, w: Named, steps: int, batches: Array | None,
                    validation: Array | None, dtype: type) -> float:
    """The least gap between the two largest outputs in any recorded accuracy of the run.

    Far above the rounding error it means that accuracies can be compared exactly.
    """
    least = np.inf
    for i in range(steps):
        xb = x if batches is None else x[batches[i]]
        seen = [(w, xb)]
        following = nbs.train(nb, xb, y if batches is None else y[batches[i]], w, 1, dtype).weights
        if validation is not None and i % VALIDATE_EVERY == 0:
            seen.append((following, validation))
        for weights, rows in seen:
            q = nb.forward(weights, rows)
            two = np.sort(q["out"].T if nb.stochastic else q["a2"], axis=0)[-2:]
            least = min(least, (two[1] - two[0]).min())
        w = following
    return float(least)


def golden_run(nb: Notebook, folder: Path) -> None:
    rng = np.random.RandomState(SEEDS[nb.number])
    lit = rng.choice([0.1, 0.2, 0.4, 0.6, 0.7], size=(10, FEATURES))  # 0.4 on average
    x, y = digits(rng, ROWS, lit)
    arrays: dict = {"x": x, "y": y, "learning_rate": nb.learning_rate}
    if nb.stochastic:
        start = nb.init(rng, FEATURES, HIDDEN_3)
        # Raw bytes on 40 inputs would saturate the sigmoid from the notebook's own range.
        start["l1"] *= np.float32(0.125)
        x_val, y_val = digits(rng, VALIDATION_ROWS, lit)
        batches = rng.randint(0, ROWS, size=(STEPS, BATCH)).astype(np.int32)
        steps, validation = STEPS, (x_val, y_val)
        arrays |= {"batches": batches, "x_val": x_val, "y_val": y_val}
    else:
        start, steps, batches, validation, x_val = nb.init(rng, FEATURES), ITERATIONS, None, None, None
    start = nbs.cast(start, np.float64)  # notebook 3's start is float32: exact
    arrays |= steepest_names(nb, start)

    for dtype, suffix in ((np.float64, ""), (np.float32, "_f32")):
        inputs = nbs.prepare(nb, x, dtype)
        run = nbs.train(nb, inputs, y, start, steps, dtype, batches, validation, every=1)
        arrays |= steepest_names(nb, run.weights, "_after" + suffix)
        arrays["accuracy" + suffix] = [h["accuracy"] for h in run.history]
        if nb.stochastic:
            arrays["squared_class_difference" + suffix] = [h["loss"] for h in run.history]
            arrays["validation_accuracy" + suffix] = [
                h["validation_accuracy"] for h in run.history if "validation_accuracy" in h]
        least = smallest_margin(nb, inputs, y, nbs.cast(start, dtype), steps, batches, x_val, dtype)
        arrays["least_margin" + suffix] = least
        assert least > LEAST_MARGIN[nb.number], "take another seed: an accuracy hangs on rounding"
    save(folder / f"notebook-{nb.number}.npz", arrays)

    rows = slice(0, TRACE_ROWS)
    step = nbs.traces(nb, nbs.prepare(nb, x[rows], np.float64), y[rows], start)
    step = {name: value for name, value in step.items() if not name.endswith("_after")} | steepest_names(
        nb, {name: step[name + "_after"] for name in start}, "_after")
    arrays = {"x": x[rows], "y": y[rows], "learning_rate": nb.learning_rate}
    save(folder / f"trace-{nb.number}.npz", arrays | steepest_names(nb, start) | step)


# ---------------------------------------------------------------- optimizers, from their formulas


def optimizer_runs() -> dict:
    """20 given gradients, 7 parameters; the forms are PyTorch's (t counts from 1)."""
    rng = np.random.RandomState(200)
    grads, start = rng.randn(20, 7), rng.randn(7)
    grads[5] = 0.0  # a step without any gradient
    grads[:, 6] *= 1e-6  # so small that epsilon matters
    lr, momentum, adam_lr, beta1, beta2, eps, decay = 0.05, 0.9, 0.01, 0.9, 0.999, 1e-8, 0.02

    def descend(weight_decay: float) -> Array:
        p = start.copy()
        for g in grads:
            p = p - lr * (g + weight_decay * p)
        return p

    def descend_momentum(nesterov: bool, weight_decay: float = 0.0) -> Array:
        # The rate multiplies the velocity, not the gradient inside it; v starts as the first gradient.
        p, v = start.copy(), np.zeros(7)
        for g in grads:
            g = g + weight_decay * p
            v = momentum * v + g
            p = p - lr * (g + momentum * v if nesterov else v)
        return p

    def adam(l2: float, decoupled: float) -> Array:
        p, m, v = start.copy(), np.zeros(7), np.zeros(7)
        for t, g in enumerate(grads, 1):
            p = p * (1 - adam_lr * decoupled)
            g = g + l2 * p
            m = beta1 * m + (1 - beta1) * g
            v = beta2 * v + (1 - beta2) * g * g
            m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
            p = p - adam_lr * m_hat / (np.sqrt(v_hat) + eps)  # eps outside the root, after correction
        return p

    return {
        "grads": grads, "start": start, "sgd_lr": lr, "momentum": momentum, "adam_lr": adam_lr,
        "beta1": beta1, "beta2": beta2, "eps": eps, "weight_decay": decay,
        "sgd": descend(0.0), "sgd_l2": descend(decay),
        "sgd_momentum": descend_momentum(False), "sgd_momentum_l2": descend_momentum(False, decay),
        "sgd_nesterov": descend_momentum(True), "adam": adam(0.0, 0.0),
        "adam_l2": adam(decay, 0.0), "adamw": adam(0.0, decay),
    }


# ---------------------------------------------------------------- a deformed image, by SciPy


def deformed_image() -> dict:
    """A picture, some of it at the rim, looked up where an affine map and smooth bumps say; around it lie zeros."""
    rng = np.random.RandomState(17)
    height, width, n_down, n_across = 20, 26, 5, 7
    y, x = np.mgrid[:height, :width].astype(float)
    picture = 127.5 * (1 + np.sin(0.9 * x + 0.2 * y) * np.cos(0.5 * y - 0.3 * x))
    image = np.clip(np.round(picture * (rng.rand(height, width) < 0.8)), 0, 255).astype(np.uint8)

    # Stretched, leaning, turned, shifted: the place that a pixel comes from is the inverse of all that.
    scale, shear, rotation, shift = [1.12, 0.9], 0.13, -14.0, [1.3, -0.8]
    sin, cos = np.sin(np.radians(rotation)), np.cos(np.radians(rotation))
    turn, lean = np.array([[cos, -sin], [sin, cos]]), np.array([[1, shear], [0, 1]])
    inverse = np.linalg.inv(turn @ lean @ np.diag(scale))
    affine = np.column_stack([inverse, -inverse @ shift]).astype(np.float32)

    def shapes(n: int, count: int) -> Array:
        middles = (np.arange(count) + 0.5) * n / count - 0.5
        rows = np.exp(-0.5 * ((np.arange(n)[:, None] - middles) / 4.0) ** 2)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    down, across = shapes(height, n_down), shapes(width, n_across)
    bumps = (1.2 * rng.randn(2, n_down, n_across)).astype(np.float32)
    middle = np.array([width - 1, height - 1]) / 2
    out = np.stack([x.ravel() - middle[0], y.ravel() - middle[1], np.ones(x.size)])
    place = affine.astype(float) @ out + middle[:, None]
    place += (down.astype(float) @ bumps @ across.T.astype(float)).reshape(2, -1)
    deformed = map_coordinates(image.astype(float), place[::-1], order=1, mode="grid-constant", cval=0.0)
    return {"image": image, "scale": scale, "shear": shear, "rotation": rotation, "shift": shift, "affine": affine,
            "down": down, "across": across.T, "bumps": bumps, "deformed": deformed.reshape(height, width)}


# ---------------------------------------------------------------- batch normalisation, from the paper


def normalise(z: Array, gamma: Array, beta: Array, eps: float) -> tuple[Array, Named]:
    """Ioffe and Szegedy 2015, algorithm 1: y, and what the way back needs."""
    mean = z.mean(axis=0)
    var = ((z - mean) ** 2).mean(axis=0)
    z_hat = (z - mean) / np.sqrt(var + eps)
    return gamma * z_hat + beta, {"mean": mean, "var": var, "z_hat": z_hat}


def normalise_back(dy: Array, z: Array, gamma: Array, q: Named, eps: float) -> tuple[Array, Array, Array]:
    """The gradients at z, gamma and beta, by the chain of section 3: over z_hat, variance and mean."""
    m, centred, deviation = len(z), z - q["mean"], np.sqrt(q["var"] + eps)
    d_z_hat = dy * gamma
    d_var = (d_z_hat * centred).sum(axis=0) * -0.5 * deviation**-3
    d_mean = -d_z_hat.sum(axis=0) / deviation + d_var * (-2 * centred).mean(axis=0)
    d_z = d_z_hat / deviation + d_var * 2 * centred / m + d_mean / m
    return d_z, (dy * q["z_hat"]).sum(axis=0), dy.sum(axis=0)


def batch_norm_run() -> dict:
    """40-12-7-10 with ReLU: batches with Nesterov's momentum, and the first step in every quantity.

    The constants are those of PyTorch's BatchNorm1d; its running variance is the unbiased one.
    """
    rng = np.random.RandomState(7)
    x, y = digits(rng, ROWS, rng.choice([0.1, 0.2, 0.4, 0.6, 0.7], size=(10, FEATURES)))
    sizes, lr, momentum, eps, part = [FEATURES, 12, 7, 10], 0.05, 0.9, 1e-5, 0.1
    w = {}
    for layer, (n_in, n_out) in enumerate(zip(sizes, sizes[1:]), 1):
        w[f"w{layer}"] = rng.randn(n_out, n_in) * np.sqrt(2 / n_in)
        w[f"b{layer}"] = 0.1 * rng.randn(n_out)  # beta, where a layer is normalised
        if layer < 3:
            w[f"gamma{layer}"] = rng.uniform(0.5, 1.5, n_out)
    running = {f"{name}{layer}": np.full(sizes[layer], start)
               for layer in (1, 2) for name, start in (("running_mean", 0.0), ("running_var", 1.0))}
    batches = np.array([rng.permutation(ROWS)[:BATCH] for _ in range(12)], dtype=np.int32)
    arrays = {"x": x, "y": y, "batches": batches, "learning_rate": lr, "momentum": momentum} | w
    velocity = {name: np.zeros_like(value) for name, value in w.items()}
    losses = []
    for rows in batches:
        m, a, forward, step = len(rows), x[rows] / 255, {}, {}
        for layer in (1, 2):
            z = a @ w[f"w{layer}"].T
            y_bn, q = normalise(z, w[f"gamma{layer}"], w[f"b{layer}"], eps)
            forward[layer] = (a, z, y_bn, q)
            a = np.maximum(y_bn, 0)
            step |= {f"z{layer}": z, f"a{layer}": a} | {f"{name}{layer}": value for name, value in q.items()}
            for name, now in (("running_mean", q["mean"]), ("running_var", q["var"] * m / (m - 1))):
                name += str(layer)
                running[name] = (1 - part) * running[name] + part * now
        logits = a @ w["w3"].T + w["b3"]
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        losses.append(-np.log(p[np.arange(m), y[rows]]).mean())
        delta = (p - np.eye(10)[y[rows]]) / m
        gradient = {"w3": delta.T @ a, "b3": delta.sum(axis=0)}
        step |= {"z3": logits, "a3": p, "delta3": delta}
        for layer in (2, 1):
            a, z, y_bn, q = forward[layer]
            dy = (delta @ w[f"w{layer + 1}"]) * (y_bn > 0)
            delta, d_gamma, d_beta = normalise_back(dy, z, w[f"gamma{layer}"], q, eps)
            gradient |= {f"w{layer}": delta.T @ a, f"gamma{layer}": d_gamma, f"b{layer}": d_beta}
            step[f"delta{layer}"] = delta
        if len(losses) == 1:
            arrays |= step | {"d_" + name: value for name, value in gradient.items()}
        for name, g in gradient.items():
            velocity[name] = momentum * velocity[name] + g
            w[name] = w[name] - lr * (g + momentum * velocity[name])
    a = x / 255
    for layer in (1, 2):
        z_hat = (a @ w[f"w{layer}"].T - running[f"running_mean{layer}"])
        z_hat /= np.sqrt(running[f"running_var{layer}"] + eps)
        a = np.maximum(w[f"gamma{layer}"] * z_hat + w[f"b{layer}"], 0)
    arrays |= {name + "_after": value for name, value in w.items()} | running
    return arrays | {"losses": losses, "logits": a @ w["w3"].T + w["b3"]}


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "golden"
    folder.mkdir(parents=True, exist_ok=True)
    for nb in nbs.NOTEBOOKS:
        golden_run(nb, folder)
    save(folder / "optimizers.npz", optimizer_runs())
    save(folder / "deformed.npz", deformed_image())
    save(folder / "batch-norm.npz", batch_norm_run())
    save(folder / "learning.npz", learning.arrays())


if __name__ == "__main__":
    main()
