"""The peers' readers: a file in, arrays out. As a program: reads once, or only imports, so that its peak memory shows.

    python readers.py READER [FILE]
"""

import importlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import numpy as np

from mnist_rows import read_mnist
from notebooks import Array

# By part of the data set, inputs and labels; a set that is not in parts is one part without a name.
Parts = dict[str, tuple[Array, Array]]
N_PIXELS = 784


def label_first(table: Array) -> Parts:
    return {"": (table[:, 1:], table[:, 0])}


def polars_plain(path: Path) -> Parts:
    import polars as pl
    return label_first(pl.read_csv(path).to_numpy().astype(np.float32))


def polars_as(path: Path, dtype: str) -> Parts:
    import polars as pl
    names = ["label"] + [f"pixel{i}" for i in range(N_PIXELS)]
    table = pl.read_csv(path, schema_overrides=dict.fromkeys(names, getattr(pl, dtype))).to_numpy()
    return label_first(table.astype(np.float32, copy=False))


def pandas_plain(path: Path) -> Parts:
    import pandas as pd
    return label_first(pd.read_csv(path, engine="c").to_numpy())


def numpy_load(path: Path) -> Parts:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    return {part: (arrays[f"x_{part}"], arrays[f"y_{part}"]) for part in ("train", "test")}


def python_gzip(folder: Path) -> Parts:
    x, y, x_test, y_test = read_mnist(folder)
    return {"train": (x, y), "test": (x_test, y_test)}


def pillow(folder: Path) -> Parts:
    from PIL import Image
    images, labels = [], []
    for of_class in sorted(os.scandir(folder / "train"), key=lambda entry: int(entry.name)):
        paths = sorted(entry.path for entry in os.scandir(of_class.path))
        images += [np.asarray(Image.open(path)) for path in paths]
        labels += [int(of_class.name)] * len(paths)
    return {"": (np.stack(images), np.array(labels, np.uint8))}


@dataclass(frozen=True)
class Reader:
    name: str
    module: str  # besides NumPy
    read: Callable[[Path], Parts]


READERS = {reader.name: reader for reader in [
    Reader("polars", "polars", polars_plain),
    Reader("polars, read as Float32", "polars", lambda path: polars_as(path, "Float32")),
    Reader("polars, read as UInt8", "polars", lambda path: polars_as(path, "UInt8")),
    Reader("pandas, engine c", "pandas", pandas_plain),
    Reader("np.load", "numpy", numpy_load),
    Reader("gzip and np.frombuffer", "gzip", python_gzip),
    Reader("Pillow, one thread", "PIL.Image", pillow),
]}


def figures(x: Array, y: Array) -> dict:
    """What `steepest data info` says of a part, as far as it follows from the arrays."""
    classes, counts = np.unique(y, return_counts=True)
    found = {"n_samples": len(x), "n_features": x[0].size, "min": float(x.min()), "max": float(x.max()),
             "classes": [str(int(label)) for label in classes], "counts": counts.tolist()}
    return found | ({"image": list(x.shape[1:])} if x.ndim == 3 else {})


if __name__ == "__main__":
    chosen = READERS[sys.argv[1]]
    importlib.import_module(chosen.module)
    if len(sys.argv) > 2:
        kept = chosen.read(Path(sys.argv[2]))
