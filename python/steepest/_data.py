"""Data sets, by the names that the command line knows."""

import os
from collections.abc import Iterator

import numpy as np

from steepest import _core
from steepest._files import labels_of


class Data:
    """A data set, which unpacks as ``X, y``.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_features)
        The inputs as they are stored: images are bytes from 0 to 255.
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs), or None
        The labels: whole numbers where all classes are such, else strings. Or numbers. None where there are none.
    images : ndarray of shape (n_samples, height, width) or None
        The same inputs as images, where they are such.
    names : list of str or None
        The classes, whether or not they occur.
    """

    def __init__(self, X: np.ndarray, y: np.ndarray | None, image: tuple[int, int] | None, names: list[str] | None) -> None:
        self.X, self.y, self.names = X, y, names
        self.images: np.ndarray | None = X.reshape(-1, *image) if image else None

    def __iter__(self) -> Iterator[np.ndarray | None]:
        return iter((self.X, self.y))

    def __len__(self) -> int:
        return len(self.X)

    def __repr__(self) -> str:
        what = "no labels" if self.y is None else f"{len(self.names)} classes" if self.names else "numbers as targets"
        return f"<steepest.Data {self.X.shape[0]} x {self.X.shape[1]} {self.X.dtype}, {what}>"


def load_data(
    name: str | os.PathLike,
    *,
    rows: slice | str | None = None,
    target: str | int | None = None,
    arrays: str | None = None,
    offline: bool = False,
) -> Data:
    """Load a data set into arrays.

    Parameters
    ----------
    name : str or path-like
        What the command line takes for ``--data``: a CSV, NPZ, NPY or IDX file, a folder of images or of MNIST's files, or a name
        such as ``"mnist/train"``, ``"fashion-mnist/test"``, ``"digits:7"``. Known data sets are downloaded once where they are not
        found. Of a data set with parts, the training part is taken if none is named.
    rows : slice or str, default=None
        The rows to take, such as ``slice(10_000)`` or ``"1000..42000"``.
    target : str or int, default=None
        The column of a table with the targets: its name, or its number from 1.
    arrays : str, default=None
        Which arrays of an NPZ file are what, such as ``"X=faces,y=who"``.
    offline : bool, default=False
        Download nothing.

    Returns
    -------
    data : Data
        Unpacks as ``X, y``. Generated digits are those of the first epoch.
    """
    column = None if target is None else str(target)
    found = _core.DataSet.load(os.fspath(name), _range(rows), column, arrays, offline)
    X = np.empty(found.shape, found.dtype)
    found.write_inputs(X)
    y: np.ndarray | None = None
    names = found.names
    if names is not None:
        numbers = np.empty(len(X), np.uint32)
        found.write_targets(numbers)
        y = labels_of(names)[numbers]
    elif found.n_outputs is not None:
        y = np.empty((len(X), found.n_outputs) if found.n_outputs > 1 else len(X))
        found.write_targets(y)
    return Data(X, y, found.image, names)


def _range(rows: slice | str | None) -> str | None:
    """Rows as the command line takes them."""
    if not isinstance(rows, slice):
        return rows
    bounds = [rows.start, rows.stop]
    if rows.step not in (None, 1) or any(bound is not None and bound < 0 for bound in bounds):
        raise ValueError(f"rows is {rows}: expected a slice forwards without a step, such as slice(1000, 2000)")
    return "..".join("" if bound is None else str(bound) for bound in bounds)
