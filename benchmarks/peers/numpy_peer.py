"""NumPy: the notebooks' own arithmetic, in the notebook's precision (`written`) or in f32."""

import numpy as np

import notebooks as nbs
from notebooks import NOTEBOOKS, Array, Named
from peers.job import Call, Job, Layers, Trainer, serve


def to_notebook(number: int, layers: Layers) -> Named:
    """Weights under the notebook's names and in its shapes."""
    named: Named = {}
    for i, (w, b) in enumerate(layers, 1):
        named |= {f"l{i}": w.T} if number == 3 else {f"w{i}": w, f"b{i}": b.reshape(-1, 1)}
    return named


def from_notebook(number: int, w: Named) -> Layers:
    if number == 3:
        return [(w["l1"].T, None), (w["l2"].T, None)]
    return [(w[f"w{i}"], w[f"b{i}"].ravel()) for i in (1, 2)]


def trainer(job: Job) -> Trainer:
    nb = NOTEBOOKS[job.work.notebook]
    dtype = np.float32 if job.variant == "f32" else nb.written
    x, weights = nbs.prepare(nb, job.x, dtype), to_notebook(nb.number, job.start())

    def run(steps: int = job.steps) -> tuple[float, Layers]:
        result = nbs.train(nb, x, job.y, weights, steps, dtype, job.batches, job.validation)
        return result.seconds, from_notebook(nb.number, result.weights)

    run(1)
    return run


def predictor(job: Job, x: Array) -> Call:
    (w1, b1), (w2, b2) = [(np.ascontiguousarray(w.T), b) for w, b in job.start()]

    def call() -> Array:
        z = np.maximum(x @ w1 + b1, 0) @ w2 + b2
        exp = np.exp(z - z.max(axis=1, keepdims=True))
        return exp / exp.sum(axis=1, keepdims=True)

    return call


if __name__ == "__main__":
    serve(f"numpy {np.__version__}", trainer, predictor)
