"""What the peers have in common: a job comes in, data and start weights are read, each run's time goes out.

A peer is a process of its own, `python -m peers.torch_peer JOB`, so that no library's threads disturb another's. It
gets ready (reads, compiles, warms up), prints a line, and then makes one run for each line on its standard input.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from notebooks import Array
from peers.works import Work

Layers = list[tuple[Array, Array | None]]  # weights (n_out, n_in) and biases (n_out,), from the first layer on
Trainer = Callable[[], tuple[float, Layers]]  # one run from the start weights: seconds of the loop alone, and its end
Call = Callable[[], object]  # one prediction of given rows, as np.asarray takes it

WARM_UP_STEPS = 3
EPSILON = 1e-5  # of batch normalisation, for everybody
LONG_ENOUGH = 0.3  # seconds of calls behind one time of a prediction


class Job:
    def __init__(self, text: str):
        fields = json.loads(text)
        self.work = Work(**fields["work"])
        self.variant: str = fields["variant"]
        self.threads: int = fields["threads"]
        self.steps: int = fields["steps"]
        self.folder = Path(fields["folder"])
        with np.load(self.folder / "rows.npz") as rows:
            self.x, self.y = rows["x_train"], rows["y_train"]
            self.x_test, self.y_test = rows["x_test"], rows["y_test"]
        self.batches = np.load(self.folder / "batches.npy")[:self.steps] if self.work.batch else None
        self.validation: tuple[Array, Array] | None = None
        if self.work.validated:
            with np.load(self.folder / "val.npz") as rows:
                self.validation = rows["x_train"], rows["y_train"]

    def floats(self, x: Array) -> Array:
        """Rows as the network sees them, in f32: bytes divided by 255, but not in notebook 3."""
        x = x.astype(np.float32)
        return x / np.float32(255) if self.work.data == "mnist" and self.work.notebook != 3 else x

    def targets(self) -> Array:
        return one_hot(self.y, self.work.sizes[-1])

    def start(self) -> Layers:
        with np.load(self.folder / "start.npz") as saved:
            names = [f"layers.{i}" for i in range(len(self.work.sizes) - 1)]
            return [(saved[f"{name}.weight"], saved.get(f"{name}.bias")) for name in names]

    def scales(self) -> list[Array]:
        """Of batch normalisation, for each hidden layer; none without it."""
        with np.load(self.folder / "start.npz") as saved:
            return [saved[name] for name in sorted(saved.files) if name.endswith(".scale")]

    def accuracy(self, layers: Layers) -> float:
        a = self.floats(self.x_test)
        for i, (w, b) in enumerate(layers):
            z = a @ np.asarray(w).T + (0 if b is None else np.asarray(b))
            a = 1 / (1 + np.exp(-z)) if self.work.notebook == 3 else np.maximum(z, 0)
        if self.work.notebook == 3:  # its softmax makes each class sum to one over the batch
            z = z - np.log(np.exp(z - z.max(0)).sum(0)) - z.max(0)
        return self.rate(z)

    def rate(self, outputs: Array) -> float:
        return float(np.mean(np.argmax(outputs, axis=1) == self.y_test[:len(outputs)]))


def folded(w: Array, shift: Array, scale: Array, mean: Array, variance: Array) -> tuple[Array, Array]:
    """A layer without biases and the batch normalisation behind it, with its running statistics, as one layer."""
    factor = scale / np.sqrt(variance + EPSILON)
    return w * factor[:, None], shift - factor * mean


def one_hot(y: Array, classes: int) -> Array:
    return np.eye(classes, dtype=np.float32)[y]


def serve(version: str, trainer: Callable[[Job], Trainer], predictor: Callable[[Job, Array], Call]) -> None:
    """`predictor` is given float rows, and may bring them into its library's own form first."""
    # What libraries print goes to standard error.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    started = time.perf_counter()
    job = Job(sys.argv[1])
    if job.work.predicts:
        call = predictor(job, job.floats(job.x_test[:job.work.rows]))
        rate = job.rate(np.asarray(call()))
        run = lambda: (seconds_of(call), rate)
    else:
        train = trainer(job)
        run = lambda: judged(job, *train())
    print(json.dumps({"version": version, "ready": time.perf_counter() - started}), file=answers)
    for _ in sys.stdin:
        seconds, accuracy = run()
        print(json.dumps({"seconds": seconds, "accuracy": accuracy}), file=answers)


def judged(job: Job, seconds: float, layers: Layers) -> tuple[float, float]:
    return seconds, job.accuracy(layers)


def seconds_of(call: Call) -> float:
    """Median time of a call."""
    call()
    times, started = [], time.perf_counter()
    while time.perf_counter() - started < LONG_ENOUGH:
        before = time.perf_counter()
        call()
        times.append(time.perf_counter() - before)
    return float(np.median(times))
