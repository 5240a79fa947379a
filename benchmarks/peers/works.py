"""The rows of the comparison with other libraries, and the files that every program starts from.

A `Work` is one row. `prepare` writes its folder: the same rows, batches and start weights for everybody.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from mnist_rows import notebook_rows
from notebooks import BATCH_3, NOTEBOOKS, Array, Named
from steepest_cli import to_layers

Mnist = tuple[Array, Array, Array, Array]


@dataclass(frozen=True)
class Work:
    name: str
    what: str
    recipe: str  # a built-in one, or a file of recipes/
    sizes: tuple[int, ...]
    steps: int = 0  # 0: it predicts
    timed: int = 0  # steps that are run, at constant cost each, and scaled up; --full runs all
    batch: int | None = None  # None: all rows
    notebook: int | None = None
    optimizer: str = "sgd"
    lr: float = 0.1
    batch_norm: bool = False  # of the hidden layers, whose biases are then its shifts
    validated: bool = False  # every VALIDATE_EVERY steps, on rows held out
    data: str = "mnist"  # or standardised, table, normal
    samples: int = 0  # rows of normal numbers
    rows: int = 0  # that are predicted
    products: str | None = None  # of Steepest, if not its usual ones
    peer_threads: int | None = None  # in place of the usual number, where the peers are faster so

    @property
    def predicts(self) -> bool:
        return self.steps == 0


MOMENTUM, VALIDATE_EVERY = 0.9, 20
BETA2, WEIGHT_DECAY = 0.99, 0.01  # of AdamW; weights alone decay
EPOCH_4, EPOCH_5, EPOCH_9 = 60000 // 128, 60000 // 1024, 60000 // 256  # the last, smaller batch is left out, by everybody
SMALL, HIDDEN, WIDE = (784, 10, 10), (784, 128, 10), (784, 2048, 2048, 10)
ADAM = {"recipe": "adam-relu.toml", "optimizer": "adam", "lr": 0.001}
NOTEBOOK_3 = {"recipe": "idx-sigmoid", "sizes": HIDDEN, "steps": 10000, "batch": BATCH_3, "notebook": 3, "lr": 0.001}
WORKS = [
    Work("W0", "notebook 0: 784-10-10, all 41,000 rows, 500 steps", "kaggle-csv-relu", SMALL, 500, 100, notebook=0),
    Work("W1", "notebook 1: 784-10-10, all 10,000 rows, 1,000 steps", "keras-npz-relu", SMALL, 1000, 200, notebook=1),
    Work("W2", "notebook 2: 784-10-10, all 59,000 rows, 1,000 steps", "mnist-csv-relu", SMALL, 1000, 100, notebook=2),
    Work("W3", "notebook 3: 784-128-10, batch 128, 10,000 steps, 10,000 rows validated every 20", timed=1000,
         validated=True, **NOTEBOOK_3),
    Work("W3nv", "the same without validation", timed=2000, **NOTEBOOK_3),
    Work("W4", "784-128-10, ReLU, Adam, batch 128, 5 epochs of MNIST", sizes=HIDDEN, steps=5 * EPOCH_4,
         timed=5 * EPOCH_4, batch=128, **ADAM),
    Work("W4d", "the same, inputs standardised: nothing is zero", sizes=HIDDEN, steps=5 * EPOCH_4,
         timed=5 * EPOCH_4, batch=128, data="standardised", **ADAM),
    Work("W5", "784-2048-2048-10, ReLU, momentum, batch 1,024, one epoch of MNIST", "wide-momentum.toml", WIDE, EPOCH_5,
         20, batch=1024, optimizer="momentum", lr=0.01),
    Work("W5b", "the same with products in bf16", "wide-momentum.toml", WIDE, EPOCH_5, 20, batch=1024, optimizer="momentum",
         lr=0.01, products="bf16"),
    Work("W6-row", "784-128-10 predicts one row", "adam-relu.toml", HIDDEN, rows=1, peer_threads=1),
    Work("W6-all", "784-128-10 predicts 10,000 rows", "adam-relu.toml", HIDDEN, rows=10000),
    Work("W8", "20-100-3, ReLU, Adam, batch 200, 200 epochs of a table of 1,000 rows", sizes=(20, 100, 3), steps=1000,
         timed=1000, batch=200, data="table", peer_threads=1, **ADAM),
    Work("W9", "784-512-256-10, batch normalisation, ReLU, AdamW, batch 256, 2 epochs of MNIST", "batch-norm-adamw.toml",
         (784, 512, 256, 10), 2 * EPOCH_9, 2 * EPOCH_9, batch=256, optimizer="adamw", lr=0.002, batch_norm=True),
]


def prepare(work: Work, mnist: Mnist, seed: int, folder: Path) -> None:
    """Writes rows.npz, the start weights as start.npz and start.safetensors, batches.npy and val.npz as needed."""
    rng = np.random.RandomState(seed)
    held_out = None
    if work.notebook is not None:
        nb = NOTEBOOKS[work.notebook]
        rows = notebook_rows(nb, mnist, seed)
        # Notebook 0's rows come from both parts of MNIST.
        train, test = rows.train, rows.held_out if work.notebook == 0 else rows.test
        held_out = rows.held_out if work.validated else None
        start = {name: value.astype(np.float32) for name, value in to_layers(nb, nb.init(rng)).items()}
    else:
        parts = {"mnist": mnist_parts, "standardised": standardised, "table": table, "normal": normal}[work.data]
        train, test = parts(work, mnist, rng)
        start = he_normal(work.sizes, rng, work.batch_norm)
    np.savez(folder / "rows.npz", x_train=train[0], y_train=train[1], x_test=test[0], y_test=test[1])
    if held_out is not None:
        np.savez(folder / "val.npz", x_train=held_out[0], y_train=held_out[1])
    if work.batch is not None:
        np.save(folder / "batches.npy", batches(work, len(train[1]), rng))
    save_start(start, folder)


def save_start(layers: Named, folder: Path) -> None:
    save_file(layers, folder / "start.safetensors")
    np.savez(folder / "start.npz", **layers)


def batches(work: Work, n: int, rng: np.random.RandomState) -> Array:
    """Row numbers, one line a step: drawn with replacement by notebook 3, else each row once in an epoch."""
    if work.notebook is not None:
        return rng.randint(0, n, size=(work.steps, work.batch)).astype(np.int32)
    each = n // work.batch
    epochs = [rng.permutation(n)[:each * work.batch] for _ in range(-(-work.steps // each))]
    return np.concatenate(epochs).reshape(-1, work.batch)[:work.steps].astype(np.int32)


def he_normal(sizes: tuple[int, ...], rng: np.random.RandomState, batch_norm: bool = False) -> Named:
    layers = {}
    for i, (n_in, n_out) in enumerate(zip(sizes, sizes[1:])):
        layers[f"layers.{i}.weight"] = (rng.randn(n_out, n_in) * np.sqrt(2 / n_in)).astype(np.float32)
        layers[f"layers.{i}.bias"] = np.zeros(n_out, np.float32)
        if batch_norm and i < len(sizes) - 2:
            layers[f"layers.{i}.scale"] = np.ones(n_out, np.float32)
    return layers


def mnist_parts(_: Work, mnist: Mnist, __: np.random.RandomState) -> tuple:
    return mnist[:2], mnist[2:]


def standardised(_: Work, mnist: Mnist, rng: np.random.RandomState) -> tuple:
    """Pixels of mean 0 and deviation 1; a little noise first, so that none is constant and none exactly zero."""
    x, x_test = (part / np.float32(255) + rng.normal(0, 0.01, part.shape).astype(np.float32) for part in mnist[::2])
    mean, deviation = x.mean(0), np.maximum(x.std(0), 0.1)
    return ((x - mean) / deviation, mnist[1]), ((x_test - mean) / deviation, mnist[3])


def table(_: Work, __: Mnist, rng: np.random.RandomState) -> tuple:
    """Rows of normal numbers; a random network of one hidden layer says which of three classes they are."""
    x = rng.normal(size=(2000, 20)).astype(np.float32)
    hidden = np.tanh(x @ rng.normal(0, 0.5, (20, 10)))
    y = np.argmax(hidden @ rng.normal(size=(10, 3)), axis=1).astype(np.uint8)
    return (x[:1000], y[:1000]), (x[1000:], y[1000:])


def normal(work: Work, _: Mnist, rng: np.random.RandomState) -> tuple:
    """Rows of normal numbers, none of them zero; the class is that of the largest of the first numbers."""
    n_in, n_out = work.sizes[0], work.sizes[-1]
    x = rng.standard_normal((work.samples + 100, n_in)).astype(np.float32)
    y = np.argmax(x[:, :n_out], axis=1).astype(np.uint8)
    return (x[:-100], y[:-100]), (x[-100:], y[-100:])
