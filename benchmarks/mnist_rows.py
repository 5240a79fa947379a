"""MNIST from its four IDX files, and how each notebook shuffles and splits it."""

import gzip
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from notebooks import Array, Notebook


def read_idx(path: Path) -> Array:
    """An IDX file of bytes, gzipped or not: two zeros, the type, the number of axes, their lengths."""
    if not path.exists() and path.with_suffix("").exists():
        path = path.with_suffix("")
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if raw[:3] != b"\0\0\x08":
        raise ValueError(f"{path}: not an IDX file of unsigned bytes")
    shape = np.frombuffer(raw, ">u4", raw[3], 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)


def read_mnist(folder: Path) -> tuple[Array, Array, Array, Array]:
    """x_train (60000, 784), y_train, x_test (10000, 784), y_test, all bytes."""
    def part(name: str) -> tuple[Array, Array]:
        images = read_idx(folder / f"{name}-images-idx3-ubyte.gz")
        return images.reshape(len(images), -1), read_idx(folder / f"{name}-labels-idx1-ubyte.gz")

    return *part("train"), *part("t10k")


@dataclass
class Rows:
    """What one run of a notebook sees; `held_out` is its validation set where it has one."""

    train: tuple[Array, Array]
    held_out: tuple[Array, Array]
    test: tuple[Array, Array]


def notebook_rows(nb: Notebook, mnist: tuple[Array, Array, Array, Array], seed: int) -> Rows:
    x, y, x_test, y_test = mnist
    if nb.number == 0:
        # Kaggle's train.csv is 42000 of all 70000 digits, in an order that is not MNIST's.
        chosen = np.random.RandomState(seed + 70000).permutation(len(x) + len(x_test))[:42000]
        x, y = np.concatenate([x, x_test])[chosen], np.concatenate([y, y_test])[chosen]
    training, held_out = split(nb, len(x), seed)
    return Rows((x[training], y[training]), (x[held_out], y[held_out]), (x_test, y_test))


def split(nb: Notebook, n: int, seed: int) -> tuple[Array, Array]:
    """Row numbers (training, held out) of n rows; notebook 1 takes the first 10000, unshuffled."""
    if nb.number == 1:
        return np.arange(min(n, 10000)), np.arange(0)
    if nb.number == 2:
        order = aliased_shuffle(n, random.Random(seed))
        return order[1000:], order[:1000]
    order = np.arange(n)
    np.random.RandomState(seed).shuffle(order)
    if nb.number == 0:
        return order[1000:], order[:1000]
    return order[:50000], np.setdiff1d(order, order[:50000])


def aliased_shuffle(n: int, rng: random.Random) -> Array:
    """Which original row stands at each place after `random.shuffle` of a 2-D array.

    `x[i], x[j] = x[j], x[i]` swaps views: row j is copied over row i, and then over itself. As i
    runs downwards and j <= i, row j is still the original one; so place i ends with row j_i.
    """
    order = np.zeros(n, np.int64)
    for i in reversed(range(1, n)):
        order[i] = rng.randrange(i + 1)
    return order


def leaked(training: Array, held_out: Array) -> int:
    """How many of the held-out places show a row that also stands among the training rows."""
    return int(np.isin(held_out, training).sum())
